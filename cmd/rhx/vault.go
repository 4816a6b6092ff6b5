package main

import (
	"context"
	"fmt"

	"github.com/rhx-dev/rhx/host/fault"
)

// vaultCmd is what there is for a store in Vault alone.
type vaultCmd struct {
	Policy vaultPolicyCmd `cmd:"" help:"Print the least policy for reading secrets, in HCL."`
}

type vaultPolicyCmd struct {
	Secret []string `short:"s" predictor:"stored" sep:"none" placeholder:"SECRET" help:"For this secret alone. Can be given several times; without it, for all in the store."`
	Write  bool     `help:"For saving and deleting, too."`
}

func (c *vaultPolicyCmd) Help() string {
	return `Asks Vault which engine is at the store's path, so the token must be allowed something there. For "vault policy write NAME -":

  rhx vault policy -s aws -s openai | vault policy write ci -

Without --write it is what run, env, get and load need. "delete --destroy" needs "delete" on the metadata besides.`
}

func (c *vaultPolicyCmd) Run(ctx context.Context, a *app) error {
	h, err := a.hostHere("vault policy")
	if err != nil {
		return err
	}
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	// The package of such a store is not in every rhx.
	v, ok := st.(interface {
		Policy(ctx context.Context, names []string, write bool) (string, error)
	})
	if !ok {
		return fault.WithHint(fault.WithKind(fmt.Errorf("the store %s is not in Vault", st.URL()), fault.Usage), "--store vault://MOUNT/PREFIX names one that is")
	}
	policy, err := v.Policy(ctx, c.Secret, c.Write)
	if err != nil {
		return err
	}
	if done, err := a.data(policyJSON{policy}); done {
		return err
	}
	_, err = fmt.Fprint(a.Out, policy)
	return err
}

// policyJSON is vault policy's JSON.
type policyJSON struct {
	Policy string `json:"policy"`
}
