package provider_test

import (
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
)

// Since 0.31 wandb keeps its key for another machine of ~/.netrc, and still
// reads the one for api.wandb.ai. rhx keeps to the machine that is there, with
// what it adds beside the key; a new key goes where every version reads it.
func TestSpellingsOfOneKey(t *testing.T) {
	const (
		old    = "machine api.wandb.ai\n  login user\n  password "
		forge  = "machine api.forge.coreweave.com\n  login user\n  password "
		others = "machine a login b password c\n"
		key    = "1123456789012345678901234567890123456789"
	)
	sp := builtin(t, "wandb")
	s := sec(sp, "", "api_key", wandb)
	for _, c := range []struct{ name, before, after, removed string }{
		{"none is there", "", old + wandb + "\n", "(none)"},
		{"the first", others + old + key + "\n", others + old + wandb + "\n", others},
		{"the second", others + forge + key + "\n", others + forge + wandb + "\n", others},
		{"the second, without a login", "machine api.forge.coreweave.com password " + key + "\n", "", "(none)"},
		{"both", old + key + "\n" + others + forge + key + "\n", old + wandb + "\n" + others + forge + wandb + "\n", others},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := tree{}
			if c.before != "" {
				files[".netrc"] = c.before
			}
			m := newMachine(files)
			put(t, m, sp, s, provider.Options{Resolve: provider.ReplaceAll})
			if got := content(m, ".netrc"); c.after != "" && got != c.after {
				t.Errorf("written: %q, not %q", got, c.after)
			}
			found := extract(t, m, sp)
			if len(found) != 1 || !found[0].Values.Equal(s.Values) {
				t.Errorf("read back: %s", describe(found))
			}
			remove(t, m, sp, s)
			if got := content(m, ".netrc"); got != c.removed {
				t.Errorf("left: %q, not %q", got, c.removed)
			}
		})
	}
}
