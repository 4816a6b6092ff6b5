package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

// canaryRE matches the secret values of canary.txtar: all begin with this word,
// which is nowhere else.
var canaryRE = regexp.MustCompile(`canary[a-z]+`)

// sightings returns what of canaries is in data: as it is, or in the encodings
// that a careless print or file could have.
func sightings(data []byte) []string {
	var out []string
	for _, m := range canaryRE.FindAll(data, -1) {
		out = append(out, string(m))
	}
	lower := bytes.ToLower(data)
	if bytes.Contains(lower, []byte(hex.EncodeToString([]byte("canary")))) {
		out = append(out, "hex")
	}
	// In base64 a word has three looks, by where it begins; the first and last
	// characters of each depend on its neighbours.
	for shift := range 3 {
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, shift), "canary"...))
		look := enc[(shift*8+5)/6 : (shift+6)*8/6]
		if bytes.Contains(data, []byte(look)) {
			out = append(out, "base64 "+look)
		}
	}
	return out
}

// Every command runs in canary.txtar.
func TestTheCanaryRunsEveryCommand(t *testing.T) {
	script, err := os.ReadFile("testdata/script/canary.txtar")
	if err != nil {
		t.Fatal(err)
	}
	a := &app{Terminal: term.New(term.Streams{}, os.Getenv), globals: &globals{}}
	parser, err := a.parser(t.Context(), commands())
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		command := "\nquiet " + strings.Join(strings.Fields(leaf.FullPath()), " ")
		if !bytes.Contains(script, []byte(command+" ")) && !bytes.Contains(script, []byte(command+"\n")) {
			t.Errorf("canary.txtar does not run %q", leaf.FullPath())
		}
	}
}

// cmdQuiet runs a command that may print anything but a canary.
func cmdQuiet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: quiet CMD...")
	}
	_ = ts.Exec(args[0], args[1:]...)
	out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	if s := sightings([]byte(out)); len(s) > 0 {
		ts.Fatalf("%v printed %v", args, s)
	}
	if out == "" {
		ts.Fatalf("%v printed nothing, so nothing was tried", args)
	}
}

// cmdNoCanary searches files and what their names say.
func cmdNoCanary(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: nocanary PATH...")
	}
	found := []string{}
	for _, name := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			data := []byte(path)
			if d.Type().IsRegular() {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				data = append(data, content...)
			}
			for _, s := range sightings(data) {
				found = append(found, path+": "+s)
			}
			return nil
		}))
	}
	slices.Sort(found)
	if neg != (len(found) > 0) {
		ts.Fatalf("canaries: %v", found)
	}
}
