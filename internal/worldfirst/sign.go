package worldfirst

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// TimeFormat is how times are written in requests and in the Request-Time
// header: whole seconds with an explicit offset (API §3.4).
const TimeFormat = "2006-01-02T15:04:05-07:00"

// The paths of the calls. They begin with a slash, because the signed text does
// (API §4.2).
const (
	QueryBillListPath          = "/amsin/api/v1/business/worldcard/queryBillList"          // API §6
	QueryCardSensitiveInfoPath = "/amsin/api/v2/business/worldcard/queryCardSensitiveInfo" // API §7.3
	CreateCardholderPath       = "/amsin/api/v1/business/worldcard/createCardholder"       // API §7.2
	QueryCardholderListPath    = "/amsin/api/v1/business/worldcard/queryCardholderList"    // API §7.2
	ApplyTokenPath             = "/amsin/api/v1/oauth/applyToken"                          // API §11
)

// algorithm is the only signature algorithm in use: RSASSA-PKCS1-v1_5 with
// SHA-256 (API §4.1).
const algorithm = "RSA256"

// appendSigned appends what stands before the body in the text that a signature
// covers (API §4.2, §4.3). For an answer, at is the answer's own Response-Time
// and method and path are those of the request.
func appendSigned(b []byte, method, path, clientID, at string) []byte {
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, '\n')
	b = append(b, clientID...)
	b = append(b, '.')
	b = append(b, at...)
	return append(b, '.')
}

// digest returns the hash of the text that a signature covers.
func digest(method, path, clientID, at string, body []byte) []byte {
	h := sha256.New()
	h.Write(appendSigned(nil, method, path, clientID, at))
	h.Write(body)
	return h.Sum(nil)
}

// Sign returns the value of the Signature header for a message (API §4.2).
func Sign(key *rsa.PrivateKey, keyVersion int, method, path, clientID, at string, body []byte) (header string, err error) {
	if key == nil {
		return "", errors.New("signing: no private key")
	}
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest(method, path, clientID, at, body))
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return "algorithm=" + algorithm + ", keyVersion=" + strconv.Itoa(keyVersion) +
		", signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(sig)), nil
}

// Verify reports whether a Signature header was made over the message by the
// owner of any of the keys (API §4.3). The error says why not, and never holds
// the signature.
func Verify(keys []*rsa.PublicKey, header, method, path, clientID, at string, body []byte) error {
	if len(keys) == 0 {
		return errors.New("verifying: no public key")
	}
	sig, err := parseSignature(header)
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	if at == "" {
		return errors.New("verifying: the message carries no time")
	}
	sum := digest(method, path, clientID, at, body)
	for _, key := range keys {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, sig) == nil {
			return nil
		}
	}
	return errors.New("verifying: the signature does not fit the message and our server key")
}

// parseSignature takes the signature's bytes out of a Signature header: parts
// separated by commas, in any order, blanks optional; the value URL-escaped or
// raw base64 (API §4.3).
func parseSignature(header string) ([]byte, error) {
	if strings.TrimSpace(header) == "" {
		return nil, errors.New("no signature")
	}
	var text string
	found := false
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "algorithm":
			if !strings.EqualFold(value, algorithm) {
				return nil, fmt.Errorf("signature algorithm %.20q is not %s", value, algorithm)
			}
		case "signature":
			if found {
				return nil, errors.New("two signatures in one header")
			}
			text, found = value, true
		}
	}
	if text == "" {
		return nil, errors.New("the signature is empty")
	}
	// Only an escaped value may be unescaped: unescaping raw base64 would turn
	// each plus sign into a blank.
	if strings.Contains(text, "%") {
		unescaped, err := url.PathUnescape(text)
		if err != nil {
			return nil, errors.New("the signature is not URL-encoded text")
		}
		text = unescaped
	}
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the signature is not base64")
	}
	if len(sig) == 0 { // an escaped line break is base64 of nothing
		return nil, errors.New("the signature is empty")
	}
	return sig, nil
}
