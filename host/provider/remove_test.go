package provider_test

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
)

// Remove takes this secret's keys and what only they needed; the rest of the
// file stays byte for byte, and the file goes only where nothing is left.
func TestRemove(t *testing.T) {
	aws := []string{"access_key", akia, "secret_key", awsKey}
	awsLines := "aws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\n"
	for _, c := range []struct {
		name, provider, profile string
		values                  []string
		file, before, after     string
		out                     string // "removed" where it is not said
	}{
		{"the only profile", "aws", "", aws, ".aws/credentials", "[default]\n" + awsLines, "(none)", ""},
		{"one of two", "aws", "", aws, ".aws/credentials", "# c\n[default]\n" + awsLines + "[p]\nx = y\n", "# c\n[p]\nx = y\n", ""},
		{"with a region of its own", "aws", "", aws, ".aws/credentials", "[default]\n" + awsLines + "region = x\n", "[default]\nregion = x\n", ""},
		{"a comment is left", "aws", "", aws, ".aws/credentials", "# mine\n[default]\n" + awsLines, "# mine\n", ""},
		{"a public value that was not stored", "github", "", []string{"oauth_token", gho}, ".config/gh/hosts.yml", "github.com:\n  user: jane\n  oauth_token: " + gho + "\nb: {}\n", "b: {}\n", ""},
		{"settings of a host stay", "github", "", []string{"oauth_token", gho, "user", "jane"}, ".config/gh/hosts.yml", "github.com:\n  git_protocol: ssh\n  users:\n    jane:\n      oauth_token: " + gho + "\n    bob:\n  user: jane\n  oauth_token: " + gho + "\n", "github.com:\n  git_protocol: ssh\n  users:\n    bob:\n", ""},
		{"a whole document", "gcp", "", []string{"type", "x", "private_key", "k"}, ".config/gcloud/application_default_credentials.json", `{"type":"x","private_key":"k","project_id":"p"}`, "(none)", ""},
		{"a token", "huggingface", "", []string{"token", hf}, ".cache/huggingface/token", hf + "\n", "(none)", ""},
		{"a line", "lambda", "", []string{"api_key", "k"}, ".lambda_cloud/lambda_keys", "api_key = k\nssh_key_name = n\n", "ssh_key_name = n\n", ""},
		{"a registry", "docker", "ghcr.io", []string{"username", "jane", "password", "pw", "server", "ghcr.io"}, ".docker/config.json", `{"auths": {"ghcr.io": {"auth": "amFuZTpwdw=="}}, "psFormat": "x"}`, `{"psFormat": "x"}`, ""},
		{"a registry that its value names", "docker", "", []string{"username", "jane", "password", "pw", "server", "ghcr.io"}, ".docker/config.json", `{"auths": {"ghcr.io": {"auth": "amFuZTpwdw=="}}}`, "(none)", ""},
		{"an entry of a netrc", "wandb", "", []string{"api_key", wandb}, ".netrc", "machine a login b password c\nmachine api.wandb.ai login user password " + wandb + "\n", "machine a login b password c\n", ""},

		{"nothing there", "aws", "", aws, ".aws/credentials", "[p]\nx=y\n", "[p]\nx=y\n", "-"},
		{"values that differ stay", "aws", "", aws, ".aws/credentials", "[default]\naws_access_key_id=" + akia2 + "\naws_secret_access_key=" + awsKey2 + "\n", "", "~/.aws/credentials conflict access_key,secret_key: ~/.aws/credentials has other values for access_key, secret_key"},
		{"a secret value that is nowhere else stays", "aws", "", aws, ".aws/credentials", "[default]\n" + awsLines + "aws_session_token = T\n", "", "~/.aws/credentials conflict session_token: ~/.aws/credentials has other values for session_token"},
		{"another token where a mirror is meant to be stays", "github", "", []string{"oauth_token", gho, "user", "jane"}, ".config/gh/hosts.yml", "github.com:\n  users:\n    jane:\n      oauth_token: other-fake\n  user: jane\n  oauth_token: " + gho + "\n", "", "~/.config/gh/hosts.yml conflict oauth_token: ~/.config/gh/hosts.yml has other values for oauth_token"},
		{"another value under a second spelling stays", "lambda", "", []string{"api_key", "k"}, ".lambda_cloud/lambda_keys", "api_key = k\napi_key = other-fake\n", "", "~/.lambda_cloud/lambda_keys conflict api_key: ~/.lambda_cloud/lambda_keys has other values for api_key"},
		{"so in a whole document", "gcp", "", []string{"type", "x"}, ".config/gcloud/application_default_credentials.json", `{"type":"x","refresh_token":"r"}`, "", "~/.config/gcloud/application_default_credentials.json conflict refresh_token: ~/.config/gcloud/application_default_credentials.json has other values for refresh_token"},
		{"half a profile", "aws", "", aws, ".aws/credentials", "[default]\naws_access_key_id=" + akia + "\n", "", "~/.aws/credentials failed: read ~/.aws/credentials, default: secret_key is missing"},
		{"a broken file", "github", "ghe.org", []string{"oauth_token", "t"}, ".config/gh/hosts.yml", "- a\n", "", "~/.config/gh/hosts.yml failed: read ~/.config/gh/hosts.yml: line 1: a mapping was expected here"},
		{"a keyring", "github", "", []string{"oauth_token", gho}, ".config/gh/hosts.yml", "github.com:\n  users: {jane: {}}\n", "", "-"},
	} {
		t.Run(c.provider+"/"+c.name, func(t *testing.T) {
			sp := builtin(t, c.provider)
			m := newMachine(tree{c.file: c.before})
			if c.after == "" {
				c.after = c.before
			}
			switch c.out {
			case "":
				c.out = "~/" + c.file + " removed"
			case "-":
				c.out = ""
			}
			out, n := remove(t, m, sp, sec(sp, c.profile, c.values...))
			same(t, "outcome", out, c.out)
			if got := content(m, c.file); got != c.after {
				t.Errorf("left %q, not %q", got, c.after)
			}
			if (n == 0) != (c.before == c.after) {
				t.Errorf("%d changes", n)
			}
			if c.out == "~/"+c.file+" removed" {
				for _, f := range extract(t, m, sp) {
					if f.Profile == c.profile && f.State == provider.HasValue {
						t.Errorf("found again: %s", describe([]provider.Found{f}))
					}
				}
			}
		})
	}
}

// Both halves of a key pair go.
func TestRemoveKeyPair(t *testing.T) {
	sp := builtin(t, "ssh")
	m := newMachine(tree{".ssh/k": pem, ".ssh/k.pub": pub, ".ssh/config": "x"})
	out, _ := remove(t, m, sp, sec(sp, "k", "private_key", pem2, "public_key", pub))
	same(t, "another key", out, "~/.ssh/k conflict private_key: ~/.ssh/k has other values for private_key")
	out, _ = remove(t, m, sp, sec(sp, "k", "private_key", pem, "public_key", pub))
	same(t, "removed", out, "~/.ssh/k removed\n~/.ssh/k.pub removed")
	same(t, "left", strings.Join(m.Names("/home/u/.ssh"), " "), "config")
}

// Of a kubeconfig's context goes what no other context uses, and that it is the
// one in use; of a file that rhx made nothing is left.
func TestRemoveKubernetes(t *testing.T) {
	sp := builtin(t, "kubernetes")
	dev := sec(sp, "dev", "context", `{"namespace":"ml","cluster":"c1","user":"dev"}`, "cluster", `{"server":"https://k8s.example:6443","certificate-authority-data":"Q0EtRkFLRQ=="}`, "user", `{"token":"tok-FAKE"}`)
	m := newMachine(tree{".kube/config": kubeconfig})
	out, _ := remove(t, m, sp, dev)
	same(t, "outcome", out, "~/.kube/config removed")
	same(t, "diff", lineDiff(kubeconfig, content(m, ".kube/config")), `
-current-context: dev
-- context: {cluster: c1, user: dev, namespace: ml}
-  name: dev
-- name: dev
-  user:
-    token: tok-FAKE`)
	m = newMachine(nil)
	put(t, m, sp, dev, provider.Options{})
	remove(t, m, sp, dev)
	same(t, "a file of rhx's own", content(m, ".kube/config"), "(none)")
}

// Two secrets out of one file, in one plan.
func TestRemoveTwo(t *testing.T) {
	sp := builtin(t, "aws")
	m := newMachine(nil)
	a, b := sec(sp, "a", "access_key", akia, "secret_key", awsKey), sec(sp, "b", "access_key", akia2, "secret_key", awsKey2)
	put(t, m, sp, a, provider.Options{})
	put(t, m, sp, b, provider.Options{})
	plan := provider.NewPlan(take(t, m, sp))
	out := append(plan.Remove(ctx, sp, a), plan.Remove(ctx, sp, b)...)
	same(t, "outcome", outcome(out), "~/.aws/credentials removed\n~/.aws/credentials removed")
	if again := plan.Remove(ctx, sp, b); len(again) != 0 {
		t.Error(outcome(again))
	}
	apply(t, m, plan)
	same(t, "file", content(m, ".aws/credentials"), "(none)")
	// Put after Remove in one plan writes it again.
	put(t, m, sp, a, provider.Options{})
	plan = provider.NewPlan(take(t, m, sp))
	plan.Remove(ctx, sp, a)
	plan.Put(ctx, sp, b, provider.Options{})
	apply(t, m, plan)
	same(t, "found", describe(extract(t, m, sp)), "aws/b value from ~/.aws/credentials: access_key="+akia2+" secret_key="+awsKey2)
}

// A token that is in two files is taken out of both.
func TestRemoveMirrors(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles:\n  - {path: ~/a.json, format: json, keys: {k: k}}\n  - {path: ~/b.json, format: json, keys: {k: k}, mirror: true}\n  - {path: ~/ro, format: text, keys: {k: .}, read_only: true}\n")
	m := newMachine(tree{"a.json": `{"k": "v"}`, "b.json": `{"k": "v", "z": 1}`, "ro": "v"})
	out, _ := remove(t, m, sp, sec(sp, "", "k", "v"))
	same(t, "outcome", out, "~/a.json removed\n~/b.json removed")
	same(t, "left", content(m, "a.json")+content(m, "b.json")+content(m, "ro"), `(none){"z": 1}v`)
}
