// Package bill is the vocabulary of the program: bills and their amounts, the
// windows of bill time and the passes that read them, the questions put to the
// provider and the ways in which it does not say yes.
//
// It holds values and rules about values. It does no I/O, reads no clock and
// imports no other package of this program, so that every other package can
// speak its words. Facts about the provider are cited as "API §n".
package bill
