package card

import "encoding/json"

// HolderTypes are the documented values of cardholderType (API §7.2).
var HolderTypes = []string{"INDIVIDUAL", "EMPLOYEE", "SHAREHOLDER"}

// An Application asks for a cardholder to be registered (API §7.2).
type Application struct {
	RequestID string          // ours; equal ids are one request to the provider
	Type      string          // one of HolderTypes
	Info      json.RawMessage // cardholderInfo, an object, passed on as it is; identity data
}

// A Holder is what the provider says of a cardholder: the answer to an
// Application, or an entry in the list of cardholders.
type Holder struct {
	RequestID       string // of the application, where a list has it
	OrderID         string // of the application
	CardholderID    string // once approved
	Type            string // cardholderType, where a list has it
	AuditStatus     string // APPROVED, PENDING, REJECTED; an open list to us
	AvailableStatus string // T or F
	FailCode        string // why it is not available
	FailMessage     string
}

// A HolderPage is one answer to queryCardholderList.
type HolderPage struct {
	Holders    []Holder
	Number     int // currentPageNumber; 0 if the answer does not say
	TotalCount int
	TotalPages int // 0 if the answer does not say
}
