package harden_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/harden"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/specs"
)

const (
	credentials = "/home/u/.aws/credentials"
	awsConfig   = "/home/u/.aws/config"
	kubeconfig  = "/home/u/.kube/config"
	dockerFile  = "/home/u/.docker/config.json"
	awsText     = "# mine\n[default]\naws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE\naws_secret_access_key = fake-key\nregion = eu\n"
	dockerText  = `{"auths": {"https://r.example.com": {"auth": "amFuZTpmYWtlLXB3"}}}` + "\n"
)

// house is a hardener of a machine in memory, with a real store and journal.
type house struct {
	*harden.Hardener
	m    *machine.Memory
	data string
}

func newHouse(t *testing.T, local func(*machine.Memory) machine.Machine) *house {
	t.Helper()
	h := &house{m: machine.NewMemory("local"), data: t.TempDir()}
	h.open(t, local)
	return h
}

// open is another rhx over the same folders.
func (h *house) open(t *testing.T, local func(*machine.Memory) machine.Machine) {
	t.Helper()
	dirs := config.Dirs{Config: filepath.Join(h.data, "config"), Data: filepath.Join(h.data, "data"), State: filepath.Join(h.data, "state")}
	keys := agestore.Open(agestore.Options{Dir: dirs.Data})
	m := machine.Machine(h.m)
	if local != nil {
		m = local(h.m)
	}
	reg := spec.NewRegistry(specs.All(), "")
	book := &session.Book{Dirs: dirs, Local: machine.Local(h.data, func(string) string { return "" }), Keys: keys, Warn: func(text string) { t.Error(text) },
		Journal: &journal.Journal{Dir: filepath.Join(dirs.State, "journal"), Seal: keys.Seal, Unseal: keys.Unseal}}
	recs := &records.Records{Known: reg.Known, Open: func(context.Context) (store.Store, error) { return keys, nil }}
	det := &detect.Detector{Specs: reg}
	d := &deliver.Deliverer{Specs: reg, Dirs: dirs}
	h.Hardener = &harden.Hardener{
		Specs: reg, Local: m, Detector: det, Records: recs, Book: book,
		Exchange:  &exchange.Exchange{Specs: reg, Dirs: dirs, Local: m, Records: recs, Detector: det, Deliver: d, Book: book},
		Helpers:   &helper.Helpers{Specs: reg, Records: recs, Local: m},
		Installer: &helper.Installer{Local: m, Dirs: dirs, Program: "/usr/bin/rhx", LookPath: func(string) (string, error) { return "", exec.ErrNotFound }},
		Opens:     func(string) bool { return false },
	}
}

func (h *house) file(path string) string {
	data, _, _ := h.m.File(path)
	return string(data)
}

// run plans, and does it.
func (h *house) run(t *testing.T, opts harden.Options) []*harden.Item {
	t.Helper()
	items, err := h.Plan(t.Context(), opts)
	if err == nil {
		err = h.Apply(t.Context(), items, opts)
	}
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func say(items []*harden.Item) string {
	var lines []string
	for _, i := range items {
		lines = append(lines, fmt.Sprintf("%s %s %s%s%v", i.Secret, i.Client, i.Action, i.Why, i.Err))
	}
	return strings.Join(lines, "\n")
}

// cut is a machine that is gone after so many changes.
type cut struct {
	*machine.Memory
	left int
}

var errCut = errors.New("killed")

func (m *cut) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	errs := make([]error, len(changes))
	for i := range changes {
		if m.left == 0 {
			panic(errCut)
		}
		m.left--
		one, err := m.Memory.Write(ctx, changes[i:i+1])
		if err != nil {
			return nil, err
		}
		errs[i] = one[0]
	}
	return errs, nil
}

// Killed after any change, the client gets the credential from its file, or from rhx,
// which has it then; and harden goes on from there.
func TestKilledAfterAnyChange(t *testing.T) {
	for n := range 5 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			h := newHouse(t, func(m *machine.Memory) machine.Machine { return &cut{m, n} })
			h.m.PutFile(credentials, []byte(awsText), 0o600)
			h.m.PutFile(dockerFile, []byte(dockerText), 0o600)
			opts := harden.Options{Bin: "/home/u/bin"}
			killed := func() (killed bool) {
				defer func() {
					if why := recover(); why != nil {
						killed = why == errCut //nolint:errorlint // the very one
					}
				}()
				h.run(t, opts)
				return false
			}()
			if all := n == 4; killed == all {
				t.Fatalf("killed: %v", killed)
			}
			asks := strings.Contains(h.file(awsConfig), "rhx helper aws --secret aws")
			has := strings.Contains(h.file(credentials), "fake-key")
			_, err := h.Records.Get(t.Context(), "aws", 0)
			if !has && (!asks || err != nil) || asks && err != nil {
				t.Errorf("the file has it: %v, the client asks: %v, the store: %v", has, asks, err)
			}
			if docker := h.file(dockerFile); strings.Contains(docker, "credsStore") == strings.Contains(docker, "amFuZTpmYWtlLXB3") {
				t.Errorf("docker: %s", docker)
			}
			h.open(t, nil)
			h.run(t, opts)
			if strings.Contains(h.file(credentials), "fake-key") || !strings.Contains(h.file(awsConfig), "rhx helper aws") || !strings.Contains(h.file(dockerFile), `"credsStore"`) ||
				!strings.Contains(h.file("/home/u/bin/docker-credential-rhx"), "rhx helper docker") {
				t.Errorf("another harden does not end it:\n%s%s%s", h.file(credentials), h.file(awsConfig), h.file(dockerFile))
			}
		})
	}
}

// Where the client shows something else, or a write fails, all of that client is as it
// was, and the others are done.
func TestPutBack(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(h *house)
		says  string
	}{
		"the client fails": {func(h *house) {
			h.Run = func(context.Context, *helper.Question) ([]byte, bool, error) {
				return nil, true, errors.New("exit status 1")
			}
		}, "aws configure does not get it: exit status 1"},
		"the client gets something else": {func(h *house) {
			h.Run = func(context.Context, *helper.Question) ([]byte, bool, error) {
				return []byte("access_key ****MPLE custom-process\nsecret_key ****other custom-process\n"), true, nil
			}
		}, "aws configure gets something else"},
		"the file cannot be written":   {func(h *house) { h.m.FailWrite(credentials, errors.New("no space left on device")) }, "no space left on device"},
		"the config cannot be written": {func(h *house) { h.m.FailWrite(awsConfig, errors.New("no space left on device")) }, "no space left on device"},
		"another command is there": {func(h *house) {
			h.m.PutFile(awsConfig, []byte("[default]\ncredential_process = /usr/bin/other\n"), 0o600)
		}, "another helper is set: /usr/bin/other"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.m.PutFile(credentials, []byte(awsText), 0o600)
			h.m.PutFile(kubeconfig, []byte("contexts: [{name: dev, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://k.example.com'}}]\nusers: [{name: u, user: {token: fake-kube}}]\n"), 0o600)
			c.spoil(h)
			config := h.file(awsConfig)
			items := h.run(t, harden.Options{})
			text := say(items)
			if !strings.Contains(text, "aws aws failed") && !strings.Contains(text, "aws  failed") || !strings.Contains(text, c.says) || !strings.Contains(text, "kubernetes/dev kubectl helper") {
				t.Errorf("%s", text)
			}
			if h.file(credentials) != awsText || h.file(awsConfig) != config {
				t.Errorf("not put back:\n%s%s", h.file(credentials), h.file(awsConfig))
			}
			if strings.Contains(h.file(kubeconfig), "fake-kube") || !strings.Contains(h.file(kubeconfig), "https://k.example.com") {
				t.Errorf("kubectl:\n%s", h.file(kubeconfig))
			}
		})
	}
}

// meddler is another program that changes a file just before rhx does.
type meddler struct {
	*machine.Memory
	file string
}

func (m *meddler) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	if slices.ContainsFunc(changes, func(c machine.Change) bool { return c.Path == m.file }) {
		m.PutFile(m.file, []byte("# another's\n"), 0o600)
	}
	return m.Memory.Write(ctx, changes)
}

// Where another program writes a file of the client's meanwhile, the plaintext stays.
func TestChangedMeanwhile(t *testing.T) {
	for _, file := range []string{awsConfig, credentials} {
		h := newHouse(t, func(m *machine.Memory) machine.Machine { return &meddler{m, file} })
		h.m.PutFile(credentials, []byte(awsText), 0o600)
		want := map[string]string{credentials: awsText, awsConfig: ""}
		want[file] = "# another's\n"
		said := say(h.run(t, harden.Options{}))
		if !strings.Contains(said, "aws aws failed") || h.file(credentials) != want[credentials] || h.file(awsConfig) != want[awsConfig] {
			t.Errorf("%s:\n%s\n%s\n%s", file, said, h.file(credentials), h.file(awsConfig))
		}
	}
}

// What the client would use before it asks rhx, or what is not the secret's alone, is
// left.
func TestKubeconfigsThatStay(t *testing.T) {
	for name, c := range map[string]struct{ user, more, says string }{
		"a password, too":        {"{token: fake-kube, username: jane, password: fake}", "", "it has password, too"},
		"another context's user": {"{token: fake-kube}", ", {name: other, context: {cluster: d, user: u}}", "other"},
		"no token":               {"{username: jane, password: fake}", "", "it lacks what its client asks for"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			text := "contexts: [{name: dev, context: {cluster: c, user: u}}" + c.more + "]\nclusters: [{name: c, cluster: {server: 'https://k.example.com'}}, {name: d, cluster: {server: 'https://d.example.com'}}]\nusers: [{name: u, user: " + c.user + "}]\n"
			h.m.PutFile(kubeconfig, []byte(text), 0o600)
			items, err := h.Plan(t.Context(), harden.Options{Names: []string{"kubernetes/dev"}})
			if err != nil {
				t.Fatal(err)
			}
			if said := say(items); !strings.Contains(said, c.says) || slices.ContainsFunc(items, func(i *harden.Item) bool { return i.Action == harden.Helper }) {
				t.Errorf("%s", said)
			}
			if err := h.Apply(t.Context(), items, harden.Options{}); err != nil || h.file(kubeconfig) != text {
				t.Errorf("%v\n%s", err, h.file(kubeconfig))
			}
		})
	}
}

// One of several stops no other where its client has a helper for each.
func TestOneOfSeveral(t *testing.T) {
	h := newHouse(t, nil)
	h.m.PutFile(kubeconfig, []byte("contexts: [{name: a, context: {cluster: c, user: u}}, {name: b, context: {cluster: c, user: u}}, {name: d, context: {cluster: c, user: v}}]\n"+
		"clusters: [{name: c, cluster: {server: 'https://k.example.com'}}]\nusers: [{name: u, user: {token: fake-u}}, {name: v, user: {token: fake-v}}]\n"), 0o600)
	said := say(h.run(t, harden.Options{}))
	for _, want := range []string{"kubernetes/a kubectl failedkubernetes/a: kubernetes/b has the same entry", "kubernetes/b kubectl failedkubernetes/b: kubernetes/a has the same entry", "kubernetes/d kubectl helper"} {
		if !strings.Contains(said, want) {
			t.Errorf("%s", said)
		}
	}
	if text := h.file(kubeconfig); !strings.Contains(text, "fake-u") || strings.Contains(text, "fake-v") {
		t.Errorf("%s", text)
	}
}

// Of several kubeconfigs the one with the user is changed.
func TestSecondKubeconfig(t *testing.T) {
	h := newHouse(t, nil)
	h.m.SetEnv("KUBECONFIG", "/home/u/one:/home/u/two")
	for _, name := range []string{"one", "two"} {
		h.m.PutFile("/home/u/"+name, []byte("contexts: [{name: "+name+", context: {cluster: "+name+", user: "+name+"}}]\n"+
			"clusters: [{name: "+name+", cluster: {server: 'https://k.example.com'}}]\nusers: [{name: "+name+", user: {token: fake}}]\n"), 0o600)
	}
	said := say(h.run(t, harden.Options{}))
	for _, name := range []string{"one", "two"} {
		if text := h.file("/home/u/" + name); strings.Contains(text, "fake") || !strings.Contains(text, "kubernetes/"+name) {
			t.Errorf("%s\n%s", said, text)
		}
	}
}

// The index of a registry is in cargo's configuration, and cargo asks by its name.
func TestCargoRegistry(t *testing.T) {
	h := newHouse(t, nil)
	h.m.PutFile("/home/u/.cargo/config.toml", []byte("[registries.corp]\nindex = \"sparse+https://corp.example.com/index/\"\n"), 0o600)
	h.m.PutFile("/home/u/.cargo/credentials.toml", []byte("[registry]\ntoken = \"fake\"\n[registries.corp]\ntoken = \"fake-corp\"\n"), 0o600)
	if said := say(h.run(t, harden.Options{})); strings.Count(said, "cargo helper") != 2 || strings.Contains(h.file("/home/u/.cargo/credentials.toml"), "fake") {
		t.Errorf("%s", said)
	}
}

// docker reads none of its file's credentials once a helper is set, so one does not go alone.
func TestNoneWithoutItsClient(t *testing.T) {
	h := newHouse(t, nil)
	text := `{"auths": {"r.example.com": {"auth": "amFuZTpmYWtlLXB3"}, "s.example.com": {"auth": "amFuZTpmYWtlLXB3"}}}` + "\n"
	h.m.PutFile(dockerFile, []byte(text), 0o600)
	if said := say(h.run(t, harden.Options{Names: []string{"docker/r.example.com"}, Bin: "/home/u/bin"})); !strings.Contains(said, "docker would not find docker/s.example.com in its file any more") || h.file(dockerFile) != text {
		t.Errorf("%s\n%s", said, h.file(dockerFile))
	}
	if said := say(h.run(t, harden.Options{Bin: "/home/u/bin"})); strings.Count(said, "docker helper") != 2 || strings.Contains(h.file(dockerFile), "amFuZTpmYWtlLXB3") {
		t.Errorf("%s\n%s", said, h.file(dockerFile))
	}
}

// What is left, and why.
func TestLeft(t *testing.T) {
	h := newHouse(t, nil)
	h.Opens = func(path string) bool { return path == "~/.ssh/id_store" }
	key := "-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n"
	h.m.PutFile("/home/u/.ssh/id_store", []byte(key), 0o600)
	h.m.PutFile("/home/u/.ssh/id_x", []byte(key), 0o600)
	h.m.PutFile("/home/u/.codex/auth.json", []byte(`{"tokens": {"access_token": "fake-a", "refresh_token": "fake-r"}}`), 0o600)
	h.m.PutFile("/home/u/.vault-token", []byte("fake"), 0o600)
	h.m.PutFile("/home/u/.cache/huggingface/token", []byte("hf_fake"), 0o600)
	h.m.PutFile("/home/u/.docker/config.json", []byte(`{"auths": {"a.test": {"auth": "amFuZTpmYWtl"}}, "credsStore": "pass"}`), 0o600)
	h.m.SetEnv("OPENAI_API_KEY", "fake")
	want := map[string]string{
		"ssh/id_store": "it opens the store", "ssh/id_x": "ssh asks an agent", "codex": "its client renews it in the file",
		"vault": "it is what logs in to Vault", "openai": "it is in the environment alone", "huggingface": "",
		"docker/a.test": "its client does not use what stands there",
	}
	items := h.run(t, harden.Options{All: true})
	for _, i := range items {
		switch why, ok := want[i.Secret]; {
		case !ok:
			t.Errorf("%s", say([]*harden.Item{i}))
		case why == "" && i.Action != harden.TakenOut, why != "" && (i.Action != harden.Left || !strings.HasPrefix(i.Why, why)):
			t.Errorf("%s", say([]*harden.Item{i}))
		}
		delete(want, i.Secret)
	}
	if len(want) > 0 || h.file("/home/u/.cache/huggingface/token") != "" || h.file("/home/u/.ssh/id_x") != key {
		t.Errorf("%v", want)
	}
	if rec, err := h.Records.Get(t.Context(), "huggingface", 0); err != nil || rec.Secret.Values["token"].Reveal() != "hf_fake" {
		t.Error(err)
	}
	// A key that is named is taken out.
	if items = h.run(t, harden.Options{Names: []string{"ssh/id_x"}, All: true}); len(items) != 1 || items[0].Action != harden.TakenOut || h.file("/home/u/.ssh/id_x") != "" {
		t.Errorf("%s", say(items))
	}
}

// OpenTofu reads Terraform's configuration, unless it has one of its own.
func TestTofu(t *testing.T) {
	for _, own := range []bool{false, true} {
		h := newHouse(t, nil)
		h.m.PutFile("/home/u/.terraform.d/credentials.tfrc.json", []byte(`{"credentials": {"tf.example.com": {"token": "fake-tf"}}}`), 0o600)
		if own {
			h.m.PutFile("/home/u/.tofurc", []byte("plugin_cache_dir = \"/tmp/x\"\n"), 0o600)
		}
		items := h.run(t, harden.Options{})
		if len(items) != 1 || items[0].Action != harden.Helper || !strings.Contains(h.file("/home/u/.terraformrc"), "credentials_helper") {
			t.Errorf("%s\n%s", say(items), h.file("/home/u/.terraformrc"))
		}
		if got := strings.Contains(h.file("/home/u/.tofurc"), "credentials_helper"); got != own {
			t.Errorf("tofu has its own configuration: %v, and asks: %v", own, got)
		}
	}
}
