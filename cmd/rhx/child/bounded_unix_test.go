//go:build unix

package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
)

func bounded(dir, script string) *Bounded {
	return &Bounded{
		Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Environ: []string{"PATH=" + os.Getenv("PATH"), "K=fake-and-only-a-test"}, Dir: dir,
		Mask: mask.New([]secret.Value{secret.NewValue("fake-and-only-a-test")}), Timeout: time.Minute, Keep: 100,
	}
}

func TestBounded(t *testing.T) {
	dir := t.TempDir()
	for script, want := range map[string]Ran{
		`echo "$K"; echo "err $K" >&2; exit 3`: {Status: 3, Out: "********\n", Err: "err ********\n"},
		"cat; pwd":                             {Out: dir + "\n"},
		"printf fake-and; sleep 0.1; printf -- -only-a-test": {Out: "********"},
		"kill -KILL $$":      {Status: 137},
		"yes | head -c 1001": {Out: strings.Repeat("y\n", 25) + "\n[rhx: 901 bytes left out]\n" + strings.Repeat("\ny", 25)},
		`ps -o sid= -o pgid= -p $$ | grep -qx " *$$ *$$" || echo not`: {},
	} {
		ran, err := bounded(dir, script).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if *ran != want {
			t.Errorf("%s: %+v, not %+v", script, *ran, want)
		}
	}
	b := bounded(dir, "")
	b.Path = filepath.Join(dir, "not-there")
	var start *StartError
	if _, err := b.Run(t.Context()); !errors.As(err, &start) || start.Name != "sh" {
		t.Error(err)
	}
}

// A command that is ended ends with all that it started, also what wants to stay.
func TestBoundedEndsItsGroup(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		ended   string
	}{"cancelled": {time.Minute, "it was cancelled"}, "out of time": {300 * time.Millisecond, "it took longer than 300ms"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b := bounded(dir, `trap '' TERM; (trap '' TERM; while :; do sleep 60; done) & echo $! > child.tmp; mv child.tmp child; wait; wait`)
			b.Timeout = c.timeout
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan *Ran)
			go func() {
				ran, err := b.Run(ctx)
				if err != nil {
					t.Error(err)
				}
				done <- ran
			}()
			child := 0
			for child == 0 {
				data, _ := os.ReadFile(filepath.Join(dir, "child"))
				child, _ = strconv.Atoi(strings.TrimSpace(string(data)))
				time.Sleep(time.Millisecond)
			}
			if name == "cancelled" {
				cancel()
			}
			if ran := <-done; ran == nil || ran.Ended != c.ended || ran.Status != 137 {
				t.Errorf("%+v", ran)
			}
			for isThere(child) {
				time.Sleep(time.Millisecond) // the test's own time is the limit
			}
		})
	}
}

// isThere reports a process that runs.
func isThere(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestEnds(t *testing.T) {
	const text = "abcdefghijklmnopqrstuvwxyz"
	for size := 1; size <= len(text); size++ {
		for keep := 2; keep <= 30; keep += 2 {
			e := Ends{Keep: keep}
			for i := 0; i < len(text); i += size {
				if n, err := e.Write([]byte(text[i:min(len(text), i+size)])); err != nil || n != min(size, len(text)-i) {
					t.Fatal(n, err)
				}
			}
			want := text
			if keep < len(text) {
				want = fmt.Sprintf("%s\n[rhx: %d bytes left out]\n%s", text[:keep/2], len(text)-keep, text[len(text)-keep/2:])
			}
			if got := e.String(); got != want {
				t.Errorf("%d by %d: %q, not %q", keep, size, got, want)
			}
		}
	}
}
