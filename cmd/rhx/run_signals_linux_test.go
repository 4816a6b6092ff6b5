package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// saysSignals is a command that says the name of every signal that it gets.
const saysSignals = `
import os, select, signal, sys
for name in sys.argv[1:]:
    signal.signal(getattr(signal, "SIG" + name), lambda n, _: os.write(1, ("<%s>\\n" % signal.Signals(n).name[3:]).encode()))
os.write(1, b"<ready %d>\\n" % os.getpid())
while True:
    select.select([], [], [], 0.02)
`

// sleeps is a command that does nothing about signals.
const sleeps = `ulimit -c 0; echo "<ready $$>"; exec sleep 600`

// The signals that a process can catch, and all that end one that does not.
var (
	caught = []string{"HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "CONT", "WINCH", "PIPE", "TSTP"}
	ending = []string{"HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "PIPE", "KILL"}
)

func number(name string) syscall.Signal { return unix.SignalNum("SIG" + name) }

// A command under rhx gets the signals that it gets under env, and what they do to it
// they do to rhx: in the foreground of a terminal, in the background, without one.
func TestSignalsAsUnderEnv(t *testing.T) {
	t.Parallel()
	home := homeWithFiles(t)
	kinds := map[string][]string{
		"plain": {"run", "-s", "openai", "--"}, "files": {"run", "-b", "files", "--"}, "mask": {"run", "--mask", "-s", "openai", "--"},
		"confine": {"-q", "run", "--confine", "-s", "openai", "--"}, "confine and mask": {"-q", "run", "--confine", "--mask", "-s", "openai", "--"},
	}
	for _, how := range []string{foreground, background, noTerminal} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			wantSays, wantEnds := heard(newJob(t, how, home), how, "env"), endings(newJob(t, how, home), how, "env")
			for kind, args := range kinds {
				program := rhxProgram(t)
				if slices.Contains(args, "--confine") {
					program = plainProgram(t) // a dozen processes are started for each command
				}
				if kind == "confine and mask" && how != foreground {
					continue // these processes are started as in the foreground
				}
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					args := append([]string{program}, args...)
					same(t, heard(newJob(t, how, home), how, args...), wantSays)
					same(t, endings(newJob(t, how, home), how, args...), wantEnds)
				})
			}
		})
	}
}

// On a host, what SSH passes on reaches the command there as it would here, and the end
// that it makes is rhx's status. With all else rhx does as ssh does. With -t keys are the
// command's, as with ssh -t.
func TestSignalsToACommandOnAHost(t *testing.T) {
	t.Parallel()
	home := homeWithFiles(t)
	server := sshtest.Start(t, sshtest.Options{})
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(server.HostBlock("gpu")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{foreground, background, noTerminal} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			onHost{how: how, rhx: []string{rhxProgram(t), "run", "--on", "gpu", "-s", "openai", "--"}, ssh: []string{"ssh", "gpu"}}.test(newJob(t, how, home))
		})
		if how == background {
			continue // with -t, rhx and ssh are both stopped there: the terminal is not theirs to change
		}
		t.Run(how+" -t", func(t *testing.T) {
			t.Parallel()
			onHost{how: how, tty: true, rhx: []string{rhxProgram(t), "run", "-t", "--on", "gpu", "-s", "openai", "--"}, ssh: []string{"ssh", "-tt", "gpu"}}.test(newJob(t, how, home))
		})
	}
}

// onHost is a way to run a command on a host, and ssh's beside it.
type onHost struct {
	how      string
	tty      bool
	rhx, ssh []string
}

func (o onHost) test(j *job) {
	t := j.t
	t.Helper()
	passed := []string{"HUP", "INT", "QUIT", "TERM", "USR1", "USR2"}
	says := func(what, want string) {
		t.Helper()
		if said := j.next(); said != want {
			t.Errorf("%s: the command got %s, not %s", what, said, want)
		}
	}
	j.start(append(append(o.rhx, "python3", "-c", saysSignals), caught...)...)
	switch {
	case o.how == foreground && o.tty:
		for key, name := range map[string]string{"\x03": "INT", "\x1a": "TSTP", "\x1c": "QUIT"} {
			j.typed(key)
			says(fmt.Sprintf("typed %q", key), name)
		}
	case o.how == foreground:
		j.typed("\x1a")
		if event := j.event(); event != "stopped by SIGTSTP" {
			t.Error(event)
		}
		j.goOn()
	}
	for _, name := range append([]string{"CONT", "WINCH", "PIPE"}, passed...) {
		if name == "INT" && o.how == foreground && !o.tty {
			j.typed("\x03")
		} else {
			j.kill(j.pid, number(name))
		}
		if slices.Contains(passed, name) {
			says(name, name)
		}
	}
	// What is to end a process does so the second time: a host may not pass it on.
	j.kill(j.pid, syscall.SIGINT)
	if event := j.event(); event != "ended by SIGINT" {
		t.Error(event)
	}
	j.kill(j.command, syscall.SIGKILL)
	for _, name := range passed {
		j.start(append(o.rhx, "sh", "-c", sleeps)...)
		j.kill(j.pid, number(name))
		if event, want := j.event(), fmt.Sprintf("status %d", 128+number(name)); event != want {
			t.Errorf("%s: %s, not %s", name, event, want)
		}
		if !j.isGone() {
			t.Errorf("the command goes on after %s", name)
		}
	}
	for _, name := range []string{"ALRM", "PIPE", "KILL"} {
		var events []string
		for _, args := range [][]string{append(o.rhx, "sh", "-c", sleeps), append(o.ssh, sleeps)} {
			j.start(args...)
			j.kill(j.pid, number(name))
			if name == "PIPE" {
				j.kill(j.pid, syscall.SIGKILL)
			}
			event := j.event()
			if o.tty && !j.isGone() {
				event += ", and the command goes on"
			}
			events = append(events, event)
			if !o.tty {
				j.kill(j.command, syscall.SIGKILL)
			}
		}
		if events[0] != events[1] {
			t.Errorf("%s: %s; ssh: %s", name, events[0], events[1])
		}
	}
}

// same compares what was seen of two commands.
func same(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("differs from:\n%s\nit is:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
			return
		}
	}
}

// heard is what a command that catches every signal says of them, run by a prefix.
func heard(j *job, how string, prefix ...string) (seen []string) {
	j.t.Helper()
	j.start(append(append(prefix, "python3", "-c", saysSignals), caught...)...)
	next := func(what string) { seen = append(seen, what+": "+j.next()) }
	if how == foreground {
		for _, key := range []string{"\x03", "\x1a", "\x1c"} {
			j.typed(key)
			next(fmt.Sprintf("typed %q", key))
			// What tells rhx of a signal to its group can be one that the last has ended.
			j.kill(j.pid, syscall.SIGUSR1)
			next("USR1 to it")
		}
	}
	for _, name := range caught {
		j.kill(j.pid, number(name))
		next(name + " to it")
		switch {
		case name == "CONT" || name == "WINCH":
			continue // rhx cannot tell; what comes of them twice is the same
		case name == "TSTP" && how == noTerminal:
			continue // the kernel discards it for those of the group who do not catch it
		}
		j.kill(-j.pid, number(name))
		next(name + " to its group")
	}
	j.kill(j.pid, syscall.SIGUSR1)
	next("USR1 to it") // and not the last one again
	j.kill(j.pid, syscall.SIGKILL)
	seen = append(seen, "KILL to it: "+j.event())
	if !j.isGone() {
		j.t.Errorf("%q: the command goes on after KILL", prefix)
	}
	return seen
}

// endings are what becomes of a command that does nothing about signals, run by a prefix.
func endings(j *job, how string, prefix ...string) (seen []string) {
	j.t.Helper()
	event := func(what string) { seen = append(seen, what+": "+j.event()) }
	start := func() { j.t.Helper(); j.start(append(prefix, "sh", "-c", sleeps)...) }
	for _, name := range ending {
		start()
		if name == "HUP" {
			for _, name := range []string{"CONT", "WINCH", "TSTP"} {
				j.kill(j.pid, number(name))
			}
			if how != noTerminal {
				event("TSTP")
				j.goOn()
			}
		}
		j.kill(j.pid, number(name))
		event(name)
		if !j.isGone() {
			j.t.Errorf("%q: the command goes on after %s", prefix, name)
		}
	}
	if how == foreground {
		start()
		j.typed("\x1a")
		event("^Z")
		j.kill(j.pid, syscall.SIGKILL)
		j.goOn()
		event("KILL while it is stopped")
		start()
		j.typed("\x03")
		event("^C")
		start()
		j.typed("\x1c")
		event("^\\")
	}
	j.start(append(prefix, "sh", "-c", `echo "<ready $$>"; exit 130`)...)
	event("its own status")
	return seen
}

// What rhx is to ignore, as nohup and a shell's & say, its command ignores as well.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	t.Parallel()
	home := homeWithFiles(t)
	for _, args := range [][]string{{"run", "-s", "openai", "--"}, {"run", "-b", "files", "--"}, {"run", "--mask", "-s", "openai", "--"}, {"-q", "run", "--confine", "-s", "openai", "--"}} {
		cmd := exec.Command("sh", append([]string{"-c", `trap '' HUP INT; exec "$@"`, "sh", rhxProgram(t)}, append(args, "sh", "-c", "kill -HUP $$; kill -INT $$; echo still here")...)...)
		cmd.Dir, cmd.Env = home, environ(home)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "still here\n" {
			t.Errorf("%v: %v, %q", args, err, out)
		}
	}
}

// homeWithFiles is a home folder with the secret openai and a project with the bundle
// files, which has one.
func homeWithFiles(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "rhx.yaml"), []byte("version: 1\nsecrets: {huggingface: }\nbundles: {files: {files: huggingface}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rhx := func(input string, args ...string) {
		t.Helper()
		cmd := exec.Command(rhxProgram(t), args...)
		cmd.Dir, cmd.Env, cmd.Stdin = home, environ(home), strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	rhx(`{"api_key": "fake-one"}`, "save", "openai", "--values", "-")
	rhx(`{"token": "hf_`+strings.Repeat("n", 34)+`"}`, "save", "huggingface", "--values", "-")
	rhx("", "trust")
	return home
}
