package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The behaviours of Runhouse's secrets on clusters by their numbers, on plain
// hosts: there is nothing of rhx on them. Others have their tests elsewhere: grep
// for RH-.
func TestRunhouseHosts(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.add("node1", hostOptions{})
	n.add("node2", hostOptions{})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *network)
	}{
		{"RH-22 every secret on a host, and off it again", rhEverySecret},
		{"RH-23 a file at another path", rhOtherPath},
		{"RH-24 the variables of every provider that has some", rhVariables},
		{"RH-25 sync to the same path", rhSamePath},
		{"RH-26 RH-27 a base secret", rhBaseOnHost},
		{"RH-28 what is found here goes there", rhFound},
		{"RH-29 a bundle of files and variables", rhBundle},
		{"RH-30 a variable that is no secret, for any command", rhCommand},
		{"RH-31 a file on every node", rhEveryNode},
		{"RH-33 what lets rhx in is kept nowhere", rhLoginSecret},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := *n
			m.t, m.home = t, t.TempDir()
			m.check(os.Mkdir(filepath.Join(m.home, ".ssh"), 0o700))
			m.writeClient()
			for _, h := range m.hosts {
				h.Empty()
			}
			test.run(t, &m)
		})
	}
}

// rhSecrets are values of each provider, and of a secret of none.
func rhSecrets() map[string]map[string]string {
	pem := "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nFAKE\n-----END OPENSSH " + "PRIVATE KEY-----\n"
	all := map[string]map[string]string{
		"aws":         {"access_key": "AKIA" + "IOSFODNN7EXAMPLE", "secret_key": strings.Repeat("FAKE", 10)},
		"azure":       {"subscription_id": "00000000-0000-0000-0000-00000000fake"},
		"gcp":         {"client_id": "id", "client_secret": "FAKE", "refresh_token": "FAKE", "type": "authorized_user"},
		"github":      {"oauth_token": "gho_" + strings.Repeat("FAKE", 9)},
		"huggingface": {"token": "hf_" + strings.Repeat("FAKE", 8)},
		"lambda":      {"api_key": "FAKE"},
		"docker":      {"username": "u", "password": "FAKE", "server": "https://index.docker.io/v1/"},
		"ssh/id_test": {"private_key": pem, "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA fake\n"},
		"sky":         {"private_key": pem, "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA fake\n"},
		"kubernetes/dev": {
			"context": `{"cluster":"dev","user":"dev"}`, "cluster": `{"server":"https://127.0.0.1"}`, "user": `{"token":"FAKE"}`,
		},
		"db": {"user": "u", "password": "FAKE"},
	}
	for _, name := range []string{"anthropic", "cohere", "langchain", "openai", "pinecone"} {
		all[name] = map[string]string{"api_key": "sk-" + "FAKE-" + name}
	}
	all["wandb"] = map[string]string{"api_key": strings.Repeat("0123456789", 4)}
	return all
}

// save brings values into the store.
func (n *network) save(name string, values map[string]string) {
	n.t.Helper()
	data, err := json.Marshal(values)
	n.check(err)
	if out, errs, status := n.runWith(string(data), "save", name, "--values", "-"); status != 0 {
		n.t.Fatalf("save %s: %s%s", name, out, errs)
	}
}

// values are those of the secrets that detect finds on a host.
func (n *network) values(host string) map[string]map[string]string {
	n.t.Helper()
	out, _ := n.does(0, "detect", "--on", host, "--reveal", "-o", "json")
	var list []struct {
		Name   string            `json:"name"`
		Values map[string]string `json:"values"`
	}
	n.check(json.Unmarshal([]byte(out), &list))
	all := map[string]map[string]string{}
	for _, s := range list {
		all[s.Name] = s.Values
	}
	return all
}

// variables runs a command on a host with secrets and returns what it prints.
func (n *network) variables(host, command string, secrets ...string) string {
	n.t.Helper()
	args := []string{"run", "--on", host}
	for _, s := range secrets {
		args = append(args, "-s", s)
	}
	out, _ := n.does(0, append(args, "--", "sh", "-c", command)...)
	return out
}

// Runhouse keeps an object in a daemon on the cluster. Here a secret is in its
// native file, which delete takes it out of, or in the env file where it has only
// variables.
func rhEverySecret(t *testing.T, n *network) {
	all := rhSecrets()
	args := []string{"sync", "node1", "-o", "json"}
	for name, values := range all {
		n.save(name, values)
		args = append(args, "-s", name)
	}
	out, _ := n.does(0, args...)
	var outcomes []loadedJSON
	n.check(json.Unmarshal([]byte(out), &outcomes))
	var files, variables []string
	for _, l := range outcomes {
		switch {
		case l.Error != "":
			t.Errorf("%s: %s", l.Secret, l.Error)
		case l.Path != "":
			files = append(files, l.Secret)
		default:
			variables = append(variables, l.Secret)
		}
	}
	slices.Sort(variables)
	variables = slices.Compact(variables)
	slices.Sort(files)
	files = slices.Compact(files)
	there := n.values("node1")
	for _, name := range files {
		for k, v := range all[name] {
			if got := there[name][k]; got != v {
				t.Errorf("%s: %s is %q there, not %q", name, k, got, v)
			}
		}
	}
	for where, env := range map[string]string{
		"a command there": n.variables("node1", "env", variables...), "the env file": n.variables("node1", ". ~/.config/rhx/env; env", files[0]),
	} {
		for _, name := range variables {
			for _, v := range all[name] {
				if !strings.Contains(env, "="+v+"\n") {
					t.Errorf("%s: %s has not %q", name, where, v)
				}
			}
		}
	}
	if len(files) < 10 || len(files)+len(variables) != len(all) {
		t.Errorf("with files: %v, with variables: %v", files, variables)
	}
	n.does(0, append([]string{"delete", "--contents", "--yes", "--on", "node1"}, files...)...)
	n.does(0, append([]string{"delete"}, variables...)...)
	if left := n.values("node1"); len(left) > 0 {
		t.Errorf("after its deletion %v is there", left)
	}
	if out, _ := n.does(0, "list", "-o", "json"); strings.Contains(out, "name") {
		t.Errorf("after its deletion the store has %s", out)
	}
}

func rhOtherPath(t *testing.T, n *network) {
	n.save("aws", rhSecrets()["aws"])
	const path = "~/.rh/tests/credentials"
	n.does(0, "load", "aws", "--to", path, "--on", "node1")
	if !strings.Contains(n.file("node1", ".rh/tests/credentials"), "aws_access_key_id") {
		t.Error("the file is not there")
	}
	// Read back from there, it is the same: no new version.
	n.does(0, "save", "aws", "--from", path, "--on", "node1")
	if out, _ := n.does(0, "history", "aws", "-o", "json"); strings.Count(out, `"version"`) != 1 {
		t.Errorf("the values there are others: %s", out)
	}
	// Only what rhx placed by itself is for it to remove: Runhouse's delete would
	// remove whatever is at the path.
	n.does(0, "delete", "aws", "--contents", "--yes", "--on", "node1")
	if n.file("node1", ".rh/tests/credentials") == "(none)" {
		t.Error("a file that the secret does not name is gone")
	}
}

func rhVariables(t *testing.T, n *network) {
	n.save("other", map[string]string{"OTHER": "x"})
	wanted := map[string]string{
		"aws": "AWS_SECRET_ACCESS_KEY secret_key", "azure": "AZURE_SUBSCRIPTION_ID subscription_id", "huggingface": "HF_TOKEN token", "docker": "SKYPILOT_DOCKER_PASSWORD password",
		"anthropic": "ANTHROPIC_API_KEY api_key", "cohere": "COHERE_API_KEY api_key", "langchain": "LANGCHAIN_API_KEY api_key", "openai": "OPENAI_API_KEY api_key",
		"pinecone": "PINECONE_API_KEY api_key", "wandb": "WANDB_API_KEY api_key", "github": "GH_TOKEN oauth_token", "lambda": "LAMBDA_API_KEY api_key",
	}
	var names []string
	for name := range wanted {
		n.save(name, rhSecrets()[name])
		names = append(names, name)
	}
	args := []string{"sync", "node1", "--env"}
	for _, name := range names {
		args = append(args, "-s", name)
	}
	// For one command, and in login shells there where that is wanted.
	n.does(0, args...)
	for where, env := range map[string]string{
		"a command": n.variables("node1", "env", names...), "the env file": n.variables("node1", ". ~/.config/rhx/env; env", "other"),
	} {
		for name, want := range wanted {
			variable, key, _ := strings.Cut(want, " ")
			if want := "\n" + variable + "=" + rhSecrets()[name][key] + "\n"; !strings.Contains("\n"+env, want) {
				t.Errorf("%s: %s has not%s", name, where, want)
			}
		}
	}
}

func rhSamePath(t *testing.T, n *network) {
	n.put("", awsFilePath, netAWS)
	n.does(0, "save", "aws")
	n.does(0, "sync", "node1", "-s", "aws")
	if got := n.values("node1")["aws"]; got["secret_key"] != strings.Repeat("FAKE", 10) {
		t.Errorf("there are %v", got)
	}
	n.does(0, "delete", "aws", "--contents", "--yes")
	if _, err := os.Stat(filepath.Join(n.home, awsFilePath)); err == nil {
		t.Error("the file here is left")
	}
	if n.file("node1", awsFilePath) == "(none)" {
		t.Error("the file there is gone too")
	}
}

func rhBaseOnHost(t *testing.T, n *network) {
	n.save("db", map[string]string{"PGUSER": "u", "PGPASSWORD": "FAKE 'quoted'"})
	if got := n.variables("node1", `echo "$PGUSER:$PGPASSWORD"`, "db"); got != "u:FAKE 'quoted'\n" {
		t.Errorf("a command has %q", got)
	}
	n.does(0, "load", "db", "--to", "~/db.json", "--on", "node1")
	var got map[string]string
	n.check(json.Unmarshal([]byte(n.file("node1", "db.json")), &got))
	if got["PGPASSWORD"] != "FAKE 'quoted'" || len(got) != 2 {
		t.Errorf("the file has %v", got)
	}
}

func rhFound(t *testing.T, n *network) {
	n.put("", awsFilePath, netAWS)
	n.put("", hfFilePath, netHF)
	n.put("", ".lambda_cloud/lambda_keys", "api_key = FAKE\n")
	n.does(0, "save", "--all")
	n.does(0, "sync", "node1", "-s", "aws", "-s", "huggingface", "-s", "lambda")
	for _, path := range []string{awsFilePath, hfFilePath, ".lambda_cloud/lambda_keys"} {
		if n.file("node1", path) == "(none)" {
			t.Errorf("%s is not there", path)
		}
	}
}

func rhBundle(t *testing.T, n *network) {
	for _, name := range []string{"lambda", "openai", "huggingface"} {
		n.save(name, rhSecrets()[name])
	}
	n.put("", "rhx.yaml", "version: 1\nsecrets: {lambda: , openai: , huggingface: }\n"+
		"bundles: {train: {files: lambda, secrets: [openai, huggingface], env: {MODE: online}}}\nhosts: {nodes: {addresses: \"node[1:2]\", bundles: train}}\n")
	n.does(0, "--manifest", filepath.Join(n.home, "rhx.yaml"), "sync", "nodes", "-b", "train", "--yes")
	for _, host := range []string{"node1", "node2"} {
		if n.file(host, ".lambda_cloud/lambda_keys") == "(none)" {
			t.Errorf("%s: the file is not there", host)
		}
		out, _ := n.does(0, "run", "--on", host, "-s", "lambda", "--", "sh", "-c", `. ~/.config/rhx/env; echo "$OPENAI_API_KEY $HF_TOKEN $MODE"`)
		if want := "sk-" + "FAKE-openai " + netHF + " online\n"; out != want {
			t.Errorf("%s: the variables are %q", host, out)
		}
	}
}

func rhCommand(t *testing.T, n *network) {
	n.put("", "rhx.yaml", "version: 1\nbundles: {b: {env: {ENV_VAR: env_val}}}\n")
	out, _ := n.does(0, "--manifest", filepath.Join(n.home, "rhx.yaml"), "run", "--on", "node1", "-b", "b", "--yes", "--", "sh", "-c", "echo $ENV_VAR")
	if out != "env_val\n" {
		t.Errorf("%q", out)
	}
}

func rhEveryNode(t *testing.T, n *network) {
	n.put("", ".config/rhx/providers/custom.yaml", "spec: 1\nname: custom\nvalues: {token: {}}\nfiles: [{path: ~/.custom/secret.json, format: json, keys: {token: token}}]\n")
	n.save("custom", map[string]string{"token": "FAKE"})
	n.does(0, "sync", "node[1:2]", "-s", "custom")
	for _, host := range []string{"node1", "node2"} {
		if got := n.file(host, ".custom/secret.json"); !strings.Contains(got, `"token": "FAKE"`) {
			t.Errorf("%s: %q", host, got)
		}
	}
}

// Runhouse keeps the keys and passwords of hosts among its own secrets. rhx uses
// those of OpenSSH and keeps none; a passphrase is asked for and forgotten.
func rhLoginSecret(t *testing.T, n *network) {
	const passphrase = "passphrase-of-the-key"
	h := n.hosts["node1"]
	key := filepath.Join(n.home, ".ssh", "locked")
	h.Keygen("ed25519", key, passphrase)
	public, err := os.ReadFile(key + ".pub")
	n.check(err)
	was, err := os.ReadFile(h.AuthorizedKeys)
	n.check(err)
	n.check(os.WriteFile(h.AuthorizedKeys, append(was, public...), 0o644))
	n.put("", ".ssh/config", strings.ReplaceAll(n.config.String(), h.IdentityFile, key))
	n.save("lambda", rhSecrets()["lambda"])
	cmd := n.command("-v", "sync", "node1", "-s", "lambda")
	s := n.onTerminal(cmd)
	s.waitFor("Passphrase for ")
	_, err = s.f.WriteString(passphrase + "\n")
	n.check(err)
	shown := s.rest()
	if err := cmd.Wait(); err != nil || strings.Contains(shown, passphrase) {
		t.Errorf("%v:\n%s", err, shown)
	}
	n.check(filepath.WalkDir(n.home, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(p)
		if strings.Contains(string(data), passphrase) {
			t.Errorf("%s has the passphrase", p)
		}
		return err
	}))
}

// RH-32: with the key that was synced to one host, that host reaches another, to
// which nobody else has a way.
func TestRunhouseKeyToAnotherHost(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.add("a", hostOptions{})
	b := n.add("b", hostOptions{jumps: []string{"a"}})
	key := filepath.Join(n.home, ".ssh", "sky-key")
	b.Keygen("ed25519", key, "")
	public, err := os.ReadFile(key + ".pub")
	n.check(err)
	n.check(os.WriteFile(b.AuthorizedKeys, public, 0o644))
	n.does(0, "save", "sky")
	n.save("lambda", rhSecrets()["lambda"])
	n.put("a", "known", "b "+b.HostKeys[0]+"\n")
	command := fmt.Sprintf("ssh -F none -o BatchMode=yes -o UserKnownHostsFile=known -o HostKeyAlias=b -i .ssh/sky-key -p %d %s@%s 'echo here is $LOGNAME'", b.Port, b.User, b.Host)
	on := []string{"run", "--on", "a", "-s", "lambda", "--", "sh", "-c", command}
	if out, _, status := n.run(on...); status == 0 {
		t.Fatalf("without the key: %s", out)
	}
	n.does(0, "sync", "a", "-s", "sky")
	if out, _ := n.does(0, on...); out != "here is "+b.User+"\n" {
		t.Errorf("%q", out)
	}
}
