package exchange_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

var gpu = place.Host("gpu")

// syncTo brings secrets to one host.
func (h *house) syncTo(t *testing.T, m machine.Machine, opts exchange.SyncOptions) session.Report {
	t.Helper()
	opts.Fleet = fleet.Fleet{Open: func(place.Place) machine.Machine { return m }}
	return must(h.Exchange.Sync(ctx, []place.Place{gpu}, opts))(t)
}

// Files, variables, one file that is named, a bundle beside; and what differs stays
// unless that is wanted.
func TestSyncWhatGoesWhere(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "openai", "api_key", sk)
	m := machine.NewMemory("gpu")
	names := []string{"aws", "openai"}
	const env = ".config/rhx/env"
	same(t, "dry run", loaded(h.syncTo(t, m, exchange.SyncOptions{Names: names, DryRun: true}).Outcomes()), `
gpu aws ~/.aws/credentials created access_key,secret_key
gpu openai $OPENAI_API_KEY created`)
	if content(m, ".aws/credentials") != "(none)" || len(must(h.Book.Events())(t)) != 0 {
		t.Error("a dry run wrote")
	}
	h.syncTo(t, m, exchange.SyncOptions{Names: names})
	if !strings.Contains(content(m, env), sk) || !strings.Contains(content(m, ".aws/credentials"), akia) {
		t.Error(content(m, env))
	}
	other := &session.Book{Dirs: h.Book.Dirs, Local: h.Book.Local, Keys: h.Book.Keys}
	if v := must(other.Seen(ctx, gpu, "aws", "local"))(t); v != 1 {
		t.Errorf("version %d", v)
	}
	same(t, "--env", loaded(h.syncTo(t, m, exchange.SyncOptions{Names: []string{"aws"}, Env: true}).Outcomes()), "gpu aws $AWS_ACCESS_KEY_ID created\ngpu aws $AWS_SECRET_ACCESS_KEY created")
	same(t, "--to", loaded(h.syncTo(t, m, exchange.SyncOptions{Names: []string{"openai"}, To: "~/x.json"}).Outcomes()), "gpu openai ~/x.json created api_key")
	keep(t, h, "aws", "access_key", akia, "secret_key", "new")
	same(t, "another value", loaded(h.syncTo(t, m, exchange.SyncOptions{Names: []string{"aws"}}).Outcomes()), "gpu aws ~/.aws/credentials conflict secret_key: ~/.aws/credentials has other values for secret_key")
	same(t, "overwrite", loaded(h.syncTo(t, m, exchange.SyncOptions{Names: []string{"aws"}, Overwrite: true}).Outcomes()), "gpu aws ~/.aws/credentials updated secret_key")

	rec := must(h.Records.Get(ctx, "aws", 0))(t)
	rec.Secret.Name = "mine"
	b := &deliver.Delivery{Files: []*store.Record{rec}, Paths: map[string]string{"mine": "~/b"},
		Vars: []deliver.Group{{Name: "text", Vars: []bundle.Var{{Name: "T", Value: secret.NewValue("t")}}}}}
	same(t, "a bundle", loaded(h.syncTo(t, m, exchange.SyncOptions{Names: []string{"openai"}, Bundle: b}).Outcomes()), `
gpu mine ~/b created access_key,secret_key
gpu openai $OPENAI_API_KEY unchanged
gpu text $T created`)
	m.Fail(errors.New("no route to host"))
	same(t, "away", loaded(h.syncTo(t, m, exchange.SyncOptions{Names: []string{"openai"}, Bundle: b, DryRun: true}).Outcomes()), `
gpu mine  failed: no route to host
gpu openai  failed: no route to host
gpu text  failed: no route to host`)
	if _, err := h.Exchange.Sync(ctx, []place.Place{gpu}, exchange.SyncOptions{Names: []string{"nope"}}); err == nil {
		t.Error("a secret that is not stored is no error")
	}
}

// A value that has a tool run programs goes only where that is said.
func TestSyncUnsafe(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "kubernetes/k", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"https://k"}`, "user", `{"tokenFile":"/x"}`)
	m := machine.NewMemory("gpu")
	if out := h.syncTo(t, m, exchange.SyncOptions{Names: []string{"kubernetes/k"}}).Outcomes(); out[0].Err == nil {
		t.Error(loaded(out))
	}
	if out := h.syncTo(t, m, exchange.SyncOptions{Names: []string{"kubernetes/k"}, Unsafe: true}).Outcomes(); out[0].Err != nil {
		t.Error(loaded(out))
	}
}

// wrapping is a store that gives tokens.
type wrapping struct{ store.Store }

func (wrapping) Wrap(_ context.Context, name string, ttl time.Duration) (secret.Value, error) {
	if name == "nope" {
		return secret.Value{}, store.ErrNotFound
	}
	return secret.NewValue("hvs.FAKE-" + ttl.String()), nil
}

func (wrapping) WrapText(context.Context, secret.Value, time.Duration) (secret.Value, error) {
	return secret.Value{}, errors.New("not this way")
}

func (wrapping) Reach() (map[string]string, error) { return nil, nil }

// rhxThere is a host with rhx, which says that all is done.
type rhxThere struct {
	*machine.Memory
	stdin string
}

func (r *rhxThere) Run(_ context.Context, spec machine.RunSpec) (int, error) {
	if spec.Stdin == nil {
		_, err := io.WriteString(spec.Stdout, "rhx\n")
		return 0, err
	}
	data, err := io.ReadAll(spec.Stdin)
	r.stdin += string(data)
	if err == nil {
		_, err = io.WriteString(spec.Stdout, `[{"secret":"aws","path":"~/.aws/credentials","action":"created"}]`)
	}
	return 0, err
}

// With wrapping tokens a host gets a token for each secret, and no value.
func TestSyncByTokens(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	if _, err := h.Exchange.Sync(ctx, []place.Place{gpu}, exchange.SyncOptions{Names: []string{"aws"}, Wrap: time.Minute}); !usage(err) {
		t.Errorf("a store without tokens: %v", err)
	}
	h.useStore(wrapping{must(h.Records.Store(ctx))(t)}, nil)
	m := &rhxThere{Memory: machine.NewMemory("gpu")}
	opts := exchange.SyncOptions{Names: []string{"aws", "nope"}, Wrap: time.Minute}
	same(t, "tokens", loaded(h.syncTo(t, m, opts).Outcomes()), `
gpu nope  failed: no secret "nope" in the local store
gpu aws ~/.aws/credentials created`)
	if m.stdin != "hvs.FAKE-1m0s \"aws\"\n" {
		t.Errorf("%q", m.stdin)
	}
	if events := must(h.Book.Events())(t); len(events) != 2 {
		t.Errorf("%+v", events)
	}
	opts.DryRun = true
	h.syncTo(t, m, opts)
	if events := must(h.Book.Events())(t); len(events) != 2 {
		t.Errorf("a dry run is in the log: %+v", events)
	}
	// Where a host is away, each secret is named.
	same(t, "away", loaded(h.syncTo(t, machine.NewMemory("gpu"), opts).Outcomes()), "gpu aws  failed: this machine runs no commands\ngpu nope  failed: this machine runs no commands")
	h.noStore()
	if _, err := h.Exchange.Sync(ctx, []place.Place{gpu}, opts); !errors.Is(err, errSealed) {
		t.Error(err)
	}
}

// Records that are at hand are loaded without the store, and no version is noted.
func TestLoadRecords(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	rec := must(h.Records.Get(ctx, "aws", 0))(t)
	h.noStore()
	opts := exchange.LoadOptions{Records: []*store.Record{rec}}
	same(t, "loaded", loaded(must(h.Exchange.Load(ctx, place.Here, m, opts))(t)), "local aws ~/.aws/credentials created access_key,secret_key")
	if v := must(h.Book.Seen(ctx, place.Here, "aws", "local"))(t); v != 0 {
		t.Errorf("version %d", v)
	}
	if out, err := h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{All: true}); out != nil || !errors.Is(err, errSealed) {
		t.Errorf("%v, %v", out, err)
	}
	m.Fail(errors.New("gone"))
	opts.DryRun = true
	if out, err := h.Exchange.Load(ctx, place.Here, m, opts); out != nil || err == nil {
		t.Errorf("%v, %v", out, err)
	}
}

// A load is of the store's version, and what it noted is there when it ends.
func TestLoadNotesTheVersion(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{All: true}))(t)
	other := &session.Book{Dirs: h.Book.Dirs, Local: h.Book.Local, Keys: h.Book.Keys}
	if v := must(other.Seen(ctx, place.Here, "aws", "local"))(t); v != 1 {
		t.Errorf("version %d", v)
	}
}
