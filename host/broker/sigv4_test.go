package broker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const awsSpec = `spec: 1
name: lab
values:
  access_key: {public: true, env: LAB_ID}
  secret_key: {env: LAB_KEY}
  session_token: {optional: true}
use:
  - hosts: [aws.lab.test]
    sign: {aws-sigv4: {access_key: access_key, secret_key: secret_key, session_token: session_token}}
`

const awsHost = "aws.lab.test"

func awsID() string     { return "AKIA" + "IOSFODNN7EXAMPLE" }
func awsSecret() string { return "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY" }
func awsToken() string  { return "FAKEfakeTOKEN0123456789/+==" }

// Signatures of AWS's own documentation.
func TestSignatureVectors(t *testing.T) {
	r, _ := http.NewRequest("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	r.Header.Set("Authorization", sigAlgorithm+" Credential="+awsID()+"/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="+
		"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
	p, _ := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="+awsID()+"%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="+
		"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", nil)
	for _, c := range []struct {
		r   *http.Request
		key string
	}{{r, "wJalrXUtnFEMI/K7MDENG+bPxRfiCY" + "EXAMPLEKEY"}, {p, awsSecret()}} {
		s := &signer{id: awsID(), idTo: awsID(), from: c.key, to: "other", maxSpooledForSigning: maxSpool}
		was := c.r.Header.Get("Authorization") + c.r.URL.RawQuery
		if ok, err := s.put(c.r); !ok || err != nil {
			t.Errorf("%s: %v, %v", c.r.URL, ok, err)
		}
		if now := c.r.Header.Get("Authorization") + c.r.URL.RawQuery; now == was || len(now) != len(was) {
			t.Errorf("%s is still signed by the same key", c.r.URL)
		}
		back := &signer{id: awsID(), idTo: awsID(), from: "other", to: c.key, maxSpooledForSigning: maxSpool}
		if ok, err := back.put(c.r); !ok || err != nil || c.r.Header.Get("Authorization")+c.r.URL.RawQuery != was {
			t.Errorf("%s: %v, %v", c.r.URL, ok, err)
		}
	}
}

// One time for all, as a test may take longer than a second.
var labStarted = time.Now().UTC()

func labTime() string  { return labStarted.Format(amzTime) }
func labScope() string { return labTime()[:8] + "/eu-west-1/s3/aws4_request" }

// awsClient signs as clients do, each in its way.
type awsClient struct {
	key, token string
	way        int
	hash       string // for x-amz-content-sha256; "" sends none
}

func (c *awsClient) sign(r *http.Request, body string) {
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Date", labTime())
	names := []string{"host", "x-amz-date"}
	if c.hash != "" {
		hash = c.hash
		r.Header.Set("X-Amz-Content-Sha256", hash)
		names = []string{"host", "x-amz-content-sha256", "x-amz-date"}
	}
	if c.token != "" {
		r.Header.Set("X-Amz-Security-Token", c.token)
		names = append(names, "x-amz-security-token")
	}
	g := &signature{date: labTime(), scope: labScope(), headers: names}
	r.Header.Set("Authorization", sigAlgorithm+" Credential="+awsID()+"/"+g.scope+", SignedHeaders="+strings.Join(names, ";")+", Signature="+g.sign(c.key, g.canonical(r, ways()[c.way], hash)))
}

func (c *awsClient) presign(r *http.Request, hash string) {
	g := &signature{date: labTime(), scope: labScope(), headers: []string{"host"}, presigned: true}
	q := url.Values{"X-Amz-Algorithm": {sigAlgorithm}, "X-Amz-Credential": {awsID() + "/" + g.scope}, "X-Amz-Date": {g.date}, "X-Amz-SignedHeaders": {"host"}, "X-Amz-Expires": {"60"}, "a": {"b c+"}}
	if c.token != "" {
		q.Set("X-Amz-Security-Token", c.token)
	}
	r.URL.RawQuery = q.Encode()
	r.URL.RawQuery += "&X-Amz-Signature=" + g.sign(c.key, g.canonical(r, ways()[c.way], hash))
}

// aws is a server that says whether a request is signed by the real key.
type aws struct {
	token string
	seen  chan string
}

func (a *aws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &signer{id: awsID(), idTo: awsID(), from: awsSecret(), to: "x", tokenFrom: a.token, token: a.token, maxSpooledForSigning: maxSpool}
	token := r.Header.Get("X-Amz-Security-Token") + r.URL.Query().Get("X-Amz-Security-Token")
	ok, err := s.put(r)
	body, _ := io.ReadAll(r.Body)
	a.seen <- fmt.Sprintf("%v %v token %v, %d bytes, range %s", ok, err, token == a.token, len(body), r.Header.Get("Range"))
	_, _ = io.WriteString(w, "ok")
}

func TestSigning(t *testing.T) {
	for _, token := range []string{"", awsToken()} {
		values := []string{"access_key", awsID(), "secret_key", awsSecret()}
		if token != "" {
			values = append(values, "session_token", token)
		}
		secret := newLabSecret(t, awsSpec, values...)
		l := newLabOf(t, secret)
		server := &aws{token: token, seen: make(chan string, 1)}
		l.serve(awsHost, server.ServeHTTP)
		key, standIn := secret.placeholders["secret_key"], secret.placeholders["session_token"]
		const body = "the body"
		sum := sha256.Sum256([]byte(body))
		hash := hex.EncodeToString(sum[:])
		request := func(method string) *http.Request {
			r, _ := http.NewRequest(method, "https://aws.lab.test/b/a%20b/./c%2Bd/?list-type=2&prefix=a+b&z", strings.NewReader(body))
			return r
		}
		send := func(r *http.Request, h2 bool) (string, int) {
			r.Header.Set("Range", "bytes=0-1")
			res, err := l.client(h2).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != 200 {
				return string(text), res.StatusCode
			}
			return <-server.seen, 200
		}
		want := func(n int) string {
			return fmt.Sprintf("true <nil> token true, %d bytes, range bytes=0-1", n)
		}
		for way := range ways() {
			for _, h := range []string{"", hash, unsigned, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"} {
				for _, h2 := range []bool{false, true} {
					r := request("PUT")
					(&awsClient{key, standIn, way, h}).sign(r, body)
					if got, status := send(r, h2); got != want(len(body)) {
						t.Errorf("way %d, %q: %d %s", way, h, status, got)
					}
				}
			}
			r := request("PUT")
			(&awsClient{key, standIn, way, ""}).presign(r, unsigned)
			if got, status := send(r, true); got != want(len(body)) {
				t.Errorf("presigned, way %d: %d %s", way, status, got)
			}
			r = request("GET")
			r.Body, r.ContentLength = nil, 0
			(&awsClient{key, standIn, way, ""}).presign(r, unsigned)
			if got, status := send(r, true); got != want(0) {
				t.Errorf("presigned, way %d: %d %s", way, status, got)
			}
		}
		// A body without a length is read to be hashed, too.
		r := request("POST")
		(&awsClient{key, standIn, 1, ""}).sign(r, body)
		r.Body, r.ContentLength = io.NopCloser(struct{ io.Reader }{strings.NewReader(body)}), -1
		if got, status := send(r, false); got != want(len(body)) {
			t.Errorf("chunked: %d %s", status, got)
		}
		for _, u := range l.uses() {
			if !strings.HasSuffix(u, " 200") {
				t.Error(u)
			}
		}
		// Another key is not ours: its signature stays.
		r = request("PUT")
		(&awsClient{"another key", standIn, 1, hash}).sign(r, body)
		if got, status := send(r, true); status != 200 || !strings.HasPrefix(got, "false <nil> ") {
			t.Errorf("another key: %d %s", status, got)
		}
		refusedSignatures(t, l)
	}
}

func refusedSignatures(t *testing.T, l *lab) {
	t.Helper()
	scope := awsID() + "/20260101/eu-west-1/s3/aws4_request"
	for _, c := range []struct {
		url    string
		header []string
		want   string
	}{
		{"https://aws.lab.test/", []string{"Authorization", "AWS " + awsID() + ":FAKE="}, "version 2 "},
		{"https://aws.lab.test/?AWSAccessKeyId=" + awsID() + "&Signature=FAKE", nil, "version 2 "},
		{"https://aws.lab.test/", []string{"Authorization", "AWS4-ECDSA-P256-SHA256 Credential=" + scope}, "version 4A"},
		{"https://aws.lab.test/?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=" + url.QueryEscape(scope), nil, "version 4A"},
		{"https://aws.lab.test/", []string{"Authorization", sigAlgorithm + " Credential=" + scope, "X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, "each chunk"},
		{"https://aws.lab.test/", []string{"Authorization", sigAlgorithm + " Credential=" + scope, "X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}, "each chunk"},
	} {
		if res, body := l.do(true, "PUT", c.url, "x", c.header...); res.StatusCode != 501 || !strings.Contains(body, c.want) {
			t.Errorf("%s %v: %d %s", c.url, c.header, res.StatusCode, body)
		}
	}
}

// An ID that is no public one has a placeholder, too.
func TestSigningWithASecretID(t *testing.T) {
	for _, presign := range []bool{false, true} {
		s := &signer{id: awsID(), idTo: "AKIA" + "I44QHTDHBEXAMPLE", from: "k", to: "l", maxSpooledForSigning: maxSpool}
		r, _ := http.NewRequest("GET", "https://aws.lab.test/", nil)
		if presign {
			(&awsClient{"k", "", 0, ""}).presign(r, unsigned)
		} else {
			(&awsClient{"k", "", 0, ""}).sign(r, "")
		}
		if ok, err := s.put(r); !ok || err != nil {
			t.Fatal(ok, err)
		}
		there := &signer{id: s.idTo, idTo: s.idTo, from: "l", to: "l", maxSpooledForSigning: maxSpool}
		if ok, err := there.put(r); !ok || err != nil {
			t.Errorf("presigned %v: %v, %v", presign, ok, err)
		}
	}
}

// A body that has to be held for its hash is bounded.
func TestSpoolIsBounded(t *testing.T) {
	for _, length := range []int64{11, -1} {
		s := &signer{id: awsID(), idTo: awsID(), from: "k", to: "l", maxSpooledForSigning: 10}
		r, _ := http.NewRequest("PUT", "https://aws.lab.test/", struct{ io.Reader }{strings.NewReader("eleven byte")})
		r.ContentLength = length
		(&awsClient{"k", "", 0, ""}).sign(r, "eleven byte")
		var no *refusal
		if _, err := s.put(r); !errors.As(err, &no) || no.status != 413 {
			t.Errorf("%d: %v", length, err)
		}
	}
}

func FuzzSignature(f *testing.F) {
	f.Add(sigAlgorithm+" Credential=ID/20260101/r/s/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), "a=b&c", "/p/%2e", "20260101T000000Z")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ID%2F20260101%2Fr%2Fs%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature="+strings.Repeat("0", 64), "/", "")
	f.Add("AWS ID:x", "AWSAccessKeyId=ID&%zz=%", "", "x")
	f.Fuzz(func(t *testing.T, auth, query, path, date string) {
		r := &http.Request{Method: "GET", Host: "h", URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{"Authorization": {auth}, "X-Amz-Date": {date}}}
		s := &signer{id: "ID", idTo: "ID2", from: "key", to: "other", maxSpooledForSigning: 1}
		// Nobody guesses a signature.
		if did, _ := s.put(r); did || r.Header.Get("Authorization") != auth || r.URL.RawQuery != query {
			t.Fatalf("%q %q is signed anew", auth, query)
		}
	})
}

// A signature of a part is right with the token of a session as well: clients sign the
// range, and an answer of a part or in an encoding is passed on.
func TestSignedRange(t *testing.T) {
	secret := newLabSecret(t, awsSpec, "access_key", awsID(), "secret_key", awsSecret(), "session_token", awsToken())
	l := newLabOf(t, secret)
	server := &aws{token: awsToken(), seen: make(chan string, 1)}
	l.serve(awsHost, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "aws-chunked")
		w.WriteHeader(http.StatusPartialContent)
		server.ServeHTTP(w, r)
	})
	r, _ := http.NewRequest("GET", "https://aws.lab.test/b/c", nil)
	for name, text := range map[string]string{"Range": "bytes=0-1", "Accept-Encoding": "gzip", "X-Amz-Date": labTime(), "X-Amz-Content-Sha256": unsigned, "X-Amz-Security-Token": secret.placeholders["session_token"]} {
		r.Header.Set(name, text)
	}
	g := &signature{date: labTime(), scope: labScope(), headers: []string{"accept-encoding", "host", "range", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}}
	r.Header.Set("Authorization", sigAlgorithm+" Credential="+awsID()+"/"+g.scope+", SignedHeaders="+strings.Join(g.headers, ";")+", Signature="+g.sign(secret.placeholders["secret_key"], g.canonical(r, ways()[0], unsigned)))
	res, err := l.client(true).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := <-server.seen; res.StatusCode != 206 || got != "true <nil> token true, 0 bytes, range bytes=0-1" {
		t.Errorf("%d, %s", res.StatusCode, got)
	}
}

// What is signed anew is good for the one host, and for a short time.
func TestCarelessSignatures(t *testing.T) {
	s := &signer{id: awsID(), idTo: awsID(), from: "k", to: "l", maxSpooledForSigning: maxSpool}
	good := func() *signature { return &signature{date: labTime(), scope: labScope(), headers: []string{"host"}} }
	for why, change := range map[string]func(g *signature, hash *string, q url.Values){
		"":                    func(*signature, *string, url.Values) {},
		"does not sign":       func(g *signature, _ *string, _ url.Values) { g.headers = []string{"x-amz-date"} },
		"twice, or something": func(g *signature, _ *string, _ url.Values) { g.headers = []string{"host", "host"} },
		"something":           func(g *signature, _ *string, _ url.Values) { g.headers = []string{"host", "x\ny"} },
		"time to come": func(g *signature, _ *string, _ url.Values) {
			g.date = labStarted.Add(48 * time.Hour).Format(amzTime)
			g.scope = g.date[:8] + "/r/s/aws4_request"
		},
		"not that of its scope": func(g *signature, _ *string, _ url.Values) { g.scope = "20200101/r/s/aws4_request" },
		"no hash":               func(_ *signature, h *string, _ url.Values) { *h = "host:evil" },
		"in the query, too":     func(_ *signature, _ *string, q url.Values) { q.Set("X-Amz-Expires", "604800") },
	} {
		g, hash, q := good(), unsigned, url.Values{}
		change(g, &hash, q)
		for _, presign := range []bool{false, true} {
			if presign && q.Has("X-Amz-Expires") {
				continue
			}
			r, _ := http.NewRequest("GET", "https://aws.lab.test/", nil)
			r.Header.Set("X-Amz-Content-Sha256", hash)
			if g.presigned = presign; presign {
				r.URL.RawQuery = url.Values{"X-Amz-Algorithm": {sigAlgorithm}, "X-Amz-Credential": {awsID() + "/" + g.scope}, "X-Amz-Date": {g.date}, "X-Amz-SignedHeaders": {strings.Join(g.headers, ";")}, "X-Amz-Expires": {"60"}}.Encode()
				r.URL.RawQuery += "&X-Amz-Signature=" + g.sign("k", g.canonical(r, ways()[0], hash))
			} else {
				r.URL.RawQuery = q.Encode()
				r.Header.Set("X-Amz-Date", g.date)
				r.Header.Set("Authorization", sigAlgorithm+" Credential="+awsID()+"/"+g.scope+", SignedHeaders="+strings.Join(g.headers, ";")+", Signature="+g.sign("k", g.canonical(r, ways()[0], hash)))
			}
			did, err := s.put(r)
			if did != (why == "") || why != "" && (err == nil || !strings.Contains(err.Error(), why)) {
				t.Errorf("%q, presigned %v: %v, %v", why, presign, did, err)
			}
		}
	}
}

// A presigned URL is not good for days after the run.
func TestPresignedForLong(t *testing.T) {
	s := &signer{id: awsID(), idTo: awsID(), from: "k", to: "l", maxSpooledForSigning: maxSpool}
	g := &signature{date: labTime(), scope: labScope(), headers: []string{"host"}}
	for expires, ok := range map[string]bool{"604800": true, "604801": false, "0": false, "x": false} {
		r, _ := http.NewRequest("GET", "https://aws.lab.test/", nil)
		r.URL.RawQuery = url.Values{"X-Amz-Algorithm": {sigAlgorithm}, "X-Amz-Credential": {awsID() + "/" + g.scope}, "X-Amz-Date": {g.date}, "X-Amz-SignedHeaders": {"host"}, "X-Amz-Expires": {expires}}.Encode()
		r.URL.RawQuery += "&X-Amz-Signature=" + g.sign("k", g.canonical(r, ways()[0], unsigned))
		did, err := s.put(r)
		if did != ok || ok == (err != nil) {
			t.Errorf("%s: %v, %v", expires, did, err)
		}
		if n, _ := strconv.Atoi(r.URL.Query().Get("X-Amz-Expires")); ok && (n < 60 || n > 3600) {
			t.Errorf("it is good for %d s", n)
		}
		back := &signer{id: awsID(), idTo: awsID(), from: "l", to: "k", maxSpooledForSigning: maxSpool}
		if did, err := back.put(r); ok && (!did || err != nil) {
			t.Errorf("the server: %v, %v", did, err)
		}
	}
}
