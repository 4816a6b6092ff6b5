// Package broker lets a command use secrets that it does not have: the command gets
// placeholders, and its requests go through a proxy which puts the values in.
//
// The proxy listens on a loopback port and asks for a password of this run. It takes
// CONNECT alone. To hosts that no rule names the bytes pass as they are. For the others
// TLS ends here, with a certificate by an authority that was made for this run and is
// limited to those hosts, and begins anew towards the server, which the system's roots
// verify. A rule ([spec.Use]) says for which hosts a secret is and where in a request
// it goes; the value is put in there, and only where the request has the placeholder of
// this run. Whatever comes back is searched for the values, which become the
// placeholders again, so that lengths stay right.
//
// That is against accidents and simple echoes: a server that sends a value back in an
// encoding that package mask does not know gives it away.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
)

// Options are what a broker is made of.
type Options struct {
	Secrets []*Secret
	// Only refuses hosts that no rule names.
	Only bool
	// Away is of a command on another machine. Hosts that no rule names are refused as with
	// Only: this machine's network (its loopback, the LAN) is not for that one. It has its
	// own, and plain http goes there.
	Away bool
	// Roots verify servers; nil for those of the system.
	Roots *x509.CertPool
	// Dial connects to servers; nil for the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Getenv is of the environment of rhx, in which the user says how databases are verified
	// (PGSSLMODE, PGSSLROOTCERT), and through which proxy https goes (HTTPS_PROXY, NO_PROXY);
	// nil for none.
	Getenv func(string) string
	// Listen makes each listener that the command is to reach; nil for ports of 127.0.0.1.
	Listen func() (net.Listener, error)
	// Used is told of each request that was to have a value, and Warn what the user
	// should know. Both may be called from several goroutines.
	Used func(Used)
	Warn func(text string)
}

// Used is a request that has a value in it, or was to have one.
type Used struct {
	Secret string
	Host   string
	Method string
	// Path is without the query.
	Path string
	// Status is that of the response; 0 where there was none.
	Status int
	// Left says where a placeholder was left as it is, or why the request was refused;
	// "" where the value was put in.
	Left string
}

// Limits on what a command, or a server, can make the broker hold.
const (
	maxConns       = 4096
	maxHeader      = 128 << 10
	maxReplyHeader = 1 << 20
	maxTold        = 100
	headerWait     = 30 * time.Second
	handshakeWait  = 15 * time.Second
	idleWait       = 3 * time.Minute
	copyBuffer     = 64 << 10
	// closeWithin is how long requests may take to end when the broker does.
	closeWithin = 2 * time.Second
)

// Broker is a running proxy.
type Broker struct {
	opts      Options
	rules     []*rule
	authority *authority
	mask      *mask.Masker
	elsewhere elsewhere
	password  string
	listener  net.Listener
	outer     *http.Server
	inner     *http.Server
	conns     *connQueue
	databases []*database
	leads     []string // what stands for the URL of a database, and the URL that leads to it here
	upstream  *upstream
	// transport1 is for requests over HTTP/1.1.
	transport, transport1 *http.Transport
	proxy                 *httputil.ReverseProxy

	mu      sync.Mutex
	tunnels map[net.Conn]bool
	told    map[string]bool
	closed  bool
	done    sync.WaitGroup
	serving sync.WaitGroup
}

// Start makes an authority and listens on a port of 127.0.0.1.
func Start(o Options) (*Broker, error) {
	b := &Broker{opts: o, password: rand.Text(), tunnels: map[net.Conn]bool{}, told: map[string]bool{}}
	var standIns, fromLinks []mask.StandIn
	for _, s := range o.Secrets {
		b.rules = append(b.rules, s.rules()...)
		standIns, fromLinks = append(standIns, s.standIns()...), append(fromLinks, s.fromLinks()...)
	}
	var err error
	if b.opts.Roots == nil {
		// Now: the command could change the files that variables of rhx name.
		if b.opts.Roots, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("the roots that this machine trusts: %w", err)
		}
	}
	if b.mask, err = mask.NewStandIns(standIns); err != nil {
		return nil, err
	}
	if b.elsewhere, err = newElsewhere(append(standIns, fromLinks...)); err != nil {
		return nil, err
	}
	if b.authority, err = newAuthority(b.hosts()); err != nil {
		return nil, fmt.Errorf("make the authority of the broker: %w", err)
	}
	if b.opts.Dial == nil {
		b.opts.Dial = (&net.Dialer{Timeout: headerWait}).DialContext
	}
	if b.upstream, err = newUpstream(o.Getenv, b.opts.Dial, b.opts.Roots); err != nil {
		return nil, err
	}
	for _, s := range o.Secrets {
		if err := b.addDatabases(s); err != nil {
			return nil, err
		}
	}
	b.transport, b.transport1 = b.newTransport(true), b.newTransport(false)
	b.proxy = b.newProxy()
	if b.opts.Listen == nil {
		b.opts.Listen = func() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }
	}
	listener, err := b.listen()
	if err != nil {
		return nil, err
	}
	b.listener = newLimited(listener, maxConns)
	b.conns = newConnQueue(listener.Addr())
	// What net/http would print is about the command's own connections.
	quiet := log.New(discard{}, "", 0)
	b.outer = &http.Server{Handler: http.HandlerFunc(b.connect), ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: maxHeader, ErrorLog: quiet, ConnContext: withCounted}
	b.inner = &http.Server{Handler: http.HandlerFunc(b.serve), ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: maxHeader, ErrorLog: quiet,
		ConnContext: withTarget, ConnState: b.watch, TLSConfig: b.authority.serverConfig(""), HTTP2: &http.HTTP2Config{MaxReceiveBufferPerConnection: 4<<20 - 1, MaxReceiveBufferPerStream: 2 << 20}}
	b.done.Go(func() { _ = b.outer.Serve(b.listener) })
	b.done.Go(func() { _ = b.inner.Serve(b.conns) })
	for _, d := range b.databases {
		if err := d.listen(); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		if l := d.link; l != nil {
			to := l.To(d.listener.Addr().String(), d.password)
			b.leads = append(b.leads, l.stand, to)
			b.elsewhere.whole = append(b.elsewhere.whole, mask.StandIn{Value: secret.NewValue(l.Text()), Text: to})
		}
	}
	return b, nil
}

func (b *Broker) listen() (net.Listener, error) {
	l, err := b.opts.Listen()
	if err != nil {
		return nil, fmt.Errorf("listen for the command: %w", err)
	}
	return l, nil
}

// discard writes nowhere.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Close ends all connections.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	for c := range b.tunnels {
		_ = c.Close()
	}
	b.mu.Unlock()
	err := errors.Join(b.outer.Close(), b.inner.Close())
	for _, d := range b.databases {
		d.stop()
		if d.listener != nil {
			err = errors.Join(err, d.listener.Close())
		}
	}
	b.conns.stop()
	b.transport.CloseIdleConnections()
	b.transport1.CloseIdleConnections()
	b.done.Wait()
	// What was being done is told of, too.
	over := make(chan struct{})
	go func() {
		b.serving.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(closeWithin):
	}
	return err
}

// Address is where the proxy listens, as HOST:PORT.
func (b *Broker) Address() string { return b.listener.Addr().String() }

// ProxyURL is where clients find the proxy, with its password, where they reach it by an
// address.
func (b *Broker) ProxyURL(address string) string {
	u := url.URL{Scheme: "http", User: url.UserPassword(proxyUser, b.password), Host: address}
	return u.String()
}

// Authority is the certificate that clients have to trust, in PEM.
func (b *Broker) Authority() []byte { return b.authority.pem }

// Hide has placeholders where a text has values, also encoded ones.
func (b *Broker) Hide(text string) string { return b.mask.Replace(text) }

// hosts are the patterns of all rules.
func (b *Broker) hosts() []string {
	var out []string
	for _, r := range b.rules {
		out = append(out, r.hosts()...)
	}
	return out
}

// rulesFor are the rules for a host.
func (b *Broker) rulesFor(host string, port int) []*rule {
	var out []*rule
	for _, r := range b.rules {
		if r.covers(host, port) {
			out = append(out, r)
		}
	}
	return out
}

func (b *Broker) used(u Used) {
	if b.opts.Used != nil {
		b.opts.Used(u)
	}
}

// warnOnce tells a text once.
func (b *Broker) warnOnce(text string) {
	b.mu.Lock()
	was := b.told[text] || len(b.told) >= maxTold
	if !was {
		b.told[text] = true
	}
	b.mu.Unlock()
	if !was && b.opts.Warn != nil {
		b.opts.Warn(text)
	}
}
