//go:build linux || darwin

package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// fdsEnv has the numbers of the socket and of the lock that an agent goes on with.
const fdsEnv = "RHX_AGENT_FDS"

// startWithin bounds the time that starting takes.
const startWithin = 10 * time.Second

// Start makes sure that an agent runs: program, with args, has to call Run. It reports
// whether it was started.
func (c *Client) Start(program string, args ...string) (started bool, err error) {
	until := time.Now().Add(startWithin)
	for {
		if _, err := c.Status(); err == nil || !errors.Is(err, ErrNone) {
			return false, err
		}
		socket, lock, err := listen(c.dir(), agentName)
		if err == nil {
			// Not this process's environment, in which a passphrase may be.
			return true, detach(socket, lock, c.Environ, program, args)
		}
		// Another process is just about to do the same.
		if !errors.Is(err, errTaken) || time.Now().After(until) {
			return false, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// errTaken is the error where another agent has the lock.
var errTaken = errors.New("another agent has the lock")

// listen makes the socket of an agent of a name, and takes the lock that one has.
func listen(dir, name string) (socket, lock *os.File, err error) {
	if err := atomicfile.MkdirAll(dir); err != nil {
		return nil, nil, err
	}
	info, err := os.Lstat(dir)
	if err == nil {
		err = private(dir, info, 0o077)
	}
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, name+lockEnd)
	if err := ownfile.Plain(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	lock, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()
	if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, nil, fault.WithHint(fault.Mark(fmt.Errorf("%s: %w", path, fault.Cause(err)), errTaken), "an agent that does not answer holds it: end that, and try again")
	}
	if err = lock.Truncate(0); err == nil {
		_, err = lock.WriteAt([]byte(rand.Text()), 0) // a word that only who reads the folder knows
	}
	if err != nil {
		return nil, nil, err
	}
	socket, err = bind(filepath.Join(dir, name+socketEnd))
	return socket, lock, err
}

// bind makes the socket. Callers hold the lock, so one that is there is of an agent that is
// not there any more.
func bind(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fault.WithHint(fmt.Errorf("%s is not a socket", path), "move it away: the agent's socket is to be there")
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if errors.Is(err, syscall.EINVAL) {
		return nil, fault.WithHint(fmt.Errorf("the path of the socket is too long: %s", path), "set XDG_RUNTIME_DIR, or RHX_HOME to a shorter path")
	}
	if err != nil {
		return nil, fmt.Errorf("the agent's socket: %w", fault.Cause(err))
	}
	l.SetUnlinkOnClose(false)
	defer func() { _ = l.Close() }()
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	return l.File()
}

// detach starts an agent that outlives this process and its terminal. The socket listens
// already, so what is sent to it arrives.
func detach(socket, lock *os.File, environ []string, program string, args []string) error {
	defer func() { _ = socket.Close(); _ = lock.Close() }()
	if err := keepGivenFiles(); err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{socket, lock}
	cmd.Env = append([]string{fdsEnv + "=3:4"}, environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the agent: %w", fault.Cause(err))
	}
	return cmd.Process.Release()
}

// keepGivenFiles keeps the files that this process was given by the one that started it,
// such as a lock or a pipe of a script, from the processes that it starts: an agent would
// hold them for hours. Those that it opened itself are kept in any case.
func keepGivenFiles() error {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// Run is an agent: with what Start or the agent before it has left, with the socket of
// systemd's socket activation, or with one that it makes in dir.
func (s *Server) Run(ctx context.Context, dir string, program string, args ...string) error {
	return run(ctx, dir, agentName, func(ctx context.Context, l *net.UnixListener, again func(environ []string)) error {
		s.Renew = func() { again(s.Environ) }
		return s.Serve(ctx, l)
	}, program, args)
}

// run serves at the socket of an agent of a name. again begins program anew in the place of
// this process.
func run(ctx context.Context, dir, name string, serve func(ctx context.Context, l *net.UnixListener, again func(environ []string)) error, program string, args []string) error {
	socket, lock, err := inherited()
	if err == nil && socket == nil && dir == "" {
		err = errors.New("no socket was given: rhx agent start makes one")
	} else if err == nil && socket == nil {
		socket, lock, err = listen(dir, name)
	}
	if err != nil {
		return err
	}
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	conn, err := net.FileListener(socket)
	if err != nil {
		return err
	}
	l, ok := conn.(*net.UnixListener)
	if !ok {
		return errors.New("what the agent was given is no Unix socket")
	}
	l.SetUnlinkOnClose(false)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	path := l.Addr().String()
	mine, _ := os.Lstat(path)
	err = serve(ctx, l, func(environ []string) { renew(socket, lock, environ, program, args) })
	// A socket of systemd's is its own to remove, and so is one of another agent.
	if there, e := os.Lstat(path); lock != nil && e == nil && mine != nil && sameSocket(mine, there) {
		_ = os.Remove(path)
	}
	return err
}

// inherited returns the socket and the lock that this process was given; nil for none. There
// is no lock to the socket of systemd.
func inherited() (socket, lock *os.File, err error) {
	open := func(text string) (*os.File, error) {
		fd, err := strconv.Atoi(text)
		if err != nil || fd < 3 {
			return nil, fmt.Errorf("%q is no file to go on with", text)
		}
		syscall.CloseOnExec(fd)
		return os.NewFile(uintptr(fd), "inherited"), nil
	}
	if fds := os.Getenv(fdsEnv); fds != "" {
		a, b, both := strings.Cut(fds, ":")
		if socket, err = open(a); err == nil && both {
			lock, err = open(b)
		}
		return socket, lock, err
	}
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") == "1" {
		socket, err = open("3")
	}
	return socket, nil, err
}

// renew forgets all that this process has in memory: the program begins anew in its place,
// with the same socket. The system gives the old memory to nobody. Where that does not work
// the process ends.
func renew(socket, lock *os.File, environ []string, program string, args []string) {
	fds := make([]string, 0, 2)
	for _, f := range []*os.File{socket, lock} {
		if f == nil {
			continue
		}
		fd := f.Fd()
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
			os.Exit(1)
		}
		fds = append(fds, strconv.Itoa(int(fd)))
	}
	_ = syscall.Exec(program, append([]string{program}, args...), append([]string{fdsEnv + "=" + strings.Join(fds, ":")}, environ...))
	os.Exit(1)
}
