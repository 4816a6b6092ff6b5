package author

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// options are those of the codec that reads the sample.
func (s *sketch) options() codec.Options {
	if s.npm {
		return codec.Options{Delimiters: "=", CaseSensitive: true, CommentsAnywhere: true, Continued: codec.OneLine, Quotes: true, References: true}
	}
	return codec.Options{Lists: strings.Join(s.lists, " "), Blocks: strings.Join(s.blocks, " ")}
}

// formatText is the format as a spec has it.
func (s *sketch) formatText() string {
	switch {
	case s.npm:
		return "{ini: {delimiters: '=', case_sensitive: true, inline_comments: anywhere, continued: never, quotes: true, references: true}}\n    clients: npm"
	case len(s.lists) > 0:
		return "{xml: {lists: [" + strings.Join(s.lists, ", ") + "]}}"
	case len(s.blocks) > 0:
		return "{hcl: {blocks: [" + strings.Join(s.blocks, ", ") + "]}}"
	}
	return s.format
}

// dialect finds the options of a format that are lists of names: elements of XML of
// which the sample has several, or whose parent's name is their plural; and blocks of
// HCL with a label. Only what is plainly a name of the format is among them.
func (s *sketch) dialect(data []byte) {
	add := func(to *[]string, name string) {
		if isPlain(name) && !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
	}
	switch s.format {
	case "xml":
		root, err := decode(s.format, codec.Options{}, data)
		if err != nil {
			return
		}
		var walk func(parent string, n *codec.Node)
		walk = func(parent string, n *codec.Node) {
			for _, p := range n.Pairs {
				if p.Value.Kind == codec.List || !p.Value.Scalar() && parent == p.Key+"s" {
					add(&s.lists, p.Key)
				}
				walk(p.Key, p.Value)
			}
			for _, item := range n.Items {
				walk(parent, item)
			}
		}
		walk("", root)
	case "hcl":
		for _, m := range regexp.MustCompile(`(?m)^(\w[\w-]*)[ \t]+"[^"\n]*"[ \t]*\{`).FindAllSubmatch(data, -1) {
			add(&s.blocks, string(m[1]))
		}
	}
}
