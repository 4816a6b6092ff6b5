package dburl

import (
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Of is the kind and the address of the database that a rule is for, by the values of a
// secret or its name.
func Of(sec *secret.Secret, u *spec.UseDatabase) (kind string, at Address, err error) {
	if u.URL != "" {
		found, err := Parse(sec.Values[u.URL].Reveal())
		if err != nil {
			return "", at, err
		}
		return found.Kind, found.Address, nil
	}
	at, err = Pgpass(sec.Profile)
	return u.Kind, at, err
}

// Uses are the rules of a secret without a provider: each of its values that is the URL of
// a database is used as that.
func Uses(sec *secret.Secret) []spec.Use {
	var out []spec.Use
	for _, key := range sec.Values.Keys() {
		if Is(sec.Values[key].Reveal()) {
			out = append(out, spec.Use{Database: &spec.UseDatabase{URL: key}})
		}
	}
	return out
}
