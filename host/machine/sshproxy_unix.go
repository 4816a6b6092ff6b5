//go:build !windows

package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// receivedConn is for ProxyUseFdpass: the command connects and hands the
// connection over, on the socket that is its standard input and output.
func receivedConn(ctx context.Context, c *sshConfig, command string) (net.Conn, error) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	syscall.CloseOnExec(ends[0])
	syscall.CloseOnExec(ends[1])
	ours, theirs := os.NewFile(uintptr(ends[0]), "proxy"), os.NewFile(uintptr(ends[1]), "proxy")
	defer ours.Close()
	p := newProxy(command)
	p.cmd.Stdin, p.cmd.Stdout = theirs, theirs
	err = p.start()
	theirs.Close()
	if err != nil {
		return nil, err
	}
	defer p.stop()
	socket, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	defer socket.Close()
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	_ = socket.SetReadDeadline(time.Now().Add(c.timeout))
	conn, err := receive(socket.(*net.UnixConn))
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("ProxyCommand: it hands no connection over within %v: %w", c.timeout, err)
	}
	err = errors.New("ProxyCommand: it hands no connection over, as ProxyUseFdpass wants")
	if said := p.said(); said != "" {
		err = fmt.Errorf("%w; it says: %s", err, said)
	}
	return nil, fault.WithHint(err, "check the ProxyCommand in ssh_config; without ProxyUseFdpass it passes the bytes on itself")
}

// receive takes one connection over.
func receive(from *net.UnixConn) (net.Conn, error) {
	data, control := make([]byte, 1), make([]byte, syscall.CmsgSpace(4*8))
	_, n, _, _, err := from.ReadMsgUnix(data, control)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, m := range messages {
		got, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		fds = append(fds, got...)
	}
	if len(fds) == 0 {
		return nil, errors.New("no descriptor")
	}
	for _, fd := range fds[1:] {
		_ = syscall.Close(fd)
	}
	f := os.NewFile(uintptr(fds[0]), "connection")
	defer f.Close() // FileConn has its own
	return net.FileConn(f)
}
