package ledger

import (
	"fmt"
	"slices"
	"strings"
)

// usual are the names by which columns are found that were not asked for, the
// best first.
var usual = map[Field][]string{
	Date:        {"date", "posting date", "posted", "booking date", "transaction date", "value date", "datum", "buchungstag", "日期", "记账日期", "交易日期"},
	Amount:      {"amount", "net amount", "value", "betrag", "montant", "importe", "金额", "交易金额"},
	Debit:       {"debit", "debit amount", "soll", "借方", "借方金额"},
	Credit:      {"credit", "credit amount", "haben", "贷方", "贷方金额"},
	Currency:    {"currency", "ccy", "currency code", "währung", "币种", "货币"},
	Reference:   {"reference", "ref", "reference no", "line id", "order no", "bill no", "transaction id", "document no", "参考号", "订单号", "凭证号"},
	Payee:       {"payee", "merchant", "merchant name", "vendor", "supplier", "counterparty", "name", "商户", "商户名称", "供应商", "对方户名"},
	Account:     {"account", "account name", "gl account", "konto", "科目"},
	Description: {"description", "memo", "narration", "details", "text", "note", "摘要", "备注"},
}

// columns finds the columns by the head.
func (r *reader) columns() error {
	for _, f := range Fields {
		want, given := r.o.Columns[f]
		if want == "" {
			continue
		}
		at, err := r.column(f, want)
		if err != nil {
			return err
		}
		r.where[place(f)] = at
		r.b.Columns = append(r.b.Columns, Column{f, letter(at), r.title(at), given})
	}
	for _, f := range Fields {
		if r.where[place(f)] > 0 || !r.wanted(f) {
			continue
		}
		at, err := r.find(f)
		if err != nil {
			return err
		}
		if at > 0 {
			r.where[place(f)] = at
			r.b.Columns = append(r.b.Columns, Column{f, letter(at), r.title(at), false})
		}
	}
	slices.SortStableFunc(r.b.Columns, func(a, b Column) int { return place(a.Field) - place(b.Field) })
	for i, title := range r.head {
		if !slices.Contains(r.where[:], i+1) && title != "" {
			r.b.Unused = append(r.b.Unused, title)
		}
	}
	return r.complete()
}

// wanted keeps a ledger from having an amount and two sides.
func (r *reader) wanted(f Field) bool {
	given := func(f Field) bool { return r.o.Columns[f] != "" }
	switch f {
	case Amount:
		return !given(Debit) && !given(Credit)
	case Debit, Credit:
		return r.where[place(Amount)] == 0
	}
	return true
}

// complete reports what there is no column for.
func (r *reader) complete() error {
	has := func(f Field) bool { return r.where[place(f)] > 0 }
	there := "the columns are: " + strings.Join(r.titles(), ", ")
	given := func(f Field) bool { return r.o.Columns[f] != "" }
	switch {
	case given(Amount) && (given(Debit) || given(Credit)):
		return &Error{"the ledger has an amount, or debit and credit, not both", "--amount, or --debit and --credit"}
	case !has(Date):
		return &Error{"no column is known to hold the date", "name it with --date; " + r.others + "--skip says how many lines stand above the names of the columns; " + there}
	case has(Debit) != has(Credit):
		return &Error{"of debit and credit only one column is known", "name both with --debit and --credit, or --amount; " + there}
	case !has(Amount) && !has(Debit):
		return &Error{"no column is known to hold the amount", "name it with --amount, or --debit and --credit; " + there}
	case !has(Currency) && r.o.DefaultCurrency == "":
		return &Error{"no column is known to hold the currency", "name it with --currency, or --default-currency USD if all lines have the same; " + there}
	}
	return nil
}

// titles are the columns as a person names them.
func (r *reader) titles() []string {
	var out []string
	for i, t := range r.head {
		if t == "" {
			t = "(no name)"
		}
		out = append(out, letter(i+1)+" "+fmt.Sprintf("%q", t))
	}
	return out
}

func (r *reader) title(at int) string {
	if at <= len(r.head) {
		return r.head[at-1]
	}
	return ""
}

// column finds a column by its name in the head, else by its letter.
func (r *reader) column(f Field, want string) (int, error) {
	var found []int
	for i, title := range r.head {
		if strings.EqualFold(title, strings.TrimSpace(want)) {
			found = append(found, i+1)
		}
	}
	there := "the columns are: " + strings.Join(r.titles(), ", ")
	switch at := fromLetter(want); {
	case len(found) > 1:
		return 0, &Error{fmt.Sprintf("--%s: %d columns are named %q", f, len(found), want), "name it by its letter; " + there}
	case len(found) == 1:
		return found[0], nil
	case at > 0 && at <= len(r.head):
		return at, nil
	}
	return 0, &Error{fmt.Sprintf("--%s: there is no column %q", f, want), there}
}

// find finds a column by the names that are usual for its field; 0 if there is none.
func (r *reader) find(f Field) (int, error) {
	for _, name := range usual[f] {
		var found []int
		for i, title := range r.head {
			plain := strings.Trim(strings.ToLower(strings.NewReplacer("_", " ", ".", "", "*", "").Replace(title)), " ")
			if plain == name && !slices.Contains(r.where[:], i+1) {
				found = append(found, i+1)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return 0, &Error{fmt.Sprintf("%d columns are named %q", len(found), r.title(found[0])),
				fmt.Sprintf("--%s says by letter which it is; the columns are: %s", f, strings.Join(r.titles(), ", "))}
		}
	}
	return 0, nil
}

// letter is a column's name in a spreadsheet: A, …, Z, AA.
func letter(at int) string {
	s := ""
	for ; at > 0; at = (at - 1) / 26 {
		s = string(rune('A'+(at-1)%26)) + s
	}
	return s
}

// fromLetter is the column of a name; 0 if it is none.
func fromLetter(s string) int {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) < 1 || len(s) > 3 {
		return 0
	}
	n := 0
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return 0
		}
		n = n*26 + int(c-'A') + 1
	}
	return n
}
