package broker

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/spec"
)

// signer signs requests anew that the command has signed with a placeholder, by AWS
// Signature Version 4. The command's signature is verified first: it says that the
// request has the placeholder of this run, and in which of the ways that services differ
// in it is written for signing. Region, service, date and what is signed stay.
type signer struct {
	// id is public as a rule, and the same in both then.
	id, idTo             string
	from, to             string // the secret keys
	tokenFrom, token     string // the session's; "" for none
	maxSpooledForSigning int64
}

const (
	sigAlgorithm = "AWS4-HMAC-SHA256"
	sigEnd       = "aws4_request"
	// unsigned is in the place of a body's hash.
	unsigned = "UNSIGNED-PAYLOAD"
	// unsignedChunks is so for one that comes in chunks, with checksums behind it.
	unsignedChunks = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	// maxSpool bounds a body that has to be hashed before it is sent.
	maxSpool = 32 << 20
)

func newSigner(s *Secret, u *spec.UseSign) *signer {
	out := &signer{maxSpooledForSigning: maxSpool}
	for _, v := range u.Values {
		switch v.Name {
		case "access_key":
			out.id, out.idTo = s.given(v.Text), s.value(v.Text)
		case "secret_key":
			out.from, out.to = s.given(v.Text), s.value(v.Text)
		case "session_token":
			out.tokenFrom, out.token = s.given(v.Text), s.value(v.Text)
		}
	}
	return out
}

// refusal is the error of a request that the broker cannot make right.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

// signature is what a request says of its own.
type signature struct {
	date, scope string // scope is DATE/REGION/SERVICE/aws4_request
	headers     []string
	mac         string
	presigned   bool
}

// put signs a request anew, and reports whether it had a signature by the placeholder.
func (s *signer) put(r *http.Request) (bool, error) {
	if err := s.other(r); err != nil {
		return false, err
	}
	sig, ok := s.parse(r)
	if !ok {
		return false, nil
	}
	hashes, err := s.payload(r, sig)
	if err != nil {
		return false, err
	}
	for _, hash := range hashes {
		for _, way := range ways() {
			if !hmac.Equal([]byte(sig.mac), []byte(sig.sign(s.from, sig.canonical(r, way, hash)))) {
				continue
			}
			if why := s.careless(r, sig, hash); why != "" {
				return false, &refusal{http.StatusForbidden, "rhx: " + why}
			}
			s.putToken(r, sig)
			s.putID(r, sig)
			mac := sig.sign(s.to, sig.canonical(r, way, hash))
			if sig.presigned {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, sig.mac, mac, 1)
			} else {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), sig.mac, mac, 1))
			}
			return true, nil
		}
	}
	return false, nil
}

const (
	amzTime = "20060102T150405Z"
	// maxAhead is how far a time may lie in the future, and how long a presigned URL may be
	// good: a signature may be shown by the server, and should not be of use for long.
	maxAhead = 15 * time.Minute
)

// careless says why a request is not signed anew, which the placeholder signs: the
// signature would be good for other requests than this one, at other hosts or later. An
// URL that is presigned for longer is made to last maxAhead.
func (s *signer) careless(r *http.Request, sig *signature, hash string) string {
	now := time.Now()
	at, err := time.Parse(amzTime, sig.date)
	q := r.URL.Query()
	switch {
	case err != nil || !strings.HasPrefix(sig.scope, sig.date[:8]+"/"):
		return "the date of the AWS signature is not that of its scope"
	case at.After(now.Add(maxAhead)):
		return "the AWS signature is of a time to come: is this machine's clock right?"
	case !slices.Contains(sig.headers, "host"):
		return "the AWS signature does not sign the host"
	case hash != unsigned && hash != unsignedChunks && (len(hash) != 2*sha256.Size || strings.Trim(hash, "0123456789abcdefABCDEF") != ""):
		return "the AWS signature has no hash of the body, nor says that it has none"
	}
	for i, name := range sig.headers {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || slices.Contains(sig.headers[:i], name) {
			return "the AWS signature names the same header twice, or something that is none"
		}
	}
	times := 0
	for name, values := range q {
		if name = strings.ToLower(name); slices.Contains([]string{"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature"}, name) {
			times = max(times, len(values))
			if !sig.presigned {
				return "the request is signed in its header, and has an AWS signature in the query, too"
			}
		}
	}
	if times > 1 || len(r.Header["X-Amz-Date"]) > 1 || len(r.Header["X-Amz-Content-Sha256"]) > 1 || len(r.Header["Authorization"]) > 1 {
		return "the request has a part of its AWS signature twice"
	}
	if !sig.presigned {
		return ""
	}
	text := q.Get("X-Amz-Expires")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 7*24*60*60 {
		return "the presigned URL does not say for how long it is good"
	}
	if left := now.Add(maxAhead).Sub(at); time.Duration(n)*time.Second > left {
		f := rule{query: []field{{name: "X-Amz-Expires", from: text, to: strconv.Itoa(max(1, int(left/time.Second)))}}}
		f.putQuery(r)
	}
	return ""
}

// other refuses the signatures with our key that cannot be made anew.
func (s *signer) other(r *http.Request) error {
	auth, q := r.Header.Get("Authorization"), r.URL.Query()
	what := ""
	switch {
	case strings.HasPrefix(auth, "AWS "+s.id+":"), q.Get("AWSAccessKeyId") == s.id:
		what = "is of version 2 (in boto3: Config(signature_version='s3v4'))"
	case strings.HasPrefix(auth, "AWS4-ECDSA-P256-SHA256") && strings.Contains(auth, "="+s.id+"/"), strings.HasPrefix(q.Get("X-Amz-Algorithm"), "AWS4-ECDSA") && strings.HasPrefix(q.Get("X-Amz-Credential"), s.id+"/"):
		what = "is of version 4A, for several regions"
	case strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-"+sigAlgorithm) && strings.Contains(auth, "="+s.id+"/"):
		what = "signs each chunk of the body (STREAMING-AWS4-HMAC-SHA256-PAYLOAD)"
	default:
		return nil
	}
	return &refusal{http.StatusNotImplemented, "rhx: the AWS signature " + what + "; the broker signs version 4 with a hash of the whole body or without one"}
}

// parse finds a signature of version 4 with our key.
func (s *signer) parse(r *http.Request) (*signature, bool) {
	sig := &signature{date: r.Header.Get("X-Amz-Date")}
	var credential, headers string
	if rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), sigAlgorithm+" "); ok {
		for part := range strings.SplitSeq(rest, ",") {
			key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch key {
			case "Credential":
				credential = value
			case "SignedHeaders":
				headers = value
			case "Signature":
				sig.mac = value
			}
		}
	} else {
		q := r.URL.Query()
		if q.Get("X-Amz-Algorithm") != sigAlgorithm {
			return nil, false
		}
		sig.presigned, sig.date = true, q.Get("X-Amz-Date")
		credential, headers, sig.mac = q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature")
	}
	scope, ok := strings.CutPrefix(credential, s.id+"/")
	if !ok || len(sig.mac) != 2*sha256.Size || strings.Trim(sig.mac, "0123456789abcdef") != "" || len(sig.date) != len(amzTime) || headers == "" {
		return nil, false
	}
	if parts := strings.Split(scope, "/"); len(parts) != 4 || parts[3] != sigEnd {
		return nil, false
	}
	sig.scope, sig.headers = scope, strings.Split(headers, ";")
	return sig, true
}

// putToken puts the token of the session in its place.
func (s *signer) putToken(r *http.Request, sig *signature) {
	if s.token == "" {
		return
	}
	if !sig.presigned {
		f := field{name: "X-Amz-Security-Token", from: s.tokenFrom, to: s.token}
		f.putHeader(r.Header)
		return
	}
	q := rule{query: []field{{name: "X-Amz-Security-Token", from: s.tokenFrom, to: s.token}}}
	q.putQuery(r)
}

// putID puts the ID of the key in its place.
func (s *signer) putID(r *http.Request, sig *signature) {
	if s.id == s.idTo {
		return
	}
	if !sig.presigned {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Credential="+s.id+"/", "Credential="+s.idTo+"/", 1))
		return
	}
	q := rule{query: []field{{name: "X-Amz-Credential", from: s.id + "/" + sig.scope, to: s.idTo + "/" + sig.scope}}}
	q.putQuery(r)
}

// payload are the texts that may stand for the body in what is signed: what the request
// says, or its hash, for which it has to be read.
func (s *signer) payload(r *http.Request, sig *signature) ([]string, error) {
	if h := r.Header.Get("X-Amz-Content-Sha256"); h != "" {
		return []string{h}, nil
	}
	if h := r.URL.Query().Get("X-Amz-Content-Sha256"); h != "" {
		return []string{h}, nil
	}
	if sig.presigned && r.ContentLength != 0 {
		return []string{unsigned}, nil // a body that comes by a URL is not known when it is signed
	}
	body, err := s.spool(r)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	hashes := []string{hex.EncodeToString(sum[:])}
	if sig.presigned {
		hashes = append(hashes, unsigned)
	}
	return hashes, nil
}

// spool reads a body, and gives the request what it has read.
func (s *signer) spool(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	large := &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("rhx: a body that the client signs by its hash, without the header x-amz-content-sha256, may have %d MiB through the broker", s.maxSpooledForSigning>>20)}
	if r.ContentLength > s.maxSpooledForSigning {
		return nil, large
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, s.maxSpooledForSigning+1))
	switch {
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, "rhx: read the body: " + err.Error()}
	case int64(len(body)) > s.maxSpooledForSigning:
		return nil, large
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.TransferEncoding = nil
	return body, nil
}

// sign is the signature of a canonical request.
func (g *signature) sign(key, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{sigAlgorithm, g.date, g.scope, hex.EncodeToString(sum[:])}, "\n")
	mac := []byte("AWS4" + key)
	for part := range strings.SplitSeq(g.scope, "/") {
		mac = hmacOf(mac, part)
	}
	return hex.EncodeToString(hmacOf(mac, text))
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// ways are those in which clients write a path for signing: as it is sent, encoded once
// (S3), encoded again, and so without dots.
func ways() []func(u *url.URL) (string, error) {
	again := func(u *url.URL) (string, error) { return awsEscape(u.EscapedPath(), true), nil }
	return []func(u *url.URL) (string, error){
		func(u *url.URL) (string, error) { return u.EscapedPath(), nil },
		func(u *url.URL) (string, error) { return awsEscape(u.Path, true), nil },
		again,
		func(u *url.URL) (string, error) {
			p := u.EscapedPath()
			clean := path.Clean(p)
			if strings.HasSuffix(p, "/") && clean != "/" {
				clean += "/"
			}
			if !strings.HasPrefix(clean, "/") {
				return "", errors.New("not a path")
			}
			return awsEscape(clean, true), nil
		},
	}
}

// canonical is the request as it is signed; "" where it cannot be.
func (g *signature) canonical(r *http.Request, way func(*url.URL) (string, error), hash string) string {
	p, err := way(r.URL)
	if err != nil {
		return ""
	}
	if p == "" {
		p = "/"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n", r.Method, p, canonicalQuery(r.URL.RawQuery))
	for _, name := range g.headers {
		fmt.Fprintf(&b, "%s:%s\n", name, canonicalHeader(r, name))
	}
	fmt.Fprintf(&b, "\n%s\n%s", strings.Join(g.headers, ";"), hash)
	return b.String()
}

func canonicalHeader(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var values []string
	for _, v := range r.Header[http.CanonicalHeaderKey(name)] {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			n, v = name, value
		}
		if n != "X-Amz-Signature" {
			pairs = append(pairs, [2]string{awsEscape(n, false), awsEscape(v, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	var out []string
	for _, p := range pairs {
		out = append(out, p[0]+"="+p[1])
	}
	return strings.Join(out, "&")
}

// awsEscape percent-encodes all but letters, digits, -, ., _, ~, and slashes if asked to.
func awsEscape(text string, slashes bool) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if alnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || slashes && c == '/' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upper[c>>4])
		b.WriteByte(upper[c&15])
	}
	return b.String()
}
