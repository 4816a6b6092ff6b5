package broker

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// proxyUser is the user of the proxy's password.
const proxyUser = "rhx"

// target is what the command has asked to be connected to.
type target struct {
	host  string // in lower case
	port  int
	rules []*rule
	// use is set by the first request.
	use *atomic.Bool
}

func (t target) address() string { return net.JoinHostPort(t.host, strconv.Itoa(t.port)) }

// parseTarget reads HOST:PORT. A name is in lower case then.
func parseTarget(text string) (target, bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || len(host) > 253 {
		return target{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strings.HasPrefix(port, "0") || strings.HasPrefix(port, "+") {
		return target{}, false
	}
	host = strings.ToLower(host)
	if net.ParseIP(host) == nil && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return target{}, false
	}
	return target{host: host, port: int(n)}, true
}

// connect serves the proxy itself.
func (b *Broker) connect(w http.ResponseWriter, r *http.Request) {
	if !b.knows(r.Header.Get("Proxy-Authorization")) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="rhx"`)
		http.Error(w, "rhx: this proxy is for the command that rhx started, with the password of that run", http.StatusProxyAuthRequired)
		return
	}
	if c, ok := r.Context().Value(countedKey{}).(*counted); ok {
		c.known()
	}
	if r.Method != http.MethodConnect {
		http.Error(w, "rhx: the broker takes https alone (CONNECT); plain http is refused", http.StatusForbidden)
		return
	}
	t, ok := parseTarget(r.Host)
	if !ok {
		http.Error(w, "rhx: CONNECT needs HOST:PORT", http.StatusBadRequest)
		return
	}
	t.rules, t.use = b.rulesFor(t.host, t.port), new(atomic.Bool)
	switch {
	case len(t.rules) > 0:
		b.open(w, t)
	case b.opts.Only:
		b.used(Used{Host: t.address(), Method: http.MethodConnect, Status: http.StatusForbidden, Left: "no secret is for this host"})
		http.Error(w, "rhx: no secret of this run is for "+t.address()+", and --broker-only lets the command reach nothing else", http.StatusForbidden)
	case b.opts.Away:
		b.used(Used{Host: t.address(), Method: http.MethodConnect, Status: http.StatusForbidden, Left: "no secret is for this host"})
		b.warnOnce("the command was refused " + t.address() + ": no secret of this run is for it, and with --on the proxy leads to no other host; NO_PROXY=" + t.host + ", set by the command itself, goes there directly")
		http.Error(w, "rhx: no secret of this run is for "+t.address()+", and with --on the proxy leads to no other host; NO_PROXY="+t.host+" goes there directly", http.StatusForbidden)
	default:
		b.tunnel(w, r, t)
	}
}

// knows reports whether a header has the password of this run.
func (b *Broker) knows(header string) bool {
	scheme, data, _ := strings.Cut(header, " ")
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(data))
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return false
	}
	// Of hashes, so that the length makes no difference either.
	got, want := sha256.Sum256(text), sha256.Sum256([]byte(proxyUser+":"+b.password))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// take answers a CONNECT and takes the connection over.
func take(w http.ResponseWriter) (net.Conn, []byte, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	early := make([]byte, rw.Reader.Buffered())
	if _, err = io.ReadFull(rw.Reader, early); err == nil {
		_, err = io.WriteString(conn, established)
	}
	if err != nil {
		_ = conn.Close()
	}
	return conn, early, err
}

// open ends the command's TLS here, and has the inner server take its requests.
func (b *Broker) open(w http.ResponseWriter, t target) {
	conn, early, err := take(w)
	if err != nil {
		return
	}
	if !b.keep(conn) {
		return
	}
	defer b.forget(conn)
	c := tls.Server(&targeted{Conn: conn, target: t, early: early}, b.authority.serverConfig(t.host))
	ctx, cancel := context.WithTimeout(context.Background(), handshakeWait)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		b.distrusted(t)
		return
	}
	if b.conns.put(c) != nil {
		_ = c.Close()
	}
}

// tunnel passes the bytes of a host that no rule names.
func (b *Broker) tunnel(w http.ResponseWriter, r *http.Request, t target) {
	server, err := b.upstream.connect(r.Context(), "tcp", t.address())
	if err != nil {
		http.Error(w, "rhx: connect to "+t.address()+": "+err.Error(), http.StatusBadGateway)
		return
	}
	conn, early, err := take(w)
	if err != nil {
		_ = server.Close()
		return
	}
	if !b.keep(conn, server) {
		return
	}
	defer b.forget(conn, server)
	defer func() { _ = conn.Close(); _ = server.Close() }()
	if _, err := server.Write(early); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { pass(server, conn) })
	both.Go(func() { pass(conn, server) })
	both.Wait()
}

// pass copies until the end of one direction, and ends the other side's.
func pass(to, from net.Conn) {
	// The plain connections, so that the kernel can copy.
	_, err := io.Copy(plain(to), plain(from))
	if c, ok := plain(to).(interface{ CloseWrite() error }); ok && err == nil {
		_ = c.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}

func plain(c net.Conn) net.Conn {
	if c, ok := c.(*counted); ok {
		return c.TCPConn
	}
	return c
}

// keep notes connections that Close has to end; false where it already has.
func (b *Broker) keep(conns ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		if b.closed {
			_ = c.Close()
			continue
		}
		b.tunnels[c] = true
	}
	return !b.closed
}

func (b *Broker) forget(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		delete(b.tunnels, c)
	}
}
