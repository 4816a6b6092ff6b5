package machine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

func runs(t *testing.T, m machine.Machine, spec machine.RunSpec) (status int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	spec.Stdout, spec.Stderr = &out, &errOut
	status, err := m.(machine.Runner).Run(t.Context(), spec)
	if err != nil {
		t.Fatalf("run %q: %v", spec.Argv, err)
	}
	return status, out.String(), errOut.String()
}

func sh(script string, args ...string) []string {
	return append([]string{"sh", "-c", script, "sh"}, args...)
}

func testRun(t *testing.T, m machine.Machine) {
	odd := "it's \"$HOME\" `id` \\ \n\n é \x81\xff !! \n"
	tests := []struct {
		rule   string
		spec   machine.RunSpec
		status int
		out    string
	}{
		{"status 0", machine.RunSpec{Argv: []string{"true"}}, 0, ""},
		{"status", machine.RunSpec{Argv: sh("exit 7")}, 7, ""},
		{"128 and the signal", machine.RunSpec{Argv: sh("kill -9 $$")}, 137, ""},
		{"not found", machine.RunSpec{Argv: []string{"no-such-command"}}, 127, ""},
		{"not executable", machine.RunSpec{Argv: []string{"/etc/passwd"}}, 126, ""},
		{"arguments as they are", machine.RunSpec{Argv: []string{"printf", "[%s]", odd, "", "-n", "*"}}, 0, "[" + odd + "][][-n][*]"},
		{"environment as it is", machine.RunSpec{Argv: sh(`printf "[%s]" "$V" "$W"`), Env: []machine.Var{{Name: "V", Value: odd}, {Name: "W"}}}, 0, "[" + odd + "][]"},
		{"later variables win", machine.RunSpec{Argv: sh(`printf %s "$V"`), Env: []machine.Var{{Name: "V", Value: "1"}, {Name: "V", Value: "2"}}}, 0, "2"},
		{"standard input", machine.RunSpec{Argv: []string{"cat"}, Stdin: strings.NewReader(odd)}, 0, odd},
		{"large standard input", machine.RunSpec{Argv: []string{"cat"}, Stdin: strings.NewReader(strings.Repeat("0123456789", 200_000))}, 0, strings.Repeat("0123456789", 200_000)},
		{"no standard input", machine.RunSpec{Argv: []string{"cat"}}, 0, ""},
		{"standard input not read", machine.RunSpec{Argv: []string{"true"}, Stdin: strings.NewReader(strings.Repeat("x", 5_000_000))}, 0, ""},
		{"large environment", machine.RunSpec{Argv: sh(`printf %s "${#V}"`), Env: []machine.Var{{Name: "V", Value: strings.Repeat("x", 100_000)}}}, 0, "100000"},
		{"a terminal is asked for", machine.RunSpec{Argv: sh("tty >/dev/null && stty size && echo $TERM $V"), TTY: true, Term: "vt100", Size: machine.Size{Columns: 91, Rows: 33}, Env: []machine.Var{{Name: "V", Value: "value"}}}, 0, "33 91\r\nvt100 value\r\n"},
		{"no terminal otherwise", machine.RunSpec{Argv: sh("tty")}, 1, "not a tty\n"},
		{"a terminal echoes the command's input only", machine.RunSpec{Argv: sh("read x; echo got $x"), TTY: true, Stdin: strings.NewReader("typed\n"), Env: []machine.Var{{Name: "V", Value: "value"}}}, 0, "typed\r\ngot typed\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			status, out, _ := runs(t, m, tt.spec)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if out != tt.out {
				t.Errorf("output %.300q, want %.300q", out, tt.out)
			}
		})
	}
	if _, out, errOut := runs(t, m, machine.RunSpec{Argv: sh("echo out; echo err >&2")}); out != "out\n" || errOut != "err\n" {
		t.Errorf("out %q, err %q", out, errOut)
	}
	for _, spec := range []machine.RunSpec{
		{}, {Argv: []string{""}}, {Argv: []string{"-x"}}, {Argv: []string{"a\x00"}}, {Argv: []string{"a"}, Env: []machine.Var{{Name: "A B"}}}, {Argv: []string{"a"}, Env: []machine.Var{{Name: "A", Value: "value\x00"}}},
	} {
		if _, err := m.(machine.Runner).Run(t.Context(), spec); err == nil || strings.Contains(err.Error(), "value\x00") {
			t.Errorf("%+v: %v", spec, err)
		}
	}
}

func TestSSHRun(t *testing.T) { testRun(t, over(t, sshtest.Start(t, sshtest.Options{}))) }

func TestSSHRunOnDropbear(t *testing.T) {
	testRun(t, over(t, sshtest.Start(t, sshtest.Options{Dropbear: true})))
}

// A signal reaches the command, which can answer it.
func TestSSHRunSignals(t *testing.T) {
	m := over(t, sshtest.Start(t, sshtest.Options{}))
	signals := make(chan string)
	r, w := io.Pipe()
	go func() {
		buf := make([]byte, 6)
		io.ReadFull(r, buf) // "ready\n"
		signals <- "TERM"
		io.Copy(io.Discard, r)
	}()
	status, err := m.(machine.Runner).Run(t.Context(), machine.RunSpec{
		Argv: sh("trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done"), Stdout: w, Signals: signals,
	})
	if status != 42 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
}

// The terminal's new size reaches the command.
func TestSSHRunResize(t *testing.T) {
	m := over(t, sshtest.Start(t, sshtest.Options{}))
	sizes := make(chan machine.Size, 1)
	r, w := io.Pipe()
	said := make(chan string, 1)
	go func() {
		buf := make([]byte, 7)
		io.ReadFull(r, buf) // "ready\r\n"
		sizes <- machine.Size{Columns: 44, Rows: 22}
		rest, _ := io.ReadAll(r)
		said <- string(rest)
	}()
	status, err := m.(machine.Runner).Run(t.Context(), machine.RunSpec{
		Argv: sh("echo ready; until [ \"$(stty size)\" = '22 44' ]; do sleep 0.02; done; echo resized"), TTY: true, Stdout: w, Resize: sizes,
	})
	w.Close()
	if got := <-said; status != 0 || err != nil || got != "resized\r\n" {
		t.Errorf("%d, %v, %q", status, err, got)
	}
}

// Cancelling ends Run at once and the command soon after; so does a connection that is cut.
func TestSSHRunEnds(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	m := over(t, s)
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		io.ReadFull(r, make([]byte, 1))
		cancel()
		io.Copy(io.Discard, r)
	}()
	file := s.Home + "/ended"
	if _, err := m.(machine.Runner).Run(ctx, machine.RunSpec{Argv: sh("exec 2>/dev/null; trap 'echo >" + file + "; exit' TERM; echo; while :; do sleep 0.05; done"), Stdout: w}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the command did not end")
		}
	}
	r2, w2 := io.Pipe()
	go func() {
		io.ReadFull(r2, make([]byte, 1))
		s.CutAll()
		io.Copy(io.Discard, r2)
	}()
	if _, err := m.(machine.Runner).Run(t.Context(), machine.RunSpec{Argv: sh("echo; sleep 1000"), Stdout: w2}); err == nil || !strings.Contains(err.Error(), "connection was lost") {
		t.Error(err)
	}
	// A reader that is gone ends the command, as a closed pipe does.
	r3, w3 := io.Pipe()
	r3.Close()
	if _, err := m.(machine.Runner).Run(t.Context(), machine.RunSpec{Argv: []string{"yes"}, Stdout: w3}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
