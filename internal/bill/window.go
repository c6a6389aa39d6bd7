package bill

import (
	"fmt"
	"time"
)

// A Span is a stretch of bill time. Whether the provider counts its ends in is
// not documented (API §9.3), so neighbouring spans overlap.
type Span struct {
	Start, End time.Time // whole seconds
}

// Contains reports whether t lies in the span, both ends included.
func (s Span) Contains(t time.Time) bool { return !t.Before(s.Start) && !t.After(s.End) }

// Overlaps reports whether two spans share an instant, ends included.
func (s Span) Overlaps(o Span) bool { return !s.End.Before(o.Start) && !o.End.Before(s.Start) }

const (
	// MaxWindowDays is the most calendar days the provider answers for at
	// once (API §9.2).
	MaxWindowDays = 100
	// MinHalf is the shortest span that a refused window is halved into.
	MinHalf = time.Hour
	// Lead is how far before history_start the first window begins, so that a
	// bill in the first second is found whichever ends the provider includes.
	Lead = 2 * time.Second
)

// Layout cuts the time from start to end into windows of the given number of
// calendar days in start's location, oldest first.
//
// A window runs from 00:00:00 on its day 0 to 23:59:59 on its last day, and the
// next one begins on that last day, so neighbours overlap by a day. No window
// is longer than days x 24 h - 1 s, which a zone with summer time could
// otherwise exceed: that is legal under every reading of "not more than 100
// days, 0 to 99 inclusive" (API §9.2). The first window begins at start itself,
// which need not be midnight. The last one is the first whose end reaches end;
// it is not cut off there.
func Layout(start, end time.Time, days int) []Span {
	var spans []Span
	for s := start; ; {
		y, m, d := s.Date()
		last := time.Date(y, m, d+days-1, 0, 0, 0, 0, s.Location())
		e := time.Date(y, m, d+days-1, 23, 59, 59, 0, s.Location())
		if limit := s.Add(time.Duration(days)*24*time.Hour - time.Second); e.After(limit) {
			e = limit
		}
		spans = append(spans, Span{s, e})
		// Where summer time shortened the window to before its last day began,
		// the next one begins a day earlier to keep the overlap.
		next := last
		for next.After(e.Add(-time.Hour)) {
			d--
			next = time.Date(y, m, d+days-1, 0, 0, 0, 0, s.Location())
		}
		if !e.Before(end) {
			return spans
		}
		s = next
	}
}

// Halve cuts a span in two halves that overlap by two seconds. It reports false
// if they would be shorter than MinHalf.
func (s Span) Halve() (older, newer Span, ok bool) {
	half := s.End.Sub(s.Start) / 2
	if half < MinHalf {
		return Span{}, Span{}, false
	}
	mid := s.Start.Add(half).Truncate(time.Second)
	return Span{s.Start, mid.Add(time.Second)}, Span{mid.Add(-time.Second), s.End}, true
}

// Split cuts a span in two at the same second as Halve, but without overlap,
// for counting: the counts of the parts never add up to more than the whole.
func (s Span) Split() (older, newer Span) {
	mid := s.Start.Add(s.End.Sub(s.Start) / 2).Truncate(time.Second)
	return Span{s.Start, mid.Add(-time.Second)}, Span{mid.Add(time.Second), s.End}
}

// A State says how far the reading of a window has come.
type State string

const (
	Pending State = "pending" // not begun
	Reading State = "reading" // a pass has begun; the checkpoint says how far
	Done    State = "done"    // proved: what the provider counts is what is stored
	Waiting State = "waiting" // asked again at NextAttemptAt, or by the next run if that is not set
	Failed  State = "failed"  // asked again only by a refresh or by a person
)

// Progress is what a window and a tail have in common: the durable mark of how
// far their reading has come and of what stands in its way.
type Progress struct {
	State         State
	NextPage      int       // the checkpoint: the first page not yet stored
	TotalCount    *int      // what the provider counts, from the latest pass
	StoredCount   *int      // bills and rejected items of the latest finished pass
	Attempts      int       // answers of unknown outcome (U) in a row
	Setbacks      int       // unanswered requests and unsettled passes in a row
	NextAttemptAt time.Time // not asked before; zero: not waiting for a time
	LastError     string    // one line; empty if nothing stands in the way
	ProvedAt      time.Time // when the latest proof was made; zero if there is none

	// Missing is how many stored bills the provider lists no longer: too many
	// at once to be believed without a person. MissingAccepted is how many of
	// them a person agreed to mark as withdrawn.
	Missing, MissingAccepted int
	// AcceptedAt is when a person accepted that there is no proof; zero if
	// nobody did.
	AcceptedAt time.Time
}

// NeedsPerson reports whether it waits for a person's word on bills that the
// provider lists no longer.
func (p *Progress) NeedsPerson() bool { return p.Missing > 0 && p.MissingAccepted == 0 }

// A Window is a persisted span that the provider answers for at once.
type Window struct {
	ID      int64
	Account string
	Span
	Zone string // name of the zone in whose offset the bounds are sent
	// OpenEnd marks the newest window until its first pass begins; its end is
	// then set to two minutes before now.
	OpenEnd bool
	// RereadAt is set while a proved window is to be read again: since when.
	RereadAt time.Time
	// RereadFailedAt is set when that reading failed: only a refresh or a person
	// asks again.
	RereadFailedAt time.Time
	Progress
}

// A Tail is the newest part of an account's history, read by every run.
type Tail struct {
	Account     string
	CoveredFrom time.Time // where the windows end and the tail takes over
	ProvedUntil time.Time // end of the latest proof; zero before the first
	AuditedAt   time.Time // when it was last read from its beginning; zero: never
	RereadAt    time.Time // since when it is to be read from its beginning; zero: it is not
	MissingFrom time.Time // where the reading began that found bills to be missing
	Progress
}

// Quiet says how long nothing has happened in an account, beside how long
// nothing ever happened before: a stop that is longer than usual may mean that
// the provider no longer tells us.
type Quiet struct {
	Since   time.Time     // the newest transaction
	For     time.Duration // from then until everything is proved
	Longest time.Duration // between two transactions, in the 90 days before
	Bills   int           // transactions in these days
}

// Unusual reports whether it is worth a word: at least a day, three times as
// long as ever before, and enough bills to know.
func (q Quiet) Unusual() bool {
	return q.Bills >= 10 && q.For > 24*time.Hour && q.For > 3*q.Longest
}

// String says so; empty if there is nothing to be said.
func (q Quiet) String() string {
	if !q.Unusual() {
		return ""
	}
	return fmt.Sprintf("nothing new since %s (%.1f days); in the 90 days before, %d bills came and never more than %.1f days apart",
		q.Since.UTC().Format("2006-01-02 15:04Z"), q.For.Hours()/24, q.Bills, q.Longest.Hours()/24)
}

// A Chase is what is known of a proved window's bills by status: how a change
// of an old bill is noticed without reading the window again. Its Progress says
// when it was last done (ProvedAt) and what stands in its way.
type Chase struct {
	Account  string
	WindowID int64 // 0: the older part of the tail
	// Counts is how many bills of a status the provider counts; "" is all.
	Counts map[string]int
	// CountedAt is when these counts were found to differ from what was stored,
	// so that the window was read in full; zero if they do not differ.
	CountedAt time.Time
	Progress
}

// A Pass is one reading of all pages of a span, with frozen ends and page size.
type Pass struct {
	ID       int64
	Account  string
	WindowID int64 // 0: the tail
	Span
	Zone      string
	PageSize  int // asked for
	BegunAt   time.Time
	TouchedAt time.Time // when its last page was stored
	RunID     int64
	NextPage  int // first page not yet stored
	Total     int // totalCount of page 1
	Pages     int // pages that make up the total; 0 before page 1
	PageItems int // items a full page really has
	Items     int // items received so far
	Rejected  int // of these, items that are no bills
	Rereads   int // how often in a row the span was read before because something moved
}

// A PageRecord is what a pass keeps of a page it has stored.
type PageRecord struct {
	PassID  int64
	Number  int
	Hash    string
	Items   int
	BillIDs []int64 // bills of the page, in order; held and rejected items are not among them
	ReadAt  time.Time
	// BillsHash stands for what the bills said when the page was stored, empty if
	// there is more to the page than that. A page that is listed again with the
	// same Hash is not decoded if they still say so.
	BillsHash string
}

// A HeldItem is an item whose identity cannot be told before the pass is over.
type HeldItem struct {
	Page, Position int
	// OneAnswer says that all stored bills it could be a second sighting of came
	// in the same answer. One answer does not list a bill twice.
	OneAnswer bool
	AskedAt   time.Time
	Item      Item
}

// A Known is what the database knows of a bill that may be the one in hand.
type Known struct {
	ID           int64
	OrderNo      string
	BillNo       string
	Second       int64 // transaction time, whole UTC seconds
	Ordinal      int   // tells apart bills that are otherwise alike
	Hash         string
	Trade        *Amount
	AssetID      string
	CardLast4    string
	CardNickName string
	LastUpdate   time.Time
	ReadAt       time.Time // when the stored state was fetched
	RunID        int64     // by which run; 0: a notification brought it
	Withdrawn    bool
	NotifiedAt   time.Time // set while only a notification told of it: when
}

// Bill returns the parts of a Known that Alike compares.
func (k *Known) Bill() *Bill {
	return &Bill{Trade: k.Trade, AssetID: k.AssetID, CardLast4: k.CardLast4}
}

// A Run is one execution of the program's work.
type Run struct {
	ID         int64
	Trigger    string // sync, refresh, retry, or who started it
	StartedAt  time.Time
	FinishedAt time.Time
	Outcome    string // running, complete, incomplete, refused, interrupted, error
	Requests   int64
	Read       int // items received
	New        int
	Changed    int
	Withdrawn  int // found to be listed no longer
	Returned   int // withdrawn before, and listed again
	Error      string
}

// An AccountState is what the database keeps of an account beside its windows.
type AccountState struct {
	RefreshedAt     time.Time // when the past was last read again; the first backfill counts
	RefreshWantedAt time.Time // set while a refresh is under way
	Refused         bool      // the provider refused it when last asked
}
