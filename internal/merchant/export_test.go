package merchant

import "slices"

// Slow is the same without the quick looks before expressions.
func (n *Normaliser) Slow() *Normaliser {
	slow := *n
	slow.builtin = slices.Clone(n.builtin)
	for i := range slow.builtin {
		slow.builtin[i].when = nil
	}
	return &slow
}

// LegalForms returns the forms of companies and the ends by which they are found.
func LegalForms() (patterns, lastWords []string) { return legalForms, legalEnds }
