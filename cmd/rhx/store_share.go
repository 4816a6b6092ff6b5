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

type storeShareCmd struct {
	With     string   `help:"What rhx store key prints on their machine, or a public key of age or SSH; or a file with one. Without it, what was interrupted goes on." placeholder:"KEY"`
	Name     string   `help:"What to call them, in place of the comment of a key of SSH." placeholder:"NAME"`
	Secret   []string `short:"s" sep:"none" predictor:"stored" help:"Share only this secret; may be given several times." placeholder:"SECRET"`
	All      bool     `help:"Share all secrets, also with who has had some of them until now."`
	ReadOnly bool     `help:"They read, and what they save is not taken for genuine."`
	Yes      bool     `short:"y" help:"Do not ask."`

	fingerprint string
}

func (c *storeShareCmd) Help() string {
	return `Encrypts the secrets of the local store to somebody else's key, too: those that are there with all their versions, and those that are saved later. Who shares a store first owns it, and alone says with whom it is shared. The others get the store folder by git, or as you like, into their data folder, and join it: rhx store join.

With the line that rhx store key prints they can also save; with a public key alone they only read. Run again for the same key it changes what they have: -s names all of it, and --all is for who is to have all and had a part.

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
	if c.All && len(c.Secret) > 0 {
		return fault.WithKind(errors.New("--all and --secret: which of them?"), fault.Usage)
	}
	if c.With == "" && (c.Name != "" || len(c.Secret) > 0 || c.ReadOnly || c.All) {
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
		return a.sayShared(ctx, local, sharedJSON{Versions: n}, plural(n, "version")+" encrypted anew.")
	}
	m, err := c.member(a)
	if err != nil {
		return err
	}
	was, err := local.Shared(ctx)
	if err != nil {
		return err
	}
	question, err := c.plan(ctx, local, was, m)
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
	text := fmt.Sprintf("Shared with %s: %s encrypted anew.", m.Name, plural(n, "version"))
	if m.Signer == "" {
		text += "\nThey only read. For them to save, share it with what rhx store key prints on their machine."
	}
	if err := a.sayShared(ctx, local, sharedJSON{Name: m.Name, Versions: n}, text); err != nil {
		return err
	}
	if was == nil && a.Output == "table" {
		now, err := local.Shared(ctx)
		if err != nil {
			return err
		}
		a.say("You own the store. Give them its folder, with git or as you like; there they run")
		a.say("  rhx store join --fingerprint " + now.Fingerprint)
	}
	return left
}

// plan says what sharing with m does.
func (c *storeShareCmd) plan(ctx context.Context, local *agestore.Store, was *agestore.Shared, m *agestore.Member) (question string, err error) {
	all, err := local.AllNames(ctx)
	if err != nil && fault.KindOf(err) != fault.Partial { // what is no secret is not shared
		return "", err
	}
	for _, name := range c.Secret {
		if !slices.Contains(all, name) {
			return "", fmt.Errorf("there is no secret %q in the store%s", name, fault.DidYouMean(name, all))
		}
	}
	what, names := "all secrets", all
	if len(c.Secret) > 0 {
		what, names = strings.Join(c.Secret, ", "), c.Secret
	}
	n, err := local.CountVersions(ctx, names)
	if err != nil {
		return "", err
	}
	var lost []string
	if was != nil {
		i := slices.IndexFunc(was.Members, func(o agestore.Member) bool { return slices.Equal(o.Recipients, m.Recipients) })
		if i >= 0 {
			old := was.Members[i]
			if !old.All && len(c.Secret) == 0 && !c.All {
				return "", fault.WithHint(fault.WithKind(fmt.Errorf("%s has a part of the store until now: %s", old.Name, readsWhat(old)), fault.Usage),
					"-s names what they are to have from now on, all of it; --all shares all secrets with them.")
			}
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
		return "", fault.WithHint(fault.WithKind(errors.New("the key has no name"), fault.Usage), "--name NAME says what to call them")
	}
	does := "reads and saves"
	if m.Signer == "" {
		does = "reads"
	}
	question = fmt.Sprintf("%s: %s\n%s %s: %s now, and those to come\n", m.Name, c.fingerprint, does, term.Line(what), plural(n, "version"))
	if len(lost) > 0 {
		question += "and no more: " + term.Line(strings.Join(lost, ", ")) + "\n"
	}
	return question + "Share the store with " + m.Name + "?", nil
}

// sayShared prints what a change of with whom the store is shared has done, and what those could read
// who do not any more: also where a command before it was interrupted, and has not said so.
func (a *app) sayShared(ctx context.Context, local *agestore.Store, out sharedJSON, text string) error {
	ctx = context.WithoutCancel(ctx) // it is said after Ctrl-C as well
	lost, unread := local.Lost(ctx)
	for _, l := range lost {
		for _, name := range l.Secrets {
			if !slices.Contains(out.Change, string(name)) {
				out.Change = append(out.Change, string(name))
			}
		}
	}
	slices.Sort(out.Change)
	done, err := a.data(out)
	if err != nil || unread != nil {
		return cmp.Or(err, unread)
	}
	if !done {
		a.say(text)
		for _, l := range lost {
			who := "they have"
			if l.Name != out.Name {
				who = l.Name + " has"
			}
			a.say("What " + who + " read they know. Change these where they come from, and save the new ones:")
			a.say("  " + term.Line(strings.Join(textsOf(l.Secrets), ", ")))
		}
	}
	if len(lost) == 0 || !done && a.Quiet {
		return nil
	}
	return local.LostSaid(ctx, lost)
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
	interrupted := m != nil && ctx.Err() != nil && isOut(ctx, local, m.Name)
	if left != nil && !interrupted && (m == nil || fault.KindOf(left) != fault.Partial) {
		return left
	}
	e.Book.NoteStore(engine.LocalURL, "taken from "+m.Name)
	text := fmt.Sprintf("%s is taken out: %s encrypted anew.", m.Name, plural(n, "version"))
	if interrupted {
		text = fmt.Sprintf("%s is taken out, and not all is encrypted anew yet: rhx store share goes on.", m.Name)
	}
	if err := a.sayShared(ctx, local, sharedJSON{Name: m.Name, Versions: n}, text); err != nil {
		return err
	}
	return left
}

// isOut reports whether somebody is no member any more.
func isOut(ctx context.Context, local *agestore.Store, name string) bool {
	now, err := local.Shared(context.WithoutCancel(ctx))
	return err == nil && now != nil && !slices.ContainsFunc(now.Members, func(m agestore.Member) bool { return m.Name == name })
}
