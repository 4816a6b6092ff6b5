package provider_test

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
)

// A variable that should name a file and holds something else is said, what it holds
// is not shown, and nothing is written by it.
func TestVariableThatIsNoPath(t *testing.T) {
	document := `{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"}`
	token := "hf_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"
	for _, c := range []struct{ provider, variable, holds, want string }{
		{"gcp", "GOOGLE_APPLICATION_CREDENTIALS", document, "a document"},
		{"gcp", "GOOGLE_APPLICATION_CREDENTIALS", "\n " + document, "a document"},
		{"kubernetes", "KUBECONFIG", kubeconfig, "a document"},
		{"kubernetes", "KUBECONFIG", "- a: b\n- c: hunter2\n", "control characters"},
		{"kubernetes", "KUBECONFIG", strings.Repeat("aHVudGVyMg", 30), "a text that is too long for a path"},
		{"aws", "AWS_SHARED_CREDENTIALS_FILE", pem, "a document"},
		{"aws", "AWS_SHARED_CREDENTIALS_FILE", "/srv/a\x00b", "control characters"},
		{"huggingface", "HF_TOKEN_PATH", token, "a secret itself"},
		{"huggingface", "HF_TOKEN_PATH", "hf_short", "a secret itself"}, // by the pattern of its value
		{"aws", "AWS_SHARED_CREDENTIALS_FILE", "/srv/$NOT_SET/creds", "a $ that the tool does not replace"},
		{"kubernetes", "KUBECONFIG", "$HOME/x", "a $ that the tool does not replace"},
		{"docker", "DOCKER_CONFIG", "$HOME/x", "a $ that the tool does not replace"},
	} {
		t.Run(c.variable+" "+c.want, func(t *testing.T) {
			sp := builtin(t, c.provider)
			m := newMachine(tree{"$" + c.variable: c.holds})
			found := describe(extract(t, m, sp))
			same(t, "found", found, c.provider+" invalid from $"+c.variable+": $"+c.variable+" should name a file, but holds "+c.want+", which rhx does not show")
			values := map[string][]string{
				"gcp": {"private_key", "k"}, "kubernetes": {"context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"token":"t"}`},
				"aws": {"access_key", akia, "secret_key", awsKey}, "huggingface": {"token", hf}, "docker": {"username", "u", "password", "p"},
			}
			profile := map[string]string{"kubernetes": "dev"}[c.provider]
			out, n := put(t, m, sp, sec(sp, profile, values[c.provider]...), provider.Options{Resolve: provider.ReplaceAll})
			if !strings.Contains(out, "failed: $"+c.variable+" should name a file, but holds "+c.want) || n != 0 || strings.Contains(out, "hunter2") {
				t.Errorf("%d: %s", n, out)
			}
			if names := append(m.Names("/"), m.Names("/home/u")...); len(names) > 0 && strings.Contains(strings.Join(names, " "), "x") {
				t.Error(names)
			}
			// A file that the user names is another matter.
			out, n = put(t, m, sp, sec(sp, profile, values[c.provider]...), provider.Options{To: "/srv/to"})
			if n != 1 {
				t.Error(out)
			}
		})
	}
}

// A $ is replaced where the tool does that: botocore and huggingface_hub call
// os.path.expandvars.
func TestVariableIsExpanded(t *testing.T) {
	creds := "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"
	for _, c := range []struct {
		name  string
		files tree
		want  string
	}{
		{"aws", tree{"$AWS_SHARED_CREDENTIALS_FILE": "$HOME/x/creds", "x/creds": creds}, "aws value from ~/x/creds: access_key=" + akia + " secret_key=" + awsKey},
		{"aws", tree{"$AWS_SHARED_CREDENTIALS_FILE": "${BASE}/$SUB/creds", "$BASE": "/srv", "$SUB": "s", "/srv/s/creds": creds}, "aws value from /srv/s/creds: access_key=" + akia + " secret_key=" + awsKey},
		{"huggingface", tree{"$HF_TOKEN_PATH": "$HOME/x", "x": hf}, "huggingface value from ~/x: token=" + hf},
		{"huggingface", tree{"$HF_HOME": "${HOME}/h", "h/token": hf}, "huggingface value from ~/h/token: token=" + hf},
	} {
		sp := builtin(t, c.name)
		m := newMachine(c.files)
		same(t, c.name, describe(extract(t, m, sp)), c.want)
		values := map[string][]string{"aws": {"access_key", akia, "secret_key", awsKey}, "huggingface": {"token", hf}}
		out, n := put(t, m, sp, sec(sp, "", values[c.name]...), provider.Options{})
		if n != 0 || !strings.HasSuffix(out, " unchanged") {
			t.Errorf("%s: %s", c.name, out)
		}
	}
}

// The device that holds nothing says that there is no file.
func TestVariableSaysThereIsNoFile(t *testing.T) {
	sp := builtin(t, "aws")
	creds := "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"
	m := newMachine(tree{"$AWS_SHARED_CREDENTIALS_FILE": "/dev/null", ".aws/credentials": creds})
	same(t, "found", describe(extract(t, m, sp)), "")
	out, n := put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey2), provider.Options{Resolve: provider.ReplaceAll})
	if same(t, "put", out, "failed: $AWS_SHARED_CREDENTIALS_FILE says that there is no file"); n != 0 {
		t.Error("written")
	}
	out, n = remove(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey))
	if same(t, "removed", out, ""); n != 0 {
		t.Error("written")
	}
	kube := builtin(t, "kubernetes")
	m = newMachine(tree{"$KUBECONFIG": "/dev/null:~/b", "b": kubeconfig})
	if found := describe(extract(t, m, kube)); !strings.HasPrefix(found, "kubernetes/dev value from ~/b:") {
		t.Error(found)
	}
}

// huggingface_hub keeps stored_tokens beside the file that HF_TOKEN_PATH names.
func TestStoredTokensAreBesideTheToken(t *testing.T) {
	sp := builtin(t, "huggingface")
	m := newMachine(tree{"$HF_TOKEN_PATH": "/srv/hf/tok", "/srv/hf/tok": hf, "/srv/hf/stored_tokens": "[a]\nhf_token = " + hf2 + "\n", ".cache/huggingface/stored_tokens": "[b]\nhf_token = " + hf + "\n"})
	same(t, "found", describe(extract(t, m, sp)), "huggingface value from /srv/hf/tok: token="+hf+"\nhuggingface/a value from /srv/hf/stored_tokens: token="+hf2)
	out, _ := put(t, m, sp, sec(sp, "c", "token", hf), provider.Options{})
	same(t, "put", out, "/srv/hf/stored_tokens updated token")
}
