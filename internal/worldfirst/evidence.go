package worldfirst

import (
	"net/http"
	"slices"
	"strings"

	"billsync/internal/bill"
)

// maxEvidence bounds the bodies that are kept for support, in bytes.
const maxEvidence = 8 << 10

// withheld stands for a body that holds secrets or identity data.
const withheld = "(not kept: it may hold secrets)"

// evidence gathers what the provider's support will ask for, without secrets
// and full card numbers; nil if nothing was sent.
func evidence(c call, t *trace, r reply) *bill.Exchange {
	if t.sentAt.IsZero() {
		return nil
	}
	request, response := withheld, withheld
	if !c.private {
		request, response = evidenceBody(r.hide.hideBody(c.body)), evidenceBody(r.hide.hideBody(r.body))
	}
	return &bill.Exchange{
		SentAt:          t.sentAt.UTC(),
		AnsweredAt:      t.answeredAt.UTC(),
		Method:          http.MethodPost,
		Path:            c.path,
		RequestHeaders:  headerLines(t.header, r.hide),
		RequestBody:     request,
		HTTPStatus:      r.status,
		ResponseHeaders: headerLines(r.header, r.hide),
		ResponseBody:    response,
	}
}

// withhold takes out of a Failure what it repeats of a private answer, where that
// may be more than the provider's words: every run of digits as long as a card
// number, whether it passes the check or not, and what net/http says of an answer
// that is no HTTP, which quotes it.
func withhold(f *bill.Failure, host string) {
	if strings.HasPrefix(f.Message, unexplained(host)) {
		f.Message, f.Err = "the connection to "+host+" failed, or what came is no answer", nil
	}
	for _, text := range []*string{&f.Code, &f.Message, &f.Advice} {
		if cut, changed := appendScrubbed(nil, []byte(*text), scrubCard); changed {
			*text = string(cut)
		}
	}
}

func evidenceBody(body []byte) string {
	text := strings.ToValidUTF8(string(Scrub(body)), "\ufffd")
	if len(text) <= maxEvidence {
		return text
	}
	// The cut may go through a character; what is left of it goes as well.
	return strings.ToValidUTF8(text[:maxEvidence], "") + "…"
}

// headerLines writes headers one per line, sorted by name.
func headerLines(h http.Header, hide *mask) string {
	var lines []string
	for name, values := range h {
		for _, value := range values {
			lines = append(lines, hide.hide(name)+": "+hide.hide(shownHeader(name, hide.hide(value))))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// shownHeader returns what of a header may be kept.
func shownHeader(name, value string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Signature":
		return shortSignature(value)
	case "Access-Token", "Authorization", "Cookie", "Set-Cookie", "Proxy-Authorization":
		return "***"
	case "Client-Id", "Connected-Customerid", "Connected-Accountid":
		return value // ids: long runs of digits are normal there
	}
	return oneLine(value, maxMessage)
}

// shortSignature keeps what says how a message was signed, and the beginning
// of the signature to tell two of them apart.
func shortSignature(header string) string {
	const shown = 24
	before, signature, ok := strings.Cut(header, "signature=")
	if !ok {
		before, signature = "", header
	} else {
		before += "signature="
	}
	signature, after, more := strings.Cut(signature, ",")
	if more {
		after = "," + after
	}
	if len(signature) > shown {
		signature = signature[:shown] + "…"
	}
	return oneLine(before+signature+after, maxMessage)
}
