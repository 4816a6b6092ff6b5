package deliver_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

const credentials = "/home/u/.aws/credentials"

// What has a file goes there, the rest goes into the env file; with --env all of it.
func TestCompose(t *testing.T) {
	d, _ := newDeliverer(t)
	recs := []*store.Record{aws("aws", "A"), record("openai", "api_key", "sk-fake"), record("own", "TOKEN", "x"), record("nobody", "k", "v")}
	what := d.Compose(recs, false)
	var files, vars []string
	for _, rec := range what.Files {
		files = append(files, rec.Secret.Name)
	}
	for _, g := range what.Vars {
		vars = append(vars, g.Name)
	}
	is(t, "files", strings.Join(files, " "), "aws nobody")
	is(t, "variables", strings.Join(vars, " "), "openai own")
	is(t, "names", strings.Join(what.Names(), " "), "aws nobody openai own")
	if what := d.Compose(recs, true); len(what.Files) != 0 || len(what.Vars) != 4 {
		t.Errorf("with --env: %+v", what)
	}

	// A secret that goes both ways is named once, and has the values of both.
	what = deliver.Delivery{Files: recs[:1], Vars: d.Groups(recs[:2], true)}
	is(t, "names", strings.Join(what.Names(), " "), "aws openai")
	values := what.Values()
	is(t, "aws", strings.Join(values["aws"].Keys(), " "), "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY access_key secret_key")
	is(t, "openai", values["openai"]["OPENAI_API_KEY"].Reveal(), "sk-fake")
	is(t, "failed", say(what.Failed(gpu, errGone)), "aws:  failed: the connection is gone\nopenai:  failed: the connection is gone")
	if o := what.Failed(gpu, errGone)[0]; o.At != gpu {
		t.Errorf("%+v", o)
	}
}

// A new file, the same values again, other values, and other values that are wanted.
func TestDeliverFiles(t *testing.T) {
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	what := deliver.Delivery{Store: "local", Files: []*store.Record{aws("aws", "A"), aws("aws/prod", "B")}}
	out, err := d.Plan(t.Context(), gpu, m, what, deliver.Options{})
	created := "aws: ~/.aws/credentials created access_key,secret_key\naws/prod: ~/.aws/credentials created access_key,secret_key"
	is(t, "plan", say(out), created)
	if err != nil || fileOf(t, m, credentials) != "none" {
		t.Errorf("a plan wrote: %v", err)
	}
	out = send(t, d, b, gpu, m, what, deliver.Options{})
	is(t, "first", say(out), created)
	if out[0].At != gpu || out[0].Stored != "aws" || out[0].File != credentials {
		t.Errorf("%+v", out[0])
	}
	text := fileOf(t, m, credentials)
	contains(t, text, "[default]", "[prod]", "fake-A", "fake-B")
	if v, err := b.Seen(t.Context(), gpu, "aws/prod", "local"); v != 3 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	is(t, "again", say(send(t, d, b, gpu, m, what, deliver.Options{})), "aws: ~/.aws/credentials unchanged\naws/prod: ~/.aws/credentials unchanged")

	// The values of a conflict stay, and the other secret is done.
	what.Files = []*store.Record{aws("aws", "C"), aws("aws/new", "D")}
	refuse := &asks{answer: deliver.Keep}
	out = send(t, d, b, gpu, m, what, deliver.Options{Resolve: refuse.resolve})
	is(t, "conflict", say(out), "aws: ~/.aws/credentials conflict access_key,secret_key: ~/.aws/credentials has other values for access_key, secret_key\naws/new: ~/.aws/credentials updated access_key,secret_key")
	is(t, "asked", strings.Join(refuse.heard, "\n"), "gpu aws aws: ~/.aws/credentials has other values for access_key, secret_key")
	contains(t, fileOf(t, m, credentials), "fake-A", "fake-B", "fake-D")
	is(t, "nobody is asked", string(send(t, d, b, gpu, m, what, deliver.Options{})[0].Action), "conflict")
	is(t, "replaced", say(send(t, d, b, gpu, m, what, deliver.Options{Resolve: deliver.ReplaceAll})),
		"aws: ~/.aws/credentials updated access_key,secret_key\naws/new: ~/.aws/credentials unchanged")
	contains(t, fileOf(t, m, credentials), "fake-C")
}

// A secret without a version, as of a text of a manifest, has none on the machine.
func TestNoVersion(t *testing.T) {
	d, b := newDeliverer(t)
	rec := aws("aws", "A")
	rec.Version = 0
	b.Saw(t.Context(), gpu, map[string]session.Version{"aws": {Number: 7, Store: "local"}})
	send(t, d, b, gpu, machine.NewMemory("gpu"), deliver.Delivery{Store: "local", Files: []*store.Record{rec}}, deliver.Options{})
	if v, err := b.Seen(t.Context(), gpu, "aws", "local"); v != 7 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
}

// What cannot be done for one secret stops no other; what the machine as a whole cannot
// do is the error.
func TestOneFailsTheOthersDoNot(t *testing.T) {
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	out := send(t, d, b, gpu, m, deliver.Delivery{Files: []*store.Record{record("nobody", "k", "v"), record("openai", "api_key", "sk-fake"), record("own", "k", "v"), aws("aws", "A")}}, deliver.Options{})
	lines := strings.Split(say(out), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "nobody:  failed: ") || lines[3] != "aws: ~/.aws/credentials created access_key,secret_key" {
		t.Errorf("%q", lines)
	}
	for _, o := range out[1:3] {
		if !errors.Is(o.Err, deliver.ErrVariablesOnly) {
			t.Errorf("%+v", o)
		}
	}
	m.Fail(errGone)
	what := deliver.Delivery{Files: []*store.Record{aws("aws", "A")}}
	s := b.Begin("sync")
	defer s.End()
	if out, err := d.Deliver(t.Context(), s, gpu, m, what, deliver.Options{}); out != nil || !errors.Is(err, errGone) {
		t.Errorf("%v, %v", out, err)
	}
	if n := len(m.Calls()); n > 4 {
		t.Errorf("asked again where nothing can be had: %q", m.Calls())
	}
}

// half is a machine that can be read, and fails as a whole when something is written.
type half struct{ *machine.Memory }

func (*half) Write(context.Context, []machine.Change) ([]error, error) { return nil, errGone }

func TestWriteFailsAsAWhole(t *testing.T) {
	d, b := newDeliverer(t)
	s := b.Begin("sync")
	defer s.End()
	_, err := d.Deliver(t.Context(), s, gpu, &half{machine.NewMemory("gpu")}, deliver.Delivery{Files: []*store.Record{aws("aws", "A")}}, deliver.Options{})
	if !errors.Is(err, errGone) {
		t.Error(err)
	}
}

// After an interrupt a file that changed meanwhile is not tried again.
func TestNoOtherTryAfterAnInterrupt(t *testing.T) {
	d, b := newDeliverer(t)
	mem := machine.NewMemory("gpu")
	ctx, cancel := context.WithCancel(t.Context())
	writes := 0
	m := &busy{mem, 100, func(n int) {
		writes++
		cancel()
		mem.PutFile(credentials, []byte("[x"+strings.Repeat("x", n)+"]\nregion = here\n"), 0o600)
	}}
	s := b.Begin("sync")
	defer s.End()
	out, err := d.Deliver(ctx, s, gpu, m, deliver.Delivery{Files: []*store.Record{aws("aws", "A")}}, deliver.Options{})
	if err != nil || len(out) != 1 || !errors.Is(out[0].Err, machine.ErrChanged) || writes != 1 {
		t.Errorf("%v, %v, %d writes", say(out), err, writes)
	}
}

// Only what was changed meanwhile is tried again, the env file too; and what is lost
// while it is tried again leaves the outcomes of the first try.
func TestOtherTryOfAPart(t *testing.T) {
	d, b := newDeliverer(t)
	mem := machine.NewMemory("gpu")
	env := "/home/u/.config/rhx/env"
	m := &busy{mem, 1, func(int) { mem.PutFile(env, []byte("# theirs\nexport OTHER='1'\n"), 0o600) }}
	what := deliver.Delivery{Store: "local", Files: []*store.Record{aws("aws", "A")}, Vars: d.Groups([]*store.Record{record("openai", "api_key", "sk-fake")}, true)}
	is(t, "done", say(send(t, d, b, gpu, m, what, deliver.Options{})), "aws: ~/.aws/credentials created access_key,secret_key\nopenai: $OPENAI_API_KEY created")
	contains(t, fileOf(t, mem, env), "# theirs\n", "OTHER=", "OPENAI_API_KEY=")

	mem = machine.NewMemory("gpu")
	m = &busy{mem, 1, func(int) {
		mem.PutFile(env, []byte("export OTHER='1'\n"), 0o600)
		mem.FailRead(env, errGone)
	}}
	out := send(t, d, b, gpu, m, what, deliver.Options{})
	if len(out) != 2 || out[0].Err != nil || !errors.Is(out[1].Err, machine.ErrChanged) {
		t.Errorf("%s", say(out))
	}
}

// A secret goes to the file that is named, in the form that its ending says.
func TestToAFile(t *testing.T) {
	d, b := newDeliverer(t)
	for _, c := range []struct {
		rec     *store.Record
		to      string
		want    string
		content string
	}{
		{aws("aws", "A"), "~/creds", "aws: ~/creds created access_key,secret_key", "[default]\naws_access_key_id = AKIA" + "IOSFODNN7A\naws_secret_access_key = fake-A\n"},
		{aws("aws/prod", "A"), "~/x.JSON", "aws/prod: ~/x.JSON created access_key,secret_key", "{\n  \"access_key\": \"AKIA" + "IOSFODNN7A\",\n  \"secret_key\": \"fake-A\"\n}\n"},
		{aws("aws", "A"), "~/.env.local", "aws: ~/.env.local created AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7A\nAWS_SECRET_ACCESS_KEY=fake-A\n"},
		{aws("aws", "A"), "~/d/.env", "aws: ~/d/.env created AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7A\nAWS_SECRET_ACCESS_KEY=fake-A\n"},
		{record("openai", "api_key", "sk-fake"), "~/x.yml", "openai: ~/x.yml created api_key", "api_key: sk-fake\n"},
		{record("own", "token", "x"), "~/x.toml", "own: ~/x.toml created token", "token = \"x\"\n"},
		{record("own", "TOKEN", "x"), "~/x.env", "own: ~/x.env created TOKEN", "TOKEN=x\n"},
		// The provider's own form, where its files have that.
		{record("github", "oauth_token", "gho_fake", "user", "jane"), "~/x.yaml", "github: ~/x.yaml created oauth_token,user", "github.com:\n"},
		{record("openai", "api_key", "sk-fake"), "~/x.txt", "openai:  failed: cannot tell the format of /home/u/x.txt: its name should end in .json, .yaml, .toml, .tfvars or .env", "none"},
		{record("own", "*", "x"), "~/x.json", `own:  failed: the key "*" cannot be written to a file`, "none"},
		{record("own", "a{b", "x"), "~/x.json", `own:  failed: the key "a{b" cannot be written to a file`, "none"},
		{record("ssh/id", "private_key", "x"), "~/x.env", "ssh/id:  failed: ssh/id has no variables: SSH key pairs keeps it in files", "none"},
	} {
		m := machine.NewMemory("gpu")
		out := send(t, d, b, gpu, m, deliver.Delivery{Files: []*store.Record{c.rec}, Paths: map[string]string{c.rec.Secret.Name: c.to}}, deliver.Options{})
		is(t, c.to, say(out), c.want)
		file := strings.Replace(c.to, "~", "/home/u", 1)
		if got := fileOf(t, m, file); !strings.HasPrefix(got, c.content) {
			t.Errorf("%s:\n%s", file, got)
		}
		if c.content == "none" {
			continue
		}
		is(t, c.to+" again", string(send(t, d, b, gpu, m, deliver.Delivery{Files: []*store.Record{c.rec}, Paths: map[string]string{c.rec.Secret.Name: c.to}}, deliver.Options{})[0].Action), "unchanged")
	}
	out := send(t, d, b, gpu, machine.NewMemory("gpu"), deliver.Delivery{Files: []*store.Record{record("openai", "api_key", "sk-fake")}, Paths: map[string]string{"openai": "~/x"}}, deliver.Options{})
	if fault.KindOf(out[0].Err) != fault.Usage {
		t.Errorf("%v", out[0].Err)
	}
}

// A secret that was saved from a file of its own goes back there, unless that could be
// any file of any machine. That is said once.
func TestBackToItsOwnFile(t *testing.T) {
	for from, c := range map[string]struct{ goes, why string }{
		"~/proj/creds":        {"~/proj/creds", ""},
		"~/.aws/../x":         {"~/x", ""},
		"/etc/creds":          {"~/.aws/credentials", "which is not in the home folder"},
		"~/../other/creds":    {"~/.aws/credentials", "which is not in the home folder"},
		"~/..":                {"~/.aws/credentials", "which is not in the home folder"},
		"~//etc/creds":        {"~/.aws/credentials", "which is not in the home folder"},
		"~/.bashrc":           {"~/.aws/credentials", "reads"},
		"~/proj/.git/config":  {"~/.aws/credentials", "reads"},
		"~/x/../.profile":     {"~/.aws/credentials", "reads"},
		"~/.config/../.zshrc": {"~/.aws/credentials", "reads"},
	} {
		d, b := newDeliverer(t)
		rec := aws("aws", "A")
		rec.Secret.Sources = []secret.Source{
			{Kind: secret.SourceFile, Path: "~/.aws/credentials"}, {Kind: secret.SourceEnv, Var: "X", Own: true},
			{Kind: secret.SourceFile, Path: from, Own: true}, {Kind: secret.SourceFile, Path: "~/later", Own: true},
		}
		var said []string
		what := deliver.Delivery{Files: []*store.Record{rec}}
		out := send(t, d, b, gpu, machine.NewMemory("gpu"), what, deliver.Options{Warn: func(text string) { said = append(said, text) }})
		if len(out) != 1 || out[0].Source.Path != c.goes && from != "~/.aws/../x" || out[0].Action != provider.Created {
			t.Errorf("%s: %s", from, say(out))
		}
		if c.why == "" && len(said) != 0 || c.why != "" && (len(said) != 1 || !strings.HasPrefix(said[0], "aws was saved from "+from+", which ") || !strings.Contains(said[0], c.why)) {
			t.Errorf("%s: %q", from, said)
		}
		if c.why != "" { // nobody listens
			is(t, from, string(send(t, d, b, gpu, machine.NewMemory("gpu"), what, deliver.Options{})[0].Action), "created")
			// A path that the user names is written.
			what.Paths = map[string]string{"aws": "~/named"}
			is(t, from, send(t, d, b, gpu, machine.NewMemory("gpu"), what, deliver.Options{Warn: func(text string) { t.Error(text) }})[0].Source.Path, "~/named")
		}
	}
	if got := deliver.OwnPath(&aws("aws", "A").Secret); got != "" {
		t.Errorf("%q", got)
	}
}

// A machine with a role of its own for what a secret is for: that is said where the
// secret came to it, once, and for variables too.
func TestWarnOfARole(t *testing.T) {
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	m.SetEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/")
	m.SetEnv("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token")
	var said []string
	opts := deliver.Options{Warn: func(text string) { said = append(said, text) }}
	files := deliver.Delivery{Files: []*store.Record{aws("aws", "A"), record("github", "oauth_token", "gho_fake")}}
	send(t, d, b, gpu, m, files, opts)
	want := "gpu has a role of its own for Amazon Web Services ($AWS_CONTAINER_CREDENTIALS_FULL_URI is set there); programs may now use aws instead"
	is(t, "created", strings.Join(said, "\n"), want)
	said = nil
	send(t, d, b, gpu, m, files, opts)
	is(t, "unchanged", strings.Join(said, "\n"), "")
	files.Files[0] = aws("aws", "B")
	opts.Resolve = deliver.ReplaceAll
	send(t, d, b, gpu, m, files, opts)
	is(t, "updated", strings.Join(said, "\n"), want)
	said = nil
	vars := deliver.Delivery{Vars: d.Groups([]*store.Record{aws("aws", "A")}, true)}
	send(t, d, b, gpu, m, vars, opts)
	is(t, "variables", strings.Join(said, "\n"), want)
	// Nobody listens.
	send(t, d, b, gpu, m, deliver.Delivery{Files: []*store.Record{aws("aws/x", "B")}}, deliver.Options{})
}

// Contexts of a kubeconfig that share a user: a question names those that would change
// too, but not those that come along; and ReplaceAll is no yes for others.
func TestOthersOfAConflict(t *testing.T) {
	context := func(name, token string) *store.Record {
		return record("kubernetes/"+name, "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"https://k"}`, "user", `{"token":"`+token+`"}`)
	}
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	send(t, d, b, gpu, m, deliver.Delivery{Files: []*store.Record{context("a", "old"), context("b", "old"), context("c", "old")}}, deliver.Options{})
	what := deliver.Delivery{Files: []*store.Record{context("a", "new"), context("b", "new")}}
	refuse := &asks{answer: deliver.Keep}
	send(t, d, b, gpu, m, what, deliver.Options{Resolve: refuse.resolve})
	if len(refuse.heard) == 0 || !strings.HasSuffix(refuse.heard[0], "which kubernetes/c would get, too") {
		t.Errorf("%q", refuse.heard)
	}
	is(t, "not for others", string(send(t, d, b, gpu, m, what, deliver.Options{Resolve: deliver.ReplaceAll})[0].Action), "conflict")
	what.Files = append(what.Files, context("c", "new"))
	is(t, "all come along", string(send(t, d, b, gpu, m, what, deliver.Options{Resolve: deliver.ReplaceAll})[0].Action), "updated")
	contains(t, fileOf(t, m, "/home/u/.kube/config"), "token: new")
}

// A value that has a tool run a program is written only where that is said.
func TestUnsafe(t *testing.T) {
	d, b := newDeliverer(t)
	rec := record("kubernetes/a", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"https://k"}`, "user", `{"tokenFile":"/etc/shadow"}`)
	what := deliver.Delivery{Files: []*store.Record{rec}}
	if out := send(t, d, b, gpu, machine.NewMemory("gpu"), what, deliver.Options{}); !errors.Is(out[0].Err, provider.ErrUnsafe) {
		t.Error(say(out))
	}
	is(t, "unsafe", string(send(t, d, b, gpu, machine.NewMemory("gpu"), what, deliver.Options{Unsafe: true})[0].Action), "created")
}

// By which spec a file was written, and with which values.
func TestSpecAt(t *testing.T) {
	d, _ := newDeliverer(t)
	sp, err := d.Specs.Get("aws")
	if err != nil {
		t.Fatal(err)
	}
	sec := &aws("aws/prod", "A").Secret
	if got, values, err := deliver.SpecAt(sp, sec, "~/.aws/credentials"); got != sp || values != sec || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	got, values, err := deliver.SpecAt(sp, sec, "~/x.env")
	if err != nil || got == sp || values.Profile != "" || !slices.Equal(values.Values.Keys(), []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}) {
		t.Errorf("%+v, %v", values, err)
	}
	if _, _, err := deliver.SpecAt(nil, sec, ""); !errors.Is(err, deliver.ErrVariablesOnly) {
		t.Error(err)
	}
}
