package deliver_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/specs"
)

var gpu = place.Host("gpu")

// newDeliverer returns what delivers with the built-in providers, and the book of an
// rhx whose folders are new.
func newDeliverer(t *testing.T) (*deliver.Deliverer, *session.Book) {
	t.Helper()
	home := t.TempDir()
	dirs := config.NewDirs(home, func(string) string { return "" })
	book := &session.Book{Dirs: dirs, Local: machine.Local(home, func(string) string { return "" }),
		Keys: agestore.Open(agestore.Options{Dir: dirs.Data}), Warn: func(text string) { t.Error(text) }}
	return &deliver.Deliverer{Specs: spec.NewRegistry(specs.All(), ""), Dirs: dirs}, book
}

// record is a secret of the store, with keys and values in turn. Its provider is what
// stands before the first slash of its name; "own" has none.
func record(name string, pairs ...string) *store.Record {
	provider, profile, _ := strings.Cut(name, "/")
	if provider == "own" {
		provider, profile = "", ""
	}
	values := secret.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = secret.NewValue(pairs[i+1])
	}
	return &store.Record{Info: store.Info{Name: name, Provider: provider, Version: 3},
		Secret: secret.Secret{Name: name, Provider: provider, Profile: profile, Values: values}}
}

func aws(name, id string) *store.Record {
	return record(name, "access_key", "AKIA"+"IOSFODNN7"+id, "secret_key", "fake-"+id)
}

// say is what became of secrets, a line each.
func say(outcomes []session.Outcome) string {
	var lines []string
	for _, o := range outcomes {
		line := o.Secret + ": " + o.Source.String() + " " + string(o.Action)
		if len(o.Keys) > 0 {
			line += " " + strings.Join(o.Keys, ",")
		}
		if o.Err != nil {
			line += ": " + o.Err.Error()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func is(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nand not:\n%s", what, got, want)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// send delivers to a machine as one session.
func send(t *testing.T, d *deliver.Deliverer, b *session.Book, at place.Place, m machine.Machine, what deliver.Delivery, opts deliver.Options) []session.Outcome {
	t.Helper()
	s := b.Begin("sync")
	defer s.End()
	out, err := d.Deliver(t.Context(), s, at, m, what, opts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func fileOf(t *testing.T, m *machine.Memory, path string) string {
	t.Helper()
	data, _, ok := m.File(path)
	if !ok {
		return "none"
	}
	return string(data)
}

var errGone = errors.New("the connection is gone")

// asks collects conflicts, and answers them all the same.
type asks struct {
	answer deliver.Decision
	heard  []string
}

func (a *asks) resolve(c deliver.Conflict) deliver.Decision {
	a.heard = append(a.heard, fmt.Sprintf("%s %s %s: %s", c.At, c.Secret, c.Stored, c.Error()))
	return a.answer
}
