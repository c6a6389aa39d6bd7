package simulator

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// AtOnce, as Options.Review, ends every review with the answer itself.
const AtOnce time.Duration = -1

// reviewTime is how long a review takes unless the options say otherwise.
const reviewTime = 10 * time.Minute

// holderTypes are the documented values of cardholderType (API §7.2).
var holderTypes = []string{"INDIVIDUAL", "EMPLOYEE", "SHAREHOLDER"}

// A Cardholder is one that was registered.
type Cardholder struct {
	Account   string // Connected-AccountId; empty: the client's own
	RequestID string
	Type      string
	Info      []byte // cardholderInfo as received
	At        time.Time

	number   int
	reviewed time.Time // when the review ends
}

// holders are the cardholders of a server, in the order of their registration.
type holders struct {
	mu  sync.Mutex
	all []*Cardholder
}

// Cardholders returns all cardholders that were registered.
func (s *Server) Cardholders() []Cardholder {
	s.holders.mu.Lock()
	defer s.holders.mu.Unlock()
	var out []Cardholder
	for _, h := range s.holders.all {
		out = append(out, *h)
	}
	return out
}

// A holderRequest is the body of createCardholder.
type holderRequest struct {
	id, kind string
	info     []byte
}

var holderID = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

// readHolder reads the body of createCardholder. What is in cardholderInfo is not
// published; of the lengths that sister calls name for requestId the shortest is
// taken (API §7.2).
func (a *answer) readHolder(body []byte) error {
	if !utf8.Valid(body) {
		return illegal("the body is not UTF-8")
	}
	fields, err := readObject(body)
	if err != nil {
		return err
	}
	for _, name := range []string{"requestId", "cardholderInfo", "cardholderType"} {
		if fields[name] == nil {
			return illegalf("%s is missing", name)
		}
	}
	if len(fields) > 3 {
		return illegal("there is a field that is not of this API")
	}
	var q holderRequest
	if q.id, err = readText(fields["requestId"]); err != nil || !holderID.MatchString(q.id) {
		return illegal("requestId is not 1 to 32 letters and digits")
	}
	if q.kind, err = readText(fields["cardholderType"]); err != nil || !slices.Contains(holderTypes, q.kind) {
		return illegal("cardholderType is not one of " + strings.Join(holderTypes, ", "))
	}
	if q.info = fields["cardholderInfo"]; q.info[0] != '{' {
		return illegal("cardholderInfo is not an object")
	}
	a.holder = &q
	return nil
}

// register answers createCardholder. A request id makes one cardholder, whatever
// comes: what is answered to the same request again is not documented, so the
// options decide; another request under the same id is always refused.
func (a *answer) register() result {
	s, q := a.server, a.holder
	s.holders.mu.Lock()
	defer s.holders.mu.Unlock()
	i := slices.IndexFunc(s.holders.all, func(h *Cardholder) bool { return h.Account == a.req.Customer && h.RequestID == q.id })
	if i >= 0 {
		h := s.holders.all[i]
		if s.opts.RefuseRepeats || h.Type != q.kind || !bytes.Equal(h.Info, q.info) {
			return a.no(results["REPEAT_REQUEST"])
		}
		return a.yes(s.review(h).members())
	}
	now := s.opts.Now()
	h := &Cardholder{Account: a.req.Customer, RequestID: q.id, Type: q.kind, Info: q.info, At: now, number: len(s.holders.all) + 1}
	switch review := s.opts.Review; {
	case review == 0:
		h.reviewed = now.Add(reviewTime)
	default:
		h.reviewed = now.Add(max(review, 0))
	}
	s.holders.all = append(s.holders.all, h)
	return a.yes(s.review(h).members())
}

// A review is how a cardholder's review stands.
type review struct {
	OrderID         string `json:"orderId"`
	CardholderID    string `json:"cardholderId,omitempty"`
	AuditStatus     string `json:"auditStatus"`
	AvailableStatus string `json:"availableStatus"`
	FailCode        string `json:"failCode,omitempty"`
	FailMessage     string `json:"failMessage,omitempty"`
}

// review looks at the clock. A cardholder in whose information the word REJECT
// stands is rejected in the end, all others are approved.
func (s *Server) review(h *Cardholder) review {
	r := review{OrderID: fmt.Sprintf("OR%026d", h.number), AvailableStatus: "F"}
	switch {
	case s.opts.Now().Before(h.reviewed):
		r.AuditStatus, r.FailCode, r.FailMessage = "PENDING", "AUDIT_PENDING", "The review is not finished."
	case bytes.Contains(bytes.ToUpper(h.Info), []byte("REJECT")):
		r.AuditStatus, r.FailCode, r.FailMessage = "REJECTED", "AUDIT_REJECTED", "The information was not accepted."
	default:
		r.AuditStatus, r.AvailableStatus, r.CardholderID = "APPROVED", "T", fmt.Sprintf("CH%026d", h.number)
	}
	return r
}

// members writes the review as members of an answer's object.
func (r review) members() []byte {
	text := quote(r)
	return append([]byte{','}, text[1:len(text)-1]...)
}

// A holderQuery is the body of queryCardholderList.
type holderQuery struct {
	status     string
	page, size int
}

// readHolderQuery reads the body of queryCardholderList.
func (a *answer) readHolderQuery(body []byte) error {
	if !utf8.Valid(body) {
		return illegal("the body is not UTF-8")
	}
	fields, err := readObject(body)
	if err != nil {
		return err
	}
	q := holderQuery{page: 1, size: 10}
	for name, raw := range fields {
		switch name {
		case "auditStatus":
			if q.status, err = readText(raw); err == nil && !slices.Contains([]string{"APPROVED", "PENDING", "REJECTED"}, q.status) {
				err = illegal("is no audit status")
			}
		case "pageNumber":
			q.page, err = readInteger(raw, 1, 999999)
		case "pageSize":
			q.size, err = readInteger(raw, 1, 50)
		default:
			err = illegal("is not a field of this API")
		}
		if err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	a.holders = &q
	return nil
}

// listHolders answers queryCardholderList, the newest cardholder first. The
// fields of its entries are not published; these are those of createCardholder.
func (a *answer) listHolders() result {
	type entry struct {
		review
		Type string  `json:"cardholderType"`
		Info rawInfo `json:"cardholderInfo"`
	}
	s, q := a.server, a.holders
	var found []entry
	s.holders.mu.Lock()
	for _, h := range slices.Backward(s.holders.all) {
		if r := s.review(h); h.Account == a.req.Customer && (q.status == "" || q.status == r.AuditStatus) {
			found = append(found, entry{r, h.Type, h.Info})
		}
	}
	s.holders.mu.Unlock()
	if a.fault.Kind == EmptyList {
		found = nil
	}
	total := len(found)
	from := min((q.page-1)*q.size, total)
	page := append([]entry{}, found[from:min(from+q.size, total)]...)
	members := append([]byte(`,"cardholderList":`), quote(page)...)
	for _, f := range []struct {
		name  string
		value int
	}{{"currentPageNumber", q.page}, {"totalCount", total}, {"totalPageNumber", (total + q.size - 1) / q.size}} {
		members = append(members, fmt.Sprintf(",%q:%s", f.name, s.integer(f.value))...)
	}
	return a.yes(members)
}

// integer writes a count as the options say.
func (s *Server) integer(n int) string {
	if s.opts.IntegersAsStrings {
		return strconv.Quote(strconv.Itoa(n))
	}
	return strconv.Itoa(n)
}

// rawInfo is listed as it was received.
type rawInfo []byte

// MarshalJSON implements json.Marshaler.
func (r rawInfo) MarshalJSON() ([]byte, error) { return r, nil }
