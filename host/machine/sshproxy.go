package machine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// commandConn is a connection through the standard input and output of the
// command in ProxyCommand.
type commandConn struct {
	io.Reader
	io.WriteCloser
	cmd  *exec.Cmd
	once sync.Once
}

// proxyCommand starts a ProxyCommand, whose tokens are already replaced.
func proxyCommand(command string) (net.Conn, error) {
	cmd := exec.Command("/bin/sh", "-c", "exec "+command)
	if runtime.GOOS == "windows" {
		cmd = exec.Command("cmd.exe", "/c", command)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	return &commandConn{Reader: out, WriteCloser: in, cmd: cmd}, nil
}

// Close ends the command.
func (c *commandConn) Close() error {
	c.once.Do(func() {
		c.WriteCloser.Close()
		_ = c.cmd.Process.Kill()
		go func() { _ = c.cmd.Wait() }()
	})
	return nil
}

func (c *commandConn) LocalAddr() net.Addr  { return commandAddr{} }
func (c *commandConn) RemoteAddr() net.Addr { return commandAddr{} }

var errNoDeadline = errors.New("a ProxyCommand has no deadlines")

func (c *commandConn) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *commandConn) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *commandConn) SetWriteDeadline(time.Time) error { return errNoDeadline }

type commandAddr struct{}

func (commandAddr) Network() string { return "command" }
func (commandAddr) String() string  { return "command:0" }
