package exchange_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
)

const kubeconfig = `apiVersion: v1
kind: Config
contexts:
- {name: mine, context: {cluster: c1, user: u1}}
clusters:
- {name: c1, cluster: {server: https://one.example}}
users:
- {name: u1, user: {token: fake-mine}}
`

// What is on a machine before and after a secret was loaded and taken off again.
func TestRemoval(t *testing.T) {
	type files map[string]string
	aws := []string{"access_key", akia, "secret_key", awsKey}
	for _, c := range []struct {
		what   string
		name   string
		kv     []string
		to     string
		before files
		env    bool
		after  files
	}{
		{what: "a new file goes", name: "aws", kv: aws, after: files{}},
		{what: "a profile of a file", name: "aws/prod", kv: aws, before: files{".aws/credentials": "# c\n" + awsFile("default", akia2, "OLD")},
			after: files{".aws/credentials": "# c\n" + awsFile("default", akia2, "OLD") + "\n"}},
		{what: "a file that was empty stays", name: "aws", kv: aws, before: files{".aws/credentials": ""}, after: files{".aws/credentials": ""}},
		{what: "a file that had other values stays, empty", name: "aws", kv: aws, before: files{".aws/credentials": awsFile("default", akia, "OLD")},
			after: files{".aws/credentials": ""}},
		{what: "a text that was another one", name: "huggingface", kv: []string{"token", "fake"}, before: files{".cache/huggingface/token": "old"},
			after: files{".cache/huggingface/token": ""}},
		{what: "a new key pair", name: "ssh/id_a", kv: []string{"private_key", pem, "public_key", "ssh-ed25519 AAAAC3FAKE\n"}, before: files{".ssh/config": "# c\n"},
			after: files{".ssh/config": "# c\n"}},
		{what: "the new half of a key pair", name: "ssh/id_a", kv: []string{"private_key", pem, "public_key", "ssh-ed25519 AAAAC3FAKE\n"}, before: files{".ssh/id_a": pem},
			after: files{".ssh/id_a": pem}},
		{what: "a context of a kubeconfig", name: "kubernetes/dev", before: files{".kube/config": kubeconfig},
			kv:    []string{"context", `{"cluster":"c2","user":"u2"}`, "cluster", `{"server":"https://two.example"}`, "user", `{"token":"fake-dev"}`},
			after: files{".kube/config": kubeconfig}},
		{what: "another file", name: "aws", kv: aws, to: "~/other", before: files{".aws/credentials": awsFile("default", akia2, "OLD")},
			after: files{".aws/credentials": awsFile("default", akia2, "OLD")}},
		{what: "a base secret", name: "db", kv: []string{"user", "u", "password", "p"}, to: "~/db.json", after: files{}},
		{what: "a base secret in a file with more", name: "db", kv: []string{"user", "u"}, to: "~/db.json", before: files{"db.json": `{"more": 1}`},
			after: files{"db.json": `{"more": 1}`}},
		{what: "a base secret in an empty object", name: "db", kv: []string{"user", "u"}, to: "~/db.json", before: files{"db.json": `{}`},
			after: files{"db.json": "{}"}},
		{what: "variables", name: "openai", kv: []string{"api_key", sk}, env: true, after: files{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			h, _ := newHost(t)
			dir := t.TempDir()
			h.Local = machine.Local(dir, func(string) string { return "" })
			h.wire()
			for name, text := range c.before {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			keep(t, h, c.name, c.kv...)
			opts := exchange.LoadOptions{Names: []string{c.name}, Resolve: deliver.ReplaceAll, To: c.to}
			opts.Env = c.env
			list := must(h.Exchange.Load(ctx, place.Here, h.Local, opts))(t)
			places := must(h.Exchange.LocalCopies())(t)
			if len(places) != 1 || places[0].Name != c.name {
				t.Fatalf("placed: %+v after %s", places, loaded(list))
			}
			u, err := h.Exchange.PlanRemoval(ctx, places[0], true)
			if err != nil || u.Err != nil || len(u.Differs) > 0 || u.NotStored {
				t.Fatalf("%+v, %v", u, err)
			}
			if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &u); err != nil {
				t.Fatal(err)
			}
			got := files{}
			err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					name, _ := filepath.Rel(dir, path)
					data, readErr := os.ReadFile(path)
					got[filepath.ToSlash(name)], err = string(data), readErr
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range c.after {
				if have, ok := got[name]; !ok || strings.TrimSpace(have) != strings.TrimSpace(text) {
					t.Errorf("%s:\n%s\nwant:\n%s", name, have, text)
				}
				delete(got, name)
			}
			if len(got) > 0 {
				t.Errorf("also there: %v", got)
			}
			if places := must(h.Exchange.LocalCopies())(t); len(places) > 0 {
				t.Errorf("still noted: %+v", places)
			}
			if _, err := os.Stat(h.Deliver.EnvFile()); c.env && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the env file: %v", err)
			}
		})
	}
}

// Without the store: what the machine itself can tell, and what it cannot.
func TestRemovalWithoutTheStore(t *testing.T) {
	h, _ := newHost(t)
	dir := t.TempDir()
	h.Local = machine.Local(dir, func(string) string { return "" })
	h.Book.Local = h.Local
	h.wire()
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "db", "user", "u")
	st := must(h.Records.Store(ctx))(t)
	if _, err := st.Put(ctx, &secret.Secret{Name: "ci", Provider: "lambda", Values: secret.Values{"api_key": secret.NewValue("fake")}}, 0); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []exchange.LoadOptions{{Names: []string{"aws", "ci"}}, {Names: []string{"db"}, To: "~/db.json"}} {
		must(h.Exchange.Load(ctx, place.Here, h.Local, opts))(t)
	}
	// Changed since: the store would say so.
	if err := os.WriteFile(filepath.Join(dir, ".aws/credentials"), []byte(awsFile("default", akia, awsKey2)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range must(h.Exchange.LocalCopies())(t) {
		with, err := h.Exchange.PlanRemoval(ctx, p, true)
		if err != nil || with.Err != nil {
			t.Errorf("%s: %v, %v", p.Name, err, with.Err)
		}
		if p.Name == "aws" && strings.Join(with.Differs, " ") != "secret_key" {
			t.Errorf("aws differs in %v", with.Differs)
		}
		u, err := h.Exchange.PlanRemoval(ctx, p, false)
		if err != nil {
			t.Fatal(err)
		}
		switch p.Name {
		case "aws":
			if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &u); err != nil {
				t.Error(err)
			}
		default:
			if u.Err == nil || !strings.Contains(u.Err.Error(), "only the store can say") {
				t.Errorf("%s: %v", p.Name, u.Err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".aws/credentials")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("rhx's own file is there: %v", err)
	}
	// A file that somebody broke, and one that is gone.
	if err := os.WriteFile(filepath.Join(dir, ".lambda_cloud/lambda_keys"), []byte("[broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "db.json")); err != nil {
		t.Fatal(err)
	}
	for _, p := range must(h.Exchange.LocalCopies())(t) {
		u, err := h.Exchange.PlanRemoval(ctx, p, true)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name == "db" && !errors.Is(u.Err, exchange.ErrGone) {
			t.Errorf("db: %v", u.Err)
		}
		if p.Name == "ci" && (u.Err == nil || errors.Is(u.Err, exchange.ErrGone)) {
			t.Errorf("ci: %v", u.Err)
		}
	}
	if err := st.Delete(ctx, "ci"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".lambda_cloud/lambda_keys"), []byte("api_key = fake\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range must(h.Exchange.LocalCopies())(t) {
		if u, err := h.Exchange.PlanRemoval(ctx, p, true); p.Name == "ci" && (err != nil || !u.NotStored) {
			t.Errorf("ci: %+v, %v", u, err)
		}
	}
}
