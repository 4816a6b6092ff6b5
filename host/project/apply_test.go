package project_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/fingerprint"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

const making = `
secrets:
  db:
    values:
      user: {default: app}
      password: {generate: {length: 20}}
      pin: {prompt: "The pin: "}
  deploy: {values: {key: {generate: ed25519}}}
bundles:
  b: {secrets: [db], env: {URL: "x://${db.password}", PUB: "${deploy.key_public}"}}
hosts: {gpu: {addresses: [gpu], bundles: [b]}}
`

const env = "/home/u/.config/rhx/env"

func file(t *testing.T, m *machine.Memory, path string) string {
	t.Helper()
	data, _, ok := m.File(path)
	if !ok {
		return "none"
	}
	return string(data)
}

// A plan says what would be made and asked for, and neither makes nor asks; apply does,
// once.
func TestApplyMakesValues(t *testing.T) {
	w := newWorld(t)
	gpu := w.host("gpu")
	m := w.manifest(making)
	var prompts []string
	opts := w.options()
	opts.Ask = func(prompt string) (string, error) { prompts = append(prompts, prompt); return "1234", nil }
	var plan session.Report
	plan, err := w.Plan(t.Context(), m, opts)
	if err != nil {
		t.Fatal(err)
	}
	const made = `store: db:  created password,pin
store: deploy:  created key
gpu: db: $password created
gpu: db: $pin created
gpu: db: $user created
gpu: the bundle b: $URL created
gpu: the bundle b: $PUB created`
	is(t, "plan", say(plan), made)
	if prompts != nil || w.stored("db") != "" || file(t, gpu, env) != "none" {
		t.Errorf("a plan asked %q or wrote", prompts)
	}
	if err := plan.Err(); err != nil || !plan.Changes() {
		t.Error(err)
	}
	// What is not made yet has no fingerprint; what is known has.
	for _, o := range plan.Outcomes() {
		if want := o.Source.Var == "user"; len(o.Is) > 0 != want || len(o.Was) != 0 {
			t.Errorf("%s %s: %v, %v", o.Secret, o.Source, o.Was, o.Is)
		}
	}

	var done []string
	opts.Done = func(r session.Result) { done = append(done, r.At.String()) }
	r, err := w.Apply(t.Context(), m, opts)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "apply", say(r), made)
	is(t, "asked", strings.Join(prompts, "|"), "The pin: ")
	is(t, "told", strings.Join(done, " "), "store gpu")
	for _, o := range r.Outcomes() {
		keys := o.Keys
		if o.Source.Var != "" {
			keys = []string{o.Source.Var}
		}
		for _, key := range keys {
			if len(o.Is[key]) != 6 {
				t.Errorf("%s: %q has no fingerprint", o.Secret, key)
			}
		}
	}
	values := w.stored("db")
	if !strings.HasPrefix(values, "password=") || !strings.HasSuffix(values, " pin=1234") || len(values) != len("password=")+20+len(" pin=1234") {
		t.Errorf("%q", values)
	}
	password := strings.TrimSuffix(strings.TrimPrefix(values, "password="), " pin=1234")
	contains(t, file(t, gpu, env), "export user='app'", "x://"+password+"'", "PUB='ssh-ed25519 ")
	events, err := w.Book.Events()
	// Reading and saving have lines of their own.
	events = slices.DeleteFunc(events, func(e session.Event) bool { return e.Command != "apply" })
	if err != nil || len(events) != 7 || events[0].Machine != "store" {
		t.Errorf("%+v, %v", events, err)
	}

	prompts = nil
	is(t, "again", w.apply(m, opts), "gpu: db: $password unchanged\ngpu: db: $pin unchanged\ngpu: db: $user unchanged\ngpu: the bundle b: $URL unchanged\ngpu: the bundle b: $PUB unchanged")
	if prompts != nil || w.stored("db") != values {
		t.Error("made again")
	}
	if history, err := w.Records.History(t.Context(), "db"); err != nil || len(history) != 1 {
		t.Errorf("%+v, %v", history, err)
	}
}

// Values that the store has stay; only what is missing is made beside them.
func TestApplyKeepsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	w.host("gpu")
	w.save("-db", "pin", "9", "mine", "x")
	contains(t, w.plan(w.manifest(making), w.options()), "store: db:  updated password\n")
	w.apply(w.manifest(making), w.options())
	contains(t, w.stored("db"), "mine=x password=", " pin=9")
	history, err := w.Records.History(t.Context(), "db")
	if err != nil || len(history) != 2 {
		t.Errorf("%+v, %v", history, err)
	}
}

// Of a group of which one key is enough, nothing is made where another one is there.
func TestApplyMakesOneOfAGroup(t *testing.T) {
	w := newWorld(t)
	m := w.manifest("secrets: {api: {values: {token: , password: {generate: hex}, id: {generate: hex}}, one_of: [token, password]}}")
	w.save("-api", "token", "t", "id", "7")
	is(t, "the other is there", w.apply(m, w.options()), "")
	w.save("-api", "token", "t")
	is(t, "what is of no group", w.apply(m, w.options()), "store: api:  updated id")
	w.save("-api", "id", "7")
	is(t, "none is there", w.apply(m, w.options()), "store: api:  updated password")
	is(t, "it is there", w.apply(m, w.options()), "")
	// And a plan for a host counts with what is chosen.
	w.save("-api", "token", "t", "id", "7")
	w.host("gpu")
	m = w.manifest("secrets: {api: {values: {token: , password: {generate: hex}, id: {generate: hex}}, one_of: [token, password]}}\nbundles: {b: {secrets: [api]}}\nhosts: {g: {addresses: [gpu], bundles: [b]}}")
	is(t, "plan", w.plan(m, w.options()), "gpu: api: $id created\ngpu: api: $token created")
}

// What cannot be made is said of that secret, and stops no other.
func TestApplyCannotMake(t *testing.T) {
	w := newWorld(t)
	w.save("openai", "api_key", "sk-fake")
	m := w.manifest(`
secrets:
  openai: {values: {k: {generate: hex}}}
  typed: {values: {pin: {prompt: Pin}}}
  made: {values: {k: {generate: uuid}}}
`)
	opts := w.options()
	for want, ask := range map[string]func(string) (string, error){
		"pin has to be typed in, and there is no terminal to ask at": nil,
		"pin: no value was given":                                    func(string) (string, error) { return "", nil },
		errGone.Error():                                              func(string) (string, error) { return "half", errGone },
	} {
		opts.Ask = ask
		r, err := w.Apply(t.Context(), m, opts)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(say(r), "\n")
		if len(lines) < 2 || lines[0] != "store: openai:  failed: it is of the provider openai in the store" || lines[1] != "store: typed:  failed pin: "+want {
			t.Errorf("%q", lines)
		}
		if w.stored("typed") != "" || w.stored("made") == "" {
			t.Error("kept, or not made")
		}
		if r.Err() == nil {
			t.Error("no error")
		}
	}
}

// refusing is a store that takes nothing.
type refusing struct{ store.Store }

func (refusing) Put(context.Context, *secret.Secret, int) (int, error) { return 0, store.ErrDenied }

// A store that cannot be read stops all; one that cannot be written is said of the
// secret.
func TestApplyWithoutAStore(t *testing.T) {
	w := newWorld(t)
	w.host("gpu")
	st, err := w.Records.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return refusing{st}, nil }}
	contains(t, w.apply(w.manifest("secrets: {db: {values: {k: {generate: hex}}}}"), w.options()), "store: db:  failed k: permission denied")
	w.noStore()
	if r, err := w.Apply(t.Context(), w.manifest(making), w.options()); r != nil || !errors.Is(err, errGone) {
		t.Errorf("%v, %v", r, err)
	}
}

const keys = `
secrets: {aws: , openai: }
bundles:
  files: {files: [aws]}
  vars: {secrets: [openai]}
hosts:
  one: {addresses: [gpu, local], bundles: [files]}
  two: {addresses: ["gpu"], bundles: [vars, files]}
  named: {addresses: ["host:local"], bundles: [vars]}
`

// A machine of several groups gets the bundles of all, once. "local" is this machine,
// and a host of that name is another one.
func TestTargets(t *testing.T) {
	w := newWorld(t)
	w.aws("aws", "A")
	w.save("openai", "api_key", "sk-fake")
	gpu, named := w.host("gpu"), w.host("local")
	is(t, "apply", w.apply(w.manifest(keys), w.options()), `gpu: aws: ~/.aws/credentials created access_key,secret_key
gpu: openai: $OPENAI_API_KEY created
local: aws: ~/.aws/credentials created access_key,secret_key
host:local: openai: $OPENAI_API_KEY created`)
	contains(t, file(t, gpu, "/home/u/.aws/credentials"), "fake-A")
	contains(t, file(t, gpu, env), "sk-fake")
	contains(t, file(t, named, env), "sk-fake")
	if data, err := os.ReadFile(filepath.Join(w.home, ".aws", "credentials")); err != nil || !strings.Contains(string(data), "fake-A") {
		t.Errorf("%q, %v", data, err)
	}
}

const one = "secrets: {aws: {profile: prod}}\nbundles: {b: {files: [aws]}}\nhosts: {g: {addresses: [gpu], bundles: [b]}}"

// A rotation replaces what rhx put there; what somebody wrote by hand is a conflict, and
// stays until that is said. Another rhx of the same user knows that, too.
func TestThreeWay(t *testing.T) {
	w := newWorld(t)
	gpu := w.host("gpu")
	m := w.manifest(one)
	const path = "/home/u/.aws/credentials"
	w.aws("aws/prod", "A")
	is(t, "first", w.apply(m, w.options()), "gpu: aws: ~/.aws/credentials created access_key,secret_key")
	w.again()
	w.aws("aws/prod", "B")
	r, err := w.Plan(t.Context(), m, w.options())
	if err != nil {
		t.Fatal(err)
	}
	is(t, "rotation", say(r), "gpu: aws: ~/.aws/credentials updated access_key,secret_key")
	o := r.Outcomes()[0]
	if len(o.Was) != 2 || len(o.Is) != 2 || o.Was["secret_key"] == o.Is["secret_key"] || o.Was["secret_key"] == "" {
		t.Errorf("%v, %v", o.Was, o.Is)
	}
	w.apply(m, w.options())
	contains(t, file(t, gpu, path), "fake-B")

	w.again()
	gpu.PutFile(path, []byte(strings.ReplaceAll(file(t, gpu, path), "fake-B", "by-hand")), 0o600)
	const conflict = "gpu: aws: ~/.aws/credentials conflict secret_key: ~/.aws/credentials has other values for secret_key"
	is(t, "by hand", w.plan(m, w.options()), conflict)
	is(t, "by hand", w.apply(m, w.options()), conflict)
	contains(t, file(t, gpu, path), "by-hand")
	// A value that rhx never wrote is not its own because the key is.
	w.aws("aws/prod", "C")
	contains(t, w.plan(m, w.options()), "conflict access_key,secret_key")
	opts := w.options()
	opts.Overwrite = true
	is(t, "overwrite", w.apply(m, opts), "gpu: aws: ~/.aws/credentials updated access_key,secret_key")
	contains(t, file(t, gpu, path), "fake-C")
}

// The values of a text of the manifest are compared under its own name.
func TestThreeWayOfTexts(t *testing.T) {
	w := newWorld(t)
	gpu := w.host("gpu")
	hosts := "\nhosts: {g: {addresses: [gpu], bundles: [b]}}"
	is(t, "first", w.apply(w.manifest("bundles: {b: {env: {A: one, B: x}}}"+hosts), w.options()), "gpu: the bundle b: $A created\ngpu: the bundle b: $B created")
	w.again()
	two := w.manifest("bundles: {b: {env: {A: two, B: x}}}" + hosts)
	r, err := w.Apply(t.Context(), two, w.options())
	is(t, "changed", say(r), "gpu: the bundle b: $A updated\ngpu: the bundle b: $B unchanged")
	if o := r.Outcomes()[0]; err != nil || len(o.Was) != 1 || len(o.Is) != 1 || o.Was["A"] == o.Is["A"] {
		t.Errorf("%v, %v, %v", o.Was, o.Is, err)
	}
	gpu.PutFile(env, []byte(strings.Replace(file(t, gpu, env), "'two'", "'mine'", 1)), 0o600)
	three := w.manifest("bundles: {b: {env: {A: three, B: x}}}" + hosts)
	contains(t, w.apply(three, w.options()), "gpu: the bundle b: $A conflict A: ")
}

// undo of an apply brings back the files, and which values are rhx's.
func TestUndoOfAnApply(t *testing.T) {
	w := newWorld(t)
	gpu := w.host("gpu")
	m := w.manifest(one)
	w.aws("aws/prod", "A")
	w.apply(m, w.options())
	before := file(t, gpu, "/home/u/.aws/credentials")
	w.again()
	w.aws("aws/prod", "B")
	w.apply(m, w.options())
	w.again()
	last, err := w.Book.LastSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if undone, err := w.Book.Undo(t.Context(), last, w.fleet(), journal.UndoOptions{}); err != nil || len(undone) != 1 || undone[0].Err != nil {
		t.Fatalf("%+v, %v", undone, err)
	}
	is(t, "the file", file(t, gpu, "/home/u/.aws/credentials"), before)
	w.again()
	is(t, "its values are rhx's", w.plan(m, w.options()), "gpu: aws: ~/.aws/credentials updated access_key,secret_key")
}

// A host that cannot be reached is one error, with an outcome for each secret that it
// was to get; the others are done.
func TestApplyWithoutAHost(t *testing.T) {
	w := newWorld(t)
	w.aws("aws", "A")
	w.save("openai", "api_key", "sk-fake")
	w.host("gpu").Fail(errGone)
	w.host("local")
	var mu sync.Mutex
	var told []string
	opts := w.options()
	opts.Done = func(r session.Result) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, say(session.Report{r}))
	}
	const lost = `gpu as a whole: the connection is gone
gpu: aws:  failed: the connection is gone
gpu: openai:  failed: the connection is gone`
	r, err := w.Apply(t.Context(), w.manifest(keys), opts)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "apply", say(r), lost+`
local: aws: ~/.aws/credentials created access_key,secret_key
host:local: openai: $OPENAI_API_KEY created`)
	if !slices.Contains(told, lost) || len(told) != 3 {
		t.Errorf("%q", told)
	}
	if !slices.Equal(r.FailedAt(), []place.Place{place.Host("gpu")}) {
		t.Error(r.FailedAt())
	}
}

// Bundles that cannot be composed fail where they go, and nowhere else.
func TestApplyOfABrokenBundle(t *testing.T) {
	w := newWorld(t)
	w.save("openai", "api_key", "sk-fake")
	gpu := w.host("gpu")
	w.host("local")
	r, err := w.Apply(t.Context(), w.manifest(keys), w.options())
	if err != nil {
		t.Fatal(err)
	}
	is(t, "apply", say(r), `gpu: bundles files, vars:  failed: no secret "aws" in the store
local: bundles files:  failed: no secret "aws" in the store
host:local: openai: $OPENAI_API_KEY created`)
	if calls := gpu.Calls(); len(calls) != 0 {
		t.Errorf("%q", calls)
	}
}

// After an interrupt no machine is begun, also where a bundle is broken.
func TestInterruptedApply(t *testing.T) {
	w := newWorld(t)
	gpu := w.host("gpu")
	w.host("local")
	w.save("openai", "api_key", "sk-fake")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := w.Apply(ctx, w.manifest(keys), w.options())
	if err != nil || len(r) != 3 || len(gpu.Calls()) != 0 {
		t.Fatalf("%s, %v, %q", say(r), err, gpu.Calls())
	}
	for _, at := range r {
		if !errors.Is(at.Err, fleet.ErrInterrupted) {
			t.Errorf("%s: %v", at.At, at.Err)
		}
	}
}

// What a base secret lacks and apply does not make is an error of a plan, too.
func TestPlanOfASecretThatLacksAValue(t *testing.T) {
	w := newWorld(t)
	w.host("gpu")
	m := w.manifest("secrets: {db: {values: {a: {generate: hex}, b: }}}\nbundles: {b: {secrets: [db]}}\nhosts: {g: {addresses: [gpu], bundles: [b]}}")
	is(t, "plan", w.plan(m, w.options()), "store: db:  created a\ngpu: bundles b:  failed: db has no value for b in the store")
}

// Where it is not known what rhx wrote, a value counts as somebody else's, and that is
// said.
func TestApplyWithoutFingerprints(t *testing.T) {
	w := newWorld(t)
	gpu := w.host("gpu")
	m := w.manifest(one)
	w.aws("aws/prod", "A")
	w.apply(m, w.options())
	if err := os.WriteFile(fingerprint.Path(w.e.Dirs.State), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.again()
	w.aws("aws/prod", "B")
	var warned []string
	opts := w.options()
	opts.Warn = func(text string) { warned = append(warned, text) }
	// No fingerprint can be shown either, which is the error of the host.
	contains(t, w.plan(m, opts), "gpu as a whole: ")
	if len(warned) != 1 || !strings.HasPrefix(warned[0], "what rhx wrote last is not known, so it counts as somebody else's: ") {
		t.Errorf("%q", warned)
	}
	contains(t, w.plan(m, w.options()), "gpu as a whole: ") // nobody listens
	contains(t, file(t, gpu, "/home/u/.aws/credentials"), "fake-A")
}
