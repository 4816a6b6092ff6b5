package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

const fakeValue = "fake-and-only-a-test-0123456789"

// homeWithValue is a home folder with one secret, openai.
func homeWithValue(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	cmd, s := onTerminal(t, home, "save", "openai", "api_key=-")
	s.waitFor("api_key of openai: ")
	_, _ = s.f.WriteString(fakeValue + "\n")
	s.rest()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return home
}

// masked starts a command under rhx run --mask on a terminal.
func masked(t *testing.T, home string, command ...string) (*exec.Cmd, *screen) {
	t.Helper()
	return onTerminalWith(t, home, []string{"LESS=-R", "LESSHISTFILE=-"}, append([]string{"run", "--mask", "-s", "openai", "--"}, command...)...)
}

// In the background a shell's terminal is not rhx's to read or to change: the command
// runs all the same, and what is typed is the shell's. Brought to the foreground, the
// command reads it.
func TestMaskInTheBackground(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	sh := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	s := onPTY(t, home, sh)
	s.waitFor("> ")
	s.typed("stty -g; rhx run --mask -s openai -- sh -c 'echo \"<$OPENAI_API_KEY>\"; stty -icanon; echo \"key:$(dd bs=1 count=1 2>/dev/null)\"; stty icanon; read a; echo \"read:$a\"; exit 7' &\r")
	s.waitFor("<********>")
	s.typed("stty -g; echo typed-\"\"here\r")
	s.waitFor("typed-here")
	s.typed("fg; echo status-$?\r")
	s.typed("k") // one key, without the end of a line
	s.waitFor("key:k")
	s.typed("more\r")
	s.waitFor("read:more")
	s.waitFor("status-7")
	s.typed("exit 0\r")
	out := s.ends(sh, 0)
	var modes []string
	for line := range strings.SplitSeq(out, "\r\n") {
		if strings.Count(line, ":") > 10 {
			modes = append(modes, line)
		}
	}
	if len(modes) != 2 || modes[0] != modes[1] {
		t.Errorf("modes of the terminal: %q\n%s", modes, out)
	}
	if strings.Contains(out, "Stopped") {
		t.Errorf("rhx was stopped:\n%s", out)
	}
}

// ends waits for the end, and checks the exit status and that no value was shown.
func (s *screen) ends(cmd *exec.Cmd, status int) string {
	s.t.Helper()
	out := s.rest()
	_ = cmd.Wait()
	if got := shellStatus(cmd.ProcessState); got != status {
		s.t.Errorf("exit status %d, not %d:\n%s", got, status, out)
	}
	if strings.Contains(out, fakeValue) {
		s.t.Errorf("the value was shown:\n%s", out)
	}
	return out
}

// The command has a terminal: colours, its size, what is typed. Its status is rhx's.
func TestMaskOnATerminal(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	cmd, s := masked(t, home, "sh", "-c",
		`trap 'stty size' WINCH; test -t 0 && test -t 1 && test -t 2 && tput setaf 1; echo "<$OPENAI_API_KEY>"; tput sgr0; echo "$OPENAI_API_KEY" | base64 -w0; echo "|"; printf 'your name: '; until read a && test -n "$a"; do :; done; echo "hello $a"; while :; do read b && exit 7; done`)
	// A prompt without a line end is there at once; what is typed is echoed.
	s.waitFor("your name: ")
	if err := pty.Setsize(s.f, &pty.Winsize{Rows: 33, Cols: 99}); err != nil {
		t.Fatal(err)
	}
	s.waitFor("33 99")
	s.typed("jane\r")
	s.waitFor("hello jane")
	s.typed("\r")
	out := s.ends(cmd, 7)
	for _, want := range []string{"\x1b[31m<********>\r\n\x1b", "********|\r\n", "your name: "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q was not shown: %q", want, out)
		}
	}
}

// Keys are the command's: its terminal makes signals and the end of input of them.
func TestMaskPassesKeysOn(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	for key, status := range map[string]int{"\x03": 130, "\x1c": 131} {
		cmd, s := masked(t, home, "sh", "-c", "ulimit -c 0; echo ready; exec sleep 60")
		s.waitFor("ready")
		s.typed(key)
		s.ends(cmd, status)
	}
	cmd, s := masked(t, home, "sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done")
	s.waitFor("ready")
	s.typed("\x03")
	s.waitFor("caught")
	s.ends(cmd, 4)
	cmd, s = masked(t, home, "cat")
	s.typed("a line\r")
	s.waitFor("a line\r\na line")
	s.typed("\x04")
	s.ends(cmd, 0)
	// And so are signals.
	cmd, s = masked(t, home, "sh", "-c", "trap 'echo got TERM; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
	s.waitFor("ready")
	_ = cmd.Process.Signal(syscall.SIGTERM)
	s.waitFor("got TERM")
	s.ends(cmd, 5)
}

// Whatever ends the command, the terminal is as it was.
func TestMaskRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	for _, command := range []string{"exit 0", "kill -9 $$", "kill -9 0", "stty raw -echo; exit 3"} {
		sh := exec.Command("sh", "-c", `stty -g; rhx run --mask -s openai -- sh -c "$1"; echo "status $?"; stty -g; rhx run --mask -s openai -- no-such-command; echo "status $?"; stty -g`, "sh", command)
		s := onPTY(t, home, sh)
		out := s.rest()
		_ = sh.Wait()
		var modes []string
		for line := range strings.SplitSeq(out, "\r\n") {
			if strings.Count(line, ":") > 10 {
				modes = append(modes, line)
			}
		}
		if len(modes) != 3 || modes[0] != modes[1] || modes[0] != modes[2] {
			t.Errorf("%s: modes of the terminal: %q\n%s", command, modes, out)
		}
		if !strings.Contains(out, "status 127") {
			t.Errorf("no-such-command:\n%s", out)
		}
	}
}

// onPTY starts a program that calls rhx on a terminal.
func onPTY(t *testing.T, home string, cmd *exec.Cmd) *screen {
	t.Helper()
	cmd.Env = environ(home, "TERM=xterm", "PS1=> ")
	f, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(); _ = cmd.Process.Kill() })
	return &screen{t: t, f: f}
}

// Ctrl-Z stops the command and rhx, gives the terminal back to the shell, and fg
// goes on with both. A program that stops itself does the same.
func TestMaskIsAJob(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	sh := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	s := onPTY(t, home, sh)
	s.waitFor("> ")
	s.typed("rhx run --mask -s openai -- sh -c 'echo re\"\"ady; read a; echo \"typed $a $OPENAI_API_KEY\"'\r")
	s.waitFor("ready")
	s.typed("\x1a")
	s.waitFor("Stopped")
	s.typed("stty -a | grep -o ' icanon'; echo in-\"\"shell\r")
	s.waitFor("in-shell")
	s.typed("fg\r")
	s.typed("more\r")
	// What is typed before rhx has ended is the command's.
	s.waitFor("typed more ********\r\n> ")
	s.typed("rhx run --mask -s openai -- sh -c 'kill -STOP $$; echo went\"\"-on'; echo status-$?\r")
	s.waitFor("status-148") // 128 and SIGTSTP
	s.typed("fg\r")
	s.waitFor("went-on\r\n> ")
	s.typed("exit 0\r")
	out := s.rest()
	if err := sh.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out, " icanon") || strings.Contains(out, fakeValue) {
		t.Errorf("shown:\n%s", out)
	}
}

// Programs that draw the whole screen do so.
func TestMaskWithFullScreenPrograms(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	file := filepath.Join(t.TempDir(), "text")
	lines := "first line\n"
	for i := range 200 {
		lines += fmt.Sprintf("line %d\n", i)
	}
	if err := os.WriteFile(file, []byte(lines+"key "+fakeValue+" end\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, s := masked(t, home, "less", file)
	s.waitFor("first line")
	s.typed("G")
	s.waitFor("key ******** end")
	s.typed("q")
	if out := s.ends(cmd, 0); !strings.Contains(out, "\x1b[?1049h") || !strings.Contains(out, "\x1b[?1049l") {
		t.Errorf("less has not drawn the whole screen: %q", out)
	}
	cmd, s = masked(t, home, "busybox", "vi", file)
	s.waitFor("first line")
	s.typed("Gohello from vi\x1b")
	s.waitFor("hello from vi")
	s.typed(":wq\r")
	s.ends(cmd, 0)
	if data, _ := os.ReadFile(file); !strings.HasSuffix(string(data), "key "+fakeValue+" end\nhello from vi\n") {
		t.Errorf("vi wrote %.200q", data)
	}
}

// What is no terminal stays none, and apart: input, errors.
func TestMaskOnHalfATerminal(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	log := filepath.Join(t.TempDir(), "log")
	sh := exec.Command("sh", "-c", `echo input | rhx run --mask -s openai -- sh -c 'test -t 1 && cat; echo "$OPENAI_API_KEY"; echo "err $OPENAI_API_KEY" >&2; test -t 2 || exit 3' 2>"$1"; echo "status $?"`, "sh", log)
	s := onPTY(t, home, sh)
	out := s.rest()
	_ = sh.Wait()
	if !strings.Contains(out, "input") || !strings.Contains(out, "********") || !strings.Contains(out, "status 3") || strings.Contains(out, fakeValue) {
		t.Errorf("shown:\n%s", out)
	}
	if data, _ := os.ReadFile(log); string(data) != "err ********\n" {
		t.Errorf("errors: %q", data)
	}
}

// A command on a host is masked, too, with a terminal there and without.
func TestMaskOnAHost(t *testing.T) {
	t.Parallel()
	home := homeWithValue(t)
	server := sshtest.Start(t, sshtest.Options{})
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(server.HostBlock("gpu")+server.HostBlock("gpu2")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, on := range [][]string{{"--on", "gpu"}, {"--on", "gpu", "-t"}, {"--on", "gpu,gpu2"}} {
		args := append(append([]string{"run", "--mask", "-s", "openai"}, on...), "--", "sh", "-c", `echo "out $OPENAI_API_KEY"; echo "err $OPENAI_API_KEY" >&2`)
		cmd, s := onTerminal(t, home, args...)
		out := s.ends(cmd, 0)
		for _, want := range []string{"out ********", "err ********"} {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q was not shown:\n%s", on, want, out)
			}
		}
	}
}
