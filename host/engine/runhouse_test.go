package engine

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// The behaviours of Runhouse's secrets by their numbers, in both kinds of store.
// Others have their tests elsewhere: grep for RH-.
func TestRunhouse(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (*Engine, *machine.Memory){
		"local": func(t *testing.T) (*Engine, *machine.Memory) { return newHost(t) },
		"Vault": func(t *testing.T) (*Engine, *machine.Memory) {
			h, m := newHost(t)
			inVault(t, h)
			return h, m
		},
	} {
		t.Run(name, func(t *testing.T) {
			for test, run := range map[string]func(*testing.T, *Engine, *machine.Memory){
				"RH-07 RH-08 a base secret comes back by its name":    rhBaseSecret,
				"RH-10 a provider's secret under a name of one's own": rhOwnName,
				"RH-11 a second name is a second secret":              rhSecondName,
				"RH-12 every secret has a history":                    rhHistory,
				"RH-13 every file provider":                           rhFileProviders,
				"RH-14 what describes a secret has no values":         rhNoValues,
				"RH-17 a secret of no provider in a file":             rhCustomFile,
				"RH-18 an SSH key's files stay":                       rhSSHStays,
				"RH-20 from one machine to another":                   rhUpAndDown,
				"RH-21 what is listed is known":                       rhListed,
			} {
				t.Run(test, func(t *testing.T) {
					h, m := open(t)
					run(t, h, m)
				})
			}
		})
	}
}

// gone fails unless name cannot be loaded, with an error that says so.
func gone(t *testing.T, h *Engine, name string) {
	t.Helper()
	_, err := h.Records.Get(ctx, name, 0)
	if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `no secret "`+name+`"`) {
		t.Errorf("%s after its deletion: %v", name, err)
	}
}

func deleted(t *testing.T, h *Engine, m machine.Machine, name string, opts exchange.DeleteOptions) {
	t.Helper()
	for _, d := range must(h.Exchange.Delete(ctx, place.Here, m, []string{name}, opts))(t) {
		if d.Err != nil {
			t.Errorf("delete %s: %v", name, d.Err)
		}
	}
	gone(t, h, name)
}

func rhBaseSecret(t *testing.T, h *Engine, m *machine.Memory) {
	keep(t, h, "custom_secret", "secret_key", "secret_val", "other", "two\nlines")
	same(t, "stored", stored(t, h, "custom_secret"), "custom_secret / v1 other=two\nlines secret_key=secret_val")
	deleted(t, h, m, "custom_secret", exchange.DeleteOptions{})
}

func rhOwnName(t *testing.T, h *Engine, m *machine.Memory) {
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws"}, As: "aws_secret"}))(t)
	same(t, "saved", saved(list), "aws_secret created 1 access_key,secret_key")
	same(t, "stored", stored(t, h, "aws_secret"), "aws_secret aws/ v1 access_key="+akia+" secret_key="+awsKey)
	deleted(t, h, m, "aws_secret", exchange.DeleteOptions{})
}

func rhSecondName(t *testing.T, h *Engine, m *machine.Memory) {
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws"}}))(t)
	must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws"}, As: "aws-alt"}))(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia2, awsKey2)), 0o600)
	must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws"}, As: "aws-alt"}))(t)
	same(t, "the first", stored(t, h, "aws"), "aws aws/ v1 access_key="+akia+" secret_key="+awsKey)
	same(t, "the second", stored(t, h, "aws-alt"), "aws-alt aws/ v2 access_key="+akia2+" secret_key="+awsKey2)
}

// Runhouse's local secrets had none; here they do.
func rhHistory(t *testing.T, h *Engine, _ *machine.Memory) {
	before := time.Now().Add(-time.Minute)
	keep(t, h, "db", "k", "1")
	keep(t, h, "db", "k", "2")
	list := must(h.Records.History(ctx, "db"))(t)
	if len(list) != 2 || list[0].Version != 2 || list[1].Version != 1 || list[1].Updated.Before(before) || list[0].Updated.Before(list[1].Updated) {
		t.Errorf("%+v", list)
	}
	if rec := must(h.Records.Get(ctx, "db", 1))(t); rec.Secret.Values["k"].Reveal() != "1" {
		t.Error("the values of the first version are not what was saved")
	}
}

// fileProviders are those of Runhouse's tests, with their values.
func fileProviders() map[string]map[string]string {
	return map[string]map[string]string{
		"aws":            {"access_key": "test_access_key", "secret_key": "test_secret_key"},
		"azure":          {"subscription_id": "test_subscription"},
		"gcp":            {"client_id": "test_client_id", "client_secret": "test_client_secret"},
		"github":         {"oauth_token": "test_token"},
		"huggingface":    {"token": "test_token"},
		"lambda":         {"api_key": "test_key"},
		"kubernetes/dev": {"context": `{"cluster":"dev","user":"dev"}`, "cluster": `{"server":"https://127.0.0.1"}`, "user": `{"token":"test_token"}`},
		"ssh/id_test":    {"private_key": pem, "public_key": pub},
		"sky":            {"private_key": pem, "public_key": pub},
	}
}

func rhFileProviders(t *testing.T, h *Engine, m *machine.Memory) {
	all := fileProviders()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sec := &secret.Secret{Name: name, Values: secret.Values{}}
		sec.Provider, sec.Profile = secret.SplitName(name)
		for k, v := range all[name] {
			sec.Values[k] = secret.NewValue(v)
		}
		must(h.Exchange.SaveSecret(ctx, sec))(t)
		rec := must(h.Records.Get(ctx, name, 0))(t)
		if d := rec.Secret.Values.Diff(sec.Values); len(d) > 0 || rec.Secret.Provider != sec.Provider || rec.Secret.Profile != sec.Profile {
			t.Errorf("%s came back as another one: %v", name, d)
		}
		for _, l := range must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{name}}))(t) {
			if l.Err != nil || l.Action != provider.Created {
				t.Errorf("load %s: %s %v", name, l.Action, l.Err)
			}
		}
		files := m.Names("/home/u")
		deleted(t, h, m, name, exchange.DeleteOptions{Contents: true})
		for _, f := range must(m.Read(ctx, []string{home + ".aws/credentials", home + ".ssh/id_test", home + ".ssh/sky-key", home + ".kube/config"}))(t) {
			if f.Err == nil && len(f.Data) > 0 {
				t.Errorf("%s: %s is still there, of %v", name, f.Path, files)
			}
		}
	}
}

// pub is a public key that nobody has the private one of.
const pub = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA fake\n"

// canaryValue is in no file but those that hold values, and in those encrypted.
const canaryValue = "value-that-is-nowhere-else"

func rhNoValues(t *testing.T, h *Engine, _ *machine.Memory) {
	keep(t, h, "db", "k", canaryValue)
	list := must(h.Records.List(ctx))(t)
	history := must(h.Records.History(ctx, "db"))(t)
	if len(list) != 1 || len(history) != 1 || list[0] != history[0] {
		t.Errorf("%+v %+v", list, history)
	}
	err := filepath.WalkDir(h.Dirs.Data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), canaryValue) {
			t.Errorf("%s has the value", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The file is found again because it was noted, as config.yaml shows.
func rhCustomFile(t *testing.T, h *Engine, _ *machine.Memory) {
	dir := t.TempDir()
	h.Local = machine.Local(dir, func(string) string { return "" })
	h.Book.Local = h.Local
	h.wire()
	keep(t, h, "custom", "secret_key", "secret_val")
	must(h.Exchange.Load(ctx, place.Here, h.Local, exchange.LoadOptions{Names: []string{"custom"}, To: "~/.custom/secret.json"}))(t)
	file := filepath.Join(dir, ".custom/secret.json")
	if data, err := os.ReadFile(file); err != nil || string(data) != "{\n  \"secret_key\": \"secret_val\"\n}\n" {
		t.Errorf("%q, %v", data, err)
	}
	deleted(t, h, h.Local, "custom", exchange.DeleteOptions{Contents: true})
	if _, err := os.Stat(file); err == nil {
		t.Error("the file is still there")
	}
	if data, _ := os.ReadFile(filepath.Join(h.Dirs.Config, "config.yaml")); strings.Contains(string(data), "custom") {
		t.Errorf("it is still noted:\n%s", data)
	}
}

func rhSSHStays(t *testing.T, h *Engine, m *machine.Memory) {
	m.PutFile(home+".ssh/id_test", []byte(pem), 0o600)
	m.PutFile(home+".ssh/id_test.pub", []byte(pub), 0o644)
	must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"ssh/id_test"}}))(t)
	deleted(t, h, m, "ssh/id_test", exchange.DeleteOptions{})
	if content(m, ".ssh/id_test") != pem || content(m, ".ssh/id_test.pub") != pub {
		t.Error("deleting it from the store touched its files")
	}
}

func rhUpAndDown(t *testing.T, h *Engine, m *machine.Memory) {
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	m.PutFile(home+".lambda_cloud/lambda_keys", []byte("api_key = V\n"), 0o600)
	if list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}))(t); len(list) != 2 {
		t.Errorf("saved %s", saved(list))
	}
	other := machine.NewMemory("other")
	same(t, "on another machine", loaded(must(h.Exchange.Load(ctx, place.Host("other"), other, exchange.LoadOptions{All: true}))(t)), `
other aws ~/.aws/credentials created access_key,secret_key
other lambda ~/.lambda_cloud/lambda_keys created api_key`)
	for _, name := range []string{".aws/credentials", ".lambda_cloud/lambda_keys"} {
		if content(other, name) != content(m, name) {
			t.Errorf("%s differs:\n%s", name, content(other, name))
		}
	}
}

func rhListed(t *testing.T, h *Engine, _ *machine.Memory) {
	for name := range fileProviders() {
		keep(t, h, name, "k", "v")
	}
	for _, info := range must(h.Records.List(ctx))(t) {
		if sp, err := h.Specs.Get(info.Provider); err != nil || sp.Name != info.Provider {
			t.Errorf("%s is of the provider %q: %v", info.Name, info.Provider, err)
		}
	}
}
