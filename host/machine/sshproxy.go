package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/childenv"
)

// hangupWithin is how long a ProxyCommand has to end after a hangup.
const hangupWithin = 500 * time.Millisecond

// proxy is a running ProxyCommand.
type proxy struct {
	cmd    *exec.Cmd
	group  bool
	stderr headBuffer
	ended  chan struct{}
	once   sync.Once
}

// proxyCommand connects through the command in ProxyCommand, whose tokens are
// already replaced. The connection's Close ends the command.
func proxyCommand(ctx context.Context, c *sshConfig, command string) (net.Conn, error) {
	if c.fdPass {
		return receivedConn(ctx, c, command)
	}
	p := newProxy(command)
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	return &commandConn{streamConn{out, in}, p}, nil
}

func newProxy(command string) *proxy {
	p := &proxy{cmd: exec.Command("/bin/sh", "-c", "exec "+command), ended: make(chan struct{}), stderr: headBuffer{limit: 4 << 10}}
	if runtime.GOOS == "windows" {
		p.cmd = exec.Command("cmd.exe", "/c", command)
	}
	p.cmd.Env = childenv.Environ()
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = hangupWithin
	p.group = ownGroup(p.cmd)
	return p
}

func (p *proxy) start() error {
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("ProxyCommand: %w", err)
	}
	return nil
}

// wait collects the command's end, once. Its output must have been read, or not
// be wanted.
func (p *proxy) wait() {
	p.once.Do(func() {
		go func() {
			_ = p.cmd.Wait()
			close(p.ended)
		}()
	})
}

// stop ends the command, with a little time for what it may have to tidy up.
func (p *proxy) stop() {
	_ = end(p.cmd.Process, p.group, false)
	p.wait()
	select {
	case <-p.ended:
		if !p.group {
			return
		}
	case <-time.After(hangupWithin):
	}
	_ = end(p.cmd.Process, p.group, true)
}

// said is what the command wrote to its standard error, once it has had a moment
// to end.
func (p *proxy) said() string {
	p.wait()
	select {
	case <-p.ended:
	case <-time.After(hangupWithin):
	}
	return printable(string(p.stderr.bytes()), 500)
}

// commandConn is a connection through the standard input and output of a
// ProxyCommand.
type commandConn struct {
	streamConn
	proxy *proxy
}

// Close ends the command.
func (c *commandConn) Close() error {
	err := c.WriteCloser.Close()
	c.proxy.stop()
	return err
}

// streamConn is a connection over what is none, such as the two streams of a program.
type streamConn struct {
	io.Reader
	io.WriteCloser
}

func (*streamConn) LocalAddr() net.Addr  { return streamAddr{} }
func (*streamConn) RemoteAddr() net.Addr { return streamAddr{} }

var errNoDeadline = errors.New("a stream has no deadlines")

func (*streamConn) SetDeadline(time.Time) error      { return errNoDeadline }
func (*streamConn) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (*streamConn) SetWriteDeadline(time.Time) error { return errNoDeadline }

type streamAddr struct{}

func (streamAddr) Network() string { return "command" }
func (streamAddr) String() string  { return "command:0" }
