package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// storeCmd is what there is for a store as a whole.
type storeCmd struct {
	Export storeExportCmd `cmd:"" help:"Write a backup: one encrypted file of every version of every secret."`
	Import storeImportCmd `cmd:"" help:"Put back what is in a backup."`
	Verify storeVerifyCmd `cmd:"" help:"Say whether anything was taken out of the store, put back or added."`
	Rekey  storeRekeyCmd  `cmd:"" help:"Encrypt the store to a new key."`

	Share   storeShareCmd   `cmd:"" help:"Share the local store with somebody, or change what they have of it."`
	Unshare storeUnshareCmd `cmd:"" help:"Take somebody out, and encrypt anew what they could read."`
	Members storeMembersCmd `cmd:"" help:"List with whom the local store is shared."`
	Join    storeJoinCmd    `cmd:"" help:"Take a store that somebody shares with you for yours."`
	Key     storeKeyCmd     `cmd:"" help:"Print your public key, for the owner of a store."`
}

type storeVerifyCmd struct {
	Accept bool `help:"Take the store as it is now for what it is to be."`
	Yes    bool `short:"y" help:"Do not ask."`
}

func (c *storeVerifyCmd) Help() string {
	return `Reads every version of every secret, and compares the folder with the record of what rhx wrote there. It finds what somebody without your key did to it: versions that were taken away, put back, added, replaced or marked as deleted.

After a change that you know of, such as a backup that was put back or a save by an older rhx, --accept takes what is there from now on. In a shared store that is for its owner: it shows with whom the store is shared then.

Examples:
  rhx store verify`
}

func (c *storeVerifyCmd) Run(ctx context.Context, a *app) error {
	e, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	found, err := local.Verify(ctx)
	if err != nil {
		return err
	}
	done, err := a.printVerified(found, "store", fmt.Sprintf("%d secrets, %d versions", found.Secrets, found.Versions), found.Problems, found.Notes)
	if err != nil || len(found.Problems) == 0 {
		return err
	}
	if !c.Accept {
		return exitCode(1)
	}
	shown, err := local.Acceptance(ctx)
	if err != nil {
		return err
	}
	if ok, err := a.confirmed(c.Yes, "rhx store verify --accept", acceptance(shown)+"Take the store as it is now?"); !ok {
		return err
	}
	if err := local.Accept(ctx, shown); err != nil {
		return err
	}
	what := "accepted"
	if shown != nil && len(shown.Out) > 0 {
		what += ", and shared with nobody"
	}
	e.Book.NoteStore(engine.LocalURL, what)
	if found, err = local.Verify(ctx); err != nil {
		return err
	}
	if len(found.Problems) > 0 {
		return fault.WithKind(fmt.Errorf("accepted, and this is still wrong: %s", strings.Join(found.Problems, "; ")), fault.Partial)
	}
	if done {
		return nil
	}
	a.say("From now on this is what the store is to be.")
	if shown != nil && len(shown.Out) > 0 {
		a.say("You share it with nobody. rhx store share --with KEY shares it again with whom you still want to:")
		for _, m := range shown.Out {
			a.say(term.Line(fmt.Sprintf("  %s (%s): %s", m.Name, readsWhat(m), keyOf(&m))))
		}
	}
	return nil
}

// acceptance says with whom a store is shared that is taken as it is.
func acceptance(shown *agestore.Acceptance) string {
	if shown == nil {
		return ""
	}
	if len(shown.Out) == 0 {
		return "It stays shared with: " + memberNames(shown.Members) + "\n"
	}
	return "You have changed with whom the store is shared on another machine, and that list is not here, or was made beside the one here. Get it from there if you can (store/members). Else the store is shared with nobody from then on, and no more with: " + memberNames(shown.Out) + "\n"
}

func memberNames(members []agestore.Member) string {
	var names []string
	for i, m := range members {
		if i == shownMissing {
			names = append(names, fmt.Sprintf("%d more", len(members)-i))
			break
		}
		names = append(names, m.Name)
	}
	return cmp.Or(strings.Join(names, ", "), "nobody")
}

// keyOf is what rhx store share --with takes for a member.
func keyOf(m *agestore.Member) string {
	if m.Signer == "" {
		return m.Recipients[0]
	}
	return m.Line()
}

// localStore returns the store on this machine, if it is the one that is used.
func (a *app) localStore(ctx context.Context) (*engine.Engine, *agestore.Store, error) {
	e, err := a.engine()
	if err != nil {
		return nil, nil, err
	}
	st, err := e.Records.Store(ctx)
	if err != nil {
		return nil, nil, err
	}
	if st.URL() != engine.LocalURL {
		return nil, nil, fault.WithHint(fault.WithKind(fmt.Errorf("the store %s is not the local one", st.URL()), fault.Usage), "--store local names it")
	}
	local, err := e.Stores.Local()
	return e, local, err
}
