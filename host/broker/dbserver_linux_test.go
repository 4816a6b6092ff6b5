package broker

import (
	"bytes"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
)

// dbServer is a real server of a database, in a folder of its own, by a user who is not root.
type dbServer struct {
	t    *testing.T
	dir  string
	attr *syscall.SysProcAttr
	env  []string
	ca   *x509.CertPool
}

func newDBServer(t *testing.T) *dbServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "rhx-db") // short, for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &dbServer{t: t, dir: dir, attr: &syscall.SysProcAttr{}, env: []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin", "LC_ALL=C", "HOME=" + dir}, ca: x509.NewCertPool()}
	if os.Getuid() == 0 {
		s.attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	ca, cert, key := pgCertificate(t)
	s.ca.AppendCertsFromPEM(ca)
	s.own("cert.pem", cert)
	s.own("key.pem", key)
	return s
}

// own makes a file of the server's.
func (s *dbServer) own(name string, data []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(path, 65534, 65534); err != nil {
			s.t.Fatal(err)
		}
	}
	return path
}

// port is one that nobody has.
func (s *dbServer) port() string {
	s.t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	return port
}

func (s *dbServer) command(name string, args ...string) *exec.Cmd {
	if found, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		name = found
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir, s.env, &syscall.SysProcAttr{Credential: s.attr.Credential}
	return cmd
}

// start starts the server, which is up when ready says so.
func (s *dbServer) start(ready func() bool, name string, args ...string) {
	s.t.Helper()
	server := s.command(name, args...)
	said := &bytes.Buffer{}
	server.Stdout, server.Stderr = said, said
	if err := server.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = server.Process.Signal(syscall.SIGKILL); _ = server.Wait() })
	for try := 0; !ready(); try++ {
		if try > 3000 {
			s.t.Fatalf("%s does not start: %s", name, said)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// urlRun is a broker for URLs, and what it told of uses.
type urlRun struct {
	t *testing.T
	b *Broker
	// given are the URLs that the command has.
	given []string
	env   []string

	mu    sync.Mutex
	used  []Used
	warns []string
}

func newURLRun(t *testing.T, o Options, urls ...string) *urlRun {
	t.Helper()
	r := &urlRun{t: t}
	for i, text := range urls {
		s, err := NewSecret(nil, &secret.Secret{Name: "db" + string(rune('1'+i)), Values: secret.Values{"URL": secret.NewValue(text)}})
		if err != nil {
			t.Fatal(err)
		}
		o.Secrets = append(o.Secrets, s)
	}
	o.Used = func(u Used) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.used = append(r.used, u)
	}
	o.Warn = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.warns = append(r.warns, text)
	}
	r.b = started(t, o)
	for _, s := range o.Secrets {
		given := s.Given()["URL"]
		r.given = append(r.given, r.b.Lead(given.Reveal()))
	}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + t.TempDir()}
	return r
}

// client runs a program of the command's.
func (r *urlRun) client(input, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdin = r.env, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// last is the last use that was told of.
func (r *urlRun) last() Used {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.used) == 0 {
		return Used{}
	}
	return r.used[len(r.used)-1]
}

// fakeServer is a server that does what script says to each connection.
func fakeServer(t *testing.T, script func(net.Conn)) string {
	t.Helper()
	return fakePostgres(t, script)
}
