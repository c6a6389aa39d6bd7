package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"

	"github.com/rs/zerolog"
)

// The writer alone: syncer's engine and database in this process, fed with pages
// that were decoded before, so that neither HTTP nor signing nor decoding is in
// its time.

// writerCommand makes this program the writer, in a process of its own so that
// its processor time is not ours.
const writerCommand = "writer"

// gcPercent is as in cmd/syncer. The pages in memory are more than what syncer
// ever has, so the collector runs less often here but takes longer each time.
const gcPercent = 400

// A writerOrder is what the process is told on its command line, as JSON.
type writerOrder struct {
	History  history `json:"history"`
	Keys     string  `json:"keys"` // folder
	Database string  `json:"database"`
	Width    int     `json:"width"` // requests at a time
}

// A writerSample is one measured writer.
type writerSample struct {
	Rows  int   `json:"rows"`
	First usage `json:"first"` // the first load
	Same  usage `json:"same"`  // all of it again, nothing changed
}

// writerMain is the process.
func writerMain(order string, stdout io.Writer) error {
	var o writerOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return fmt.Errorf("reading what to do: %w", err)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	w, err := writer(context.Background(), o)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(w)
}

func writer(ctx context.Context, o writerOrder) (w writerSample, err error) {
	p, err := newPages(ctx, o)
	if err != nil {
		return w, err
	}
	if w.First, err = p.run(ctx, o, syncer.Scope{}); err != nil {
		return w, err
	}
	if w.Same, err = p.run(ctx, o, syncer.Scope{Full: true}); err != nil {
		return w, err
	}
	db, err := openReader(o.Database)
	if err != nil {
		return w, err
	}
	defer db.Close()
	if err := db.GetContext(ctx, &w.Rows, "SELECT count(*) FROM bills"); err != nil {
		return w, err
	}
	if w.Rows != o.History.Bills {
		return w, fmt.Errorf("the writer stored %d of %d bills", w.Rows, o.History.Bills)
	}
	return w, nil
}

// run measures one run of the engine, from opening the database to closing it.
func (p *pages) run(ctx context.Context, o writerOrder, scope syncer.Scope) (u usage, err error) {
	acct := bill.Account{Name: "main"}
	// As in syncer's default configuration, but for the concurrency.
	location, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return u, err
	}
	cfg := syncer.Config{
		Accounts: []syncer.AccountConfig{{Account: acct, HistoryStart: o.History.From}},
		Zone:     location, WindowDays: bill.MaxWindowDays, PageSize: fullPage, Tail: 7 * 24 * time.Hour, Refresh: 90 * 24 * time.Hour,
		Audit: 30 * 24 * time.Hour, RetrySchedule: []time.Duration{5 * time.Minute}, Concurrency: o.Width, Decode: worldfirst.DecodeItem,
		DecodeList: worldfirst.DecodeList,
	}
	p.late.Store(0)
	runtime.GC() // what was thrown away before is not the writer's
	var clock stopwatch
	clock.start()
	st, err := store.Open(ctx, o.Database, location)
	if err != nil {
		return u, err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, st.Close())
		}
	}()
	origin := store.Origin{Host: "bench", ClientID: clientID, Accounts: []bill.Account{acct}}
	if err := st.ClaimOrigin(ctx, origin, func(string) time.Time { return o.History.From }, time.Now()); err != nil {
		return u, err
	}
	sum, err := syncer.New(cfg, p, storeFor{st}, zerolog.Nop(), time.Now).Run(ctx, syncer.Options{Trigger: "sync", Scope: scope})
	if err != nil {
		return u, err
	}
	closed = true
	if err := st.Close(); err != nil {
		return u, err
	}
	clock.stop()
	if !sum.Complete() {
		return u, fmt.Errorf("the writer's run is not complete: %s", sum.Reason())
	}
	// The newest window's halves, and the empty tail.
	if n := p.late.Load(); n > 10 {
		return u, fmt.Errorf("%d pages were decoded while the writer was measured", n)
	}
	return clock.usage, nil
}

// storeFor lets the engine see the store through the interface it asks for.
type storeFor struct{ *store.Store }

func (s storeFor) Update(ctx context.Context, fn func(syncer.Tx) error) error {
	return s.Store.Update(ctx, func(t *store.Tx) error { return fn(t) })
}

// pages is a source that has its pages in memory, decoded.
type pages struct {
	server *server
	client *worldfirst.Client

	asked atomic.Int64
	late  atomic.Int64 // asked for while they were not there

	mu     sync.Mutex
	stored map[answerKey]storedPage
}

// A storedPage also has the list as it was received.
type storedPage struct {
	page bill.Page
	list []byte
}

// newPages decodes all pages of a history.
func newPages(ctx context.Context, o writerOrder) (*pages, error) {
	key, err := worldfirst.LoadPrivateKey(filepath.Join(o.Keys, clientPrivate))
	if err != nil {
		return nil, err
	}
	p := &pages{server: newServer(o.History, 1, keyring{}), stored: map[answerKey]storedPage{}}
	p.client, err = worldfirst.New(worldfirst.Config{
		BaseURL: "http://localhost", ClientID: clientID, PrivateKey: key, RequestsPerSecond: 1e9, Concurrency: o.Width, Transport: p,
	})
	if err != nil {
		return nil, err
	}
	for _, span := range bill.Layout(o.History.From.In(zone).Add(-bill.Lead), time.Now(), bill.MaxWindowDays) {
		older, newer := span.Split() // long lists are counted by halves as well
		for _, s := range []struct {
			bill.Span
			size int
		}{{span, fullPage}, {older, 1}, {newer, 1}} {
			for page, pages := 1, 1; page <= pages; page++ {
				got, err := p.QueryBillList(ctx, bill.Account{Name: "main"}, bill.Query{
					Start: s.Start, End: s.End, Zone: zone, Page: page, PageSize: s.size,
				})
				if err != nil {
					return nil, err
				}
				if s.size > 1 {
					pages = got.TotalPages
				}
			}
		}
	}
	return p, nil
}

// RoundTrip answers a request of the client without a network.
func (p *pages) RoundTrip(req *http.Request) (*http.Response, error) {
	defer req.Body.Close()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var q billQuery
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	k, err := p.server.key(0, &q)
	if err != nil {
		return nil, err
	}
	text := bytes.Join(p.server.unsigned(k).body[:], nil)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Client-Id": {clientID}}, Request: req,
		Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}

// QueryBillList hands out a page. One that the engine knows comes unchanged, as
// the client would say it.
func (p *pages) QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error) {
	p.asked.Add(1)
	k := p.server.keyOf(0, bill.Span{Start: q.Start, End: q.End}, q.Page, q.PageSize)
	if plain := q.OrderNo == "" && q.Statuses == nil; !plain {
		p.late.Add(1)
		return p.client.QueryBillList(ctx, acct, q)
	}
	p.mu.Lock()
	s, ok := p.stored[k]
	p.mu.Unlock()
	if !ok {
		p.late.Add(1)
		asked := q
		asked.KnownHash = ""
		page, err := p.client.QueryBillList(ctx, acct, asked)
		if err != nil {
			return bill.Page{}, err
		}
		s = storedPage{page, bytes.Join([][]byte{[]byte("["), []byte("]")}, p.server.unsigned(k).body[1])}
		p.mu.Lock()
		p.stored[k] = s
		p.mu.Unlock()
	}
	s.page.AskedAt = time.Now().UTC()
	if q.KnownHash != "" && q.KnownHash == s.page.Hash {
		s.page.Items, s.page.Unchanged, s.page.List = nil, true, s.list
	}
	return s.page, nil
}

// Requests returns how often pages were asked for.
func (p *pages) Requests() int64 { return p.asked.Load() }
