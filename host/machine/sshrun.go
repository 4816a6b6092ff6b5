package machine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxNoise is what a login shell may print before the script or command starts.
const maxNoise = 1 << 20

// Run sends the environment and the arguments through the channel's standard
// input: the host's list of processes shows a number of bytes until the command
// itself is started, and nothing is written to its disk. Standard input then
// goes on as that of the command.
func (m *sshMachine) Run(ctx context.Context, spec RunSpec) (int, error) {
	if len(spec.Argv) == 0 || spec.Argv[0] == "" || strings.HasPrefix(spec.Argv[0], "-") {
		return 0, usage("%s: no command to run", m.target)
	}
	checked := spec
	checked.Env = slices.Concat(spec.Env, spec.FileVars)
	if _, err := runPrelude(checked, ""); err != nil {
		return 0, fmt.Errorf("%s: %w", m.target, err)
	}
	conn, err := m.connect(ctx)
	if err != nil {
		return 0, err
	}
	if spec.Reach != nil {
		end, err := m.reach(ctx, conn, &spec)
		if err != nil {
			return 0, err
		}
		defer end()
	}
	var status int
	if len(spec.Files) > 0 {
		status, err = m.runWithFiles(ctx, conn, spec)
	} else {
		status, err = m.runOn(ctx, conn, spec, sessionWithin)
	}
	return status, outOfReach(err, &spec)
}

// runWithFiles runs a command beside the files that it has for itself.
func (m *sshMachine) runWithFiles(ctx context.Context, conn *sshConn, spec RunSpec) (int, error) {
	f, err := m.hold(ctx, conn, spec.Files, spec.Disk)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err := f.release(ctx); err != nil && spec.Warn != nil {
			spec.Warn(fmt.Errorf("%s: %w", m.target, err))
		}
	}()
	spec.Env = slices.Clone(spec.Env)
	for _, v := range spec.FileVars {
		spec.Env = append(spec.Env, Var{v.Name, f.path + "/" + v.Value})
	}
	status, err := m.runOn(ctx, conn, spec, 0)
	if !errors.Is(err, errNoSession) || ctx.Err() != nil {
		return status, err
	}
	// A host that allows one session on a connection.
	another, err := m.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer another.close(nil)
	return m.runOn(ctx, another, spec, sessionWithin)
}

// runOn runs a command on a connection. A host that allows no more sessions is asked
// again for the time that is given.
func (m *sshMachine) runOn(ctx context.Context, conn *sshConn, spec RunSpec, within time.Duration) (int, error) {
	mark := "rhx-" + rand.Text() + " "
	prelude, err := runPrelude(spec, mark)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", m.target, err)
	}
	status, err := conn.run(ctx, spec, mark, prelude, within)
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if errors.Is(err, errNoShell) {
		return 0, m.noShell(nil, nil, false)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", m.target, err)
	}
	return status, nil
}

// runPrelude returns the script that sets the environment and starts the
// command; see script for why it is one compound command.
func runPrelude(spec RunSpec, mark string) ([]byte, error) {
	var s bytes.Buffer
	s.WriteString("{\n")
	if spec.TTY {
		s.WriteString("stty sane 2>/dev/null\n")
	}
	for _, name := range spec.Unset {
		if !isName(name) {
			return nil, fmt.Errorf("a variable cannot have the name %q", name)
		}
		fmt.Fprintf(&s, "unset %s\n", name)
	}
	for _, v := range spec.Env {
		if !isName(v.Name) {
			return nil, fmt.Errorf("a variable cannot have the name %q", v.Name)
		}
		if strings.ContainsRune(v.Value, 0) {
			return nil, fmt.Errorf("the value of %s has a zero byte", v.Name)
		}
		fmt.Fprintf(&s, "%s=%s\nexport %s\n", v.Name, posixQuote(v.Value), v.Name)
	}
	s.WriteString("set --")
	for _, arg := range spec.Argv {
		if strings.ContainsRune(arg, 0) {
			return nil, errors.New("an argument has a zero byte")
		}
		s.WriteString(" " + posixQuote(arg))
	}
	fmt.Fprintf(&s, "\necho '%sstart'\nexec \"$@\"\n}", mark)
	return s.Bytes(), nil
}

// runCommand is what the login shell gets: only a byte count, and with a
// terminal a mark that says when it neither echoes nor interprets any more.
func runCommand(spec RunSpec, mark string, n int) string {
	read := fmt.Sprintf(`eval "$(dd bs=1 count=%d 2>/dev/null)"`, n)
	if spec.TTY {
		read = fmt.Sprintf(`stty raw -echo 2>/dev/null; echo "%sready"; %s`, mark, read)
	}
	return "exec sh -c '" + read + "'"
}

var errNoShell = errors.New("no shell")

func (c *sshConn) run(ctx context.Context, spec RunSpec, mark string, prelude []byte, within time.Duration) (int, error) {
	next, err := c.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer next()
	channel, requests, err := c.session(ctx, within)
	if err != nil {
		return 0, err
	}
	end := "" // the signal that ends the command
	defer func() { leave(channel, end) }()
	ended := make(chan int, 1) // exit status, -1 for none
	go func() { ended <- exitStatus(requests) }()
	begun := make(chan error, 1)
	go func() { begun <- c.begin(channel, spec, runCommand(spec, mark, len(prelude))) }()
	select {
	case err := <-begun:
		if err != nil && c.dying() {
			err = c.failure()
		}
		if err != nil {
			return 0, err
		}
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	started := make(chan struct{})
	outputs := make(chan error, 2)
	ready := make(chan struct{})
	go func() {
		out := &afterMarks{w: spec.Stdout, marks: []string{mark + "start"}, passed: []chan<- struct{}{started}, last: spec.Started}
		if spec.TTY {
			out.marks = append([]string{mark + "ready"}, out.marks...)
			out.passed = append([]chan<- struct{}{ready}, out.passed...)
		}
		_, err := io.Copy(out, channel)
		outputs <- err
	}()
	go func() {
		_, err := io.Copy(orDiscard(spec.Stderr), channel.Stderr())
		outputs <- err
	}()
	if !spec.TTY {
		close(ready)
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-ready:
		case <-stop:
			return
		}
		if _, err := channel.Write(prelude); err != nil {
			return
		}
		if spec.TTY {
			// What is typed before the terminal has its modes would not be echoed.
			select {
			case <-started:
			case <-stop:
				return
			}
		}
		if spec.Stdin != nil {
			_, _ = io.Copy(channel, spec.Stdin)
		}
		// The end of input is none of a terminal where nobody types: sshd would not
		// even pass on new sizes after it.
		if spec.Stdin != nil || !spec.TTY {
			_ = channel.CloseWrite()
		}
	}()
	go forwardEvents(channel, spec, stop)
	status, err := c.awaitEnd(ctx, channel, ended, outputs, started)
	if ctx.Err() != nil {
		end = "TERM"
	}
	return status, err
}

// begin asks the host to start a command, and waits for its yes.
func (c *sshConn) begin(channel ssh.Channel, spec RunSpec, command string) error {
	if spec.TTY {
		if err := requestTerminal(channel, spec); err != nil {
			return err
		}
	}
	c.sendEnv(channel)
	return request(channel, "exec", ssh.Marshal(struct{ Command string }{command}))
}

// awaitEnd waits for the end of the command and of its output.
func (c *sshConn) awaitEnd(ctx context.Context, channel ssh.Channel, ended <-chan int, outputs <-chan error, started <-chan struct{}) (int, error) {
	status := -1
	var failed error
	for waiting := 3; waiting > 0; waiting-- {
		select {
		case status = <-ended:
		case err := <-outputs:
			if err != nil && failed == nil {
				// Nobody reads on: as with a closed pipe, the command is to end.
				failed = fmt.Errorf("pass the output on: %w", err)
				channel.Close()
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	running := false
	select {
	case <-started:
		running = true
	default:
	}
	switch {
	case failed != nil:
		return 0, failed
	case running && status >= 0:
		return status, nil
	case c.dying():
		return 0, c.failure()
	case !running:
		return 0, errNoShell
	}
	return 0, errors.New("the host does not say how the command ended")
}

// forwardEvents passes signals and new sizes of the terminal on, once the
// command runs.
func forwardEvents(channel ssh.Channel, spec RunSpec, stop <-chan struct{}) {
	for {
		select {
		case s, ok := <-spec.Signals:
			if !ok {
				spec.Signals = nil
				continue
			}
			signal(channel, s)
		case size, ok := <-spec.Resize:
			if !ok {
				spec.Resize = nil
				continue
			}
			_, _ = channel.SendRequest("window-change", false, ssh.Marshal(struct{ Columns, Rows, Width, Height uint32 }{uint32(size.Columns), uint32(size.Rows), 0, 0}))
		case <-stop:
			return
		}
	}
}

// signal sends a signal (RFC 4254, 6.9), which has no answer.
func signal(channel ssh.Channel, name string) {
	_, _ = channel.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{name}))
}

// request sends a request that has to succeed.
func request(channel ssh.Channel, name string, payload []byte) error {
	ok, err := channel.SendRequest(name, true, payload)
	if err == nil && !ok {
		err = fmt.Errorf("the host refuses the request %q", name)
	}
	return err
}

// requestTerminal asks for a terminal that does not echo: what is sent first is
// the environment.
func requestTerminal(channel ssh.Channel, spec RunSpec) error {
	term, size := spec.Term, spec.Size
	if term == "" {
		term = "xterm"
	}
	if size.Columns <= 0 || size.Rows <= 0 {
		size = Size{80, 24}
	}
	// RFC 4254, 8: one byte for the mode, four for its value, and an end.
	modes := []byte{ssh.ECHO, 0, 0, 0, 0, ssh.ICANON, 0, 0, 0, 0, ssh.ISIG, 0, 0, 0, 0, 0}
	return request(channel, "pty-req", ssh.Marshal(struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}{term, uint32(size.Columns), uint32(size.Rows), 0, 0, string(modes)}))
}

// exitStatus reads how the command ended; -1 is not said.
func exitStatus(requests <-chan *ssh.Request) int {
	status := -1
	for r := range requests {
		switch r.Type {
		case "exit-status":
			var msg struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &msg) == nil {
				status = int(msg.Status & 0xff)
			}
		case "exit-signal":
			var msg struct {
				Name            string
				Core            bool
				Error, Language string
			}
			if ssh.Unmarshal(r.Payload, &msg) == nil {
				status = 128 + signalNumber(msg.Name)
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
	return status
}

// signalNumber returns the number of a signal that RFC 4254 names; those are
// the same on every system but USR1 and USR2, here as on Linux.
func signalNumber(name string) int {
	return map[string]int{
		"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
	}[name]
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// afterMarks drops what comes before each mark, and the mark's line end, and
// passes on the rest.
type afterMarks struct {
	w       io.Writer
	marks   []string
	passed  []chan<- struct{}
	last    func() // is called at the last mark
	held    []byte
	newline bool // the line end of the last mark is still to come
}

func (a *afterMarks) Write(p []byte) (int, error) {
	n := len(p)
	for len(a.marks) > 0 {
		a.held = append(a.held, p...)
		i := bytes.Index(a.held, []byte(a.marks[0]))
		if i < 0 {
			if len(a.held) > maxNoise {
				return 0, errors.New("too much output before the command")
			}
			return n, nil
		}
		p = a.held[i+len(a.marks[0]):]
		a.held = nil
		if len(a.marks) == 1 && a.last != nil {
			a.last()
		}
		close(a.passed[0])
		a.marks, a.passed = a.marks[1:], a.passed[1:]
		a.newline = true
	}
	for a.newline && len(p) > 0 {
		// A terminal may make the line end two characters.
		a.newline = p[0] == '\r'
		if p[0] != '\r' && p[0] != '\n' {
			break
		}
		p = p[1:]
	}
	if len(p) == 0 {
		return n, nil
	}
	if _, err := orDiscard(a.w).Write(p); err != nil {
		return 0, err
	}
	return n, nil
}

var _ Runner = (*sshMachine)(nil)
