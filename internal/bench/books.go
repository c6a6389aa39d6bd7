package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"billsync/internal/store"

	"github.com/jmoiron/sqlx"
)

// What the books cost and what they bring: the sums that reports are read from,
// beside the queries that one would ask the bills instead.

// A booksSample is what was measured of them.
type booksSample struct {
	sums  usage // making all sums anew: what keeps reports fast
	reads []readSample
}

// A readSample is a report's figures, read as syncer reads them and by a scan.
type readSample struct {
	number, name string
	fast, scan   time.Duration
}

// scans is how often a scan is measured, reads how often what is fast; the median
// counts.
const (
	scans = 3
	reads = 9
)

// books measures the books of a database that was loaded.
func (s *site) books(ctx context.Context) (b booksSample, err error) {
	if b.sums, err = s.resum(ctx); err != nil {
		return b, err
	}
	st, err := store.OpenReader(ctx, s.database())
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	db, err := openReader(s.database())
	if err != nil {
		return b, err
	}
	defer db.Close()
	last := s.history.To.AddDate(0, -1, 0)
	quarter := store.MonthSpan{From: last.AddDate(0, -2, 0).Format("2006-01"), To: last.Format("2006-01")}
	for _, q := range []struct {
		number, name string
		fast         func(*store.Tx) error
		scan         string
		args         []any
	}{
		{"7a", "monthly sums of all months", func(t *store.Tx) error {
			return t.MonthSums("account", nil, store.MonthSpan{}, func(*store.MonthSum) error { return nil })
		}, "SELECT substr(transaction_date, 1, 7), out_currency, bill_status, count(*), sum(out_amount), sum(in_amount) FROM bills GROUP BY 1, 2, 3", nil},
		{"7b", "merchants of a quarter", func(t *store.Tx) error {
			return t.NameSums("merchant", nil, quarter, func(string, string, *store.BookSum) error { return nil })
		}, `SELECT merchant_name, out_currency, count(*), sum(out_amount), sum(in_amount) FROM bills
			WHERE transaction_date BETWEEN ? AND ? AND bill_status NOT IN ('FAILED', 'CANCELLED') GROUP BY 1, 2`, []any{quarter.From + "-01", quarter.To + "-31"}},
		{"7c", "failures of all months by reason", func(t *store.Tx) error {
			return t.FailureGroups("account", nil, store.MonthSpan{}, func(*store.FailureGroup) error { return nil })
		}, "SELECT fail_code, trade_currency, count(*), sum(trade_amount) FROM bills WHERE bill_status = 'FAILED' GROUP BY 1, 2", nil},
	} {
		r := readSample{number: q.number, name: q.name}
		if r.fast, err = medianTime(reads, func() error { return st.View(ctx, q.fast) }); err != nil {
			return b, fmt.Errorf("%s: %w", q.name, err)
		}
		if r.scan, err = medianTime(scans, func() error { return drain(ctx, db, q.scan, q.args...) }); err != nil {
			return b, fmt.Errorf("%s by a scan: %w", q.name, err)
		}
		b.reads = append(b.reads, r)
	}
	return b, nil
}

// resum measures how long it takes to make all sums anew.
func (s *site) resum(ctx context.Context) (u usage, err error) {
	db, err := sqlx.Open("sqlite3", "file:"+escaped(s.database())+"?_busy_timeout=5000")
	if err != nil {
		return u, err
	}
	_, err = db.ExecContext(ctx, `INSERT OR IGNORE INTO dirty_months (month, sums)
		SELECT DISTINCT month, 'books' FROM book_sums UNION SELECT DISTINCT month, 'failures' FROM failure_sums`)
	if err = errors.Join(err, db.Close()); err != nil {
		return u, fmt.Errorf("having sums made anew: %w", err)
	}
	st, err := store.Open(ctx, s.database(), zone)
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	var clock stopwatch
	clock.start()
	if err := st.Sum(ctx, asTheyAre{}); err != nil {
		return u, fmt.Errorf("making sums anew: %w", err)
	}
	clock.stop()
	return clock.usage, nil
}

// asTheyAre leaves merchants' names as they are: what rules cost does not depend on
// how many bills there are.
type asTheyAre struct{}

func (asTheyAre) Name(raw string) (name, rule string) { return raw, "" }
func (asTheyAre) Version() string                     { return "bench" }

// medianTime returns how long something takes, after once that does not count.
func medianTime(times int, fn func() error) (time.Duration, error) {
	var took []float64
	for range times + 1 {
		begun := time.Now()
		if err := fn(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begun).Seconds())
	}
	return time.Duration(median(took[1:]) * float64(time.Second)), nil
}

// drain reads all a query answers.
func drain(ctx context.Context, db *sqlx.DB, query string, args ...any) error {
	rows, err := db.QueryxContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if _, err := rows.SliceScan(); err != nil {
			return err
		}
	}
	return rows.Err()
}
