package syncer

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"billsync/internal/bill"
)

// A desk keeps the requests that are to be made next and has them made, so many
// at a time. Whoever has an answer takes the next request by himself: the wire
// does not wait for the engine, which may be storing meanwhile.
//
// After an answer that is no yes nothing is asked before the engine knows what
// follows from it.
type desk struct {
	source  Source
	answers chan answer // has room for all that is planned
	width   int
	makers  sync.WaitGroup

	mu      sync.Mutex
	queue   []ask
	running int
	begun   int              // so many requests were begun
	of      map[*account]int // of these, by account
	share   int              // so many an account may have running
	shut    bool
	bad     int // answers that are no yes and that the engine has not handled
}

func newDesk(source Source, width, accounts int) *desk {
	return &desk{source: source, answers: make(chan answer, depth*width+accounts), width: width, of: map[*account]int{}, share: width}
}

// depth is how many requests are planned for each that may be under way; of each
// account the tail's may come on top.
const depth = 2

// put adds a request, behind the others or, of a tail, before those of anything
// else.
func (d *desk) put(a ask) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := len(d.queue)
	if a.r.isTail() {
		for at > 0 && !d.queue[at-1].r.isTail() {
			at--
		}
	}
	d.queue = slices.Insert(d.queue, at, a)
}

// drop takes requests off the desk that were not begun, and returns them.
func (d *desk) drop(unwanted func(ask) bool) (dropped []ask) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = slices.DeleteFunc(d.queue, func(a ask) bool {
		if !unwanted(a) {
			return false
		}
		dropped = append(dropped, a)
		return true
	})
	return dropped
}

// close keeps what is planned from being begun.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
}

// handled notes that the engine knows what follows from answers that were no yes.
func (d *desk) handled(bad int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bad -= bad
}

// serve has requests made as long as there are places for them.
func (d *desk) serve(ctx context.Context, share int) {
	d.mu.Lock()
	d.share = share
	d.mu.Unlock()
	for {
		a, ok := d.take()
		if !ok {
			return
		}
		d.makers.Go(func() {
			for ok {
				d.answers <- d.make(ctx, a)
				a, ok = d.take()
			}
		})
	}
}

// wait returns when nobody makes requests any more. What was planned must have
// been made or dropped.
func (d *desk) wait() { d.makers.Wait() }

// take takes the next request off the desk, if it may be made now.
func (d *desk) take() (ask, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut || d.bad > 0 || d.running >= d.width {
		return ask{}, false
	}
	for i, a := range d.queue {
		if d.of[a.r.acct] < d.share {
			d.queue = slices.Delete(d.queue, i, i+1)
			d.running++
			d.begun++
			a.turn = d.begun
			d.of[a.r.acct]++
			return a, true
		}
	}
	return ask{}, false
}

// make makes a request and returns what came of it, a panic as an error.
func (d *desk) make(ctx context.Context, a ask) (ans answer) {
	ans.ask = a
	defer func() {
		if p := recover(); p != nil {
			ans.page, ans.err = bill.Page{}, fmt.Errorf("panic: %v", p)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.running--
		if d.of[a.r.acct]--; d.of[a.r.acct] == 0 {
			delete(d.of, a.r.acct)
		}
		if ans.err != nil {
			d.bad++
			ans.begun = d.begun
		}
	}()
	ans.page, ans.err = d.source.QueryBillList(ctx, a.r.acct.Account, a.q)
	return ans
}
