package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// How dates are written.
const (
	ymd = "ymd"
	dmy = "dmy"
	mdy = "mdy"
)

// A written date is one that was taken apart: either its day is known, or its two
// first numbers are day and month in an order that it does not tell.
type written struct {
	day        string // YYYY-MM-DD
	format     string // that it tells: dmy or mdy; empty if it is neither, or open
	a, b, year int    // of one that is open
}

var (
	errNoDate    = errors.New("it is no date")
	errShortYear = errors.New("its year has not four digits")
	errSerial    = errors.New("it is a day as spreadsheets count them: format the column as a date and save it anew, or save it as .xlsx")
)

// splitDate takes a date apart. A ledger has few days and many lines: what was taken
// apart is remembered.
func (r *reader) splitDate(text string) (written, error) {
	if x, ok := r.known[text]; ok {
		return x.written, x.err
	}
	w, err := r.partsOf(text)
	const most = 10_000
	if r.known == nil || len(r.known) == most {
		r.known = map[string]splitText{}
	}
	r.known[text] = splitText{w, err}
	return w, err
}

// A splitText is what came of taking a date apart.
type splitText struct {
	written
	err error
}

func (r *reader) partsOf(text string) (written, error) {
	if len(text) == len(time.DateOnly) && text[4] == '-' && text[7] == '-' { // as most are
		if at, err := time.Parse(time.DateOnly, text); err == nil {
			return day(at.Date())
		}
	}
	if w, ok, err := r.ownZone(text); ok {
		return w, err
	}
	if r.sheet && plain.MatchString(text) {
		return r.oneNumber(text)
	}
	text = signs.Replace(text)
	if len(text) > 10 && (text[10] == 'T' || text[10] == ' ') {
		if text[4] == '-' || text[4] == '/' {
			text = text[:10]
		}
	}
	if i := strings.IndexByte(text, ':'); i > 0 { // a time of day behind it
		if blank := strings.LastIndexByte(text[:i], ' '); blank > 0 {
			text = text[:blank]
		}
	}
	parts := strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune("-/. ,年月日", c) })
	switch len(parts) {
	case 1:
		return r.oneNumber(parts[0])
	case 3:
	default:
		return written{}, errNoDate
	}
	if d, m, y, ok := named(parts); ok {
		return day(y, m, d)
	}
	if (monthOf(parts[0]) > 0 || monthOf(parts[1]) > 0) && len(parts[2]) == 2 {
		return written{}, errShortYear
	}
	var n [3]int
	for i, p := range parts {
		v, ok := digits(p)
		if !ok {
			return written{}, errNoDate
		}
		n[i] = v
	}
	switch {
	case len(parts[0]) == 4 && len(parts[1]) <= 2 && len(parts[2]) <= 2:
		return day(n[0], time.Month(n[1]), n[2])
	case len(parts[2]) == 4 && len(parts[0]) <= 2 && len(parts[1]) <= 2:
		return open(n[0], n[1], n[2], strings.Contains(text, "."))
	}
	return written{}, errShortYear
}

// ownZone reads a time that says its own offset from UTC.
func (r *reader) ownZone(text string) (w written, ok bool, err error) {
	if len(text) <= len(time.DateTime) || text[4] != '-' {
		return w, false, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 -0700",
		"2006-01-02T15:04:05-0700", "2006-01-02 15:04:05 MST"} {
		at, err := time.Parse(layout, text)
		// Of the names of zones only UTC and GMT are the same everywhere.
		if err == nil && (!strings.HasSuffix(layout, "MST") || strings.HasSuffix(text, " UTC") || strings.HasSuffix(text, " GMT")) {
			w, err = day(at.In(r.o.Zone).Date())
			return w, true, err
		}
	}
	return w, false, nil
}

// oneNumber reads 20260102, and the days that a workbook counts.
func (r *reader) oneNumber(s string) (written, error) {
	whole, _, _ := strings.Cut(s, ".")
	n, ok := digits(whole)
	switch {
	case ok && len(s) == 8:
		return day(n/10000, time.Month(n/100%100), n%100)
	case ok && r.sheet && len(whole) <= 5:
		at, err := excelize.ExcelDateToTime(float64(n), r.since1904)
		if err != nil {
			return written{}, errNoDate
		}
		return day(at.Date())
	case ok && len(whole) == 5:
		return written{}, errSerial
	}
	return written{}, errNoDate
}

// open is a date of two numbers and a year. Dates with points are written day
// first everywhere.
func open(a, b, year int, points bool) (written, error) {
	switch {
	case a > 12 && b > 12 || a < 1 || b < 1:
		return written{}, errNoDate
	case a > 12 || points:
		w, err := day(year, time.Month(b), a)
		w.format = dmy
		return w, err
	case b > 12:
		w, err := day(year, time.Month(a), b)
		w.format = mdy
		return w, err
	}
	return written{a: a, b: b, year: year}, nil
}

// digits reads a number of one to eight digits.
func digits(s string) (int, bool) {
	if len(s) < 1 || len(s) > 8 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// named reads a date with the name of its month.
func named(parts []string) (d int, m time.Month, y int, ok bool) {
	for i, p := range parts[:2] {
		month := monthOf(p)
		if month == 0 {
			continue
		}
		d, dok := digits(parts[1-i])
		y, yok := digits(parts[2])
		return d, month, y, dok && yok && len(parts[2]) == 4
	}
	return 0, 0, 0, false
}

func monthOf(s string) time.Month {
	if len(s) < 3 || s[0] >= '0' && s[0] <= '9' {
		return 0
	}
	for m := time.January; m <= time.December; m++ {
		if strings.HasPrefix(strings.ToLower(m.String()), strings.ToLower(s)) {
			return m
		}
	}
	return 0
}

// day is a day of the calendar.
func day(y int, m time.Month, d int) (written, error) {
	at := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if at.Year() != y || at.Month() != m || at.Day() != d {
		return written{}, errors.New("there is no such day")
	}
	if y < 1990 || y > 2100 {
		return written{}, fmt.Errorf("the year %d cannot be right", y)
	}
	return written{day: at.Format(time.DateOnly)}, nil
}

// dates finds out in which order days and months are written, from all dates.
func (r *reader) dates() (string, error) {
	if f := r.o.DateFormat; f != "" && f != Auto {
		return f, nil
	}
	first := map[string]string{}
	var doubtful string
	for i := range r.rows {
		x := &r.rows[i]
		text := x.cell(Date)
		w, err := r.splitDate(text)
		switch {
		case err != nil: // told when the line is read
		case w.format != "" && first[w.format] == "":
			first[w.format] = fmt.Sprintf("line %d has %q", x.number, text)
		case w.day == "" && doubtful == "":
			doubtful = fmt.Sprintf("line %d: the date %q", x.number, text)
		}
	}
	const advice = "--date-format dmy: the day comes first; mdy: the month"
	switch {
	case first[dmy] != "" && first[mdy] != "":
		return "", &Error{"its dates are written in two ways: " + first[dmy] + ", " + first[mdy], advice + "; lines with the other are then told one by one"}
	case first[dmy] != "":
		return dmy, nil
	case first[mdy] != "":
		return mdy, nil
	case doubtful != "":
		return "", &Error{doubtful + " may have the day or the month first, and no other line tells", advice}
	}
	return ymd, nil
}

// day reads a date.
func (r *reader) day(text, format string) (string, error) {
	if text == "" {
		return "", errors.New("there is no date")
	}
	w, err := r.splitDate(text)
	wrong := func(err error) (string, error) { return "", fmt.Errorf("the date %q: %w", text, err) }
	asked := r.o.DateFormat != "" && r.o.DateFormat != Auto
	switch {
	case err != nil:
		return wrong(err)
	case w.day != "" && w.format != "" && w.format != format && (asked || format != ymd):
		return wrong(fmt.Errorf("it is not written as %s", format))
	case w.day != "":
		return w.day, nil
	case format == dmy:
		w, err = day(w.year, time.Month(w.b), w.a)
	case format == mdy:
		w, err = day(w.year, time.Month(w.a), w.b)
	default:
		err = fmt.Errorf("it is not written as %s", format)
	}
	if err != nil {
		return wrong(err)
	}
	return w.day, nil
}
