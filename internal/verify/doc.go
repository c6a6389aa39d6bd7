// Package verify counts at the provider what is stored, and compares.
//
// Nothing is taken from an earlier verdict: the provider is asked for its
// totalCount, the other side is counted in the table of bills, now.
//
// # Ends
//
// Whether the provider includes the ends of a span, and whether it cuts
// fractions of a second off before it compares, is not documented (API §9.3).
// So the ends are put where neither matters: at clean seconds, from which every
// stored bill is further away than two seconds. An end is moved back to the
// nearest clean second, or, where there is none for hours, onwards.
//
//	bills   ──●──●─●───────────────●────●──
//	older   ─────────────────┤
//	newer                   ├──────────────
//	                        C C+1
//
// Neighbouring spans share a clean second and overlap by one second: a bill
// that is not stored cannot hide between them, and none that is stored is
// counted twice. Where something does differ, the overlap itself is counted as
// well; if a bill that is not stored lies right there, the ends are put
// elsewhere and both sides are counted again, so that it makes one difference
// and not two.
//
// What was proved begins and ends somewhere, and beyond that are bills that
// nobody read: such an end is never moved outwards. Where no clean second is
// found, the row says by how much the count may differ.
package verify
