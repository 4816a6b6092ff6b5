package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// joinedJSON is join's JSON.
type joinedJSON struct {
	Owner       string `json:"owner"`
	You         string `json:"you"`
	Fingerprint string `json:"fingerprint"`
}

type storeJoinCmd struct {
	Fingerprint string `help:"Ask nothing if the store has this fingerprint, and join nothing else." placeholder:"FINGERPRINT"`
}

func (c *storeJoinCmd) Help() string {
	return `Takes the store in the store folder, which somebody shares with you, for yours: its owner says from then on to whom your secrets here are encrypted. Nothing in the folder does so by itself. Compare the store's fingerprint with the owner, by phone for example; rhx store members shows it there.

Where the folder was put back to what it was at an earlier time, and nobody has what this machine has seen there, it takes the folder as it is, after it has asked.

Examples:
  rhx store join`
}

func (c *storeJoinCmd) Run(ctx context.Context, a *app) error {
	e, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	in, err := local.Invitation(ctx)
	if err != nil {
		return err
	}
	if in == nil {
		a.say("This machine has joined the store.")
		return nil
	}
	switch {
	case in.Behind != "" && (c.Fingerprint != "" || !a.canAsk()):
		return fault.WithHint(errors.New(in.Behind), "Get the folder as the others have it (git). rhx store join without --fingerprint, where it can ask, takes it as it is.")
	case c.Fingerprint != "" && !strings.EqualFold(c.Fingerprint, in.Fingerprint):
		return fmt.Errorf("the store is said to be that of %s, and has the fingerprint %s, and %s was given: it was not joined", in.Owner.Name, in.Fingerprint, c.Fingerprint)
	case c.Fingerprint != "" && len(in.Private) > 0:
		return fault.WithHint(fmt.Errorf("secrets of yours are in %s that are shared with nobody, and rhx gives them out no more once the store is joined: %s", in.Folder, term.Line(strings.Join(first(in.Private), ", "))),
			"rhx store export FILE keeps them. Then move the folder away, and bring theirs into its place; rhx store import FILE shares them with the others. rhx store join without --fingerprint, where it can ask, joins all the same.")
	case c.Fingerprint != "":
		if !a.Quiet {
			fmt.Fprint(a.Err, invitation(in))
		}
	case !a.canAsk():
		return fault.WithHint(fault.WithKind(fmt.Errorf("rhx store join: not confirmed. The store is said to be that of %s, and has the fingerprint %s", in.Owner.Name, in.Fingerprint), fault.Usage), "--fingerprint confirms it, as you have it from the owner")
	case !a.ask(invitation(in) + fmt.Sprintf("Compare the fingerprint with what rhx store members shows the owner: anybody can take their name.\nJoin it, as %s?", in.You)):
		return errors.New("nothing was joined")
	}
	if err := local.Join(ctx, in); err != nil {
		return err
	}
	e.Book.NoteStore(engine.LocalURL, "joined, of "+in.Owner.Name)
	if done, err := a.data(joinedJSON{in.Owner.Name, in.You, in.Fingerprint}); done {
		return err
	}
	a.say(fmt.Sprintf("The store of %s is joined, as %s.", in.Owner.Name, in.You))
	return nil
}

// invitation is what is shown of a store before it is joined, the most important last.
func invitation(in *agestore.Invitation) string {
	var b strings.Builder
	for i, m := range in.Members {
		if i == shownMissing {
			fmt.Fprintf(&b, "  and %d more\n", len(in.Members)-i)
			break
		}
		fmt.Fprintf(&b, "  %s: %s\n", m.Name, term.Line(readsWhat(m)))
	}
	if in.Behind != "" {
		fmt.Fprintf(&b, "The folder is not as this machine has seen it last. Somebody may have put an older copy there, and those above may have been taken out meanwhile: ask %s.\n  %s\n", in.Owner.Name, term.Line(in.Behind))
	}
	if in.OtherStore {
		b.WriteString("It is another store than the one until now.\n")
	}
	if in.Was != nil && in.Was.Signer != in.Owner.Signer {
		fmt.Fprintf(&b, "The key of its owner %s is %s, and until now that of %s was %s.\n", in.Owner.Name, in.Owner.Fingerprint(), in.Was.Name, in.Was.Fingerprint())
	}
	if len(in.Private) > 0 {
		fmt.Fprintf(&b, "You have saved secrets in this folder that are shared with nobody: %s. rhx gives them out no more once you have joined; rhx store export, before that, keeps them.\n", term.Line(strings.Join(first(in.Private), ", ")))
	}
	fmt.Fprintf(&b, "The store of %s: %s\n", in.Owner.Name, in.Fingerprint)
	return b.String()
}

// first are the first of many names, and how many there are more.
func first(names []string) []string {
	if n := len(names) - shownMissing; n > 0 {
		return append(slices.Clone(names[:shownMissing]), fmt.Sprintf("%d more", n))
	}
	return names
}
