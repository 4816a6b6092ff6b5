package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

type storeKeyCmd struct{}

func (c *storeKeyCmd) Help() string {
	return `Prints the line that somebody needs who shares a store with you: your public key, and what proves what you save. It is no secret. The key is made where there is none yet.`
}

func (c *storeKeyCmd) Run(ctx context.Context, a *app) error {
	_, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	line, err := local.Line(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.Out, line)
	return err
}

type storeMembersCmd struct{}

func (c *storeMembersCmd) Help() string {
	return `Lists with whom the local store is shared, what they can read, and whether what they save is taken for genuine.`
}

// memberJSON is one element of members' JSON.
type memberJSON struct {
	agestore.Member
	You bool `json:"you"`
}

func (c *storeMembersCmd) Run(ctx context.Context, a *app) error {
	_, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	members, err := local.Members(ctx)
	if err != nil {
		return err
	}
	out := []memberJSON{}
	var rows [][]string
	if len(members) > 0 {
		line, err := local.Line(ctx)
		if err != nil {
			return err
		}
		for _, m := range members {
			you := strings.HasPrefix(line, m.Recipient+" ")
			out = append(out, memberJSON{m, you})
			name, secrets, writes := m.Name, "all", "yes"
			if you {
				name += " (you)"
			}
			if len(m.Secrets) > 0 {
				secrets = strings.Join(m.Secrets, ", ")
			}
			if m.Signer == "" {
				writes = "no"
			}
			rows = append(rows, []string{name, secrets, writes, shortKey(m.Recipient)})
		}
	}
	if done, err := a.data(out); done {
		return err
	}
	if len(rows) == 0 {
		a.say("The store is not shared. rhx store share --with KEY shares it.")
		return nil
	}
	return a.table([]string{"NAME", "READS", "WRITES", "KEY"}, rows)
}

// shortKey is as much of a public key as tells it from others.
func shortKey(key string) string {
	if kind, rest, ok := strings.Cut(key, " "); ok {
		return kind + " …" + rest[max(0, len(rest)-12):]
	}
	return key[:min(len(key), 16)] + "…"
}

type storeShareCmd struct {
	With   []string `required:"" help:"What rhx store key prints on their machine, or a public key of age or SSH; or a file with one." placeholder:"KEY"`
	Name   string   `help:"What to call them, in place of the comment of the key." placeholder:"NAME"`
	Secret []string `short:"s" help:"Share only this secret; several times for more." placeholder:"SECRET"`
	Yes    bool     `short:"y" help:"Do not ask."`
}

func (c *storeShareCmd) Help() string {
	return `Encrypts the secrets of the local store to somebody else's key, too: those that are there with all their versions, and those that are saved later. They get the store folder by git, or as you like, put it into their data folder, and accept it: rhx store verify --accept.

With the line that rhx store key prints they can also save; with a public key alone they can read.`
}

func (c *storeShareCmd) Run(ctx context.Context, a *app) error {
	members, err := c.members(a)
	if err != nil {
		return err
	}
	e, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	infos, err := local.List(ctx)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("all secrets (%d, and those to come)", len(infos))
	if len(c.Secret) > 0 {
		what = strings.Join(c.Secret, ", ")
		var names []string
		for _, i := range infos {
			names = append(names, i.Name)
		}
		for _, name := range c.Secret {
			if !slices.Contains(names, name) {
				return fmt.Errorf("there is no secret %q in the store%s", name, fault.DidYouMean(name, names))
			}
		}
	}
	var who []string
	for _, m := range members {
		who = append(who, fmt.Sprintf("%s (%s)", m.Name, shortKey(m.Recipient)))
	}
	if ok, err := a.confirmed(c.Yes, "rhx store share", fmt.Sprintf("Share %s with %s?", what, strings.Join(who, ", "))); !ok {
		return err
	}
	out := []sharedJSON{}
	for _, m := range members {
		m.Secrets = slices.Clone(c.Secret)
		n, err := local.Share(ctx, m, selfName())
		if err != nil {
			return fmt.Errorf("share with %s: %w", m.Name, err)
		}
		e.Book.NoteStore(engine.LocalURL, "shared with "+m.Name)
		out = append(out, sharedJSON{m.Name, m.Recipient, n})
		if a.Output != "table" {
			continue
		}
		a.say(fmt.Sprintf("Shared with %s: %s encrypted to their key.", m.Name, plural(n, "version")))
		if m.Signer == "" && !saves(ctx, local, m.Recipient) {
			a.say("They can read. For them to save, too, share it with what rhx store key prints on their machine.")
		}
	}
	_, err = a.data(out)
	return err
}

// sharedJSON is one element of share's and unshare's JSON.
type sharedJSON struct {
	Name      string `json:"name"`
	Recipient string `json:"recipient"`
	Versions  int    `json:"versions"`
}

// saves reports whether what a member saves is taken for genuine.
func saves(ctx context.Context, local *agestore.Store, recipient string) bool {
	members, err := local.Members(ctx)
	return err == nil && slices.ContainsFunc(members, func(m agestore.Member) bool { return m.Recipient == recipient && m.Signer != "" })
}

// members are those that --with names.
func (c *storeShareCmd) members(a *app) ([]agestore.Member, error) {
	var out []agestore.Member
	for _, with := range c.With {
		text := with
		if with == "-" {
			data, err := io.ReadAll(io.LimitReader(a.In, maxKeys))
			if err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			text = string(data)
		} else if !strings.HasPrefix(with, "age1") && !strings.HasPrefix(with, "ssh-") {
			data, err := ownfile.Read(a.path(with), maxKeys)
			if errors.Is(err, os.ErrNotExist) {
				return nil, fault.WithHint(fault.WithKind(fmt.Errorf("--with %s: not a public key of age or SSH, and no file", with), fault.Usage),
					"rhx store key prints it on their machine")
			}
			if err != nil {
				return nil, err
			}
			text = string(data)
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			m, err := agestore.ParseMember(line)
			if err != nil {
				return nil, fault.WithKind(fmt.Errorf("--with %s: %w", fromWhere(with), err), fault.Usage)
			}
			if c.Name != "" {
				m.Name = c.Name
			}
			if m.Name == "" {
				m.Name = shortKey(m.Recipient)
			}
			if err := secret.ValidName(strings.ReplaceAll(m.Name, " ", "_")); err != nil || len(m.Name) > maxMemberName {
				return nil, fault.WithHint(fault.WithKind(fmt.Errorf("%q cannot be the name of a member", m.Name), fault.Usage), "--name gives another")
			}
			out = append(out, m)
		}
	}
	switch {
	case len(out) == 0:
		return nil, fault.WithKind(errors.New("--with: there is no key in it"), fault.Usage)
	case len(out) > 1 && c.Name != "":
		return nil, fault.WithKind(fmt.Errorf("--name is for one key, and there are %d", len(out)), fault.Usage)
	}
	return out, nil
}

// fromWhere names where a key is from, which is not shown as long as it is.
func fromWhere(with string) string {
	if fields := strings.Fields(with); len(fields) > 0 {
		with = fields[0]
	}
	return with[:min(len(with), 40)]
}

const (
	// maxKeys is how long a file of public keys may be in bytes.
	maxKeys = 1 << 20
	// maxMemberName is how long the name of a member may be in bytes.
	maxMemberName = 64
)

// selfName is what others are to call the user.
func selfName() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

type storeUnshareCmd struct {
	Who string `arg:"" help:"The name or the public key of a member." placeholder:"NAME"`
	Yes bool   `short:"y" help:"Do not ask."`
}

func (c *storeUnshareCmd) Help() string {
	return `Encrypts all versions anew, without the key of a member, who is not believed any more either. What they have read they know, and a copy of the folder that they keep stays readable for them: change those secrets where they come from, and save the new ones.`
}

func (c *storeUnshareCmd) Run(ctx context.Context, a *app) error {
	e, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	if ok, err := a.confirmed(c.Yes, "rhx store unshare", fmt.Sprintf("Take %s out, and encrypt everything anew?", c.Who)); !ok {
		return err
	}
	m, n, err := local.Unshare(ctx, c.Who)
	if err != nil {
		return err
	}
	e.Book.NoteStore(engine.LocalURL, "taken from "+m.Name)
	if done, err := a.data([]sharedJSON{{m.Name, m.Recipient, n}}); done {
		return err
	}
	a.say(fmt.Sprintf("%s is taken out: %s encrypted anew.", m.Name, plural(n, "version")))
	a.say("What they have read they know. Change those secrets where they come from, and save the new ones.")
	return nil
}

type storeRekeyCmd struct {
	From string `help:"The file of the key until now, where RHX_AGE_IDENTITY or identity: in config.yaml names the new one." type:"path" placeholder:"FILE"`
	Yes  bool   `short:"y" help:"Do not ask."`
}

func (c *storeRekeyCmd) Help() string {
	return `Encrypts all versions of all secrets anew, to a new key that takes the place of the one that rhx made, with a passphrase if that had one or RHX_AGE_IDENTITY=passphrase. With --from the new key is the one that RHX_AGE_IDENTITY or identity: in config.yaml names, of age or SSH.

It can be interrupted at any time, and called again goes on. The old key opens nothing that is in the store then; copies of the folder from before it does. If it may be known to others, change the secrets, too.`
}

func (c *storeRekeyCmd) Run(ctx context.Context, a *app) error {
	e, local, err := a.localStore(ctx)
	if err != nil {
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
	if done, err := a.data(map[string]int{"versions": n}); done {
		return err
	}
	a.say(fmt.Sprintf("%s encrypted to the new key: the old one opens nothing in the store.", plural(n, "version")))
	a.say("Keep a copy of the new key in a safe place: without it nobody reads the secrets.")
	return nil
}

// confirmed asks before what cannot be undone, unless yes.
func (a *app) confirmed(yes bool, what, question string) (bool, error) {
	switch {
	case yes:
		return true, nil
	case !a.canAsk():
		return false, notConfirmed(what, "")
	case !a.ask(question):
		return false, errors.New("nothing was changed")
	}
	return true, nil
}
