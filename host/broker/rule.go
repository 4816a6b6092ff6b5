package broker

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/spec"
)

// rule is a use of a secret, as texts: what the command sends, and what the server gets.
type rule struct {
	secret         *Secret
	use            *spec.Use
	header, query  []field
	user, password field
	sign           *signer
}

// field is a place in a request: what it has to hold, and what is put there then.
type field struct {
	name, from, to string
	// scheme is the first word, which is the same in upper and lower case; "" for none.
	scheme string
}

func newRule(s *Secret, u *spec.Use) *rule {
	r := &rule{secret: s, use: u}
	for _, f := range u.Header {
		r.header = append(r.header, newField(s, f.Name, f.Text))
	}
	for _, f := range u.Query {
		r.query = append(r.query, newField(s, f.Name, f.Text))
	}
	if u.Basic != nil {
		r.user, r.password = newField(s, "", u.Basic.User), newField(s, "", u.Basic.Password)
	}
	if u.Sign != nil {
		r.sign = newSigner(s, u.Sign)
	}
	return r
}

func newField(s *Secret, name, text string) field {
	f := field{name: name, from: fill(text, s.given), to: fill(text, s.value)}
	if word, rest, ok := strings.Cut(text, " "); ok && !strings.Contains(word, "{") && rest != "" {
		f.scheme = word
	}
	return f
}

// fill puts values into the holes of a text of a spec.
func fill(text string, value func(key string) string) string {
	var pairs []string
	for _, key := range spec.Holes(text) {
		pairs = append(pairs, "{"+key+"}", value(key))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// hides reports whether the field has a placeholder, so that there is a value to put in.
func (f *field) hides() bool { return f.from != f.to }

// in returns the text with the values, for one with the placeholders.
func (f *field) in(text string) (string, bool) {
	if !f.hides() {
		return "", false
	}
	if f.scheme == "" {
		return f.to, text == f.from
	}
	word, rest, _ := strings.Cut(text, " ")
	if !strings.EqualFold(word, f.scheme) || f.scheme+" "+strings.TrimLeft(rest, " ") != f.from {
		return "", false
	}
	return f.to, true
}

// hosts are the patterns of the hosts that it is for.
func (r *rule) hosts() []string { return r.use.Hosts }

func (r *rule) covers(host string, port int) bool {
	if !r.use.Covers(host, port) {
		return false
	}
	return !slices.ContainsFunc(r.secret.Limits, func(l Limit) bool { return !l.coversHost(host, port) })
}

func (l Limit) coversHost(host string, port int) bool {
	return len(l.Hosts) == 0 || slices.ContainsFunc(l.Hosts, func(p string) bool { return spec.HostMatches(p, host, port) })
}

func (l Limit) coversPath(u *url.URL) bool {
	return len(l.Paths) == 0 || slices.ContainsFunc(l.Paths, func(prefix string) bool { return below(u, prefix) })
}

// Covers reports whether it leaves requests to a URL of that host, with a method that it has.
func (l Limit) Covers(host string, port int, u *url.URL) bool {
	return l.coversHost(host, port) && l.coversPath(u)
}

// allows says why a secret may not be used for a request; "" where it may.
func (s *Secret) allows(r *http.Request) string {
	for _, l := range s.Limits {
		if name := override(r.Header); name != "" && len(l.Methods)+len(l.Paths) > 0 {
			return "the manifest allows " + s.Name + " with some methods or paths only, and the header " + name + " may stand for others"
		}
		if len(l.Methods) > 0 && !slices.Contains(l.Methods, r.Method) {
			return "the manifest allows " + s.Name + " with " + strings.Join(l.Methods, ", ") + " only, not with " + r.Method
		}
		if !l.coversPath(r.URL) {
			return "the manifest allows " + s.Name + " for other paths only"
		}
	}
	return ""
}

// override is a header by which some servers take another method or path than those of
// the request; "" where there is none.
func override(h http.Header) string {
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url"} {
		if len(h[name]) > 0 {
			return name
		}
	}
	return ""
}

// below reports that a path is a prefix, or goes on from there with a slash. One that
// servers may read as another path is below nothing.
func below(u *url.URL, prefix string) bool {
	raw := strings.ToLower(u.EscapedPath())
	clean := path.Clean(u.Path)
	if strings.HasSuffix(u.Path, "/") && clean != "/" {
		clean += "/"
	}
	if !utf8.ValidString(u.Path) || strings.ContainsFunc(u.Path, unicode.IsControl) {
		return false
	}
	if clean != u.Path || strings.ContainsAny(u.Path, "\\;\x00") || strings.Contains(raw, "%2f") || strings.Contains(raw, "%2e") || strings.Contains(raw, "%25") {
		return false
	}
	if strings.HasSuffix(prefix, "/") {
		return strings.HasPrefix(u.Path, prefix)
	}
	return u.Path == prefix || strings.HasPrefix(u.Path, prefix+"/")
}

// put puts the values into a request, where it has the placeholders, and reports whether
// it has some. The error is of one that cannot be made right.
func (r *rule) put(req *http.Request) (bool, error) {
	switch {
	case r.sign != nil:
		return r.sign.put(req)
	case r.use.Basic != nil:
		return r.putBasic(req), nil
	case len(r.query) > 0:
		return r.putQuery(req), nil
	}
	did := false
	for i := range r.header {
		did = r.header[i].putHeader(req.Header) || did
	}
	return did, nil
}

func (f *field) putHeader(h http.Header) bool {
	did := false
	for i, text := range h[http.CanonicalHeaderKey(f.name)] {
		if strings.EqualFold(f.name, "Cookie") {
			crumbs := strings.Split(text, ";")
			for j, c := range crumbs {
				bare := strings.TrimLeft(c, " ")
				if to, ok := f.in(bare); ok {
					crumbs[j] = c[:len(c)-len(bare)] + to
					did = true
				}
			}
			h[http.CanonicalHeaderKey(f.name)][i] = strings.Join(crumbs, ";")
		} else if to, ok := f.in(text); ok {
			h[http.CanonicalHeaderKey(f.name)][i] = to
			did = true
		}
	}
	return did
}

func (r *rule) putBasic(req *http.Request) bool {
	list := req.Header["Authorization"]
	if len(list) != 1 {
		return false
	}
	scheme, data, _ := strings.Cut(list[0], " ")
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(data))
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return false
	}
	user, password, ok := strings.Cut(string(text), ":")
	anyUser := r.use.Basic.User == "*"
	if !ok || password != r.password.from || !anyUser && user != r.user.from || !r.password.hides() && !r.user.hides() {
		return false
	}
	if !anyUser {
		user = r.user.to
	}
	list[0] = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+r.password.to))
	return true
}

// putQuery changes the parameter alone: the rest of the query stays as it is.
func (r *rule) putQuery(req *http.Request) bool {
	parts := strings.Split(req.URL.RawQuery, "&")
	did := false
	for i, part := range parts {
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			continue
		}
		for j := range r.query {
			if to, ok := r.query[j].in(value); ok && r.query[j].name == name {
				parts[i] = rawName + "=" + url.QueryEscape(to)
				did = true
			}
		}
	}
	if did {
		req.URL.RawQuery = strings.Join(parts, "&")
	}
	return did
}

// reflects reports that the server gets a value by the rule, and so could send it back.
// A signature gives nothing away but the token of a session.
func (r *rule) reflects() bool { return r.sign == nil || r.sign.token != "" }
