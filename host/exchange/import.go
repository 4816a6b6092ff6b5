package exchange

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/runhouse"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Import is what another tool's folder has, beside what the store has of it.
type Import struct {
	Plan []Upload
	// From says for each of Plan what it was read from.
	From []string
	// Left are what cannot be imported, and why.
	Left []Leftover
	// Keys reports that what a secret holds is not said by From.
	Keys bool
	// Providers reports that a secret may be of a provider that its name does not say.
	Providers bool
}

// Leftover is something that stays where it is.
type Leftover struct {
	Name, Why string
	// NoValue reports that nothing of worth is left: there was no value to import.
	NoValue bool
}

// PlanRunhouse reads a folder of Runhouse, ~/.rh, and compares it with the
// store. It changes nothing, in the folder or elsewhere. Of files outside the
// folder it reads only those that rhx detect reads: what a path in the folder
// names is not opened because of that.
func (x *Exchange) PlanRunhouse(ctx context.Context, dir string) (*Import, error) {
	r := &runhouseImport{x: x, im: &Import{}}
	files, err := x.Local.Read(ctx, []string{
		machine.Quote(dir) + "/secrets/*json", machine.Quote(dir + "/secrets/login.env"), machine.Quote(dir + "/config.yaml")})
	if err != nil {
		return nil, err
	}
	var env, conf machine.File
	read := 0
	for _, f := range files {
		switch {
		case f.Path == dir+"/secrets/login.env":
			env = f
		case f.Path == dir+"/config.yaml":
			conf = f
		case f.Err == nil:
			r.file(ctx, f)
		case !errors.Is(f.Err, fs.ErrNotExist):
			r.left(path.Base(f.Path), f.Err.Error())
		}
		if f.Err == nil {
			read++
		}
	}
	if read == 0 {
		return nil, fault.WithHint(fmt.Errorf("%s has nothing of Runhouse", dir), "--from DIR names its folder, if not ~/.rh")
	}
	for _, f := range []machine.File{env, conf} {
		if f.Path != "" && f.Err != nil && !errors.Is(f.Err, fs.ErrNotExist) {
			r.left(path.Base(f.Path), f.Err.Error())
		}
	}
	r.loginEnv(ctx, env.Data)
	r.places(ctx, conf.Data)
	found := make([]provider.Found, len(r.found))
	for i, f := range r.found {
		found[i] = f.Found
		r.im.From = append(r.im.From, f.from)
	}
	if r.im.Plan, err = x.planUpload(ctx, found, nil); err != nil {
		return nil, err
	}
	return r.im, nil
}

// runhouseImport collects what is found.
type runhouseImport struct {
	x     *Exchange
	im    *Import
	found []imported
	// referred are the secrets that have their values elsewhere.
	referred []runhouse.Place
}

type imported struct {
	provider.Found
	from string
}

func (r *runhouseImport) left(name, why string) {
	r.im.Left = append(r.im.Left, Leftover{Name: name, Why: why})
}

// add takes a secret, unless there is one of its name already.
func (r *runhouseImport) add(f provider.Found, from string) {
	if err := secret.ValidName(f.Name); err != nil {
		r.left(from, err.Error())
		return
	}
	i := slices.IndexFunc(r.found, func(g imported) bool { return g.Name == f.Name })
	if i < 0 {
		r.found = append(r.found, imported{f, from})
		return
	}
	if f.State == provider.HasValue && !r.found[i].Values.Equal(f.Values) {
		r.left(f.Name, fmt.Sprintf("%s has other values than %s, which is taken", from, r.found[i].from))
	}
}

// file takes one file of secrets/.
func (r *runhouseImport) file(ctx context.Context, file machine.File) {
	from := "secrets/" + path.Base(file.Path)
	s, err := runhouse.ParseSecret(file.Data)
	switch {
	case err != nil:
		r.left(from, err.Error())
	case len(s.Values) == 0 && s.Path == "":
		r.left(s.Name, from+" has no values")
	case len(s.Values) == 0:
		r.referred = append(r.referred, runhouse.Place{Name: s.Name, Path: s.Path})
	default:
		for _, f := range r.convert(ctx, s) {
			r.add(f, from)
		}
	}
}

// convert turns a secret of Runhouse into one of rhx: that of a provider where
// its values are what the provider has, else a base secret.
func (r *runhouseImport) convert(ctx context.Context, s *runhouse.Secret) []provider.Found {
	base := provider.Found{Secret: secret.Secret{Name: s.Name, Values: s.Values}, State: provider.HasValue}
	if s.Provider == "" {
		return []provider.Found{base}
	}
	sp, err := r.x.Specs.Get(s.Provider)
	if err != nil {
		base.Notes = []string{"its provider is not known to rhx, so it is a secret of no provider"}
		return []provider.Found{base}
	}
	if sp.Name == "kubernetes" {
		return r.kubeconfig(ctx, sp, s)
	}
	f := base
	f.Provider, f.Values = sp.Name, secret.Values{}
	var dropped, lacks []string
	for _, k := range s.Values.Keys() {
		if _, ok := sp.Value(k); ok {
			f.Values[k] = s.Values[k]
		} else {
			dropped = append(dropped, k)
		}
	}
	for _, v := range sp.Values {
		if w := f.Values[v.Name]; !v.Optional && w.Empty() {
			lacks = append(lacks, v.Name)
		}
	}
	switch {
	case len(f.Values) == 0 || len(lacks) > 0:
		f.State, f.Err = provider.Invalid, fmt.Errorf("%s needs a value for %s", sp.Name, joined(lacks))
	case len(dropped) > 0:
		f.Notes = []string{"left out, because " + sp.Name + " has no such value: " + fmt.Sprintf("%q", dropped)}
	}
	switch {
	case len(sp.Files) > 0 && sp.Files[0].PerFile():
		// Runhouse calls a key pair ssh-FILE.
		f.Profile = strings.TrimPrefix(s.Name, s.Provider+"-")
		if s.Path != "" {
			f.Profile = path.Base(s.Path)
		}
		f.Name = secret.Name(sp.Name, f.Profile)
	case s.Name == s.Provider:
		f.Name = sp.Name
	}
	return []provider.Found{f}
}

// kubeconfig takes a whole kubeconfig apart, as rhx detect does: a secret for
// each context.
func (r *runhouseImport) kubeconfig(ctx context.Context, sp *spec.Spec, s *runhouse.Secret) []provider.Found {
	text := []byte("{")
	for i, k := range s.Values.Keys() {
		if i > 0 {
			text = append(text, ',')
		}
		value := s.Values[k].Reveal()
		if len(value) == 0 || value[0] != '[' && value[0] != '{' {
			value = quoted(value)
		}
		text = fmt.Appendf(text, "%s:%s", quoted(k), value)
	}
	text = append(text, '}')
	snap, err := provider.Take(ctx, inMemory("/.kube/config", text, nil), r.x.Guests, []*spec.Spec{sp})
	if err != nil {
		return []provider.Found{{Secret: secret.Secret{Name: s.Name, Provider: sp.Name}, State: provider.Invalid, Err: err}}
	}
	found := snap.Extract(ctx, sp)
	for i := range found {
		found[i].Sources = nil
	}
	if len(found) == 0 {
		found = []provider.Found{{Secret: secret.Secret{Name: s.Name, Provider: sp.Name}, State: provider.Invalid, Err: errors.New("it has no context")}}
	}
	return found
}

// loginEnv takes login.env: the variables that providers know, and the others
// in one secret of no provider.
func (r *runhouseImport) loginEnv(ctx context.Context, data []byte) {
	vars, broken := runhouse.ParseEnv(data)
	for _, name := range broken {
		r.left(name, "its value in login.env goes on over several lines")
	}
	env := map[string]string{}
	rest := secret.Values{}
	for name, v := range vars {
		env[name], rest[name] = v.Reveal(), v
	}
	if len(env) == 0 {
		return
	}
	found, err := r.x.Detector.On(ctx, inMemory("", nil, env))
	if err != nil && len(found) == 0 {
		r.left("login.env", err.Error())
		return
	}
	for _, f := range found {
		for _, s := range f.Sources {
			delete(rest, s.Var)
		}
		f.Sources = nil
		r.add(f, "secrets/login.env")
	}
	if len(rest) > 0 {
		r.add(provider.Found{Secret: secret.Secret{Name: "runhouse-env", Values: rest}, State: provider.HasValue}, "secrets/login.env")
	}
}

// places takes the secrets of which Runhouse has the place only, where rhx
// detect finds them there.
func (r *runhouseImport) places(ctx context.Context, data []byte) {
	places, err := runhouse.ParsePlaces(data)
	if err != nil {
		r.left("config.yaml", err.Error())
	}
	places = append(r.referred, places...)
	places = slices.DeleteFunc(places, func(p runhouse.Place) bool { return r.has(p.Name) })
	if len(places) == 0 {
		return
	}
	here, err := r.x.Detector.On(ctx, r.x.Local)
	if err != nil && len(here) == 0 {
		r.left("config.yaml", err.Error())
		return
	}
	for _, p := range places {
		if r.has(p.Name) {
			continue
		}
		at := slices.IndexFunc(here, func(f provider.Found) bool { return isAt(f, p) })
		switch {
		case at >= 0:
			r.add(here[at], placesText(here[at].Sources))
		case p.Path != "":
			r.left(p.Name, fmt.Sprintf("rhx detect does not find it in %s; rhx save --provider P --name N --from FILE takes it from there", p.Path))
		default:
			r.left(p.Name, "its variables are not set: "+joined(p.Vars))
		}
	}
}

// has reports whether a secret of Runhouse's name was taken.
func (r *runhouseImport) has(name string) bool {
	return slices.ContainsFunc(r.found, func(f imported) bool {
		return f.Name == name || f.Provider == "ssh" && "ssh-"+f.Profile == name || f.Provider == "kubernetes" && name == "kubernetes"
	})
}

// isAt reports whether a finding is the secret that Runhouse has at a place:
// its default profile, or a key pair.
func isAt(f provider.Found, p runhouse.Place) bool {
	if f.Profile != "" && f.Provider != "ssh" {
		return false
	}
	return slices.ContainsFunc(f.Sources, func(s secret.Source) bool {
		return p.Path != "" && s.Path == p.Path || s.Var != "" && slices.Contains(p.Vars, s.Var)
	})
}

// memoryHome is the home folder of a machine in memory.
const memoryHome = "/home/u"

// inMemory is a machine that has one file, below its home folder, or some variables.
func inMemory(file string, data []byte, env map[string]string) machine.Machine {
	m := machine.NewMemory("what is imported")
	if file != "" {
		m.PutFile(memoryHome+file, data, 0o600)
	}
	for name, value := range env {
		m.SetEnv(name, value)
	}
	return m
}

// quoted is text as JSON has it.
func quoted(text string) string { return string(codec.ToJSON(codec.Text(text))) }

func placesText(sources []secret.Source) string {
	texts := make([]string, len(sources))
	for i, s := range sources {
		texts[i] = s.String()
	}
	return joined(texts)
}
