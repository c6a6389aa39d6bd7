package app

import (
	"context"
	"encoding/hex"
	"io"
	"path/filepath"

	"billsync/internal/bill"
	"billsync/internal/report"
	"billsync/internal/store"
)

// exportBills writes the bills as they are now: to w if there is no output, else to
// a file.
func (a *App) exportBills(ctx context.Context, x *exporter, w io.Writer) (ExportResult, error) {
	o := x.o
	dir, single := x.place()
	path := o.Output
	if o.Output != "" && !single {
		path = filepath.Join(dir, "bills-"+x.period()+"."+o.Format)
	}
	if path != "" {
		if err := x.mayWrite(path, o.Force || o.Dry); err != nil {
			return x.result, err
		}
	}
	st, err := a.look(ctx)
	if err != nil {
		return x.result, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) error {
		if err := x.known(t); err != nil {
			return err
		}
		var err error
		if x.total, err = t.CountBills(&x.choice.ExportFilter); err != nil {
			return err
		}
		if x.total == 0 && (path != "" || o.Dry) { // no file for nothing, and none is replaced with it
			return nil
		}
		r := x.bills(t)
		write := func(w io.Writer, temp string) error {
			switch o.Format {
			case "jsonl":
				return report.WriteJSONLines(w, r, "")
			case "xlsx":
				return report.WriteWorkbook(w, r, temp)
			}
			return report.WriteCSV(w, r, "", o.CSV)
		}
		switch {
		case o.Dry:
			if err := r.Parts[0].Rows(func(report.Row) error { return nil }); err != nil {
				return err
			}
			x.result.Files = []ExportedFile{{Path: path, Lines: x.result.Lines}}
			return nil
		case path == "":
			return write(w, "")
		}
		return x.inFiles(dir, func(files *report.Files) error {
			f, err := files.Create(filepath.Base(path))
			if err != nil {
				return err
			}
			if err := write(f, files.Temp()); err != nil {
				return report.Full(err, path) // a workbook has other files while it is made
			}
			if err := f.Close(); err != nil {
				return err
			}
			x.result.Files = []ExportedFile{{Path: path, Lines: x.result.Lines, Bytes: f.Bytes, SHA256: hex.EncodeToString(f.Hash())}}
			return nil
		})
	})
	return x.result, withCode(err)
}

// bills is the report of all bills, with all that is known of each.
func (x *exporter) bills(t *store.Tx) *report.Report {
	text := func(name string) report.Column { return report.Column{Name: name, Title: name} }
	id := func(name string) report.Column { return report.Column{Name: name, Title: name, Kind: report.ID} }
	at := func(name string) report.Column { return report.Column{Name: name, Title: name, Kind: report.Time} }
	columns := []report.Column{
		text("account"), id("order_no"), id("bill_no"), text("bill_type"), text("bill_status"),
		{Name: "transaction_date", Title: "transaction_date (" + x.app.cfg.Report.Timezone.String() + ")", Kind: report.Date}, at("transaction_time"),
		text("merchant_name"), id("card_last4"), id("masked_card_no"), id("asset_id"), text("card_nick_name"), id("budget_account_id"),
	}
	for _, name := range []string{"trade", "out", "in"} {
		columns = append(columns, report.Column{Name: name + "_amount", Title: name + "_amount", Kind: report.Money, Currency: len(columns) + 1}, text(name+"_currency"))
	}
	columns = append(columns, report.Column{Name: "exchange_rate", Title: "exchange_rate", Kind: report.Decimal}, text("trade_country"), text("fail_code"), text("fail_desc"),
		text("metadata"), at("last_update"), at("first_seen_at"), at("changed_at"), at("withdrawn_at"), report.Column{Name: "bill_id", Title: "bill_id", Kind: report.Count})
	b := &book{Tx: t, app: x.app, accounts: x.o.Accounts, from: x.o.From, to: x.o.To, madeAt: x.madeAt}
	return &report.Report{
		Name: "bills", Title: "Bills", About: b.about(b.period()),
		Parts: []report.Part{{
			Name: "bills", Title: "Bills as they are now, by the month of their transaction", Columns: columns,
			Rows: func(row func(report.Row) error) error {
				x.result.Lines = 0
				cells := make(report.Row, len(columns))
				return t.FullBills(&x.choice.ExportFilter, func(f *store.FullBill) error {
					x.tick()
					x.result.Lines++
					fillBill(cells, f)
					return row(cells)
				})
			},
		}},
	}
}

// fillBill makes the cells of a bill.
func fillBill(cells report.Row, f *store.FullBill) {
	i := 0
	set := func(values ...any) { i += copy(cells[i:], values) }
	set(f.Account, f.OrderNo, some(f.BillNo), some(f.Type), some(f.Status), f.Date, report.At(f.At))
	set(some(f.Merchant), some(f.CardLast4), some(f.MaskedCard), some(f.AssetID), some(f.Nick), some(f.Budget))
	for _, a := range []*bill.Amount{f.Trade, f.Out, f.In} {
		set(moneyCells(a))
	}
	set(some(f.Rate), some(f.Country), some(f.FailCode), some(f.FailDesc), some(f.Metadata))
	set(report.At(f.LastUpdate), report.At(f.FirstSeen), report.At(f.Changed), report.At(f.Withdrew), f.ID)
}
