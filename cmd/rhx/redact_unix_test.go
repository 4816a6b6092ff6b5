//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// redacting is a running rhx redact over a store with one value.
func redacting(t *testing.T) (cmd *exec.Cmd, in io.WriteCloser, out *os.File) {
	t.Helper()
	return overOneValue(t, nil, "redact")
}

func overOneValue(t *testing.T, errs io.Writer, args ...string) (cmd *exec.Cmd, in io.WriteCloser, out *os.File) {
	t.Helper()
	home, rhx := t.TempDir(), rhxProgram(t)
	if err := os.WriteFile(filepath.Join(home, "value"), []byte("fake-password-0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	save := exec.Command(rhx, "save", "db", "password=@value")
	save.Dir, save.Env = home, environ(home)
	if text, err := save.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	cmd = exec.Command(rhx, args...)
	cmd.Dir, cmd.Env = home, environ(home)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = out.Close() })
	return cmd, in, out
}

// What cannot be a part of a value comes at once, without the end of a line; what can
// waits for more.
func TestRedactAsItComes(t *testing.T) {
	t.Parallel()
	cmd, in, out := redacting(t)
	r := bufio.NewReader(out)
	for _, step := range [][2]string{{"a line, ", "a line, "}, {"no end: fake-pass", "no end: "}, {"word-0123 and", "******** and"}, {" fake-password-x", " fake-password-x"}} {
		if _, err := io.WriteString(in, step[0]); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(step[1]))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != step[1] {
			t.Fatalf("of %q came %q, %v", step[0], got, err)
		}
	}
	_ = in.Close()
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Ctrl-C ends it with what it held back, and nobody reading on ends it as it ends cat.
func TestRedactEnds(t *testing.T) {
	t.Parallel()
	cmd, in, out := redacting(t)
	if _, err := io.WriteString(in, "x fake-password-"); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 2)
	if _, err := io.ReadFull(out, first); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	rest, err := io.ReadAll(out)
	var ended *exec.ExitError
	if waitErr := cmd.Wait(); err != nil || string(rest) != "fake-password-" || !errors.As(waitErr, &ended) || ended.ExitCode() != 130 {
		t.Errorf("%q, %v, %v", rest, err, waitErr)
	}

	cmd, in, out = redacting(t)
	_ = out.Close()
	for range 100 {
		if _, err = io.WriteString(in, strings.Repeat("text\n", 10_000)); err != nil {
			break
		}
	}
	waitErr := cmd.Wait()
	if !errors.As(waitErr, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || err == nil {
		t.Errorf("%v, %v", waitErr, err)
	}
}

// Ctrl-C shows what rhx scan has found until then and says that it is not all, and no
// baseline takes it.
func TestScanInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		out  string
		says string
	}{
		{[]string{"scan", "-"}, "-:1:3  db password  plain\n", ""},
		{[]string{"scan", "-", "-o", "json"}, "\"column\": 3,", ""},
		{[]string{"scan", "-", "--baseline", "known.json", "--accept"}, "-:1:3  db password  plain\n", "rhx: warning: the search did not end: nothing was added to known.json\n"},
	} {
		var said bytes.Buffer
		cmd, in, out := overOneValue(t, &said, c.args...)
		// More than a pipe holds, so that rhx has read the beginning.
		if _, err := io.WriteString(in, "x fake-password-0123 "+strings.Repeat("more ", 200_000)); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Process.Signal(os.Interrupt)
		got, err := io.ReadAll(out)
		var ended *exec.ExitError
		if waitErr := cmd.Wait(); err != nil || !errors.As(waitErr, &ended) || ended.ExitCode() != 130 || !strings.Contains(string(got), c.out) {
			t.Errorf("%v: %v, %v\n%s", c.args, err, waitErr, got)
		}
		if want := c.says + "rhx: interrupted: not everything was searched, and this is what was found until then\n"; said.String() != want {
			t.Errorf("%v says\n%s", c.args, &said)
		}
		if _, err := os.Stat(filepath.Join(cmd.Dir, "known.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: a baseline: %v", c.args, err)
		}
	}
}
