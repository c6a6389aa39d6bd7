package worldfirst

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
)

// benchBills is a full page (API §6.1).
const benchBills = 100

// realisticPage writes an answer with 100 bills such as the provider's documents
// show: nearly all fields, one to three amounts, now and then the reason of a
// failure, metadata, or a name that is not ASCII. It is the same every time.
func realisticPage(t testing.TB) []byte {
	t.Helper()
	type amount struct {
		Currency string `json:"currency"`
		Value    string `json:"value"`
	}
	type reason struct {
		Code string `json:"errorCode"`
		Desc string `json:"errorDesc"`
	}
	type item struct {
		BillNo          string          `json:"billNo,omitempty"`
		AssetID         string          `json:"assetId"`
		MaskedCardNo    string          `json:"maskedCardNo"`
		OrderNo         string          `json:"orderNo"`
		CardNickName    string          `json:"cardNickName,omitempty"`
		TransactionTime string          `json:"transactionTime"`
		MerchantName    string          `json:"merchantName"`
		TradeAmount     *amount         `json:"tradeAmount"`
		InAmount        *amount         `json:"inAmount,omitempty"`
		OutAmount       *amount         `json:"outAmount,omitempty"`
		ExchangeRate    string          `json:"exchangeRate,omitempty"`
		BillType        string          `json:"billType"`
		TradeCountry    string          `json:"tradeCountry"`
		BillStatus      string          `json:"billStatus"`
		BillFailReason  *reason         `json:"billFailReason,omitempty"`
		LastUpdate      string          `json:"lastUpdate"`
		BudgetAccountID string          `json:"budgetAccountId,omitempty"`
		Metadata        json.RawMessage `json:"metadata,omitempty"`
	}
	var page struct {
		Result struct {
			Code    string `json:"resultCode"`
			Status  string `json:"resultStatus"`
			Message string `json:"resultMessage"`
		} `json:"result"`
		BillList   []item `json:"billList"`
		TotalCount int    `json:"totalCount"`
		Number     int    `json:"currentPageNumber"`
		Pages      int    `json:"totalPageNumber"`
	}
	page.Result.Code, page.Result.Status, page.Result.Message = "SUCCESS", "S", "Success"
	page.TotalCount, page.Number, page.Pages = 12345, 1, 124

	r := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	at := time.Date(2026, 1, 28, 9, 12, 33, 0, beijing)
	for i := range benchBills {
		at = at.Add(-time.Duration(r.IntN(1e4)) * time.Second)
		card := r.IntN(4)
		it := item{
			BillNo:          "B" + at.Format("20060102") + fmt.Sprintf("%022d", i),
			AssetID:         fmt.Sprintf("CARD%028d", card),
			MaskedCardNo:    fmt.Sprintf("555555******%d", 4444+card),
			OrderNo:         at.Format("20060102") + fmt.Sprintf("190741000100%09d", i),
			CardNickName:    "Ads card " + strconv.Itoa(card),
			TransactionTime: at.Format(TimeFormat),
			MerchantName:    one("EXAMPLE HOSTING KK", "GOOGLE *ADS 1234567890", "FACEBK *RIUX23NFA2", "EXAMPLE CLOUD & CO <BILLING>", "示例软件有限公司", "AMZN MKTP US*2K4RT1AX2"),
			TradeAmount:     &amount{one("USD", "EUR", "JPY", "GBP"), strconv.Itoa(r.IntN(1e6))},
			OutAmount:       &amount{"USD", strconv.Itoa(r.IntN(1e6))},
			ExchangeRate:    one("1", "0.0064", "1.08231"),
			BillType:        "CARD_PAYMENT",
			TradeCountry:    one("US", "IE", "JP", "GB"),
			BillStatus:      one("SUCCESS", "SUCCESS", "SUCCESS", "WAITING_CLEARANCE", "REFUNDED"),
			LastUpdate:      strconv.FormatInt(at.Add(time.Hour).UnixMilli()+237, 10),
			BudgetAccountID: "BA0000000000000001",
		}
		switch {
		case i%10 == 3:
			it.BillStatus, it.OutAmount, it.ExchangeRate = "FAILED", nil, ""
			it.BillFailReason = &reason{"WORLD_CARD_BALANCE_NOT_ENOUGH", "Insufficient account balance."}
		case it.BillStatus == "REFUNDED":
			it.InAmount = it.OutAmount
		case i%16 == 5:
			it.Metadata = json.RawMessage(`{"department":"growth","campaign":{"id":"2026-Q1-0042","tags":["a","b"]}}`)
		}
		page.BillList = append(page.BillList, it)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(page); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// BenchmarkDecodePage is everything between the bytes of a verified answer and
// its bills: checking the JSON, taking it apart, removing card numbers, hashing.
func BenchmarkDecodePage(b *testing.B) {
	body := realisticPage(b)
	env, _ := readEnvelope(body, nil)
	page, err := decodePage(env.doc, "")
	if err != nil || len(page.Items) != benchBills {
		b.Fatal(err, len(page.Items))
	}
	for _, bb := range []struct{ name, known string }{{"changed", ""}, {"unchanged", page.Hash}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				env, ok := readEnvelope(body, nil)
				if !ok {
					b.Fatal("no result")
				}
				if _, err := decodePage(env.doc, bb.known); err != nil {
					b.Fatal(err)
				}
				env.doc.release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBills), "ns/bill")
		})
	}
}

// BenchmarkQueryBillList is a whole request of a client, signed and verified,
// over a connection to a server that has its answer ready. Most of it is the
// signature, which nothing here can make cheaper.
func BenchmarkQueryBillList(b *testing.B) {
	body := realisticPage(b)
	key := privateKey(b, "worldfirst_private_pkcs8.pem")
	const at = "2026-02-01T10:30:05+08:00"
	signature, err := Sign(key, 2, http.MethodPost, QueryBillListPath, testClientID, at, body)
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		h := w.Header()
		h.Set("Signature", signature)
		h.Set("Response-Time", at)
		h.Set("Client-Id", testClientID)
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}))
	defer server.Close()
	c, err := New(Config{
		BaseURL: server.URL, ClientID: testClientID, PrivateKey: privateKey(b, "client_private_pkcs8.pem"),
		ServerKeys: []*rsa.PublicKey{&key.PublicKey}, RequestsPerSecond: 1e6,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	page, err := c.QueryBillList(b.Context(), testAccount, testQuery)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct{ name, known string }{{"changed", ""}, {"unchanged", page.Hash}} {
		b.Run(bb.name, func(b *testing.B) {
			q := testQuery
			q.KnownHash = bb.known
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.QueryBillList(b.Context(), testAccount, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
