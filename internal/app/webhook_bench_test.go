package app_test

import (
	"context"
	"crypto/rsa"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/webhook"
	"billsync/internal/worldfirst"

	"github.com/rs/zerolog"
)

// direct lets a mailbox see the store.
type direct struct{ *store.Store }

func (s direct) Update(ctx context.Context, fn func(syncer.Tx) error) error {
	return s.Store.Update(ctx, func(t *store.Tx) error { return fn(t) })
}

// BenchmarkNotifications measures how many notifications a second are received
// over HTTP, verified, stored and answered signed, with 16 senders that sign
// theirs on the same processor. "stored" is the same without network and
// signatures, a transaction each; compare with BenchmarkLoad of package syncer,
// which is the poll.
func BenchmarkNotifications(b *testing.B) {
	open := func(b *testing.B) *syncer.Mailbox {
		st, err := store.Open(b.Context(), b.TempDir()+"/bills.db", time.UTC)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = st.Close() })
		origin := store.Origin{Host: "test", ClientID: "TEST", Accounts: []bill.Account{{Name: "main"}}}
		if err := st.ClaimOrigin(b.Context(), origin, func(string) time.Time { return time.Unix(0, 0) }, time.Now()); err != nil {
			b.Fatal(err)
		}
		return syncer.NewMailbox([]string{"main"}, []string{"main"}, direct{st}, worldfirst.DecodeItem, zerolog.Nop(), time.Now)
	}
	body := func(i int64) []byte {
		return fmt.Appendf(nil, `{"assetId":"CARD0000000000000000000000000001","maskedCardNo":"555555******4444","orderNo":"2026012819074100010012%07d",`+
			`"cardNickName":"Ads card 1","transactionTime":%q,"merchantName":"EXAMPLE HOSTING KK","tradeAmount":{"currency":"JPY","value":"15800"},`+
			`"outAmount":{"currency":"USD","value":"10130"},"exchangeRate":"0.00641139","billType":"CARD_PAYMENT","tradeCountry":"JP",`+
			`"billStatus":"SUCCESS","lastUpdate":"1769710268237"}`, i, time.Unix(1769710268+i, 0).UTC().Format(time.RFC3339))
	}
	b.Run("stored", func(b *testing.B) {
		box := open(b)
		for i := range b.N {
			_, _, err := box.Deliver(b.Context(), []bill.Notification{{Account: "main", Item: worldfirst.DecodeItem(body(int64(i))), ReceivedAt: time.Now()}})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bills/s")
	})
	b.Run("answered", func(b *testing.B) {
		key, err := simulator.NewKeyPair()
		if err != nil {
			b.Fatal(err)
		}
		public := []*rsa.PublicKey{&key.PublicKey}
		box := open(b)
		h := webhook.New(webhook.Config{
			Path: "/notify/bill", ClientID: "TEST", ServerKeys: public, PrivateKey: key, KeyVersion: 2, Now: time.Now, Log: zerolog.Nop(),
			Deliver: func(ctx context.Context, batch []bill.Notification) ([]bill.Receipt, error) {
				receipts, _, err := box.Deliver(ctx, batch)
				return receipts, err
			},
		})
		l, err := webhook.Listen("127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx, l) }()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
		n, err := simulator.NewNotifier(simulator.NotifierOptions{
			Book: simulator.NewLedger(), URL: "http://" + l.Addr().String() + "/notify/bill", ClientID: "TEST", Key: key, ClientKeys: public, Client: client,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		var next atomic.Int64
		var senders sync.WaitGroup
		for range 16 {
			senders.Go(func() {
				for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
					if status, err := n.Deliver(ctx, body(i)); status != "S" {
						b.Errorf("notification %d: %q, %v", i, status, err)
						return
					}
				}
			})
		}
		senders.Wait()
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bills/s")
		client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
}
