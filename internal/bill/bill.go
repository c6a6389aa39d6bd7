package bill

import "time"

// A Bill is one entry in the provider's bill list (API §8). An empty string
// means that the provider did not send the field, a nil amount likewise.
type Bill struct {
	OrderNo         string    // the order of the purchase; several bills may share it (API §8.3)
	BillNo          string    // one card authorisation inside the order; may be absent (API §8.2)
	BillType        string    // open list, CARD_PAYMENT documented
	Status          string    // billStatus, an open list (API §8.5)
	AssetID         string    // the card
	MaskedCardNo    string    // never more than the last four digits of a full number
	CardLast4       string    // the last four digits of maskedCardNo or cardNo
	CardNickName    string    // the user's label; its change is no change of the bill
	TransactionTime time.Time // when the transaction was made, UTC, whole milliseconds
	MerchantName    string
	BudgetAccountID string
	Trade           *Amount // in the merchant's currency
	Out             *Amount // money leaving the card's account
	In              *Amount // money returned, a refund for instance
	ExchangeRate    string  // as received, never recomputed (API §9.6)
	TradeCountry    string
	FailCode        string    // billFailReason.errorCode
	FailDesc        string    // billFailReason.errorDesc
	LastUpdate      time.Time // the provider's last change, UTC, whole milliseconds; zero if not readable (API §9.5)
	LastUpdateRaw   string    // lastUpdate as received
	Metadata        string    // JSON object as received, scrubbed; empty if absent

	// Raw is the JSON of the whole bill as received, full card numbers removed.
	Raw []byte

	// Hash stands for the values of all API fields except the card's nickname:
	// two bills with equal hashes say the same. It does not depend on the order
	// of keys, on blanks, or on whether a number came as a string, and it is
	// the same in every process.
	// It can be made again from Raw, which "syncer verify" does: whoever changes
	// what goes into it, or what is removed from Raw, needs a migration that makes
	// it anew for all that is stored.
	Hash string
}

// Second is the bill's transaction time in whole UTC seconds, the part of the
// time that belongs to its identity (API §8.3).
func (b *Bill) Second() int64 { return b.TransactionTime.Unix() }

// Alike reports whether two bills could be states of one bill by the parts that
// rarely change: the traded amount and the card.
func (b *Bill) Alike(o *Bill) bool {
	return sameAmount(b.Trade, o.Trade) && sameCard(b, o)
}

func sameAmount(a, b *Amount) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// sameCard compares what both sides know of the card: one answer may carry the
// asset id, another only a masked number (API §8.3).
func sameCard(a, b *Bill) bool {
	if a.AssetID != "" && b.AssetID != "" {
		return a.AssetID == b.AssetID
	}
	return a.CardLast4 == "" || b.CardLast4 == "" || a.CardLast4 == b.CardLast4
}

// An Item is one element of a page's bill list, understood or not.
type Item struct {
	Bill Bill
	// Problems names what could not be understood, one entry per field, such
	// as `tradeAmount: value "12.50" is not a whole number of smallest units`.
	// Empty: all was.
	Problems []string
	// Rejected says that the item has no readable order number or time and so
	// cannot be a bill. Only Bill.Raw and Bill.Hash are set then.
	Rejected bool
}

// A Query asks the provider for one page of bills (API §6.1).
type Query struct {
	Start, End       time.Time      // bounds of the transaction time, whole seconds
	Zone             *time.Location // offset in which the bounds are sent; nil is UTC
	Page             int            // first page is 1
	PageSize         int            // 1 to 100
	Statuses         []string       // billStatusList
	CardLast4        string         // cardNo: only ever the last four digits
	MerchantName     string
	OrderNo          string
	BudgetAccountIDs []string

	// KnownHash is what Page.Hash was when this page was read before; empty if
	// it was not. It is not sent: an answer with the same list is not decoded.
	KnownHash string
}

// A Page is one answer to a Query.
type Page struct {
	Number     int       // currentPageNumber; 0 if the answer does not say
	TotalCount int       // bills that match the query
	TotalPages int       // totalPageNumber; 0 if the answer does not say
	Items      []Item    // nil if Unchanged
	Count      int       // elements of the bill list, decoded or not
	Hash       string    // of the bill list's bytes as received; the same in every process
	Unchanged  bool      // Hash is the query's KnownHash, so nothing was decoded
	List       []byte    // the bill list as received, to decode it after all; nil unless Unchanged
	AskedAt    time.Time // when the fetch began, by our clock, UTC
	// ServerTime is the answer's Response-Time; zero if it was not readable.
	ServerTime time.Time
}

// An Account says whose bills are asked for, and as whom.
type Account struct {
	Name                string
	ConnectedCustomerID string // header of queryBillList (API §12)
	ConnectedAccountID  string // header of the card and cardholder calls
}
