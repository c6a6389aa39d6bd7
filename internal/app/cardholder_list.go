package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"billsync/internal/bill"
	"billsync/internal/card"
	"billsync/internal/config"
	"billsync/internal/store"
)

// ListOptions are what "syncer cardholder list" can be told.
type ListOptions struct {
	Account     string // empty: all
	AuditStatus string // empty: all
	Refresh     bool   // ask the API how reviews ended
}

// A HolderList is what was made from here, in its last known state.
type HolderList struct {
	Holders    []HolderState
	Refreshed  bool
	Unknown    int      // entries of the API's list that were not made from here
	Missing    []string // requests that were answered and are not in the API's list, by id
	Unreadable int      // entries the API counts and that could not be understood
	Partial    bool     // the API's list is longer than is read
	NoDatabase bool
}

// ListCardholders shows what was made from here. Beside an error stands what is
// stored.
func (a *App) ListCardholders(ctx context.Context, o ListOptions) (HolderList, error) {
	names, err := a.holderAccounts(o.Account)
	if err != nil {
		return HolderList{}, err
	}
	if o.Refresh {
		if _, err := a.source(); err != nil {
			return HolderList{}, err
		}
	}
	there, err := store.Exists(ctx, a.cfg.Database.URL)
	if err != nil {
		return HolderList{}, withCode(err)
	}
	var l HolderList
	var trouble error
	if o.Refresh {
		trouble = a.refreshHolders(ctx, names, there, &l)
		if ctx.Err() != nil {
			return HolderList{}, ctx.Err()
		}
		var v *Verdict
		if trouble != nil && !errors.As(trouble, &v) {
			return HolderList{}, trouble
		}
	}
	if l.NoDatabase = !there; there {
		all, err := a.storedHolders(ctx, names)
		if err != nil {
			return HolderList{}, err
		}
		l.Holders = a.holderStates(all)
	}
	l.Holders = slices.DeleteFunc(l.Holders, func(c HolderState) bool {
		return o.AuditStatus != "" && !strings.EqualFold(c.AuditStatus, o.AuditStatus)
	})
	return l, trouble
}

func (a *App) storedHolders(ctx context.Context, names []string) (all []store.Cardholder, err error) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if err != nil {
		return nil, withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) (err error) {
		all, err = t.Cardholders(names)
		return err
	})
	return all, withCode(err)
}

// refreshHolders asks for the list of each account and stores what it says of
// what was made from here. All statuses are asked for: what was pending may be
// anything by now.
func (a *App) refreshHolders(ctx context.Context, names []string, there bool, l *HolderList) error {
	var st *store.Store
	if there {
		if err := store.Check(ctx, a.cfg.Database.URL); err != nil {
			return withCode(err)
		}
		var err error
		if st, err = store.Open(ctx, a.cfg.Database.URL, a.cfg.Report.Timezone); err != nil {
			return withCode(err)
		}
		defer a.logged("closing the database", st.Close)
		st.ShareWrites(&a.writes)
		if err := st.ClaimOrigin(ctx, a.origin, a.historyStart, a.now()); err != nil {
			return withCode(err)
		}
	}
	var worst *Verdict
	for _, name := range names {
		acct, _ := a.cfg.Account(name)
		a.renewDue(ctx, []string{name})
		list, err := a.readHolders(ctx, acct)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if e := a.keepHolders(ctx, st, name, list, err == nil && !list.partial && list.unreadable == 0, l); e != nil {
			return e
		}
		if f, ok := bill.AsFailure(err); ok {
			v := &Verdict{Code: 3, Reason: fmt.Sprintf("account %s: %v", name, f), Advice: onceAdvice(f)}
			if f.Outcome == bill.RefusedUs {
				v.Code = 4
			}
			if worst == nil || v.Code > worst.Code {
				worst = v
			}
		} else if err != nil {
			return err
		}
	}
	if worst == nil {
		worst = l.incomplete()
	}
	l.Refreshed = worst == nil
	if worst != nil {
		return worst
	}
	return nil
}

// incomplete says what of the API's list was not read; nil if all of it was.
func (l *HolderList) incomplete() *Verdict {
	var what []string
	if l.Unreadable > 0 {
		what = append(what, fmt.Sprintf("%d of its entries could not be understood", l.Unreadable))
	}
	if l.Partial {
		what = append(what, fmt.Sprintf("it is longer than the %d pages that are read", maxHolderPages))
	}
	if len(what) == 0 {
		return nil
	}
	return &Verdict{3, "the API's list of cardholders is incomplete: " + strings.Join(what, ", and "),
		"what was understood is stored; a cardholder that is not shown may be registered all the same: ask again, and if it stays, ask WorldFirst Technical Support"}
}

// keepHolders stores what an account's list says of its requests. If all of the
// list was read, those that are not in it are named.
func (a *App) keepHolders(ctx context.Context, st *store.Store, account string, list holderPages, whole bool, l *HolderList) error {
	l.Unreadable, l.Partial = l.Unreadable+list.unreadable, l.Partial || list.partial
	if st == nil {
		l.Unknown += len(list.holders)
		return nil
	}
	var unknown int
	var missing []string
	err := st.Update(ctx, func(t *store.Tx) error {
		unknown, missing = 0, nil
		ours, err := t.Cardholders([]string{account})
		if err != nil {
			return err
		}
		now, listed := a.now(), map[string]bool{}
		for _, h := range list.holders {
			c := match(ours, h)
			if c == nil {
				unknown++
				continue
			}
			listed[c.RequestID] = true
			if c.State == store.HolderAnswered {
				reviewed(c, h)
			} else {
				answered(c, h, now) // the list names our request: it was registered
			}
		}
		for i := range ours {
			c := &ours[i]
			if c.State == store.HolderAnswered && !listed[c.RequestID] && whole {
				missing = append(missing, c.RequestID)
			}
			if whole || listed[c.RequestID] {
				c.RefreshedAt = now
				if err := t.SaveCardholder(*c); err != nil {
					return err
				}
			}
		}
		return nil
	})
	l.Unknown, l.Missing = l.Unknown+unknown, append(l.Missing, missing...)
	return withCode(err)
}

// match finds the request that an entry of the list came of; nil if it was not
// made from here.
func match(ours []store.Cardholder, h card.Holder) *store.Cardholder {
	for _, same := range []func(c *store.Cardholder) bool{
		func(c *store.Cardholder) bool { return h.CardholderID != "" && c.CardholderID == h.CardholderID },
		func(c *store.Cardholder) bool { return h.OrderID != "" && c.OrderID == h.OrderID },
		func(c *store.Cardholder) bool { return h.RequestID != "" && c.RequestID == h.RequestID },
	} {
		for i := range ours {
			if same(&ours[i]) {
				return &ours[i]
			}
		}
	}
	return nil
}

const (
	// holderPageSize is the largest the API gives (API §7.2).
	holderPageSize = 50
	// maxHolderPages bounds how far the list is read.
	maxHolderPages = 200
)

// holderPages is what was read of an account's list.
type holderPages struct {
	holders    []card.Holder
	unreadable int
	partial    bool
}

// readHolders reads an account's list of cardholders. An entry that comes again,
// because the list moved or the API ignores the page, is taken once.
func (a *App) readHolders(ctx context.Context, acct config.Account) (holderPages, error) {
	var out holderPages
	type key struct{ cardholder, order string }
	seen := map[key]bool{}
	total := 0
	for page := 1; ; page++ {
		p, err := careful{a.client}.QueryCardholderList(ctx, vocabulary(acct), "", page, holderPageSize)
		if err != nil {
			return out, err
		}
		fresh := 0
		for _, h := range p.Holders {
			if k := (key{h.CardholderID, h.OrderID}); !seen[k] {
				seen[k] = true
				fresh++
				out.holders = append(out.holders, h)
			}
		}
		total = max(total, p.TotalCount)
		last := fresh == 0 || p.TotalPages > 0 && page >= p.TotalPages || p.TotalCount > 0 && len(out.holders) >= p.TotalCount ||
			p.TotalPages == 0 && p.TotalCount == 0 && len(p.Holders) < holderPageSize
		if last || page == maxHolderPages {
			if out.partial = !last; last {
				out.unreadable = max(0, total-len(out.holders))
			}
			return out, nil
		}
	}
}

// A Cardholder is a request to register a cardholder, and what came of it.
type Cardholder = store.Cardholder

// A HolderState is one with what is not as it was asked for, and what to do about
// it; both are empty if it was answered or a person closed it.
type HolderState struct {
	store.Cardholder
	Reason, Advice string
}

func (a *App) holderStates(all []store.Cardholder) []HolderState {
	out := make([]HolderState, len(all))
	for i := range all {
		out[i].Cardholder = all[i]
		var v *Verdict
		if all[i].AcceptedAt.IsZero() && errors.As(verdictOn(&all[i], a.cfg.Report.Timezone), &v) {
			out[i].Reason, out[i].Advice = v.Reason, v.Advice
		}
	}
	return out
}

// openCardholders returns the requests that are not settled.
func (a *App) openCardholders(t *store.Tx) ([]HolderState, error) {
	names, err := a.holderAccounts("")
	if err != nil {
		return nil, err
	}
	all, err := t.Cardholders(names)
	return a.holderStates(slices.DeleteFunc(all, func(c store.Cardholder) bool { return !open(&c) })), err
}
