package provider

import (
	"slices"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// merges reports whether the tool reads several files that a variable lists as one
// document, as kubectl does: a profile may be in one and what it refers to in another.
func merges(f *spec.File) bool {
	return f.Profiles != nil && f.Profiles.Entries != nil &&
		slices.ContainsFunc(f.Override, func(o spec.Override) bool { return o.List })
}

// merge returns the document that several are together: of two entries that have the
// same key, or the same name in a list, the first one counts. A nil document is
// passed over.
func merge(name string, docs ...*codec.Node) *codec.Node {
	out := &codec.Node{Kind: codec.Map}
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		for _, pair := range doc.Pairs {
			i := slices.IndexFunc(out.Pairs, func(p codec.Pair) bool { return p.Key == pair.Key })
			switch {
			case i < 0:
				out.Pairs = append(out.Pairs, pair)
			case out.Pairs[i].Value.Kind == codec.Null:
				out.Pairs[i].Value = pair.Value
			case out.Pairs[i].Value.Kind == codec.List:
				out.Pairs[i].Value = mergeLists(name, out.Pairs[i].Value, pair.Value)
			}
		}
	}
	return out
}

func mergeLists(name string, first, second *codec.Node) *codec.Node {
	out := &codec.Node{Kind: codec.List, Line: first.Line, Items: slices.Clone(first.Items)}
	seen := map[string]bool{}
	for _, item := range first.Items {
		if n := item.Get(name); n.Scalar() {
			seen[n.Text] = true
		}
	}
	for _, item := range second.Items {
		if n := item.Get(name); n.Scalar() && !seen[n.Text] {
			out.Items = append(out.Items, item)
		}
	}
	return out
}

// extractMerged returns the secrets of files that are one document.
func (s *Snapshot) extractMerged(sp *spec.Spec, f *spec.File, paths []string) []Found {
	var out []Found
	docs := make([]*codec.Node, len(paths))
	for i, p := range paths {
		file := s.files[p]
		err := file.Err
		if missing(file) || slices.Contains(paths[:i], p) {
			continue
		}
		if err == nil {
			docs[i], _, err = s.decode(f, file)
		}
		if err != nil {
			out = append(out, s.invalid(sp, "", p, err))
		}
	}
	whole := merge(f.Profiles.Name, docs...)
	seen := map[string]bool{}
	for i, doc := range docs {
		var here []Found
		for _, e := range entries(f, doc) {
			if seen[e.name] {
				continue
			}
			seen[e.name] = true
			if found, ok := s.extractEntry(sp, f, paths[i], whole, e); ok {
				here = append(here, found)
			}
		}
		out = append(out, s.noteMode(sp, f, s.files[paths[i]], here)...)
	}
	return out
}

// around returns the documents before and after a file in the list that it is in,
// each merged into one; nil where there are none.
func (p *Plan) around(sp *spec.Spec, f *spec.File, path string, opts Options) (before, after *codec.Node) {
	if !merges(f) || opts.To != "" {
		return nil, nil
	}
	paths, _ := p.snap.locate(sp, f)
	i := slices.Index(paths, path) // target took it from locate
	read := func(paths []string) *codec.Node {
		var out *codec.Node
		for _, q := range paths {
			if q == path {
				continue
			}
			if doc, err := p.document(f, q); err == nil {
				out = merge(f.Profiles.Name, out, p.snap.inlined(f, q, doc.Root()))
			}
		}
		return out
	}
	return read(paths[:i]), read(paths[i+1:])
}
