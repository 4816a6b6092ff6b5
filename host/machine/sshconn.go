package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshConn is a connection to a host.
type sshConn struct {
	named  string
	env    []Var // for every session
	raw    *countingConn
	client *ssh.Client
	via    *sshConn      // the jump host, if any
	gone   chan struct{} // closed when the connection is
	turn   chan struct{} // held by the one session, see openSSH
	master *master       // whose connection it is, if it is that of an ssh master
	dead   time.Duration // a silence of the host after which it is lost

	forwards forwards // ports there that lead here

	mu     sync.Mutex
	next   chan opened // a channel opened ahead of its use, or nil
	full   bool        // the host once allowed no more channels
	reason error       // why the connection was closed from here
}

func newConn(d *dialer, c *sshConfig, conn net.Conn) *sshConn {
	s := &sshConn{named: d.named, env: c.environ(d.opts), raw: &countingConn{Conn: conn}, gone: make(chan struct{}), turn: make(chan struct{}, 1), dead: deadAfter}
	s.raw.touch()
	return s
}

// use takes the connection into use once the host has let the user in.
func (c *sshConn) use(conn ssh.Conn, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	c.client = ssh.NewClient(conn, channels, requests)
	go func() {
		_ = c.client.Wait()
		close(c.gone)
	}()
}

type opened struct {
	channel  ssh.Channel
	requests <-chan *ssh.Request
	err      error
}

// sessionWithin is how long a host may refuse another session.
const sessionWithin = 5 * time.Second

var errLost = errors.New("the connection was lost")

// lost reports whether the connection is gone.
func (c *sshConn) lost() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// dying reports whether the connection is gone, for one whose channel has just
// ended: that of the connection is seen a moment later.
func (c *sshConn) dying() bool {
	select {
	case <-c.gone:
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}

// close ends the connection and those it goes through, the nearest to this machine
// first: the end of one that goes through another would wait for that one. c may
// be nil.
func (c *sshConn) close(reason error) {
	if c == nil {
		return
	}
	c.mu.Lock()
	if c.reason == nil {
		c.reason = reason
	}
	c.mu.Unlock()
	c.via.close(reason)
	c.raw.Close()
	c.client.Close()
}

// closeWithin is how long the end of a session may take. Where the host takes
// nothing more, it would wait for the end of the connection.
const closeWithin = 100 * time.Millisecond

// leave ends a session; a signal for its command goes before, if there is one.
func leave(channel ssh.Channel, sig string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if sig != "" {
			signal(channel, sig)
		}
		channel.Close()
	}()
	select {
	case <-done:
	case <-time.After(closeWithin):
	}
}

// failure is the error for an operation that the connection did not survive.
func (c *sshConn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return fmt.Errorf("%w: %w", errLost, c.reason)
	}
	return errLost
}

// keepAlive ends the connection when the host does not answer any more.
func (c *sshConn) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.gone:
			return
		case <-tick.C:
		}
		switch silence := c.raw.silence(); {
		case silence > c.dead:
			c.close(fmt.Errorf("no answer for %v", c.dead))
			return
		case silence > every/2:
			// The request waits behind data that is being sent, so its own answer
			// says nothing: silence is measured instead.
			go func() { _, _, _ = c.client.SendRequest("keepalive@openssh.com", true, nil) }()
		}
	}
}

// openNext opens the channel for the next operation, so that the operation
// need not wait for a round trip.
func (c *sshConn) openNext() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil && !c.full && c.openSSH() {
		c.next = c.open()
	}
}

// openSSH reports whether the host can be relied on to keep sessions apart.
// dropbear cannot: it closes one on which no command is started at once, and
// loses the output of one that starts while another ends.
func (c *sshConn) openSSH() bool {
	return bytes.HasPrefix(c.client.ServerVersion(), []byte("SSH-2.0-OpenSSH"))
}

// enter waits until a session may be opened, and returns what ends that.
func (c *sshConn) enter(ctx context.Context) (leave func(), err error) {
	if c.openSSH() {
		return func() {}, nil
	}
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-c.gone:
		return nil, c.failure()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// awaitClose waits until the host has closed a session whose work is done,
// where the next one must not start before that.
func (c *sshConn) awaitClose(ended <-chan int) {
	if c.openSSH() {
		return
	}
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
}

func (c *sshConn) open() chan opened {
	result := make(chan opened, 1)
	go func() {
		channel, requests, err := c.client.OpenChannel("session", nil)
		result <- opened{channel, requests, err}
	}()
	return result
}

// errNoSession is the error of a host that allows no more sessions on a connection.
var errNoSession = errors.New("the host opens no session")

// session returns a channel for one operation. A host that allows no more at
// once is asked again for a while, because the end of the last operation may still be
// on its way.
func (c *sshConn) session(ctx context.Context, within time.Duration) (ssh.Channel, <-chan *ssh.Request, error) {
	c.mu.Lock()
	pending := c.next
	c.next = nil
	c.mu.Unlock()
	if pending == nil {
		pending = c.open()
	}
	deadline := time.Now().Add(within)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var o opened
		select {
		case o = <-pending:
		case <-c.gone:
			return nil, nil, c.failure()
		case <-ctx.Done():
			go func() {
				if o := <-pending; o.err == nil {
					o.channel.Close()
				}
			}()
			return nil, nil, ctx.Err()
		}
		if o.err == nil {
			return o.channel, o.requests, nil
		}
		if c.dying() {
			return nil, nil, c.failure()
		}
		var full *ssh.OpenChannelError
		if !errors.As(o.err, &full) || time.Now().After(deadline) {
			return nil, nil, fmt.Errorf("%w: %s", errNoSession, printable(o.err.Error(), 200))
		}
		c.mu.Lock()
		c.full = true
		c.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		pending = c.open()
	}
}
