package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

// What reconciling takes: a ledger with a tenth as many lines as there are bills,
// those of the newest days, once with the numbers of the orders and once without,
// beside a join by that number and an INSERT of what it says.

// A ledgerSample is what was measured of it.
type ledgerSample struct {
	lines          int
	plain          usage // the join, by the SQLite of this program
	named, unnamed usage // "syncer reconcile"
}

// ledgerShare is how many bills there are for a line of the ledger.
const ledgerShare = 10

// reconcile measures it in a database that was loaded.
func (s *site) reconcile(ctx context.Context, bills int) (l ledgerSample, err error) {
	if l.lines, err = s.ledgers(ctx, bills/ledgerShare); err != nil {
		return l, fmt.Errorf("making ledgers: %w", err)
	}
	matched := 0
	if l.plain, matched, err = s.plainJoin(ctx); err != nil {
		return l, fmt.Errorf("the plain join: %w", err)
	}
	if matched != l.lines {
		return l, fmt.Errorf("the plain join found %d of %d lines", matched, l.lines)
	}
	for _, x := range []struct {
		name  string
		least int
		into  *usage
	}{{namedLedger, l.lines, &l.named}, {unnamedLedger, l.lines / 2, &l.unnamed}} {
		if *x.into, err = s.reconciled(ctx, x.name); err != nil {
			return l, err
		}
		if err := s.forget(ctx, x.name, x.least); err != nil {
			return l, err
		}
	}
	return l, nil
}

const (
	namedLedger   = "named"
	unnamedLedger = "unnamed"
)

func (s *site) ledger(name string) string { return filepath.Join(s.dir, name+".csv") }

// ledgers writes both. Those who booked without a number did so up to three days
// before the card's company, and were a tenth of a per cent off once in a while.
func (s *site) ledgers(ctx context.Context, lines int) (n int, err error) {
	db, err := openReader(s.database())
	if err != nil {
		return 0, err
	}
	defer db.Close()
	rows, err := db.QueryxContext(ctx, `
		SELECT p.posting_date, p.amount, p.currency, b.order_no, b.merchant_name FROM postings p JOIN bills b ON b.bill_id = p.bill_id
		ORDER BY p.posting_date DESC, p.bill_id, p.line LIMIT ?`, lines)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var named, unnamed bytes.Buffer
	with, without := csv.NewWriter(&named), csv.NewWriter(&unnamed)
	head := []string{"Date", "Amount", "Currency", "Payee", "Reference"}
	err = errors.Join(with.Write(head), without.Write(head))
	for ; rows.Next() && err == nil; n++ {
		var date, currency, order, merchant string
		var amount int64
		if err := rows.Scan(&date, &amount, &currency, &order, &merchant); err != nil {
			return 0, err
		}
		day, e := time.Parse(time.DateOnly, date)
		booked := amount
		if n%50 == 0 {
			booked -= amount / 1000
		}
		err = errors.Join(e, with.Write([]string{date, inCents(amount), currency, merchant, order}),
			without.Write([]string{day.AddDate(0, 0, -n%4).Format(time.DateOnly), inCents(booked), currency, merchant, ""}))
	}
	with.Flush()
	without.Flush()
	err = errors.Join(err, rows.Err(), with.Error(), without.Error())
	return n, errors.Join(err, os.WriteFile(s.ledger(namedLedger), named.Bytes(), 0o600), os.WriteFile(s.ledger(unnamedLedger), unnamed.Bytes(), 0o600))
}

// inCents writes an amount of a currency with two decimals: the cards are in US
// dollars.
func inCents(v int64) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	return sign + strconv.FormatInt(v/100, 10) + "." + string(padded(nil, v%100, 2))
}

// plainJoin measures the least that can be done about the ledger with numbers: its
// lines are in a table already, one statement finds their postings, three store what
// syncer stores. Nothing is committed.
func (s *site) plainJoin(ctx context.Context) (u usage, matched int, err error) {
	db, err := sqlx.Open("sqlite3", "file:"+escaped(s.database())+"?_busy_timeout=5000&_foreign_keys=on&_cache_size=-32768")
	if err != nil {
		return u, 0, err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.fill(ctx, db); err != nil {
		return u, 0, err
	}
	var clock stopwatch
	clock.start()
	for _, query := range []string{
		`CREATE TEMP TABLE pairs AS SELECT f.rowid AS line, p.bill_id, p.line AS posting
			FROM filled f CROSS JOIN bills b ON b.account = 'main' AND b.order_no = f.reference CROSS JOIN postings p ON p.bill_id = b.bill_id
			WHERE p.amount = f.amount AND p.currency = f.currency GROUP BY f.rowid`,
		"BEGIN IMMEDIATE",
		"INSERT INTO ledgers VALUES (1, 'plain', 'plain.csv', '', '{}', NULL, '', '', 0, '', '')",
		`INSERT INTO ledger_lines (ledger_line_id, ledger_id, line_key, line, ledger_date, amount, currency, reference, payee)
			SELECT rowid, 1, lower(hex(randomblob(12))), rowid, day, amount, currency, reference, payee FROM filled`,
		`INSERT INTO matches (match_id, ledger_id, state, rule, reason, made_at)
			SELECT rowid, 1, 'matched', 'reference', 'it names the order or the bill, and the amounts are equal', '2026-01-01T00:00:00.000Z' FROM pairs`,
		"INSERT INTO match_items (match_id, item, ledger_line_id, bill_id, line) SELECT rowid, 1, line, bill_id, posting FROM pairs",
	} {
		if _, err := db.ExecContext(ctx, query); err != nil {
			return u, 0, err
		}
	}
	clock.stop()
	err = db.GetContext(ctx, &matched, "SELECT count(*) FROM match_items")
	_, e := db.ExecContext(ctx, "ROLLBACK")
	return clock.usage, matched, errors.Join(err, e)
}

// fill puts the lines of the ledger with numbers into a temporary table.
func (s *site) fill(ctx context.Context, db *sqlx.DB) error {
	text, err := os.ReadFile(s.ledger(namedLedger))
	if err != nil {
		return err
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "CREATE TEMP TABLE filled (day, amount, currency, payee, reference)"); err != nil {
		return err
	}
	insert, err := db.PrepareContext(ctx, "INSERT INTO filled VALUES (?, CAST(replace(?, '.', '') AS INTEGER), ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, l := range lines[1:] {
		if _, err := insert.ExecContext(ctx, l[0], l[1], l[2], l[3], l[4]); err != nil {
			return err
		}
	}
	return nil
}

// reconciled runs "syncer reconcile", the whole process. That something is left to a
// person is no error.
func (s *site) reconciled(ctx context.Context, name string) (usage, error) {
	cmd := exec.CommandContext(ctx, s.syncer, "reconcile", "--quiet", "--ledger", s.ledger(name))
	cmd.Dir, cmd.Env = s.dir, environ()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	begun := time.Now()
	err := cmd.Run()
	wall := time.Since(begun)
	const left = 3
	if err != nil && cmd.ProcessState.ExitCode() != left {
		return usage{}, fmt.Errorf("syncer reconcile --ledger %s: %w\n%s", name, err, errs.String())
	}
	return usageOf(cmd.ProcessState, wall), nil
}

// forget makes sure that a ledger was reconciled, and takes it out of the database, so
// that its postings are free for the next one.
func (s *site) forget(ctx context.Context, name string, least int) error {
	db, err := sqlx.Open("sqlite3", "file:"+escaped(s.database())+"?_busy_timeout=5000")
	if err != nil {
		return err
	}
	defer db.Close()
	var matched int
	if err := db.GetContext(ctx, &matched, `
		SELECT count(*) FROM matches m JOIN ledgers g ON g.ledger_id = m.ledger_id WHERE g.name = ? AND m.state IN ('matched', 'suggested')`, name); err != nil {
		return fmt.Errorf("looking at ledger %s: %w", name, err)
	}
	if matched < least {
		return fmt.Errorf("of ledger %s %d lines were matched, at least %d should be", name, matched, least)
	}
	for _, table := range []string{"candidates", "match_items", "matches", "ledger_lines", "ledgers"} {
		if _, err := db.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("forgetting ledger %s: %w", name, err)
		}
	}
	return nil
}
