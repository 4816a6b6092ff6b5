package doctor

import (
	"context"
	"fmt"
	"time"
)

// skewed is by how much clocks may differ.
const skewed = 2 * time.Minute

// vaultCheck looks at the login; whether Vault answers at all, and lists, store says.
var vaultCheck = Check{Name: "vault", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	if d.Health == nil || d.local() {
		return nil, nil
	}
	st, err := d.Engine.Records.Store(ctx)
	if err != nil {
		return nil, nil // store says why
	}
	h, err := d.Health(ctx, st)
	if err != nil {
		return nil, nil // store says why, and without its policy a token may not be looked up
	}
	var out []Finding
	now := time.Now()
	if s := h.Skew.Abs(); s > skewed {
		way := "behind"
		if h.Skew < 0 {
			way = "before"
		}
		out = append(out, Finding{
			Level: Warning, What: fmt.Sprintf("the clock of this machine is %v %s that of Vault at %s", s.Round(time.Second), way, h.Address),
			Why:     "Logins by OIDC and JWT fail, AWS refuses signatures, and times in rhx's log are wrong.",
			Command: "sudo timedatectl set-ntp true",
		})
	}
	switch left := h.Expires.Sub(now); {
	case h.Root:
		out = append(out, Finding{
			Level: Note, What: "the token for Vault is a root token", Why: "It may do everything there, and does not end.",
			Command: "rhx vault policy --write",
		})
	case !h.Expires.IsZero() && !h.Renews && left < time.Hour && left < h.Life/4:
		out = append(out, Finding{
			Level: Note, What: fmt.Sprintf("the token for Vault ends in %v", max(0, left).Round(time.Second)), Why: "After that the store answers nothing.",
			Command: "rhx login",
		})
	}
	return out, nil
}}
