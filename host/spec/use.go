package spec

import (
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/fault"
)

// Use says to which hosts a secret is sent, and where in a request it is: in
// headers, in the query, as user and password, or as a signature. It counts for
// a secret that has the values that it names.
type Use struct {
	// Hosts are names, "*.example.com" for those right below one, "**.example.com" for all below, with ":PORT" where it is
	// not 443.
	Hosts []string
	// Header and Query are the fields that hold the secret.
	Header, Query []UseField
	// Basic is the user and the password of HTTP's basic authentication; nil for none.
	Basic *UseBasic
	// Sign is how the request is signed; nil for not at all.
	Sign *UseSign
	// Database is a login to a database, which the secret itself names, so there are no
	// Hosts; nil for none.
	Database *UseDatabase
}

// UseField is a header or a parameter of the query. "{KEY}" in its text is the
// value KEY.
type UseField struct{ Name, Text string }

// UseBasic is HTTP's basic authentication; the texts are as in [UseField], and
// the user "*" is whatever the client sends.
type UseBasic struct{ User, Password string }

// UseSign is a way to sign a request. Values are the parts that it needs, and the
// secret's values that they are.
type UseSign struct {
	Method string
	Values []UseField
}

// Keys returns the values that are needed, in order.
func (u *Use) Keys() []string {
	var keys []string
	for _, f := range slices.Concat(u.Header, u.Query) {
		keys = append(keys, Holes(f.Text)...)
	}
	if u.Basic != nil {
		keys = append(append(keys, Holes(u.Basic.User)...), Holes(u.Basic.Password)...)
	}
	if u.Sign != nil {
		for _, f := range u.Sign.Values {
			keys = append(keys, f.Text)
		}
	}
	if u.Database != nil {
		keys = append(keys, u.Database.keys()...)
	}
	return keys
}

// How says in one line where in a request the secret is, for people.
func (u *Use) How() string {
	var parts []string
	for _, f := range u.Header {
		parts = append(parts, "header "+f.Name+": "+f.Text)
	}
	for _, f := range u.Query {
		parts = append(parts, "query "+f.Name+"="+f.Text)
	}
	if u.Basic != nil {
		user := u.Basic.User
		if user == "*" {
			user = "any user"
		}
		parts = append(parts, "basic authentication, "+user+" with "+u.Basic.Password)
	}
	if u.Sign != nil {
		parts = append(parts, "a signature, "+u.Sign.Method)
	}
	if u.Database != nil {
		parts = append(parts, u.Database.how())
	}
	return strings.Join(parts, ", ")
}

// Where says in one line where the secret is sent, for people.
func (u *Use) Where() string {
	if u.Database != nil {
		return u.Database.where()
	}
	return strings.Join(u.Hosts, ", ")
}

// signParts are the parts that a way to sign needs, and those that it may have.
func signParts() map[string][2][]string {
	return map[string][2][]string{"aws-sigv4": {{"access_key", "secret_key"}, {"session_token"}}}
}

func (d *decoder) use(n *yaml.Node, s *Spec) Use {
	var u Use
	fields := map[string]func(*yaml.Node){
		"hosts": func(n *yaml.Node) {
			d.Each(n, func(n *yaml.Node) { u.Hosts = append(u.Hosts, d.useHost(n)) })
		},
		"header": func(n *yaml.Node) { u.Header = d.useFields(n, "header", s) },
		"query":  func(n *yaml.Node) { u.Query = d.useFields(n, "query", s) },
		"basic":  func(n *yaml.Node) { u.Basic = d.useBasic(n, s) },
		"sign":   func(n *yaml.Node) { u.Sign = d.useSign(n, s) },
	}
	maps.Copy(fields, d.useDatabases(&u, s))
	d.Mapping(n, "use", fields)
	kinds := 0
	for _, has := range []bool{u.Header != nil, u.Query != nil, u.Basic != nil, u.Sign != nil, u.Database != nil} {
		if has {
			kinds++
		}
	}
	switch {
	case d.Err != nil:
	case u.Database != nil && len(u.Hosts) > 0:
		d.Fail(n, "a database has no hosts: the secret says where it is")
	case u.Database == nil && len(u.Hosts) == 0:
		d.Fail(n, "use needs hosts")
	case kinds != 1:
		d.Fail(n, "use has one of header, query, basic, sign, database and postgres")
	case !slices.ContainsFunc(u.Keys(), func(k string) bool { return !s.Public(k) }):
		d.Fail(n, "use sends no secret value")
	}
	return u
}

// useHost reads the name of a host. All hosts below a name of one label, such as
// *.com, would be a mistake.
func (d *decoder) useHost(n *yaml.Node) string {
	text := d.Text(n)
	if d.Err == nil && !validHost(text) {
		d.Fail(n, `a host is a name in lower case such as api.example.com, "*.example.com" for those right below it, "**.example.com" for all below it, with :PORT where it is not 443`)
	}
	return text
}

func validHost(text string) bool {
	name, port, hasPort := strings.Cut(text, ":")
	if hasPort && (port == "" || len(port) > 5 || port[0] == '0' || strings.Trim(port, "0123456789") != "") {
		return false
	}
	if below, ok := strings.CutPrefix(name, "**."); ok {
		name = below
	} else {
		name = strings.TrimPrefix(name, "*.")
	}
	labels := strings.Split(name, ".")
	if len(labels) < 2 || len(name) > 253 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

func (d *decoder) useFields(n *yaml.Node, what string, s *Spec) []UseField {
	fields := []UseField{}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		d.Fail(n, "%s must be a mapping, and not empty", what)
		return fields
	}
	d.Pairs(n, func(k, n *yaml.Node) {
		if k.Value == "" || strings.Trim(k.Value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			d.Fail(k, "%q is not the name of a %s", k.Value, map[string]string{"header": "header", "query": "parameter"}[what])
		}
		fields = append(fields, UseField{k.Value, d.useText(n, s)})
	})
	return fields
}

// useText reads text whose holes are values.
func (d *decoder) useText(n *yaml.Node, s *Spec) string {
	text := d.Text(n)
	switch {
	case d.Err != nil:
	case !holesClosed(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		d.Fail(n, "use has text in ASCII, in which {KEY} is a value")
	default:
		for _, hole := range Holes(text) {
			d.useKey(n, "use", hole, s)
		}
	}
	return text
}

// useKey checks that the value, which a part of the spec names, is one.
func (d *decoder) useKey(n *yaml.Node, what, name string, s *Spec) {
	if s.has(name) {
		return
	}
	var known []string
	for _, v := range s.Values {
		known = append(known, v.Name)
	}
	d.Fail(n, "%s names %q, which values does not have%s", what, name, fault.DidYouMean(name, known))
}

func (d *decoder) useBasic(n *yaml.Node, s *Spec) *UseBasic {
	b := &UseBasic{}
	d.Mapping(n, "basic", map[string]func(*yaml.Node){
		"user":     func(n *yaml.Node) { b.User = d.useText(n, s) },
		"password": func(n *yaml.Node) { b.Password = d.useText(n, s) },
	})
	return b
}

func (d *decoder) useSign(n *yaml.Node, s *Spec) *UseSign {
	sign := &UseSign{}
	ways := map[string]func(*yaml.Node){}
	for way, parts := range signParts() {
		ways[way] = func(n *yaml.Node) {
			sign.Method = way
			fields := map[string]func(*yaml.Node){}
			for _, part := range slices.Concat(parts[0], parts[1]) {
				fields[part] = func(n *yaml.Node) {
					name := d.Text(n)
					d.useKey(n, "use", name, s)
					sign.Values = append(sign.Values, UseField{part, name})
				}
			}
			d.Mapping(n, way, fields)
			for _, part := range parts[0] {
				if !slices.ContainsFunc(sign.Values, func(f UseField) bool { return f.Name == part }) {
					d.Fail(n, "%s needs %s", way, part)
				}
			}
		}
	}
	if d.Mapping(n, "sign", ways); d.Err == nil && (len(n.Content) != 2) {
		d.Fail(n, "sign has one way to sign: aws-sigv4")
	}
	return sign
}
