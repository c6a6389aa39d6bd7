package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"billsync"
	"billsync/internal/bill"
	"billsync/internal/worldfirst"

	"github.com/jmoiron/sqlx"
)

// What a user would write instead: a Go program and a Python script, without a
// proof, a history, or a checkpoint. Both ask for the same windows one page
// after the other, and fill the same table with the same indexes, a transaction
// a page. The Go program signs its requests; the script, which has the standard
// library only, cannot and is let through.

// naiveCommand makes this program the naive one.
const naiveCommand = "naive"

// script is the Python one.
//
//go:embed naive.py
var script string

// A naiveOrder is what both are told on their command line, as JSON.
type naiveOrder struct {
	BaseURL  string `json:"base_url"`
	Key      string `json:"key"` // file; the script has none
	Database string `json:"database"`
	Since    int64  `json:"since"`    // Unix seconds, a midnight
	Until    int64  `json:"until"`    // Unix seconds
	Schema   string `json:"schema"`   // SQL
	Named    string `json:"named"`    // SQL that stores a bill, with names for the values
	Numbered string `json:"numbered"` // the same with question marks
}

// A naiveSample is one measured run of them.
type naiveSample struct {
	usage
	Rows     int `json:"rows"` // in the database at the end
	Read     int `json:"read"`
	Requests int `json:"requests"`
}

// naiveColumns are those a page brings, and what the table cannot do without.
var naiveColumns = []string{
	"account", "order_no", "bill_no", "ordinal", "bill_type", "bill_status", "asset_id", "masked_card_no", "card_last4",
	"card_nick_name", "transaction_time", "transaction_date", "merchant_name", "budget_account_id", "trade_amount",
	"trade_currency", "out_amount", "out_currency", "in_amount", "in_currency", "exchange_rate", "trade_country",
	"fail_code", "fail_desc", "last_update", "metadata", "first_seen_at", "changed_at", "read_at", "run_id", "content_hash", "raw",
}

func naiveTask(baseURL, key, database string, h history) naiveOrder {
	return naiveOrder{
		BaseURL: baseURL, Key: key, Database: database, Since: h.From.Unix(), Until: time.Now().Add(-2 * time.Minute).Unix(),
		Schema: billsync.Schema,
		Named: "INSERT INTO bills (" + strings.Join(naiveColumns, ", ") + ") VALUES (:" + strings.Join(naiveColumns, ", :") + ")" +
			onConflict(naiveColumns),
		Numbered: insertInto(naiveColumns) + onConflict(naiveColumns),
	}
}

// runNaive measures a whole process: this program as the naive one, or Python.
func runNaive(cmd *exec.Cmd, o naiveOrder) (n naiveSample, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return n, err
	}
	cmd.Args = append(cmd.Args, string(text))
	begun := time.Now()
	err = runJSON(cmd, &n)
	wall := time.Since(begun)
	if err != nil {
		return n, err
	}
	n.usage = usageOf(cmd.ProcessState, wall)
	return n, nil
}

// naiveMain is the process.
func naiveMain(order string, stdout io.Writer) error {
	var o naiveOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return fmt.Errorf("reading what to do: %w", err)
	}
	n, err := naive(context.Background(), o)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(n)
}

// A naivePage is an answer.
type naivePage struct {
	Result struct {
		Status string `json:"resultStatus"`
		Code   string `json:"resultCode"`
	} `json:"result"`
	Bills      []json.RawMessage `json:"billList"`
	TotalPages int               `json:"totalPageNumber"`
}

type naiveAmount struct {
	Currency string `json:"currency"`
	Value    string `json:"value"`
}

// A naiveBill is an element of the list.
type naiveBill struct {
	BillNo          string       `json:"billNo"`
	AssetID         string       `json:"assetId"`
	MaskedCardNo    string       `json:"maskedCardNo"`
	OrderNo         string       `json:"orderNo"`
	CardNickName    string       `json:"cardNickName"`
	TransactionTime time.Time    `json:"transactionTime"`
	MerchantName    string       `json:"merchantName"`
	TradeAmount     *naiveAmount `json:"tradeAmount"`
	OutAmount       *naiveAmount `json:"outAmount"`
	InAmount        *naiveAmount `json:"inAmount"`
	ExchangeRate    string       `json:"exchangeRate"`
	BillType        string       `json:"billType"`
	TradeCountry    string       `json:"tradeCountry"`
	BillStatus      string       `json:"billStatus"`
	FailReason      *struct {
		Code string `json:"errorCode"`
		Desc string `json:"errorDesc"`
	} `json:"billFailReason"`
	LastUpdate      string `json:"lastUpdate"`
	BudgetAccountID string `json:"budgetAccountId"`
}

// A naiveRow is a row of the table.
type naiveRow struct {
	Account         string  `db:"account"`
	OrderNo         string  `db:"order_no"`
	BillNo          *string `db:"bill_no"`
	Ordinal         int     `db:"ordinal"`
	BillType        string  `db:"bill_type"`
	BillStatus      string  `db:"bill_status"`
	AssetID         string  `db:"asset_id"`
	MaskedCardNo    string  `db:"masked_card_no"`
	CardLast4       string  `db:"card_last4"`
	CardNickName    string  `db:"card_nick_name"`
	TransactionTime string  `db:"transaction_time"`
	TransactionDate string  `db:"transaction_date"`
	MerchantName    string  `db:"merchant_name"`
	BudgetAccountID *string `db:"budget_account_id"`
	TradeAmount     *int64  `db:"trade_amount"`
	TradeCurrency   *string `db:"trade_currency"`
	OutAmount       *int64  `db:"out_amount"`
	OutCurrency     *string `db:"out_currency"`
	InAmount        *int64  `db:"in_amount"`
	InCurrency      *string `db:"in_currency"`
	ExchangeRate    *string `db:"exchange_rate"`
	TradeCountry    string  `db:"trade_country"`
	FailCode        *string `db:"fail_code"`
	FailDesc        *string `db:"fail_desc"`
	LastUpdate      string  `db:"last_update"`
	Metadata        *string `db:"metadata"`
	FirstSeenAt     string  `db:"first_seen_at"`
	ChangedAt       string  `db:"changed_at"`
	ReadAt          string  `db:"read_at"`
	RunID           int     `db:"run_id"`
	ContentHash     string  `db:"content_hash"`
	Raw             string  `db:"raw"`
}

const naiveTime = "2006-01-02T15:04:05.000Z"

func naive(ctx context.Context, o naiveOrder) (n naiveSample, err error) {
	key, err := worldfirst.LoadPrivateKey(o.Key)
	if err != nil {
		return n, err
	}
	db, err := sqlx.Open("sqlite3", "file:"+escaped(o.Database)+"?_journal_mode=WAL&_synchronous=NORMAL")
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var tables int
	if err := db.GetContext(ctx, &tables, "SELECT count(*) FROM sqlite_master"); err != nil {
		return n, err
	}
	if tables == 0 {
		if _, err := db.ExecContext(ctx, o.Schema); err != nil {
			return n, err
		}
	}
	for _, span := range bill.Layout(time.Unix(o.Since, 0).In(zone), time.Unix(o.Until, 0), bill.MaxWindowDays) {
		for page, pages := 1, 1; page <= pages; page++ {
			got, err := naiveAsk(ctx, o.BaseURL, key, span, page)
			if err != nil {
				return n, err
			}
			pages = got.TotalPages
			n.Requests++
			n.Read += len(got.Bills)
			if err := naiveStore(ctx, db, o.Named, got.Bills); err != nil {
				return n, err
			}
		}
	}
	return n, db.GetContext(ctx, &n.Rows, "SELECT count(*) FROM bills")
}

func naiveAsk(ctx context.Context, baseURL string, key *rsa.PrivateKey, span bill.Span, page int) (got naivePage, err error) {
	body, err := json.Marshal(map[string]any{
		"startTime": span.Start.Format(worldfirst.TimeFormat), "endTime": span.End.Format(worldfirst.TimeFormat),
		"pageNumber": page, "pageSize": fullPage,
	})
	if err != nil {
		return got, err
	}
	at := time.Now().In(zone).Format(worldfirst.TimeFormat)
	signature, err := worldfirst.Sign(key, 2, http.MethodPost, worldfirst.QueryBillListPath, clientID, at, body)
	if err != nil {
		return got, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, baseURL+worldfirst.QueryBillListPath, bytes.NewReader(body))
	if err != nil {
		return got, err
	}
	req.Header.Set("Client-Id", clientID)
	req.Header.Set("Request-Time", at)
	req.Header.Set("Signature", signature)
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return got, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return got, err
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return got, err
	}
	if got.Result.Status != "S" {
		return got, fmt.Errorf("the server says %s", got.Result.Code)
	}
	return got, nil
}

func naiveStore(ctx context.Context, db *sqlx.DB, upsert string, bills []json.RawMessage) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, raw := range bills {
		row, err := naiveRowOf(raw)
		if err != nil {
			return err
		}
		if _, err := tx.NamedExecContext(ctx, upsert, row); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func naiveRowOf(raw json.RawMessage) (*naiveRow, error) {
	var b naiveBill
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, err
	}
	now, sum := time.Now().UTC().Format(naiveTime), sha256.Sum256(raw)
	r := &naiveRow{
		Account: "main", OrderNo: b.OrderNo, BillNo: orNil(b.BillNo), BillType: b.BillType, BillStatus: b.BillStatus, AssetID: b.AssetID,
		MaskedCardNo: b.MaskedCardNo, CardLast4: b.MaskedCardNo[len(b.MaskedCardNo)-4:], CardNickName: b.CardNickName,
		TransactionTime: b.TransactionTime.UTC().Format(naiveTime), TransactionDate: b.TransactionTime.In(zone).Format(time.DateOnly),
		MerchantName: b.MerchantName, BudgetAccountID: orNil(b.BudgetAccountID), ExchangeRate: orNil(b.ExchangeRate), TradeCountry: b.TradeCountry,
		FirstSeenAt: now, ChangedAt: now, ReadAt: now, RunID: 1, ContentHash: hex.EncodeToString(sum[:16]), Raw: string(raw),
	}
	if b.FailReason != nil {
		r.FailCode, r.FailDesc = &b.FailReason.Code, &b.FailReason.Desc
	}
	for _, a := range []struct {
		from     *naiveAmount
		value    **int64
		currency **string
	}{
		{b.TradeAmount, &r.TradeAmount, &r.TradeCurrency}, {b.OutAmount, &r.OutAmount, &r.OutCurrency}, {b.InAmount, &r.InAmount, &r.InCurrency},
	} {
		if a.from == nil {
			continue
		}
		v, err := strconv.ParseInt(a.from.Value, 10, 64)
		if err != nil {
			return nil, err
		}
		*a.value, *a.currency = &v, &a.from.Currency
	}
	ms, err := strconv.ParseInt(b.LastUpdate, 10, 64)
	if err != nil {
		return nil, err
	}
	r.LastUpdate = time.UnixMilli(ms).UTC().Format(naiveTime)
	return r, nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
