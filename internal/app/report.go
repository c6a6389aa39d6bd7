package app

import (
	"context"
	"errors"
	"time"

	"billsync/internal/store"
	"billsync/internal/verify"
)

// ReportOptions say what a report is about.
type ReportOptions struct {
	Accounts []string
	Counting func(done, total int)
}

// A Sheet is the report on completeness: month by month what the API counts and
// what is stored.
type Sheet struct {
	Path   string // of the database
	Host   string // of the API
	Client string // as which it was asked
	MadeAt time.Time
	*verify.Result
}

// Completeness makes the sheet, from counts made now. The error says, with its
// exit code, why not every month is proved and agrees.
func (a *App) Completeness(ctx context.Context, o ReportOptions) (Sheet, error) {
	s := Sheet{Path: a.cfg.Database.URL, MadeAt: a.now()}
	work, end, err := a.verifier(ctx, o.Accounts)
	if errors.Is(err, store.ErrNoDatabase) {
		return s, a.noDatabase()
	}
	if err != nil {
		return s, err
	}
	defer end()
	s.Host, s.Client = a.origin.Host, a.origin.ClientID
	if s.Result, err = work.Months(ctx, a.cfg.Report.Timezone, verify.Options{Progress: o.Counting}); err != nil {
		return s, withCode(err)
	}
	a.logCounts("months counted", s.Result)
	open := openEnds{
		noun: "month", differing: len(s.Differing()), unproved: len(s.Unproved()),
		advice: "\"syncer verify\" tells which windows, \"syncer verify --repair\" reads them again",
	}
	open.take(s.Result)
	return s, open.verdict()
}
