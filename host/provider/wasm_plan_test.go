package provider_test

import (
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/sandbox"
)

// Several secrets of one plan go into one new file: a module is asked to keep
// what the plan has put there so far, though the file is not written yet.
func TestWasmPutsSeveralIntoOneNewFile(t *testing.T) {
	sp := builtin(t, "mysql")
	box := sandbox.New(sandbox.Config{})
	t.Cleanup(func() { _ = box.Close(ctx) })
	m := newMachine(nil)
	plan := provider.NewPlan(takeWith(t, m, realGuests{box}, sp))
	for _, s := range []struct{ profile, out string }{
		{"", "~/.mylogin.cnf created password,user"},
		{"backup", "~/.mylogin.cnf created password,user"},
		{"", "~/.mylogin.cnf unchanged"},
	} {
		placed := plan.Put(ctx, sp, sec(sp, s.profile, "user", "u"+s.profile, "password", "p"+s.profile), provider.Options{})
		same(t, "outcome of "+s.profile, outcome(placed), s.out)
	}
	apply(t, m, plan)
	same(t, "found", describe(takeWith(t, m, realGuests{box}, sp).Extract(ctx, sp)), `
mysql value from ~/.mylogin.cnf: password=p user=u
mysql/backup value from ~/.mylogin.cnf: password=pbackup user=ubackup`)
}
