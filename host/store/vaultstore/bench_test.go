package vaultstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// benchSecrets is how many secrets one iteration writes or reads, 32 at once.
const benchSecrets = 1000

func BenchmarkPut1000(b *testing.B) {
	s, _, _ := benchStore(b)
	for b.Loop() {
		each(b, func(ctx context.Context, n int) error {
			_, err := s.Put(ctx, benchSecret(n), store.AnyVersion)
			return err
		})
	}
}

func BenchmarkGet1000(b *testing.B) {
	s, _, _ := benchStore(b)
	for b.Loop() {
		each(b, func(ctx context.Context, n int) error {
			_, err := s.Get(ctx, benchSecret(n).Name, 0)
			return err
		})
	}
}

func BenchmarkList1000(b *testing.B) {
	s, _, _ := benchStore(b)
	for b.Loop() {
		if list, err := s.List(b.Context()); err != nil || len(list) != benchSecrets {
			b.Fatal(len(list), err)
		}
	}
}

// The bare client sends the same values and reads the answers without a look.
func BenchmarkBareClientPut1000(b *testing.B) {
	_, server, mount := benchStore(b)
	client := bareClient()
	for b.Loop() {
		each(b, func(ctx context.Context, n int) error {
			return bare(ctx, client, server, http.MethodPost, mount+"/data/rhx/"+benchSecret(n).Name, map[string]any{"data": reveal(benchSecret(n).Values)})
		})
	}
}

func BenchmarkBareClientGet1000(b *testing.B) {
	_, server, mount := benchStore(b)
	client := bareClient()
	for b.Loop() {
		each(b, func(ctx context.Context, n int) error {
			return bare(ctx, client, server, http.MethodGet, mount+"/data/rhx/"+benchSecret(n).Name, nil)
		})
	}
}

// benchStore returns a store in which the secrets are already.
func benchStore(b *testing.B) (*Store, *vaulttest.Server, string) {
	b.Helper()
	server := vaulttest.Shared(b)
	mount := server.MountKV(b, "bench", 2, 0)
	s := open(b, mount+"/rhx", server.Getenv(b, server.RootToken))
	each(b, func(ctx context.Context, n int) error {
		_, err := s.Put(ctx, benchSecret(n), 0)
		return err
	})
	return s, server, mount
}

func benchSecret(n int) *secret.Secret {
	s := awsProd()
	s.Name = fmt.Sprintf("aws/profile-%d", n)
	s.Expires = time.Time{}
	return s
}

func each(b *testing.B, do func(context.Context, int) error) {
	b.Helper()
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(32)
	for n := range benchSecrets {
		g.Go(func() error { return do(ctx, n) })
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

func bareClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
}

func bare(ctx context.Context, client *http.Client, server *vaulttest.Server, method, path string, body any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, server.Addr+"/v1/"+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", server.RootToken)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
