package machine

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/childenv"
)

func closedChan[T any]() chan T {
	c := make(chan T)
	close(c)
	return c
}

// containerConn is an ssh.Conn whose sessions are processes of docker or kubectl.
type containerConn struct {
	of   *container
	path string // of the program
	done chan struct{}

	mu     sync.Mutex
	closed bool
	live   map[*containerChannel]bool
}

var _ ssh.Conn = (*containerConn)(nil)

func newContainerConn(c *container, path string) *containerConn {
	return &containerConn{of: c, path: path, done: make(chan struct{}), live: map[*containerChannel]bool{}}
}

// ServerVersion implements [ssh.Conn]. Any number of sessions are apart from each other, as
// those of OpenSSH are.
func (c *containerConn) ServerVersion() []byte { return []byte("SSH-2.0-OpenSSH_" + c.of.program) }

// OpenChannel implements [ssh.Conn].
func (c *containerConn) OpenChannel(string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, net.ErrClosed
	}
	ch := &containerChannel{conn: c, started: make(chan struct{}), ended: make(chan struct{}), requests: make(chan *ssh.Request, 1)}
	c.live[ch] = true
	return ch, ch.requests, nil
}

// Close implements [ssh.Conn]. It ends the sessions.
func (c *containerConn) Close() error {
	c.mu.Lock()
	live := c.live
	closed := c.closed
	c.closed, c.live = true, nil
	c.mu.Unlock()
	for ch := range live {
		_ = ch.Close()
	}
	if !closed {
		close(c.done)
	}
	return nil
}

func (c *containerConn) forget(ch *containerChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, ch)
}

// Wait implements [ssh.Conn].
func (c *containerConn) Wait() error {
	<-c.done
	return net.ErrClosed
}

// The rest of [ssh.Conn]: a container has no such things.
func (c *containerConn) User() string          { return "" }
func (c *containerConn) SessionID() []byte     { return nil }
func (c *containerConn) ClientVersion() []byte { return nil }
func (c *containerConn) RemoteAddr() net.Addr  { return &net.UnixAddr{} }
func (c *containerConn) LocalAddr() net.Addr   { return &net.UnixAddr{} }
func (c *containerConn) SendRequest(string, bool, []byte) (bool, []byte, error) {
	return false, nil, nil
}

// killWithin is how long a signal may take to get into a container.
const killWithin = 5 * time.Second

// containerChannel is a session: what the request exec starts.
type containerChannel struct {
	conn     *containerConn
	requests chan *ssh.Request
	started  chan struct{} // closed when the process is started, or was not
	ended    chan struct{} // closed when the process has ended

	startOnce, closeOnce sync.Once

	// What is set before started is closed.
	err            error
	cmd            *exec.Cmd
	in             io.WriteCloser
	out, said      io.Reader
	terminal       *os.File   // the near end of the terminal, where one was asked for
	files          []*os.File // to be closed
	wantsTerminal  bool
	term           string
	columns, lines uint32

	mu  sync.Mutex
	pid int // in the container; 0 where it is not known
}

// SendRequest implements [ssh.Channel], for the requests that package machine sends.
func (ch *containerChannel) SendRequest(name string, _ bool, payload []byte) (bool, error) {
	switch name {
	case "pty-req":
		var want struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}
		if err := ssh.Unmarshal(payload, &want); err != nil {
			return false, err
		}
		ch.wantsTerminal, ch.term, ch.columns, ch.lines = true, want.Term, want.Columns, want.Rows
	case "exec":
		var want struct{ Command string }
		if err := ssh.Unmarshal(payload, &want); err != nil {
			return false, err
		}
		ch.startOnce.Do(func() {
			ch.err = ch.start(want.Command)
			close(ch.started)
		})
		return ch.err == nil, ch.err
	case "window-change":
		var size struct{ Columns, Rows, Width, Height uint32 }
		if err := ssh.Unmarshal(payload, &size); err != nil || ch.running() != nil || ch.terminal == nil {
			return false, err
		}
		return true, resizeTerminal(ch.terminal, size.Columns, size.Rows)
	case "signal":
		var signal struct{ Name string }
		if err := ssh.Unmarshal(payload, &signal); err != nil {
			return false, err
		}
		return true, ch.kill(signal.Name)
	}
	return true, nil
}

// start starts the program. What it prints begins with a line of this function's: a mark,
// and the process's number in the container, for signals.
func (ch *containerChannel) start(command string) (err error) {
	mark := "rhx-" + rand.Text()
	set := ""
	if ch.wantsTerminal {
		// Without stty the terminal there would change what is sent through it.
		set = "command -v stty >/dev/null || exit 127; TERM=" + posixQuote(ch.term) + "; export TERM; "
	}
	cmd := exec.Command(ch.conn.path, ch.conn.of.args(ch.wantsTerminal, "echo "+mark+" $$; "+set+command)...)
	cmd.Env = childenv.Environ()
	var far []*os.File // what the process alone is to have
	defer func() {
		for _, f := range far {
			_ = f.Close()
		}
	}()
	if ch.wantsTerminal {
		near, tty, err := openTerminal(cmd, ch.columns, ch.lines)
		if err != nil {
			return err
		}
		far = append(far, tty)
		ch.files = append(ch.files, near)
		ch.terminal, ch.in, ch.out, ch.said = near, near, near, strings.NewReader("")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	} else {
		ownSession(cmd)
		pipe := func() (r, w *os.File) {
			if err == nil {
				r, w, err = os.Pipe()
			}
			return r, w
		}
		inR, inW := pipe()
		outR, outW := pipe()
		errR, errW := pipe()
		far, ch.files = append(far, inR, outW, errW), append(ch.files, inW, outR, errR)
		ch.in, ch.out, ch.said = inW, outR, errR
		cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		ch.closeFiles()
		return err
	}
	ch.cmd = cmd
	ch.out = ch.afterMark(mark)
	go ch.await()
	return nil
}

// afterMark is the output behind the first line, which is read when it is first asked for.
func (ch *containerChannel) afterMark(mark string) io.Reader {
	r := bufio.NewReader(ch.out)
	first := sync.OnceValue(func() []byte {
		line, _ := r.ReadSlice('\n') // without it the program has said what is wrong
		number, ok := strings.CutPrefix(strings.TrimSpace(string(line)), mark+" ")
		pid, err := strconv.Atoi(number)
		if !ok || err != nil || pid < 2 {
			return append([]byte{}, line...)
		}
		ch.mu.Lock()
		defer ch.mu.Unlock()
		ch.pid = pid
		return nil
	})
	held := false
	return readerFunc(func(p []byte) (int, error) {
		if line := first(); !held && len(line) > 0 {
			held = true
			r = bufio.NewReader(io.MultiReader(strings.NewReader(string(line)), r))
		}
		return r.Read(p)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// await says how the process ended. docker and kubectl end with the status of the command,
// and with 128 and its number where a signal ended that.
func (ch *containerChannel) await() {
	_ = ch.cmd.Wait()
	close(ch.ended)
	ch.conn.forget(ch)
	if status := ch.cmd.ProcessState.ExitCode(); status >= 0 {
		ch.requests <- &ssh.Request{Type: "exit-status", Payload: ssh.Marshal(struct{ Status uint32 }{uint32(status)})}
	}
	close(ch.requests)
}

// running waits until the process is started, and returns why it is not.
func (ch *containerChannel) running() error {
	<-ch.started
	return ch.err
}

func (ch *containerChannel) Read(p []byte) (int, error) {
	if err := ch.running(); err != nil {
		return 0, err
	}
	return endOf(ch.out.Read(p))
}

// endOf is io.EOF for the end of a terminal, and of what is closed meanwhile.
func endOf(n int, err error) (int, error) {
	if err != nil && (errors.Is(err, os.ErrClosed) || isEndOfTerminal(err)) {
		err = io.EOF
	}
	return n, err
}

func (ch *containerChannel) Write(p []byte) (int, error) {
	if err := ch.running(); err != nil {
		return 0, err
	}
	return ch.in.Write(p)
}

// CloseWrite implements [ssh.Channel]. A terminal has no end of input.
func (ch *containerChannel) CloseWrite() error {
	if err := ch.running(); err != nil || ch.terminal != nil {
		return err
	}
	return ch.in.Close()
}

// Stderr implements [ssh.Channel].
func (ch *containerChannel) Stderr() io.ReadWriter {
	return struct {
		io.Reader
		io.Writer
	}{readerFunc(func(p []byte) (int, error) {
		if err := ch.running(); err != nil {
			return 0, err
		}
		return endOf(ch.said.Read(p))
	}), io.Discard}
}

// Close implements [ssh.Channel]: it ends the program here, where that has not ended.
func (ch *containerChannel) Close() error {
	ch.startOnce.Do(func() { // it never started
		ch.err = net.ErrClosed
		close(ch.started)
	})
	<-ch.started
	ch.closeOnce.Do(func() {
		if ch.err != nil {
			ch.conn.forget(ch)
			close(ch.requests)
			return
		}
		select {
		case <-ch.ended:
		default:
			_ = end(ch.cmd.Process, true, true)
		}
		ch.closeFiles()
	})
	return nil
}

func (ch *containerChannel) closeFiles() {
	for _, f := range ch.files {
		_ = f.Close()
	}
}

// kill sends a signal to the command and what it has started: docker and kubectl do not
// pass any on, so a second one of them does.
func (ch *containerChannel) kill(name string) error {
	if err := ch.running(); err != nil {
		return err
	}
	ch.mu.Lock()
	pid := ch.pid
	ch.mu.Unlock()
	if pid == 0 || signalNumber(name) == 0 {
		return fmt.Errorf("the signal %s cannot be sent", name)
	}
	cmd := exec.Command(ch.conn.path, ch.conn.of.args(false, fmt.Sprintf("kill -%[1]s -%[2]d 2>/dev/null || kill -%[1]s %[2]d", name, pid))...)
	cmd.Env = childenv.Environ()
	ownSession(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	late := time.AfterFunc(killWithin, func() { _ = end(cmd.Process, true, true) })
	defer late.Stop()
	return cmd.Wait()
}
