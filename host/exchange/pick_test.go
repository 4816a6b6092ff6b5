package exchange_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
)

// Why a secret that is asked for cannot be saved: each reason in words, with what to do.
func TestWhyNotSaved(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/config", []byte("[profile cmd]\ncredential_process = x\n[profile role]\nrole_arn = arn\n[profile sso]\nsso_start_url = https://x\n"), 0o600)
	m.PutFile(home+".aws/credentials", []byte("[half]\naws_access_key_id = "+akia+"\n"+awsFile("prod", akia, awsKey)), 0o600)
	m.PutFile(home+".kube/config", []byte("contexts: [{name: a, context: {cluster: c, user: u}}, {name: b, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: https://k}}]\nusers: [{name: u, user: {token: t}}]\n"), 0o600)
	m.PutFile(home+".lambda_cloud/lambda_keys", []byte("[broken\n"), 0o600)
	for _, c := range []struct{ name, want, hint string }{
		{"aws/cmd", "aws/cmd: the value comes from a command that ~/.aws/config names, which rhx does not run", ""},
		{"aws/role", "aws/role: the tool makes it of another profile, which ~/.aws/config names; there is no value to save", ""},
		{"aws/sso", "aws/sso: the tool signs in for it, as ~/.aws/config says; there is no value to save", ""},
		{"aws/half", "read ~/.aws/credentials, half: secret_key is missing", ""},
		{"aws/prdo", "no aws/prdo on this machine", "did you mean aws/prod?"},
		{"aws/zzzzzzz", "no aws/zzzzzzz on this machine", "rhx providers aws shows where rhx looks; rhx save aws/zzzzzzz access_key=- secret_key=- saves what you type"},
		{"kubernetes", "kubernetes has no default profile here", "name one: kubernetes/a, kubernetes/b"},
		{"lambda", "read ~/.lambda_cloud/lambda_keys: ", ""},
		{"kubernetes/zzzzzzz", "no kubernetes/zzzzzzz on this machine", "rhx providers kubernetes shows where rhx looks"},
		{"openai", "no openai on this machine", "rhx providers openai shows where rhx looks; rhx save openai api_key=- saves what you type"},
	} {
		list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{c.name}}))(t)
		if len(list) != 1 || list[0].Err == nil || !strings.HasPrefix(list[0].Err.Error(), c.want) || hint(list[0].Err) != c.hint || list[0].Action != "failed" {
			t.Errorf("%s: %s, %q", c.name, saved(list), hint(list[0].Err))
		}
	}
	m.PutFile(home+".ssh/id_bad", []byte("no key"), 0o600)
	if list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"ssh/id_bad"}}))(t); list[0].Err == nil || !strings.Contains(list[0].Err.Error(), "~/.ssh/id_bad") {
		t.Error(saved(list))
	}
	// One name for a secret that cannot be had is not one for several.
	if list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"openai"}, As: "x"}))(t); len(list) != 1 || list[0].Err == nil {
		t.Error(saved(list))
	}
	if _, err := h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws/prod", "kubernetes/a"}, As: "x"}); !usage(err) {
		t.Error(err)
	}
	m.Fail(errors.New("gone"))
	for _, opts := range []exchange.SaveOptions{{Names: []string{"aws"}}, {Names: []string{"aws"}, From: "~/x"}, {Names: []string{"aws"}, FromEnv: true}} {
		if list, err := h.Exchange.Save(ctx, m, opts); list != nil || err == nil {
			t.Errorf("%+v: %v, %v", opts, list, err)
		}
	}
	m.Fail(nil)
	// What the user gave is as it was.
	names := []string{"kube/a"}
	must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: names}))(t)
	if names[0] != "kube/a" {
		t.Errorf("%q", names)
	}
}

// A secret that was saved from a file which is not its provider's is of that file; the
// provider's own files, and what has a file for each profile, are not noted so.
func TestOwnFilesOfSecrets(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	m.PutFile(home+"creds", []byte(awsFile("default", akia, awsKey)), 0o600)
	m.PutFile(home+".ssh/id_a", []byte(pem), 0o600)
	m.PutFile(home+"keys/id_a", []byte(pem), 0o600)
	for _, c := range []struct {
		name, provider, from string
		own                  bool
	}{
		{"aws", "", "~/.aws/credentials", false},
		{"aws", "", "~/creds", true},
		{"ssh/id_a", "", "~/.ssh/id_a", false},
		{"ssh/id_a", "", "~/keys/id_a", true},
		{"deploy", "ssh", "~/.ssh/id_a", false},
	} {
		list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{c.name}, Provider: c.provider, From: c.from, Overwrite: true}))(t)
		rec := must(h.Records.Get(ctx, list[0].Name, 0))(t)
		// The same values again make no version, so the source is that of the first.
		must(h.Exchange.Delete(ctx, gpu, m, []string{list[0].Name}, exchange.DeleteOptions{Destroy: true}))(t)
		own := false
		for _, s := range rec.Secret.Sources {
			own = own || s.Own
		}
		if own != c.own {
			t.Errorf("%s from %s: %+v", c.name, c.from, rec.Secret.Sources)
		}
	}
}

// What one source is for.
func TestOneSourceIsForOneSecret(t *testing.T) {
	h, m := newHost(t)
	m.SetEnv("OPENAI_API_KEY", sk)
	for _, opts := range []exchange.SaveOptions{{From: "~/x", All: true}, {From: "~/x"}, {FromEnv: true}, {FromEnv: true, Names: []string{"aws", "openai"}}} {
		if list, err := h.Exchange.Save(ctx, m, opts); list != nil || !usage(err) {
			t.Errorf("%+v: %v, %v", opts, list, err)
		}
	}
	same(t, "by the provider alone", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{FromEnv: true, Provider: "openai"}))(t)), "openai created 1 api_key")
	m.SetEnv("AWS_ACCESS_KEY_ID", akia)
	m.SetEnv("AWS_SECRET_ACCESS_KEY", awsKey)
	same(t, "another profile", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{FromEnv: true, Names: []string{"aws/x y"}}))(t)), "aws/x%20y created 1 access_key,secret_key")
	same(t, "another name", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{FromEnv: true, Provider: "openai", Names: []string{"mine"}}))(t)), "mine created 1 api_key")
}

// What extraction has to say of a secret goes along with it.
func TestNotesOfASave(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	m.SetEnv("AWS_ACCESS_KEY_ID", akia2)
	m.SetEnv("AWS_SECRET_ACCESS_KEY", "other")
	list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws"}}))(t)
	if len(list) != 1 || len(list[0].Notes) != 1 || !strings.Contains(list[0].Notes[0], "the environment has another value") {
		t.Errorf("%+v", list)
	}
}

// The same values under another provider or profile are another version.
func TestSaveComparesProviders(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+"a", []byte(pem), 0o600)
	m.PutFile(home+"b", []byte(pem), 0o600)
	from := func(file string) string {
		t.Helper()
		return saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Provider: "ssh", From: file, As: "key", Overwrite: true}))(t))
	}
	same(t, "first", from("~/a"), "key created 1 private_key")
	same(t, "again", from("~/a"), "key unchanged 1")
	same(t, "another profile", from("~/b"), "key updated 2")
	keep(t, h, "key", "private_key", pem) // of no provider
	same(t, "another provider", from("~/b"), "key updated 4")
}
