package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/specs"
)

// Fake keys; prefix and body are joined here so that nothing scans as a key.
const (
	akia    = "AKIA" + "IOSFODNN7EXAMPLE"
	akia2   = "AKIA" + "I44QHTDHBEXAMPLE"
	awsKey  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
	awsKey2 = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvb" + "EXAMPLEKEY"
	sk      = "sk-" + "FAKEfakeFAKEfakeFAKEfake"
	pem     = "-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n"
	home    = "/home/u/"
)

var ctx = context.Background()

func hint(err error) string { return fault.Hint(err) }
func usage(err error) bool  { return fault.KindOf(err) == fault.Usage }

func awsFile(profile, id, key string) string {
	return "[" + profile + "]\naws_access_key_id = " + id + "\naws_secret_access_key = " + key + "\n"
}

// newHost returns a host whose machine is in memory and whose store is a real
// local one, with the user's own specs.
func newHost(t *testing.T, userSpecs ...string) (*Engine, *machine.Memory) {
	t.Helper()
	dir := t.TempDir()
	providers := filepath.Join(dir, "providers")
	for _, text := range userSpecs {
		_, name, _ := strings.Cut(text, "name: ")
		name, _, _ = strings.Cut(name, "\n")
		if err := os.MkdirAll(providers, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(providers, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := machine.NewMemory("local")
	dirs := config.Dirs{Config: filepath.Join(dir, "config"), Data: filepath.Join(dir, "data"), State: filepath.Join(dir, "state")}
	h := &Engine{
		Dirs: dirs, Local: m, Specs: spec.NewRegistry(specs.All(), providers), Guests: &Guests{},
		Stores: &Stores{Getenv: func(string) string { return "" }},
		Book:   &session.Book{Dirs: dirs, Keys: agestore.Open(agestore.Options{Dir: dirs.Data}), Local: machine.Local(dir, func(string) string { return "" }), Warn: func(text string) { t.Error(text) }},
	}
	h.Records = &records.Records{Known: h.Specs.Known, Open: func(context.Context) (store.Store, error) {
		return agestore.Open(agestore.Options{Dir: filepath.Join(dir, "data")}), nil
	}}
	h.wire()
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, m
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got, want = strings.TrimSpace(got), strings.TrimSpace(want); got != want {
		t.Errorf("%s:\n got: %s\nwant: %s", what, strings.ReplaceAll(got, "\n", "\n      "), strings.ReplaceAll(want, "\n", "\n      "))
	}
}

func saved(list []exchange.Saved) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s %s %d %s", s.Name, s.Action, s.Version, strings.Join(s.Keys, ","))
		if s.Err != nil {
			fmt.Fprintf(&b, ": %v", s.Err)
		}
		b.WriteString("\n")
	}
	return strings.NewReplacer(" \n", "\n", " : ", ": ").Replace(b.String())
}

func loaded(list []session.Outcome) string {
	var b strings.Builder
	for _, l := range list {
		fmt.Fprintf(&b, "%s %s %s %s %s", l.At, l.Secret, l.Source, l.Action, strings.Join(l.Keys, ","))
		if l.Err != nil {
			fmt.Fprintf(&b, ": %v", l.Err)
		}
		b.WriteString("\n")
	}
	return strings.NewReplacer(" \n", "\n", " : ", ": ").Replace(b.String())
}

// keep puts a secret into the store: name, then keys and values.
func keep(t testing.TB, h *Engine, name string, kv ...string) {
	t.Helper()
	p, profile := secret.SplitName(name)
	s := &secret.Secret{Name: name, Values: secret.Values{}}
	if h.Specs.Known(p) {
		s.Provider, s.Profile = p, profile
	}
	for i := 0; i < len(kv); i += 2 {
		s.Values[kv[i]] = secret.NewValue(kv[i+1])
	}
	must(h.Exchange.SaveSecret(ctx, s))(t)
}

func content(m *machine.Memory, name string) string {
	data, _, ok := m.File(home + name)
	if !ok {
		return "(none)"
	}
	return string(data)
}

func stored(t testing.TB, h *Engine, name string) string {
	t.Helper()
	rec := must(h.Records.Get(ctx, name, 0))(t)
	text := fmt.Sprintf("%s %s/%s v%d", rec.Info.Name, rec.Secret.Provider, rec.Secret.Profile, rec.Version)
	for _, k := range rec.Secret.Values.Keys() {
		text += " " + k + "=" + rec.Secret.Values[k].Reveal()
	}
	return text
}

func TestDetect(t *testing.T) {
	h, m := newHost(t,
		"spec: 1\nname: mine\naliases: [my]\nvalues: {token: {env: MINE}}\n",
		"spec: 1\nname: broken\nvalues: x\n")
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	m.SetEnv("MINE", "t")
	found, err := h.Detector.On(ctx, m)
	names := ""
	for _, f := range found {
		names += f.Name + " " + string(f.State) + "\n"
	}
	same(t, "found", names, "aws value\nmine value")
	if err == nil || !strings.Contains(err.Error(), "broken.yaml:3:9: values must be a mapping") {
		t.Errorf("the broken spec is not reported: %v", err)
	}
	if found, err := h.Detector.On(ctx, m, "my", "mine", "openai"); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := h.Detector.On(ctx, m, "mien"); err == nil || err.Error() != `unknown provider "mien"; did you mean "mine"?` {
		t.Error(err)
	}
	if _, err := h.Detector.On(ctx, m, "broken"); err == nil {
		t.Error("a broken spec that was asked for is no error")
	}
	m.Fail(context.DeadlineExceeded)
	if _, err := h.Detector.On(ctx, m); err == nil {
		t.Error("a machine that does not answer is no error")
	}
}

func TestGetSaysWhatToDo(t *testing.T) {
	h, _ := newHost(t)
	for _, c := range []struct {
		name, hint string
		version    int
	}{
		{"aws", "the store is empty; rhx save --all saves what rhx detect finds", 0},
		{"dbb", "did you mean db?", 0},
		{"openai", "rhx save openai saves it from this machine", 0},
		{"something", "rhx list shows what is there", 0},
		{"db", "rhx show db lists its versions", 7},
	} {
		_, err := h.Records.Get(ctx, c.name, c.version)
		if err == nil || hint(err) != c.hint {
			t.Errorf("%s: %v, %s", c.name, err, hint(err))
		}
		if c.name == "aws" {
			keep(t, h, "db", "user", "u")
		}
	}
	for _, name := range []string{"", "../x", "a//b", "a\n"} {
		if _, err := h.Records.Get(ctx, name, 0); err == nil || !usage(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := h.Records.History(ctx, "nope"); err == nil || !strings.Contains(err.Error(), `no secret "nope"`) {
		t.Error(err)
	}
	// All that is missing is told at once.
	_, err := h.Records.GetAll(ctx, []string{"x", "db", "y"})
	if err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), `"y"`) {
		t.Error(err)
	}
	recs := must(h.Records.GetAll(ctx, []string{"db", "db"}))(t)
	if len(recs) != 2 || recs[1].Info.Name != "db" {
		t.Error(recs)
	}
}
