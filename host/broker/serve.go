package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
)

// newTransport makes what sends requests to servers, by HTTP/2 where they have it, or by
// HTTP/1.1 alone.
func (b *Broker) newTransport(h2 bool) *http.Transport {
	t := &http.Transport{
		DialContext: b.upstream.connect, ForceAttemptHTTP2: h2, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: b.opts.Roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		MaxIdleConns:    512, MaxIdleConnsPerHost: 128, IdleConnTimeout: idleWait, TLSHandshakeTimeout: handshakeWait,
		ExpectContinueTimeout: time.Second, MaxResponseHeaderBytes: maxReplyHeader,
		ReadBufferSize: copyBuffer, WriteBufferSize: copyBuffer,
	}
	if !h2 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return t
}

// flushEvery is how long bytes of an answer of known length may wait for more; those of
// others, such as events, do not.
const flushEvery = 2 * time.Millisecond

// exchange is one request and what becomes of it.
type exchange struct {
	target target
	put    []*rule
	logged bool
	http1  bool // the command speaks HTTP/1.1
	out    *replyWriter
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey{}).(*exchange)
	return e
}

func (b *Broker) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: b.rewrite, ModifyResponse: b.reply, ErrorHandler: b.failed,
		Transport: earlyHints{b}, FlushInterval: flushEvery, BufferPool: &buffers{}, ErrorLog: log.New(discard{}, "", 0),
	}
}

// buffers are those of bodies.
type buffers struct{ pool sync.Pool }

func (p *buffers) Get() []byte {
	if buf, ok := p.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, copyBuffer)
}

func (p *buffers) Put(buf []byte) { p.pool.Put(&buf) }

// serve answers a request to a host that rules name.
func (b *Broker) serve(w http.ResponseWriter, r *http.Request) {
	if !b.begin() {
		return
	}
	defer b.serving.Done()
	t, ok := r.Context().Value(targetKey{}).(target)
	if !ok || !t.agrees(r) {
		http.Error(w, "rhx: the host of the request, the TLS server name and the host of CONNECT are not the same", http.StatusMisdirectedRequest)
		return
	}
	if r.Method == http.MethodConnect {
		http.Error(w, "rhx: no CONNECT in CONNECT", http.StatusMethodNotAllowed)
		return
	}
	if why := malformed(r); why != "" {
		http.Error(w, "rhx: "+why, http.StatusBadRequest)
		return
	}
	onlyWebSocket(r.Header)
	e := &exchange{target: t, http1: r.ProtoMajor == 1}
	if err := b.putAll(e, r); err != nil {
		refuse(w, err)
		return
	}
	_ = http.NewResponseController(w).EnableFullDuplex()
	out := &replyWriter{ResponseWriter: w}
	e.out = out
	if b.reflects(t) {
		out.mask(b.mask)
	}
	defer out.finish()
	b.proxy.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e)))
	out.done = true
}

// begin notes a request that Close waits for; false where that has begun.
func (b *Broker) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.serving.Add(1)
	}
	return !b.closed
}

// maxMethod bounds a method: the longest that is registered has 17 characters.
const maxMethod = 32

// malformed says why servers, or the log, may read a request in another way than the
// broker does; "" where they do not.
func malformed(r *http.Request) string {
	switch {
	case len(r.Method) > maxMethod:
		return "the method is too long"
	case r.URL.Opaque != "" || !strings.HasPrefix(r.URL.Path, "/") && (r.URL.Path != "*" || r.Method != http.MethodOptions):
		return "the target of the request must be a path"
	case strings.ContainsFunc(r.URL.RawQuery, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "the query has characters that must be encoded"
	}
	return ""
}

// onlyWebSocket takes the wish for another protocol out: what comes then could not be
// searched, nor held to methods and paths. Servers may ignore such a wish as well.
func onlyWebSocket(h http.Header) {
	if list := h["Upgrade"]; len(list) != 1 || !strings.EqualFold(list[0], "websocket") {
		delete(h, "Upgrade")
	}
}

// agrees reports that the server name of TLS and the request's host are the target's.
func (t target) agrees(r *http.Request) bool {
	name := strings.ToLower(r.TLS.ServerName)
	if name != t.host && (name != "" || net.ParseIP(t.host) == nil) {
		return false
	}
	host := strings.ToLower(r.Host)
	return host == t.host && t.port == 443 || host == t.host+":"+strconv.Itoa(t.port)
}

// reflects reports that a host gets values, which it could send back.
func (b *Broker) reflects(t target) bool {
	for _, r := range t.rules {
		if r.reflects() {
			return true
		}
	}
	return false
}

// searchable reports that answers of a host must come in a form that can be searched.
// Where it verifies signatures alone they need not: what it could send back is the token
// of a session, which is of no use without the key, and clients sign what would be
// changed for that.
func (t target) searchable() bool {
	return slices.ContainsFunc(t.rules, func(r *rule) bool { return r.sign == nil })
}

// putAll puts the values of all rules into a request.
func (b *Broker) putAll(e *exchange, r *http.Request) error {
	for _, rule := range e.target.rules {
		did, err := rule.put(r)
		if why := rule.secret.allows(r); did && why != "" {
			err = &refusal{http.StatusForbidden, "rhx: " + why}
		}
		if err != nil {
			var no *refusal
			if errors.As(err, &no) {
				b.used(b.useOf(e, rule.secret, r, no.status, strings.TrimPrefix(no.text, "rhx: ")))
			}
			return err
		}
		if did {
			e.put = append(e.put, rule)
		}
	}
	b.noteLeft(e, r)
	return nil
}

// Bounds of what the command chooses and the log has.
const (
	maxPath = 300
	maxName = 64
)

func (b *Broker) useOf(e *exchange, s *Secret, r *http.Request, status int, left string) Used {
	p := b.mask.Replace(r.URL.EscapedPath())
	if len(p) > maxPath {
		p = p[:maxPath] + "…"
	}
	host := e.target.host
	if e.target.port != 443 {
		host = e.target.address()
	}
	return Used{Secret: s.Name, Host: host, Method: r.Method, Path: p, Status: status, Left: left}
}

// noteLeft tells of placeholders in places that no rule names.
func (b *Broker) noteLeft(e *exchange, r *http.Request) {
	for _, s := range b.opts.Secrets {
		where := ""
		for _, text := range s.placeholders {
			where = cmp.Or(where, holds(r, text))
		}
		if where == "" {
			continue
		}
		u := b.useOf(e, s, r, 0, "its placeholder is in "+where+", where no rule has it")
		if where == inPath {
			u.Path = ""
		}
		b.used(u)
	}
}

const inPath = "the path"

// holds says where a request, but for its body, has a text; "" for nowhere.
func holds(r *http.Request, text string) string {
	switch {
	case strings.Contains(r.URL.RawQuery, text):
		return "the query"
	case strings.Contains(r.URL.Path, text):
		return inPath
	}
	for name, values := range r.Header {
		for _, v := range values {
			if strings.Contains(v, text) {
				return "the header " + name[:min(len(name), maxName)]
			}
		}
	}
	return ""
}

func refuse(w http.ResponseWriter, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		no = &refusal{http.StatusBadGateway, "rhx: " + err.Error()}
	}
	http.Error(w, no.text, no.status)
}

// rewrite makes the request for the server: the command's own but for the values, and
// for what would have the answer come in a form that cannot be searched.
func (b *Broker) rewrite(p *httputil.ProxyRequest) {
	e := exchangeOf(p.In.Context())
	t := e.target
	p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "https", t.address(), p.In.Host
	if !e.signed() {
		// As it was checked, for servers that choose by it.
		if p.Out.Host = t.host; t.port != 443 {
			p.Out.Host = t.address()
		}
	}
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	p.Out.Trailer = p.In.Trailer
	if p.Out.Body != nil {
		p.Out.Body = newDetached(p.In.Body)
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if v, ok := p.In.Header[name]; ok {
			p.Out.Header[name] = v
		}
	}
	if !t.searchable() {
		return
	}
	for _, name := range []string{"Range", "If-Range", "Sec-Websocket-Extensions"} {
		p.Out.Header.Del(name)
	}
	if p.Out.Header.Get("Accept-Encoding") != "" {
		p.Out.Header.Set("Accept-Encoding", "identity")
	}
}

// signed reports that the request has a signature of its host as the command wrote it.
func (e *exchange) signed() bool {
	return slices.ContainsFunc(e.put, func(r *rule) bool { return r.sign != nil })
}

// reply makes the answer for the command.
func (b *Broker) reply(res *http.Response) error {
	e := exchangeOf(res.Request.Context())
	e.logged = true
	for _, rule := range e.put {
		b.used(b.useOf(e, rule.secret, res.Request, res.StatusCode, ""))
	}
	// It would lead around the broker.
	res.Header.Del("Alt-Svc")
	if len(res.Trailer) > 0 {
		res.Header.Del("Content-Length") // HTTP/1.1 has trailers only without it
	}
	if !b.reflects(e.target) {
		return nil
	}
	res.Status = "" // the server's words would be written after a 101
	if e.target.searchable() {
		if err := b.unsearchable(e.target, res); err != nil {
			return err
		}
	}
	b.clean(textproto.MIMEHeader(res.Header))
	b.clean(textproto.MIMEHeader(res.Trailer)) // the names that are announced
	if res.StatusCode == http.StatusSwitchingProtocols {
		return b.switched(res)
	}
	res.Body = &trailing{res.Body, res, b, e.out}
	return nil
}

// unsearchable is the error of an answer that cannot be searched.
func (b *Broker) unsearchable(t target, res *http.Response) error {
	for _, coding := range res.Header["Content-Encoding"] {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return &refusal{http.StatusBadGateway, fmt.Sprintf("rhx: %s has sent a compressed answer (%s) that was not asked for, and which the broker cannot search for the secret", t.host, b.mask.Replace(coding))}
		}
	}
	switch {
	case res.StatusCode == http.StatusPartialContent:
		return &refusal{http.StatusBadGateway, "rhx: " + t.host + " has sent a part that was not asked for"}
	case res.StatusCode == http.StatusSwitchingProtocols && len(res.Header["Sec-Websocket-Extensions"]) > 0:
		return &refusal{http.StatusBadGateway, "rhx: " + t.host + " has switched on an extension of WebSocket that was not asked for"}
	}
	return nil
}

// clean takes the values out of headers. One whose name has a value goes: names are the
// same in upper and lower case.
func (b *Broker) clean(h textproto.MIMEHeader) {
	for name, values := range h {
		if b.named(name) {
			delete(h, name)
			continue
		}
		for i := range values {
			values[i] = b.mask.Replace(values[i])
		}
	}
}

func (b *Broker) named(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(b.opts.Secrets, func(s *Secret) bool {
		return slices.ContainsFunc(s.Hidden(), func(v secret.Value) bool { return strings.Contains(name, strings.ToLower(v.Reveal())) })
	})
}

// failed answers where the server has not, or not in a way that can be passed on.
func (b *Broker) failed(w http.ResponseWriter, r *http.Request, err error) {
	e := exchangeOf(r.Context())
	if !e.logged {
		for _, rule := range e.put {
			b.used(b.useOf(e, rule.secret, r, 0, ""))
		}
	}
	var no *refusal
	if !errors.As(err, &no) {
		no = &refusal{http.StatusBadGateway, "rhx: " + e.target.host + ": " + b.mask.Replace(err.Error())}
	}
	http.Error(w, no.text, no.status)
}

// earlyHints has what comes before an answer searched, too.
type earlyHints struct{ b *Broker }

func (t earlyHints) RoundTrip(r *http.Request) (*http.Response, error) {
	// Hooks that are set later are called first; the map is the one that is passed on.
	trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		delete(h, "Alt-Svc")
		t.b.clean(h)
		return nil
	}}
	// A client that speaks HTTP/1.1 gets what it would have got by itself.
	transport := t.b.transport
	if exchangeOf(r.Context()).http1 {
		transport = t.b.transport1
	}
	return transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
}
