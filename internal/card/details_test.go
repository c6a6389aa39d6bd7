package card_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"billsync/internal/card"
	"billsync/internal/secret"
)

func text(s string) secret.Text { return secret.New([]byte(s)) }

func TestUnderstand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		number, cvv, month, year string
		want                     string // month, year, missing, opaque, last four
	}{
		{"5555555555554444", "123", "07", "29", "07 2029 [] [] 4444"},
		{"5555555555554445", "0123", "7", "00", "07 2000 [] [] 4445"}, // no check digit
		{"123456789012", "000", "12", "99", "12 2099 [] [] 9012"},
		{"1234567890123456789", "12", "1", "5", "01 2005 [] [cvv] 6789"},
		{"12345678901", "12345", "0", "029", "0 029 [] [cardNo cvv expiredMonth expiredYear] "},
		{"12345678901234567890", "1 3", "13", "2029", "13 2029 [] [cardNo cvv expiredMonth expiredYear] "},
		{"5555 5555 5555 4444", "٣٣٣", "00", "2x", "00 2x [] [cardNo cvv expiredMonth expiredYear] "},
		{"k7Gx==", "enc:9", "Jul", "-1", "Jul -1 [] [cardNo cvv expiredMonth expiredYear] "},
		{"", "", "", "", "  [cardNo cvv expiredMonth expiredYear] [] "},
		{"5555555555554444", "", "007", "", "007  [cvv expiredYear] [expiredMonth] 4444"},
	} {
		d := card.Details{Number: text(tt.number), CVV: text(tt.cvv), Month: text(tt.month), Year: text(tt.year)}
		missing, opaque := d.Understand()
		got := fmt.Sprintf("%s %s %v %v %s", d.Month.Reveal(), d.Year.Reveal(), missing, opaque, d.LastFour())
		if got != tt.want || string(d.Number.Reveal()) != tt.number || string(d.CVV.Reveal()) != tt.cvv {
			t.Errorf("%q %q %q %q are understood as %q, want %q", tt.number, tt.cvv, tt.month, tt.year, got, tt.want)
		}
	}
}

// What is brought into another form leaves nothing of the one that came, and
// what is wiped is gone in every field.
func TestDetailsWipe(t *testing.T) {
	t.Parallel()
	d := card.Details{Number: text("5555555555554444"), CVV: text("123"), Month: text("7"), Year: text("29")}
	before := [][]byte{d.Month.Reveal(), d.Year.Reveal()}
	d.Understand()
	after := [][]byte{d.Number.Reveal(), d.CVV.Reveal(), d.Month.Reveal(), d.Year.Reveal()}
	for _, b := range before {
		if strings.Trim(string(b), "\x00") != "" {
			t.Errorf("%q is left of what was received", b)
		}
	}
	d.Wipe()
	for _, b := range after {
		if len(b) == 0 || strings.Trim(string(b), "\x00") != "" {
			t.Errorf("%q is left after Wipe", b)
		}
	}
}

// FuzzExpiry: whatever comes is either one of the documented values in one form,
// or named as opaque and left as it is.
func FuzzExpiry(f *testing.F) {
	for _, s := range []string{"7", "07", "13", "", "２", "1e1", "-1", " 7"} {
		f.Add(s, s)
	}
	months, years := regexp.MustCompile(`^(0[1-9]|1[0-2])$`), regexp.MustCompile(`^20[0-9]{2}$`)
	f.Fuzz(func(t *testing.T, month, year string) {
		d := card.Details{Month: text(month), Year: text(year)}
		missing, opaque := d.Understand()
		for _, x := range []struct {
			name, in, out string
			form          *regexp.Regexp
		}{{"expiredMonth", month, string(d.Month.Reveal()), months}, {"expiredYear", year, string(d.Year.Reveal()), years}} {
			isOpaque, isMissing := strings.Contains(fmt.Sprint(opaque), x.name), strings.Contains(fmt.Sprint(missing), x.name)
			switch {
			case isMissing != (x.in == ""), isMissing && isOpaque:
				t.Errorf("%s %q: missing %v, opaque %v", x.name, x.in, missing, opaque)
			case isOpaque && x.out != x.in:
				t.Errorf("%s %q is opaque and became %q", x.name, x.in, x.out)
			case !isOpaque && !isMissing && (!x.form.MatchString(x.out) || !strings.HasSuffix(x.out, x.in)):
				t.Errorf("%s %q became %q", x.name, x.in, x.out)
			}
		}
	})
}
