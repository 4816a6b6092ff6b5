package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
)

func TestNewDirs(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want config.Dirs
	}{
		{nil, config.Dirs{Config: "/h/.config/rhx", Data: "/h/.local/share/rhx", State: "/h/.local/state/rhx", Cache: "/h/.cache/rhx"}},
		{map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/k"},
			config.Dirs{Config: "/c/rhx", Data: "/d/rhx", State: "/s/rhx", Cache: "/k/rhx"}},
		// The specification has relative paths ignored.
		{map[string]string{"XDG_CONFIG_HOME": "c"}, config.Dirs{Config: "/h/.config/rhx", Data: "/h/.local/share/rhx", State: "/h/.local/state/rhx", Cache: "/h/.cache/rhx"}},
		{map[string]string{"RHX_HOME": "/r", "XDG_CONFIG_HOME": "/c"}, config.Dirs{Config: "/r/config", Data: "/r/data", State: "/r/state", Cache: "/r/cache"}},
	} {
		if got := config.NewDirs("/h", func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%v: %+v", c.env, got)
		}
	}
}

func dirs(t *testing.T) (config.Dirs, string) {
	t.Helper()
	base := t.TempDir()
	d := config.Dirs{Config: filepath.Join(base, "deep", "config"), State: filepath.Join(base, "state")}
	return d, filepath.Join(d.Config, "config.yaml")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func local(t *testing.T) machine.Machine {
	t.Helper()
	return machine.Local(t.TempDir(), func(string) string { return "" })
}

func TestLoad(t *testing.T) {
	d, file := dirs(t)
	if c, err := config.Load(d); err != nil || !reflect.DeepEqual(c, &config.Config{}) {
		t.Errorf("without a file: %+v, %v", c, err)
	}
	write(t, file, "store: vault://secret\nidentity: ~/k\nsecrets:\n  aws: ~/.aws/credentials\n  openai: [A, B]\n")
	c, err := config.Load(d)
	want := &config.Config{Store: "vault://secret", Identity: "~/k", Secrets: map[string]config.Location{"aws": {Path: "~/.aws/credentials"}, "openai": {Vars: []string{"A", "B"}}}}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"store: [\n":                            ":1:1: ",
		"store: {}\n":                           ":1:8: text expected",
		"store:\n":                              ":1:7: text expected",
		"store: ''\n":                           ":1:8: text expected; without the line the default holds",
		"# mine\nstroe: vault://secret\n":       `:2:1: config.yaml has no field "stroe"; did you mean "store"?`,
		"a: 1\n":                                `:1:1: config.yaml has no field "a"`,
		"store: local\nstore: vault://x\n":      `:2:1: "store" is set twice`,
		"secrets: x\n":                          ":1:10: secrets must be a mapping",
		"secrets: {a: {b: c}}\n":                ":1:14: text expected",
		"secrets: {a: [b, {c: d}]}\n":           ":1:18: text expected",
		"secrets: {a: }\n":                      ":1:14: text expected",
		"vault: x\n":                            ":1:8: vault must be a mapping",
		"vault:\n  address: a\n  namespce: b\n": `:3:3: vault has no field "namespce"; did you mean "namespace"?`,
		"vault: {ca_cert: }\n":                  ":1:18: text expected",
		"version: 2\n":                          ":1:10: it is of version 2, which a newer rhx wrote",
		"version: x\n":                          ":1:10: version must be a number",
		"version: -1\n":                         ":1:10: version must be a number",
		"version: [1]\n":                        ":1:10: version must be a number",
		"- a\n":                                 ":1:1: config.yaml must be a mapping",
		"store: local\n---\nstore: vault://x\n": "several YAML documents",
		"identity: *a\n":                        ":1:1: ",
		"store: &a local\nidentity: *a\n":       ":2:11: text expected",
	} {
		write(t, file, text)
		if _, err := config.Load(d); err == nil || !strings.Contains(err.Error(), file+want) && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]config.Config{
		"": {}, "# nothing\n\n---\n": {}, "version: 1\nstore: local\n": {Store: "local"}, "version: 0\nsecrets:\nvault:\n": {},
		"secrets: {a: b}\nvault: {address: x, namespace: y, ca_cert: z}\n": {
			Secrets: map[string]config.Location{"a": {Path: "b"}}, Vault: config.Vault{Address: "x", Namespace: "y", CACert: "z"}},
	} {
		write(t, file, text)
		if c, err := config.Load(d); err != nil || !reflect.DeepEqual(*c, want) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(d); err == nil {
		t.Error("a folder in place of the file is no error")
	}
}

func TestRecord(t *testing.T) {
	d, file := dirs(t)
	ctx, m := context.Background(), local(t)
	if err := config.Record(ctx, d, m, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Config); !os.IsNotExist(err) {
		t.Error("nothing to note, but a folder was made")
	}
	if err := config.Record(ctx, d, m, map[string]config.Location{"b": {Vars: []string{"X", "Y"}}, "aws/team%20two": {Path: "~/.aws/credentials"}}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != "version: 1\nsecrets:\n  aws/team%20two: ~/.aws/credentials\n  b:\n  - X\n  - \"Y\"\n" {
		t.Errorf("%s", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	// Comments and order stay.
	mine := "# mine\r\nvault: {address: b}   # kept\r\nsecrets:\r\n    old: ~/x   # by hand\r\nstore: local\r\n"
	write(t, file, mine)
	if err := config.Record(ctx, d, m, map[string]config.Location{"old": {Path: "~/y"}, "none": {}}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != strings.Replace(mine, "~/x", "~/y", 1) {
		t.Errorf("%q", got)
	}
	// The same again is not written, and an empty place takes the note away.
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := config.Record(ctx, d, m, map[string]config.Location{"old": {Path: "~/y"}}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Error("written again")
	}
	if err := config.Record(ctx, d, m, map[string]config.Location{"old": {}}); err != nil {
		t.Fatal(err)
	}
	if c, err := config.Load(d); err != nil || len(c.Secrets) != 0 || c.Store != "local" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{"secrets: [\n", "secrets: text\n", "- a\n"} {
		write(t, file, text)
		if err := config.Record(ctx, d, m, map[string]config.Location{"a": {Path: "b"}}); err == nil || read(t, file) != text {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// W-24 of runhouse: commands that run at once lose none of one another's notes.
func TestW24RecordAtOnce(t *testing.T) {
	d, _ := dirs(t)
	m := local(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := config.Record(context.Background(), d, m, map[string]config.Location{fmt.Sprintf("s%d", i): {Path: "~/x"}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c, err := config.Load(d); err != nil || len(c.Secrets) != 20 {
		t.Errorf("%d notes, %v", len(c.Secrets), err)
	}
}

func TestLoginIsNotedAndForgotten(t *testing.T) {
	d, file := dirs(t)
	m := local(t)
	if err := config.SetLogin(t.Context(), d, m, "vault://secret/ml", config.Vault{Address: "https://v:8200", Namespace: "team"}); err != nil {
		t.Fatal(err)
	}
	if err := config.Add(t.Context(), d, m, map[string]config.Location{"aws": {Path: "~/.aws/credentials"}}, "~/.aws/credentials"); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(d)
	if err != nil || c.Store != "vault://secret/ml" || c.Vault != (config.Vault{Address: "https://v:8200", Namespace: "team"}) {
		t.Fatalf("%+v, %v", c, err)
	}
	if files, err := config.Created(d); err != nil || !reflect.DeepEqual(files, []string{"~/.aws/credentials"}) {
		t.Fatal(files, err)
	}
	// What stays on the machine stays noted.
	if gone, err := config.Forget(t.Context(), d, m); gone || err != nil {
		t.Error(gone, err)
	}
	if text := read(t, file); strings.Contains(text, "vault") || !strings.Contains(text, "aws: ~/.aws/credentials") {
		t.Error(text)
	}
	if err := config.Remove(t.Context(), d, m, map[string]config.Location{"aws": {Path: "~/.aws/credentials"}}); err != nil {
		t.Fatal(err)
	}
	// The file is not there, so it is not rhx's any more.
	if files, err := config.Created(d); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
	if gone, err := config.Forget(t.Context(), d, m); !gone || err != nil {
		t.Error(gone, err, read(t, file))
	}
	// What the user wrote there is theirs.
	write(t, file, "# mine\nidentity: /k\nstore: vault://secret\n")
	if gone, err := config.Forget(t.Context(), d, m); gone || err != nil || read(t, file) != "# mine\nidentity: /k\n" {
		t.Error(gone, err, read(t, file))
	}
	if gone, err := config.Forget(t.Context(), config.Dirs{Config: t.TempDir()}, m); !gone || err != nil {
		t.Error(gone, err)
	}
}

// A secret that was placed several times is noted with all its places.
func TestPlacesAreAddedAndRemoved(t *testing.T) {
	d, file := dirs(t)
	m := local(t)
	for _, c := range []struct {
		do   func(context.Context, config.Dirs, machine.Machine, map[string]config.Location) error
		what config.Location
		want string
	}{
		{add, config.Location{Vars: []string{"A"}}, "secrets:\n  x:\n  - A\n"},
		{add, config.Location{Vars: []string{"B", "A"}}, "secrets:\n  x:\n  - A\n  - B\n"},
		{add, config.Location{Path: "~/x"}, "secrets:\n  x:\n  - ~/x\n  - A\n  - B\n"},
		{add, config.Location{Path: "/y"}, "secrets:\n  x:\n  - ~/x\n  - /y\n  - A\n  - B\n"},
		{add, config.Location{Path: "/y"}, "secrets:\n  x:\n  - ~/x\n  - /y\n  - A\n  - B\n"},
		{config.Remove, config.Location{Path: "~/x"}, "secrets:\n  x:\n  - /y\n  - A\n  - B\n"},
		{config.Remove, config.Location{Vars: []string{"A", "B"}}, "secrets:\n  x: /y\n"},
		{config.Remove, config.Location{Path: "/z"}, "secrets:\n  x: /y\n"},
	} {
		if err := c.do(t.Context(), d, m, map[string]config.Location{"x": c.what}); err != nil {
			t.Fatal(err)
		}
		if got := read(t, file); got != "version: 1\n"+c.want {
			t.Errorf("after %+v:\n%s", c.what, got)
		}
	}
	if err := config.Remove(t.Context(), d, m, map[string]config.Location{"x": {Path: "/y"}}); err != nil {
		t.Fatal(err)
	}
	if c, err := config.Load(d); err != nil || len(c.Secrets) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func add(ctx context.Context, d config.Dirs, m machine.Machine, placed map[string]config.Location) error {
	return config.Add(ctx, d, m, placed)
}

// What others can have written is not followed, and a pipe is not waited for.
func TestForeignFoldersAndFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("who may write is not in a file's mode there")
	}
	base := t.TempDir()
	d := config.NewDirs("/h", func(k string) string { return map[string]string{"RHX_HOME": base}[k] })
	if err := d.Check(); err != nil {
		t.Errorf("nothing is there yet: %v", err)
	}
	for _, dir := range []string{base, d.Config, d.Data, d.State, d.Cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(); !errors.Is(err, ownfile.ErrForeign) || !strings.Contains(err.Error(), dir+" ") {
			t.Errorf("%s: %v", dir, err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(); err != nil {
			t.Error(err)
		}
	}
	write(t, config.Path(d), "store: vault://evil\n")
	if err := os.Chmod(config.Path(d), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(d); !errors.Is(err, ownfile.ErrForeign) {
		t.Error(err)
	}
	if err := config.Add(t.Context(), d, local(t), map[string]config.Location{"x": {Path: "y"}}); !errors.Is(err, ownfile.ErrForeign) {
		t.Error(err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("version: 1\nstore: local\nsecrets: {a: b, c: [D, ~/e]}\nvault: {address: x}\n"))
	f.Add([]byte("store: &a [*a]\n"))
	f.Add([]byte("--- \n? a\n: b\n"))
	d := config.Dirs{Config: f.TempDir()}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(config.Path(d), data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(d)
		if (c == nil) == (err == nil) {
			t.Errorf("%v, %v", c, err)
		}
		// A line with another store than the one that is used is never passed over.
		if err == nil && c.Store == "" && bytes.HasPrefix(data, []byte("store: vault")) {
			t.Errorf("%q: %+v", data, c)
		}
	})
}
