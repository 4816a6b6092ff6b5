package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
)

// A host that does not answer for deadAfter is lost. It is asked every
// aliveEvery, and anything that it sends counts as an answer.
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
			return nil, fmt.Errorf("through %s: %w", last, err)
		}
		conn, err = via.forward(ctx, c)
	case c.proxyCommand != "":
		conn, err = proxyCommand(c.proxyCommand)
	default:
		conn, err = dialTCP(ctx, c)
	}
	if err != nil {
		via.close(nil)
		return nil, err
	}
	client, err := d.handshake(ctx, c, conn)
	if err != nil {
		conn.Close()
		via.close(nil)
		return nil, err
	}
	client.via = via
	go client.keepAlive(cmp.Or(d.opts.aliveEvery, aliveEvery), cmp.Or(d.opts.deadAfter, deadAfter))
	return client, nil
}

// isJump reports whether the jump is this host itself, as under "Host *".
func (c *sshConfig) isJump(jump string) bool {
	t, err := parseTarget(jump)
	return err == nil && strings.EqualFold(t.host, c.named) && (t.port == "" || t.port == c.port) && (t.user == "" || t.user == c.user)
}

func dialTCP(ctx context.Context, c *sshConfig) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var dialer net.Dialer
	address := net.JoinHostPort(c.host, c.port)
	conn, err := dialer.DialContext(ctx, c.family, address)
	if err == nil {
		return conn, nil
	}
	var lookup *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, noAnswer(c)
	case errors.As(err, &lookup):
		return nil, fault.WithHint(fmt.Errorf("there is no host %s: %w", c.host, errNoHost), "check the name; ssh_config can give it a HostName")
	case errors.As(err, &op):
		return nil, fmt.Errorf("connect to %s: %w", address, fault.Cause(op.Err))
	}
	return nil, err
}

var errNoHost = errors.New("its name cannot be resolved")

func noAnswer(c *sshConfig) error {
	return fmt.Errorf("no answer from %s within %v: %w", net.JoinHostPort(c.host, c.port), c.timeout, os.ErrDeadlineExceeded)
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
func (d *dialer) handshake(ctx context.Context, c *sshConfig, conn net.Conn) (*sshConn, error) {
	s := &sshConn{named: d.named, raw: &countingConn{Conn: conn}, gone: make(chan struct{}), turn: make(chan struct{}, 1)}
	s.raw.touch()
	// Closing is the one way to end a handshake that works for every connection.
	clock := newClock(c.timeout, func() { conn.Close() })
	defer clock.stop()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	keys, err := newHostKeys(ctx, c, d.named, d.opts, clock.pause)
	if err != nil {
		return nil, err
	}
	a := &auth{config: c, named: d.named, opts: d.opts, ctx: ctx, pause: clock.pause}
	defer a.close()
	config := &ssh.ClientConfig{User: c.user, Auth: a.methods(), HostKeyCallback: keys.check, HostKeyAlgorithms: keys.algorithms()}
	address := net.JoinHostPort(c.host, c.port)
	client, channels, requests, err := ssh.NewClientConn(s.raw, address, config)
	switch {
	case err == nil:
		s.client = ssh.NewClient(client, channels, requests)
		go func() {
			_ = s.client.Wait()
			close(s.gone)
		}()
		s.openNext()
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case keys.err != nil:
		return nil, keys.err
	case clock.rang.Load():
		return nil, noAnswer(c)
	case strings.Contains(err.Error(), "unable to authenticate"), strings.Contains(err.Error(), "oo many authentication"), errors.Is(err, errLocked):
		return nil, a.denied(c)
	}
	return nil, fmt.Errorf("connect to %s: %s", address, printable(strings.TrimPrefix(err.Error(), "ssh: handshake failed: "), 300))
}

// denied says what was tried to be let in.
func (a *auth) denied(c *sshConfig) error {
	tried := "no key was found"
	if len(a.tried) > 0 {
		tried = "tried " + strings.Join(a.tried, ", ")
	}
	err := fmt.Errorf("%w for %s at %s (%s)", ErrDenied, c.user, net.JoinHostPort(c.host, c.port), tried)
	hint := "check that ssh lets you in; IdentityFile in ssh_config names the key"
	if slices.ContainsFunc(a.tried, func(s string) bool { return strings.Contains(s, "passphrase") }) {
		hint = "add the key to the agent with ssh-add, or run this where you can be asked for the passphrase"
	}
	return fault.WithHint(err, hint)
}

// clock closes a connection after a time that does not run while a person is asked.
type clock struct {
	mu    sync.Mutex
	timer *time.Timer
	d     time.Duration
	rang  atomic.Bool
}

func newClock(d time.Duration, ring func()) *clock {
	c := &clock{d: d}
	c.timer = time.AfterFunc(d, func() {
		c.rang.Store(true)
		ring()
	})
	return c
}

func (c *clock) pause() func() {
	c.mu.Lock()
	c.timer.Stop()
	c.mu.Unlock()
	return func() {
		c.mu.Lock()
		c.timer.Reset(c.d)
		c.mu.Unlock()
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
