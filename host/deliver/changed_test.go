package deliver_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/specs"
)

// busy is a machine on which another program writes a file just before each of the
// first writes of rhx.
type busy struct {
	*machine.Memory
	times int
	write func(n int)
}

func (b *busy) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	if b.times > 0 {
		b.times--
		b.write(b.times)
	}
	return b.Memory.Write(ctx, changes)
}

func ofFolder(t *testing.T) (*deliver.Deliverer, *session.Book) {
	t.Helper()
	dir := t.TempDir()
	dirs := config.NewDirs(dir, func(string) string { return "" })
	return &deliver.Deliverer{Specs: spec.NewRegistry(specs.All(), ""), Dirs: dirs},
		&session.Book{Dirs: dirs, Local: machine.Local(dir, func(string) string { return "" }), Keys: agestore.Open(agestore.Options{Dir: dirs.Data}), Warn: func(text string) { t.Error(text) }}
}

func oneFile() deliver.Delivery {
	return deliver.Delivery{Files: []*store.Record{{Info: store.Info{Name: "aws", Version: 1}, Secret: secret.Secret{Name: "aws", Provider: "aws",
		Values: secret.Values{"access_key": secret.NewValue("AKIA" + "IOSFODNN7EXAMPLE"), "secret_key": secret.NewValue("fake")}}}}}
}

// Who came too late has a turn, on this machine, and gives it back.
func TestWhoCameTooLateHasATurn(t *testing.T) {
	for at, want := range map[place.Place][]bool{place.Here: {true, false, false}, place.Host("gpu"): {true, true, true}} {
		d, book := ofFolder(t)
		if err := os.MkdirAll(d.Dirs.State, 0o700); err != nil {
			t.Fatal(err)
		}
		turn := flock.New(filepath.Join(d.Dirs.State, "deliver.lock"))
		free := func() bool {
			ok, err := turn.TryLock()
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				_ = turn.Unlock()
			}
			return ok
		}
		var seen []bool
		mem := machine.NewMemory("gpu")
		m := &busy{mem, 3, func(n int) {
			seen = append(seen, free())
			mem.PutFile("/home/u/.aws/credentials", []byte("[other"+strings.Repeat("x", n)+"]\nregion = here\n"), 0o600)
		}}
		s := book.Begin("load")
		out, err := d.Deliver(t.Context(), s, at, m, oneFile(), deliver.Options{})
		s.End()
		if err != nil || out[0].Err != nil || !slices.Equal(seen, want) || !free() {
			t.Errorf("%s: %+v, %v, free: %v, want %v", at, out, err, seen, want)
		}
	}
}

// A delivery lets another process have its turn first.
func TestTheTurnOfAnother(t *testing.T) {
	d, book := ofFolder(t)
	if err := os.MkdirAll(d.Dirs.State, 0o700); err != nil {
		t.Fatal(err)
	}
	turn := flock.New(filepath.Join(d.Dirs.State, "deliver.lock"))
	if ok, err := turn.TryLock(); !ok {
		t.Fatal(err)
	}
	s := book.Begin("load")
	defer s.End()
	mem := machine.NewMemory("here")
	begun, done := make(chan struct{}), make(chan error)
	go func() {
		close(begun)
		_, err := d.Deliver(t.Context(), s, place.Here, mem, oneFile(), deliver.Options{})
		done <- err
	}()
	<-begun
	for range 1000 {
		runtime.Gosched()
	}
	if calls := mem.Calls(); len(calls) > 0 {
		t.Errorf("it did not wait: %q", calls)
	}
	if err := turn.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || len(mem.Calls()) == 0 {
		t.Error(err)
	}
}

// A file that another program changes between the reading and the writing is read
// and merged again: both have what they wrote. There is an end to it.
func TestChangedMeanwhile(t *testing.T) {
	const file = "/home/u/.aws/credentials"
	for _, c := range []struct {
		times int
		want  provider.Action
	}{{0, provider.Created}, {1, provider.Updated}, {4, provider.Updated}, {100, provider.Failed}} {
		d, book := ofFolder(t)
		mem := machine.NewMemory("gpu")
		var theirs strings.Builder
		m := &busy{mem, c.times, func(n int) {
			theirs.WriteString("[other" + strings.Repeat("x", n) + "]\nregion = here\n")
			mem.PutFile(file, []byte(theirs.String()), 0o600)
		}}
		s := book.Begin("sync")
		out, err := d.Deliver(t.Context(), s, place.Host("gpu"), m, oneFile(), deliver.Options{})
		s.End()
		if err != nil || len(out) != 1 || out[0].Action != c.want {
			t.Errorf("%d times: %+v, %v", c.times, out, err)
			continue
		}
		data, _, _ := mem.File(file)
		if !strings.Contains(string(data), theirs.String()) || strings.Contains(string(data), "fake") != (c.want != provider.Failed) {
			t.Errorf("%d times: the file is\n%s", c.times, data)
		}
	}
}
