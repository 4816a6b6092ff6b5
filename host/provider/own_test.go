package provider_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// ownSpec names a file by path, by a variable and by a pattern.
func ownSpec(t *testing.T, path string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse("x.yaml", []byte("spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: \""+path+"\", override: [X_FILE], format: text, keys: {k: .}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func TestNoSpecNamesRhxsOwnFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege there")
	}
	for what, c := range map[string]struct {
		path string
		env  map[string]string
		make func(home string) error
		own  bool
	}{
		"the key":            {"~/.local/share/rhx/identity.txt", nil, nil, true},
		"the configuration":  {"~/.config/rhx/config.yaml", nil, nil, true},
		"the journal":        {"~/.local/state/rhx/log.jsonl", nil, nil, true},
		"native code":        {"~/.cache/rhx/wasm/x", nil, nil, true},
		"a pattern":          {"~/.local/share/rhx/{profile}.txt", nil, nil, true},
		"XDG":                {"~/conf/rhx/config.yaml", map[string]string{"XDG_CONFIG_HOME": "$HOME/conf"}, nil, true},
		"RHX_HOME":           {"~/mine/data/identity.txt", map[string]string{"RHX_HOME": "$HOME/mine"}, nil, true},
		"beside in RHX_HOME": {"~/mine/x", map[string]string{"RHX_HOME": "$HOME/mine"}, nil, true},
		"a variable":         {"~/.x", map[string]string{"X_FILE": "$HOME/.local/share/rhx/identity.txt"}, nil, true},
		"a link":             {"~/.x", nil, func(home string) error { return os.Symlink(".local/share/rhx/identity.txt", home+"/.x") }, true},
		"a link to a folder": {"~/.x/identity.txt", nil, func(home string) error { return os.Symlink(".local/share/rhx", home+"/.x") }, true},
		"a link to what is not there": {"~/.x", nil, func(home string) error {
			return errors.Join(os.RemoveAll(home+"/.config/rhx"), os.Symlink(home+"/.config/rhx/config.yaml", home+"/.x"))
		}, true},
		"a link in a pattern": {"~/.y/{profile}.txt", nil, func(home string) error {
			return errors.Join(os.Mkdir(home+"/.y", 0o700), os.Symlink("../.local/share/rhx/identity.txt", home+"/.y/a.txt"))
		}, true},
		"the folder is a link": {"~/real/rhx/identity.txt", nil, func(home string) error {
			return errors.Join(os.Rename(home+"/.local/share", home+"/real"), os.Symlink("../real", home+"/.local/share"))
		}, true},
		"another file":         {"~/.x", nil, func(home string) error { return os.WriteFile(home+"/.x", []byte("fake"), 0o600) }, false},
		"a name that is alike": {"~/.local/share/rhx2/x", nil, nil, false},
		"moved away from":      {"~/.local/share/rhx/x", map[string]string{"RHX_HOME": "$HOME/mine"}, nil, false},
	} {
		t.Run(what, func(t *testing.T) {
			home := t.TempDir()
			for _, f := range []string{".local/share/rhx/identity.txt", ".config/rhx/config.yaml", ".local/state/rhx/log.jsonl", ".local/share/rhx2/x", ".local/share/rhx/x"} {
				f = filepath.Join(home, f)
				if err := errors.Join(os.MkdirAll(filepath.Dir(f), 0o700), os.WriteFile(f, []byte("fake-own"), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if c.make != nil {
				if err := c.make(home); err != nil {
					t.Fatal(err)
				}
			}
			m := machine.Local(home, func(name string) string { return strings.ReplaceAll(c.env[name], "$HOME", home) })
			sp := ownSpec(t, c.path)
			snap, err := provider.Take(t.Context(), m, nil, []*spec.Spec{sp})
			if err != nil {
				t.Fatal(err)
			}
			read := false
			for _, f := range snap.Extract(t.Context(), sp) {
				read = read || f.State == provider.HasValue
				if c.own && !errors.Is(f.Err, provider.ErrOwn) && !strings.Contains(f.Err.Error(), provider.ErrOwn.Error()) {
					t.Errorf("%+v", f.Err)
				}
			}
			if read == c.own {
				t.Errorf("read: %v", read)
			}
			profile := ""
			if strings.Contains(c.path, "{profile}") {
				profile = "identity"
				if strings.Contains(c.path, ".y/") {
					profile = "a"
				}
			}
			plan := provider.NewPlan(snap)
			placed := plan.Put(t.Context(), sp, &secret.Secret{Name: "x", Provider: "x", Profile: profile, Values: secret.Values{"k": secret.NewValue("fake-evil")}}, provider.Options{})
			refused := len(placed) == 1 && placed[0].Err != nil && strings.Contains(placed[0].Err.Error(), provider.ErrOwn.Error())
			if len(plan.Changes()) > 0 || refused != c.own {
				t.Errorf("would write %d files: %+v", len(plan.Changes()), placed)
			}
		})
	}
}

// On another machine, where a link leads is not known; the paths are.
func TestNoSpecNamesRhxsOwnFilesElsewhere(t *testing.T) {
	m := machine.NewMemory("gpu")
	m.PutFile("/home/u/.local/share/rhx/identity.txt", []byte("fake-own"), 0o600)
	sp := ownSpec(t, "~/.local/share/rhx/identity.txt")
	snap, err := provider.Take(t.Context(), m, nil, []*spec.Spec{sp})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range snap.Extract(t.Context(), sp) {
		if f.State == provider.HasValue {
			t.Error("read")
		}
	}
}
