// Package guestsdk holds what authors of wasm providers start from: a kit and an
// example for each language.
package guestsdk

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
)

//go:embed c/rhx.c c/rhx.h all:c/example
var files embed.FS

// A language's package is made of its example and of its kit, which is copied
// into the package: it builds without a network, and does not change unless its
// author says so.
type language struct {
	name string
	// kit are the kit's files: in the package, and here.
	kit map[string]string
	// ignore are the leftovers of its tools.
	ignore []string
}

// languages returns what there is, in the order in which they are listed.
func languages() []language {
	return []language{
		{name: "c", kit: map[string]string{"rhx.c": "c/rhx.c", "rhx.h": "c/rhx.h"}},
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
	out := map[string][]byte{}
	for to, from := range all[i].kit {
		data, err := files.ReadFile(from)
		if err != nil {
			return nil, err
		}
		out[to] = data
	}
	rename := strings.NewReplacer("acme", name, "Acme", title(name))
	root := lang + "/example"
	err := fs.WalkDir(files, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(p)
		out[rename.Replace(strings.TrimPrefix(p, root+"/"))] = []byte(rename.Replace(string(data)))
		return err
	})
	if err != nil {
		return nil, err
	}
	var ignore bytes.Buffer
	for _, line := range append([]string{"*.part"}, all[i].ignore...) {
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
