package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// homeWithHost is a home folder with one secret, openai, and the host gpu.
func homeWithHost(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	s := sshtest.Start(t, sshtest.Options{})
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(s.HostBlock("gpu")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, screen := onTerminal(t, home, "save", "openai", "api_key=-")
	screen.waitFor("api_key of openai: ")
	_, _ = screen.f.WriteString("fake\n")
	screen.rest()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return home
}

// run -t --on is a terminal there: its size, what is typed, and Ctrl-C, which is
// the command's and not rhx's.
func TestRunOnAHostHasTheTerminal(t *testing.T) {
	t.Parallel()
	home := homeWithHost(t)
	cmd, s := onTerminal(t, home, "run", "-t", "--on", "gpu", "-s", "openai", "--", "sh", "-c",
		`trap 'echo interrupted' INT; trap 'stty size' WINCH; test -t 0 && echo "$TERM:$OPENAI_API_KEY"; stty size; until read a && test -n "$a"; do :; done; echo "read <$a>"; while :; do read b && exit 7; done`)
	s.waitFor("xterm:fake")
	if err := pty.Setsize(s.f, &pty.Winsize{Rows: 33, Cols: 99}); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	s.waitFor("33 99")
	_, _ = s.f.WriteString("typed\r")
	s.waitFor("read <typed>")
	_, _ = s.f.WriteString("\x03")
	s.waitFor("interrupted")
	_, _ = s.f.WriteString("bye\r")
	s.rest()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit status %d, not the command's 7:\n%s", code, &s.seen)
	}
}

// Without -t a signal goes to the command there, whose status comes back.
func TestRunOnAHostPassesSignals(t *testing.T) {
	t.Parallel()
	home := homeWithHost(t)
	cmd, s := onTerminal(t, home, "run", "--on", "gpu", "-s", "openai", "--", "sh", "-c", `trap 'echo "got TERM"; exit 5' TERM; echo ready; while :; do sleep 0.05; done`)
	s.waitFor("ready")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.waitFor("got TERM")
	s.rest()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit status %d, not the command's 5:\n%s", code, &s.seen)
	}
}

// Ctrl-C at a question ends rhx.
func TestCtrlCAtAQuestion(t *testing.T) {
	t.Parallel()
	home := homeWithHost(t)
	config := filepath.Join(home, ".ssh", "config")
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append([]byte("UserKnownHostsFile "+config+"-known\n"), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, s := onTerminal(t, home, "sync", "gpu", "-s", "openai", "--env")
	s.waitFor("go on? [y/N] ")
	_, _ = s.f.WriteString("\x03")
	s.rest()
	_ = cmd.Wait()
	if code := shellStatus(cmd.ProcessState); code != 130 {
		t.Errorf("exit status %d, not 130:\n%s", code, &s.seen)
	}
}
