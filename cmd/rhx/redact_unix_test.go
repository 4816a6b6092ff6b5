//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
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
	home, rhx := t.TempDir(), rhxProgram(t)
	if err := os.WriteFile(filepath.Join(home, "value"), []byte("fake-password-0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	save := exec.Command(rhx, "save", "db", "password=@value")
	save.Dir, save.Env = home, environ(home)
	if text, err := save.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	cmd = exec.Command(rhx, "redact")
	cmd.Dir, cmd.Env = home, environ(home)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
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
