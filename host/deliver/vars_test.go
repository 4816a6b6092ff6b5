package deliver_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

const envFile = "/home/u/.config/rhx/env"

// Variables go into the env file of a machine: new, the same, other values, and a
// variable that must not stay beside them.
func TestDeliverVariables(t *testing.T) {
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	vars := func(recs ...*store.Record) deliver.Delivery { return deliver.Delivery{Vars: d.Groups(recs, true)} }
	temporary := aws("aws", "A")
	temporary.Secret.Values["session_token"] = secret.NewValue("fake-session")
	out := send(t, d, b, gpu, m, vars(record("own", "B", "b"), temporary), deliver.Options{})
	is(t, "first", say(out), "own: $B created\naws: $AWS_ACCESS_KEY_ID created\naws: $AWS_SECRET_ACCESS_KEY created\naws: $AWS_SESSION_TOKEN created")
	if o := out[1]; o.At != gpu || o.Stored != "aws" || o.File != envFile {
		t.Errorf("%+v", o)
	}
	text := "# Written by rhx load --env.\nexport B='b'\nexport AWS_ACCESS_KEY_ID='AKIA" + "IOSFODNN7A'\nexport AWS_SECRET_ACCESS_KEY='fake-A'\nexport AWS_SESSION_TOKEN='fake-session'\n"
	is(t, "the file", fileOf(t, m, envFile), text)
	before := len(m.Calls())
	is(t, "again", say(send(t, d, b, gpu, m, vars(record("own", "B", "b")), deliver.Options{})), "own: $B unchanged")
	for _, call := range m.Calls()[before:] {
		if call == "write" {
			t.Error("what is there already was written")
		}
	}

	// Keys without a token: the old token is one of the conflict, and goes with a yes.
	refuse := &asks{answer: deliver.Keep}
	out = send(t, d, b, gpu, m, vars(aws("aws", "A"), record("own", "B", "b", "C", "c")), deliver.Options{Resolve: refuse.resolve})
	is(t, "refused", say(out), "aws: $AWS_SESSION_TOKEN conflict AWS_SESSION_TOKEN: "+envFile+" has other values for AWS_SESSION_TOKEN\nown: $B unchanged\nown: $C created")
	is(t, "asked", strings.Join(refuse.heard, "\n"), "gpu aws aws: "+envFile+" has other values for AWS_SESSION_TOKEN")
	contains(t, fileOf(t, m, envFile), "fake-session")
	out = send(t, d, b, gpu, m, vars(aws("aws", "A")), deliver.Options{Resolve: deliver.ReplaceAll})
	is(t, "the token goes", say(out), "aws: $AWS_ACCESS_KEY_ID unchanged\naws: $AWS_SECRET_ACCESS_KEY unchanged\naws: $AWS_SESSION_TOKEN removed")
	if got := fileOf(t, m, envFile); strings.Contains(got, "SESSION") || !strings.Contains(got, "fake-A") {
		t.Error(got)
	}

	// Half of a new pair is of no use: all or nothing.
	out = send(t, d, b, gpu, m, vars(aws("aws", "Z")), deliver.Options{Resolve: (&asks{answer: deliver.Keep}).resolve})
	is(t, "all or nothing", say(out), "aws: $AWS_ACCESS_KEY_ID conflict AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY: "+envFile+" has other values for AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
	is(t, "replaced", say(send(t, d, b, gpu, m, vars(aws("aws", "Z")), deliver.Options{Resolve: deliver.ReplaceAll})), "aws: $AWS_ACCESS_KEY_ID updated\naws: $AWS_SECRET_ACCESS_KEY updated")
	contains(t, fileOf(t, m, envFile), "fake-Z", "export C=")
}

// The values that stand there are in the question: whoever wrote them is found by them.
func TestConflictHasTheValues(t *testing.T) {
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	m.PutFile(envFile, []byte("export OPENAI_API_KEY='theirs'\n"), 0o600)
	var have secret.Values
	send(t, d, b, gpu, m, deliver.Delivery{Vars: d.Groups([]*store.Record{record("openai", "api_key", "ours")}, true)}, deliver.Options{
		Resolve: func(c deliver.Conflict) deliver.Decision { have = c.Have; return deliver.Keep }})
	if !have.Equal(secret.Values{"OPENAI_API_KEY": secret.NewValue("theirs")}) {
		t.Errorf("%v", have.Keys())
	}
}

// Two secrets of one delivery that set one variable to different values: the second is
// refused, whoever says yes.
func TestTwoSecretsSetOneVariable(t *testing.T) {
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	what := deliver.Delivery{Vars: d.Groups([]*store.Record{record("own", "X", "1"), record("own/b", "X", "2"), record("own/c", "X", "1")}, true)}
	out := send(t, d, b, gpu, m, what, deliver.Options{Resolve: deliver.ReplaceAll})
	is(t, "outcomes", say(out), "own: $X created\nown/b: $X failed: both own and own/b set X, to different values\nown/c: $X unchanged")
	contains(t, fileOf(t, m, envFile), "export X='1'\n")
}

// A secret that has no variables says why, and stops no other.
func TestNoVariables(t *testing.T) {
	d, b := newDeliverer(t)
	recs := []*store.Record{record("ssh/id", "private_key", "x"), record("openai", "api_key", "sk-fake"), record("nobody", "k", "v")}
	out := send(t, d, b, gpu, machine.NewMemory("gpu"), deliver.Delivery{Vars: d.Groups(recs, true)}, deliver.Options{})
	if len(out) != 3 || !errors.Is(out[0].Err, bundle.ErrNoVariables) || out[0].Action != "failed" || out[1].Action != "created" || out[2].Err == nil {
		t.Errorf("%s", say(out))
	}
	// Where all secrets of a bundle are meant, those without variables are left out, and
	// errors are not.
	groups := d.Groups(recs, false)
	if len(groups) != 2 || groups[0].Name != "openai" || groups[0].Err != nil || groups[1].Err == nil {
		t.Errorf("%+v", groups)
	}
	if g := d.Groups([]*store.Record{aws("aws", "A")}, false)[0]; g.Title != "Amazon Web Services" || len(g.Ambient) == 0 || g.Stored != "aws" {
		t.Errorf("%+v", g)
	}
}

// The variables of several secrets, in their order; all errors at once.
// Variables that run programs come to a machine only when that is asked for; the others
// of the delivery do all the same.
func TestVariablesThatRunPrograms(t *testing.T) {
	d, b := newDeliverer(t)
	m := machine.NewMemory("gpu")
	what := deliver.Delivery{Vars: d.Groups([]*store.Record{record("own", "PATH", "/tmp/fake"), record("openai", "api_key", "sk-fake")}, true)}
	out := send(t, d, b, gpu, m, what, deliver.Options{})
	if !errors.Is(out[0].Err, bundle.ErrRuns) || out[1].Err != nil || strings.Contains(fileOf(t, m, envFile), "PATH") {
		t.Error(say(out), fileOf(t, m, envFile))
	}
	is(t, "asked for", say(send(t, d, b, gpu, m, what, deliver.Options{Unsafe: true})), "own: $PATH created\nopenai: $OPENAI_API_KEY unchanged")
	// What a manifest names needs no question.
	named := deliver.GroupsOf([]bundle.Var{{Name: "LD_PRELOAD", Value: secret.NewValue("x"), Secret: "the bundle b"}}, func(string) string { return "" })
	is(t, "named", say(send(t, d, b, gpu, m, deliver.Delivery{Vars: named}, deliver.Options{})), "the bundle b: $LD_PRELOAD created")
}

func TestVarsOf(t *testing.T) {
	d, _ := newDeliverer(t)
	vars, err := d.VarsOf([]*store.Record{record("own", "B", "b"), record("openai", "api_key", "sk-fake")})
	if err != nil || len(vars) != 2 || vars[0].Name != "B" || vars[1].Name != "OPENAI_API_KEY" || vars[1].Value.Reveal() != "sk-fake" {
		t.Errorf("%+v, %v", vars, err)
	}
	if vars, err := d.VarsOf([]*store.Record{record("openai"), record("own", "a-b", "x")}); vars != nil || err == nil || !strings.Contains(err.Error(), "openai") || !strings.Contains(err.Error(), "own") {
		t.Errorf("%+v, %v", vars, err)
	}
	if vars, err := d.VarsOf([]*store.Record{record("nobody", "k", "v")}); vars != nil || err == nil || !strings.HasPrefix(err.Error(), "secret nobody: ") {
		t.Errorf("%+v, %v", vars, err)
	}
}

// Variables by the secrets that they come from, in the order of these.
func TestGroupsOf(t *testing.T) {
	v := func(name, from string) bundle.Var { return bundle.Var{Name: name, Secret: from} }
	groups := deliver.GroupsOf([]bundle.Var{v("A", "a"), v("B", "b"), v("C", "a")}, func(name string) string { return "prod/" + name })
	var got []string
	for _, g := range groups {
		names := []string{g.Name, g.Stored}
		for _, v := range g.Vars {
			names = append(names, v.Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	is(t, "groups", strings.Join(got, "\n"), "a prod/a A C\nb prod/b B")
}

// Where the env file is: rhx's own folders here, and on a host those of that host.
func TestWhereTheEnvFileIs(t *testing.T) {
	d, b := newDeliverer(t)
	what := deliver.Delivery{Vars: d.Groups([]*store.Record{record("openai", "api_key", "sk-fake")}, true)}
	is(t, "here", send(t, d, b, place.Here, b.Local, what, deliver.Options{})[0].File, filepath.ToSlash(d.EnvFile()))
	if data, err := os.ReadFile(d.EnvFile()); err != nil || !strings.Contains(string(data), "sk-fake") {
		t.Errorf("%q, %v", data, err)
	}
	for variable, file := range map[string]string{"XDG_CONFIG_HOME": "/srv/x/rhx/env", "RHX_HOME": "/srv/x/config/env"} {
		m := machine.NewMemory("gpu")
		m.PutFolder("/srv", 0o700)
		m.SetEnv(variable, "/srv/x")
		is(t, variable, send(t, d, b, gpu, m, what, deliver.Options{})[0].File, file)
		contains(t, fileOf(t, m, file), "sk-fake")
	}
}

// An env file that is not as rhx wrote it, or cannot be read, is an error and is left.
func TestStrangeEnvFile(t *testing.T) {
	d, b := newDeliverer(t)
	what := deliver.Delivery{Vars: d.Groups([]*store.Record{record("openai", "api_key", "sk-fake")}, true)}
	for want, prepare := range map[string]func(m *machine.Memory){
		envFile + " is not as rhx wrote it": func(m *machine.Memory) { m.PutFile(envFile, []byte("if true; then\n"), 0o600) },
		"read " + envFile + ": ":            func(m *machine.Memory) { m.FailRead(envFile, errGone) },
	} {
		m := machine.NewMemory("gpu")
		prepare(m)
		s := b.Begin("sync")
		out, err := d.Deliver(t.Context(), s, gpu, m, what, deliver.Options{})
		s.End()
		if out != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s, %v", say(out), err)
		}
		if file := fileOf(t, m, envFile); strings.Contains(file, "sk-fake") {
			t.Error("written")
		}
	}
}

// Variables that are taken out: the rest stays, and a file that rhx made goes with its
// last variable. One with a head of the user's stays.
func TestEnvFileWithout(t *testing.T) {
	const ours = "# Written by rhx load --env.\n"
	for _, c := range []struct{ name, text, without, want string }{
		{"one of two", ours + "export A='1'\nexport B='2'\n", "A", ours + "export B='2'\n"},
		{"none of them", ours + "export A='1'\n", "X", "nothing"},
		{"the last", ours + "export A='1'\nexport B='2'\n", "A B", "removed"},
		{"the last below a head", "# mine\nexport A='1'\n", "A", "# mine\n"},
	} {
		file := machine.File{Path: envFile, Data: []byte(c.text)}
		e, err := deliver.ParseEnvFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Vars()) == 0 {
			t.Errorf("%s: no variables", c.name)
		}
		change, err := e.Without(strings.Fields(c.without))
		got := "nothing"
		switch {
		case err != nil:
			t.Error(err)
		case change == nil:
		case change.Path != envFile || string(change.Old) != c.text:
			t.Errorf("%+v", change)
		case change.Remove:
			got = "removed"
		default:
			got = string(change.Data)
		}
		is(t, c.name, got, c.want)
	}
}
