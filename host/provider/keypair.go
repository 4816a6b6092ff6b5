package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

func (s *Snapshot) extractKeyPair(sp *spec.Spec, f *spec.File, file machine.File, profile string) []Found {
	if err := checkKey(file.Data); err != nil {
		if f.PerFile() {
			return nil // other files live beside the keys
		}
		return []Found{s.invalid(sp, profile, file.Path, err)}
	}
	found := s.new(sp, f, profile, file.Path)
	private := string(file.Data)
	texts := map[string]string{"private_key": private}
	if pub := s.files[file.Path+".pub"]; len(pub.Data) > 0 {
		texts["public_key"] = string(pub.Data)
		found.Sources = append(found.Sources, s.fileSource(pub.Path))
	}
	s.fill(sp, &found, texts)
	if !onlyKey(private) {
		found.Notes = append(found.Notes, "there is text around the key, with which rhx does not write it again")
	}
	return []Found{found}
}

// checkKey says why data is not a file with a private key.
func checkKey(data []byte) error {
	if len(data) == 0 {
		return errors.New("the file is empty")
	}
	format, err := codec.New("keypair", codec.Options{})
	if err == nil {
		_, err = format.Decode(data)
	}
	return err
}

// onlyKey reports whether a text is a PEM block with nothing before or after it: other
// text in the file might be a script, or options of another program.
func onlyKey(text string) bool {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	begin, rest, _ := strings.Cut(text, "-----\n")
	kind, frame := strings.CutPrefix(begin, "-----BEGIN ")
	body, after, ended := strings.Cut(rest, "\n-----END "+kind+"-----")
	return frame && ended && strings.TrimSpace(after) == "" && !strings.Contains(body, "-----")
}

// onlyPublic reports whether a text is empty, or a public key: in a line, as OpenSSH
// writes it, or in a block. Options before it, such as command="...", would count where
// ssh-copy-id puts the line.
func onlyPublic(text string) bool {
	line := strings.TrimRight(text, "\r\n")
	if strings.HasPrefix(line, "-----BEGIN ") || strings.HasPrefix(line, "---- BEGIN ") {
		return strings.Count(line, "BEGIN ") == 1 && strings.HasSuffix(line, "----")
	}
	known := func(kind string) bool { return strings.HasPrefix(line, kind) }
	return line == "" || slices.ContainsFunc([]string{"ssh-", "ecdsa-sha2-", "sk-"}, known) && !strings.ContainsFunc(line, unicode.IsControl)
}

// putKeyPair plans the two files of a key pair: both or none, because a pair
// that does not match is of no use.
func (p *Plan) putKeyPair(path string, sec *secret.Secret, opts Options) []Placement {
	if err := checkKey([]byte(sec.Values["private_key"].Reveal())); err != nil {
		return []Placement{failed(p.snap.fileSource(path), fmt.Errorf("the value private_key: %w", err))}
	}
	if !onlyKey(sec.Values["private_key"].Reveal()) {
		return []Placement{failed(p.snap.fileSource(path), errors.New("the value private_key has text around the key, which a file of keys does not have"))}
	}
	if !onlyPublic(sec.Values["public_key"].Reveal()) {
		return []Placement{failed(p.snap.fileSource(path+".pub"), errors.New("the value public_key is not one line, or one block, with a public key"))}
	}
	var out []Placement
	var files []*planned
	var differ []string
	where, have := "", map[string]string{}
	for i, key := range []string{"private_key", "public_key"} {
		at := path
		if i == 1 {
			at += ".pub"
		}
		file, err := p.open(at, 0o600)
		if err != nil {
			return []Placement{failed(p.snap.fileSource(at), err)}
		}
		text := sec.Values[key].Reveal()
		pl := Placement{Source: p.snap.fileSource(at), Action: Updated, Keys: []string{key}}
		switch {
		case text != "" && string(file.data) == text:
			pl.Action, pl.Keys = Unchanged, nil
		case text == "" && (file.data == nil || out[0].Action == Unchanged):
			continue // no public key, and none that would not match
		case text == "":
			pl.Action = Removed
		case file.old == nil:
			pl.Action = Created
		}
		if pl.Action != Unchanged && len(file.data) > 0 {
			differ, have[key] = append(differ, key), string(file.data)
			if where == "" {
				where = pl.Source.Path
			}
		}
		out, files = append(out, pl), append(files, file)
	}
	if len(differ) > 0 {
		if c := conflict(where, differ, have); !opts.replaces(c) {
			return []Placement{{Source: secret.Source{Kind: secret.SourceFile, Path: where}, Action: Conflict, Keys: differ, Err: c}}
		}
	}
	for i, pl := range out {
		if pl.Action == Unchanged {
			continue
		}
		key, at := pl.Keys[0], path
		if key == "public_key" {
			at += ".pub"
		}
		files[i].remove = pl.Action == Removed
		if files[i].data = nil; !files[i].remove {
			files[i].data = []byte(sec.Values[key].Reveal())
		}
		p.files[at] = files[i]
	}
	return out
}
