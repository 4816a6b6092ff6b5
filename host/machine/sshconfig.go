package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/childenv"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/nameservice"
)

// sshTarget is a host as a person names it.
type sshTarget struct{ user, host, port string }

// parseTarget takes apart [ssh://][user@]host[:port]; an IPv6 address with a
// port is in brackets.
func parseTarget(s string) (sshTarget, error) {
	var t sshTarget
	rest := s
	if uri, ok := strings.CutPrefix(rest, "ssh://"); ok {
		rest = strings.TrimSuffix(uri, "/")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		t.user, rest = rest[:i], rest[i+1:]
		if t.user == "" {
			return t, usage("host %q: the user before @ is empty", s)
		}
	}
	t.host = rest
	if inner, ok := strings.CutPrefix(rest, "["); ok {
		host, after, ok := strings.Cut(inner, "]")
		if port, isPort := strings.CutPrefix(after, ":"); isPort {
			t.port = port
		}
		if !ok || after != "" && t.port == "" {
			return t, usage("host %q: want [ADDRESS]:PORT", s)
		}
		t.host = host
	} else if host, port, ok := strings.Cut(rest, ":"); ok && !strings.Contains(port, ":") {
		if port == "" {
			return t, usage("host %q: the port is empty", s)
		}
		t.host, t.port = host, port
	}
	if n, err := strconv.Atoi(t.port); t.port != "" && (err != nil || n < 1 || n > 65535) {
		return t, usage("host %q: %q is no port", s, t.port)
	}
	// What OpenSSH refuses too: a name must be safe in its ProxyCommand.
	if t.host == "" || strings.HasPrefix(t.host, "-") || strings.ContainsFunc(t.host, unsafeInName) {
		return t, usage("host %q: that is not a valid host name", s)
	}
	if strings.HasPrefix(t.user, "-") || strings.ContainsFunc(t.user, unsafeInUser) {
		return t, usage("host %q: that is not a valid user name", s)
	}
	return t, nil
}

func unsafeInName(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune("'`\"$\\;&<>|(){}/", r)
}

// unsafeInUser allows the backslash of DOMAIN\user.
func unsafeInUser(r rune) bool {
	return r < ' ' || r == 0x7f || strings.ContainsRune("'`\"$;&<>|(){}", r)
}

// sshConfig is what ssh_config says about one host. sshSettings says which key
// is which field.
type sshConfig struct {
	named                   string // the host as the user names it
	user, host, port, alias string
	family                  string // "tcp", "tcp4" or "tcp6"

	jump, proxyCommand         string
	fdPass                     bool
	bindAddress, bindInterface string
	timeout                    time.Duration
	attempts                   int
	noTCPKeepAlive             bool
	aliveEvery                 time.Duration // 0: the constant
	aliveCount                 int
	controlPath                string
	ownMaster                  bool // ssh would not use another's master

	ciphers, macs, keyExchanges     []string
	hostKeyAlgorithms, caAlgorithms []string
	rsaBits                         int // the fewest that an RSA key may have

	userHosts, globalHosts, revokedKeys []string
	hostsCommand                        string
	strict                              string // "ask", "accept-new" or "yes"
	hashHosts, checkIP                  bool

	batch                       bool
	identities, certificates    []string
	identitiesOnly              bool
	agent, addKeys              string
	keyAlgorithms               []string
	methods                     []string // in the order to try them
	publicKey, password, kbdInt bool
	prompts                     int
	gssapi, hostBased           bool
	pkcs11                      string

	sendEnv, setEnv []string

	expand *expander
}

// defaultConfig is what holds where there is no ssh program to ask.
func defaultConfig(named string) *sshConfig {
	return &sshConfig{
		named: named, host: named, port: "22", family: "tcp", strict: "ask", attempts: 1, aliveCount: 3, rsaBits: 1024, prompts: 3,
		publicKey: true, password: true, kbdInt: true,
	}
}

// defaultIdentities are those of OpenSSH 9, without the retired ones.
func defaultIdentities() []string {
	return []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"}
}

// resolveConfig returns what ssh_config says about target. The ssh program is
// asked (ssh -G): only it reads every version's Host, Match, Include, canonical
// names and tokens as ssh itself does. On a machine without ssh the defaults of
// ssh hold, and ssh_config is not read.
func resolveConfig(ctx context.Context, target string, o *SSHOptions) (*sshConfig, error) {
	t, err := parseTarget(target)
	if err != nil {
		return nil, err
	}
	c := defaultConfig(t.host)
	if program := sshProgram(o); program != "" {
		out, err := askSSH(ctx, program, t, o.ConfigFile, o)
		if err != nil {
			return nil, err
		}
		if unknown := c.parse(out); len(unknown) > 0 {
			if err := newerSettings(ctx, program, t, unknown, o); err != nil {
				return nil, err
			}
		}
	}
	if t.user != "" {
		c.user = t.user
	}
	if t.port != "" {
		c.port = t.port
	}
	c.complete(t, sshUser(), o)
	return c, nil
}

// sshProgram is the ssh program; "" for none.
func sshProgram(o *SSHOptions) string {
	if o.SSH != "" {
		return o.SSH
	}
	found, _ := exec.LookPath("ssh")
	return found
}

// newerSettings refuses settings that this program does not know: they can be
// about whom to trust. Those that a newer ssh prints for every host are not
// meant: they are its defaults.
func newerSettings(ctx context.Context, program string, t sshTarget, lines []string, o *SSHOptions) error {
	out, err := askSSH(ctx, program, sshTarget{host: t.host}, "none", o)
	if err != nil {
		return err
	}
	defaults := strings.Split(string(out), "\n")
	for _, line := range lines {
		if !slices.Contains(defaults, line) {
			key, _, _ := strings.Cut(line, " ")
			return fault.WithHint(fmt.Errorf("ssh_config sets %s for this host, which rhx does not know", printable(key, 40)),
				"take it out for this host, or use a newer rhx")
		}
	}
	return nil
}

// askWithin bounds ssh -G, which can wait for the DNS and for a Match exec.
const askWithin = 30 * time.Second

// askSSH returns the output of ssh -G. ssh looks for its files in the home folder
// that the user database names, not in HOME, and refuses those that others can
// write; it is not told where they are, so that this holds here too.
func askSSH(ctx context.Context, program string, t sshTarget, config string, o *SSHOptions) ([]byte, error) {
	args := []string{"-G", "-T"}
	if config != "" {
		args = append(args, "-F", config)
	}
	if t.user != "" {
		args = append(args, "-l", t.user)
	}
	if t.port != "" {
		args = append(args, "-p", t.port)
	}
	within := cmp.Or(o.askWithin, askWithin)
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	stdout, stderr := &headBuffer{limit: 1 << 20}, &headBuffer{limit: 4 << 10}
	cmd := exec.CommandContext(limited, program, append(args, "--", t.host)...)
	cmd.Env = childenv.Environ()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	bounded(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if limited.Err() != nil {
			return nil, fault.WithHint(fmt.Errorf("ssh_config: ssh -G %s gives no answer within %v", t.host, within),
				"a Match exec, or the DNS that CanonicalizeHostname asks, may hang: try ssh -G yourself")
		}
		if why := printable(string(stderr.bytes()), 300); why != "" {
			return nil, fmt.Errorf("ssh_config: %s", why)
		}
		return nil, fmt.Errorf("ssh -G: %w", err)
	}
	if stdout.full() {
		return nil, errors.New("ssh_config: ssh -G prints too much")
	}
	return stdout.bytes(), nil
}

// sshUser is this process's user as the user database has it. OpenSSH takes the
// home folder from there, whatever HOME says.
func sshUser() *user.User {
	current, err := nameservice.Current()
	if err != nil {
		return new(user.User)
	}
	return current
}

// complete fills in what was not said and expands tokens, which ssh -G leaves.
func (c *sshConfig) complete(t sshTarget, system *user.User, o *SSHOptions) {
	if c.user == "" {
		c.user = system.Username
		if i := strings.LastIndexByte(c.user, '\\'); i >= 0 {
			c.user = c.user[i+1:] // Windows: DOMAIN\user
		}
	}
	c.family, c.strict = cmp.Or(c.family, "tcp"), cmp.Or(c.strict, "ask")
	c.timeout = cmp.Or(c.timeout, o.ConnectTimeout, defaultConnectTimeout)
	c.attempts = min(max(c.attempts, 1), 100)
	x := newExpander(c, t, system, o.Getenv)
	c.expand = x
	c.alias = x.tokens(c.alias)
	x.values['k'] = cmp.Or(c.alias, t.host)
	x.paths(&c.identities, defaultIdentities()...)
	x.paths(&c.certificates)
	x.paths(&c.userHosts, "~/.ssh/known_hosts", "~/.ssh/known_hosts2")
	x.paths(&c.globalHosts, "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	x.paths(&c.revokedKeys)
	switch {
	case c.agent == "" || c.agent == "SSH_AUTH_SOCK":
		c.agent = o.Getenv("SSH_AUTH_SOCK")
	case c.agent == "none":
		c.agent = ""
	case strings.HasPrefix(c.agent, "$") && !strings.HasPrefix(c.agent, "${"):
		c.agent = o.Getenv(c.agent[1:])
	default:
		c.agent = x.path(c.agent)
	}
	if c.controlPath != "" {
		c.controlPath = x.path(c.controlPath)
	}
}

// jumps returns the hosts of ProxyJump, the nearest to this machine first.
func (c *sshConfig) jumps() []string {
	if c.jump == "" || c.proxyCommand != "" {
		return nil
	}
	return strings.Split(c.jump, ",")
}

var errTooManyJumps = errors.New("ProxyJump leads through too many hosts, or in a circle")
