package main

import (
	"strings"
	"testing"
)

// What is said of a closing is one line: it stands in lists.
func TestCloseTakesLines(t *testing.T) {
	t.Parallel()
	_, dir := newBookkeeper(t)
	for flag, text := range map[string]string{"--by": "a\nb", "--note": "a\x1b[31mb"} {
		_, errout, code := inside(t, dir, "close", "2026-05", "--by", "Ann", flag, text)
		if code != exitUsage || !strings.HasPrefix(errout, "syncer: "+flag+": it holds a line's end or another control character\nhint: say it in one line") {
			t.Errorf("close %s %q ends with %d and says %q", flag, text, code, errout)
		}
	}
	for _, text := range []string{"a\tb", "a\rb", "a\u2028b", "a\u0085b", "a\x00b", "a\xffb", "\x7f"} {
		if isLine(text) {
			t.Errorf("%q is taken for a line", text)
		}
	}
	for _, text := range []string{"", "Ann Lee", "审计 ✓", "a\u00a0b", "\u200fأحمد"} {
		if !isLine(text) {
			t.Errorf("%q is taken for no line", text)
		}
	}
}

// Before a month is closed there is none that something could belong to.
func TestAdjustmentsWithNoneClosed(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.tellBooks()
	out, errout, code := inside(t, dir, "report", "adjustments")
	if code != exitDone || !strings.Contains(out, "\nclosed months  none yet\n") {
		t.Errorf("report adjustments ends with %d and says %s%s", code, out, errout)
	}
}
