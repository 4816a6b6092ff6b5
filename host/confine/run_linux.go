package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Run is a command that is confined, as the process sees it that has the plan. While it is
// not ended the command's processes live; where this process is gone, so are they.
type Run struct {
	Plan Plan

	ours, theirs *os.File
	once         sync.Once
	listeners    []*later
}

// firstPort is where the first listener is in a network of the command's own; the others
// follow it. maxListeners is what one message of the kernel's can hand over.
const firstPort, maxListeners = 20443, 253

// New makes what the processes of a confined command are tied to.
func New(p Plan) (*Run, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	return &Run{Plan: p, ours: os.NewFile(uintptr(fds[0]), "confine"), theirs: os.NewFile(uintptr(fds[1]), "confined")}, nil
}

// Listen adds a port of 127.0.0.1 that the command reaches, in its own network where it has
// one. There the listener accepts when the command has been started.
func (r *Run) Listen() (net.Listener, error) {
	if !r.Plan.Namespaces {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err == nil {
			r.Plan.Ports = append(r.Plan.Ports, l.Addr().(*net.TCPAddr).Port)
		}
		return l, err
	}
	if len(r.listeners) == maxListeners {
		return nil, fmt.Errorf("a confined command has at most %d ports", maxListeners)
	}
	l := &later{port: firstPort + len(r.listeners), ended: make(chan struct{}), got: make(chan struct{})}
	r.listeners, r.Plan.Ports = append(r.listeners, l), append(r.Plan.Ports, l.port)
	return l, nil
}

// Files are what the process needs that calls [Start]. They are closed by End.
func (r *Run) Files() ([]*os.File, error) {
	for _, path := range slices.Concat(r.Plan.Hidden, r.Plan.Sockets, r.Plan.Private, r.Plan.Keep, r.Plan.Pinned, r.Plan.Links, []string{r.Plan.Dir}) {
		if !utf8.ValidString(path) { // JSON would name another one, and this one would be seen
			return nil, fmt.Errorf("%q cannot be hidden or kept: its name is not UTF-8", path)
		}
	}
	data, err := json.Marshal(r.Plan)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("rhx-confine", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("keep the plan in memory: %w", err)
	}
	plan := os.NewFile(uintptr(fd), "plan")
	if _, err := plan.Write(data); err != nil {
		_ = plan.Close()
		return nil, err
	}
	if len(r.listeners) > 0 {
		go r.receive()
	}
	return []*os.File{r.theirs, plan}, nil
}

// receive gets the listeners that were made inside.
func (r *Run) receive() {
	conn, err := r.ours.SyscallConn()
	if err != nil {
		return
	}
	buf, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4*maxListeners))
	var n int
	err = conn.Read(func(fd uintptr) bool {
		_, n, _, _, err = unix.Recvmsg(int(fd), buf, rights, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	if err != nil || n == 0 {
		return // nothing was made, and the command does not start
	}
	list, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(list) != 1 {
		return
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil {
		return
	}
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "listener")
		if l, err := net.FileListener(f); err == nil && i < len(r.listeners) {
			r.listeners[i].set(l)
		}
		_ = f.Close()
	}
}

// End ends all processes of the command.
func (r *Run) End() {
	r.once.Do(func() { _ = r.ours.Close(); _ = r.theirs.Close() })
}

// later is a listener that comes when the command has been started.
type later struct {
	port  int
	mu    sync.Mutex
	l     net.Listener
	got   chan struct{}
	ended chan struct{}
	over  bool
}

func (l *later) set(real net.Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		_ = real.Close()
		return
	}
	l.l = real
	close(l.got)
}

func (l *later) Accept() (net.Conn, error) {
	select {
	case <-l.got:
		return l.l.Accept()
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *later) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil
	}
	l.over = true
	close(l.ended)
	if l.l != nil {
		return l.l.Close()
	}
	return nil
}

func (l *later) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: l.port} }

// report is what the processes of a command say of themselves while it is started.
type report struct {
	// Helper is a process that is a child of the one that called Start, and not the
	// command.
	Helper int      `json:"helper,omitempty"`
	PID    int      `json:"pid,omitempty"`
	Error  *Failure `json:"error,omitempty"`
}

// Child is a command that was started: a child of this process.
type Child struct {
	PID     int
	helpers []int
}

// Start starts a command with the streams, the environment and the attributes of cmd, and
// with the files of a [Run]. The command is a child of this process, and so is the chain of
// processes that has made its namespaces.
func Start(cmd *exec.Cmd, files []*os.File, argv []string) (*Child, error) {
	said, says, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer said.Close()
	cmd.Path, cmd.Args = "/proc/self/exe", append([]string{"rhx", Arg, stageBegin}, argv...)
	cmd.ExtraFiles = append(append([]*os.File{}, files...), says)
	err = cmd.Start()
	_ = says.Close()
	if err != nil {
		return nil, err
	}
	c := &Child{PID: cmd.Process.Pid}
	for in := json.NewDecoder(said); ; {
		var r report
		err := in.Decode(&r)
		switch {
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return nil, fmt.Errorf("start the command confined: %w", err)
		case r.Error != nil:
			c.helpers = append(c.helpers, c.PID)
			return c, r.Error
		case r.Helper != 0:
			c.helpers = append(c.helpers, r.Helper)
		default:
			c.helpers = append(c.helpers, c.PID)
			c.PID = r.PID
		}
	}
}

// Reap waits for the end of the processes that have made the command's namespaces. It is
// called when the run has ended.
func (c *Child) Reap() {
	for _, pid := range slices.Backward(c.helpers) { // process 1 ends when those of its namespace have
		for {
			if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
}

// Inherited are the files of a [Run] in a process that was given them as its first ones.
func Inherited() []*os.File {
	unix.CloseOnExec(fdControl)
	unix.CloseOnExec(fdPlan)
	return []*os.File{os.NewFile(fdControl, "confined"), os.NewFile(fdPlan, "plan")}
}
