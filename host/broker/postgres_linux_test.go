package broker

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

const pgPassword = "fake-password-of-alice-0123"

func pgSpec() *spec.Spec {
	return &spec.Spec{Name: "postgres", Values: []spec.Value{{Name: "password"}}, Use: []spec.Use{{Database: &spec.UseDatabase{Kind: "postgres", Password: "password"}}}}
}

func pgSecret(t *testing.T, profile string) *Secret {
	t.Helper()
	s, err := NewSecret(pgSpec(), &secret.Secret{Name: "db", Provider: "postgres", Profile: profile, Values: secret.Values{"password": secret.NewValue(pgPassword)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pgCertificate is an authority, and a certificate of it for localhost.
func pgCertificate(t *testing.T) (ca, cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	kd, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return cert, cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kd})
}

// pgServer is a real PostgreSQL.
type pgServer struct {
	port string
	ca   *x509.CertPool
	pem  string // the file of the authority
}

// startPostgres starts one as a user that is not root, which PostgreSQL refuses.
func startPostgres(t *testing.T) *pgServer {
	t.Helper()
	bin := "/usr/local/bin"
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin"); len(found) > 0 {
		bin = found[len(found)-1]
	}
	dir, err := os.MkdirTemp("", "rhx-pg") // short, for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	own := func(name string, data []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, cert, key := pgCertificate(t)
	own("cert.pem", cert, 0o644)
	own("key.pem", key, 0o600)
	own("hba", []byte(`local all all trust
host all plain 127.0.0.1/32 scram-sha-256
hostssl all alice 127.0.0.1/32 scram-sha-256
hostssl all old 127.0.0.1/32 md5
hostssl all clear 127.0.0.1/32 password
hostssl all open 127.0.0.1/32 trust
`), 0o644)
	if os.Getuid() == 0 {
		for _, name := range []string{".", "cert.pem", "key.pem", "hba"} {
			if err := os.Chown(filepath.Join(dir, name), 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + dir}
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, env, &syscall.SysProcAttr{Credential: attr.Credential}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	data := filepath.Join(dir, "data")
	run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--no-instructions")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-c", "ssl_cert_file="+dir+"/cert.pem", "-c", "ssl_key_file="+dir+"/key.pem",
		"-c", "hba_file="+dir+"/hba", "-c", "fsync=off", "-c", "shared_buffers=8MB", "-c", "max_connections=20")
	said := &bytes.Buffer{}
	server.Dir, server.Env, server.Stderr, server.SysProcAttr = dir, env, said, &syscall.SysProcAttr{Credential: attr.Credential}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(syscall.SIGQUIT); _ = server.Wait() })
	for try := 0; ; try++ {
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
		if err == nil {
			_ = c.Close()
			cmd := exec.Command(filepath.Join(bin, "psql"), "-h", dir, "-p", port, "-U", "postgres", "-Atc", "select 1", "postgres")
			cmd.Env = env
			if cmd.Run() == nil {
				break
			}
		}
		if try > 3000 {
			t.Fatalf("PostgreSQL does not start: %s", said)
		}
		time.Sleep(10 * time.Millisecond)
	}
	run("psql", "-qh", dir, "-p", port, "-U", "postgres", "-c", "create role alice login password '"+pgPassword+"'", "-c", "create role plain login password '"+pgPassword+"'", "-c", "create role clear login password '"+pgPassword+"'",
		"-c", "create role open login", "-c", "set password_encryption = md5", "-c", "create role old login password '"+pgPassword+"'", "-c", "create database app owner alice", "postgres")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &pgServer{port: port, ca: pool, pem: filepath.Join(dir, "cert.pem")}
}

// pgRun is a broker for a database, and psql at it.
type pgRun struct {
	t   *testing.T
	b   *Broker
	env []string

	mu   sync.Mutex
	used []Used
}

func newPGRun(t *testing.T, profile string, o Options) *pgRun {
	t.Helper()
	r := &pgRun{t: t}
	o.Secrets = []*Secret{pgSecret(t, profile)}
	o.Used = func(u Used) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.used = append(r.used, u)
	}
	r.b = started(t, o)
	c, err := r.b.Client(r.b.Here(os.Getenv))
	if err != nil {
		t.Fatal(err)
	}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + t.TempDir(), "PGCONNECT_TIMEOUT=60"}
	for _, v := range c.Vars {
		r.env = append(r.env, v[0]+"="+v[1])
	}
	return r
}

func (r *pgRun) psql(input string, args ...string) (string, error) {
	cmd := exec.Command("psql", append([]string{"-XAtq", "-v", "ON_ERROR_STOP=1"}, args...)...)
	cmd.Env, cmd.Stdin = r.env, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// psql uses a real server with a password that it does not have.
func TestPostgres(t *testing.T) {
	server := startPostgres(t)
	at := func(user string) string { return "localhost:" + server.port + ":app:" + user }
	r := newPGRun(t, at("alice"), Options{Roots: server.ca})
	if text := strings.Join(r.env, "\n"); strings.Contains(text, pgPassword) {
		t.Fatal("the command has the password")
	}
	for _, c := range []struct{ name, input, want string }{
		{"a query over TLS", "select current_user, current_database(); select ssl from pg_stat_ssl where pid = pg_backend_pid()", "alice|app\nt\n"},
		{"parameters", "show application_name; \\encoding", "psql\nSQL_ASCII\n"},
		{"COPY both ways", "create table c (a text); copy c from stdin;\none\ntwo\n\\.\ncopy c to stdout;\n", "one\ntwo\n"},
		{"much", "select sum(length(x)) from (select repeat('x', 1000) x from generate_series(1, 20000)) y; select length(string_agg(i::text, '')) from generate_series(1, 200000) i", "20000000\n1088895\n"},
		{"notifications", "listen n; notify n, 'hello'; select 1", "hello"},
		// The server does not know the password: rows that have the same text are rows.
		{"rows as they are", "select '" + pgPassword + "', 'x'", pgPassword + "|x\n"},
	} {
		out, err := r.psql(c.input)
		if err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, %s", c.name, err, out)
		}
	}
	for mode, want := range map[string]string{"true": "a physical replication is of all databases", "1": "a physical replication is of all databases", "database": "", "off": ""} {
		cmd := exec.Command("psql", "-XAt", "dbname=app replication="+mode, "-c", "IDENTIFY_SYSTEM")
		cmd.Env = r.env
		out, _ := cmd.CombinedOutput()
		if got := strings.Contains(string(out), "rhx: "); got != (want != "") || !strings.Contains(string(out), want) {
			t.Errorf("replication=%s: %s", mode, out)
		}
	}
	if out, err := r.psql("select * from nothing_such"); err == nil || !strings.Contains(out, `relation "nothing_such" does not exist`) {
		t.Error(out, err)
	}
	t.Run("a request to cancel", func(t *testing.T) {
		cmd := exec.Command("psql", "-XAtc", "select pg_sleep(1000)")
		cmd.Env = r.env
		out := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := r.psql("select count(*) from pg_stat_activity where query like '%pg_sleep(1000)' and state = 'active' and pid <> pg_backend_pid()")
			if err != nil {
				t.Fatal(n, err)
			}
			if strings.TrimSpace(n) == "1" {
				break
			}
		}
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "canceling statement due to user request") {
			t.Error(err, out)
		}
	})
	for _, args := range [][]string{{"-U", "open"}, {"-d", "postgres"}} {
		if out, err := r.psql("select 1", args...); err == nil || !strings.Contains(out, "db is for the ") {
			t.Error(args, out, err)
		}
	}
	// Others who find the port have no password of the run.
	other := &pgRun{t: t, env: append(slices.Clone(r.env), "PGPASSWORD="+r.b.Hide(pgPassword))}
	if out, err := other.psql("select 1"); err == nil || !strings.Contains(out, "this is not the password of the command's PGPASSWORD") {
		t.Error(out, err)
	}
	// No server gets the password but by SCRAM, and none that is not verified.
	for name, c := range map[string]struct {
		profile string
		o       Options
		want    string
	}{
		"MD5":             {at("old"), Options{Roots: server.ca}, "does not ask for the password by SCRAM-SHA-256"},
		"clear":           {at("clear"), Options{Roots: server.ca}, "does not ask for the password by SCRAM-SHA-256"},
		"trust":           {at("open"), Options{Roots: server.ca}, "does not ask for the password by SCRAM-SHA-256"},
		"another root":    {at("alice"), Options{Roots: x509.NewCertPool()}, "certificate of the server is not trusted"},
		"another name":    {"127.0.0.1:" + server.port + ":app:alice", Options{Roots: server.ca}, "certificate of the server is not trusted"},
		"nobody there":    {"localhost:1:app:alice", Options{Roots: server.ca}, "the server is not reached"},
		"another one":     {at("postgres"), Options{Roots: server.ca}, "no pg_hba.conf entry"},
		"without TLS":     {at("alice"), Options{Roots: server.ca, Getenv: pgEnv("PGSSLMODE", "disable")}, "no pg_hba.conf entry"},
		"less is no less": {at("alice"), Options{Roots: x509.NewCertPool(), Getenv: pgEnv("PGSSLMODE", "require")}, "certificate of the server is not trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newPGRun(t, c.profile, c.o)
			out, err := r.psql("select 1")
			if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, pgPassword) {
				t.Errorf("%v, %s", err, out)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.used) != 1 || r.used[0].Left == "" {
				t.Errorf("%+v", r.used)
			}
		})
	}
	for name, o := range map[string]Options{"plain, as asked": {Roots: x509.NewCertPool(), Getenv: pgEnv("PGSSLMODE", "disable")}, "a root of the user's": {Roots: x509.NewCertPool(), Getenv: pgEnv("PGSSLROOTCERT", server.pem)}} {
		user := map[bool]string{true: "plain", false: "alice"}[name == "plain, as asked"]
		r := newPGRun(t, "localhost:"+server.port+":*:*", o)
		if out, err := r.psql("select current_user", "-U", user, "-d", "app"); err != nil || out != user+"\n" {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
	// By a URL, which needs no variables.
	byURL := func(user, rest string, o Options) (*urlRun, string) {
		r := newURLRun(t, o, "postgresql://"+user+":"+pgPassword+"@localhost:"+server.port+"/app"+rest)
		out, _ := r.client("", "psql", "-XAtc", "select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid(); show application_name", r.given[0])
		if strings.Contains(out+r.given[0], pgPassword) {
			t.Errorf("%s, %s", r.given[0], out)
		}
		return r, out
	}
	for _, c := range []struct {
		user, rest string
		o          Options
		want       string
	}{
		{"alice", "?sslmode=require&application_name=mine", Options{Roots: server.ca}, "alice|t\nmine\n"},
		{"alice", "?sslrootcert=" + server.pem, Options{Roots: x509.NewCertPool()}, "alice|t\npsql\n"},
		{"plain", "?sslmode=disable", Options{Roots: x509.NewCertPool()}, "plain|f\npsql\n"},
		{"alice", "?sslmode=require", Options{Roots: x509.NewCertPool()}, "rhx: the certificate of the server is not trusted"},
		{"clear", "?sslmode=require", Options{Roots: server.ca}, "does not ask for the password by SCRAM-SHA-256"},
	} {
		if _, out := byURL(c.user, c.rest, c.o); !strings.Contains(out, c.want) {
			t.Errorf("%s%s: %s", c.user, c.rest, out)
		}
	}
	u, _ := byURL("alice", "", Options{Roots: server.ca})
	for _, args := range [][2]string{{"//alice:", "//open:"}, {"/app?", "/postgres?"}} {
		if out, err := u.client("", "psql", "-Xc", "select 1", strings.Replace(u.given[0], args[0], args[1], 1)); err == nil || !strings.Contains(out, "db1 is for the ") {
			t.Errorf("%s: %s", args[1], out)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.used[0]; u.Secret != "db" || u.Host != "localhost:"+server.port || u.Method != "postgres" || u.Path != "/app" || u.Left != "" {
		t.Errorf("%+v", u)
	}
}

func pgEnv(name, value string) func(string) string {
	return func(n string) string { return map[string]string{name: value}[n] }
}

// fakePostgres is a server that does what script says to each connection, without TLS.
func fakePostgres(t *testing.T, script func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); script(c) }()
		}
	}()
	return l.Addr().String()
}

// A hostile server is sent nothing of the password, and what it sends is bounded.
func TestHostilePostgres(t *testing.T) {
	frame := func(kind byte, length uint32, body ...byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{kind}, length), body...)
	}
	for name, answer := range map[string][]byte{
		"clear":        frame('R', 8, 0, 0, 0, 3),
		"MD5":          frame('R', 12, 0, 0, 0, 5, 1, 2, 3, 4),
		"GSS":          frame('R', 8, 0, 0, 0, 7),
		"no password":  frame('R', 8, 0, 0, 0, 0),
		"no mechanism": frame('R', 10, 0, 0, 0, 10, 'X', 0),
		"endless":      frame('R', 1<<31),
		"negative":     frame('R', 1),
		"not it":       []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"nothing":      {},
		"error":        append(frame('E', 4+2+uint32(len(pgPassword)), 'M'), append([]byte(pgPassword), 0)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var got bytes.Buffer
			addr := fakePostgres(t, func(c net.Conn) {
				buf := make([]byte, 4096)
				n, _ := c.Read(buf)
				_, _ = c.Write(answer)
				if len(answer) == 0 {
					return
				}
				for n > 0 {
					mu.Lock()
					got.Write(buf[:n])
					mu.Unlock()
					n, _ = c.Read(buf)
				}
			})
			host, port, _ := net.SplitHostPort(addr)
			r := newPGRun(t, host+":"+port+":app:alice", Options{Roots: x509.NewCertPool(), Getenv: pgEnv("PGSSLMODE", "disable")})
			out := pgLogin(t, r, r.b.databases[0].password)
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(out, "FATAL") || strings.Contains(out+got.String(), pgPassword) || strings.Contains(got.String(), "md5") {
				t.Errorf("the command: %q; the server: %q", out, got.String())
			}
		})
	}
}

// A server that sets parameter after parameter before the login is not kept in memory.
func TestEndlessPostgres(t *testing.T) {
	sent := make(chan int, 1)
	addr := fakePostgres(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		n := 0
		for i := range 400 { // 24 MiB
			m, _ := (&pgproto3.ParameterStatus{Name: fmt.Sprintf("k%d", i), Value: strings.Repeat("x", 60000)}).Encode(nil)
			w, err := c.Write(m)
			n += w
			if err != nil {
				break
			}
		}
		sent <- n
	})
	host, port, _ := net.SplitHostPort(addr)
	r := newPGRun(t, host+":"+port+":app:alice", Options{Roots: x509.NewCertPool(), Getenv: pgEnv("PGSSLMODE", "disable")})
	out := pgLogin(t, r, r.b.databases[0].password)
	if !strings.Contains(out, "the server says more than 256 KiB before the login is done") {
		t.Errorf("%q", out)
	}
	if n := <-sent; n == 400*60000 {
		t.Errorf("%d bytes were taken", n)
	}
}

// pgLogin is what a client is told that logs in by hand.
func pgLogin(t *testing.T, r *pgRun, password string) string {
	t.Helper()
	c, err := net.Dial("tcp", r.b.databases[0].listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start, err := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "alice", "database": "app"}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := (&pgproto3.PasswordMessage{Password: password}).Encode(start)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(text)
	out, _ := io.ReadAll(io.LimitReader(c, 1<<20))
	return string(out)
}

// Others who hold connections do not keep the command from its database.
func TestPostgresOfOthers(t *testing.T) {
	r := newPGRun(t, "127.0.0.1:1:app:alice", Options{})
	d := r.b.databases[0]
	idle := make([]net.Conn, maxDatabaseConns)
	for i := range idle {
		var err error
		if idle[i], err = net.Dial("tcp", d.listener.Addr().String()); err != nil {
			t.Fatal(err)
		}
		defer idle[i].Close()
	}
	started := time.Now()
	if got := pgLogin(t, r, d.password); !strings.Contains(got, "the server is not reached") || time.Since(started) > loginWait/2 {
		t.Errorf("%q after %s", got, time.Since(started))
	}
	if _, err := idle[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// What is no start of a connection ends it, and nobody dials for it.
func TestPostgresClients(t *testing.T) {
	dialed := make(chan string, 10)
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		dialed <- address
		return nil, io.EOF
	}
	r := newPGRun(t, "db.test:5432:app:alice", Options{Roots: x509.NewCertPool(), Dial: dial})
	u32 := func(n ...uint32) (out []byte) {
		for _, n := range n {
			out = binary.BigEndian.AppendUint32(out, n)
		}
		return out
	}
	for name, c := range map[string]struct {
		send []byte
		want string
	}{
		"too long":            {u32(1<<31, 196608), ""},
		"too short":           {u32(7, 196608), ""},
		"of another version":  {u32(8, 2<<16), ""},
		"cancel of nothing":   {u32(16, codeCancel, 1, 2), ""},
		"TLS without end":     {slices.Concat(u32(8, codeTLS), u32(8, codeTLS), u32(8, codeTLS), u32(8, codeTLS)), "NNN"},
		"without a user":      {u32(8, 196608), ""},
		"HTTP":                {[]byte("GET / HTTP/1.1\r\n\r\n"), ""},
		"a password too long": {slices.Concat(u32(16, 196608), []byte("user\x00a\x00\x00"), []byte("p"), u32(5000)), "a password was to come"},
		"something else":      {slices.Concat(u32(16, 196608), []byte("user\x00a\x00\x00"), []byte("Q"), u32(5), []byte{0}), "a password was to come"},
		"a wrong one":         {slices.Concat(u32(16, 196608), []byte("user\x00a\x00\x00"), []byte("p"), u32(6), []byte("x\x00")), "this is not the password"},
		"of a newer minor":    {slices.Concat(u32(16, 196610), []byte("user\x00a\x00\x00"), []byte("p"), u32(6), []byte("x\x00")), "v\x00\x00\x00\x0c\x00\x03\x00\x00"},
	} {
		c1, err := net.Dial("tcp", r.b.databases[0].listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c1.Write(c.send)
		_ = c1.(*net.TCPConn).CloseWrite()
		out, _ := io.ReadAll(io.LimitReader(c1, 1<<16))
		_ = c1.Close()
		if c.want == "" && len(out) > 0 || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %q", name, out)
		}
	}
	select {
	case address := <-dialed:
		t.Errorf("dialed %s", address)
	default:
	}
	if out := pgLogin(t, r, r.b.databases[0].password); !strings.Contains(out, "FATAL") {
		t.Errorf("%q", out)
	}
	if got := <-dialed; got != "db.test:5432" {
		t.Error(got)
	}
}

// What cannot be a database is an error before anything listens.
func TestNoDatabase(t *testing.T) {
	limited := pgSecret(t, "h:1:a:b")
	limited.Limits = []Limit{{Methods: []string{"GET"}}}
	for want, secrets := range map[string][]*Secret{
		"its name has no host":       {pgSecret(t, "default")},
		"this is a database":         {limited},
		"a command has one database": {pgSecret(t, "h:1:a:b"), pgSecret(t, "i:1:a:b")},
	} {
		if b, err := Start(Options{Secrets: secrets, Roots: x509.NewCertPool()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, b, err)
		}
	}
	bad, pipe := filepath.Join(t.TempDir(), "none.pem"), filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, pipe} {
		if _, err := Start(Options{Secrets: []*Secret{pgSecret(t, "h:1:a:b")}, Roots: x509.NewCertPool(), Getenv: pgEnv("PGSSLROOTCERT", path)}); err == nil || !strings.Contains(err.Error(), "PGSSLROOTCERT") {
			t.Error(err)
		}
	}
}
