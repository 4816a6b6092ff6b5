package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completer says what may follow on a command line that is not finished.
type completer struct {
	root *kong.Node
	// known tells the values that an argument or a flag can have, by its tag predictor.
	known map[string]func(parted) []string
	// path is the PATH in which commands are looked for.
	path string
}

// next are the candidates for the word cur behind the words of a line, without the
// name of the program. Nil leaves the word to the shell, which has files for it.
func (c completer) next(words []string, cur string) []string {
	p := part(c.root, words)
	flags := flagsOf(p.node)
	if p.lacking != "" {
		return fitting(c.valuesOf(flagOf(flags, p.lacking), p), cur)
	}
	rest := slices.DeleteFunc(slices.Clone(p.rest), func(arg string) bool { return arg == "--" })
	switch ended := len(rest) < len(p.rest); {
	case passesOn(p.node) && len(p.rest) > 0 || strings.HasPrefix(cur, "-") && ended:
		if len(rest) == 0 {
			return executables(c.path, cur)
		}
		return nil
	case strings.HasPrefix(cur, "-"):
		if name, _, ok := strings.Cut(cur, "="); ok {
			return fitting(withPrefix(name+"=", c.valuesOf(flagOf(flags, name), p)), cur)
		}
		return fitting(flagNames(flags, p.words), cur)
	case passesOn(p.node):
		return executables(c.path, cur)
	case len(p.node.Children) > 0:
		var names []string
		for _, child := range p.node.Children {
			if !child.Hidden && len(rest) == 0 {
				names = append(names, child.Name)
			}
		}
		return fitting(names, cur)
	case len(p.node.Positional) == 0:
		return nil
	}
	at := p.node.Positional[min(len(rest), len(p.node.Positional)-1)]
	if len(rest) >= len(p.node.Positional) && !at.IsCumulative() {
		return nil
	}
	return slices.DeleteFunc(fitting(c.valuesOf(at, p), cur), func(name string) bool { return slices.Contains(rest, name) })
}

// flagNames are the flags that can be given to the command of some words.
func flagNames(flags []*kong.Flag, words []string) []string {
	var without []string
	if len(words) > 0 {
		without = usesOf(words[0]).without()
	}
	var names []string
	for _, f := range flags {
		if !f.Hidden && !slices.Contains(without, f.Name) {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}

// valuesOf are the values that a flag or an argument can have, as far as they are
// known; v can be nil.
func (c completer) valuesOf(v *kong.Value, line parted) []string {
	if v == nil {
		return nil
	}
	if v.Enum != "" {
		return v.EnumSlice()
	}
	ask := c.known[v.Tag.Get("predictor")]
	if ask == nil {
		return nil
	}
	// A name that is read as a flag cannot be given like this.
	return slices.DeleteFunc(ask(line), isFlag)
}

// flagsOf are the flags of a command, its own first.
func flagsOf(n *kong.Node) []*kong.Flag {
	var flags []*kong.Flag
	for ; n != nil; n = n.Parent {
		flags = append(flags, n.Flags...)
	}
	return flags
}

// flagOf is the flag that an argument such as --store, -s or -ys ends with; nil
// where there is none.
func flagOf(flags []*kong.Flag, arg string) *kong.Value {
	name, long := strings.CutPrefix(arg, "--")
	for _, f := range flags {
		if long && f.Name == name || !long && f.Short != 0 && strings.HasSuffix(arg, string(f.Short)) {
			return f.Value
		}
	}
	return nil
}

// fitting are the names that begin with cur, sorted, each once, without those that nobody
// could see for what they are.
func fitting(names []string, cur string) []string {
	var out []string
	for _, name := range names {
		if strings.HasPrefix(name, cur) && offered(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func withPrefix(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = prefix + name
	}
	return out
}

// executables are the commands in a PATH that begin with cur. A folder of it that
// cannot be read has none, as for a shell.
func executables(path, cur string) []string {
	if cur == "" || strings.Contains(cur, "/") {
		return nil
	}
	var names []string
	for _, dir := range filepath.SplitList(path) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), cur) {
				continue
			}
			if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				names = append(names, e.Name())
			}
		}
	}
	return fitting(names, cur)
}
