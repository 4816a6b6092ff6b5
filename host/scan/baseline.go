package scan

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

const (
	baselineVersion = 1
	maxBaseline     = 16 << 20
)

// Baseline is a file of findings that were looked at and are to stay. It names places;
// what is there is only in a fingerprint with a key of the user's, so that nobody else
// can search it for a value.
type Baseline struct {
	// Shown is [Scanner.Shown]; nil for none.
	Shown func(path string) string

	path string
	key  []byte
	file baselineFile
}

type baselineFile struct {
	Version  int             `json:"version"`
	Accepted []baselineEntry `json:"accepted"`
}

type baselineEntry struct {
	Place       string `json:"place"`
	Fingerprint string `json:"fingerprint"`
}

// OpenBaseline reads a baseline; one that is not there is empty.
func OpenBaseline(path string, key []byte) (*Baseline, error) {
	b := &Baseline{path: path, key: key, file: baselineFile{Version: baselineVersion}}
	data, err := ownfile.Read(path, maxBaseline)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b.file); err != nil {
		return nil, fault.WithHint(fmt.Errorf("%s is no baseline of rhx scan", path), "name another file, or move it away")
	}
	return b, ownfile.CheckVersion(path, b.file.Version, baselineVersion)
}

// entry is that of a finding. A line is not in it: what is above it may change.
func (b *Baseline) entry(f Finding) baselineEntry {
	place := f.Path
	if f.Object == "" {
		abs, err := filepath.Abs(f.Path)
		base, baseErr := filepath.Abs(filepath.Dir(b.path))
		if rel, relErr := filepath.Rel(base, abs); err == nil && baseErr == nil && relErr == nil {
			place = filepath.ToSlash(rel)
		}
	} else if place = "git:" + f.Path; f.Path == "" {
		place += f.Object
	}
	place = exactjson.Text(place)
	if b.Shown != nil {
		place = b.Shown(place) // the folder may have a name that is not to be seen, too
	}
	mac := hmac.New(sha256.New, b.key)
	for _, part := range []string{place, f.Secret, f.Key, f.Value.Reveal()} {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return baselineEntry{place, hex.EncodeToString(mac.Sum(nil)[:16])}
}

// Without returns the findings that the baseline does not have.
func (b *Baseline) Without(list []Finding) []Finding {
	known := map[baselineEntry]bool{}
	for _, e := range b.file.Accepted {
		known[e] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(f Finding) bool { return known[b.entry(f)] })
}

// Accept adds findings and writes the file.
func (b *Baseline) Accept(list []Finding) error {
	for _, f := range list {
		if e := b.entry(f); !slices.Contains(b.file.Accepted, e) {
			b.file.Accepted = append(b.file.Accepted, e)
		}
	}
	slices.SortFunc(b.file.Accepted, func(x, y baselineEntry) int {
		return bytes.Compare([]byte(x.Place+"\x00"+x.Fingerprint), []byte(y.Place+"\x00"+y.Fingerprint))
	})
	data, err := exactjson.MarshalIndent(b.file)
	if err != nil {
		return err
	}
	return atomicfile.Write(b.path, append(data, '\n'), 0o644)
}
