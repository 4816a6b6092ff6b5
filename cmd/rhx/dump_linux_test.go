package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A test asks this process for what it set; the kernel forgets it in a program that is
// started.
func TestMemoryIsPrivateAndThatIsNotInherited(t *testing.T) {
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0) })
	keepMemoryPrivate()
	if now, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || now != 0 {
		t.Errorf("dumpable: %d, %v", now, err)
	}
	out, err := exec.CommandContext(t.Context(), "grep", "-c", "", "/proc/self/environ").CombinedOutput()
	if err != nil && !bytes.HasPrefix(out, []byte("0")) {
		t.Errorf("a program that is started cannot read its own /proc: %s %v", out, err)
	}
}

// The limit of core dumps that a command gets is the one that rhx was given.
func TestRunGivesTheLimitsOn(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `echo '{"k": "fake"}' | "$0" save db --values - >/dev/null && ulimit -c && exec "$0" run -s db -- sh -c 'ulimit -c; stat -c %u /proc/self/environ'`, rhxProgram(t))
	cmd.Env = environ(home, "PATH=/usr/bin:/bin")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := strings.Fields(stdout.String())
	if len(lines) != 3 || lines[0] != lines[1] || lines[2] != strconv.Itoa(os.Getuid()) {
		t.Errorf("%q", lines)
	}
}
