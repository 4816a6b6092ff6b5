package machine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshConn is a connection to a host.
type sshConn struct {
	named  string
	raw    *countingConn
	client *ssh.Client
	via    *sshConn      // the jump host, if any
	gone   chan struct{} // closed when the connection is

	mu     sync.Mutex
	next   chan opened // a channel opened ahead of its use, or nil
	reason error       // why the connection was closed from here
}

type opened struct {
	channel  ssh.Channel
	requests <-chan *ssh.Request
	err      error
}

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
	case <-time.After(200 * time.Millisecond):
		return false
	}
}

// close ends the connection and those it goes through. c may be nil.
func (c *sshConn) close(reason error) {
	for ; c != nil; c = c.via {
		c.mu.Lock()
		if c.reason == nil {
			c.reason = reason
		}
		c.mu.Unlock()
		c.client.Close()
		c.raw.Close()
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
func (c *sshConn) keepAlive() {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.gone:
			return
		case <-tick.C:
		}
		switch silence := c.raw.silence(); {
		case silence > deadAfter:
			c.close(fmt.Errorf("no answer for %v", deadAfter))
			return
		case silence > aliveEvery/2:
			// The request waits behind data that is being sent, so its own answer
			// says nothing: silence is measured instead.
			go c.client.SendRequest("keepalive@openssh.com", true, nil)
		}
	}
}

// openNext opens the channel for the next operation, so that the operation
// need not wait for a round trip.
func (c *sshConn) openNext() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = c.open()
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

// session returns a channel for one operation.
func (c *sshConn) session(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	c.mu.Lock()
	pending := c.next
	c.next = nil
	c.mu.Unlock()
	ahead := pending != nil
	if !ahead {
		pending = c.open()
	}
	for {
		select {
		case o := <-pending:
			switch {
			case o.err == nil:
				return o.channel, o.requests, nil
			case c.lost():
				return nil, nil, c.failure()
			case ahead:
				// A host may allow no more channels at once than there were then.
				ahead, pending = false, c.open()
				continue
			}
			return nil, nil, fmt.Errorf("the host opens no session: %w", o.err)
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
	}
}

// headBuffer keeps the first bytes that are written to it.
type headBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (h *headBuffer) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b = append(h.b, p[:min(len(p), 4096-len(h.b))]...)
	return len(p), nil
}

func (h *headBuffer) bytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b
}
