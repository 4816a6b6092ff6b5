package helper

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func (h *house) docker(verb, in string) (string, error) {
	var out bytes.Buffer
	err := h.Docker(h.t.Context(), verb, strings.NewReader(in), &out)
	return out.String(), err
}

func TestDocker(t *testing.T) {
	h := newHouse(t)
	h.put("docker", "server", "https://index.docker.io/v1/", "username", "hub", "password", "fake-hub")
	h.put("docker/ghcr.io", "server", "ghcr.io", "username", "<token>", "password", "not-this", "identity_token", "fake-id")
	h.put("podman/quay.io%2Forg", "server", "quay.io/org", "username", "q", "password", "fake-quay")
	h.put("docker/http:%2F%2Fplain.example", "server", "http://plain.example", "username", "p", "password", "fake-plain")
	h.put("acme", "id", "me", "key", "fake-acme")
	for asked, want := range map[string]string{
		"https://index.docker.io/v1/": `"Username":"hub","Secret":"fake-hub"`,
		"docker.io":                   `"Username":"hub","Secret":"fake-hub"`,
		"registry-1.docker.io\n":      `"Username":"hub","Secret":"fake-hub"`,
		"ghcr.io":                     `"Username":"<token>","Secret":"fake-id"`,
		"https://ghcr.io":             `"Username":"<token>","Secret":"fake-id"`,
		"https://ghcr.io/v2/":         `"Username":"<token>","Secret":"fake-id"`,
		"ghcr.io:443":                 `"Username":"<token>","Secret":"fake-id"`,
		"quay.io/org":                 `"Username":"q","Secret":"fake-quay"`,
		"http://plain.example":        `"Username":"p","Secret":"fake-plain"`,
		"git.acme.example":            `"Username":"me","Secret":"fake-acme"`,
	} {
		out, err := h.docker("get", asked)
		if err != nil || !strings.HasPrefix(out, `{"ServerURL":"`+strings.TrimSpace(asked)+`",`) || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%q: %q, %v", asked, out, err)
		}
	}
	for _, asked := range []string{"http://ghcr.io", "evil-ghcr.io", "ghcr.io.evil.example", "ghcr.io:5000", "quay.io", "quay.io/organ", "plain.example", "https://plain.example", "quay.io/org/v1"} {
		if out, err := h.docker("get", asked); !errors.Is(err, ErrDockerNone) || out != "" || err.Error() != "credentials not found in native keychain" {
			t.Errorf("%q: %q, %v", asked, out, err)
		}
	}
	for _, asked := range []string{"", "a@ghcr.io", "gh cr.io", "ghcr.io\nx", strings.Repeat("a", maxInput+1)} {
		for _, verb := range []string{"get", "erase"} {
			if out, err := h.docker(verb, asked); err == nil || errors.Is(err, ErrDockerNone) || out != "" {
				t.Errorf("%s %.100q: %q, %v", verb, asked, out, err)
			}
		}
	}
	if out, err := h.docker("list", ""); err != nil || out != `{"ghcr.io":"<token>","http://plain.example":"p","https://index.docker.io/v1/":"hub","quay.io/org":"q"}`+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := h.docker("version", ""); err == nil {
		t.Error("a verb that there is not")
	}
}

// JSON holds another text in place of bytes that are not UTF-8: a client would log in with that.
func TestAnswersThatJSONCannotHold(t *testing.T) {
	h := newHouse(t)
	const odd = "FAKE\xffodd"
	h.put("docker/ghcr.io", "server", "ghcr.io", "username", "me", "password", odd)
	h.put("aws", "access_key", "AKIA", "secret_key", odd)
	h.put("kubernetes/dev", "server", "https://dev.example", "user", `{"token":"FAKE`+"\xff"+`"}`, "context", `{"cluster":"c"}`)
	h.put("terraform-cloud/tfe.example", "token", odd)
	h.put("cargo/corp", "token", odd, "index", "sparse+https://corp.example/index/")
	said := map[string]func(out *bytes.Buffer) error{
		"docker": func(out *bytes.Buffer) error {
			return h.Docker(t.Context(), "get", strings.NewReader("ghcr.io"), out)
		},
		"aws": func(out *bytes.Buffer) error { return h.AWS(t.Context(), "default", out) },
		"kubectl": func(out *bytes.Buffer) error {
			h.Secret = "kubernetes/dev"
			defer func() { h.Secret = "" }()
			return h.Kubectl(t.Context(), "", out)
		},
		"terraform": func(out *bytes.Buffer) error { return h.Terraform(t.Context(), "get", "tfe.example", nil, out) },
		"cargo": func(out *bytes.Buffer) error {
			err := h.Cargo(t.Context(), strings.NewReader(`{"v":1,"registry":{"index-url":"sparse+https://corp.example/index/","name":"corp"},"kind":"get","operation":"read"}`+"\n"), out)
			if _, answer, _ := strings.Cut(out.String(), "\n"); err == nil && strings.Contains(answer, `"Err"`) {
				return errors.New(answer)
			}
			return err
		},
	}
	for name, ask := range said {
		var out bytes.Buffer
		err := ask(&out)
		if err == nil || strings.Contains(out.String()+err.Error(), "FAKE") {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
		if name != "kubectl" && !strings.Contains(err.Error(), "is not UTF-8") { // in JSON already: no token is in it
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{`{"token":"FAKE` + "\xff" + `"}`, `{"token":"FAKE\ud800"}`} {
		if err := h.Terraform(t.Context(), "store", "other.example", strings.NewReader(text), &bytes.Buffer{}); err == nil || strings.Contains(err.Error(), "FAKE") {
			t.Errorf("%q is stored: %v", text, err)
		}
	}
}

func TestDockerStoresAndErases(t *testing.T) {
	h := newHouse(t)
	h.put("podman/quay.io", "server", "quay.io", "username", "q", "password", "fake-quay")
	for _, in := range []string{
		`{"ServerURL":"quay.io","Username":"q","Secret":"fake-quay"}`,
		`{"ServerURL":"https://index.docker.io/v1/","Username":"hub","Secret":"fake-hub"}`,
		`{"ServerURL":"https://index.docker.io/v1/","Username":"hub","Secret":"fake-hub"}`,
		`{"ServerURL":"docker.io","Username":"hub","Secret":"fake-hub"}`,
		`{"ServerURL":"ghcr.io","Username":"u","Secret":"fake-1"}`,
		`{"ServerURL":"ghcr.io","Username":"u","Secret":"fake-2"}`,
		`{"ServerURL":"id.example","Username":"someone","Secret":"fake-0"}`,
		`{"ServerURL":"id.example","Username":"<token>","Secret":"fake-id"}`,
	} {
		if out, err := h.docker("store", in); err != nil || out != "" {
			t.Fatalf("%s: %q, %v", in, out, err)
		}
	}
	const quay = "podman/quay.io@1 password=fake-quay server=quay.io username=q"
	if got, want := h.stored(), "docker@1 password=fake-hub server=https://index.docker.io/v1/ username=hub\n"+
		"docker/ghcr.io@2 password=fake-2 server=ghcr.io username=u\n"+
		"docker/id.example@2 identity_token=fake-id server=id.example username=<token>\n"+quay; got != want {
		t.Errorf("\n%s", got)
	}
	for _, in := range []string{"", "x", "[]", `{"ServerURL":"a.example","Username":"u"}`, `{"ServerURL":"a.example","Secret":"fake"}`, `{"Username":"u","Secret":"fake"}`,
		`{"ServerURL":"a.example","Username":"u","Secret":"fake"} x`, `{"ServerURL":"a.example","Username":"u\nv","Secret":"fake"}`, `{"ServerURL":1}`} {
		if _, err := h.docker("store", in); err == nil || strings.Contains(err.Error(), "fake") {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, server := range []string{"docker.io", "ghcr.io", "id.example", "quay.io", "nothing.example"} {
		if out, err := h.docker("erase", server); err != nil || out != "" {
			t.Errorf("%s: %q, %v", server, out, err)
		}
	}
	if got := h.stored(); got != quay {
		t.Errorf("\n%s", got)
	}
}

func TestAWS(t *testing.T) {
	h := newHouse(t)
	h.put("aws", "access_key", "fake-a", "secret_key", "fake-s")
	sec := &secret.Secret{Name: "aws/prod%20eu", Provider: "aws", Profile: "prod eu", Values: values("access_key", "fake-b", "secret_key", "fake-t", "session_token", "fake-u"), Expires: time.Now().Add(time.Hour)}
	if _, err := h.st.Put(t.Context(), sec, store.AnyVersion); err != nil {
		t.Fatal(err)
	}
	h.put("r2", "access_key", "fake-c", "secret_key", "fake-v")
	h.put("openai", "api_key", "fake")
	ask := func(secretName, profile string) (string, error) {
		var out bytes.Buffer
		h.Secret = secretName
		err := h.AWS(t.Context(), profile, &out)
		return out.String(), err
	}
	const plain = `{"Version":1,"AccessKeyId":"fake-a","SecretAccessKey":"fake-s"}` + "\n"
	for _, c := range [][3]string{
		{"", "", plain}, {"", "default", plain}, {"aws", "ignored", plain},
		{"", "prod eu", `{"Version":1,"AccessKeyId":"fake-b","SecretAccessKey":"fake-t","SessionToken":"fake-u","Expiration":"` + sec.Expires.UTC().Format(time.RFC3339) + `"}` + "\n"},
	} {
		if out, err := ask(c[0], c[1]); err != nil || out != c[2] {
			t.Errorf("%q: %q, %v", c, out, err)
		}
	}
	if _, err := ask("", "none"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if _, err := ask("openai", ""); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
	sec.Expires = time.Now().Add(-time.Second)
	if _, err := h.st.Put(t.Context(), sec, store.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if out, err := ask("", "prod eu"); err == nil || out != "" {
		t.Error(out, err)
	}
	if strings.Join(h.read, " ") != "aws aws aws aws/prod%20eu" {
		t.Errorf("noted as given: %q", h.read)
	}
}

func TestKubectl(t *testing.T) {
	h := newHouse(t)
	const pem = "-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n"
	cluster := func(server string) string { return `{"server": "` + server + `", "certificate-authority-data": "x"}` }
	h.put("kubernetes/dev", "context", `{"user": "u"}`, "cluster", cluster("https://k8s.example:6443"), "user", `{"token": "fake-token"}`)
	h.put("kubernetes/cert", "context", `{"user": "u"}`, "cluster", cluster("https://cert.example"), "user",
		`{"client-certificate-data": "`+base64.StdEncoding.EncodeToString([]byte(pem))+`", "client-key-data": "`+base64.StdEncoding.EncodeToString([]byte("-----BEGIN FAKE-----\n"))+`"}`)
	h.put("kubernetes/exec", "context", `{"user": "u"}`, "cluster", cluster("https://exec.example"), "user", `{"exec": {"command": "x"}}`)
	ask := func(secretName, info string) (string, error) {
		var out bytes.Buffer
		h.Secret = secretName
		err := h.Kubectl(t.Context(), info, &out)
		return out.String(), err
	}
	info := func(version, server string) string {
		return `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/` + version + `","spec":{"cluster":{"server":"` + server + `"},"interactive":false}}`
	}
	token := func(version string) string {
		return `{"apiVersion":"client.authentication.k8s.io/` + version + `","kind":"ExecCredential","status":{"token":"fake-token"}}` + "\n"
	}
	for _, c := range [][3]string{
		{"", info("v1", "https://k8s.example:6443"), token("v1")},
		{"", info("v1beta1", "https://K8s.example:6443/"), token("v1beta1")},
		{"kubernetes/dev", info("v1", "https://k8s.example:6443"), token("v1")},
		{"kubernetes/dev", "", token("v1")},
		{"kubernetes/dev", `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}`, token("v1")},
		{"", info("v1", "https://cert.example"), `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"clientCertificateData":"` + strings.ReplaceAll(pem, "\n", `\n`) + `","clientKeyData":"-----BEGIN FAKE-----\n"}}` + "\n"},
	} {
		if out, err := ask(c[0], c[1]); err != nil || out != c[2] {
			t.Errorf("%q:\n%s%v", c[:2], out, err)
		}
	}
	for _, c := range [][2]string{
		{"kubernetes/dev", info("v1", "https://evil.example")},
		{"kubernetes/dev", info("v1", "http://k8s.example:6443")},
		{"kubernetes/dev", info("v1", "https://k8s.example")},
		{"kubernetes/dev", info("v1", "https://k8s.example:6443/other")},
		{"kubernetes/dev", info("v1", "")},
		{"kubernetes/dev", info("v1", "https://evil@k8s.example:6443")},
		{"kubernetes/dev", info("v9", "https://k8s.example:6443")},
		{"kubernetes/dev", "x"},
		{"kubernetes/dev", `{"kind":"Other","apiVersion":"client.authentication.k8s.io/v1"}`},
		{"kubernetes/dev", strings.Repeat(" ", maxExecInfo+1)},
		{"kubernetes/exec", ""},
		{"", info("v1", "https://exec.example")},
		{"", ""},
	} {
		if out, err := ask(c[0], c[1]); err == nil || out != "" {
			t.Errorf("%.200q: %s", c, out)
		}
	}
}

func (h *house) cargo(lines ...string) (string, error) {
	var out bytes.Buffer
	err := h.Cargo(h.t.Context(), strings.NewReader(strings.Join(lines, "\n")), &out)
	text, ok := strings.CutPrefix(out.String(), `{"v":[1]}`+"\n")
	if !ok {
		h.t.Errorf("no hello: %q", out.String())
	}
	return text, err
}

func cargoLine(kind, index, name, more string) string {
	return `{"v":1,"kind":"` + kind + `","operation":"read","registry":{"index-url":"` + index + `","name":"` + name + `","headers":["WWW-Authenticate: Cargo"]}` + more + `}`
}

func TestCargo(t *testing.T) {
	h := newHouse(t)
	h.put("cargo", "token", "fake-io")
	h.put("cargo/acme", "token", "fake-acme")
	h.put("cargo/own", "token", "fake-own", "index", "sparse+https://own.example/index/")
	h.put("cargo/v", "token", "fake-v", "index", "sparse+https://v.example/v1")
	h.local.PutFile("/home/u/.cargo/config.toml", []byte("[registries]\nacme = { index = \"sparse+https://acme.example/\" }\n"), 0o600)
	found := func(token string) string {
		return `{"Ok":{"kind":"get","token":"` + token + `","cache":"session","operation_independent":true}}` + "\n"
	}
	const none = `{"Err":{"kind":"not-found"}}` + "\n"
	for _, c := range [][2]string{
		{cargoLine("get", "sparse+https://index.crates.io/", "crates-io", ""), found("fake-io")},
		{cargoLine("get", "https://github.com/rust-lang/crates.io-index", "", `,"args":[]`), found("fake-io")},
		{cargoLine("get", "sparse+https://own.example/index/", "whatever", ""), found("fake-own")},
		{cargoLine("get", "sparse+https://acme.example/", "acme", ""), found("fake-acme")},
		{cargoLine("get", "sparse+https://acme.example/", "acme", `,"args":["--secret","cargo/acme"]`), found("fake-acme")},
		{cargoLine("get", "sparse+https://acme.example/", "acme", `,"args":["--secret","cargo/own"]`), none},
		{cargoLine("get", "sparse+https://v.example", "v", ""), none},
		{cargoLine("get", "sparse+https://v.example/v1/", "v", ""), found("fake-v")},
		// A project can call another index so.
		{cargoLine("get", "sparse+https://evil.example/", "acme", ""), none},
		{cargoLine("get", "sparse+https://evil.example/", "own", ""), none},
		{cargoLine("get", "sparse+https://acme.example/", "own", ""), none},
		{cargoLine("get", "sparse+http://own.example/index/", "own", ""), none},
		{cargoLine("get", "sparse+https://own.example/index/evil", "own", ""), none},
		{cargoLine("get", "sparse+https://evil.example/", "crates-io", ""), none},
		{cargoLine("get", "sparse+https://acme.example/", "acme", `,"args":["--evil"]`), `{"Err":{"kind":"other","message":"rhx: the arguments of rhx in cargo's configuration are not --secret NAME"}}` + "\n"},
		{cargoLine("unknown", "sparse+https://acme.example/", "acme", ""), `{"Err":{"kind":"operation-not-supported"}}` + "\n"},
	} {
		if out, err := h.cargo(c[0] + "\n"); err != nil || out != c[1] {
			t.Errorf("%s:\n%s%v", c[0], out, err)
		}
	}
	// Several in one process, the last without a line break.
	if out, err := h.cargo(cargoLine("get", "sparse+https://index.crates.io/", "crates-io", ""), cargoLine("get", "sparse+https://acme.example/", "acme", "")); err != nil || out != found("fake-io")+found("fake-acme") {
		t.Errorf("%s%v", out, err)
	}
	for _, line := range []string{"x", "{}", `{"v":2}`, cargoLine("get", "evil", "x", ""), cargoLine("get", "sparse+https://a@b.example", "x", ""), cargoLine("get", "sparse+https://b.example", `a\nb`, ""),
		cargoLine("get", "sparse+https://b.example", strings.Repeat("a", 201), ""), strings.Repeat("a", maxInput+1)} {
		if out, err := h.cargo(line + "\n"); err == nil || out != "" {
			t.Errorf("%.200s: %s", line, out)
		}
	}
}

func TestCargoLogsIn(t *testing.T) {
	h := newHouse(t)
	for _, line := range []string{
		cargoLine("login", "sparse+https://index.crates.io/", "crates-io", `,"token":"fake-io"`),
		cargoLine("login", "sparse+https://own.example/index/", "own", `,"token":"fake-1"`),
		cargoLine("login", "sparse+https://own.example/index/", "own", `,"token":"fake-1"`),
		cargoLine("login", "sparse+https://own.example/index/", "own", `,"token":"fake-2"`),
		cargoLine("login", "sparse+https://anon.example/index/", "", `,"token":"fake-3"`),
	} {
		if out, err := h.cargo(line); err != nil || out != `{"Ok":{"kind":"login"}}`+"\n" {
			t.Errorf("%s: %s%v", line, out, err)
		}
	}
	const anon = "cargo/anon.example-index@1 index=sparse+https://anon.example/index/ token=fake-3\n"
	const own = "cargo/own@2 index=sparse+https://own.example/index/ token=fake-2"
	if got := h.stored(); got != "cargo@1 token=fake-io\n"+anon+own {
		t.Errorf("\n%s", got)
	}
	if out, _ := h.cargo(cargoLine("login", "sparse+https://own.example/index/", "own", "")); !strings.Contains(out, "no token was given") {
		t.Error(out)
	}
	// Another index of the same name does not take the secret's place.
	if out, _ := h.cargo(cargoLine("login", "sparse+https://evil.example/", "own", `,"token":"fake-evil"`)); !strings.Contains(out, `"kind":"other"`) {
		t.Error(out)
	}
	if out, _ := h.cargo(cargoLine("logout", "sparse+https://index.crates.io/", "crates-io", "")); out != `{"Ok":{"kind":"logout"}}`+"\n" {
		t.Error(out)
	}
	for _, index := range []string{"sparse+https://index.crates.io/", "sparse+https://evil.example/"} {
		if out, _ := h.cargo(cargoLine("logout", index, "own", "")); out != `{"Err":{"kind":"not-found"}}`+"\n" {
			t.Error(out)
		}
	}
	if got := h.stored(); got != anon+own {
		t.Errorf("\n%s", got)
	}
}

func (h *house) terraform(verb, host, in string) (string, error) {
	var out bytes.Buffer
	err := h.Terraform(h.t.Context(), verb, host, strings.NewReader(in), &out)
	return out.String(), err
}

func TestTerraform(t *testing.T) {
	h := newHouse(t)
	h.put("terraform-cloud", "token", "fake-tfc")
	h.put("terraform-cloud/tfe.example", "token", "fake-tfe")
	for host, want := range map[string]string{
		"app.terraform.io": `{"token":"fake-tfc"}`, "TFE.example": `{"token":"fake-tfe"}`,
		"tfe.example:8443": "{}", "evil.example": "{}", "app.terraform.io.evil.example": "{}", "x.tfe.example": "{}",
	} {
		if out, err := h.terraform("get", host, ""); err != nil || out != want+"\n" {
			t.Errorf("%s: %q, %v", host, out, err)
		}
	}
	for _, host := range []string{"", "https://tfe.example", "tfe.example/x", "a@tfe.example", "tfe.example\n"} {
		if out, err := h.terraform("get", host, ""); err == nil || out != "" {
			t.Errorf("%q: %q", host, out)
		}
	}
	for _, in := range []string{"", "x", "{}", `{"token":""}`, `{"token":1}`, `{"token":"a\nb"}`, `{"token":"fake","more":1}`, `[]`} {
		if _, err := h.terraform("store", "tfe.example", in); err == nil || strings.Contains(err.Error(), "fake") {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, c := range [][2]string{{"tfe.example", "fake-2"}, {"tfe.example", "fake-2"}, {"new.example:8443", "fake-3"}, {"app.terraform.io", "fake-tfc"}} {
		if out, err := h.terraform("store", c[0], `{"token":"`+c[1]+`"}`); err != nil || out != "" {
			t.Errorf("%q: %q, %v", c, out, err)
		}
	}
	if got := h.stored(); got != "terraform-cloud@1 token=fake-tfc\nterraform-cloud/new.example:8443@1 token=fake-3\nterraform-cloud/tfe.example@2 token=fake-2" {
		t.Errorf("\n%s", got)
	}
	for _, host := range []string{"tfe.example", "nothing.example", "new.example"} {
		if out, err := h.terraform("forget", host, ""); err != nil || out != "" {
			t.Errorf("%q: %q, %v", host, out, err)
		}
	}
	if got := h.stored(); got != "terraform-cloud@1 token=fake-tfc\nterraform-cloud/new.example:8443@1 token=fake-3" {
		t.Errorf("\n%s", got)
	}
	if _, err := h.terraform("list", "tfe.example", ""); err == nil {
		t.Error("a verb that there is not")
	}
}

func (h *house) keyring(in string, args ...string) (string, error) {
	var out bytes.Buffer
	err := h.Keyring(h.t.Context(), args, strings.NewReader(in), &out)
	return out.String(), err
}

func TestKeyring(t *testing.T) {
	h := newHouse(t)
	h.put("pypi/corp", "repository", "https://pypi.corp.example/simple/", "username", "me", "token", "fake-corp")
	h.put("pypi/plain", "repository", "http://plain.example", "username", "me", "token", "fake-plain")
	h.put("acme", "id", "me", "key", "fake-acme")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"get", "https://pypi.corp.example/simple/", "me"}, "fake-corp\n"},
		{[]string{"get", "https://pypi.corp.example/simple/pkg/", "me"}, "fake-corp\n"},
		{[]string{"get", "https://pypi.corp.example/simple", "--mode", "creds"}, "me\nfake-corp\n"},
		{[]string{"--mode=creds", "--output=plain", "get", "https://pypi.corp.example/simple"}, "me\nfake-corp\n"},
		{[]string{"--mode", "password", "get", "https://git.acme.example/any/path", "me"}, "fake-acme\n"},
		{[]string{"get", "http://plain.example/simple", "me"}, "fake-plain\n"},
	} {
		if out, err := h.keyring("", c.args...); err != nil || out != c.want {
			t.Errorf("%q: %q, %v", c.args, out, err)
		}
	}
	for _, service := range []string{"https://pypi.corp.example", "https://pypi.corp.example/simpler", "http://pypi.corp.example/simple/", "https://pypi.corp.example.evil.example/simple/", "pypi.corp.example", "git.acme.example", "https://evil@pypi.corp.example/simple/", "https://pypi.corp.example/simple/../other/", "https://pypi.corp.example/simple/%2e%2e/other", "https://pypi.corp.example/simple/..%5cother", "https://plain.example/", "x"} {
		if out, err := h.keyring("", "get", service, "me"); !errors.Is(err, ErrNone) || out != "" {
			t.Errorf("%s: %q, %v", service, out, err)
		}
	}
	if out, err := h.keyring("", "get", "https://pypi.corp.example/simple/", "you"); !errors.Is(err, ErrNone) || out != "" {
		t.Errorf("%q, %v", out, err)
	}
	for _, args := range [][]string{nil, {"get"}, {"get", "x"}, {"set", "x"}, {"del", "x"}, {"get", "a", "b", "c"}, {"list", "a", "b"}, {"--help"}, {"--mode", "x", "get", "a", "b"}, {"--output", "json", "get", "a", "b"}, {"--output", "password", "get", "a", "b"}, {"get", "a", "b\nc"}, {"get", "a", "b", "--mode"}} {
		if _, err := h.keyring("x", args...); fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v", args, err)
		}
	}
	for range 2 {
		if out, err := h.keyring("fake-new\n", "set", "https://new.example/simple/", "me"); err != nil || out != "" {
			t.Errorf("%q, %v", out, err)
		}
	}
	if !strings.Contains(h.stored(), "pypi/me@new.example%2Fsimple@1 repository=https://new.example/simple token=fake-new username=me\n") {
		t.Errorf("\n%s", h.stored())
	}
	for _, in := range []string{"", "\n", "a\nb\n"} {
		if _, err := h.keyring(in, "set", "https://new.example/simple/", "me"); err == nil {
			t.Errorf("stored %q", in)
		}
	}
	if _, err := h.keyring("", "del", "https://new.example/simple/", "you"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := h.keyring("", "del", "https://new.example/simple/", "me"); err != nil || strings.Contains(h.stored(), "new.example") {
		t.Error(err)
	}
}
