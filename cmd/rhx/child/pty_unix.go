//go:build unix

package child

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/mask"
)

const hasPTY = true

// onPTY runs a command on a terminal of its own, and passes on to the real one what
// it shows there, masked.
//
// The command's process group has to be a child's of its session's leader: one that
// nobody of the session looks after is never stopped by Ctrl-Z. So between rhx and
// the command is rhx again, as that leader: see Monitor.
func (r *Runner) onPTY(argv, environ []string, out *os.File) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	master, slave, err := pty.Open()
	if err != nil {
		return 0, err
	}
	lent := &lentTerminal{in: r.keyboard(), out: out, master: master}
	defer lent.hangUp()
	lent.prepare(slave)
	monitor := MonitorArg
	var files []*os.File
	if r.Confined != nil {
		defer r.Confined.End()
		monitor = ConfinedMonitorArg
		if files, err = r.Confined.Files(); err != nil {
			return 0, err
		}
		defer closeAll(files)
	}
	cmd := &exec.Cmd{
		Path: self, Args: append([]string{"rhx", monitor}, argv...), ExtraFiles: files, Env: environ, Stdin: r.In, Stdout: slave, Stderr: r.Err,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1},
	}
	if lent.in != nil {
		cmd.Stdin = slave
	}
	masked := r.Mask.Writer(out, mask.Terminal())
	var errs *os.File // what is not shown on the terminal is kept apart
	if cmd.Stderr = slave; !r.ErrTTY {
		var w *os.File
		if errs, w, err = os.Pipe(); err != nil {
			return 0, err
		}
		defer errs.Close()
		defer w.Close()
		cmd.Stderr = w
	}
	defer ignorePipeSignal()()
	lent.got = make(chan os.Signal, 8)
	notify(lent.got, passedOnTerminal...)
	defer signal.Stop(lent.got)
	r.TakeOver()
	if err := lent.take(); err != nil {
		return 0, err
	}
	defer lent.giveBack()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if errs != nil {
		_ = cmd.Stderr.(*os.File).Close()
	}
	_ = slave.Close() // so that the end of the command is the end of its output
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(masked, master)
		_ = masked.Close()
		lent.hangUp() // nobody looks any more: the command is told
	}()
	said := make(chan struct{})
	var lost error
	go func() {
		defer close(said)
		if errs != nil {
			w := r.Mask.Writer(r.Err, mask.Pipe())
			_, _ = io.Copy(w, errs)
			lost = w.Close()
			_ = errs.Close()
		}
	}()
	if lent.in != nil {
		go lent.keys()
	}
	go lent.pass(cmd.Process.Pid)
	status, err := lent.wait(cmd.Process.Pid, masked.Show)
	if r.Confined != nil {
		r.Confined.End() // what is left running would keep the terminal
	}
	<-shown
	<-said
	lent.giveBack()
	if err != nil {
		return 0, err
	}
	return passedOn(status, nil, lost)
}

// keyboard is the terminal that the command's input comes from; nil for none.
func (r *Runner) keyboard() *os.File {
	if in, ok := r.In.(*os.File); ok && r.InTTY {
		return in
	}
	return nil
}

// lentTerminal is the real terminal while a command has another in its place.
type lentTerminal struct {
	in, out *os.File
	got     chan os.Signal
	before  *term.State
	// lent is set from take to giveBack. The terminal is taken only in the foreground.
	lent bool
	// mu is held where the number of master's descriptor is used, and by who closes it.
	mu     sync.Mutex
	master *os.File
	// goesOn is set while rhx is stopped, with the command.
	goesOn atomic.Bool
}

// hangUp ends the command's terminal.
func (l *lentTerminal) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.master.Close()
}

// resize gives the command's terminal the size of the real one, and reports whether it
// had another.
func (l *lentTerminal) resize() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, err := pty.GetsizeFull(l.master)
	_ = pty.InheritSize(l.out, l.master)
	now, err2 := pty.GetsizeFull(l.master)
	return err == nil && err2 == nil && *before != *now
}

// group is the process group that has the command's terminal; 0 for none.
func (l *lentTerminal) group() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	group, err := unix.IoctlGetInt(int(l.master.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return 0
	}
	return group
}

// prepare gives the command's terminal the modes and the size of the real one. In the
// background its modes are those in which a shell reads its next line.
func (l *lentTerminal) prepare(slave *os.File) {
	if l.in != nil && l.inForeground() {
		if modes, err := term.GetState(int(l.in.Fd())); err == nil {
			_ = term.Restore(int(slave.Fd()), modes)
		}
	}
	_ = pty.InheritSize(l.out, slave)
}

// take has the real terminal pass on what is typed as it is typed. In the background
// it belongs to others, and stays as it is.
func (l *lentTerminal) take() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lent = true
	return l.makeRaw()
}

// makeRaw needs mu.
func (l *lentTerminal) makeRaw() (err error) {
	if l.in != nil && l.before == nil && l.inForeground() {
		l.before, err = term.MakeRaw(int(l.in.Fd()))
	}
	return err
}

// takeAgain is take for a terminal that is still lent, and may have come to the
// foreground.
func (l *lentTerminal) takeAgain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lent {
		return nil
	}
	return l.makeRaw()
}

func (l *lentTerminal) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.before != nil && l.inForeground() {
		_ = term.Restore(int(l.in.Fd()), l.before)
	}
	l.before, l.lent = nil, false
}

// inForeground reports whether the terminal is this process's to read: a shell's & has
// it run beside others.
func (l *lentTerminal) inForeground() bool {
	ours, err := isOurs(l.in)
	return err == nil && ours
}

// isOurs reports whether a terminal is this process's to read. The error is for one that
// is gone.
func isOurs(terminal *os.File) (bool, error) {
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return group == unix.Getpgrp(), err
}

// awhile is how often rhx looks whether a shell has brought it to the foreground, of
// which no signal tells.
const awhile = 100 * time.Millisecond

// keys passes on what is typed.
func (l *lentTerminal) keys() { _, _ = io.Copy(l.master, &keyboard{l.in, l.takeAgain}) }

// keyboard reads what is typed at a terminal, only in the foreground: a read elsewhere
// would stop rhx.
type keyboard struct {
	in *os.File
	// found is called when the terminal is in the foreground, before something is typed.
	found func() error
}

func (k *keyboard) Read(buf []byte) (int, error) {
	for {
		ours, err := isOurs(k.in)
		if err != nil {
			return 0, err
		}
		if !ours {
			time.Sleep(awhile)
			continue
		}
		if err := k.found(); err != nil {
			return 0, err
		}
		ready := []unix.PollFd{{Fd: int32(k.in.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil {
			continue // a signal
		}
		if ours, err := isOurs(k.in); err == nil && ours {
			return k.in.Read(buf)
		}
	}
}

// pass gives the signals that rhx gets to the command. None of them is typed at the
// real terminal: what is typed, the command's terminal makes a signal of.
func (l *lentTerminal) pass(monitor int) {
	for s := range l.got {
		switch s {
		case syscall.SIGWINCH:
			if l.resize() {
				continue // the terminal has told it
			}
		case syscall.SIGCONT:
			if l.goesOn.Swap(false) {
				continue // so does what stopped: see wait
			}
		}
		group := l.group()
		if group <= 1 {
			group = monitor
		}
		_ = syscall.Kill(-group, s.(syscall.Signal))
	}
}

// wait waits for the end of the command. Where it stops, so does rhx, until the
// user's shell has it go on; show is called before.
func (l *lentTerminal) wait(monitor int, show func()) (int, error) {
	for {
		ws, err := await(monitor)
		if err != nil {
			return 0, err
		}
		if !ws.Stopped() {
			return ended(ws), nil
		}
		show()
		l.giveBack()
		l.goesOn.Store(true)
		stop()
		if err := l.take(); err != nil {
			return 0, err
		}
		l.resize()
		_ = syscall.Kill(monitor, syscall.SIGCONT)
	}
}

// notStopped is after how long rhx, which would have stopped before, knows that it
// does not: there is no shell that could have it go on.
const notStopped = 200 * time.Millisecond

// stop stops the process group of rhx and returns when it goes on. The signal may
// come some time after the call that sends it.
func stop() {
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	defer signal.Stop(goesOn)
	whileDefault(syscall.SIGTSTP, func() {
		_ = syscall.Kill(0, syscall.SIGTSTP)
		select {
		case <-goesOn:
		case <-time.After(notStopped):
		}
	})
}

// await waits for a child to end or to stop.
func await(pid int) (syscall.WaitStatus, error) {
	for {
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, syscall.WUNTRACED, nil); !errors.Is(err, syscall.EINTR) {
			return ws, err
		}
	}
}

func ended(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return BySignal | 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// ignorePipeSignal has a write that nobody reads fail, and not end rhx.
func ignorePipeSignal() (stop func()) {
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGPIPE)
	return func() { signal.Stop(got) }
}

// MonitorArg is the argument with which rhx starts itself as a session's leader.
const MonitorArg = "run-monitor"

// ConfinedMonitorArg is that for a command that is confined: the files of [confine.Run] come
// with it.
const ConfinedMonitorArg = "run-monitor-confined"

// Monitor runs a command as the process group that has the terminal, and that is called by
// the process that has started it. When the command
// stops, so does this process, for rhx to see; when rhx has it go on, so does the
// command.
func Monitor(argv []string, confined bool) (int, error) {
	runtime.LockOSThread() // see endWithRhx
	var cmd *exec.Cmd
	prepare := func() {
		cmd = &exec.Cmd{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			// rhx's end hangs this process up.
			SysProcAttr: endWithRhx(&syscall.SysProcAttr{Foreground: true, Ctty: 1})}
	}
	var pid int
	if confined {
		prepare()
		files := confine.Inherited()
		c, err := startConfined(cmd, files, argv)
		if err != nil {
			return 0, err
		}
		closeAll(files)
		pid = c.PID
	} else {
		err := start(argv, os.Environ(), func(path string, argv []string) error {
			prepare()
			cmd.Path, cmd.Args = path, argv
			return cmd.Start()
		})
		if err != nil {
			return 0, err
		}
		pid = cmd.Process.Pid
	}
	for {
		ws, err := await(pid)
		switch {
		case err != nil:
			return 0, err
		case !ws.Stopped():
			return ended(ws), nil
		}
		// The signal may take another thread first, so this one waits to be told to
		// go on: the command must not go on before.
		goesOn := make(chan os.Signal, 1)
		signal.Notify(goesOn, syscall.SIGCONT)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-goesOn
		signal.Stop(goesOn)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT)
	}
}
