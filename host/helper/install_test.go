package helper

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
)

// site is a machine with an installer, and a store.
type site struct {
	*house
	*Installer
	path map[string]string // programs in PATH
}

func newSite(t *testing.T) *site {
	s := &site{house: newHouse(t), path: map[string]string{"docker-credential-rhx": "/opt/docker-credential-rhx"}}
	dir := t.TempDir()
	s.Installer = &Installer{Local: s.local, Dirs: config.Dirs{Config: dir, Data: dir, State: dir, Cache: dir}, Program: "/opt/rhx", LookPath: func(name string) (string, error) {
		if at := s.path[name]; at != "" {
			return at, nil
		}
		return "", errors.New("not there")
	}}
	return s
}

// written makes the changes of a plan, and returns what each file became.
func (s *site) written(p *Plan) string {
	s.t.Helper()
	errs, err := s.local.Write(s.t.Context(), p.Changes)
	if err := errors.Join(append(errs, err)...); err != nil {
		s.t.Fatal(err)
	}
	var out []string
	var created []string
	for _, o := range p.Outcomes {
		out = append(out, o.Source.Path+" "+string(o.Action))
		if o.Action == provider.Created {
			created = append(created, o.Source.Path)
		}
	}
	if len(created) > 0 {
		// As the session notes it, of a machine whose files are real.
		if err := os.WriteFile(filepath.Join(s.Dirs.State, "created"), []byte(strings.Join(created, "\n")+"\n"), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return strings.Join(out, ", ")
}

func (s *site) install(client, name string, opts Options) (*Plan, error) {
	s.t.Helper()
	c, err := ClientOf(client)
	if err != nil {
		s.t.Fatal(err)
	}
	if name != "" {
		if opts.Secret, err = s.Named(s.t.Context(), c.Protocol, name); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.Install(s.t.Context(), c, opts)
}

func (s *site) uninstall(client string) string {
	s.t.Helper()
	c, err := ClientOf(client)
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := s.Uninstall(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.written(p)
}

func (s *site) text(path string) string {
	data, _, ok := s.local.File(path)
	if !ok {
		return "(none)"
	}
	return string(data)
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://k8s.example:6443
contexts:
- name: dev # mine
  context:
    cluster: c
    user: u
users:
- name: other
  user:
    token: x
- name: u
  user:
    username: kept
`

// Into each client's file, beside what is there; the second time nothing changes, and
// what is taken out leaves the file as it was, or none where there was none.
func TestInstall(t *testing.T) {
	const exec = "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: /opt/rhx\n      args:\n      - helper\n      - kubectl\n      - \"--secret\"\n      - kubernetes/dev\n      interactiveMode: Never\n      provideClusterInfo: true\n"
	for _, c := range []struct{ client, secret, file, before, after string }{
		{"git", "", "~/.gitconfig", "", "[credential]\n\thelper = /opt/rhx helper git\n"},
		{"git", "", "~/.gitconfig", "[user]\n\tname = x # y\n[credential]\n\thelper = store\n", "[user]\n\tname = x # y\n[credential]\n\thelper = store\n[credential]\n\thelper = /opt/rhx helper git\n"},
		{"git", "", "~/.gitconfig", "[user]\r\n\tname = x\r\n", "[user]\r\n\tname = x\r\n[credential]\r\n\thelper = /opt/rhx helper git\r\n"},
		{"git", "git/alice@git.example", "~/.gitconfig", "[user]\n", "[user]\n[credential \"https://git.example\"]\n\thelper = /opt/rhx helper git --secret git/alice@git.example\n"},
		{"docker", "", "~/.docker/config.json", "", "{\n  \"credsStore\": \"rhx\"\n}\n"},
		{"docker", "", "~/.docker/config.json", "{\n\t\"auths\": {\"x\": {}},\n\t\"detachKeys\": \"ctrl-e\"\n}", "{\n\t\"auths\": {\"x\": {}},\n\t\"detachKeys\": \"ctrl-e\",\n\t\"credsStore\": \"rhx\"\n}"},
		{"docker", "docker", "~/.docker/config.json", "{\"credsStore\": \"desktop\"}\n", "{\"credsStore\": \"desktop\", \"credHelpers\": {\"https://index.docker.io/v1/\": \"rhx\"}}\n"},
		{"docker", "docker/ghcr.io", "~/.docker/config.json", "{\"credHelpers\": {\"a.example\": \"other\"}}\n", "{\"credHelpers\": {\"a.example\": \"other\", \"ghcr.io\": \"rhx\"}}\n"},
		{"podman", "", "~/.config/containers/registries.conf.d/50-rhx.conf", "", "# Written by rhx helper install podman; rhx helper uninstall podman removes it.\ncredential-helpers = [\"rhx\", \"containers-auth.json\"]\n"},
		{"aws", "aws", "~/.aws/config", "", "[default]\ncredential_process = /opt/rhx helper aws --secret aws\n"},
		{"aws", "aws/prod", "~/.aws/config", "[default]\nregion = x\n\n[profile prod]\nregion = y ; z\n", "[default]\nregion = x\n\n[profile prod]\nregion = y ; z\ncredential_process = /opt/rhx helper aws --secret aws/prod\n"},
		{"kubectl", "kubernetes/dev", "~/.kube/config", kubeconfig, kubeconfig + exec},
		{"cargo", "", "~/.cargo/config.toml", "", "[credential-alias]\nrhx = [\"/opt/rhx\"]\n\n[registry]\nglobal-credential-providers = [\"cargo:token\", \"rhx\"]\n"},
		{"cargo", "cargo", "~/.cargo/config.toml", "[registry]\ndefault = \"x\" # y\nglobal-credential-providers = [\"cargo:libsecret\"]\n", "[registry]\ndefault = \"x\" # y\nglobal-credential-providers = [\"cargo:libsecret\", \"rhx\"]\n\n[credential-alias]\nrhx = [\"/opt/rhx\", \"--secret\", \"cargo\"]\n"},
		{"terraform", "", "~/.terraformrc", "", "credentials_helper \"rhx\" {\n  args = []\n}\n"},
		{"tofu", "terraform-cloud", "~/.tofurc", "disable_checkpoint = true\n", "disable_checkpoint = true\n\ncredentials_helper \"rhx\" {\n  args = [\"--secret\", \"terraform-cloud\"]\n}\n"},
		{"pip", "", "~/.config/pip/pip.conf", "[global]\nindex-url = https://x\n", "[global]\nindex-url = https://x\nkeyring-provider = subprocess\n"},
		{"uv", "", "~/.config/uv/uv.toml", "", "keyring-provider = \"subprocess\"\n"},
	} {
		s := newSite(t)
		s.put("git/alice@git.example", "url", "https://git.example", "username", "alice", "password", "fake")
		s.put("docker", "server", "https://index.docker.io/v1/", "username", "u", "password", "fake")
		s.put("docker/ghcr.io", "server", "ghcr.io", "username", "u", "password", "fake")
		s.put("aws", "access_key", "fake", "secret_key", "fake")
		s.put("aws/prod", "access_key", "fake", "secret_key", "fake")
		s.put("kubernetes/dev", "context", `{"cluster": "c", "user": "u"}`, "cluster", `{"server": "https://k8s.example:6443"}`, "user", `{"token": "fake"}`)
		s.put("cargo", "token", "fake")
		s.put("terraform-cloud", "token", "fake")
		at := "/home/u" + strings.TrimPrefix(c.file, "~")
		if c.before != "" {
			s.local.PutFile(at, []byte(c.before), 0o600)
		}
		opts := Options{}
		if c.client == "pip" || c.client == "uv" {
			opts.Bin = "/home/u/bin"
		}
		p, err := s.install(c.client, c.secret, opts)
		if err != nil {
			t.Errorf("%s: %v", c.client, err)
			continue
		}
		action := map[bool]string{true: "created", false: "updated"}[c.before == ""]
		if got := s.written(p); !strings.HasPrefix(got, c.file+" "+action) {
			t.Errorf("%s: %s", c.client, got)
		}
		if got := s.text(at); got != c.after {
			t.Errorf("%s:\n%s\nnot\n%s", c.client, got, c.after)
		}
		client, _ := ClientOf(c.client)
		if is, err := s.Installed(t.Context(), client); err != nil || strings.Join(is, " ") != c.file {
			t.Errorf("%s: installed in %q, %v", c.client, is, err)
		}
		if opts.Bin != "" {
			s.path["keyring"] = "/home/u/bin/keyring"
		}
		if p, err = s.install(c.client, c.secret, opts); err != nil || len(p.Changes) > 0 || !p.empty() {
			t.Errorf("%s, again: %v, %v", c.client, p, err)
		}
		got := s.uninstall(c.client)
		if after := s.text(at); after != map[bool]string{true: "(none)", false: c.before}[c.before == ""] {
			t.Errorf("%s, %s:\n%s\nwas\n%s", c.client, got, after, c.before)
		}
		if is, err := s.Installed(t.Context(), client); err != nil || len(is) > 0 {
			t.Errorf("%s: still installed in %q, %v", c.client, is, err)
		}
		for _, script := range []string{"/home/u/.terraform.d/plugins/terraform-credentials-rhx", "/home/u/bin/keyring"} {
			if text := s.text(script); text != "(none)" {
				t.Errorf("%s: %s is left", c.client, script)
			}
		}
		if got := s.uninstall(c.client); got != "" {
			t.Errorf("%s: %s", c.client, got)
		}
	}
}

// Another helper stays; where a client has one only, rhx takes its place when asked to.
func TestOtherHelpersStay(t *testing.T) {
	for _, c := range []struct{ client, secret, file, before, other, replaced string }{
		{"docker", "", "/home/u/.docker/config.json", `{"credsStore": "desktop"}`, "desktop", `{"credsStore": "rhx"}`},
		{"docker", "docker/ghcr.io", "/home/u/.docker/config.json", `{"credHelpers": {"ghcr.io": "x"}}`, "x", `{"credHelpers": {"ghcr.io": "rhx"}}`},
		{"aws", "aws", "/home/u/.aws/config", "[default]\ncredential_process = /bin/other x\n", "/bin/other x", "[default]\ncredential_process = /opt/rhx helper aws --secret aws\n"},
		{"terraform", "", "/home/u/.terraformrc", "credentials_helper \"x\" {\n  args = []\n}\n", "x", "credentials_helper \"rhx\" {\n  args = []\n}\n"},
		{"uv", "", "/home/u/.config/uv/uv.toml", "keyring-provider = \"disabled\"\n", "disabled", "keyring-provider = \"subprocess\"\n"},
		{"podman", "", "/home/u/.config/containers/registries.conf.d/50-rhx.conf", "x", "a file of somebody else", ""},
	} {
		s := newSite(t)
		s.put("docker/ghcr.io", "server", "ghcr.io", "username", "u", "password", "fake")
		s.put("aws", "access_key", "fake", "secret_key", "fake")
		s.local.PutFile(c.file, []byte(c.before), 0o600)
		opts := Options{}
		if c.client == "uv" {
			opts.Bin = "/home/u/bin"
		}
		_, err := s.install(c.client, c.secret, opts)
		var others *OthersError
		if !errors.As(err, &others) || strings.Join(others.Others, ",") != c.other || !strings.Contains(err.Error(), c.other) {
			t.Errorf("%s: %v", c.client, err)
		}
		if s.uninstall(c.client) != "" || s.text(c.file) != c.before {
			t.Errorf("%s: another helper is taken out: %s", c.client, s.text(c.file))
		}
		if opts.Replace = true; c.replaced == "" {
			continue
		}
		p, err := s.install(c.client, c.secret, opts)
		if err != nil {
			t.Errorf("%s: %v", c.client, err)
			continue
		}
		if s.written(p); s.text(c.file) != c.replaced {
			t.Errorf("%s:\n%s", c.client, s.text(c.file))
		}
	}
	for client, c := range map[string][3]string{
		"docker": {"/home/u/.docker/config.json", `{"credsStore": "", "credHelpers": {"a.example": "x", "b.example": "rhx"}}`, "x for a.example"},
		"cargo":  {"/home/u/.cargo/config.toml", "registry.global-credential-providers = [\"cargo:libsecret\", \"rhx\"]\n", "cargo:libsecret"},
	} {
		s := newSite(t)
		s.local.PutFile(c[0], []byte(c[1]), 0o600)
		if p, err := s.install(client, "", Options{}); err != nil || strings.Join(p.Others, ",") != c[2] {
			t.Errorf("%s: %v, %v", client, p, err)
		}
	}
	s := newSite(t)
	s.local.PutFile("/home/u/.gitconfig", []byte("[credential \"https://x\"]\n\thelper = old\n\thelper =\n\thelper = store\n\tusername = u\n"), 0o600)
	p, err := s.install("git", "", Options{})
	if err != nil || strings.Join(p.Others, ",") != "store" {
		t.Error(p, err)
	}
	before := s.text("/home/u/.gitconfig")
	for text, want := range map[string]string{
		// As gh auth setup-git leaves it: store is still asked for all other addresses.
		"[credential]\n\thelper = store\n[credential \"https://github.com\"]\n\thelper =\n\thelper = !gh\n":    "store,!gh",
		"[credential \"https://x\"]\n\thelper = old\n[credential \"https://y\"]\n\thelper =\n\thelper = new\n": "old,new",
		"[credential \"https://x\"]\n\thelper = old\n[credential]\n\thelper =\n":                               "",
		"[Credential] helper = store\n":                             "store",
		"[credential \"a]\\\"b\"] helper = store\n":                 "store",
		"[credential]\n\tusername = u\n[user]\n\thelper = x\n":      "",
		"[credential]\n\thelper = store\n[user]\n\tname = helper\n": "store",
	} {
		if others, err := (gitConfig{}).others([]byte(text)); err != nil || strings.Join(others, ",") != want {
			t.Errorf("%q: %q, %v", text, others, err)
		}
	}
	if p, err = s.install("git", "", Options{Replace: true}); err != nil {
		t.Fatal(err)
	}
	s.written(p)
	if got := s.text("/home/u/.gitconfig"); got != before+"[credential]\n\thelper =\n\thelper = /opt/rhx helper git\n" {
		t.Error(got)
	}
	if s.uninstall("git"); s.text("/home/u/.gitconfig") != before {
		t.Error(s.text("/home/u/.gitconfig"))
	}
}

// The keyring command of somebody else is never hidden, and a program is written only
// into the folder that the user names.
func TestPrograms(t *testing.T) {
	s := newSite(t)
	if _, err := s.install("pip", "", Options{}); err == nil || !strings.Contains(fault.Hint(err), "--bin DIR") {
		t.Error(err)
	}
	s.path["keyring"] = "/usr/bin/keyring"
	s.local.PutFile("/usr/bin/keyring", []byte("#!/usr/bin/python3\n"), 0o755)
	for _, bin := range []string{"", "/home/u/bin"} {
		if _, err := s.install("pip", "", Options{Bin: bin}); err == nil || !strings.Contains(err.Error(), "/usr/bin/keyring is another program") {
			t.Error(err)
		}
	}
	delete(s.path, "keyring")
	s.local.PutFile("/home/u/bin/keyring", []byte("x"), 0o755)
	if _, err := s.install("pip", "", Options{Bin: "/home/u/bin"}); err == nil || !strings.Contains(err.Error(), "is there already, and not rhx's") {
		t.Error(err)
	}
	s.local.Delete("/home/u/bin/keyring")
	p, err := s.install("pip", "", Options{Bin: "/home/u/bin"})
	if err != nil {
		t.Fatal(err)
	}
	s.written(p)
	if data, mode, _ := s.local.File("/home/u/bin/keyring"); string(data) != "#!/bin/sh\n# Written by rhx helper install; rhx helper uninstall removes it.\nexec /opt/rhx helper keyring \"$@\"\n" || mode != 0o700 {
		t.Errorf("%q %v", data, mode)
	}
	// uv uses it as well, so it stays until neither does.
	s.path["keyring"] = "/home/u/bin/keyring"
	if p, err = s.install("uv", "", Options{}); err != nil {
		t.Fatal(err)
	}
	s.written(p)
	if got := s.uninstall("pip"); got != "~/.config/pip/pip.conf removed" {
		t.Error(got)
	}
	if got := s.uninstall("uv"); got != "~/.config/uv/uv.toml removed, ~/bin/keyring removed" {
		t.Error(got)
	}
	s.path = map[string]string{}
	if _, err := s.install("docker", "", Options{}); err == nil || !strings.Contains(err.Error(), "docker-credential-rhx") {
		t.Error(err)
	}
	if p, err = s.install("docker", "", Options{Bin: "/home/u/bin"}); err != nil || len(p.Changes) != 2 {
		t.Error(p, err)
	}
	if _, err := s.install("git", "", Options{Bin: "/home/u/bin"}); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
}

// Where the clients look, by their variables.
func TestFilesOfClients(t *testing.T) {
	for _, c := range []struct{ client, name, value, there, want string }{
		{"git", "GIT_CONFIG_GLOBAL", "/x/g", "", "/x/g"},
		{"git", "XDG_CONFIG_HOME", "/x", "/x/git/config", "/x/git/config"},
		{"git", "XDG_CONFIG_HOME", "/x", "", "~/.gitconfig"},
		{"git", "", "", "/home/u/.config/git/config", "~/.config/git/config"},
		{"docker", "DOCKER_CONFIG", "/x", "", "/x/config.json"},
		{"cargo", "CARGO_HOME", "/x", "", "/x/config.toml"},
		{"cargo", "", "", "/home/u/.cargo/config", "~/.cargo/config"},
		{"terraform", "TF_CLI_CONFIG_FILE", "/x/t", "", "/x/t"},
		{"podman", "XDG_CONFIG_HOME", "/x", "", "/x/containers/registries.conf.d/50-rhx.conf"},
		{"pip", "PIP_CONFIG_FILE", "/x/p", "", "/x/p"},
		{"pip", "", "", "/home/u/.pip/pip.conf", "~/.pip/pip.conf"},
		{"uv", "UV_CONFIG_FILE", "/x/u", "", "/x/u"},
	} {
		s := newSite(t)
		if c.name != "" {
			s.local.SetEnv(c.name, c.value)
		}
		if c.there != "" {
			s.local.PutFile(c.there, nil, 0o600)
		}
		opts := Options{}
		if c.client == "pip" || c.client == "uv" {
			opts.Bin = "/b"
		}
		p, err := s.install(c.client, "", opts)
		if err != nil || p.Outcomes[0].Source.Path != c.want {
			t.Errorf("%+v: %v, %v", c, p, err)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	s := newSite(t)
	s.put("aws", "access_key", "fake", "secret_key", "fake")
	s.put("kubernetes/dev", "context", `{"cluster": "c", "user": "u"}`, "cluster", `{"server": "https://k8s.example:6443"}`, "user", `{"token": "fake"}`)
	for _, client := range []string{"aws", "kubectl"} {
		if _, err := s.install(client, "", Options{}); fault.KindOf(err) != fault.Usage || !strings.Contains(fault.Hint(err), "--secret NAME") {
			t.Error(err)
		}
	}
	if _, err := ClientOf("gti"); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), `did you mean "git"?`) {
		t.Error(err)
	}
	if _, err := s.Named(t.Context(), spec.ProtocolGit, "aws"); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
	if _, err := s.install("kubectl", "kubernetes/dev", Options{}); err == nil || !strings.Contains(err.Error(), `it has no user "u"`) {
		t.Error(err)
	}
	s.putAs("two words", "aws", "", "access_key", "fake", "secret_key", "fake")
	if _, err := s.install("aws", "two words", Options{}); err == nil {
		t.Error("installed with a name of two words")
	}
	s.put("pypi/x", "repository", "https://x.example", "username", "u", "token", "fake")
	if _, err := s.install("pip", "pypi/x", Options{Bin: "/b"}); !errors.Is(err, errNoSecret) {
		t.Error(err)
	}
	// A command of rhx's that is not for kubectl, and one of another program, stay.
	other := strings.ReplaceAll(kubeconfig, "    username: kept\n", "    exec:\n      command: COMMAND\n      args: [helper, PROTOCOL]\n")
	for text, stays := range map[string]bool{"/opt/rhx git": true, "/opt/other kubectl": true, "/opt/rhx kubectl": false} {
		command, protocol, _ := strings.Cut(text, " ")
		s.local.PutFile("/home/u/.kube/config", []byte(strings.NewReplacer("COMMAND", command, "PROTOCOL", protocol).Replace(other)), 0o600)
		if got := s.uninstall("kubectl"); (got == "") != stays {
			t.Errorf("%s: %s", text, got)
		}
	}
	// What cannot be read or understood is not written.
	for client, text := range map[string]string{"docker": "{", "terraform": "x {", "cargo": "[", "aws": "[x"} {
		name := map[string]string{"aws": "aws"}[client]
		at := map[string]string{"docker": "/home/u/.docker/config.json", "terraform": "/home/u/.terraformrc", "cargo": "/home/u/.cargo/config.toml", "aws": "/home/u/.aws/config"}[client]
		s.local.PutFile(at, []byte(text), 0o600)
		c, _ := ClientOf(client)
		_, err := s.install(client, name, Options{})
		_, err2 := s.Uninstall(t.Context(), c)
		_, err3 := s.Installed(t.Context(), c)
		if err == nil || err2 == nil || err3 == nil || s.text(at) != text {
			t.Errorf("%s: %v, %v, %v", client, err, err2, err3)
		}
	}
	s.local.FailRead("/home/u/.gitconfig", fs.ErrPermission)
	if _, err := s.install("git", "", Options{}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	s.Program = "/opt/two words/rhx"
	if _, err := s.install("uv", "", Options{Bin: "/b"}); err == nil {
		t.Error("installed with a path of two words")
	}
}

func TestPlainWords(t *testing.T) {
	if !plainWord("azAZ09._@:+%/-") || !plainWord("") {
		t.Error("these are plain")
	}
	for _, r := range " \"'`$\\;&|<>()[]{}*?!#~^=,\té\x00" {
		if plainWord("a" + string(r)) {
			t.Errorf("%q is plain", r)
		}
	}
}

// A plan is one session, which says what failed.
func TestPlanIsWritten(t *testing.T) {
	s := newSite(t)
	p, err := s.install("git", "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.local.FailWrite("/home/u/.gitconfig", machine.ErrChanged)
	book := &session.Book{Dirs: s.Dirs, Local: s.local, Keys: noKeys{}}
	if err := p.Write(t.Context(), book, s.local, "helper install"); !errors.Is(err, machine.ErrChanged) {
		t.Error(err)
	}
}

// noKeys are the keys of a book of which nothing can be written.
type noKeys struct{}

var errNoKeys = errors.New("no keys")

func (noKeys) Seal(context.Context, string, []byte) ([]byte, error)   { return nil, errNoKeys }
func (noKeys) Unseal(context.Context, string, []byte) ([]byte, error) { return nil, errNoKeys }
func (noKeys) Derive(context.Context, string) ([]byte, error)         { return nil, errNoKeys }
func (noKeys) DeriveAll(context.Context, string, bool) ([][]byte, error) {
	return nil, errNoKeys
}
