package provider_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
)

const pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n"
const pem2 = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3RoZXI=\n-----END OPENSSH PRIVATE KEY-----\n"
const cert = "-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n"
const cert2 = "-----BEGIN CERTIFICATE-----\nb3RoZXI=\n-----END CERTIFICATE-----\n"
const tlsKey = "-----BEGIN EC PRIVATE KEY-----\nZmFrZQ==\n-----END EC PRIVATE KEY-----\n"
const pub = "ssh-ed25519 AAAAC3FAKE jane@laptop\n"

const kubeconfig = `apiVersion: v1
kind: Config
current-context: dev
preferences: {}
clusters:
- name: c1
  cluster:
    server: https://k8s.example:6443
    certificate-authority-data: Q0EtRkFLRQ==
contexts:
- context: {cluster: c1, user: dev, namespace: ml}
  name: dev
# the other one
- name: "ops team"
  context:
    cluster: c1
    user: ops
users:
- name: dev
  user:
    token: tok-FAKE
- name: ops
  user:
    client-certificate-data: Q1JU
    client-key-data: S0VZ
`

// Realistic files and variables of every built-in provider but those of wasm modules, and what
// is found in them.
func TestExtract(t *testing.T) {
	for _, c := range []struct {
		provider, name string
		files          tree
		want           string
	}{
		{"aws", "profiles, comments, nested blocks, odd spelling", tree{".aws/credentials": `# mine
[default]
aws_access_key_id = ` + akia + `
aws_secret_access_key=` + awsKey + `
s3 =
    max_concurrent_requests = 20

[team two]
	AWS_Access_Key_ID: ` + akia2 + `
	aws_secret_access_key = ` + awsKey2 + ` ; rotate
	aws_security_token = tok%en==

[sso-only]
sso_session = corp
region = eu-central-1
`}, `
aws value from ~/.aws/credentials: access_key=` + akia + ` secret_key=` + awsKey + `
aws/sso-only sso from ~/.aws/credentials:
aws/team%20two value from ~/.aws/credentials: access_key=` + akia2 + ` secret_key=` + awsKey2 + ` session_token=tok%en==`},
		{"aws", "CRLF and a byte order mark", tree{".aws/credentials": "\ufeff[default]\r\naws_access_key_id = " + akia + "\r\naws_secret_access_key = " + awsKey + "\r\n"}, `
aws value from ~/.aws/credentials: access_key=` + akia + ` secret_key=` + awsKey + ` (the AWS command line cannot read this file: line 1: the file begins with a byte order mark)`},
		{"aws", "keys in the config file, which the credentials file overrides", tree{
			".aws/credentials": "[a]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n",
			".aws/config":      "[default]\nregion = x\n[profile a]\naws_access_key_id=" + akia2 + "\naws_secret_access_key=" + awsKey2 + "\n[profile \"b c\"]\naws_access_key_id=" + akia2 + "\naws_secret_access_key=" + awsKey2 + "\n[sso-session s]\nsso_region = x\n",
		}, `
aws/a value from ~/.aws/credentials: access_key=` + akia + ` secret_key=` + awsKey + `
aws/b%20c value from ~/.aws/config: access_key=` + akia2 + ` secret_key=` + awsKey2},
		{"aws", "a command, and half a pair", tree{".aws/credentials": "[p]\ncredential_process = /bin/creds\n[half]\naws_access_key_id=" + akia + "\n"}, `
aws/p exec from ~/.aws/credentials:
aws/half invalid from ~/.aws/credentials: read ~/.aws/credentials, half: secret_key is missing`},
		{"aws", "moved by variables", tree{"$AWS_SHARED_CREDENTIALS_FILE": "/srv/creds", "/srv/creds": "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n", ".aws/credentials": "[no]\n"}, `
aws value from /srv/creds: access_key=` + akia + ` secret_key=` + awsKey},
		{"aws", "moved by a relative path", tree{"$AWS_SHARED_CREDENTIALS_FILE": "../c[1]*", "$PWD": "/srv/app", "/srv/c[1]*": "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n", "/srv/c1x": "[other]\n"}, `
aws value from /srv/c[1]*: access_key=` + akia + ` secret_key=` + awsKey},
		{"aws", "an odd key is noted", tree{".aws/credentials": "[default]\naws_access_key_id = key\naws_secret_access_key = s\n"}, `
aws value from ~/.aws/credentials: access_key=key secret_key=s (access_key does not look as it should, which is (AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z2-7]{16})`},
		{"aws", "not ini at all", tree{".aws/credentials": "{}\n"}, `
aws invalid from ~/.aws/credentials: read ~/.aws/credentials: line 1: neither [section] nor name = value`},

		{"azure", "what the SDKs read", tree{".azure/credentials": "[default]\nsubscription_id=sub\nclient_id=cid\nsecret=s3\ntenant=ten\n[ci]\nclient_id=x\nsecret=y\n"}, `
azure value from ~/.azure/credentials: client_id=cid client_secret=s3 subscription_id=sub tenant_id=ten
azure/ci invalid from ~/.azure/credentials: read ~/.azure/credentials, ci: tenant_id is missing`},
		{"azure", "what az writes", tree{".azure/clouds.config": "[AzureCloud]\nsubscription = sub\n\n[AzureChinaCloud]\nsubscription = no\n"}, `
azure value from ~/.azure/clouds.config: subscription_id=sub`},
		{"azure", "in another folder", tree{"$AZURE_CONFIG_DIR": "/srv/az", "/srv/az/clouds.config": "[AzureCloud]\nsubscription = sub\n"}, `
azure value from /srv/az/clouds.config: subscription_id=sub`},
		{"azure", "no section of the cloud in use", tree{".azure/clouds.config": "[AzureChinaCloud]\nsubscription = sub\n"}, ``},

		{"gcp", "a user's credentials", tree{".config/gcloud/application_default_credentials.json": `{
  "account": "",
  "client_id": "id.apps.example",
  "client_secret": "d-FAKE",
  "refresh_token": "1//0FAKE",
  "type": "authorized_user"
}`}, `
gcp value from ~/.config/gcloud/application_default_credentials.json: client_id=id.apps.example client_secret=d-FAKE refresh_token=1//0FAKE type=authorized_user`},
		{"gcp", "a service account and what it nests", tree{"$GOOGLE_APPLICATION_CREDENTIALS": "sa.json", "$PWD": "/srv", "/srv/sa.json": "\ufeff" + `{"type":"service_account","private_key":"-----BEGIN-----\nx\n-----END-----\n","delegates":["a", "b"],"n":1.50,"ok":true,"none":null}`}, `
gcp value from /srv/sa.json: delegates="[\"a\",\"b\"]" n=1.50 ok=true private_key="-----BEGIN-----\nx\n-----END-----\n" type=service_account`},
		{"gcp", "the folder moved", tree{"$CLOUDSDK_CONFIG": "/srv/g", "/srv/g/application_default_credentials.json": `{"client_secret":"x"}`}, `
gcp value from /srv/g/application_default_credentials.json: client_secret=x`},
		{"gcp", "the document in a variable", tree{"$GOOGLE_CREDENTIALS": ` {"type":"service_account","private_key":"k"}`}, `
gcp value from $GOOGLE_CREDENTIALS: private_key=k type=service_account`},
		{"gcp", "a path in that variable", tree{"$GOOGLE_CREDENTIALS": "/srv/sa.json"}, ``},
		{"gcp", "an empty document", tree{"$GOOGLE_CREDENTIALS": "{}", ".config/gcloud/application_default_credentials.json": "{}"}, ``},
		{"gcp", "no document", tree{"$GOOGLE_CREDENTIALS": "{x", ".config/gcloud/application_default_credentials.json": "[1]"}, `
gcp invalid from ~/.config/gcloud/application_default_credentials.json: read ~/.config/gcloud/application_default_credentials.json: line 1: a mapping was expected here
gcp invalid from $GOOGLE_CREDENTIALS: GOOGLE_CREDENTIALS is not a JSON document`},

		{"github", "two hosts, as gh 2.40 and later", tree{".config/gh/hosts.yml": `github.com:   # default
    users:
        jane:
            oauth_token: ` + gho + `
    git_protocol: ssh
    oauth_token: "` + gho + `"
    user: jane
ghe.example.org:
    user: 'jd'
    oauth_token: plain
`}, `
github value from ~/.config/gh/hosts.yml: oauth_token=` + gho + ` user=jane
github/ghe.example.org value from ~/.config/gh/hosts.yml: oauth_token=plain user=jd`},
		{"github", "a token in the keyring", tree{".config/gh/hosts.yml": "github.com:\n    users:\n        jane: \"\"\n    user: jane\nghe.org:\n    users:\n        j:\n    user: j\n"}, `
github keyring from ~/.config/gh/hosts.yml:
github/ghe.org keyring from ~/.config/gh/hosts.yml:`},
		{"github", "a keyring, but a variable", tree{"$GH_TOKEN": gho, ".config/gh/hosts.yml": "github.com:\n    users:\n        jane: \"\"\n    user: jane\n"}, `
github value from $GH_TOKEN: oauth_token=` + gho},
		{"github", "GH_CONFIG_DIR before XDG_CONFIG_HOME", tree{"$GH_CONFIG_DIR": "/srv/gh", "$XDG_CONFIG_HOME": "/srv/xdg", "/srv/gh/hosts.yml": "github.com: {oauth_token: a}\n", "/srv/xdg/gh/hosts.yml": "github.com: {oauth_token: b}\n"}, `
github value from /srv/gh/hosts.yml: oauth_token=a`},
		{"github", "a list instead of hosts", tree{".config/gh/hosts.yml": "- github.com\n"}, `
github invalid from ~/.config/gh/hosts.yml: read ~/.config/gh/hosts.yml: line 1: a mapping was expected here`},
		{"github", "a token that is a map", tree{".config/gh/hosts.yml": "github.com:\n  oauth_token:\n    x: y\n"}, `
github invalid from ~/.config/gh/hosts.yml: read ~/.config/gh/hosts.yml: oauth_token: line 3: a single value was expected here`},
		{"github", "broken file, whole variable", tree{"$GITHUB_TOKEN": gho, ".config/gh/hosts.yml": "github.com: [\n"}, `
github value from $GITHUB_TOKEN: oauth_token=` + gho + ` (~/.config/gh/hosts.yml is broken, so the environment counts)
github invalid from ~/.config/gh/hosts.yml: read ~/.config/gh/hosts.yml: line 2: BROKEN`},

		{"huggingface", "a token with blanks around it, and stored ones", tree{".cache/huggingface/token": " " + hf + "\r\n", ".cache/huggingface/stored_tokens": "[my token]\nhf_token = " + hf2 + "\nrefresh_token = r\nexpires_at = 1790000000\n\n[work]\nhf_token = " + hf + "\n"}, `
huggingface value from ~/.cache/huggingface/token: token=` + hf + `
huggingface/my%20token value from ~/.cache/huggingface/stored_tokens: token=` + hf2 + ` until 2026-09-21
huggingface/work value from ~/.cache/huggingface/stored_tokens: token=` + hf},
		{"huggingface", "HF_HOME", tree{"$HF_HOME": "~/hf", "hf/token": hf}, `
huggingface value from ~/hf/token: token=` + hf},
		{"huggingface", "the old place", tree{".huggingface/token": hf + "\n"}, `
huggingface value from ~/.huggingface/token: token=` + hf},
		{"huggingface", "an empty file is no token", tree{".cache/huggingface/token": "\n", ".huggingface/token": hf}, `
huggingface value from ~/.huggingface/token: token=` + hf},

		{"kubernetes", "contexts, one with a blank in its name", tree{".kube/config": kubeconfig}, `
kubernetes/dev value from ~/.kube/config: cluster="{\"server\":\"https://k8s.example:6443\",\"certificate-authority-data\":\"Q0EtRkFLRQ==\"}" context="{\"cluster\":\"c1\",\"user\":\"dev\",\"namespace\":\"ml\"}" user="{\"token\":\"tok-FAKE\"}"
kubernetes/ops%20team value from ~/.kube/config: cluster="{\"server\":\"https://k8s.example:6443\",\"certificate-authority-data\":\"Q0EtRkFLRQ==\"}" context="{\"cluster\":\"c1\",\"user\":\"ops\"}" user="{\"client-certificate-data\":\"Q1JU\",\"client-key-data\":\"S0VZ\"}"`},
		{"kubernetes", "a command, even beside a token", tree{".kube/config": "contexts: [{name: e, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s}}]\nusers: [{name: u, user: {token: old, exec: {command: aws}}}]\n"}, `
kubernetes/e exec from ~/.kube/config: (a secret value stands in ~/.kube/config all the same, which the tool does not use)`},
		{"kubernetes", "a context without its user", tree{".kube/config": "contexts: [{name: e, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s}}]\nusers: []\n"}, `
kubernetes/e invalid from ~/.kube/config: read ~/.kube/config, e: user is missing`},
		{"kubernetes", "several files, the first wins", tree{"$KUBECONFIG": ":/srv/a::" + home + "b:/srv/none", "/srv/a": "contexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: a}}]\nusers: [{name: u, user: {token: ta}}]\n", "b": "contexts: [{name: x, context: {cluster: c, user: u}}, {name: y, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: b}}]\nusers: [{name: u, user: {token: tb}}]\n", ".kube/config": kubeconfig}, `
kubernetes/x value from /srv/a: cluster="{\"server\":\"a\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"token\":\"ta\"}"
kubernetes/y value from ~/b: cluster="{\"server\":\"a\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"token\":\"ta\"}"`},
		{"kubernetes", "files named in it are carried along", tree{".kube/config": "contexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s, certificate-authority: certs/ca.crt}}]\nusers: [{name: u, user: {client-certificate: /srv/c.crt, client-key: ~/k}}]\n", ".kube/certs/ca.crt": cert, "/srv/c.crt": cert2, "k": tlsKey}, `
kubernetes/m value from ~/.kube/config: cluster="{\"server\":\"s\",\"certificate-authority-data\":\"` + base64.StdEncoding.EncodeToString([]byte(cert)) + `\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"client-certificate-data\":\"` + base64.StdEncoding.EncodeToString([]byte(cert2)) + `\",\"client-key-data\":\"` + base64.StdEncoding.EncodeToString([]byte(tlsKey)) + `\"}"`},
		{"kubernetes", "contexts that are no list", tree{".kube/config": "contexts: {a: b}\n"}, `
kubernetes invalid from ~/.kube/config: read ~/.kube/config: line 1: a list was expected here`},

		{"lambda", "no blanks, a comment, a blank line first", tree{".lambda_cloud/lambda_keys": "\n# mine\napi_key=secret_x.FAKE\nssh_key_name = a\n"}, `
lambda value from ~/.lambda_cloud/lambda_keys: api_key=secret_x.FAKE`},

		{"docker", "registries, one with a NUL-padded entry", tree{".docker/config.json": `{"auths": {"https://index.docker.io/v1/": {"auth": "amFuZTpwQHNzOndvcmQ="}, "ghcr.io": {"auth": "amQ6cHcAAA=="}, "empty.io": {}, "blank.io": {"auth": ""}, "bad.io": {"auth": "%%"}}, "HttpHeaders": {}}`}, `
docker value from ~/.docker/config.json: password=p@ss:word server=https://index.docker.io/v1/ username=jane
docker/ghcr.io value from ~/.docker/config.json: password=pw server=ghcr.io username=jd
docker/bad.io invalid from ~/.docker/config.json: read ~/.docker/config.json: username: line 1: the text does not have the form that the spec says`},
		{"docker", "credentials in a helper, which docker then uses alone", tree{".docker/config.json": `{"auths": {"a.io": {}, "b.io": {"auth": "amQ6cHc="}}, "credHelpers": {"b.io": "x"}}`}, `
docker/b.io keyring from ~/.docker/config.json: (a secret value stands in ~/.docker/config.json all the same, which the tool does not use)`},
		{"docker", "a store of credentials", tree{".docker/config.json": `{"auths": {"a.io": {}}, "credsStore": "desktop"}`}, `
docker/a.io keyring from ~/.docker/config.json:`},
		{"docker", "the variables of SkyPilot, named by their server", tree{"$SKYPILOT_DOCKER_USERNAME": "jane", "$SKYPILOT_DOCKER_PASSWORD": "pw", "$SKYPILOT_DOCKER_SERVER": "ghcr.io"}, `
docker value from $SKYPILOT_DOCKER_USERNAME $SKYPILOT_DOCKER_PASSWORD $SKYPILOT_DOCKER_SERVER: password=pw server=ghcr.io username=jane`},

		{"ssh", "pairs among other files", tree{".ssh/id_ed25519": pem, ".ssh/id_ed25519.pub": pub, ".ssh/work key": pem2, ".ssh/config": "Host *\n", ".ssh/known_hosts.old": "x", ".ssh/authorized_keys": pub, ".ssh/notes": "x", ".ssh/sky-key": pem, ".ssh/half": "-----BEGIN RSA PRIVATE KEY-----\n", ".ssh/rc": pem}, `
ssh/id_ed25519 value from ~/.ssh/id_ed25519 ~/.ssh/id_ed25519.pub: private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n" public_key="ssh-ed25519 AAAAC3FAKE jane@laptop\n"
ssh/work%20key value from ~/.ssh/work key: private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nb3RoZXI=\n-----END OPENSSH PRIVATE KEY-----\n"`},
		{"sky", "its key", tree{".ssh/sky-key": pem, ".ssh/sky-key.pub": pub}, `
sky value from ~/.ssh/sky-key ~/.ssh/sky-key.pub: private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n" public_key="ssh-ed25519 AAAAC3FAKE jane@laptop\n"`},
		{"sky", "an empty file", tree{".ssh/sky-key": ""}, `
sky invalid from ~/.ssh/sky-key: read ~/.ssh/sky-key: the file is empty`},

		{"anthropic", "a variable", tree{"$ANTHROPIC_API_KEY": "sk-ant-" + "api03-FAKEfakeFAKEfakeFAKE"}, `
anthropic value from $ANTHROPIC_API_KEY: api_key=` + "sk-ant-" + `api03-FAKEfakeFAKEfakeFAKE`},
		{"cohere", "an alias", tree{"$CO_API_KEY": "k"}, `cohere value from $CO_API_KEY: api_key=k`},
		{"langchain", "the first of two", tree{"$LANGSMITH_API_KEY": "b", "$LANGCHAIN_API_KEY": "a"}, `langchain value from $LANGCHAIN_API_KEY: api_key=a (LANGCHAIN_API_KEY and LANGSMITH_API_KEY have different values, and tools differ in which they use; rhx reads LANGCHAIN_API_KEY)`},
		{"openai", "a carriage return from export $(cat .env)", tree{"$OPENAI_API_KEY": sk + "\r"}, `openai value from $OPENAI_API_KEY: api_key=` + sk},
		{"openai", "a key of unusual form", tree{"$OPENAI_API_KEY": "key"}, `openai value from $OPENAI_API_KEY: api_key=key (api_key does not look as it should, which is sk-[A-Za-z0-9_-]{20,})`},
		{"pinecone", "a variable", tree{"$PINECONE_API_KEY": "k"}, `pinecone value from $PINECONE_API_KEY: api_key=k`},

		{"wandb", "one of a netrc's owners", tree{".netrc": "# several\nmachine github.com login j password no\nmachine api.wandb.ai\n  login user\n  password \"" + wandb + "\" # c\nmacdef init\nmachine api.wandb.ai login n password no\n\n"}, `
wandb value from ~/.netrc: api_key=` + wandb},
		{"wandb", "NETRC", tree{"$NETRC": "/srv/n", "/srv/n": "machine api.wandb.ai login user password " + wandb}, `
wandb value from /srv/n: api_key=` + wandb},
		{"wandb", "a netrc of others", tree{".netrc": "machine github.com login j password p\n"}, ``},
	} {
		t.Run(c.provider+"/"+c.name, func(t *testing.T) {
			got := describe(extract(t, newMachine(c.files), builtin(t, c.provider)))
			// What a parser says about a broken file is the parser's business.
			if before, _, ok := strings.Cut(c.want, "BROKEN"); ok && strings.HasPrefix(got, strings.TrimSpace(before)) {
				return
			}
			same(t, "found", got, c.want)
		})
	}
}

// W-13 of runhouse: a machine without any of the files, or with none of the
// folders, has nothing, and is no error.
func TestW13NothingThere(t *testing.T) {
	m := machine.NewMemory("empty")
	for _, name := range []string{"aws", "azure", "gcp", "github", "huggingface", "kubernetes", "lambda", "docker", "ssh", "sky", "openai", "wandb", "clearml", "mysql", "rclone"} {
		if got := describe(extract(t, m, builtin(t, name))); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Everything that specs declare is read in two round trips, and in a third one
// where files name others.
func TestTakeRoundTrips(t *testing.T) {
	m := newMachine(tree{".aws/credentials": "[default]\n", ".ssh/a": pem, ".kube/config": "contexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {certificate-authority: ca}}]\nusers: [{name: u, user: {token: t}}]\n"})
	if _, err := provider.Take(ctx, m, nil, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "no specs", strings.Join(m.Calls(), " "), "info")
	take(t, m, builtin(t, "aws"))
	same(t, "aws", strings.Join(m.Calls(), " "), "info info read")
	take(t, m, builtin(t, "kubernetes"))
	same(t, "kubernetes", strings.Join(m.Calls(), " "), "info info read info read read")
}

func TestUnreadable(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		m := newMachine(nil)
		m.PutFile(home+".aws/credentials", []byte("[default]\n"), 0)
		found := extract(t, m, builtin(t, "aws"))
		same(t, "found", describe(found), "aws invalid from ~/.aws/credentials: read ~/.aws/credentials: permission denied")
		if !errors.Is(found[0].Err, fs.ErrPermission) {
			t.Error("the cause is lost")
		}
	})
	t.Run("folder of files", func(t *testing.T) {
		m := newMachine(tree{".ssh/a": pem})
		m.PutFolder(home+".ssh", 0)
		same(t, "found", describe(extract(t, m, builtin(t, "ssh"))), "ssh invalid from ~/.ssh: read ~/.ssh: permission denied")
	})
	t.Run("one of the files of a folder", func(t *testing.T) {
		m := newMachine(tree{".ssh/a": pem})
		m.PutFile(home+".ssh/b", []byte(pem), 0)
		m.PutPipe(home + ".ssh/agent")
		same(t, "found", describe(extract(t, m, builtin(t, "ssh"))), `
ssh/a value from ~/.ssh/a: private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n"
ssh/b invalid from ~/.ssh/b: read ~/.ssh/b: permission denied`)
	})
	t.Run("too large", func(t *testing.T) {
		m := newMachine(nil)
		m.PutFile(home+".netrc", make([]byte, machine.MaxFile+1), 0o600)
		same(t, "found", describe(extract(t, m, builtin(t, "wandb"))), "wandb invalid from ~/.netrc: read ~/.netrc: file is larger than 4 MiB")
	})
	t.Run("a folder in place of the file", func(t *testing.T) {
		m := newMachine(nil)
		m.PutFolder(home+".netrc", 0o700)
		same(t, "found", describe(extract(t, m, builtin(t, "wandb"))), "wandb invalid from ~/.netrc: read ~/.netrc: not a regular file")
	})
	t.Run("the machine", func(t *testing.T) {
		m := newMachine(nil)
		down := errors.New("connection lost")
		m.Fail(down)
		if _, err := provider.Take(ctx, m, nil, nil); !errors.Is(err, down) {
			t.Error(err)
		}
	})
}

func TestExtractFile(t *testing.T) {
	for _, c := range []struct {
		provider, name, file string
		files                tree
		want                 string
	}{
		{"aws", "RH-43, another path", "~/.aws/credentials_custom", tree{".aws/credentials_custom": "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"}, `
aws value from ~/.aws/credentials_custom: access_key=` + akia + ` secret_key=` + awsKey},
		{"aws", "the other file of the provider, by its form", "/srv/cfg", tree{"/srv/cfg": "[profile ci]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"}, `
aws/profile%20ci value from /srv/cfg: access_key=` + akia + ` secret_key=` + awsKey},
		{"aws", "the other file of the provider, by its name", "/srv/config", tree{"/srv/config": "[profile ci]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"}, `
aws/ci value from /srv/config: access_key=` + akia + ` secret_key=` + awsKey},
		{"huggingface", "a file of several tokens is not one token", "/srv/tokens", tree{"/srv/tokens": "[a]\nhf_token = " + hf + "\n"}, `
huggingface/a value from /srv/tokens: token=` + hf},
		{"huggingface", "a token of unusual form", "/srv/t", tree{"/srv/t": "odd\n"}, `
huggingface value from /srv/t: token=odd (token does not look as it should, which is (hf|api_org)_[A-Za-z0-9_]+)`},
		{"azure", "az's own file", "/srv/c", tree{"/srv/c": "[AzureCloud]\nsubscription=s\n"}, `
azure value from /srv/c: subscription_id=s`},
		{"ssh", "RH-46, a key by its file, with its last newline", "/srv/keys/example", tree{"/srv/keys/example": pem, "/srv/keys/example.pub": pub}, `
ssh/example value from /srv/keys/example /srv/keys/example.pub: private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n" public_key="ssh-ed25519 AAAAC3FAKE jane@laptop\n"`},
		{"github", "broken", "/srv/h", tree{"/srv/h": "[1]\n"}, `
github invalid from /srv/h: read /srv/h: line 1: a mapping was expected here`},
		{"wandb", "W-08, a file of another format", "/srv/n", tree{"/srv/n": "{\"a\": 1}"}, `
wandb invalid from /srv/n: read /srv/n: BROKEN`},
	} {
		t.Run(c.provider+"/"+c.name, func(t *testing.T) {
			m, sp := newMachine(c.files), builtin(t, c.provider)
			p := strings.Replace(c.file, "~/", home, 1)
			found, err := take(t, m, sp, p, p+".pub").ExtractFile(ctx, sp, c.file)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(found)
			if before, _, ok := strings.Cut(c.want, "BROKEN"); ok && strings.HasPrefix(got, strings.TrimSpace(before)) {
				return
			}
			same(t, "found", got, c.want)
		})
	}
	for _, c := range []struct{ provider, file, want string }{
		{"openai", "/srv/x", "openai keeps its secret in variables, not in a file"},
		{"aws", "~/none", "read ~/none: no such file"},
		{"aws", "/srv/empty", "/srv/empty has no secret of aws"},
		{"ssh", "/srv/empty", "read /srv/empty: the file is empty"},
	} {
		m, sp := newMachine(tree{"/srv/empty": ""}), builtin(t, c.provider)
		if _, err := take(t, m, sp, "/srv/empty").ExtractFile(ctx, sp, c.file); err == nil || err.Error() != c.want {
			t.Errorf("%s %s: %v", c.provider, c.file, err)
		}
	}
}
