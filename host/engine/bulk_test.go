package engine

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaultstore"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// counter passes requests on to Vault and counts them by their kind.
type counter struct {
	mu    sync.Mutex
	kinds map[string]int
}

func (c *counter) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, k := range slices.Sorted(maps.Keys(c.kinds)) {
		out = append(out, fmt.Sprintf("%d %s", c.kinds[k], k))
	}
	c.kinds = nil
	return strings.Join(out, ", ")
}

// inVault makes a host's store one in a real Vault behind a proxy that counts.
func inVault(t *testing.T, h *Engine) *counter {
	t.Helper()
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "bulk", 2, 0)
	target, err := url.Parse(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{}
	pass := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := r.Method + " the mount"
		if rest, below := strings.CutPrefix(r.URL.Path, "/v1/"+mount+"/"); below {
			kind = r.Method + " " + strings.Split(rest, "/")[0]
		}
		if r.URL.Query().Get("list") == "true" {
			kind = "LIST"
		}
		c.mu.Lock()
		if c.kinds == nil {
			c.kinds = map[string]int{}
		}
		c.kinds[kind]++
		c.mu.Unlock()
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	getenv := server.Getenv(t, server.RootToken)
	h.Records.Open = func(context.Context) (store.Store, error) {
		return vaultstore.Open(vaultstore.Options{URL: "vault://" + mount + "/ml", Getenv: func(name string) string {
			if name == "VAULT_ADDR" {
				return proxy.URL
			}
			return getenv(name)
		}})
	}
	return c
}

// What is new takes a request for the values and one for what is known beside
// them; what is there, one that reads; and so does loading. The store is listed,
// a folder a request, and asked once where it is.
func TestRequestsForManySecrets(t *testing.T) {
	h, m := newHost(t)
	c := inVault(t, h)
	const n = 100
	var file []string
	for i := range n {
		file = append(file, awsFile(fmt.Sprintf("p%04d", i), akia, awsKey))
	}
	m.PutFile(home+".aws/credentials", []byte(strings.Join(file, "\n")), 0o600)
	save := func() string {
		t.Helper()
		counts := map[string]int{}
		for _, s := range must(h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}))(t) {
			counts[string(s.Action)]++
			if s.Err != nil {
				t.Error(s.Err)
			}
		}
		return fmt.Sprint(counts)
	}

	same(t, "new", save(), "map[created:100]")
	same(t, "requests for new ones", c.take(), "1 GET the mount, 1 LIST, 100 PATCH metadata, 100 POST data")
	same(t, "again", save(), "map[unchanged:100]")
	same(t, "requests for what is there", c.take(), "100 GET data, 2 LIST")

	if err := must(h.Records.Store(ctx))(t).Delete(ctx, "aws/p0001"); err != nil {
		t.Fatal(err)
	}
	file[0] = awsFile("p0000", akia2, awsKey)
	m.PutFile(home+".aws/credentials", []byte(strings.Join(file, "\n")), 0o600)
	c.take()
	same(t, "one changed, one deleted", save(), "map[created:1 unchanged:98 updated:1]")
	// The deleted one is written with check-and-set of 0 first, which Vault refuses.
	same(t, "requests then", c.take(), "101 GET data, 2 LIST, 3 POST data")

	if err := must(h.Records.Store(ctx))(t).Delete(ctx, "aws/p0001"); err != nil {
		t.Fatal(err)
	}
	c.take()
	if list := must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{All: true}))(t); len(list) != n-1 {
		t.Errorf("%d outcomes, not those of what is not deleted", len(list))
	}
	same(t, "requests to load", c.take(), "100 GET data, 2 LIST")
}

// A secret that somebody saves between the listing and the save is no new one,
// and not overwritten unseen: its values are compared first, as ever.
func TestSavedByAnotherAfterTheListing(t *testing.T) {
	h, m := newHost(t)
	inVault(t, h)
	var file []string
	for i := range 40 {
		file = append(file, awsFile(fmt.Sprintf("p%04d", i), akia, awsKey))
	}
	m.PutFile(home+".aws/credentials", []byte(strings.Join(file, "\n")), 0o600)
	open := h.Records.Open
	h.Records.Open = func(ctx context.Context) (store.Store, error) {
		st, err := open(ctx)
		return late{st, t}, err
	}
	var got []string
	for _, s := range must(h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}))(t) {
		if s.Version != 1 || s.Action != "created" {
			got = append(got, fmt.Sprint(s.Name, " ", s.Action, " ", s.Version, " ", s.Keys))
		}
	}
	same(t, "saved", strings.Join(got, "\n"), "aws/p0003 updated 2 [access_key]\naws/p0004 unchanged 1 []")
}

// late is a store in which somebody saves right after the names were listed.
type late struct {
	store.Store
	t *testing.T
}

func (l late) Names(ctx context.Context) ([]string, error) {
	names, err := l.Store.(store.Namer).Names(ctx)
	other, _ := newHost(l.t)
	other.Records.Open = func(context.Context) (store.Store, error) { return l.Store, nil }
	keep(l.t, other, "aws/p0003", "access_key", akia2, "secret_key", awsKey)
	keep(l.t, other, "aws/p0004", "access_key", akia, "secret_key", awsKey)
	return names, err
}
