package machine

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
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

// sshConfig is what ssh_config says about one host.
type sshConfig struct {
	named                       string // the host as the user names it
	user, host, port, alias     string
	family                      string // "tcp", "tcp4" or "tcp6"
	identities, certificates    []string
	identitiesOnly              bool
	agent                       string // IdentityAgent
	userHosts, globalHosts      []string
	strict                      string
	hashHosts                   bool
	jump, proxyCommand          string
	timeout                     time.Duration
	publicKey, password, kbdInt bool
	batch                       bool
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
	system, err := user.Current()
	if err != nil {
		system = &user.User{HomeDir: o.Home}
	}
	home := o.Home
	if home == "" {
		home = system.HomeDir
	}
	c := &sshConfig{
		named: t.host, user: t.user, host: t.host, port: t.port, family: "tcp", strict: "ask", publicKey: true, password: true, kbdInt: true,
	}
	program := o.SSH
	if program == "" {
		program, _ = exec.LookPath("ssh")
	}
	if program != "" {
		out, err := askSSH(ctx, program, t, home, system.HomeDir, o)
		if err != nil {
			return nil, err
		}
		c.parse(out)
	}
	c.complete(t, home, system, o)
	return c, nil
}

// askSSH returns the output of ssh -G.
func askSSH(ctx context.Context, program string, t sshTarget, home, systemHome string, o *SSHOptions) ([]byte, error) {
	args := []string{"-G", "-T"}
	config := o.ConfigFile
	if config == "" && home != systemHome {
		// ssh takes the home folder from the user database and not from HOME, so
		// it must be told where the file is.
		if p := filepath.Join(home, ".ssh", "config"); isFile(p) {
			config = p
		}
	}
	if config != "" {
		args = append(args, "-F", config)
	}
	if t.user != "" {
		args = append(args, "-l", t.user)
	}
	if t.port != "" {
		args = append(args, "-p", t.port)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append(args, "--", t.host)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if why := printable(stderr.String(), 300); why != "" {
			return nil, fmt.Errorf("ssh_config: %s", why)
		}
		return nil, fmt.Errorf("ssh -G: %w", err)
	}
	return stdout.Bytes(), nil
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// parse reads the output of ssh -G: lines of a lower-case key and a value.
func (c *sshConfig) parse(out []byte) {
	for line := range strings.Lines(string(out)) {
		key, v, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		v = strings.TrimSpace(v)
		yes := v == "yes" || v == "true"
		if v == "" {
			continue
		}
		switch key {
		case "hostname":
			c.host = v
		case "user":
			c.user = v
		case "port":
			c.port = v
		case "hostkeyalias":
			c.alias = v
		case "addressfamily":
			c.family = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[v]
		case "identityfile":
			c.identities = append(c.identities, v)
		case "certificatefile":
			c.certificates = append(c.certificates, v)
		case "identitiesonly":
			c.identitiesOnly = yes
		case "identityagent":
			c.agent = v
		case "userknownhostsfile":
			c.userHosts = splitPaths(v)
		case "globalknownhostsfile":
			c.globalHosts = splitPaths(v)
		case "stricthostkeychecking":
			c.strict = map[string]string{"true": "yes", "yes": "yes", "accept-new": "accept-new"}[v]
		case "hashknownhosts":
			c.hashHosts = yes
		case "proxyjump":
			c.jump = v
		case "proxycommand":
			c.proxyCommand = v
		case "connecttimeout":
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				c.timeout = time.Duration(n) * time.Second
			}
		case "pubkeyauthentication":
			c.publicKey = v != "no" && v != "false"
		case "passwordauthentication":
			c.password = yes
		case "kbdinteractiveauthentication", "challengeresponseauthentication":
			c.kbdInt = yes
		case "batchmode":
			c.batch = yes
		}
	}
}

// splitPaths splits a list of files. ssh -G does not quote those with spaces,
// so what does not begin like a path belongs to the one before.
func splitPaths(v string) []string {
	var paths []string
	for _, word := range strings.Fields(v) {
		begins := strings.ContainsAny(word[:1], `/~%$\`) || word == "none" || len(word) > 2 && word[1] == ':'
		if !begins && len(paths) > 0 {
			paths[len(paths)-1] += " " + word
			continue
		}
		paths = append(paths, word)
	}
	return paths
}

// complete fills in what was not said and expands tokens, which ssh -G leaves.
func (c *sshConfig) complete(t sshTarget, home string, system *user.User, o *SSHOptions) {
	if c.user == "" {
		c.user = system.Username
		if i := strings.LastIndexByte(c.user, '\\'); i >= 0 {
			c.user = c.user[i+1:] // Windows: DOMAIN\user
		}
	}
	if c.port == "" {
		c.port = "22"
	}
	if c.family == "" {
		c.family = "tcp"
	}
	if c.strict == "" {
		c.strict = "ask"
	}
	if len(c.identities) == 0 {
		c.identities = defaultIdentities()
	}
	if len(c.userHosts) == 0 {
		c.userHosts = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	if len(c.globalHosts) == 0 {
		c.globalHosts = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	if c.timeout == 0 {
		c.timeout = o.ConnectTimeout
	}
	if c.timeout == 0 {
		c.timeout = defaultConnectTimeout
	}
	x := c.expander(t, home, system)
	c.alias = x.tokens(c.alias)
	x.values['k'] = c.host
	if c.alias != "" {
		x.values['k'] = c.alias
	}
	path := func(p string) string { return x.path(p, system.HomeDir, o.Getenv) }
	paths := func(list []string) []string {
		list = slices.DeleteFunc(list, func(p string) bool { return p == "none" })
		for i, p := range list {
			list[i] = path(p)
		}
		return list
	}
	c.identities, c.certificates = paths(c.identities), paths(c.certificates)
	c.userHosts, c.globalHosts = paths(c.userHosts), paths(c.globalHosts)
	switch {
	case c.agent == "" || c.agent == "SSH_AUTH_SOCK":
		c.agent = o.Getenv("SSH_AUTH_SOCK")
	case c.agent == "none":
		c.agent = ""
	case strings.HasPrefix(c.agent, "$") && !strings.HasPrefix(c.agent, "${"):
		c.agent = o.Getenv(c.agent[1:])
	default:
		c.agent = path(c.agent)
	}
	if c.jump == "none" {
		c.jump = ""
	}
	if c.proxyCommand == "none" {
		c.proxyCommand = ""
	}
	c.proxyCommand = x.tokens(c.proxyCommand)
}

// expander knows the tokens of ssh_config(5).
type expander struct {
	home   string
	values map[byte]string
}

func (c *sshConfig) expander(t sshTarget, home string, system *user.User) *expander {
	local, _ := os.Hostname()
	short, _, _ := strings.Cut(local, ".")
	hash := sha1.Sum([]byte(local + c.host + c.port + c.user + c.jump))
	return &expander{home: home, values: map[byte]string{
		'%': "%", 'd': home, 'h': c.host, 'i': system.Uid, 'j': c.jump, 'L': short, 'l': local, 'n': t.host, 'p': c.port, 'r': c.user, 'u': system.Username,
		'C': hex.EncodeToString(hash[:]),
	}}
}

// tokens replaces %x; an unknown one stays.
func (x *expander) tokens(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+1 < len(s) {
			if v, ok := x.values[s[i+1]]; ok {
				b.WriteString(v)
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// path expands a file name: ~, ${VAR} and tokens.
func (x *expander) path(p, systemHome string, getenv func(string) string) string {
	if p == "~" || strings.HasPrefix(p, "~/") {
		p = x.home + p[1:]
	} else if rest, ok := strings.CutPrefix(p, systemHome+"/"); ok && systemHome != "" && systemHome != "/" {
		// ssh -G has already put the home folder of the user database for some.
		p = x.home + "/" + rest
	}
	for from := 0; ; {
		i := strings.Index(p[from:], "${")
		if i < 0 {
			break
		}
		i += from
		end := strings.IndexByte(p[i:], '}')
		if end < 0 {
			break
		}
		v := getenv(p[i+2 : i+end])
		p, from = p[:i]+v+p[i+end+1:], i+len(v)
	}
	return x.tokens(p)
}

// jumps returns the hosts of ProxyJump, the nearest to this machine first.
func (c *sshConfig) jumps() []string {
	if c.jump == "" || c.proxyCommand != "" {
		return nil
	}
	return strings.Split(c.jump, ",")
}

// printable returns what of s can be shown in an error: one line, at most limit bytes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

var errTooManyJumps = errors.New("ProxyJump leads through too many hosts, or in a circle")
