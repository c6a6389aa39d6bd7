package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"billsync/internal/worldfirst"
)

// maxBody bounds the size of a request.
const maxBody = 1 << 20

var errTooLarge error = illegal("the body is too large")

// serve answers one request: it is read and counted, told to the observer,
// given its fault, judged, and answered.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	n := s.requests.Add(1)
	defer s.enter()()
	begun := time.Now()

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		panic(http.ErrAbortHandler) // the client went away
	}
	e := endpoints[r.URL.Path]
	req := Request{
		N:        n,
		Path:     r.URL.Path,
		Customer: r.Header.Get(e.connected),
		Header:   r.Header.Clone(),
		Body:     body,
	}
	a := &answer{server: s, w: w, r: r, req: &req}
	var problem error
	if e.read != nil {
		problem = e.read(a, body)
	}
	if tooLarge != nil {
		problem = errTooLarge
	}

	plan, observe := s.hooks()
	if observe != nil {
		observe(req)
	}
	var fault Fault
	if plan != nil {
		fault = plan(req)
	}
	if !s.wait(r, s.opts.Latency+fault.delay()) {
		panic(http.ErrAbortHandler)
	}

	a.fault = fault
	code := "HTTP"
	switch fault.Kind {
	case HTTP, Drop, Garbage, Empty, NoResult:
		a.spoil()
	case Result:
		res := fault.result() // nothing was done
		code = res.Code
		a.refuse(res)
	default:
		res := s.judge(r, e, body, problem)
		if res.Code == "SUCCESS" {
			res = e.answer(a)
		} else {
			a.refuse(res)
		}
		code = res.Code
	}
	s.opts.Log.Debug().Int64("request", n).Str("op", e.op).Str("customer", req.Customer).Int("page", req.Query.Page).
		Str("code", code).Stringer("fault", fault.Kind).Dur("took", time.Since(begun)).Msg("request answered")
}

// An endpoint is one call of the API.
type endpoint struct {
	op        string
	connected string // the header that says as whom (API §12)
	// read reads the body; its error is what is illegal in it.
	read func(a *answer, body []byte) error
	// answer answers a request that the gateway let pass, and returns the result
	// it answered with.
	answer func(a *answer) result
}

// endpoints are the calls by their paths.
var endpoints = map[string]endpoint{
	worldfirst.ApplyTokenPath:             {"applyToken", "", (*answer).readApply, (*answer).applyToken},
	worldfirst.QueryBillListPath:          {"queryBillList", "Connected-CustomerId", (*answer).readQuery, (*answer).list},
	worldfirst.QueryCardSensitiveInfoPath: {"queryCardSensitiveInfo", "Connected-AccountId", (*answer).readCard, (*answer).card},
	worldfirst.CreateCardholderPath:       {"createCardholder", "Connected-AccountId", (*answer).readHolder, (*answer).register},
	worldfirst.QueryCardholderListPath:    {"queryCardholderList", "Connected-AccountId", (*answer).readHolderQuery, (*answer).listHolders},
}

// enter counts a request in flight until the function it returns is called.
func (s *Server) enter() (leave func()) {
	n := s.inFlight.Add(1)
	for {
		peak := s.peak.Load()
		if n <= peak || s.peak.CompareAndSwap(peak, n) {
			return func() { s.inFlight.Add(-1) }
		}
	}
}

// wait reports whether the answer is still wanted after a while.
func (s *Server) wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-s.closing.Done():
	}
	return false
}

// judge decides on a request as the gateway would: who it is, whether that is
// true, and only then what is asked for.
func (s *Server) judge(r *http.Request, e endpoint, body []byte, problem error) result {
	h := r.Header
	if e.answer == nil || r.URL.RawQuery != "" {
		return refuse("INVALID_API", "")
	}
	if r.Method != http.MethodPost {
		return refuse("METHOD_NOT_SUPPORTED", "")
	}
	if h.Get("Client-Id") != s.opts.ClientID {
		return refuse("INVALID_CLIENT", "")
	}
	at := h.Get("Request-Time")
	if _, err := readTime(at); err != nil {
		return refuse("PARAM_ILLEGAL", "Request-Time "+err.Error())
	}
	signature := h.Get("Signature")
	if signature == "" {
		return refuse("INVALID_SIGNATURE", "There is none")
	}
	if errors.Is(problem, errTooLarge) { // what was read of it cannot be verified
		return refuse("PARAM_ILLEGAL", problem.Error())
	}
	err := worldfirst.Verify(s.opts.ClientKeys, signature, r.Method, r.URL.Path, s.opts.ClientID, at, body)
	if err != nil {
		return refuse("INVALID_SIGNATURE", "")
	}
	if !isJSON(h.Get("Content-Type")) || h.Get("Content-Encoding") != "" {
		return refuse("PARAM_ILLEGAL", "Content-Type is not application/json; charset=UTF-8")
	}
	customer := h.Get(e.connected)
	if e.connected != "" && len(s.opts.Customers) > 0 && !slices.Contains(s.opts.Customers, customer) {
		return refuse("AUTHORIZATION_NOT_EXIST", "")
	}
	if e.connected != "" && !s.tokenHolds(customer, h.Get("Access-Token")) {
		return refuse("ACCESS_TOKEN_EXPIRED", "")
	}
	if problem != nil {
		return refuse("PARAM_ILLEGAL", problem.Error())
	}
	return results["SUCCESS"]
}

// refuse is the result of a code, with more words if there are any.
func refuse(code, detail string) result {
	res := results[code]
	if detail != "" {
		res.Message += " " + detail + "."
	}
	return res
}

func isJSON(contentType string) bool {
	t, params, err := mime.ParseMediaType(contentType)
	return err == nil && t == "application/json" && strings.EqualFold(params["charset"], "UTF-8")
}

// An answer is one being written.
type answer struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	req    *Request
	fault  Fault

	apply   *apply         // of applyToken
	query   *query         // of queryBillList
	assetID string         // of queryCardSensitiveInfo
	holder  *holderRequest // of createCardholder
	holders *holderQuery   // of queryCardholderList
}

// spoil answers with something that is no answer.
func (a *answer) spoil() {
	a.fault.setRetryAfter(a.w.Header())
	switch a.fault.Kind {
	case Drop:
		panic(http.ErrAbortHandler)
	case HTTP:
		status := a.fault.HTTPStatus
		if status == 0 {
			status = http.StatusBadGateway
		}
		a.w.Header().Set("Content-Type", "text/html")
		a.w.WriteHeader(status)
		_, _ = io.WriteString(a.w, "<html><head><title>"+strconv.Itoa(status)+" "+http.StatusText(status)+
			"</title></head><body><center><h1>"+http.StatusText(status)+"</h1></center></body></html>\n")
	case Garbage:
		a.w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(a.w, `{"result":{"resultCode":"SUCC`+"\x00\xff")
	case Empty:
		a.w.Header().Set("Content-Type", contentType)
		a.w.WriteHeader(http.StatusOK)
	case NoResult:
		a.write([]byte(`{"billList":[]}`))
	}
}

func (a *answer) refuse(res result) {
	a.write(append(append([]byte(`{"result":`), quote(res)...), '}'))
}

// yes answers with success and what the call adds to it: members of the
// answer's object, each with its comma in front.
func (a *answer) yes(members []byte) result {
	if a.fault.Kind == ResultAfter {
		return a.no(a.fault.result())
	}
	res := results["SUCCESS"]
	body := append([]byte(`{"result":`), quote(res)...)
	a.write(append(append(body, members...), '}'))
	return res
}

// no answers with a refusal.
func (a *answer) no(res result) result {
	a.refuse(res)
	return res
}

// readQuery reads the body of queryBillList.
func (a *answer) readQuery(body []byte) error {
	q, err := readQuery(body)
	if err != nil {
		return err
	}
	a.query, a.req.Query = q, q.Query
	if most := a.server.opts.MaxPage; most > 0 && q.Page > most {
		return illegal("pageNumber is too large")
	}
	return nil
}

// list answers with a page of bills.
func (a *answer) list() result {
	if a.fault.Kind == ResultAfter {
		return a.no(a.fault.result())
	}
	o, q, customer := &a.server.opts, a.query, a.req.Customer
	size := q.PageSize
	if o.MaxPageSize > 0 {
		size = min(size, o.MaxPageSize)
	}
	f := Filter{
		From:             q.Start,
		To:               q.End,
		IncludeFrom:      !o.ExcludeStart,
		IncludeTo:        !o.ExcludeEnd,
		Statuses:         q.Statuses,
		CardLast4:        q.CardLast4,
		CardNo:           q.cardNo,
		MerchantName:     q.MerchantName,
		OrderNo:          q.OrderNo,
		BudgetAccountIDs: q.BudgetAccountIDs,
	}
	if o.IgnoreStatuses {
		f.Statuses = nil
	}
	from, number := q.Page, q.Page
	switch a.fault.Kind {
	case StalePage:
		from = 1
	case WrongPage:
		number++
	}
	items, total := a.server.page(customer, f, (from-1)*size, size)
	switch {
	case a.fault.Kind == EmptyList:
		items, total = nil, 0
	case a.fault.Kind == ShortPage && len(items) > 0:
		items = items[:len(items)-1]
	}
	pages := (total + size - 1) / size
	a.write(appendPage(items, number, total, pages, o.IntegersAsStrings))
	return results["SUCCESS"]
}

// page reads a page from the book, capped and in the order of the options.
func (s *Server) page(customer string, f Filter, skip, size int) (items []json.RawMessage, total int) {
	now := s.opts.Now()
	most := func(total int) int {
		if s.opts.MaxCount > 0 {
			return min(total, s.opts.MaxCount)
		}
		return total
	}
	if !s.opts.Ascending {
		items, total = s.opts.Book.Bills(now, customer, f, skip, size)
		total = most(total)
		return items[:max(0, min(len(items), total-skip))], total
	}
	_, counted := s.opts.Book.Bills(now, customer, f, 0, 0)
	for range 3 {
		// The page's place from the newest end follows from the total, which a
		// changing book may have changed until the page is read.
		total = most(counted)
		newest := max(0, total-skip-size)
		var again int
		items, again = s.opts.Book.Bills(now, customer, f, newest, max(0, total-skip-newest))
		if again == counted {
			break
		}
		counted = again
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	return items, total
}

// appendPage writes the body of an answer.
func appendPage(items []json.RawMessage, number, total, pages int, asStrings bool) []byte {
	size := 256
	for _, it := range items {
		size += len(it) + 1
	}
	b := make([]byte, 0, size)
	b = append(b, `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"},"billList":[`...)
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it...)
	}
	b = append(b, ']')
	for _, f := range []struct {
		name  string
		value int
	}{{"currentPageNumber", number}, {"totalCount", total}, {"totalPageNumber", pages}} {
		b = append(append(append(b, `,"`...), f.name...), `":`...)
		if asStrings {
			b = append(strconv.AppendInt(append(b, '"'), int64(f.value), 10), '"')
		} else {
			b = strconv.AppendInt(b, int64(f.value), 10)
		}
	}
	return append(b, '}')
}

const contentType = "application/json;charset=UTF-8"

// write sends a body, signed with the answer's own time (API §4.3).
func (a *answer) write(body []byte) {
	o := &a.server.opts
	clientID := a.r.Header.Get("Client-Id")
	at := o.ResponseTime().In(beijing).Format(worldfirst.TimeFormat)
	h := a.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Client-Id", clientID)
	h.Set("Response-Time", at)
	a.fault.setRetryAfter(h)
	if !o.Unsigned && a.fault.Kind != NoSignature {
		signed := body
		if a.fault.Kind == BadSignature {
			signed = append([]byte("not "), body...)
		}
		signature, err := worldfirst.Sign(o.Key, 2, a.r.Method, a.r.URL.Path, clientID, at, signed)
		if err != nil {
			o.Log.Error().Err(err).Msg("answer not signed")
			panic(http.ErrAbortHandler)
		}
		h.Set("Signature", signature)
	}
	status := http.StatusOK
	if a.fault.HTTPStatus != 0 {
		status = a.fault.HTTPStatus
	}
	a.w.WriteHeader(status)
	if a.fault.Kind == DropAfter {
		_, _ = a.w.Write(body[:len(body)/2])
		_ = http.NewResponseController(a.w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = a.w.Write(body)
}
