//go:build unix

package agestore

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

const keyPlugin = "rhxkey"

func init() { moreChildren["pluginkey"] = keyPluginMain }

// keyPluginMain is an age plugin whose keys are native ones by another name. It notes each
// decryption in a file, as somebody would notice a touch.
func keyPluginMain(count string) error {
	p, err := plugin.New(keyPlugin)
	if err != nil {
		return err
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) { return age.ParseX25519Recipient(string(data)) })
	p.HandleIdentity(func(data []byte) (age.Identity, error) {
		f, err := os.OpenFile(count, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		if _, err := f.WriteString("x"); err != nil {
			return nil, err
		}
		return age.ParseX25519Identity(string(data))
	})
	p.RegisterFlags(flag.CommandLine)
	flag.Parse()
	os.Exit(p.Main())
	return nil
}

// pluginKeys installs the plugin and returns a maker of identity files, and how often the
// plugin has decrypted since the last call.
func pluginKeys(t *testing.T) (file func() []byte, touched func() int) {
	t.Helper()
	self, err := os.Executable()
	noError(t, err)
	bin := t.TempDir()
	count := filepath.Join(bin, "count")
	write(t, filepath.Join(bin, "age-plugin-"+keyPlugin), []byte("#!/bin/sh\n"+childEnv+"='pluginkey="+count+"' exec '"+self+"' \"$@\"\n"), 0o755)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	file = func() []byte {
		id, err := age.GenerateX25519Identity()
		noError(t, err)
		return fmt.Appendf(nil, "#       Serial: 1\n#    Recipient: %s\n%s\n",
			plugin.EncodeRecipient(keyPlugin, []byte(id.Recipient().String())), plugin.EncodeIdentity(keyPlugin, []byte(id.String())))
	}
	return file, func() int {
		data, _ := os.ReadFile(count)
		_ = os.Remove(count)
		return len(data)
	}
}

// A key of a plugin opens a store as any other does. Saving needs the plugin's public half
// only; what else needs a key has its seed.
func TestAKeyOfAPlugin(t *testing.T) {
	ctx := t.Context()
	file, touched := pluginKeys(t)
	dir := dataDir(t)
	path := write(t, filepath.Join(t.TempDir(), "key"), file(), 0o600)
	open := func() *Store {
		return Open(Options{Dir: dir, Identity: path, Warn: func(text string) { t.Error(text) }})
	}
	putFake(t, open(), "a", "FAKE")
	if n := touched(); n != 0 {
		t.Errorf("saving has decrypted %d times", n)
	}
	if got := reads(t, open(), "a", 0); got != "FAKE" {
		t.Error(got)
	}
	if n := touched(); n != 1 { // the seed was made
		t.Errorf("reading has decrypted %d times at first", n)
	}
	if got := reads(t, open(), "a", 0); got != "FAKE" {
		t.Error(got)
	}
	if n := touched(); n != 2 {
		t.Errorf("reading has decrypted %d times", n)
	}
	sealed, err := open().Seal(ctx, "label", []byte("FAKE"))
	noError(t, err)
	if data, err := open().Unseal(ctx, "label", sealed); err != nil || string(data) != "FAKE" {
		t.Errorf("%q, %v", data, err)
	}
	derived, err := open().Derive(ctx, "p")
	noError(t, err)
	again, err := open().Derive(ctx, "p")
	noError(t, err)
	other := Open(Options{Dir: dataDir(t), Identity: path})
	elsewhere, err := other.Derive(ctx, "p")
	noError(t, err)
	if !bytes.Equal(derived, again) || bytes.Equal(derived, elsewhere) {
		t.Error("the seed is not that of the folder")
	}
	touched()
	if all, err := open().DeriveAll(ctx, "p", false); err != nil || len(all) != 0 || touched() != 0 {
		t.Errorf("%d keys, %v", len(all), err)
	}
	if got := problems(t, open()); got != "" {
		t.Errorf("problems: %s", got)
	}
	// The seed is in one file, which tells nothing.
	seeds, err := filepath.Glob(filepath.Join(dir, "seed-*"))
	noError(t, err)
	if len(seeds) != 1 || !strings.HasSuffix(seeds[0], ".age") {
		t.Fatal(seeds)
	}
	data, err := os.ReadFile(seeds[0])
	noError(t, err)
	if bytes.Contains(data, []byte("rhx")) && bytes.Contains(data, []byte(seedIntro)) {
		t.Error("the seed is not encrypted")
	}
	// One that does not open is an error, and no other is made.
	noError(t, os.WriteFile(seeds[0], data[:len(data)-1], 0o600))
	if _, err := open().Get(ctx, "a", 0); err == nil || !strings.Contains(err.Error(), "seed-") {
		t.Error(err)
	}
	noError(t, os.WriteFile(path, file(), 0o600))
	if _, err := open().Get(ctx, "a", 0); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
}

// Of two first uses at once one makes the seed, and both have it.
func TestFirstSeedByMany(t *testing.T) {
	file, _ := pluginKeys(t)
	dir := dataDir(t)
	path := write(t, filepath.Join(t.TempDir(), "key"), file(), 0o600)
	got := make(chan string)
	for range 4 {
		go func() {
			key, err := Open(Options{Dir: dir, Identity: path}).Derive(t.Context(), "p")
			got <- fmt.Sprint(key, err)
		}()
	}
	var all []string
	for range 4 {
		all = append(all, <-got)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) != 1 || !strings.Contains(all[0], "<nil>") {
		t.Error(all)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "seed-*")); err != nil || len(left) != 1 {
		t.Error(left, err)
	}
}

func TestFilesWithKeysOfPlugins(t *testing.T) {
	file, _ := pluginKeys(t)
	good := string(file())
	lines := strings.Split(strings.TrimSpace(good), "\n")
	plain, native := ageKey(t)
	_, line, _ := strings.Cut(string(plain), "AGE-SECRET")
	other := plugin.EncodeRecipient("other", []byte("x"))
	for name, c := range map[string]struct {
		text, want string
		keys       int
	}{
		"as the plugin wrote it": {good, "", 1},
		"CRLF":                   {strings.ReplaceAll(good, "\n", "\r\n"), "", 1},
		"two":                    {good + string(file()), "", 2},
		"with a native one":      {good + "AGE-SECRET" + line, "", 2},
		"after a native one":     {"AGE-SECRET" + line + good, "", 2},
		"no public key":          {lines[2] + "\n", "does not say the public key", 0},
		"that of another":        {"# public key: " + other + "\n" + lines[2], "does not say the public key", 0},
		"a native public key":    {"# public key: " + native + "\n" + lines[2], "does not say the public key", 0},
		"one for two":            {good + lines[2], "does not say the public key", 0},
		"no key":                 {lines[1] + "\nAGE-PLUGIN-FAKE", "no key of an age plugin", 0},
		"something else":         {good + "fake\n", "is not a key that rhx can read", 0},
	} {
		k, err := (&Store{opt: Options{Dir: t.TempDir()}}).parseKey("/key", []byte(c.text))
		if c.want == "" && (err != nil || len(k.public) != c.keys || k.ids != nil) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
		if err != nil && (strings.Contains(err.Error()+fault.Hint(err), lines[2]) || strings.Contains(err.Error(), "FAKE")) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

// From a key of a plugin to one that rhx makes, and what was sealed with the former stays.
func TestRekeyFromAPlugin(t *testing.T) {
	ctx := t.Context()
	file, touched := pluginKeys(t)
	dir := dataDir(t)
	path := write(t, filepath.Join(dir, "identity.txt"), file(), 0o600)
	stolen := write(t, filepath.Join(t.TempDir(), "old"), file(), 0o600)
	open := func() *Store { return Open(Options{Dir: dir}) }
	putFake(t, open(), "a", "FAKE")
	sealed, err := open().Seal(ctx, "label", []byte("FAKE"))
	noError(t, err)
	if n, err := open().Rekey(ctx, ""); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	data, err := os.ReadFile(path)
	noError(t, err)
	if hasPlugins(data) || !bytes.Contains(data, []byte("AGE-SECRET-KEY-")) {
		t.Error("the old key is there still")
	}
	touched()
	if got := reads(t, open(), "a", 0); got != "FAKE" || touched() != 0 {
		t.Error(got)
	}
	if all, err := open().DeriveAll(ctx, "p", false); err != nil || len(all) != 2 || touched() != 0 {
		t.Errorf("%d keys, %v", len(all), err)
	}
	if data, err := open().Unseal(ctx, "label", sealed); err != nil || string(data) != "FAKE" || touched() != 1 {
		t.Errorf("%q, %v", data, err)
	}
	if got := problems(t, open()); got != "" {
		t.Error(got)
	}
	// And to one of a plugin.
	to := Open(Options{Dir: dir, Identity: stolen})
	if n, err := to.Rekey(ctx, path); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if got := reads(t, Open(Options{Dir: dir, Identity: stolen}), "a", 0); got != "FAKE" {
		t.Error(got)
	}
	if got := problems(t, Open(Options{Dir: dir, Identity: stolen})); got != "" {
		t.Error(got)
	}
}

// Without its plugin a key opens nothing, and that is said.
func TestThePluginIsNotThere(t *testing.T) {
	file, _ := pluginKeys(t)
	dir := dataDir(t)
	path := write(t, filepath.Join(t.TempDir(), "key"), file(), 0o600)
	putFake(t, Open(Options{Dir: dir, Identity: path}), "a", "FAKE")
	t.Setenv("PATH", t.TempDir())
	if _, err := Open(Options{Dir: dir, Identity: path}).Get(t.Context(), "a", 0); err == nil || !strings.Contains(err.Error(), "age-plugin-"+keyPlugin) {
		t.Error(err)
	}
}

// A command prints the key; it runs once, and only when it is needed.
func TestTheKeyByACommand(t *testing.T) {
	ctx := t.Context()
	plain, _ := ageKey(t)
	dir := dataDir(t)
	runs := 0
	var fail error
	data := plain
	open := func() *Store {
		runs = 0
		return Open(Options{Dir: dir, Identity: "/none", Command: &Command{Name: "KEY_COMMAND", Text: "print", Run: func() ([]byte, error) {
			runs++
			return bytes.Clone(data), fail
		}}})
	}
	s := open()
	putFake(t, s, "a", "FAKE")
	putFake(t, s, "a", "FAKE2")
	if rec, err := s.Get(ctx, "a", 0); err != nil || rec.Secret.Values["k"].Reveal() != "FAKE2" || runs != 1 {
		t.Error(err, runs)
	}
	if has, err := s.HasKey(); !has || err != nil {
		t.Error(has, err)
	}
	s = open()
	_, err := s.List(ctx)
	noError(t, err, s.Delete(ctx, "a"), s.Undelete(ctx, "a", 0))
	if all, err := s.DeriveAll(ctx, "p", false); err != nil || len(all) != 0 || runs != 0 {
		t.Error(all, err, runs)
	}
	if all, err := s.DeriveAll(ctx, "p", true); err != nil || len(all) != 1 || runs != 1 {
		t.Error(all, err, runs)
	}
	if got := problems(t, open()); got != "" {
		t.Error(got)
	}
	// What fails is not tried again, and names the variable.
	fail = errors.New("fake failure")
	s = open()
	for range 2 {
		if _, err := s.Get(ctx, "a", 0); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "KEY_COMMAND: fake failure") || runs != 1 {
			t.Error(err, runs)
		}
	}
	fail = nil
	// Another key than the store's.
	data, _ = ageKey(t)
	if _, err := open().Get(ctx, "a", 0); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "KEY_COMMAND") {
		t.Error(err)
	}
	// One with a passphrase, too.
	data = withPassphrase(t, plain, true)
	s = open()
	p := &person{answers: []string{passphrase}}
	s.opt.Passphrase = p.ask
	if got := reads(t, s, "a", 0); got != "FAKE2" {
		t.Error(got)
	}
}
