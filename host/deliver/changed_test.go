package deliver_test

import (
	"context"
	"strings"
	"testing"

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

// A file that another program changes between the reading and the writing is read
// and merged again: both have what they wrote. There is an end to it.
func TestChangedMeanwhile(t *testing.T) {
	const file = "/home/u/.aws/credentials"
	for _, c := range []struct {
		times int
		want  provider.Action
	}{{0, provider.Created}, {1, provider.Updated}, {4, provider.Updated}, {100, provider.Failed}} {
		dir := t.TempDir()
		dirs := config.NewDirs(dir, func(string) string { return "" })
		d := &deliver.Deliverer{Specs: spec.NewRegistry(specs.All(), ""), Dirs: dirs}
		book := &session.Book{Dirs: dirs, Local: machine.Local(dir, func(string) string { return "" }), Keys: agestore.Open(agestore.Options{Dir: dirs.Data}), Warn: func(text string) { t.Error(text) }}
		mem := machine.NewMemory("gpu")
		var theirs strings.Builder
		m := &busy{mem, c.times, func(n int) {
			theirs.WriteString("[other" + strings.Repeat("x", n) + "]\nregion = here\n")
			mem.PutFile(file, []byte(theirs.String()), 0o600)
		}}
		rec := &store.Record{Info: store.Info{Name: "aws", Version: 1}, Secret: secret.Secret{Name: "aws", Provider: "aws",
			Values: secret.Values{"access_key": secret.NewValue("AKIA" + "IOSFODNN7EXAMPLE"), "secret_key": secret.NewValue("fake")}}}
		s := book.Begin("sync")
		out, err := d.Deliver(t.Context(), s, place.Host("gpu"), m, deliver.Delivery{Files: []*store.Record{rec}}, deliver.Options{})
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
