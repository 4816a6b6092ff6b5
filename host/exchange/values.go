package exchange

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// NoProvider is the provider's name that means none.
const NoProvider = "none"

// NewSecret returns a secret without values yet, to be saved under a name. Its
// provider is the one that is given, NoProvider for none, else the one that its name
// begins with. The profile is the rest of the name after the provider; where each
// profile is a file of its own (key pairs), a name that is the user's own is the
// profile, so that the secret can be loaded.
func (x *Exchange) NewSecret(name, providerName string) (*secret.Secret, error) {
	sec := &secret.Secret{Name: name, Values: secret.Values{}}
	if providerName == NoProvider {
		return sec, nil
	}
	first, profile := secret.SplitName(name)
	if providerName == "" {
		providerName = first
		if _, err := x.Specs.Get(first); err != nil && !x.Specs.Known(first) {
			return sec, nil // a base secret
		}
	}
	sp, err := x.Specs.Get(providerName)
	if err != nil {
		return nil, err
	}
	sec.Provider = sp.Name
	switch {
	case !x.ownName(sp, name):
		if sec.Profile = profile; first != sp.Name {
			sec.Name = secret.Name(sp.Name, profile) // an alias: the secret is called as the provider is
		}
	case !sp.HasDefault():
		sec.Profile = name[strings.LastIndexByte(name, '/')+1:]
	}
	return sec, nil
}

// CheckValues compares the keys of a secret with those that its provider knows, and
// refuses an empty value of the keys in given. Values that the secret had before may
// be empty: that is not for this save to change.
func (x *Exchange) CheckValues(sec *secret.Secret, given []string) error {
	if err := checkReport(sec.Values); err != nil {
		return err
	}
	for _, k := range given {
		if v := sec.Values[k]; v.Empty() {
			return fault.WithHint(fault.WithKind(fmt.Errorf("the value of %s is empty", k), fault.Usage), "--allow-empty saves it all the same")
		}
	}
	if sec.Provider == "" {
		return nil
	}
	sp, err := x.Specs.Get(sec.Provider)
	if err != nil {
		return err
	}
	return checkKeys(sp, sec.Values)
}

func checkKeys(sp *spec.Spec, values secret.Values) error {
	var known []string
	for _, v := range sp.Values {
		known = append(known, v.Name)
	}
	for _, k := range values.Keys() {
		if _, ok := sp.Value(k); !ok {
			return fault.WithHint(fault.WithKind(fmt.Errorf("%s has no value %q%s", sp.Name, k, fault.DidYouMean(k, known)), fault.Usage),
				"its values are "+strings.Join(known, ", ")+"; --provider none saves any keys under this name")
		}
	}
	for _, v := range sp.Values {
		if w, ok := values[v.Name]; !v.Optional && (!ok || w.Empty()) {
			return fault.WithKind(fmt.Errorf("%s needs a value for %s", sp.Name, v.Name), fault.Usage)
		}
	}
	return nil
}

// checkReport refuses what rhx show -o json prints, of which the values are a part.
func checkReport(values secret.Values) error {
	for _, key := range []string{"name", "provider", "version", "values"} {
		if _, ok := values[key]; !ok {
			return nil
		}
	}
	if !strings.HasPrefix(values["values"].Reveal(), "{") {
		return nil
	}
	return fault.WithHint(fault.WithKind(errors.New("this is what rhx show -o json prints, not the values alone"), fault.Usage),
		"rhx show NAME --reveal -o json | jq .values gives the values; rhx save with KEY=- takes any key")
}
