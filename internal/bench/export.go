package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The plain write is the floor of an export: a loop in Go over the same rows in the
// same order that writes their columns as they are, with commas between them, to a
// file. It formats no amount, day or text, hashes nothing and waits for no disk.

// plainCommand makes this program the plain write, in a process of its own.
const plainCommand = "plain-write"

// exportQueries are the rows of exports, by format.
var exportQueries = map[string]string{
	"csv": `SELECT account, order_no, bill_no, bill_type, bill_status, transaction_date, transaction_time, merchant_name, card_last4, masked_card_no, asset_id,
		card_nick_name, budget_account_id, trade_amount, trade_currency, out_amount, out_currency, in_amount, in_currency, exchange_rate, trade_country,
		fail_code, fail_desc, metadata, last_update, first_seen_at, changed_at, withdrawn_at, bill_id
		FROM bills ORDER BY account, transaction_time, withdrawn_at, bill_id`,
	"ofx": `SELECT p.line_id, p.kind, p.amount, p.currency, p.posting_date, p.effect_date, b.account, b.order_no, b.bill_status, b.transaction_time,
		b.merchant_name, b.asset_id, b.card_last4, b.trade_amount, b.trade_currency
		FROM postings p INDEXED BY postings_date JOIN bills b USING (bill_id) ORDER BY p.posting_date, p.bill_id, p.line`,
}

// An exportSample is one export beside the plain write of its rows.
type exportSample struct{ Ours, Plain usage }

// A plainSample is one measured plain write.
type plainSample struct {
	usage
	Rows int `json:"rows"`
}

// export measures an export of all that there is, the whole process, and the plain
// write of the same rows.
func (s *site) export(ctx context.Context, format string, args ...string) (e exportSample, err error) {
	dir := filepath.Join(s.dir, "export")
	cmd := exec.CommandContext(ctx, s.syncer, append([]string{"export", format, "--json", "-o", dir + "/"}, args...)...)
	cmd.Dir, cmd.Env = s.dir, environ()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begun := time.Now()
	err = cmd.Run()
	wall := time.Since(begun)
	if err != nil {
		return e, fmt.Errorf("syncer export %s: %w\n%s", format, err, errs.String())
	}
	var said struct {
		Lines int `json:"lines"`
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		return e, fmt.Errorf("syncer export %s: %w", format, err)
	}
	e.Ours = usageOf(cmd.ProcessState, wall)
	var plain plainSample
	if err := runSelf(ctx, &plain, plainCommand, s.database(), format, filepath.Join(dir, "plain")); err != nil {
		return e, fmt.Errorf("the plain write: %w", err)
	}
	if plain.Rows != said.Lines || plain.Rows == 0 {
		return e, fmt.Errorf("export %s wrote %d lines, the plain write %d", format, said.Lines, plain.Rows)
	}
	e.Plain = plain.usage
	return e, os.RemoveAll(dir)
}

// plainMain is the process.
func plainMain(database, format, to string, stdout io.Writer) error {
	begun := time.Now()
	rows, err := plainWrite(context.Background(), database, exportQueries[format], to)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(plainSample{usage{Wall: time.Since(begun), CPU: processorTime()}, rows})
}

func plainWrite(ctx context.Context, database, query, to string) (n int, err error) {
	db, err := openReader(database)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	f, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return 0, fmt.Errorf("reading the rows: %w", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	cells, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i := range cells {
			w.Write(cells[i]) // the first error comes back from Flush
			if i < len(cells)-1 {
				w.WriteByte(',')
			}
		}
		w.WriteByte('\n')
	}
	return n, errors.Join(rows.Err(), w.Flush())
}
