package provider_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

// Fake keys; prefix and body are joined here so that nothing scans as a key.
const (
	akia    = "AKIA" + "IOSFODNN7EXAMPLE"
	akia2   = "AKIA" + "I44QHTDHBEXAMPLE"
	awsKey  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
	awsKey2 = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvb" + "EXAMPLEKEY"
	gho     = "gho_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"
	gho2    = "gho_" + "OTHRothrOTHRothrOTHRothrOTHRothrOTHR"
	hf      = "hf_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"
	hf2     = "hf_" + "OTHRothrOTHRothrOTHRothrOTHRothrOT"
	sk      = "sk-" + "FAKEfakeFAKEfakeFAKEfake"
	wandb   = "0123456789012345678901234567890123456789"
)

const home = "/home/u/"

var ctx = context.Background()

func builtin(t testing.TB, name string) *spec.Spec {
	t.Helper()
	sp, err := spec.NewRegistry(specs.All(), "").Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func parse(t testing.TB, text string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// tree is files of a home folder by path below it, and variables as $NAME.
type tree map[string]string

func newMachine(files tree) *machine.Memory {
	m := machine.NewMemory("test")
	for p, text := range files {
		if name, ok := strings.CutPrefix(p, "$"); ok {
			m.SetEnv(name, text)
			continue
		}
		if !strings.HasPrefix(p, "/") {
			p = home + p
		}
		m.PutFile(p, []byte(text), 0o600)
	}
	return m
}

func take(t testing.TB, m machine.Machine, sp *spec.Spec, paths ...string) *provider.Snapshot {
	t.Helper()
	snap, err := provider.Take(ctx, m, nil, []*spec.Spec{sp}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func extract(t testing.TB, m machine.Machine, sp *spec.Spec) []provider.Found {
	t.Helper()
	return take(t, m, sp).Extract(ctx, sp)
}

// describe writes findings one a line: "NAME STATE from SOURCES: k=v, k=v".
// Values are quoted where they are not plain words.
func describe(found []provider.Found) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s from", f.Name, f.State)
		for _, s := range f.Sources {
			fmt.Fprintf(&b, " %s", s)
		}
		b.WriteByte(':')
		for _, k := range f.Values.Keys() {
			text := f.Values[k].Reveal()
			if text == "" || strings.ContainsAny(text, " \t\r\n\"'") {
				text = fmt.Sprintf("%q", text)
			}
			fmt.Fprintf(&b, " %s=%s", k, text)
		}
		if f.Err != nil {
			fmt.Fprintf(&b, " %v", f.Err)
		}
		if !f.Expires.IsZero() {
			fmt.Fprintf(&b, " until %s", f.Expires.Format("2006-01-02"))
		}
		for _, n := range f.Notes {
			fmt.Fprintf(&b, " (%s)", n)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func same(t testing.TB, what, got, want string) {
	t.Helper()
	got, want = strings.TrimSpace(got), strings.TrimSpace(want)
	if got != want {
		t.Errorf("%s:\n got: %s\nwant: %s", what, strings.ReplaceAll(got, "\n", "\n      "), strings.ReplaceAll(want, "\n", "\n      "))
	}
}

// sec makes a secret from its name's profile and "k", "v", ….
func sec(sp *spec.Spec, profile string, kv ...string) *secret.Secret {
	s := &secret.Secret{Name: secret.Name(sp.Name, profile), Provider: sp.Name, Profile: profile, Values: secret.Values{}}
	for i := 0; i < len(kv); i += 2 {
		s.Values[kv[i]] = secret.NewValue(kv[i+1])
	}
	return s
}

// put plans one secret and writes what changes; it returns the placements in
// words and the number of changes.
func put(t testing.TB, m *machine.Memory, sp *spec.Spec, s *secret.Secret, opts provider.Options) (string, int) {
	t.Helper()
	var paths []string
	if opts.To != "" {
		paths = []string{opts.To, opts.To + ".pub"}
	}
	plan := provider.NewPlan(take(t, m, sp, paths...))
	placed := plan.Put(ctx, sp, s, opts)
	return outcome(placed), apply(t, m, plan)
}

func remove(t testing.TB, m *machine.Memory, sp *spec.Spec, s *secret.Secret) (string, int) {
	t.Helper()
	plan := provider.NewPlan(take(t, m, sp))
	placed := plan.Remove(ctx, sp, s)
	return outcome(placed), apply(t, m, plan)
}

func apply(t testing.TB, m *machine.Memory, plan *provider.Plan) int {
	t.Helper()
	changes := plan.Changes()
	errs, err := m.Write(ctx, changes)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", changes[i].Path, err)
		}
	}
	return len(changes)
}

func outcome(placed []provider.Placement) string {
	var lines []string
	for _, p := range placed {
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Source, p.Action, strings.Join(p.Keys, ",")))
		if p.Err != nil {
			line += ": " + p.Err.Error()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// content returns a file below home, "(none)" where there is none.
func content(m *machine.Memory, name string) string {
	data, _, ok := m.File(home + name)
	if !ok {
		return "(none)"
	}
	return string(data)
}

func mode(m *machine.Memory, name string) fs.FileMode {
	_, mode, _ := m.File(home + name)
	return mode
}

// lineDiff returns the lines that only one of two texts has, as "-old" and "+new".
func lineDiff(before, after string) string {
	count := map[string]int{}
	for l := range strings.Lines(before) {
		count[l]++
	}
	var out []string
	for l := range strings.Lines(after) {
		if count[l]--; count[l] < 0 {
			out = append(out, "+"+strings.TrimRight(l, "\r\n"))
			count[l] = 0
		}
	}
	var gone []string
	for l := range strings.Lines(before) {
		if count[l] > 0 {
			gone = append(gone, "-"+strings.TrimRight(l, "\r\n"))
			count[l]--
		}
	}
	return strings.Join(append(gone, out...), "\n")
}

// windows is a machine with that system.
type windows struct{ *machine.Memory }

func (m windows) Info(ctx context.Context, names []string) (machine.Info, error) {
	info, err := m.Memory.Info(ctx, names)
	info.OS = "windows"
	return info, err
}
