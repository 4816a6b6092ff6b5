package broker

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rhx-dev/rhx/host/secret"
)

// PostgreSQL: the command connects to a port of 127.0.0.1 with a password of this run. The
// broker logs in to the server itself, by SCRAM and over TLS that it verifies, and then
// passes on what both say. SCRAM proves the password and does not send it, so the server
// cannot say it again.

// Limits on a connection that nobody has logged in on.
const (
	maxDatabaseConns = 100
	maxStartup       = 10000 // what PostgreSQL itself takes
	maxLogin         = 4096
	maxShown         = 100
	maxServerMessage = 64 << 10  // before the login is done
	maxServerLogin   = 256 << 10 // of all of them, with TLS's: pgconn keeps what the server sets
	loginWait        = 30 * time.Second
)

// Codes that are in the place of a version where a connection starts.
const (
	codeCancel = 80877102
	codeTLS    = 80877103
	codeGSS    = 80877104
)

// address is where a database is. Database and User are "" where the client chooses.
type address struct {
	Host           string
	Port           uint16
	Database, User string
}

// parseAddress reads HOST:PORT:DATABASE:USER of a line of .pgpass, in which "*" fits all.
func parseAddress(text string) (address, error) {
	var a address
	parts := pgpassParts(text)
	if len(parts) != 4 || parts[0] == "" || parts[0] == "*" || strings.HasPrefix(parts[0], "/") {
		return a, errors.New("its name has no host: it is HOST:PORT:DATABASE:USER")
	}
	a.Host, a.Port = parts[0], 5432
	if parts[1] != "*" {
		port, err := strconv.ParseUint(parts[1], 10, 16)
		if err != nil || port == 0 {
			return a, errors.New("its name has no port that there can be")
		}
		a.Port = uint16(port)
	}
	if parts[2] != "*" {
		a.Database = parts[2]
	}
	if parts[3] != "*" {
		a.User = parts[3]
	}
	return a, nil
}

// pgpassParts are the fields of a line, in which a backslash goes before a colon or another
// one.
func pgpassParts(text string) []string {
	parts := []string{""}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			parts[len(parts)-1] += text[i : i+1]
		case text[i] == ':':
			parts = append(parts, "")
		default:
			parts[len(parts)-1] += text[i : i+1]
		}
	}
	return parts
}

func (a address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// addDatabases adds those that a secret is for.
func (b *Broker) addDatabases(s *Secret) error {
	for _, u := range s.uses {
		if u.Postgres == nil {
			continue
		}
		at, err := parseAddress(s.profile)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if len(s.Limits) > 0 {
			return fmt.Errorf("%s: hosts, methods and paths limit requests of HTTP, and this is a database", s.Name)
		}
		if len(b.databases) > 0 {
			return fmt.Errorf("%s and %s: a command has one database, since PGHOST names one", b.databases[0].secret, s.Name)
		}
		d := &database{b: b, secret: s.Name, at: at, value: s.values[u.Postgres.Password]}
		if d.tls, err = b.databaseTLS(at.Host); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		d.open, d.stop = context.WithCancel(context.Background())
		b.databases = append(b.databases, d)
	}
	return nil
}

// databaseTLS is how a server is verified: as verify-full has it, whatever less the user's
// PGSSLMODE asks, but for disable, which is without TLS.
func (b *Broker) databaseTLS(host string) (*tls.Config, error) {
	getenv := b.opts.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	if getenv("PGSSLMODE") == "disable" {
		return nil, nil
	}
	config := &tls.Config{ServerName: host, RootCAs: b.opts.Roots, MinVersion: tls.VersionTLS12}
	if file := getenv("PGSSLROOTCERT"); file != "" && file != "system" {
		data, err := readRoots(file)
		if err != nil {
			return nil, fmt.Errorf("PGSSLROOTCERT: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(data)
	}
	return config, nil
}

// database is a server that the command uses without the password of it.
type database struct {
	b        *Broker
	secret   string
	at       address
	value    secret.Value
	tls      *tls.Config // nil without
	password string      // that the command has
	listener net.Listener
	// open is done when the broker is closed.
	open context.Context
	stop context.CancelFunc

	mu       sync.Mutex
	sessions map[uint32]*dbSession // by the process of the server
}

type dbSession struct {
	key []byte
	// target is where the server is that has the session.
	network, target string
}

// listen starts to take connections.
func (d *database) listen() error {
	l, err := d.b.listen()
	if err != nil {
		return err
	}
	d.listener, d.password, d.sessions = newLimited(l, maxDatabaseConns), rand.Text(), map[uint32]*dbSession{}
	d.b.done.Go(func() {
		for {
			c, err := d.listener.Accept()
			if err != nil {
				return
			}
			if !d.b.keep(c) {
				_ = c.Close()
				return
			}
			d.b.done.Go(func() {
				defer d.b.forget(c)
				defer c.Close()
				d.serve(c)
			})
		}
	})
	return nil
}

// serve answers one connection of the command.
func (d *database) serve(client net.Conn) {
	_ = client.SetDeadline(time.Now().Add(loginWait))
	start, err := d.start(client)
	if err != nil || start == nil {
		return
	}
	fail := func(code, text string) {
		_ = send(client, &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: d.b.Hide(text)})
	}
	if err := d.check(client); err != nil {
		fail("28P01", "rhx: "+err.Error())
		return
	}
	if c, ok := client.(*counted); ok {
		c.known()
	}
	params := maps.Clone(start.Parameters)
	user, name := params["user"], params["database"]
	delete(params, "user")
	delete(params, "database")
	if name == "" {
		name = user
	}
	used := Used{Secret: d.secret, Host: d.at.String(), Method: "postgres", Path: "/" + shown(name)}
	refuse := func(code, text string) {
		used.Left = d.b.Hide(text)
		d.b.used(used)
		fail(code, "rhx: "+text)
	}
	switch {
	case d.at.User != "" && user != d.at.User:
		refuse("28000", fmt.Sprintf("%s is for the user %s", d.secret, d.at.User))
		return
	case d.at.Database != "" && name != d.at.Database:
		refuse("28000", fmt.Sprintf("%s is for the database %s", d.secret, d.at.Database))
		return
	case !slices.Contains([]string{"", "false", "off", "no", "0", "database"}, params["replication"]):
		refuse("0A000", "a physical replication is of all databases, and is not passed on")
		return
	}
	ctx, cancel := context.WithTimeout(d.open, loginWait)
	defer cancel()
	server, err := d.login(ctx, user, name, params)
	if err != nil {
		var says *pgconn.PgError
		if errors.As(err, &says) {
			used.Left = "the server refused it"
			d.b.used(used)
			fail(says.Code, says.Message)
			return
		}
		refuse("08001", loginError(err))
		return
	}
	defer server.Conn.Close()
	d.b.used(used)
	if !d.b.keep(server.Conn) {
		return
	}
	defer d.b.forget(server.Conn)
	if err := d.greet(client, server); err != nil {
		return
	}
	remote := server.Conn.RemoteAddr()
	d.remember(server.PID, &dbSession{key: server.SecretKey, network: remote.Network(), target: remote.String()})
	defer d.forget(server.PID)
	_ = client.SetDeadline(time.Time{})
	_ = server.Conn.SetDeadline(time.Time{})
	d.pass(client, server.Conn)
}

// shown is as much of a name that the command chose as the log has.
func shown(name string) string {
	if len(name) > maxShown {
		return name[:maxShown] + "…"
	}
	return name
}

// start reads how a connection starts. It is nil where nothing follows.
func (d *database) start(client net.Conn) (*pgproto3.StartupMessage, error) {
	for range 3 { // TLS and GSS are asked for once each
		var head [8]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return nil, err
		}
		length, code := binary.BigEndian.Uint32(head[:4]), binary.BigEndian.Uint32(head[4:])
		if length < 8 || length > maxStartup {
			return nil, errors.New("a start of no length that there can be")
		}
		body := make([]byte, length-4)
		copy(body, head[4:])
		if _, err := io.ReadFull(client, body[4:]); err != nil {
			return nil, err
		}
		switch {
		case code == codeTLS || code == codeGSS:
			if _, err := client.Write([]byte("N")); err != nil {
				return nil, err
			}
			continue
		case code == codeCancel:
			var m pgproto3.CancelRequest
			if err := m.Decode(body); err != nil {
				return nil, err
			}
			return nil, d.cancel(m.ProcessID, m.SecretKey)
		case code>>16 != 3:
			return nil, errors.New("a protocol of another version")
		}
		minor := code & 0xffff
		binary.BigEndian.PutUint32(body, pgproto3.ProtocolVersion30)
		var m pgproto3.StartupMessage
		if err := m.Decode(body); err != nil {
			return nil, err
		}
		var unknown []string
		for name := range m.Parameters {
			if strings.HasPrefix(name, "_pq_.") {
				unknown = append(unknown, name)
				delete(m.Parameters, name)
			}
		}
		if minor != 0 || len(unknown) > 0 {
			slices.Sort(unknown)
			if err := send(client, &pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: pgproto3.ProtocolVersion30, UnrecognizedOptions: unknown}); err != nil {
				return nil, err
			}
		}
		return &m, nil
	}
	return nil, errors.New("no start")
}

// check asks the client for the password of this run.
func (d *database) check(client net.Conn) error {
	if err := send(client, &pgproto3.AuthenticationCleartextPassword{}); err != nil {
		return err
	}
	var head [5]byte
	if _, err := io.ReadFull(client, head[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if head[0] != 'p' || length < 5 || length > maxLogin {
		return errors.New("a password was to come")
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(client, body); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(body, append([]byte(d.password), 0)) != 1 {
		return errors.New("this is not the password of the command's PGPASSWORD")
	}
	return nil
}

// login logs in to the server. It gives the password to no server: only by SCRAM is it
// proven that both know it.
func (d *database) login(ctx context.Context, user, name string, params map[string]string) (*pgconn.HijackedConn, error) {
	// What ParseConfig takes from the environment and from files is all set anew.
	config, err := pgconn.ParseConfig("host=127.0.0.1 port=1 user=x dbname=x password=x sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.User, config.Database, config.Password = d.at.Host, d.at.Port, user, name, d.value.Reveal()
	config.TLSConfig, config.Fallbacks, config.RuntimeParams = d.tls, nil, params
	config.ConnectTimeout, config.SSLNegotiation, config.SSLCertMode = loginWait, "postgres", "disable"
	config.ChannelBinding, config.RequireAuth, config.MaxProtocolMessageBodyLen = "prefer", "scram-sha-256", maxServerMessage
	config.MinProtocolVersion, config.MaxProtocolVersion = "3.0", "3.0"
	config.KerberosSrvName, config.KerberosSpn = "", ""
	config.ValidateConnect, config.AfterConnect, config.OAuthTokenProvider = nil, nil, nil
	var bound *bounded
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.b.opts.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		bound = &bounded{Conn: c}
		bound.left.Store(maxServerLogin)
		return bound, nil
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // DialFunc does so
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := conn.SyncConn(ctx); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err == nil {
		bound.done.Store(true)
	}
	return hijacked, err
}

// bounded is a connection to a server that may say so much until the login is done.
type bounded struct {
	net.Conn
	left atomic.Int64
	done atomic.Bool
}

var errLongLogin = fmt.Errorf("the server says more than %d KiB before the login is done", maxServerLogin>>10)

func (c *bounded) Read(p []byte) (int, error) {
	if c.done.Load() {
		return c.Conn.Read(p)
	}
	left := c.left.Load()
	if left <= 0 {
		return 0, errLongLogin
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.left.Add(-int64(n))
	return n, err
}

// loginError says why there is no login.
func loginError(err error) string {
	text := err.Error()
	var unknown *tls.CertificateVerificationError
	switch {
	case strings.Contains(text, "require_auth"):
		return "the server does not ask for the password by SCRAM-SHA-256, and gets it in no other way"
	case errors.As(err, &unknown):
		return "the certificate of the server is not trusted: " + unknown.Err.Error()
	case strings.Contains(text, "server refused TLS connection"):
		return "the server has no TLS; PGSSLMODE=disable of rhx's environment does without"
	}
	if errors.Is(err, errLongLogin) {
		return errLongLogin.Error()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return "the server is not reached: " + op.Error()
	}
	return "the login failed: " + text
}

// greet tells the client what the server has told.
func (d *database) greet(client io.Writer, server *pgconn.HijackedConn) error {
	messages := []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}}
	for _, name := range slices.Sorted(maps.Keys(server.ParameterStatuses)) {
		messages = append(messages, &pgproto3.ParameterStatus{Name: name, Value: d.b.Hide(server.ParameterStatuses[name])})
	}
	messages = append(messages, &pgproto3.BackendKeyData{ProcessID: server.PID, SecretKey: server.SecretKey}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	return send(client, messages...)
}

func send(to io.Writer, messages ...pgproto3.BackendMessage) error {
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			return err
		}
	}
	_, err := to.Write(out)
	return err
}

// pass has both say what they like until one is gone. What the server says is not searched:
// by SCRAM it does not learn the password, its rows have to arrive as they are, and a
// command could guess words until one comes back as a placeholder.
func (d *database) pass(client, server net.Conn) {
	var both sync.WaitGroup
	end := func() { _ = client.Close(); _ = server.Close() }
	both.Go(func() {
		defer end()
		_, _ = io.CopyBuffer(struct{ io.Writer }{server}, struct{ io.Reader }{client}, make([]byte, copyBuffer))
	})
	both.Go(func() {
		defer end()
		_, _ = io.CopyBuffer(struct{ io.Writer }{client}, struct{ io.Reader }{server}, make([]byte, copyBuffer))
	})
	both.Wait()
}

func (d *database) remember(pid uint32, s *dbSession) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions[pid] = s
}

func (d *database) forget(pid uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, pid)
}

// cancel asks the server to cancel what a session of this run does.
func (d *database) cancel(pid uint32, key []byte) error {
	d.mu.Lock()
	s := d.sessions[pid]
	d.mu.Unlock()
	if s == nil || subtle.ConstantTimeCompare(s.key, key) != 1 {
		return errors.New("no session of this run")
	}
	ctx, cancel := context.WithTimeout(d.open, loginWait)
	defer cancel()
	conn, err := d.b.opts.Dial(ctx, s.network, s.target)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(loginWait))
	if d.tls != nil {
		ask, err := (&pgproto3.SSLRequest{}).Encode(nil)
		if err != nil {
			return err
		}
		if _, err := conn.Write(ask); err != nil {
			return err
		}
		var answer [1]byte
		if _, err := io.ReadFull(conn, answer[:]); err != nil {
			return err
		}
		if answer[0] != 'S' {
			return errors.New("the server has no TLS for a request to cancel")
		}
		over := tls.Client(conn, d.tls)
		if err := over.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = over
	}
	text, err := (&pgproto3.CancelRequest{ProcessID: pid, SecretKey: key}).Encode(nil)
	if err != nil {
		return err
	}
	if _, err := conn.Write(text); err != nil {
		return err
	}
	_, _ = io.ReadFull(conn, make([]byte, 1)) // it closes the connection when it has done so
	return nil
}

// variables lead the command's clients to the broker.
func (d *database) variables() (set [][2]string, unset []string) {
	_, port, _ := net.SplitHostPort(d.listener.Addr().String())
	set = [][2]string{{"PGHOST", "127.0.0.1"}, {"PGPORT", port}, {"PGPASSWORD", d.password}, {"PGSSLMODE", "disable"}, {"PGGSSENCMODE", "disable"}, {"PGCHANNELBINDING", "disable"}}
	unset = []string{"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGREQUIREAUTH", "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGREQUIREPEER"}
	for name, text := range map[string]string{"PGUSER": d.at.User, "PGDATABASE": d.at.Database} {
		if text != "" {
			set = append(set, [2]string{name, text})
		}
	}
	slices.SortFunc(set, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return set, unset
}
