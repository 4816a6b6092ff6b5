package broker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Hosts of the lab. The rules of its provider are for all but the last.
const (
	apiHost    = "api.lab.test"
	gitHost    = "git.lab.test"
	queryHost  = "query.lab.test"
	cookieHost = "cookie.lab.test"
	otherHost  = "other.test"
)

// labSpec has each kind of rule.
const labSpec = `spec: 1
name: lab
values:
  token: {env: LAB_TOKEN, pattern: 'lab_[A-Za-z0-9]{24}'}
  user: {public: true, optional: true}
use:
  - hosts: [api.lab.test, "**.deep.lab.test", "*.flat.lab.test"]
    header: {Authorization: "Bearer {token}"}
  - hosts: [api.lab.test]
    header: {X-User: "{user}", X-Key: "{token}"}
  - hosts: [git.lab.test]
    basic: {user: "*", password: "{token}"}
  - hosts: [query.lab.test]
    query: {key: "{token}"}
  - hosts: [cookie.lab.test]
    header: {Cookie: "session={token}"}
`

func labToken() string { return "lab_" + "FAKEfake0123456789ABCDxy" }

// lab is a broker, a command's clients, and servers that say what they got.
type lab struct {
	t testing.TB
	*Broker
	secret *Secret
	// placeholder is that of the token.
	placeholder string
	roots       *x509.CertPool
	ca          *x509.Certificate
	key         *ecdsa.PrivateKey

	mu      sync.Mutex
	servers map[string]string // addresses by HOST:PORT
	dialed  []string
	used    []Used
	warned  []string
}

func newSpec(t testing.TB, text string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func newLabSecret(t testing.TB, text string, kv ...string) *Secret {
	t.Helper()
	values := secret.Values{}
	for i := 0; i < len(kv); i += 2 {
		values[kv[i]] = secret.NewValue(kv[i+1])
	}
	s, err := NewSecret(newSpec(t, text), &secret.Secret{Name: "lab", Provider: "lab", Values: values})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newLab starts a broker of the lab's secret; change may alter its options.
func newLab(t testing.TB, change ...func(*Options)) *lab {
	t.Helper()
	return newLabOf(t, newLabSecret(t, labSpec, "token", labToken(), "user", "jane"), change...)
}

func newLabOf(t testing.TB, s *Secret, change ...func(*Options)) *lab {
	t.Helper()
	l := &lab{t: t, servers: map[string]string{}, secret: s, placeholder: s.placeholders["token"], roots: x509.NewCertPool()}
	l.makeRoots()
	o := Options{
		Secrets: []*Secret{s}, Roots: l.roots, Dial: l.dial,
		Used: func(u Used) { l.mu.Lock(); l.used = append(l.used, u); l.mu.Unlock() },
		Warn: func(text string) { l.mu.Lock(); l.warned = append(l.warned, text); l.mu.Unlock() },
	}
	for _, c := range change {
		c(&o)
	}
	l.Broker = started(t, o)
	return l
}

// started is a broker that is closed, without an error, at the end of the test.
func started(t testing.TB, o Options) *Broker {
	t.Helper()
	b, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (l *lab) makeRoots() {
	l.t.Helper()
	var err error
	if l.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		l.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, l.key.Public(), l.key)
	if err != nil {
		l.t.Fatal(err)
	}
	if l.ca, err = x509.ParseCertificate(der); err != nil {
		l.t.Fatal(err)
	}
	l.roots.AddCert(l.ca)
}

// certificate is one for a host by the lab's roots.
func (l *lab) certificate(host string) tls.Certificate {
	l.t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, l.ca, l.key.Public(), l.key)
	if err != nil {
		l.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: l.key}
}

// serve starts a server for a host, on port 443 as the broker sees it.
func (l *lab) serve(host string, h http.HandlerFunc) *httptest.Server {
	l.t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(discard{}, "", 0)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{l.certificate(host)}}
	s.StartTLS()
	l.t.Cleanup(s.Close)
	l.at(host+":443", s.Listener.Addr().String())
	return s
}

// serveRaw starts a server that answers each connection by a function.
func (l *lab) serveRaw(host string, answer func(net.Conn)) {
	l.t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{l.certificate(host)}})
	if err != nil {
		l.t.Fatal(err)
	}
	var all sync.WaitGroup
	l.t.Cleanup(func() {
		_ = listener.Close()
		l.transport.CloseIdleConnections()
		l.transport1.CloseIdleConnections()
		all.Wait()
	})
	l.at(host+":443", listener.Addr().String())
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); answer(c) })
		}
	})
}

func (l *lab) at(name, address string) {
	l.mu.Lock()
	l.servers[name] = address
	l.mu.Unlock()
}

func (l *lab) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	real := l.servers[address]
	l.dialed = append(l.dialed, address)
	l.mu.Unlock()
	if real == "" {
		return nil, fmt.Errorf("no host %s in the lab", address)
	}
	return new(net.Dialer).DialContext(ctx, network, real)
}

// trust are the lab's roots and the broker's authority.
func (l *lab) trust() *x509.CertPool {
	pool := l.roots.Clone()
	pool.AppendCertsFromPEM(l.Authority())
	return pool
}

// client is one of the command, of HTTP/1.1 or 2.
func (l *lab) client(h2 bool) *http.Client {
	l.t.Helper()
	proxy, err := url.Parse(l.ProxyURL(l.Address()))
	if err != nil {
		l.t.Fatal(err)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: l.trust()}, ForceAttemptHTTP2: h2, DisableCompression: true, ExpectContinueTimeout: 10 * time.Second}
	if !h2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	l.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// open connects to a host as the command, up to TLS with a server name.
func (l *lab) open(target, name string, protos ...string) (*tls.Conn, error) {
	c, status := l.connectTo(target, l.password)
	if status != http.StatusOK {
		return nil, fmt.Errorf("CONNECT: %d", status)
	}
	tc := tls.Client(c, &tls.Config{RootCAs: l.trust(), ServerName: name, NextProtos: protos, InsecureSkipVerify: true}) // the name may be a wrong one
	return tc, tc.HandshakeContext(l.t.Context())
}

// connectTo sends a CONNECT.
func (l *lab) connectTo(target, password string) (net.Conn, int) {
	l.t.Helper()
	c, err := net.Dial("tcp", l.listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = c.Close() })
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if password != "" {
		r.SetBasicAuth(proxyUser, password)
		r.Header["Proxy-Authorization"] = r.Header["Authorization"]
		delete(r.Header, "Authorization")
	}
	if err := r.Write(c); err != nil {
		l.t.Fatal(err)
	}
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK && br.Buffered() > 0 {
		l.t.Fatal("more than an answer")
	}
	return c, res.StatusCode
}

// answer is a response whose body was read.
type answer struct {
	StatusCode, ProtoMajor int
	Proto                  string
	Header, Trailer        http.Header
	ContentLength          int64
	TLS                    *tls.ConnectionState
}

func answerOf(res *http.Response) *answer {
	return &answer{res.StatusCode, res.ProtoMajor, res.Proto, res.Header, res.Trailer, res.ContentLength, res.TLS}
}

// do sends a request and returns the answer with its body.
func (l *lab) do(h2 bool, method, target, body string, header ...string) (*answer, string) {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := l.client(h2).Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return answerOf(res), string(data)
}

// uses are the lines of the log so far.
func (l *lab) uses() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, u := range l.used {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s%s %d %s", u.Secret, u.Method, u.Host, u.Path, u.Status, u.Left)))
	}
	return out
}

func (l *lab) wantUses(want ...string) {
	l.t.Helper()
	if got := l.uses(); !slices.Equal(got, want) {
		l.t.Errorf("the log has\n  %s\nnot\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// seen is what a server got, in one text.
func seen(r *http.Request) string {
	var b bytes.Buffer
	_ = r.Write(&b)
	return b.String()
}

// keeper keeps what a server got, without telling the client.
type keeper struct {
	mu  sync.Mutex
	got []string
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := r.Proto + "\n" + seen(r)
	k.mu.Lock()
	k.got = append(k.got, text)
	k.mu.Unlock()
	_, _ = io.WriteString(w, "ok")
}

func (k *keeper) last() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.got) == 0 {
		return ""
	}
	return k.got[len(k.got)-1]
}
