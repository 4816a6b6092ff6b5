// Package helper answers clients that ask for credentials by a protocol of their own:
// git, docker, the AWS SDKs, kubectl, cargo, Terraform, pip and uv. Which secret and
// which of its values answer is said by provider specs (helper: and use:). It also puts
// rhx into the clients' own configuration, and takes it out.
//
// Whatever a client sends is hostile until it is checked: a repository, a page or a
// registry can have chosen it. A secret goes to the address that it is for, compared
// as a whole, and to no other.
package helper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// Helpers answers clients. Its fields are set once.
type Helpers struct {
	Specs   *spec.Registry
	Records *records.Records
	// Local is this machine, whose user's own configuration says what a registry's name
	// stands for.
	Local machine.Machine
	// Secret is the only secret that answers; "" for all.
	Secret string
	// Warn is told what the user should know and the client does not ask.
	Warn func(text string)
}

// ErrNone: no secret answers. Another helper, or a person, is asked then.
var ErrNone = errors.New("no secret in the store is for this")

// keeper is the provider of what a client stores; "" where the protocol has no storing.
func keeper(protocol string) string {
	switch protocol {
	case spec.ProtocolCargo, spec.ProtocolDocker, spec.ProtocolGit:
		return protocol
	case spec.ProtocolKeyring:
		return "pypi"
	case spec.ProtocolTerraform:
		return "terraform-cloud"
	}
	return ""
}

// anyUser stands for the user where a token goes with any.
const anyUser = "x-access-token"

// question is what a client asks.
type question struct {
	protocol string
	// at is the address that the answer is to be for; nil where the protocol has none.
	at *address
	// user is the user's name; "" for any.
	user string
	// name is what the client calls the address in its configuration; "" for nothing.
	name string

	able map[string]able // by provider, as far as it was asked
}

// Answer is a secret that answers a question.
type Answer struct {
	// Secret is its name, and At the address that it is for.
	Secret, At string
	rec        *store.Record
	at         address
	parts      map[string]string
}

// kept reports whether the secret is of the provider of what the client stores.
func (a *Answer) kept(protocol string) bool { return a.rec.Secret.Provider == keeper(protocol) }

// one returns the secret that answers.
func (h *Helpers) one(ctx context.Context, q question) (*Answer, error) {
	all, err := h.all(ctx, q)
	if err != nil {
		return nil, err
	}
	best, err := choose(q, all)
	if err != nil {
		return nil, err
	}
	if end := best.rec.Secret.Expires; !end.IsZero() && !time.Now().Before(end) {
		return nil, fault.WithHint(fmt.Errorf("%s has expired", best.Secret), "save a new one: rhx save "+best.Secret)
	}
	if h.Records.Read != nil {
		st, err := h.Records.Store(ctx)
		if err != nil {
			return nil, err
		}
		h.Records.Read(st.URL(), []store.Info{best.rec.Info})
	}
	return best, nil
}

// choose returns the answer that fits best. Nothing is guessed: of two that fit alike
// neither is taken.
func choose(q question, all []*Answer) (*Answer, error) {
	if len(all) == 0 {
		return nil, ErrNone
	}
	rank := func(a *Answer) int {
		n := 4 * len(a.at.path)
		if a.kept(q.protocol) {
			n += 2
		}
		if a.Secret == secret.Name(a.rec.Secret.Provider, a.rec.Secret.Profile) {
			n++
		}
		return n
	}
	slices.SortStableFunc(all, func(a, b *Answer) int { return rank(b) - rank(a) })
	var names []string
	for _, a := range all {
		if rank(a) == rank(all[0]) {
			names = append(names, a.Secret)
		}
	}
	if len(names) > 1 {
		return nil, fault.WithHint(fmt.Errorf("several secrets are for this: %s", strings.Join(names, ", ")),
			"have the client say the user, or name one: rhx helper install --secret")
	}
	return all[0], nil
}

// all returns the secrets that answer.
func (h *Helpers) all(ctx context.Context, q question) ([]*Answer, error) {
	st, err := h.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	if h.Secret != "" {
		rec, err := h.get(ctx, h.Secret)
		if err != nil {
			return nil, err
		}
		sp, err := h.Specs.Get(rec.Secret.Provider)
		if err != nil {
			return nil, err
		}
		if len(sp.HelpersFor(q.protocol)) == 0 {
			return nil, fault.WithKind(fmt.Errorf("%s is a secret of %s, which has nothing to answer %s with", h.Secret, sp.Name, q.protocol), fault.Usage)
		}
		if a := h.answer(ctx, q, sp, rec); a != nil {
			return []*Answer{a}, nil
		}
		return nil, nil
	}
	// Naming secrets can be cheap where describing them is a request for each.
	var read []string
	if names, ok := records.Names(ctx, st); ok {
		read = h.likely(q, names)
		if out, err := h.answers(ctx, q, st, read); err != nil || len(out) > 0 {
			return out, err
		}
	}
	infos, err := st.List(ctx)
	if err != nil && len(infos) == 0 {
		return nil, err
	}
	infos = slices.DeleteFunc(infos, func(i store.Info) bool { return slices.Contains(read, i.Name) })
	first, others := h.candidates(q, infos)
	out, err := h.answers(ctx, q, st, first)
	if err != nil || len(out) > 0 {
		return out, err
	}
	return h.answers(ctx, q, st, others)
}

// likely are the names that have the host in them, or are those of default profiles.
func (h *Helpers) likely(q question, names []string) []string {
	providers := map[string]bool{}
	for _, name := range h.Specs.Names() {
		providers[name] = true
	}
	var out []string
	for _, name := range names {
		provider, _ := secret.SplitName(name)
		if q.at == nil || !providers[provider] {
			continue
		}
		fixed, open := q.mayAnswer(h.Specs, provider)
		if fixed || open && q.likely(name, provider) {
			out = append(out, name)
		}
	}
	return out
}

// likely reports whether a name says that a secret is for the address.
func (q *question) likely(name, provider string) bool {
	return name == provider || strings.Contains(strings.ToLower(name), q.at.host)
}

// candidates are the names of the secrets that may answer: first those that are for the
// address by their spec, have its host in their name, or are a default profile; then those
// of which only the values can say it. With a hundred of them a client would notice.
func (h *Helpers) candidates(q question, infos []store.Info) (first, others []string) {
	for _, info := range infos {
		fixed, open := q.mayAnswer(h.Specs, info.Provider)
		switch {
		case fixed || open && (q.at == nil || q.likely(info.Name, info.Provider)):
			first = append(first, info.Name)
		case open:
			others = append(others, info.Name)
		}
	}
	return first, others
}

// answers are those of some secrets. One that cannot be read, which a token for Vault may
// not be allowed to, is no error where another one answers.
func (h *Helpers) answers(ctx context.Context, q question, st store.Store, names []string) ([]*Answer, error) {
	var out []*Answer
	var errs []error
	for _, name := range names {
		rec, err := st.Get(ctx, name, 0)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted, before or meanwhile
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		if sp, err := h.Specs.Get(rec.Secret.Provider); err == nil {
			if a := h.answer(ctx, q, sp, rec); a != nil {
				out = append(out, a)
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, errors.Join(errs...)
}

// get reads one secret, without noting it: not every one that is looked at is given.
func (h *Helpers) get(ctx context.Context, name string) (*store.Record, error) {
	st, err := h.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := secret.ValidName(name); err != nil {
		return nil, fault.WithKind(err, fault.Usage)
	}
	rec, err := st.Get(ctx, name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil, h.Records.NotFound(ctx, st, name, 0)
	}
	return rec, err
}

// able is what secrets of a provider can answer to a question.
type able struct{ fixed, open bool }

// mayAnswer reports whether secrets of a provider can answer, before one is decrypted:
// because the spec names the address, or because values name one.
func (q *question) mayAnswer(specs *spec.Registry, provider string) (fixed, open bool) {
	if had, ok := q.able[provider]; ok {
		return had.fixed, had.open
	}
	defer func() {
		if q.able == nil {
			q.able = map[string]able{}
		}
		q.able[provider] = able{fixed, open}
	}()
	if provider == "" {
		return false, false
	}
	sp, err := specs.Get(provider)
	if err != nil {
		return false, false // it is not known here
	}
	for _, one := range sp.HelpersFor(q.protocol) {
		open = open || q.at == nil || len(one.For) == 0
		for _, text := range one.For {
			if len(spec.Holes(text)) > 0 {
				open = true
			} else if have, ok := parseAddress(text); ok && q.at != nil {
				fixed = fixed || q.fits(have, false)
			}
		}
	}
	return fixed, open
}

// answer is what a secret answers; nil for nothing.
func (h *Helpers) answer(ctx context.Context, q question, sp *spec.Spec, rec *store.Record) *Answer {
	kept := sp.Name == keeper(q.protocol)
	for _, one := range sp.HelpersFor(q.protocol) {
		parts, ok := filled(one.Parts, sp, &rec.Secret)
		if !ok {
			continue
		}
		if q.user != "" && parts["username"] != "*" && parts["username"] != q.user {
			return nil // the secret is another user's, whatever else it could be taken for
		}
		if parts["username"] == "*" {
			parts["username"] = cmp.Or(q.user, anyUser)
		}
		a := &Answer{Secret: rec.Info.Name, rec: rec, parts: parts}
		if q.at == nil {
			return a
		}
		for _, text := range one.For {
			// What is fixed is for the secret of the default profile: those of others are
			// often for another server.
			if len(spec.Holes(text)) == 0 && rec.Secret.Profile != "" {
				continue
			}
			at, ok := spec.Fill(text, lookup(sp, &rec.Secret))
			if have, valid := parseAddress(at); ok && valid && q.fits(have, kept) {
				a.At, a.at = at, have
				return a
			}
		}
		if h.named(ctx, q, &rec.Secret) {
			a.At, a.at = q.at.String(), *q.at
			return a
		}
	}
	return nil
}

// filled are the texts of parts; false where the secret lacks a value.
func filled(parts []spec.UseField, sp *spec.Spec, sec *secret.Secret) (map[string]string, bool) {
	out := map[string]string{}
	for _, p := range parts {
		text, ok := spec.Fill(p.Text, lookup(sp, sec))
		if !ok && p.Name == "session_token" {
			continue // long-lived keys have none
		}
		if !ok || text == "" {
			return nil, false
		}
		out[p.Name] = text
	}
	return out, true
}

// lookup returns what the holes of a helper's texts stand for.
func lookup(sp *spec.Spec, sec *secret.Secret) func(string) (string, bool) {
	return func(hole string) (string, bool) {
		if hole == "profile" {
			return cmp.Or(sec.Profile, defaultProfile(sp)), true
		}
		key, field, deep := strings.Cut(hole, ".")
		v, ok := sec.Values[key]
		if !ok || !deep {
			return v.Reveal(), ok && !v.Empty()
		}
		tree, ok := codec.TreeIn(v.Reveal())
		if !ok {
			return "", false
		}
		n := tree.Get(field)
		if n == nil || n.Kind != codec.String || n.Text == "" {
			return "", false
		}
		return n.Text, true
	}
}

// defaultProfile is what files call the default profile of a provider.
func defaultProfile(sp *spec.Spec) string {
	for i := range sp.Files {
		if p := sp.Files[i].Default(); p != "" {
			return p
		}
	}
	return ""
}

// For returns the secrets that answer by a protocol, to whatever they are for, by their
// names.
func (h *Helpers) For(ctx context.Context, protocol string) ([]*Answer, error) {
	all, err := h.all(ctx, question{protocol: protocol})
	for _, a := range all {
		sp, err := h.Specs.Get(a.rec.Secret.Provider)
		if err != nil {
			return nil, err
		}
		a.At = h.isFor(ctx, protocol, sp, &a.rec.Secret)
	}
	// Of those with an address, only those whose own it is can answer.
	all = slices.DeleteFunc(all, func(a *Answer) bool { return a.At == "" && protocol != spec.ProtocolAWS })
	return all, err
}

// isFor is the first address that a secret is for.
func (h *Helpers) isFor(ctx context.Context, protocol string, sp *spec.Spec, sec *secret.Secret) string {
	for _, one := range sp.HelpersFor(protocol) {
		if _, ok := filled(one.Parts, sp, sec); !ok {
			continue
		}
		for _, text := range one.For {
			if len(spec.Holes(text)) == 0 && sec.Profile != "" {
				continue
			}
			if at, ok := spec.Fill(text, lookup(sp, sec)); ok {
				if _, valid := parseAddress(at); valid {
					return at
				}
			}
		}
	}
	if protocol == spec.ProtocolCargo {
		return h.cargoIndex(ctx, sec.Profile)
	}
	return ""
}

// named reports whether the user's own configuration calls the address that is asked
// for as the secret's profile is called: cargo's files have a token by the registry's
// name. What a project's configuration calls so does not count.
func (h *Helpers) named(ctx context.Context, q question, sec *secret.Secret) bool {
	if q.protocol != spec.ProtocolCargo || sec.Provider != keeper(q.protocol) || sec.Profile == "" || sec.Profile != q.name {
		return false
	}
	have, ok := parseAddress(h.cargoIndex(ctx, sec.Profile))
	return ok && have == *q.at
}

// Message is an error with its hint, for clients that show one text.
func Message(err error) string {
	if hint := fault.Hint(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

// Named returns a secret by its name, with what it is for.
func (h *Helpers) Named(ctx context.Context, protocol, name string) (*Answer, error) {
	own := *h
	own.Secret = name
	all, err := own.For(ctx, protocol)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.WithKind(fmt.Errorf("%s lacks what would answer %s", name, protocol), fault.Usage)
	}
	return all[0], nil
}
