package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// ciJob is one of a system of CI: its folders, and a curl that has the installer of a
// release and, where GitHub is asked, the job's token.
type ciJob struct {
	t    *testing.T
	temp string
	env  []string
}

const requestToken = "fake-request-token"

func newCIJob(t *testing.T, jwt string) *ciJob {
	t.Helper()
	action, err := filepath.Abs("../../.ci/action")
	if err != nil {
		t.Fatal(err)
	}
	r := &ciJob{t: t, temp: t.TempDir()}
	bin := t.TempDir()
	r.env = []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "RUNNER_TEMP=" + r.temp, "TMPDIR=" + r.temp,
		"GITHUB_ACTION_PATH=" + action, "GITHUB_ACTIONS=true",
		"GITHUB_ENV=" + r.file("env"), "GITHUB_PATH=" + r.file("path"),
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + requestToken, "ACTIONS_ID_TOKEN_REQUEST_URL=https://token.actions.example/?job=1",
	}
	curl := fmt.Sprintf(`#!/bin/sh
echo "$*" >> %[1]s/curl
for last; do :; done
case $last in
https://github.com/rhx-dev/rhx/releases/latest/download/install.sh | https://github.com/rhx-dev/rhx/releases/download/v1.2.3/install.sh)
	while [ "$1" != -o ]; do shift; done
	printf 'mkdir -p "$RHX_PREFIX/bin" && cp %[2]s "$RHX_PREFIX/bin/rhx"\n' > "$2" ;;
'https://token.actions.example/?job=1')
	grep -q '^header = "Authorization: bearer %[3]s"$' && echo '{"count": 1, "value": "%[4]s"}' ;;
*) exit 22 ;;
esac
`, r.temp, plainProgram(t), requestToken, jwt)
	if err := os.WriteFile(filepath.Join(bin, "curl"), []byte(curl), 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *ciJob) file(name string) string { return filepath.Join(r.temp, name) }

func (r *ciJob) read(name string) string {
	data, err := os.ReadFile(r.file(name))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(data)
}

// run runs a script as the runner does.
func (r *ciJob) run(script string, env ...string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Env = append(append([]string(nil), r.env...), env...)
	cmd.Dir = r.temp
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var input = regexp.MustCompile(`\$\{\{ inputs\.(\w+) \}\}`)

// action runs .ci/action with these inputs, and what a step leaves reaches the next.
func (r *ciJob) action(with map[string]string) (string, error) {
	r.t.Helper()
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Steps []struct {
				If, Run string
				Env     map[string]string
			}
		}
	}
	data, err := os.ReadFile("../../.ci/action/action.yml")
	if err == nil {
		err = yaml.Unmarshal(data, &action)
	}
	if err != nil || len(action.Runs.Steps) != 3 {
		r.t.Fatalf("%v, %d steps", err, len(action.Runs.Steps))
	}
	value := func(name string) string {
		in, ok := action.Inputs[name]
		if !ok {
			r.t.Fatalf("no input %s", name)
		}
		if v, ok := with[name]; ok {
			return v
		}
		return in.Default
	}
	// The conditions of the steps are: always; vault; secrets or bundles.
	wanted := []bool{true, value("vault") != "", value("secrets")+value("bundles") != ""}
	var out strings.Builder
	for i, step := range action.Runs.Steps {
		if !wanted[i] {
			continue
		}
		if strings.Contains(step.Run, "${{") {
			r.t.Fatalf("an input is put into a script: %s", step.Run)
		}
		var env []string
		for name, text := range step.Env {
			env = append(env, name+"="+input.ReplaceAllStringFunc(text, func(m string) string { return value(input.FindStringSubmatch(m)[1]) }))
		}
		for line := range strings.Lines(r.read("env")) {
			if strings.HasPrefix(line, "RHX_HOME=") {
				env = append(env, strings.TrimSpace(line))
			}
		}
		env = append(env, "PATH="+strings.TrimSpace(r.read("path"))+":"+strings.TrimPrefix(r.env[0], "PATH="))
		text, err := r.run(step.Run, env...)
		out.WriteString(text)
		if err != nil {
			return out.String(), err
		}
	}
	return out.String(), nil
}

// withJWT is a Vault that lets jobs in with tokens by this key, and has a secret.
func withJWT(t *testing.T, audience string) (s *vaulttest.Server, mount, store, jwt string) {
	t.Helper()
	s = vaulttest.Shared(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if audience == "" {
		audience = s.Addr
	}
	claims, _ := json.Marshal(map[string]any{"sub": "repo:acme/site", "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()})
	signed, err := signer.Sign(claims)
	if err == nil {
		jwt, err = signed.CompactSerialize()
	}
	if err != nil {
		t.Fatal(err)
	}
	kv := s.MountKV(t, "ci", 2, 10)
	mount = "jwt-" + kv
	s.API(t, http.MethodPost, "sys/auth/"+mount, map[string]any{"type": "jwt"})
	s.API(t, http.MethodPut, "sys/policies/acl/"+mount, map[string]any{"policy": fmt.Sprintf(`path "%s/*" { capabilities = ["read", "list"] }`, kv)})
	s.API(t, http.MethodPost, "auth/"+mount+"/config", map[string]any{"jwt_validation_pubkeys": []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}})
	s.API(t, http.MethodPost, "auth/"+mount+"/role/ci", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience}, "token_policies": []string{mount}, "token_ttl": "10m"})
	s.API(t, http.MethodPost, kv+"/data/team/openai", map[string]any{"data": map[string]string{"api_key": "not-a-key-at-all"}})
	s.API(t, http.MethodPost, kv+"/metadata/team/openai", map[string]any{"custom_metadata": map[string]string{"provider": "openai"}})
	return s, mount, "vault://" + kv + "/team", jwt
}

// The action of GitHub installs a release, logs in to Vault as the job, and gives the
// variables to the next steps: hidden first, and nothing of it in an argument.
func TestTheAction(t *testing.T) {
	t.Parallel()
	s, mount, store, jwt := withJWT(t, "")
	r := newCIJob(t, jwt)
	out, err := r.action(map[string]string{"vault": s.Addr, "role": "ci", "mount": mount, "store": store, "secrets": "openai\n"})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "::add-mask::not-a-key-at-all\n") || strings.Contains(out, jwt) {
		t.Errorf("the log has %s", out)
	}
	if env := r.read("env"); !regexp.MustCompile(`(?m)^OPENAI_API_KEY<<(rhx_\w+)\nnot-a-key-at-all\n`).MatchString(env) || !strings.Contains(env, "RHX_HOME="+r.temp) {
		t.Errorf("GITHUB_ENV has %s", env)
	}
	if calls := r.read("curl"); strings.Contains(calls, requestToken) || strings.Contains(calls, jwt) || !strings.Contains(calls, "audience="+s.Addr+" ") {
		t.Errorf("curl was called with %s", calls)
	}
	if left, err := filepath.Glob(r.file("rhx-jwt*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if data, err := exec.Command("grep", "-rlE", "not-a-key-at-all|"+jwt, r.temp).CombinedOutput(); err != nil || string(data) != r.file("env")+"\n" && !bytes.Equal(data, []byte(r.file("env")+"\n"+r.file("curl")+"\n")) {
		t.Errorf("the value or the token is in %s", data)
	}

	for name, c := range map[string]struct {
		with map[string]string
		env  []string
		want string
	}{
		"a version":        {map[string]string{"version": "1.2.3"}, nil, "rhx "},
		"a wrong version":  {map[string]string{"version": "v1; id"}, nil, "::error::version is latest, source or like 1.2.3"},
		"no release":       {map[string]string{"version": "9.9.9"}, nil, "::error::there is no release 9.9.9"},
		"no role":          {map[string]string{"vault": s.Addr}, nil, "::error::role is missing"},
		"no permission":    {map[string]string{"vault": s.Addr, "role": "ci"}, []string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN="}, "id-token: write"},
		"another audience": {map[string]string{"vault": s.Addr, "role": "ci", "mount": mount, "audience": "other", "store": store, "secrets": "nothing * here"}, nil, "nothing"},
	} {
		r := newCIJob(t, jwt)
		r.env = append(r.env, c.env...)
		out, err := r.action(c.with)
		if (err == nil) != (name == "a version") || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// Bundles of the rhx.yaml that is checked out, from a store in the job's own folder.
func TestTheActionTakesBundles(t *testing.T) {
	t.Parallel()
	r := newCIJob(t, "")
	home := "RHX_HOME=" + r.file("mine")
	r.env = append(r.env, home)
	if err := os.WriteFile(r.file("rhx.yaml"), []byte("version: 1\nsecrets: {db: {values: {password: }}}\nbundles: {app: {env: {URL: \"pg://x:${db.password}@db\"}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := r.run("printf not-a-password | "+plainProgram(t)+" save db password=-", home); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := r.action(map[string]string{"bundles": "app"})
	if err != nil || !strings.Contains(out, "::add-mask::") || !strings.Contains(r.read("env"), "\npg://x:not-a-password@db\n") || strings.Contains(r.read("env"), "RHX_HOME") {
		t.Errorf("%v\n%s\n%s", err, out, r.read("env"))
	}
}

// The component of GitLab does the same, up to the command, which hides what it writes.
func TestTheComponent(t *testing.T) {
	t.Parallel()
	s, mount, store, jwt := withJWT(t, "rhx")
	data, err := os.ReadFile("../../.ci/gitlab/templates/rhx.yml")
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Spec struct {
			Inputs map[string]struct{ Default string }
		}
	}
	var jobs map[string]struct {
		Variables    map[string]string
		BeforeScript []string                     `yaml:"before_script"`
		Tokens       map[string]map[string]string `yaml:"id_tokens"`
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&spec); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(&jobs); err != nil {
		t.Fatal(err)
	}
	job := jobs[".rhx"]
	with := map[string]string{"vault": s.Addr, "role": "ci", "mount": mount, "store": store}
	fill := func(text string) string {
		return regexp.MustCompile(`\$\[\[ inputs\.(\w+) \]\]`).ReplaceAllStringFunc(text, func(m string) string {
			name := strings.Fields(strings.Trim(m, "$[]"))[0][len("inputs."):]
			in, ok := spec.Spec.Inputs[name]
			if !ok {
				t.Errorf("no input %s", name)
			}
			if v, ok := with[name]; ok {
				return v
			}
			return in.Default
		})
	}
	if aud := fill(job.Tokens["RHX_ID_TOKEN"]["aud"]); aud != "rhx" {
		t.Errorf("the token is for %q", aud)
	}
	r := newCIJob(t, "")
	env := []string{"RHX_ID_TOKEN=" + jwt}
	for name, text := range job.Variables {
		env = append(env, name+"="+fill(text))
	}
	script := strings.Join(job.BeforeScript, "\n") + `
rhx run --mask -s openai -- sh -c 'echo the key is "$OPENAI_API_KEY" ${#OPENAI_API_KEY}; [ -z "${RHX_ID_TOKEN-}" ]'`
	out, err := r.run(script, env...)
	if err != nil || !strings.Contains(out, "the key is ******** 16\n") || strings.Contains(out, "not-a-key-at-all") {
		t.Errorf("%v\n%s", err, out)
	}
	if found, _ := exec.Command("grep", "-rl", jwt, r.temp).Output(); len(found) > 0 {
		t.Errorf("the token is left in %s", found)
	}
}
