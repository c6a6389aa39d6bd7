package worldfirst

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"billsync/internal/bill"
	"billsync/internal/card"
	"billsync/internal/secret"
)

// The calls about cards, as they are named in messages and errors.
const (
	opQueryCardSensitive  = "queryCardSensitiveInfo"
	opCreateCardholder    = "createCardholder"
	opQueryCardholderList = "queryCardholderList"
)

// connectedAccount is the header of the calls about cards (API §12).
const connectedAccount = "Connected-AccountId"

// QueryCardSensitiveInfo asks for the secret details of a card (API §7.3). The
// caller wipes them. What was received is overwritten here, and nothing of it
// is in an error.
//
// The answer's asset id and account id are given as they came; whether they are
// the right ones is for the caller to judge. The Chinese page says that the
// secrets are returned "as needed": one that is missing is an empty Text, and
// only an answer without any of them is incomplete.
func (c *Client) QueryCardSensitiveInfo(ctx context.Context, acct bill.Account, assetID string) (card.Details, error) {
	body, err := encodeBody(struct {
		AssetID string `json:"assetId"`
	}{assetID})
	if err != nil {
		return card.Details{}, fmt.Errorf("%s: %w", opQueryCardSensitive, err)
	}
	var d card.Details
	err = c.ask(ctx, call{
		op: opQueryCardSensitive, path: QueryCardSensitiveInfoPath, account: acct.Name, body: body,
		connectedAs: connectedAccount, connectedID: acct.ConnectedAccountID, private: true,
	}, func(doc *document) error {
		var err error
		d, err = decodeDetails(doc)
		return err
	}, nil)
	return d, err
}

// decodeDetails reads what a yes to queryCardSensitiveInfo carries. Its errors
// name fields and never what is in them.
func decodeDetails(doc *document) (card.Details, error) {
	d := card.Details{AssetID: exactText(doc, "assetId"), AccountID: exactText(doc, "accountId")}
	fields := []struct {
		name string
		to   *secret.Text
	}{{"cardNo", &d.Number}, {"cvv", &d.CVV}, {"expiredMonth", &d.Month}, {"expiredYear", &d.Year}}
	var missing []string
	for _, f := range fields {
		v := doc.find(0, f.name)
		if v == 0 || !doc.isScalar(v) || len(doc.text(v)) == 0 {
			missing = append(missing, f.name)
			continue
		}
		text := doc.text(v)
		*f.to = secret.New(text)
		clear(text) // a copy, if the answer had it with escapes
	}
	if len(missing) == len(fields) {
		return card.Details{}, errors.New(strings.Join(missing, ", ") + " are missing")
	}
	return d, nil
}

// exactText returns a text of the answer's top level that will be compared: as
// it came, to the last character. It is empty if there is none. What is longer
// than an id can be, or no text at all, is nothing that an id could be equal to.
func exactText(doc *document, name string) string {
	v := doc.find(0, name)
	switch {
	case v == 0:
		return ""
	case !doc.isScalar(v):
		return "(" + doc.kind(v) + ")"
	}
	text := doc.text(v)
	if len(text) > maxID {
		return string(text[:maxID]) + "…"
	}
	return string(text)
}

// CreateCardholder registers a cardholder, or repeats the request to do so: the
// same request id with the same content is one request to the provider (API
// §7.2). A Failure that is Repeated says that the id was received before; what
// became of it is in the list of cardholders.
func (c *Client) CreateCardholder(ctx context.Context, acct bill.Account, a card.Application) (card.Holder, error) {
	body, err := encodeBody(struct {
		RequestID string          `json:"requestId"`
		Info      json.RawMessage `json:"cardholderInfo"`
		Type      string          `json:"cardholderType"`
	}{a.RequestID, nil, a.Type})
	if err != nil {
		return card.Holder{}, fmt.Errorf("%s: %w", opCreateCardholder, err)
	}
	// An encoder would write the object anew; it is passed on byte for byte.
	body = bytes.Replace(body, []byte(`"cardholderInfo":null`), append([]byte(`"cardholderInfo":`), a.Info...), 1)
	var h card.Holder
	private := newRedactor(a.Info)
	err = c.ask(ctx, call{
		op: opCreateCardholder, path: CreateCardholderPath, account: acct.Name, body: body,
		connectedAs: connectedAccount, connectedID: acct.ConnectedAccountID, private: true,
	}, func(doc *document) error {
		h = decodeHolder(doc, 0, private)
		if h.AuditStatus == "" && h.OrderID == "" && h.CardholderID == "" {
			return errors.New("auditStatus, orderId and cardholderId are missing")
		}
		return nil
	}, nil)
	// The provider may say what it does not like about a name.
	if f, ok := bill.AsFailure(err); ok {
		f.Code, f.Message = private.redact(f.Code), private.redact(f.Message)
	}
	return h, err
}

// QueryCardholderList asks for one page of the cardholders, all or those with
// an audit status (API §7.2). The page size is 1 to 50.
func (c *Client) QueryCardholderList(ctx context.Context, acct bill.Account, auditStatus string, page, size int) (card.HolderPage, error) {
	body, err := encodeBody(struct {
		AuditStatus string `json:"auditStatus,omitempty"`
		PageNumber  int    `json:"pageNumber"`
		PageSize    int    `json:"pageSize"`
	}{auditStatus, page, size})
	if err != nil {
		return card.HolderPage{}, fmt.Errorf("%s: %w", opQueryCardholderList, err)
	}
	var p card.HolderPage
	err = c.ask(ctx, call{
		op: opQueryCardholderList, path: QueryCardholderListPath, account: acct.Name, page: page, body: body,
		connectedAs: connectedAccount, connectedID: acct.ConnectedAccountID, private: true,
	}, func(doc *document) error {
		p = decodeHolders(doc)
		return nil
	}, nil)
	return p, err
}

// decodeHolder reads what is said of a cardholder in an object.
func decodeHolder(doc *document, object int, private redactor) card.Holder {
	text := func(name string) string {
		if v := doc.find(object, name); v != 0 && doc.isScalar(v) {
			return plain(doc.text(v))
		}
		return ""
	}
	h := card.Holder{
		RequestID: text("requestId"), OrderID: text("orderId"), CardholderID: text("cardholderId"), Type: text("cardholderType"),
		AuditStatus: text("auditStatus"), AvailableStatus: text("availableStatus"), FailCode: text("failCode"),
	}
	if v := doc.find(object, "failMessage"); v != 0 && doc.isScalar(v) {
		h.FailMessage = private.redact(oneLine(string(doc.text(v)), maxMessage))
	}
	return h
}

// decodeHolders reads a list of cardholders. Its fields are not published (API
// §7.2): whichever objects in a list have a cardholder's or an order's id are the
// entries, wherever in the answer the list stands.
func decodeHolders(doc *document) card.HolderPage {
	var p card.HolderPage
	gatherHolders(doc, 0, &p, 0)
	return p
}

// maxNested is how deep in an answer the list of cardholders may stand.
const maxNested = 4

func gatherHolders(doc *document, object int, p *card.HolderPage, depth int) {
	for _, n := range []struct {
		name string
		to   *int
	}{{"currentPageNumber", &p.Number}, {"totalCount", &p.TotalCount}, {"totalPageNumber", &p.TotalPages}} {
		if v := doc.find(object, n.name); v != 0 {
			if number, err := count(doc, v); err == nil {
				*n.to = number
			}
		}
	}
	if depth == maxNested {
		return
	}
	for _, m := range doc.appendMembers(nil, object) {
		switch doc.first(m.value) {
		case '{':
			gatherHolders(doc, m.value, p, depth+1)
		case '[':
			v := m.value + 1
			for range doc.count(m.value) {
				if doc.first(v) == '{' {
					h := decodeHolder(doc, v, redactor{})
					// Whose words these are about is known, what of them says who that
					// is is not: the code has to do.
					h.FailMessage = ""
					if h.CardholderID != "" || h.OrderID != "" {
						p.Holders = append(p.Holders, h)
					}
				}
				v = doc.next(v)
			}
		}
	}
}

// maxID bounds ids and short words of the provider, in characters.
const maxID = 256

// plain is an id or a word of the provider as it may be shown: in one line.
// Long runs of digits are normal in ids, so they stay.
func plain(text []byte) string {
	var b []rune
	for _, r := range string(text) {
		if len(b) == maxID {
			break
		}
		if r >= ' ' && r != 0x7f && (r < 0x80 || r >= 0xa0) && r != '\u2028' && r != '\u2029' {
			b = append(b, r)
		}
	}
	return string(b)
}

// encodeBody writes a request's body. These bytes are signed and sent as they
// are, by every try.
func encodeBody(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // & stays &, as in the documented bodies
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
