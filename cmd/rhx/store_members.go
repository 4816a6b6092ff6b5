package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

type storeKeyCmd struct{}

func (c *storeKeyCmd) Help() string {
	return `Prints the line that the owner of a store needs to share it with you: your public key, and the one that proves what you save. It is no secret. Let the owner compare its fingerprint with you, by phone for example. The key is made where there is none yet.

Examples:
  rhx store key >bob.key`
}

// keyJSON is key's JSON.
type keyJSON struct {
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
}

func (c *storeKeyCmd) Run(ctx context.Context, a *app) error {
	_, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	m, err := local.OwnKey(ctx)
	if err != nil {
		return err
	}
	if err := a.warnOfOwn(ctx, local); err != nil {
		return err
	}
	if done, err := a.data(keyJSON{m.Line(), m.Fingerprint()}); done {
		return err
	}
	fmt.Fprintf(a.Out, "# fingerprint: %s\n%s\n", m.Fingerprint(), m.Line())
	return nil
}

// warnOfOwn says what to do with secrets that are here already, which git would have in the way of
// the folder of somebody else.
func (a *app) warnOfOwn(ctx context.Context, local *agestore.Store) error {
	shared, err := local.Shared(ctx)
	if err != nil || shared != nil {
		return nil //nolint:nilerr // rhx store join says what is there
	}
	names, err := local.AllNames(ctx)
	if err != nil && fault.KindOf(err) != fault.Partial {
		return err
	}
	if len(names) > 0 {
		a.warn(fmt.Sprintf("you have %s in a store of your own. Before the folder of somebody else takes its place: rhx store export FILE, and move %s away", plural(len(names), "secret"), local.Folder()))
	}
	return nil
}

type storeMembersCmd struct{}

func (c *storeMembersCmd) Help() string {
	return `Lists with whom the local store is shared, what they read, and whether they save. It needs no private key.

Examples:
  rhx store members`
}

// memberJSON is one element of members' JSON.
type memberJSON struct {
	agestore.Member
	Owner       bool   `json:"owner"`
	You         bool   `json:"you"`
	Fingerprint string `json:"fingerprint"`
}

func (c *storeMembersCmd) Run(ctx context.Context, a *app) error {
	_, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	shared, err := local.Shared(ctx)
	if err != nil {
		return err
	}
	out, rows := []memberJSON{}, [][]string{}
	if shared != nil {
		for i, m := range append([]agestore.Member{shared.Owner}, shared.Members...) {
			j := memberJSON{m, i == 0, m.Name == shared.You, m.Fingerprint()}
			out = append(out, j)
			rows = append(rows, []string{m.Name, role(j), readsWhat(m), m.Fingerprint()})
		}
	}
	if done, err := a.data(out); done {
		return err
	}
	if shared == nil {
		a.say("The store is not shared. rhx store share --with KEY shares it.")
		return nil
	}
	if err := a.table([]string{"NAME", "", "SECRETS", "FINGERPRINT"}, rows); err != nil {
		return err
	}
	a.say("The store's fingerprint: " + shared.Fingerprint)
	return nil
}

// role is what a member is, and does.
func role(m memberJSON) string {
	text := "saves"
	if m.Owner {
		text = "owner"
	} else if m.Signer == "" {
		text = "reads only"
	}
	if m.You {
		text += ", you"
	}
	return text
}

func readsWhat(m agestore.Member) string {
	if m.All {
		return "all"
	}
	return strings.Join(first(namesOf(m)), ", ")
}

func namesOf(m agestore.Member) []string { return textsOf(m.Secrets) }

func textsOf(texts []agestore.Text) []string {
	var out []string
	for _, text := range texts {
		out = append(out, string(text))
	}
	return out
}
