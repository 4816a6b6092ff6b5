package helper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// offer is what a client wants to have stored.
type offer struct {
	question
	// parts are as those of an answer.
	parts map[string]string
	// values are those of a secret of the keeper, and profile its profile as the client's
	// own file has it.
	values  secret.Values
	profile string
	expires time.Time
}

// keep saves what a client offers: as a new version of the secret of the client's own
// provider that it got, or as a new secret. What is there already is not saved again,
// whichever provider it is of.
func (h *Helpers) keep(ctx context.Context, o offer) error {
	err := h.keepOnce(ctx, o)
	if errors.Is(err, store.ErrConflict) { // another one of the client's processes was first
		err = h.keepOnce(ctx, o)
	}
	return err
}

func (h *Helpers) keepOnce(ctx context.Context, o offer) error {
	if o.protocol == spec.ProtocolDocker {
		o.user = "" // it has one user at a server: another one takes the place
	}
	all, err := h.all(ctx, o.question)
	if err != nil {
		return err
	}
	var old *Answer
	for _, a := range all {
		if maps.Equal(a.parts, o.parts) && (o.expires.IsZero() || a.rec.Secret.Expires.Equal(o.expires)) {
			return nil
		}
		if old == nil && a.kept(o.protocol) && o.same(a.at) {
			old = a
		}
	}
	if h.Secret != "" && old == nil {
		return fmt.Errorf("%s is not the client's to change; nothing was saved", h.Secret)
	}
	sp, err := h.Specs.Get(keeper(o.protocol))
	if err != nil {
		return err
	}
	if o.profile == defaultProfile(sp) {
		o.profile = ""
	}
	sec, expect := &secret.Secret{Name: secret.Name(sp.Name, o.profile), Provider: sp.Name, Profile: o.profile, Values: o.values}, 0
	if old != nil {
		sec, expect = old.rec.Secret.Clone(), old.rec.Version
		sec.Name = old.rec.Info.Name
		sec.Values = o.values
	}
	sec.Sources = []secret.Source{{Kind: secret.SourceClient, Path: o.protocol}}
	sec.Expires = o.expires
	if err := secret.ValidName(sec.Name); err != nil {
		return err
	}
	st, err := h.Records.Store(ctx)
	if err != nil {
		return err
	}
	_, err = st.Put(ctx, sec, expect)
	if errors.Is(err, store.ErrConflict) && expect == 0 {
		err = fault.WithHint(err, "there is a secret "+sec.Name+" already, for another address or user: give it another name with rhx move")
	}
	return err
}

// erase deletes the secrets that answer a question, if they are of the client's own
// provider. A client erases what a server has refused: value is what it tried, and only
// a secret that has it is deleted. Where the protocol has no value (given is false) the
// user has asked the client to log out. The secrets of other providers serve for more
// than this client, so they stay: that one server refuses a token says little.
func (h *Helpers) erase(ctx context.Context, q question, part, value string, given bool) (found bool, err error) {
	all, err := h.all(ctx, q)
	if err != nil {
		return false, err
	}
	st, err := h.Records.Store(ctx)
	if err != nil {
		return false, err
	}
	var deleted []string
	for _, a := range all {
		if given && (value == "" || a.parts[part] != value) {
			continue
		}
		if !a.kept(q.protocol) {
			h.warn(fmt.Sprintf("%s was refused by %s, and stays in the store; rhx delete %s deletes it", a.Secret, q.at, a.Secret))
			continue
		}
		if err := st.Delete(ctx, a.Secret); err != nil && !errors.Is(err, store.ErrNotFound) {
			return len(deleted) > 0, err
		}
		deleted = append(deleted, a.Secret)
	}
	if len(deleted) > 0 {
		h.warn("deleted " + strings.Join(deleted, ", ") + "; rhx undelete brings it back")
	}
	return len(deleted) > 0, nil
}

func (h *Helpers) warn(text string) {
	if h.Warn != nil {
		h.Warn(text)
	}
}
