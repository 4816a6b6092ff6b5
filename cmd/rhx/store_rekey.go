package main

import (
	"context"
	"fmt"

	"github.com/rhx-dev/rhx/host/engine"
)

type storeRekeyCmd struct {
	From string `help:"The file of the key until now, where RHX_AGE_IDENTITY or identity: in config.yaml names the new one." type:"path" placeholder:"FILE"`
	Yes  bool   `short:"y" help:"Do not ask."`
}

func (c *storeRekeyCmd) Help() string {
	return `Encrypts all versions of all secrets anew, to a new key that takes the place of the one that rhx made, with a passphrase if that had one or RHX_AGE_IDENTITY=passphrase. With --from the new key is the one that RHX_AGE_IDENTITY or identity: in config.yaml names, of age or SSH.

It can be interrupted at any time, and called again goes on. The old key opens nothing that is in the store then; copies of the folder from before it does. If it may be known to others, change the secrets, too.

Examples:
  rhx store rekey`
}

func (c *storeRekeyCmd) Run(ctx context.Context, a *app) error {
	e, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	if err := local.MayRekey(ctx); err != nil {
		return err
	}
	if ok, err := a.confirmed(c.Yes, "rhx store rekey", "Encrypt the whole store to a new key?"); !ok {
		return err
	}
	from := ""
	if c.From != "" {
		from = a.path(c.From)
	}
	n, err := local.Rekey(ctx, from)
	if err != nil {
		return err
	}
	e.Book.NoteStore(engine.LocalURL, "rekeyed")
	if err := a.forgetOldKey(e); err != nil {
		a.warn(fmt.Sprintf("the agent may still hold the old key: %v", err))
	}
	if done, err := a.data(map[string]int{"versions": n}); done {
		return err
	}
	a.say(fmt.Sprintf("%s encrypted to the new key: the old one opens nothing in the store.", plural(n, "version")))
	a.say("Keep a copy of the new key in a safe place: without it nobody reads the secrets.")
	return nil
}
