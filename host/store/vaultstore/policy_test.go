package vaultstore

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

func mustPolicy(t *testing.T, s *Store, names []string, write bool) string {
	t.Helper()
	policy, err := s.Policy(t.Context(), names, write)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// A token with just the policy does what the policy is for, and nothing else.
func TestPolicySufficesAndIsNoMore(t *testing.T) {
	server := vaulttest.Shared(t)
	for version := 1; version <= 2; version++ {
		mount := server.MountKV(t, "team/kv", version, 0)
		root := open(t, mount+"/ml", server.Getenv(t, server.RootToken))
		with := func(names []string, write bool) *Store {
			return open(t, mount+"/ml", server.Getenv(t, server.Token(t, mustPolicy(t, root, names, write))))
		}
		sec, other := awsProd(), awsProd()
		other.Name = "aws/prod"
		put(t, root, sec, 0)
		put(t, root, other, 0)

		one := with([]string{sec.Name}, false)
		if r := get(t, one, sec.Name, 0); r.Provider != "aws" || !r.Secret.Values.Equal(sec.Values) {
			t.Errorf("version %d: got %+v", version, r.Info)
		}
		denied := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, store.ErrDenied) {
				t.Errorf("version %d: %s: %v", version, what, err)
			}
		}
		_, err := one.Get(t.Context(), other.Name, 0)
		denied("reading another secret", err)
		_, err = one.Put(t.Context(), sec, store.AnyVersion)
		denied("writing", err)
		_, err = one.List(t.Context())
		denied("listing", err)

		writer := with([]string{sec.Name}, true)
		changed := awsProd()
		changed.Sources = nil
		put(t, writer, changed, 1)
		if err := writer.Delete(t.Context(), sec.Name); err != nil {
			t.Errorf("version %d: delete: %v", version, err)
		}
		switch err := writer.Undelete(t.Context(), sec.Name, 0); {
		case version == 1 && !errors.Is(err, store.ErrUnsupported), version == 2 && err != nil:
			t.Errorf("version %d: undelete: %v", version, err)
		case version == 2:
			get(t, writer, sec.Name, 0)
			if err := writer.Delete(t.Context(), sec.Name); err != nil {
				t.Error(err)
			}
		}
		_, err = writer.Put(t.Context(), other, store.AnyVersion)
		denied("writing another secret", err)

		all := with(nil, false)
		if got := names(t, all); !slices.Equal(got, []string{other.Name}) {
			t.Errorf("version %d: listed %q", version, got)
		}
		get(t, all, other.Name, 0)
		_, err = all.Put(t.Context(), other, store.AnyVersion)
		denied("writing with a policy for reading", err)
		editor := with(nil, true)
		put(t, editor, sec, 0)
		if err := editor.Delete(t.Context(), other.Name); err != nil {
			t.Errorf("version %d: delete any: %v", version, err)
		}
	}
}

// A name that a policy would take for a pattern must not open more than itself.
func TestPolicyRefusesNamesThatArePatterns(t *testing.T) {
	server := vaulttest.Shared(t)
	s := open(t, server.MountKV(t, "kv", 2, 0), server.Getenv(t, server.RootToken))
	for _, name := range []string{"a*", "+/a", "a/+"} {
		policy, err := s.Policy(t.Context(), []string{name}, false)
		if err == nil && strings.ContainsAny(policy, "*+") || err != nil && fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v\n%s", name, err, policy)
		}
	}
}
