package author

import (
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// registryOption is an option of a registry in an npmrc file, such as
// //registry.npmjs.org/:_authToken.
var registryOption = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^//.+/:(_authToken|_auth|_password|username|email)$`)
})

// isNpmrc reports whether a file is npm's, by its name or by what is in it.
func isNpmrc(base string, data []byte) bool {
	return strings.EqualFold(strings.TrimLeft(base, "._"), "npmrc") || regexp.MustCompile(`(?m)^\s*//[^\s=]+/:_[A-Za-z]+\s*=`).Match(data)
}

// registries draws an npmrc file of which every registry is a profile; found is
// false where it has none.
func (s *sketch) registries(root *codec.Node) (found bool, err error) {
	top := root.Get("")
	if top == nil {
		return false, nil
	}
	has := map[string]int{}
	values := 0
	for _, p := range top.Pairs {
		m := registryOption().FindStringSubmatch(p.Key)
		switch {
		case m == nil:
			if s.classOf(p.Key, p.Value) == hidden {
				s.dropped++
			}
			continue
		case !p.Value.Opaque && p.Value.Text != "":
			has[m[1]]++
			if m[1][0] == '_' {
				values++
			}
		case has[m[1]] == 0:
			has[m[1]] = 0
		}
	}
	if len(has) == 0 {
		return false, nil
	}
	here := spec.Path{}
	public := func(name string) {
		if has[name] > 0 {
			at := spec.Path{{Key: "//{profile}/:" + name}}
			s.values = append(s.values, sketched{Value: spec.Value{Name: name, Public: true, Optional: true}, at: at, root: true, in: has[name]})
		}
	}
	public("email")
	key := ""
	switch {
	case has["_authToken"] > 0:
		key = "_authToken"
		s.values = append(s.values, sketched{Value: spec.Value{Name: "token"}, at: here})
	case has["_auth"] > 0:
		key = "_auth"
		s.values = append(s.values, sketched{Value: spec.Value{Name: "username", Public: true}, at: here, as: "basic-user"},
			sketched{Value: spec.Value{Name: "password"}, at: here, as: "basic-password"})
	case has["_password"] > 0:
		key = "_password"
		public("username")
		s.values = append(s.values, sketched{Value: spec.Value{Name: "password"}, at: here, as: "base64"})
	default:
		return true, errors.New("its secrets are references to variables, and no values")
	}
	s.drawn, s.hosts = has[key], true
	s.dropped += values - has[key]
	s.profiles = &spec.Profiles{Option: "//*/:" + key}
	if top.Get("//registry.npmjs.org/:"+key) != nil {
		s.profiles.Default = "registry.npmjs.org"
	}
	return true, nil
}
