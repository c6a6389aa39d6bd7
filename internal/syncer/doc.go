// Package syncer is the work: which windows and pages are read, in which order,
// how each item finds its row, and when a window counts as proved.
//
// # How a run goes
//
// For each account the history is laid out in windows (bill.Layout). What is
// due is put in a queue, the newest window first; the tail, the newest part of
// history, goes before anything else. One goroutine owns all of this: it hands
// out requests, takes answers, and is the only writer. The requests themselves
// run beside it, so HTTP never happens inside a transaction.
//
// # How a window is read
//
// A pass asks for page 1, which tells how many bills and pages there are, then
// for the others, a few ahead of the checkpoint. Pages are stored in order; a
// page's bills, its record and the checkpoint are one transaction. A pass that
// was killed asks for its last stored page again and goes on if that is
// unchanged.
//
//	pending ──▶ reading ──▶ done        all items came and are stored: proved
//	               │  ▲
//	               ▼  │
//	            waiting                 unknown outcome, no answer, or not settled
//	               │
//	               ▼
//	            failed                  refused, or given up
//
// A window that is done and read again stays done until a finished pass
// disagrees with it.
//
// # What proves it
//
// The items received, and the different bills they are, both equal the
// provider's totalCount, which was the same on every page, and every page but
// the last was full. Otherwise something moved and the span is read again.
//
// A pass that adds up may still lack bills that are stored. Each is looked up
// by its order: listed there, the pages moved and the span is read again; not
// listed there either, it is withdrawn. Too many at once, or a list that is
// empty like all others, and a person decides: the window waits for accept.
//
// # How changes are followed
//
// A refresh reads the recent windows again, and the windows proved longest ago
// (the audit). The chase looks at all others: it compares how many bills of
// each status the provider counts with how many are stored, reads the small
// sets, and has a window read again where that leaves a difference. A refresh
// is over when each window was read or chased since it began; one that was
// stopped goes on where it was.
//
// # Whose clock
//
// Spans end two minutes before our clock's now. The provider's Response-Time
// tells whether that clock is right: if it runs ahead, a proof claims no more
// than the provider's own time supports, and what an earlier run claimed of the
// future is taken back.
package syncer
