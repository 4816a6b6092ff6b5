package vaultstore

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/storetest"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

func TestConformance(t *testing.T) {
	kinds := []struct {
		name    string
		server  func(testing.TB) *vaulttest.Server
		base    string
		version int
		prefix  string
	}{
		{"KV version 2", vaulttest.Shared, "kv", 2, "/rhx"},
		{"KV version 1", vaulttest.Shared, "kv", 1, "/rhx"},
		{"mount with a slash, no prefix, TLS with its own CA", vaulttest.SharedTLS, "team/kv", 2, ""},
		{"KV version 1, mount with a slash, TLS", vaulttest.SharedTLS, "team/kv", 1, "/deep/prefix with space"},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			server := kind.server(t)
			storetest.Run(t, storetest.Config{
				NewestOnly: kind.version == 1,
				Names:      300,
				Raw: func(t *testing.T, st store.Store) storetest.Raw {
					path := strings.TrimPrefix(st.URL(), Scheme)
					if mount := path[:len(path)-len(kind.prefix)]; kind.version == 2 {
						path = mount + "/data" + kind.prefix
					}
					at := func(name string) string { return strings.ReplaceAll(path+"/"+name, " ", "%20") }
					return storetest.Raw{
						Write: func(name string, fields map[string]any) {
							server.API(t, http.MethodPost, at(name), wrapV2(kind.version, fields))
						},
						Read: func(name string) map[string]any {
							var got struct{ Data map[string]any }
							if err := json.Unmarshal(server.API(t, http.MethodGet, at(name), nil), &got); err != nil {
								t.Fatal(err)
							}
							if kind.version == 2 {
								return got.Data["data"].(map[string]any)
							}
							return got.Data
						},
					}
				},
				New: func(t *testing.T) func() store.Store {
					mount := server.MountKV(t, kind.base, kind.version, 50)
					getenv := server.Getenv(t, server.RootToken)
					return func() store.Store { return open(t, mount+kind.prefix, getenv) }
				},
			})
		})
	}
}

// open returns a handle on vault://PATH that is closed when t ends.
func open(t testing.TB, path string, getenv func(string) string) *Store {
	t.Helper()
	s, err := Open(Options{URL: Scheme + path, Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
