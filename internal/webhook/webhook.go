// Package webhook receives the provider's bill notifications (API §10): it
// checks who sent them, has them stored, and only then answers, signed.
//
// A notification goes through these steps, and whatever fails one of them is
// told nothing but that it failed:
//
//	path        the configured one, or that and an account's name
//	Client-Id   ours
//	size        at most 1 MiB, sent within 10 seconds
//	Signature   WorldFirst's, over the path and the bytes that came
//	store       committed, together with others that came at the same time
//	answer      S; U if it could not be stored; F if it is no bill
//
// The provider sends a notification again for a day until it gets an S (API
// §10.4), so the answer to everything that may come right by itself is a U.
package webhook

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/bill"
	"billsync/internal/worldfirst"
)

// A Deliverer stores notifications in one transaction and says what became of
// each. With an error nothing is stored.
type Deliverer func(ctx context.Context, batch []bill.Notification) ([]bill.Receipt, error)

// A Config says what is received, and how it is checked and answered.
type Config struct {
	Path        string   // of notifications whose account is not known
	Accounts    []string // Path/ACCOUNT is for one of these
	SignedPaths []string // paths that the signature may cover instead of the one that came: a proxy may have changed it
	ClientID    string
	ServerKeys  []*rsa.PublicKey // of the provider
	PrivateKey  *rsa.PrivateKey  // ours: signs the answers
	KeyVersion  int
	Deliver     Deliverer
	Now         func() time.Time
	Log         zerolog.Logger
}

const (
	maxBody = 1 << 20 // API §10.2
	// usualBody is more than a bill has; maxBig may be larger at a time.
	usualBody, maxBig = 64 << 10, 16
	// patience is how long storing may take before the provider is told to come
	// again; it should be answered within 5 seconds (API §10.5).
	patience = 4 * time.Second
)

// A Handler answers notifications. Run must be running for it to store any.
type Handler struct {
	cfg  Config
	jobs chan job
	big  chan struct{} // places for notifications that are larger than usual
}

// A job is a notification that waits to be stored.
type job struct {
	n    bill.Notification
	done chan outcome    // with room for one: nobody may be waiting any more
	gone <-chan struct{} // closed when nobody waits
}

// abandoned reports whether nobody waits for it: the sender was told to come
// again, or went away.
func (j *job) abandoned() bool {
	select {
	case <-j.gone:
		return true
	default:
		return false
	}
}

type outcome struct {
	receipt bill.Receipt
	err     error
}

// New returns a Handler.
func New(cfg Config) *Handler {
	return &Handler{cfg: cfg, jobs: make(chan job), big: make(chan struct{}, maxBig)}
}

// The results that notifications are answered with (API §10.3).
var (
	success    = result{"SUCCESS", "S", "Success"}
	comeAgain  = result{"UNKNOWN_EXCEPTION", "U", "temporarily unable to store the notification"}
	noBill     = result{"PROCESS_FAIL", "F", "the notification is no bill that could be understood; it is kept for a person"}
	notSigned  = result{"INVALID_SIGNATURE", "F", "the signature is not valid"}
	notForUs   = result{"INVALID_CLIENT", "F", "not the Client-Id of this endpoint"}
	tooLarge   = result{"PARAM_ILLEGAL", "F", "the notification is larger than 1 MiB"}
	notPosted  = result{"METHOD_NOT_SUPPORTED", "F", "notifications are sent by POST"}
	notHere    = result{"INVALID_API", "F", "nothing is received at this path"}
	notWhole   = result{"PARAM_ILLEGAL", "F", "the notification did not come whole"}
	compressed = result{"PARAM_ILLEGAL", "F", "the notification is compressed"}
)

// A result is the envelope of an answer (API §3.3).
type result struct {
	Code    string `json:"resultCode"`
	Status  string `json:"resultStatus"`
	Message string `json:"resultMessage"`
}

// ServeHTTP answers one notification.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := h.cfg.Now()
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			h.cfg.Log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("receiving a notification panicked")
			h.refuse(w, http.StatusInternalServerError, comeAgain)
		}
	}()
	account, ok := h.account(r.URL.Path)
	switch {
	case !ok:
		h.turnAway(w, r, http.StatusNotFound, notHere)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		h.turnAway(w, r, http.StatusMethodNotAllowed, notPosted)
		return
	case r.Header.Get("Client-Id") != h.cfg.ClientID:
		h.turnAway(w, r, http.StatusBadRequest, notForUs)
		return
	case r.Header.Get("Content-Encoding") != "" && !strings.EqualFold(r.Header.Get("Content-Encoding"), "identity"):
		h.turnAway(w, r, http.StatusUnsupportedMediaType, compressed)
		return
	}
	body, err := h.read(w, r)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		h.turnAway(w, r, http.StatusRequestEntityTooLarge, tooLarge)
		return
	case err != nil:
		h.turnAway(w, r, http.StatusBadRequest, notWhole)
		return
	}
	path, err := h.verify(r, body, account)
	if err != nil {
		h.cfg.Log.Warn().Str("path", shown(r.URL.Path)).Str("remote", r.RemoteAddr).Err(err).Msg("a notification was refused")
		h.refuse(w, http.StatusBadRequest, notSigned)
		return
	}
	n := bill.Notification{Account: account, Item: worldfirst.DecodeItem(body), ReceivedAt: begun.UTC()}
	if at, err := worldfirst.ParseTime(r.Header.Get("Request-Time")); err == nil {
		n.SentAt = at
	}
	receipt, err := h.store(r.Context(), n)
	line := h.cfg.Log.Debug()
	answer := success
	switch {
	case err != nil:
		line, answer = h.cfg.Log.Error().Err(err), comeAgain
	case receipt == bill.NotUnderstood:
		line, answer = h.cfg.Log.Warn(), noBill
	}
	line.Str("account", account).Str("order_no", n.Item.Bill.OrderNo).Stringer("receipt", receipt).Str("signed_path", path).
		Str("answer", answer.Code).Int64("took_ms", h.cfg.Now().Sub(begun).Milliseconds()).Msg("notification received")
	h.acknowledge(w, path, answer)
}

// read reads a body. Who sends it is not known before all of it is there, so
// only a few at a time may be larger than a bill is.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	all := http.MaxBytesReader(w, r.Body, maxBody)
	body, err := io.ReadAll(io.LimitReader(all, usualBody))
	if err != nil || len(body) < usualBody {
		return body, err
	}
	select {
	case h.big <- struct{}{}:
		defer func() { <-h.big }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	rest, err := io.ReadAll(all)
	return append(body, rest...), err
}

// account returns whose notifications come to a path, empty if that does not
// say, and false if none do.
func (h *Handler) account(path string) (string, bool) {
	base := strings.TrimSuffix(h.cfg.Path, "/")
	rest, ok := strings.CutPrefix(path, base)
	if !ok {
		return "", false
	}
	switch name := strings.TrimPrefix(rest, "/"); {
	case name == "": // with or without a slash at its end
		return "", true
	case rest != name && slices.Contains(h.cfg.Accounts, name):
		return name, true
	}
	return "", false
}

// verify checks the signature and returns the path that it covers: the one that
// came or, behind a proxy that changes paths, one of those configured (API
// §10.2).
func (h *Handler) verify(r *http.Request, body []byte, account string) (string, error) {
	at := r.Header.Get("Request-Time")
	paths := []string{r.URL.EscapedPath(), r.URL.Path, r.RequestURI}
	for _, p := range h.cfg.SignedPaths {
		paths = append(paths, p)
		if account != "" {
			paths = append(paths, strings.TrimSuffix(p, "/")+"/"+account)
		}
	}
	var first error
	for i, p := range paths {
		if slices.Contains(paths[:i], p) {
			continue
		}
		err := worldfirst.Verify(h.cfg.ServerKeys, r.Header.Get("Signature"), http.MethodPost, p, h.cfg.ClientID, at, body)
		if err == nil {
			return p, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

// store hands a notification to Run and waits until it is stored. When nobody
// waits any longer it is stored all the same; being told of it once more does no
// harm.
func (h *Handler) store(ctx context.Context, n bill.Notification) (bill.Receipt, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it is not stored yet"))
	defer cancel()
	j := job{n, make(chan outcome, 1), ctx.Done()}
	select {
	case h.jobs <- j:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	select {
	case o := <-j.done:
		return o.receipt, o.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// turnAway refuses what is no notification of the provider's.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, status int, why result) {
	h.cfg.Log.Warn().Str("path", shown(r.URL.Path)).Str("method", shown(r.Method)).Str("remote", r.RemoteAddr).
		Int("status", status).Str("reason", why.Message).Msg("a notification was refused")
	h.refuse(w, status, why)
}

// refuse answers without a signature: nobody who is refused here is owed one,
// and signing is the dearest part of an answer.
func (h *Handler) refuse(w http.ResponseWriter, status int, why result) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write(encode(why))
}

const contentType = "application/json; charset=UTF-8"

func encode(res result) []byte {
	body, err := json.Marshal(struct {
		Result result `json:"result"`
	}{res})
	if err != nil {
		panic(err) // three strings
	}
	return body
}

// acknowledge answers a notification, signed over the path that its own
// signature covers (API §10.3).
func (h *Handler) acknowledge(w http.ResponseWriter, path string, res result) {
	body := encode(res)
	at := h.cfg.Now().In(beijing).Format(worldfirst.TimeFormat)
	signature, err := worldfirst.Sign(h.cfg.PrivateKey, h.cfg.KeyVersion, http.MethodPost, path, h.cfg.ClientID, at, body)
	if err != nil {
		h.cfg.Log.Error().Err(err).Msg("an answer to a notification could not be signed")
		h.refuse(w, http.StatusInternalServerError, comeAgain)
		return
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Client-Id", h.cfg.ClientID)
	header.Set("Response-Time", at)
	header.Set("Signature", signature)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // who went away is told again
}

// beijing is the offset that all official examples use (API §3.4).
var beijing = time.FixedZone("", 8*60*60)

// shown cuts what strangers send to a length that a log can bear. The log
// escapes the rest.
func shown(text string) string {
	const most = 120
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
