package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rhx-dev/rhx/host/dburl"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Databases: the command connects to a port of 127.0.0.1 with a password of this run. The
// broker logs in to the server itself, and then passes on what both say. What a kind of
// database has of its own is its [dialect].

// Limits on a connection that nobody has logged in on.
const (
	maxDatabaseConns = 100
	maxLogin         = 4096
	maxShown         = 100
	maxServerMessage = 64 << 10  // before the login is done
	maxServerLogin   = 256 << 10 // of all of them, with TLS's
	loginWait        = 30 * time.Second
)

// dialect is the protocol of a kind of database, on both sides.
type dialect interface {
	// method is what the log calls a use.
	method() string
	// ready says why a server could not be used.
	ready(d *database) error
	// meet speaks with a client as the server would, until it has shown the password of the
	// run. The guest is nil where nothing follows.
	meet(d *database, client net.Conn) (guest, error)
	// variables lead clients to the broker that have no URL.
	variables(d *database) (set [][2]string, unset []string)
}

// guest is a client that has shown the password of the run.
type guest interface {
	// asks is what it wants to log in for.
	asks() wants
	// refuse tells it why it is not logged in.
	refuse(why *noLogin)
	// login logs in to the server, with the password of the secret.
	login(ctx context.Context) (net.Conn, error)
	// greet tells it that it is logged in.
	greet() error
	// pass has it and the server say what they like until one is gone.
	pass(server net.Conn)
}

// wants is what a client asks for.
type wants struct {
	user, database string
	// any says that a login is good for all databases of the server.
	any bool
}

// noLogin is why a client is not logged in. Code is an SQLSTATE.
type noLogin struct {
	code, text string
	// server says that these are words of the server's.
	server bool
}

func (e *noLogin) Error() string { return e.text }

// database is a server that the command uses without the password of it.
type database struct {
	b        *Broker
	secret   string
	at       dburl.Address
	value    secret.Value
	tls      *tls.Config // nil without
	dialect  dialect
	link     *link  // nil where variables lead clients to it
	password string // that the command has
	listener net.Listener
	// open is done when the broker is closed.
	open context.Context
	stop context.CancelFunc
}

// addDatabases adds those that a secret is for.
func (b *Broker) addDatabases(s *Secret) error {
	for _, u := range s.uses {
		if u.Database == nil {
			continue
		}
		d, err := b.newDatabase(s, u.Database)
		if err == nil {
			err = d.dialect.ready(d)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if len(s.Limits) > 0 {
			return fmt.Errorf("%s: hosts, methods and paths limit requests of HTTP, and this is a database", s.Name)
		}
		for _, other := range b.databases {
			if d.link == nil && other.link == nil && d.dialect.method() == other.dialect.method() {
				return fmt.Errorf("%s and %s: a command has one database, since PGHOST names one", other.secret, s.Name)
			}
		}
		d.open, d.stop = context.WithCancel(context.Background())
		b.databases = append(b.databases, d)
	}
	return nil
}

func dialects() map[string]func() dialect {
	return map[string]func() dialect{dburl.Postgres: newPostgres, dburl.Redis: newRedis}
}

// link is the URL of a database. The command gets one of the same form that leads to the
// broker.
type link struct {
	*dburl.URL
	// stand is what stands for the URL until the broker listens.
	stand string
}

func newLink(text string) (*link, error) {
	u, err := dburl.Parse(text)
	if err != nil {
		return nil, err
	}
	return &link{u, u.Scheme() + "://" + rand.Text() + "@127.0.0.1:1/"}, nil
}

func (b *Broker) newDatabase(s *Secret, u *spec.UseDatabase) (*database, error) {
	d := &database{b: b, secret: s.Name}
	var err error
	if l := s.links[u.URL]; l != nil {
		d.link, d.at, d.value, d.dialect = l, l.Address, l.Password, dialects()[l.Kind]()
		d.tls, err = b.databaseTLS(l.Host, l.TLS(b.getenv()))
		return d, err
	}
	if d.at, err = dburl.Pgpass(s.profile); err != nil {
		return nil, err
	}
	d.value, d.dialect = s.values[u.Password], newPostgres()
	d.tls, err = b.databaseTLS(d.at.Host, dburl.PostgresTLS(b.getenv()))
	return d, err
}

func (b *Broker) getenv() func(string) string {
	if b.opts.Getenv == nil {
		return func(string) string { return "" }
	}
	return b.opts.Getenv
}

// databaseTLS verifies a server as PostgreSQL's verify-full does; nil is without TLS.
func (b *Broker) databaseTLS(host string, wants dburl.TLS) (*tls.Config, error) {
	if wants.None {
		return nil, nil
	}
	config := &tls.Config{ServerName: host, RootCAs: b.opts.Roots, MinVersion: tls.VersionTLS12}
	if wants.Roots != "" && wants.Roots != "system" {
		data, err := readRoots(wants.Roots)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", wants.From, err)
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(data)
	}
	return config, nil
}

// listen starts to take connections.
func (d *database) listen() error {
	l, err := d.b.listen()
	if err != nil {
		return err
	}
	d.listener, d.password = newLimited(l, maxDatabaseConns), rand.Text()
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
	g, err := d.dialect.meet(d, client)
	if err != nil || g == nil {
		return
	}
	if c, ok := client.(*counted); ok {
		c.known()
	}
	_ = client.SetDeadline(time.Now().Add(loginWait + closeWithin)) // so that it is told why
	used := Used{Secret: d.secret, Host: d.at.String(), Method: d.dialect.method(), Path: "/" + shown(g.asks().database)}
	server, err := d.enter(g)
	if err != nil {
		why := d.why(err)
		used.Left = why.text
		if why.server {
			used.Left = "the server refused it"
		} else {
			why.text = "rhx: " + why.text
		}
		d.b.used(used)
		g.refuse(why)
		return
	}
	defer server.Close()
	d.b.used(used)
	if !d.b.keep(server) {
		return
	}
	defer d.b.forget(server)
	if err := g.greet(); err != nil {
		return
	}
	_ = client.SetDeadline(time.Time{})
	_ = server.SetDeadline(time.Time{})
	g.pass(server)
}

// enter logs a guest in, if the secret is for what it wants.
func (d *database) enter(g guest) (net.Conn, error) {
	w := g.asks()
	switch {
	case d.at.User != "" && w.user != d.at.User:
		return nil, &noLogin{code: "28000", text: fmt.Sprintf("%s is for the user %s", d.secret, d.at.User)}
	case d.at.Database != "" && w.database != d.at.Database && !w.any:
		return nil, &noLogin{code: "28000", text: fmt.Sprintf("%s is for the database %s", d.secret, d.at.Database)}
	}
	ctx, cancel := context.WithTimeout(d.open, loginWait)
	defer cancel()
	return g.login(ctx)
}

// why says why there is no login, without the password.
func (d *database) why(err error) *noLogin {
	var why *noLogin
	if !errors.As(err, &why) {
		why = &noLogin{code: "08001", text: whyNot(err)}
	}
	return &noLogin{code: why.code, text: d.hide(why.text), server: why.server}
}

// whyNot is what an error on the way to a server means.
func whyNot(err error) string {
	var unknown *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &unknown):
		return "the certificate of the server is not trusted: " + unknown.Err.Error()
	case errors.Is(err, errLongLogin):
		return errLongLogin.Error()
	case errors.As(err, &op):
		return "the server is not reached: " + op.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "the server ended the connection before the login was done"
	}
	return "the login failed: " + err.Error()
}

// hide has asterisks where a text has the password, also an encoded one.
func (d *database) hide(text string) string {
	value := d.value.Reveal()
	if value == "" {
		return text
	}
	m, err := mask.NewStandIns([]mask.StandIn{{Value: d.value, Text: strings.Repeat("*", len(value))}})
	if err == nil {
		text = m.Replace(text)
	}
	return strings.ReplaceAll(text, value, strings.Repeat("*", len(value)))
}

// shown is as much of a name that the command chose as the log has.
func shown(name string) string {
	if len(name) > maxShown {
		return name[:maxShown] + "…"
	}
	return name
}

// dial connects to the server, which may say so much until the login is done.
func (d *database) dial(ctx context.Context, network, target string) (*bounded, error) {
	c, err := d.b.opts.Dial(ctx, network, target)
	if err != nil {
		return nil, err
	}
	out := &bounded{Conn: c}
	out.left.Store(maxServerLogin)
	return out, nil
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

// relay passes what each says to the other until one is gone.
func relay(client, server net.Conn, toServer, toClient func() error) {
	var both sync.WaitGroup
	end := func() { _ = client.Close(); _ = server.Close() }
	for _, pass := range []func() error{toServer, toClient} {
		both.Go(func() {
			defer end()
			_ = pass()
		})
	}
	both.Wait()
}

// copyAll passes bytes as they are.
func copyAll(to io.Writer, from io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, copyBuffer))
	return err
}

// port is where clients find the broker.
func (d *database) port() string {
	_, port, _ := net.SplitHostPort(d.listener.Addr().String())
	return port
}

// variables lead the command's clients to the broker.
func (d *database) variables() (set [][2]string, unset []string) { return d.dialect.variables(d) }
