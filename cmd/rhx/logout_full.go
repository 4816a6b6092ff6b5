//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/vaultlogin"
)

// logoutJSON is logout's JSON.
type logoutJSON struct {
	Secrets []removedJSON `json:"secrets"`
	// Token is none, revoked, expired, deleted (of a root token) or not revoked.
	Token string `json:"token"`
	// Config is removed or kept.
	Config string `json:"config"`
}

// removedJSON is one secret that was placed on this machine.
type removedJSON struct {
	Name string   `json:"name"`
	Path string   `json:"path,omitempty"`
	Vars []string `json:"vars,omitempty"`
	// Action is removed, gone, kept or failed.
	Action string `json:"action"`
	Error  string `json:"error,omitempty"`
}

// logout takes off this machine what was placed, the token and the configuration.
func (a *app) logout(ctx context.Context, c *logoutCmd) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	out := &logoutJSON{Secrets: []removedJSON{}, Token: "none", Config: "kept"}
	failed, err := a.removeAll(ctx, e, c, out)
	if err != nil {
		return err
	}
	revoked, err := a.endLogin(ctx, e, out)
	if err != nil {
		return err
	}
	if err := a.forgetConfig(ctx, e, c, out); err != nil {
		return err
	}
	if done, err := a.data(out); done && err != nil {
		return err
	}
	return partlyDone(failed || !revoked)
}

// asks reports whether each secret is asked about.
func (c *logoutCmd) asks(a *app) bool {
	return !c.DeleteSecrets && !c.KeepSecrets && !c.Yes && a.canOffer()
}

// removeAll goes through what load and login placed. It reports whether a part failed.
func (a *app) removeAll(ctx context.Context, e *engine.Engine, c *logoutCmd, out *logoutJSON) (bool, error) {
	placed, err := e.Exchange.LocalCopies()
	if err != nil {
		return false, err
	}
	s := e.Book.Begin("logout")
	defer s.End()
	asks := c.asks(a)
	failed, reachable := false, true
	kept := []string{}
	for _, p := range placed {
		j := removedJSON{Name: p.Name, Path: p.Path, Vars: p.Vars, Action: "kept"}
		if asks || !c.KeepSecrets && (c.DeleteSecrets || c.Yes) {
			// The store says whether values would be lost. It may be gone.
			storeCtx, cancel := context.WithTimeout(ctx, vaultlogin.RevokeTimeout)
			u, err := e.Exchange.PlanRemoval(storeCtx, p, reachable)
			cancel()
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if err != nil {
				if errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
					reachable = false
					a.warn("what is on this machine cannot be compared with the store: " + err.Error())
					err = nil
				}
				u, _ = e.Exchange.PlanRemoval(ctx, p, false)
				u.NotCompared = err
			}
			j.Action, err = a.remove(ctx, e, s, &u, asks)
			if err != nil {
				failed, j.Error = true, err.Error()
				a.reportPart(p.Name, err)
			}
		}
		if j.Action == "kept" {
			kept = append(kept, fmt.Sprintf("%s (%s)", p.Name, p.Where()))
		}
		out.Secrets = append(out.Secrets, j)
	}
	if len(kept) > 0 && a.Output == "table" {
		a.say("Kept on this machine: " + strings.Join(kept, ", "))
	}
	return failed, nil
}

// reportPart prints the failure of a part, unless it goes into the JSON.
func (a *app) reportPart(name string, err error) {
	if a.Output == "table" {
		a.report(name, err)
	}
}

// remove takes one secret off this machine, after a question or without.
func (a *app) remove(ctx context.Context, e *engine.Engine, s *session.Session, u *exchange.Removal, asks bool) (string, error) {
	if u.Err != nil && !errors.Is(u.Err, exchange.ErrGone) {
		return "failed", fmt.Errorf("not deleted from %s: %w", u.Where(), u.Err)
	}
	gone := u.Err != nil
	doubt := ""
	switch {
	case gone:
	case len(u.Differs) > 0:
		doubt = "other values than stored: " + strings.Join(u.Differs, ", ")
	case u.NotStored:
		doubt = "the store does not have it"
	case u.NotCompared != nil:
		doubt = "it cannot be compared with the store"
	}
	switch {
	case gone:
	case asks:
		question := fmt.Sprintf("Delete credentials in %s for %s?", u.Where(), u.Name)
		if doubt != "" {
			question = fmt.Sprintf("Delete credentials in %s for %s (%s)?", u.Where(), u.Name, doubt)
		}
		if !a.ask(question) {
			return "kept", nil
		}
	case doubt != "":
		return "failed", fault.WithHint(fmt.Errorf("not deleted from %s: %s", u.Where(), doubt),
			removeHint(u))
	}
	if err := e.Exchange.Remove(ctx, s, u); err != nil {
		return "failed", fmt.Errorf("not deleted from %s: %w", u.Where(), err)
	}
	if gone {
		if a.Output == "table" {
			a.say(term.Linef("%s: not in %s any more", u.Name, u.Where()))
		}
		return "gone", nil
	}
	if a.Output == "table" {
		a.say(term.Linef("%s: deleted from %s", u.Name, u.Where()))
	}
	return "removed", nil
}

func removeHint(u *exchange.Removal) string {
	if u.NotCompared != nil {
		return u.NotCompared.Error() + "; rhx logout at a terminal asks"
	}
	return "rhx save " + u.Name + " keeps what this machine has; rhx logout at a terminal asks"
}

// endLogin revokes the token and deletes it. It reports whether no live token is left.
func (a *app) endLogin(ctx context.Context, e *engine.Engine, out *logoutJSON) (bool, error) {
	logins, err := a.vaultLogins()
	if err != nil {
		return false, err
	}
	conf, err := e.Stores.Config()
	if err != nil {
		return false, err
	}
	how, err := logins.End(ctx)
	if kept := (*vaultlogin.KeptError)(nil); errors.As(err, &kept) {
		return false, err
	}
	if err != nil {
		a.reportPart("the token", err)
	}
	if how != vaultlogin.EndedNone {
		e.Book.NoteStore(conf.Vault.Address, "logged out")
	}
	out.Token = string(how)
	if a.Output == "table" {
		a.say(map[vaultlogin.Ended]string{
			vaultlogin.EndedNone:    "Not logged in.",
			vaultlogin.EndedRevoked: "The token is revoked and deleted.",
			vaultlogin.EndedExpired: "The token was not valid any more; it is deleted.",
			vaultlogin.EndedRoot:    "The token is deleted; as a root token it is not revoked.",
			vaultlogin.NotRevoked:   "The token is deleted here.",
		}[how])
	}
	return how != vaultlogin.NotRevoked, nil
}

// forgetConfig takes the login out of config.yaml, after a question.
func (a *app) forgetConfig(ctx context.Context, e *engine.Engine, c *logoutCmd, out *logoutJSON) error {
	path := config.Path(e.Dirs)
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			out.Config = "removed"
			return nil
		}
		return err
	}
	if !c.Yes {
		if !a.canOffer() || !a.ask(fmt.Sprintf("Delete rhx's configuration in %s?", path)) {
			return nil
		}
	}
	gone, err := config.Forget(ctx, e.Dirs, e.Local)
	if err != nil {
		return err
	}
	text := path + " is deleted."
	if out.Config = "removed"; !gone {
		out.Config = "kept"
		text = "The login is taken out of " + path + "; what else it says stays."
		if slices.ContainsFunc(out.Secrets, func(s removedJSON) bool { return s.Action == "kept" || s.Action == "failed" }) {
			text = "The login is taken out of " + path + ", which still says where the secrets are that stay."
		}
	}
	if a.Output == "table" {
		a.say(text)
	}
	return nil
}
