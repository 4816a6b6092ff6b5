package broker

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// To a host that no rule names the bytes pass as they are, whatever it is called and
// wherever it is.
func TestOtherHostsGetThePlaceholder(t *testing.T) {
	l := newLab(t)
	kept := &keeper{}
	s := l.serve(apiHost, kept.ServeHTTP)
	for _, host := range []string{otherHost, "evilapi.lab.test", "api.lab.test.evil.test", "evildeep.lab.test", "deep.lab.test", "xdeep.lab.test"} {
		l.serve(host, kept.ServeHTTP)
		res, _ := l.do(true, "GET", "https://"+host+"/", "", "Authorization", "Bearer "+l.placeholder)
		if res.StatusCode != 200 || !strings.Contains(kept.last(), "Bearer "+l.placeholder+"\r\n") {
			t.Errorf("%s: %d, %q", host, res.StatusCode, kept.last())
		}
		if issuer := res.TLS.PeerCertificates[0].Issuer.CommonName; issuer != "lab" {
			t.Errorf("%s: TLS is with %s", host, issuer)
		}
	}
	// A name that leads to the host of a rule, and the host on another port.
	s2 := l.serve("alias.test", kept.ServeHTTP)
	l.at("alias.test:443", s.Listener.Addr().String())
	s2.Close()
	l.at("api.lab.test:8443", s.Listener.Addr().String())
	for _, target := range []string{"alias.test:443", "api.lab.test:8443"} {
		c, err := l.open(target, apiHost)
		if err != nil {
			t.Fatal(err)
		}
		if issuer := c.ConnectionState().PeerCertificates[0].Issuer.CommonName; issuer != "lab" {
			t.Errorf("%s: TLS is with %s", target, issuer)
		}
		if got := raw(t, c, "GET / HTTP/1.1\r\nHost: api.lab.test\r\nAuthorization: Bearer "+l.placeholder+"\r\n\r\n"); got.StatusCode != 200 || !strings.Contains(kept.last(), l.placeholder) {
			t.Errorf("%s: %d, %q", target, got.StatusCode, kept.last())
		}
	}
	l.wantUses()
}

// raw sends the text of a request and reads the answer.
func raw(t *testing.T, c net.Conn, text string) *answer {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return answerOf(res)
}

// A redirect is the client's to follow: the other host gets what the client sends there.
func TestRedirectsPass(t *testing.T) {
	l := newLab(t)
	kept := &keeper{}
	l.serve(otherHost, kept.ServeHTTP)
	l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.test/x", http.StatusTemporaryRedirect)
	})
	c := l.client(true)
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		r.Header.Set("Authorization", via[0].Header.Get("Authorization")) // as a careless client does
		return nil
	}
	r, _ := http.NewRequest("POST", "https://api.lab.test/", strings.NewReader("x"))
	r.Header.Set("Authorization", "Bearer "+l.placeholder)
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.Request.URL.Host != otherHost || !strings.Contains(kept.last(), l.placeholder) || strings.Contains(kept.last(), labToken()) {
		t.Errorf("%s got %q", res.Request.URL, kept.last())
	}
	l.wantUses("lab POST api.lab.test/ 307")
}

// CONNECT, the TLS server name and the request's host have to be one host.
func TestNamesHaveToAgree(t *testing.T) {
	l := newLab(t)
	kept := &keeper{}
	for _, host := range []string{apiHost, gitHost, otherHost} {
		l.serve(host, kept.ServeHTTP)
	}
	for _, c := range []struct {
		target, sni, host string
		want              int
	}{
		{"api.lab.test:443", "api.lab.test", "api.lab.test", 200},
		{"api.lab.test:443", "api.lab.test", "API.lab.test:443", 200},
		{"API.LAB.TEST:443", "api.lab.test", "api.lab.test", 200},
		{"api.lab.test:443", "api.lab.test", "other.test", 421},
		{"api.lab.test:443", "api.lab.test", "git.lab.test", 421},
		{"api.lab.test:443", "api.lab.test", "api.lab.test:8443", 421},
		{"api.lab.test:443", "api.lab.test", "api.lab.test.", 421},
		{"api.lab.test:443", "api.lab.test", "", 421},
		{"api.lab.test:443", "other.test", "api.lab.test", 421},
		{"api.lab.test:443", "git.lab.test", "git.lab.test", 421},
		{"api.lab.test:443", "", "api.lab.test", 421},
	} {
		conn, err := l.open(c.target, c.sni, "http/1.1")
		if err != nil {
			t.Fatal(err)
		}
		res := raw(t, conn, "GET / HTTP/1.1\r\nHost: "+c.host+"\r\nAuthorization: Bearer "+l.placeholder+"\r\n\r\n")
		if res.StatusCode != c.want {
			t.Errorf("%+v: %d", c, res.StatusCode)
		}
		if c.want == 421 && strings.Contains(kept.last(), "Host: other.test") {
			t.Errorf("%+v: a server got it", c)
		}
	}
	// An absolute request target says another host than the header, and counts.
	conn, err := l.open("api.lab.test:443", apiHost, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	if res := raw(t, conn, "GET https://other.test/ HTTP/1.1\r\nHost: api.lab.test\r\n\r\n"); res.StatusCode != 421 {
		t.Error(res.StatusCode)
	}
	// HTTP/2 has it in :authority.
	if got := frames(t, l, apiHost, ":method", "GET", ":scheme", "https", ":path", "/", ":authority", otherHost); got != "421" {
		t.Errorf("another :authority: %s", got)
	}
	if got := frames(t, l, apiHost, ":method", "GET", ":scheme", "https", ":path", "/", ":authority", apiHost, "authorization", "Bearer "+l.placeholder); got != "200" {
		t.Errorf("the same :authority: %s", got)
	}
}

// frames sends the headers of a request over HTTP/2 as they are, and returns the status
// of the answer, or what came in its place.
func frames(t *testing.T, l *lab, host string, fields ...string) string {
	t.Helper()
	c, err := l.open(host+":443", host, "h2")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	fr := http2.NewFramer(c, c)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := fr.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := fr.ReadFrame()
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return "reset"
		case *http2.GoAwayFrame:
			return "go away"
		}
		if err != nil {
			return err.Error()
		}
	}
}

// What could be two requests to one reader is one to the server, or none.
func TestNoSmuggling(t *testing.T) {
	l := newLab(t)
	var mu sync.Mutex
	var got []string
	l.serveRaw(apiHost, func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			got = append(got, r.Method+" "+r.URL.Path+" "+fmt.Sprint(len(body)))
			mu.Unlock()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	const hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: api.lab.test\r\n\r\n"
	length := func(s string) string { return fmt.Sprint(len(s)) }
	for name, head := range map[string]string{
		"both lengths":        "Content-Length: " + length(hidden) + "\r\nTransfer-Encoding: chunked",
		"two lengths":         "Content-Length: 3\r\nContent-Length: " + length(hidden),
		"a list of lengths":   "Content-Length: 3, 3",
		"a signed length":     "Content-Length: +3",
		"a hidden encoding":   "Transfer-Encoding : chunked\r\nContent-Length: " + length(hidden),
		"a tab":               "Transfer-Encoding:\tchunked\r\nContent-Length: 3",
		"an unknown encoding": "Transfer-Encoding: xchunked\r\nContent-Length: 3",
		"two encodings":       "Transfer-Encoding: chunked, identity",
		"a folded line":       "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: " + length(hidden),
		"a bare end of line":  "X: y\nTransfer-Encoding: chunked\r\nContent-Length: " + length(hidden),
	} {
		mu.Lock()
		got = nil
		mu.Unlock()
		c, err := l.open("api.lab.test:443", apiHost, "http/1.1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "POST /first HTTP/1.1\r\nHost: api.lab.test\r\nConnection: close\r\n"+head+"\r\n\r\n"+hidden); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, c)
		mu.Lock()
		if len(got) > 1 || slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "hidden") }) {
			t.Errorf("%s: the server got %q", name, got)
		}
		mu.Unlock()
	}
	ok := []string{":method", "POST", ":scheme", "https", ":path", "/", ":authority", apiHost}
	for name, more := range map[string][]string{
		"an encoding":         {"transfer-encoding", "chunked"},
		"a line in a value":   {"x", "y\r\nGET /hidden HTTP/1.1"},
		"a line in a name":    {"x: y\r\nz", "1"},
		"a connection header": {"connection", "upgrade"},
		"an upper-case name":  {"X-Upper", "1"},
	} {
		mu.Lock()
		got = nil
		mu.Unlock()
		if status := frames(t, l, apiHost, append(slices.Clone(ok), more...)...); status == "200" {
			t.Errorf("HTTP/2 with %s is passed on", name)
		}
		mu.Lock()
		if len(got) > 0 {
			t.Errorf("HTTP/2 with %s: the server got %q", name, got)
		}
		mu.Unlock()
	}
	if status := frames(t, l, apiHost, ":method", "GET", ":scheme", "https", ":path", "/ HTTP/1.1\r\nX: y", ":authority", apiHost); status == "200" {
		t.Error("HTTP/2 with a line in the path is passed on")
	}
}

// The proxy is for the command that has the password, for https, and for what is a host.
func TestWhoMayUseTheProxy(t *testing.T) {
	l := newLab(t)
	l.serve(apiHost, (&keeper{}).ServeHTTP)
	for password, want := range map[string]int{"": 407, "wrong": 407, l.password + "x": 407, l.password[1:]: 407, l.password: 200} {
		if _, status := l.connectTo("api.lab.test:443", password); status != want {
			t.Errorf("with %q: %d", password, status)
		}
	}
	for _, header := range []string{"", "Basic", "Basic !", "Bearer " + l.password, basic("root", l.password), basic("", ""), basic("rhx", "")} {
		if l.knows(header) {
			t.Errorf("%q is let in", header)
		}
	}
	if !l.knows(basic("rhx", l.password)) || !l.knows("basic  "+strings.TrimPrefix(basic("rhx", l.password), "Basic ")) {
		t.Error("the password is not known")
	}
	for _, target := range []string{"api.lab.test", "api.lab.test:", "api.lab.test:0", "api.lab.test:70000", "api.lab.test:0443", "api.lab.test:+443", ":443", "a b:443", "a%2fb:443", "ä.test:443", strings.Repeat("a", 254) + ":443"} {
		if _, ok := parseTarget(target); ok {
			t.Errorf("%q is a target", target)
		}
	}
	if got, ok := parseTarget("[::1]:8443"); !ok || got.host != "::1" || got.address() != "[::1]:8443" {
		t.Error(got)
	}
	// Plain http is refused: a value would be for everybody on the way.
	c, _ := net.Dial("tcp", l.listener.Addr().String())
	defer c.Close()
	res := raw(t, c, "GET http://api.lab.test/ HTTP/1.1\r\nHost: api.lab.test\r\nProxy-Authorization: "+basic("rhx", l.password)+"\r\nAuthorization: Bearer "+l.placeholder+"\r\n\r\n")
	if res.StatusCode != 403 || len(l.dialed) > 0 {
		t.Errorf("%d, dialed %q", res.StatusCode, l.dialed)
	}
	// A client that asks first finds out how, on the same connection.
	res = raw(t, c, "CONNECT api.lab.test:443 HTTP/1.1\r\nHost: api.lab.test:443\r\n\r\n")
	if res.StatusCode != 407 || res.Header.Get("Proxy-Authenticate") != `Basic realm="rhx"` {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if _, err := io.WriteString(c, "CONNECT api.lab.test:443 HTTP/1.1\r\nHost: api.lab.test:443\r\nProxy-Authorization: "+basic("rhx", l.password)+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		t.Errorf("then %q, %v", line, err)
	}
}

func TestOnly(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Only = true })
	l.serve(apiHost, (&keeper{}).ServeHTTP)
	l.serve(otherHost, (&keeper{}).ServeHTTP)
	for target, want := range map[string]int{"api.lab.test:443": 200, "other.test:443": 403, "api.lab.test:8443": 403, "127.0.0.1:443": 403} {
		if _, status := l.connectTo(target, l.password); status != want {
			t.Errorf("%s: %d", target, status)
		}
	}
	if got := l.uses(); len(got) != 3 || !slices.Contains(got, "CONNECT other.test:443 403 no secret is for this host") {
		t.Errorf("%q", got)
	}
}

// A command on another machine gets nothing of this one's network.
func TestAway(t *testing.T) {
	var mu sync.Mutex
	var said []string
	l := newLab(t, func(o *Options) {
		o.Away = true
		o.Warn = func(text string) { mu.Lock(); defer mu.Unlock(); said = append(said, text) }
	})
	l.serve(apiHost, (&keeper{}).ServeHTTP)
	l.serve(otherHost, (&keeper{}).ServeHTTP)
	for _, one := range []struct {
		target string
		want   int
	}{{"api.lab.test:443", 200}, {"other.test:443", 403}, {"other.test:443", 403}, {"api.lab.test:8443", 403}, {"127.0.0.1:22", 403}, {"[::1]:22", 403}, {"169.254.169.254:80", 403}} {
		if _, status := l.connectTo(one.target, l.password); status != one.want {
			t.Errorf("%s: %d", one.target, status)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 5 || !strings.Contains(said[0], "other.test:443") || !strings.Contains(said[0], "NO_PROXY=other.test") {
		t.Errorf("%q", said)
	}
}

func TestOversizedHeaders(t *testing.T) {
	l := newLab(t)
	l.serve(apiHost, (&keeper{}).ServeHTTP)
	c, err := l.open("api.lab.test:443", apiHost, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	if res := raw(t, c, "GET / HTTP/1.1\r\nHost: api.lab.test\r\nX: "+strings.Repeat("x", 2*maxHeader)+"\r\n\r\n"); res.StatusCode != 431 {
		t.Error(res.StatusCode)
	}
	l.serveRaw(gitHost, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxReplyHeader)+"\r\n\r\n")
	})
	if res, body := l.do(false, "GET", "https://git.lab.test/", ""); res.StatusCode != 502 || !strings.HasPrefix(body, "rhx: git.lab.test: ") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// The authority is good for the hosts of the rules alone, its key is nowhere, and the
// server has to be the host.
func TestAuthority(t *testing.T) {
	l := newLab(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(l.Authority())
	for host, want := range map[string]bool{apiHost: true, gitHost: true, "a.b.deep.lab.test": true, otherHost: false, "lab.test": false, "evildeep.lab.test": false, "127.0.0.1": false, "::1": false} {
		c, err := l.authority.leaf(host)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		var constraint x509.CertificateInvalidError
		if (err == nil) != want || !want && !errors.As(err, &constraint) {
			t.Errorf("%s: %v", host, err)
		}
	}
	block, rest := pem.Decode(l.Authority())
	if block.Type != "CERTIFICATE" || len(rest) > 0 || bytes.Contains(l.Authority(), []byte("PRIVATE")) {
		t.Errorf("%s", l.Authority())
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !cert.PermittedDNSDomainsCritical || !cert.MaxPathLenZero || cert.NotAfter.Sub(cert.NotBefore) > authorityLife+2*skew {
		t.Errorf("%+v, %v", cert, err)
	}
	// An authority of hosts by number is good for none by name.
	numbers, err := newAuthority([]string{"127.0.0.1:8443"})
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(numbers.pem)
	for host, want := range map[string]bool{"127.0.0.1": true, "127.0.0.2": false, "::1": false, apiHost: false} {
		c, err := numbers.leaf(host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestLeavesAreMadeAnew(t *testing.T) {
	a, err := newAuthority([]string{apiHost})
	if err != nil {
		t.Fatal(err)
	}
	get := func() *tls.Certificate {
		c, err := a.leaf(apiHost)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, now := get(), a.now()
	if get() != first {
		t.Error("another one")
	}
	a.now = func() time.Time { return now.Add(leafLife - skew) }
	if again := get(); again == first || !again.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Error("it ends within the hour")
	}
	for i := range maxLeaves + 1 {
		if _, err := a.leaf(fmt.Sprintf("h%d.lab.test", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.leaves) > maxLeaves {
		t.Error(len(a.leaves))
	}
}

// A server that is not the host gets nothing.
func TestTheServerIsVerified(t *testing.T) {
	l := newLab(t)
	kept := &keeper{}
	s := l.serve(otherHost, kept.ServeHTTP)
	l.at("api.lab.test:443", s.Listener.Addr().String()) // with the certificate of another
	res, body := l.do(true, "GET", "https://api.lab.test/", "", "Authorization", "Bearer "+l.placeholder)
	if res.StatusCode != 502 || !strings.Contains(body, "x509") || kept.last() != "" {
		t.Errorf("%d %s, %q", res.StatusCode, body, kept.last())
	}
	l.wantUses("lab GET api.lab.test/ 0")
}
