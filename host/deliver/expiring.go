package deliver

import (
	"slices"

	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
)

// form is how a secret is in a file.
type form struct {
	// format is "" for the provider's own form.
	format string
	sec    *secret.Secret
}

// form notes how a secret goes into a file, for those that are to be taken out again.
func (w *delivering) form(name string, sp *spec.Spec, own bool, sec *secret.Secret) {
	if w.forms == nil {
		w.forms = map[string]form{}
	}
	f := form{sec: sec}
	if !own {
		f.format = sp.Files[0].Format
	}
	w.forms[name] = f
}

// expiring are the places out of which secrets are to be taken again.
func (w *delivering) expiring() []session.Expiry {
	var out []session.Expiry
	for i := range w.out {
		o := &w.out[i]
		ttl := w.what.TTL[o.Secret]
		if ttl == 0 || o.Err != nil {
			continue
		}
		e := session.Expiry{Secret: o.Stored, Path: o.Source.Path, TTL: ttl, Created: o.Action == provider.Created}
		if e.Secret == "" {
			e.Secret = o.Secret
		}
		if o.Source.Path == "" {
			out = w.addVar(out, e, o)
			continue
		}
		f := w.forms[o.Secret]
		e.Provider, e.Profile, e.Format, e.Values = f.sec.Provider, f.sec.Profile, f.format, f.sec.Values
		if w.at != place.Here && w.expiresWhole(o.File) {
			e.Was, e.Is = w.fileOf(o.File)
		}
		out = append(out, e)
	}
	return out
}

// addVar adds a variable to the place of its secret in the env file.
func (w *delivering) addVar(out []session.Expiry, e session.Expiry, o *session.Outcome) []session.Expiry {
	if o.Action == provider.Removed {
		return out
	}
	i := slices.IndexFunc(out, func(x session.Expiry) bool { return x.Path == "" && x.Secret == e.Secret })
	if i < 0 {
		i = len(out)
		e.Values = secret.Values{}
		out = append(out, e)
	}
	out[i].Vars = append(out[i].Vars, o.Source.Var)
	for _, g := range w.what.Vars {
		for _, v := range g.Vars {
			if g.Name == o.Secret && v.Name == o.Source.Var {
				out[i].Values[v.Name] = v.Value
			}
		}
	}
	return out
}

// expiresWhole reports whether all that this delivery has in a file is to be taken out.
func (w *delivering) expiresWhole(file string) bool {
	return !slices.ContainsFunc(w.out, func(o session.Outcome) bool {
		return o.File == file && (w.what.TTL[o.Secret] == 0 || o.Err != nil)
	})
}

// fileOf is the content of a file before the delivery, nil for none, and after it.
func (w *delivering) fileOf(file string) (was, is []byte) {
	for _, c := range w.changes {
		if c.Path == file {
			return c.Old, c.Data
		}
	}
	data := w.snap.File(file).Data
	return data, data
}
