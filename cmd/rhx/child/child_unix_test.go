//go:build unix

package child

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
)

func TestSupervise(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const value = "fake-and-only-a-test"
	for name, c := range map[string]struct {
		argv     []string
		status   int
		notRun   int
		out, err string
	}{
		"streams":           {argv: []string{"sh", "-c", `cat; echo "$K" >&2; exit 3`}, status: 3, out: "input " + value, err: value + "\n"},
		"a signal":          {argv: []string{"sh", "-c", "kill -TERM $$"}, status: BySignal | 143},
		"a signal's status": {argv: []string{"sh", "-c", "exit 143"}, status: 143},
		"not there":         {argv: []string{"rhx-no-such-command"}, notRun: 127},
		"not executable":    {argv: []string{plain}, notRun: 126},
	} {
		for _, masked := range []bool{false, true} {
			var out, errOut bytes.Buffer
			released := 0
			r := &Runner{Streams: Streams{In: strings.NewReader("input " + value), Out: &out, Err: &errOut}, TakeOver: func() { released++ }}
			hide := strings.NewReplacer()
			if masked {
				r.Mask = mask.New([]secret.Value{secret.NewValue(value)})
				hide = strings.NewReplacer(value, "********")
			}
			status, err := r.Supervise(c.argv, []string{"K=" + value, "PATH=" + os.Getenv("PATH")})
			var start *StartError
			switch {
			case c.notRun != 0:
				if !errors.As(err, &start) || start.Status != c.notRun || start.Name != c.argv[0] {
					t.Errorf("%s: %d, %v, not a start error of status %d", name, status, err, c.notRun)
				}
			case err != nil || status != c.status:
				t.Errorf("%s: %d, %v, not %d", name, status, err, c.status)
			case released != 1:
				t.Errorf("%s: rhx gave up its signals %d times", name, released)
			case out.String() != hide.Replace(c.out) || errOut.String() != hide.Replace(c.err):
				t.Errorf("%s, masked %v: %q and %q", name, masked, &out, &errOut)
			}
		}
	}
}

func TestPrivateFolder(t *testing.T) {
	base := t.TempDir()
	getenv := func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": base}[name] }
	first, release, err := PrivateFolder(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o700 || filepath.Dir(first) != base {
		t.Fatalf("%s: %v, %v", first, info, err)
	}
	// One that a killed rhx has left, and one that is not as rhx makes them.
	own := filepath.Join(base, filepath.Base(first)+"left")
	foreign := filepath.Join(base, filepath.Base(first)+"open")
	for dir, mode := range map[string]os.FileMode{own: 0o700, foreign: 0o750} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	second, releaseSecond, err := PrivateFolder(getenv)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{first: true, second: true, own: false, foreign: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s is there: %v, not %v", dir, err == nil, want)
		}
	}
	for _, release := range []func() error{release, releaseSecond} {
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	for _, dir := range []string{first, second} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

func TestPrefixedLines(t *testing.T) {
	var out bytes.Buffer
	p := &prefixed{mu: &sync.Mutex{}, w: &out, prefix: "gpu: "}
	long := strings.Repeat("x", longestLine)
	for _, part := range []string{"one\ntw", "o\n\nthree", long} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	p.flush()
	p.flush()
	if want := "gpu: one\ngpu: two\ngpu: \ngpu: three" + long + "\n"; out.String() != want {
		t.Errorf("%.200q", &out)
	}
}

// Each of several at once has a folder that stays until it is released.
func TestPrivateFoldersAtOnce(t *testing.T) {
	base := t.TempDir()
	getenv := func(string) string { return base }
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				dir, release, err := PrivateFolder(getenv)
				if err != nil {
					t.Error(err)
					continue
				}
				for range 20 {
					sweepPrivate(base)
				}
				if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
					t.Error(err)
				}
				if err := release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	sweepPrivate(base)
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// What a command has put in the place of a folder's lock is neither followed nor waited for.
func TestLocksOfCommandsAreNotFollowed(t *testing.T) {
	base := t.TempDir()
	getenv := func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": base}[name] }
	other, err := os.MkdirTemp(base, privateName())
	if err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(base, "made")
	if err := os.Symlink(made, filepath.Join(other, ".lock")); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.MkdirTemp(base, privateName())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(pipe, ".lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, release, err := PrivateFolder(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(made); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made where the link leads: %v", err)
	}
	if got := Left(getenv); len(got) > 0 && got[0] == other {
		t.Errorf("%q has no lock", got)
	}
}
