package simulator

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"
)

// beijing is the zone of the API's times (API §3.4), and of the days that the
// history is cut into.
var beijing = time.FixedZone("", 8*60*60)

const daySeconds = 24 * 60 * 60

// maxCards bounds the cards of a customer.
const maxCards = 10000

// HistoryOptions say what a history is like.
type HistoryOptions struct {
	Seed        uint64
	Since       time.Time // its first day in +08:00; zero: 2024-01-01
	BillsPerDay float64   // on average; zero: 12
	Cards       int       // of each customer; zero: 6
}

// A History is a living book: bills are made from day to day, clear, fail and
// get refunded as time passes.
//
// It is a pure function of seed, customer and time, so it is the same in every
// process, and one of a million bills begins at once. Days are made when they
// are looked at; the latest looked at are kept. How many bills a past day has
// is known without making them, so turning pages does not walk bills.
//
// Every customer has books of its own. A history is safe for concurrent use.
type History struct {
	seed      uint64
	since     time.Time
	firstDay  int64 // days since 1970 in +08:00
	rate      float64
	stays     int64 // hotel stays in a thousand days
	cards     int
	merchants []merchant
	byKind    [kinds][]uint16

	cache dayCache

	mu        sync.Mutex
	customers map[string]*customer // guarded by mu; forgotten when there are too many
}

// NewHistory makes a history.
func NewHistory(o HistoryOptions) *History {
	if o.Since.IsZero() {
		o.Since = time.Date(2024, 1, 1, 0, 0, 0, 0, beijing)
	}
	if o.BillsPerDay <= 0 {
		o.BillsPerDay = 12
	}
	if o.Cards <= 0 {
		o.Cards = 6
	}
	h := &History{
		seed:      o.Seed,
		since:     o.Since,
		firstDay:  dayOf(o.Since.Unix()),
		rate:      o.BillsPerDay,
		stays:     min(250, int64(60*o.BillsPerDay)),
		cards:     min(o.Cards, maxCards),
		customers: make(map[string]*customer),
	}
	h.merchants, h.byKind = newMerchants()
	return h
}

// dayOf is the +08:00 day of a Unix second, counted from 1970.
func dayOf(second int64) int64 {
	second += 8 * 60 * 60
	d := second / daySeconds
	if second%daySeconds < 0 {
		d--
	}
	return d
}

// maxCustomers bounds the customers remembered. They are quickly made again.
const maxCustomers = 1024

func (h *History) customer(name string) *customer {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.customers[name]
	if c == nil {
		if len(h.customers) >= maxCustomers {
			clear(h.customers)
		}
		c = newCustomer(h.seed, name, h.cards, h.since)
		h.customers[name] = c
	}
	return c
}

// Count is how many bills of a customer match at a time.
func (h *History) Count(now time.Time, customer string, f Filter) int {
	_, total := h.Bills(now, customer, f, 0, 0)
	return total
}

// Bills implements Book.
func (h *History) Bills(now time.Time, customer string, f Filter, skip, limit int) ([]json.RawMessage, int) {
	c := h.customer(customer)
	s := h.search(c, now, f)
	var (
		total int
		page  []*plan
	)
	for day := s.lastDay; day >= s.firstDay; day-- {
		// What is not on the page need not be made if its number is known.
		if s.whole(day) {
			n := h.count(c, day)
			if total+n <= skip || len(page) >= limit {
				total += n
				continue
			}
		}
		plans := h.day(customer, c, day)
		for i := range plans {
			if !s.match(&plans[i]) {
				continue
			}
			if total >= skip && len(page) < limit {
				page = append(page, &plans[i])
			}
			total++
		}
	}
	return h.render(c, page, s.now), total
}

// A search is a filter made ready for a customer's plans.
type search struct {
	Filter
	any               bool  // the filter has nothing but its span
	now               int64 // milliseconds
	firstDay, lastDay int64
	from, to          int64 // seconds, both admitted
	statuses          [len(statuses)]bool
	cards             []bool
	merchants         []bool
	orders            func(*plan) bool // nil: all
}

func (h *History) search(c *customer, now time.Time, f Filter) *search {
	s := &search{Filter: f, any: f.plain(), now: now.UnixMilli(), firstDay: h.firstDay}
	// Bills have whole seconds: the bounds can be moved to the next ones that count.
	s.from, s.to = h.firstDay*daySeconds-8*60*60, now.Unix()
	if !f.From.IsZero() {
		from := f.From.Unix()
		if f.From.Nanosecond() > 0 || !f.IncludeFrom {
			from++
		}
		s.from = max(s.from, from)
	}
	if !f.To.IsZero() {
		to := f.To.Unix()
		if f.To.Nanosecond() == 0 && !f.IncludeTo {
			to--
		}
		s.to = min(s.to, to)
	}
	s.firstDay, s.lastDay = max(s.firstDay, dayOf(s.from)), dayOf(s.to)
	if s.any {
		return s
	}
	for i, name := range statuses {
		s.statuses[i] = f.status(name)
	}
	s.cards = make([]bool, len(c.cards))
	for i := range c.cards {
		s.cards[i] = f.card(c.cards[i].masked) && f.budget(c.cards[i].budget)
	}
	s.merchants = make([]bool, len(h.merchants))
	part := strings.ToLower(f.MerchantName)
	for i := range h.merchants {
		s.merchants[i] = strings.Contains(h.merchants[i].lower, part)
	}
	if f.OrderNo != "" {
		s.orders = func(p *plan) bool { return string(c.appendOrderNo(nil, p)) == f.OrderNo }
		// An order number begins with its day; the order's last bill may be
		// of the day after.
		if t, err := time.ParseInLocation("20060102", f.OrderNo[:min(8, len(f.OrderNo))], beijing); err == nil {
			d := dayOf(t.Unix())
			s.firstDay, s.lastDay = max(s.firstDay, d), min(s.lastDay, d+1)
		} else {
			s.lastDay = s.firstDay - 1
		}
	}
	return s
}

// whole reports whether all bills of a day match, whatever they are.
func (s *search) whole(day int64) bool {
	begin := day*daySeconds - 8*60*60
	end := begin + daySeconds - 1
	return s.any && begin >= s.from && end <= s.to && (end+listedWithin)*1000 <= s.now
}

func (s *search) match(p *plan) bool {
	if p.second < s.from || p.second > s.to || p.appears > s.now {
		return false
	}
	return s.any || s.cards[p.card] && s.merchants[p.merchant] &&
		s.statuses[p.state(s.now).status] && (s.orders == nil || s.orders(p))
}

// render writes the bills of a page as they are at a time in milliseconds.
func (h *History) render(c *customer, page []*plan, now int64) []json.RawMessage {
	if len(page) == 0 {
		return nil
	}
	items := make([]json.RawMessage, len(page))
	buf := make([]byte, 0, 640*len(page))
	for i, p := range page {
		start := len(buf)
		buf = h.appendBill(buf, c, p, now)
		items[i] = buf[start:len(buf):len(buf)]
	}
	return items
}

// appendBill writes a bill, its fields in the order of the API's examples.
func (h *History) appendBill(dst []byte, c *customer, p *plan, now int64) []byte {
	k, m, e := &c.cards[p.card], &h.merchants[p.merchant], p.state(now)
	dst = append(dst, '{')
	if p.billNo {
		dst = append(dst, `"billNo":"B`...)
		dst = appendLocal(dst, p.second, "20060102150405")
		dst = appendDigits(dst, p.id, 10)
		dst = appendDigits(dst, uint64(p.ordinal), 7)
		dst = append(dst, `",`...)
	}
	dst = append(append(dst, `"assetId":"`...), k.assetID...)
	dst = append(append(dst, `","maskedCardNo":"`...), k.masked...)
	dst = c.appendOrderNo(append(dst, `","orderNo":"`...), p)
	dst = append(dst, '"')
	if label := k.label(now); len(label) > 0 {
		dst = append(append(dst, `,"cardNickName":`...), label...)
	}
	dst = appendLocal(append(dst, `,"transactionTime":"`...), p.second, "2006-01-02T15:04:05-07:00")
	dst = append(append(dst, `","merchantName":`...), m.quoted...)
	dst = appendAmount(append(dst, `,"tradeAmount":`...), m.currency, p.trade)
	if e.in > 0 {
		dst = appendAmount(append(dst, `,"inAmount":`...), k.currency, e.in)
	}
	dst = appendAmount(append(dst, `,"outAmount":`...), k.currency, e.out)
	if rate := p.rate[0]; e.status != failed && (m.currency != k.currency || !k.hidesOne) {
		if e.cleared {
			rate = p.rate[1]
		}
		dst = append(appendRate(append(dst, `,"exchangeRate":"`...), rate), '"')
	}
	dst = append(append(dst, `,"billType":"CARD_PAYMENT","tradeCountry":"`...), m.country...)
	dst = append(append(dst, `","billStatus":"`...), statuses[e.status]...)
	dst = append(dst, '"')
	if e.status == failed {
		why := &failReasons[p.reason]
		dst = append(append(dst, `,"billFailReason":{"errorCode":"`...), why.code...)
		dst = append(append(append(dst, `","errorDesc":"`...), why.desc...), `"}`...)
	}
	dst = strconv.AppendInt(append(dst, `,"lastUpdate":"`...), e.at, 10)
	dst = append(dst, '"')
	if k.budget != "" {
		dst = append(append(append(dst, `,"budgetAccountId":"`...), k.budget...), '"')
	}
	if p.tagged {
		dst = append(dst, `,"metadata":{"costCenter":"CC-`...)
		dst = append(appendDigits(dst, p.id, 3), `","project":"Q & A <intern>"}`...)
	}
	return append(dst, '}')
}

// appendOrderNo writes 28 or 29 digits: the time of the order, something of
// the customer, and a number that is the order's own on that day.
func (c *customer) appendOrderNo(dst []byte, p *plan) []byte {
	dst = appendLocal(dst, p.order.second, "20060102150405")
	dst = append(dst, "0001"...)
	if c.cards[p.card].short {
		dst = appendDigits(dst, c.seed, 3)
	} else {
		dst = appendDigits(dst, c.seed, 4)
	}
	return appendDigits(dst, uint64(p.order.serial)*7654321+c.seed%9999991, 7)
}

func appendAmount(dst []byte, c currency, value int64) []byte {
	dst = append(append(dst, `{"currency":"`...), currencies[c].name...)
	return append(strconv.AppendInt(append(dst, `","value":"`...), value, 10), `"}`...)
}

func appendLocal(dst []byte, second int64, layout string) []byte {
	return time.Unix(second, 0).In(beijing).AppendFormat(dst, layout)
}
