package broker

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"strings"

	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
)

// redis is the dialect of Redis and of what speaks as it does (Valkey, KeyDB, Dragonfly).
// Such a server gets the password itself and has commands that say it, so its answers are
// searched for it.
type redis struct {
	// search finds the password, and its digest, by which others could try words: ACL GETUSER
	// shows it.
	search *mask.Masker
}

func newRedis() dialect { return &redis{} }

// Limits.
const (
	// minRedis is the length of a password that may be searched for in data: a shorter one
	// would be in it by chance.
	minRedis = 8
	// maxBefore is how many commands a client may send before it has logged in.
	maxBefore = 16
)

var errShortRedis = errors.New("the password is too short, or has other characters than visible ASCII, to be searched for in what the server says; 8 characters will do")

func (*redis) method() string { return "redis" }

func (*redis) variables(*database) (set [][2]string, unset []string) { return nil, nil }

func (r *redis) ready(d *database) error {
	value := d.value.Reveal()
	digest := sha256.Sum256([]byte(value))
	var list []mask.StandIn
	for _, text := range []string{value, hex.EncodeToString(digest[:])} {
		list = append(list, mask.StandIn{Value: secret.NewValue(text), Text: strings.Repeat("*", len(text))})
	}
	var err error
	if r.search, err = mask.NewStandIns(list); err != nil || len(value) < minRedis {
		return errShortRedis
	}
	if d.tls == nil && !isLoopback(d.at.Host) {
		d.b.warnOnce(d.secret + " goes to " + d.at.String() + " without TLS; rediss:// in its URL is with it")
	}
	return nil
}

// isLoopback reports that a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// redisGuest is a client of Redis.
type redisGuest struct {
	of     *redis
	d      *database
	client net.Conn
	in     *bufio.Reader
	user   string
	// hello is how the client starts, without its login; nil where it said AUTH.
	hello  [][]byte
	server *bufio.Reader
}

func (r *redis) meet(d *database, client net.Conn) (guest, error) {
	g := &redisGuest{of: r, d: d, client: client, in: bufio.NewReaderSize(client, maxInline)}
	say := func(text string) error { _, err := client.Write([]byte(text + "\r\n")); return err }
	for range maxBefore {
		c, err := readCommand(g.in, maxLogin, func([]byte) bool { return true })
		if err == nil && c.follow > 0 {
			err = errCommand // its name alone is too long
		}
		if err != nil {
			_ = say("-ERR rhx: this is no command of Redis")
			return nil, err
		}
		if len(c.args) == 0 {
			continue
		}
		answer := "-NOAUTH Authentication required."
		switch strings.ToUpper(string(c.args[0])) {
		case "AUTH":
			if user, password, ok := authOf(c.args[1:]); ok && d.isPassword(password) {
				g.user = user
				return g, nil
			}
			answer = wrongPassword
		case "HELLO":
			hello, user, password, ok := helloOf(c.args)
			if ok && password != nil && d.isPassword(password) {
				g.user, g.hello = user, hello
				return g, nil
			}
			if answer = wrongPassword; password == nil {
				answer = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
			}
		case "QUIT":
			return nil, say("+OK")
		}
		if err := say(answer); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("no login")
}

const wrongPassword = "-WRONGPASS rhx: this is not the password of the run, which the command's URL has"

func (d *database) isPassword(text []byte) bool {
	return subtle.ConstantTimeCompare(text, []byte(d.password)) == 1
}

// authOf are the user and the password of AUTH's arguments.
func authOf(args [][]byte) (user string, password []byte, ok bool) {
	switch len(args) {
	case 1:
		return "default", args[0], true
	case 2:
		return userOf(args[0]), args[1], true
	}
	return "", nil, false
}

// userOf is a user's name. A client whose URL has none may send an empty one.
func userOf(text []byte) string { return cmp.Or(string(text), "default") }

// helloOf returns a HELLO without the login in it, and the user and password of that. The
// password is nil where there is none.
func helloOf(args [][]byte) (bare [][]byte, user string, password []byte, ok bool) {
	bare = append(bare, args[:min(len(args), 2)]...)
	for i := 2; i < len(args); {
		switch strings.ToUpper(string(args[i])) {
		case "AUTH":
			if i+2 >= len(args) || password != nil {
				return nil, "", nil, false
			}
			user, password = userOf(args[i+1]), args[i+2]
			i += 3
		case "SETNAME":
			if i+1 >= len(args) {
				return nil, "", nil, false
			}
			bare = append(bare, args[i], args[i+1])
			i += 2
		default:
			return nil, "", nil, false
		}
	}
	return bare, user, password, true
}

func (g *redisGuest) asks() wants {
	return wants{user: g.user, database: g.d.at.Database, any: true} // SELECT has any
}

func (g *redisGuest) refuse(why *noLogin) {
	word := "NOPERM "
	if why.server {
		word = "" // its own words begin with one
	}
	_, _ = g.client.Write([]byte("-" + word + oneLine(why.text) + "\r\n"))
}

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
}

func (g *redisGuest) login(ctx context.Context) (net.Conn, error) {
	d := g.d
	if d.at.User == "" && g.user != "default" {
		return nil, &noLogin{text: d.secret + " is for the user default"}
	}
	raw, err := d.dial(ctx, "tcp", d.at.String())
	if err != nil {
		return nil, err
	}
	conn, err := d.secure(ctx, raw)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	if err := g.auth(conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	raw.done.Store(true)
	return conn, nil
}

// secure begins TLS, where there is to be some, on a connection that is not up for longer
// than the context until it is logged in.
func (d *database) secure(ctx context.Context, raw net.Conn) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	if err := raw.SetDeadline(deadline); err != nil || d.tls == nil {
		return raw, err
	}
	conn := tls.Client(raw, d.tls)
	// One without TLS may wait for the rest of what it takes for a command.
	within, cancel := context.WithTimeout(ctx, handshakeWait)
	defer cancel()
	err := conn.HandshakeContext(within)
	var not tls.RecordHeaderError
	if errors.As(err, &not) || within.Err() != nil && ctx.Err() == nil {
		return nil, &noLogin{code: "08001", text: "the server does not speak TLS"}
	}
	return conn, err
}

// auth shows the server the password.
func (g *redisGuest) auth(conn net.Conn) error {
	args := [][]byte{[]byte("AUTH"), []byte(g.d.value.Reveal())}
	if user := g.d.at.User; user != "" {
		args = [][]byte{args[0], []byte(user), args[1]}
	}
	if _, err := conn.Write(appendCommand(nil, args, 0)); err != nil {
		return err
	}
	g.server = bufio.NewReaderSize(conn, copyBuffer)
	line, err := respLine(g.server)
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || errors.Is(err, errCommand):
		return errors.New("the server does not answer as Redis does")
	case err != nil:
		return err
	case strings.HasPrefix(string(line), "-"):
		return &noLogin{text: string(line[1:min(len(line), maxLogin)]), server: true}
	case string(line) != "+OK":
		return errors.New("the server does not answer as Redis does")
	}
	return nil
}

func (g *redisGuest) greet() error {
	if g.hello != nil {
		return nil // the server answers it
	}
	_, err := g.client.Write([]byte("+OK\r\n"))
	return err
}

// pass passes commands and answers. A command that is not for the server becomes an ECHO
// of a text that nobody else knows, whose answer becomes the broker's: so it comes in its
// turn, with no account of which answers are still to come.
func (g *redisGuest) pass(server net.Conn) {
	out := g.of.search.Writer(g.client, delays())
	nonce := rand.Text()
	answers := &respAnswers{r: g.server, w: bufio.NewWriterSize(out, copyBuffer), length: int64(len(nonce) + 1), instead: func(text []byte) []byte {
		code, ok := strings.CutPrefix(string(text), nonce)
		if answer := redisAnswers()[code]; ok && answer != "" {
			return []byte(answer + "\r\n")
		}
		return nil
	}}
	relay(g.client, server,
		func() error { return g.commands(bufio.NewWriterSize(server, copyBuffer), nonce) },
		func() error { return errors.Join(answers.pass(), out.Close()) })
}

// redisAnswers are what the broker says itself, by the letter behind the text of its ECHO.
func redisAnswers() map[string]string {
	return map[string]string{
		"o": "+OK",
		"w": wrongPassword,
		"u": "-NOPERM rhx: the connection is of the user of the command's URL",
		"r": "-NOPERM rhx: RESET would log out of the server; open another connection",
		"s": "-NOPERM rhx: replication has all databases, or has the server log in elsewhere, and is not passed on",
		"e": "-ERR rhx: syntax error",
	}
}

// redisLooked reports a command that is not passed on as it is.
func redisLooked(name []byte) bool {
	switch string(name) {
	case "AUTH", "HELLO", "RESET", "SYNC", "PSYNC", "REPLCONF", "REPLICAOF", "SLAVEOF":
		return true
	}
	return false
}

// commands passes the client's.
func (g *redisGuest) commands(to *bufio.Writer, nonce string) error {
	if g.hello != nil {
		if err := writeCommand(to, g.hello, 0); err != nil {
			return err
		}
	}
	for {
		if g.in.Buffered() == 0 {
			if err := to.Flush(); err != nil {
				return err
			}
		}
		c, err := readCommand(g.in, maxInline, redisLooked)
		if err != nil {
			return errors.Join(err, to.Flush())
		}
		if len(c.args)+int(c.follow) == 0 {
			continue
		}
		if len(c.args) > 0 {
			var code string
			if c.args, code = g.looked(c.args); code != "" {
				c.args = [][]byte{[]byte("ECHO"), []byte(nonce + code)}
			}
		}
		if err := writeCommand(to, c.args, c.follow); err != nil {
			return err
		}
		if err := passRest(to, g.in, c); err != nil {
			return err
		}
	}
}

// looked returns a command as the server is to have it, or what the broker answers.
func (g *redisGuest) looked(args [][]byte) (out [][]byte, code string) {
	login := func(user string, password []byte) string {
		switch {
		case !g.d.isPassword(password):
			return "w"
		case user != g.user:
			return "u"
		}
		return "o"
	}
	switch strings.ToUpper(string(args[0])) {
	case "AUTH":
		user, password, ok := authOf(args[1:])
		if !ok {
			return nil, "e"
		}
		return nil, login(user, password)
	case "HELLO":
		bare, user, password, ok := helloOf(args)
		if !ok {
			return nil, "e"
		}
		if password != nil {
			if code := login(user, password); code != "o" {
				return nil, code
			}
		}
		return bare, ""
	case "RESET":
		return nil, "r"
	case "SYNC", "PSYNC", "REPLCONF", "REPLICAOF", "SLAVEOF":
		return nil, "s"
	}
	return args, ""
}
