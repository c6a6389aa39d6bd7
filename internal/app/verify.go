package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/verify"
	"billsync/internal/worldfirst"
)

// VerifyOptions say what is counted, and whether what differs is read again.
type VerifyOptions struct {
	Accounts []string
	From, To config.Date // the zero Date: no limit
	Repair   bool
	Offline  bool // compare the books with the bills only; the API is not asked

	Counting func(done, total int)
	Reading  func(syncer.Progress)
}

// A Verification is what was counted and what was done about it.
type Verification struct {
	Path  string
	First *verify.Result // nil: the API was not asked
	Runs  []bill.Run     // that read again what differed
	Again *verify.Result // what differed, counted once more; nil if there was nothing to do
	Books *BooksChecked  // the postings and sums beside the bills; nil: it did not come to that
}

// BooksChecked is what was compared in the books, and what is wrong there.
type BooksChecked = store.BooksChecked

// Verify counts every proved window again at the API and compares. The error
// says, with its exit code, why not everything agrees.
func (a *App) Verify(ctx context.Context, o VerifyOptions) (Verification, error) {
	v := Verification{Path: a.cfg.Database.URL}
	scope, err := a.scope(SyncOptions{Accounts: o.Accounts, From: o.From, To: o.To})
	if err != nil {
		return v, err
	}
	if o.Offline {
		if err := a.checkBooks(ctx, &v, o.Counting); err != nil {
			return v, err
		}
		return v, v.verdict()
	}
	if o.Repair {
		if err := a.free(); err != nil { // told before the counting, not after it
			return v, err
		}
	}
	work, end, err := a.verifier(ctx, o.Accounts)
	if errors.Is(err, store.ErrNoDatabase) {
		return v, &Verdict{3, fmt.Sprintf("there is no database at %s yet: nothing is proved", a.cfg.Database.URL), "\"syncer sync\" makes it"}
	}
	if err != nil {
		return v, err
	}
	defer end()
	opts := verify.Options{Progress: o.Counting}
	if !scope.Span.Start.IsZero() {
		opts.Within = func(_ string, s bill.Span) bool { return s.Overlaps(scope.Span) }
	}
	if v.First, err = work.Windows(ctx, opts); err != nil {
		return v, withCode(err)
	}
	a.logCounts("counted", v.First)
	if differing := mendable(v.First); o.Repair && len(differing) > 0 {
		if v.Runs, err = a.readAgain(ctx, differing, o.Reading); err != nil {
			return v, err
		}
		opts.Within = touched(differing)
		if v.Again, err = work.Windows(ctx, opts); err != nil {
			return v, withCode(err)
		}
		a.logCounts("counted after reading again", v.Again)
	}
	if err := a.checkBooks(ctx, &v, nil); err != nil {
		return v, err
	}
	if o.Repair && len(v.Books.Findings) > 0 {
		if err := a.mendBooks(ctx); err != nil {
			return v, err
		}
		if err := a.checkBooks(ctx, &v, nil); err != nil {
			return v, err
		}
	}
	return v, v.verdict()
}

// mendBooks brings the books back to what the bills say.
func (a *App) mendBooks(ctx context.Context) error {
	st, err := store.Open(ctx, a.cfg.Database.URL, a.cfg.Report.Timezone)
	if err != nil {
		return withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	mended, err := st.MendBooks(ctx, worldfirst.DecodeItem)
	a.log.Info().Int("bills", mended).Msg("books mended")
	return withCode(err)
}

// checkBooks compares the books with the bills.
func (a *App) checkBooks(ctx context.Context, v *Verification, progress func(done, total int)) error {
	st, err := a.readBooks(ctx)
	switch {
	case errors.Is(err, store.ErrTooMuch):
		a.log.Warn().Err(err).Msg("months without sums are not compared with them")
	case err != nil:
		return err
	}
	defer a.logged("closing the database", st.Close)
	checked, err := st.CheckBooks(ctx, worldfirst.DecodeItem, progress)
	if err != nil {
		return withCode(err)
	}
	v.Books = &checked
	a.log.Info().Int("bills", checked.Bills).Int("postings", checked.Postings).Int("findings", len(checked.Findings)).Msg("books compared")
	return nil
}

// free finds out whether another syncer is at work.
func (a *App) free() error {
	if err := store.CheckFolder(a.cfg.Database.URL); err != nil {
		return withCode(err)
	}
	lock, err := store.TryLock(a.cfg.Database.URL, "verify", a.now())
	if err != nil {
		return withCode(err)
	}
	return lock.Unlock()
}

// verifier returns the counting for some accounts, or all if none is named. It
// looks at the database only; end closes that.
func (a *App) verifier(ctx context.Context, names []string) (work *verify.Verifier, end func(), err error) {
	accounts, err := a.accounts(names)
	if err != nil {
		return nil, nil, err
	}
	client, err := a.source()
	if err != nil {
		return nil, nil, err
	}
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if err != nil {
		return nil, nil, withCode(err)
	}
	end = func() { a.logged("closing the database", st.Close) }
	if err := st.View(ctx, func(t *store.Tx) error { return t.CompareOrigin(a.origin) }); err != nil {
		end()
		return nil, nil, withCode(err)
	}
	cfg := verify.Config{
		Zone: a.cfg.Sync.Timezone, WindowDays: a.cfg.Sync.WindowDays, Concurrency: a.cfg.API.Concurrency, ItemTime: worldfirst.ItemTime,
	}
	for _, c := range accounts {
		cfg.Subjects = append(cfg.Subjects, verify.Subject{Account: vocabulary(c), HistoryStart: a.cfg.HistoryStart(c)})
	}
	return verify.New(cfg, careful{client}, libraryOf{st}, a.now), end, nil
}

// libraryOf lets the counting see the store through the interface it asks for.
type libraryOf struct{ *store.Store }

func (s libraryOf) View(ctx context.Context, fn func(verify.Books) error) error {
	return s.Store.View(ctx, func(t *store.Tx) error { return fn(t) })
}

// readAgain reads the windows of rows again, in ordinary runs. Window 0 stands
// for the tail of every account of a run, so accounts whose tail differs have a
// run of their own.
func (a *App) readAgain(ctx context.Context, rows []*verify.Row, progress func(syncer.Progress)) ([]bill.Run, error) {
	windows := map[string][]int64{}
	var names []string
	for _, r := range rows {
		if windows[r.Account] == nil {
			names = append(names, r.Account)
		}
		windows[r.Account] = append(windows[r.Account], r.Windows...)
	}
	var runs []bill.Run
	for _, tail := range []bool{false, true} {
		o := SyncOptions{Trigger: "repair", Progress: progress}
		for _, n := range names {
			if slices.Contains(windows[n], 0) == tail {
				o.Accounts = append(o.Accounts, n)
				o.Windows = append(o.Windows, windows[n]...)
			}
		}
		if o.Accounts == nil {
			continue
		}
		slices.Sort(o.Windows)
		o.Windows = slices.Compact(o.Windows)
		sum, err := a.Sync(ctx, o)
		if sum.Run.ID != 0 {
			runs = append(runs, sum.Run)
		}
		// That other windows are not proved is not what is asked here, and whether
		// these agree now is counted.
		var v *Verdict
		if err != nil && !errors.As(err, &v) {
			return runs, err
		}
	}
	return runs, nil
}

// mendable returns the rows that reading again may mend: not while the API does
// not answer or refuses us.
func mendable(res *verify.Result) []*verify.Row {
	if res.Stopped != nil {
		return nil
	}
	refused := refusedIn(res)
	return slices.DeleteFunc(res.Differing(), func(r *verify.Row) bool { return refused[r.Account] })
}

func refusedIn(res *verify.Result) map[string]bool {
	refused := map[string]bool{}
	for _, a := range res.Accounts {
		refused[a.Name] = a.Refused != nil
	}
	return refused
}

// touched admits what has more in common with rows than an overlap at the ends.
func touched(rows []*verify.Row) func(string, bill.Span) bool {
	return func(account string, s bill.Span) bool {
		return slices.ContainsFunc(rows, func(r *verify.Row) bool {
			from, to := r.Span.Start, r.Span.End
			if s.Start.After(from) {
				from = s.Start
			}
			if s.End.Before(to) {
				to = s.End
			}
			return r.Account == account && to.Sub(from) > time.Second
		})
	}
}

// Differing returns the rows that differ, after what was read again.
func (v *Verification) Differing() []*verify.Row {
	if v.Again == nil {
		return v.First.Differing()
	}
	refused := refusedIn(v.First)
	left := slices.DeleteFunc(v.First.Differing(), func(r *verify.Row) bool { return !refused[r.Account] })
	return append(left, v.Again.Differing()...)
}

// verdict says why not everything agrees.
func (v *Verification) verdict() error {
	o := openEnds{noun: "window"}
	if v.Books != nil {
		o.altered = v.Books.Altered
		for _, f := range v.Books.Findings {
			if !f.Altered {
				o.books++
			}
		}
	}
	var results []*verify.Result
	if v.First != nil {
		o.differing = len(v.Differing())
		results = append(results, v.First)
	}
	if v.Again != nil {
		results = append(results, v.Again)
	}
	unproved := map[int64]bool{}
	for _, res := range results {
		o.take(res)
		for _, r := range res.Unproved() {
			unproved[r.Windows[0]] = true
		}
	}
	o.unproved = len(unproved)
	o.advice = "\"syncer verify --repair\" reads them again"
	if v.Again != nil {
		o.advice = "reading again did not mend it: \"syncer status\" says what waits or failed"
	}
	return o.verdict()
}

// openEnds is what keeps counts from being a clean bill.
type openEnds struct {
	noun                           string
	differing, uncounted, unproved int
	nothing                        []string // accounts of which nothing is proved
	refused, hints                 []string
	stopped                        error
	advice                         string // where counts differ
	altered                        int    // bills that are not what was received
	books                          int    // findings in the books
}

// take adds what a result says of accounts and of the API.
func (o *openEnds) take(res *verify.Result) {
	if res.Stopped != nil {
		o.stopped = res.Stopped
	}
	refused := refusedIn(res)
	for _, r := range res.Uncounted() {
		if !refused[r.Account] {
			o.uncounted++
		}
	}
	for _, a := range res.Accounts {
		if a.Until.IsZero() && !slices.Contains(o.nothing, a.Name) {
			o.nothing = append(o.nothing, a.Name)
		}
		if a.Refused != nil {
			o.refused = append(o.refused, a.Name+": "+a.Refused.Error())
			o.hints = append(o.hints, a.Refused.Advice)
		}
	}
}

func (o *openEnds) verdict() error {
	reasons, advice := compact(o.refused), compact(o.hints)
	code := 0
	add := func(reason, hint string) {
		reasons = append(reasons, reason)
		advice = append(advice, hint)
		code = 3
	}
	some := func(n int, one, many string) string {
		if n == 1 {
			return fmt.Sprintf("1 %s %s", o.noun, one)
		}
		return fmt.Sprintf("%d %ss %s", n, o.noun, many)
	}
	if o.stopped != nil {
		add(o.stopped.Error(), "nothing is lost: run it again")
	}
	if o.differing > 0 {
		add(some(o.differing, "differs", "differ"), o.advice)
	}
	if o.uncounted > 0 && o.stopped == nil {
		add(some(o.uncounted, "was not counted", "were not counted"), "run it again later")
	}
	if o.unproved > 0 {
		add(some(o.unproved, "is not proved", "are not proved"), "\"syncer status\" says what is missing, \"syncer sync\" goes on")
	}
	if o.altered > 0 {
		reason := fmt.Sprintf("%d bills are not what was received", o.altered)
		if o.altered == 1 {
			reason = "1 bill is not what was received"
		}
		add(reason, "somebody changed the rows: \"syncer verify --repair\" puts back what was received, as far as that is still certain; else compare with a backup")
	}
	if o.books > 0 {
		reason := "the books are not what the bills say"
		add(reason, "the rows were changed by hand, or this is a fault of the program: \"syncer verify --repair\" mends sums and what is missing, where it is not closed; else compare with a backup, and report it")
	}
	if len(o.nothing) > 0 {
		add(strings.Join(o.nothing, ", ")+": nothing is proved yet", "\"syncer sync\" reads and proves it")
	}
	if len(o.refused) > 0 {
		code = 4
	}
	if code == 0 {
		return nil
	}
	return &Verdict{code, strings.Join(reasons, "; "), strings.Join(compact(advice), "; ")}
}

// logCounts writes a line for the log; the rows are the result, which is printed.
func (a *App) logCounts(what string, res *verify.Result) {
	a.log.Info().Int("spans", len(res.Rows())).Int("differing", len(res.Differing())).Int("uncounted", len(res.Uncounted())).Msg(what)
}
