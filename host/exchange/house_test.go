package exchange_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
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

func awsFile(profile, id, key string) string {
	return "[" + profile + "]\naws_access_key_id = " + id + "\naws_secret_access_key = " + key + "\n"
}

// house is what an exchange works with.
type house struct {
	Dirs     config.Dirs
	Local    machine.Machine
	Specs    *spec.Registry
	Records  *records.Records
	Deliver  *deliver.Deliverer
	Detector *detect.Detector
	Book     *session.Book
	Exchange *exchange.Exchange
}

// noGuests runs no modules.
type noGuests struct{}

func (noGuests) Run(context.Context, *spec.Spec, *spec.File, *abi.Request) (*abi.Response, error) {
	return nil, fmt.Errorf("no modules in this test")
}

// newHost returns an exchange whose machine is in memory and whose store and journal
// are real, with the user's own specs.
func newHost(t testing.TB, userSpecs ...string) (*house, *machine.Memory) {
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
	keys := agestore.Open(agestore.Options{Dir: dirs.Data})
	h := &house{
		Dirs: dirs, Local: m, Specs: spec.NewRegistry(specs.All(), providers),
		Book: &session.Book{Dirs: dirs, Local: machine.Local(dir, func(string) string { return "" }), Keys: keys, Warn: func(text string) { t.Error(text) },
			Journal: &journal.Journal{Dir: filepath.Join(dirs.State, "journal"), Seal: keys.Seal, Unseal: keys.Unseal}},
	}
	h.Records = &records.Records{Known: h.Specs.Known, Open: func(context.Context) (store.Store, error) {
		return agestore.Open(agestore.Options{Dir: dirs.Data}), nil
	}}
	h.wire()
	t.Cleanup(func() {
		if err := h.Records.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, m
}

// wire makes the parts that need others.
func (h *house) wire() {
	h.Detector = &detect.Detector{Specs: h.Specs, Guests: noGuests{}}
	h.Deliver = &deliver.Deliverer{Specs: h.Specs, Guests: noGuests{}, Dirs: h.Dirs}
	h.Exchange = &exchange.Exchange{Specs: h.Specs, Guests: noGuests{}, Dirs: h.Dirs, Local: h.Local, Records: h.Records, Detector: h.Detector, Deliver: h.Deliver, Book: h.Book}
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

func hint(err error) string { return fault.Hint(err) }
func usage(err error) bool  { return fault.KindOf(err) == fault.Usage }

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
func keep(t testing.TB, h *house, name string, kv ...string) {
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

func stored(t testing.TB, h *house, name string) string {
	t.Helper()
	rec := must(h.Records.Get(ctx, name, 0))(t)
	text := fmt.Sprintf("%s %s/%s v%d", rec.Info.Name, rec.Secret.Provider, rec.Secret.Profile, rec.Version)
	for _, k := range rec.Secret.Values.Keys() {
		text += " " + k + "=" + rec.Secret.Values[k].Reveal()
	}
	return text
}
