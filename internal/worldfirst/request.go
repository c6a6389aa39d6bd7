package worldfirst

import (
	"errors"
	"time"

	"billsync/internal/bill"
)

// beijing is the offset in which Request-Time is sent, as all official examples
// do (API §3.4). It is fixed so that no time zone database is needed.
var beijing = time.FixedZone("", 8*60*60)

// billQuery is the body of queryBillList (API §6.1). The order of its fields is
// the documented one; empty optional ones are left out.
type billQuery struct {
	StartTime        string   `json:"startTime"`
	EndTime          string   `json:"endTime"`
	PageNumber       int      `json:"pageNumber"`
	PageSize         int      `json:"pageSize"`
	Statuses         []string `json:"billStatusList,omitempty"`
	CardNo           string   `json:"cardNo,omitempty"`
	MerchantName     string   `json:"merchantName,omitempty"`
	OrderNo          string   `json:"orderNo,omitempty"`
	BudgetAccountIDs []string `json:"budgetAccountIdList,omitempty"`
}

// encodeQuery writes the body of queryBillList. These bytes are signed and sent
// as they are, by every try.
func encodeQuery(q bill.Query) ([]byte, error) {
	if q.CardLast4 != "" && (len(q.CardLast4) != 4 || lastFourOf(q.CardLast4) == "") {
		// The API would take a full number, too; none may ever leave us.
		return nil, errors.New("card filter must be exactly the last four digits")
	}
	zone := q.Zone
	if zone == nil {
		zone = time.UTC
	}
	return encodeBody(billQuery{
		StartTime:        q.Start.In(zone).Format(TimeFormat),
		EndTime:          q.End.In(zone).Format(TimeFormat),
		PageNumber:       q.Page,
		PageSize:         q.PageSize,
		Statuses:         q.Statuses,
		CardNo:           q.CardLast4,
		MerchantName:     q.MerchantName,
		OrderNo:          q.OrderNo,
		BudgetAccountIDs: q.BudgetAccountIDs,
	})
}

// checkHeader refuses text that a header cannot carry, before the HTTP client
// would take it for a broken connection.
func checkHeader(text string) error {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return errors.New("it has characters that a header cannot carry")
		}
	}
	return nil
}
