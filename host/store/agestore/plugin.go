package agestore

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// A key of a plugin of age, such as one in hardware, has no bytes that other keys could be
// derived from. A random seed takes their place: it lies in the data folder, encrypted to the
// key, and is made when it is first needed.

const (
	pluginPrefix = "AGE-PLUGIN-"
	seedSize     = 32
	// seedIntro begins a seed in its file, and seedComment one in a key as text.
	seedIntro   = "rhx-seed 1 "
	seedComment = "# rhx seed: "
)

// pluginIdentity is a key that a plugin has.
type pluginIdentity struct {
	*plugin.Identity
	checking func() (end func())
}

// Unwrap implements [age.Identity]. The plugin may wait for a touch.
func (p *pluginIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if p.checking != nil {
		defer p.checking()()
	}
	fileKey, err := p.Identity.Unwrap(stanzas)
	return fileKey, ofKey(err)
}

// hasPlugins reports whether an identity file has keys of plugins.
func hasPlugins(data []byte) bool {
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(line, []byte(pluginPrefix)) {
			return true
		}
	}
	return false
}

// parsePlugins reads an identity file in which plugins have keys. The public key of each
// stands in a comment before it, as the plugins write that.
func (s *Store) parsePlugins(path string, data []byte) (*key, error) {
	k := &key{path: path}
	var seedless []int // of roots, which are to be filled in
	public, seed := "", []byte(nil)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, seedComment):
			seed, _ = base64.StdEncoding.DecodeString(line[len(seedComment):])
		case strings.HasPrefix(line, "#"):
			for word := range strings.FieldsSeq(line) {
				if strings.HasPrefix(word, "age1") {
					public = word
				}
			}
		case line == "":
		case strings.HasPrefix(line, pluginPrefix):
			id, r, err := s.pluginKey(path, line, public)
			if err != nil {
				return nil, err
			}
			k.add(r, public)
			k.plugins = append(k.plugins, id)
			if len(seed) != seedSize {
				seedless, seed = append(seedless, len(k.roots)), nil
			}
			k.unlock(id, seed, pluginText(public, line, seed))
			public, seed = "", nil
		default:
			one, err := parseIdentities(path, []byte(line))
			if err != nil {
				return nil, err
			}
			k.add(one.recipients[0], one.public[0])
			k.unlock(one.ids[0], one.roots[0], one.texts[0])
			public, seed = "", nil
		}
	}
	if len(seedless) == 0 {
		return k, nil
	}
	k.asks = true
	ids, roots, texts := k.ids, k.roots, k.texts
	k.ids, k.roots, k.texts = nil, nil, nil
	k.open = func(k *key) error {
		for _, i := range seedless {
			seed, err := s.seed(k.path, k.recipients[i], k.public[i], ids[i])
			if err != nil {
				return err
			}
			line := ids[i].(*pluginIdentity).String()
			roots[i], texts[i] = seed, pluginText(k.public[i], line, seed)
		}
		k.ids, k.roots, k.texts = ids, roots, texts
		return nil
	}
	return k, nil
}

// pluginText is a key of a plugin as text, with its seed.
func pluginText(public, line string, seed []byte) string {
	return fmt.Sprintf("# public key: %s\n%s%s\n%s", public, seedComment, base64.StdEncoding.EncodeToString(seed), line)
}

// pluginKey is one line of an identity file.
func (s *Store) pluginKey(path, line, public string) (*pluginIdentity, age.Recipient, error) {
	ui := s.opt.Plugin
	if ui == nil {
		ui = silent
	}
	id, err := plugin.NewIdentity(line, ui)
	if err != nil {
		return nil, nil, fmt.Errorf("%s has a line that is no key of an age plugin", path) // the error may show it
	}
	r, err := plugin.NewRecipient(public, ui)
	if err != nil || r.Name() != id.Name() {
		return nil, nil, fault.WithHint(fmt.Errorf("%s does not say the public key of its key of age-plugin-%s", path, id.Name()),
			fmt.Sprintf("Put it in a line before the key: # public key: age1%s1...", id.Name()))
	}
	return &pluginIdentity{id, s.opt.Checking}, r, nil
}

func (s *Store) seedPath(public string) string {
	sum := sha256.Sum256([]byte(public))
	return filepath.Join(s.opt.Dir, "seed-"+hex.EncodeToString(sum[:8])+".age")
}

// seed returns the seed of a key of a plugin. It is made where there is none yet.
func (s *Store) seed(keyPath string, r age.Recipient, public string, id age.Identity) ([]byte, error) {
	path := s.seedPath(public)
	data, err := ownfile.Read(path, maxIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		if seed, err := s.newSeed(path, r); !errors.Is(err, fs.ErrExist) {
			return seed, err
		}
		data, err = ownfile.Read(path, maxIdentity) // another process was faster
	}
	if err != nil {
		return nil, err
	}
	file, err := age.Decrypt(bytes.NewReader(data), id)
	if mismatch := new(age.NoIdentityMatchError); errors.As(err, &mismatch) {
		return nil, fault.Mark(fmt.Errorf("%s does not open with the key in %s", path, keyPath), store.ErrDenied)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	plain, err := io.ReadAll(io.LimitReader(file, maxIdentity))
	defer clear(plain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, altered(err))
	}
	text, ok := bytes.CutPrefix(plain, []byte(seedIntro))
	seed, err := hex.DecodeString(string(text))
	if !ok || err != nil || len(seed) != seedSize {
		return nil, fmt.Errorf("%s is damaged", path)
	}
	return seed, nil
}

func (s *Store) newSeed(path string, r age.Recipient) ([]byte, error) {
	seed := make([]byte, seedSize)
	_, _ = rand.Read(seed) // it never fails
	var b bytes.Buffer
	w, err := age.Encrypt(&b, r)
	if err == nil {
		_, err = io.WriteString(w, seedIntro+hex.EncodeToString(seed))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return seed, s.writeNew(path, b.Bytes())
}

// writeNew writes a file that is not there, whole or not at all. Its error for one that is
// there matches fs.ErrExist.
func (s *Store) writeNew(path string, data []byte) error {
	if err := s.disk().MkdirAll(s.opt.Dir); err != nil {
		return err
	}
	name := path + "." + rand.Text()
	if err := atomicfile.Write(name, data, 0o600); err != nil {
		return err
	}
	err := os.Link(name, path)
	return errors.Join(err, os.Remove(name))
}
