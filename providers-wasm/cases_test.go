package wasm_test

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox"
	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

var update = flag.Bool("update", false, "write the rendered files of cases anew; see mylogin/cases/README.md for what to check then")

// cache holds the compiled modules of all tests. Without it they are interpreted, which
// is slow with the race detector and not what users have.
var cache string

func TestMain(m *testing.M) {
	var err error
	if cache, err = os.MkdirTemp("", "rhx-wasm-"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(cache)
	os.Exit(status)
}

const login = "~/.mylogin.cnf"

// guest runs a module of one file.
type guest struct {
	t   testing.TB
	box *sandbox.Sandbox
	mod sandbox.Module
}

func newGuest(t testing.TB) *guest { return newGuestOf(t, "mylogin") }

func newGuestOf(t testing.TB, module string) *guest {
	code, ok := wasm.Module(module)
	if !ok {
		t.Fatalf("%s is not embedded", module)
	}
	// What is right is tested here, not what is fast: on a busy machine with the
	// race detector a call may take long.
	limits := sandbox.Limits{Call: time.Minute}
	return &guest{t, sandbox.New(sandbox.Config{CacheDir: cache, Limits: limits}), sandbox.Module{Name: module, Wasm: code, Trusted: true}}
}

// hurried is g with less time: a file that takes too long gives the limit's error, and
// how long the limit is says nothing about the module.
func (g *guest) hurried() *guest {
	return &guest{g.t, sandbox.New(sandbox.Config{CacheDir: cache, Limits: sandbox.Limits{Call: 50 * time.Millisecond}}), g.mod}
}

func (g *guest) extract(data []byte) ([]sandbox.Secret, error) {
	resp, err := g.box.Run(g.t.Context(), g.mod, &sandbox.Request{
		Op: sandbox.Extract, Provider: "mysql",
		Files: []sandbox.File{{Path: login, Content: data, Exists: true}},
	})
	if err != nil {
		return nil, err
	}
	return resp.Secrets, nil
}

func (g *guest) render(data []byte, s *sandbox.Secret) ([]byte, error) {
	resp, err := g.box.Run(g.t.Context(), g.mod, &sandbox.Request{
		Op: sandbox.Render, Provider: "mysql", Secret: s,
		Files: []sandbox.File{{Path: login, Content: data, Exists: data != nil}},
	})
	if err != nil {
		return nil, err
	}
	if len(resp.Files) != 1 || resp.Files[0].Path != login || resp.Files[0].Mode != 0o600 {
		g.t.Fatalf("render gave %d files, not one of mode 0600", len(resp.Files))
	}
	return resp.Files[0].Content, nil
}

func (g *guest) mustExtract(data []byte) []sandbox.Secret {
	g.t.Helper()
	s, err := g.extract(data)
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *guest) mustRender(data []byte, s *sandbox.Secret) []byte {
	g.t.Helper()
	out, err := g.render(data, s)
	if err != nil {
		g.t.Fatal(err)
	}
	return out
}

// records takes a login path file apart with Go's own AES: the header, then each
// record's text.
func records(t testing.TB, data []byte) (header []byte, texts, sealed []string) {
	t.Helper()
	var key [16]byte
	for i, c := range data[4:24] {
		key[i%16] ^= c
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	for rest := data[24:]; len(rest) > 0; {
		n := int(binary.LittleEndian.Uint32(rest))
		text := make([]byte, n)
		for i := 0; i < n; i += 16 {
			block.Decrypt(text[i:], rest[4+i:])
		}
		texts = append(texts, string(text[:n-int(text[n-1])]))
		sealed = append(sealed, string(rest[:4+n]))
		rest = rest[4+n:]
	}
	return data[:24], texts, sealed
}

// sameSecrets compares what is in a file, where the order of public keys is the
// module's own.
func sameSecrets(a, b []sandbox.Secret) bool {
	return slices.EqualFunc(a, b, func(a, b sandbox.Secret) bool {
		return a.Profile == b.Profile && maps.Equal(a.Values, b.Values) && slices.Equal(sorted(a.Public), sorted(b.Public))
	})
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

type expectation struct {
	Secrets []sandbox.Secret
	Error   *struct {
		Code sandbox.Code
		Line int
	}
}

// Each case is a home folder and what is in it. The values were printed by
// MySQL's own reader; the error cases are one change away from a good file.
func TestCases(t *testing.T) {
	t.Parallel()
	newGuest(t).runCases(t, "mylogin", ".mylogin.cnf", "user", "new")
}

// runCases holds a module to its cases: what is read, that it is written back
// without a change, into a new file too, and that a broken file stays as it is.
// value and profile are of a secret that a good file would take.
func (g *guest) runCases(t *testing.T, module, file, value, profile string) {
	folders, err := filepath.Glob(module + "/cases/*/expect.json")
	if err != nil || len(folders) < 10 {
		t.Fatalf("%d cases found: %v", len(folders), err)
	}
	for _, expect := range folders {
		folder := filepath.Dir(expect)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			var want expectation
			readJSON(t, expect, &want)
			g := &guest{t, g.box, g.mod}
			data := read(t, filepath.Join(folder, "home", file))
			got, err := g.extract(data)
			if want.Error != nil {
				wantError(t, err, want.Error.Code, want.Error.Line)
				_, err = g.render(data, &sandbox.Secret{Profile: profile, Values: map[string]string{value: "u"}})
				wantError(t, err, want.Error.Code, want.Error.Line)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			g.keeps(data, got, want.Secrets)
		})
	}
}

// keeps holds a module to a good file: what was got from it is what is wanted,
// it renders into its own file without a change, and alone into a new one that
// reads back, twice the same.
func (g *guest) keeps(data []byte, got, want []sandbox.Secret) {
	g.t.Helper()
	if !sameSecrets(got, want) {
		g.t.Fatalf("extract gave\n%v, want\n%v", got, want)
	}
	for _, s := range want {
		if again := g.mustRender(data, &s); !bytes.Equal(again, data) {
			g.t.Errorf("rendering %s into the file that has it changed the file", s.Profile)
		}
		fresh := g.mustRender(nil, &s)
		if back := g.mustExtract(fresh); !sameSecrets(back, []sandbox.Secret{s}) {
			g.t.Errorf("rendering %s into a new file reads back as %v", s.Profile, back)
		}
		if again := g.mustRender(fresh, &s); !bytes.Equal(again, fresh) {
			g.t.Errorf("rendering %s twice changed the new file", s.Profile)
		}
	}
}

// Rendering changes the lines of this login path's values and no other byte.
// The results are committed: MySQL's own reader has read them.
func TestRenderChangesOnlyItsLines(t *testing.T) {
	t.Parallel()
	g := newGuest(t)
	for _, c := range []struct {
		name, into string
		secret     sandbox.Secret
		removed    []string // texts that are gone, in order
		added      []string // texts that are new, in order
	}{
		{"change", "editor", sandbox.Secret{Profile: "backup", Values: map[string]string{"user": "bob", "password": "fake \"new\" #\\n\tpass\n", "port": "3307"}},
			[]string{"password = fake=two=2\n"}, []string{"password = \"fake \\\"new\\\" #\\\\n\\tpass\\n\"\n", "port = 3307\n"}},
		{"add", "by-hand", sandbox.Secret{Profile: "ops [team", Values: map[string]string{"user": "frank", "password": " fake ", "host": "h", "socket": "/run/s", "port": "33 07"}},
			nil, []string{"[ops [team]\n", "user = \"frank\"\n", "password = \" fake \"\n", "host = \"h\"\n", "socket = \"/run/s\"\n", "port = \"33 07\"\n"}},
		{"last-counts", "by-hand", sandbox.Secret{Profile: "client", Values: map[string]string{"user": "erin", "password": "fake-last", "socket": "/s"}},
			[]string{"password\t=\t\"fake\\nlast\\s\\\\\"\n"}, []string{"password = \"fake-last\"\n", "socket = \"/s\"\n"}},
		{"empty-section", "by-hand", sandbox.Secret{Profile: "empty", Values: map[string]string{"password": "fake"}}, nil, []string{"password = \"fake\"\n"}},
		{"new-file", "", sandbox.Secret{Profile: "", Values: map[string]string{"user": "alice", "password": "fake pass"}},
			nil, []string{"[client]\n", "user = \"alice\"\n", "password = \"fake pass\"\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before []byte
			var kept []string
			if c.into != "" {
				before = read(t, filepath.Join("mylogin/cases", c.into, "home", ".mylogin.cnf"))
				_, _, kept = records(t, before)
			}
			after := g.mustRender(before, &c.secret)
			golden := filepath.Join("mylogin/cases/rendered", c.name+".cnf")
			if *update {
				if err := os.WriteFile(golden, after, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, golden); !bytes.Equal(after, want) {
				t.Errorf("the result differs from %s", golden)
			}
			header, texts, sealed := records(t, after)
			if before != nil && !bytes.Equal(header, before[:24]) {
				t.Error("the key changed")
			}
			var added, removed []string
			for i, r := range sealed {
				if at := slices.Index(kept, r); at >= 0 {
					removed = append(removed, kept[:at]...)
					kept = kept[at+1:]
				} else {
					added = append(added, texts[i])
				}
			}
			removed = append(removed, kept...)
			if !slices.Equal(added, c.added) {
				t.Errorf("added %q, want %q", added, c.added)
			}
			if len(removed) != len(c.removed) {
				t.Errorf("%d lines are gone, want %d", len(removed), len(c.removed))
			}
			for i, r := range removed {
				_, text, _ := records(t, append(bytes.Clone(before[:24]), r...))
				if i < len(c.removed) && text[0] != c.removed[i] {
					t.Errorf("removed %q, want %q", text[0], c.removed[i])
				}
			}
			if again := g.mustRender(after, &c.secret); !bytes.Equal(again, after) {
				t.Error("a second render changed the file")
			}
			profile := c.secret.Profile
			if profile == "" {
				profile = "client"
			}
			back := g.mustExtract(after)
			at := slices.IndexFunc(back, func(s sandbox.Secret) bool { return s.Profile == profile })
			for k, v := range c.secret.Values {
				if at < 0 || back[at].Values[k] != v {
					t.Errorf("%s does not read back", k)
				}
			}
		})
	}
}

func TestRenderRefusesWhatALoginPathCannotHold(t *testing.T) {
	t.Parallel()
	g := newGuest(t)
	for name, s := range map[string]sandbox.Secret{
		"another value":       {Profile: "client", Values: map[string]string{"token": "fake"}},
		"a zero byte":         {Profile: "client", Values: map[string]string{"password": "fa\x00ke"}},
		"a line too long":     {Profile: "client", Values: map[string]string{"password": strings.Repeat("x", 4070)}},
		"a bracket in a name": {Profile: "a]b", Values: map[string]string{"user": "u"}},
		"a newline in a name": {Profile: "a\nb", Values: map[string]string{"user": "u"}},
		"a space at the end":  {Profile: "a ", Values: map[string]string{"user": "u"}},
	} {
		_, err := g.render(nil, &s)
		t.Run(name, func(t *testing.T) { wantError(t, err, sandbox.Unsupported, 0) })
	}
	longest := &sandbox.Secret{Profile: "client", Values: map[string]string{"password": strings.Repeat("x", 4079-len("password = \"\"\n"))}}
	if back := g.mustExtract(g.mustRender(nil, longest)); back[0].Values["password"] != longest.Values["password"] {
		t.Error("the longest line that MySQL reads does not read back")
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	g := newGuest(t)
	resp, err := g.box.Run(t.Context(), g.mod, &sandbox.Request{Op: sandbox.Describe})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Name != "mylogin" || resp.Version != "1" || !slices.Equal(resp.Ops, []sandbox.Op{sandbox.Extract, sandbox.Render, sandbox.Describe}) {
		t.Errorf("describes itself as %+v", resp)
	}
}

func TestAbsentAndEmptyFilesHaveNoSecrets(t *testing.T) {
	t.Parallel()
	g := newGuest(t)
	for _, f := range []sandbox.File{{Path: login}, {Path: login, Exists: true}} {
		resp, err := g.box.Run(t.Context(), g.mod, &sandbox.Request{Op: sandbox.Extract, Files: []sandbox.File{f}})
		if err != nil || len(resp.Secrets) > 0 {
			t.Errorf("exists=%v: %v, %v", f.Exists, resp, err)
		}
	}
}

func TestOneProfile(t *testing.T) {
	t.Parallel()
	g := newGuest(t)
	resp, err := g.box.Run(t.Context(), g.mod, &sandbox.Request{Op: sandbox.Extract, Profile: "backup", Files: []sandbox.File{
		{Path: login, Content: read(t, "mylogin/cases/editor/home/.mylogin.cnf"), Exists: true}}})
	if err != nil || len(resp.Secrets) != 1 || resp.Secrets[0].Profile != "backup" {
		t.Errorf("got %v, %v", resp, err)
	}
}

// A file of a thousand times the usual size is read; one of a size that nobody
// has ends in an answer or in a limit, never in less.
func TestLargeFiles(t *testing.T) {
	t.Parallel()
	editor := read(t, "mylogin/cases/editor/home/.mylogin.cnf")
	_, _, sealed := records(t, editor)
	grow := func(line string, n int) []byte {
		data := append(bytes.Clone(editor[:24]), sealed[0]...)
		return append(data, strings.Repeat(line, n/len(line))...)
	}
	for name, line := range map[string]string{"sections": sealed[0], "options": sealed[1]} {
		g := newGuest(t)
		if _, err := g.extract(grow(line, 32<<10)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		g = g.hurried()
		if _, err := g.extract(grow(line, 4<<20-100)); err != nil && !errors.Is(err, sandbox.ErrLimit) {
			t.Errorf("4 MiB of %s: %v", name, err)
		}
	}
}

// Whatever the bytes, the guest answers: it never traps, and what it reads it
// can write back without a change.
func FuzzMylogin(f *testing.F) {
	g := newGuest(f)
	files, err := filepath.Glob("mylogin/cases/*/home/.mylogin.cnf")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &guest{t, g.box, g.mod}
		secrets, err := g.extract(data)
		var reported *sandbox.GuestError
		if err != nil && !errors.As(err, &reported) {
			t.Fatal(err)
		}
		for _, s := range secrets {
			out, err := g.render(data, &s)
			if errors.As(err, &reported) {
				continue // a name that can be read and not written
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out, data) {
				t.Fatal("rendering what was read changed the file")
			}
		}
	})
}

func wantError(t *testing.T, err error, code sandbox.Code, line int) {
	t.Helper()
	var got *sandbox.GuestError
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want an error %s", err, code)
	}
	if got.Code != code || got.Line != line {
		t.Errorf("got %s at line %d (%v), want %s at line %d", got.Code, got.Line, err, code, line)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	if err := json.Unmarshal(read(t, file), v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
