package provider_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// What is public is decided by the value, too.
func TestPublicIsDecidedByTheValue(t *testing.T) {
	ghp := "ghp_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"
	for _, c := range []struct {
		provider, name string
		values         []string
		shown          string
	}{
		{"git", "a user", []string{"url", "https://github.com", "username", "jane", "password", "p"}, "url,username"},
		{"git", "a token as the user", []string{"url", "https://github.com", "username", ghp, "password", "x-oauth-basic"}, "url"},
		{"git", "an old token as the user", []string{"url", "https://github.com", "username", wandb, "password", "x-oauth-basic"}, "url"},
		{"git", "a token as user and password", []string{"url", "https://git.example", "username", "s3cr3t-of-old", "password", "s3cr3t-of-old"}, "url"},
		{"docker", "a user", []string{"server", "r.example", "username", "jane", "password", "word"}, "server,username"},
		{"docker", "the token as user", []string{"server", "r.example", "username", "tok-1234", "password", "tok-1234"}, "server"},
		{"docker", "a user that holds the password", []string{"server", "r.example", "username", "me:tok-1234", "password", "tok-1234"}, "server"},
		{"docker", "a short password that is in other words", []string{"server", "r.example", "username", "jane", "password", "an"}, "server,username"},
		{"aws", "a key", []string{"access_key", akia, "secret_key", awsKey}, "access_key"},
		{"aws", "two fields swapped", []string{"access_key", awsKey, "secret_key", akia}, ""},
		{"kubernetes", "a server", []string{"context", `{"cluster":"c"}`, "cluster", `{"server":"https://k.example"}`, "user", `{"token":"abcdef"}`}, "cluster,context"},
		{"kubernetes", "a password in the server's URL", []string{"context", `{"cluster":"c"}`, "cluster", `{"server":"https://u:pw@k.example"}`, "user", `{"token":"t"}`}, "context"},
		{"kubernetes", "a password in the proxy's URL", []string{"context", `{"cluster":"c"}`, "cluster", `{"server":"https://k","proxy-url":"http://u:pw@p:3128"}`, "user", `{"token":"t"}`}, "context"},
		{"kubernetes", "the token in another place", []string{"context", `{"cluster":"c","namespace":"abcdef"}`, "cluster", `{"server":"https://k"}`, "user", `{"token":"abcdef"}`}, "cluster"},
		{"kubernetes", "what was in another file", []string{"context", `{"cluster":"c"}`, "cluster", `{"server":"https://k","certificate-authority-data":"Q0E="}`, "user", `{"token":"t"}`}, "context"},
		{"ssh", "a private key for a public one", []string{"private_key", pem, "public_key", pem}, ""},
		{"ssh", "another private key for a public one", []string{"private_key", pem, "public_key", tlsKey}, ""},
		{"ssh", "a key pair", []string{"private_key", pem, "public_key", pub}, "public_key"},
		{"gcp", "a boolean that a secret value has, too", []string{"private_key", "k", "flag", "true", "universe_domain", "true"}, "universe_domain"},
	} {
		t.Run(c.provider+" "+c.name, func(t *testing.T) {
			sp := builtin(t, c.provider)
			values := sec(sp, "", c.values...).Values
			public := provider.Public(sp, values)
			shown := slices.DeleteFunc(values.Keys(), func(k string) bool { return !public(k) })
			same(t, "shown", strings.Join(shown, ","), c.shown)
		})
	}
	if provider.Public(nil, secret.Values{"a": secret.NewValue("b")})("a") {
		t.Error("a value of a base secret is public")
	}
}

// No name of a secret is made of a secret value.
func TestNoNameHasASecretInIt(t *testing.T) {
	ghp := "ghp_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"
	for name, c := range map[string]struct {
		provider string
		files    tree
		want     string
	}{
		"a section called by its token": {"huggingface", tree{".cache/huggingface/stored_tokens": "[" + hf + "]\nhf_token = " + hf + "\n[ok]\nhf_token = " + hf2 + "\n"},
			"huggingface/ok value from ~/.cache/huggingface/stored_tokens: token=" + hf2 + "\nhuggingface invalid from ~/.cache/huggingface/stored_tokens: read ~/.cache/huggingface/stored_tokens: a profile is called by a secret value there, so rhx has no name for it; give it another name"},
		"a section called by its key": {"aws", tree{".aws/credentials": "[x" + awsKey + "]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\n"},
			"aws invalid from ~/.aws/credentials: read ~/.aws/credentials: a profile is called by a secret value there, so rhx has no name for it; give it another name"},
		"half a profile called by a token": {"aws", tree{".aws/credentials": "[" + ghp + "]\naws_access_key_id = " + akia + "\n"},
			"aws invalid from ~/.aws/credentials: read ~/.aws/credentials: a profile is called by a secret value there, so rhx has no name for it; give it another name"},
		"a command of a profile called by a token": {"aws", tree{".aws/credentials": "[" + ghp + "]\ncredential_process = x\n"},
			"aws invalid from ~/.aws/credentials: read ~/.aws/credentials: a profile is called by a secret value there, so rhx has no name for it; give it another name"},
		"a short password that is in the name": {"docker", tree{".docker/config.json": `{"auths":{"word.example":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("u:word")) + `"}}}`},
			"docker/word.example value from ~/.docker/config.json: password=word server=word.example username=u"},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "found", describe(extract(t, newMachine(c.files), builtin(t, c.provider))), c.want)
		})
	}
}
