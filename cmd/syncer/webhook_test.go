package main

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"billsync/internal/simulator"
	"billsync/internal/worldfirst"
)

// hooked makes a folder whose daemon receives notifications from the simulator
// with these settings, and syncs once an hour at most.
func hooked(t *testing.T, s settings, days int, more string) string {
	t.Helper()
	return folder(t, s, days, "[schedule]\nsync = \"@every 1h\"\nrefresh = \"\"\n[webhook]\nlisten = \"127.0.0.1:0\"\n"+more)
}

// hook waits until a daemon receives notifications, and returns the address.
func (c *child) hook() string {
	c.t.Helper()
	c.says("receiving bill notifications", 1)
	for line := range strings.Lines(c.err.String()) {
		var x struct{ Message, Address string }
		if json.Unmarshal([]byte(line), &x) == nil && x.Message == "receiving bill notifications" {
			return "http://" + x.Address
		}
	}
	c.t.Fatalf("the daemon does not say where it listens:\n%s", c.err)
	return ""
}

// notifier signs as the simulator with these settings does.
func notifier(t testing.TB, s settings, url string) *simulator.Notifier {
	t.Helper()
	wf, err := worldfirst.LoadPrivateKey(filepath.Join(filepath.Dir(s.PrivateKey), "simulator.pem"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := worldfirst.LoadPrivateKey(s.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := simulator.NewNotifier(simulator.NotifierOptions{
		Book: simulator.NewLedger(), URL: url, ClientID: s.ClientID, Key: wf, ClientKeys: []*rsa.PublicKey{&own.PublicKey},
		Client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// notified is a notification of a bill that nobody lists.
func notified(n int) []byte {
	at := time.Now().Add(-time.Duration(n) * time.Second).Truncate(time.Second)
	return fmt.Appendf(nil, `{"assetId":"CARDX","maskedCardNo":"555555******4444","orderNo":"HOOK%06d","transactionTime":%q,"merchantName":"EXAMPLE",`+
		`"tradeAmount":{"currency":"USD","value":"%d"},"outAmount":{"currency":"USD","value":"%d"},"billType":"CARD_PAYMENT","billStatus":"SUCCESS","lastUpdate":"%d"}`,
		n, at.Format(time.RFC3339), n+1, n+1, at.UnixMilli()+1)
}

// A notified bill is in the database within a second, also while the first sync
// is at work, and the sync that goes on is not disturbed.
func TestNotifiedWithinASecond(t *testing.T) {
	t.Parallel()
	s, srv := serveBook(t, many(3000, 300))
	put(t, filepath.Join(filepath.Dir(s.PrivateKey), "simulator.pem"), []byte(readFile(t, s.PrivateKey)))
	dir := hooked(t, s, 300, "")
	g := gated(t, srv, 150) // it does not end before the last one comes
	daemon := launch(t, dir, "run", "--log-format", "json")
	n := notifier(t, s, daemon.hook()+"/notify/bill")
	slowest := time.Duration(0)
	for i := range 20 {
		if i == 15 {
			g.waits(t, daemon)
		}
		begun := time.Now()
		status, err := n.Deliver(t.Context(), notified(i))
		for try := 1; status == "U" && try < 10; try++ { // a busy machine
			status, err = n.Deliver(t.Context(), notified(i))
		}
		if status != "S" || err != nil {
			t.Fatalf("notification %d: %q, %v", i, status, err)
		}
		if got := look(t, dir, fmt.Sprintf("SELECT trade_amount FROM bills WHERE order_no = 'HOOK%06d'", i)); len(got) != 1 || got[0] != strconv.Itoa(i+1) {
			t.Fatalf("notification %d is acknowledged, and stored are %v", i, got)
		}
		slowest = max(slowest, time.Since(begun))
	}
	t.Logf("the slowest of 20 took %s", slowest)
	g.opened()
	daemon.says("run ended", 1)
	contains(t, "the run beside it", daemon.err.String(), `"outcome":"complete"`)
	daemon.signal(syscall.SIGTERM)
	if got := daemon.code(patience); got != 0 {
		t.Errorf("the daemon ended with %d:\n%s", got, daemon.err)
	}
	ran(t, dir, 0, "sync")
	ran(t, dir, 0, "verify")
	if got := look(t, dir, "SELECT count(*), count(DISTINCT order_no), count(withdrawn_at) FROM bills WHERE order_no LIKE 'HOOK%'"); got[0] != "20|20|0" {
		t.Errorf("notified bills, orders, withdrawn: %s", got[0])
	}
}

// What was acknowledged is in the database, however the daemon ends.
func TestKilledWhileNotified(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	dir := hooked(t, s, 30, "")
	var mu sync.Mutex
	acknowledged := map[int]bool{}
	next := new(atomic.Int64)
	for round := range 5 {
		daemon := launch(t, dir, "run", "--log-format", "json")
		n := notifier(t, s, daemon.hook()+"/notify/bill/main")
		ctx, stop := context.WithCancel(t.Context())
		var senders sync.WaitGroup
		for range 8 {
			senders.Go(func() {
				for ctx.Err() == nil {
					i := int(next.Add(1))
					if status, _ := n.Deliver(ctx, notified(i)); status == "S" {
						mu.Lock()
						acknowledged[i] = true
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(time.Duration(100+round*83) * time.Millisecond)
		for end := time.Now().Add(patience); round == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			mu.Lock()
			n := len(acknowledged)
			mu.Unlock()
			if n > 0 {
				break
			}
		}
		daemon.signal(os.Kill)
		<-daemon.ended
		stop()
		senders.Wait()
	}
	stored := map[string]bool{}
	for _, order := range look(t, dir, "SELECT order_no FROM bills WHERE order_no LIKE 'HOOK%'") {
		stored[order] = true
	}
	for i := range acknowledged {
		if !stored[fmt.Sprintf("HOOK%06d", i)] {
			t.Errorf("notification %d was acknowledged and is not stored", i)
		}
	}
	if len(acknowledged) == 0 || len(stored) < len(acknowledged) {
		t.Errorf("%d acknowledged, %d stored", len(acknowledged), len(stored))
	}
	t.Logf("%d sent, %d acknowledged, %d stored", next.Load(), len(acknowledged), len(stored))
	ran(t, dir, 0, "sync")
	if got := look(t, dir, "PRAGMA integrity_check"); got[0] != "ok" {
		t.Errorf("integrity_check: %v", got)
	}
}

// A notification of an unknown account's card makes the daemon read the tails,
// and what it finds settles it.
func TestInboxWakesTheDaemon(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	dir := hooked(t, s, 30, "[[account]]\nname = \"one\"\n[[account]]\nname = \"two\"\nconnected_customer_id = \"CUST2\"\n")
	daemon := launch(t, dir, "run", "--log-format", "json")
	n := notifier(t, s, daemon.hook()+"/notify/bill")
	daemon.says("run ended", 1)
	body := notified(1)
	for range 2 {
		if status, err := n.Deliver(t.Context(), body); status != "S" || err != nil {
			t.Fatalf("%q, %v", status, err)
		}
	}
	daemon.says("run ended", 2)
	out, _ := ran(t, dir, 0, "status")
	contains(t, "the status", out, "account not known: a notification of ", "waits in the inbox: no account is known to pay with its card", "syncer accept notification:1 --note TEXT")
	if got := look(t, dir, "SELECT deliveries, resolved_at FROM inbox"); len(got) != 1 || got[0] != "2|<nil>" {
		t.Errorf("inbox: %v", got)
	}
	out, _ = ran(t, dir, 0, "accept", "notification:1", "--note", "another customer's")
	contains(t, "accept", out, "accepted: notification:1 of an account that is not known")
	out, _ = ran(t, dir, 0, "status")
	if strings.Contains(out, "inbox") {
		t.Errorf("what was accepted is still in the status:\n%s", out)
	}
}

// What is wrong with the webhook is told at once.
func TestWebhookSetup(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := folder(t, settings{}, 30, "[webhook]\nlisten = \""+l.Addr().String()+"\"\n")
	_, errout := ran(t, dir, 2, "run")
	contains(t, "a port that is taken", errout, "syncer: webhook.listen: listening on "+l.Addr().String()+": ", "address already in use\nhint: ")
	out, _ := ran(t, dir, 0, "check", "--offline")
	contains(t, "check", out, "webhook", "address already in use")

	s := simulate(t)
	s.ServerKey = ""
	dir = folder(t, s, 30, "[webhook]\nlisten = \"127.0.0.1:0\"\n")
	_, errout = ran(t, dir, 2, "run")
	contains(t, "no server key", errout, "webhook.listen: api.server_public_key_file is not set")
}

// The simulator tells of what happens in its history, and again of what was not
// acknowledged.
func TestSimulatedNotifications(t *testing.T) {
	t.Parallel()
	// Of an address that nobody else uses: a port that is free is so in a while, too.
	l, err := net.Listen("tcp", "127.71.83.29:0")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0") // where there is but one
	}
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	begun := time.Now()
	quick := func() time.Time { return begun.Add(-time.Hour).Add(time.Since(begun) * 1000) }
	s, _ := simulateAt(t, quick, "--bills-per-day", "400", "--notify", "http://"+address+"/notify/bill")
	time.Sleep(2 * time.Second) // nobody is there yet: these come again
	dir := folder(t, s, 2, "[schedule]\nsync = \"@every 1h\"\nrefresh = \"\"\n[webhook]\nlisten = \""+address+"\"\n")
	daemon := launch(t, dir, "run", "--log-format", "json")
	daemon.says("a notification brought a new bill", 10)
	daemon.says("a notification changed a bill", 3)
	daemon.signal(syscall.SIGTERM)
	if got := daemon.code(patience); got != 0 {
		t.Errorf("the daemon ended with %d:\n%s", got, daemon.err)
	}
	if got := look(t, dir, "SELECT count(*) FROM inbox"); got[0] != "0" {
		t.Errorf("%s notifications could not be placed", got[0])
	}
}
