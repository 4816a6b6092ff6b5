package detect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/spec"
)

// What detect costs beside what there is to be found: on a home folder with 40
// credentials and on an empty one, with ever more providers known.
func BenchmarkDetect(b *testing.B) {
	for _, files := range []int{0, 40} {
		home := b.TempDir()
		for i := range files {
			p := filepath.Join(home, fmt.Sprintf(".config/tool%d/config.toml", i))
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(p, []byte("token = \"fake\"\n"), 0o600); err != nil {
				b.Fatal(err)
			}
		}
		for _, known := range []int{200, 1000, 5000} {
			var builtin []spec.Builtin
			for i := range known {
				name, v, p := fmt.Sprintf("tool%d", i), fmt.Sprintf("TOOL%d_TOKEN", i), fmt.Sprintf("~/.config/tool%d/config.toml", i)
				text := fmt.Sprintf("spec: 1\nname: %s\nvalues: {token: {env: %s}}\nfiles: [{path: %s, format: toml, keys: {token: token}}]\n", name, v, p)
				s, err := spec.Parse(name, []byte(text))
				if err != nil {
					b.Fatal(err)
				}
				builtin = append(builtin, spec.Builtin{Name: name, Vars: v, Paths: p, Make: func() *spec.Spec { return s }})
			}
			b.Run(fmt.Sprintf("files=%d/known=%d", files, known), func(b *testing.B) {
				for b.Loop() {
					d := &detect.Detector{Specs: spec.NewRegistry(builtin, "")}
					found, err := d.On(b.Context(), machine.Local(home, func(string) string { return "" }))
					if err != nil || len(found) != files {
						b.Fatal(len(found), err)
					}
				}
			})
		}
	}
}

// Of a remote machine, and of a provider that was named, nothing is left out.
func TestDetectOfNamedProviders(t *testing.T) {
	home := t.TempDir()
	made := ""
	builtin := []spec.Builtin{{Name: "a", Vars: "NOT_SET", Make: func() *spec.Spec {
		made += "a"
		return &spec.Spec{Name: "a", Values: []spec.Value{{Name: "k", Env: []string{"A"}}}}
	}}}
	env := func(name string) string { return map[string]string{"A": "x"}[name] }
	d, local := &detect.Detector{Specs: spec.NewRegistry(builtin, "")}, machine.Local(home, env)
	if found, err := d.On(t.Context(), local); err != nil || len(found) != 0 || made != "" {
		t.Error(found, err, made)
	}
	remote := machine.NewMemory("remote")
	remote.SetEnv("A", "x")
	for _, m := range []machine.Machine{local, remote} {
		if found, err := d.On(t.Context(), m, "a"); err != nil || len(found) != 1 {
			t.Error(m.Name(), found, err)
		}
	}
	if found, err := d.On(t.Context(), remote); err != nil || len(found) != 1 {
		t.Error(found, err)
	}
	if !strings.HasPrefix(made, "a") {
		t.Error(made)
	}
}
