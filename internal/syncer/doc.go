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
package syncer
