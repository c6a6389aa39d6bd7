// Package simulator is the WorldFirst API as a server of our own: for the first
// run before there are keys, for rehearsal, and for tests.
//
// It speaks real HTTP, checks the signature of every request and signs every
// answer. Where the API's documents state a rule, the server enforces it; where
// they leave a choice open (which ends of a span count in, the order of the
// list, how integers are written), Options decides. Of several readings of a
// limit the strictest is enforced, so that a client that gets on with this
// server obeys them all.
//
// Behind the server stands a Book. History is one that lives: a pure function
// of a seed, a customer and the time, in which bills clear, fail and get
// refunded as the clock moves. Ledger is one that a test writes itself. Drift
// disturbs another book while it is being read. What goes wrong on the way is
// injected as a Fault.
//
// Facts about the API are cited as "API §n".
package simulator
