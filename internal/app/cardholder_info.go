package app

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"billsync/internal/store"
)

// maxInfo bounds a cardholderInfo, in bytes.
const maxInfo = 1 << 20

// stdinName names standard input where a file is asked for.
const stdinName = "-"

// A holderInfo is a cardholderInfo on its way from a file to the API. It is
// identity data: nothing here keeps it, and no error repeats a part of it.
type holderInfo struct {
	file   string // absolute; empty if it can be read only once
	object json.RawMessage
}

// readInfo reads a cardholderInfo from a file or, for "-", from standard input.
func (a *App) readInfo(name string, stdin io.Reader) (holderInfo, error) {
	if name == stdinName {
		return infoFrom("- (standard input)", "", stdin)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return holderInfo{}, fmt.Errorf("finding %s: %w", name, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return holderInfo{}, infoError(name, plainReason(err), `name the file with the cardholder's information, or "-" for standard input`)
	}
	defer f.Close()
	fi, err := f.Stat()
	switch {
	case err != nil:
		return holderInfo{}, infoError(name, plainReason(err), "name another file")
	case fi.IsDir():
		return holderInfo{}, infoError(name, "this is a folder", "name the file with the cardholder's information")
	case !fi.Mode().IsRegular():
		path = "" // a pipe: what is read from it is gone
	case fi.Mode().Perm()&0o077 != 0:
		a.log.Warn().Str("file", name).Msg("other users of this machine may read the cardholder's information; run: chmod 600 " + name)
	}
	return infoFrom(name, path, f)
}

// infoFrom reads one JSON object to its end. Blanks around it are left out, what
// is in it stays byte for byte.
func infoFrom(name, path string, r io.Reader) (holderInfo, error) {
	if r == nil {
		r = bytes.NewReader(nil)
	}
	all, err := io.ReadAll(io.LimitReader(r, maxInfo))
	object := bytes.Trim(all, " \t\r\n")
	wrong := func(reason, advice string) (holderInfo, error) {
		clear(all)
		return holderInfo{}, infoError(name, reason, advice)
	}
	const want = `it must hold one JSON object, such as {"userName": …}; it is passed on as it is`
	switch {
	case err != nil:
		return wrong(plainReason(err), "name another file")
	case len(all) >= maxInfo:
		return wrong("it is too large: less than 1 MiB is allowed", want)
	case len(object) == 0:
		return wrong("it is empty", want)
	case bytes.HasPrefix(object, []byte("\xef\xbb\xbf")):
		return wrong("it begins with a byte order mark", "save it as UTF-8 without one")
	case !utf8.Valid(object):
		return wrong("it is not UTF-8", "save it as UTF-8")
	}
	// The decoder's own errors repeat a part of the text.
	var syntax *json.SyntaxError
	if err := json.Unmarshal(object, new(json.RawMessage)); errors.As(err, &syntax) {
		blanks := len(all) - len(bytes.TrimLeft(all, " \t\r\n"))
		line, column := position(all, int64(blanks)+syntax.Offset)
		return wrong(fmt.Sprintf("it is not JSON: see line %d, column %d", line, column), want)
	} else if err != nil {
		return wrong("it is not JSON", want)
	}
	if object[0] != '{' {
		return wrong("it is JSON, but no object", want)
	}
	return holderInfo{path, object}, nil
}

// position returns where the nth byte of a text stands, counted from 1.
func position(text []byte, n int64) (line, column int) {
	before := text[:max(0, min(n-1, int64(len(text))))]
	last := bytes.LastIndexByte(before, '\n')
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[last+1:])
}

func infoError(name, reason, advice string) error {
	return &InputError{fmt.Sprintf("--info %s: %s", name, reason), advice}
}

// plainReason leaves out what the operating system's errors repeat.
func plainReason(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

// mark notes in a request which content is sent with it.
func (i holderInfo) mark(c *store.Cardholder) {
	c.InfoFile, c.InfoSalt = i.file, rand.Text()
	c.InfoHash, c.SenseHash = hash(c.InfoSalt, i.object), hash(c.InfoSalt, i.sense())
}

// is reports whether this is the content of a request.
func (i holderInfo) is(c *store.Cardholder) bool {
	return hmac.Equal([]byte(hash(c.InfoSalt, i.object)), []byte(c.InfoHash))
}

// says reports whether this says what the content of a request says, however it
// is written.
func (i holderInfo) says(c *store.Cardholder) bool {
	return hmac.Equal([]byte(hash(c.InfoSalt, i.sense())), []byte(c.SenseHash))
}

// cameFrom reports whether this was read where the content of a request was.
func (i holderInfo) cameFrom(c *store.Cardholder) bool {
	return i.file != "" && i.file == c.InfoFile
}

// sense is the content without what makes no difference: blanks, the order of
// members, how characters are escaped. Numbers stay as written.
func (i holderInfo) sense() []byte {
	d := json.NewDecoder(bytes.NewReader(i.object))
	d.UseNumber()
	var all any
	if err := d.Decode(&all); err != nil {
		return i.object // it was JSON when it was read
	}
	text, err := json.Marshal(all)
	if err != nil {
		return i.object
	}
	return text
}

func hash(salt string, text []byte) string {
	h := hmac.New(sha256.New, []byte(salt))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// newRequestID makes an id of 32 letters and digits that nobody had before.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// contentOf reads the content of a stored request again, from the file it came
// from or from the one that is given.
func (a *App) contentOf(c *store.Cardholder, given *holderInfo) (holderInfo, error) {
	advice := fmt.Sprintf("nothing was sent; \"syncer cardholder resume --request-id %s --info FILE\" sends it with the same content from FILE", c.RequestID)
	if given != nil {
		if !given.is(c) {
			return holderInfo{}, &InputError{fmt.Sprintf("the content is not the one that request %s was made with: under one id only the same content may be sent", c.RequestID),
				"nothing was sent; give the same content, or make a request of its own with \"syncer cardholder create\""}
		}
		return *given, nil
	}
	if c.InfoFile == "" {
		return holderInfo{}, &InputError{fmt.Sprintf("request %s: its content came from standard input and is not kept", c.RequestID), advice}
	}
	info, err := a.readInfo(c.InfoFile, nil)
	if err != nil {
		return holderInfo{}, &InputError{fmt.Sprintf("request %s: its content cannot be read again: %v", c.RequestID, err), advice}
	}
	if !info.is(c) {
		clear(info.object)
		return holderInfo{}, &InputError{fmt.Sprintf("request %s: %s has changed since: under one id only the same content may be sent", c.RequestID, c.InfoFile), advice}
	}
	return info, nil
}
