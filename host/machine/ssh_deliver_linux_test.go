package machine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/machinetest"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// carried is a machine whose Write brings the contents as a file that the host
// reads by a command, which also says something beside.
type carried struct {
	machine.Machine
	dir string
	n   *atomic.Int64
}

func carry(t *testing.T, m machine.Machine) carried {
	t.Helper()
	dir, err := os.MkdirTemp("", "rhx-carry")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return carried{m, dir, new(atomic.Int64)}
}

func (c carried) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	return c.Machine.(machine.Deliverer).WriteVia(ctx, changes, func(text []byte) (machine.Fetch, error) {
		file := filepath.Join(c.dir, fmt.Sprint(c.n.Add(1)))
		return machine.Fetch{Command: `echo 'WARNING! $( " {' >&2; cat "$FILE"`, Env: []machine.Var{{Name: "FILE", Value: file}}}, os.WriteFile(file, text, 0o644)
	})
}

// Contents that come on another way are written as those that come with the request.
func TestSSHConformanceOfDelivery(t *testing.T) {
	target := target(t, sshtest.Start(t, sshtest.Options{}), nil)
	target.Machine = carry(t, target.Machine)
	machinetest.Run(t, target)
}

func TestSSHDelivery(t *testing.T) {
	for name, shell := range map[string][]string{
		"dash": {"/bin/dash"}, "bash as sh": {"/bin/bash", "--posix"}, "busybox": {"/bin/busybox", "sh"}, "mksh": {"/bin/mksh"}, "ksh93": {"/bin/ksh93"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, shell...)
			m := carry(t, f.machine())
			path := filepath.Join(f.home, "file")
			change := machine.Change{Path: path, Data: []byte("a'b\\c\x00\xff\n\n$(x)\n")}
			if errs, err := m.Write(t.Context(), []machine.Change{change}); err != nil || errs[0] != nil {
				t.Fatal(errs, err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != string(change.Data) {
				t.Errorf("%q, %v", got, err)
			}
			// A command that fails is an error with what it said, and nothing is written.
			second := []machine.Change{{Path: path, Old: change.Data, Data: []byte("new")}, {Path: path + "2", Data: []byte("new")}}
			errs, err := m.Machine.(machine.Deliverer).WriteVia(t.Context(), second, func([]byte) (machine.Fetch, error) {
				return machine.Fetch{Command: `echo 'no such token' >&2; false`}, nil
			})
			if !errors.Is(err, machine.ErrNotFetched) || !strings.Contains(err.Error(), "no such token") || len(errs) != 2 || errs[0] == nil || errs[1] == nil {
				t.Errorf("%v, %v", errs, err)
			}
			// So is one that prints anything but the text, of which nothing is run.
			evil := filepath.Join(f.home, "evil")
			for what, command := range map[string]string{
				"something else": "echo ': >" + evil + "'", "more": `cat "$FILE"; echo ': >` + evil + "'", "nothing": ":",
				"the text without its end": `head -c 40 "$FILE"`,
			} {
				errs, err := m.Machine.(machine.Deliverer).WriteVia(t.Context(), second, func(text []byte) (machine.Fetch, error) {
					file := filepath.Join(m.dir, "text")
					return machine.Fetch{Command: command, Env: []machine.Var{{Name: "FILE", Value: file}}}, os.WriteFile(file, text, 0o644)
				})
				if !errors.Is(err, machine.ErrAltered) || len(errs) != 2 || errs[0] == nil || errs[1] == nil {
					t.Errorf("%s: %v, %v", what, errs, err)
				}
				if _, err := os.Stat(evil); err == nil {
					t.Errorf("%s: it was run", what)
				}
			}
			failed := errors.New("there is no token to be had")
			if errs, err := m.Machine.(machine.Deliverer).WriteVia(t.Context(), second, func([]byte) (machine.Fetch, error) { return machine.Fetch{}, failed }); !errors.Is(err, failed) || !errors.Is(errs[1], failed) {
				t.Errorf("%v, %v", errs, err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != string(change.Data) {
				t.Errorf("%q, %v", got, err)
			}
			if _, err := os.Stat(path + "2"); err == nil {
				t.Error("half of it was written")
			}
		})
	}
}
