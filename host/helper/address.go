package helper

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/spec"
)

// address is where a secret may go: a scheme, a host, a path. The scheme is "" where
// the text has none.
type address struct {
	scheme string
	// host is in lower case, with a port unless that is the scheme's own.
	host string
	// path has no slash at its ends.
	path string
}

func (a address) String() string {
	text := a.host
	if a.scheme != "" {
		text = a.scheme + "://" + text
	}
	if a.path != "" {
		text += "/" + a.path
	}
	return text
}

// parseAddress takes an address apart. One with a user, a query or a fragment is none:
// two readers could see two hosts in it.
func parseAddress(text string) (address, bool) {
	var a address
	if len(text) > maxAddress || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.ContainsAny(text, `@?#\`) {
		return a, false
	}
	rest := text
	if scheme, after, ok := strings.Cut(text, "://"); ok {
		a.scheme, rest = strings.ToLower(scheme), after
		if !validScheme(a.scheme) {
			return a, false
		}
	}
	host, path, _ := strings.Cut(rest, "/")
	a.host = strings.ToLower(host)
	if !validHost(a.host) {
		return a, false
	}
	switch a.scheme {
	case "https", "sparse+https":
		a.host = strings.TrimSuffix(a.host, ":443")
	case "http", "sparse+http":
		a.host = strings.TrimSuffix(a.host, ":80")
	}
	var err error
	a.path, err = url.PathUnescape(strings.Trim(path, "/"))
	return a, err == nil
}

// maxAddress is how long an address may be in bytes.
const maxAddress = 2048

func validScheme(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == ""
}

// validHost reports whether a text is a name or an IP address, with a port or without.
func validHost(text string) bool {
	name, port := text, ""
	if end := strings.LastIndexByte(text, ']'); strings.HasPrefix(text, "[") && end > 1 {
		name, port = text[1:end], text[end+1:]
		if strings.Trim(name, "0123456789abcdef:.") != "" {
			return false
		}
		name = "ipv6"
	} else if i := strings.IndexByte(text, ':'); i >= 0 {
		name, port = text[:i], text[i:]
	}
	if port != "" && (len(port) < 2 || len(port) > 6 || port[0] != ':' || strings.Trim(port[1:], "0123456789") != "") {
		return false
	}
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	})
}

// fits reports whether a secret for an address may go to the one that is asked for.
// kept says that it is one of those that the client stores.
func (q *question) fits(have address, kept bool) bool {
	at := *q.at
	switch q.protocol {
	case spec.ProtocolGit:
		// A path is asked for with credential.useHttpPath only. What git stored is then for
		// that path; a token of a host is for all of it.
		return at.scheme == have.scheme && at.host == have.host &&
			(at.path == "" || at.path == have.path || have.path == "" && !kept)
	case spec.ProtocolKeyring:
		return at.scheme == have.scheme && at.host == have.host &&
			(have.path == "" || at.path == have.path || strings.HasPrefix(at.path, have.path+"/") && !climbs(at.path))
	}
	return q.same(have)
}

// climbs reports whether a path goes up, so that it may not be below what it begins with.
func climbs(path string) bool {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	return slices.Contains(parts, "..")
}

// same reports whether a secret's address is the one that is asked for, and not one that
// it is for as well.
func (q *question) same(have address) bool {
	if q.protocol == spec.ProtocolDocker {
		return dockerAddress(*q.at) == dockerAddress(have)
	}
	return *q.at == have
}

// dockerAddress is an address of a registry in the one form for all that its clients
// write. One without a scheme is of https, as for docker.
func dockerAddress(a address) address {
	if a.scheme == "" {
		a.scheme = "https"
		a.host = strings.TrimSuffix(a.host, ":443")
	}
	if a.path == "v1" || a.path == "v2" {
		a.path = ""
	}
	switch a.host {
	case "docker.io", "registry-1.docker.io":
		a.host = "index.docker.io"
	}
	return a
}
