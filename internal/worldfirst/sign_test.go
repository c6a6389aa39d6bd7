package worldfirst

import (
	"cmp"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type vector struct {
	Name               string
	SignedBy           string `json:"signed_by"`
	Base               string `json:"based_on"`
	VerifyWith         string `json:"verify_with"`
	Method, Path, Time string
	ClientID           string `json:"client_id"`
	Body               *string
	StringToSign       string  `json:"string_to_sign"`
	SignatureBase64    string  `json:"signature_base64"`
	SignatureHeader    *string `json:"signature_header"`
}

type vectors struct {
	Vectors  []vector
	Variants []vector `json:"header_variants"`
	Reject   []vector `json:"must_reject"`
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(read(t, "vectors", "vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	t.Parallel()
	all := loadVectors(t).Vectors
	if len(all) != 10 {
		t.Fatalf("%d vectors, want 10", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			body := read(t, "vectors", v.Name+".body")
			if string(body) != *v.Body {
				t.Fatalf("the body's file and vectors.json differ")
			}
			if got := append(appendSigned(nil, v.Method, v.Path, v.ClientID, v.Time), body...); string(got) != v.StringToSign {
				t.Errorf("what is signed = %q, want %q", got, v.StringToSign)
			}
			if got, want := v.StringToSign, string(read(t, "vectors", v.Name+".sts")); got != want {
				t.Errorf("string to sign = %q, file %q", got, want)
			}
			got, err := Sign(privateKey(t, v.SignedBy+"_private_pkcs8.pem"), 2, v.Method, v.Path, v.ClientID, v.Time, body)
			if err != nil {
				t.Fatal(err)
			}
			if got != *v.SignatureHeader {
				t.Errorf("Sign = %q, want %q", got, *v.SignatureHeader)
			}
			keys := []*rsa.PublicKey{publicKey(t, v.VerifyWith)}
			if err := Verify(keys, *v.SignatureHeader, v.Method, v.Path, v.ClientID, v.Time, body); err != nil {
				t.Error(err)
			}
		})
	}
}

// variant fills in what a variant does not change of the vector it is based on.
func variant(t *testing.T, all vectors, v vector) (vector, *rsa.PublicKey) {
	t.Helper()
	for _, base := range all.Vectors {
		if base.Name != v.Base {
			continue
		}
		v.Method, v.Path, v.Time = cmp.Or(v.Method, base.Method), cmp.Or(v.Path, base.Path), cmp.Or(v.Time, base.Time)
		v.ClientID, v.VerifyWith = cmp.Or(v.ClientID, base.ClientID), cmp.Or(v.VerifyWith, base.VerifyWith)
		v.Body, v.SignatureHeader = cmp.Or(v.Body, base.Body), cmp.Or(v.SignatureHeader, base.SignatureHeader)
		return v, publicKey(t, v.VerifyWith)
	}
	t.Fatalf("%s is based on %q, which does not exist", v.Name, v.Base)
	return v, nil
}

func TestVerifyHeaderVariants(t *testing.T) {
	t.Parallel()
	all := loadVectors(t)
	if len(all.Variants) != 4 || len(all.Reject) != 8 {
		t.Fatalf("%d variants and %d to reject, want 4 and 8", len(all.Variants), len(all.Reject))
	}
	for _, v := range all.Variants {
		v, key := variant(t, all, v)
		if err := Verify([]*rsa.PublicKey{key}, *v.SignatureHeader, v.Method, v.Path, v.ClientID, v.Time, []byte(*v.Body)); err != nil {
			t.Errorf("%s: %v, want it accepted", v.Name, err)
		}
	}
	for _, v := range all.Reject {
		v, key := variant(t, all, v)
		err := Verify([]*rsa.PublicKey{key}, *v.SignatureHeader, v.Method, v.Path, v.ClientID, v.Time, []byte(*v.Body))
		if err == nil {
			t.Errorf("%s was accepted, want it refused", v.Name)
		} else if strings.Contains(err.Error(), "LxgxUp") {
			t.Errorf("%s: the error holds the signature: %v", v.Name, err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	v := loadVectors(t).Vectors[4]
	right, wrong := publicKey(t, "worldfirst_public.pem"), publicKey(t, "client_public.pem")
	header, raw := *v.SignatureHeader, v.SignatureBase64
	body := []byte(*v.Body)
	for _, tt := range []struct {
		name   string
		keys   []*rsa.PublicKey
		header string
		at     string
		ok     bool
	}{
		{"second key of two", []*rsa.PublicKey{wrong, right}, header, v.Time, true},
		{"no algorithm", []*rsa.PublicKey{right}, "signature=" + raw, v.Time, true},
		{"names in any case", []*rsa.PublicKey{right}, "Algorithm=RSA256,KeyVersion=2,Signature=" + raw, v.Time, true},
		{"unescaped plus beside escapes", []*rsa.PublicKey{right}, "signature=" + strings.ReplaceAll(raw, "=", "%3D"), v.Time, true},
		{"no keys", nil, header, v.Time, false},
		{"no header", []*rsa.PublicKey{right}, "", v.Time, false},
		{"no time", []*rsa.PublicKey{right}, header, "", false},
		{"bad escape", []*rsa.PublicKey{right}, "signature=%zz", v.Time, false},
		{"empty", []*rsa.PublicKey{right}, "signature=", v.Time, false},
		{"base64 of nothing", []*rsa.PublicKey{right}, "signature=%0A", v.Time, false},
		{"bad base64", []*rsa.PublicKey{right}, "signature=!!!", v.Time, false},
		{"two signatures", []*rsa.PublicKey{right}, "signature=AAAA, signature=" + raw, v.Time, false},
		{"two signatures, one empty", []*rsa.PublicKey{right}, "signature=, signature=" + raw, v.Time, false},
		{"cut off", []*rsa.PublicKey{right}, "signature=" + raw[:len(raw)-8], v.Time, false},
	} {
		err := Verify(tt.keys, tt.header, v.Method, v.Path, v.ClientID, tt.at, body)
		if (err == nil) != tt.ok {
			t.Errorf("%s: Verify = %v, want accepted %v", tt.name, err, tt.ok)
		}
	}
	if _, err := Sign(nil, 2, "POST", "/", "c", "t", nil); err == nil {
		t.Error("Sign without a key succeeded")
	}
}

func TestSignKeyVersion(t *testing.T) {
	t.Parallel()
	header, err := Sign(privateKey(t, "client_private_pkcs8.pem"), 7, "POST", "/p", "c", "t", nil)
	if err != nil || !strings.HasPrefix(header, "algorithm=RSA256, keyVersion=7, signature=") {
		t.Errorf("Sign = %q, %v, want key version 7", header, err)
	}
}

func FuzzParseSignatureHeader(f *testing.F) {
	all := loadVectors(f)
	for _, v := range append(append(all.Vectors, all.Variants...), all.Reject...) {
		if v.SignatureHeader != nil {
			f.Add(*v.SignatureHeader)
		}
	}
	f.Add("signature=%2B+%2F, algorithm = rsa256 ,,=,")
	f.Add("signature=,signature=AAAA")
	f.Add("signature=%0A")
	f.Fuzz(func(t *testing.T, header string) {
		sig, err := parseSignature(header)
		if err != nil {
			// What is wrong is said in a short line, and never with the signature.
			if sig != nil || len(err.Error()) > 160 || !isLine(err.Error()) {
				t.Fatalf("%q: %x, %q", header, sig, err)
			}
			return
		}
		if len(sig) == 0 {
			t.Fatalf("%q gave an empty signature without an error", header)
		}
		// The order of the parts, blanks around them and parts we do not know say
		// nothing.
		parts := strings.Split(header, ",")
		slices.Reverse(parts)
		for _, other := range []string{strings.Join(parts, ","), " " + strings.Join(parts, "\t, ") + " ", header + ",keyVersion=7,x", "Key = 1 ," + header} {
			if again, err := parseSignature(other); err != nil || string(again) != string(sig) {
				t.Fatalf("%q gave %x, but %q gave %x, %v", header, sig, other, again, err)
			}
		}
		// A second signature leaves open which one counts, another algorithm
		// whether ours fits.
		for _, other := range []string{header + ",signature=AAAA", "Signature=AAAA," + header, header + ",algorithm=none", "ALGORITHM=RSA1," + header} {
			if again, err := parseSignature(other); err == nil {
				t.Fatalf("%q gave %x, want an error", other, again)
			}
		}
		checkSpellings(t, sig, 2)
	})
}

// checkSpellings writes a signature in the ways of API §4.3 and reads it.
func checkSpellings(t *testing.T, sig []byte, keyVersion int) {
	t.Helper()
	raw := base64.StdEncoding.EncodeToString(sig)
	var all strings.Builder // every character as an escape
	for i := range len(raw) {
		fmt.Fprintf(&all, "%%%02x", raw[i])
	}
	for _, value := range []string{raw, url.QueryEscape(raw), strings.ReplaceAll(raw, "=", "%3d"), all.String()} {
		for _, header := range []string{
			"signature=" + value,
			fmt.Sprintf("algorithm=RSA256, keyVersion=%d, signature=%s", keyVersion, value),
			fmt.Sprintf("algorithm=RSA256,keyVersion=%d,signature=%s", keyVersion, value),
			fmt.Sprintf(" Signature = %s ,KEYVERSION=%d, Algorithm=rsa256", value, keyVersion),
		} {
			if again, err := parseSignature(header); err != nil || string(again) != string(sig) {
				t.Fatalf("%q gave %x, %v, want %x", header, again, err, sig)
			}
		}
	}
}

// FuzzVerify signs a message and changes it in one place: only the message that
// was signed may pass.
func FuzzVerify(f *testing.F) {
	key := privateKey(f, "worldfirst_private_pkcs8.pem")
	keys := []*rsa.PublicKey{&key.PublicKey}
	for _, v := range loadVectors(f).Vectors {
		f.Add(v.Path, v.ClientID, v.Time, []byte(*v.Body), uint16(0), byte(1))
	}
	f.Add("/p", "c", "t", []byte(""), uint16(300), byte(128))
	f.Fuzz(func(t *testing.T, path, clientID, at string, body []byte, place uint16, flip byte) {
		header, err := Sign(key, int(flip), "POST", path, clientID, at, body)
		if err != nil {
			t.Fatal(err)
		}
		if at == "" {
			if Verify(keys, header, "POST", path, clientID, at, body) == nil {
				t.Fatal("a message without a time passed")
			}
			return
		}
		if err := Verify(keys, header, "POST", path, clientID, at, body); err != nil {
			t.Fatalf("what was signed does not pass: %v", err)
		}
		sig, err := parseSignature(header)
		if err != nil {
			t.Fatal(err)
		}
		checkSpellings(t, sig, int(flip))
		if flip == 0 {
			return
		}
		other := slices.Clone(sig)
		other[int(place)%len(other)] ^= flip
		if Verify(keys, "signature="+base64.StdEncoding.EncodeToString(other), "POST", path, clientID, at, body) == nil {
			t.Fatalf("a changed signature passed: %x", other)
		}
		changed := append(slices.Clone(body), flip)
		if Verify(keys, header, "POST", path, clientID, at, changed) == nil {
			t.Fatalf("a longer body passed: %q", changed)
		}
		if len(body) > 0 {
			changed = slices.Clone(body)
			changed[int(place)%len(changed)] ^= flip
			if Verify(keys, header, "POST", path, clientID, at, changed) == nil {
				t.Fatalf("a changed body passed: %q", changed)
			}
		}
		if Verify(keys, header, "GET", path, clientID, at, body) == nil || Verify(keys, header, "POST", path+"/", clientID, at, body) == nil ||
			Verify(keys, header, "POST", path, clientID+"x", at, body) == nil || Verify(keys, header, "POST", path, clientID, at+"Z", body) == nil {
			t.Fatal("a message with another method, path, client or time passed")
		}
	})
}
