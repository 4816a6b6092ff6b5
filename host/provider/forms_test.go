package provider_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
)

func auth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// docker keeps a login in three forms: all are read, and none is left that would win.
func TestDockerForms(t *testing.T) {
	sp := builtin(t, "docker")
	file := func(entry string) tree { return tree{".docker/config.json": `{"auths":{"r.example":` + entry + `}}`} }
	all := provider.Options{Resolve: provider.ReplaceAll}
	zero := "00000000-0000-0000-0000-000000000000"
	for _, c := range []struct{ name, entry, want string }{
		{"auth", `{"auth":"` + auth("u", "p") + `"}`, "password=p server=r.example username=u"},
		{"plain fields", `{"username":"u","password":"p"}`, "password=p server=r.example username=u"},
		{"auth before plain fields", `{"auth":"` + auth("u", "p") + `","username":"v","password":"q"}`,
			"password=p server=r.example username=u (auth and username have different values, and tools differ in which they use; rhx reads auth) (auth and password have different values, and tools differ in which they use; rhx reads auth)"},
		{"an identity token", `{"auth":"` + auth(zero, "") + `","identitytoken":"it"}`, "identity_token=it server=r.example username=" + zero},
		{"a registry token", `{"username":"u","registrytoken":"rt"}`, "registry_token=rt server=r.example username=u"},
	} {
		same(t, c.name, describe(extract(t, newMachine(file(c.entry)), sp)), "docker/r.example value from ~/.docker/config.json: "+c.want)
	}
	same(t, "no secret", describe(extract(t, newMachine(file(`{"auth":"`+auth("u", "")+`"}`)), sp)),
		"docker/r.example invalid from ~/.docker/config.json: read ~/.docker/config.json, r.example: password or identity_token or registry_token is missing")

	password := sec(sp, "r.example", "server", "r.example", "username", "u", "password", "new")
	token := sec(sp, "r.example", "server", "r.example", "username", zero, "identity_token", "new")
	for _, c := range []struct {
		name, before string
		token        bool
		out, after   string
	}{
		{"a password for a token", `{"auth":"` + auth("u", "") + `","identitytoken":"it"}`, false, "updated identity_token,password", `{"auth":"` + auth("u", "new") + `"}`},
		{"a token for a password", `{"auth":"` + auth("u", "old") + `"}`, true, "updated identity_token,password,username", `{"auth":"` + auth(zero, "") + `","identitytoken":"new"}`},
		{"plain fields stay so", `{"username":"u","password":"old"}`, false, "updated password", `{"username":"u","password":"new"}`},
		{"plain fields, a token", `{"username":"u","password":"old"}`, true, "updated identity_token,password,username", `{"username":"` + zero + `","identitytoken":"new"}`},
		{"both forms", `{"auth":"` + auth("u", "old") + `","username":"v","password":"q"}`, false, "updated password,username", `{"auth":"` + auth("u", "new") + `","username":"u","password":"new"}`},
		{"what is no login", `{"auth":"%%"}`, false, "updated password,username", `{"auth":"` + auth("u", "new") + `"}`},
		{"a new entry", `{}`, true, "updated identity_token,username", `{"auth":"` + auth(zero, "") + `","identitytoken":"new"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, s := newMachine(file(c.before)), password
			if c.token {
				s = token
			}
			if c.before != `{}` {
				if out, n := put(t, m, sp, s, provider.Options{}); n != 0 || !strings.Contains(out, " conflict ") {
					t.Errorf("without being told to: %s", out)
				}
			}
			out, _ := put(t, m, sp, s, all)
			same(t, "out", out, "~/.docker/config.json "+c.out)
			got := strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(content(m, ".docker/config.json"))
			same(t, "file", got, `{"auths":{"r.example":`+c.after+`}}`)
			if out, n := put(t, m, sp, s, provider.Options{}); n != 0 {
				t.Errorf("again: %s", out)
			}
		})
	}
	// All forms go when the secret does.
	m := newMachine(tree{".docker/config.json": `{"auths":{"r.example":{"auth":"` + auth("u", "new") + `","username":"u","password":"new"},"x":{}}}`})
	out, _ := remove(t, m, sp, password)
	same(t, "removed", out, "~/.docker/config.json removed")
	if text := content(m, ".docker/config.json"); strings.Contains(text, "r.example") || strings.Contains(text, "new") {
		t.Error(text)
	}
}

// botocore reads aws_security_token before aws_session_token; other SDKs know only
// the latter.
func TestTwoSpellingsOfATokenAgree(t *testing.T) {
	sp := builtin(t, "aws")
	file := "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\naws_session_token=one\naws_security_token=two\n"
	m := newMachine(tree{".aws/credentials": file})
	found := "aws value from ~/.aws/credentials: access_key=" + akia + " secret_key=" + awsKey + " session_token="
	same(t, "found", describe(extract(t, m, sp)), found+"one (aws_session_token and aws_security_token have different values, and tools differ in which they use; rhx reads aws_session_token)")
	s := sec(sp, "", "access_key", akia, "secret_key", awsKey, "session_token", "three")
	out, n := put(t, m, sp, s, provider.Options{})
	if same(t, "conflict", out, "~/.aws/credentials conflict session_token: ~/.aws/credentials has other values for session_token"); n != 0 {
		t.Error("written")
	}
	put(t, m, sp, s, provider.Options{Resolve: provider.ReplaceAll})
	same(t, "both follow", describe(extract(t, m, sp)), found+"three")
	put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey), provider.Options{Resolve: provider.ReplaceAll})
	if text := content(m, ".aws/credentials"); strings.Contains(text, "token") {
		t.Error(text)
	}
	m = newMachine(tree{"$AWS_ACCESS_KEY_ID": akia, "$AWS_SECRET_ACCESS_KEY": awsKey, "$AWS_SESSION_TOKEN": "one", "$AWS_SECURITY_TOKEN": "two"})
	same(t, "variables", describe(extract(t, m, sp)), "aws value from $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN: access_key="+akia+" secret_key="+awsKey+" session_token=one (AWS_SESSION_TOKEN and AWS_SECURITY_TOKEN have different values, and tools differ in which they use; rhx reads AWS_SESSION_TOKEN)")
}

// A file of a shape that the tool refuses is said, and not written into.
func TestShapesThatToolsRefuse(t *testing.T) {
	before := "an option stands before the first [section]; the tool refuses the whole file"
	for _, c := range []struct{ provider, path, text, err string }{
		{"aws", ".aws/credentials", "aws_access_key_id = x\n[default]\n", "line 1: " + before},
		{"aws", ".aws/config", "\n# c\nregion = x\n[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n", "line 3: " + before},
		{"azure", ".azure/credentials", "secret = x\n", "line 1: " + before},
		{"huggingface", ".cache/huggingface/stored_tokens", "hf_token = x\n", "line 1: " + before},
		{"docker", ".docker/config.json", `{"auths": {"x": "text", "ghcr.io": {"auth": "` + auth("u", "p") + `"}}}`, "line 1: a mapping was expected here"},
		{"docker", ".docker/config.json", `{"auths": []}`, "line 1: a mapping was expected here"},
		{"docker", ".docker/config.json", `{"auths":` + "\n" + `{"x": ["text"]}}`, "line 2: a mapping was expected here"},
		{"github", ".config/gh/hosts.yml", "x: 1\ngithub.com: text\n", "line 2: a mapping was expected here"},
		{"github", ".config/gh/hosts.yml", "github.com:\n- a\n", "line 2: a mapping was expected here"},
		{"kubernetes", ".kube/config", "contexts: {}\n", "line 1: a list was expected here"},
		{"kubernetes", ".kube/config", "contexts: [text]\n", "line 1: a mapping was expected here"},
		{"gcp", ".config/gcloud/application_default_credentials.json", "[]", "line 1: a mapping was expected here"},
	} {
		sp := builtin(t, c.provider)
		m := newMachine(tree{c.path: c.text})
		same(t, c.text, describe(extract(t, m, sp)), c.provider+" invalid from ~/"+c.path+": read ~/"+c.path+": "+c.err)
		var s = map[string][]string{
			"aws": {"access_key", akia, "secret_key", awsKey}, "azure": {"client_id", "c", "client_secret", "s", "tenant_id", "t"},
			"huggingface": {"token", hf}, "docker": {"username", "u", "password", "p"}, "github": {"oauth_token", gho}, "gcp": {"private_key", "k"},
			"kubernetes": {"context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"token":"t"}`},
		}[c.provider]
		profile := map[string]string{"docker": "y", "kubernetes": "y", "huggingface": "y"}[c.provider]
		if c.path == ".aws/config" {
			continue // the credentials file is written
		}
		if out, n := put(t, m, sp, sec(sp, profile, s...), provider.Options{Resolve: provider.ReplaceAll}); n != 0 || !strings.Contains(out, " failed: read ~/"+c.path+": "+c.err) {
			t.Errorf("%s: %s", c.text, out)
		}
	}
	// Settings of the tool beside profiles are fine.
	for path, text := range map[string]string{".config/gh/hosts.yml": "version: 1\nlist: []\ngithub.com: {oauth_token: t}\nghe.org:\n"} {
		same(t, text, describe(extract(t, newMachine(tree{path: text}), builtin(t, "github"))), "github value from ~/"+path+": oauth_token=t")
	}
}

// SSO, roles and commands are said, not skipped.
func TestProfilesWithoutValuesAreSaid(t *testing.T) {
	same(t, "found", describe(extract(t, newMachine(tree{".aws/config": `[default]
region = x
[profile sso]
sso_session = corp
[profile old-sso]
sso_start_url = https://corp.example
[profile login]
login_session = arn:aws:iam::0:user/x
[profile ops]
role_arn = arn:aws:iam::0:role/ops
source_profile = default
[profile web]
web_identity_token_file = /x
role_arn = arn:aws:iam::0:role/web
[profile cmd]
credential_process = /bin/creds
role_arn = x
[sso-session corp]
sso_start_url = https://corp.example
[profile keys]
role_arn = x
aws_access_key_id = ` + akia + `
aws_secret_access_key = ` + awsKey + `
`}), builtin(t, "aws"))), `
aws/cmd exec from ~/.aws/config:
aws/keys value from ~/.aws/config: access_key=`+akia+` secret_key=`+awsKey+`
aws/login sso from ~/.aws/config:
aws/old-sso sso from ~/.aws/config:
aws/ops role from ~/.aws/config:
aws/sso sso from ~/.aws/config:
aws/web role from ~/.aws/config:`)
}

// A file that others can read is said, and mended, also where the values are there.
func TestFileThatOthersCanRead(t *testing.T) {
	sp := builtin(t, "aws")
	file := "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n[b]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"
	m := newMachine(nil)
	m.PutFile(home+".aws/credentials", []byte(file), 0o644)
	values := ": access_key=" + akia + " secret_key=" + awsKey
	same(t, "found", describe(extract(t, m, sp)), "aws value from ~/.aws/credentials"+values+" (the permissions 0644 of ~/.aws/credentials are too open; rhx load mends that, as does chmod 0600)\naws/b value from ~/.aws/credentials"+values)
	plan := provider.NewPlan(take(t, m, sp))
	for i, want := range []string{"updated", "unchanged"} {
		same(t, "put", outcome(plan.Put(ctx, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey), provider.Options{})), "~/.aws/credentials "+want)
		if changes := plan.Changes(); len(changes) != 1 || changes[0].Mode != 0o600 || string(changes[0].Data) != file || string(changes[0].Old) != file {
			t.Error(i, len(changes))
		}
	}
	apply(t, m, plan)
	if mode(m, ".aws/credentials") != 0o600 {
		t.Error(mode(m, ".aws/credentials"))
	}
	out, n := put(t, m, sp, sec(sp, "b", "access_key", akia, "secret_key", awsKey), provider.Options{})
	if same(t, "again", out, "~/.aws/credentials unchanged"); n != 0 {
		t.Error("written")
	}
	// A group that can write it is no better; a stricter mode stays.
	m.PutFile(home+".aws/credentials", []byte(file), 0o620)
	if got := describe(extract(t, m, sp)); !strings.Contains(got, "(the permissions 0620 of ") {
		t.Error(got)
	}
	m.PutFile(home+".aws/credentials", []byte(file), 0o400)
	if got := describe(extract(t, m, sp)); strings.Contains(got, "others") {
		t.Error(got)
	}
	// On Windows, a file's mode says nothing.
	m.PutFile(home+".aws/credentials", []byte(file), 0o666)
	if got := describe(extract(t, windows{m}, sp)); strings.Contains(got, "others") {
		t.Error(got)
	}
	// A key pair's private half, by itself.
	ssh := builtin(t, "ssh")
	m = newMachine(nil)
	m.PutFile(home+".ssh/k", []byte(pem), 0o644)
	m.PutFile(home+".ssh/k.pub", []byte(pub), 0o644)
	key := sec(ssh, "k", "private_key", pem, "public_key", pub)
	out, n = put(t, m, ssh, key, provider.Options{})
	if same(t, "a key", out, "~/.ssh/k updated\n~/.ssh/k.pub unchanged"); n != 1 || mode(m, ".ssh/k") != 0o600 || mode(m, ".ssh/k.pub") != 0o644 {
		t.Error(n, mode(m, ".ssh/k"))
	}
}

// A value with a line break does not go into an ini file: some readers take what
// follows for options, or a section, of its own.
func TestLineBreakInIni(t *testing.T) {
	sp := builtin(t, "aws")
	for _, text := range []string{"a\ncredential_process = x", "a\n[other]", "a\rb", "a\r\nb", "a\n",
		"a\vb", "a\fb", "a\x1cb", "a\x1db", "a\x1eb", "a\u0085b", "a\u2028b", "a\u2029b"} {
		m := newMachine(tree{".aws/credentials": "[default]\n"})
		out, n := put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", text), provider.Options{})
		if n != 0 || !strings.HasPrefix(out, "~/.aws/credentials failed: write ~/.aws/credentials: the value secret_key has a line break") {
			t.Errorf("%q: %s", text, out)
		}
	}
}

// What makes a tool run a program, or read another file, is refused at every depth and in
// every form, and written where it is asked for.
func TestUnsafeValues(t *testing.T) {
	for _, c := range []struct{ provider, key, value, says string }{
		{"gcp", "credential_source", `{"executable":{"command":"/tmp/fake"}}`, "the field executable of the value credential_source"},
		{"gcp", "credential_source", `{"file":"/etc/fake"}`, "the field file of"},
		{"gcp", "credential_source", `{"certificate":{"certificate_config_location":"/etc/fake"}}`, "the field certificate of"},
		{"gcp", "source_credentials", `{"credential_source":{"executable":{"command":"/tmp/fake"}}}`, "the field credential_source of"},
		{"gcp", "source_credentials", `{"source_credentials":{"credential_source":{}}}`, "the field source_credentials of"},
		{"composer", "allow-plugins", "true", "the value allow-plugins"},
		{"composer", "vendor-dir", "/tmp/fake", "the value vendor-dir"},
		{"composer", "client-certificate", `{"fake.example":{"local_cert":"/etc/fake"}}`, "the value client-certificate"},
	} {
		sp := builtin(t, c.provider)
		s := sec(sp, "", c.key, c.value)
		if out, n := put(t, newMachine(nil), sp, s, provider.Options{Resolve: provider.ReplaceAll}); n != 0 || !strings.Contains(out, c.says) {
			t.Errorf("%s %s: %s", c.provider, c.value, out)
		}
		if err := provider.Unasked(sp, s); !errors.Is(err, provider.ErrUnsafe) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "fake") {
			t.Errorf("%s %s: %v", c.provider, c.value, err)
		}
		if out, n := put(t, newMachine(nil), sp, s, provider.Options{Unsafe: true}); n != 1 {
			t.Errorf("%s %s, asked for: %s", c.provider, c.value, out)
		}
	}
	// What has no document is not looked at here: it goes into no variable as a whole.
	rclone := builtin(t, "rclone")
	if err := provider.Unasked(rclone, sec(rclone, "r", "type", "sftp", "ssh", "/tmp/fake")); err != nil {
		t.Error(err)
	}
	gcp := builtin(t, "gcp")
	if err := provider.Unasked(gcp, sec(gcp, "", "type", "external_account", "credential_source", `{"url":"https://fake.example"}`)); err != nil {
		t.Error(err)
	}
}

// What is written as a key is a PEM block and nothing before or after it.
func TestKeyIsABlockAndNothingElse(t *testing.T) {
	sp := builtin(t, "ssh")
	crlf := strings.ReplaceAll(pem, "\n", "\r\n")
	for _, key := range []string{pem, pem2, crlf, strings.TrimSuffix(pem, "\n"), pem + "\n\n", tlsKey} {
		if out, n := put(t, newMachine(nil), sp, sec(sp, "k", "private_key", key), provider.Options{}); n != 1 {
			t.Errorf("%q: %s", key, out)
		}
	}
	for _, key := range []string{"#!/bin/sh\n" + pem, pem + "touch x\n", pem + pem2, "x" + pem, pem + "OCI_API_KEY", "Bag Attributes\n" + pem, "\n" + pem} {
		m := newMachine(nil)
		out, n := put(t, m, sp, sec(sp, "k", "private_key", key), provider.Options{})
		if n != 0 || !strings.Contains(out, "failed: the value private_key") {
			t.Errorf("%q: %s", key, out)
		}
		m.PutFile(home+".ssh/k", []byte(key), 0o600)
		if found := describe(extract(t, m, sp)); found != "" && !strings.Contains(found, "(there is text around the key, with which rhx does not write it again)") {
			t.Errorf("%q: %s", key, found)
		}
		if out, n := put(t, m, sp, sec(sp, "k", "private_key", key), provider.Options{}); n != 0 {
			t.Errorf("%q: %s", key, out)
		}
	}
	for public, good := range map[string]bool{pub: true, "": true, strings.TrimSuffix(pub, "\n"): true, pub + "\n": true,
		"-----BEGIN PUBLIC KEY-----\nZmFrZQ==\n-----END PUBLIC KEY-----\n": true, "---- BEGIN SSH2 PUBLIC KEY ----\nZg==\n---- END SSH2 PUBLIC KEY ----\n": true,
		pub + pub: false, "a\nb\n": false, "a\x1bb": false, pem + pem: false} {
		out, n := put(t, newMachine(nil), sp, sec(sp, "k", "private_key", pem, "public_key", public), provider.Options{})
		if (n > 0) != good {
			t.Errorf("%q: %s", public, out)
		}
	}
}

// A file that is no private key is said to be that, where it is asked for.
func TestFileThatIsNoKey(t *testing.T) {
	sp := builtin(t, "ssh")
	m := newMachine(tree{".ssh/notes": "x\n", ".ssh/config": "Host x\n", ".ssh/empty": "", ".ssh/half": strings.SplitAfter(pem, "\n")[0], ".ssh/k": pem})
	snap := take(t, m, sp, home+".ssh/notes")
	for profile, want := range map[string]string{
		"notes": "read ~/.ssh/notes: not a private key", "empty": "read ~/.ssh/empty: the file is empty", "half": "read ~/.ssh/half: the private key has no end line",
		"config": "~/.ssh/config is a file of the tool itself, not a secret", "none": "", "../x": "", "": "",
	} {
		got := ""
		if err := snap.WhyNot(sp, profile); err != nil {
			got = err.Error()
		}
		same(t, profile, got, want)
	}
	_, err := snap.ExtractFile(ctx, sp, "~/.ssh/notes")
	if err == nil || err.Error() != "read ~/.ssh/notes: not a private key" {
		t.Error(err)
	}
	m.PutFile(home+".ssh/locked", nil, 0)
	m.FailRead(home+".ssh/locked", fs.ErrPermission)
	snap = take(t, m, sp)
	if err := snap.WhyNot(sp, "locked"); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	if err := take(t, m, builtin(t, "aws")).WhyNot(builtin(t, "aws"), "default"); err != nil {
		t.Error(err)
	}
}

// Numbers and booleans of a document stay what they are.
func TestKindsOfValues(t *testing.T) {
	sp := parse(t, `
spec: 1
name: x
values: {port: {}, tls: {}, any: {}, '*': {}}
files:
  - {path: ~/f.json, format: json, keys: {port: {at: port, as: number}, tls: {at: tls, as: bool}, any: any, '*': .}}
`)
	values := func(kv ...string) []string { return append([]string{"port", "5432", "tls", "true", "any", "1"}, kv...) }
	m := newMachine(nil)
	put(t, m, sp, sec(sp, "", values()...), provider.Options{})
	flat := func() string {
		return strings.NewReplacer("\n", "", "  ", "", `": `, `":`).Replace(content(m, "f.json"))
	}
	same(t, "a new file", flat(), `{"port":5432,"tls":true,"any":"1"}`)
	m.PutFile(home+"f.json", []byte(`{"port":"1","tls":false,"any":2,"n":1.50,"ok":true,"s":"1"}`), 0o600)
	out, n := put(t, m, sp, sec(sp, "", "port", "1", "tls", "false", "any", "2", "n", "1.50", "ok", "true", "s", "1"), provider.Options{})
	if n != 0 {
		t.Error(out)
	}
	put(t, m, sp, sec(sp, "", values("n", "2", "ok", "false", "s", "2")...), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "what is there stays of its kind", flat(), `{"port":5432,"tls":true,"any":1,"n":2,"ok":false,"s":"2"}`)
	put(t, m, sp, sec(sp, "", values("n", "two", "ok", "no", "s", "true")...), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "where it can", flat(), `{"port":5432,"tls":true,"any":1,"n":"two","ok":"no","s":"true"}`)
	for _, bad := range [][]string{{"port", "x", "tls", "true", "any", "1"}, {"port", "1", "tls", "1", "any", "1"}, {"port", "true", "tls", "true", "any", "1"}} {
		if out, n := put(t, newMachine(nil), sp, sec(sp, "", bad...), provider.Options{}); n != 0 || !strings.Contains(out, ": it is not a ") {
			t.Errorf("%v: %s", bad, out)
		}
	}
}
