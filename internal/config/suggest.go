package config

import (
	"fmt"
	"strings"
)

// suggestKey says which key may have been meant by an unknown one.
func suggestKey(name string) string {
	section, short, found := strings.Cut(name, ".")
	if i := strings.LastIndexByte(name, '.'); i > 0 && knownSection(name[:i]) {
		section, short = name[:i], name[i+1:] // a table in a table
	}
	if found && knownSection(section) {
		if best := nearest(short, shortNames(section)); best != "" {
			return fmt.Sprintf("; did you mean %s.%s?", section, best)
		}
	}
	for i := range keys { // the right name in the wrong table
		if k := &keys[i]; k.short() == short || !found && k.short() == name {
			return fmt.Sprintf("; did you mean %s, in [%s]?", k.name, k.section())
		}
	}
	if best := nearest(name, allNames()); best != "" {
		return "; did you mean " + best + "?"
	}
	if found && knownSection(section) {
		return fmt.Sprintf("; [%s] has %s", section, strings.Join(shortNames(section), ", "))
	}
	return "; the tables are " + strings.Join(sectionNames(), ", ")
}

// suggestTable says which table may have been meant by an unknown one.
func suggestTable(name string) string {
	if best := nearest(name, sectionNames()); best != "" {
		return fmt.Sprintf("; did you mean [%s]?", best)
	}
	return "; the tables are " + strings.Join(sectionNames(), ", ")
}

func sectionNames() []string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return names
}

func allNames() []string {
	var names []string
	for i := range keys {
		names = append(names, keys[i].name)
	}
	return names
}

func shortNames(section string) []string {
	var names []string
	for i := range keys {
		if keys[i].section() == section {
			names = append(names, keys[i].short())
		}
	}
	return names
}

// nearest returns the candidate that a slip of the fingers could have turned
// into the word, or nothing.
func nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	if len(word) > 100 {
		return ""
	}
	best, least := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(word, strings.ToLower(c)); d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
