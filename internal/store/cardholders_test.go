package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/bill"
	"billsync/internal/store"
)

func TestCardholders(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "shop"}, day(1), t0) })
	first := store.Cardholder{RequestID: "b", Account: "main", Type: "EMPLOYEE", InfoFile: "/a/file", InfoSalt: "s", InfoHash: "h", SenseHash: "h1",
		State: store.HolderSending, CreatedAt: day(1), SentAt: day(1)}
	second := store.Cardholder{RequestID: "a", Account: "shop", Type: "INDIVIDUAL", InfoSalt: "s2", InfoHash: "h2", State: store.HolderWaiting, CreatedAt: day(2),
		NextAttemptAt: day(3)}
	update(t, s, func(tx *store.Tx) error { return errors.Join(tx.SaveCardholder(first), tx.SaveCardholder(second)) })
	list := func(accounts ...string) (got []store.Cardholder) {
		view(t, s, func(tx *store.Tx) (err error) { got, err = tx.Cardholders(accounts); return err })
		return got
	}
	if diff := cmp.Diff([]store.Cardholder{first, second}, list("shop", "main", "none")); diff != "" {
		t.Errorf("Cardholders (-want +got):\n%s", diff)
	}
	first.State, first.Attempts, first.Setbacks, first.NextAttemptAt, first.LastCode, first.LastError = store.HolderWaiting, 2, 3, day(4), "CODE", "why"
	first.OrderID, first.CardholderID, first.AuditStatus, first.AvailableStatus, first.FailCode, first.FailMessage = "O", "C", "PENDING", "F", "FC", "FM"
	first.SentAt, first.AnsweredAt, first.RefreshedAt, first.InfoFile = day(5), day(6), day(7), "/other"
	update(t, s, func(tx *store.Tx) error { return tx.SaveCardholder(first) })
	if diff := cmp.Diff([]store.Cardholder{first}, list("main")); diff != "" {
		t.Errorf("Cardholders of an account after a change (-want +got):\n%s", diff)
	}
	view(t, s, func(tx *store.Tx) error {
		got, ok, err := tx.Cardholder("b")
		if diff := cmp.Diff(first, got); err != nil || !ok || diff != "" {
			t.Errorf("Cardholder(b) = %t, %v (-want +got):\n%s", ok, err, diff)
		}
		if got, ok, err := tx.Cardholder("B"); ok || err != nil || got != (store.Cardholder{}) {
			t.Errorf("Cardholder(B) = %+v, %t, %v", got, ok, err)
		}
		return nil
	})
	bad := first
	bad.State = "lost"
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveCardholder(bad) }); err == nil {
		t.Error("a state nobody knows is stored")
	}
	bad = first
	bad.RequestID, bad.Account = "c", "nobody"
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveCardholder(bad) }); err == nil {
		t.Error("a request of an account nobody knows is stored")
	}
}

// What is due without a person: what waits and what was left behind, if its
// content can be read again.
func TestNextCardholder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		c    store.Cardholder
		want time.Time
	}{
		{"waiting", store.Cardholder{State: store.HolderWaiting, InfoFile: "f", NextAttemptAt: day(3), SentAt: day(2)}, day(3)},
		{"waiting and due at once", store.Cardholder{State: store.HolderWaiting, InfoFile: "f", SentAt: day(2)}, day(1)},
		{"left behind", store.Cardholder{State: store.HolderSending, InfoFile: "f", SentAt: day(2)}, day(2)},
		{"from standard input", store.Cardholder{State: store.HolderWaiting, NextAttemptAt: day(3)}, time.Time{}},
		{"answered", store.Cardholder{State: store.HolderAnswered, InfoFile: "f"}, time.Time{}},
		{"refused", store.Cardholder{State: store.HolderRefused, InfoFile: "f"}, time.Time{}},
		{"repeated", store.Cardholder{State: store.HolderRepeated, InfoFile: "f"}, time.Time{}},
		{"closed by a person", store.Cardholder{State: store.HolderWaiting, InfoFile: "f", NextAttemptAt: day(3), AcceptedAt: day(2)}, time.Time{}},
		{"given up", store.Cardholder{State: store.HolderFailed, InfoFile: "f", NextAttemptAt: day(3)}, time.Time{}},
	} {
		s := withAccount(t)
		tt.c.RequestID, tt.c.Account, tt.c.CreatedAt = "r", "main", day(1)
		update(t, s, func(tx *store.Tx) error { return tx.SaveCardholder(tt.c) })
		if !tt.c.AcceptedAt.IsZero() {
			if _, err := s.Accept(t.Context(), "cardholder:r", "x", tt.c.AcceptedAt); err != nil {
				t.Fatal(err)
			}
		}
		for account, want := range map[string]time.Time{"main": tt.want, "shop": {}} {
			view(t, s, func(tx *store.Tx) error {
				if got, err := tx.NextCardholder([]string{account}); err != nil || !got.Equal(want) {
					t.Errorf("%s: NextCardholder(%s) = %v, %v, want %v", tt.name, account, got, err, want)
				}
				return nil
			})
		}
	}
}

func TestCardholderLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	l, err := store.TryCardholderLock(path, "cardholder create", t0)
	if err != nil {
		t.Fatal(err)
	}
	var busy *store.BusyError
	if _, err := store.TryCardholderLock(path, "x", t0); !errors.As(err, &busy) || busy.Doing != "cardholder create" {
		t.Errorf("a second lock = %v, want a BusyError", err)
	}
	run, err := store.TryLock(path, "sync", t0)
	if err != nil {
		t.Errorf("a run beside it: %v", err)
	} else if err := run.Unlock(); err != nil {
		t.Error(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if l, err = store.TryCardholderLock(path, "x", t0); err != nil {
		t.Errorf("after Unlock: %v", err)
	} else if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

// A request that nobody can settle is closed by a person; nothing that is stored
// about it later opens it again.
func TestAcceptCardholder(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		store.HolderWaiting: "", store.HolderRepeated: "", store.HolderRefused: "", store.HolderFailed: "",
		store.HolderAnswered: "is settled", store.HolderSending: "cardholder resume",
	} {
		s := withAccount(t)
		c := store.Cardholder{RequestID: "r1", Account: "main", Type: "EMPLOYEE", State: state, LastError: "why", CreatedAt: day(1)}
		update(t, s, func(tx *store.Tx) error { return tx.SaveCardholder(c) })
		seen, err := s.PreviewAccept(t.Context(), "cardholder:r1", day(2))
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", state, err, want)
			}
			continue
		}
		if err != nil || seen.Subject != "cardholder:r1" || seen.Account != "main" || seen.Reason != "why" {
			t.Errorf("%s: PreviewAccept = %+v, %v", state, seen, err)
		}
		if _, err := s.Accept(t.Context(), "cardholder:r1", "looked", day(2)); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		update(t, s, func(tx *store.Tx) error { return tx.SaveCardholder(c) })
		c.AcceptedAt, c.AcceptedNote = day(2), "looked"
		view(t, s, func(tx *store.Tx) error {
			got, _, err := tx.Cardholder("r1")
			if diff := cmp.Diff(c, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", state, err, diff)
			}
			return nil
		})
		same(t, "acceptances", grid(t, s, "SELECT account, subject, reason, note FROM acceptances"), [][]any{{"main", "cardholder:r1", "why", "looked"}})
		for subject, want := range map[string]string{"cardholder:r1": "was accepted before", "cardholder:r2": "does not exist", "cardholder:": "does not exist"} {
			if _, err := s.Accept(t.Context(), subject, "x", day(3)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s again: %v, want %q", subject, err, want)
			}
		}
	}
}
