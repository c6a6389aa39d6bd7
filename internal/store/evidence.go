package store

import "time"

// Evidence is the last request of a window that was not answered with yes, and
// what came instead; secrets were removed before it was stored.
type Evidence struct {
	WindowID        int64 // 0: the tail, or the account as a whole
	RunID           int64
	Outcome         string // no answer, unknown, refused, refused us
	Code            string
	Message         string
	SentAt          time.Time // zero: nothing was sent
	AnsweredAt      time.Time // zero: no answer came
	HTTPStatus      int
	RequestLine     string
	RequestHeaders  string // a line each
	RequestBody     string
	ResponseHeaders string
	ResponseBody    string
}

// Evidence returns what is kept for an account, by window.
func (t *Tx) Evidence(account string) (map[int64]Evidence, error) {
	var rows []struct {
		Window          int64   `db:"window_id"`
		Run             int64   `db:"run_id"`
		Outcome         string  `db:"outcome"`
		Code            string  `db:"code"`
		Message         string  `db:"message"`
		Sent            stamp   `db:"sent_at"`
		Answered        stamp   `db:"answered_at"`
		Status          *int    `db:"http_status"`
		Line            *string `db:"request_line"`
		RequestHeaders  *string `db:"request_headers"`
		RequestBody     *string `db:"request_body"`
		ResponseHeaders *string `db:"response_headers"`
		ResponseBody    *string `db:"response_body"`
	}
	err := t.rows("reading evidence", &rows, `
		SELECT window_id, run_id, outcome, code, message, sent_at, answered_at, http_status,
		       request_line, request_headers, request_body, response_headers, response_body
		FROM evidence WHERE account = ?`, account)
	out := make(map[int64]Evidence, len(rows))
	for _, r := range rows {
		e := Evidence{
			WindowID: r.Window, RunID: r.Run, Outcome: r.Outcome, Code: r.Code, Message: r.Message,
			SentAt: r.Sent.Time, AnsweredAt: r.Answered.Time, RequestLine: deref(r.Line),
			RequestHeaders: deref(r.RequestHeaders), RequestBody: deref(r.RequestBody),
			ResponseHeaders: deref(r.ResponseHeaders), ResponseBody: deref(r.ResponseBody),
		}
		if r.Status != nil {
			e.HTTPStatus = *r.Status
		}
		out[r.Window] = e
	}
	return out, err
}
