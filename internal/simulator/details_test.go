package simulator

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/worldfirst"
)

// askCard asks for a card as an account, and returns the result and the rest.
func (c *testClient) askCard(account, body string) (*testAnswer, Card, error) {
	c.t.Helper()
	r := c.request(body)
	r.URL.Path = worldfirst.QueryCardSensitiveInfoPath
	if account != "" {
		r.Header.Set("Connected-AccountId", account)
	}
	c.sign(r, body)
	a, err := c.do(r)
	if err != nil {
		return nil, Card{}, err
	}
	var card Card
	_ = json.Unmarshal(a.Body, &card)
	return a, card, nil
}

func TestCards(t *testing.T) {
	t.Parallel()
	books := map[string]Book{
		"history": NewHistory(HistoryOptions{Seed: 7}),
		"drift":   NewDrift(NewHistory(HistoryOptions{Seed: 7}), 1, 0.5),
	}
	for name, book := range books {
		_, c := serve(t, Options{Book: book})
		short, twoDigits, seen := 0, 0, map[string]Card{}
		for _, customer := range []string{"", "C1", "C2", "C3"} {
			items, _ := book.Bills(testNow, customer, Filter{}, 0, 40)
			for _, raw := range items {
				it := itemAt(t, raw)
				a, card, err := c.askCard(customer, `{"assetId":"`+it.AssetID+`"}`)
				if err != nil {
					t.Fatal(err)
				}
				if before, ok := seen[it.AssetID]; ok && before != card {
					t.Fatalf("%s: card %+v was %+v before", name, card, before)
				} else if ok {
					continue
				}
				seen[it.AssetID] = card
				account := customer
				if account == "" {
					account = ownAccount
				}
				if a.Result.Code != "SUCCESS" || a.Signed != nil || card.AssetID != it.AssetID || card.AccountID != account ||
					!regexp.MustCompile(`^5{6}[0-9]{10}$`).MatchString(card.Number) || !strings.HasSuffix(it.MaskedCardNo, card.Number[12:]) ||
					!regexp.MustCompile(`^[0-9]{3}$`).MatchString(card.CVV) || !regexp.MustCompile(`^(0?[1-9]|1[0-2])$`).MatchString(card.Month) ||
					!regexp.MustCompile(`^[0-9]{2}$`).MatchString(card.Year) {
					t.Errorf("%s: card of %s: %s", name, it.MaskedCardNo, a.Body)
				}
				if passesCheck(card.Number) {
					t.Errorf("%s: %s may be somebody's card", name, card.Number)
				}
				if card.Month[0] == '0' {
					twoDigits++
				} else if len(card.Month) == 1 {
					short++
				}
			}
		}
		if len(seen) < 20 || short == 0 || twoDigits == 0 {
			t.Errorf("%s: %d cards, %d months like 7, %d like 07: want all kinds", name, len(seen), short, twoDigits)
		}
	}
	if !passesCheck("5555555555554444") || passesCheck("5555555555554445") {
		t.Error("passesCheck does not know the well-known test number")
	}
}

// A card is given to the account it belongs to, as far as that is known.
func TestCardAccounts(t *testing.T) {
	t.Parallel()
	l := NewLedger()
	l.Add("", Entry{Bill: bill.Bill{OrderNo: "1", AssetID: "OWN", CardLast4: "1111", TransactionTime: testNow.Add(-time.Hour)}})
	l.Add("C1", Entry{Raw: json.RawMessage(`{"orderNo":"2","assetId":"ONE","maskedCardNo":"x2222"}`)})
	l.SetCard("C2", Card{AssetID: "TWO", AccountID: "ELSE", Number: "n", CVV: "c", Month: "m", Year: "y"})
	for _, tt := range []struct {
		accounts       map[string]string
		account, asset string
		want           string
	}{
		{nil, "", "OWN", ownAccount + " 1111"},
		{nil, "", "ONE", "AUTHORIZATION_NOT_EXIST"}, // without a header it is about the own account
		{nil, "", "NONE", "PARAM_ILLEGAL"},
		{nil, "C1", "ONE", "C1 2222"},
		{nil, "A1", "ONE", "A1 2222"}, // nobody said whose account A1 is
		{nil, "A1", "OWN", "A1 1111"},
		{nil, "A2", "TWO", "ELSE n"},
		{map[string]string{"A1": "C1"}, "A1", "ONE", "A1 2222"},
		{map[string]string{"A1": "C1"}, "A1", "TWO", "AUTHORIZATION_NOT_EXIST"},
		{map[string]string{"A1": "C1"}, "A1", "OWN", "AUTHORIZATION_NOT_EXIST"},
		{map[string]string{"A1": "C1"}, "A9", "ONE", "AUTHORIZATION_NOT_EXIST"},
		{map[string]string{"A1": "C1"}, "A1", "NONE", "PARAM_ILLEGAL"},
	} {
		_, c := serve(t, Options{Book: l, Accounts: tt.accounts})
		a, card, err := c.askCard(tt.account, `{"assetId":"`+tt.asset+`"}`)
		if err != nil {
			t.Fatal(err)
		}
		got := a.Result.Code
		if got == "SUCCESS" {
			got = card.AccountID + " " + card.Number[max(0, len(card.Number)-4):]
		}
		if got != tt.want || a.Signed != nil {
			t.Errorf("account %q asks for %s with %v: %s, want %s", tt.account, tt.asset, tt.accounts, a.Body, tt.want)
		}
		if a.Result.Status == "F" && bytes.Contains(a.Body, []byte("cvv")) {
			t.Errorf("a refusal tells of the card: %s", a.Body)
		}
	}
	_, c := serve(t, Options{Book: struct{ Book }{l}}) // a book without cards
	if a, _, err := c.askCard("", `{"assetId":"OWN"}`); err != nil || a.Result.Code != "PARAM_ILLEGAL" {
		t.Errorf("a book that knows no cards: %v, %v", a, err)
	}
}

// What the documents forbid is refused.
func TestCardRefusals(t *testing.T) {
	t.Parallel()
	l := NewLedger()
	l.SetCard("", Card{AssetID: "A"})
	l.SetCard("C1", Card{AssetID: "B"})
	s, c := serve(t, Options{Book: l, Customers: []string{"", "C1"}})
	s.SetAccessToken("C1", "token")
	for _, tt := range []struct{ account, body, want string }{
		{"", `{"assetId":"A"}`, "SUCCESS"},
		{"", ``, "PARAM_ILLEGAL"},
		{"", `{}`, "PARAM_ILLEGAL"},
		{"", `["A"]`, "PARAM_ILLEGAL"},
		{"", `{"assetId":""}`, "PARAM_ILLEGAL"},
		{"", `{"assetId":null}`, "PARAM_ILLEGAL"},
		{"", `{"assetId":7}`, "PARAM_ILLEGAL"},
		{"", `{"assetID":"A"}`, "PARAM_ILLEGAL"},
		{"", `{"assetId":"A","env":{}}`, "PARAM_ILLEGAL"}, // of version 1
		{"", `{"assetId":"A","assetId":"A"}`, "PARAM_ILLEGAL"},
		{"", "{\"assetId\":\"\xff\"}", "PARAM_ILLEGAL"},
		{"C9", `{"assetId":"A"}`, "AUTHORIZATION_NOT_EXIST"},
		{"C1", `{"assetId":"B"}`, "ACCESS_TOKEN_EXPIRED"},
	} {
		a, _, err := c.askCard(tt.account, tt.body)
		if err != nil || a.Result.Code != tt.want {
			t.Errorf("%q asks %s: %+v, %v, want %s", tt.account, tt.body, a, err, tt.want)
		}
	}
	r := c.request(`{"assetId":"A"}`)
	r.URL.Path = strings.Replace(worldfirst.QueryCardSensitiveInfoPath, "/v2/", "/v1/", 1)
	c.sign(r, `{"assetId":"A"}`)
	if a, err := c.do(r); err != nil || a.Result.Code != "INVALID_API" {
		t.Errorf("version 1: %+v, %v", a, err)
	}
}

// Every fault can be told from a right answer.
func TestCardFaults(t *testing.T) {
	t.Parallel()
	l := NewLedger()
	right := Card{AssetID: "A", Number: "5555550000001234", CVV: "123", Month: "7", Year: "29"}
	l.SetCard("", right)
	right.AccountID = ownAccount
	s, c := serve(t, Options{Book: l})
	for kind, want := range map[FaultKind]func(a *testAnswer, card Card) bool{
		None:         func(a *testAnswer, card Card) bool { return card == right && a.Signed == nil },
		Slow:         func(a *testAnswer, card Card) bool { return card == right && a.Signed == nil },
		Result:       func(a *testAnswer, card Card) bool { return a.Result.Status == "U" && card == Card{} },
		ResultAfter:  func(a *testAnswer, card Card) bool { return a.Result.Status == "U" && card == Card{} },
		HTTP:         func(a *testAnswer, card Card) bool { return a.HTTP.StatusCode == 502 },
		Garbage:      func(a *testAnswer, card Card) bool { return a.garbage != nil },
		Empty:        func(a *testAnswer, card Card) bool { return len(a.Body) == 0 },
		NoResult:     func(a *testAnswer, card Card) bool { return a.Signed == nil && a.Result == result{} && card == Card{} },
		BadSignature: func(a *testAnswer, card Card) bool { return card == right && a.Signed != nil },
		NoSignature:  func(a *testAnswer, card Card) bool { return card == right && a.HTTP.Header.Get("Signature") == "" },
		WrongPage: func(a *testAnswer, card Card) bool {
			return card.AssetID == "A0" && card.CVV == "123" && a.Signed == nil
		},
		StalePage: func(a *testAnswer, card Card) bool { return card.AccountID == ownAccount+"0" && card.AssetID == "A" },
		ShortPage: func(a *testAnswer, card Card) bool { return card.CVV == "" && card.Number == right.Number },
		EmptyList: func(a *testAnswer, card Card) bool {
			return string(a.Body) == `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"}}` && a.Signed == nil
		},
		Drop:      nil,
		DropAfter: nil,
	} {
		s.SetFault(func(Request) Fault { return Fault{Kind: kind, Delay: time.Millisecond} })
		a, card, err := c.askCard("", `{"assetId":"A"}`)
		if want == nil {
			if err == nil {
				t.Errorf("%v: %s, want no answer", kind, a.Body)
			}
			continue
		}
		if err != nil || !want(a, card) {
			t.Errorf("%v: %v, %+v", kind, err, a)
		}
	}
	tested := []FaultKind{Drop, DropAfter, Slow, Result, HTTP, Garbage, Empty, NoResult, BadSignature, NoSignature, WrongPage, StalePage, ShortPage, EmptyList, ResultAfter}
	for _, k := range FaultKinds() {
		if !slices.Contains(tested, k) {
			t.Errorf("fault %v is not tried on cards", k)
		}
	}
	var seen Request
	s.SetFault(nil)
	s.OnRequest(func(r Request) { seen = r })
	if _, _, err := c.askCard("", `{"assetId":"A"}`); err != nil || seen.Path != worldfirst.QueryCardSensitiveInfoPath || string(seen.Body) != `{"assetId":"A"}` {
		t.Errorf("the observer saw %+v, %v", seen, err)
	}
}
