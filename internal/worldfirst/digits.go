package worldfirst

// Card numbers have 12 to 19 digits, written in one piece or in groups.
const (
	minCardDigits = 12
	minTextDigits = 13 // in free text, where chance hits are dearer
	maxCardDigits = 19
)

// A group is a piece of text that holds digits only.
type group struct{ from, to int }

func (g group) len() int { return g.to - g.from }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// nextRun finds the first run of digits at or after text[i]: groups of digits
// with a single blank or hyphen between them. It appends the groups to buf.
func nextRun(buf []group, text []byte, i int) []group {
	for i < len(text) && !isDigit(text[i]) {
		i++
	}
	for i < len(text) {
		g := group{from: i}
		for i < len(text) && isDigit(text[i]) {
			i++
		}
		g.to = i
		buf = append(buf, g)
		if i+1 >= len(text) || (text[i] != ' ' && text[i] != '-') || !isDigit(text[i+1]) {
			break
		}
		i++
	}
	return buf
}

// hasLongRun reports whether there is a run of digits as long as a card number.
func hasLongRun(text []byte) bool {
	// Of two neighbours in a run one is a digit, and a long one has neighbours
	// at one of these places. Most texts are done with here.
	near := false
	for i := minCardDigits - 1; i < len(text) && !near; i += minCardDigits - 1 {
		near = isDigit(text[i]) || isDigit(text[i-1])
	}
	if !near {
		return false
	}
	digits := 0
	for i, c := range text {
		switch {
		case isDigit(c):
			if digits++; digits >= minCardDigits {
				return true
			}
		case (c == ' ' || c == '-') && i+1 < len(text) && isDigit(text[i+1]):
			// Between two groups, or, with no digits before it, nothing.
		default:
			digits = 0
		}
	}
	return false
}

func countDigits(groups []group) int {
	n := 0
	for _, g := range groups {
		n += g.len()
	}
	return n
}

// appendScrubbed appends text with its card numbers cut down to their last
// four digits, and reports whether there were any.
func appendScrubbed(dst, text []byte, rule scrubRule) (out []byte, changed bool) {
	from := len(dst)
	dst, changed = appendCut(dst, text, rule)
	// The four digits that stay may make another number with those beside them.
	// It goes as well: what was scrubbed must read the same when it is again.
	for again := changed; again; {
		var cut []byte
		cut, again = appendCut(nil, dst[from:], rule)
		dst = append(dst[:from], cut...)
	}
	return dst, changed
}

// appendCut is one turn of appendScrubbed.
func appendCut(dst, text []byte, rule scrubRule) (out []byte, changed bool) {
	var room [8]group
	done := 0
	for run := nextRun(room[:0], text, 0); len(run) > 0; run = nextRun(run[:0], text, run[len(run)-1].to) {
		if countDigits(run) < minCardDigits {
			continue
		}
		for i := 0; i < len(run); {
			n := cardGroups(text, run[i:], rule)
			if n == 0 {
				i++
				continue
			}
			dst = append(dst, text[done:run[i].from]...)
			dst = append(dst, "****"...)
			dst = append(dst, lastFour(text, run[i:i+n])...)
			done, changed = run[i+n-1].to, true
			i += n
		}
	}
	return append(dst, text[done:]...), changed
}

// cardGroups returns how many of the groups, from the first, are a card number;
// 0 if none. One piece of more than 19 digits is an id and never part of one.
func cardGroups(text []byte, groups []group, rule scrubRule) int {
	digits, n := 0, 0
	if rule == scrubCard {
		// Two numbers side by side are longer than one can be. All of it goes.
		for n < len(groups) && groups[n].len() <= maxCardDigits {
			digits += groups[n].len()
			n++
		}
		if digits < minCardDigits {
			return 0
		}
		return n
	}
	for n < len(groups) && digits+groups[n].len() <= maxCardDigits {
		digits += groups[n].len()
		n++
	}
	// The longest first: other digits may stand before or behind the number.
	for ; n > 0 && digits >= minTextDigits; n-- {
		if luhn(text, groups[:n]) {
			return n
		}
		digits -= groups[n-1].len()
	}
	return 0
}

// lastFour returns the last four digits of the groups.
func lastFour(text []byte, groups []group) []byte {
	var four [4]byte
	at := len(four)
	for i := len(groups) - 1; i >= 0 && at > 0; i-- {
		for j := groups[i].to - 1; j >= groups[i].from && at > 0; j-- {
			at--
			four[at] = text[j]
		}
	}
	return four[at:]
}

// luhn reports whether the digits of the groups pass the check that all card
// numbers pass.
func luhn(text []byte, groups []group) bool {
	sum, double := 0, false
	for i := len(groups) - 1; i >= 0; i-- {
		for j := groups[i].to - 1; j >= groups[i].from; j-- {
			d := int(text[j] - '0')
			if double {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
			double = !double
		}
	}
	return sum%10 == 0
}
