package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"billsync/internal/bill"
	"billsync/internal/worldfirst"
)

// The server answers queryBillList over books that never change. It must never
// be what is waited for: its answers are signed before they are asked for, a
// page of bills is a piece of one long text, and an answer is one write.
//
// Every request's signature is verified, so a client that saves the work of
// signing does not end complete. Programs that cannot sign are served on a port
// of their own.

const (
	// clientID is whom the server takes requests from.
	clientID = "BENCH"
	// freshFor is how old an answer's signed Response-Time may be. Clients
	// compare it with their clock and shrug at five minutes.
	freshFor = 3 * time.Minute
	// warmFor is how fresh an answer must be when a measurement begins.
	warmFor = 45 * time.Second
	// maxSpan is shorter than any span that is answered (API §9.2).
	maxSpan = bill.MaxWindowDays * 24 * time.Hour
	// maxBody is longer than any request.
	maxBody = 1 << 16
)

// A keyring holds the keys of both sides.
type keyring struct {
	server *rsa.PrivateKey // signs answers; nil: they are not signed
	client *rsa.PublicKey  // verifies requests
}

// A server is the API over a few books.
type server struct {
	books   []*book
	keys    keyring
	history history

	mu      sync.RWMutex
	answers map[answerKey]*answer

	statsMu sync.Mutex
	latency time.Duration
	stats   serverStats
	begun   time.Time
	cpu     time.Duration
	seen    []bool // accounts that have asked
	further int    // requests for further pages than the first
}

// An answerKey is what an answer depends on: not the times asked for, but the
// bills between them.
type answerKey struct {
	book, lo, hi, page, size int
	filter                   string
}

// An answer is ready to be sent.
type answer struct {
	head  []byte    // of HTTP
	body  [3][]byte // of which the middle is the list
	made  time.Time
	total int
}

// serverStats are what a measurement wants to know of the server.
type serverStats struct {
	CPU      time.Duration `json:"cpu_ns"`
	Requests int           `json:"requests"`
	// Requests by what they ask for:
	Pages    int `json:"pages"`     // of all bills
	Counts   int `json:"counts"`    // of all bills, with a page size of 1
	ByStatus int `json:"by_status"` // of bills with certain statuses
	ByOrder  int `json:"by_order"`

	Refused int `json:"refused"` // requests that were wrong
	Late    int `json:"late"`    // answers that had to be signed first

	// Overtaken is how many requests for further pages came before the last
	// account's first request.
	Overtaken int `json:"overtaken"`
	// LastFirst is when that one came, and FirstFurther when the first further
	// page was asked for, both from the first request on.
	LastFirst    time.Duration `json:"last_first_ns"`
	FirstFurther time.Duration `json:"first_further_ns"`
}

func newServer(h history, accounts int, keys keyring) *server {
	s := &server{keys: keys, history: h, answers: map[answerKey]*answer{}, books: make([]*book, accounts)}
	var wg sync.WaitGroup
	for i := range s.books {
		wg.Go(func() { s.books[i] = newBook(h, i) })
	}
	wg.Wait()
	s.reset(0)
	return s
}

// customer is what an account of several is named in Connected-CustomerId. A
// single account is the client's own.
func customer(i int) string { return fmt.Sprintf("CUSTOMER%05d", i) }

func (s *server) book(customer string) (int, bool) {
	if len(s.books) == 1 {
		return 0, customer == ""
	}
	digits, ok := strings.CutPrefix(customer, "CUSTOMER")
	i, err := strconv.Atoi(digits)
	return i, ok && err == nil && i >= 0 && i < len(s.books)
}

// A billQuery is the body of a request (API §6.1), as far as it is answered.
type billQuery struct {
	StartTime  string   `json:"startTime"`
	EndTime    string   `json:"endTime"`
	PageNumber int      `json:"pageNumber"`
	PageSize   int      `json:"pageSize"`
	Statuses   []string `json:"billStatusList"`
	OrderNo    string   `json:"orderNo"`
}

// key says which answer a request wants.
func (s *server) key(book int, q *billQuery) (k answerKey, err error) {
	start, err := time.Parse(worldfirst.TimeFormat, q.StartTime)
	if err != nil {
		return k, err
	}
	end, err := time.Parse(worldfirst.TimeFormat, q.EndTime)
	if err != nil {
		return k, err
	}
	switch {
	case end.Before(start), end.Sub(start) >= maxSpan:
		return k, errors.New("the span is not one that is answered")
	case q.PageNumber < 1, q.PageSize < 1, q.PageSize > fullPage:
		return k, errors.New("there is no such page")
	}
	k = s.keyOf(book, bill.Span{Start: start, End: end}, q.PageNumber, q.PageSize)
	switch {
	case q.OrderNo != "" && len(q.Statuses) > 0:
		return k, errors.New("one filter at a time")
	case q.OrderNo != "":
		k.filter = "order " + q.OrderNo
	case len(q.Statuses) > 0:
		slices.Sort(q.Statuses)
		k.filter = "status " + strings.Join(q.Statuses, " ")
	}
	return k, nil
}

func (s *server) keyOf(book int, span bill.Span, page, size int) answerKey {
	lo, hi := s.books[book].between(span.Start, span.End)
	return answerKey{book: book, lo: lo, hi: hi, page: page, size: size}
}

// answer returns the answer to a request, signing it if it is not there or too
// old.
func (s *server) answer(k answerKey) (a *answer, late bool, err error) {
	s.mu.RLock()
	a = s.answers[k]
	s.mu.RUnlock()
	if a != nil && time.Since(a.made) < freshFor {
		return a, false, nil
	}
	if a, err = s.sign(k); err != nil {
		return nil, true, err
	}
	s.mu.Lock()
	s.answers[k] = a
	s.mu.Unlock()
	return a, true, nil
}

// sign makes an answer.
func (s *server) sign(k answerKey) (*answer, error) {
	a := s.unsigned(k)
	made, err := s.sealed(a.body[:])
	if err != nil {
		return nil, err
	}
	a.head, a.made = made.head, made.made
	return a, nil
}

// unsigned makes the body of an answer.
func (s *server) unsigned(k answerKey) *answer {
	b := s.books[k.book]
	a := &answer{total: k.hi - k.lo}
	first := (k.page - 1) * k.size
	kind, what, _ := strings.Cut(k.filter, " ")
	if kind == "" {
		lo := min(k.lo+first, k.hi)
		a.body[1] = b.list(lo, min(lo+k.size, k.hi))
	} else {
		var bills []int
		if kind == "order" {
			bills = b.ofOrder(k.lo, k.hi, what)
		} else {
			bills = b.withStatus(k.lo, k.hi, strings.Fields(what))
		}
		a.total = len(bills)
		first = min(first, len(bills))
		a.body[1] = b.listed(bills[first:min(first+k.size, len(bills))])
	}
	a.body[0] = listBegins
	a.body[2] = fmt.Appendf(nil, `],"currentPageNumber":%d,"totalCount":%d,"totalPageNumber":%d}`,
		k.page, a.total, (a.total+k.size-1)/k.size)
	return a
}

var listBegins = []byte(`{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"},"billList":[`)

// sealed makes the head of an answer with that body.
func (s *server) sealed(body [][]byte) (answer, error) {
	a := answer{made: time.Now()}
	size := 0
	for _, part := range body {
		size += len(part)
	}
	at := a.made.In(zone).Format(worldfirst.TimeFormat)
	a.head = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n"+
		"Client-Id: %s\r\nResponse-Time: %s\r\n", size, clientID, at)
	if s.keys.server != nil {
		signature, err := worldfirst.Sign(s.keys.server, 2, http.MethodPost, worldfirst.QueryBillListPath, clientID, at, slices.Concat(body...))
		if err != nil {
			return a, err
		}
		a.head = fmt.Appendf(a.head, "Signature: %s\r\n", signature)
	}
	a.head = append(a.head, "\r\n"...)
	return a, nil
}

// prepare signs what a client that reads the whole history will ask for, and
// what was asked for before, unless that is fresh. It returns how many answers
// it signed.
func (s *server) prepare() (int, error) {
	wanted := map[answerKey]bool{}
	s.mu.RLock()
	for k := range s.answers {
		wanted[k] = true
	}
	s.mu.RUnlock()
	spans := bill.Layout(s.history.From.In(zone).Add(-bill.Lead), time.Now().Add(-2*time.Minute), bill.MaxWindowDays)
	for b := range s.books {
		for _, span := range spans {
			k := s.keyOf(b, span, 1, fullPage)
			for k.page <= max(1, (k.hi-k.lo+fullPage-1)/fullPage) {
				wanted[k] = true
				k.page++
			}
		}
	}
	var stale []answerKey
	s.mu.RLock()
	for k := range wanted {
		if a := s.answers[k]; a == nil || time.Since(a.made) > warmFor {
			stale = append(stale, k)
		}
	}
	s.mu.RUnlock()
	// Signing takes all cores. Answering takes one, and looks for work on no
	// other: what is measured is to have them.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU()))
	errs := make([]error, runtime.NumCPU())
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := w; i < len(stale) && errs[w] == nil; i += len(errs) {
				var a *answer
				if a, errs[w] = s.sign(stale[i]); errs[w] == nil {
					s.mu.Lock()
					s.answers[stale[i]] = a
					s.mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return len(stale), errors.Join(errs...)
}

// reset begins to count anew.
func (s *server) reset(latency time.Duration) {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	s.latency, s.stats, s.begun, s.cpu = latency, serverStats{}, time.Time{}, processorTime()
	s.seen, s.further = make([]bool, len(s.books)), 0
}

// measured returns what was counted since the reset.
func (s *server) measured() serverStats {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	st := s.stats
	st.CPU = processorTime() - s.cpu
	return st
}

// note counts a request that is about to be answered, after the latency.
func (s *server) note(k answerKey, late bool) time.Duration {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	st := &s.stats
	st.Requests++
	if late {
		st.Late++
	}
	switch {
	case strings.HasPrefix(k.filter, "status"):
		st.ByStatus++
	case strings.HasPrefix(k.filter, "order"):
		st.ByOrder++
	case k.size == 1:
		st.Counts++
	default:
		st.Pages++
	}
	if s.begun.IsZero() {
		s.begun = time.Now()
	}
	if k.page > 1 {
		if s.further == 0 {
			st.FirstFurther = time.Since(s.begun)
		}
		s.further++
	}
	if !s.seen[k.book] {
		s.seen[k.book] = true
		st.LastFirst, st.Overtaken = time.Since(s.begun), s.further
	}
	return s.latency
}

// accept serves connections until the listener is closed.
func (s *server) accept(l net.Listener, signed bool) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = s.converse(conn, signed) // however it ends, the client notices
		}()
	}
}

// A request is what the server reads of one: HTTP's own reader makes so much of
// it that it would cost more than the answer.
type request struct {
	line      string // the first one
	client    string
	at        string
	signature string
	customer  string
	size      int
	last      bool // the connection ends with it
	body      []byte
}

// read reads the next request of a connection.
func (q *request) read(r *bufio.Reader) error {
	*q = request{body: q.body[:0]}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if q.line == "" {
			q.line = string(line)
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Client-Id")):
			q.client = string(value)
		case bytes.EqualFold(name, []byte("Request-Time")):
			q.at = string(value)
		case bytes.EqualFold(name, []byte("Signature")):
			q.signature = string(value)
		case bytes.EqualFold(name, []byte("Connected-CustomerId")):
			q.customer = string(value)
		case bytes.EqualFold(name, []byte("Connection")):
			q.last = bytes.EqualFold(value, []byte("close"))
		case bytes.EqualFold(name, []byte("Content-Length")):
			if q.size, err = strconv.Atoi(string(value)); err != nil || q.size < 0 || q.size > maxBody {
				return errors.New("no length of a body")
			}
		}
	}
	q.body = slices.Grow(q.body, q.size)[:q.size]
	_, err := io.ReadFull(r, q.body)
	return err
}

// converse answers the requests of a connection, one after the other.
func (s *server) converse(conn net.Conn, signed bool) error {
	r := bufio.NewReaderSize(conn, 8<<10)
	var q request
	for {
		if err := q.read(r); err != nil {
			return err
		}
		var out net.Buffers
		if a, wait, err := s.reply(&q, signed); err != nil {
			out, err = s.refuse(err)
			if err != nil {
				return err
			}
		} else {
			if wait > 0 {
				time.Sleep(wait)
			}
			out = net.Buffers{a.head, a.body[0], a.body[1], a.body[2]}
		}
		if _, err := out.WriteTo(conn); err != nil || q.last {
			return err
		}
	}
}

// firstLine is how a request begins.
const firstLine = http.MethodPost + " " + worldfirst.QueryBillListPath + " HTTP/1.1"

// reply finds the answer to a request, and how long it takes.
func (s *server) reply(q *request, signed bool) (*answer, time.Duration, error) {
	if q.line != firstLine {
		return nil, 0, errors.New("METHOD_NOT_SUPPORTED")
	}
	if signed {
		if err := s.verify(q); err != nil {
			return nil, 0, errors.New("INVALID_SIGNATURE")
		}
	}
	b, ok := s.book(q.customer)
	if !ok {
		return nil, 0, errors.New("AUTHORIZATION_NOT_EXIST")
	}
	var query billQuery
	if json.Unmarshal(q.body, &query) != nil {
		return nil, 0, errors.New("PARAM_ILLEGAL")
	}
	k, err := s.key(b, &query)
	if err != nil {
		return nil, 0, errors.New("PARAM_ILLEGAL")
	}
	a, late, err := s.answer(k)
	if err != nil {
		return nil, 0, err
	}
	return a, s.note(k, late), nil
}

// verify checks what a request is signed with, as the API would (API §4.2).
func (s *server) verify(q *request) error {
	sent, err := time.Parse(worldfirst.TimeFormat, q.at)
	if err != nil {
		return err
	}
	if time.Since(sent).Abs() > freshFor {
		return errors.New("the request is old")
	}
	if q.client != clientID {
		return errors.New("the request is somebody else's")
	}
	return worldfirst.Verify([]*rsa.PublicKey{s.keys.client}, q.signature, http.MethodPost, worldfirst.QueryBillListPath, clientID, q.at, q.body)
}

// refuse is an answer that says no.
func (s *server) refuse(code error) (net.Buffers, error) {
	s.statsMu.Lock()
	s.stats.Requests++
	s.stats.Refused++
	s.statsMu.Unlock()
	text := fmt.Appendf(nil, `{"result":{"resultCode":%q,"resultStatus":"F","resultMessage":"Refused."}}`, cmp.Or(code.Error(), "SYSTEM_ERROR"))
	a, err := s.sealed([][]byte{text})
	return net.Buffers{a.head, text}, err
}
