package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// ExtractEnv returns the secret that the provider's variables hold, whatever
// the files hold.
func (s *Snapshot) ExtractEnv(sp *spec.Spec) (Found, error) {
	f, ok := s.extractEnv(sp)
	if !ok {
		var names []string
		for _, v := range sp.Values {
			if len(v.Env) > 0 {
				names = append(names, v.Env[0])
			}
		}
		if sp.Document != "" {
			names = append(names, sp.Document)
		}
		if len(names) == 0 {
			return Found{}, fmt.Errorf("%s has no variables; its secret is in files", sp.Name)
		}
		return Found{}, fmt.Errorf("no variable of %s is set (%s)", sp.Name, strings.Join(names, ", "))
	}
	return f, f.Err
}

// extractEnv returns the secret in the provider's variables; false where none
// of them is set.
func (s *Snapshot) extractEnv(sp *spec.Spec) (Found, bool) {
	found := Found{Secret: secret.Secret{Name: sp.Name, Provider: sp.Name}, State: HasValue}
	texts := map[string]string{}
	var lacks []string
	for _, v := range sp.Values {
		if len(v.Env) == 0 {
			// Where a needed value has no variable, the others are settings.
			if !v.Optional && sp.Document == "" {
				return Found{}, false
			}
			continue
		}
		// "export $(cat .env)" on a file with CRLF leaves a carriage return.
		i := slices.IndexFunc(v.Env, func(name string) bool { return strings.TrimRight(s.Info.Env[name], "\r\n") != "" })
		if i < 0 {
			if !v.Optional {
				lacks = append(lacks, v.Env[0])
			}
			continue
		}
		text := strings.TrimRight(s.Info.Env[v.Env[i]], "\r\n")
		for _, other := range v.Env[i+1:] {
			if t := strings.TrimRight(s.Info.Env[other], "\r\n"); t != "" && t != text {
				found.Notes = append(found.Notes, fmt.Sprintf("%s and %s have different values, and tools differ in which they use; rhx reads %s", v.Env[i], other, v.Env[i]))
			}
		}
		if v.Reject != nil && v.Reject.MatchString(text) {
			if !v.Optional {
				lacks = append(lacks, v.Env[0])
			}
			continue
		}
		texts[v.Name] = text
		found.Sources = append(found.Sources, secret.Source{Kind: secret.SourceEnv, Var: v.Env[i]})
	}
	if doc := s.Info.Env[sp.Document]; len(texts) == 0 && strings.HasPrefix(strings.TrimSpace(doc), "{") {
		return s.extractDocument(sp, found, doc)
	}
	if len(texts) == 0 || settings(sp, texts) {
		return Found{}, false
	}
	for _, group := range sp.Together {
		for _, name := range lackingOf(group, texts) {
			if v, _ := sp.Value(name); len(v.Env) > 0 && !slices.Contains(lacks, v.Env[0]) {
				lacks = append(lacks, v.Env[0])
			}
		}
	}
	for _, group := range sp.OneOf {
		if none(group, texts) {
			v, _ := sp.Value(group[0])
			lacks = append(lacks, v.Env...)
		}
	}
	if len(lacks) > 0 {
		var set []string
		for _, src := range found.Sources {
			set = append(set, src.Var)
		}
		found.State = Invalid
		found.Err = fmt.Errorf("%s is set, but %s is not", strings.Join(set, ", "), strings.Join(lacks, ", "))
		return found, true
	}
	s.fill(sp, &found, texts)
	return found, true
}

// settings reports whether texts are nothing but public values that a secret can lack,
// such as the address of a server. They are no secret, unless a file of the spec has
// only such values, too.
func settings(sp *spec.Spec, texts map[string]string) bool {
	secret := false
	for _, v := range sp.Values {
		if texts[v.Name] != "" && (!v.Public || !v.Optional) {
			return false
		}
		secret = secret || !v.Public
	}
	return secret && !slices.ContainsFunc(sp.Files, func(f spec.File) bool { return len(f.Keys) > 0 && counts(sp, &f, texts) })
}

// extractDocument returns the secret in a variable's text, which begins with a brace.
func (s *Snapshot) extractDocument(sp *spec.Spec, found Found, doc string) (Found, bool) {
	found.Sources = []secret.Source{{Kind: secret.SourceEnv, Var: sp.Document}}
	root, err := codec.FromJSON([]byte(doc))
	if err != nil {
		found.State, found.Err = Invalid, fmt.Errorf("%s is not a JSON document", sp.Document)
		return found, true
	}
	texts := map[string]string{}
	readAny(&spec.File{}, root, entry{}, spec.Key{Value: "*", At: []spec.Path{{}}}, texts)
	s.fill(sp, &found, texts)
	return found, len(texts) > 0
}
