package soak

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// stamp is how times stand in the database.
const stamp = "2006-01-02T15:04:05.000Z"

func stampOf(t time.Time) string { return t.UTC().Format(stamp) }

// A money is an amount of a bill; without a currency there is none.
type money struct {
	currency string
	value    int64
}

func (m money) String() string {
	if m.currency == "" {
		return ""
	}
	return fmt.Sprintf("%d %s", m.value, m.currency)
}

// A state is what the source says of a bill at a time.
type state struct {
	billNo, status, merchant, card, last4, failCode, rate string
	at                                                    time.Time // whole milliseconds
	trade, out, in                                        money
	update                                                time.Time // whole milliseconds; zero: not listed
	badTrade                                              bool      // the trade amount is unreadable
}

// String is the state as saidColumns says it of a row.
func (s *state) String() string {
	trade, update := s.trade, ""
	if s.badTrade {
		trade = money{}
	}
	if !s.update.IsZero() {
		update = stampOf(s.update)
	}
	return strings.Join([]string{
		s.billNo, stampOf(s.at), s.status, trade.String(), s.out.String(), s.in.String(), s.merchant, s.card, s.last4, s.failCode,
		s.rate, update,
	}, "|")
}

// saidColumns makes the same text of a row of bills or bill_history.
const saidColumns = `concat_ws('|', coalesce(bill_no, ''), transaction_time, coalesce(bill_status, ''),
	coalesce(trade_amount || ' ' || trade_currency, ''), coalesce(out_amount || ' ' || out_currency, ''),
	coalesce(in_amount || ' ' || in_currency, ''), coalesce(merchant_name, ''), coalesce(asset_id, ''), coalesce(card_last4, ''),
	coalesce(fail_code, ''), coalesce(exchange_rate, ''), coalesce(last_update, ''))`

// A spelling is a way to write the same bills: none of it is a change.
type spelling struct {
	reverse   bool // the order of the keys
	bare      bool // amounts are numbers, not texts
	zone      *time.Location
	nickNames int  // the cards are called differently
	budgets   bool // the list names the budget account, and metadata
}

// item writes a bill as the API lists it.
func (sp spelling) item(order string, s *state) json.RawMessage {
	return sp.write(order, s, sp.budgets)
}

// notification writes a bill as a notification tells of it: without what only
// the list has.
func (sp spelling) notification(order string, s *state) json.RawMessage {
	return sp.write(order, s, false)
}

func (sp spelling) write(order string, s *state, budget bool) json.RawMessage {
	type member struct {
		name  string
		value any
	}
	members := []member{
		{"orderNo", order}, {"assetId", s.card}, {"maskedCardNo", "555555******" + s.last4},
		{"transactionTime", s.at.In(sp.zone).Format("2006-01-02T15:04:05.999-07:00")},
		{"billType", "CARD_PAYMENT"}, {"billStatus", s.status}, {"tradeCountry", "US"},
		{"exchangeRate", s.rate}, {"cardNickName", fmt.Sprintf("card %d", sp.nickNames)},
	}
	amount := func(name string, m money, bad bool) {
		if m.currency == "" {
			return
		}
		var value any = fmt.Sprint(m.value)
		switch {
		case bad:
			value = fmt.Sprint(m.value) + ".50"
		case sp.bare:
			value = m.value
		}
		members = append(members, member{name, map[string]any{"currency": m.currency, "value": value}})
	}
	amount("tradeAmount", s.trade, s.badTrade)
	amount("outAmount", s.out, false)
	amount("inAmount", s.in, false)
	if s.merchant != "" {
		members = append(members, member{"merchantName", s.merchant})
	}
	if budget {
		members = append(members, member{"budgetAccountId", "BUDGET"}, member{"metadata", map[string]any{"project": order}})
	}
	if s.billNo != "" {
		members = append(members, member{"billNo", s.billNo})
	}
	if s.failCode != "" {
		members = append(members, member{"billFailReason", map[string]any{"errorCode": s.failCode, "errorDesc": "words"}})
	}
	if !s.update.IsZero() {
		members = append(members, member{"lastUpdate", fmt.Sprint(s.update.UnixMilli())})
	}
	var b strings.Builder
	for i := range members {
		m := members[i]
		if sp.reverse {
			m = members[len(members)-1-i]
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, `,%q:%s`, m.name, value)
	}
	return json.RawMessage("{" + b.String()[1:] + "}")
}
