// Package runhouse reads what Runhouse keeps in ~/.rh: secrets as JSON files,
// login.env, and the places in config.yaml. It takes bytes and gives values;
// what the paths in them name is never opened here.
//
// The forms are those of Runhouse 0.0.22 to 0.0.42 (resources/secrets/secret.py,
// rns/login.py).
package runhouse

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Secret is one file secrets/NAME.json.
type Secret struct {
	// Name is without the folder that Runhouse puts before it.
	Name     string
	Provider string
	// Path is where Runhouse reads the values from, where it has none itself.
	Path   string
	Values secret.Values
}

// ParseSecret reads secrets/NAME.json.
func ParseSecret(data []byte) (*Secret, error) {
	root, err := decode("json", data)
	if err != nil {
		return nil, err
	}
	s := &Secret{Name: bareName(text(root, "name")), Provider: text(root, "provider"), Path: text(root, "path"), Values: secret.Values{}}
	if s.Name == "" {
		s.Name = s.Provider
	}
	if s.Name == "" {
		return nil, errors.New("it has no name")
	}
	values := root.Get("values")
	if values == nil || values.Kind == codec.Null {
		return s, nil
	}
	if values.Kind != codec.Map {
		return nil, errors.New(`its "values" are not an object`)
	}
	for _, p := range values.Pairs {
		if strings.ContainsFunc(p.Key, unicode.IsControl) {
			return nil, errors.New("a key of its values has a control character")
		}
		if p.Value.Scalar() {
			s.Values[p.Key] = secret.NewValue(p.Value.Text)
		} else {
			s.Values[p.Key] = secret.NewValue(string(codec.ToJSON(p.Value)))
		}
	}
	return s, nil
}

// bareName takes from a name the folder: "~/name", "/user/name".
func bareName(name string) string {
	name = strings.TrimPrefix(name, "^")
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(name, "/"); ok {
		if _, after, deep := strings.Cut(rest, "/"); deep {
			return after
		}
		return rest
	}
	return name
}

// Place is one entry of "secrets" in config.yaml: a path or variables.
type Place struct {
	Name, Path string
	Vars       []string
}

// ParsePlaces reads config.yaml. Its other keys, of which one is the account's
// token, are left out.
func ParsePlaces(data []byte) ([]Place, error) {
	root, err := decode("yaml", data)
	if err != nil {
		return nil, err
	}
	secrets := root.Get("secrets")
	if secrets == nil {
		return nil, nil
	}
	var out []Place
	for _, p := range secrets.Pairs {
		place := Place{Name: bareName(p.Key)}
		switch {
		case p.Value.Kind == codec.List:
			for _, v := range p.Value.Items {
				if v.Scalar() && spec.ValidVar(v.Text) {
					place.Vars = append(place.Vars, v.Text)
				}
			}
		case p.Value.Scalar():
			place.Path = p.Value.Text
		}
		if place.Path != "" || len(place.Vars) > 0 {
			out = append(out, place)
		}
	}
	return out, nil
}

// ParseEnv reads login.env: NAME=VALUE, a line each, with nothing quoted.
// Runhouse writes a value of several lines as it is, so what follows such a
// variable cannot be told from others: broken names it.
func ParseEnv(data []byte) (vars map[string]secret.Value, broken []string) {
	vars = map[string]secret.Value{}
	last := ""
	breaks := func() {
		if last != "" {
			delete(vars, last)
			broken = append(broken, last)
			last = ""
		}
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		name, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !ok || !spec.ValidVar(name):
			breaks()
		default:
			last = name
			if vars[name] = secret.NewValue(value); strings.HasPrefix(value, "-----BEGIN ") {
				breaks()
			}
		}
	}
	return vars, broken
}

func decode(format string, data []byte) (*codec.Node, error) {
	f, err := codec.New(format, codec.Options{})
	if err != nil {
		return nil, err
	}
	root, err := f.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("it is not %s: %w", format, err)
	}
	if root.Kind != codec.Map {
		return nil, fmt.Errorf("it is not a %s object", format)
	}
	return root, nil
}

func text(n *codec.Node, key string) string {
	if v := n.Get(key); v.Scalar() && v.Kind == codec.String {
		return v.Text
	}
	return ""
}
