package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/childenv"
	"github.com/rhx-dev/rhx/host/fault"
)

// shared returns a connection through the master at ControlPath, which is how a
// host is reached that asks for a second factor; nil where no master lives there.
//
// The master is spoken to in its proxy mode (PROTOCOL.mux of OpenSSH), in which
// it passes SSH's own channels on: commands, terminals and jumps then need no
// code of their own, and no ssh process beside. Host and user are as the master
// has verified them.
func (d *dialer) shared(ctx context.Context, c *sshConfig) (*sshConn, error) {
	if c.controlPath == "" || c.ownMaster {
		return nil, nil
	}
	// As a socket's owner is who reads what is sent there, it must be ours.
	if err := ownSocket(c.controlPath); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(within, "unix", c.controlPath)
	if err != nil {
		return nil, ctx.Err() // no master: as ssh does, connect without one
	}
	stop := context.AfterFunc(within, func() { conn.Close() })
	s := newConn(d, c, conn)
	client, channels, requests, err := ssh.NewControlClientConn(s.raw)
	switch {
	case !stop() && ctx.Err() != nil:
		conn.Close()
		return nil, ctx.Err()
	case within.Err() != nil:
		conn.Close()
		return nil, fault.WithHint(fmt.Errorf("the ssh master at %s gives no answer within %v", c.controlPath, c.timeout),
			"end it with: ssh -O exit -S '"+c.controlPath+"' "+c.named)
	case err != nil:
		conn.Close()
		return nil, nil
	}
	s.master = &master{c.controlPath, sshProgram(d.opts)}
	s.use(client, channels, requests)
	return s, nil
}

// master is an ssh master.
type master struct{ socket, program string }

// openPort has the master ask for a port: it passes no answer on to who asks for one
// through its proxy mode.
//
// The port leads to a socket in a private folder, and from there to the address: were rhx
// killed, the port of the master would stay, and a port here might be somebody else's then.
func (m *master) openPort(ctx context.Context, address string) (port uint32, end func(), err error) {
	socket, shut, err := relay(address)
	if err != nil {
		return 0, nil, err
	}
	defer func() {
		if err != nil {
			shut()
		}
	}()
	to := strings.ReplaceAll(socket, "%", "%%")
	tell := func(ctx context.Context, what string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, m.program, "-F", "none", "-S", strings.ReplaceAll(m.socket, "%", "%%"), "-O", what, "-R", loopback+":0:"+to, "host")
		cmd.Env = childenv.Environ()
		return cmd.Output()
	}
	out, err := tell(ctx, "forward")
	if err != nil && ctx.Err() != nil {
		return 0, nil, context.Cause(ctx)
	}
	if err != nil {
		return 0, nil, errNotForwarded
	}
	end = func() {
		defer shut()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = tell(ctx, "cancel")
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 16)
	if err != nil || n == 0 {
		end()
		return 0, nil, errWhichPort
	}
	return uint32(n), end, nil
}

// relay leads a socket that only the user can reach to an address of this machine.
func relay(address string) (socket string, shut func(), err error) {
	dir, err := os.MkdirTemp("", "rhx-reach-*") // mode 0700
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for a socket: %w", err)
	}
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("listen for the ssh master: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	slots := make(chan struct{}, maxForwarded)
	go func() {
		for {
			slots <- struct{}{}
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { <-slots }()
				defer in.Close()
				if out, err := new(net.Dialer).DialContext(ctx, "tcp", address); err == nil {
					join(ctx, in.(*net.UnixConn), out)
				}
			}()
		}
	}()
	return socket, sync.OnceFunc(func() {
		cancel()
		_ = l.Close()
		_ = os.RemoveAll(dir)
	}), nil
}

var errForeignSocket = errors.New("it belongs to another user")
