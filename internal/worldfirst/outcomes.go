package worldfirst

import (
	"slices"
	"strings"

	"billsync/internal/bill"
)

// A CodeInfo says what a result code of the provider means for us (API §6.3,
// §7.1).
type CodeInfo struct {
	Code    string
	Outcome bill.Outcome // 0 for the code of status S
	Meaning string       // in the provider's sense
	Advice  string       // what to do, for people who do not program
	// Elsewhere is the advice on the other calls, where that for queryBillList
	// would be wrong.
	Elsewhere string

	slowDown     bool
	badSpan      bool
	tokenExpired bool
	repeated     bool
}

// Codes returns the documented result codes with their meaning and advice: the
// one table that says what follows from which.
func Codes() []CodeInfo {
	all := slices.Clone(codes)
	for i := range all {
		all[i].Advice = AdviceFor(all[i].Code)
	}
	return all
}

const contactSupport = "contact WorldFirst Technical Support"

// codes is the table. The advice follows the further action that the
// documentation names for each code.
var codes = []CodeInfo{
	{Code: "SUCCESS", Meaning: "done", Advice: "Nothing to do."},

	// About us: asking again changes nothing until a person has mended it.
	{Code: "INVALID_SIGNATURE", Outcome: bill.RefusedUs,
		Meaning: "the signature is invalid",
		Advice:  "Check that private_key_file is the key whose public half is registered in the WorldFirst Developer Center for this client_id, that key_version fits it, and that this machine's clock is right."},
	{Code: "INVALID_CLIENT", Outcome: bill.RefusedUs,
		Meaning: "the client is invalid",
		Advice:  "The client_id does not exist or is not valid: compare it with the Developer Center, and check that base_url is the environment it was issued for."},
	{Code: "INVALID_API", Outcome: bill.RefusedUs,
		Meaning: "the called API is invalid or not active",
		Advice:  "Check base_url, and that this API is activated for your application; if both are right, " + contactSupport + "."},
	{Code: "METHOD_NOT_SUPPORTED", Outcome: bill.RefusedUs,
		Meaning: "the HTTP method is not supported",
		Advice:  "The API takes POST only, which is what is sent: look for a proxy or a redirect between here and base_url that changes it."},
	{Code: "SERVICE_NOT_ALLOWED", Outcome: bill.RefusedUs,
		Meaning: "the service is not allowed",
		Advice:  "Correct the account and client settings and try again; if it stays, " + contactSupport + "."},
	{Code: "CONTRACT_NOT_EXIST", Outcome: bill.RefusedUs,
		Meaning: "the contract check has failed",
		Advice:  "Make sure that your company has signed the World Card contract and that the account's connected_customer_id is right."},
	{Code: "CONTRACT_CHECK_FAIL", Outcome: bill.RefusedUs,
		Meaning: "the contract check has failed",
		Advice:  "Ask WorldFirst Technical Support for the state of the contract, then try again."},
	{Code: "AUTHORIZATION_NOT_EXIST", Outcome: bill.RefusedUs,
		Meaning: "the authorization does not exist",
		Advice:  "Make sure that the account's connected ids are right and that the customer's grant is still in force; if so, ask WorldFirst Technical Support to verify the authorization."},
	{Code: "ACCESS_TOKEN_EXPIRED", Outcome: bill.RefusedUs, tokenExpired: true,
		Meaning: "the access token expired",
		Advice:  "Refresh the account's access token, or have the customer grant access again; if neither helps, " + contactSupport + "."},
	{Code: "OAUTH_FAIL", Outcome: bill.RefusedUs,
		Meaning: "the OAuth process failed",
		Advice:  "The authorization by access token failed: " + contactSupport + "."},
	{Code: "USER_NOT_EXIST", Outcome: bill.RefusedUs,
		Meaning: "the customer id is not correct",
		Advice:  "Correct the account's connected customer or account id and try again."},
	{Code: "RISK_REJECT", Outcome: bill.RefusedUs,
		Meaning: "refused for security reasons",
		Advice:  "WorldFirst's risk control refused: " + contactSupport + " or your account manager."},

	// About this one request: the others go on.
	{Code: "SYSTEM_ERROR", Outcome: bill.RefusedRequest,
		Meaning:   "system error",
		Advice:    "Do not repeat it by hand; " + contactSupport + "{kept}. The nightly refresh asks once more.",
		Elsewhere: "Do not repeat it; " + contactSupport + "."},
	{Code: "PARAM_ILLEGAL", Outcome: bill.RefusedRequest, badSpan: true,
		Meaning:   "illegal parameters exist",
		Advice:    "A value of the request was not accepted: check filters, window_days, page_size and the connected ids; if all are right, report it with the request that is kept.",
		Elsewhere: "A value of the request was not accepted: check what was given on the command line or in a file, and the account's connected_account_id."},
	{Code: "PROCESS_FAIL", Outcome: bill.RefusedRequest,
		Meaning: "the request could not be processed",
		Advice:  "A person has to look at it: " + contactSupport + "{kept}."},
	{Code: "REPEAT_REQUEST", Outcome: bill.RefusedRequest, repeated: true,
		Meaning: "a request with this id was received before",
		Advice:  "The first request was received: look up what became of it before anything else (\"syncer cardholder list --refresh\"). WorldFirst's document says: change the requestId and retry calling this API. Do so only if no cardholder came of it, or there will be two."},
	{Code: "AUTH_CODE_NOT_EXIST", Outcome: bill.RefusedRequest,
		Meaning: "the authorization code does not exist",
		Advice:  "A code works once: have the customer grant access again, and apply with the new code."},
	{Code: "AUTH_CODE_EXPIRED", Outcome: bill.RefusedRequest,
		Meaning: "the authorization code expired",
		Advice:  "A code lives a few minutes: have the customer grant access again, and apply with the new code at once."},

	// Unknown: asked again on the documented schedule.
	{Code: "UNKNOWN_EXCEPTION", Outcome: bill.Unknown,
		Meaning: "failed for an unknown reason",
		Advice:  "WorldFirst's service may be down: {onSchedule}. If that does not resolve it, " + contactSupport + "."},
	{Code: "REQUEST_TRAFFIC_EXCEED_LIMIT", Outcome: bill.Unknown, slowDown: true,
		Meaning: "the request traffic exceeds the limit",
		Advice:  "Requests are sent more slowly now: {onSchedule}. If it keeps happening, lower requests_per_second or " + contactSupport + ".",
		// A command that asks once sends no further request more slowly.
		Elsewhere: "Too much is asked under this client_id: {onSchedule}. If it keeps happening, lower requests_per_second or " + contactSupport + "."},
}

// The words of ours that stand in a Failure's code where the provider gave
// none. HTTP statuses have "HTTP_" and their number.
const (
	codeUnverified = "SIGNATURE_UNVERIFIED"
	codeNoResult   = "NO_RESULT"
	codeBadAnswer  = "BAD_ANSWER"
	codeTooLarge   = "BODY_TOO_LARGE"
	codeCutOff     = "BODY_CUT_OFF"
	codeCompressed = "COMPRESSED_ANSWER"
	codeTimeout    = "TIMEOUT"
	codeDNS        = "DNS_FAILURE"
	codeRefused    = "CONNECTION_REFUSED"
	codeTLS        = "TLS_FAILURE"
	codeProxy      = "PROXY_FAILURE"
	codeConnection = "CONNECTION_FAILED"
)

// unsent are the words for what ends before a request is on its way.
var unsent = []string{codeDNS, codeRefused, codeTLS, codeProxy}

var ourAdvice = map[string]string{
	codeUnverified: "Check that server_public_key_file holds WorldFirst's current public key for this environment, and that no proxy changes answers on their way. Nothing of the answer was used.",
	codeNoResult:   "What answered was not WorldFirst's API, or it was disturbed. {Again}; if it stays, check base_url and any proxy in between.",
	codeBadAnswer:  "The answer was incomplete. {Again}; if it stays, " + contactSupport + "{kept}.",
	codeTooLarge:   "The answer was far larger than a page can be. Lower page_size; if it stays, check base_url and any proxy in between.",
	codeCutOff:     "The connection broke in the middle of the answer. {Again}; if it stays, check the network and any proxy in between.",
	codeCompressed: "A proxy between here and WorldFirst compresses answers, which would break their signature: exempt base_url from it.",
	codeTimeout:    "{Again}. If it stays, check the network, any firewall in between, and whether timeout is too short.",
	codeDNS:        "Check the host name in base_url and this machine's name resolution (DNS).",
	codeRefused:    "Check the host and port in base_url, and any firewall or proxy in between.",
	codeTLS:        "Check that base_url names the right host and that this machine's clock is right; behind a proxy that opens TLS, add its certificate with SSL_CERT_FILE.",
	codeProxy:      "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in this program's environment.",
	codeConnection: "{Again}. If it stays, check the network and any firewall in between.",

	"HTTP_401": "The gateway did not accept who we are: check client_id, private_key_file and base_url, and ask WorldFirst whether it knows this machine's public IP address.",
	"HTTP_403": "The gateway keeps us out: ask WorldFirst whether this machine's public IP address is on its list, and check client_id and base_url.",
	"HTTP_404": "There is no such API at this address: check base_url.",
	"HTTP_405": "The API takes POST only, which is what is sent: look for a proxy between here and base_url that changes it.",
	"HTTP_407": "The proxy wants credentials: check HTTPS_PROXY in this program's environment.",
	"HTTP_408": "{Again}. If it stays, check the network.",
	"HTTP_429": "Requests are sent more slowly now. {Again}. If it keeps happening, lower requests_per_second.",
}

// AdviceFor returns what to do about a code, the provider's or one of ours, in
// plain words. It is that for queryBillList.
func AdviceFor(code string) string {
	return advice(opQueryBillList, code, bill.RefusedRequest)
}

// An again says how a call is asked again.
type again struct{ unanswered, unknown, kept string }

// agains are how the calls are asked again: bills by themselves, a card's
// details never (API §7.3), a cardholder under the same id (API §7.2).
var agains = map[string]again{
	opQueryBillList:       {"It is asked again by itself", "it is asked again on the documented schedule", " with the request and answer that are kept"},
	opQueryCardSensitive:  {"Try again by hand", "try again by hand, no sooner than the documented schedule says", ""},
	opCreateCardholder:    {"It is asked again under the same request id", "it is asked again under the same request id on the documented schedule", ""},
	opQueryCardholderList: {"Try again", "try again no sooner than in 5 minutes", ""},
	opApplyToken:          {"Try again", "try again no sooner than in 5 minutes", ""},
}

// advice falls back to what follows from the outcome for codes that nobody
// documents.
func advice(op, code string, outcome bill.Outcome) string {
	a := agains[op]
	return strings.NewReplacer("{Again}", a.unanswered, "{onSchedule}", a.unknown, "{kept}", a.kept).Replace(template(op, code, outcome))
}

func template(op, code string, outcome bill.Outcome) string {
	if info, ok := lookup(code); ok {
		if op != opQueryBillList && info.Elsewhere != "" {
			return info.Elsewhere
		}
		return info.Advice
	}
	if code == codeTooLarge && op != opQueryBillList { // no page can be made smaller
		return "The answer was far larger than one of this call can be. Check base_url and any proxy in between."
	}
	if text, ok := ourAdvice[code]; ok {
		return text
	}
	switch status, isHTTP := strings.CutPrefix(code, "HTTP_"); {
	case isHTTP && strings.HasPrefix(status, "3"):
		return "The address answers with a redirect, which is never followed with a signed request: set base_url to the final address."
	case isHTTP && strings.HasPrefix(status, "4"):
		return "Check base_url and client_id; if both are right, " + contactSupport + "{kept}."
	case isHTTP:
		return "WorldFirst's service or a proxy in between has a disturbance. {Again}; if it stays, " + contactSupport + "."
	}
	switch outcome {
	case bill.NoAnswer:
		return "{Again}; if it stays, check the network and any proxy in between."
	case bill.Unknown:
		return "The outcome is not known: {onSchedule}. If that does not resolve it, " + contactSupport + "."
	case bill.RefusedUs:
		return "A person has to mend this: " + contactSupport + "{kept}."
	}
	return "This code is not documented. Do not repeat the request; " + contactSupport + "{kept}."
}

func lookup(code string) (CodeInfo, bool) {
	i := slices.IndexFunc(codes, func(c CodeInfo) bool { return c.Code == code })
	if i < 0 {
		return CodeInfo{}, false
	}
	return codes[i], true
}

// refusal returns the outcome of a code that came with status F. The status
// decides that it is a refusal; the code only tells whom it is about. A call
// for tokens is about nothing but our authorisation, which the customer renews
// and no request of ours: not even a code that nobody documents is about the
// request alone.
func refusal(op, code string) bill.Outcome {
	info, _ := lookup(code)
	if info.Outcome == bill.RefusedUs || op == opApplyToken && code != "SYSTEM_ERROR" {
		return bill.RefusedUs
	}
	return bill.RefusedRequest
}

// RefusesUs reports whether a code of a refusal of createCardholder is about us and not about the
// one request: only a person can mend that, and then it may be asked again.
func RefusesUs(code string) bool {
	status, isHTTP := strings.CutPrefix(code, "HTTP_")
	return refusal(opCreateCardholder, code) == bill.RefusedUs || code == codeUnverified ||
		isHTTP && (strings.HasPrefix(status, "3") || strings.HasPrefix(status, "4"))
}

// LeavesDoubt reports whether a refusal of createCardholder with a code may come
// from behind the point where the cardholder was registered: a failure of theirs,
// or a code that nobody documents for this call. What is refused because of us,
// or as illegal, was not begun.
func LeavesDoubt(code string) bool { return code != "PARAM_ILLEGAL" && !RefusesUs(code) }

// CardholderAdvice is AdviceFor for createCardholder, whose outcome was the one
// given.
func CardholderAdvice(code string, outcome bill.Outcome) string {
	return advice(opCreateCardholder, code, outcome)
}
