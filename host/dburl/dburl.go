// Package dburl reads where a database is: from a URL such as postgres://USER:PASSWORD@HOST/DATABASE,
// or from a line of .pgpass. No error has a part of what was read.
package dburl

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/secret"
)

// Kinds of databases.
const (
	Postgres = "postgres"
	Redis    = "redis"
)

// Address is where a database is. Database and User are "" where the client chooses.
type Address struct {
	Host           string
	Port           uint16
	Database, User string
}

// String returns HOST:PORT.
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// URL is that of a database.
type URL struct {
	Address
	// Kind is one of the constants.
	Kind     string
	Password secret.Value

	text   string
	url    *url.URL
	scheme *scheme
	// params has what the query says of TLS.
	params map[string]string
}

// scheme is what that of a URL stands for.
type scheme struct {
	kind string
	port uint16
	// plain is the scheme of the same database without TLS; "" where the scheme does not say.
	plain string
	// always: there is TLS. never: there is none. With neither, the query of the URL says.
	always, never bool
	// none has a client do without TLS.
	none string
}

func schemes() map[string]*scheme {
	pg := &scheme{kind: Postgres, port: 5432, none: "sslmode=disable"}
	plain := &scheme{kind: Redis, port: 6379, never: true}
	return map[string]*scheme{
		"postgres": pg, "postgresql": pg,
		"redis": plain, "valkey": plain,
		"rediss": {kind: Redis, port: 6379, plain: "redis", always: true}, "valkeys": {kind: Redis, port: 6379, plain: "valkey", always: true},
	}
}

var (
	// ErrNone is of a URL whose scheme is no database's.
	ErrNone     = errors.New("it is no URL of a database that the broker logs in to, such as postgres://, redis:// or rediss://")
	errBadURL   = errors.New("the URL of a database cannot be read; characters such as # / @ % of a password are %23 %2F %40 %25 in it")
	errHost     = errors.New("the URL of a database has to name one host, before the path")
	errPort     = errors.New("the URL of a database has no port that there can be")
	errPassword = errors.New("the URL of a database has no password, so there is nothing that the command may not have")
)

// schemeOf is that of a URL, in which a driver may be behind a plus sign; nil for none of a
// database.
func schemeOf(text string) *scheme {
	name, _, ok := strings.Cut(text, "://")
	if !ok {
		return nil
	}
	name, _, _ = strings.Cut(strings.ToLower(name), "+")
	return schemes()[name]
}

// Is reports that a text begins as the URL of a database does.
func Is(text string) bool { return schemeOf(text) != nil }

// Parse reads a URL with a password.
func Parse(text string) (*URL, error) {
	u, err := Where(text)
	if err == nil && u.Password.Empty() {
		return nil, errPassword
	}
	return u, err
}

// Where reads a URL that may be without a password.
func Where(text string) (*URL, error) {
	kind := schemeOf(text)
	if kind == nil {
		return nil, ErrNone
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errBadURL
	}
	l := &URL{Kind: kind.kind, text: text, url: u, scheme: kind, params: map[string]string{}}
	l.Address = Address{Host: u.Hostname(), Port: kind.port, Database: strings.TrimPrefix(u.Path, "/"), User: u.User.Username()}
	if net.ParseIP(l.Host) == nil && (l.Host == "" || len(l.Host) > 253 || strings.Trim(l.Host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") != "") {
		return nil, errHost
	}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return nil, errPort
		}
		l.Port = uint16(port)
	}
	password, _ := u.User.Password()
	l.Password = secret.NewValue(password)
	for _, p := range parameters(u) {
		switch {
		case elsewhereParam(p.name):
			return nil, errors.New("the URL of a database has the parameter " + p.name + ", which says in another place where it is or how to log in; the broker takes only what is before the query")
		case tlsParam(p.name):
			l.params[p.name] = p.value
		}
	}
	return l, nil
}

// param is one of a query. Raw is the text of it.
type param struct{ name, value, raw string }

func parameters(u *url.URL) []param {
	var out []param
	for raw := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(raw, "=")
		for _, text := range []*string{&name, &value} {
			if plain, err := url.QueryUnescape(*text); err == nil {
				*text = plain
			}
		}
		out = append(out, param{strings.ToLower(name), value, raw})
	}
	return out
}

// elsewhereParam reports a parameter that goes before what the URL says ahead of its query,
// or that is a credential.
func elsewhereParam(name string) bool {
	return slices.Contains([]string{"host", "hostaddr", "port", "user", "username", "password", "passwd", "passfile", "dbname", "service", "servicefile", "socket", "unix_socket", "path",
		"sslcert", "sslkey", "sslpassword", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl-cert", "ssl-key", "sslidentity"}, name)
}

// tlsParam reports a parameter of the way to the server, which is the broker's.
func tlsParam(name string) bool {
	return strings.HasPrefix(name, "ssl") || strings.HasPrefix(name, "tls") || slices.Contains([]string{"channel_binding", "gssencmode", "gssdelegation", "gsslib", "krbsrvname", "require_auth", "requiressl", "requirepeer"}, name)
}

// Text is the URL as it was read.
func (l *URL) Text() string { return l.text }

// Scheme is the first word of the URL.
func (l *URL) Scheme() string { return l.url.Scheme }

// TLS is how a user wants a server verified.
type TLS struct {
	// None is for no TLS.
	None bool
	// Roots is a file; "" for the roots of this machine. From is what names it.
	Roots, From string
}

// PostgresTLS is what the variables of libpq say. Whatever less PGSSLMODE asks is as
// verify-full, but for disable.
func PostgresTLS(getenv func(string) string) TLS {
	return TLS{None: getenv("PGSSLMODE") == "disable", Roots: getenv("PGSSLROOTCERT"), From: "PGSSLROOTCERT"}
}

// TLS is how the URL wants the server verified, and where it says nothing, the variables
// of libpq do for PostgreSQL.
func (l *URL) TLS(getenv func(string) string) TLS {
	var wants TLS
	for _, name := range []string{"sslrootcert", "ssl_ca_certs"} {
		if file := l.params[name]; file != "" {
			wants.Roots, wants.From = file, name+" of the URL"
		}
	}
	if l.scheme.always || l.scheme.never {
		wants.None = l.scheme.never
		return wants
	}
	env := PostgresTLS(getenv)
	wants.None = l.params["sslmode"] == "disable" || l.params["sslmode"] == "" && l.params["ssl"] == "" && env.None
	if wants.Roots == "" {
		wants.Roots, wants.From = env.Roots, env.From
	}
	return wants
}

// To is a URL of the same form that leads to HOST:PORT, without TLS, with another password.
func (l *URL) To(address, password string) string {
	u := *l.url
	base, driver, hasDriver := strings.Cut(u.Scheme, "+")
	if l.scheme.plain != "" {
		base = l.scheme.plain
	}
	if u.Scheme = base; hasDriver {
		u.Scheme += "+" + driver
	}
	u.User, u.Host = url.UserPassword(l.User, password), address
	var query []string
	for _, p := range parameters(l.url) {
		if p.raw != "" && !tlsParam(p.name) {
			query = append(query, p.raw)
		}
	}
	if l.scheme.none != "" && !hasDriver {
		query = append(query, l.scheme.none)
	}
	u.RawQuery = strings.Join(query, "&")
	return u.String()
}
