package broker

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// postgres is the dialect of one server. The broker logs in by SCRAM, which proves the
// password and does not send it, so the server cannot say it again.
type postgres struct {
	mu       sync.Mutex
	sessions map[uint32]*dbSession // by the process of the server
}

func newPostgres() dialect { return &postgres{sessions: map[uint32]*dbSession{}} }

type dbSession struct {
	key []byte
	// target is where the server is that has the session.
	network, target string
}

// maxStartup is what PostgreSQL itself takes.
const maxStartup = 10000

// Codes that are in the place of a version where a connection starts.
const (
	codeCancel = 80877102
	codeTLS    = 80877103
	codeGSS    = 80877104
)

func (*postgres) method() string { return "postgres" }

func (*postgres) ready(*database) error { return nil }

// pgGuest is a client of PostgreSQL.
type pgGuest struct {
	of         *postgres
	d          *database
	client     net.Conn
	user, name string
	params     map[string]string
	server     *pgconn.HijackedConn
}

func (p *postgres) meet(d *database, client net.Conn) (guest, error) {
	start, err := p.start(d, client)
	if err != nil || start == nil {
		return nil, err
	}
	g := &pgGuest{of: p, d: d, client: client, params: maps.Clone(start.Parameters)}
	if err := d.checkPostgres(client); err != nil {
		g.refuse(&noLogin{code: "28P01", text: "rhx: " + err.Error()})
		return nil, err
	}
	g.user, g.name = g.params["user"], g.params["database"]
	delete(g.params, "user")
	delete(g.params, "database")
	if g.name == "" {
		g.name = g.user
	}
	return g, nil
}

func (g *pgGuest) asks() wants { return wants{user: g.user, database: g.name} }

func (g *pgGuest) refuse(why *noLogin) {
	_ = send(g.client, &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: why.code, Message: why.text})
}

// start reads how a connection starts. It is nil where nothing follows.
func (p *postgres) start(d *database, client net.Conn) (*pgproto3.StartupMessage, error) {
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
			return nil, p.cancel(d, m.ProcessID, m.SecretKey)
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

// checkPostgres asks the client for the password of this run.
func (d *database) checkPostgres(client net.Conn) error {
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
		where := "PGPASSWORD"
		if d.link != nil {
			where = "URL"
		}
		return errors.New("this is not the password of the command's " + where)
	}
	return nil
}

// login logs in to the server. It gives the password to no server: only by SCRAM is it
// proven that both know it.
func (g *pgGuest) login(ctx context.Context) (net.Conn, error) {
	if !slices.Contains([]string{"", "false", "off", "no", "0", "database"}, g.params["replication"]) {
		return nil, &noLogin{code: "0A000", text: "a physical replication is of all databases, and is not passed on"}
	}
	d := g.d
	// What ParseConfig takes from the environment and from files is all set anew.
	config, err := pgconn.ParseConfig("host=127.0.0.1 port=1 user=x dbname=x password=x sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.User, config.Database, config.Password = d.at.Host, d.at.Port, g.user, g.name, d.value.Reveal()
	config.TLSConfig, config.Fallbacks, config.RuntimeParams = d.tls, nil, g.params
	config.ConnectTimeout, config.SSLNegotiation, config.SSLCertMode = loginWait, "postgres", "disable"
	config.ChannelBinding, config.RequireAuth, config.MaxProtocolMessageBodyLen = "prefer", "scram-sha-256", maxServerMessage
	config.MinProtocolVersion, config.MaxProtocolVersion = "3.0", "3.0"
	config.KerberosSrvName, config.KerberosSpn = "", ""
	config.ValidateConnect, config.AfterConnect, config.OAuthTokenProvider = nil, nil, nil
	var bound *bounded
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		if bound, err = d.dial(ctx, network, address); err != nil {
			return nil, err
		}
		return bound, nil
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // DialFunc does so
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, d.postgresSays(err)
	}
	if err := conn.SyncConn(ctx); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	if g.server, err = conn.Hijack(); err != nil {
		return nil, err
	}
	bound.done.Store(true)
	return g.server.Conn, nil
}

// postgresSays says why PostgreSQL does not log in.
func (d *database) postgresSays(err error) error {
	var says *pgconn.PgError
	text := err.Error()
	switch {
	case errors.As(err, &says):
		return &noLogin{code: says.Code, text: says.Message, server: true}
	case strings.Contains(text, "require_auth"):
		return &noLogin{code: "08001", text: "the server does not ask for the password by SCRAM-SHA-256, and gets it in no other way"}
	case strings.Contains(text, "server refused TLS connection") && d.link != nil:
		return &noLogin{code: "08001", text: "the server has no TLS; sslmode=disable in the URL does without"}
	case strings.Contains(text, "server refused TLS connection"):
		return &noLogin{code: "08001", text: "the server has no TLS; PGSSLMODE=disable of rhx's environment does without"}
	}
	return err
}

// greet tells the client what the server has told.
func (g *pgGuest) greet() error {
	server := g.server
	messages := []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}}
	for _, name := range slices.Sorted(maps.Keys(server.ParameterStatuses)) {
		messages = append(messages, &pgproto3.ParameterStatus{Name: name, Value: g.d.hide(server.ParameterStatuses[name])})
	}
	messages = append(messages, &pgproto3.BackendKeyData{ProcessID: server.PID, SecretKey: server.SecretKey}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	return send(g.client, messages...)
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

// pass does not search what the server says: by SCRAM it does not learn the password, its
// rows have to arrive as they are, and a command could guess words until one comes back as
// asterisks.
func (g *pgGuest) pass(server net.Conn) {
	remote := server.RemoteAddr()
	g.of.remember(g.server.PID, &dbSession{key: g.server.SecretKey, network: remote.Network(), target: remote.String()})
	defer g.of.forget(g.server.PID)
	relay(g.client, server, func() error { return copyAll(server, g.client) }, func() error { return copyAll(g.client, server) })
}

func (p *postgres) remember(pid uint32, s *dbSession) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[pid] = s
}

func (p *postgres) forget(pid uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, pid)
}

// cancel asks the server to cancel what a session of this run does.
func (p *postgres) cancel(d *database, pid uint32, key []byte) error {
	p.mu.Lock()
	s := p.sessions[pid]
	p.mu.Unlock()
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

// variables lead clients to the broker that have no URL. What would lead those with one
// around it is taken out.
func (*postgres) variables(d *database) (set [][2]string, unset []string) {
	unset = []string{"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGREQUIREAUTH", "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGREQUIREPEER"}
	if d.link != nil {
		return nil, append(unset, "PGGSSENCMODE", "PGCHANNELBINDING")
	}
	set = [][2]string{{"PGHOST", "127.0.0.1"}, {"PGPORT", d.port()}, {"PGPASSWORD", d.password}, {"PGSSLMODE", "disable"}, {"PGGSSENCMODE", "disable"}, {"PGCHANNELBINDING", "disable"}}
	for name, text := range map[string]string{"PGUSER": d.at.User, "PGDATABASE": d.at.Database} {
		if text != "" {
			set = append(set, [2]string{name, text})
		}
	}
	slices.SortFunc(set, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return set, unset
}
