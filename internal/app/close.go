package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
	"billsync/internal/verify"
)

// CloseOptions say which month is closed, by whom, and with what words.
type CloseOptions struct {
	Month   Month
	By      string
	Note    string
	Force   bool // also if it is not proved complete
	Dry     bool // close nothing, tell what it would be
	Program string
}

// A ClosedMonth is what is kept of a closed month.
type ClosedMonth = store.Closing

// A Closing is a closed month, or one that could be closed.
type Closing struct {
	store.Closing
	Remarks []string // what does not speak against closing it, and is worth knowing
}

// maxWords bounds what a person says of a closing: it stands in lists.
const maxWords = 1000

// CloseMonth closes a month. The error is a Verdict of exit code 3 if the month is
// not proved complete and force is not wanted; then nothing was closed.
func (a *App) CloseMonth(ctx context.Context, o CloseOptions) (Closing, error) {
	c := Closing{Closing: store.Closing{Month: string(o.Month), At: a.now().UTC().Truncate(time.Millisecond), By: strings.TrimSpace(o.By), Note: strings.TrimSpace(o.Note), Program: o.Program}}
	switch {
	case o.Month > a.thisMonth():
		return c, &InputError{fmt.Sprintf("%s has not begun yet", o.Month), "only months that are over are closed"}
	case c.By == "":
		return c, &InputError{"nobody is named who closes the month", "--by NAME"}
	case len(c.By) > maxWords || len(c.Note) > maxWords:
		return c, &InputError{fmt.Sprintf("--by and --note take %d characters at most", maxWords), "say it shorter; what is longer belongs into a file beside the workbook"}
	}
	st, err := a.change(ctx, a.sameZone)
	if err != nil {
		return c, err
	}
	defer a.logged("closing the database", st.Close)
	names, err := a.names()
	if err != nil {
		return c, err
	}
	for tries := 0; ; tries++ {
		if err := a.post(ctx, st); err != nil && !errors.Is(err, store.ErrTooMuch) { // another month's sums; this one's are made below
			return c, withCode(err)
		}
		open, err := a.openPoints(ctx, st, &c)
		if err != nil {
			return c, withCode(err)
		}
		c.Forced, c.OpenPoints = o.Force && len(open) > 0, ""
		if c.Forced {
			c.OpenPoints = strings.Join(open, "; ")
		}
		if len(open) > 0 && !o.Force {
			return c, &Verdict{3, fmt.Sprintf("%s is not closed: %s", o.Month, strings.Join(open, "; ")),
				"\"syncer sync\" proves it (with --refresh it reads again what may have changed), \"syncer status\" says what is missing; --force closes it all the same and keeps these points"}
		}
		// Another process may change the time zone in between.
		const enough = 5
		err = st.CloseMonth(ctx, &c.Closing, names, o.Dry)
		if errors.Is(err, store.ErrNotPosted) && tries < enough {
			continue
		}
		if err != nil {
			return c, withCode(err)
		}
		break
	}
	if !o.Dry {
		a.log.Info().Str("month", c.Month).Str("by", c.By).Bool("forced", c.Forced).Int("postings", c.Postings).Str("hash", c.Hash).Msg("month closed")
	}
	return c, nil
}

// openPoints says what speaks against closing a month, and fills in since when it
// is proved and what is worth knowing.
func (a *App) openPoints(ctx context.Context, st *store.Store, c *Closing) (open []string, err error) {
	zone := a.cfg.Report.Timezone
	at, err := time.ParseInLocation("2006-01", c.Month, zone)
	if err != nil {
		return nil, err
	}
	s := bill.Span{Start: at, End: at.AddDate(0, 1, 0)}
	c.ProvedAt, c.Remarks = time.Time{}, nil
	if a.now().Before(s.End) {
		open = append(open, fmt.Sprintf("it is not over until %s", s.End.Format("2006-01-02 15:04 -07:00")))
	}
	err = st.View(ctx, func(t *store.Tx) error {
		covered, err := t.Coverage()
		if err != nil {
			return err
		}
		if len(covered) == 0 {
			open = append(open, "nothing was ever synced")
		}
		if len(covered) > 0 && !slices.ContainsFunc(covered, func(acct store.Coverage) bool { return acct.HistoryStart.Before(s.End) }) {
			return &InputError{c.Month + " is before the history of every account", "close a month that has bills, such as " + covered[0].HistoryStart.In(zone).Format("2006-01")}
		}
		for i := range covered {
			points, err := a.unproved(t, &covered[i], s, c)
			if err != nil {
				return err
			}
			open = append(open, points...)
		}
		points, err := t.OpenPoints(c.Month, s.Start, s.End)
		open = append(open, points...)
		if err != nil {
			return err
		}
		list, err := t.Closings()
		if err == nil && len(list) > 0 && list[0].Month < string(Month(c.Month).Add(-1)) {
			c.Remarks = append(c.Remarks, fmt.Sprintf("the month before it is still open; the last one that is closed is %s", list[0].Month))
		}
		return err
	})
	if len(open) > 0 {
		c.ProvedAt = time.Time{}
	}
	return open, err
}

// unproved says what of an account's month is not proved.
func (a *App) unproved(t *store.Tx, acct *store.Coverage, month bill.Span, c *Closing) (open []string, err error) {
	zone, s := a.cfg.Report.Timezone, month
	if s.Start.Before(acct.HistoryStart) {
		s.Start = acct.HistoryStart
	}
	if !s.End.After(s.Start) {
		return nil, nil // its history begins later
	}
	proof, err := verify.Proved(t, acct.Account, s)
	if err != nil {
		return nil, err
	}
	moment := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04 -07:00") }
	switch {
	case !proof.At.IsZero():
		if c.ProvedAt.IsZero() || proof.At.Before(c.ProvedAt) {
			c.ProvedAt = proof.At
		}
	case proof.Until.IsZero():
		open = append(open, fmt.Sprintf("account %s: it is not proved complete", acct.Account))
	default:
		open = append(open, fmt.Sprintf("account %s: it is proved complete until %s only", acct.Account, moment(proof.Until)))
	}
	for i := range proof.Lacks {
		open = append(open, fmt.Sprintf("account %s: %s", acct.Account, lacking(&proof.Lacks[i])))
	}
	points, err := unprovedBefore(t, acct, s.Start, proof.Lacks)
	if err != nil {
		return open, err
	}
	open = append(open, points...)
	if len(proof.Agreed) > 0 {
		c.Remarks = append(c.Remarks, fmt.Sprintf("account %s: of its windows %d had been accepted without a proof", acct.Account, len(proof.Agreed)))
	}
	if s.Start.After(month.Start) {
		c.Remarks = append(c.Remarks, fmt.Sprintf("account %s: its history begins within the month, on %s", acct.Account, s.Start.In(zone).Format(time.DateOnly)))
	}
	refreshed, err := t.RefreshedAt(acct.Account)
	if err == nil && refreshed.Before(month.End) && !a.now().Before(month.End) {
		open = append(open, fmt.Sprintf("account %s: what changed of earlier bills until the month ended is not read again yet (last refresh: %s)", acct.Account, timeWord(refreshed, moment)))
	}
	return open, err
}

// unprovedBefore says what of an account's history before a month is not proved: the
// month's books hold what came back of earlier bills, too. What was said of windows
// that reach into the month is not said again.
func unprovedBefore(t *store.Tx, acct *store.Coverage, start time.Time, said []bill.Window) ([]string, error) {
	if !acct.HistoryStart.Before(start) {
		return nil, nil
	}
	proof, err := verify.Proved(t, acct.Account, bill.Span{Start: acct.HistoryStart, End: start})
	if err != nil {
		return nil, err
	}
	lacks := slices.DeleteFunc(proof.Lacks, func(w bill.Window) bool {
		return slices.ContainsFunc(said, func(x bill.Window) bool { return x.ID == w.ID })
	})
	if !proof.At.IsZero() && len(lacks) == 0 {
		return nil, nil
	}
	point := fmt.Sprintf("account %s: its earlier history is not proved complete, and the month's books hold what came back of earlier bills", acct.Account)
	if n := len(lacks); n > 0 {
		point += fmt.Sprintf(" (%s, of %d that lack)", lacking(&lacks[0]), n)
	}
	return []string{point}, nil
}

// lacking says what is the matter with a window that is not proved.
func lacking(w *bill.Window) string {
	why := string(w.State)
	if w.LastError != "" {
		why += ": " + w.LastError
	}
	return fmt.Sprintf("window %d is %s", w.ID, why)
}

func timeWord(t time.Time, word func(time.Time) string) string {
	if t.IsZero() {
		return "never"
	}
	return word(t)
}

// Closings returns the closed months, the latest first.
func (a *App) Closings(ctx context.Context) (list []store.Closing, err error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) (err error) {
		list, err = t.Closings()
		return err
	})
	return list, withCode(err)
}

// A CheckedClosing is a closed month, compared with its postings.
type CheckedClosing struct {
	store.Closing
	Now    store.Closing // what its postings come to now
	Differ string        // in what; "" if it is the same
}

// CheckClosings makes the hashes of closed months again: of all, or of one. The
// error is a Verdict of exit code 3 if one differs.
func (a *App) CheckClosings(ctx context.Context, month Month) (checked []CheckedClosing, err error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	var differ []string
	err = st.View(ctx, func(t *store.Tx) error {
		list, err := t.Closings()
		if err != nil {
			return err
		}
		for _, c := range list {
			if month != "" && c.Month != string(month) {
				continue
			}
			now, err := t.Recount(c.Month)
			if err != nil {
				return err
			}
			x := CheckedClosing{c, now, c.Differs(&now)}
			if x.Differ != "" {
				differ = append(differ, c.Month+": "+x.Differ)
			}
			checked = append(checked, x)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, withCode(err)
	case month != "" && len(checked) == 0:
		return nil, &InputError{fmt.Sprintf("%s is not closed", month), "\"syncer close --list\" shows what is"}
	case len(differ) > 0:
		return checked, &Verdict{3, strings.Join(differ, "; "), "the database was changed by hand, or is damaged: compare with a backup of the time of the closing"}
	}
	return checked, nil
}
