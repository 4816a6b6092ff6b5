package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// base is what the engines share.
type base struct {
	c *client
	// mount ends in "/".
	mount string
}

// v2 is a KV engine of version 2
// (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).
type v2 struct {
	base
	seen seen
}

// casAttempts bounds how often a write without expectations is tried against
// an engine that wants check-and-set, while others write too.
const casAttempts = 5

func (e *v2) list(ctx context.Context, dir string) ([]string, error) {
	return e.c.list(ctx, e.mount+"metadata/"+dir)
}

func (e *v2) info(ctx context.Context, path, name string) (*store.Info, error) {
	m, err := e.metadata(ctx, path)
	if err != nil || m == nil {
		return nil, err
	}
	info, ok := m.info(name, m.current)
	if !ok || info.Deleted {
		return nil, nil
	}
	return &info, nil
}

func (e *v2) get(ctx context.Context, path, name string, version int) (*store.Record, error) {
	v, err := e.read(ctx, path, version)
	if err != nil {
		return nil, err
	}
	if v == nil || v.deleted {
		return nil, notFound(name, version)
	}
	e.seen.add(path, v.number, v.values, v.foreign)
	m := metaFrom(v.custom, v.number)
	return &store.Record{
		Info:   store.Info{Name: name, Provider: m.provider, Version: v.number, Updated: v.created, Expires: m.expires},
		Secret: m.secret(name, v.values),
	}, nil
}

func (e *v2) put(ctx context.Context, path string, s *secret.Secret, expect int) (int, error) {
	m := metaOf(s)
	// What the metadata has no room for must fail before the values are written.
	if _, err := m.fields(1); err != nil {
		return 0, err
	}
	version, custom, err := e.write(ctx, path, s, expect)
	if err != nil {
		return 0, err
	}
	want, err := m.fields(version)
	if err == nil {
		err = e.describe(ctx, path, custom, want, version)
	}
	if err != nil {
		return version, fmt.Errorf("the values are saved as version %d, but not the provider and locations: %w", version, err)
	}
	return version, nil
}

// write writes the values of s with check-and-set. It returns the new
// version's number and the entry's custom metadata, nil if the server did not say.
func (e *v2) write(ctx context.Context, path string, s *secret.Secret, expect int) (int, map[string]string, error) {
	cas := expect
	was := e.seen.fields(path, s.Values, expect)
	for attempt := 1; ; attempt++ {
		r := &request{method: http.MethodPost, path: e.mount + "data/" + path, needs: "create or update", values: s.Values}
		body := map[string]any{"data": encodeValues(s.Values, was)}
		if cas != store.AnyVersion {
			body["options"] = map[string]int{"cas": cas}
		}
		r.body = body
		a, err := e.c.call(ctx, r)
		if err == nil {
			version := number(a.data["version"])
			if !a.found() || version == 0 {
				return 0, nil, errNotVault
			}
			e.seen.add(path, version, s.Values, was.of(s.Values))
			return version, customOf(a.data), nil
		}
		if !errors.Is(err, errCAS) && !errors.Is(err, errCASRequired) {
			return 0, nil, err
		}
		now, readErr := e.read(ctx, path, 0)
		if readErr != nil {
			return 0, nil, readErr
		}
		switch {
		case now == nil:
			now = &entry{}
		case r.retries > 0 && now.number == cas+1 && !now.deleted && now.values.Equal(s.Values):
			// The answer to an earlier attempt was lost: this is our own version.
			return now.number, now.custom, nil
		}
		gone := now.number == 0 || now.deleted
		if attempt < casAttempts && (expect == store.AnyVersion || expect == 0 && gone && now.number != cas) {
			cas = now.number
			continue
		}
		return 0, nil, conflict(s.Name, expect, now.number, gone)
	}
}

func conflict(name string, expect, now int, gone bool) error {
	was, is := "version "+strconv.Itoa(expect), "version "+strconv.Itoa(now)
	if expect <= 0 {
		was = "none"
	}
	if gone {
		is = "deleted"
	}
	return fmt.Errorf("%q: %w: expected %s, found %s", name, store.ErrConflict, was, is)
}

// describe writes want into the custom metadata of the entry, and leaves the fields
// of others alone. have is what the entry has now, nil if that is not known.
func (e *v2) describe(ctx context.Context, path string, have, want map[string]string, version int) error {
	if have == nil {
		m, err := e.metadata(ctx, path)
		if err != nil {
			return err
		}
		if m != nil {
			have = m.custom
		}
	}
	change := patch(have, want, version)
	if change == nil {
		return nil
	}
	r := &request{method: http.MethodPatch, path: e.mount + "metadata/" + path, needs: "patch or update",
		contentType: "application/merge-patch+json", body: map[string]any{"custom_metadata": change}}
	_, err := e.c.call(ctx, r)
	if !errors.Is(err, store.ErrDenied) && !errors.Is(err, errUnsupported) {
		return err
	}
	// Vault before 1.9 has no patch, and a policy may be older than it. An
	// update replaces all custom metadata, so it must repeat the rest.
	merged := map[string]any{}
	for k, v := range have {
		merged[k] = v
	}
	for k, v := range change {
		if v == nil {
			delete(merged, k)
		} else {
			merged[k] = v
		}
	}
	_, err = e.c.call(ctx, &request{method: http.MethodPost, path: r.path, needs: r.needs, body: map[string]any{"custom_metadata": merged}})
	return err
}

func (e *v2) delete(ctx context.Context, path, name string) error {
	there, err := e.exists(ctx, path, name)
	if err != nil {
		return err
	}
	if !there {
		return notFound(name, 0)
	}
	_, err = e.c.call(ctx, &request{method: http.MethodDelete, path: e.mount + "data/" + path, needs: "delete"})
	return err
}

// exists reports whether there is a newest version that is not deleted. The
// metadata says it without the values; a token may be kept from it.
func (e *v2) exists(ctx context.Context, path, name string) (bool, error) {
	m, err := e.metadata(ctx, path)
	if errors.Is(err, store.ErrDenied) {
		v, err := e.read(ctx, path, 0)
		return v != nil && !v.deleted, err
	}
	if err != nil || m == nil {
		return false, err
	}
	info, ok := m.info(name, m.current)
	return ok && !info.Deleted, nil
}

func (e *v2) undelete(ctx context.Context, path, name string, version int) error {
	m, err := e.metadata(ctx, path)
	if err != nil {
		return err
	}
	if m == nil || m.current == 0 {
		return notFound(name, version)
	}
	if version == 0 {
		version = m.current
	}
	info, ok := m.info(name, version)
	switch {
	case !ok:
		return notFound(name, version)
	case info.Destroyed:
		return fmt.Errorf("%w: its values are destroyed", notFound(name, version))
	case !info.Deleted:
		return nil
	}
	_, err = e.c.call(ctx, &request{method: http.MethodPost, path: e.mount + "undelete/" + path, needs: "update",
		body: map[string][]int{"versions": {version}}})
	return err
}

func (e *v2) destroy(ctx context.Context, path string) error {
	_, err := e.c.call(ctx, &request{method: http.MethodDelete, path: e.mount + "metadata/" + path, needs: "delete"})
	return err
}

func (e *v2) history(ctx context.Context, path, name string) ([]store.Info, error) {
	m, err := e.metadata(ctx, path)
	if err != nil {
		return nil, err
	}
	if m == nil || len(m.versions) == 0 {
		return nil, notFound(name, 0)
	}
	var list []store.Info
	for n := range m.versions {
		info, _ := m.info(name, n)
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b store.Info) int { return b.Version - a.Version })
	return list, nil
}

// entry is one version as Vault returns it.
type entry struct {
	number  int
	created time.Time
	deleted bool
	values  secret.Values
	foreign fields
	custom  map[string]string
}

// read returns one version, 0 for the newest; nil if there is none.
func (e *v2) read(ctx context.Context, path string, version int) (*entry, error) {
	r := &request{method: http.MethodGet, path: e.mount + "data/" + path, needs: "read"}
	if version > 0 {
		r.query = url.Values{"version": {strconv.Itoa(version)}}
	}
	a, err := e.c.call(ctx, r)
	if err != nil {
		return nil, err
	}
	return entryOf(a)
}

// entryOf reads the answer to a request for one version; nil if there is none.
func entryOf(a *answer) (*entry, error) {
	about, ok := a.data["metadata"].(map[string]any)
	if !ok {
		if a.found() {
			return nil, errNotVault
		}
		return nil, nil
	}
	v := &entry{number: number(about["version"]), created: when(about["created_time"]), deleted: gone(about), custom: customOf(about)}
	data, ok := a.data["data"].(map[string]any)
	if !ok {
		v.deleted = true
	}
	v.values, v.foreign = decodeValues(data)
	return v, nil
}

// metadata is what Vault knows about all versions of an entry.
type metadata struct {
	current  int
	versions map[int]map[string]any
	custom   map[string]string
}

// metadata returns nil if there is no entry.
func (e *v2) metadata(ctx context.Context, path string) (*metadata, error) {
	a, err := e.c.call(ctx, &request{method: http.MethodGet, path: e.mount + "metadata/" + path, needs: "read"})
	if err != nil || !a.found() {
		return nil, err
	}
	versions, ok := a.data["versions"].(map[string]any)
	if !ok {
		return nil, errNotVault
	}
	m := &metadata{current: number(a.data["current_version"]), versions: map[int]map[string]any{}, custom: customOf(a.data)}
	if m.custom == nil {
		m.custom = map[string]string{}
	}
	for k, v := range versions {
		n, err := strconv.Atoi(k)
		about, ok := v.(map[string]any)
		if err != nil || !ok {
			return nil, errNotVault
		}
		m.versions[n] = about
	}
	return m, nil
}

// info describes the version n; false if Vault no longer knows it.
func (m *metadata) info(name string, n int) (store.Info, bool) {
	about, ok := m.versions[n]
	if !ok {
		return store.Info{}, false
	}
	said := metaFrom(m.custom, n)
	return store.Info{
		Name: name, Provider: said.provider, Version: n, Expires: said.expires,
		Updated: when(about["created_time"]), Deleted: gone(about), Destroyed: about["destroyed"] == true,
	}, true
}

// gone reports whether a version is destroyed or deleted. An engine with
// delete_version_after sets times of deletion that are still to come.
func gone(about map[string]any) bool {
	t := when(about["deletion_time"])
	return about["destroyed"] == true || !t.IsZero() && !t.After(time.Now())
}

// customOf returns the custom metadata in data: nil if the server does not
// report it, empty if there is none.
func customOf(data map[string]any) map[string]string {
	raw, ok := data["custom_metadata"]
	if !ok {
		return nil
	}
	custom := map[string]string{}
	fields, _ := raw.(map[string]any)
	for k, v := range fields {
		if s, ok := v.(string); ok {
			custom[k] = s
		}
	}
	return custom
}

func number(v any) int {
	n, _ := v.(json.Number)
	i, err := strconv.Atoi(n.String())
	if err != nil {
		return 0
	}
	return i
}

func when(v any) time.Time {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
