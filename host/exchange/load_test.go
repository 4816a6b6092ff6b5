package exchange_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
)

func TestLoad(t *testing.T) {
	h, m := newHost(t, "spec: 1\nname: mine\nvalues: {token: {}}\nfiles: [{path: ~/mine.json, format: json, keys: {token: a.t}}]\n")
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "aws/prod", "access_key", akia2, "secret_key", awsKey2)
	keep(t, h, "mine", "token", "t")
	keep(t, h, "openai", "api_key", sk)
	keep(t, h, "db", "user", "u")
	before := "# c\n" + awsFile("prod", akia2, "OLD")
	m.PutFile(home+".aws/credentials", []byte(before), 0o600)

	opts := exchange.LoadOptions{Names: []string{"aws", "aws/prod", "mine"}, DryRun: true}
	want := `
local aws ~/.aws/credentials updated access_key,secret_key
local aws/prod ~/.aws/credentials conflict secret_key: ~/.aws/credentials has other values for secret_key
local mine ~/mine.json created token`
	same(t, "dry run", loaded(must(h.Exchange.Load(ctx, place.Here, m, opts))(t)), want)
	if content(m, ".aws/credentials") != before || content(m, "mine.json") != "(none)" {
		t.Error("a dry run writes")
	}
	opts.DryRun = false
	calls := len(m.Calls())
	same(t, "load", loaded(must(h.Exchange.Load(ctx, place.Here, m, opts))(t)), want)
	same(t, "round trips", strings.Join(m.Calls()[calls:], " "), "info read write")
	same(t, "file", content(m, ".aws/credentials"), before+"\n"+awsFile("default", akia, awsKey))

	// A yes at the question replaces; it is asked for what differs only.
	var asked []string
	opts.Resolve = func(c deliver.Conflict) deliver.Decision {
		asked = append(asked, c.Secret+" "+c.Error())
		return deliver.Replace
	}
	same(t, "confirmed", loaded(must(h.Exchange.Load(ctx, place.Here, m, opts))(t)), `
local aws ~/.aws/credentials unchanged
local aws/prod ~/.aws/credentials updated secret_key
local mine ~/mine.json unchanged`)
	same(t, "asked", strings.Join(asked, "\n"), "aws/prod ~/.aws/credentials has other values for secret_key")
	calls = len(m.Calls())
	must(h.Exchange.Load(ctx, place.Here, m, opts))(t)
	same(t, "round trips when all is there", strings.Join(m.Calls()[calls:], " "), "info read")

	same(t, "everything", loaded(must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{All: true}))(t)), `
local aws ~/.aws/credentials unchanged
local aws/prod ~/.aws/credentials unchanged
local db  failed: it has variables only, no file
local mine ~/mine.json unchanged
local openai  failed: it has variables only, no file`)
	if list := must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"openai"}}))(t); !errors.Is(list[0].Err, deliver.ErrVariablesOnly) {
		t.Error(list[0].Err)
	}
	if _, err := h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"nope"}}); err == nil {
		t.Error("a secret that is not stored is no error")
	}
}

// A write that fails is told of the secrets that it was for, and of no other.
func TestLoadWriteFails(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "aws/prod", "access_key", akia2, "secret_key", awsKey2)
	keep(t, h, "lambda", "api_key", "k")
	m.PutFile(home+".aws/credentials", []byte(awsFile("prod", akia2, awsKey2)), 0o600)
	m.FailWrite(home+".aws/credentials", errors.New("no space left on device"))
	opts := exchange.LoadOptions{All: true}
	same(t, "loaded", loaded(must(h.Exchange.Load(ctx, place.Here, m, opts))(t)), `
local aws ~/.aws/credentials failed access_key,secret_key: write /home/u/.aws/credentials: no space left on device
local aws/prod ~/.aws/credentials unchanged
local lambda ~/.lambda_cloud/lambda_keys created api_key`)
	m.Fail(errors.New("connection lost"))
	if _, err := h.Exchange.Load(ctx, place.Here, m, opts); err == nil {
		t.Error("a machine that does not answer is no error")
	}
}

// A secret whose provider is not known here stops no other.
func TestLoadUnknownProvider(t *testing.T) {
	h, m := newHost(t, "spec: 1\nname: mine\nvalues: {token: {env: MINE}}\n")
	keep(t, h, "mine", "token", "t")
	keep(t, h, "lambda", "api_key", "k")
	other, _ := newHost(t)
	h.Specs = other.Specs
	h.wire()
	same(t, "loaded", loaded(must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{All: true}))(t)), `
local lambda ~/.lambda_cloud/lambda_keys created api_key
local mine  failed: unknown provider "mine"`)
}

// A base secret is written to the file that is named, merged into what it has.
// RH-17: a secret of no provider, in a file of its own.
func TestLoadBaseTo(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "db", "user", "u", "p.w", "a: b")
	m.SetEnv("PWD", "/srv")
	for to, want := range map[string]string{
		"~/db.json":      "{\n  \"p.w\": \"a: b\",\n  \"user\": \"u\"\n}\n",
		"/home/u/db.yml": "p.w: \"a: b\"\nuser: u\n",
		"~/db.toml":      "\"p.w\" = \"a: b\"\nuser = \"u\"\n",
	} {
		list := must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"db"}, To: to}))(t)
		if list[0].Action != provider.Created || list[0].Source.Path != strings.Replace(to, "/home/u/", "~/", 1) {
			t.Error(loaded(list))
		}
		same(t, to, content(m, filepath.Base(to)), want)
	}
	m.PutFile("/srv/x.json", []byte(`{"user": "v", "more": 1}`), 0o600)
	same(t, "conflict", loaded(must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"db"}, To: "x.json"}))(t)), "local db /srv/x.json conflict user: /srv/x.json has other values for user")
	must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"db"}, To: "x.json", Resolve: deliver.ReplaceAll}))(t)
	data, _, _ := m.File("/srv/x.json")
	same(t, "merged", string(data), `{"user": "u", "more": 1, "p.w": "a: b"}`)
	same(t, "no format", loaded(must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"db"}, To: "~/db"}))(t)), "local db  failed: cannot tell the format of /home/u/db: its name should end in .json, .yaml, .toml, .tfvars or .env")
	keep(t, h, "odd", "a{b}", "x")
	same(t, "a key with a hole", loaded(must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"odd"}, To: "~/o.json"}))(t)), `local odd  failed: the key "a{b}" cannot be written to a file`)
}

// Record notes what load wrote, beside what people wrote in config.yaml.
// RH-19: where a secret was placed is noted, until it is deleted.
func TestRecord(t *testing.T) {
	h, _ := newHost(t)
	h.Local = machine.Local(t.TempDir(), func(string) string { return "" })
	h.Book.Local = h.Local
	h.wire()
	file := filepath.Join(h.Dirs.Config, "config.yaml")
	read := func() string {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "ssh/id_a", "private_key", pem, "public_key", "ssh-ed25519 AAAAC3FAKE\n")
	list := must(h.Exchange.Load(ctx, place.Here, h.Local, exchange.LoadOptions{All: true}))(t)
	same(t, "new", read(), "version: 1\nsecrets:\n  aws: ~/.aws/credentials\n  ssh/id_a: ~/.ssh/id_a\n")
	mine := "# mine\nstore: local   # not vault\nsecrets:\n    zz: ~/z   # by hand\n"
	if err := os.WriteFile(file, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	// What was there already is not rhx's to remove later.
	must(h.Exchange.Load(ctx, place.Here, h.Local, exchange.LoadOptions{All: true}))(t)
	same(t, "nothing placed", read(), mine)
	list = append(list,
		session.Outcome{Secret: "openai", Stored: "openai", Placement: provider.Placement{Source: envSource("A"), Action: provider.Created}},
		session.Outcome{Secret: "openai", Stored: "openai", Placement: provider.Placement{Source: envSource("B"), Action: provider.Updated}},
		session.Outcome{Secret: "bad", Stored: "bad", Placement: provider.Placement{Source: envSource("C"), Action: provider.Conflict}})
	if err := h.Book.Begin("load").Write(ctx, &session.Work{Machine: h.Local, Outcomes: list}); err != nil {
		t.Fatal(err)
	}
	got := read()
	if !strings.HasPrefix(got, mine) || strings.Contains(got, "bad") {
		t.Errorf("%s", got)
	}
	c := must(config.Load(h.Dirs))(t)
	if c.Store != "local" || c.Secrets["aws"].Path != "~/.aws/credentials" || strings.Join(c.Secrets["openai"].Vars, " ") != "A B" || c.Secrets["zz"].Path != "~/z" {
		t.Errorf("%+v", c)
	}
	// Deleting a secret takes its note away, and only that.
	if out := must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"aws"}, exchange.DeleteOptions{}))(t); out[0].Err != nil {
		t.Fatal(out[0].Err)
	}
	if got := read(); strings.Contains(got, "aws") || !strings.HasPrefix(got, mine) {
		t.Errorf("%s", got)
	}
}

func TestDelete(t *testing.T) {
	h, _ := newHost(t)
	dir := t.TempDir()
	h.Local = machine.Local(dir, func(string) string { return "" })
	h.Book.Local = h.Local
	h.wire()
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "aws/prod", "access_key", akia2, "secret_key", awsKey2)
	keep(t, h, "openai", "api_key", sk)
	keep(t, h, "db", "user", "u")
	keep(t, h, "db", "user", "v")
	must(h.Exchange.Load(ctx, place.Here, h.Local, exchange.LoadOptions{Names: []string{"aws", "aws/prod"}}))(t)
	file := filepath.Join(dir, ".aws", "credentials")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), awsKey2, "CHANGED", 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	out := must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"aws", "aws/prod", "openai", "db", "nope", "../x"}, exchange.DeleteOptions{Contents: true}))(t)
	for i, want := range []string{
		"", "aws/prod: not deleted: ~/.aws/credentials has other values for secret_key", "", "",
		`no secret "nope" in the local store`, `secret name "../x" has an empty, '.' or '..' step`,
	} {
		got := ""
		if out[i].Err != nil {
			got = out[i].Err.Error()
		}
		same(t, out[i].Name, got, want)
	}
	if len(out[0].Removed) != 1 || out[0].Removed[0].Path != "~/.aws/credentials" || !strings.Contains(hint(out[1].Err), "rhx save aws/prod") || !usage(out[5].Err) {
		t.Errorf("%+v", out)
	}
	// What differs is left in both places.
	data, err = os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "file", string(data), strings.TrimPrefix(changed, awsFile("default", akia, awsKey)+"\n"))
	infos := must(h.Records.List(ctx))(t)
	if len(infos) != 1 || infos[0].Name != "aws/prod" {
		t.Errorf("%+v", infos)
	}
	// Older versions stay readable until Destroy.
	if rec, err := h.Records.Get(ctx, "db", 1); err != nil || rec.Secret.Values["user"].Reveal() != "u" {
		t.Error(err)
	}
	if out := must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"db"}, exchange.DeleteOptions{Destroy: true}))(t); out[0].Err != nil {
		t.Error(out[0].Err)
	}
	if _, err := h.Records.Get(ctx, "db", 1); err == nil {
		t.Error("a destroyed version can be read")
	}
}

// A place that cannot be cleared keeps the secret in the store.
func TestDeleteKeepsWhatItCannotClear(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "lambda", "api_key", "k")
	must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{All: true}))(t)
	m.FailWrite(home+".lambda_cloud/lambda_keys", errors.New("read-only file system"))
	out := must(h.Exchange.Delete(ctx, place.Here, m, []string{"lambda"}, exchange.DeleteOptions{Contents: true}))(t)
	if out[0].Err == nil || !strings.Contains(out[0].Err.Error(), "read-only file system") {
		t.Error(out[0].Err)
	}
	same(t, "stored", stored(t, h, "lambda"), "lambda lambda/ v1 api_key=k")
}

// Sync serves many machines; one that fails stops no other.
func TestSync(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "lambda", "api_key", "k")
	var hosts []place.Place
	mem := map[string]*machine.Memory{}
	for _, name := range []string{"a", "down", "b", "full"} {
		m := machine.NewMemory(name)
		mem[name] = m
		hosts = append(hosts, place.Host(name))
	}
	mem["down"].Fail(errors.New("no route to host"))
	mem["full"].FailWrite(home+".aws/credentials", errors.New("no space left on device"))
	mem["b"].PutFile(home+".aws/credentials", []byte(awsFile("default", akia2, awsKey2)), 0o600)
	done := map[string]int{}
	f := fleet.Fleet{Parallel: 3, Open: func(at place.Place) machine.Machine { return mem[at.Address()] }}
	out, err := h.Exchange.Sync(ctx, hosts, exchange.SyncOptions{
		Names: []string{"aws", "lambda"}, Fleet: f,
		Done: func(r session.Result) {
			done[r.At.Address()] = len(r.Value)
			if (r.Err != nil) != (r.At == place.Host("down")) {
				t.Errorf("%s: %v", r.At, r.Err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcome", loaded(out.Outcomes()), `
a aws ~/.aws/credentials created access_key,secret_key
a lambda ~/.lambda_cloud/lambda_keys created api_key
down aws  failed: no route to host
down lambda  failed: no route to host
b aws ~/.aws/credentials conflict access_key,secret_key: ~/.aws/credentials has other values for access_key, secret_key
b lambda ~/.lambda_cloud/lambda_keys created api_key
full aws ~/.aws/credentials failed access_key,secret_key: write /home/u/.aws/credentials: no space left on device
full lambda ~/.lambda_cloud/lambda_keys created api_key`)
	if len(done) != 4 || done["down"] != 2 {
		t.Error(done)
	}
	for _, name := range []string{"a", "b", "full"} {
		same(t, name, content(mem[name], ".lambda_cloud/lambda_keys"), "api_key = k")
	}
	// The store is read once, not once for each machine.
	if _, err := h.Exchange.Sync(ctx, hosts, exchange.SyncOptions{Names: []string{"nope"}, Fleet: f}); err == nil {
		t.Error("a secret that is not stored is no error")
	}
}

// A machine with a role of its own is said to have one where a secret comes to
// stand before it, and only then.
func TestARoleOfTheMachineIsSaid(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "openai", "api_key", sk)
	var warned []string
	warn := func(w string) { warned = append(warned, w) }
	sync := func(env bool, names ...string) {
		t.Helper()
		f := fleet.Fleet{Open: func(place.Place) machine.Machine { return m }}
		must(h.Exchange.Sync(ctx, []place.Place{place.Host("gpu")}, exchange.SyncOptions{Names: names, Env: env, Warn: warn, Fleet: f}))(t)
	}
	sync(false, "aws")
	sync(true, "openai")
	same(t, "without a role", strings.Join(warned, "\n"), "")
	m.SetEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
	sync(false, "aws") // it is there already
	sync(true, "openai")
	same(t, "nothing new", strings.Join(warned, "\n"), "")
	want := " has a role of its own for Amazon Web Services ($AWS_CONTAINER_CREDENTIALS_FULL_URI is set there); programs may now use aws instead"
	sync(true, "aws")
	same(t, "variables", strings.Join(warned, "\n"), "gpu"+want)
	warned = nil
	m.PutFile(home+".aws/credentials", []byte("[other]\n"), 0o600)
	must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{"aws"}, Warn: warn}))(t)
	same(t, "a file", strings.Join(warned, "\n"), "local"+want)
}

func TestLoadEnv(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", "it's", "session_token", "T")
	keep(t, h, "aws/prod", "access_key", akia2, "secret_key", awsKey2)
	keep(t, h, "openai", "api_key", sk)
	keep(t, h, "db", "USER", "u", "bad-name", "x")
	keep(t, h, "ssh/k", "private_key", pem)
	file := func() string {
		data, _, ok := m.File(filepath.ToSlash(h.Deliver.EnvFile()))
		if !ok {
			return "(none)"
		}
		return string(data)
	}
	load := func(opts exchange.LoadOptions) string {
		t.Helper()
		opts.Env = true
		return loaded(must(h.Exchange.Load(ctx, place.Here, m, opts))(t))
	}
	first := "# Written by rhx load --env.\nexport AWS_ACCESS_KEY_ID='" + akia + "'\nexport AWS_SECRET_ACCESS_KEY='it'\\''s'\nexport AWS_SESSION_TOKEN='T'\n"

	same(t, "dry run", load(exchange.LoadOptions{Names: []string{"aws"}, DryRun: true}), "local aws $AWS_ACCESS_KEY_ID created\nlocal aws $AWS_SECRET_ACCESS_KEY created\nlocal aws $AWS_SESSION_TOKEN created")
	same(t, "nothing written", file(), "(none)")
	load(exchange.LoadOptions{Names: []string{"aws"}})
	same(t, "file", file(), first)
	calls := len(m.Calls())
	same(t, "again", load(exchange.LoadOptions{Names: []string{"aws"}}), "local aws $AWS_ACCESS_KEY_ID unchanged\nlocal aws $AWS_SECRET_ACCESS_KEY unchanged\nlocal aws $AWS_SESSION_TOKEN unchanged")
	same(t, "no write", strings.Join(m.Calls()[calls:], " "), "info read")

	// Another profile would leave the old token beside its keys: told, and not mixed.
	conflict := "local aws/prod $AWS_ACCESS_KEY_ID conflict AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,AWS_SESSION_TOKEN: " + filepath.ToSlash(h.Deliver.EnvFile()) + " has other values for AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN"
	same(t, "conflict", load(exchange.LoadOptions{Names: []string{"aws/prod", "openai"}}), conflict+"\nlocal openai $OPENAI_API_KEY created")
	same(t, "file", file(), first+"export OPENAI_API_KEY='"+sk+"'\n")
	asked := 0
	no := func(deliver.Conflict) deliver.Decision { asked++; return deliver.Keep }
	same(t, "a no", load(exchange.LoadOptions{Names: []string{"aws/prod"}, Resolve: no}), conflict)
	if asked != 1 {
		t.Errorf("asked %d times for one secret", asked)
	}
	same(t, "overwrite", load(exchange.LoadOptions{Names: []string{"aws/prod"}, Resolve: deliver.ReplaceAll}), "local aws/prod $AWS_ACCESS_KEY_ID updated\nlocal aws/prod $AWS_SECRET_ACCESS_KEY updated\nlocal aws/prod $AWS_SESSION_TOKEN removed")
	same(t, "file", file(), "# Written by rhx load --env.\nexport AWS_ACCESS_KEY_ID='"+akia2+"'\nexport AWS_SECRET_ACCESS_KEY='"+awsKey2+"'\nexport OPENAI_API_KEY='"+sk+"'\n")

	// Two secrets that want one variable are not decided by their order.
	same(t, "clash", load(exchange.LoadOptions{Names: []string{"aws", "aws/prod"}, Resolve: deliver.ReplaceAll}), `
local aws $AWS_ACCESS_KEY_ID updated
local aws $AWS_SECRET_ACCESS_KEY updated
local aws $AWS_SESSION_TOKEN created
local aws/prod $AWS_ACCESS_KEY_ID failed: both aws and aws/prod set AWS_ACCESS_KEY_ID, to different values`)

	// --all leaves out what has no variables, and tells what is wrong.
	out := load(exchange.LoadOptions{All: true, Resolve: deliver.ReplaceAll})
	if strings.Contains(out, "ssh/k") || !strings.Contains(out, `local db  failed: db: the key "bad-name" cannot be the name of a variable`) {
		t.Error(out)
	}
	same(t, "by name", load(exchange.LoadOptions{Names: []string{"ssh/k"}}), "local ssh/k  failed: ssh/k has no variables: SSH key pairs keeps it in files")

	// A person's own lines: comments at the top stay, others are not touched.
	m.PutFile(filepath.ToSlash(h.Deliver.EnvFile()), []byte("# mine\n\nexport A='b'\n"), 0o600)
	load(exchange.LoadOptions{Names: []string{"openai"}})
	same(t, "comments", file(), "# mine\n\nexport A='b'\nexport OPENAI_API_KEY='"+sk+"'\n")
	for _, text := range []string{"A=b\n", "export A=b\n", "export A='b'\n# later\n", "export A='b'; rm x\n", "export A='b", "export A-B='x'\n", "\x00"} {
		m.PutFile(filepath.ToSlash(h.Deliver.EnvFile()), []byte(text), 0o600)
		if _, err := h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Env: true, Names: []string{"openai"}, Resolve: deliver.ReplaceAll}); err == nil || file() != text {
			t.Errorf("%q: %v", text, err)
		}
	}
	m.PutFile(filepath.ToSlash(h.Deliver.EnvFile()), nil, 0)
	if _, err := h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Env: true, Names: []string{"openai"}}); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
}

func TestEnv(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "openai", "api_key", sk)
	keep(t, h, "db", "USER", "u")
	vars := must(h.Deliver.VarsOf(must(h.Records.GetAll(ctx, []string{"db", "aws"}))(t)))(t)
	got := ""
	for _, kv := range bundle.Environ([]string{"PATH=/bin", "AWS_SESSION_TOKEN=stale", "AWS_SECURITY_TOKEN=stale", "USER=root", "AWS_REGION=x"}, vars) {
		got += kv + "\n"
	}
	// The variables of one secret are never mixed with what the environment has.
	same(t, "environment", got, "PATH=/bin\nAWS_REGION=x\nUSER=u\nAWS_ACCESS_KEY_ID="+akia+"\nAWS_SECRET_ACCESS_KEY="+awsKey)
	_, err := h.Records.GetAll(ctx, []string{"nope", "db", "neither"})
	if err == nil || !strings.Contains(err.Error(), "nope") || !strings.Contains(err.Error(), "neither") {
		t.Error(err)
	}
}

func envSource(name string) secret.Source { return secret.Source{Kind: secret.SourceEnv, Var: name} }

// A secret that cannot be read stops no other: it is named, be its name known to the store or not.
func TestLoadPastADamagedSecret(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "lambda", "api_key", "k")
	keep(t, h, "openai", "api_key", sk)
	var file string
	if err := filepath.WalkDir(h.Dirs.Data, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, "/aws/1.age") {
			file = path
		}
		return err
	}); err != nil || file == "" {
		t.Fatal(file, err)
	}
	good := must(os.ReadFile(file))(t)
	cut := append([]byte(nil), good[:len(good)-1]...) // it still says what it is called
	for what, c := range map[string]struct {
		content  []byte
		opts     exchange.LoadOptions
		outcomes string
		unlisted bool
	}{
		"all, cut":   {cut, exchange.LoadOptions{All: true}, "lambda created, openai failed, aws failed", false},
		"all, empty": {nil, exchange.LoadOptions{All: true}, "lambda created, openai failed", true},
		"named":      {nil, exchange.LoadOptions{Names: []string{"aws", "lambda"}}, "lambda created, aws failed", false},
		"none":       {nil, exchange.LoadOptions{Names: []string{"aws"}}, "", true},
		"mistyped":   {good, exchange.LoadOptions{Names: []string{"lambda", "awz"}}, "", true},
	} {
		if err := os.WriteFile(file, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		c.opts.DryRun = true
		list, err := h.Exchange.Load(ctx, place.Here, m, c.opts)
		var got []string
		for _, l := range list {
			got = append(got, l.Secret+" "+string(l.Action))
			if l.Secret == "aws" && !strings.Contains(l.Err.Error(), file) {
				t.Errorf("%s: %v", what, l.Err)
			}
		}
		same(t, what, strings.Join(got, ", "), c.outcomes)
		if (err != nil) != c.unlisted || err != nil && len(list) > 0 && (fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), file)) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
