package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"billsync/internal/bill"
)

// What is stored comes into the file while the work goes on, and a store that did
// so can be closed as often as one likes.
func TestLogIsWrittenBackBesideTheWork(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s, err := Open(t.Context(), path, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	defer s.back.close()
	size := func() int64 {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size()
	}
	now := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	empty := size()
	for from := 0; from < checkpointRows; from += checkpointRows / 4 {
		err := s.Update(t.Context(), func(tx *Tx) error {
			if err := tx.SaveAccount(bill.Account{Name: "main"}, now, now); err != nil {
				return err
			}
			for i := from; i < from+checkpointRows/4; i++ {
				b := &bill.Bill{OrderNo: fmt.Sprint(i), TransactionTime: now.Add(time.Duration(i) * time.Second), Hash: "x", Raw: []byte("{}")}
				if _, err := tx.InsertBill("main", b, 0, now, now, 1); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 6000 { // a minute
		if size() > 4*empty {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := size(); got <= 4*empty {
		t.Errorf("the file has %d bytes after %d bills, %d without any: nothing was written back", got, checkpointRows, empty)
	}
	s.back.close()
	s.back.close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
