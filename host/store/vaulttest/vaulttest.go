// Package vaulttest starts real Vault servers for tests.
//
// The program is the one that .ci/tools/vault.sh builds, or RHX_TEST_VAULT. A
// test that needs it and cannot find it fails, it is never skipped.
package vaulttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout bounds how long a server may take to answer; it takes about a
// second on an idle machine.
const startTimeout = 60 * time.Second

// Server is a running Vault server in dev mode: unsealed, in memory.
type Server struct {
	// Addr is what VAULT_ADDR must be, such as http://127.0.0.1:41234.
	Addr string
	// RootToken is a token that may do everything.
	RootToken string
	// CA is the certificate, in PEM, of the authority that signed the
	// server's; nil for a server without TLS.
	CA []byte

	bin    string
	client *http.Client
	cmd    *exec.Cmd
	kill   func()
	log    *logBuffer
	exited chan struct{}
}

// The shared servers: one of each kind per test process, started by the first
// test that wants it. They die with the process, see command.
var shared, sharedTLS = sync.OnceValues(func() (*Server, error) { return start(false) }),
	sync.OnceValues(func() (*Server, error) { return start(true) })

// Shared returns the server of this test process.
func Shared(t testing.TB) *Server {
	t.Helper()
	return ready(t, shared)
}

// SharedTLS returns the server of this test process that speaks TLS with a
// certificate of its own authority.
func SharedTLS(t testing.TB) *Server {
	t.Helper()
	return ready(t, sharedTLS)
}

// New starts a server for one test alone, which may seal or stop it.
func New(t testing.TB) *Server {
	t.Helper()
	s := ready(t, func() (*Server, error) { return start(false) })
	t.Cleanup(s.Stop)
	return s
}

func ready(t testing.TB, get func() (*Server, error)) *Server {
	t.Helper()
	s, err := get()
	if err != nil {
		t.Fatalf("vaulttest: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Vault's log:\n%s", afterBanner(s.log.String()))
		}
	})
	return s
}

// afterBanner cuts off what a server in dev mode says at its start.
func afterBanner(log string) string {
	const last = "Development mode should NOT be used in production installations!"
	if _, after, ok := strings.Cut(log, last); ok {
		return strings.TrimSpace(after)
	}
	return log
}

// Program is the path of the vault program, which is the CLI too.
func (s *Server) Program() string { return s.bin }

// Stop kills the server and waits for its end.
func (s *Server) Stop() {
	s.kill()
	<-s.exited
}

// Getenv returns a function as os.Getenv for a client of the server that has
// the token; more are pairs of further variables and their values.
func (s *Server) Getenv(t testing.TB, token string, more ...string) func(string) string {
	t.Helper()
	env := map[string]string{"VAULT_ADDR": s.Addr, "VAULT_TOKEN": token}
	if s.CA != nil {
		env["VAULT_CACERT"] = s.CAFile(t)
	}
	for i := 0; i+1 < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	return func(name string) string { return env[name] }
}

// CAFile writes the authority's certificate to a file of the test.
func (s *Server) CAFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault-ca.pem")
	if err := os.WriteFile(path, s.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// MountKV mounts a KV engine of version 1 or 2 for one test and returns its
// path: base with a random end. An engine of version 2 keeps maxVersions
// versions, 0 for Vault's default of 10.
func (s *Server) MountKV(t testing.TB, base string, version, maxVersions int) string {
	t.Helper()
	path := base + "-" + strings.ToLower(rand.Text())
	s.API(t, http.MethodPost, "sys/mounts/"+path, map[string]any{"type": "kv", "options": map[string]string{"version": fmt.Sprint(version)}})
	t.Cleanup(func() {
		// Best effort: the test may have stopped or sealed the server.
		_, _, _ = s.request(context.Background(), http.MethodDelete, "sys/mounts/"+path, nil)
	})
	if version != 2 {
		return path
	}
	// A new engine of version 2 refuses requests for a moment.
	deadline := time.Now().Add(startTimeout)
	for {
		status, body, err := s.request(t.Context(), http.MethodPost, path+"/config", map[string]any{"max_versions": maxVersions})
		if err == nil && status < 300 {
			return path
		}
		if err != nil || status != http.StatusBadRequest || time.Now().After(deadline) {
			t.Fatalf("vaulttest: configure %s: HTTP %d: %s %v", path, status, body, err)
		}
		pause()
	}
}

// Token makes a token with a policy of the given HCL, and with "default".
func (s *Server) Token(t testing.TB, policy string) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text())
	s.API(t, http.MethodPost, "sys/policies/acl/"+name, map[string]any{"policy": policy})
	return s.TokenWith(t, map[string]any{"policies": []string{name}, "ttl": "1h"})
}

// TokenWith makes a token with the parameters of auth/token/create.
func (s *Server) TokenWith(t testing.TB, params map[string]any) string {
	t.Helper()
	var answer struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		} `json:"auth"`
	}
	if err := json.Unmarshal(s.API(t, http.MethodPost, "auth/token/create", params), &answer); err != nil || answer.Auth.ClientToken == "" {
		t.Fatalf("vaulttest: no token was made: %v", err)
	}
	return answer.Auth.ClientToken
}

// API sends a request with the root token to the path after /v1/ and returns
// the body of the answer.
func (s *Server) API(t testing.TB, method, path string, body any) []byte {
	t.Helper()
	// Functions that clean up come after the end of the test's context.
	status, answer, err := s.request(context.WithoutCancel(t.Context()), method, path, body)
	if err != nil || status >= 300 {
		t.Fatalf("vaulttest: %s %s: HTTP %d: %s %v", method, path, status, answer, err)
	}
	return answer
}

// Request is API for an answer that may be an error.
func (s *Server) Request(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	return s.request(ctx, method, path, body)
}

// CLI runs the vault CLI with the token and returns what it prints.
func (s *Server) CLI(t testing.TB, token string, args ...string) string {
	t.Helper()
	return s.cli(t, []string{"VAULT_TOKEN=" + token, "HOME=" + t.TempDir()}, args)
}

// CLIAt is CLI with the token that the vault command finds in a home folder.
func (s *Server) CLIAt(t testing.TB, home string, args ...string) string {
	t.Helper()
	return s.cli(t, []string{"HOME=" + home}, args)
}

func (s *Server) cli(t testing.TB, env, args []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.bin, args...)
	cmd.Env = append(env, "VAULT_ADDR="+s.Addr, "PATH="+os.Getenv("PATH"))
	if s.CA != nil {
		cmd.Env = append(cmd.Env, "VAULT_CACERT="+s.CAFile(t))
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("vault %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

func (s *Server) request(ctx context.Context, method, path string, body any) (int, []byte, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Addr+"/v1/"+path, r)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Vault-Token", s.RootToken)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// start starts a server on a free port of the loopback interface.
func start(useTLS bool) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	// Another process may take the port before Vault does.
	for attempt := 1; ; attempt++ {
		s, err := startAt(bin, useTLS)
		if err == nil || attempt == 3 {
			return s, err
		}
	}
}

func startAt(bin string, useTLS bool) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	// Vault reads the files once, at its start.
	dir, err := os.MkdirTemp("", "vaulttest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	s := &Server{RootToken: "fake-root-" + rand.Text(), bin: bin, log: &logBuffer{}, exited: make(chan struct{}), client: &http.Client{}}
	args := []string{"server", "-dev", "-dev-no-store-token", "-dev-root-token-id=" + s.RootToken, "-dev-listen-address=" + port, "-log-level=warn"}
	s.Addr = "http://" + port
	if useTLS {
		s.Addr = "https://" + port
		args = append(args, "-dev-tls", "-dev-tls-cert-dir="+dir)
	}
	if err := s.run(dir, args); err != nil {
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	if err := s.await(dir, useTLS); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%w; its log:\n%s", err, s.log)
	}
	return s, nil
}

func (s *Server) run(dir string, args []string) error {
	started := make(chan error)
	s.cmd, s.kill = command(s.bin, args...)
	s.cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "SystemRoot=" + os.Getenv("SystemRoot")}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	go func() {
		defer close(s.exited)
		unlock := lockToProcess()
		defer unlock()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
	}()
	return <-started
}

// await waits until the server says that it is initialized and unsealed.
func (s *Server) await(dir string, useTLS bool) error {
	deadline := time.Now().Add(startTimeout)
	var last error
	for time.Now().Before(deadline) {
		select {
		case <-s.exited:
			return fmt.Errorf("vault ended: %v", s.cmd.ProcessState)
		default:
		}
		if last = s.healthy(dir, useTLS); last == nil {
			return nil
		}
		pause()
	}
	return fmt.Errorf("vault did not answer within %v: %w", startTimeout, last)
}

func (s *Server) healthy(dir string, useTLS bool) error {
	if useTLS && s.CA == nil {
		ca, err := os.ReadFile(filepath.Join(dir, "vault-ca.pem"))
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(ca) {
			return fmt.Errorf("vault-ca.pem is not complete")
		}
		s.CA = ca
		s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// Asking with the token notices another server at the same port, and the
	// moment between "unsealed" and the creation of the token.
	status, body, err := s.request(ctx, http.MethodGet, "auth/token/lookup-self", nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("HTTP %d: %s", status, body)
	}
	return nil
}

// pause is how long polls wait in between.
func pause() { time.Sleep(20 * time.Millisecond) }

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// find returns the path of the vault program.
func find() (string, error) {
	if path := os.Getenv("RHX_TEST_VAULT"); path != "" {
		return path, nil
	}
	script, err := findScript()
	if err != nil {
		return "", err
	}
	homes := []string{os.Getenv("HOME")}
	// A test may have given itself another home.
	if u, err := user.Current(); err == nil {
		homes = append(homes, u.HomeDir)
	}
	var tried []string
	for _, home := range homes {
		cmd := exec.Command("sh", script, "--path")
		cmd.Env = append(os.Environ(), "HOME="+home)
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s --path: %w", script, err)
		}
		path := strings.TrimSpace(string(out))
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		tried = append(tried, path)
	}
	return "", fmt.Errorf("there is no vault program at %s: run `make test-deps`, or set RHX_TEST_VAULT to one", strings.Join(tried, " or "))
}

// findScript looks for .ci/tools/vault.sh in the folders above.
func findScript() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		script := filepath.Join(dir, ".ci", "tools", "vault.sh")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no folder above has .ci/tools/vault.sh: set RHX_TEST_VAULT to a vault program")
		}
		dir = parent
	}
}

// logBuffer keeps the end of the server's log.
type logBuffer struct {
	mu   sync.Mutex
	text []byte
}

const logKept = 16 << 10

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	if over := len(b.text) - logKept; over > 0 {
		b.text = append(b.text[:0], b.text[over:]...)
	}
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}
