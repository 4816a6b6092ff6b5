// Package bundle makes environments from secrets, in the forms that shells,
// tools and commands take them.
package bundle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Var is one variable of an environment.
type Var struct {
	Name  string
	Value secret.Value
	// Secret is the name of the secret that it comes from.
	Secret string
}

// Env is an environment under construction.
type Env struct {
	vars []Var
	errs []error
}

// Add adds the variables of a secret: those that the provider's spec names, or,
// for a base secret (sp is nil), one for each key, called as the key.
func (e *Env) Add(sp *spec.Spec, sec *secret.Secret) {
	if sp == nil {
		e.addBase(sec)
		return
	}
	before := len(e.vars)
	var lacks []string
	for _, v := range sp.Values {
		if len(v.Env) == 0 {
			continue
		}
		if value, ok := sec.Values[v.Name]; ok && !value.Empty() {
			e.set(Var{v.Env[0], value, sec.Name})
		} else if !v.Optional {
			lacks = append(lacks, v.Name)
		}
	}
	if sp.Document != "" {
		e.set(Var{sp.Document, document(sp, sec), sec.Name})
	}
	switch {
	case len(lacks) > 0:
		e.errs = append(e.errs, fmt.Errorf("%s has no value for %s", sec.Name, strings.Join(lacks, ", ")))
	case len(e.vars) == before:
		e.errs = append(e.errs, fault.WithHint(fmt.Errorf("%s has no variables: %s keeps it in files", sec.Name, sp.Title),
			"rhx load "+sec.Name+" writes the file"))
	}
}

func (e *Env) addBase(sec *secret.Secret) {
	if len(sec.Values) == 0 {
		e.errs = append(e.errs, fmt.Errorf("%s has no values", sec.Name))
	}
	for _, k := range sec.Values.Keys() {
		if !spec.ValidVar(k) {
			e.errs = append(e.errs, fmt.Errorf("%s: the key %q cannot be the name of a variable", sec.Name, k))
			continue
		}
		e.set(Var{k, sec.Values[k], sec.Name})
	}
}

// document is a whole secret as one JSON object, its trees as trees.
func document(sp *spec.Spec, sec *secret.Secret) secret.Value {
	root := &codec.Node{Kind: codec.Map}
	for _, k := range sp.Order(sec.Values.Keys()) {
		text := sec.Values[k].Reveal()
		node := codec.Text(text)
		if text != "" && (text[0] == '{' || text[0] == '[') {
			if tree, err := codec.FromJSON([]byte(text)); err == nil {
				node = tree
			}
		}
		root.Pairs = append(root.Pairs, codec.Pair{Key: k, Value: node})
	}
	return secret.NewValue(string(codec.ToJSON(root)))
}

// set adds a variable. Two secrets may give one variable only the same value.
func (e *Env) set(v Var) {
	if strings.ContainsRune(v.Value.Reveal(), 0) {
		e.errs = append(e.errs, fmt.Errorf("%s: the value for %s has a NUL byte, which no variable can hold", v.Secret, v.Name))
		return
	}
	i := slices.IndexFunc(e.vars, func(o Var) bool { return o.Name == v.Name })
	switch {
	case i < 0:
		e.vars = append(e.vars, v)
	case e.vars[i].Value != v.Value:
		e.errs = append(e.errs, fmt.Errorf("both %s and %s set %s, to different values", e.vars[i].Secret, v.Secret, v.Name))
	}
}

// Vars returns the variables in the order in which they were added, or an error
// that joins everything that is missing or in conflict.
func (e *Env) Vars() ([]Var, error) {
	if len(e.errs) > 0 {
		return nil, errors.Join(e.errs...)
	}
	return e.vars, nil
}

// Environ returns base, a list of NAME=VALUE, with vars set in it.
func Environ(base []string, vars []Var) []string {
	out := make([]string, 0, len(base)+len(vars))
	for _, kv := range base {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(vars, func(v Var) bool { return v.Name == name }) {
			out = append(out, kv)
		}
	}
	for _, v := range vars {
		out = append(out, v.Name+"="+v.Value.Reveal())
	}
	return out
}
