package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// sickness is a fault that is planted in a healthy home.
type sickness struct {
	name string
	// plant is for a shell, at the home folder.
	plant string
	env   []string
	// check is what is to find it.
	check string
	// mends says that the command mends it, and with what appended; "" for one that only
	// shows more.
	mends string
	// replaces are words of the command that stand for what the user knows.
	replaces [2]string
}

const asItIs = " "

// Each planted fault is found, and its command mends it where one can.
func TestDoctorFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	h := newHospital(t)
	if out, err := h.rhx(h.healthy, nil, "doctor"); err != nil || !strings.HasPrefix(out, "All is well: ") {
		t.Fatalf("a healthy machine: %v\n%s", err, out)
	}
	const data, store = ".local/share/rhx", ".local/share/rhx/store"
	for _, c := range []sickness{
		{name: "a typo in config.yaml", plant: "echo 'stroe: local' >> .config/rhx/config.yaml", env: []string{"EDITOR=sed -i /stroe/d"}, check: "config", mends: asItIs},
		{name: "a typo in the manifest", plant: "printf 'version: 1\\nbundels: {}\\n' > rhx.yaml", env: []string{"EDITOR=sed -i s/bundels/bundles/"}, check: "manifest", mends: asItIs},
		{name: "a manifest that is not trusted", plant: "printf 'version: 1\\n' > rhx.yaml", check: "manifest", mends: asItIs},
		{name: "a damaged secret", plant: "echo x > " + store + "/secrets/db/1.age", check: "store"},
		{name: "a store of no kind", env: []string{"RHX_STORE=ftp://x"}, check: "store"},
		{name: "the key is gone", plant: "mv " + data + "/identity.txt kept", check: "store", mends: asItIs, replaces: [2]string{"COPY-OF-THE-KEY", "kept"}},
		{name: "a secret that was taken away", plant: "rm -r " + store + "/secrets/db", check: "record"},
		{name: "a log that was cut", plant: "sed -i 1d .local/state/rhx/log.jsonl", check: "log"},
		{name: "a key that others can read", plant: "chmod 644 " + data + "/identity.txt", check: "key-mode", mends: asItIs},
		{name: "a locked store", plant: "RHX_AGE_IDENTITY=passphrase RHX_AGE_PASSPHRASE='correct horse battery staple fake' rhx store rekey --yes", check: "locked"},
		{name: "a key in a repository", plant: "mkdir " + data + "/.git", check: "key-place"},
		{name: "no backup", plant: "echo '{\"k\": \"fake\"}' | RHX_HOME=$HOME/other rhx save x --values -", env: []string{"RHX_HOME=HOME/other", "RHX_BACKUP_PASSPHRASE=correct horse battery staple fake"}, check: "backup", mends: asItIs},
		{name: "a folder that others can look into", plant: "chmod 755 .local .local/share " + data, check: "folders", mends: asItIs},
		{name: "an agent's folder of others", plant: "mkdir memory/rhx && chmod 755 memory/rhx", check: "agent", mends: asItIs},
		{name: "a secret of tomorrow", plant: "sed -i 's/updated=20/updated=29/' " + store + "/secrets/db/1.age", check: "clock"},
		{name: "an expired secret", plant: "echo '{\"k\": \"fake\", \"expires_at\": \"2024-01-01T00:00:00Z\"}' | rhx save x --values -", check: "expiring"},
		{name: "one that expires soon", plant: "echo \"{\\\"k\\\": \\\"fake\\\", \\\"expires_at\\\": $(date -d '+2 days' +%s)}\" | rhx save x --values -", check: "expiring"},
		{name: "a file that is gone", plant: "rm .lambda_cloud/lambda_keys", check: "placed", mends: asItIs},
		{name: "a file that was changed", plant: "echo 'api_key = other' > .lambda_cloud/lambda_keys", check: "placed", mends: asItIs},
		{name: "plaintext that the store has", plant: "mkdir .aws && printf '[default]\\naws_access_key_id = AKIAFAKEFAKEFAKEFAKE\\naws_secret_access_key = fake-fake-fake-fake-fake-fake-fake-fake-\\n' > .aws/credentials && chmod 600 .aws/credentials && rhx save aws", check: "plaintext", mends: " --yes"},
		{name: "credentials that others can read", plant: "chmod 755 .lambda_cloud && chmod 640 .lambda_cloud/lambda_keys", check: "modes", mends: asItIs},
		{name: "an SSH agent that is gone", env: []string{"SSH_AUTH_SOCK=/none/agent.sock"}, check: "ssh-agent"},
		{name: "~/.ssh that others can write to", plant: "chmod 775 .ssh", check: "ssh-files", mends: asItIs},
		{name: "ssh's configuration that others can write", plant: "chmod 666 .ssh/config", check: "ssh-files", mends: asItIs},
		{name: "known_hosts that others can write", plant: "touch .ssh/known_hosts; chmod 620 .ssh/known_hosts", check: "ssh-files", mends: asItIs},
		{name: "a private key that others can read", plant: "chmod 644 .ssh/id_ed25519", check: "ssh-keys", mends: asItIs},
		{name: "a configuration that ssh does not take", plant: "echo 'Nonsense yes' >> .ssh/config", env: []string{"EDITOR=sed -i /Nonsense/d"}, check: "ssh-config", mends: asItIs},
		{name: "a provider of others that was changed", plant: "mkdir acme && cp acme.yaml acme/provider.yaml && rhx provider add acme --yes && find " + data + "/providers -name '*.yaml' -exec sed -i s/acme/acne/ {} +", check: "providers"},
		{name: "a spec that is broken", plant: "mkdir -p .config/rhx/providers && echo 'spec: [' > .config/rhx/providers/own.yaml", env: []string{"EDITOR=rm"}, check: "specs", mends: asItIs},
		{name: "two rhx", plant: "printf '#!/bin/sh\\necho rhx v0.0.1\\n' > bin/rhx && chmod 755 bin/rhx", check: "path", mends: asItIs},
		{name: "a client that does not find rhx", plant: "mkdir .docker && echo '{\"credsStore\": \"rhx\"}' > .docker/config.json", check: "helpers", mends: asItIs},
		{name: "what was to be taken out", plant: "rm -r .lambda_cloud && rhx load lambda --ttl 1h && sed -E -i 's/(\"due\": ?\")20/\\119/' .local/state/rhx/expiring.json", check: "sweep", mends: asItIs},
		{name: "an edit that was kept long ago", plant: "EDITOR='sed -i s/=/:/' rhx edit db 2>/dev/null || true; touch -d '40 days ago' .local/state/rhx/edits/*-1", env: []string{"EDITOR=truncate -s 0"}, check: "edits", mends: asItIs},
		{name: "a kept edit of a secret that is gone", plant: "echo '{\"k\": \"fake\"}' | rhx save x --values -; EDITOR='sed -i s/=/:/' rhx edit x 2>/dev/null || true; rhx delete x --yes; touch -d '40 days ago' .local/state/rhx/edits/*-1", check: "edits", mends: asItIs},
		{name: "what a killed rhx has left in memory", plant: "mkdir -m 700 memory/rhx-run-$(id -u)-left", check: "leftovers", mends: asItIs},
		{name: "what was being written", plant: "touch -d '2 days ago' " + data + "/.new-123; chmod 600 " + data + "/.new-123", check: "temporary", mends: asItIs},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h.try(t, c)
		})
	}
}

// A disk that takes nothing is found before a command fails on it.
func TestDoctorFindsADiskThatTakesNothing(t *testing.T) {
	t.Parallel()
	h := newHospital(t)
	for name, c := range map[string]struct{ plant, what string }{
		"healthy":    {":", ""},
		"full":       {"cat /dev/zero > fill || true", "the disk is full"},
		"no inodes":  {"i=0; while touch files/$i 2>/dev/null; do i=$((i+1)); done", "the disk has no room for more files"},
		"read-only":  {"mount -o remount,ro .", "read-only file system"},
		"other disk": {"mv .local data && mkdir .local && mount -t tmpfs -o mode=700 none .local && cp -a data/. .local && mount -o remount,ro .local", "read-only file system"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := filepath.Join(h.base, "disk-"+strings.ReplaceAll(name, " ", "-"))
			if err := os.Mkdir(home, 0o700); err != nil {
				t.Fatal(err)
			}
			// Mounted in a namespace that is gone with the shell.
			script := `mount -t tmpfs -o size=4m,nr_inodes=400,mode=700 none "$HOME"; cp -a "$0/." "$HOME"; cd "$HOME"; mkdir files; ulimit -c 0; ` + c.plant + `; exec rhx doctor -o json`
			words := []string{"--mount", "--propagation", "private", "sh", "-ec", script, h.healthy}
			if os.Getuid() != 0 {
				words = append([]string{"--map-root-user"}, words...)
			}
			cmd := exec.Command("unshare", words...)
			cmd.Env = h.environ(home, nil)
			out, err := cmd.Output()
			var all []diagnosisJSON
			if jsonErr := json.Unmarshal(out, &all); jsonErr != nil {
				t.Fatalf("%v, %v: %s", err, jsonErr, out)
			}
			var said []string
			for _, f := range all {
				if f.Check == "disk" {
					said = append(said, f.What)
				}
			}
			if c.what == "" && (err != nil || len(all) > 0) || c.what != "" && (len(said) != 1 || !strings.HasSuffix(said[0], ": "+c.what) || err == nil) {
				t.Errorf("%v: %+v", err, all)
			}
		})
	}
}

// The same of a store in Vault.
func TestDoctorFindsWhatIsWrongWithVault(t *testing.T) {
	t.Parallel()
	h := newHospital(t)
	v := vaulttest.Shared(t)
	url := "vault://" + v.MountKV(t, "doctor", 2, 0)
	vault := func(addr, token string) []string {
		return []string{"RHX_STORE=" + url, "VAULT_ADDR=" + addr, "VAULT_TOKEN=" + token, "VAULT_MAX_RETRIES=0"}
	}
	soonOver := v.TokenWith(t, map[string]any{"ttl": "2h"})
	v.CLI(t, soonOver, "token", "renew", "-increment=20m")
	for _, c := range []sickness{
		{name: "Vault is not there", env: vault("http://127.0.0.1:9", "fake"), check: "store"},
		{name: "a token that Vault does not take", env: vault(v.Addr, "fake"), check: "store"},
		{name: "a token whose policy is for something else", env: vault(v.Addr, v.Token(t, `path "none" { capabilities = ["read"] }`)), check: "store"},
		{name: "no fault: a token that lasts", env: vault(v.Addr, v.TokenWith(t, map[string]any{"ttl": "2h"}))},
		{name: "a token that ends soon", env: vault(v.Addr, soonOver), check: "vault"},
		{name: "a root token", env: vault(v.Addr, v.RootToken), check: "vault"},
		{name: "a clock that is wrong", env: vault(wrongClock(t, v.Addr), v.RootToken), check: "vault"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h.try(t, c)
		})
	}
}

// hospital has a healthy home, and copies of it.
type hospital struct {
	t             *testing.T
	program, base string
	healthy       string
}

func newHospital(t *testing.T) *hospital {
	t.Helper()
	// Others have to get as far as the home folder, or modes in it do not matter.
	base, err := os.MkdirTemp("", "rhx-doctor-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	h := &hospital{t: t, program: plainProgram(t), base: base, healthy: filepath.Join(base, "healthy")}
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	const make = `umask 022
mkdir -p "$HOME" "$HOME/memory" "$HOME/bin" && cd "$HOME" && chmod 700 memory
mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519 && echo 'Host x' > .ssh/config
printf 'spec: 1\nname: acme\ntitle: Acme\nvalues:\n  token: {env: ACME_TOKEN}\nfiles:\n  - path: ~/.acme\n    format: text\n    keys: {token: {at: ., as: trim}}\n' > acme.yaml
echo '{"password": "fake"}' | rhx save db --values -
echo '{"api_key": "fake"}' | rhx save lambda --values -
rhx load lambda
age-keygen -o backup-key 2>/dev/null && age-keygen -y -o backup-pub backup-key && rhx store export backup.age --to backup-pub
`
	if out, err := h.sh(h.healthy, nil, make, base); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return h
}

// environ is the environment in a home folder. HOME in more stands for it.
func (h *hospital) environ(home string, more []string) []string {
	env := []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home + "/memory", "GORACE=" + raceOptions,
		"PATH=" + strings.Join([]string{filepath.Dir(h.program), home + "/bin", "/usr/local/bin", "/usr/bin", "/bin"}, ":")}
	for _, v := range more {
		env = append(env, strings.Replace(v, "HOME/", home+"/", 1))
	}
	return env
}

func (h *hospital) sh(home string, env []string, script, dir string) (string, error) {
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = dir, h.environ(home, env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *hospital) rhx(home string, env []string, args ...string) (string, error) {
	cmd := h.command(home, env, args...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// command is rhx, where a crash leaves no file.
func (h *hospital) command(home string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -c 0; exec "$0" "$@"`, h.program}, args...)...)
	cmd.Dir, cmd.Env = home, h.environ(home, env)
	return cmd
}

// diagnosis is what doctor finds, and its exit status.
func (h *hospital) diagnosis(t *testing.T, home string, env []string) ([]diagnosisJSON, int) {
	t.Helper()
	cmd := h.command(home, env, "doctor", "-o", "json")
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	var all []diagnosisJSON
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return all, cmd.ProcessState.ExitCode()
}

func (h *hospital) try(t *testing.T, c sickness) {
	home := filepath.Join(h.base, strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, strings.ToLower(c.name)))
	if out, err := exec.Command("cp", "-a", h.healthy, home).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := h.sh(home, nil, c.plant, home); err != nil {
		t.Fatalf("plant: %v\n%s", err, out)
	}
	all, status := h.diagnosis(t, home, c.env)
	if c.check == "" {
		if len(all) > 0 {
			t.Errorf("found %+v", all)
		}
		return
	}
	var found *diagnosisJSON
	sick := 0
	for i, f := range all {
		if f.Level == "warning" {
			sick = 1
		}
		if f.Check == c.check && found == nil {
			found = &all[i]
		}
		for _, text := range []string{f.What, f.Why, f.Command} {
			if strings.Contains(text, "fake-fake") {
				t.Errorf("a value is shown: %+v", f)
			}
		}
	}
	if found == nil {
		t.Fatalf("not found: %+v", all)
	}
	if status != sick || found.What == "" || found.Why == "" {
		t.Errorf("status %d: %+v", status, found)
	}
	if c.mends == "" {
		return
	}
	command := found.Command + c.mends
	if c.replaces[0] != "" {
		command = strings.Replace(command, c.replaces[0], c.replaces[1], 1)
	}
	if out, err := h.sh(home, c.env, command, home); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	after, _ := h.diagnosis(t, home, c.env)
	for _, f := range after {
		if f.Check == c.check && f.What == found.What {
			t.Errorf("%s did not mend %q", command, f.What)
		}
	}
}

// wrongClock is a server before another one, whose clock is an hour before.
func wrongClock(t *testing.T, addr string) string {
	to, err := url.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// What is safe to mend is mended at once, after a question.
func TestDoctorMends(t *testing.T) {
	t.Parallel()
	h := newHospital(t)
	const plant = `chmod 644 .local/share/rhx/identity.txt .ssh/id_ed25519; touch -d '2 days ago' .local/share/rhx/.new-1; chmod 600 .local/share/rhx/.new-1; echo '{"k": "fake", "expires_at": "2024-01-01T00:00:00Z"}' | rhx save x --values -`
	if out, err := h.sh(h.healthy, nil, plant, h.healthy); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := h.rhx(h.healthy, nil, "doctor"); err == nil || !strings.Contains(out, "4 warnings, 0 notes. rhx doctor --fix mends 3 of them.\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := h.rhx(h.healthy, nil, "doctor", "--fix"); err == nil || !strings.Contains(out, "pass --yes to confirm") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := h.rhx(h.healthy, nil, "doctor", "--fix", "--yes")
	if err == nil || strings.Count(out, "done: ") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	for path, want := range map[string]os.FileMode{".local/share/rhx/identity.txt": 0o600, ".ssh/id_ed25519": 0o600} {
		if info, err := os.Stat(filepath.Join(h.healthy, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	all, status := h.diagnosis(t, h.healthy, nil)
	if len(all) != 1 || all[0].Check != "expiring" || status != 1 {
		t.Errorf("%d, %+v", status, all)
	}
	if out, err := h.rhx(h.healthy, nil, "doctor", "--yes"); err == nil || !strings.Contains(out, "--yes is for --fix") {
		t.Errorf("%v\n%s", err, out)
	}
}
