// Package guestsdk holds what authors of wasm providers start from: a kit and an
// example for each language.
package guestsdk

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
)

//go:embed all:acme/cases/absent all:acme/cases/broken all:acme/cases/two acme/provider.yaml
//go:embed go/base64.go go/guest.go go/io_other.go go/io_wasip1.go go/json.go go/request.go go/response.go go/example
//go:embed rust/Cargo.toml rust/src rust/example/Cargo.toml rust/example/src
//go:embed c/rhx.c c/rhx.h c/example
//go:embed assemblyscript/rhx.ts assemblyscript/example/asconfig.json assemblyscript/example/package.json assemblyscript/example/assembly
//go:embed zig/rhx.zig zig/example/acme.zig
var files embed.FS

// A package is made of the example provider in its language and of the kit, which
// is copied into the package: it builds without a network, and does not change
// unless its author says so.
type language struct {
	name string
	// kit is where in the package the files of the kit's folder go.
	kit string
	// here and there are how the example finds its kit: in this repository, and in
	// a package called NAME.
	here, there string
	// ignore are the leftovers of its tools.
	ignore []string
}

// languages returns what there is, in the order in which they are listed.
func languages() []language {
	return []language{
		{name: "go", kit: "guest", here: "github.com/rhx-dev/rhx/guest-sdk/go", there: "example.com/NAME/guest"},
		{name: "rust", kit: "rhx-guest", here: `path = ".."`, there: `path = "rhx-guest"`, ignore: []string{"/target/"}},
		{name: "c", kit: "."},
		{name: "assemblyscript", kit: "assembly", ignore: []string{"/node_modules/"}},
		{name: "zig", kit: ".", ignore: []string{"/.zig-cache/"}},
	}
}

// Languages returns the languages that there is a kit for, the first ones first
// to be offered.
func Languages() []string {
	var names []string
	for _, l := range languages() {
		names = append(names, l.name)
	}
	return names
}

// Package returns the files of a new provider package called name, by their path
// in it, with slashes: provider.yaml, the source, the kit, cases and .gitignore.
// It is the language's example, with name for its own.
func Package(lang, name string) (map[string][]byte, error) {
	all := languages()
	i := slices.IndexFunc(all, func(l language) bool { return l.name == lang })
	if i < 0 {
		return nil, fmt.Errorf("there is no kit for %q; there are %s", lang, strings.Join(Languages(), ", "))
	}
	if !validName(name) {
		return nil, fmt.Errorf("%q cannot be a provider's name: lower-case letters, digits and dashes, a letter first", name)
	}
	l := all[i]
	out := map[string][]byte{}
	if lang == "go" { // which cannot be embedded from a folder that has it
		out["go.mod"] = []byte("module example.com/" + name + "\n\ngo 1.24\n")
	}
	texts := []string{"title: Acme", "title: " + title(name), "acme", name}
	if l.here != "" {
		texts = append(texts, l.here, strings.ReplaceAll(l.there, "NAME", name))
	}
	rename := strings.NewReplacer(texts...)
	put := func(name string, data []byte) error {
		if _, taken := out[name]; taken {
			return fmt.Errorf("the kit has a %s of its own; choose another name", name)
		}
		out[name] = []byte(rename.Replace(string(data)))
		return nil
	}
	err := fs.WalkDir(files, ".", func(from string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(from)
		if err != nil {
			return err
		}
		for _, root := range []string{"acme/", lang + "/example/"} {
			if to, ok := strings.CutPrefix(from, root); ok {
				return put(rename.Replace(to), data)
			}
		}
		if to, ok := strings.CutPrefix(from, lang+"/"); ok {
			return put(path.Join(l.kit, to), data)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var ignore bytes.Buffer
	for _, line := range append([]string{"/.rhx-build-*/"}, l.ignore...) {
		fmt.Fprintln(&ignore, line)
	}
	out[".gitignore"] = ignore.Bytes()
	return out, nil
}

// validName is the rule of provider specs.
func validName(s string) bool {
	return s != "" && len(s) <= 64 && s[0] >= 'a' && s[0] <= 'z' &&
		!strings.ContainsFunc(s, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') })
}

// title is a name for people: my-cloud is My Cloud.
func title(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' })
	for i, w := range words {
		words[i] = string(unicode.ToUpper(rune(w[0]))) + w[1:]
	}
	return strings.Join(words, " ")
}
