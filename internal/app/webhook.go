package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/webhook"
	"billsync/internal/worldfirst"
)

// wakeEvery is how often at most notifications that nobody can place ask the daemon
// for a sync. It begins when the run in hand has ended, so that two may follow one
// another sooner.
const wakeEvery = time.Minute

// receive starts to receive bill notifications, if the configuration asks for
// it. The channel brings the name of the job that a notification makes due; stop
// ends receiving and waits for what is under way.
func (a *App) receive(ctx context.Context) (wake <-chan string, stop func(), err error) {
	hook := a.cfg.Webhook
	if hook.Listen == "" {
		return nil, func() {}, nil
	}
	st, err := store.Open(ctx, a.cfg.Database.URL, a.cfg.Report.Timezone)
	if err != nil {
		return nil, nil, withCode(err)
	}
	st.ShareWrites(&a.writes)
	if err := a.adoptZone(ctx, st); err != nil {
		a.logged("closing the database", st.Close)
		return nil, nil, err
	}
	l, err := webhook.Listen(hook.Listen)
	if err != nil {
		a.logged("closing the database", st.Close)
		return nil, nil, &InputError{"webhook.listen: " + err.Error(), "choose a free port and an address of this machine; another syncer may be running"}
	}
	alarm := &alarm{out: make(chan string, 1), now: a.now}
	box := a.mailbox(st)
	a.box = box
	h := webhook.New(webhook.Config{
		Path: hook.Path, Accounts: a.enabledNames(), SignedPaths: hook.SignedPaths,
		ClientID: a.keys.clientID, ServerKeys: a.keys.server, PrivateKey: a.keys.own, KeyVersion: a.keys.version, Now: a.now, Log: a.log,
		Deliver: func(ctx context.Context, batch []bill.Notification) ([]bill.Receipt, error) {
			receipts, unsettled, err := box.Deliver(ctx, batch)
			if unsettled {
				alarm.ring()
			}
			return receipts, err
		},
	})
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	stop = func() {
		a.box = nil // nothing runs any more
		alarm.stop()
		cancel()
		parts.Wait()
		a.logged("closing the database", st.Close)
	}
	parts.Go(func() {
		if err := h.Run(serving, l); err != nil {
			a.log.Error().Err(err).Msg("notifications are received no longer; the schedule goes on, and reads what they told of")
		}
	})
	if err := a.simulateNotifications(serving, &parts, "http://"+l.Addr().String()+strings.TrimSuffix(hook.Path, "/")); err != nil {
		stop()
		return nil, nil, err
	}
	a.log.Info().Str("address", l.Addr().String()).Str("path", hook.Path).Msg("receiving bill notifications")
	return alarm.out, stop, nil
}

// adoptZone makes the days of the database those of the configuration, as the first
// sync would do: a notification may come before it. While another syncer is at work
// they stay as they are, and what comes is not stored if they are others.
func (a *App) adoptZone(ctx context.Context, st *store.Store) error {
	lock, err := store.TryLock(a.cfg.Database.URL, "run", a.now())
	var busy *store.BusyError
	switch {
	case errors.As(err, &busy):
		return nil
	case err != nil:
		return withCode(err)
	}
	defer a.logged("giving the lock back", lock.Unlock)
	return withCode(st.AdoptReportZone(ctx))
}

// simulateNotifications lets the built-in simulator tell of its bills, each
// account's at the path of that account.
func (a *App) simulateNotifications(ctx context.Context, parts *sync.WaitGroup, base string) error {
	if a.sim == nil {
		return nil
	}
	for _, c := range a.cfg.Enabled() {
		n, err := simulator.NewNotifier(simulator.NotifierOptions{
			Book: a.book, Customer: c.ConnectedCustomerID, URL: base + "/" + c.Name, ClientID: a.keys.clientID,
			Key: a.keys.own, ClientKeys: a.keys.server, Now: a.now, Log: a.log, // one pair for both sides
		})
		if err != nil {
			return fmt.Errorf("starting the simulator's notifications: %w", err)
		}
		parts.Go(func() { n.Run(ctx, notifyEvery) })
	}
	return nil
}

// checkWebhook looks whether notifications can be received where the
// configuration says. That the port is taken is no fault: it may be by the daemon.
func (a *App) checkWebhook() []Finding {
	hook := a.cfg.Webhook
	if hook.Listen == "" {
		return nil
	}
	l, err := webhook.Listen(hook.Listen)
	if err != nil {
		return []Finding{{"warn", "webhook", err.Error(), "if that is not the daemon (syncer run) at work, choose a free port and an address of this machine", 0}}
	}
	a.logged("closing the webhook's port", l.Close)
	return []Finding{{"ok", "webhook", fmt.Sprintf("syncer run receives bill notifications at %s%s", hook.Listen, hook.Path), "", 0}}
}

// mailbox returns what stores notifications.
func (a *App) mailbox(st *store.Store) *syncer.Mailbox {
	var all []string
	for _, c := range a.cfg.Accounts {
		all = append(all, c.Name)
	}
	return syncer.NewMailbox(a.enabledNames(), all, storeFor{st}, worldfirst.DecodeItem, a.log, a.now)
}

func (a *App) enabledNames() []string {
	var names []string
	for _, c := range a.cfg.Enabled() {
		names = append(names, c.Name)
	}
	return names
}

// settleInbox looks, after a run, at the notifications that could not be placed
// before it.
func (a *App) settleInbox(ctx context.Context, st *store.Store) error {
	var waiting []bill.InboxEntry
	err := st.View(ctx, func(t *store.Tx) (err error) {
		waiting, err = t.Inbox(0, 1)
		return err
	})
	if err != nil || len(waiting) == 0 {
		return err
	}
	box := a.box // that of the daemon remembers what is in vain
	if box == nil {
		box = a.mailbox(st)
	}
	settled, err := box.Settle(ctx)
	if settled > 0 {
		a.log.Info().Int("notifications", settled).Msg("notifications that waited in the inbox are settled")
	}
	return err
}

// An alarm wakes the daemon for a sync, not more often than every so often: what
// rings in between is put off, not forgotten.
type alarm struct {
	out chan string // with room for one
	now func() time.Time

	mu    sync.Mutex
	last  time.Time
	later *time.Timer
}

func (a *alarm) ring() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.later != nil {
		return
	}
	if wait := wakeEvery - a.now().Sub(a.last); !a.last.IsZero() && wait > 0 {
		a.later = time.AfterFunc(min(wait, wakeEvery), func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.later = nil
			a.send()
		})
		return
	}
	a.send()
}

// send is called with the lock held.
func (a *alarm) send() {
	a.last = a.now()
	select {
	case a.out <- "sync":
	default: // it was not heard yet
	}
}

func (a *alarm) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.later != nil {
		a.later.Stop()
	}
}
