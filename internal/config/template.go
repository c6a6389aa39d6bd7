package config

import (
	"strings"
	"unicode/utf8"
)

const templateHead = `# Configuration of syncer. Every key is shown with its default, and may be left out.
# The environment wins over this file: SYNCER_SYNC_PAGE_SIZE sets page_size of [sync].
# Names of files are relative to this file's folder. Secrets are named here, never written here.
`

// Template returns a commented file with every key at its default. Values, TOML
// by key, take the place of defaults.
func Template(values map[string]string) string {
	var b strings.Builder
	b.WriteString(templateHead)
	for _, s := range sections {
		head := "[" + s.name + "]"
		if s.name == "account" {
			head = "[[account]]"
		}
		b.WriteString("\n" + commented(head, s.doc) + "\n")
		for i := range keys {
			k := &keys[i]
			if k.section() != s.name {
				continue
			}
			text, ok := values[k.name]
			switch {
			case ok:
				b.WriteString(commented(k.short()+" = "+text, k.doc) + "\n")
			case k.def == "":
				b.WriteString(commented("# "+k.short()+" = "+k.example, k.doc) + "\n")
			default:
				b.WriteString(commented(k.short()+" = "+k.def, k.doc) + "\n")
			}
		}
	}
	return b.String()
}

// commented puts a comment behind a line, in the same column wherever there is
// room.
func commented(line, doc string) string {
	if doc == "" {
		return line
	}
	const column = 34
	return line + strings.Repeat(" ", max(1, column-utf8.RuneCountInString(line))) + "# " + doc
}

// QuoteTOML writes a text as TOML does, for Template.
func QuoteTOML(text string) string { return quote(text) }
