package guestsdk_test

import (
	"strings"
	"testing"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
	"github.com/rhx-dev/rhx/host/spec"
)

func TestAPackageIsTheExampleUnderAnotherName(t *testing.T) {
	for _, lang := range guestsdk.Languages() {
		t.Run(lang, func(t *testing.T) {
			files, err := guestsdk.Package(lang, "my-cloud")
			if err != nil {
				t.Fatal(err)
			}
			sp, err := spec.Parse("provider.yaml", files["provider.yaml"])
			if err != nil {
				t.Fatal(err)
			}
			if sp.Name != "my-cloud" || sp.Title != "My Cloud" || len(sp.Files) != 1 || sp.Files[0].Wasm != "my-cloud" {
				t.Errorf("the spec is of %q, %q, read by %q", sp.Name, sp.Title, sp.Files[0].Wasm)
			}
			cases := 0
			for name, data := range files {
				if strings.Contains(strings.ToLower(name+string(data)), "acme") || strings.Contains(string(data), "github.com/rhx-dev") {
					t.Errorf("%s still speaks of the example", name)
				}
				if strings.HasPrefix(name, "cases/") && strings.HasSuffix(name, "/expect.json") {
					cases++
				}
			}
			if cases < 3 || len(files[".gitignore"]) == 0 {
				t.Errorf("has %d cases, and %d bytes of .gitignore", cases, len(files[".gitignore"]))
			}
		})
	}
}

func TestWhatCannotBeAPackage(t *testing.T) {
	for _, c := range [][3]string{
		{"cobol", "x", `there is no kit for "cobol"; there are `},
		{"c", "", "cannot be a provider's name"},
		{"c", "../x", "cannot be a provider's name"},
		{"c", "X", "cannot be a provider's name"},
		{"c", "9x", "cannot be a provider's name"},
		{"c", "rhx", "the kit has a rhx.c of its own"},
	} {
		if _, err := guestsdk.Package(c[0], c[1]); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s %q: %v", c[0], c[1], err)
		}
	}
	if got, want := strings.Join(guestsdk.Languages(), " "), "go rust c assemblyscript zig"; got != want {
		t.Errorf("there are %s", got)
	}
}
