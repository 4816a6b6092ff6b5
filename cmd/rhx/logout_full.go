//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// logoutJSON is logout's JSON.
type logoutJSON struct {
	Secrets []unplacedJSON `json:"secrets"`
	// Token is none, revoked, expired, deleted (of a root token) or not revoked.
	Token string `json:"token"`
	// Config is removed or kept.
	Config string `json:"config"`
}

// unplacedJSON is one secret that was placed on this machine.
type unplacedJSON struct {
	Name string   `json:"name"`
	Path string   `json:"path,omitempty"`
	Vars []string `json:"vars,omitempty"`
	// Action is removed, gone, kept or failed.
	Action string `json:"action"`
	Error  string `json:"error,omitempty"`
}

// logout takes off this machine what was placed, the token and the configuration.
func (a *app) logout(ctx context.Context, c *logoutCmd) error {
	h, err := a.host()
	if err != nil {
		return err
	}
	out := &logoutJSON{Secrets: []unplacedJSON{}, Token: "none", Config: "kept"}
	failed, err := a.unplaceAll(ctx, h, c, out)
	if err != nil {
		return err
	}
	revoked, err := a.endLogin(ctx, out)
	if err != nil {
		return err
	}
	if err := a.forgetConfig(ctx, h, c, out); err != nil {
		return err
	}
	if done, err := a.data(out); done && err != nil {
		return err
	}
	if failed || !revoked {
		return exitCode(3)
	}
	return nil
}

// asks reports whether each secret is asked about.
func (c *logoutCmd) asks(a *app) bool {
	return !c.DeleteSecrets && !c.KeepSecrets && !c.Yes && a.canOffer()
}

// unplaceAll goes through what load and login placed. It reports whether a part failed.
func (a *app) unplaceAll(ctx context.Context, h *host.Host, c *logoutCmd, out *logoutJSON) (bool, error) {
	placed, err := h.Placed()
	if err != nil {
		return false, err
	}
	asks := c.asks(a)
	failed, reachable := false, true
	kept := []string{}
	for _, p := range placed {
		j := unplacedJSON{Name: p.Name, Path: p.Path, Vars: p.Vars, Action: "kept"}
		if asks || !c.KeepSecrets && (c.DeleteSecrets || c.Yes) {
			// The store says whether values would be lost. It may be gone.
			storeCtx, cancel := context.WithTimeout(ctx, revokeTimeout)
			u, err := h.PlanUnplace(storeCtx, p, reachable)
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
				u, _ = h.PlanUnplace(ctx, p, false)
				u.NotCompared = err
			}
			j.Action, err = a.unplace(ctx, h, u, asks)
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

// unplace takes one secret off this machine, after a question or without.
func (a *app) unplace(ctx context.Context, h *host.Host, u host.Unplace, asks bool) (string, error) {
	if u.Err != nil && !errors.Is(u.Err, host.ErrGone) {
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
			unplaceHint(u))
	}
	if err := h.Unplace(ctx, u); err != nil {
		return "failed", fmt.Errorf("not deleted from %s: %w", u.Where(), err)
	}
	if gone {
		if a.Output == "table" {
			a.say(fmt.Sprintf("%s: not in %s any more", u.Name, u.Where()))
		}
		return "gone", nil
	}
	if a.Output == "table" {
		a.say(fmt.Sprintf("%s: deleted from %s", u.Name, u.Where()))
	}
	return "removed", nil
}

func unplaceHint(u host.Unplace) string {
	if u.NotCompared != nil {
		return u.NotCompared.Error() + "; rhx logout at a terminal asks"
	}
	return "rhx save " + u.Name + " keeps what this machine has; rhx logout at a terminal asks"
}

// endLogin revokes the token and deletes it. It reports whether no live token is left.
func (a *app) endLogin(ctx context.Context, out *logoutJSON) (bool, error) {
	s, _, err := a.readSession(ctx)
	switch {
	case errors.Is(err, store.ErrDenied):
		// A wrong passphrase: the token can still be revoked later.
		return false, fmt.Errorf("the token: %w", err)
	case err == nil && s == nil:
		if a.Output == "table" {
			a.say("No login is kept.")
		}
		return true, nil
	}
	revoked := true
	text := "The token is revoked and deleted."
	switch {
	case err != nil:
		out.Token, revoked = "not revoked", false
		a.reportPart("the token", fmt.Errorf("it could not be revoked, because it cannot be read: %w", err))
		text = "The token is deleted."
	case s.Expired(time.Now()):
		out.Token, text = "expired", "The token had expired; it is deleted."
	case s.Root:
		out.Token, text = "deleted", "The token is deleted; as a root token it is not revoked."
	default:
		conf, confErr := a.config()
		if confErr != nil {
			return false, confErr
		}
		bounded, cancel := context.WithTimeout(ctx, revokeTimeout)
		err = s.Revoke(bounded, vaultEnv(overlay(a.Getenv, map[string]string{"VAULT_ADDR": s.Address, "VAULT_AGENT_ADDR": ""}), conf.Vault))
		cancel()
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err == nil:
			out.Token = "revoked"
		case errors.Is(err, store.ErrDenied):
			out.Token, text = "expired", "The token was not valid any more; it is deleted."
		default:
			out.Token, revoked = "not revoked", false
			until := "it does not expire by itself: revoke it with its accessor"
			if !s.Expires.IsZero() {
				until = "it ends by itself at " + s.Expires.Local().Format("2006-01-02 15:04")
			}
			a.reportPart("the token", fault.WithHint(fmt.Errorf("it could not be revoked: %w", err), until))
			text = "The token is deleted here."
		}
	}
	if err := os.Remove(a.sessionPath()); err != nil {
		return false, err
	}
	if a.Output == "table" {
		a.say(text)
	}
	return revoked, nil
}

// forgetConfig takes the login out of config.yaml, after a question.
func (a *app) forgetConfig(ctx context.Context, h *host.Host, c *logoutCmd, out *logoutJSON) error {
	path := config.Path(h.Dirs)
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
	gone, err := config.Forget(ctx, h.Dirs, h.Local)
	if err != nil {
		return err
	}
	text := path + " is deleted."
	if out.Config = "removed"; !gone {
		out.Config = "kept"
		text = "The login is taken out of " + path + "; what else it says stays."
		if slices.ContainsFunc(out.Secrets, func(s unplacedJSON) bool { return s.Action == "kept" || s.Action == "failed" }) {
			text = "The login is taken out of " + path + ", which still says where the secrets are that stay."
		}
	}
	if a.Output == "table" {
		a.say(text)
	}
	return nil
}
