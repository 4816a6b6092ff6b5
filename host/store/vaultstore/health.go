package vaultstore

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Health is what a server says of itself and of the token.
type Health struct {
	Address string
	// Skew is how far the server's clock is before this machine's, to a second.
	Skew time.Duration
	// Expires is when the token ends, in UTC; zero for never. Life is how long it was good for
	// when it was given.
	Expires time.Time
	Life    time.Duration
	// Renews reports that rhx has Vault extend the token's life.
	Renews bool
	// Root reports a token that may do everything, and does not end.
	Root bool
}

// Health asks for the token of the store. Its policies may not let it be looked up.
func (s *Store) Health(ctx context.Context) (*Health, error) {
	a, err := s.c.call(ctx, &request{method: http.MethodGet, path: "auth/token/lookup-self", needs: "read"})
	if err != nil {
		return nil, err
	}
	if !a.found() || a.data["id"] == nil {
		return nil, errNotVault
	}
	h := &Health{Address: s.c.where(), Life: time.Duration(number(a.data["creation_ttl"])) * time.Second}
	now := time.Now()
	if !a.date.IsZero() {
		// The server's time has no fractions of a second.
		if h.Skew = a.date.Sub(now); h.Skew < 0 && h.Skew > -time.Second {
			h.Skew = 0
		}
	}
	policies, _ := a.data["policies"].([]any)
	ttl := time.Duration(number(a.data["ttl"])) * time.Second
	switch {
	case ttl > 0:
		h.Expires = now.Add(ttl).UTC().Truncate(time.Second)
	default:
		h.Root = slices.Contains(policies, any("root"))
	}
	// Only the token of rhx login is one that rhx renews.
	h.Renews = s.c.session != nil && a.data["renewable"] == true
	return h, nil
}
