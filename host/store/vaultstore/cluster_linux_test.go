package vaultstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// The leader of a cluster dies in the middle of a thousand saves, half of which
// make a secret and half a new version of one. A save that succeeded is there; one
// that did not says so, and can be said again; none left an older version behind.
func TestTheLeaderDiesDuringAThousandSaves(t *testing.T) {
	const n, workers = 1000, 32
	c := vaulttest.NewCluster(t, 3)
	t.Run("before that, a standby redirects", func(t *testing.T) { redirectOfAStandby(t, c) })
	node := c.Follower(t)
	leader := c.Leader(t)
	s := open(t, node.MountKV(t, "kv", 2, 0)+"/team", node.Getenv(t, node.RootToken))
	name := func(i int) string { return fmt.Sprintf("s%03d", i) }
	save := func(i, version int) error {
		_, err := s.Put(t.Context(), &secret.Secret{Name: name(i), Provider: "base",
			Values: secret.Values{"k": secret.NewValue(fmt.Sprintf("fake-%d-%d", i, version))}}, version-1)
		return err
	}
	for i := 0; i < n; i += 2 {
		if err := save(i, 1); err != nil {
			t.Fatal(err)
		}
	}
	version := func(i int) int { return 2 - i%2 }
	var next, done atomic.Int32
	failed := make([]error, n)
	var wg sync.WaitGroup
	begin := time.Now()
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				failed[i] = save(i, version(i))
				if done.Add(1) == n/4 {
					leader.Stop()
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d saves in %v", n, time.Since(begin))
	errs := 0
	for i, err := range failed {
		if err == nil {
			continue
		}
		errs++
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name(i), err)
		}
		// Said again, it is saved, by the first attempt or by this one.
		if err := save(i, version(i)); err != nil && !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s, again: %v", name(i), err)
		}
	}
	t.Logf("%d saves reported a failure", errs)
	if errs > 0 {
		t.Errorf("%d of %d saves were not carried over to the next leader; the first: %v", errs, n, errors.Join(failed...))
	}
	for i := range n {
		r, err := s.Get(t.Context(), name(i), 0)
		if err != nil {
			t.Fatalf("%s is lost: %v", name(i), err)
		}
		if want := fmt.Sprintf("fake-%d-%d", i, version(i)); r.Version != version(i) || r.Secret.Values["k"].Reveal() != want {
			t.Errorf("%s has version %d", name(i), r.Version)
		}
	}
}

// redirectOfAStandby has a standby not forward requests, so that it sends its
// clients to the leader. That has another address, which must be named.
func redirectOfAStandby(t *testing.T, c *vaulttest.Cluster) {
	node, leader := c.Follower(t), c.Leader(t)
	path := node.MountKV(t, "kv", 2, 0) + "/team"
	at := func(more ...string) *Store {
		s := open(t, path, node.Getenv(t, node.RootToken, append(more, "VAULT_MAX_RETRIES", "0")...))
		s.c.api.AddHeader("X-Vault-No-Request-Forwarding", "true")
		return s
	}
	_, err := at().Put(t.Context(), awsProd(), 0)
	wantFault(t, err, store.ErrUnavailable, fmt.Sprintf("redirects to %q", leader.Addr), EnvCluster)
	s := at(EnvCluster, leader.Addr)
	put(t, s, awsProd(), 0)
	if r := get(t, s, awsProd().Name, 0); !r.Secret.Values.Equal(awsProd().Values) {
		t.Error("another value came back")
	}
}
