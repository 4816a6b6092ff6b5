package machine

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"os/user"
	"strings"
	"unicode"
)

// expander knows the tokens of ssh_config(5), as they are for one host.
type expander struct {
	home   string
	getenv func(string) string
	values map[byte]string
}

func newExpander(c *sshConfig, t sshTarget, system *user.User, getenv func(string) string) *expander {
	local, _ := os.Hostname()
	short, _, _ := strings.Cut(local, ".")
	hash := sha1.Sum([]byte(local + c.host + c.port + c.user + c.jump))
	return &expander{home: system.HomeDir, getenv: getenv, values: map[byte]string{
		'%': "%", 'd': system.HomeDir, 'h': c.host, 'i': system.Uid, 'j': c.jump, 'L': short, 'l': local, 'n': t.host, 'p': c.port, 'r': c.user, 'u': system.Username,
		'C': hex.EncodeToString(hash[:]),
	}}
}

// tokens replaces %x; an unknown one stays.
func (x *expander) tokens(s string) string { return x.with(s, nil) }

// with replaces %x, also those of more.
func (x *expander) with(s string, more map[byte]string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+1 < len(s) {
			v, ok := more[s[i+1]]
			if !ok {
				v, ok = x.values[s[i+1]]
			}
			if ok {
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
func (x *expander) path(p string) string {
	if p == "~" || strings.HasPrefix(p, "~/") {
		p = x.home + p[1:]
	}
	return x.tokens(x.variables(p))
}

// variables replaces ${VAR}.
func (x *expander) variables(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			b.WriteString("${" + rest)
			return b.String()
		}
		b.WriteString(x.getenv(name))
		s = after
	}
}

// paths expands the files of a setting, or those of the default where it is not
// set. The word none stands for no file.
func (x *expander) paths(files *[]string, defaults ...string) {
	list := *files
	if list == nil {
		list = defaults
	}
	*files = []string{}
	for _, p := range list {
		if p != "none" {
			*files = append(*files, x.path(p))
		}
	}
}

// printable returns what of s can be shown in an error: one line, at most limit bytes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == '\uFFFD' || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
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
