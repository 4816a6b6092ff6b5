package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// team is a Vault with a user, jane, and a store that is hers.
type team struct {
	t      *testing.T
	server *vaulttest.Server
	// mount is that of the auth method; store is the store's URL.
	mount, store string
}

const fakePassword = "fake-password-of-jane"

func newTeam(t *testing.T) *team {
	t.Helper()
	s := vaulttest.Shared(t)
	tm := &team{t: t, server: s, mount: "people-" + strings.ToLower(rand.Text())}
	kv := s.MountKV(t, "kv", 2, 0)
	tm.store = "vault://" + kv
	s.API(t, http.MethodPost, "sys/auth/"+tm.mount, map[string]any{"type": "userpass"})
	t.Cleanup(func() { s.API(t, http.MethodDelete, "sys/auth/"+tm.mount, nil) })
	s.API(t, http.MethodPost, "sys/policies/acl/"+tm.mount, map[string]any{
		"policy": `path "` + kv + `/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }`})
	s.API(t, http.MethodPost, "auth/"+tm.mount+"/users/jane", map[string]any{"password": fakePassword, "token_ttl": "1h", "token_policies": tm.mount})
	return tm
}

// put stores a secret as the vault CLI does, with a provider.
func (tm *team) put(name, provider string, values map[string]string) {
	tm.t.Helper()
	kv := strings.TrimPrefix(tm.store, "vault://")
	tm.server.API(tm.t, http.MethodPost, kv+"/data/"+name, map[string]any{"data": values})
	if provider != "" {
		tm.server.API(tm.t, http.MethodPost, kv+"/metadata/"+name, map[string]any{"custom_metadata": map[string]string{"provider": provider}})
	}
}

// login are the arguments of a login.
func (tm *team) login(more ...string) []string {
	return append([]string{"login", "--vault", tm.server.Addr, "--mount", tm.mount, "--method", "userpass"}, more...)
}

// rhxIn runs rhx with a home folder and without a terminal.
func rhxIn(t *testing.T, home, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return rhxInWith(t, home, stdin, nil, args...)
}

// rhxInWith is rhxIn with more variables.
func rhxInWith(t *testing.T, home, stdin string, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(rhxProgram(t), args...)
	cmd.Env = append(environ(home, "TERM=dumb"), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if strings.Contains(out.String()+errs.String(), fakePassword) {
		t.Error("the password is shown")
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (tm *team) ok(home, stdin string, args ...string) string {
	tm.t.Helper()
	out, errs, status := rhxIn(tm.t, home, stdin, args...)
	if status != 0 {
		tm.t.Fatalf("rhx %v: exit status %d\n%s%s", args, status, out, errs)
	}
	return out
}

func writeHome(t *testing.T, home, name, text string) {
	t.Helper()
	path := filepath.Join(home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readHome(t *testing.T, home, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(home, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func gone(t *testing.T, home string, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(home, name)); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
}

func says(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not in:\n%s", text, out)
		}
	}
}

func (s *screen) typed(text string) {
	s.t.Helper()
	if _, err := s.f.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

func TestLoginAtATerminal(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	writeHome(t, home, ".aws/credentials", "[default]\naws_access_key_id = fake-id\naws_secret_access_key = fake-key\n")
	writeHome(t, home, ".cache/huggingface/token", "fake-mine")
	tm.put("huggingface", "huggingface", map[string]string{"token": "fake-stored"})
	tm.put("lambda", "lambda", map[string]string{"api_key": "fake-lambda"})
	cmd, s := onTerminal(t, home, tm.login()...)
	s.waitFor("Username: ")
	s.typed("jane\n")
	s.waitFor("Password of jane (not shown): ")
	s.typed(fakePassword + "\n")
	s.waitFor("Upload 2 secrets, 1 of them in place of the other version? [y/N] ")
	says(t, s.seen.String(), "Upload to "+tm.store+": 1 new, 1 differs", "differs from version 1: token")
	s.typed("n\n")
	s.waitFor("Download 2 secrets, 1 of them in place of the other file's values? [y/N] ")
	says(t, s.seen.String(), "Download from "+tm.store+": 1 new, 1 differs", "differs: token")
	s.typed("y\n")
	out := s.rest()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	says(t, out, "Logged in at "+tm.server.Addr+" as jane", "Store: "+tm.store, "lambda: ~/.lambda_cloud/lambda_keys created", "huggingface: ~/.cache/huggingface/token updated")
	for _, secret := range []string{fakePassword, "fake-mine", "fake-stored", "fake-key", "hvs."} {
		if strings.Contains(out, secret) {
			t.Errorf("%s is shown", secret)
		}
	}
	if got := readHome(t, home, ".cache/huggingface/token"); got != "fake-stored" {
		t.Errorf("the file has %q", got)
	}
	if out := tm.ok(home, "", "list"); strings.Contains(out, "aws") {
		t.Error("aws was uploaded after a no")
	}

	// The second time only aws is to be asked about.
	cmd, s = onTerminal(t, home, tm.login("--username", "jane")...)
	s.waitFor("Password of jane (not shown): ")
	s.typed(fakePassword + "\n")
	s.waitFor("Upload 1 secret? [y/N] ")
	s.typed("y\n")
	out = s.rest()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	says(t, out, "aws: saved", "Download: nothing")
	// Then nothing is.
	cmd, s = onTerminal(t, home, tm.login("--username", "jane")...)
	s.waitFor("Password of jane (not shown): ")
	s.typed(fakePassword + "\n")
	if out = s.rest(); strings.Contains(out, "?") {
		t.Errorf("something is asked:\n%s", out)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestLoginAsksWhichStore(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	other := tm.server.MountKV(t, "other", 2, 0)
	tm.server.API(t, http.MethodPost, "sys/policies/acl/"+tm.mount, map[string]any{
		"policy": `path "` + strings.TrimPrefix(tm.store, "vault://") + `/*" { capabilities = ["list", "read"] }
			path "` + other + `/*" { capabilities = ["list", "read"] }`})
	_, errs, status := rhxIn(t, home, fakePassword, tm.login("--username", "jane")...)
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	says(t, errs, "you are logged in, but which store is meant is not clear", "--store "+tm.store+", or vault://"+other)
	cmd, s := onTerminal(t, home, tm.login("--username", "jane", "--no-upload", "--no-download")...)
	s.waitFor("Password of jane (not shown): ")
	s.typed(fakePassword + "\n")
	s.waitFor("Store (this login may use " + tm.store + ", vault://" + other + ") []: ")
	s.typed(other + "/ml\n")
	says(t, s.rest(), "Store: vault://"+other+"/ml")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	says(t, readHome(t, home, ".config/rhx/config.yaml"), "store: vault://"+other+"/ml")
}

func TestCtrlCAtTheLoginKeepsNothing(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	cmd, s := onTerminal(t, home, tm.login("--username", "jane")...)
	s.waitFor("Password of jane (not shown): ")
	s.typed("fake\x03")
	s.rest()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit status %d, not 130", code)
	}
	gone(t, home, ".local", ".config")
}

// RH-37: a vault with aws, sky and a secret that nothing is for, on a new machine.
// RH-38: each place is noted.
func TestRH37RH38DownloadOnANewMachine(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	tm.put("aws", "aws", map[string]string{"access_key": "fake-id", "secret_key": "fake-key"})
	tm.put("sky", "sky", map[string]string{"private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nfake\n-----END OPENSSH PRIVATE KEY-----\n", "public_key": "ssh-rsa fake\n"})
	tm.put("acmedb", "", map[string]string{"password": "fake"})
	out := tm.ok(home, fakePassword, tm.login("--username", "jane", "--download")...)
	says(t, out, "acmedb  -", "aws: ~/.aws/credentials created")
	says(t, readHome(t, home, ".aws/credentials"), "aws_secret_access_key = fake-key")
	says(t, readHome(t, home, ".ssh/sky-key"), "fake")
	says(t, readHome(t, home, ".config/rhx/config.yaml"), "secrets:\n  aws: ~/.aws/credentials\n  sky: ~/.ssh/sky-key\n")
	for _, name := range []string{"aws", "sky", "acmedb"} {
		tm.ok(home, "", "delete", name)
	}
	says(t, tm.ok(home, "", "list"), "The store is empty")
}

// RH-39: with the flags nothing is asked, in all four combinations.
func TestRH39FlagsAskNothing(t *testing.T) {
	t.Parallel()
	tm := newTeam(t)
	tm.put("lambda", "lambda", map[string]string{"api_key": "fake-lambda"})
	for _, up := range []string{"--upload", "--no-upload"} {
		for _, down := range []string{"--download", "--no-download"} {
			home := t.TempDir()
			writeHome(t, home, ".cache/huggingface/token", "fake-mine")
			cmd, s := onTerminal(t, home, tm.login("--username", "jane", up, down)...)
			s.waitFor("Password of jane (not shown): ")
			s.typed(fakePassword + "\n")
			out := s.rest()
			if err := cmd.Wait(); err != nil || strings.Contains(out, "[y/N]") {
				t.Errorf("%s %s: %v\n%s", up, down, err, out)
			}
			if got := strings.Contains(tm.ok(home, "", "list"), "huggingface"); got != (up == "--upload") {
				t.Errorf("%s %s: uploaded %v", up, down, got)
			}
			if _, err := os.Stat(filepath.Join(home, ".lambda_cloud/lambda_keys")); (err == nil) != (down == "--download") {
				t.Errorf("%s %s: downloaded: %v", up, down, err)
			}
			if up == "--upload" {
				tm.ok(home, "", "delete", "huggingface")
			}
			says(t, readHome(t, home, ".config/rhx/config.yaml"), "store: "+tm.store)
		}
	}
}

// RH-40: nothing is left, and all can be had again.
func TestRH40LogoutLeavesNothing(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	tm.put("aws", "aws", map[string]string{"access_key": "fake-id", "secret_key": "fake-key"})
	tm.put("openai", "openai", map[string]string{"api_key": "fake-openai"})
	files := []string{".aws/credentials", ".config/rhx/env", ".config/rhx/config.yaml", ".local/share/rhx/vault-token.age"}
	for range 2 {
		tm.ok(home, fakePassword, tm.login("--username", "jane", "--download", "--no-upload")...)
		for _, name := range files {
			readHome(t, home, name)
		}
		tm.ok(home, "", "logout", "--yes")
		gone(t, home, files...)
	}
}

// RH-41: where secrets are on this machine is noted here, and nowhere else.
func TestRH41PlacesStayHere(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	tm.put("lambda", "lambda", map[string]string{"api_key": "fake-lambda"})
	writeHome(t, home, ".cache/huggingface/token", "fake-mine")
	tm.ok(home, fakePassword, tm.login("--username", "jane", "--upload", "--download")...)
	says(t, readHome(t, home, ".config/rhx/config.yaml"), "secrets:\n  lambda: ~/.lambda_cloud/lambda_keys\n")
	kv := strings.TrimPrefix(tm.store, "vault://")
	for path, not := range map[string]string{"metadata/?list=true": "config", "metadata/lambda": "lambda_keys", "metadata/huggingface": home} {
		if out := string(tm.server.API(t, http.MethodGet, kv+"/"+path, nil)); strings.Contains(out, not) {
			t.Errorf("%s has %q:\n%s", path, not, out)
		}
	}
}

// RH-49: one question for each secret, then one for the configuration.
func TestRH49LogoutAsks(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	tm.put("anthropic", "anthropic", map[string]string{"api_key": "fake-anthropic"})
	tm.put("aws", "aws", map[string]string{"access_key": "fake-id", "secret_key": "fake-key"})
	tm.put("huggingface", "huggingface", map[string]string{"token": "fake-stored"})
	tm.put("lambda", "lambda", map[string]string{"api_key": "fake-lambda"})
	writeHome(t, home, ".aws/credentials", "[work]\naws_access_key_id = fake-work\naws_secret_access_key = fake-work-key\n")
	tm.ok(home, fakePassword, tm.login("--username", "jane", "--download", "--no-upload")...)
	writeHome(t, home, ".lambda_cloud/lambda_keys", "api_key = changed-here\n")
	cmd, s := onTerminal(t, home, "logout")
	for _, q := range []struct{ text, answer string }{
		{"Delete credentials in ~/.aws/credentials for aws? [y/N] ", "y"},
		{"Delete credentials in ~/.cache/huggingface/token for huggingface? [y/N] ", "n"},
		{"Delete credentials in ~/.lambda_cloud/lambda_keys for lambda (other values than stored: api_key)? [y/N] ", "y"},
		{"Delete credentials in ANTHROPIC_API_KEY for anthropic? [y/N] ", "y"},
		{"Delete rhx's configuration in " + filepath.Join(home, ".config/rhx/config.yaml") + "? [y/N] ", "n"},
	} {
		s.waitFor(q.text)
		s.typed(q.answer + "\n")
	}
	says(t, s.rest(), "Kept on this machine: huggingface (~/.cache/huggingface/token)", "The token is revoked and deleted.")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := readHome(t, home, ".aws/credentials"); !strings.HasPrefix(got, "[work]\n") || strings.Contains(got, "default") {
		t.Errorf("the file has %q", got)
	}
	gone(t, home, ".config/rhx/env", ".lambda_cloud/lambda_keys", ".local/share/rhx/vault-token.age")
	says(t, readHome(t, home, ".config/rhx/config.yaml"), "secrets:\n  huggingface: ~/.cache/huggingface/token\n")
}

// The next command renews a token that is near its end, and no other command
// sees a half-written one.
func TestTheTokenIsRenewedByTheNextCommand(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	tm.server.API(t, http.MethodPost, "auth/"+tm.mount+"/users/jane", map[string]any{"password": fakePassword, "token_ttl": "1h", "token_policies": tm.mount})
	tm.ok(home, fakePassword, tm.login("--username", "jane", "--no-upload", "--no-download")...)
	file := ".local/share/rhx/vault-token.age"
	before := readHome(t, home, file)
	tm.ok(home, "", "list")
	if readHome(t, home, file) != before {
		t.Error("a new token was renewed")
	}
	seconds := regexp.MustCompile(`"seconds":[0-9]+`)
	if err := changeLogin(home, func(kept []byte) []byte {
		if !seconds.Match(kept) {
			t.Error("the login that is kept does not say how long its token lives")
		}
		return seconds.ReplaceAll(kept, []byte(`"seconds":36000`))
	}); err != nil {
		t.Fatal(err)
	}
	before = readHome(t, home, file)
	// Each command gives it 3 seconds, which a busy machine may need more of.
	for n := 0; readHome(t, home, file) == before; n++ {
		if n == 5 {
			t.Fatal("an old token was not renewed")
		}
		tm.ok(home, "", "list")
	}
	tm.ok(home, "", "list")
	tm.ok(home, "", "logout", "--yes")
}

// The browser is a program that says yes for a person at Vault's own identity
// provider, and goes where that sends it.
func TestLoginOpensABrowser(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	s := tm.server
	port := fmt.Sprint(10000 + mathrand.IntN(20000))
	redirect := "http://localhost:" + port + "/oidc/callback"
	var person struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	answer(t, s.API(t, http.MethodPost, "auth/"+tm.mount+"/login/jane", map[string]any{"password": fakePassword}), &person)
	s.API(t, http.MethodPost, "identity/oidc/client/"+tm.mount, map[string]any{"redirect_uris": redirect, "assignments": "allow_all"})
	var client struct{ Data map[string]any }
	answer(t, s.API(t, http.MethodGet, "identity/oidc/client/"+tm.mount, nil), &client)
	path := "oidc-" + tm.mount
	s.API(t, http.MethodPost, "sys/auth/"+path, map[string]any{"type": "oidc"})
	t.Cleanup(func() { s.API(t, http.MethodDelete, "sys/auth/"+path, nil) })
	s.API(t, http.MethodPost, "auth/"+path+"/config", map[string]any{
		"oidc_discovery_url": s.Addr + "/v1/identity/oidc/provider/default",
		"oidc_client_id":     client.Data["client_id"], "oidc_client_secret": client.Data["client_secret"]})
	s.API(t, http.MethodPost, "auth/"+path+"/role/people", map[string]any{"user_claim": "sub", "allowed_redirect_uris": redirect, "token_ttl": "1h", "token_policies": tm.mount})

	browser := filepath.Join(t.TempDir(), "browser")
	script := `#!/bin/sh
query=${1#*\?}
code=$(curl -sf -H "X-Vault-Token: $PERSON" "$VAULT/v1/identity/oidc/provider/default/authorize?$query" | sed 's/.*"code": *"\([^"]*\)".*/\1/')
state=$(printf %s "$query" | sed 's/.*state=\([^&]*\).*/\1/')
curl -sf "` + redirect + `?code=$code&state=$state" > "$0.page"
`
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	args := []string{"login", "--vault", s.Addr, "--method", "oidc", "--mount", path, "--role", "people", "--port", port}
	out, errs, status := rhxInWith(t, home, "", []string{"BROWSER=" + browser, "PERSON=" + person.Auth.ClientToken, "VAULT=" + s.Addr}, args...)
	if status != 0 {
		t.Fatalf("exit status %d\n%s%s", status, out, errs)
	}
	says(t, out, "Logged in at "+s.Addr, "Store: "+tm.store)
	says(t, errs, "Log in with your browser at:", "/ui/vault/identity/oidc/provider/default/authorize?")
	tm.ok(home, "", "list")

	// Nobody comes back: Ctrl-C ends it, and the login before stays.
	cmd, sc := onTerminal(t, home, append(args, "--no-browser")...)
	sc.waitFor("Ctrl-C gives up.")
	sc.typed("\x03")
	says(t, sc.rest(), "interrupted")
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	tm.ok(home, "", "list")
}

func answer(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// What cannot be compared is not deleted without a person's yes, and does not
// keep the others from being deleted.
func TestLogoutComparesWhatItDeletes(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	tm.put("huggingface", "huggingface", map[string]string{"token": "fake-stored"})
	tm.put("lambda", "lambda", map[string]string{"api_key": "fake-lambda"})
	tm.put("wandb", "wandb", map[string]string{"api_key": "fake-wandb"})
	tm.ok(home, fakePassword, tm.login("--username", "jane", "--download")...)
	kv := strings.TrimPrefix(tm.store, "vault://")
	tm.server.API(t, http.MethodPost, "sys/policies/acl/"+tm.mount, map[string]any{
		"policy": `path "` + kv + `/*" { capabilities = ["read", "list"] }
			path "` + kv + `/data/huggingface" { capabilities = ["deny"] }`})
	tm.server.API(t, http.MethodDelete, kv+"/metadata/lambda", nil)
	out, errs, status := rhxIn(t, home, "", "logout", "--delete-secrets")
	if status != 3 {
		t.Errorf("exit status %d", status)
	}
	says(t, errs, "huggingface: not deleted from ~/.cache/huggingface/token: it cannot be compared with the store", kv+"/data/huggingface",
		"lambda: not deleted from ~/.lambda_cloud/lambda_keys: the store does not have it", "rhx save lambda keeps")
	says(t, out, "wandb: deleted from", "The token is revoked")
	readHome(t, home, ".cache/huggingface/token")
	readHome(t, home, ".lambda_cloud/lambda_keys")
	gone(t, home, ".netrc")
}

// A login of another program in between is not undone by what renews the token.
func TestANewLoginReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	tm, home := newTeam(t), t.TempDir()
	login := func() string {
		tm.ok(home, fakePassword, tm.login("--username", "jane", "--no-upload", "--no-download")...)
		var kept struct{ Token string }
		if err := changeLogin(home, func(plain []byte) []byte {
			answer(t, plain, &kept)
			return plain
		}); err != nil {
			t.Fatal(err)
		}
		return kept.Token
	}
	first := login()
	second := login()
	for token, want := range map[string]int{first: http.StatusForbidden, second: http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tm.server.Addr+"/v1/auth/token/lookup-self", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Vault-Token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("HTTP %d, want %d", resp.StatusCode, want)
		}
	}
	// A damaged file is said, and replaced.
	writeHome(t, home, ".local/share/rhx/vault-token.age", "damaged")
	_, errs, status := rhxIn(t, home, "", "list")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	says(t, errs, "the token of rhx login", "vault-token.age", "log in again with rhx login")
	login()
	tm.ok(home, "", "list")
	writeHome(t, home, ".local/share/rhx/vault-token.age", "damaged")
	_, errs, status = rhxIn(t, home, "", "logout")
	if status != 3 {
		t.Errorf("exit status %d", status)
	}
	says(t, errs, "could not be revoked, because it cannot be read")
	gone(t, home, ".local/share/rhx/vault-token.age")
}
