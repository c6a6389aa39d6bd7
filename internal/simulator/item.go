package simulator

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"billsync/internal/bill"
)

// An item is a bill in the shape of the API's list (API §8.2).
type item struct {
	BillNo          string          `json:"billNo,omitempty"`
	AssetID         string          `json:"assetId,omitempty"`
	MaskedCardNo    string          `json:"maskedCardNo,omitempty"`
	CardNo          string          `json:"cardNo,omitempty"`
	OrderNo         string          `json:"orderNo,omitempty"`
	CardNickName    string          `json:"cardNickName,omitempty"`
	TransactionTime string          `json:"transactionTime,omitempty"`
	MerchantName    string          `json:"merchantName,omitempty"`
	TradeAmount     *amount         `json:"tradeAmount,omitempty"`
	InAmount        *amount         `json:"inAmount,omitempty"`
	OutAmount       *amount         `json:"outAmount,omitempty"`
	ExchangeRate    string          `json:"exchangeRate,omitempty"`
	BillType        string          `json:"billType,omitempty"`
	TradeCountry    string          `json:"tradeCountry,omitempty"`
	BillStatus      string          `json:"billStatus,omitempty"`
	BillFailReason  *reason         `json:"billFailReason,omitempty"`
	LastUpdate      string          `json:"lastUpdate,omitempty"`
	BudgetAccountID string          `json:"budgetAccountId,omitempty"`
	Metadata        json.RawMessage `json:"metadata,omitempty"`
}

type amount struct {
	Currency string `json:"currency"`
	Value    int64  `json:"value,string"`
}

type reason struct {
	Code string `json:"errorCode"`
	Desc string `json:"errorDesc"`
}

// itemOf writes a bill as the list shows it.
func itemOf(b *bill.Bill) item {
	it := item{
		BillNo:          b.BillNo,
		AssetID:         b.AssetID,
		MaskedCardNo:    b.MaskedCardNo,
		OrderNo:         b.OrderNo,
		CardNickName:    b.CardNickName,
		MerchantName:    b.MerchantName,
		TradeAmount:     amountOf(b.Trade),
		InAmount:        amountOf(b.In),
		OutAmount:       amountOf(b.Out),
		ExchangeRate:    b.ExchangeRate,
		BillType:        b.BillType,
		TradeCountry:    b.TradeCountry,
		BillStatus:      b.Status,
		LastUpdate:      b.LastUpdateRaw,
		BudgetAccountID: b.BudgetAccountID,
		Metadata:        json.RawMessage(b.Metadata),
	}
	if it.MaskedCardNo == "" && b.CardLast4 != "" {
		it.MaskedCardNo = "555555******" + b.CardLast4
	}
	if t := b.TransactionTime; !t.IsZero() {
		it.TransactionTime = t.In(beijing).Format("2006-01-02T15:04:05.999-07:00")
	}
	if b.FailCode != "" {
		it.BillFailReason = &reason{b.FailCode, b.FailDesc}
	}
	if it.LastUpdate == "" && !b.LastUpdate.IsZero() {
		it.LastUpdate = millis(b.LastUpdate)
	}
	return it
}

func amountOf(a *bill.Amount) *amount {
	if a == nil {
		return nil
	}
	return &amount{a.Currency, a.Value}
}

// quote is v as JSON, compact and with <, > and & as they are.
func quote(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("simulator: " + err.Error()) // metadata that is no JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// A glance is what a filter has to know of a bill that is only known as JSON.
type glance struct {
	time                                           time.Time
	orderNo, status, card, asset, merchant, budget string
}

// glanceAt reads what it can of a bill's JSON, whatever is wrong with the rest.
func glanceAt(raw json.RawMessage) glance {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return glance{}
	}
	text := func(name string) (s string) {
		if json.Unmarshal(fields[name], &s) != nil {
			return ""
		}
		return s
	}
	g := glance{
		orderNo:  text("orderNo"),
		status:   text("billStatus"),
		card:     text("maskedCardNo"),
		asset:    text("assetId"),
		merchant: text("merchantName"),
		budget:   text("budgetAccountId"),
	}
	if g.card == "" {
		g.card = text("cardNo")
	}
	if t, err := time.Parse(time.RFC3339, strings.TrimSpace(text("transactionTime"))); err == nil {
		g.time = t
	}
	return g
}

// admits applies a filter to a bill at a glance.
func (f *Filter) admits(g *glance) bool {
	return f.within(g.time) && f.status(g.status) && f.card(g.card) && f.merchant(g.merchant) &&
		f.order(g.orderNo) && f.budget(g.budget)
}
