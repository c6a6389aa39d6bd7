package report

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// names gives names that are different from each other, also to a program for
// which large and small letters are the same.
type names map[string]bool

// unique returns name, or name with a number behind it; it has at most limit units
// of UTF-16, which is how Excel counts.
func (n names) unique(name, gap string, limit int) string {
	try := shorten(name, limit)
	for i := 2; n[fold(try)]; i++ {
		tail := fmt.Sprintf("%s%d", gap, i)
		try = shorten(name, limit-len(tail)) + tail
	}
	n[fold(try)] = true
	return try
}

func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// shorten cuts a text to a number of units of UTF-16.
func shorten(s string, units int) string {
	n := 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > units {
			return s[:i]
		}
	}
	return s
}

// maxSheetName is how long Excel allows the name of a sheet to be.
const maxSheetName = 31

// sheetName is a name that Excel allows for a sheet. "History" is one that it
// keeps for itself.
func (n names) sheetName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]`, r) {
			return '-'
		}
		return r
	}, Printable(name))
	name = strings.Trim(shorten(name, maxSheetName), "' ")
	if name == "" {
		name = "Sheet"
	}
	if fold(name) == "history" {
		name += "_"
	}
	return n.unique(name, " ", maxSheetName)
}

// tableName is a name that Excel allows for a table: it must not look like that of
// a cell either.
func (n names) tableName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	return n.unique("table_"+name, "_", 200)
}
