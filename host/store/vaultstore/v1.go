package vaultstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// v1 is a KV engine of version 1
// (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1).
type v1 struct {
	base
	// writing keeps the read and the write of one Put together, at least among
	// the users of this store.
	writing sync.Mutex
}

func (e *v1) list(ctx context.Context, dir string) ([]string, error) {
	return e.c.list(ctx, e.mount+dir)
}

// info describes an entry without reading its values.
func (e *v1) info(ctx context.Context, path, name string) (*store.Info, error) {
	d, err := e.description(ctx, path)
	if err != nil {
		return nil, err
	}
	return &store.Info{Name: name, Provider: d.meta.provider, Version: max(d.version, 1), Updated: d.updated, Expires: d.meta.expires}, nil
}

func (e *v1) get(ctx context.Context, path, name string, version int) (*store.Record, error) {
	c, d, err := e.load(ctx, path)
	if err != nil {
		return nil, err
	}
	if c == nil || version > 0 && version != d.version {
		return nil, notFound(name, version)
	}
	return &store.Record{
		Info:   store.Info{Name: name, Provider: d.meta.provider, Version: d.version, Updated: d.updated, Expires: d.meta.expires},
		Secret: d.meta.secret(name, c.values),
	}, nil
}

// put writes the values, then the metadata.
func (e *v1) put(ctx context.Context, path string, s *secret.Secret, expect int) (int, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	c, now, err := e.load(ctx, path)
	if errors.Is(err, store.ErrDenied) && expect == store.AnyVersion {
		// What may not be read can still be replaced, as by `vault kv put`.
		now, err = e.description(ctx, path)
	}
	if err != nil {
		return 0, err
	}
	gone := c == nil
	if gone {
		c = &content{}
	}
	if now == nil {
		now = &description{}
	}
	if expect != store.AnyVersion && expect != now.version {
		return 0, conflict(s.Name, expect, now.version, gone)
	}
	version := now.version + 1
	d, err := describe(s, version)
	if err != nil {
		return 0, err
	}
	data := encodeValues(s.Values, c.foreign)
	if len(data) == 0 {
		data[noValues] = ""
	}
	r := &request{method: http.MethodPost, path: e.mount + path, needs: "create or update", body: data, values: s.Values}
	if _, err := e.c.call(ctx, r); err != nil {
		return 0, err
	}
	r = &request{method: http.MethodPost, path: e.mount + metaPath(path), needs: "create or update", body: d}
	if _, err := e.c.call(ctx, r); err != nil {
		return version, fmt.Errorf("the values are saved, but not the provider and locations: %w", err)
	}
	return version, nil
}

func (e *v1) delete(ctx context.Context, path, name string) error {
	c, err := e.read(ctx, path)
	if err != nil {
		return err
	}
	if c == nil {
		return notFound(name, 0)
	}
	return e.destroy(ctx, path)
}

func (e *v1) undelete(context.Context, string, string, int) error {
	return fault.WithHint(fmt.Errorf("%w: KV version 1 keeps nothing of what is deleted", store.ErrUnsupported),
		"`vault kv enable-versioning` makes it version 2, which keeps what is deleted from then on")
}

// destroy removes the values first: metadata without values is never shown.
func (e *v1) destroy(ctx context.Context, path string) error {
	for _, p := range []string{path, metaPath(path)} {
		if _, err := e.c.call(ctx, &request{method: http.MethodDelete, path: e.mount + p, needs: "delete"}); err != nil {
			return err
		}
	}
	return nil
}

func (e *v1) history(ctx context.Context, path, name string) ([]store.Info, error) {
	rec, err := e.get(ctx, path, name, 0)
	if err != nil {
		return nil, err
	}
	return []store.Info{rec.Info}, nil
}

// content is what an entry holds.
type content struct {
	values  secret.Values
	foreign fields
}

// load returns the content of an entry, nil if there is none, and its metadata. If
// that was written for other values, its version is one more, and its time and
// expiry are unknown.
func (e *v1) load(ctx context.Context, path string) (*content, *description, error) {
	c, err := e.read(ctx, path)
	if err != nil || c == nil {
		return nil, nil, err
	}
	for attempt := 1; ; attempt++ {
		d, err := e.description(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		if d.fits(c.values) {
			return c, d, nil
		}
		// Either the values are newer than the metadata, or somebody wrote both
		// between the two reads: then the values have changed.
		same := d.check == "" || attempt == loadAttempts
		if !same {
			again, err := e.read(ctx, path)
			if err != nil || again == nil {
				return nil, nil, err
			}
			same = again.values.Equal(c.values)
			c = again
		}
		if same {
			d.version++
			d.updated, d.meta.expires = time.Time{}, time.Time{}
			return c, d, nil
		}
	}
}

// read returns the content of an entry, nil if there is none.
func (e *v1) read(ctx context.Context, path string) (*content, error) {
	a, err := e.c.call(ctx, &request{method: http.MethodGet, path: e.mount + path, needs: "read"})
	if err != nil || !a.found() {
		return nil, err
	}
	if a.data == nil {
		return nil, errNotVault
	}
	if _, ok := a.data[noValues]; ok && len(a.data) == 1 {
		return &content{values: secret.Values{}}, nil
	}
	values, foreign := decodeValues(a.data)
	return &content{values, foreign}, nil
}

// loadAttempts bounds how often load reads again while others write.
const loadAttempts = 5

// noValues is the field of an entry that has none: Vault refuses an empty
// entry. No key is ever encoded as the marker alone.
const noValues = marker

// description is the metadata of a secret.
type description struct {
	meta    meta
	version int
	updated time.Time
	check   string
}

// description returns an empty one if there is none, or if the token may not
// read it: the values can be read without it.
func (e *v1) description(ctx context.Context, path string) (*description, error) {
	a, err := e.c.call(ctx, &request{method: http.MethodGet, path: e.mount + metaPath(path), needs: "read"})
	if errors.Is(err, store.ErrDenied) {
		return &description{}, nil
	}
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for k, v := range a.data {
		if s, ok := v.(string); ok {
			fields[k] = s
		}
	}
	d := &description{updated: when(fields["updated"]), check: fields["check"]}
	if n, err := strconv.Atoi(fields["version"]); err == nil && n > 0 {
		d.version = n
	}
	d.meta = metaFrom(fields, d.version)
	return d, nil
}

// describe returns the fields of the metadata of s.
func describe(s *secret.Secret, version int) (map[string]string, error) {
	d, err := metaOf(s).fields(version)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // which never fails
	d["version"] = strconv.Itoa(version)
	d["updated"] = time.Now().UTC().Format(time.RFC3339Nano)
	d["check"] = hex.EncodeToString(salt) + ":" + checksum(salt, s.Values)
	return d, nil
}

// fits reports whether the description was written together with values.
func (d *description) fits(values secret.Values) bool {
	salted, sum, ok := strings.Cut(d.check, ":")
	salt, err := hex.DecodeString(salted)
	return ok && err == nil && checksum(salt, values) == sum
}

// checksum is 32 bits, enough to notice a change and, with its salt, too few to
// tell what the values are: most guesses that fit would be wrong.
func checksum(salt []byte, values secret.Values) string {
	h := hmac.New(sha256.New, salt)
	for _, k := range values.Keys() {
		writeSized(h, k)
		writeSized(h, values[k].Reveal())
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

func writeSized(h hash.Hash, s string) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(s)))
	h.Write(size[:])
	h.Write([]byte(s))
}

func metaPath(path string) string {
	i := strings.LastIndex(path, "/") + 1
	return path[:i] + metaFolder + "/" + path[i:]
}
