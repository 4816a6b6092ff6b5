// Package bundle makes environments from secrets, in the forms that shells,
// tools and commands take them.
package bundle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/childenv"
	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/hazard"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Var is one variable of an environment.
type Var struct {
	Name  string
	Value secret.Value
	// Secret is the name of the secret that it comes from.
	Secret string
	// Clears are variables that must not stay beside this one: they hold values
	// that the secret could have and does not, such as an old session token,
	// which a tool would mix with those it has.
	Clears []string
	// Also are other names of it. Tools differ in which they prefer: botocore takes
	// AWS_SECURITY_TOKEN before AWS_SESSION_TOKEN. See Beside.
	Also []string
}

// ErrNoVariables is the error of a secret that is kept in files only.
var ErrNoVariables = errors.New("no variables")

// ErrUnnamable is in the error of a key that cannot be a name.
var ErrUnnamable = errors.New("no name of a variable")

// ErrRuns is in the error of a key whose variable has programs run others.
var ErrRuns = errors.New("a variable that runs programs")

// Unasked returns an error for a base secret with keys by whose variables programs run
// others: whoever can write to the store must not be able to make this machine run
// programs. What a provider's spec or a manifest names was agreed to.
func Unasked(sec *secret.Secret) error {
	if sec.Provider != "" {
		return nil
	}
	keys := slices.DeleteFunc(sec.Values.Keys(), func(k string) bool { return !hazard.Runs(k) })
	if len(keys) == 0 {
		return nil
	}
	return fault.Mark(fmt.Errorf("%s has the key %s: a variable of that name runs programs; it is given only when asked for", sec.Name, strings.Join(keys, ", ")), ErrRuns)
}

// Names says which keys of base secrets can be names where the variables go. The zero
// value is for environments: other keys are errors.
type Names struct {
	// Format is one of Formats; "" is an environment.
	Format string
	// Skip leaves out the keys that cannot be names there.
	Skip bool
	// Unsafe allows what Unasked does not.
	Unsafe bool
	// Brokered is for a command whose broker gives what leads to a database: such a secret
	// needs no variables.
	Brokered bool
}

// fit reports whether a key can be a name there.
func (n Names) fit(key string) bool {
	switch n.Format {
	case "json", "yaml":
		return true
	case "k8s":
		// https://kubernetes.io/docs/concepts/configuration/secret: letters, digits,
		// "-", "_" and ".", at most 253.
		return key != "" && len(key) <= 253 && !strings.ContainsFunc(key, func(r rune) bool {
			return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
	}
	return spec.ValidVar(key)
}

// Env is an environment under construction.
type Env struct {
	// Names says which keys of base secrets can be names.
	Names Names
	// Skipped are the keys that were left out, as SECRET: KEY.
	Skipped []string

	vars   []Var
	clears []string
	errs   []error
}

// Add adds the variables of a secret: those that the provider's spec names, or,
// for a base secret (sp is nil), one for each key, called as the key.
func (e *Env) Add(sp *spec.Spec, sec *secret.Secret) {
	if sp == nil {
		e.addBase(sec)
		return
	}
	before, bad := len(e.vars), len(e.errs)
	var lacks []string
	for _, v := range sp.Values {
		if len(v.Env) == 0 {
			continue
		}
		if value, ok := sec.Values[v.Name]; ok && !value.Empty() {
			e.set(Var{Name: v.Env[0], Value: value, Secret: sec.Name, Also: v.Env[1:]})
			continue
		}
		if !v.Optional {
			lacks = append(lacks, v.Name)
		}
		if !v.Public {
			e.clears = append(e.clears, v.Env...)
		}
	}
	if sp.Document != "" && len(sec.Values) > 0 {
		e.set(Var{Name: sp.Document, Value: document(sp, sec), Secret: sec.Name})
	}
	switch {
	case len(lacks) > 0:
		e.errs = append(e.errs, fmt.Errorf("%s has no value for %s", sec.Name, strings.Join(lacks, ", ")))
	case !hasVariables(sp) && e.Names.Brokered && slices.ContainsFunc(sp.Use, func(u spec.Use) bool { return u.Database != nil }):
	case !hasVariables(sp):
		e.errs = append(e.errs, fault.WithHint(fault.Mark(fmt.Errorf("%s has no variables: %s keeps it in files", sec.Name, sp.Title), ErrNoVariables),
			"rhx load "+sec.Name+" writes the file"))
	case len(e.vars) == before && len(e.errs) == bad && !e.repeats(sp, sec):
		e.errs = append(e.errs, fmt.Errorf("%s has no values for variables", sec.Name))
	}
}

func hasVariables(sp *spec.Spec) bool {
	return sp.Document != "" || slices.ContainsFunc(sp.Values, func(v spec.Value) bool { return len(v.Env) > 0 })
}

// repeats reports whether another secret has given the variables of this one
// their values already.
func (e *Env) repeats(sp *spec.Spec, sec *secret.Secret) bool {
	if sp.Document != "" && len(sec.Values) > 0 {
		return true
	}
	return slices.ContainsFunc(sp.Values, func(v spec.Value) bool { return len(v.Env) > 0 && !sec.Values[v.Name].Empty() })
}

func (e *Env) addBase(sec *secret.Secret) {
	if len(sec.Values) == 0 {
		e.errs = append(e.errs, fmt.Errorf("%s has no values", sec.Name))
	}
	for _, k := range sec.Values.Keys() {
		if !e.Names.fit(k) && e.Names.Skip {
			e.Skipped = append(e.Skipped, sec.Name+": "+k)
			continue
		}
		if !e.Names.fit(k) {
			e.errs = append(e.errs, fault.Mark(fmt.Errorf("%s: the key %q cannot be the name of a variable", sec.Name, k), ErrUnnamable))
			continue
		}
		e.set(Var{Name: k, Value: sec.Values[k], Secret: sec.Name})
	}
}

// AddText adds a variable with a text that was put together; from says by what.
func (e *Env) AddText(name string, value secret.Value, from string) {
	e.set(Var{Name: name, Value: value, Secret: from})
}

// Fail has Vars fail with err, beside what else is wrong.
func (e *Env) Fail(err error) { e.errs = append(e.errs, err) }

// Drop takes variables out again.
func (e *Env) Drop(names []string) {
	e.vars = slices.DeleteFunc(e.vars, func(v Var) bool { return slices.Contains(names, v.Name) })
}

// document is a whole secret as one JSON object, its trees as trees.
func document(sp *spec.Spec, sec *secret.Secret) secret.Value {
	root := &codec.Node{Kind: codec.Map}
	for _, k := range sp.Order(sec.Values.Keys()) {
		text := sec.Values[k].Reveal()
		node, ok := codec.TreeIn(text)
		if !ok {
			node = codec.Text(text)
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
	vars := slices.Clone(e.vars)
	if len(vars) > 0 {
		vars[0].Clears = slices.DeleteFunc(slices.Clone(e.clears), func(name string) bool {
			return slices.ContainsFunc(vars, func(v Var) bool { return v.Name == name })
		})
	}
	return vars, nil
}

// openers are the variables that, beside the passphrases of rhx, open a store: a command that
// gets one secret must not be able to take all.
var openers = []string{"RHX_AGE_IDENTITY", "VAULT_TOKEN", "BAO_TOKEN"}

// Beside returns vars and, for each of their other names that base, a list of
// NAME=VALUE, has, a variable with the same value: an older one there could be the one
// that a tool takes.
func Beside(base []string, vars []Var) []Var {
	out := slices.Clone(vars)
	for _, kv := range base {
		name, _, _ := strings.Cut(kv, "=")
		i := slices.IndexFunc(vars, func(v Var) bool { return slices.Contains(v.Also, name) })
		if i >= 0 && !slices.ContainsFunc(out, func(v Var) bool { return v.Name == name }) {
			out = append(out, Var{Name: name, Value: vars[i].Value, Secret: vars[i].Secret})
		}
	}
	return out
}

// Environ returns base, a list of NAME=VALUE, with vars set in it, under other names
// that base has too, and without what they clear, what strip names, and what opens a
// store.
func Environ(base []string, vars []Var, strip ...string) []string {
	vars = slices.DeleteFunc(Beside(base, vars), func(v Var) bool { return slices.Contains(strip, v.Name) })
	out := make([]string, 0, len(base)+len(vars))
	for _, kv := range childenv.Without(base) {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.Contains(openers, name) && !slices.Contains(strip, name) && !slices.ContainsFunc(vars, func(v Var) bool { return v.Name == name || slices.Contains(v.Clears, name) }) {
			out = append(out, kv)
		}
	}
	for _, v := range vars {
		out = append(out, v.Name+"="+v.Value.Reveal())
	}
	return out
}
