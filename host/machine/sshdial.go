package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// A host that does not answer for deadAfter is lost. It is asked every
// aliveEvery, and anything that it sends counts as an answer. ServerAliveInterval
// and ServerAliveCountMax say otherwise.
const (
	aliveEvery = 10 * time.Second
	deadAfter  = 40 * time.Second
)

const maxJumps = 8

// dialer connects to one host, through others where ssh_config says so.
type dialer struct {
	opts  *SSHOptions
	named string
}

// dial connects to target. What jumps holds replaces the ProxyJump of ssh_config.
func (d *dialer) dial(ctx context.Context, target string, jumps []string, depth int) (*sshConn, error) {
	if depth > maxJumps {
		return nil, errTooManyJumps
	}
	c, err := resolveConfig(ctx, target, d.opts)
	if err != nil {
		return nil, err
	}
	if s, err := d.shared(ctx, c); s != nil || err != nil {
		return s, err
	}
	if err := c.speakable(); err != nil {
		return nil, err
	}
	if jumps == nil {
		jumps = c.jumps()
	}
	var via *sshConn
	var conn net.Conn
	switch {
	case len(jumps) > 0 && !c.isJump(jumps[len(jumps)-1]):
		// As ssh -J a,b host does: from a to b to host; only a keeps the jumps of
		// its own configuration.
		rest := jumps[:len(jumps)-1]
		if len(rest) == 0 {
			rest = nil
		}
		last := jumps[len(jumps)-1]
		if via, err = d.dial(ctx, last, rest, depth+1); err != nil {
			return nil, fmt.Errorf("through %s: %w", printable(last, 200), err)
		}
		defer context.AfterFunc(ctx, func() { via.close(nil) })()
		conn, err = via.forward(ctx, c)
	case c.proxyCommand != "":
		conn, err = proxyCommand(ctx, c, c.expand.tokens(c.proxyCommand))
	default:
		conn, err = dialTCP(ctx, c)
	}
	if err != nil {
		via.close(nil)
		return nil, err
	}
	abort := func() {
		via.close(nil) // first: the end of what goes through it would wait for it
		conn.Close()
	}
	client, err := d.handshake(ctx, c, conn, abort)
	if err != nil {
		abort()
		return nil, err
	}
	client.via = via
	every := cmp.Or(d.opts.aliveEvery, aliveEvery)
	client.dead = cmp.Or(d.opts.deadAfter, deadAfter)
	if c.aliveEvery > 0 {
		every, client.dead = c.aliveEvery, c.aliveEvery*time.Duration(max(c.aliveCount, 1))
	}
	go client.keepAlive(every)
	return client, nil
}

// isJump reports whether the jump is this host itself, as under "Host *".
func (c *sshConfig) isJump(jump string) bool {
	t, err := parseTarget(jump)
	return err == nil && strings.EqualFold(t.host, c.named) && (t.port == "" || t.port == c.port) && (t.user == "" || t.user == c.user)
}

// forward opens a connection from a jump host to the next one.
func (c *sshConn) forward(ctx context.Context, next *sshConfig) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, next.timeout)
	defer cancel()
	conn, err := c.client.DialContext(ctx, "tcp", net.JoinHostPort(next.host, next.port))
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, noAnswer(next)
	}
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("the jump host cannot connect to %s: %s", net.JoinHostPort(next.host, next.port), printable(refused.Message, 200))
	}
	return conn, err
}

// handshake makes conn a connection to a verified host that let the user in.
// Closing the connection, as abort does, is the one way to end a handshake that
// works for every kind of it.
func (d *dialer) handshake(ctx context.Context, c *sshConfig, conn net.Conn, abort func()) (*sshConn, error) {
	s := newConn(d, c, conn)
	clock := newClock(c.timeout, abort)
	defer clock.stop()
	defer context.AfterFunc(ctx, abort)()
	keys, err := newHostKeys(ctx, c, d.named, d.opts, clock.pause)
	if err != nil {
		return nil, err
	}
	a := &auth{config: c, named: d.named, opts: d.opts, ctx: ctx, pause: clock.pause}
	defer a.close()
	config := &ssh.ClientConfig{
		Config: c.algorithms(), User: c.user, AuthCallback: a.next, HostKeyCallback: keys.check, HostKeyAlgorithms: keys.algorithms(),
	}
	client, channels, requests, err := ssh.NewClientConn(s.raw, net.JoinHostPort(c.host, c.port), config)
	if err != nil {
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case keys.err != nil:
			return nil, keys.err
		case clock.rang.Load():
			return nil, heard(noAnswer(c), conn)
		}
		return nil, heard(a.failure(err), conn)
	}
	s.use(client, channels, requests)
	s.openNext()
	return s, nil
}

// heard adds what a ProxyCommand said to the error of its connection.
func heard(err error, conn net.Conn) error {
	if p, ok := conn.(*commandConn); ok {
		p.WriteCloser.Close()
		if said := p.proxy.said(); said != "" {
			return fmt.Errorf("%w; the ProxyCommand says: %s", err, said)
		}
	}
	return err
}

// clock closes a connection after a time that does not run while a person is asked.
type clock struct {
	mu     sync.Mutex
	timer  *time.Timer
	d      time.Duration
	paused int
	rang   atomic.Bool
}

func newClock(d time.Duration, ring func()) *clock {
	c := &clock{d: d}
	c.timer = time.AfterFunc(d, func() {
		c.rang.Store(true)
		ring()
	})
	return c
}

// pause stops the clock until the last of those who paused it resumes.
func (c *clock) pause() (resume func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused++
	c.timer.Stop()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.paused--; c.paused == 0 {
			c.timer.Reset(c.d)
		}
	}
}

func (c *clock) stop() { c.timer.Stop() }

// countingConn remembers when anything last came in.
type countingConn struct {
	net.Conn
	last atomic.Int64 // nanoseconds
}

func (c *countingConn) touch() { c.last.Store(time.Now().UnixNano()) }

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

func (c *countingConn) silence() time.Duration { return time.Since(time.Unix(0, c.last.Load())) }
