package agestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

const (
	// stanzaType marks our stanza in the age header; a new format gets a new one.
	stanzaType = "github.com/rhx-dev/rhx/v1"
	// maxStanza is how long the line of our stanza may be in bytes. A name of
	// 512 bytes takes three times that at most.
	maxStanza = 8 << 10

	ageIntro = "age-encryption.org/v1\n"
)

// infoStanza returns the stanza that tells what a file holds. In the file it is
// the line
//
//	-> github.com/rhx-dev/rhx/v1 name=aws/prod provider=aws version=3 updated=2026-11-24T08:25:00Z
func infoStanza(i store.Info) (*age.Stanza, error) {
	args := []string{
		"name=" + escapeArg(i.Name),
		"provider=" + escapeArg(i.Provider),
		"version=" + strconv.Itoa(i.Version),
		"updated=" + i.Updated.UTC().Format(time.RFC3339Nano),
	}
	if n := len(strings.Join(args, " ")); n > maxStanza-100 {
		return nil, fmt.Errorf("the name of the provider is %d bytes long, which is too long", len(i.Provider))
	}
	return &age.Stanza{Type: stanzaType, Args: args}, nil
}

// parseStanza is the inverse of [infoStanza]. Arguments that it does not know
// are for later versions of rhx.
func parseStanza(typ string, args []string) (store.Info, error) {
	var i store.Info
	if typ != stanzaType {
		return i, errors.New("not a file of this store, or of a newer version of rhx")
	}
	seen := map[string]bool{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || seen[key] {
			return store.Info{}, errors.New("its header is damaged")
		}
		seen[key] = true
		var err error
		switch key {
		case "name":
			i.Name, err = unescapeArg(value)
		case "provider":
			i.Provider, err = unescapeArg(value)
		case "version":
			i.Version, ok = parseVersion(value)
			if !ok {
				err = errors.New("not a version")
			}
		case "updated":
			i.Updated, err = time.Parse(time.RFC3339Nano, value)
			i.Updated = i.Updated.UTC()
		}
		if err != nil {
			return store.Info{}, fmt.Errorf("its header is damaged at %q", key)
		}
	}
	if i.Name == "" || i.Version == 0 || !seen["provider"] || !seen["updated"] {
		return store.Info{}, errors.New("its header is incomplete")
	}
	return i, nil
}

// binding says of a version in a shared store in which, by whom, and to which list of members
// it was encrypted. Like all of the header it is proven to who can decrypt the version.
type binding struct {
	// list is the hash of the list: who has not seen a list cannot say that it was that one.
	list      string
	store, by string // the ID of the store, and the idPrefix of who did
}

func (b binding) args() []string {
	return []string{"members=" + b.list, "store=" + b.store, "by=" + b.by}
}

// bindingOf reads it; the zero binding where there is none.
func bindingOf(file []byte) (b binding) {
	_, rest, _ := bytes.Cut(file, []byte("\n"))
	line, _, _ := bytes.Cut(rest[:min(len(rest), maxStanza)], []byte("\n"))
	for word := range strings.SplitSeq(string(line), " ") {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "members":
			b.list = value
		case "store":
			b.store = value
		case "by":
			b.by = value
		}
	}
	return b
}

// parseHeader reads our stanza from the beginning of a file, without any proof
// that it is genuine.
func parseHeader(data []byte) (store.Info, error) {
	rest, ok := bytes.CutPrefix(data, []byte(ageIntro))
	if !ok {
		return store.Info{}, errors.New("not an age file")
	}
	line, _, ok := bytes.Cut(rest, []byte("\n"))
	if !ok || len(line) > maxStanza {
		return store.Info{}, errors.New("its header is damaged")
	}
	words := strings.Split(string(line), " ")
	if len(words) < 2 || words[0] != "->" {
		return store.Info{}, errors.New("its header is damaged")
	}
	return parseStanza(words[1], words[2:])
}

// readHeader is [parseHeader] of a file. Its errors name the file.
func readHeader(path string) (store.Info, error) {
	f, err := ownfile.OpenNoLink(path)
	if err != nil {
		return store.Info{}, err
	}
	defer f.Close()
	buf := make([]byte, len(ageIntro)+maxStanza+1)
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return store.Info{}, err
	}
	i, err := parseHeader(buf[:n])
	if err != nil {
		return store.Info{}, fmt.Errorf("%s: %w", path, err)
	}
	return i, nil
}

// escapeArg percent-encodes what a stanza's argument cannot hold: all but
// printable ASCII without the space. "%" is encoded too.
func escapeArg(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c > 0x20 && c < 0x7f && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func unescapeArg(s string) (string, error) {
	text, ok := percentDecode(s)
	if !ok || escapeArg(text) != s {
		return "", errors.New("not a valid encoding")
	}
	return text, nil
}

// parseVersion reads a version as strconv.Itoa writes it; they count from 1.
func parseVersion(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0 && strconv.Itoa(n) == s
}
