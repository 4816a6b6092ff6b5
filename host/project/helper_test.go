package project_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

var errGone = errors.New("the connection is gone")

// world is an rhx in a home folder of its own, with a real local store, and hosts in
// memory.
type world struct {
	*project.Project
	t     *testing.T
	home  string
	env   map[string]string
	hosts map[place.Place]*machine.Memory
	e     *engine.Engine
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, home: t.TempDir(), env: map[string]string{}, hosts: map[place.Place]*machine.Memory{}}
	w.again()
	return w
}

// again is another rhx over the same folders, as the next command is.
func (w *world) again() {
	w.t.Helper()
	w.e = engine.New(engine.Parts{Home: w.home, Work: w.home, Getenv: func(name string) string { return w.env[name] },
		Warn: func(text string) { w.t.Error(text) }, Note: func(string, ...any) {}})
	w.Project = w.e.Project
	w.t.Cleanup(func() {
		if err := w.e.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

// save puts a secret into the store, with keys and values in turn. Its provider is what
// stands before the first slash of its name; of a base secret, "-" is before it.
func (w *world) save(name string, pairs ...string) {
	w.t.Helper()
	base, own := strings.CutPrefix(name, "-")
	sec := &secret.Secret{Name: base, Values: secret.Values{}}
	if !own {
		sec.Provider, sec.Profile = secret.SplitName(name)
	}
	for i := 0; i < len(pairs); i += 2 {
		sec.Values[pairs[i]] = secret.NewValue(pairs[i+1])
	}
	w.put(sec)
}

func (w *world) put(sec *secret.Secret) {
	w.t.Helper()
	st, err := w.Records.Store(w.t.Context())
	if err == nil {
		_, err = st.Put(w.t.Context(), sec, store.AnyVersion)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) aws(name, id string) {
	w.t.Helper()
	w.save(name, "access_key", "AKIA"+"IOSFODNN7"+id, "secret_key", "fake-"+id)
}

// stored returns the values of a secret as text; "" where it is not there.
func (w *world) stored(name string) string {
	w.t.Helper()
	rec, err := w.Records.Get(w.t.Context(), name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, key := range rec.Secret.Values.Keys() {
		out = append(out, key+"="+rec.Secret.Values[key].Reveal())
	}
	return strings.Join(out, " ")
}

func (w *world) manifest(text string) *manifest.Manifest {
	w.t.Helper()
	m, err := manifest.Parse("rhx.yaml", []byte("version: 1\n"+text), w.ManifestOptions(""))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// noStore has the store fail.
func (w *world) noStore() {
	w.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return nil, errGone }}
}

// host adds a host in memory.
func (w *world) host(name string) *machine.Memory {
	m := machine.NewMemory(name)
	w.hosts[place.Host(name)] = m
	return m
}

func (w *world) fleet() fleet.Fleet {
	return fleet.Fleet{Open: func(at place.Place) machine.Machine {
		if at == place.Here {
			return w.Local
		}
		return w.hosts[at]
	}}
}

func (w *world) options() project.ApplyOptions { return project.ApplyOptions{Fleet: w.fleet()} }

func (w *world) apply(m *manifest.Manifest, opts project.ApplyOptions) string {
	w.t.Helper()
	r, err := w.Apply(w.t.Context(), m, opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return say(r)
}

func (w *world) plan(m *manifest.Manifest, opts project.ApplyOptions) string {
	w.t.Helper()
	r, err := w.Plan(w.t.Context(), m, opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return say(r)
}

func (w *world) environment(m *manifest.Manifest, bundles ...string) *project.Environment {
	w.t.Helper()
	env, err := w.Environment(w.t.Context(), m, bundles, nil, bundle.Names{})
	if err != nil {
		w.t.Fatal(err)
	}
	return env
}

// write writes a file below the home folder.
func (w *world) write(path, text string) {
	w.t.Helper()
	file := filepath.Join(w.home, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// say is what became of secrets at places, a line each.
func say(r session.Report) string {
	var lines []string
	for _, p := range r {
		if p.Err != nil {
			lines = append(lines, p.At.String()+" as a whole: "+p.Err.Error())
		}
		for _, o := range p.Value {
			line := o.At.String() + ": " + o.Secret + ": " + o.Source.String() + " " + string(o.Action)
			if len(o.Keys) > 0 {
				line += " " + strings.Join(o.Keys, ",")
			}
			if o.Err != nil {
				line += ": " + o.Err.Error()
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// vars are variables as an environment has them.
func vars(list []bundle.Var) string {
	var out []string
	for _, v := range list {
		out = append(out, v.Name+"="+v.Value.Reveal())
	}
	return strings.Join(out, " ")
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

// matrix is a status as a table.
func matrix(s *project.Status) string {
	var lines []string
	for _, row := range s.Rows {
		line := row.Secret + ":"
		for _, at := range s.Places {
			if state := row.States[at]; state != "" {
				line += " " + at.String() + "=" + state
			}
		}
		if extra := len(row.States); extra > len(s.Places) {
			line += fmt.Sprint(" and more: ", slices.Collect(maps.Keys(row.States)))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
