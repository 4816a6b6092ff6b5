package provider_test

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// fuzzed are the providers with files, each with one of its files and a secret
// made of any two texts.
var fuzzed = []struct {
	provider, file string
	values         func(a, b string) []string
}{
	{"aws", ".aws/credentials", func(a, b string) []string {
		return []string{"access_key", akia, "secret_key", a, "session_token", b}
	}},
	{"aws", ".aws/config", func(a, b string) []string { return []string{"access_key", b, "secret_key", a} }},
	{"azure", ".azure/credentials", func(a, b string) []string {
		return []string{"client_id", "i", "client_secret", a, "tenant_id", "t", "subscription_id", b}
	}},
	{"azure", ".azure/clouds.config", func(a, _ string) []string { return []string{"subscription_id", a} }},
	{"gcp", ".config/gcloud/application_default_credentials.json", func(a, b string) []string {
		return []string{"type", "x", "private_key", a, "extra", b}
	}},
	{"github", ".config/gh/hosts.yml", func(a, b string) []string { return []string{"oauth_token", a, "user", b} }},
	{"huggingface", ".cache/huggingface/token", func(a, _ string) []string { return []string{"token", a} }},
	{"huggingface", ".cache/huggingface/stored_tokens", func(a, _ string) []string { return []string{"token", a} }},
	{"kubernetes", ".kube/config", func(a, b string) []string {
		object := func(kv ...string) string {
			m := map[string]string{}
			for i := 0; i < len(kv); i += 2 {
				m[kv[i]] = kv[i+1]
			}
			text, _ := json.Marshal(m)
			return string(text)
		}
		return []string{"context", object("cluster", "c", "user", b), "cluster", object("server", a), "user", object("token", a)}
	}},
	{"lambda", ".lambda_cloud/lambda_keys", func(a, _ string) []string { return []string{"api_key", a} }},
	{"docker", ".docker/config.json", func(a, b string) []string { return []string{"username", b, "password", a} }},
	{"ssh", ".ssh/id", func(a, b string) []string { return []string{"private_key", pem + a, "public_key", b} }},
	{"sky", ".ssh/sky-key", func(a, _ string) []string { return []string{"private_key", a + pem} }},
	{"wandb", ".netrc", func(a, _ string) []string { return []string{"api_key", a} }},
}

// For any file and any values: an error and no change, or the values are read
// back, what other profiles hold is as it was, putting them again changes
// nothing, and after removing them nothing of them is found.
func FuzzPut(f *testing.F) {
	sps := make([]*spec.Spec, len(fuzzed))
	for i, c := range fuzzed {
		sps[i] = builtin(f, c.provider)
		f.Add(uint8(i), "", "", "value", "v2", true)
	}
	f.Add(uint8(0), oldAWS, "work", "new/+=", "", true)
	f.Add(uint8(0), "\ufeff[default]\r\nAWS_ACCESS_KEY_ID=x\r\n", "a b", "it's", "\"q\"", true)
	f.Add(uint8(1), "[profile a]\nx=y\n[default]\nregion=z\n", "a", "k", "i", true)
	f.Add(uint8(2), "[ci]\nclient_id=x\nsecret=y\ntenant=z\n", "ci", "k", "", false)
	f.Add(uint8(4), `{"type":"authorized_user","refresh_token":"r","n":[1]}`, "", "{\"a\":1}", "[", true)
	f.Add(uint8(5), "github.com:\n    users:\n        jane: \"\"\n    user: jane\n", "", gho, "jane", true)
	f.Add(uint8(5), "a.org: {oauth_token: t}\ngithub.com:\n  oauth_token: t # c\n", "b.org", "yes", "null", true)
	f.Add(uint8(6), " old\r\n", "", hf, "", true)
	f.Add(uint8(8), kubeconfig, "dev", "t", "ops", true)
	f.Add(uint8(8), kubeconfig, "new", "t", "u", true)
	f.Add(uint8(9), "# c\napi_key:V\n", "", "k", "", true)
	f.Add(uint8(10), `{"auths": {"a": {"auth": "eDp5"}}, "credsStore": ""}`, "a", "p:w", "u", true)
	f.Add(uint8(11), pem2, "id", "\n", pub, true)
	f.Add(uint8(13), "machine a login b password c\nmachine api.wandb.ai login user\n", "", "k\"", "", true)
	f.Fuzz(func(t *testing.T, which uint8, before, profile, a, b string, overwrite bool) {
		checkPut(t, sps, which, before, profile, a, b, overwrite)
	})
}

// The same, for files as people leave them and texts that formats give a meaning;
// each file meets each text, and each profile a quarter of them.
func TestPutAnything(t *testing.T) {
	profiles := []string{"", "dev", "a b", "github.com", `q"'`, "#x", "profile x"}
	texts := []string{"v", "", "it's", `"q"`, `\`, "a b", " a", "a ", "#", "a #b", "a;b", "a=b", "a: b", "- a", "{a}", `{"a": 1}`, "[", "null", "true", "1.50", "0x10", "~", "a\nb", "a\n", "\t", "\r", "%(x)s", "${x}", "*a", "&a", "!x", "|", ">", "@", "`", "ü", "\x00", "\xff", "\ufeff", "\u2028", strings.Repeat("long ", 40)}
	sps := make([]*spec.Spec, len(fuzzed))
	for i, c := range fuzzed {
		sps[i] = builtin(t, c.provider)
	}
	n, what := 0, ""
	defer func() {
		if t.Failed() {
			t.Log(what)
		}
	}()
	for i, c := range fuzzed {
		for _, before := range filesOf(c.file) {
			for k, profile := range profiles {
				for j := k % 4; j < len(texts); j += 4 {
					a := texts[j]
					b := texts[(j*7+n)%len(texts)]
					n++
					what = fmt.Sprintf("%s: put %q %q as profile %q into\n%s", c.file, a, b, profile, before)
					checkPut(t, sps, uint8(i), before, profile, a, b, n%4 != 0)
				}
			}
		}
	}
	t.Logf("%d combinations", n)
}

// filesOf are contents of a file: none, with the entries of others, with this one's.
func filesOf(file string) []string {
	switch path.Base(file) {
	case "credentials", "stored_tokens":
		return []string{"", oldAWS, "\ufeff# c\r\n[dev]\r\naws_access_key_id=x\r\n", "[dev]\nclient_id=a\nsecret=b\ntenant=c\nhf_token = t\nexpires_at = 1\n[a b]\nhf_token=u"}
	case "config":
		return []string{"", "[profile dev]\nregion = x\naws_access_key_id = " + akia + "\naws_secret_access_key = k\n[default]\nregion=y\n"}
	case "clouds.config":
		return []string{"", "[AzureCloud]\nsubscription = old\n", "; c\n[Other]\nsubscription = x"}
	case "hosts.yml":
		return []string{"", "# c\ngithub.com:\n    users:\n        jane: \"\"\n    user: jane\n", "github.com: {oauth_token: t, user: v}\n", "a.b:\n- x\n", "---\ndev:\n  oauth_token: 'a' # c\n  user: v\n...\n"}
	case "application_default_credentials.json":
		return []string{"", `{"type":"x","private_key":"old","none":null,"n":1}`, "{\n}\n"}
	case "config.json":
		return []string{"", `{"auths": {"dev": {"auth": "eDp5"}}}`, "{\n\t\"auths\": {},\n\t\"credsStore\": \"\"\n}\n"}
	case "lambda_keys":
		return []string{"", "api_key=old", "# c\nssh_key_name = x\n"}
	case "token":
		return []string{"", "old\n", " old\r\n"}
	case ".netrc":
		return []string{"", "machine api.wandb.ai\n  login user\n  password old\n", "default login a password b\n", "macdef x\ny\n\nmachine a login b password c"}
	case "id", "sky-key":
		return []string{"", pem2}
	}
	return []string{""}
}

func checkPut(t *testing.T, sps []*spec.Spec, which uint8, before, profile, a, b string, overwrite bool) {
	t.Helper()
	c, sp := fuzzed[int(which)%len(fuzzed)], sps[int(which)%len(fuzzed)]
	files := tree{c.file: before}
	if before == "" {
		files = nil
	}
	m := newMachine(files)
	s := sec(sp, profile, c.values(a, b)...)
	if c.provider == "kubernetes" && (!utf8.ValidString(a) || !utf8.ValidString(b)) {
		return // the values would not be JSON of these texts
	}
	others := map[string]secret.Values{}
	for _, g := range extract(t, m, sp) {
		if g.State == provider.HasValue {
			others[g.Name] = g.Values
		}
	}
	plan := provider.NewPlan(take(t, m, sp))
	placed := plan.Put(ctx, sp, s, overwriting(overwrite))
	for _, p := range placed {
		switch {
		case p.Action == provider.Failed, p.Action == provider.Conflict:
			if n := len(plan.Changes()); n != 0 || p.Err == nil {
				t.Fatalf("%s, and %d changes", outcome(placed), n)
			}
			if p.Action == provider.Conflict && overwrite {
				t.Fatalf("%s in spite of Overwrite", outcome(placed))
			}
			return
		}
	}
	apply(t, m, plan)

	name := ""
	for _, g := range extract(t, m, sp) {
		if holdsAll(sp, g, s) {
			name = g.Name
		}
	}
	if name == "" {
		t.Fatalf("%s, but not found:\n%s", outcome(placed), describe(extract(t, m, sp)))
	}
	for _, g := range extract(t, m, sp) {
		was, ok := others[g.Name]
		delete(others, g.Name)
		switch {
		case g.Name == name:
		case !ok && g.State == provider.HasValue && c.provider != "kubernetes": // its new user may be another context's too
			t.Fatalf("%s was not there before", g.Name)
		case ok && c.provider == "kubernetes":
			// Contexts may share a cluster and a user.
			if g.Values["context"] != was["context"] {
				t.Fatalf("%s has another context", g.Name)
			}
		case ok && !g.Values.Equal(was):
			t.Fatalf("%s has other values than before", g.Name)
		}
	}
	delete(others, name)
	if len(others) > 0 && c.provider != "kubernetes" {
		t.Fatalf("%d others are gone", len(others))
	}

	out, n := put(t, m, sp, s, provider.Options{})
	if n != 0 || strings.Contains(out, " created") || strings.Contains(out, " updated") || strings.Contains(out, "conflict") || strings.Contains(out, "failed") {
		t.Fatalf("a second time: %s, %d changes", out, n)
	}
	out, _ = remove(t, m, sp, s)
	if broken := "~/" + c.file + " failed: read"; strings.Contains(out, broken) && placed[0].Source.Path != "~/"+c.file {
		return // it went to another file, and this one may hold it too
	}
	if !strings.Contains(out, " removed") || strings.Contains(out, "conflict") || strings.Contains(out, "failed") {
		t.Fatalf("removing: %s", out)
	}
	for _, g := range extract(t, m, sp) {
		if g.Name == name && g.State == provider.HasValue {
			t.Fatalf("removed, but found: %s", describe([]provider.Found{g}))
		}
	}
}

// holdsAll reports whether a finding has all values of a secret, and no secret
// one beside them.
func holdsAll(sp *spec.Spec, f provider.Found, s *secret.Secret) bool {
	if f.State != provider.HasValue {
		return false
	}
	for k, v := range s.Values {
		if !v.Empty() && !sameValue(f.Values[k].Reveal(), v.Reveal()) {
			return false
		}
	}
	for k := range f.Values {
		if _, ok := s.Values[k]; !ok && !sp.Public(k) {
			return false
		}
	}
	return true
}

func sameValue(a, b string) bool {
	m, err1 := codec.FromJSON([]byte(a))
	n, err2 := codec.FromJSON([]byte(b))
	return a == b || err1 == nil && err2 == nil && !m.Scalar() && codec.Equal(m, n)
}
