package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// jobArg names this test program where it is a shell for one job at a time: see
// jobShell.
const jobArg = "rhx-job"

func init() { programs[jobArg] = jobShell }

// How a command is run by a shell.
const (
	foreground = "foreground"
	background = "background"
	noTerminal = "no terminal"
)

// jobShell is what a shell is for its jobs: the parent, and where there is a terminal
// the leader of its session. It reads what to do from descriptor 4, a line of JSON each:
// the arguments of a command to start, or none to have a stopped one go on. It tells
// what becomes of the command in lines on descriptor 3.
func jobShell() {
	for _, fd := range []int{3, 4} {
		syscall.CloseOnExec(fd)
	}
	events, orders := os.NewFile(3, "events"), json.NewDecoder(os.NewFile(4, "orders"))
	signal.Ignore(syscall.SIGTTOU)
	modes, _ := unix.IoctlGetTermios(0, unix.TCGETS)
	for {
		var argv []string
		if orders.Decode(&argv) != nil {
			return
		}
		// A command does not inherit what a shell ignores for itself.
		cmd := exec.Command("env", append([]string{"--default-signal=TTOU"}, argv...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: os.Args[1] == foreground}
		if os.Args[1] == noTerminal {
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		}
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(events, err)
			return
		}
		pid := cmd.Process.Pid
		fmt.Fprintln(events, pid)
		for {
			var ws syscall.WaitStatus
			_, err := syscall.Wait4(pid, &ws, syscall.WUNTRACED, nil)
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if os.Args[1] == foreground {
				_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, os.Getpid())
				_ = unix.IoctlSetTermios(0, unix.TCSETS, modes) // as bash does: KILL leaves what was
			}
			switch {
			case ws.Stopped():
				fmt.Fprintln(events, "stopped by", unix.SignalName(ws.StopSignal()))
				if orders.Decode(&argv) != nil {
					return
				}
				if os.Args[1] == foreground {
					_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pid)
				}
				_ = syscall.Kill(-pid, syscall.SIGCONT)
				fmt.Fprintln(events, "goes on")
				continue
			case ws.Signaled():
				fmt.Fprintln(events, "ended by", unix.SignalName(ws.Signal()))
			default:
				fmt.Fprintln(events, "status", ws.ExitStatus())
			}
			break
		}
	}
}

// job is a command that a shell runs.
type job struct {
	t      *testing.T
	events *bufio.Reader
	orders *json.Encoder
	keys   io.Writer // what is typed at the terminal
	out    *bufio.Reader
	said   strings.Builder
	// pid is rhx's, or env's; command is that of the command under it.
	pid, command int
}

// newJob starts a shell whose commands run in one of the three ways.
func newJob(t *testing.T, how, home string) *job {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), jobArg)
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, r, w)
		return r, w
	}
	events, tells := pipe()
	reads, orders := pipe()
	cmd := exec.Command(program, how)
	cmd.Dir, cmd.Env = home, environ(home, "TERM=xterm")
	cmd.ExtraFiles = []*os.File{tells, reads}
	j := &job{t: t, events: bufio.NewReader(events), orders: json.NewEncoder(orders)}
	if how == noTerminal {
		in, keys := pipe()
		out, w := pipe()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, w, w
		j.keys, j.out = keys, bufio.NewReader(out)
		err = cmd.Start()
		_ = w.Close()
	} else {
		var terminal *os.File
		terminal, err = pty.Start(cmd)
		files = append(files, terminal)
		j.keys, j.out = terminal, bufio.NewReader(terminal)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = tells.Close()
	// Where something waits forever, so would the test. On a busy machine all that one job
	// does takes minutes.
	late := time.AfterFunc(10*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		j.end()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for _, f := range files {
			_ = f.Close()
		}
	})
	return j
}

// end ends what is left of the command.
func (j *job) end() {
	if j.pid > 0 {
		_ = syscall.Kill(j.pid, syscall.SIGKILL)
	}
	if j.command > 0 {
		_ = syscall.Kill(j.command, syscall.SIGKILL)
	}
}

// start starts a command, which says "<ready PID>".
func (j *job) start(argv ...string) {
	j.t.Helper()
	j.pid, j.command = 0, 0
	if err := j.orders.Encode(argv); err != nil {
		j.t.Fatal(err)
	}
	event := j.event()
	if _, err := fmt.Sscan(event, &j.pid); err != nil {
		j.t.Fatalf("%q: not started: %s", argv, event)
	}
	var pid int
	if _, err := fmt.Sscanf(j.next(), "ready %d", &pid); err != nil {
		j.t.Fatalf("%q: %v", argv, err)
	}
	if slices.Contains(argv, "--confine") {
		// What it says is its number in a namespace: out here that is another process,
		// which must not be sent anything.
		pid = j.outer(pid)
	}
	j.command = pid
}

// outer is the number that a process below rhx has here, by the one that it has in a
// namespace of processes; 0 where it is not there any more.
func (j *job) outer(inner int) int {
	j.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		j.t.Fatal(err)
	}
	found := 0
	for _, name := range all {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var pid, parent int
		var numbers []string
		for line := range strings.Lines(string(data)) {
			switch key, v, _ := strings.Cut(line, ":"); key {
			case "Pid":
				pid, _ = strconv.Atoi(strings.TrimSpace(v))
			case "PPid":
				parent, _ = strconv.Atoi(strings.TrimSpace(v))
			case "NSpid":
				numbers = strings.Fields(v)
			}
		}
		// The parent is rhx, or on a terminal of its own rhx's child.
		if len(numbers) > 1 && numbers[len(numbers)-1] == strconv.Itoa(inner) && (parent == j.pid || j.isChild(parent)) {
			found = pid
		}
	}
	if found == 0 {
		return 0 // it has ended: nothing is to be sent to it
	}
	return found
}

// isChild reports whether a process is a child of rhx.
func (j *job) isChild(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(data), fmt.Sprintf("\nPPid:\t%d\n", j.pid))
}

// goOn has a stopped command go on, in the foreground where it was there.
func (j *job) goOn() {
	j.t.Helper()
	if err := j.orders.Encode([]string{}); err != nil {
		j.t.Fatal(err)
	}
	if event := j.event(); event != "goes on" {
		j.t.Fatal(event)
	}
}

// event is what becomes of the command.
func (j *job) event() string {
	j.t.Helper()
	line, err := j.events.ReadString('\n')
	if err != nil {
		j.t.Fatalf("nothing becomes of the command: %v; shown was %q", err, j.said.String())
	}
	return strings.TrimSuffix(line, "\n")
}

// next is what the command says next, in angle brackets.
func (j *job) next() string {
	j.t.Helper()
	for _, end := range []byte("<>") {
		text, err := j.out.ReadString(end)
		j.said.WriteString(text)
		if err != nil {
			j.t.Fatalf("the command says nothing more: %v; shown was %q", err, j.said.String())
		}
		if end == '>' {
			return strings.TrimSuffix(text, ">")
		}
	}
	return ""
}

func (j *job) kill(pid int, s syscall.Signal) {
	j.t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		j.t.Fatal(err)
	}
}

func (j *job) typed(key string) {
	j.t.Helper()
	if _, err := io.WriteString(j.keys, key); err != nil {
		j.t.Fatal(err)
	}
}

// isGone waits for the end of the command itself, whoever its parent is.
func (j *job) isGone() bool {
	j.t.Helper()
	if j.command == 0 {
		j.t.Fatal("it had ended before it was to be looked at")
	}
	fd, err := unix.PidfdOpen(j.command, 0)
	if errors.Is(err, syscall.ESRCH) {
		return true
	}
	if err != nil {
		j.t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 60_000)
		if !errors.Is(err, syscall.EINTR) {
			return n == 1
		}
	}
}
