package vaultstore

import (
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// FuzzNames asks a real Vault whether it keeps every valid name apart.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"aws/prod%20eu", "a", "a/b", "..a", "a\u2028/\xff", "rhx:base64:YQ", "a?b#c", "config", "data/metadata", "+/*", "a\\..\\b", "\u0085", "😀\u200d/e\u0301"} {
		f.Add(name)
	}
	server := vaulttest.Shared(f)
	stores := []*Store{
		open(f, server.MountKV(f, "kv", 1, 0)+"/p", server.Getenv(f, server.RootToken)),
		open(f, server.MountKV(f, "kv", 2, 0)+"/p", server.Getenv(f, server.RootToken)),
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		for _, s := range stores {
			sec := &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue(name)}}
			put(t, s, sec, store.AnyVersion)
			if r := get(t, s, name, 0); r.Secret.Values["k"].Reveal() != name {
				t.Errorf("%q came back with another's value", name)
			}
			if got := names(t, s); !slices.Equal(got, []string{name}) {
				t.Errorf("%q is listed as %q", name, got)
			}
			if err := s.Destroy(t.Context(), name); err != nil {
				t.Error(err)
			}
			if got := names(t, s); len(got) != 0 {
				t.Errorf("after destroying %q: listed %q", name, got)
			}
		}
	})
}
