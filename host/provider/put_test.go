package provider_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// roundTrip is a whole secret of each provider that has files, what a new file
// looks like, and a file of others to merge it into.
var roundTrips = []struct {
	provider, profile string
	values            []string
	file, fresh       string
	// before is the file with others' entries; diff what Put changes in it.
	before, diff string
	// found is the secret's name when it is found again, where it differs.
	found string
}{
	{"aws", "", []string{"access_key", akia, "secret_key", awsKey}, ".aws/credentials",
		"[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\n",
		"# mine\r\n[work]\r\naws_access_key_id=" + akia2 + "\r\n\r\n[default]\r\nregion = x ; here\r\n",
		"+aws_access_key_id = " + akia + "\n+aws_secret_access_key = " + awsKey, ""},
	{"aws", "team two", []string{"access_key", akia, "secret_key", awsKey, "session_token", "t=%k"}, ".aws/credentials",
		"[team two]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\naws_session_token = t=%k\n",
		"[default]\naws_access_key_id=" + akia2 + "\n",
		"+\n+[team two]\n+aws_access_key_id=" + akia + "\n+aws_secret_access_key=" + awsKey + "\n+aws_session_token=t=%k", ""},
	{"azure", "", []string{"subscription_id", "sub"}, ".azure/clouds.config",
		"[AzureCloud]\nsubscription = sub\n",
		"[AzureChinaCloud]\nsubscription = other\n",
		"+\n+[AzureCloud]\n+subscription = sub", ""},
	{"azure", "", []string{"client_id", "c", "client_secret", "s", "tenant_id", "t"}, ".azure/credentials",
		"[default]\nclient_id = c\nsecret = s\ntenant = t\n",
		"[ci]\nclient_id=x\nsecret=y\ntenant=z\n",
		"+\n+[default]\n+client_id=c\n+secret=s\n+tenant=t", ""},
	{"gcp", "", []string{"type", "authorized_user", "client_id", "i", "client_secret", "s", "refresh_token", "r"}, ".config/gcloud/application_default_credentials.json",
		"{\n  \"type\": \"authorized_user\",\n  \"client_id\": \"i\",\n  \"client_secret\": \"s\",\n  \"refresh_token\": \"r\"\n}\n",
		"", "", ""},
	{"github", "", []string{"oauth_token", gho, "user", "jane"}, ".config/gh/hosts.yml",
		"github.com:\n  users:\n    jane:\n      oauth_token: " + gho + "\n  user: jane\n  oauth_token: " + gho + "\n",
		"# mine\nghe.example.org:\n  user: x # y\n  oauth_token: z\n",
		"", ""},
	{"github", "ghe.example.org", []string{"oauth_token", "tok"}, ".config/gh/hosts.yml",
		"ghe.example.org:\n  oauth_token: tok\n",
		"github.com:\n    oauth_token: " + gho + "\n    git_protocol: ssh",
		"", ""},
	{"huggingface", "", []string{"token", hf}, ".cache/huggingface/token", hf, "", "", ""},
	{"huggingface", "my token", []string{"token", hf}, ".cache/huggingface/stored_tokens",
		"[my token]\nhf_token = " + hf + "\n",
		"[other]\nhf_token = " + hf2 + "\nrefresh_token = r\n", "+\n+[my token]\n+hf_token = " + hf, ""},
	{"kubernetes", "prod", []string{"context", `{"cluster":"c2","user":"u2"}`, "cluster", `{"server":"https://s"}`, "user", `{"token":"T"}`}, ".kube/config",
		"apiVersion: v1\nkind: Config\ncurrent-context: prod\ncontexts:\n- name: prod\n  context:\n    cluster: c2\n    user: u2\nclusters:\n- name: c2\n  cluster:\n    server: https://s\nusers:\n- name: u2\n  user:\n    token: T\n",
		kubeconfig,
		"", ""},
	{"lambda", "", []string{"api_key", "secret_x.FAKE"}, ".lambda_cloud/lambda_keys", "api_key = secret_x.FAKE\n",
		"# keys\nssh_key_name = a\n", "+api_key = secret_x.FAKE", ""},
	{"docker", "", []string{"username", "jane", "password", "p@ss:word", "server", "https://index.docker.io/v1/"}, ".docker/config.json",
		"{\n  \"auths\": {\n    \"https://index.docker.io/v1/\": {\n      \"auth\": \"amFuZTpwQHNzOndvcmQ=\"\n    }\n  }\n}\n",
		"{\n\t\"HttpHeaders\": {\"a\": \"b\"},\n\t\"auths\": {\n\t\t\"quay.io\": {\"auth\": \"eDp5\"}\n\t}\n}\n",
		"", ""},
	// The profile of a docker secret is its server.
	{"docker", "", []string{"username", "jane", "password", "pw", "server", "ghcr.io"}, ".docker/config.json",
		"{\n  \"auths\": {\n    \"ghcr.io\": {\n      \"auth\": \"amFuZTpwdw==\"\n    }\n  }\n}\n", "", "", "docker/ghcr.io"},
	{"ssh", "id_ed25519", []string{"private_key", pem, "public_key", pub}, ".ssh/id_ed25519", pem, "", "", ""},
	{"ssh", "ключ 1*[a]", []string{"private_key", pem}, ".ssh/ключ 1*[a]", pem, "", "", ""},
	{"sky", "", []string{"private_key", pem, "public_key", pub}, ".ssh/sky-key", pem, "", "", ""},
	{"wandb", "", []string{"api_key", wandb}, ".netrc", "machine api.wandb.ai\n  login user\n  password " + wandb + "\n",
		"# c\nmachine github.com login j password p\n", "+machine api.wandb.ai login user password " + wandb, ""},
}

func TestPut(t *testing.T) {
	for _, c := range roundTrips {
		sp := builtin(t, c.provider)
		s := sec(sp, c.profile, c.values...)
		name := s.Name + " of " + s.Values.Keys()[0]
		if c.found != "" {
			name += " as " + c.found
		} else {
			c.found = s.Name
		}
		reread := func(t *testing.T, m machine.Machine) provider.Found {
			t.Helper()
			for _, f := range extract(t, m, sp) {
				if f.Name == c.found && f.State == provider.HasValue {
					return f
				}
			}
			t.Fatalf("not found again: %s", describe(extract(t, m, sp)))
			return provider.Found{}
		}
		t.Run(name+"/into nothing", func(t *testing.T) {
			m := newMachine(nil)
			out, n := put(t, m, sp, s, provider.Options{})
			if !strings.HasPrefix(out, "~/"+c.file+" created ") || n < 1 {
				t.Errorf("%s (%d changes)", out, n)
			}
			same(t, "file", content(m, c.file), c.fresh)
			if mode(m, c.file) != 0o600 {
				t.Errorf("mode %v", mode(m, c.file))
			}
			if got := reread(t, m); !got.Values.Equal(withServer(s.Values, got.Values)) {
				t.Errorf("read back as %s", describe([]provider.Found{got}))
			}
			out, n = put(t, m, sp, s, provider.Options{})
			if n != 0 || strings.Contains(out, "created") || strings.Contains(out, "updated") || !strings.Contains(out, " unchanged") {
				t.Errorf("a second time: %s (%d changes)", out, n)
			}
			// And out again: nothing is left.
			out, _ = remove(t, m, sp, s)
			if content(m, c.file) != "(none)" || content(m, c.file+".pub") != "(none)" || !strings.Contains(out, " removed") {
				t.Errorf("removed: %s, left %q", out, content(m, c.file))
			}
		})
		if c.before == "" {
			continue
		}
		t.Run(name+"/beside others", func(t *testing.T) {
			m := newMachine(tree{c.file: c.before})
			others := describe(slices.DeleteFunc(extract(t, m, sp), func(f provider.Found) bool { return f.Name == s.Name }))
			out, n := put(t, m, sp, s, provider.Options{})
			if !strings.HasPrefix(out, "~/"+c.file+" updated ") || n != 1 {
				t.Errorf("%s (%d changes)", out, n)
			}
			after := content(m, c.file)
			diff := lineDiff(c.before, after)
			if c.diff != "" {
				same(t, "diff", diff, c.diff)
			}
			if strings.Contains("\n"+diff, "\n-") && !strings.HasSuffix(c.before, "ssh") && c.provider != "docker" {
				t.Errorf("lines of others are gone:\n%s", diff)
			}
			if strings.Contains(c.before, "\r\n") && strings.Count(after, "\n") != strings.Count(after, "\r\n") {
				t.Error("mixed line endings")
			}
			if strings.HasPrefix(c.before, "\ufeff") != strings.HasPrefix(after, "\ufeff") {
				t.Error("the byte order mark changed")
			}
			reread(t, m)
			rest := describe(slices.DeleteFunc(extract(t, m, sp), func(f provider.Found) bool { return f.Name == s.Name }))
			same(t, "others", rest, others)
			remove(t, m, sp, s)
			rest = describe(slices.DeleteFunc(extract(t, m, sp), func(f provider.Found) bool { return f.Name == s.Name }))
			same(t, "others after removal", rest, others)
			if diff := lineDiff(c.before, content(m, c.file)); strings.TrimSpace(strings.Trim(diff, "+-\n ")) != "" && c.provider != "docker" && c.provider != "github" {
				t.Errorf("put and removed again, the file differs:\n%s", diff)
			}
		})
	}
}

// withServer adds the values that only say the profile.
func withServer(v, got secret.Values) secret.Values {
	if w, ok := got["server"]; ok && v["server"].Empty() {
		v["server"] = w
	}
	return v
}

const oldAWS = `# Mine. Do not lose this line.
[work]
aws_access_key_id=` + akia + `
aws_secret_access_key=` + awsKey + `

[default]
; the old key
aws_access_key_id     = ` + akia + `   # rotate in May
aws_secret_access_key = ` + awsKey + `
aws_session_token = OLDTOKEN
aws_security_token = OLDTOKEN
region = x
`

// W-01, W-03, W-04: values that differ are refused by name and nothing is
// changed; with Overwrite only the profile's own lines change, and a token that
// the new keys do not have goes, in every spelling.
func TestW01ConflictAndOverwrite(t *testing.T) {
	sp := builtin(t, "aws")
	s := sec(sp, "", "access_key", akia2, "secret_key", awsKey2)
	m := newMachine(tree{".aws/credentials": oldAWS})
	plan := provider.NewPlan(take(t, m, sp))
	placed := plan.Put(ctx, sp, s, provider.Options{})
	same(t, "refused", outcome(placed), "~/.aws/credentials conflict access_key,secret_key,session_token: ~/.aws/credentials has other values for access_key, secret_key, session_token")
	var ce *provider.ConflictError
	if !errors.As(placed[0].Err, &ce) || len(plan.Changes()) != 0 {
		t.Error("a conflict that changes something, or is no ConflictError")
	}
	out, _ := put(t, m, sp, s, provider.Options{Resolve: provider.ReplaceAll})
	same(t, "overwritten", out, "~/.aws/credentials updated access_key,secret_key,session_token")
	same(t, "diff", lineDiff(oldAWS, content(m, ".aws/credentials")), `
-aws_access_key_id     = `+akia+`   # rotate in May
-aws_secret_access_key = `+awsKey+`
-aws_session_token = OLDTOKEN
-aws_security_token = OLDTOKEN
+# rotate in May
+aws_access_key_id     = `+akia2+`
+aws_secret_access_key = `+awsKey2)
}

// A new token is written to both spellings, because tools differ in which one
// they prefer.
func TestPutEverySpelling(t *testing.T) {
	sp := builtin(t, "aws")
	m := newMachine(tree{".aws/credentials": oldAWS})
	put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey, "session_token", "NEW"), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "diff", lineDiff(oldAWS, content(m, ".aws/credentials")), `
-aws_access_key_id     = `+akia+`   # rotate in May
-aws_session_token = OLDTOKEN
-aws_security_token = OLDTOKEN
+# rotate in May
+aws_access_key_id     = `+akia+`
+aws_session_token = NEW
+aws_security_token = NEW`)
}

// W-03: a new key beside equal ones is added, without Overwrite.
func TestW03NewKeyIsAdded(t *testing.T) {
	sp := builtin(t, "aws")
	old := "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"
	m := newMachine(tree{".aws/credentials": old})
	out, _ := put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey, "session_token", "T"), provider.Options{})
	same(t, "added", out, "~/.aws/credentials updated session_token")
	same(t, "diff", lineDiff(old, content(m, ".aws/credentials")), "+aws_session_token=T")
}

// A region in the config file does not make it the place for keys.
func TestPutKeysGoToCredentials(t *testing.T) {
	sp := builtin(t, "aws")
	s := sec(sp, "", "access_key", akia, "secret_key", awsKey)
	m := newMachine(tree{".aws/config": "[default]\nregion = x\n[profile p]\naws_access_key_id=" + akia2 + "\naws_secret_access_key=" + awsKey2 + "\n"})
	out, _ := put(t, m, sp, s, provider.Options{})
	same(t, "default", out, "~/.aws/credentials created access_key,secret_key")
	out, _ = put(t, m, sp, sec(sp, "p", "access_key", akia, "secret_key", awsKey), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "a profile whose keys are in the config file", out, "~/.aws/config updated access_key,secret_key")
}

// W-02: a token replaces the old one, whatever stands around it.
func TestW02TokenIsReplaced(t *testing.T) {
	sp := builtin(t, "huggingface")
	for before, after := range map[string]string{hf: hf2, hf + "\n": hf2 + "\n", " " + hf + "\r\n": " " + hf2 + "\r\n", "": hf2, "\n": hf2 + "\n"} {
		m := newMachine(tree{".cache/huggingface/token": before})
		put(t, m, sp, sec(sp, "", "token", hf2), provider.Options{Resolve: provider.ReplaceAll})
		if got := content(m, ".cache/huggingface/token"); got != after {
			t.Errorf("%q became %q, not %q", before, got, after)
		}
	}
}

// W-05: a key pair can be replaced, both halves or none; a public half that
// would not match goes.
func TestW05KeyPair(t *testing.T) {
	sp := builtin(t, "ssh")
	for _, c := range []struct {
		name      string
		files     tree
		values    []string
		overwrite bool
		out       string
		want      tree
	}{
		{"differs", tree{".ssh/k": pem, ".ssh/k.pub": pub}, []string{"private_key", pem2, "public_key", "ssh-ed25519 AAAAC3OTHER\n"}, false,
			"~/.ssh/k conflict private_key,public_key: ~/.ssh/k has other values for private_key, public_key", tree{".ssh/k": pem, ".ssh/k.pub": pub}},
		{"overwritten", tree{".ssh/k": pem, ".ssh/k.pub": pub}, []string{"private_key", pem2, "public_key", "ssh-ed25519 AAAAC3OTHER\n"}, true,
			"~/.ssh/k updated private_key\n~/.ssh/k.pub updated public_key", tree{".ssh/k": pem2, ".ssh/k.pub": "ssh-ed25519 AAAAC3OTHER\n"}},
		{"the public half differs", tree{".ssh/k.pub": pub}, []string{"private_key", pem2, "public_key", "ssh-ed25519 AAAAC3OTHER\n"}, false,
			"~/.ssh/k.pub conflict public_key: ~/.ssh/k.pub has other values for public_key", tree{".ssh/k": "(none)", ".ssh/k.pub": pub}},
		{"the public half is missing", tree{".ssh/k": pem}, []string{"private_key", pem, "public_key", pub}, false,
			"~/.ssh/k unchanged\n~/.ssh/k.pub created public_key", tree{".ssh/k": pem, ".ssh/k.pub": pub}},
		{"no public half, none to mind", tree{".ssh/k": pem, ".ssh/k.pub": pub}, []string{"private_key", pem}, false,
			"~/.ssh/k unchanged", tree{".ssh/k": pem, ".ssh/k.pub": pub}},
		{"no public half, a stale one", tree{".ssh/k": pem, ".ssh/k.pub": pub}, []string{"private_key", pem2}, true,
			"~/.ssh/k updated private_key\n~/.ssh/k.pub removed public_key", tree{".ssh/k": pem2, ".ssh/k.pub": "(none)"}},
		{"no public half, an orphan", tree{".ssh/k.pub": pub}, []string{"private_key", pem2}, false,
			"~/.ssh/k.pub conflict public_key: ~/.ssh/k.pub has other values for public_key", tree{".ssh/k": "(none)", ".ssh/k.pub": pub}},
		{"empty files", tree{".ssh/k": "", ".ssh/k.pub": ""}, []string{"private_key", pem, "public_key", pub}, false,
			"~/.ssh/k updated private_key\n~/.ssh/k.pub updated public_key", tree{".ssh/k": pem, ".ssh/k.pub": pub}},
		{"not a key", nil, []string{"private_key", "secret text"}, true,
			"~/.ssh/k failed: the value private_key: not a private key", tree{".ssh/k": "(none)"}},
		{"no key", nil, []string{"public_key", pub}, true, "failed: the secret has no value for private_key", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(c.files)
			out, _ := put(t, m, sp, sec(sp, "k", c.values...), overwriting(c.overwrite))
			same(t, "outcome", out, c.out)
			for name, want := range c.want {
				same(t, name, content(m, name), want)
			}
		})
	}
	t.Run("a missing public half of sky is no removal", func(t *testing.T) {
		sky := builtin(t, "sky")
		m := newMachine(tree{".ssh/sky-key": pem})
		out, _ := put(t, m, sky, sec(sky, "", "private_key", pem2), provider.Options{Resolve: provider.ReplaceAll})
		same(t, "outcome", out, "~/.ssh/sky-key updated private_key")
	})
}

// W-21: a profile from a store is a file's name in the spec's folder, or it is
// refused; hooks that programs run are never written.
func TestW21Confinement(t *testing.T) {
	ssh := builtin(t, "ssh")
	for _, profile := range []string{"../x", "/etc/x", "a/b", "..", ".", ".bashrc", "config", "Config", "authorized_keys", "AUTHORIZED_KEYS2", "known_hosts", "rc", "RC", "environment", "x.pub", "a\x00b", "a\nb", "r\u200bc", "sky-key", "\xff"} {
		m := newMachine(nil)
		plan := provider.NewPlan(take(t, m, ssh))
		placed := plan.Put(ctx, ssh, sec(ssh, profile, "private_key", pem), provider.Options{Resolve: provider.ReplaceAll})
		if placed[0].Action != provider.Failed || len(plan.Changes()) != 0 {
			t.Errorf("%q: %s", profile, outcome(placed))
		}
		if removed := plan.Remove(ctx, ssh, sec(ssh, profile, "private_key", pem)); len(removed) != 0 {
			t.Errorf("%q: removes %s", profile, outcome(removed))
		}
	}
	for _, profile := range []string{"id_rsa", "..x", "a..b", "~", "a b", `a\b`, "*", "{profile}"} {
		if profile[0] == '.' {
			continue
		}
		m := newMachine(nil)
		out, _ := put(t, m, ssh, sec(ssh, profile, "private_key", pem), provider.Options{})
		same(t, profile, out, "~/.ssh/"+profile+" created private_key")
		same(t, profile, content(m, ".ssh/"+profile), pem)
	}
	t.Run("windows", func(t *testing.T) {
		for _, profile := range []string{`..\x`, `C:x`, "a.", "a ", "a*"} {
			snap := take(t, newMachine(nil), ssh)
			snap.Info.OS = "windows"
			plan := provider.NewPlan(snap)
			if placed := plan.Put(ctx, ssh, sec(ssh, profile, "private_key", pem), provider.Options{}); placed[0].Action != provider.Failed {
				t.Errorf("%q: %s", profile, outcome(placed))
			}
		}
	})
	// A profile in a file is a name there, whatever it looks like.
	aws := builtin(t, "aws")
	for _, profile := range []string{"../x", "/etc/x", `"q"`, "a'b", "ü ber", "a.b", "#", "="} {
		m := newMachine(nil)
		out, _ := put(t, m, aws, sec(aws, profile, "access_key", akia, "secret_key", awsKey), provider.Options{})
		if out != "~/.aws/credentials created access_key,secret_key" {
			t.Errorf("%q: %s", profile, out)
			continue
		}
		if found := extract(t, m, aws); len(found) != 1 || found[0].Profile != profile {
			t.Errorf("%q: read back as %s", profile, describe(found))
		}
		same(t, profile, strings.Join(m.Names("/home/u/"), " "), ".aws")
	}
	for _, profile := range []string{" a", "a\nb = c", "a]\n[default", "[x", "x]", "\x00"} {
		m := newMachine(nil)
		plan := provider.NewPlan(take(t, m, aws))
		if placed := plan.Put(ctx, aws, sec(aws, profile, "access_key", akia, "secret_key", awsKey), provider.Options{}); placed[0].Action != provider.Failed || len(plan.Changes()) != 0 {
			t.Errorf("%q: %s", profile, outcome(placed))
		}
	}
}

// Values that a format cannot hold are refused by key, before anything is
// written; the text of the value is not in the error.
func TestPutRefusesValues(t *testing.T) {
	canary := "CANARY"
	for _, c := range []struct {
		provider, profile string
		values            []string
	}{
		{"aws", "", []string{"access_key", akia, "secret_key", canary + "\x00"}},
		{"aws", "", []string{"access_key", akia, "secret_key", canary + "\r"}},
		{"aws", "", []string{"access_key", akia, "secret_key", " " + canary}},
		{"aws", "", []string{"access_key", akia, "secret_key", canary + " # x"}},
		{"huggingface", "", []string{"token", canary + "\n"}},
		{"huggingface", "", []string{"token", "\ufeff" + canary}},
		{"docker", "", []string{"username", "a:b", "password", canary, "server", "x"}},
		{"docker", "y", []string{"username", "a", "password", canary, "server", "x"}},
		{"docker", "", []string{"username", "a", "password", canary + "\x00", "server", "x"}},
		{"github", "", []string{"oauth_token", canary + "\xff"}},
		{"kubernetes", "x", []string{"context", canary, "cluster", "{}", "user", "{}"}},
		{"kubernetes", "x", []string{"context", `{"cluster":"` + canary + `"}`, "cluster", `{"a":"b"}`, "user", `{"c":"d"}`}},
		{"wandb", "", []string{"api_key", canary + "\x00"}},
		{"sky", "", []string{"private_key", canary}},
		{"lambda", "", []string{"api_key", canary + "\n"}},
	} {
		sp := builtin(t, c.provider)
		m := newMachine(nil)
		plan := provider.NewPlan(take(t, m, sp))
		placed := plan.Put(ctx, sp, sec(sp, c.profile, c.values...), provider.Options{Resolve: provider.ReplaceAll})
		if placed[0].Action != provider.Failed || placed[0].Err == nil || len(plan.Changes()) != 0 {
			t.Errorf("%s %q: %s", c.provider, c.values, outcome(placed))
		}
		if strings.Contains(outcome(placed), canary) {
			t.Errorf("the value is in the error: %s", outcome(placed))
		}
	}
}

// A secret that is not whole is not written.
func TestPutRefusesHalfASecret(t *testing.T) {
	for _, c := range []struct {
		provider string
		values   []string
		want     string
	}{
		{"aws", []string{"access_key", akia}, "failed: the secret has no value for secret_key"},
		{"aws", []string{"access_key", akia, "secret_key", ""}, "failed: the secret has no value for secret_key"},
		{"aws", nil, "failed: the secret has no values"},
		{"azure", []string{"client_id", "c"}, "failed: the secret has no value for client_secret, tenant_id"},
		{"gcp", nil, "failed: the secret has no values"},
		{"docker", []string{"username", "u"}, "failed: the secret has no value for password or identity_token or registry_token"},
		{"openai", []string{"api_key", sk}, "failed: openai has variables only, no file"},
		{"kubernetes", []string{"user", "{}"}, "failed: kubernetes has no default profile, so a secret needs one: name it kubernetes/PROFILE"},
		{"ssh", []string{"private_key", pem}, "failed: ssh has no default profile, so a secret needs one: name it ssh/PROFILE"},
	} {
		sp := builtin(t, c.provider)
		m := newMachine(nil)
		out, n := put(t, m, sp, sec(sp, "", c.values...), provider.Options{})
		if same(t, c.provider, out, c.want); n != 0 {
			t.Error("something was written")
		}
	}
	sp := builtin(t, "lambda")
	out, _ := put(t, newMachine(nil), sp, sec(sp, "p", "api_key", "k"), provider.Options{})
	same(t, "a profile where there are none", out, `failed: lambda has no file that can hold the profile "p"`)
}

// A file that does not parse, is of another shape or cannot be read is refused
// and left.
func TestPutRefusesBrokenFiles(t *testing.T) {
	values := map[string][]string{
		"aws": {"access_key", akia, "secret_key", awsKey}, "github": {"oauth_token", gho}, "gcp": {"type", "x", "private_key", "k"},
		"docker": {"username", "u", "password", "p"}, "wandb": {"api_key", wandb}, "lambda": {"api_key", "k"},
	}
	for _, c := range []struct{ provider, file, text string }{
		{"aws", ".aws/credentials", "[default\n"},
		{"aws", ".aws/credentials", "{}"},
		{"github", ".config/gh/hosts.yml", "github.com: [\n"},
		{"github", ".config/gh/hosts.yml", "- a\n"},
		{"github", ".config/gh/hosts.yml", "github.com: text\n"},
		{"github", ".config/gh/hosts.yml", "github.com:\n  oauth_token: {a: b}\n"},
		{"gcp", ".config/gcloud/application_default_credentials.json", "{"},
		{"gcp", ".config/gcloud/application_default_credentials.json", "[]"},
		{"docker", ".docker/config.json", `{"auths": []}`},
		{"docker", ".docker/config.json", `{"auths": {"https://index.docker.io/v1/": "x"}}`},
		{"docker", ".docker/config.json", `{"credsStore": "desktop"}`},
		{"docker", ".docker/config.json", `{"auths": {}, "credHelpers": {"https://index.docker.io/v1/": "x"}}`},
		{"wandb", ".netrc", "machine\n"},
		{"lambda", ".lambda_cloud/lambda_keys", "a key\n"},
		{"lambda", ".lambda_cloud/lambda_keys", "\x00\x01"},
	} {
		sp := builtin(t, c.provider)
		m := newMachine(tree{c.file: c.text})
		plan := provider.NewPlan(take(t, m, sp))
		placed := plan.Put(ctx, sp, sec(sp, "", values[c.provider]...), provider.Options{Resolve: provider.ReplaceAll})
		if placed[0].Action != provider.Failed || !strings.Contains(placed[0].Err.Error(), "~/"+c.file) || len(plan.Changes()) != 0 {
			t.Errorf("%s %q: %s", c.provider, c.text, outcome(placed))
		}
	}
	sp := builtin(t, "aws")
	m := newMachine(nil)
	m.PutFile(home+".aws/credentials", nil, 0)
	out, n := put(t, m, sp, sec(sp, "", values["aws"]...), provider.Options{Resolve: provider.ReplaceAll})
	if same(t, "unreadable", out, "~/.aws/credentials failed: read ~/.aws/credentials: permission denied"); n != 0 {
		t.Error("written all the same")
	}
}

// Secrets that share a file build on one another, and it is written once.
func TestPutTwoIntoOneFile(t *testing.T) {
	sp := builtin(t, "aws")
	m := newMachine(tree{".aws/credentials": "# c\n"})
	plan := provider.NewPlan(take(t, m, sp))
	a := plan.Put(ctx, sp, sec(sp, "a", "access_key", akia, "secret_key", awsKey), provider.Options{})
	b := plan.Put(ctx, sp, sec(sp, "b", "access_key", akia2, "secret_key", awsKey2), provider.Options{})
	again := plan.Put(ctx, sp, sec(sp, "a", "access_key", akia, "secret_key", awsKey), provider.Options{})
	bad := plan.Put(ctx, sp, sec(sp, "c", "access_key", akia, "secret_key", "\x00"), provider.Options{})
	if a[0].Action != provider.Updated || b[0].Action != provider.Updated || again[0].Action != provider.Unchanged || bad[0].Action != provider.Failed {
		t.Error(outcome(slices.Concat(a, b, again, bad)))
	}
	changes := plan.Changes()
	if len(changes) != 1 || string(changes[0].Old) != "# c\n" {
		t.Fatalf("%d changes", len(changes))
	}
	apply(t, m, plan)
	same(t, "found", describe(extract(t, m, sp)), `
aws/a value from ~/.aws/credentials: access_key=`+akia+` secret_key=`+awsKey+`
aws/b value from ~/.aws/credentials: access_key=`+akia2+` secret_key=`+awsKey2)
}

// gh keeps the token of the account in use in two places; both follow.
func TestPutGitHubMirrors(t *testing.T) {
	sp := builtin(t, "github")
	for _, c := range []struct{ name, before, after string }{
		{"both places", "github.com:\n    users:\n        jane:\n            oauth_token: " + gho + "\n    oauth_token: " + gho + "\n    user: jane\n",
			"github.com:\n    users:\n        jane:\n            oauth_token: " + gho2 + "\n    oauth_token: " + gho2 + "\n    user: jane\n"},
		{"an old file", "github.com:\n    oauth_token: " + gho + "\n    git_protocol: ssh\n    user: jane\n",
			"github.com:\n    oauth_token: " + gho2 + "\n    git_protocol: ssh\n    user: jane\n    users:\n        jane:\n            oauth_token: " + gho2 + "\n"},
		{"the keyring, a null", "github.com:\n    users:\n        jane:\n        bob:\n    user: jane\n",
			"github.com:\n    users:\n        jane:\n            oauth_token: " + gho2 + "\n        bob:\n    user: jane\n    oauth_token: " + gho2 + "\n"},
		{"the keyring, an empty text", "github.com:\n    users:\n        jane: \"\"\n    user: jane\n",
			"github.com:\n    users:\n        jane:\n            oauth_token: " + gho2 + "\n    user: jane\n    oauth_token: " + gho2 + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(tree{".config/gh/hosts.yml": c.before})
			put(t, m, sp, sec(sp, "", "oauth_token", gho2, "user", "jane"), provider.Options{Resolve: provider.ReplaceAll})
			same(t, "file", content(m, ".config/gh/hosts.yml"), c.after)
		})
	}
}

// A kubeconfig whose certificates are files has the same values already.
func TestPutKubernetes(t *testing.T) {
	sp := builtin(t, "kubernetes")
	certs := "contexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s, certificate-authority: ca}}]\nusers: [{name: u, user: {token: t}}]\n"
	s := sec(sp, "m", "context", `{"user":"u","cluster":"c"}`, "cluster", `{"certificate-authority-data":"`+base64.StdEncoding.EncodeToString([]byte(cert))+`","server":"s"}`, "user", `{"token":"t"}`)
	m := newMachine(tree{".kube/config": certs, ".kube/ca": cert})
	out, n := put(t, m, sp, s, provider.Options{})
	if same(t, "the same", out, "~/.kube/config unchanged"); n != 0 {
		t.Error("written")
	}
	m.PutFile(home+".kube/ca", []byte(cert2), 0o600)
	out, _ = put(t, m, sp, s, provider.Options{})
	same(t, "another certificate", out, "~/.kube/config conflict cluster: ~/.kube/config has other values for cluster")
	put(t, m, sp, s, provider.Options{Resolve: provider.ReplaceAll})
	same(t, "overwritten", describe(extract(t, m, sp)), `kubernetes/m value from ~/.kube/config: cluster="{\"server\":\"s\",\"certificate-authority-data\":\"`+base64.StdEncoding.EncodeToString([]byte(cert))+`\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"token\":\"t\"}"`)

	// A token replaces a command.
	m = newMachine(tree{".kube/config": "current-context: x\ncontexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s}}]\nusers: [{name: u, user: {exec: {command: aws}}}]\n"})
	s = sec(sp, "m", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"token":"t"}`)
	out, _ = put(t, m, sp, s, provider.Options{})
	same(t, "a command there", out, "~/.kube/config conflict user: ~/.kube/config has other values for user")
	out, _ = put(t, m, sp, s, provider.Options{Resolve: provider.ReplaceAll})
	same(t, "overwritten", out, "~/.kube/config updated user")
	// What is in use stays in use.
	if !strings.HasPrefix(content(m, ".kube/config"), "current-context: x\n") {
		t.Error(content(m, ".kube/config"))
	}
	// A secret that is itself a command is of no use as a value.
	out, _ = put(t, newMachine(nil), sp, sec(sp, "m", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"exec":{"command":"x"}}`), provider.Options{})
	same(t, "a command stored", out, "~/.kube/config failed: write ~/.kube/config: the file says that a command gives the secret; the tool would not use what is written here")
}

// Of several files that KUBECONFIG lists: the one with the context, else the
// first that exists, else the last.
func TestPutKubeconfigList(t *testing.T) {
	sp := builtin(t, "kubernetes")
	s := sec(sp, "dev", "context", `{"cluster":"c1","user":"dev","namespace":"ml"}`, "cluster", `{"server":"https://k8s.example:6443","certificate-authority-data":"Q0EtRkFLRQ=="}`, "user", `{"token":"NEW"}`)
	for want, files := range map[string]tree{
		"~/b updated user":                 {"a": "{}", "b": kubeconfig},
		"~/a updated cluster,context,user": {"a": "kind: Config\n", "c": "{}"},
		"~/c created cluster,context,user": {},
	} {
		files["$KUBECONFIG"] = "~/a:/home/u/b::c"
		out, _ := put(t, newMachine(files), sp, s, provider.Options{Resolve: provider.ReplaceAll})
		same(t, "place", out, want)
	}
	out, _ := put(t, newMachine(tree{"$KUBECONFIG": "::"}), sp, s, provider.Options{})
	same(t, "an empty list", out, "failed: $KUBECONFIG says that there is no file")
}

// azure has two files: az's own for the subscription alone, the SDKs' for the
// rest; values that are there stay where they are.
func TestPutAzureChoosesTheFile(t *testing.T) {
	sp := builtin(t, "azure")
	sub := sec(sp, "", "subscription_id", "s")
	all := sec(sp, "", "subscription_id", "s", "client_id", "c", "client_secret", "x", "tenant_id", "t")
	for _, c := range []struct {
		name  string
		files tree
		s     *secret.Secret
		want  string
	}{
		{"subscription alone", nil, sub, "~/.azure/clouds.config created subscription_id"},
		{"subscription where the SDKs have one", tree{".azure/credentials": "[default]\nsubscription_id = old\nclient_id=c\nsecret=x\ntenant=t\n"}, all, "~/.azure/credentials updated subscription_id"},
		{"subscription beside a file for others", tree{".azure/credentials": "[default]\nsubscription_id = old\n"}, sub, "~/.azure/clouds.config created subscription_id"},
		{"everything", nil, all, "~/.azure/credentials created client_id,client_secret,subscription_id,tenant_id"},
		{"everything, az's file there", tree{".azure/clouds.config": "[AzureCloud]\nsubscription = old\n"}, all, "~/.azure/credentials created client_id,client_secret,subscription_id,tenant_id"},
	} {
		m := newMachine(c.files)
		out, _ := put(t, m, sp, c.s, provider.Options{Resolve: provider.ReplaceAll})
		same(t, c.name, out, c.want)
		found := extract(t, m, sp)
		if len(found) == 0 || found[0].Values["subscription_id"].Reveal() != "s" {
			t.Errorf("%s: %s", c.name, describe(found))
		}
	}
	out, n := put(t, newMachine(nil), sp, sec(sp, "ci", "subscription_id", "s"), provider.Options{})
	if same(t, "a profile of public values", out, "~/.azure/credentials failed: write ~/.azure/credentials: it holds secrets, and public values alone would not be found there"); n != 0 {
		t.Error("written")
	}
}

// The default profile may be spelled out in a secret's profile.
func TestDefaultProfileSpelledOut(t *testing.T) {
	sp := builtin(t, "aws")
	s := sec(sp, "default", "access_key", akia, "secret_key", awsKey)
	m := newMachine(nil)
	put(t, m, sp, s, provider.Options{})
	same(t, "found", describe(extract(t, m, sp)), "aws value from ~/.aws/credentials: access_key="+akia+" secret_key="+awsKey)
	out, _ := remove(t, m, sp, s)
	same(t, "removed", out, "~/.aws/credentials removed")
}

// --to writes another file, and not the ones that mirror.
func TestPutTo(t *testing.T) {
	sp := builtin(t, "ssh")
	m := newMachine(nil)
	out, _ := put(t, m, sp, sec(sp, "k", "private_key", pem, "public_key", pub), provider.Options{To: "/srv/keys/a[b]"})
	same(t, "a key pair", out, "/srv/keys/a[b] created private_key\n/srv/keys/a[b].pub created public_key")
	out, n := put(t, m, sp, sec(sp, "k", "private_key", pem, "public_key", pub), provider.Options{To: "/srv/keys/a[b]"})
	if same(t, "again", out, "/srv/keys/a[b] unchanged\n/srv/keys/a[b].pub unchanged"); n != 0 {
		t.Error("written")
	}
	sp = builtin(t, "huggingface")
	out, _ = put(t, m, sp, sec(sp, "", "token", hf), provider.Options{To: "/srv/t"})
	same(t, "a token", out, "/srv/t created token")
	if data, _, _ := m.File("/srv/t"); string(data) != hf {
		t.Error(string(data))
	}
	sp = builtin(t, "aws")
	m.PutFile("/srv/c", []byte("[p]\naws_access_key_id=x\n"), 0o600)
	out, _ = put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey), provider.Options{To: "/srv/c"})
	same(t, "ini", out, "/srv/c updated access_key,secret_key")
}

// Mode: a file that is stricter stays so, a new one is its owner's.
func TestPutKeepsStricterModes(t *testing.T) {
	sp := builtin(t, "aws")
	m := newMachine(nil)
	m.PutFile(home+".aws/credentials", []byte("[x]\n"), 0o644)
	put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey), provider.Options{})
	if mode(m, ".aws/credentials") != 0o600 {
		t.Error(mode(m, ".aws/credentials"))
	}
}

// What custom specs can say beside the built-in ones.
func TestCustomSpecs(t *testing.T) {
	t.Run("files that mirror, and read only ones", func(t *testing.T) {
		sp := parse(t, `
spec: 1
name: x
values: {k: {}}
files:
  - {path: ~/ro, format: text, keys: {k: .}, read_only: true}
  - {path: ~/main.json, format: json, keys: {k: a.k}}
  - {path: ~/copy.toml, format: toml, keys: {k: k}, mirror: true}
  - {path: ~/none.env, format: dotenv, keys: {k: K}, mirror: true}
`)
		m := newMachine(tree{"copy.toml": "# c\nk = 'old'\n"})
		out, _ := put(t, m, sp, sec(sp, "", "k", "new"), provider.Options{})
		same(t, "put", out, "~/main.json created k\n~/copy.toml updated k")
		same(t, "the copy", content(m, "copy.toml"), "# c\nk = 'new'\n")
		same(t, "one that is not there", content(m, "none.env"), "(none)")
		m.PutFile(home+"main.json", []byte("{}"), 0o600)
		same(t, "from the copy", describe(extract(t, m, sp)), "x value from ~/copy.toml: k=new")
		m.PutFile(home+"ro", []byte("first\n"), 0o600)
		same(t, "from the first", describe(extract(t, m, sp)), "x value from ~/ro: k=first")
	})
	t.Run("codecs", func(t *testing.T) {
		sp := parse(t, `
spec: 1
name: x
values: {b: {}, user: {optional: true}, pass: {optional: true}, t: {optional: true}}
files:
  - path: ~/f.json
    format: json
    keys: {b: {at: b, as: base64}, user: {at: u, as: url-user}, pass: {at: u, as: url-password}, t: {at: t, as: trim}}
`)
		m := newMachine(tree{"f.json": `{"b": "aGk=", "u": "https://jane:p%40ss@h.example/x?y=z", "t": " t "}`})
		same(t, "found", describe(extract(t, m, sp)), "x value from ~/f.json: b=hi pass=p@ss t=t user=jane")
		out, _ := put(t, m, sp, sec(sp, "", "b", "ho\n", "user", "jd", "pass", "a:b@c/", "t", "u"), provider.Options{Resolve: provider.ReplaceAll})
		same(t, "put", out, "~/f.json updated b,pass,t,user")
		same(t, "file", content(m, "f.json"), `{"b": "aG8K", "u": "https://jd:a%3Ab%40c%2F@h.example/x?y=z", "t": " u "}`)
		out, _ = put(t, newMachine(nil), sp, sec(sp, "", "b", "x", "user", "u"), provider.Options{})
		same(t, "no URL to put a user into", out, "~/f.json failed: write ~/f.json: user: the text does not have the form that the spec says")
		out, _ = put(t, m, sp, sec(sp, "", "b", "x", "user", "u", "pass", "p", "t", " t"), provider.Options{Resolve: provider.ReplaceAll})
		same(t, "blanks that trim would lose", out, "~/f.json failed: write ~/f.json: the value t cannot be held there, it would be read as another one")
		m.PutFile(home+"f.json", []byte(`{"b": "%"}`), 0o600)
		same(t, "not base64", describe(extract(t, m, sp)), "x invalid from ~/f.json: read ~/f.json: b: line 1: the text does not have the form that the spec says")
	})
	t.Run("inherited options", func(t *testing.T) {
		sp := parse(t, `
spec: 1
name: x
values: {host: {public: true}, k: {}}
files: [{path: ~/c, format: ini, profiles: {section: "*", inherit: DEFAULT}, keys: {host: host, k: k}}]
`)
		m := newMachine(tree{"c": "[DEFAULT]\nhost = h\n[a]\nk = 1\n[b]\nhost = i\nk = 2\n"})
		same(t, "found", describe(extract(t, m, sp)), "x/a value from ~/c: host=h k=1\nx/b value from ~/c: host=i k=2")
		out, _ := put(t, m, sp, sec(sp, "a", "host", "h", "k", "1"), provider.Options{})
		same(t, "the same", out, "~/c unchanged")
		put(t, m, sp, sec(sp, "a", "host", "j", "k", "1"), provider.Options{Resolve: provider.ReplaceAll})
		same(t, "file", content(m, "c"), "[DEFAULT]\nhost = h\n[a]\nk = 1\nhost = j\n[b]\nhost = i\nk = 2\n")
	})
	t.Run("stubs, expiry, wildcards, entries of tables", func(t *testing.T) {
		sp := parse(t, `
spec: 1
name: x
values: {k: {reject: '.*\*{4}.*', rotates: true}}
files: [{path: ~/c.toml, format: toml, profiles: {entries: contexts, name: name, default: main}, keys: {k: [token, 'deep.*.token']}, expires: exp}]
`)
		m := newMachine(tree{"c.toml": "[[contexts]]\nname = 'main'\ntoken = 'T'\nexp = '2030-01-02T00:00:00Z'\n[[contexts]]\nname = 'stub'\ntoken = 'sk_****1234'\n[[contexts]]\nname = 'wild'\n[contexts.deep.any]\ntoken = 'W'\n"})
		note := " (k is good for one machine: another one that uses it can log this one out)"
		same(t, "found", describe(extract(t, m, sp)), "x value from ~/c.toml: k=T until 2030-01-02"+note+"\nx/stub keyring from ~/c.toml:\nx/wild value from ~/c.toml: k=W"+note)
		out, _ := put(t, m, sp, sec(sp, "wild", "k", "N"), provider.Options{Resolve: provider.ReplaceAll})
		same(t, "put", out, "~/c.toml updated k")
		out, _ = put(t, m, sp, sec(sp, "new", "k", "sk_****1234"), provider.Options{})
		same(t, "a stub is never put", out, "~/c.toml failed: write ~/c.toml: the value k cannot be held there, it would be read as another one")
	})
}
