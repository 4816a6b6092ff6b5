package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// wrapper is a store that wraps, with one secret that it does not have and one that
// it refuses.
type wrapper struct {
	store.Store
	mu      sync.Mutex
	wrapped []string
	reach   error
}

func (w *wrapper) Wrap(ctx context.Context, name string, ttl time.Duration) (secret.Value, error) {
	switch name {
	case "gone":
		return secret.Value{}, fmt.Errorf("read %s: %w", name, store.ErrNotFound)
	case "denied":
		return secret.Value{}, store.ErrDenied
	}
	return w.WrapText(ctx, secret.NewValue(name), ttl)
}

func (w *wrapper) WrapText(_ context.Context, text secret.Value, ttl time.Duration) (secret.Value, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrapped = append(w.wrapped, text.Reveal()+" for "+ttl.String())
	return secret.NewValue("hvs.FAKE-" + fmt.Sprint(len(w.wrapped))), nil
}

func (w *wrapper) Reach() (map[string]string, error) {
	return map[string]string{"VAULT_ADDR": "https://vault.test"}, w.reach
}

// shell is a machine in memory that says what programs it has, and runs rhx by a
// function.
type shell struct {
	*machine.Memory
	has  string
	rhx  func(spec machine.RunSpec, stdin string) int
	runs []machine.RunSpec
	lost error
	// fetched are the texts that WriteVia was handed the way to, and fetch its error.
	fetched []machine.Fetch
	fetch   error
}

func (s *shell) Run(_ context.Context, spec machine.RunSpec) (int, error) {
	s.runs = append(s.runs, spec)
	if len(s.runs) == 1 {
		_, _ = io.WriteString(spec.Stdout, s.has)
		return 0, nil
	}
	stdin, err := io.ReadAll(spec.Stdin)
	if err != nil {
		return 0, err
	}
	return s.rhx(spec, string(stdin)), s.lost
}

func (s *shell) WriteVia(ctx context.Context, changes []machine.Change, hand func([]byte) (machine.Fetch, error)) ([]error, error) {
	f, err := hand([]byte("the script"))
	if err != nil {
		return nil, err
	}
	s.fetched = append(s.fetched, f)
	if s.fetch != nil {
		return make([]error, len(changes)), s.fetch
	}
	return s.Memory.Write(ctx, changes)
}

// answers runs a rhx that prints a text.
func answers(status int, out, said string) func(machine.RunSpec, string) int {
	return func(spec machine.RunSpec, _ string) int {
		_, _ = io.WriteString(spec.Stdout, out)
		_, _ = io.WriteString(spec.Stderr, said)
		return status
	}
}

func byToken(t *testing.T, b deliver.ByToken) (*deliver.ByToken, *wrapper) {
	t.Helper()
	d, _ := newDeliverer(t)
	w := &wrapper{}
	b.Deliverer, b.TTL = d, time.Minute
	b.Missing = func(_ context.Context, name string) error { return errors.New("no secret " + name) }
	out, err := deliver.NewByToken(w, b)
	if err != nil {
		t.Fatal(err)
	}
	return out, w
}

// Only a store that wraps, and says where it is, can send tokens.
func TestNewByToken(t *testing.T) {
	if b, err := deliver.NewByToken(agestore.Open(agestore.Options{Dir: t.TempDir()}), deliver.ByToken{}); b != nil || fault.KindOf(err) != fault.Usage || fault.Hint(err) == "" {
		t.Errorf("%v, %v", b, err)
	}
	if b, err := deliver.NewByToken(&wrapper{reach: errGone}, deliver.ByToken{}); b != nil || !errors.Is(err, errGone) {
		t.Errorf("%v, %v", b, err)
	}
}

// A host with rhx gets a token for each secret, on stdin, and its rhx says what it did.
// No token is in an argument.
func TestTokensToRhx(t *testing.T) {
	var warned []string
	b, w := byToken(t, deliver.ByToken{Names: []string{"aws", "gone", "openai", "denied", "mute"}, Warn: func(text string) { warned = append(warned, text) }})
	m := &shell{Memory: machine.NewMemory("gpu"), has: "rhx\n"}
	m.rhx = func(spec machine.RunSpec, stdin string) int {
		if n := strings.Count(stdin, "\n"); n != 3 || !strings.Contains(stdin, ` "openai"`) {
			t.Errorf("stdin: %q", stdin)
		}
		return answers(1, `[{"secret":"aws","path":"~/.aws/credentials","action":"created","keys":["access_key"]},
			{"secret":"openai","var":"OPENAI_API_KEY","action":"conflict","error":"other\u001b values"},
			{"secret":"stranger","path":"~/x","action":"created"}]`, "rhx: warning: look\x07 out\nrhx: more\n")(spec, stdin)
	}
	_, book := newDeliverer(t)
	out, err := b.Deliver(t.Context(), book.Begin("sync"), gpu, m)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "outcomes", say(out), `gone:  failed: no secret gone
denied:  failed: permission denied by the store
aws: ~/.aws/credentials created access_key
openai: $OPENAI_API_KEY conflict: other values
mute:  failed: the rhx there does not say what became of it`)
	for _, o := range out {
		if o.At != gpu {
			t.Errorf("%+v", o)
		}
	}
	is(t, "warnings", strings.Join(warned, "\n"), "gpu: look out")
	slices.Sort(w.wrapped)
	is(t, "wrapped", strings.Join(w.wrapped, ", "), "aws for 1m0s, mute for 1m0s, openai for 1m0s")
	run := m.runs[1]
	is(t, "arguments", strings.Join(run.Argv[3:], " "), "rhx load --wrapped - -o json --no-input")
	if !slices.Equal(run.Env, []machine.Var{{Name: "VAULT_ADDR", Value: "https://vault.test"}}) {
		t.Errorf("%+v", run.Env)
	}
	if events, err := book.Events(); err != nil || len(events) != 5 || events[0].Machine != "gpu" {
		t.Errorf("%+v, %v", events, err)
	}
}

// What is wanted of the host's rhx is in its arguments; where it knows its Vault, it is
// told nothing of ours. A plan notes nothing.
func TestOptionsOfTheRhxThere(t *testing.T) {
	b, _ := byToken(t, deliver.ByToken{Names: []string{"aws"}, Env: true, Overwrite: true})
	m := &shell{Memory: machine.NewMemory("gpu"), has: "addr\nrhx\n", rhx: answers(0, `[{"secret":"aws","var":"A","action":"created"}]`, "rhx: warning: nobody hears this\n")}
	out, err := b.Deliver(t.Context(), nil, gpu, m)
	is(t, "plan", say(out), "aws: $A created")
	if run := m.runs[1]; err != nil || !slices.Equal(run.Argv[9:], []string{"--no-input", "--env", "--overwrite", "--dry-run"}) || len(run.Env) != 0 {
		t.Errorf("%q, %v, %v", run.Argv, run.Env, err)
	}
}

// Where the store gives no token, the host's rhx is not run.
func TestNoToken(t *testing.T) {
	b, _ := byToken(t, deliver.ByToken{Names: []string{"gone"}})
	m := &shell{Memory: machine.NewMemory("gpu"), has: "rhx\n", rhx: answers(0, `[]`, "")}
	out, err := b.Deliver(t.Context(), nil, gpu, m)
	is(t, "outcome", say(out), "gone:  failed: no secret gone")
	if err != nil || len(m.runs) != 1 {
		t.Errorf("%d runs, %v", len(m.runs), err)
	}
}

// An answer that is none is an error that says what the rhx there said.
func TestRhxThereFails(t *testing.T) {
	for _, c := range []struct{ said, want, hint string }{
		{`{"error":"the wrapping token has expired","hint":"log\u001b[2J in"}`, "gpu: the rhx there ended with status 3: the wrapping token has expired", "log [2J in"},
		{"sh: rhx: not\nfound\x1b\n", "gpu: the rhx there ended with status 3: sh: rhx: not found", ""},
		{`{"error":""}`, `gpu: the rhx there ended with status 3: {"error":""}`, ""},
	} {
		b, _ := byToken(t, deliver.ByToken{Names: []string{"aws"}})
		m := &shell{Memory: machine.NewMemory("gpu"), has: "rhx\n", rhx: answers(3, "", c.said)}
		out, err := b.Deliver(t.Context(), nil, gpu, m)
		if out != nil || err == nil || err.Error() != c.want || fault.Hint(err) != c.hint {
			t.Errorf("%v, %v, %q", out, err, fault.Hint(err))
		}
	}
	b, _ := byToken(t, deliver.ByToken{Names: []string{"aws"}})
	m := &shell{Memory: machine.NewMemory("gpu"), has: "rhx\n", rhx: answers(0, `[]`, ""), lost: errGone}
	if out, err := b.Deliver(t.Context(), nil, gpu, m); out != nil || !errors.Is(err, errGone) {
		t.Errorf("%v, %v", out, err)
	}
}

// What the rhx there says is known again: an intercepted token, and a secret that has
// no file. An outcome that rhx does not have counts as failed.
func TestOutcomesOfTheRhxThere(t *testing.T) {
	b, _ := byToken(t, deliver.ByToken{Names: []string{"a", "b", "c", "d", "e"}})
	m := &shell{Memory: machine.NewMemory("gpu"), has: "rhx\n", rhx: answers(1, `[
		{"secret":"a","action":"failed","error":"x: the wrapping token was used already, has expired, or is another one: it may have been intercepted"},
		{"secret":"b","action":"failed","error":"it has variables only, no file"},
		{"secret":"c","action":"celebrated"}, {"secret":"d","action":"updated","keys":["a\u0007b"]}, {"secret":"e","action":"unchanged","error":"but"}]`, "")}
	out, err := b.Deliver(t.Context(), nil, gpu, m)
	if err != nil || len(out) != 5 {
		t.Fatal(say(out), err)
	}
	if !errors.Is(out[0].Err, store.ErrIntercepted) || fault.Hint(out[0].Err) == "" || out[1].Err == nil || !errors.Is(out[1].Err, deliver.ErrVariablesOnly) || errors.Is(out[2].Err, store.ErrIntercepted) {
		t.Error(say(out))
	}
	if out[2].Action != "failed" || out[2].Err == nil || out[3].Action != "updated" || out[3].Err != nil || out[3].Keys[0] != "a b" || out[4].Err == nil {
		t.Error(say(out))
	}
}

// A host with the vault command alone has that fetch what is to be written there.
func TestTokensToVault(t *testing.T) {
	recs := []*store.Record{aws("aws", "A"), record("openai", "api_key", "sk-fake")}
	b, w := byToken(t, deliver.ByToken{Records: func() ([]*store.Record, error) { return recs[:1], nil }})
	m := &shell{Memory: machine.NewMemory("gpu"), has: "vault\n"}
	_, book := newDeliverer(t)
	s := book.BeginFinal("sync")
	out, err := b.Deliver(t.Context(), s, gpu, m)
	is(t, "files", say(out), "aws: ~/.aws/credentials created access_key,secret_key")
	if err != nil || len(w.wrapped) != 1 || w.wrapped[0] != "the script for 1m0s" {
		t.Errorf("%q, %v", w.wrapped, err)
	}
	f := m.fetched[0]
	if !strings.HasSuffix(f.Command, "vault unwrap -field=contents") || !slices.Equal(f.Env, []machine.Var{{Name: "VAULT_ADDR", Value: "https://vault.test"}, {Name: "VAULT_TOKEN", Value: "hvs.FAKE-1"}}) {
		t.Errorf("%+v", f)
	}

	b.Env, b.Records = true, func() ([]*store.Record, error) { return recs, nil }
	m = &shell{Memory: machine.NewMemory("gpu"), has: "vault\n"}
	m.PutFile(envFile, []byte("export OPENAI_API_KEY='old'\n"), 0o600)
	out, err = b.Deliver(t.Context(), s, gpu, m)
	if err != nil || len(out) != 3 || out[0].Source.Var != "AWS_ACCESS_KEY_ID" || out[2].Action != "conflict" {
		t.Errorf("%s, %v", say(out), err)
	}
	b.Overwrite = true
	m = &shell{Memory: m.Memory, has: "vault\n"}
	if out, err = b.Deliver(t.Context(), s, gpu, m); err != nil || len(out) != 3 || out[2].Action != "updated" {
		t.Errorf("%s, %v", say(out), err)
	}
	s.End()
	b.Records = func() ([]*store.Record, error) { return nil, errGone }
	if out, err := b.Deliver(t.Context(), nil, gpu, &shell{Memory: machine.NewMemory("gpu"), has: "vault\n"}); out != nil || !errors.Is(err, errGone) {
		t.Errorf("%v, %v", out, err)
	}
}

// A token that is not valid there, or another text, stops all: that may be an attack.
func TestInterceptedOnTheWay(t *testing.T) {
	for _, c := range []struct {
		fetch error
		is    error
		hint  string
	}{
		{fmt.Errorf("%w: wrapping token is not valid or does not exist", machine.ErrNotFetched), store.ErrIntercepted, "if nobody you know of used it"},
		{fmt.Errorf("%w: vault: not found", machine.ErrNotFetched), machine.ErrNotFetched, ""},
		{machine.ErrAltered, machine.ErrAltered, "none of it was run"},
	} {
		b, _ := byToken(t, deliver.ByToken{Records: func() ([]*store.Record, error) { return []*store.Record{aws("aws", "A")}, nil }})
		_, book := newDeliverer(t)
		s := book.BeginFinal("sync")
		out, err := b.Deliver(t.Context(), s, gpu, &shell{Memory: machine.NewMemory("gpu"), has: "vault\n", fetch: c.fetch})
		s.End()
		if c.hint == "" {
			// The outcome of each change is known.
			if err != nil || len(out) != 1 {
				t.Errorf("%s, %v", say(out), err)
			}
			continue
		}
		if !errors.Is(err, c.is) || !strings.HasPrefix(fault.Hint(err), c.hint) {
			t.Errorf("%v: %v, %q", c.fetch, err, fault.Hint(err))
		}
	}
}

// fetchless is a machine that runs commands, and nothing else.
type fetchless struct{ machine.Machine }

func (f fetchless) Run(ctx context.Context, spec machine.RunSpec) (int, error) {
	return f.Machine.(*shell).Run(ctx, spec)
}

type broken struct{ *machine.Memory }

func (broken) Run(context.Context, machine.RunSpec) (int, error) { return 0, errGone }

// Hosts to which a token is of no use.
func TestHostsWithoutTokens(t *testing.T) {
	b, _ := byToken(t, deliver.ByToken{Names: []string{"aws"}, Records: func() ([]*store.Record, error) { return nil, nil }})
	nothing := func(at place.Place, m machine.Machine) ([]session.Outcome, error) {
		return b.Deliver(t.Context(), nil, at, m)
	}
	for _, m := range []machine.Machine{&shell{Memory: machine.NewMemory("gpu"), has: "addr\n"}, fetchless{&shell{Memory: machine.NewMemory("gpu"), has: "vault\n"}}} {
		if out, err := nothing(gpu, m); out != nil || err == nil || !strings.HasPrefix(err.Error(), "gpu: neither rhx nor vault is there") || fault.Hint(err) == "" {
			t.Errorf("%v, %v", out, err)
		}
	}
	if out, err := nothing(gpu, machine.NewMemory("gpu")); out != nil || err == nil || !strings.Contains(err.Error(), "runs no commands") {
		t.Errorf("%v, %v", out, err)
	}
	if out, err := nothing(gpu, broken{machine.NewMemory("gpu")}); out != nil || !errors.Is(err, errGone) {
		t.Errorf("%v, %v", out, err)
	}
}

func TestParseTokens(t *testing.T) {
	tokens, err := deliver.ParseTokens([]byte("\n hvs.FAKE1 \r\n\nhvs.FAKE2 \"aws/prod\"\n"))
	if err != nil || len(tokens) != 2 || tokens[0].Name != "" || tokens[0].Token.Reveal() != "hvs.FAKE1" || tokens[1].Name != "aws/prod" {
		t.Errorf("%+v, %v", tokens, err)
	}
	for text, want := range map[string]string{
		"":                   "there is no wrapping token",
		"\n \n":              "there is no wrapping token",
		"a\nb c":             "line 2 is no wrapping token",
		"a \"x":              "line 1 is no wrapping token",
		"a \"\"":             "line 1 is no wrapping token",
		"a \"..\"":           "line 1 is no wrapping token",
		"a\tb":               "line 1 is no wrapping token",
		"a\x7f":              "line 1 is no wrapping token",
		"\n\nhvs.F\u00e4KE ": "line 3 is no wrapping token",
	} {
		if tokens, err := deliver.ParseTokens([]byte(text)); tokens != nil || err == nil || err.Error() != want || fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v, %v", text, tokens, err)
		}
	}
}

// What a host says is cut, and has no character that a terminal obeys.
func TestLongAnswers(t *testing.T) {
	b, _ := byToken(t, deliver.ByToken{Names: []string{"aws"}})
	m := &shell{Memory: machine.NewMemory("gpu"), has: "rhx\n", rhx: answers(1, "", strings.Repeat("é\x7f\u0085\u00a1", 1000))}
	_, err := b.Deliver(t.Context(), nil, gpu, m)
	text := err.Error()
	if len(text) > 560 || !strings.HasSuffix(text, "…") || strings.ContainsAny(text, "\x7f\u0085\ufffd") || !strings.Contains(text, "é \u00a1") {
		t.Errorf("%q", text)
	}
}
