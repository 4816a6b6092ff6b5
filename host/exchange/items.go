package exchange

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/foreign"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/projfile"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// ItemOptions say how the items of another tool are imported.
type ItemOptions struct {
	// Tool is what the tool is called by, such as bitwarden.
	Tool string
	// Name is what the secrets are called by; "" for what the items are called by.
	Name string
	// Overwrite replaces what the store has from elsewhere.
	Overwrite bool
}

// PlanItems makes secrets of another tool's items, and compares them with the store. It
// changes nothing. Each item becomes the secret of a provider that it is for, or one of no
// provider; or it is among what is left, and so is each of its parts. What the store has
// under a name from elsewhere is a Conflict.
func (x *Exchange) PlanItems(ctx context.Context, export *foreign.Export, opts ItemOptions) (*Import, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	specs, err := x.Specs.All()
	if err != nil && len(specs) == 0 {
		return nil, err
	}
	m := &itemsImport{x: x, st: st, opts: opts, specs: specs, im: &Import{Keys: true}}
	if err := m.values(export); err != nil {
		return nil, err
	}
	for _, l := range export.Left {
		m.left(m.shown(l.Name, nil, "an item"), l.Why, l.NoValue)
	}
	for i := range export.Items {
		if err := m.item(ctx, i, &export.Items[i], len(export.Items) == 1); err != nil {
			return nil, err
		}
	}
	m.im.Plan, err = x.planUpload(ctx, m.found, func(sec *secret.Secret, old *store.Record) error {
		if opts.Overwrite || slices.ContainsFunc(old.Secret.Sources, m.isTool) {
			return nil
		}
		return fault.WithHint(&OthersError{Name: sec.Name, From: fileOf(&old.Secret), Tool: opts.Tool}, "--overwrite replaces it; --name N gives what is imported another name")
	})
	return m.im, err
}

// SaveItems saves what is new in a plan of PlanItems and, with replace, what differs.
func (x *Exchange) SaveItems(ctx context.Context, plan []Upload, replace bool, tool string) ([]Saved, error) {
	plan = slices.Clone(plan)
	for i := range plan {
		if u := &plan[i]; u.Action == provider.Updated && !replace {
			u.Action, u.Err = provider.Conflict, fault.WithHint(&StoredDiffersError{u.Keys}, "rhx import "+tool+" --yes saves what was read")
		}
	}
	return x.Upload(ctx, plan, true)
}

// itemsImport collects what becomes of items.
type itemsImport struct {
	x     *Exchange
	st    store.Store
	opts  ItemOptions
	specs []*spec.Spec
	im    *Import
	found []provider.Found
	// hidden finds all values that the tool does not show, in lower case, as names are.
	hidden *mask.Literals
}

func (m *itemsImport) isTool(src secret.Source) bool {
	return src.Kind == secret.SourceTool && src.Path == m.opts.Tool
}

func (m *itemsImport) left(name, why string, noValue bool) {
	m.im.Left = append(m.im.Left, Leftover{Name: name, Why: why, NoValue: noValue})
}

// values notes all values that are not shown.
func (m *itemsImport) values(export *foreign.Export) error {
	var hidden []string
	for i := range export.Items {
		for _, f := range export.Items[i].Fields {
			if v := strings.ToLower(strings.TrimSpace(f.Value.Reveal())); !f.Shown && len(v) >= shortest && len(v) <= longest {
				hidden = append(hidden, v)
			}
		}
	}
	m.hidden = mask.NewLiterals(hidden)
	if m.opts.Name == "" {
		return nil
	}
	return fault.WithKind(secret.ValidName(m.opts.Name), fault.Usage)
}

// shortest is the length from which on a value in a name is no chance.
const shortest = 8

// longest is how long a value is that could be in a name.
const longest = 4096

// reveals reports whether a text would show a secret: a value of the item's own in it,
// another item's value, or what is a secret wherever it occurs.
func (m *itemsImport) reveals(text string, it *foreign.Item) bool {
	if provider.SecretForm(text) {
		return true
	}
	if it != nil {
		for _, f := range it.Fields {
			if v := f.Value.Reveal(); !f.Shown && (v == text || len(v) >= shortest && strings.Contains(text, v)) {
				return true
			}
		}
	}
	found := false
	m.hidden.Find([]byte(strings.ToLower(text)), func(int, int) { found = true })
	return found
}

// shown is a text, or another one where that would show a secret.
func (m *itemsImport) shown(text string, it *foreign.Item, instead string) string {
	if m.reveals(text, it) {
		return instead + ", whose name is a secret value"
	}
	return text
}

// item makes secrets of one item: of its variables, of its file, of what a provider
// knows by the item's addresses or its title, and of the rest.
func (m *itemsImport) item(ctx context.Context, i int, it *foreign.Item, alone bool) error {
	from := m.shown(it.Title, it, fmt.Sprintf("item %d", i+1))
	switch {
	case from == "" && alone:
		from = m.opts.Tool
	case from == "":
		from = fmt.Sprintf("item %d", i+1)
	}
	for _, l := range it.Left {
		m.left(from+": "+m.shown(l.Name, it, "a part"), l.Why, l.NoValue)
	}
	own := m.own(i, it)
	base := m.base(own, alone)
	if it.File != "" {
		done, err := m.file(ctx, it, from)
		if err != nil || done {
			return err
		}
	}
	rest := it.Fields
	found, _, err := m.x.Detector.Variables(ctx, variablesIn(it), func(name string) string { return name })
	if err != nil {
		return err
	}
	for _, sec := range found {
		if opens(sec.Found, m.st) {
			m.left(from+": "+joined(sec.Vars), "it opens the store", false)
		} else if sp, err := m.x.Specs.Get(sec.Provider); err == nil {
			m.provider(sp, sec.Found, it, base, from)
		}
		rest = slices.DeleteFunc(slices.Clone(rest), func(f foreign.Field) bool { return slices.Contains(sec.Vars, f.Name) })
	}
	rest = m.keyPair(ctx, it, rest, base, from)
	rest, note := m.known(it, rest, own, base, from)
	m.noProvider(it, rest, base, from, note)
	return nil
}

// variablesIn are the fields that are called as variables are.
func variablesIn(it *foreign.Item) []projfile.Var {
	var vars []projfile.Var
	for _, f := range it.Fields {
		if spec.ValidVar(f.Name) {
			vars = append(vars, projfile.Var{Name: f.Name, Value: f.Value})
		}
	}
	return vars
}

// own is what an item's secrets may be called by, of the item's own: its name, or its
// title.
func (m *itemsImport) own(i int, it *foreign.Item) string {
	name := slug(it.Name)
	if it.Name == "" {
		name = slug(strings.ToLower(it.Title[strings.LastIndexByte(it.Title, '/')+1:]))
	}
	switch {
	case name == "":
		return m.opts.Tool
	case m.reveals(name, it), m.reveals(it.Name, it), m.reveals(it.Title, it):
		return fmt.Sprintf("%s-item-%d", m.opts.Tool, i+1)
	}
	return name
}

// base is the name that secrets of an item are made of.
func (m *itemsImport) base(own string, alone bool) string {
	switch {
	case m.opts.Name == "":
		return own
	case alone:
		return m.opts.Name
	}
	return m.opts.Name + "/" + own
}

// slug is a text as part of a name: what is no letter, digit or one of "._@:+-" is a dash,
// and steps divided by slashes stay.
func slug(text string) string {
	var steps []string
	for step := range strings.SplitSeq(text, "/") {
		words := strings.FieldsFunc(step, func(r rune) bool { return !strings.ContainsRune("._@:+-", r) && !isWord(r) })
		if step = strings.Trim(strings.Join(words, "-"), "-."); step != "" {
			steps = append(steps, step)
		}
	}
	out := strings.Join(steps, "/")
	const most = 100
	if len(out) > most {
		out = strings.ToValidUTF8(out[:most], "")
		out = strings.Trim(out, "-./")
	}
	return out
}

// add takes a secret under the first name that nothing else has: the one without a
// suffix, with the user's name, or with a number.
func (m *itemsImport) add(f provider.Found, from, user string, with func(suffix string) string) {
	for n := 0; ; n++ {
		suffix := ""
		switch {
		case n == 1 && user == "":
			continue
		case n == 1:
			suffix = user
		case n > 1:
			suffix = strconv.Itoa(n)
		}
		name := with(suffix)
		i := slices.IndexFunc(m.found, func(g provider.Found) bool { return g.Name == name })
		if i >= 0 {
			if m.found[i].Provider == f.Provider && m.found[i].Values.Equal(f.Values) {
				m.left(from, "it is the same as "+m.im.From[i]+", which is taken as "+name, true)
				return
			}
			continue
		}
		if f.Name = name; f.Provider != "" && strings.HasPrefix(name, f.Provider+"/") {
			_, f.Profile = secret.SplitName(name)
		}
		f.Sources = append(f.Sources, secret.Source{Kind: secret.SourceTool, Path: m.opts.Tool})
		m.found, m.im.From = append(m.found, f), append(m.im.From, from)
		return
	}
}

// provider takes the secret of a provider, under a name made of the provider's and of what
// else the item is called by.
func (m *itemsImport) provider(sp *spec.Spec, f provider.Found, it *foreign.Item, base, from string) {
	f.Provider = sp.Name
	profile := without(base, sp)
	if it.Profile != "" && m.opts.Name == "" && !m.reveals(it.Profile, it) {
		if profile = it.Profile; slices.ContainsFunc(sp.Files, func(f spec.File) bool { return f.Default() == profile }) {
			profile = ""
		}
	}
	if profile == "" && !sp.HasDefault() {
		profile = strings.ReplaceAll(base, "/", "-")
	}
	f.Profile = ""
	m.add(f, from, m.user(it), func(suffix string) string {
		p := strings.Trim(profile+"-"+suffix, "-")
		switch {
		case p == "":
			return sp.Name
		case freeProfiles(sp):
			return secret.Name(sp.Name, p)
		}
		return sp.Name + "-" + p
	})
}

// user is what tells an item from others of its name.
func (m *itemsImport) user(it *foreign.Item) string {
	if m.reveals(it.User, it) {
		return ""
	}
	name, _, _ := strings.Cut(it.User, "@")
	return strings.ReplaceAll(slug(strings.ToLower(name)), "/", "-")
}

// freeProfiles reports whether a provider's profiles may have any name. Where they are
// hosts, or where there are none, a further secret of it has a name of its own.
func freeProfiles(sp *spec.Spec) bool {
	if len(sp.Files) == 0 {
		return true
	}
	for i := range sp.Files {
		f := &sp.Files[i]
		if f.PerFile() || f.Profiles != nil && f.Profiles.Default != "" && !strings.Contains(f.Profiles.Default, ".") {
			return true
		}
	}
	return false
}

// without is a name without the words that are the provider's, and with those gone
// without words that every key is called by.
func without(base string, sp *spec.Spec) string {
	own := wordsOf(strings.Join(append([]string{sp.Name, sp.Title}, sp.Aliases...), " "))
	words := wordsOf(base)
	rest := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(own, w) })
	if len(rest) < len(words) {
		rest = slices.DeleteFunc(rest, func(w string) bool { return slices.Contains(generic, w) })
	}
	return strings.Join(rest, "-")
}

// generic are words that say nothing of one key among those of a provider.
var generic = []string{"api", "key", "keys", "token", "tokens", "access", "secret", "credential", "credentials", "account", "login", "com", "io", "ai", "co", "net", "org", "www"}

// wordsOf are the words of a text, in lower case.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !isWord(r) })
}

// noProvider takes what is left of an item as a secret of no provider.
func (m *itemsImport) noProvider(it *foreign.Item, rest []foreign.Field, base, from, note string) {
	if len(rest) == 0 {
		return
	}
	f := provider.Found{State: provider.HasValue, Secret: secret.Secret{Values: secret.Values{}}}
	if note != "" {
		f.Notes = []string{note}
	}
	for i, field := range rest {
		key := m.key(i, field.Name, it)
		unique := key
		for n := 2; ; n++ {
			if _, ok := f.Values[unique]; !ok {
				break
			}
			unique = fmt.Sprintf("%s_%d", key, n)
		}
		f.Values[unique] = field.Value
	}
	// A name that begins as a provider's would be taken for that one's.
	name := base
	if first, rest, ok := strings.Cut(base, "/"); m.x.Detector.Provider(first) {
		if name = first + "." + m.opts.Tool; ok {
			name += "/" + rest
		}
	}
	m.add(f, from, m.user(it), func(suffix string) string { return strings.TrimSuffix(name+"-"+suffix, "-") })
}

// key is what a field is called in a secret of no provider.
func (m *itemsImport) key(i int, name string, it *foreign.Item) string {
	if m.reveals(name, it) {
		return fmt.Sprintf("field_%d", i+1)
	}
	key := strings.Join(strings.FieldsFunc(name, func(r rune) bool { return !strings.ContainsRune("._-", r) && !isWord(r) }), "_")
	if key = strings.Trim(key, "."); key == "" {
		return fmt.Sprintf("field_%d", i+1)
	}
	return key
}

// file takes the secrets in a file that a provider knows by its path.
func (m *itemsImport) file(ctx context.Context, it *foreign.Item, from string) (bool, error) {
	found, err := m.x.Detector.On(ctx, inMemory("/"+it.File, []byte(it.Fields[0].Value.Reveal()), nil))
	if err != nil && len(found) == 0 {
		return false, err
	}
	took := false
	for _, f := range found {
		if f.State == provider.HasValue && !opens(f, m.st) {
			m.add(f, from, "", func(suffix string) string { return strings.TrimSuffix(f.Name+"-"+suffix, "-") })
			took = true
		}
	}
	return took, nil
}

// keyPair takes a private key, and the public one beside it.
func (m *itemsImport) keyPair(ctx context.Context, it *foreign.Item, rest []foreign.Field, base, from string) []foreign.Field {
	at := slices.IndexFunc(rest, func(f foreign.Field) bool { return f.Name == "private_key" })
	sp, err := m.x.Specs.Get("ssh")
	if at < 0 || err != nil {
		return rest
	}
	key := rest[at].Value.Reveal()
	if !strings.HasSuffix(key, "\n") {
		key += "\n" // as its file has it
	}
	mem := machine.NewMemory("what is imported")
	mem.PutFile(memoryHome+"/.ssh/imported", []byte(key), 0o600)
	public := slices.IndexFunc(rest, func(f foreign.Field) bool { return f.Name == "public_key" })
	if public >= 0 {
		mem.PutFile(memoryHome+"/.ssh/imported.pub", []byte(strings.TrimSpace(rest[public].Value.Reveal())+"\n"), 0o600)
	}
	snap, err := provider.Take(ctx, mem, m.x.Guests, []*spec.Spec{sp})
	if err != nil {
		return rest
	}
	found := snap.Extract(ctx, sp)
	if len(found) != 1 || found[0].State != provider.HasValue {
		return rest
	}
	f := found[0]
	f.Sources, f.Notes = nil, nil
	m.provider(sp, f, it, base, from)
	return m.remain(&f, sp, rest, at, public)
}

// remain is what of an item is beside the fields that a provider's secret has. Where
// nothing of it is hidden it is left out, and the secret's notes say so.
func (m *itemsImport) remain(f *provider.Found, sp *spec.Spec, rest []foreign.Field, taken ...int) []foreign.Field {
	var out []foreign.Field
	var names []string
	hidden := false
	for i, field := range rest {
		if slices.Contains(taken, i) {
			continue
		}
		out, names = append(out, field), append(names, field.Name)
		hidden = hidden || !field.Shown
	}
	if hidden || len(out) == 0 {
		return out
	}
	for i := range m.found {
		if m.found[i].Provider == f.Provider && m.found[i].Values.Equal(f.Values) {
			m.found[i].Notes = append(m.found[i].Notes, "left out, because "+sp.Name+" has no such value: "+fmt.Sprintf("%q", names))
		}
	}
	return nil
}

// known takes the secret of the provider that an item is for, by its addresses and its
// title, where it has all the values that the provider needs.
func (m *itemsImport) known(it *foreign.Item, rest []foreign.Field, own, base, from string) ([]foreign.Field, string) {
	byURL, byTitle, bySite := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, sp := range m.specs {
		if slices.ContainsFunc(it.URLs, func(u string) bool { return isFor(sp, u) }) {
			byURL[sp.Name] = true
			// The site's own provider before others whose tools go there, too.
			bySite[sp.Name] = slices.ContainsFunc(it.URLs, func(u string) bool { return strings.HasPrefix(siteOf(u), normal(sp.Name)+".") })
		}
		if titled(sp, own) {
			byTitle[sp.Name] = true
		}
	}
	for _, may := range []func(string) bool{
		func(n string) bool { return byURL[n] && byTitle[n] },
		func(n string) bool { return bySite[n] },
		func(n string) bool { return byURL[n] },
		func(n string) bool { return byTitle[n] },
	} {
		var fits []*spec.Spec
		var found []provider.Found
		var taken [][]int
		for _, sp := range m.specs {
			if !may(sp.Name) || !sp.HasDefault() {
				continue
			}
			if values, at := fitting(sp, rest); values != nil {
				fits, taken = append(fits, sp), append(taken, at)
				found = append(found, provider.Found{State: provider.HasValue, Secret: secret.Secret{Provider: sp.Name, Values: values}})
			}
		}
		switch len(fits) {
		case 0:
			continue
		case 1:
			if opens(found[0], m.st) {
				m.left(from, "it opens the store", false)
				return nil, ""
			}
			m.provider(fits[0], found[0], it, base, from)
			return m.remain(&found[0], fits[0], rest, taken[0]...), ""
		}
		return rest, "it could be a key of " + fits[0].Name + " or of " + fits[1].Name + ", so it is a secret of no provider"
	}
	return rest, ""
}
