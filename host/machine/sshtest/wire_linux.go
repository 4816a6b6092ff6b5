package sshtest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Wire is a way to a server on which things happen. It passes bytes on from user
// space, because not every kernel that tests run on has netem.
type Wire struct {
	// Addr is where it listens.
	Addr string
	// Delay is added in each direction. It does not limit how much passes.
	Delay time.Duration
	// toll is called before bytes are passed on, to the server (up) or from it. total
	// counts the bytes of this connection and direction, with those about to be
	// passed. It may block, to keep them waiting; an error cuts the connection.
	// Repair replaces it.
	toll atomic.Pointer[Toll]

	mu   sync.Mutex
	open map[net.Conn]bool
}

// Toll is what bytes on a Wire have to pass.
type Toll func(up bool, total int) error

// NewWire starts a wire that listens on address, in a namespace or nil, and leads
// to the address there on which a server listens. It ends with the test.
func NewWire(t testing.TB, in *Namespace, address, to string, delay time.Duration, toll Toll) *Wire {
	t.Helper()
	w := &Wire{Delay: delay, open: make(map[net.Conn]bool)}
	w.Repair(toll)
	l := listen(t, in, address)
	w.Addr = l.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.carry(in, conn, to) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.Cut()
		all.Wait()
	})
	return w
}

// listen opens a listening socket in a namespace.
func listen(t testing.TB, in *Namespace, address string) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	in.Do(func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	return l
}

// Repair replaces the toll; nil takes it away.
func (w *Wire) Repair(toll Toll) {
	if toll == nil {
		toll = func(bool, int) error { return nil }
	}
	w.toll.Store(&toll)
}

// Cut cuts every connection.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		c.Close()
	}
}

func (w *Wire) carry(in *Namespace, client net.Conn, to string) {
	defer client.Close()
	var server net.Conn
	var err error
	in.Do(func() { server, err = net.Dial("tcp", to) })
	if err != nil {
		return
	}
	defer server.Close()
	w.mu.Lock()
	w.open[client], w.open[server] = true, true
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pass(true, server, client) })
	both.Go(func() { w.pass(false, client, server) })
	both.Wait()
	w.mu.Lock()
	delete(w.open, client)
	delete(w.open, server)
	w.mu.Unlock()
}

type packet struct {
	data []byte
	due  time.Time
}

// pass carries one direction. Each packet waits for its own time, not for the
// packets before it.
func (w *Wire) pass(up bool, to, from net.Conn) {
	under := make(chan packet, 4096)
	go func() {
		defer close(under)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				under <- packet{buf[:n], time.Now().Add(w.Delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	total := 0
	var err error
	for p := range under {
		if err != nil {
			continue // the reader must not wait for ever
		}
		time.Sleep(time.Until(p.due))
		total += len(p.data)
		if err = (*w.toll.Load())(up, total); err == nil {
			_, err = to.Write(p.data)
		}
		if err != nil {
			to.Close()
			from.Close()
		}
	}
	if err == nil {
		// Only this direction has ended.
		if c, ok := to.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
	}
}
