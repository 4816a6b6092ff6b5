package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
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
	if done, err := a.data(keyJSON{m.Line(), m.Fingerprint()}); done {
		return err
	}
	fmt.Fprintf(a.Out, "# fingerprint: %s\n%s\n", m.Fingerprint(), m.Line())
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
	names := namesOf(m)
	if n := len(names) - shownMissing; n > 0 {
		names = append(names[:shownMissing], fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, ", ")
}

func namesOf(m agestore.Member) []string {
	var names []string
	for _, name := range m.Secrets {
		names = append(names, string(name))
	}
	return names
}

type storeShareCmd struct {
	With     string   `help:"What rhx store key prints on their machine, or a public key of age or SSH; or a file with one. Without it, what was interrupted goes on." placeholder:"KEY"`
	Name     string   `help:"What to call them, in place of the comment of a key of SSH." placeholder:"NAME"`
	Secret   []string `short:"s" sep:"none" predictor:"stored" help:"Share only this secret; may be given several times." placeholder:"SECRET"`
	ReadOnly bool     `help:"They read, and what they save is not taken for genuine."`
	Yes      bool     `short:"y" help:"Do not ask."`

	fingerprint string
}

func (c *storeShareCmd) Help() string {
	return `Encrypts the secrets of the local store to somebody else's key, too: those that are there with all their versions, and those that are saved later. Who shares a store first owns it, and alone says with whom it is shared. The others get the store folder by git, or as you like, into their data folder, and join it: rhx store join.

With the line that rhx store key prints they can also save; with a public key alone they only read. Run again for the same key it changes what they have.

Examples:
  rhx store share --with bob.key --name bob
  rhx store share --with bob.key --name bob -s db -s mail
  rhx store share --with ~/.ssh/carl.pub -s mail`
}

// sharedJSON is share's and unshare's JSON.
type sharedJSON struct {
	Name     string   `json:"name"`
	Versions int      `json:"versions"`
	Change   []string `json:"change,omitempty"`
}

func (c *storeShareCmd) Run(ctx context.Context, a *app) error {
	if c.With == "" && (c.Name != "" || len(c.Secret) > 0 || c.ReadOnly) {
		return fault.WithHint(fault.WithKind(errors.New("--with is missing: with whom?"), fault.Usage), "rhx store key prints the key on their machine")
	}
	e, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	if c.With == "" {
		n, err := local.Share(ctx, nil, "")
		if err != nil {
			return err
		}
		if done, err := a.data(sharedJSON{Versions: n}); done {
			return err
		}
		a.say(plural(n, "version") + " encrypted anew.")
		return nil
	}
	m, err := c.member(a)
	if err != nil {
		return err
	}
	was, err := local.Shared(ctx)
	if err != nil {
		return err
	}
	lost, question, err := c.plan(ctx, local, was, m)
	if err != nil {
		return err
	}
	if ok, err := a.confirmed(c.Yes, "rhx store share", question); !ok {
		return err
	}
	n, left := local.Share(ctx, m, selfName())
	if left != nil && fault.KindOf(left) != fault.Partial {
		return left
	}
	e.Book.NoteStore(engine.LocalURL, "shared with "+m.Name)
	if done, err := a.data(sharedJSON{m.Name, n, lost}); done {
		return cmp.Or(err, left)
	}
	a.say(fmt.Sprintf("Shared with %s: %s encrypted anew.", m.Name, plural(n, "version")))
	if m.Signer == "" {
		a.say("They only read. For them to save, share it with what rhx store key prints on their machine.")
	}
	a.sayKnown(lost)
	if was == nil {
		now, err := local.Shared(ctx)
		if err != nil {
			return err
		}
		a.say("You own the store. Give them its folder, with git or as you like; there they run")
		a.say("  rhx store join --fingerprint " + now.Fingerprint)
	}
	return left
}

// plan says what sharing with m does, and what they read no more.
func (c *storeShareCmd) plan(ctx context.Context, local *agestore.Store, was *agestore.Shared, m *agestore.Member) (lost []string, question string, err error) {
	all, err := local.AllNames(ctx)
	if err != nil && fault.KindOf(err) != fault.Partial { // what is no secret is not shared
		return nil, "", err
	}
	for _, name := range c.Secret {
		if !slices.Contains(all, name) {
			return nil, "", fmt.Errorf("there is no secret %q in the store%s", name, fault.DidYouMean(name, all))
		}
	}
	what, names := "all secrets", all
	if len(c.Secret) > 0 {
		what, names = strings.Join(c.Secret, ", "), c.Secret
	}
	n, err := local.CountVersions(ctx, names)
	if err != nil {
		return nil, "", err
	}
	if was != nil {
		i := slices.IndexFunc(was.Members, func(o agestore.Member) bool { return slices.Equal(o.Recipients, m.Recipients) })
		if i >= 0 {
			old := was.Members[i]
			m.Name = cmp.Or(m.Name, old.Name)
			if !c.ReadOnly {
				m.Signer = cmp.Or(m.Signer, old.Signer)
			}
			before := namesOf(old)
			if old.All {
				before = all
			}
			lost = slices.DeleteFunc(slices.Clone(before), func(name string) bool { return slices.Contains(names, name) })
		}
	}
	if m.Name == "" {
		return nil, "", fault.WithHint(fault.WithKind(errors.New("the key has no name"), fault.Usage), "--name NAME says what to call them")
	}
	does := "reads and saves"
	if m.Signer == "" {
		does = "reads"
	}
	question = fmt.Sprintf("%s: %s\n%s %s: %s now, and those to come\n", m.Name, c.fingerprint, does, term.Line(what), plural(n, "version"))
	if len(lost) > 0 {
		question += "and no more: " + term.Line(strings.Join(lost, ", ")) + "\n"
	}
	return lost, question + "Share the store with " + m.Name + "?", nil
}

// sayKnown names the secrets that somebody could read who does not any more.
func (a *app) sayKnown(lost []string) {
	if len(lost) > 0 {
		a.say("What they have read they know. Change these where they come from, and save the new ones:")
		a.say("  " + term.Line(strings.Join(lost, ", ")))
	}
}

// maxKeyFile is how long a file with a public key may be in bytes.
const maxKeyFile = 64 << 10

// member is whom --with names.
func (c *storeShareCmd) member(a *app) (*agestore.Member, error) {
	text := strings.TrimSpace(c.With)
	if !slices.ContainsFunc([]string{"rhx-key:", "age1", "ssh-", "ecdsa-", "sk-", "AGE-"}, func(intro string) bool { return strings.HasPrefix(text, intro) }) {
		data, err := ownfile.Read(a.path(c.With), maxKeyFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.WithHint(fault.WithKind(fmt.Errorf("--with: not a public key of age or SSH, and no file %s", a.path(c.With)), fault.Usage), "rhx store key prints the key on their machine")
		}
		if err != nil {
			return nil, err
		}
		var lines []string
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		if len(lines) != 1 {
			return nil, fault.WithKind(fmt.Errorf("--with: %s has %s, and one is needed", a.path(c.With), plural(len(lines), "line")), fault.Usage)
		}
		text = lines[0]
	}
	m, err := agestore.ParseKey(text)
	if err != nil {
		return nil, fault.WithKind(fmt.Errorf("--with: %w", err), fault.Usage)
	}
	c.fingerprint = m.Fingerprint() // as they see it
	if c.ReadOnly {
		m.Signer = ""
	}
	if m.Name = cmp.Or(c.Name, m.Name); m.Name != "" && !agestore.ValidMember(m.Name) {
		return nil, fault.WithHint(fault.WithKind(fmt.Errorf("%q cannot be the name of a member", m.Name), fault.Usage), "--name gives one of A-Z a-z 0-9 . _ @ + -, of at most 64 characters")
	}
	for _, name := range c.Secret {
		m.Secrets = append(m.Secrets, agestore.Text(name))
	}
	return m, nil
}

// selfName is what others are to call the user.
func selfName() string {
	name := "owner"
	if u, err := user.Current(); err == nil {
		name = u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	name = strings.Map(func(r rune) rune {
		if agestore.ValidMember("x" + string(r)) {
			return r
		}
		return '-'
	}, name)
	if name = name[:min(len(name), 64)]; !agestore.ValidMember(name) {
		return "owner"
	}
	return name
}

type storeUnshareCmd struct {
	Name string `arg:"" help:"The name of a member." placeholder:"NAME"`
	Yes  bool   `short:"y" help:"Do not ask."`
}

func (c *storeUnshareCmd) Help() string {
	return `Encrypts all that a member could read anew, without their key, and takes nothing for genuine that they put into the folder later. What they have read they know, and a copy of the folder that they keep stays readable for them: change those secrets where they come from, and save the new ones.

Examples:
  rhx store unshare bob`
}

func (c *storeUnshareCmd) Run(ctx context.Context, a *app) error {
	e, local, err := a.localStore(ctx)
	if err != nil {
		return err
	}
	if ok, err := a.confirmed(c.Yes, "rhx store unshare", fmt.Sprintf("Take %s out, and encrypt anew what they could read?", term.Line(c.Name))); !ok {
		return err
	}
	m, n, left := local.Unshare(ctx, c.Name) // where something is left, they are out all the same
	if left != nil && (m == nil || fault.KindOf(left) != fault.Partial) {
		return left
	}
	e.Book.NoteStore(engine.LocalURL, "taken from "+m.Name)
	lost := namesOf(*m)
	if m.All {
		if lost, err = local.AllNames(ctx); err != nil && fault.KindOf(err) != fault.Partial {
			return err
		}
	}
	if done, err := a.data(sharedJSON{m.Name, n, lost}); done {
		return cmp.Or(err, left)
	}
	a.say(fmt.Sprintf("%s is taken out: %s encrypted anew.", m.Name, plural(n, "version")))
	a.sayKnown(lost)
	return left
}

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
	if in.Saved {
		b.WriteString("You have saved secrets in this folder that were shared with nobody. What you save from now on they read.\n")
	}
	fmt.Fprintf(&b, "The store of %s: %s\n", in.Owner.Name, in.Fingerprint)
	return b.String()
}
