package worldfirst

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"billsync/internal/bill"
)

func samplePage(t testing.TB, name string) bill.Page {
	t.Helper()
	env, ok := readEnvelope(sample(t, name), nil)
	if !ok {
		t.Fatalf("%s is no result", name)
	}
	page, err := decodePage(env.doc, "")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return page
}

// billList returns the bill list of an answer as received; nil if it has none.
func billList(env envelope) []byte {
	if v := env.doc.find(0, "billList"); v != 0 {
		return env.doc.json(v)
	}
	return nil
}

func bills(t *testing.T, page bill.Page) []bill.Bill {
	t.Helper()
	var bills []bill.Bill
	for i, item := range page.Items {
		if item.Rejected || len(item.Problems) > 0 {
			t.Errorf("item %d: rejected %v, problems %q", i, item.Rejected, item.Problems)
		}
		if !json.Valid(item.Bill.Raw) || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(item.Bill.Hash) {
			t.Errorf("item %d: raw %s, hash %q", i, item.Bill.Raw, item.Bill.Hash)
		}
		bills = append(bills, item.Bill)
	}
	return bills
}

var withoutRaw = cmpopts.IgnoreFields(bill.Bill{}, "Raw", "Hash")

func utc(year, month, day, hour, minute, second, ms int) time.Time {
	return time.Date(year, time.Month(month), day, hour, minute, second, ms*1e6, time.UTC)
}

func TestDecodeSuccess(t *testing.T) {
	t.Parallel()
	page := samplePage(t, "queryBillList.response.success.json")
	if page.Number != 1 || page.TotalCount != 6 || page.TotalPages != 1 {
		t.Errorf("page %d, %d bills, %d pages, want 1, 6, 1", page.Number, page.TotalCount, page.TotalPages)
	}
	common := bill.Bill{
		AssetID: "CARD0000000000000000000000000001", MaskedCardNo: "555555******4444", CardLast4: "4444",
		CardNickName: "Ads card 1", BillType: "CARD_PAYMENT",
	}
	want := make([]bill.Bill, 6)
	for i := range want {
		want[i] = common
	}
	set := func(i int, order, status, merchant, country, rate, updated string, at time.Time, trade, out, in *bill.Amount) {
		b := &want[i]
		b.OrderNo, b.Status, b.MerchantName, b.TradeCountry, b.ExchangeRate, b.LastUpdateRaw = order, status, merchant, country, rate, updated
		b.TransactionTime, b.Trade, b.Out, b.In = at, trade, out, in
		ms, _ := number(updated)
		b.LastUpdate = time.UnixMilli(ms).UTC()
	}
	sum := func(currency string, v int64) *bill.Amount { return &bill.Amount{Currency: currency, Value: v} }
	set(0, "20260128190741000100120000006", "WAITING_CLEARANCE", "EXAMPLE HOSTING KK", "JP", "0.0064", "1769562754237",
		utc(2026, 1, 28, 1, 12, 33, 0), sum("JPY", 15800), sum("USD", 10112), nil)
	set(1, "20260121190741000100120000005", "FAILED", "EXAMPLE ADS LTD", "GB", "", "1769006406237",
		utc(2026, 1, 21, 14, 40, 5, 0), sum("GBP", 249900), sum("USD", 0), nil)
	want[1].FailCode, want[1].FailDesc = "WORLD_CARD_BALANCE_NOT_ENOUGH", "Insufficient account balance."
	set(2, "20260117190741000100120000004", "CANCELLED", "EXAMPLE KOREA CO", "KR", "0.00068", "1768764011237",
		utc(2026, 1, 17, 7, 1, 59, 0), sum("KRW", 59000), sum("USD", 4012), nil)
	set(3, "20260112190741000100120000003", "PARTIAL_REFUND", "EXAMPLE TRADING W.L.L.", "BH", "2.6528", "1769335540237",
		utc(2026, 1, 12, 3, 30, 0, 0), sum("BHD", 12500), sum("USD", 3316), sum("USD", 1326))
	set(4, "20260110190741000100120000002", "REFUNDED", "EXAMPLE SOFTWARE 有限公司", "IE", "1", "1768528800237",
		utc(2026, 1, 10, 1, 12, 33, 0), sum("EUR", 4999), sum("EUR", 4999), sum("EUR", 4999))
	set(5, "20260110190741000100120000001", "SUCCESS", "EXAMPLE CLOUD & CO <BILLING>", "US", "1", "1768162200237",
		utc(2026, 1, 10, 0, 0, 1, 0), sum("USD", 10000), sum("USD", 10000), nil)
	got := bills(t, page)
	if diff := cmp.Diff(want, got, withoutRaw); diff != "" {
		t.Errorf("bills of the success sample (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(got[5].Raw), `"merchantName": "EXAMPLE CLOUD & CO <BILLING>"`) {
		t.Errorf("raw bill %s is not as received", got[5].Raw)
	}
}

func TestDecodeVariants(t *testing.T) {
	t.Parallel()
	page := samplePage(t, "queryBillList.response.variants.json")
	if page.Number != 1 || page.TotalCount != 2 || page.TotalPages != 1 {
		t.Errorf("page %d, %d bills, %d pages, want 1, 2, 1", page.Number, page.TotalCount, page.TotalPages)
	}
	want := []bill.Bill{
		{
			BillNo: "B2026020700000000000000000000001", AssetID: "CARD0000000000000000000000000001",
			MaskedCardNo: "************4444", CardLast4: "4444", OrderNo: "20260207190741000100120000010",
			TransactionTime: utc(2026, 2, 7, 2, 0, 0, 0), MerchantName: "EXAMPLE NUMERIC",
			Trade: &bill.Amount{Currency: "JPY", Value: 1200}, Out: &bill.Amount{Currency: "USD", Value: 768},
			ExchangeRate: "0.0064", BillType: "CARD_REFUND", TradeCountry: "JP", Status: "A_FUTURE_STATUS",
			LastUpdate: utc(2026, 2, 7, 2, 0, 1, 237), LastUpdateRaw: "1770429601237",
			BudgetAccountID: "BA0000000000000001",
		},
		{
			AssetID: "CARD0000000000000000000000000002", MaskedCardNo: "************1881", CardLast4: "1881",
			OrderNo: "20260207190741000100120000011", TransactionTime: utc(2026, 2, 7, 2, 5, 0, 123),
			Trade: &bill.Amount{Currency: "USD", Value: -1500}, In: &bill.Amount{Currency: "USD", Value: 1500},
			BillType: "CARD_PAYMENT", Status: "SUCCESS",
			LastUpdate: utc(2026, 2, 7, 2, 5, 2, 0), LastUpdateRaw: "2026-02-07T10:05:02+08:00",
		},
	}
	got := bills(t, page)
	if diff := cmp.Diff(want, got, withoutRaw, cmpopts.IgnoreFields(bill.Bill{}, "Metadata")); diff != "" {
		t.Errorf("bills of the variants sample (-want +got):\n%s", diff)
	}
	var metadata map[string]string
	if err := json.Unmarshal([]byte(got[0].Metadata), &metadata); err != nil || metadata["k"] != "v" || got[1].Metadata != "" {
		t.Errorf("metadata %q and %q", got[0].Metadata, got[1].Metadata)
	}
	if raw := string(got[0].Raw); strings.Contains(raw, "5555555555554444") || !strings.Contains(raw, `"cardNo": "****4444"`) || !strings.Contains(raw, "someFutureField") {
		t.Errorf("raw bill %s, want the card number cut and all else kept", raw)
	}
}

func TestDecodeOtherSamples(t *testing.T) {
	t.Parallel()
	same := bills(t, samplePage(t, "queryBillList.response.same-orderno.json"))
	if len(same) != 2 || same[0].OrderNo != same[1].OrderNo || same[0].Hash == same[1].Hash || same[0].Trade.Value != 5000 || same[1].Trade.Value != 2500 {
		t.Errorf("same-orderno gave %+v", same)
	}
	empty := samplePage(t, "queryBillList.response.empty.json")
	if len(empty.Items) != 0 || empty.TotalCount != 0 || empty.Number != 1 || empty.TotalPages != 0 {
		t.Errorf("empty gave %+v", empty)
	}
	for name, want := range map[string]string{"notify_bill.request.json": "SUCCESS", "notify_bill.request.failed.json": "FAILED"} {
		item := DecodeItem(sample(t, name))
		if item.Rejected || len(item.Problems) > 0 || item.Bill.Status != want || item.Bill.OrderNo == "" {
			t.Errorf("%s gave %+v", name, item)
		}
	}
	if got := DecodeItem(sample(t, "notify_bill.request.failed.json")).Bill; got.FailCode != "WORLD_CARD_OVER_LIMIT" || got.FailDesc != "Insufficient daily/monthly limit." {
		t.Errorf("fail reason %q, %q", got.FailCode, got.FailDesc)
	}
}

// TestUnchangedPage asks again with the hash of what was read before, through a
// whole client: nothing is decoded, everything else is as it was.
func TestUnchangedPage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"success", "variants", "same-orderno", "empty"} {
		body := sample(t, "queryBillList.response."+name+".json")
		answer, forged := body, false
		p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, _ *http.Request) {
			if forged {
				p.sign(w, append([]byte(" "), answer...))
				w.Write(answer)
				return
			}
			p.send(w, 200, answer)
		})
		c := p.client()
		ask := func(known string) bill.Page {
			t.Helper()
			q := testQuery
			q.KnownHash = known
			page, err := c.QueryBillList(t.Context(), testAccount, q)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return page
		}
		first := ask("")
		if first.Unchanged || first.List != nil || first.Count != len(first.Items) || first.Count == 0 != (name == "empty") {
			t.Errorf("%s, hash unknown: unchanged %v, %d of %d items, list %s", name, first.Unchanged, len(first.Items), first.Count, first.List)
		}
		other := ask(strings.Repeat("0", 32))
		if diff := cmp.Diff(first, other, cmpopts.IgnoreFields(bill.Page{}, "AskedAt")); diff != "" {
			t.Errorf("%s, another hash known (-first +other):\n%s", name, diff)
		}
		same := ask(first.Hash)
		items, err := DecodeList(same.List)
		if err != nil || cmp.Diff(first.Items, items) != "" {
			t.Errorf("%s: decoded later: %v\n%s", name, err, cmp.Diff(first.Items, items))
		}
		if !same.Unchanged || same.Items != nil || !bytes.Contains(body, same.List) {
			t.Errorf("%s, hash known: unchanged %v, items %v, list %s", name, same.Unchanged, same.Items, same.List)
		}
		same.Unchanged, same.Items, same.List = false, items, nil
		if diff := cmp.Diff(first, same, cmpopts.IgnoreFields(bill.Page{}, "AskedAt")); diff != "" {
			t.Errorf("%s: the unchanged page (-first +same):\n%s", name, diff)
		}
		for _, b := range p.bodies {
			if !bytes.Equal(b, p.bodies[0]) {
				t.Errorf("%s: the known hash was sent: %s", name, b)
			}
		}
		// What else the answer says counts as before, and so does its signature.
		answer = bytes.Replace(body, []byte(`"totalCount"`), []byte(`"totalCount": 77, "was"`), 1)
		if page := ask(first.Hash); !page.Unchanged || page.TotalCount != 77 {
			t.Errorf("%s: unchanged %v, %d bills in all, want 77", name, page.Unchanged, page.TotalCount)
		}
		for what, bad := range map[string][]byte{
			"cut off":  body[:len(body)-2],
			"no count": bytes.Replace(body, []byte(`"totalCount"`), []byte(`"was"`), 1),
			"unknown":  bytes.Replace(body, []byte(`"S"`), []byte(`"U"`), 1),
			"forged":   body,
		} {
			answer, forged = bad, what == "forged"
			q := testQuery
			q.KnownHash = first.Hash
			if page, err := c.QueryBillList(t.Context(), testAccount, q); err == nil {
				t.Errorf("%s, %s: no error but %+v", name, what, page)
			}
		}
	}
}

// TestPagesAreApart asks for many pages at once, and looks at them only after
// all have come: what one answer was read with must not show in another.
func TestPagesAreApart(t *testing.T) {
	t.Parallel()
	list := func(page int) string {
		var elements []string
		for i := range 1 + page%7 {
			elements = append(elements, fmt.Sprintf(`{"orderNo":"%d-%d","transactionTime":%d,"tradeAmount":{"currency":"USD","value":%d},"merchantName":"caf\u00e9 %[1]d","x":[%[1]d]}`,
				page, i, 1770429600+page, page*100+i))
		}
		return "[" + strings.Join(elements, ", ") + "]"
	}
	p := newProvider(t, func(p *provider, n int, w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		var asked struct{ PageNumber int }
		err := json.Unmarshal(p.bodies[n], &asked)
		p.mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		p.send(w, 200, []byte(yesWith(fmt.Sprintf(`"totalCount":%d,"billList":%s`, asked.PageNumber, list(asked.PageNumber)))))
	})
	c := p.client(func(cfg *Config) { cfg.Concurrency = 8 })
	pages := make([]bill.Page, 60)
	var wg sync.WaitGroup
	for i := range pages {
		wg.Go(func() {
			q := testQuery
			if q.Page = i + 1; i%3 == 0 {
				sum := sha256.Sum256([]byte(list(i + 1)))
				q.KnownHash = hex.EncodeToString(sum[:16])
			}
			var err error
			if pages[i], err = c.QueryBillList(t.Context(), testAccount, q); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, page := range pages {
		want := list(i + 1)
		if page.Unchanged {
			if string(page.List) != want {
				t.Errorf("page %d holds the list %s, want %s", i+1, page.List, want)
			}
			page.Items, _ = DecodeList(page.List)
		}
		var items []bill.Item
		for _, e := range plainAppendElements(nil, []byte(want)) {
			items = append(items, plainDecodeItem(e))
		}
		if page.TotalCount != i+1 || page.Unchanged != (i%3 == 0) || page.Count != len(items) || !reflect.DeepEqual(page.Items, items) {
			t.Errorf("page %d of %d bills, unchanged %v, differs (-want +got):\n%s", i+1, page.TotalCount, page.Unchanged, cmp.Diff(items, page.Items))
		}
	}
}

// TestUnchangedNeedsAList asks that a hash, right as it may be, makes no list of
// what is none, and that no list at all is one that may stay.
func TestUnchangedNeedsAList(t *testing.T) {
	t.Parallel()
	for in, isList := range map[string]bool{`"billList":{}`: false, `"billList":"x"`: false, `"billList":null`: true, `"x":1`: true} {
		env, _ := readEnvelope([]byte(yesWith(`"totalCount":0,`+in)), nil)
		sum := sha256.Sum256(billList(env))
		page, err := decodePage(env.doc, hex.EncodeToString(sum[:16]))
		if (err == nil) != isList || page.Unchanged != isList || page.Count != 0 || page.List != nil {
			t.Errorf("%s gave %+v, %v", in, page, err)
		}
	}
}

func TestDecodeList(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"": 0, "[]": 0, " [ ] ": 0, `[null]`: 1, " [ 1 , {\"a\":[2,{}]} ,\"],[\" ]\n": 3, `[`: -1, `{}`: -1, `null`: -1, `[1]2`: -1} {
		items, err := DecodeList([]byte(in))
		if (err == nil) != (want >= 0) || err == nil && len(items) != want {
			t.Errorf("DecodeList(%s) gave %d items, %v, want %d", in, len(items), err, want)
		}
	}
}

// with returns a bill with more or other members.
func with(members string) string {
	return `{"orderNo":"1","transactionTime":"2026-02-07T02:00:00Z",` + members + `}`
}

func TestDecodeItemTolerates(t *testing.T) {
	t.Parallel()
	base := bill.Bill{OrderNo: "1", TransactionTime: utc(2026, 2, 7, 2, 0, 0, 0)}
	usd := &bill.Amount{Currency: "USD", Value: 100}
	for _, tt := range []struct {
		in       string
		want     func(*bill.Bill)
		problems []string
	}{
		{`"x":1`, func(*bill.Bill) {}, nil},
		{`"orderNo":20260207190741000100120000010`, func(b *bill.Bill) { b.OrderNo = "20260207190741000100120000010" }, nil},
		{`"transactionTime":1770429601237`, func(b *bill.Bill) { b.TransactionTime = utc(2026, 2, 7, 2, 0, 1, 237) }, nil},
		{`"merchantName":true,"tradeCountry":12,"exchangeRate":0.00640,"billNo":null`,
			func(b *bill.Bill) { b.MerchantName, b.TradeCountry, b.ExchangeRate = "true", "12", "0.00640" }, nil},
		{`"merchantName":"a","merchantName":"b"`, func(b *bill.Bill) { b.MerchantName = "b" }, nil},
		{`"MERCHANTNAME":"a","merchantname":"b","OrderNo":"2"`, func(*bill.Bill) {}, nil},
		{`"merchantN\u0061me":"caf\u00e9 \u0000x"`, func(b *bill.Bill) { b.MerchantName = "café x" }, nil},
		{"\"merchantName\":\"a\xffb\",\"metadata\":{\"k\":\"\xff\"}", func(b *bill.Bill) { b.MerchantName, b.Metadata = "a\ufffdb", "{\"k\":\"\ufffd\"}" }, nil},
		{`"merchantName":"x 4111111111111111"`, func(b *bill.Bill) { b.MerchantName = "x ****1111" }, nil},
		{`"merchantName":4111111111111111`, func(b *bill.Bill) { b.MerchantName = "****1111" }, nil},
		{`"merchantName":"41111111\u000011111111"`, func(b *bill.Bill) { b.MerchantName = "****1111" }, nil},
		{`"merchantName":{"a":1},"billStatus":["S"]`, func(*bill.Bill) {}, []string{"merchantName: an object, not text", "billStatus: a list, not text"}},
		{`"cardNickName":[1]`, func(*bill.Bill) {}, []string{"cardNickName: a list, not text"}},
		{`"maskedCardNo":"5555555555554444"`, func(b *bill.Bill) { b.MaskedCardNo, b.CardLast4 = "****4444", "4444" }, nil},
		{`"cardNo":5555555555554444`, func(b *bill.Bill) { b.MaskedCardNo, b.CardLast4 = "************4444", "4444" }, nil},
		{`"cardNo":"5555 5555 5555 4444","maskedCardNo":"**** 4444"`, func(b *bill.Bill) { b.MaskedCardNo, b.CardLast4 = "**** 4444", "4444" }, nil},
		{`"cardNo":"555555******4444"`, func(b *bill.Bill) { b.MaskedCardNo, b.CardLast4 = "555555******4444", "4444" }, nil},
		{`"cardNo":"4444"`, func(b *bill.Bill) { b.CardLast4 = "4444" }, nil},
		{`"cardNo":"4444","maskedCardNo":"hidden"`, func(b *bill.Bill) { b.MaskedCardNo, b.CardLast4 = "hidden", "4444" }, nil},
		{`"cardNo":"b3BhcXVl"`, func(*bill.Bill) {}, nil},
		{`"outAmount":{"currency":"USD","value":"100"}`, func(b *bill.Bill) { b.Out = usd }, nil},
		{`"inAmount":{"value":100,"currency":"USD","x":1}`, func(b *bill.Bill) { b.In = usd }, nil},
		{`"outAmount":null`, func(*bill.Bill) {}, nil},
		{`"tradeAmount":{"currency":"USD","value":"12.50"}`, func(*bill.Bill) {}, []string{`tradeAmount: value "12.50" is not a whole number of smallest units`}},
		{`"tradeAmount":{"currency":"USD","value":"\u00014111111111111111"}`, func(*bill.Bill) {}, []string{`tradeAmount: value "\x01****1111" is not a whole number of smallest units`}},
		{`"tradeAmount":{"currency":"USD","value":1e2}`, func(*bill.Bill) {}, []string{`tradeAmount: value "1e2" is not a whole number of smallest units`}},
		{`"tradeAmount":{"currency":"USD","value":"1234567890123456789"}`, func(*bill.Bill) {}, []string{`tradeAmount: value "1234567890123456789" is not a whole number of smallest units`}},
		{`"tradeAmount":{"currency":"USD","value":"123456789012345678"}`, func(b *bill.Bill) { b.Trade = &bill.Amount{Currency: "USD", Value: 123456789012345678} }, nil},
		{`"tradeAmount":{"currency":"USD"}`, func(*bill.Bill) {}, []string{"tradeAmount: no value"}},
		{`"tradeAmount":{"currency":"USD","value":null}`, func(*bill.Bill) {}, []string{"tradeAmount: no value"}},
		{`"tradeAmount":{"currency":"USD","value":[1]}`, func(*bill.Bill) {}, []string{"tradeAmount: value is a list, not a number"}},
		{`"tradeAmount":{"value":"1"}`, func(*bill.Bill) {}, []string{"tradeAmount: no currency"}},
		{`"tradeAmount":{"value":"1","currency":" "}`, func(*bill.Bill) {}, []string{"tradeAmount: no currency"}},
		{`"tradeAmount":{"value":"1","currency":840}`, func(*bill.Bill) {}, []string{"tradeAmount: currency is a number, not text"}},
		{`"tradeAmount":{"Value":"1","currency":"USD"}`, func(*bill.Bill) {}, []string{"tradeAmount: no value"}},
		{`"tradeAmount":"USD 1","inAmount":5`, func(*bill.Bill) {}, []string{"tradeAmount: text, not an object", "inAmount: a number, not an object"}},
		{`"billFailReason":"WORLD_CARD_X"`, func(b *bill.Bill) { b.FailCode = "WORLD_CARD_X" }, nil},
		{`"billFailReason":{"errorCode":7,"errorDesc":"card 4111111111111111"}`, func(b *bill.Bill) { b.FailCode, b.FailDesc = "7", "card ****1111" }, nil},
		{`"billFailReason":{"errorCode":{},"errorDesc":"x"}`, func(b *bill.Bill) { b.FailDesc = "x" }, []string{"billFailReason: errorCode is an object, not text"}},
		{`"billFailReason":[]`, func(*bill.Bill) {}, []string{"billFailReason: a list, not an object"}},
		{`"lastUpdate":"yesterday"`, func(b *bill.Bill) { b.LastUpdateRaw = "yesterday" }, nil},
		{`"lastUpdate":1770429601`, func(b *bill.Bill) { b.LastUpdateRaw, b.LastUpdate = "1770429601", utc(2026, 2, 7, 2, 0, 1, 0) }, nil},
		{`"lastUpdate":{}`, func(*bill.Bill) {}, []string{"lastUpdate: an object, not a time"}},
		{`"metadata":"text"`, func(*bill.Bill) {}, nil},
		{`"metadata":{ "a":"4111111111111111"}`, func(b *bill.Bill) { b.Metadata = `{ "a":"****1111"}` }, nil},
		{`"budgetAccount":{"id":"x"},"budgetAccountID":"y"`, func(*bill.Bill) {}, nil},
		{`"budgetAccountId":"BA1"`, func(b *bill.Bill) { b.BudgetAccountID = "BA1" }, nil},
	} {
		want := base
		tt.want(&want)
		got := DecodeItem([]byte(with(tt.in)))
		if got.Rejected {
			t.Errorf("%s was rejected: %q", tt.in, got.Problems)
		}
		if diff := cmp.Diff(want, got.Bill, withoutRaw); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
		if !slices.Equal(got.Problems, tt.problems) {
			t.Errorf("%s: problems %q, want %q", tt.in, got.Problems, tt.problems)
		}
	}
}

func TestDecodeItemRejects(t *testing.T) {
	t.Parallel()
	const noOrder, noTime = "orderNo: missing or blank", "transactionTime: missing or blank"
	for _, tt := range []struct {
		in       string
		problems []string
	}{
		{`{}`, []string{noOrder, noTime}},
		{`{"orderNo":" \t","transactionTime":""}`, []string{noOrder, noTime}},
		{`{"orderNo":null,"transactionTime":null}`, []string{noOrder, noTime}},
		{`{"orderNo":"\u0000","transactionTime":"2026-02-07T02:00:00Z"}`, []string{noOrder}},
		{`{"orderNo":{},"transactionTime":[]}`, []string{"orderNo: an object, not text", "transactionTime: a list, not a time"}},
		{`{"orderNo":"1","transactionTime":"2026-02-07T02:00:00"}`, []string{`transactionTime: "2026-02-07T02:00:00": ` + errNoOffset.Error()}},
		{`{"orderNo":"1","transactionTime":"4111111111111111"}`, []string{`transactionTime: "****1111": ` + errTime.Error()}},
		{`"text"`, []string{"not an object but text"}},
		{`[]`, []string{"not an object but a list"}},
		{`null`, []string{"not an object but null"}},
		{`12`, []string{"not an object but a number"}},
		{`"4111111111111111"`, []string{"not an object but text"}},
		{`{"orderNo":`, []string{"not JSON"}},
		{``, []string{"not JSON"}},
	} {
		got := DecodeItem([]byte(tt.in))
		if !got.Rejected || !slices.Equal(got.Problems, tt.problems) {
			t.Errorf("%s: rejected %v, problems %q, want %q", tt.in, got.Rejected, got.Problems, tt.problems)
		}
		if len(got.Bill.Hash) != 32 || string(got.Bill.Raw) != string(Scrub([]byte(tt.in))) {
			t.Errorf("%s: hash %q, raw %s", tt.in, got.Bill.Hash, got.Bill.Raw)
		}
		if diff := cmp.Diff(bill.Bill{}, got.Bill, withoutRaw); diff != "" {
			t.Errorf("%s: more than raw and hash is set:\n%s", tt.in, diff)
		}
	}
}

func TestDecodeItemKeepsItsOwnBytes(t *testing.T) {
	t.Parallel()
	in := []byte(with(`"merchantName":"A"`))
	item := DecodeItem(in)
	for i := range in {
		in[i] = 'x'
	}
	if want := with(`"merchantName":"A"`); string(item.Bill.Raw) != want || item.Bill.MerchantName != "A" {
		t.Errorf("the item changed with the caller's buffer: %s", item.Bill.Raw)
	}
}

func FuzzDecodeItem(f *testing.F) {
	for _, name := range []string{"success", "variants", "same-orderno"} {
		env, _ := readEnvelope(sample(f, "queryBillList.response."+name+".json"), nil)
		for _, raw := range plainAppendElements(nil, billList(env)) {
			f.Add(raw)
		}
	}
	f.Add(sample(f, "notify_bill.request.failed.json"))
	f.Add([]byte(`{"orderNo":1,"transactionTime":"0000-01-01T00:00:00+23:59","tradeAmount":{"value":-0,"currency":"\ud800"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) { checkItem(t, raw) })
}

// checkItem decodes an item and asks for what holds of every one.
func checkItem(t rapid.TB, raw []byte) {
	t.Helper()
	item := DecodeItem(raw)
	if plain := plainDecodeItem(raw); !reflect.DeepEqual(item, plain) {
		t.Fatalf("%q is decoded in another way than the plain one (-plain +fast):\n%s", raw, cmp.Diff(plain, item))
	}
	b := item.Bill
	if len(b.Hash) != 32 {
		t.Fatalf("hash %q", b.Hash)
	}
	if item.Rejected && len(item.Problems) == 0 {
		t.Fatalf("%q was rejected without a reason", raw)
	}
	for _, p := range item.Problems {
		if !isLine(p) || len([]rune(p)) > 201 {
			t.Fatalf("%q: the problem %q is no short line", raw, p)
		}
	}
	// What is kept reads as what was received: nothing of a bill depends on
	// what was removed from it.
	if diff := cmp.Diff(item, DecodeItem(b.Raw)); diff != "" {
		t.Fatalf("%q: its own raw bill %q gives another (-first +second):\n%s", raw, b.Raw, diff)
	}
	if item.Rejected {
		if diff := cmp.Diff(bill.Bill{}, b, withoutRaw); diff != "" {
			t.Fatalf("%q was rejected, but there is more than raw and hash:\n%s", raw, diff)
		}
	}
	if !json.Valid(raw) {
		return
	}
	if !json.Valid(b.Raw) || !utf8.Valid(b.Raw) {
		t.Fatalf("raw %q is no JSON", b.Raw)
	}
	kept := parse(t, b.Raw)
	if left := leftCard(kept); left != "" {
		t.Fatalf("raw %q holds %q", b.Raw, left)
	}
	if item.Rejected {
		return
	}
	members, ok := kept.(map[string]any)
	if !ok {
		t.Fatalf("%q is a bill", raw)
	}
	checkBill(t, members, item)
}

// checkBill compares a bill with the members of its JSON.
func checkBill(t rapid.TB, members map[string]any, item bill.Item) {
	t.Helper()
	b := item.Bill
	text := func(v any) string {
		switch v := v.(type) {
		case string, json.Number, bool:
			return strings.ReplaceAll(fmt.Sprint(v), "\x00", "")
		}
		return ""
	}
	for name, got := range map[string]string{
		"orderNo": b.OrderNo, "billNo": b.BillNo, "billType": b.BillType, "billStatus": b.Status, "assetId": b.AssetID, "cardNickName": b.CardNickName,
		"merchantName": b.MerchantName, "budgetAccountId": b.BudgetAccountID, "exchangeRate": b.ExchangeRate, "tradeCountry": b.TradeCountry, "lastUpdate": b.LastUpdateRaw,
	} {
		if want := text(members[name]); got != want {
			t.Fatalf("%s: %s = %q, want %q", b.Raw, name, got, want)
		}
	}
	if masked := text(members["maskedCardNo"]); masked != "" && b.MaskedCardNo != masked || b.CardLast4 != "" && !regexp.MustCompile(`\A[0-9]{4}\z`).MatchString(b.CardLast4) {
		t.Fatalf("%s: masked %q, last four %q", b.Raw, b.MaskedCardNo, b.CardLast4)
	}
	if strings.TrimSpace(b.OrderNo) == "" {
		t.Fatalf("%s is a bill without an order", b.Raw)
	}
	if want, err := ParseTime(text(members["transactionTime"])); err != nil || !b.TransactionTime.Equal(want) {
		t.Fatalf("%s: time %v, want %v, %v", b.Raw, b.TransactionTime, want, err)
	}
	if want, err := ParseTime(text(members["lastUpdate"])); err == nil && !b.LastUpdate.Equal(want) || err != nil && !b.LastUpdate.IsZero() {
		t.Fatalf("%s: last update %v, want %v, %v", b.Raw, b.LastUpdate, want, err)
	}
	for name, got := range map[string]*bill.Amount{"tradeAmount": b.Trade, "outAmount": b.Out, "inAmount": b.In} {
		parts, _ := members[name].(map[string]any)
		currency, isText := parts["currency"].(string)
		currency = strings.TrimSpace(strings.ReplaceAll(currency, "\x00", ""))
		var value string
		switch v := parts["value"].(type) {
		case string, json.Number:
			value = fmt.Sprint(v)
		}
		sum, _ := new(big.Int).SetString(value, 10)
		switch understood := isText && currency != "" && regexp.MustCompile(`\A-?[0-9]{1,18}\z`).MatchString(value); {
		case understood && (got == nil || got.Currency != currency || sum.Cmp(big.NewInt(got.Value)) != 0):
			t.Fatalf("%s: %s = %v, want %q %s", b.Raw, name, got, currency, value)
		case !understood && got != nil:
			t.Fatalf("%s: %s = %v, which was guessed", b.Raw, name, got)
		}
		noted := slices.ContainsFunc(item.Problems, func(p string) bool { return strings.HasPrefix(p, name+": ") })
		if noted != (got == nil && members[name] != nil) {
			t.Fatalf("%s: %s = %v, problems %q", b.Raw, name, got, item.Problems)
		}
	}
	if b.Metadata != "" && cmp.Diff(members["metadata"], parse(t, []byte(b.Metadata))) != "" {
		t.Fatalf("%s: metadata %s", b.Raw, b.Metadata)
	}
	for _, column := range []string{b.OrderNo, b.BillNo, b.BillType, b.Status, b.AssetID, b.MaskedCardNo, b.CardNickName, b.MerchantName, b.BudgetAccountID,
		b.ExchangeRate, b.TradeCountry, b.FailCode, b.FailDesc, b.LastUpdateRaw, b.Metadata} {
		if !isColumn(column) {
			t.Fatalf("%s: %q is no text for a column", b.Raw, column)
		}
	}
}

// drawnBill draws a bill such as fuzzing seldom comes upon: valid JSON whose
// members have our names, and values that are right, nearly right and wrong.
func drawnBill() *rapid.Generator[[]byte] {
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"", " ", "1", "007", "-0", "1050", "12.50", "1e2", "true", "USD", " JPY ", "null", "SUCCESS", "4444", "****4444", "555555******4444", "\x00", "a\x00b",
			"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111 07", "41111111\x0011111111", "\x014111111111111111", "123456789012", "12345678901234567890", "4111111111111111 123456789015",
			"2026-02-07T10:05:00+08:00", "2026-02-07T02:05:00.1234Z", "2026-02-07T10:05:00", "0001-01-01T00:00:00+01:00", "1770429900", "1770429900123", "9999999999999"}),
		rapid.String(),
		rapid.StringMatching(`[0-9]{1,6}([ -][0-9]{1,6}){1,4}`),
		rapid.StringMatching(`-?[0-9]{1,20}`),
	)
	scalar := rapid.Custom(func(t *rapid.T) string {
		s := text.Draw(t, "text")
		if numberOrTruth.MatchString(s) && rapid.Bool().Draw(t, "bare") {
			return s
		}
		return respeller{rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "escapes"), 0))}.text(s)
	})
	name := rapid.SampledFrom([]string{"orderNo", "billNo", "billType", "billStatus", "assetId", "maskedCardNo", "cardNo", "cardNickName", "transactionTime", "merchantName", "budgetAccountId",
		"tradeAmount", "outAmount", "inAmount", "exchangeRate", "tradeCountry", "billFailReason", "lastUpdate", "metadata",
		"currency", "value", "errorCode", "errorDesc", "OrderNo", "x", "aCard", "remark", "someTime", "ids"})
	var value func(depth int) *rapid.Generator[string]
	object := func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			var parts []string
			for range rapid.IntRange(0, 4).Draw(t, "members") {
				parts = append(parts, fmt.Sprintf("%q:%s", name.Draw(t, "name"), value(depth-1).Draw(t, "value")))
			}
			return "{" + strings.Join(parts, ",") + "}"
		})
	}
	value = func(depth int) *rapid.Generator[string] {
		all := []*rapid.Generator[string]{scalar, scalar, scalar, rapid.Just("null")}
		if depth > 0 {
			all = append(all, object(depth), rapid.Custom(func(t *rapid.T) string {
				return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "elements"), ",") + "]"
			}), rapid.Custom(func(t *rapid.T) string {
				return fmt.Sprintf(`{"currency":%s,"value":%s}`, scalar.Draw(t, "currency"), scalar.Draw(t, "value"))
			}))
		}
		return rapid.OneOf(all...)
	}
	return rapid.Custom(func(t *rapid.T) []byte {
		parts := []string{`"orderNo":"1"`, `"transactionTime":"2026-02-07T02:00:00Z"`}
		for range rapid.IntRange(0, 8).Draw(t, "members") {
			parts = append(parts, fmt.Sprintf("%q:%s", name.Draw(t, "name"), value(2).Draw(t, "value")))
		}
		return []byte("{" + strings.Join(rapid.Permutation(parts).Draw(t, "order"), ",") + "}")
	})
}

func TestDrawnBills(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := drawnBill().Draw(t, "bill")
		checkItem(t, raw)
		checkHash(t, raw, rapid.Uint64().Draw(t, "seed"))
	})
}
