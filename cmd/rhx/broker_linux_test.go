package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// insideVar says that the test runs in namespaces of its own, where the hosts of
// providers are servers of the test.
const insideVar = "RHX_TEST_INSIDE"

// Real clients use secrets that they do not have, at the hosts that they know: in a
// network of the test's own, where those names are its servers, on port 443.
func TestBrokerWithRealClients(t *testing.T) {
	if !inside(t) {
		return
	}
	w := newWorld(t)
	for _, c := range worldCases() {
		t.Run(c.name, func(t *testing.T) { w.try(t, c) })
	}
	w.afterwards(t)
}

// A large push goes through whole.
func TestSoakBrokerPush(t *testing.T) {
	if !inside(t) {
		return
	}
	size := soaked(2, 1) << 20 // 200 MB of make soak's 100
	newWorld(t).try(t, worldCase{"git push", []string{"github"}, fmt.Sprintf(`set -e
git config --global user.email a@b.test; git config --global user.name A
git config --global credential.helper '!f() { echo username=x; echo "password=$GH_TOKEN"; }; f'
git clone -q https://github.com/acme/repo.git large && cd large
head -c %d /dev/urandom > big && git add big && git commit -qm big && git push -q origin HEAD:main
git -C ../srv/acme/repo.git show main:big | cmp - big && echo all of it`, size), []string{"all of it"}})
}

// inside starts the test again in namespaces of its own, and reports that this is there.
func inside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVar) == "" {
		again := exec.Command("/proc/self/exe", append(slices.Clone(os.Args[1:]), "-test.run=^"+t.Name()+"$", "-test.coverprofile=")...)
		again.Env = append(os.Environ(), insideVar+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		if out, err := again.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return os.Getenv(insideVar) != ""
}

// world are the servers, and a home folder with secrets for them.
type world struct {
	home, rhx string
	env       []string

	mu   sync.Mutex
	seen []string // what servers were sent, by one line for each request
}

// worldSecrets are the values that only the servers and the store know.
func worldSecrets() map[string]map[string]string {
	return map[string]map[string]string{
		"openai":    {"api_key": "sk-" + "FAKEreal0123456789abcdef"},
		"anthropic": {"api_key": "sk-ant-" + "FAKEreal0123456789abcdef"},
		"github":    {"oauth_token": "gho_" + "FAKErealFAKEreal0123456789abcdef"},
		"npm":       {"token": "npm_" + "FAKErealFAKEreal0123456789abcdef"},
		"cargo":     {"token": "cio" + "FAKErealFAKEreal0123456789abcdef"},
		"aws":       {"access_key": "AKIA" + "IOSFODNN7EXAMPLE", "secret_key": "FAKErealFAKErealFAKEreal0123456789abcdef"},
	}
}

// real reports that a text has a value of the store in it.
func real(text string) bool {
	for _, values := range worldSecrets() {
		for key, v := range values {
			if key != "access_key" && strings.Contains(text, v) {
				return true
			}
		}
	}
	return false
}

func (w *world) check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{home: t.TempDir(), rhx: rhxProgram(t)}
	hosts := []string{"api.openai.com", "api.anthropic.com", "github.com", "api.github.com", "registry.npmjs.org", "crates.io", "index.crates.io", "pypi.org", "plain.test",
		"sts.us-east-1.amazonaws.com", "sts.amazonaws.com", "bucket.s3.amazonaws.com", "bucket.s3.us-east-1.amazonaws.com"}
	w.check(t, exec.Command("ip", "link", "set", "lo", "up").Run())
	names := filepath.Join(w.home, "hosts")
	w.check(t, os.WriteFile(names, []byte("127.0.0.1 localhost "+strings.Join(hosts, " ")+"\n"), 0o644))
	w.check(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	w.check(t, syscall.Mount(names, "/etc/hosts", "", syscall.MS_BIND, ""))
	roots, cert := worldCertificate(t, hosts)
	ca := filepath.Join(w.home, "ca.pem")
	w.check(t, os.WriteFile(ca, roots, 0o644))
	listener, err := net.Listen("tcp", "127.0.0.1:443")
	w.check(t, err)
	server := &http.Server{Handler: w.handler(t), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ErrorLog: log.New(&bytes.Buffer{}, "", 0)}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })

	tools, err := clients()
	w.check(t, err)
	w.env = []string{"HOME=" + w.home, "PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + ca, "VENV=" + tools["VENV"], "GH=" + tools["GH"], "GORACE=atexit_sleep_ms=0",
		"GOFETCH=" + w.goFetch(t), "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "NO_PROXY=*", "no_proxy=*", "npm_config_update_notifier=false", "LC_ALL=C.UTF-8"}
	for _, name := range []string{"CARGO_HOME", "RUSTUP_HOME", "PYENV_ROOT"} {
		if v := os.Getenv(name); v != "" && name != "CARGO_HOME" {
			w.env = append(w.env, name+"="+v)
		} else if real, err := os.UserHomeDir(); err == nil && name == "RUSTUP_HOME" {
			w.env = append(w.env, name+"="+filepath.Join(real, ".rustup"))
		}
	}
	for name, values := range worldSecrets() {
		var text []string
		for k, v := range values {
			text = append(text, fmt.Sprintf("%q: %q", k, v))
		}
		out, err := w.run("{"+strings.Join(text, ",")+"}", w.rhx, "save", name, "--values", "-")
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	w.repository(t)
	return w
}

// goFetch is this program as a client of net/http.
func (w *world) goFetch(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	w.check(t, err)
	name := filepath.Join(t.TempDir(), "gofetch")
	w.check(t, os.Symlink(self, name))
	return name
}

// worldCertificate makes an authority and a certificate of it for hosts.
func worldCertificate(t *testing.T, hosts []string) ([]byte, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the test's authority"}, NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts, NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), tls.Certificate{Certificate: [][]byte{der, caDER}, PrivateKey: key}
}

func (w *world) run(input string, argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin = w.env, w.home, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// worldCase is a client: what runs, and what it has to print.
type worldCase struct {
	name    string
	secrets []string
	script  string
	want    []string
}

func (w *world) try(t *testing.T, c worldCase) {
	t.Helper()
	w.mu.Lock()
	w.seen = nil
	w.mu.Unlock()
	started := time.Now()
	argv := []string{w.rhx, "run", "--broker"}
	for _, name := range c.secrets {
		argv = append(argv, "-s", name)
	}
	out, err := w.run("", append(argv, "--", "sh", "-c", c.script)...)
	w.mu.Lock()
	seen := strings.Join(w.seen, "\n")
	w.mu.Unlock()
	for _, want := range c.want {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in what it printed (%v):\n%s\nThe servers got:\n%s", want, err, out, seen)
			break
		}
	}
	if real(out) {
		t.Errorf("it printed a value of the store:\n%s", out)
	}
	t.Logf("%s, %v", time.Since(started).Round(time.Millisecond), err)
}

// afterwards looks at the log and at what is left.
func (w *world) afterwards(t *testing.T) {
	out, err := w.run("", w.rhx, "log", "-n", "0", "-o", "json")
	if err != nil || real(out) {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{`"to": "GET api.openai.com/echo"`, `"to": "POST github.com/acme/repo.git/git-receive-pack"`, `"to": "PUT bucket.s3.amazonaws.com/key"`, `"status": 200`} {
		if !strings.Contains(out, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	left, _ := filepath.Glob("/dev/shm/rhx-run-*/broker")
	if len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}
