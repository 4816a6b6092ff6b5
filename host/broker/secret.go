package broker

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/dburl"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Secret is one that a command uses by placeholders.
type Secret struct {
	Name string
	// Limits narrow what its rules allow; each must.
	Limits []Limit

	uses []spec.Use
	// profile is that of its provider, which for a database says where that is.
	profile string
	values  secret.Values
	// placeholders has a text for each secret value, which the command gets instead. Public
	// values have none: the command gets those themselves.
	placeholders map[string]string
	// links are the URLs of databases among the values.
	links map[string]*link
}

// Limit says into which requests a secret is put. An empty field limits nothing.
type Limit struct {
	// Hosts are patterns as in [spec.Use].
	Hosts   []string
	Methods []string
	// Paths are prefixes of whole segments.
	Paths []string
}

// ErrNoRule is in the error of a value that the broker could not put in anywhere.
var ErrNoRule = errors.New("no rule says where it is put in")

// NewSecret makes the placeholders of a secret. It is an error if no rule of its provider's
// spec uses one of the values, or if no placeholder can be made for one: the command would
// get a text that is of no use to it. A secret without a provider has no spec; of it the URLs
// of databases can be used.
func NewSecret(sp *spec.Spec, sec *secret.Secret) (*Secret, error) {
	s := &Secret{Name: sec.Name, profile: sec.Profile, values: sec.Values, placeholders: map[string]string{}, links: map[string]*link{}}
	own := sp == nil
	if own {
		sp = ownSpec(sec)
	}
	for _, u := range sp.Use {
		if !slices.ContainsFunc(u.Keys(), func(key string) bool { return sec.Values[key].Empty() && !u.Optional(key) }) {
			s.uses = append(s.uses, u)
		}
	}
	public := provider.Public(sp, sec.Values)
	var without []string
	for _, key := range sec.Values.Keys() {
		v := sec.Values[key]
		switch {
		case v.Empty() || public(key):
		case !slices.ContainsFunc(s.uses, func(u spec.Use) bool { return slices.Contains(u.Keys(), key) }):
			if value, ok := sp.Value(key); ok && len(value.Env) > 0 {
				key += " ($" + value.Env[0] + ")"
			}
			without = append(without, key)
		case slices.ContainsFunc(s.uses, func(u spec.Use) bool { return u.Database != nil && u.Database.URL == key }):
			l, err := newLink(v.Reveal())
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", key, sec.Name, err)
			}
			s.links[key], s.placeholders[key] = l, l.stand
		default:
			var pattern *spec.Pattern
			if value, ok := sp.Value(key); ok {
				pattern = value.Pattern
			}
			text, err := placeholder(v.Reveal(), pattern)
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", key, sec.Name, err)
			}
			s.placeholders[key] = text
		}
	}
	if own && len(s.uses) == 0 {
		return nil, fault.Mark(fmt.Errorf("%s is no provider's: %w", sec.Name, ErrNoRule), ErrNoRule)
	}
	if len(without) > 0 {
		return nil, fault.Mark(fmt.Errorf("%s of %s: %w", strings.Join(without, ", "), sec.Name, ErrNoRule), ErrNoRule)
	}
	return s, nil
}

// ownSpec has the rules of a secret without a provider.
func ownSpec(sec *secret.Secret) *spec.Spec {
	sp := &spec.Spec{Name: sec.Name, Use: dburl.Uses(sec)}
	for _, key := range sec.Values.Keys() {
		sp.Values = append(sp.Values, spec.Value{Name: key})
	}
	return sp
}

// Given are the values that the command gets: placeholders, and what is public.
func (s *Secret) Given() secret.Values {
	out := secret.Values{}
	for key, v := range s.values {
		if text := s.placeholders[key]; text != "" {
			v = secret.NewValue(text)
		}
		out[key] = v
	}
	return out
}

// given is what the command has for a value.
func (s *Secret) given(key string) string {
	if text := s.placeholders[key]; text != "" {
		return text
	}
	return s.values[key].Reveal()
}

func (s *Secret) value(key string) string { return s.values[key].Reveal() }

// Hidden are the values that the command does not get.
func (s *Secret) Hidden() []secret.Value {
	var out []secret.Value
	for key := range s.placeholders {
		out = append(out, s.values[key])
		if l := s.links[key]; l != nil {
			out = append(out, l.Password)
		}
	}
	return out
}

// standIns are the placeholders of values, of the same length.
func (s *Secret) standIns() []mask.StandIn {
	var out []mask.StandIn
	for key, text := range s.placeholders {
		if s.links[key] == nil {
			out = append(out, mask.StandIn{Value: s.values[key], Text: text})
		}
	}
	return out
}

// fromLinks are the passwords of URLs. Nothing is sent to the hosts of HTTP that has one.
func (s *Secret) fromLinks() []mask.StandIn {
	var out []mask.StandIn
	for _, l := range s.links {
		value := l.Password.Reveal()
		text, err := placeholder(value, nil)
		if err != nil {
			text = strings.Repeat("*", len(value))
		}
		out = append(out, mask.StandIn{Value: l.Password, Text: text})
	}
	return out
}

// rules are those of its uses.
func (s *Secret) rules() []*rule {
	var out []*rule
	for i := range s.uses {
		if s.uses[i].Database == nil {
			out = append(out, newRule(s, &s.uses[i]))
		}
	}
	return out
}

// InQuery reports that a rule puts a value into URLs, which servers write into logs.
func (s *Secret) InQuery() bool {
	return slices.ContainsFunc(s.uses, func(u spec.Use) bool { return len(u.Query) > 0 })
}

// ForDatabase reports that it is for a login to a database.
func (s *Secret) ForDatabase() bool {
	return slices.ContainsFunc(s.uses, func(u spec.Use) bool { return u.Database != nil })
}

// Beyond returns the first of some patterns that none of the secret's hosts is within; ""
// if there is none such.
func (s *Secret) Beyond(patterns []string) string {
	for _, p := range patterns {
		name, port, _ := strings.Cut(p, ":")
		n, err := strconv.Atoi(cmp.Or(port, "443"))
		name = strings.ReplaceAll(strings.Replace(name, "**", "*.*", 1), "*", "-") // labels that no name of a rule has
		if err != nil || !slices.ContainsFunc(s.uses, func(u spec.Use) bool {
			return slices.Contains(u.Hosts, p) || u.Covers(name, n)
		}) {
			return p
		}
	}
	return ""
}
