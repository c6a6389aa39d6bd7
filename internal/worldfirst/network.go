package worldfirst

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"billsync/internal/bill"
)

// maxConnect is how long a connection may take to be made (API §5).
const maxConnect = 10 * time.Second

// newTransport returns the network below the layers. It speaks HTTP/1.1 only:
// one request per connection at a time is what the gate counts. Answers come
// uncompressed, because their signature covers the bytes (API §4.3), and
// redirects are not followed, because a bare transport never does.
func newTransport(timeout time.Duration, concurrency int) *http.Transport {
	connect := min(maxConnect, timeout)
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    connect,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DisableCompression:     true,
		MaxIdleConns:           concurrency,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// networkFailure turns what the layers below say about a request that brought
// no whole answer into words for people.
func networkFailure(op, host string, timeout time.Duration, hide *mask, err error) *bill.Failure {
	code, message := explain(host, timeout, hide, err)
	f := newFailure(op, bill.NoAnswer, code, message)
	f.Err = err
	var broken *brokenBody
	if errors.As(err, &broken) {
		f.HTTPStatus = broken.reply.status
	}
	return f
}

func explain(host string, timeout time.Duration, hide *mask, err error) (code, message string) {
	var (
		broken  *brokenBody
		op      *net.OpError
		dns     *net.DNSError
		netErr  net.Error
		record  tls.RecordHeaderError
		certErr *tls.CertificateVerificationError
	)
	errors.As(err, &op)
	switch {
	case errors.Is(err, errTooLarge):
		return codeTooLarge, fmt.Sprintf("the answer is larger than %d MiB", maxBody>>20)
	case errors.Is(err, errAttemptTimeout):
		return codeTimeout, fmt.Sprintf("no whole answer from %s within %v", host, timeout)
	case errors.As(err, &broken):
		return codeCutOff, "the connection broke in the middle of the answer"
	case op != nil && (op.Op == "proxyconnect" || op.Op == "socks connect"), strings.Contains(err.Error(), "Proxy Authentication Required"):
		return codeProxy, "the proxy between here and " + host + " did not connect"
	case strings.Contains(err.Error(), "invalid proxy address"):
		return codeProxy, "the address of the proxy cannot be read"
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return codeDNS, "there is no host named " + dns.Name
		}
		return codeDNS, "the name " + dns.Name + " could not be looked up"
	case errors.As(err, &certErr):
		return codeTLS, "the certificate of " + host + " is not trusted: " + certificateReason(certErr.Err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return codeTLS, host + " does not speak TLS on this port"
	case op != nil && op.Op == "remote error":
		return codeTLS, host + " broke off the TLS handshake"
	case errors.Is(err, syscall.ECONNREFUSED):
		return codeRefused, host + " refused the connection"
	case errors.As(err, &netErr) && netErr.Timeout():
		return codeTimeout, fmt.Sprintf("no connection to %s within %v", host, min(maxConnect, timeout))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return codeConnection, host + " closed the connection without an answer"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return codeConnection, "there is no way to " + host + " on the network"
	}
	return codeConnection, unexplained(host) + oneLine(hide.hide(err.Error()), maxMessage)
}

// unexplained is how a message begins that goes on in the words of net/http.
func unexplained(host string) string { return "the connection to " + host + " failed: " }

func certificateReason(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "nobody known to this machine vouches for it"
	case errors.As(err, &name):
		return "it was made for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired or is not valid yet"
	}
	return oneLine(strings.TrimPrefix(err.Error(), "x509: "), maxMessage)
}

// isLoopback reports whether a host is this machine itself, without asking the
// network.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// canceled reports whether ctx ended, as an error for callers.
func canceled(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}
