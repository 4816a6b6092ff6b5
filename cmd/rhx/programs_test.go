package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// raceDetector reports whether this test program has the race detector.
func raceDetector() bool { return limits().Call > 0 }

// raceOptions are for a program with the race detector, which waits a second before it
// ends otherwise.
const raceOptions = "atexit_sleep_ms=0"

// environ is the environment of a program that a test starts: a home folder, and of this
// machine's variables PATH, in which rhx is this test program.
func environ(home string, more ...string) []string {
	return append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GORACE=" + raceOptions}, more...)
}

// rhxProgram is rhx in PATH: the test program, so with the race detector where that has it.
func rhxProgram(t *testing.T) string {
	t.Helper()
	rhx, err := exec.LookPath("rhx")
	if err != nil {
		t.Fatal(err)
	}
	return rhx
}

// plainProgram is rhx as people build it, which starts in a quarter of the time: for what
// starts it hundreds of times, or has nothing that is concurrent.
func plainProgram(t *testing.T) string {
	t.Helper()
	rhx, err := builtPlain()
	if err != nil {
		t.Fatal(err)
	}
	return rhx
}

// slimRhx is rhx as make install has it: without the Vault client and the wasm runtime.
func slimRhx(t *testing.T) string {
	t.Helper()
	rhx, err := builtSlim()
	if err != nil {
		t.Fatal(err)
	}
	return rhx
}

// goBuild is go build as make install has it.
func goBuild(args ...string) *exec.Cmd {
	cmd := exec.Command("go", append([]string{"build"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

var (
	builtPlain = onceBuilt("rhx", ".")
	builtSlim  = onceBuilt("rhx", ".", "-tags", "slim")
)

// building guards afterTests, and has one build at a time have the machine.
var building sync.Mutex

// onceBuilt builds a program of this folder when it is first needed.
func onceBuilt(name, from string, flags ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "rhx-built")
		if err != nil {
			return "", err
		}
		building.Lock()
		defer building.Unlock()
		afterTests = append(afterTests, func() { _ = os.RemoveAll(dir) })
		path := filepath.Join(dir, name)
		if out, err := goBuild(append(flags, "-o", path, from)...).CombinedOutput(); err != nil {
			return "", errors.Join(fmt.Errorf("go build: %s", out), err)
		}
		return path, nil
	})
}
