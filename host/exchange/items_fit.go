package exchange

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/rhx-dev/rhx/host/foreign"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// isWord reports whether a rune is part of a word.
func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// isFor reports whether an address is at a site to which a provider's secret is sent:
// people log in to console.example.com and have keys for api.example.com.
func isFor(sp *spec.Spec, address string) bool {
	at := siteOf(address)
	for i := range sp.Use {
		for _, h := range sp.Use[i].Hosts {
			name, _, _ := strings.Cut(h, ":")
			if at != "" && site(strings.TrimLeft(name, "*.")) == at {
				return true
			}
		}
	}
	return false
}

// siteOf is the site of an address, "" for none.
func siteOf(address string) string {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return site(strings.ToLower(u.Hostname()))
}

// site is the part of a host's name that one owner has: two labels, or three where the
// last two are a country's own.
func site(host string) string {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	n := 2
	if k := len(labels); k > 2 && len(labels[k-1]) == 2 && slices.Contains([]string{"co", "com", "net", "org", "gov", "ac", "edu"}, labels[k-2]) {
		n = 3
	}
	return strings.Join(labels[max(0, len(labels)-n):], ".")
}

// titled reports whether a name begins with the words of a provider's name, title or
// another name of it.
func titled(sp *spec.Spec, base string) bool {
	words := wordsOf(base[strings.LastIndexByte(base, '/')+1:])
	for _, name := range append([]string{sp.Name, sp.Title}, sp.Aliases...) {
		own := wordsOf(name)
		if len(own) > 0 && len(own) <= len(words) && slices.Equal(words[:len(own)], own) {
			return true
		}
	}
	return false
}

// keyNames are what people and tools call the one key of a provider.
var keyNames = []string{"token", "apikey", "apitoken", "accesstoken", "personalaccesstoken", "authtoken", "pat", "key", "secret", "credential", "secretkey", "apisecret", "accesskey"}

// fitting returns the values of a provider that are among an item's fields, and which
// fields these are; nil unless all are there that the provider needs. A password is one of
// them only where it has the provider's own form: it is that of an account.
func fitting(sp *spec.Spec, fields []foreign.Field) (secret.Values, []int) {
	values := secret.Values{}
	var taken []int
	take := func(v spec.Value, i int) {
		values[v.Name] = fields[i].Value
		taken = append(taken, i)
	}
	var secrets []spec.Value
	for _, v := range sp.Values {
		if !v.Optional && !v.Public {
			secrets = append(secrets, v)
		}
		names := namesOf(sp, v)
		for i, f := range fields {
			name := normal(f.Name)
			if slices.Contains(taken, i) || name == "password" || name == "username" || !slices.Contains(names, name) || !formOf(v, f, false) {
				continue
			}
			take(v, i)
			break
		}
	}
	if len(secrets) == 1 && values[secrets[0].Name].Empty() {
		var may []int
		for i, f := range fields {
			if !slices.Contains(taken, i) && formOf(secrets[0], f, normal(f.Name) == "password" || !slices.Contains(keyNames, normal(f.Name))) {
				may = append(may, i)
			}
		}
		if len(may) == 1 {
			take(secrets[0], may[0])
		}
	}
	if len(values) == 0 || !complete(sp, values) {
		return nil, nil
	}
	return values, taken
}

// formOf reports whether a field has the form of a value. Where the field's name does not
// say it, only a form of the provider's own does.
func formOf(v spec.Value, f foreign.Field, byForm bool) bool {
	text := f.Value.Reveal()
	switch {
	case v.Reject != nil && v.Reject.MatchString(text):
		return false
	case v.Pattern == nil:
		return !byForm
	}
	return v.Pattern.MatchString(text)
}

// complete reports whether values are all that a provider needs.
func complete(sp *spec.Spec, values secret.Values) bool {
	has := func(name string) bool { v := values[name]; return !v.Empty() }
	for _, v := range sp.Values {
		if !v.Optional && !has(v.Name) {
			return false
		}
	}
	all := func(group []string) bool { return !slices.ContainsFunc(group, func(n string) bool { return !has(n) }) }
	if len(sp.OneOf) > 0 && !slices.ContainsFunc(sp.OneOf, all) {
		return false
	}
	return !slices.ContainsFunc(sp.Together, func(g []string) bool { return slices.ContainsFunc(g, has) && !all(g) })
}

// namesOf are what a value of a provider may be called: by the spec, and by its variables
// with and without the provider's name.
func namesOf(sp *spec.Spec, v spec.Value) []string {
	names := []string{normal(v.Name)}
	for _, env := range v.Env {
		name := normal(env)
		names = append(names, name)
		for _, own := range append([]string{sp.Name}, sp.Aliases...) {
			if rest, ok := strings.CutPrefix(name, normal(own)); ok && rest != "" {
				names = append(names, rest)
			}
		}
	}
	return names
}

// normal is a name without case, and without what is between its words. Of the name of a
// section's field the last part counts.
func normal(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.Join(wordsOf(name), "")
}
