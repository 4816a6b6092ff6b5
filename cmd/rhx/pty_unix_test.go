//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// onTerminal starts rhx on a terminal of its own and returns what it shows.
func onTerminal(t *testing.T, home string, args ...string) (*exec.Cmd, *screen) {
	t.Helper()
	return onTerminalWith(t, home, nil, args...)
}

// onTerminalWith is onTerminal with more variables.
func onTerminalWith(t *testing.T, home string, env []string, args ...string) (*exec.Cmd, *screen) {
	t.Helper()
	cmd := exec.Command(rhxProgram(t), args...)
	cmd.Env = append(environ(home, "TERM=xterm"), env...)
	f, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(); _ = cmd.Process.Kill() })
	return cmd, &screen{t: t, f: f}
}

type screen struct {
	t    *testing.T
	f    *os.File
	seen bytes.Buffer
}

// waitFor reads until the text was shown.
func (s *screen) waitFor(text string) {
	s.t.Helper()
	buf := make([]byte, 1024)
	for !strings.Contains(s.seen.String(), text) {
		n, err := s.f.Read(buf)
		s.seen.Write(buf[:n])
		if err != nil {
			s.t.Fatalf("%q was not shown; shown was:\n%s", text, &s.seen)
		}
	}
}

func (s *screen) rest() string {
	_, _ = io.Copy(&s.seen, s.f)
	return s.seen.String()
}

func TestATypedValueIsNotShown(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	cmd, s := onTerminal(t, home, "save", "openai", "api_key=-")
	s.waitFor("api_key of openai: ")
	if _, err := s.f.WriteString("typed-and-hidden\n"); err != nil {
		t.Fatal(err)
	}
	if out := s.rest(); strings.Contains(out, "typed-and-hidden") || !strings.Contains(out, "openai: saved") {
		t.Errorf("shown:\n%s", out)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestCtrlCAtAHiddenPromptRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	cmd, s := onTerminal(t, home, "save", "openai", "api_key=-")
	s.waitFor("api_key of openai: ")
	if _, err := s.f.WriteString("half\x03"); err != nil {
		t.Fatal(err)
	}
	s.rest()
	_ = cmd.Wait()
	if code := shellStatus(cmd.ProcessState); code != 130 {
		t.Errorf("exit status %d, not 130", code)
	}
	if entries, _ := os.ReadDir(filepath.Join(home, ".local")); len(entries) > 0 {
		t.Errorf("something was saved: %v", entries)
	}
}

func TestColourOnATerminalOnly(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for _, c := range []struct {
		args []string
		want bool
	}{
		{[]string{"providers"}, true},
		{[]string{"providers", "--color", "never"}, false},
	} {
		cmd, s := onTerminal(t, home, c.args...)
		if got := strings.Contains(s.rest(), "\x1b["); got != c.want {
			t.Errorf("%v: colour %v, not %v", c.args, got, c.want)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// typeOpenAI saves a key of openai that is typed at the prompt.
func typeOpenAI(t *testing.T, home string) {
	t.Helper()
	cmd, s := onTerminal(t, home, "save", "openai", "api_key=-")
	s.waitFor("api_key of openai: ")
	_, _ = s.f.WriteString("x\n")
	s.rest()
	_ = cmd.Wait()
}

// In a narrow terminal each event of the log has two lines, and not cells of several.
func TestLogInANarrowTerminal(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	typeOpenAI(t, home)
	cmd := exec.Command(rhxProgram(t), "run", "-s", "openai", "--", "true")
	cmd.Env = environ(home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for columns, want := range map[uint16]string{
		60:  `^[0-9-]+ [0-9:]+ \S+: run openai\r\n  local: true given from \S+\r\n$`,
		140: `^TIME +USER +COMMAND +SECRET +MACHINE +PLACE +ACTION +KEYS +FROM *\r\n[0-9-]+ [0-9:]+ +\S+ +run +openai +local +true +given +\S+ *\r\n$`,
	} {
		cmd := exec.Command(rhxProgram(t), "log", "--color", "never", "--last", "1")
		cmd.Env = environ(home, "TERM=xterm")
		f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: columns})
		if err != nil {
			t.Fatal(err)
		}
		s := &screen{t: t, f: f}
		if out := s.rest(); !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%d columns: %q", columns, out)
		}
		_, _ = cmd.Wait(), f.Close()
	}
}

func TestRunHandsTheTerminalToTheCommand(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	typeOpenAI(t, home)
	cmd, s := onTerminal(t, home, "run", "-s", "openai", "--", "sh", "-c", "test -t 0 && test -t 1 && echo ready $$; exec sleep 60")
	s.waitFor("ready")
	s.waitFor("\n")
	if want := fmt.Sprintf("ready %d", cmd.Process.Pid); !strings.Contains(s.seen.String(), want) {
		t.Errorf("shown: %s, not %s: the command is not in rhx's place", &s.seen, want)
	}
	// Ctrl-C reaches the command as the signal itself.
	_, _ = s.f.WriteString("\x03")
	s.rest()
	_ = cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGINT {
		t.Errorf("ended by %v, not by SIGINT", cmd.ProcessState)
	}
}

// shellStatus is the end of a process as a shell has it: 128 and the signal's number
// where one ended it.
func shellStatus(p *os.ProcessState) int {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}
