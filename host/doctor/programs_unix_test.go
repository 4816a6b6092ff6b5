//go:build unix

package doctor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program of PATH that is called rhx is told, and never run.
func TestOtherProgramsAreNotRun(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	ran := filepath.Join(d.Home, "ran")
	bin := filepath.Join(d.Home, "bin")
	write(t, filepath.Join(bin, "rhx"), 0o700)
	if err := os.WriteFile(filepath.Join(bin, "rhx"), []byte("#!/bin/sh\necho rhx v1\n: > "+ran+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.Getenv = func(name string) string { return map[string]string{"PATH": bin}[name] }
	found, err := pathCheck.Look(t.Context(), d)
	if err != nil || len(found) != 1 || found[0].What != "another program in PATH is called rhx: ~/bin/rhx" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := os.Lstat(ran); err == nil {
		t.Error("it was run")
	}
}

// rhx-full gets nothing of the environment, and is not run where others can write it.
func TestFullIsRunWithCare(t *testing.T) {
	t.Setenv("RHX_AGE_PASSPHRASE", "fake")
	d := newDoctor(t)
	d.Slim = true
	ran, full := filepath.Join(d.Home, "ran"), filepath.Join(d.Home, "rhx-full")
	if err := os.WriteFile(full, []byte("#!/bin/sh\necho rhx v1$RHX_AGE_PASSPHRASE\n: > "+ran+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if found, err := fullCheck.Look(t.Context(), d); err != nil || len(found) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if err := errors.Join(os.Remove(ran), os.Chmod(full, 0o777)); err != nil {
		t.Fatal(err)
	}
	found, err := fullCheck.Look(t.Context(), d)
	if err != nil || len(found) != 1 || !strings.HasPrefix(found[0].What, "~/rhx-full was not run: ") {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := os.Lstat(ran); err == nil {
		t.Error("it was run")
	}
}

// Match exec of a configuration that others can write is not run.
func TestSSHConfigOfOthersIsNotTried(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Fatal(err)
	}
	d := newDoctor(t)
	path, ran := filepath.Join(d.Home, ".ssh", "config"), filepath.Join(d.Home, "ran")
	write(t, path, 0o600)
	if err := os.WriteFile(path, []byte("Match exec \"touch "+ran+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	found, err := sshConfigCheck.Look(t.Context(), d)
	if err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := os.Lstat(ran); err == nil {
		t.Error("it was run")
	}
}

// What a program prints is kept up to a bound.
func TestOutputHasABound(t *testing.T) {
	t.Parallel()
	out, err := output(t.Context(), nil, "sh", "-c", "echo begin; head -c 1000000 /dev/zero; echo end >&2")
	if err != nil || len(out) != said || !strings.HasPrefix(out, "begin\n") {
		t.Errorf("%d, %v", len(out), err)
	}
}
