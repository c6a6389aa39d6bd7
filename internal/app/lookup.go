package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/store"
)

// LookupOptions are the filters of a look-up; empty ones admit everything. At
// least one filter or a date is needed.
type LookupOptions struct {
	Account        string      // may be empty if only one is enabled
	From, To       config.Date // days in the [sync] timezone, both included
	OrderNo        string
	CardLast4      string
	Merchant       string
	Statuses       []string
	BudgetAccounts []string
	Limit          int // bills shown at most
}

// A Lookup is what the API listed beside what is stored.
type Lookup struct {
	Account  string
	From, To time.Time // the bill time asked for; bills at To are not
	Items    []LookupItem
	// NotListed are live stored bills that the filters admit and the API did
	// not list, as far as it was asked to the end.
	NotListed []store.StoredBill
	// NotUnderstood names what the API listed without a readable order or time.
	NotUnderstood []string
	Requests      int64
	Around        int    // above 0: asked around so many stored bills of the order, not all history
	Whole         bool   // everything asked for was answered and is shown
	More          bool   // the API lists more than the limit allows to show
	Ignored       int    // items listed that the filters do not admit
	Moved         bool   // the list changed while it was read
	GaveUp        bool   // asked no further: the API does not honour the filters
	NoDatabase    bool   // nothing was ever stored
	MerchantRule  string // the name asked for, whose rule of matching nobody documents
}

const (
	// lookAround is how far either side of a stored bill a look-up by its order
	// asks (API §9.4).
	lookAround = 24 * time.Hour
	// maxIgnored is how many bills that nobody asked for are taken before a
	// look-up asks no further.
	maxIgnored = 1000
)

// DocumentedStatuses are the values of billStatus that the API documents (API
// §6.1). The list is open.
func DocumentedStatuses() []string {
	return []string{"WAITING_CLEARANCE", "SUCCESS", "FAILED", "REFUNDED", "CANCELLED", "PARTIAL_CANCEL", "PARTIAL_REFUND", "WAITING_DEDUCT"}
}

// Lookup asks the API live. It writes nothing and takes no lock; there need be
// no database. Beside an error stands what was answered before it.
func (a *App) Lookup(ctx context.Context, o LookupOptions) (Lookup, error) {
	acct, spans, err := a.lookupScope(o)
	if err != nil {
		return Lookup{}, err
	}
	client, err := a.source()
	if err != nil {
		return Lookup{}, err
	}
	books, err := a.openForLookup(ctx)
	if err != nil {
		return Lookup{}, err
	}
	if books != nil {
		defer a.logged("closing the database", books.Close)
	}
	l := &lookup{app: a, account: acct, o: o, source: careful{client}, beyond: map[string]bool{}}
	if spans == nil {
		if spans, l.Around, err = a.orderSpans(ctx, books, acct, o.OrderNo); err != nil {
			return Lookup{}, err
		}
	}
	l.From, l.To = spans[len(spans)-1].from, spans[0].to
	l.Account, l.NoDatabase, l.MerchantRule = acct.Name, books == nil, o.Merchant
	before := client.Requests()
	asking := l.ask(ctx, spans)
	l.Requests = client.Requests() - before
	if l.answered == 0 && asking != nil {
		return Lookup{}, asking
	}
	if err := l.compare(ctx, books); err != nil {
		return Lookup{}, withCode(err)
	}
	l.show(o.Limit)
	l.Whole = asking == nil && !l.More && !l.GaveUp
	return l.Lookup, asking
}

// lookupScope judges the options and lays out what is asked for; nil spans are
// those of a stored order.
func (a *App) lookupScope(o LookupOptions) (config.Account, []keptSpan, error) {
	none := config.Account{}
	acct, err := a.oneAccount(o.Account)
	if err != nil {
		return none, nil, err
	}
	if o.Limit < 1 {
		return none, nil, &InputError{fmt.Sprintf("--limit %d: at least 1", o.Limit), ""}
	}
	filtered := o.OrderNo != "" || o.CardLast4 != "" || o.Merchant != "" || len(o.Statuses) > 0 || len(o.BudgetAccounts) > 0
	switch {
	case !o.dated() && !filtered:
		return none, nil, &InputError{"a look-up needs a filter or a date",
			"one or more of --order-no, --card-no, --merchant, --status, --budget-account, --from, --to"}
	case !o.dated() && o.OrderNo != "":
		return acct, nil, nil
	}
	zone, now := a.cfg.Sync.Timezone, a.now()
	from, to := a.cfg.HistoryStart(acct), now
	if o.From != (config.Date{}) {
		from = o.From.Midnight(zone)
	}
	if o.To != (config.Date{}) {
		to = o.To.Midnight(zone).AddDate(0, 0, 1)
	}
	switch {
	case from.After(now):
		return none, nil, &InputError{fmt.Sprintf("--from %s is in the future", o.From), "there are no bills yet"}
	case !from.Before(to) && o.From == (config.Date{}):
		return none, nil, &InputError{fmt.Sprintf("--to %s is before history_start", o.To), "give --from as well to look further back"}
	case !from.Before(to):
		return none, nil, &InputError{fmt.Sprintf("--from %s is after --to %s", o.From, o.To), "both days are included; --from comes first"}
	}
	return acct, a.layOut(from, to), nil
}

// oneAccount returns the account named, or the only one.
func (a *App) oneAccount(name string) (config.Account, error) {
	if name == "" {
		enabled := a.cfg.Enabled()
		if len(enabled) == 1 {
			return enabled[0], nil
		}
		var names []string
		for _, c := range enabled {
			names = append(names, c.Name)
		}
		return config.Account{}, &InputError{"there are several accounts: say which one with --account",
			"accounts in the configuration: " + strings.Join(names, ", ")}
	}
	accounts, err := a.accounts([]string{name})
	if err != nil {
		return config.Account{}, err
	}
	return accounts[0], nil
}

// openForLookup opens the database for looking, nil if there is none.
func (a *App) openForLookup(ctx context.Context) (*store.Store, error) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if errors.Is(err, store.ErrNoDatabase) {
		return nil, nil
	}
	if err != nil {
		return nil, withCode(err)
	}
	// Bills of another origin would all be called "not stored".
	if err := st.View(ctx, func(t *store.Tx) error { return t.CompareOrigin(a.origin) }); err != nil {
		a.logged("closing the database", st.Close)
		return nil, withCode(err)
	}
	return st, nil
}

// orderSpans lays out what is asked for an order: around its stored bills, or
// all history if none is stored.
func (a *App) orderSpans(ctx context.Context, books *store.Store, acct config.Account, orderNo string) (spans []keptSpan, around int, err error) {
	var stored []store.StoredBill
	if books != nil {
		if err := books.View(ctx, func(t *store.Tx) (err error) {
			stored, err = t.StoredBills(acct.Name, []string{orderNo}, nil)
			return err
		}); err != nil {
			return nil, 0, withCode(err)
		}
	}
	if len(stored) == 0 {
		return a.layOut(a.cfg.HistoryStart(acct), a.now()), 0, nil
	}
	slices.SortFunc(stored, func(x, y store.StoredBill) int { return y.TransactionTime.Compare(x.TransactionTime) })
	from, to := stored[0].TransactionTime, stored[0].TransactionTime
	for _, b := range stored[1:] {
		if from.Sub(b.TransactionTime) > 2*lookAround { // bills of an order may lie months apart
			spans = append(spans, a.layOut(from.Add(-lookAround), to.Add(lookAround))...)
			to = b.TransactionTime
		}
		from = b.TransactionTime
	}
	return append(spans, a.layOut(from.Add(-lookAround), to.Add(lookAround))...), len(stored), nil
}

// A keptSpan is a span the API is asked for, and the part of it whose bills are
// taken from this answer. Spans overlap, these parts do not.
type keptSpan struct {
	ask      bill.Span
	from, to time.Time // bills at to belong to the next newer one
}

// layOut cuts the time from..to into spans the API answers for at once, the
// newest first. They reach two seconds beyond: whether the API counts its ends
// in is not documented (API §9.3).
func (a *App) layOut(from, to time.Time) []keptSpan {
	zone, now := a.cfg.Sync.Timezone, a.now().Truncate(time.Second)
	if to.After(now) {
		to = now.Add(time.Second) // bills of this second are wanted as well
	}
	if !from.Before(to) { // a stored bill that is far ahead of this machine's clock
		from = to.Add(-lookAround)
	}
	var spans []keptSpan
	for _, s := range bill.Layout(from.Add(-bill.Lead).In(zone).Truncate(time.Second), to.Add(bill.Lead/2), a.cfg.Sync.WindowDays) {
		s.End = earlier(earlier(s.End, to.Add(bill.Lead/2).In(zone)), now.In(zone)).Truncate(time.Second)
		if n := len(spans); n > 0 {
			// The middle of the overlap, far from both ends.
			from = s.Start.Add(spans[n-1].ask.End.Sub(s.Start) / 2)
			spans[n-1].to = from
		}
		spans = append(spans, keptSpan{s, from, to})
	}
	slices.Reverse(spans)
	return spans
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// A lookup is a Lookup under way.
type lookup struct {
	Lookup
	app      *App
	account  config.Account
	o        LookupOptions
	source   careful
	items    []LookupItem // all that the filters admit
	ignored  []bill.Bill
	beyond   map[string]bool // by hash: listed although outside the span
	answered int             // spans answered to the end, or begun
	ended    []keptSpan      // answered to the end
}

// ask reads the spans, page by page, until there is more than may be shown.
func (l *lookup) ask(ctx context.Context, spans []keptSpan) error {
	for _, s := range spans {
		if l.enough() {
			return nil
		}
		if err := l.askSpan(ctx, s); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return l.unanswered(s, err)
		}
	}
	return nil
}

func (l *lookup) enough() bool { return len(l.items) > l.o.Limit || len(l.ignored) > maxIgnored }

// askSpan reads the pages of a span. This is a look and no proof: what does not
// add up is said and not read again.
func (l *lookup) askSpan(ctx context.Context, s keptSpan) error {
	q := bill.Query{
		Start: s.ask.Start, End: s.ask.End, Zone: l.app.cfg.Sync.Timezone, PageSize: l.app.cfg.Sync.PageSize,
		Statuses: l.o.Statuses, CardLast4: l.o.CardLast4, MerchantName: l.o.Merchant, OrderNo: l.o.OrderNo,
		BudgetAccountIDs: l.o.BudgetAccounts,
	}
	seen := map[string]int{} // on which page
	total, received := 0, 0
	for q.Page = 1; ; q.Page++ {
		page, err := l.source.QueryBillList(ctx, vocabulary(l.account), q)
		if err != nil {
			return err
		}
		if q.Page == 1 {
			l.answered++
			total = page.TotalCount
		}
		if page.Number != 0 && page.Number != q.Page {
			return &bill.Failure{Outcome: bill.NoAnswer, Op: "queryBillList", Code: "BAD_ANSWER",
				Message: fmt.Sprintf("page %d was asked for and page %d came", q.Page, page.Number)}
		}
		l.Moved = l.Moved || page.TotalCount != total
		total, received = page.TotalCount, received+len(page.Items)
		for i := range page.Items {
			l.take(&page.Items[i], s, seen, q.Page)
		}
		if received >= total || len(page.Items) == 0 {
			l.Moved = l.Moved || received != total
			l.ended = append(l.ended, s)
			return nil
		}
		if l.enough() {
			return nil
		}
	}
}

// take sorts an item in.
func (l *lookup) take(it *bill.Item, s keptSpan, seen map[string]int, page int) {
	if it.Rejected {
		if why := strings.Join(it.Problems, "; "); seen[it.Bill.Hash] == 0 {
			l.NotUnderstood = append(l.NotUnderstood, why)
		}
		seen[it.Bill.Hash] = page
		return
	}
	b := &it.Bill
	if on := seen[b.Hash]; on != 0 && on != page {
		l.Moved = true // the same bill again, because pages moved (API §8.3)
		return
	}
	seen[b.Hash] = page
	inside := s.ask.Contains(b.TransactionTime.Truncate(time.Second))
	switch {
	case !l.o.admits(b), !inside && l.o.dated():
		l.ignored = append(l.ignored, *b)
		return
	case !inside:
		// It was not asked for a time, so no time speaks against it. Every span
		// may bring it again.
		if l.beyond[b.Hash] {
			return
		}
		l.beyond[b.Hash] = true
	case b.TransactionTime.Before(s.from) || !b.TransactionTime.Before(s.to):
		return // a neighbouring span brings it
	}
	l.items = append(l.items, LookupItem{Bill: *b, Problems: it.Problems})
}

// dated reports whether a time was asked for.
func (o *LookupOptions) dated() bool { return o.From != (config.Date{}) || o.To != (config.Date{}) }

// admits reports whether a bill is one that was asked for. What the API does
// not tell of a bill cannot speak against it.
func (o *LookupOptions) admits(b *bill.Bill) bool {
	return (o.OrderNo == "" || b.OrderNo == o.OrderNo) &&
		(o.CardLast4 == "" || b.CardLast4 == "" || b.CardLast4 == o.CardLast4) &&
		(len(o.Statuses) == 0 || slices.Contains(o.Statuses, b.Status)) &&
		(len(o.BudgetAccounts) == 0 || b.BudgetAccountID == "" || slices.Contains(o.BudgetAccounts, b.BudgetAccountID)) &&
		o.admitsMerchant(b)
}

// admitsMerchant looks for a part of the name in any letter case: the API does
// not say how it compares (API §9.8).
func (o *LookupOptions) admitsMerchant(b *bill.Bill) bool {
	return strings.Contains(strings.ToLower(b.MerchantName), strings.ToLower(o.Merchant))
}

// unanswered makes an error with its exit code of a question that was not
// answered with yes.
func (l *lookup) unanswered(s keptSpan, err error) error {
	f, ok := bill.AsFailure(err)
	if !ok {
		return err
	}
	zone := l.app.cfg.Report.Timezone
	v := &Verdict{Code: 3, Reason: fmt.Sprintf("account %s, %s … %s: %v", l.account.Name, s.ask.Start.Add(bill.Lead).In(zone).Format(time.DateOnly),
		s.ask.End.In(zone).Format(time.DateOnly), f), Advice: onceAdvice(f)}
	if f.Outcome == bill.RefusedUs {
		v.Code = 4
	}
	if f.Code == "PARAM_ILLEGAL" && slices.ContainsFunc(l.o.Statuses, func(s string) bool { return !slices.Contains(DocumentedStatuses(), s) }) {
		v.Advice = "The documented statuses are " + strings.Join(DocumentedStatuses(), ", ") + "."
	}
	return v
}

// onceAdvice is the advice for a question that nobody asks again by itself.
func onceAdvice(f *bill.Failure) string {
	switch {
	case f.Outcome == bill.Unknown && f.SlowDown:
		return "Ask again in five minutes, not earlier. If it keeps happening, lower requests_per_second."
	case f.Outcome == bill.Unknown:
		return "Ask again in five minutes, not earlier: the API asks for that pause. If it stays, contact WorldFirst Technical Support."
	case f.Outcome == bill.NoAnswer && (f.Advice == "" || strings.Contains(f.Advice, "asked again")):
		return "Ask again; if it stays, check base_url, the network and any proxy in between."
	case f.Code == "SYSTEM_ERROR":
		return "Do not repeat it; contact WorldFirst Technical Support."
	}
	return notKept.Replace(f.Advice)
}

// notKept takes out of an advice what holds only for windows: their requests
// and answers are kept.
var notKept = strings.NewReplacer(" with the request and answer that are kept", "", " with the request that is kept", "")

// show leaves what is to be shown, the newest first.
func (l *lookup) show(limit int) {
	slices.SortStableFunc(l.items, func(x, y LookupItem) int {
		return cmp.Or(y.Bill.TransactionTime.Compare(x.Bill.TransactionTime), cmp.Compare(x.Bill.OrderNo, y.Bill.OrderNo))
	})
	l.GaveUp, l.Ignored = len(l.ignored) > maxIgnored, len(l.ignored)
	if l.More = len(l.items) > limit; l.More {
		l.items = l.items[:limit]
	}
	l.Items = l.items
}
