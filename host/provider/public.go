package provider

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Public returns which values of a secret may be shown: those that the spec (nil
// for a base secret) calls public, unless what they hold says otherwise. A value
// stays hidden where it equals or holds a secret value of the same record, has a
// password in a URL, a private key or a token of a known form in it, holds what was
// taken from another file, or is not as its pattern says: then it may be another
// value that came into its place.
func Public(sp *spec.Spec, values secret.Values) func(key string) bool {
	public := map[string]bool{}
	if sp != nil {
		var secrets []string
		for k, v := range values {
			if !sp.Public(k) {
				secrets = texts(v.Reveal(), secrets)
			}
		}
		for k, v := range values {
			public[k] = sp.Public(k) && harmless(sp, k, v.Reveal(), secrets) && !(k == "username" && slices.ContainsFunc(secrets, noPassword))
		}
	}
	return func(key string) bool { return public[key] }
}

// noPassword reports a placeholder for a password: services that take a token as the
// user name ask for one.
func noPassword(text string) bool { return text == "x-oauth-basic" || text == "x-oauth-token" }

// harmless reports whether a value that the spec calls public can be shown.
func harmless(sp *spec.Spec, key, text string, secrets []string) bool {
	v, _ := sp.Value(key)
	if v.Pattern != nil && !v.Pattern.MatchString(text) || inlinedIn(sp, key, text) {
		return false
	}
	for _, part := range texts(text, nil) {
		if revealing(part, secrets) {
			return false
		}
	}
	return true
}

// revealing reports whether a text is or holds one of the secrets, or what is a
// secret anywhere.
func revealing(text string, secrets []string) bool {
	for _, s := range secrets {
		if text == s || len(s) >= 4 && strings.Contains(text, s) {
			return true
		}
	}
	return SecretForm(text)
}

// texts appends a value and, where it is a tree, the texts in it. A lone "true" or
// "false" says nothing.
func texts(value string, out []string) []string {
	if value == "" || value == "true" || value == "false" {
		return out
	}
	out = append(out, value)
	if tree, ok := codec.TreeIn(value); ok {
		out = leaves(tree, out)
	}
	return out
}

func leaves(n *codec.Node, out []string) []string {
	if n.Kind == codec.String && n.Text != "" {
		out = append(out, n.Text)
	}
	for _, p := range n.Pairs {
		out = leaves(p.Value, out)
	}
	for _, item := range n.Items {
		out = leaves(item, out)
	}
	return out
}

// inlinedIn reports whether a value holds the content of a file that its document
// named.
func inlinedIn(sp *spec.Spec, key, text string) bool {
	for i := range sp.Files {
		for _, k := range sp.Files[i].Keys {
			if k.Value != key || len(k.Inline) == 0 {
				continue
			}
			tree, ok := codec.TreeIn(text)
			for _, in := range k.Inline {
				if ok && tree.Get(in.Into) != nil {
					return true
				}
			}
		}
	}
	return false
}

// secretForms matches what is a secret wherever it occurs: keys, passwords in URLs, and
// the tokens of services that have a prefix of their own.
var secretForms = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY` +
		`|://[^/?#\s"'@]*:[^/?#\s"'@]+@` +
		`|AGE-SECRET-KEY-1` +
		`|(?:^|[^A-Za-z0-9])(?:` + strings.Join(TokenForms(), "|") + `)`)
})

// TokenForms are expressions for the tokens of services that have a prefix of their own.
func TokenForms() []string {
	return []string{
		`gh[opusr]_[A-Za-z0-9]{20,}`, `github_pat_[A-Za-z0-9_]{20,}`, `gl[a-z]{2,5}-[A-Za-z0-9_-]{20,}`,
		`(?:hf|api_org)_[A-Za-z0-9]{20,}`, `sk-[A-Za-z0-9_-]{20,}`, `[sr]k_(?:live|test)_[A-Za-z0-9]{10,}`, `gsk_[A-Za-z0-9]{20,}`, `nvapi-[A-Za-z0-9_-]{20,}`,
		`xox[a-z]-[A-Za-z0-9-]{10,}`, `xapp-[A-Za-z0-9-]{10,}`, `AIza[A-Za-z0-9_-]{35}`, `ya29\.[A-Za-z0-9_-]{20,}`, `GOCSPX-[A-Za-z0-9_-]{20,}`, `1//0[A-Za-z0-9_-]{20,}`,
		`npm_[A-Za-z0-9]{36}`, `pypi-[A-Za-z0-9_-]{20,}`, `dckr_[a-z]+_[A-Za-z0-9_-]{20,}`, `do[opr]_v1_[a-f0-9]{20,}`, `hv[sbr]\.[A-Za-z0-9_-]{20,}`,
		`SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`, `gls[ac]_[A-Za-z0-9_=]{20,}`, `dapi[a-f0-9]{32}`, `tskey-[A-Za-z0-9-]{20,}`, `lin_api_[A-Za-z0-9]{20,}`,
		`shp(?:at|ss|ca|pa)_[a-fA-F0-9]{20,}`, `ATATT3[A-Za-z0-9_=-]{20,}`, `r8_[A-Za-z0-9]{20,}`, `pat[A-Za-z0-9]{14}\.[a-f0-9]{20,}`, `wandb_v1_[A-Za-z0-9_]{20,}`,
		`eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*`,
	}
}

// SecretForm reports whether a text contains what is a secret wherever it occurs.
func SecretForm(text string) bool { return secretForms().MatchString(text) }
