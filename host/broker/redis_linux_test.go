package broker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
)

const redisPassword = "fake-Redis/pass#0123456789"

// redisURL is the URL of a server, with characters that have to be encoded.
func redisURL(scheme, user, at string) string {
	u := url.URL{Scheme: scheme, User: url.UserPassword(user, redisPassword), Host: at, Path: "/2"}
	return u.String()
}

func startRedis(t *testing.T) (s *dbServer, plain, secure string) {
	t.Helper()
	s = newDBServer(t)
	plain, secure = s.port(), s.port()
	conf := s.own("redis.conf", fmt.Appendf(nil, `bind 127.0.0.1
port %s
tls-port %s
tls-cert-file cert.pem
tls-key-file key.pem
tls-ca-cert-file cert.pem
tls-auth-clients no
save ""
requirepass "%s"
masterauth "%s"
user alice on >%s allcommands allkeys allchannels
user other on >%s-2 allcommands allkeys allchannels
enable-debug-command yes
`, plain, secure, redisPassword, redisPassword, redisPassword, redisPassword))
	s.start(func() bool {
		c, err := net.Dial("tcp4", "127.0.0.1:"+plain)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, "redis-server", conf)
	return s, plain, secure
}

// redis-cli uses a real server with a password that it does not have.
func TestRedis(t *testing.T) {
	s, plain, secure := startRedis(t)
	at := "localhost:" + secure
	r := newURLRun(t, Options{Roots: s.ca}, redisURL("rediss", "", at), redisURL("rediss", "alice", at), redisURL("redis", "", "127.0.0.1:"+plain))
	for _, given := range r.given {
		if strings.Contains(given, "fake-Redis") || !strings.HasPrefix(given, "redis://") || !strings.HasSuffix(given, "/2") {
			t.Errorf("%q", given)
		}
	}
	cli := func(i int, input string, args ...string) string {
		t.Helper()
		out, err := r.client(input, "redis-cli", append([]string{"--no-auth-warning", "-u", r.given[i]}, args...)...)
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
		return out
	}
	for i, user := range []string{"default", "alice", "default"} {
		for _, version := range []string{"-2", "-3"} {
			if out := cli(i, "", version, "ACL", "WHOAMI"); strings.TrimSpace(out) != user {
				t.Errorf("%d %s: %q", i, version, out)
			}
		}
		if out := cli(i, "", "CLIENT", "INFO"); !strings.Contains(out, " db=2 ") {
			t.Errorf("%q", out)
		}
	}
	large := strings.Repeat("x", 3<<20)
	for _, c := range []struct{ name, input, want string }{
		{"a value", "set k v1\nget k\n", "OK\nv1\n"},
		{"a list", "rpush l a b c\nlrange l 0 -1\n", "3\na\nb\nc\n"},
		{"a transaction", "multi\nset m 1\nincr m\nexec\n", "OK\nQUEUED\nQUEUED\nOK\n2\n"},
		{"a script", "eval \"return {1, redis.call('ping'), 'x'}\" 0\n", "1\nPONG\nx\n"},
		{"an error", "nosuchcommand\n", "ERR unknown command"},
		{"AUTH once more", "auth wrong\nping\n", "WRONGPASS rhx: this is not the password of the run"},
		{"RESET", "reset\nping\n", "NOPERM rhx: RESET would log out of the server; open another connection\n\nPONG"},
		{"replication", "replconf listening-port 1\nping\n", "NOPERM rhx: replication"},
		{"the server logs in elsewhere", "replicaof 127.0.0.1 1\nrole\n", "NOPERM rhx: replication has all databases, or has the server log in elsewhere, and is not passed on\n\nmaster"},
		{"a refusal in a transaction", "multi\nreset\nexec\n", "OK\nQUEUED\nNOPERM rhx: RESET"},
	} {
		if out := cli(0, c.input); !strings.Contains(out, c.want) {
			t.Errorf("%s: %q", c.name, out)
		}
	}
	if out := cli(0, large, "-x", "set", "large"); out != "OK\n" {
		t.Errorf("%q", out)
	}
	if out := cli(0, "", "get", "large"); strings.TrimSpace(out) != large {
		t.Errorf("%d bytes", len(out))
	}
	if out := cli(0, strings.Repeat("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n", 20000), "--pipe"); !strings.Contains(out, "errors: 0, replies: 20000") {
		t.Errorf("%q", out)
	}
	// What the server says does not have the password, in any form that masks know.
	digest := sha256.Sum256([]byte(redisPassword))
	encoded := []string{
		"eval \"return redis.error_reply('" + base64.StdEncoding.EncodeToString([]byte(redisPassword)) + "')\" 0",
		"eval \"return '" + hex.EncodeToString([]byte(redisPassword)) + "'\" 0",
	}
	for _, command := range append(encoded,
		"config get requirepass", "config get *", "config get masterauth", "acl list", "acl getuser alice", "acl getuser default",
		"eval \"return redis.error_reply('"+redisPassword+"')\" 0",
		"eval \"return redis.status_reply('"+redisPassword+"')\" 0",
		"eval \"return {1, {'"+redisPassword+"'}}\" 0",
		"echo "+redisPassword,
		"nosuch "+redisPassword,
	) {
		out := cli(0, command+"\n")
		for _, form := range []string{redisPassword, hex.EncodeToString(digest[:]), base64.StdEncoding.EncodeToString([]byte(redisPassword)), hex.EncodeToString([]byte(redisPassword))} {
			if strings.Contains(out, form) {
				t.Errorf("%s: %q", command, out)
			}
		}
		if !strings.Contains(out, "****") && !slices.Contains(encoded, command) {
			t.Errorf("%s: %q", command, out)
		}
	}
	if u := r.last(); u.Host != at || u.Method != "redis" || u.Secret != "db1" || u.Left != "" {
		t.Errorf("%+v", u)
	}
	// A refusal comes in its turn, and where there are no answers, not at all.
	for text, want := range map[string]string{
		"RESET\r\nECHO x\r\nPSYNC ? -1\r\nQUIT\r\n":                "-NOPERM rhx: RESET would log out of the server; open another connection\r\n$1\r\nx\r\n-NOPERM rhx: replication has",
		"CLIENT REPLY OFF\r\nRESET\r\nCLIENT REPLY ON\r\nQUIT\r\n": "+OK\r\n+OK\r\n",
		"MULTI\r\nRESET\r\nEXEC\r\nQUIT\r\n":                       "+OK\r\n+QUEUED\r\n*1\r\n-NOPERM rhx: RESET",
	} {
		if out := respSay(t, r, "AUTH "+r.b.databases[0].password+"\r\n"+text); !strings.HasPrefix(out, "+OK\r\n"+want) {
			t.Errorf("%q: %q", text, out)
		}
	}
	// Others who find the port have no password of the run, and a client has no other user.
	u, err := url.Parse(r.given[1])
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	for name, c := range map[string]struct{ user, password, want string }{
		"no password":     {"", "", "NOAUTH Authentication required"},
		"the real one":    {"alice", redisPassword, "WRONGPASS rhx: this is not the password of the run"},
		"another user":    {"other", password, "NOPERM rhx: db2 is for the user alice"},
		"the default one": {"", password, "NOPERM rhx: db2 is for the user alice"},
	} {
		args := []string{"--no-auth-warning", "-p", u.Port()}
		if c.password != "" {
			args = append(args, "-a", c.password)
		}
		if c.user != "" {
			args = append(args, "--user", c.user)
		}
		if out, _ := r.client("", "redis-cli", append(args, "ping")...); !strings.Contains(out, c.want) || strings.Contains(out, "PONG") {
			t.Errorf("%s: %q", name, out)
		}
	}
	// No server that is not verified gets the password.
	for name, c := range map[string]struct {
		url  string
		o    Options
		want string
	}{
		"another root":           {redisURL("rediss", "", at), Options{Roots: x509.NewCertPool()}, "the certificate of the server is not trusted"},
		"another name":           {redisURL("rediss", "", "127.0.0.1:"+secure), Options{Roots: s.ca}, "the certificate of the server is not trusted"},
		"a parameter for less":   {redisURL("rediss", "", at) + "?ssl_cert_reqs=none", Options{Roots: x509.NewCertPool()}, "the certificate of the server is not trusted"},
		"without TLS":            {redisURL("rediss", "", fakeServer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); _, _ = c.Write([]byte("-ERR no\r\n")) })), Options{Roots: s.ca}, "the server does not speak TLS"},
		"a user who is not it":   {redisURL("rediss", "nobody", at), Options{Roots: s.ca}, "WRONGPASS"},
		"another password of it": {redisURL("rediss", "other", at), Options{Roots: s.ca}, "WRONGPASS"},
	} {
		r := newURLRun(t, c.o, c.url)
		out, _ := r.client("", "redis-cli", "--no-auth-warning", "-u", r.given[0], "ping")
		if !strings.Contains(out, c.want) || strings.Contains(out, redisPassword) || r.last().Left == "" {
			t.Errorf("%s: %q, %+v", name, out, r.last())
		}
	}
}

// A hostile server: what it says is bounded before the login, and searched after it.
func TestHostileRedis(t *testing.T) {
	for name, c := range map[string][2]string{
		"not it":              {"HTTP/1.1 400 Bad Request\r\n\r\n", "the server does not answer as Redis does"},
		"a line without end":  {strings.Repeat("x", 1<<20), "the server does not answer as Redis does"},
		"half a line end":     {"+OK\n", "the server does not answer as Redis does"},
		"nothing":             {"", "the server ended the connection before the login was done"},
		"an array":            {"*1\r\n$2\r\nOK\r\n", "the server does not answer as Redis does"},
		"the password":        {"-ERR " + redisPassword + "\r\n", "ERR ****"},
		"another line":        {"-ERR x\x1b[31m\r\n", "-ERR x [31m\r\n"},
		"the password, later": {"+OK\r\n-ERR " + redisPassword + "\r\n", "+OK\r\n-ERR " + strings.Repeat("*", len(redisPassword)) + "\r\n"},
		"in a text":           {"+OK\r\n$26\r\n" + redisPassword + "\r\n", "$26\r\n" + strings.Repeat("*", len(redisPassword)) + "\r\n"},
		"over two texts":      {"+OK\r\n*2\r\n$5\r\nfake-\r\n$5\r\nRedis\r\n", "*2\r\n$5\r\nfake-\r\n$5\r\nRedis\r\n"},
		"no answer":           {"+OK\r\nGET / HTTP/1.1\r\n", "+OK\r\n"},
		"a length below none": {"+OK\r\n$-5\r\nxxxxx", "+OK\r\n"},
		"a length too great":  {"+OK\r\n$9999999999999999999\r\nxxxxx", "+OK\r\n"},
		"much to come":        {"+OK\r\n$1000000000000\r\nxxxxx", "$1000000000000\r\nxxxxx"},
	} {
		answers, want := c[0], c[1]
		t.Run(name, func(t *testing.T) {
			addr := fakeServer(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte(answers))
			})
			r := newURLRun(t, Options{}, redisURL("redis", "", addr))
			out := respSay(t, r, "AUTH "+r.b.databases[0].password+"\r\n")
			if !strings.Contains(out, want) || strings.Contains(out, redisPassword) {
				t.Errorf("%q", out)
			}
		})
	}
}

// respSay is what a client gets that says something and ends.
func respSay(t *testing.T, r *urlRun, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", r.b.databases[0].listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte(text))
	out, _ := io.ReadAll(io.LimitReader(c, 1<<20))
	return string(out)
}

// What is no start of a connection ends it, and nobody dials for it.
func TestRedisClients(t *testing.T) {
	dialed := make(chan string, 10)
	r := newURLRun(t, Options{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dialed <- address
		return nil, io.EOF
	}}, redisURL("redis", "alice", "cache.test:6380"))
	password := r.b.databases[0].password
	for name, c := range map[string]struct{ send, want string }{
		"HTTP":                   {"GET / HTTP/1.1\r\nHost: x\r\nQUIT\r\n", "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n+OK\r\n"},
		"a command":              {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nQUIT\r\n", "-NOAUTH Authentication required.\r\n+OK\r\n"},
		"too long":               {"*1\r\n$5000\r\n", "-ERR rhx: this is no command of Redis\r\n"},
		"too long a line":        {strings.Repeat("x", 5000) + "\r\n", "-ERR rhx: this is no command of Redis\r\n"},
		"too many":               {"*17\r\n" + strings.Repeat("$1\r\nx\r\n", 17), "-ERR rhx: this is no command of Redis\r\n"},
		"no length":              {"*1\r\nPING\r\n", "-ERR rhx: this is no command of Redis\r\n"},
		"a sign":                 {"*1\r\n$+4\r\nPING\r\n", "-ERR rhx: this is no command of Redis\r\n"},
		"another end":            {"*1\r\n$4\r\nPINGxx", "-ERR rhx: this is no command of Redis\r\n"},
		"quotes":                 {"AUTH \"x\"\r\n", "-ERR rhx: this is no command of Redis\r\n"},
		"a wrong password":       {"AUTH x\r\nAUTH alice x\r\nAUTH a b c\r\nAUTH\r\nQUIT\r\n", strings.Repeat(wrongPassword+"\r\n", 4) + "+OK\r\n"},
		"HELLO without it":       {"HELLO 3\r\nQUIT\r\n", "-NOAUTH HELLO must"},
		"HELLO with a wrong one": {"HELLO 3 AUTH alice x\r\nQUIT\r\n", wrongPassword + "\r\n+OK\r\n"},
		"HELLO, broken":          {"HELLO 3 AUTH alice\r\nQUIT\r\n", "-NOAUTH HELLO must"},
		"without end":            {strings.Repeat("PING\r\n", 20), strings.Repeat("-NOAUTH Authentication required.\r\n", maxBefore)},
		"another user":           {"AUTH other " + password + "\r\n", "-NOPERM rhx: db1 is for the user alice\r\n"},
	} {
		if out := respSay(t, r, c.send); !strings.HasPrefix(out, c.want) {
			t.Errorf("%s: %q", name, out)
		}
	}
	select {
	case address := <-dialed:
		t.Errorf("dialed %s", address)
	default:
	}
	if out := respSay(t, r, "HELLO 3 AUTH alice "+password+"\r\n"); !strings.HasPrefix(out, "-NOPERM rhx: ") {
		t.Errorf("%q", out)
	}
	if got := <-dialed; got != "cache.test:6380" {
		t.Error(got)
	}
	if len(r.warns) != 1 || !strings.Contains(r.warns[0], "db1 goes to cache.test:6380 without TLS") {
		t.Errorf("%q", r.warns)
	}
}

// The password is in a HELLO for the server neither after the login nor before.
func TestRedisServerGetsNoPasswordOfTheRun(t *testing.T) {
	got := make(chan string, 1)
	addr := fakeServer(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		var all strings.Builder
		for range 5 {
			cmd, err := readCommand(in, maxLogin, func([]byte) bool { return true })
			if err != nil {
				break
			}
			all.WriteString(string(bytes.Join(cmd.args, []byte(" "))) + "|")
			_, _ = c.Write([]byte("+OK\r\n"))
		}
		got <- all.String()
	})
	r := newURLRun(t, Options{}, redisURL("redis", "alice", addr))
	password := r.b.databases[0].password
	respSay(t, r, "HELLO 3 AUTH alice "+password+" SETNAME me\r\nHELLO 2 auth alice "+password+"\r\n*2\r\n$4\r\nauth\r\n$"+strconv.Itoa(len(password))+"\r\n"+password+"\r\nset k v\r\n")
	all := <-got
	want := regexp.MustCompile(`^AUTH alice ` + regexp.QuoteMeta(redisPassword) + `\|HELLO 3 SETNAME me\|HELLO 2\|ECHO [A-Z0-9]+u\|set k v\|$`)
	if !want.MatchString(all) || strings.Contains(all, password) {
		t.Errorf("%q", all)
	}
}

func TestRedisPasswords(t *testing.T) {
	for password, good := range map[string]bool{"12345678": true, "1234567": false, "pass%20word": false, "passw%C3%B6rt": false} {
		s, err := NewSecret(nil, &secret.Secret{Name: "db", Values: secret.Values{"URL": secret.NewValue("redis://:" + password + "@127.0.0.1")}})
		if err != nil {
			t.Fatal(err)
		}
		b, err := Start(Options{Secrets: []*Secret{s}, Roots: x509.NewCertPool()})
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "too short, or has other characters") {
			t.Errorf("%s: %v", password, err)
		}
		if err == nil {
			_ = b.Close()
		}
	}
}
