package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
)

// limited serves no more than so many connections at once; others wait. Those that have not
// shown the run's password make room for new ones, the oldest first: other users of this
// machine can connect, and would keep the command waiting.
type limited struct {
	net.Listener
	slots chan struct{}
	ended chan struct{}
	once  sync.Once

	mu     sync.Mutex
	unseen []*counted // in the order in which they came
}

func newLimited(l net.Listener, n int) *limited {
	return &limited{Listener: l, slots: make(chan struct{}, n), ended: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if len(l.slots) == cap(l.slots) {
		l.mu.Lock()
		var oldest *counted
		if len(l.unseen) > 0 {
			oldest = l.unseen[0]
		}
		l.mu.Unlock()
		if oldest != nil {
			_ = oldest.Close()
		}
	}
	select {
	case l.slots <- struct{}{}:
	case <-l.ended:
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	c := &counted{TCPConn: conn.(*net.TCPConn), of: l}
	c.release = sync.OnceFunc(func() {
		c.known()
		<-l.slots
	})
	l.mu.Lock()
	l.unseen = append(l.unseen, c)
	l.mu.Unlock()
	return c, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// counted is a connection that gives its slot back when it is closed.
type counted struct {
	*net.TCPConn
	of      *limited
	release func()
}

// known says that it is the command's: it has shown the password.
func (c *counted) known() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.unseen = slices.DeleteFunc(c.of.unseen, func(other *counted) bool { return other == c })
}

func (c *counted) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}

type countedKey struct{}

// withCounted has the requests of a connection know which it is.
func withCounted(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, countedKey{}, c)
}

// targeted is a connection of the command to a host that rules name, below TLS.
type targeted struct {
	net.Conn
	target target
	// early are bytes that came right behind the CONNECT.
	early []byte
}

func (c *targeted) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// connQueue gives the connections of CONNECT to an HTTP server.
type connQueue struct {
	addr  net.Addr
	conns chan *tls.Conn
	ended chan struct{}
	once  sync.Once
}

func newConnQueue(addr net.Addr) *connQueue {
	return &connQueue{addr: addr, conns: make(chan *tls.Conn), ended: make(chan struct{})}
}

func (q *connQueue) put(c *tls.Conn) error {
	select {
	case q.conns <- c:
		return nil
	case <-q.ended:
		return net.ErrClosed
	}
}

func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.ended:
		return nil, net.ErrClosed
	}
}

func (q *connQueue) Addr() net.Addr { return q.addr }
func (q *connQueue) Close() error   { q.stop(); return nil }
func (q *connQueue) stop()          { q.once.Do(func() { close(q.ended) }) }

type targetKey struct{}

// withTarget has the requests of a connection know what the command connected to.
func withTarget(ctx context.Context, c net.Conn) context.Context {
	if t, err := targetOf(c); err == nil {
		return context.WithValue(ctx, targetKey{}, t)
	}
	return ctx
}

func targetOf(c net.Conn) (target, error) {
	if t, ok := c.(*tls.Conn); ok {
		if c, ok := t.NetConn().(*targeted); ok {
			return c.target, nil
		}
	}
	return target{}, errors.New("not a connection of CONNECT")
}

// watch tells when a connection was of no use: most often the command does not trust
// the authority, and says so itself in its own words.
func (b *Broker) watch(c net.Conn, state http.ConnState) {
	t, err := targetOf(c)
	if err != nil {
		return
	}
	if state == http.StateActive {
		t.use.Store(true)
	}
	if state == http.StateClosed && !t.use.Load() {
		b.distrusted(t)
	}
}

func (b *Broker) distrusted(t target) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if !closed {
		b.warnOnce("the command ended a connection to " + t.host + " without a request: perhaps its client does not trust the broker; rhx help run says which variables name the authority")
	}
}
