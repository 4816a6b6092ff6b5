package provider_test

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// overwriting are options that replace what differs, or not.
func overwriting(yes bool) provider.Options {
	if yes {
		return provider.Options{Resolve: provider.ReplaceAll}
	}
	return provider.Options{}
}

// What differs is asked about once, with the values that are there; nothing else is.
func TestResolveIsAskedOnce(t *testing.T) {
	sp := builtin(t, "aws")
	for _, yes := range []bool{false, true} {
		m := newMachine(map[string]string{".aws/credentials": "[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = OLD\n"})
		var asked []string
		opts := provider.Options{Resolve: func(c *provider.ConflictError) bool {
			asked = append(asked, c.Path+" "+strings.Join(c.Keys, ",")+" "+c.Have["secret_key"].Reveal())
			return yes
		}}
		out, _ := put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", awsKey), opts)
		want := "~/.aws/credentials conflict secret_key: ~/.aws/credentials has other values for secret_key"
		if yes {
			want = "~/.aws/credentials updated secret_key"
		}
		same(t, "outcome", out, want)
		same(t, "asked", strings.Join(asked, ";"), "~/.aws/credentials secret_key OLD")
		put(t, m, sp, sec(sp, "new", "access_key", akia, "secret_key", awsKey), opts)
		if len(asked) != 1 {
			t.Errorf("a new profile is asked about: %q", asked)
		}
	}
}

// Of many secrets in one file, one that the format cannot hold is the only one that
// fails; the others are written.
func TestSettleNamesTheSecretAtFault(t *testing.T) {
	sp := builtin(t, "aws")
	before := "# mine\n[old]\naws_access_key_id = " + akia + "\naws_secret_access_key = X\n"
	m := newMachine(map[string]string{".aws/credentials": before})
	snap, err := provider.Take(ctx, m, nil, []*spec.Spec{sp})
	if err != nil {
		t.Fatal(err)
	}
	plan := provider.NewBatch(snap)
	a := sec(sp, "a", "access_key", akia, "secret_key", awsKey)
	bad := sec(sp, "b]d", "access_key", akia, "secret_key", awsKey)
	c := sec(sp, "c", "access_key", akia, "secret_key", awsKey2)
	asked := 0
	for _, s := range []*secret.Secret{a, bad, c} {
		plan.Put(ctx, sp, s, provider.Options{Resolve: func(*provider.ConflictError) bool { asked++; return true }})
	}
	failed := plan.Settle()
	if len(failed) != 1 || failed[bad] == nil {
		t.Fatalf("failed: %v", failed)
	}
	if !strings.HasPrefix(failed[bad].Error(), "write ~/.aws/credentials: ") {
		t.Error(failed[bad])
	}
	if asked != 0 {
		t.Errorf("%d questions about new profiles", asked)
	}
	changes := plan.Changes()
	if len(changes) != 1 {
		t.Fatalf("%d changes", len(changes))
	}
	want := before
	for _, p := range []struct{ name, key string }{{"a", awsKey}, {"c", awsKey2}} {
		want += "\n[" + p.name + "]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + p.key + "\n"
	}
	same(t, "file", string(changes[0].Data), want)
	if again := plan.Settle(); len(again) != 1 || again[bad] == nil {
		t.Error("a second Settle forgets what failed")
	}
}
