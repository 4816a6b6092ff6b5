//go:build unix

package child

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// passed are the signals that a command gets from rhx: all that can be caught and are
// not of the process's own doing. PIPE can be: where nobody reads what a masked command
// writes, rhx gets the one that the command would have got.
var passed = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
	syscall.SIGPIPE, syscall.SIGCONT, syscall.SIGWINCH,
}

// stops are those that stop a process. rhx stops when its command has.
var stops = []os.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}

// notify has the signals come that this process does not ignore: what nohup, or a
// shell's &, had it ignore, its command ignores as well.
func notify(got chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(got, s)
		}
	}
}

// held are the signals of a command that rhx waits for.
type held struct {
	got   chan os.Signal
	done  chan struct{}
	ended chan struct{} // closed when pass has ended; nil before it began
	group *witness
	// ownPipes says that a PIPE comes of what rhx writes to.
	ownPipes bool
	size     unix.Winsize // of the terminal
	stopped  atomic.Bool
	// stoppedBy is the signal that has stopped the command, until soon after it went on.
	stoppedBy atomic.Int32
}

// holdSignals has rhx outlive the signals that are for the command.
func (r *Runner) holdSignals() *held {
	h := &held{ownPipes: r.Connections, got: make(chan os.Signal, 16), done: make(chan struct{}), group: newWitness(), size: terminalSize()}
	notify(h.got, passed...)
	notify(h.got, stops...)
	r.TakeOver()
	runtime.LockOSThread() // see endWithRhx
	return h
}

func (*held) attr() *syscall.SysProcAttr { return endWithRhx(&syscall.SysProcAttr{}) }

func (h *held) end() {
	signal.Stop(h.got)
	close(h.done)
	if h.ended != nil {
		<-h.ended // it may be asking the witness, or have begun another
	}
	h.group.end()
	runtime.UnlockOSThread()
}

// wait passes signals on to a command until it ends, and returns its status. cmd is what
// has started it; over is called at its end.
func (h *held) wait(cmd *exec.Cmd, pid int, over func()) (int, error) {
	h.ended = make(chan struct{})
	go func() {
		defer close(h.ended)
		h.pass(pid)
	}()
	for {
		ws, err := await(pid)
		if err != nil {
			return 0, err
		}
		if ws.Stopped() {
			h.stopped.Store(true)
			h.stoppedBy.Store(int32(ws.StopSignal()))
			stopAs(ws.StopSignal())
			continue
		}
		over()
		_ = cmd.Wait() // the process is gone; what it wrote may still be on its way
		return ended(ws), nil
	}
}

// pass gives a process the signals that only rhx got. What comes from a terminal, or
// by kill for a group of processes, it has got itself.
func (h *held) pass(pid int) {
	for {
		var s os.Signal
		select {
		case s = <-h.got:
		case <-h.done:
			return
		}
		switch s {
		case syscall.SIGPIPE:
			if h.ownPipes || h.group.got(syscall.SIGPIPE) {
				continue
			}
		case syscall.SIGCONT:
			h.group.goOn()
			time.AfterFunc(notStopped, func() { h.stoppedBy.Store(0) })
			if h.stopped.Swap(false) && !isStopped(pid) {
				continue
			}
		case syscall.SIGWINCH:
			if now := terminalSize(); now != h.size {
				h.size = now
				continue
			}
		default:
			// One that has stopped the command has done its work, and stopped rhx before
			// it came to it: the witness may have gone on, and says nothing of it.
			done := func() bool { return h.stoppedBy.CompareAndSwap(int32(s.(syscall.Signal)), 0) }
			if done() || h.group.got(s.(syscall.Signal)) || done() {
				continue
			}
		}
		_ = syscall.Kill(pid, s.(syscall.Signal))
	}
}

// terminalSize is that of the terminal of this process; nothing without one.
func terminalSize() (size unix.Winsize) {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return size
	}
	defer tty.Close()
	if now, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ); err == nil {
		size = *now
	}
	return size
}

// EndAs ends this process by the signal that ended the command, if one did: a shell stops
// its script where a command was ended by Ctrl-C.
func EndAs(status int) {
	if status&BySignal == 0 {
		return
	}
	s := syscall.Signal(status&^BySignal - 128)
	switch s {
	case syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL:
		signal.Reset(s)
		_ = syscall.Kill(os.Getpid(), s)
		time.Sleep(time.Second) // it comes before that
	default:
		// Go's runtime takes the others, and does something else; another program does
		// not. It writes no core file: that of the command says more.
		var limit syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil {
			limit.Cur = 0
			_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
		}
		argv := []string{"sh", "-c", "kill -" + strconv.Itoa(int(s)) + " $$"}
		_ = syscall.Exec("/bin/sh", argv, []string{"PATH=/bin:/usr/bin"})
	}
}

// ownFolder reports whether a folder is the user's, and nobody else's to write to.
func ownFolder(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm() == 0o700
}

// plainFile has what is opened be neither a link nor a pipe that somebody has to open, too.
const plainFile = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
