package simulator

// A result is the envelope of an answer (API §3.3).
type result struct {
	Code    string `json:"resultCode"`
	Status  string `json:"resultStatus"`
	Message string `json:"resultMessage"`
}

// results are the result codes the API documents for its calls and for its
// gateway (API §6.3, §7).
var results = func() map[string]result {
	m := make(map[string]result)
	for _, r := range []result{
		{"SUCCESS", "S", "Success"},
		{"SYSTEM_ERROR", "F", "System error."},
		{"PARAM_ILLEGAL", "F", "Illegal parameters exist."},
		{"UNKNOWN_EXCEPTION", "U", "API failed due to unknown reason."},
		{"CONTRACT_NOT_EXIST", "F", "The contract check has failed"},
		{"ACCESS_TOKEN_EXPIRED", "F", "The access token expired."},
		{"AUTHORIZATION_NOT_EXIST", "F", "The authorization does not exist."},
		{"REQUEST_TRAFFIC_EXCEED_LIMIT", "U", "The request traffic exceeds the limit."},
		{"SERVICE_NOT_ALLOWED", "F", "The service is not allowed."},
		{"OAUTH_FAIL", "F", "The OAuth process failed."},
		{"INVALID_API", "F", "The called API is invalid or not active."},
		{"INVALID_CLIENT", "F", "The client is invalid."},
		{"INVALID_SIGNATURE", "F", "The signature is invalid."},
		{"METHOD_NOT_SUPPORTED", "F", "The server does not implement the requested HTTP method."},
		{"CONTRACT_CHECK_FAIL", "F", "The contract check has failed."},
		{"USER_NOT_EXIST", "F", "The user does not exist."},
		{"PROCESS_FAIL", "F", "A general business failure occurred."},
		{"RISK_REJECT", "F", "Request rejected due to risk concerns."},
		{"REPEAT_REQUEST", "U", "Repeat request"},
		{"AUTH_CODE_NOT_EXIST", "F", "The authorization code does not exist."},
		{"AUTH_CODE_EXPIRED", "F", "The authorization code expired."},
	} {
		m[r.Code] = r
	}
	return m
}()

// A status is an index into statuses.
type status uint8

const (
	waitingClearance status = iota
	success
	failed
	refunded
	cancelled
	partialCancel
	partialRefund
	waitingDeduct
)

// statuses are the documented values of billStatus (API §8.5).
var statuses = [...]string{
	waitingClearance: "WAITING_CLEARANCE",
	success:          "SUCCESS",
	failed:           "FAILED",
	refunded:         "REFUNDED",
	cancelled:        "CANCELLED",
	partialCancel:    "PARTIAL_CANCEL",
	partialRefund:    "PARTIAL_REFUND",
	waitingDeduct:    "WAITING_DEDUCT",
}

// A failReason is why a bill failed (API §6.4), in the document's own words,
// misspellings included.
type failReason struct {
	code, desc string
	weight     int64 // how often it happens, relative to the others
}

var failReasons = [...]failReason{
	{"WORLD_CARD_BALANCE_NOT_ENOUGH", "Insufficient account balance.", 26},
	{"WORLD_CARD_OVER_LIMIT", "Insufficient daily/monthly limit.", 20},
	{"WORLD_CARD_AVS_RESULT", "AVS verification failed.", 5},
	{"WORLD_CARD_ASSERT_ERROR", "The card has expired.", 2},
	{"WORLD_CARD_SECURITY_REJECT", "Risk control rejection.", 9},
	{"WORLD_CARD_INVALID_MERCHANT", "Invalid merchant.", 3},
	{"UN_KNOWN_EXCEPTION", "Unknow reason.", 3},
	{"WORLD_CARD_INVALID_AMOUNT", "Invalid payment amount.", 2},
	{"WORLD_CARD_INVALID_CARD_NUMBER", "Invaild card number.", 2},
	{"WORLD_CARD_EXPIRED_CARD", "Card expired.", 4},
	{"WORLD_CARD_INCORRECT_PIN", "Incorrect PIN.", 2},
	{"WORLD_CARD_INVALID_TRANSACTION", "Abnormal transaction.", 3},
	{"WORLD_CARD_EXCEED_WITHDRAW_AMOUNT_LIMIT", "Withdrawal amount limit exceeded.", 2},
	{"WORLD_CARD_EXCEED_WITHDRAW_FREQUENCY_LIMIT", "Withdrawal frequency limit exceeded.", 2},
	{"WORLD_CARD_VERIFICATION_FAILED", "Verification failed.", 3},
	{"WORLD_CARD_EXCEED_PIN_ALLOW_NUMBER", "Exceeded allowed PIN attempts.", 2},
	{"WORLD_CARD_AUTHENTICATION_REQUIRED", "Authentication required.", 4},
	{"WORLD_CARD_CVV2_FAILURE", "CVV2 verification failed.", 4},
	{"WORLD_CARD_INVALID_CARD", "Invalid card.", 2},
	{"BALANCE_ACCOUNT_NOT_AVAILABLE", "Account status abnormal.", 2},
	{"SYSTEM_ERROR", "System error.", 2},
}

// pickReason draws a reason by weight.
func pickReason(r *stream) uint8 {
	var sum int64
	for i := range failReasons {
		sum += failReasons[i].weight
	}
	n := r.below(sum)
	for i := range failReasons {
		if n -= failReasons[i].weight; n < 0 {
			return uint8(i)
		}
	}
	return 0
}
