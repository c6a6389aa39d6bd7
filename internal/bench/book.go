package main

import (
	"bytes"
	"slices"
	"sort"
	"strconv"
	"time"
)

// A book is the bills of one account, as the API would list them: made from a
// seed, evenly spread over a history, the oldest first. What a bill says
// follows from the seed, its account and its number alone.
type book struct {
	from, to int64  // Unix seconds: the first bill's time, and the end of the history
	text     []byte // the bills' JSON, a comma behind each
	ends     []int  // ends[i] is behind the comma of bill i
	statuses []uint8
}

// A history says what a book holds.
type history struct {
	Seed  uint64    `json:"seed"`
	Bills int       `json:"bills"` // of each account
	From  time.Time `json:"from"`  // midnight
	To    time.Time `json:"to"`    // midnight
}

// zone is the offset of the API's documents.
var zone = time.FixedZone("", 8*60*60)

// statuses are the documented ones (API §6.1).
var statuses = [...]string{
	"SUCCESS", "FAILED", "CANCELLED", "REFUNDED", "PARTIAL_REFUND", "PARTIAL_CANCEL", "WAITING_CLEARANCE", "WAITING_DEDUCT",
}

const (
	success = iota
	failed
	cancelled
	refunded
	partialRefund
	partialCancel
	waitingClearance
	waitingDeduct
)

// reasons are the failures that happen (API §6.4), the frequent ones twice.
var reasons = [...][2]string{
	{"WORLD_CARD_BALANCE_NOT_ENOUGH", "Insufficient account balance."},
	{"WORLD_CARD_BALANCE_NOT_ENOUGH", "Insufficient account balance."},
	{"WORLD_CARD_OVER_LIMIT", "Insufficient daily/monthly limit."},
	{"WORLD_CARD_OVER_LIMIT", "Insufficient daily/monthly limit."},
	{"WORLD_CARD_SECURITY_REJECT", "Risk control rejection."},
	{"WORLD_CARD_EXPIRED_CARD", "Card expired."},
	{"WORLD_CARD_CVV2_FAILURE", "CVV2 verification failed."},
	{"WORLD_CARD_AUTHENTICATION_REQUIRED", "Authentication required."},
}

// merchants are where the cards are used, with the currency they charge and the
// millionths of a US cent that its smallest unit is worth.
var merchants = [...]struct {
	name, country, currency string
	rate                    int64
	places                  int // decimals of the exchange rate that the smallest units hide
}{
	{"EXAMPLE ADS IRELAND LTD", "IE", "EUR", 1_081_400, 6},
	{"EXAMPLE ADS INC 650-555-0100", "US", "USD", 1_000_000, 6},
	{"EXAMPLE CLOUD SERVICES EMEA SARL", "LU", "EUR", 1_081_400, 6},
	{"EXAMPLE HOSTING KK", "JP", "JPY", 641_139, 8},
	{"EXAMPLE MARKETPLACE SELLER FEES", "US", "USD", 1_000_000, 6},
	{"EXAMPLE FREIGHT HK LTD", "HK", "HKD", 128_140, 6},
	{"EXAMPLE OFFICE SUPPLIES", "GB", "GBP", 1_271_900, 6},
	{"EXAMPLE KOREA CO", "KR", "KRW", 68_120, 8},
	{"EXAMPLE SOFTWARE SUBSCRIPTION", "US", "USD", 1_000_000, 6},
	{"EXAMPLE TRADING W.L.L.", "BH", "BHD", 265_280, 5},
	{"EXAMPLE HOTEL SINGAPORE", "SG", "SGD", 742_300, 6},
	{"EXAMPLE TECHNOLOGY SHENZHEN", "CN", "CNH", 138_250, 6},
	{"EXAMPLE PRINTING GMBH", "DE", "EUR", 1_081_400, 6},
}

// newBook makes the bills of an account.
func newBook(h history, account int) *book {
	b := &book{
		from: h.From.Unix(), to: h.To.Unix(),
		ends: make([]int, 0, h.Bills), statuses: make([]uint8, 0, h.Bills),
		text: make([]byte, 0, h.Bills*540),
	}
	for i := range h.Bills {
		b.appendBill(h, account, i)
		b.text = append(b.text, ',')
		b.ends = append(b.ends, len(b.text))
	}
	return b
}

// second is when bill i was made, of n.
func (b *book) second(i, n int) int64 { return b.from + int64(i)*(b.to-b.from)/int64(n) }

// random is a number that looks like chance (splitmix64).
func random(seed uint64) uint64 {
	seed += 0x9e3779b97f4a7c15
	seed = (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
	seed = (seed ^ seed>>27) * 0x94d049bb133111eb
	return seed ^ seed>>31
}

// appendBill writes bill i in the shape of the API's list (API §8.2): some 524
// bytes.
func (b *book) appendBill(h history, account, i int) {
	r := random(h.Seed ^ uint64(account)<<40 ^ uint64(i))
	more := random(r) // a second number, for what the first one's bits do not do
	pick := func(n int) int { x := int(r % uint64(n)); r /= uint64(n); return x }
	at := b.second(i, h.Bills)
	t := time.Unix(at, 0).In(zone)
	status := statusOf(pick(1000), int((b.to-at)/86400))
	b.statuses = append(b.statuses, uint8(status))
	m := &merchants[pick(len(merchants))]
	card := pick(40)
	trade := int64(100 + pick(250_000))
	rate := m.rate
	if m.currency != "USD" {
		rate += rate * int64(more%3000) / 100_000 // it moves by a few per cent
	}
	out := max(trade*rate/1_000_000, 1)

	d := append(b.text, '{')
	if more%32 != 0 { // a few have none (API §8.2)
		d = append(d, `"billNo":"B`...)
		d = t.AppendFormat(d, "20060102")
		d = padded(d, int64(account), 8)
		d = padded(d, int64(i), 14)
		d = append(d, `",`...)
	}
	d = append(d, `"assetId":"CARD`...)
	d = padded(d, int64(account)*100+int64(card)+1, 28)
	d = append(d, `","maskedCardNo":"555555******`...)
	d = padded(d, int64(4000+card*7), 4)
	d = append(d, `","orderNo":"`...)
	d = append(d, orderNo(t, account, i)...)
	d = append(d, `","cardNickName":"Team card `...)
	d = strconv.AppendInt(d, int64(card+1), 10)
	d = append(d, `","transactionTime":"`...)
	d = t.AppendFormat(d, "2006-01-02T15:04:05-07:00")
	d = append(d, `","merchantName":"`...)
	d = append(d, m.name...)
	d = append(d, ' ') // a branch: some 400 merchants in all
	d = strconv.AppendInt(d, int64(more>>24)%31, 10)
	d = appendAmount(d, `","tradeAmount":`, m.currency, trade)
	if status == refunded || status == partialRefund {
		in := out
		if status == partialRefund {
			in = max(out*int64(10+more%70)/100, 1)
		}
		d = appendAmount(d, `,"inAmount":`, "USD", in)
	}
	if status == failed {
		out = 0
	}
	d = appendAmount(d, `,"outAmount":`, "USD", out)
	if m.currency != "USD" {
		d = append(d, `,"exchangeRate":"`...)
		d = appendDecimal(d, rate, m.places)
		d = append(d, '"')
	}
	d = append(d, `,"billType":"CARD_PAYMENT","tradeCountry":"`...)
	d = append(d, m.country...)
	d = append(d, `","billStatus":"`...)
	d = append(d, statuses[status]...)
	if status == failed {
		why := reasons[int(more>>8)%len(reasons)]
		d = append(d, `","billFailReason":{"errorCode":"`...)
		d = append(d, why[0]...)
		d = append(d, `","errorDesc":"`...)
		d = append(d, why[1]...)
		d = append(d, `"},"lastUpdate":"`...)
	} else {
		d = append(d, `","lastUpdate":"`...)
	}
	changed := at
	if status != failed {
		changed += int64(more>>16) % (4 * 86400)
	}
	d = strconv.AppendInt(d, changed*1000+int64(more>>40)%1000, 10)
	if card%2 == 0 { // the other cards have no budget account
		d = append(d, `","budgetAccountId":"BA`...)
		d = padded(d, int64(card/8+1), 16)
	}
	b.text = append(d, `"}`...)
}

// statusOf draws a status. Most of what was bought in the last two weeks is not
// cleared yet; later few bills still wait.
func statusOf(chance, days int) int {
	switch {
	case chance < 70:
		return failed
	case chance < 110:
		return cancelled
	case days < 14 && chance < 210:
		return waitingDeduct
	case days < 14 && chance < 810:
		return waitingClearance
	case chance < 160:
		return refunded
	case chance < 170:
		return partialRefund
	case chance < 172:
		return partialCancel
	case chance < 175:
		return waitingClearance
	}
	return success
}

// orderNo is the number of bill i's order: it begins with the time and ends with i.
func orderNo(t time.Time, account, i int) []byte {
	d := t.AppendFormat(make([]byte, 0, 29), "20060102150405")
	d = padded(d, int64(account), 5)
	return padded(d, int64(i), 10)
}

func padded(dst []byte, v int64, width int) []byte {
	digits := strconv.AppendInt(make([]byte, 0, 20), v, 10)
	for range width - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

func appendAmount(dst []byte, name, currency string, value int64) []byte {
	dst = append(dst, name...)
	dst = append(dst, `{"currency":"`...)
	dst = append(dst, currency...)
	dst = append(dst, `","value":"`...)
	dst = strconv.AppendInt(dst, value, 10)
	return append(dst, `"}`...)
}

// appendDecimal writes v with so many decimal places.
func appendDecimal(dst []byte, v int64, places int) []byte {
	digits := padded(make([]byte, 0, 20), v, places+1)
	point := len(digits) - places
	dst = append(dst, digits[:point]...)
	dst = append(dst, '.')
	return append(dst, digits[point:]...)
}

// between returns the numbers of the bills from start to end, both included:
// from lo to before hi.
func (b *book) between(start, end time.Time) (lo, hi int) {
	n := len(b.ends)
	if end.Before(start) {
		return 0, 0
	}
	// Bills have whole seconds.
	first := start.Unix()
	if start.Nanosecond() > 0 {
		first++
	}
	lo = sort.Search(n, func(i int) bool { return b.second(i, n) >= first })
	hi = sort.Search(n, func(i int) bool { return b.second(i, n) > end.Unix() })
	if lo >= hi {
		return 0, 0
	}
	return lo, hi
}

// list is the JSON of the bills from lo to before hi, separated by commas.
func (b *book) list(lo, hi int) []byte {
	if lo >= hi {
		return nil
	}
	begin := 0
	if lo > 0 {
		begin = b.ends[lo-1]
	}
	return b.text[begin : b.ends[hi-1]-1]
}

// listed is the same for bills here and there.
func (b *book) listed(bills []int) []byte {
	var d []byte
	for k, i := range bills {
		if k > 0 {
			d = append(d, ',')
		}
		d = append(d, b.list(i, i+1)...)
	}
	return d
}

// withStatus returns which bills from lo to before hi have one of the statuses.
func (b *book) withStatus(lo, hi int, wanted []string) []int {
	var is [len(statuses)]bool
	for i, s := range statuses {
		is[i] = slices.Contains(wanted, s)
	}
	var bills []int
	for i := lo; i < hi; i++ {
		if is[b.statuses[i]] {
			bills = append(bills, i)
		}
	}
	return bills
}

// ofOrder returns the bill with that order number, if it lies within.
func (b *book) ofOrder(lo, hi int, order string) []int {
	if len(order) < 10 {
		return nil
	}
	i, err := strconv.Atoi(order[len(order)-10:])
	if err != nil || i < lo || i >= hi || !bytes.Contains(b.list(i, i+1), []byte(`"orderNo":"`+order+`"`)) {
		return nil
	}
	return []int{i}
}
