package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
)

// Reach has a command on a machine reach a server of this one, for as long as it runs.
type Reach struct {
	// Address is where the server listens here, as HOST:PORT.
	Address string
	// Opened is told where it is reached there, 127.0.0.1:PORT, before the command starts.
	// It may change what the command gets, but not Reach itself.
	Opened func(ctx context.Context, address string, spec *RunSpec) error
}

const (
	// maxForwarded is how many connections one command has at once: each may cost the
	// 2 MiB that x/crypto lets a host send ahead. More of them wait, up to maxWaiting: a
	// port of a host's 127.0.0.1 is open to all its users.
	maxForwarded = 256
	maxWaiting   = 4096
	// maxRejections is how many wait to be told to a host.
	maxRejections = 4096
	// halfOpenWithin is how long the other end of a connection that has ended here may
	// stay.
	halfOpenWithin = 30 * time.Second
	// forwardWithin is how long a host may take to open a port.
	forwardWithin = 30 * time.Second
)

// errNotForwarded is the error of an SSH server that opens no port; errNoPort that of one
// that does not say so.
var (
	errNotForwarded = errors.New("the SSH server there opens no port for rhx (AllowTcpForwarding, DisableForwarding, PermitListen)")
	errNoServer     = errors.New("a container has no SSH server that opens a port, and an rhx in it is needed for that")
	errNoPort       = fmt.Errorf("the host does not open a port within %v", forwardWithin)
)

// reach has a server of this machine reached from the host, and returns what ends that.
func (m *sshMachine) reach(ctx context.Context, conn *sshConn, spec *RunSpec) (end func(), err error) {
	to := spec.Reach
	port, end, err := conn.openPort(ctx, to.Address)
	if errors.Is(err, errNotForwarded) {
		port, end, err = m.openPort(ctx, conn, spec)
	}
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.target, err)
	}
	err = to.Opened(ctx, net.JoinHostPort(loopback, strconv.Itoa(int(port))), spec)
	if err == nil && conn.lost() {
		err = fmt.Errorf("%s: %w", m.target, conn.failure())
	}
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// openPort has the SSH server open a port.
func (c *sshConn) openPort(ctx context.Context, address string) (port uint32, end func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, forwardWithin, errNoPort)
	defer cancel()
	if c.master != nil {
		return c.master.openPort(ctx, address)
	}
	return c.forwards.open(ctx, c.client, address)
}

// openPort has an rhx there open a port, as the SSH server does not.
func (m *sshMachine) openPort(ctx context.Context, conn *sshConn, spec *RunSpec) (port uint32, end func(), err error) {
	within, cancel := context.WithTimeoutCause(ctx, forwardWithin, errNoPort)
	defer cancel()
	l, err := conn.listen(within)
	if err != nil {
		if _, ok := conn.client.Conn.(*containerConn); ok {
			return 0, nil, fault.WithHint(fmt.Errorf("%w: %w", errNoServer, err), "have this version of rhx in the PATH there")
		}
		return 0, nil, fault.WithHint(fmt.Errorf("%w, and %w", errNotForwarded, err), "let it open ports (AllowTcpForwarding remote), or have this version of rhx in the PATH there")
	}
	port, shut, err := (&forwards{cut: conn.client.Close}).open(within, l.client, spec.Reach.Address)
	if err != nil {
		l.leave()
		return 0, nil, err
	}
	over := make(chan struct{})
	go func() {
		_ = l.client.Wait()
		select {
		case <-over:
		default:
			if spec.Warn != nil && !conn.dying() {
				spec.Warn(fmt.Errorf("%s: the rhx there that listens for the command has ended: it reaches nothing through rhx any more", m.target))
			}
		}
	}()
	return port, func() { close(over); shut(); l.leave() }, nil
}

// outOfReach adds to the error of a command whose connection was lost.
func outOfReach(err error, spec *RunSpec) error {
	if spec.Reach == nil || !errors.Is(err, errLost) {
		return err
	}
	return fault.WithHint(err, "what still runs there reaches nothing through rhx any more")
}

const loopback = "127.0.0.1"

// forwardMsg asks for a port (RFC 4254, 7.1), and forwardedMsg is of a connection to one.
type forwardMsg struct {
	Address string
	Port    uint32
}

type forwardedMsg struct {
	Address    string
	Port       uint32
	Origin     string
	OriginPort uint32
}

// forwards are the ports of a host that lead here. The zero value is ready.
type forwards struct {
	// cut ends the connection to a host that opens channels and reads no answer.
	cut   func() error
	once  sync.Once
	mu    sync.Mutex
	ports map[uint32]*forwarded
}

// forwarded is one port.
type forwarded struct {
	client  *ssh.Client
	of      *forwards
	port    uint32
	address string // here
	slots   chan struct{}
	waiting atomic.Int32
	ctx     context.Context
	cancel  context.CancelFunc
}

// open has the host open a port. An x/crypto listener would do, but that it stops all of
// the connection when nobody accepts: other users of the host could bring that about.
func (s *forwards) open(ctx context.Context, client *ssh.Client, address string) (port uint32, end func(), err error) {
	s.once.Do(func() {
		s.ports = map[uint32]*forwarded{}
		if in := client.HandleChannelOpen("forwarded-tcpip"); in != nil {
			if s.cut == nil {
				s.cut = client.Close
			}
			go s.accept(in)
		}
	})
	type answer struct {
		ok   bool
		data []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		ok, data, err := client.SendRequest("tcpip-forward", true, ssh.Marshal(forwardMsg{loopback, 0}))
		got <- answer{ok, data, err}
	}()
	var a answer
	select {
	case a = <-got:
	case <-ctx.Done():
		return 0, nil, context.Cause(ctx)
	}
	switch {
	case a.err != nil:
		return 0, nil, errLost
	case !a.ok:
		return 0, nil, errNotForwarded
	}
	var opened struct{ Port uint32 }
	if err := ssh.Unmarshal(a.data, &opened); err != nil || opened.Port == 0 || opened.Port > 65535 {
		return 0, nil, errWhichPort
	}
	f := &forwarded{client: client, of: s, port: opened.Port, address: address, slots: make(chan struct{}, maxForwarded)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports[f.port] = f
	return f.port, f.end, nil
}

var errWhichPort = errors.New("the host does not say which port it has opened")

// rejection is the answer to a channel that is not taken.
type rejection struct {
	channel ssh.NewChannel
	reason  ssh.RejectionReason
	text    string
}

// accept takes what a host connects. It never waits: rejections are told by one goroutine,
// for a host that does not read them keeps it. Where too many wait, the connection ends.
func (s *forwards) accept(in <-chan ssh.NewChannel) {
	rejections := make(chan rejection, maxRejections)
	defer close(rejections)
	go func() {
		for r := range rejections {
			_ = r.channel.Reject(r.reason, r.text)
		}
	}()
	var cut sync.Once
	reject := func(r rejection) {
		select {
		case rejections <- r:
		default:
			cut.Do(func() { go func() { _ = s.cut() }() })
		}
	}
	for c := range in {
		var msg forwardedMsg
		var f *forwarded
		if ssh.Unmarshal(c.ExtraData(), &msg) == nil {
			s.mu.Lock()
			f = s.ports[msg.Port]
			s.mu.Unlock()
		}
		switch {
		case f == nil:
			reject(rejection{c, ssh.Prohibited, "no such port"})
		case f.waiting.Add(1) > maxWaiting:
			f.waiting.Add(-1)
			reject(rejection{c, ssh.ResourceShortage, "too many connections"})
		default:
			go f.serve(c)
		}
	}
}

func (f *forwarded) serve(c ssh.NewChannel) {
	select {
	case f.slots <- struct{}{}:
		f.waiting.Add(-1)
		defer func() { <-f.slots }()
	case <-f.ctx.Done():
		_ = c.Reject(ssh.ConnectionFailed, "closed")
		return
	}
	conn, err := new(net.Dialer).DialContext(f.ctx, "tcp", f.address)
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, "closed")
		return
	}
	channel, requests, err := c.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	join(f.ctx, channel, conn)
}

// halfCloser is a channel or a connection whose directions end apart.
type halfCloser interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// join passes bytes both ways until both have ended, or ctx has. Where the second one has
// ended, the first has a while to do so.
func join(ctx context.Context, channel halfCloser, conn net.Conn) {
	shut := sync.OnceFunc(func() {
		_ = conn.Close()
		_ = channel.Close()
	})
	defer shut()
	defer context.AfterFunc(ctx, shut)()
	var both sync.WaitGroup
	both.Go(func() {
		_, err := io.Copy(conn, channel)
		if half, ok := conn.(interface{ CloseWrite() error }); err != nil || !ok || half.CloseWrite() != nil {
			shut()
		}
	})
	if _, err := io.Copy(channel, conn); err != nil || channel.CloseWrite() != nil {
		shut()
	}
	late := time.AfterFunc(halfOpenWithin, shut)
	defer late.Stop()
	both.Wait()
}

// end closes the port and what was connected to it.
func (f *forwarded) end() {
	f.of.mu.Lock()
	delete(f.of.ports, f.port)
	f.of.mu.Unlock()
	f.cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = f.client.SendRequest("cancel-tcpip-forward", false, ssh.Marshal(forwardMsg{loopback, f.port}))
	}()
	select {
	case <-done:
	case <-time.After(closeWithin):
	}
}

// ReachArg is the argument with which rhx on a host is [ServeReach].
const ReachArg = "serve-reach"

// listener is an rhx on the host that listens there, in the place of an SSH server that
// does not. It speaks SSH over its standard input and output.
type listener struct {
	client  *ssh.Client
	channel ssh.Channel
}

// listen starts the rhx of the host.
func (c *sshConn) listen(ctx context.Context) (*listener, error) {
	next, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer next()
	channel, requests, err := c.session(ctx, sessionWithin)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(requests)
	stop := context.AfterFunc(ctx, func() { leave(channel, "") })
	defer stop()
	said := &headBuffer{limit: 4 << 10}
	go func() { _, _ = io.Copy(said, channel.Stderr()) }()
	none := errors.New("no rhx there listens in its place")
	const script = `exec sh -c 'PATH=$PATH:$HOME/.local/bin:$HOME/go/bin:/usr/local/bin; echo ` + reachMark + `; command -v rhx >/dev/null && exec rhx ` + ReachArg + `'`
	if err := request(channel, "exec", ssh.Marshal(struct{ Command string }{script})); err != nil {
		leave(channel, "")
		return nil, err
	}
	in, err := afterLine(channel, reachMark)
	if err == nil {
		// The host is known, and this is a channel of its connection.
		config := &ssh.ClientConfig{User: "rhx", HostKeyCallback: ssh.InsecureIgnoreHostKey()}
		var conn ssh.Conn
		var channels <-chan ssh.NewChannel
		var global <-chan *ssh.Request
		if conn, channels, global, err = ssh.NewClientConn(&streamConn{Reader: in, WriteCloser: channel}, "rhx", config); err == nil {
			return &listener{ssh.NewClient(conn, channels, global), channel}, nil
		}
	}
	leave(channel, "")
	switch text := printable(string(said.bytes()), 200); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case text != "":
		return nil, fmt.Errorf("%w: %s", none, text)
	}
	return nil, none
}

// reachMark is what comes before what rhx says on a host whose shell may print something.
const reachMark = "rhx-reach"

// afterLine reads up to a line, and returns what comes behind it.
func afterLine(in io.Reader, line string) (io.Reader, error) {
	var held []byte
	buf := make([]byte, 4<<10)
	for len(held) <= maxNoise {
		n, err := in.Read(buf)
		held = append(held, buf[:n]...)
		if _, rest, ok := bytes.Cut(held, []byte(line+"\n")); ok {
			return io.MultiReader(bytes.NewReader(rest), in), nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("too much output before it")
}

func (l *listener) leave() {
	leave(l.channel, "")
	_ = l.client.Close()
}
