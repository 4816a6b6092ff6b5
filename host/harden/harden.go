// Package harden takes credentials out of files where they lie in plaintext: they are
// saved to the store, and the client that read the file asks rhx instead.
//
// A credential is in the store, and read back, before anything is changed; the client's
// configuration is written before the plaintext goes. So at whichever instant rhx is
// killed, the client gets the credential from the file or from rhx, and harden goes on
// from there.
package harden

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
)

// Hardener works on this machine. Its fields are set once.
type Hardener struct {
	Specs     *spec.Registry
	Guests    provider.Guests
	Local     machine.Machine
	Detector  *detect.Detector
	Records   *records.Records
	Exchange  *exchange.Exchange
	Book      *session.Book
	Helpers   *helper.Helpers
	Installer *helper.Installer
	// Run runs a client that is installed, and returns what it prints; ok is false where
	// there is no such program.
	Run func(ctx context.Context, q *helper.Question) (out []byte, ok bool, err error)
	// Opens reports whether a file is what opens the store.
	Opens func(path string) bool
}

// Options say what to harden.
type Options struct {
	// Names are providers or secrets; empty for all that is there.
	Names []string
	// All takes out, too, what no client can ask rhx for.
	All bool
	// Bin is a folder in PATH for the names by which clients look for rhx; "" for none.
	Bin string
}

// Action is what becomes of a credential.
type Action string

// The actions.
const (
	// Helper: a client asks rhx for it from now on.
	Helper Action = "helper"
	// TakenOut: nothing asks for it; rhx run gives it to commands.
	TakenOut Action = "taken out"
	// Left as it is; Why says why.
	Left Action = "left"
	// Failed: nothing was changed of it, or all was put back.
	Failed Action = "failed"
)

// Item is one credential that lies in plaintext.
type Item struct {
	Secret, Provider string
	// Files are where it is, as people write them.
	Files []string
	// Client is who is to ask rhx for it; "" for none.
	Client string
	Action Action
	// Why says why it is left; Err why it failed.
	Why string
	Err error
	// Notes are what the user should know.
	Notes []string
	// Checked are the clients that showed that they get it.
	Checked []string

	found  provider.Found
	sp     *spec.Spec
	client helper.Client
	answer *helper.Answer
}

// NoHelper is the Why of what no client can ask rhx for.
const NoHelper = "its client cannot ask rhx for it"

// Plan returns every credential in plaintext, and what would become of it; a file that cannot
// be read is one that failed. It changes nothing, and does not look at the store.
func (h *Hardener) Plan(ctx context.Context, opts Options) ([]*Item, error) {
	found, err := h.Detector.On(ctx, h.Local, opts.Names...)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	var items []*Item
	for _, f := range found {
		inFile := slices.ContainsFunc(f.Sources, func(src secret.Source) bool { return src.Kind == secret.SourceFile })
		if f.State == provider.HasValue || f.Unused || f.State == provider.Invalid && inFile {
			item, err := h.item(ctx, f, opts)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
	}
	for _, group := range grouped(items) {
		// What would fail is known now: another helper, a file that cannot be edited.
		if _, _, err := h.prepare(ctx, group, opts); err != nil {
			for _, item := range group {
				item.Action, item.Err = Failed, err
			}
		}
	}
	return items, nil
}

func (h *Hardener) item(ctx context.Context, f provider.Found, opts Options) (*Item, error) {
	sp, err := h.Specs.Get(f.Provider)
	if err != nil {
		return nil, err
	}
	i := &Item{Secret: f.Name, Provider: f.Provider, Action: Left, found: f, sp: sp}
	for _, src := range f.Sources {
		if src.Kind == secret.SourceFile {
			i.Files = append(i.Files, src.Path)
		} else {
			i.Notes = append(i.Notes, "it is in $"+src.Var+", which every program that you start gets: take it out of where your shell sets it")
		}
	}
	if f.State == provider.Invalid {
		i.Action, i.Err = Failed, f.Err // what is in there nobody knows
		return i, nil
	}
	if i.Why = h.whyLeft(i); i.Why != "" {
		return i, nil
	}
	for _, c := range helper.Readers(sp.Name) {
		if i.answer = h.Helpers.Would(ctx, c.Protocol, &f.Secret); i.answer != nil {
			i.Client, i.client, i.Action = c.Name, c, Helper
			break
		}
	}
	switch {
	case i.Action == Helper:
	case sp.Name == "ssh" && !slices.Contains(opts.Names, f.Name):
		i.Why = "ssh asks an agent: rhx agent ssh; name the key to have it taken out with --all"
	case opts.All:
		i.Action = TakenOut
	case len(helper.Readers(sp.Name)) > 0:
		i.Why = "it lacks what its client asks for"
	default:
		i.Why = NoHelper
	}
	return i, nil
}

// whyLeft says why nothing is done about a credential, whatever is wanted; "" for
// nothing.
func (h *Hardener) whyLeft(i *Item) string {
	switch {
	case len(i.Files) == 0:
		return "it is in the environment alone"
	case i.found.Unused:
		return "its client does not use what stands there: take it out by hand"
	case i.Provider == "vault":
		return "it is what logs in to Vault: rhx login keeps it encrypted"
	case slices.ContainsFunc(i.Files, h.Opens):
		return "it opens the store"
	case slices.ContainsFunc(i.sp.Values, func(v spec.Value) bool { return v.Rotates && !i.found.Values[v.Name].Empty() }):
		return "its client renews it in the file"
	case !slices.ContainsFunc(i.sp.Files, func(f spec.File) bool { return !f.ReadOnly }):
		return "rhx only reads its file"
	}
	return ""
}

// grouped are the items that are done together: those of a client that has one helper for
// all of them. Any other is done by itself, so that its failure stops no other.
func grouped(items []*Item) [][]*Item {
	var out [][]*Item
	for _, i := range items {
		if i.Action != Helper && i.Action != TakenOut {
			continue
		}
		at := slices.IndexFunc(out, func(g []*Item) bool { return i.Client != "" && !i.client.Each && g[0].Client == i.Client })
		if at < 0 {
			out = append(out, nil)
			at = len(out) - 1
		}
		out[at] = append(out[at], i)
	}
	return out
}

// prepare works out what to write for a group.
// configs is how many of the changes, which come first, are to the client's configuration.
func (h *Hardener) prepare(ctx context.Context, group []*Item, opts Options) (w *session.Work, configs int, err error) {
	var specs []*spec.Spec
	for _, i := range group {
		if !slices.Contains(specs, i.sp) {
			specs = append(specs, i.sp)
		}
	}
	snap, err := provider.Take(ctx, h.Local, h.Guests, specs)
	if err != nil {
		return nil, 0, err
	}
	w = &session.Work{At: place.Here, Machine: h.Local, Displaced: map[string]config.Location{}}
	plan := provider.NewPlan(snap)
	for _, i := range group {
		placed, err := i.takeOut(ctx, plan, snap)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", i.Secret, err)
		}
		for _, p := range placed {
			w.Outcomes = append(w.Outcomes, session.Outcome{At: place.Here, Secret: i.Secret, Stored: i.Secret, Placement: p, File: snap.Abs(p.Source.Path)})
			l := w.Displaced[i.Secret]
			l.AddPath(p.Source.Path)
			w.Displaced[i.Secret] = l
		}
	}
	will := &overlay{Machine: h.Local, changes: plan.Changes()}
	own := len(will.changes)
	if group[0].Client != "" {
		outcomes, err := h.install(ctx, will, group, opts)
		if err != nil {
			return nil, 0, err
		}
		w.Outcomes = append(w.Outcomes, outcomes...)
	}
	// The client's configuration comes first: at no time does it get the credential from
	// neither.
	w.Changes = append(slices.Clone(will.changes[own:]), will.changes[:own]...)
	return w, len(will.changes) - own, nil
}

// install plans to have the client of a group ask rhx.
func (h *Hardener) install(ctx context.Context, will *overlay, group []*Item, opts Options) ([]session.Outcome, error) {
	in := *h.Installer
	in.Local = will
	var out []session.Outcome
	alone := false
	for n, c := range helper.Readers(group[0].Provider) {
		if n > 0 {
			if has, err := in.Configured(ctx, c); err != nil {
				return nil, err
			} else if !has {
				continue
			}
		}
		for _, i := range group {
			p, err := installOne(ctx, &in, c, i.answer, opts)
			if err != nil {
				return nil, err
			}
			for _, change := range p.Changes {
				will.add(change)
			}
			out = append(out, p.Outcomes...)
			alone = alone || c.Name == "docker" || c.Name == "git" && len(p.Others) > 0
			if !c.Each {
				break
			}
		}
	}
	if alone {
		return out, h.nothingLeft(ctx, group)
	}
	return out, nil
}

// nothingLeft returns an error where a file has credentials besides those of a group, and
// its client does not read it any more once it asks rhx: it would find them nowhere.
func (h *Hardener) nothingLeft(ctx context.Context, group []*Item) error {
	sp := group[0].sp
	snap, err := provider.Take(ctx, h.Local, h.Guests, []*spec.Spec{sp})
	if err != nil {
		return err
	}
	for _, f := range snap.Extract(ctx, sp) {
		if f.State == provider.HasValue && !slices.ContainsFunc(group, func(i *Item) bool { return i.Secret == f.Name }) &&
			slices.ContainsFunc(f.Sources, func(s secret.Source) bool { return s.Kind == secret.SourceFile }) {
			return fault.WithHint(fmt.Errorf("%s would not find %s in its file any more", group[0].Client, f.Name), "harden all of them: rhx harden "+sp.Name)
		}
	}
	return nil
}

func installOne(ctx context.Context, in *helper.Installer, c helper.Client, answer *helper.Answer, opts Options) (*helper.Plan, error) {
	var with helper.Options
	if c.ByName() {
		with.Bin = opts.Bin
	}
	if c.Each {
		with.Secret = answer
	}
	p, err := in.Install(ctx, c, with)
	if err == nil && c.Name == "git" && slices.ContainsFunc(p.Others, keepsPlaintext) {
		// git has each helper that it asks keep what it gets: store would write it into the
		// file again.
		if slices.ContainsFunc(p.Others, func(text string) bool { return !keepsPlaintext(text) }) {
			err = &helper.OthersError{Others: p.Others}
		} else {
			with.Replace = true
			p, err = in.Install(ctx, c, with)
		}
	}
	if others := (*helper.OthersError)(nil); errors.As(err, &others) {
		err = fault.WithHint(err, "rhx helper install "+c.Name+" --replace puts rhx in its place; then harden again")
	}
	return p, err
}

// keepsPlaintext reports whether a helper of git keeps what it gets in a file.
func keepsPlaintext(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	return word == "store" || strings.HasSuffix(word, "git-credential-store")
}

// takeOut plans to take a credential out of its files.
func (i *Item) takeOut(ctx context.Context, plan *provider.Plan, snap *provider.Snapshot) ([]provider.Placement, error) {
	placed, err := i.removed(ctx, plan, snap)
	for _, p := range placed {
		if p.Err != nil {
			return nil, p.Err
		}
	}
	if err == nil && len(placed) == 0 {
		err = errors.New("it is not in a file that rhx writes")
	}
	return placed, err
}

func (i *Item) removed(ctx context.Context, plan *provider.Plan, snap *provider.Snapshot) ([]provider.Placement, error) {
	fields := i.fields()
	if len(fields) == 0 {
		return plan.Remove(ctx, i.sp, &i.found.Secret), nil
	}
	// Of a tree only what the client asks for goes: it reads the rest from the file.
	bare, err := i.without(fields)
	if err != nil {
		return nil, err
	}
	placed := plan.Put(ctx, i.sp, bare, provider.Options{To: snap.Abs(i.Files[0]), Resolve: func(c *provider.ConflictError) bool { return len(c.Others) == 0 }})
	for n := range placed {
		var c *provider.ConflictError
		if errors.As(placed[n].Err, &c) && len(c.Others) > 0 {
			placed[n].Err = fmt.Errorf("%s has the same entry in the file", strings.Join(c.Others, ", "))
		}
		placed[n].Action = provider.Removed
	}
	return placed, nil
}

// fields are the fields of trees that are the answers to the item's client, by value.
func (i *Item) fields() map[string][]string {
	out := map[string][]string{}
	for _, one := range i.sp.HelpersFor(i.client.Protocol) {
		for _, part := range one.Parts {
			for _, hole := range spec.Holes(part.Text) {
				if key, field, deep := strings.Cut(hole, "."); deep && !i.sp.Public(key) {
					out[key] = append(out[key], field)
				}
			}
		}
	}
	return out
}

// harmless are fields of a kubeconfig's user that are no credential.
var harmless = []string{"as", "as-uid", "as-groups", "as-user-extra", "impersonate", "impersonate-groups", "impersonate-user-extra", "extensions"}

// without is the secret without fields of its trees. What else is in them has to be
// harmless: the client would use it before it asks.
func (i *Item) without(fields map[string][]string) (*secret.Secret, error) {
	bare := i.found.Secret.Clone()
	for key, list := range fields {
		var tree map[string]any
		if err := json.Unmarshal([]byte(bare.Values[key].Reveal()), &tree); err != nil {
			return nil, fmt.Errorf("%s is no tree", key)
		}
		for _, field := range list {
			delete(tree, field)
		}
		for _, left := range slices.Sorted(maps.Keys(tree)) {
			if !slices.Contains(harmless, left) {
				return nil, fmt.Errorf("it has %s, too, which its client would use before it asks rhx", left)
			}
		}
		text, err := json.Marshal(tree)
		if err != nil {
			return nil, err
		}
		bare.Values[key] = secret.NewValue(string(text))
	}
	return bare, nil
}

// Apply does what a plan says, as one session that undo takes back. What fails for one
// client is put back, and stops no other.
func (h *Hardener) Apply(ctx context.Context, items []*Item, opts Options) error {
	if err := h.save(ctx, items); err != nil {
		return err
	}
	s := h.Book.Begin("harden")
	defer s.End()
	for _, group := range grouped(items) {
		if err := h.applyGroup(ctx, s, group, opts); err != nil {
			for _, i := range group {
				i.Action, i.Err = Failed, err
			}
		}
	}
	return nil
}

// save brings the credentials to the store, and reads them back.
func (h *Hardener) save(ctx context.Context, items []*Item) error {
	var names []string
	of := map[string]*Item{}
	for _, group := range grouped(items) {
		for _, i := range group {
			names, of[i.Secret] = append(names, i.Secret), i
		}
	}
	if len(names) == 0 {
		return nil
	}
	saved, err := h.Exchange.Save(ctx, h.Local, exchange.SaveOptions{Names: names, At: place.Here})
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, one := range saved {
		if i := of[one.Name]; i != nil {
			done[one.Name] = true
			if i.Err = one.Err; i.Err == nil {
				i.Err = h.readBack(ctx, i)
			}
		}
	}
	for name, i := range of {
		if !done[name] && i.Err == nil {
			i.Err = errors.New("it is not there any more")
		}
		if i.Err != nil {
			i.Action = Failed
		}
	}
	return nil
}

func (h *Hardener) readBack(ctx context.Context, i *Item) error {
	rec, err := h.Records.Get(ctx, i.Secret, 0)
	if err != nil {
		return err
	}
	if !rec.Secret.Values.Equal(i.found.Values) {
		return errors.New("the store has other values than the file: nothing was changed")
	}
	return nil
}

func (h *Hardener) applyGroup(ctx context.Context, s *session.Session, group []*Item, opts Options) error {
	w, configs, err := h.prepare(ctx, group, opts)
	if err != nil {
		return err
	}
	// The plaintext goes only where the client's configuration was written.
	for _, changes := range [][]machine.Change{w.Changes[:configs], w.Changes[configs:]} {
		if err == nil && len(changes) > 0 {
			err = write(ctx, s, w, changes)
		}
	}
	if err == nil {
		err = h.check(ctx, group)
	}
	if err == nil {
		// What rhx load had put there is there no more.
		return s.Write(ctx, &session.Work{At: w.At, Machine: w.Machine, Displaced: w.Displaced})
	}
	return errors.Join(err, h.putBack(context.WithoutCancel(ctx), s, w))
}

// write makes some of the changes of w.
func write(ctx context.Context, s *session.Session, w *session.Work, changes []machine.Change) error {
	part := &session.Work{At: w.At, Machine: w.Machine, Changes: changes}
	for _, o := range w.Outcomes {
		if slices.ContainsFunc(changes, func(c machine.Change) bool { return filepath.ToSlash(c.Path) == o.File }) {
			part.Outcomes = append(part.Outcomes, o)
		}
	}
	err := s.Write(ctx, part)
	for _, o := range part.Outcomes {
		err = errors.Join(err, o.Err)
	}
	return err
}

// putBack makes a group's files what they were.
func (h *Hardener) putBack(ctx context.Context, s *session.Session, w *session.Work) error {
	back := &session.Work{At: w.At, Machine: w.Machine}
	var changed error
	for _, c := range slices.Backward(w.Changes) {
		files, err := h.Local.Read(ctx, []string{machine.Quote(c.Path)})
		if err != nil {
			return err
		}
		now := files[0].Data
		switch {
		case bytes.Equal(now, c.Old) && (now == nil) == (c.Old == nil):
			continue // it never came to be
		case (now == nil) != c.Remove || !bytes.Equal(now, c.Data) && !c.Remove:
			// The others are put back all the same.
			changed = errors.Join(changed, fmt.Errorf("%s was changed meanwhile, so it is not put back: rhx undo --overwrite does it", c.Path))
			continue
		}
		back.Changes = append(back.Changes, machine.Change{Path: c.Path, Old: now, Data: c.Old, Remove: c.Old == nil, Mode: c.Mode})
		back.Outcomes = append(back.Outcomes, session.Outcome{At: w.At, Secret: "put back", File: c.Path,
			Placement: provider.Placement{Action: provider.Updated, Source: secret.Source{Kind: secret.SourceFile, Path: c.Path}}})
	}
	if err := write(ctx, s, back, back.Changes); err != nil {
		return errors.Join(changed, fmt.Errorf("it could not be put back, rhx undo does it: %w", err))
	}
	return changed
}

// check asks for each credential of a group as its client does, and has the client itself
// do so where it is installed and needs no network for that.
func (h *Hardener) check(ctx context.Context, group []*Item) error {
	for _, i := range group {
		if i.Client == "" {
			continue
		}
		if err := h.Helpers.Asked(ctx, i.client.Protocol, i.answer); err != nil {
			return fmt.Errorf("%s: rhx does not answer %s: %w", i.Secret, i.Client, err)
		}
		i.Checked = []string{"rhx helper " + i.client.Protocol}
		q := i.answer.RealClient(i.Client)
		if q == nil || h.Run == nil {
			continue
		}
		out, ok, err := h.Run(ctx, q)
		switch {
		case !ok:
			continue
		case err != nil:
			return fmt.Errorf("%s: %s does not get it: %w", i.Secret, strings.Join(q.Argv[:2], " "), err)
		case !q.Shown(out):
			return fmt.Errorf("%s: %s gets something else", i.Secret, strings.Join(q.Argv[:2], " "))
		}
		i.Checked = append(i.Checked, strings.Join(q.Argv[:2], " "))
	}
	return nil
}
