package reconcile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// likeness knows which names of merchants are alike. Names are those that rules have
// made comparable already; what is left is that one side writes more than the other,
// or a letter differently. It is a help where amounts and days agree, and no proof by
// itself, so it may not be generous: names that differ in a number are different.
type likeness struct {
	names numbered // 0: there is none
	known map[[2]int32]bool
}

func newLikeness() *likeness {
	k := &likeness{known: map[[2]int32]bool{}}
	k.of("")
	return k
}

// of is the number of a name.
func (k *likeness) of(name string) int32 { return k.names.of(name) }

// text is the name of a number.
func (k *likeness) text(number int32) string { return k.names.texts[number] }

func (k *likeness) alike(a, b int32) bool {
	if a == 0 || b == 0 {
		return false
	}
	if a == b {
		return true
	}
	key := [2]int32{min(a, b), max(a, b)}
	if is, ok := k.known[key]; ok {
		return is
	}
	x, y := k.text(a), k.text(b)
	is := Alike(min(x, y), max(x, y))
	k.known[key] = is
	return is
}

// Alike reports whether two names, made comparable by rules, may be those of one
// merchant: they are equal but for blanks and signs, one begins with the other, or
// they have nearly all pairs of letters in common.
func Alike(a, b string) bool {
	x, y := wordsOf(a), wordsOf(b)
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	if len(x) > len(y) {
		x, y = y, x
	}
	short, long := strings.Join(x, ""), strings.Join(y, "")
	if len(short) > len(long) {
		short, long = long, short
	}
	switch {
	case short == long:
		return true
	case begins(x, y) && utf8.RuneCountInString(strings.Join(x, "")) >= 4:
		return true
	case isHan(short) && utf8.RuneCountInString(short) >= 3 && strings.HasPrefix(long, short):
		return true
	}
	return numbers(x) == numbers(y) && inCommon(short, long)
}

// wordsOf are the words of a name, in capitals.
func wordsOf(name string) []string {
	return strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// begins reports whether the second name begins with the words of the first.
func begins(x, y []string) bool {
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

func isHan(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.Is(unicode.Han, r) })
}

// numbers are all digits of a name.
func numbers(words []string) string {
	var b strings.Builder
	for _, w := range words {
		if d := strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return r
			}
			return -1
		}, w); d != "" {
			b.WriteString(d + " ")
		}
	}
	return b.String()
}

// inCommon reports whether of the pairs of neighbouring letters of two names more
// than four in five are in both.
func inCommon(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) < 6 || len(y) < 6 || len(x) > 200 || len(y) > 200 {
		return false
	}
	count := map[[2]rune]int{}
	for i := range len(x) - 1 {
		count[[2]rune{x[i], x[i+1]}]++
	}
	common := 0
	for i := range len(y) - 1 {
		p := [2]rune{y[i], y[i+1]}
		if count[p] > 0 {
			count[p]--
			common++
		}
	}
	return 2*common*5 > 4*(len(x)+len(y)-2)
}
