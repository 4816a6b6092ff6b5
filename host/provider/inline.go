package provider

import (
	"encoding/base64"
	"maps"
	"path"
	"slices"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// reference is a place in a document that names another file, whose content
// has a place of its own beside it.
type reference struct {
	at, data codec.Path
	// file is absolute.
	file string
}

// references lists the files that a document names and that its spec wants
// carried along, such as a kubeconfig's client-certificate.
func (s *Snapshot) references(f *spec.File, docPath string, root *codec.Node) []reference {
	var out []reference
	for _, e := range entries(f, root) {
		known := map[string]string{}
		for _, k := range f.Keys {
			at, node := findKey(f, root, e, k, known)
			if node == nil {
				continue
			}
			if text, ok, err := nodeText(node, k); ok && err == nil {
				known[k.Value] = text
			}
			for _, field := range slices.Sorted(maps.Keys(k.Inline)) {
				n := node.Get(field)
				if !n.Scalar() || n.Text == "" || node.Get(k.Inline[field]) != nil {
					continue
				}
				file := s.slashed(n.Text)
				if !path.IsAbs(file) && file[0] != '~' {
					file = path.Join(path.Dir(docPath), file)
				}
				out = append(out, reference{join(at, codec.Step{Key: field}), join(at, codec.Step{Key: k.Inline[field]}), s.abs(file)})
			}
		}
	}
	return out
}

func hasInline(f *spec.File) bool {
	return slices.ContainsFunc(f.Keys, func(k spec.Key) bool { return len(k.Inline) > 0 })
}

// inlined returns a document with the content of the files that it names in
// their stead, so that its values are whole by themselves. A file that cannot
// be read stays a name.
func (s *Snapshot) inlined(f *spec.File, docPath string, root *codec.Node) *codec.Node {
	if !hasInline(f) {
		return root
	}
	var edits []codec.Edit
	for _, r := range s.references(f, docPath, root) {
		if file := s.files[r.file]; file.Path != "" && file.Err == nil {
			edits = append(edits, codec.Edit{Path: r.data, Value: codec.Text(base64.StdEncoding.EncodeToString(file.Data))}, codec.Edit{Path: r.at})
		}
	}
	if out, err := codec.EditTree(root, edits); err == nil {
		return out
	}
	return root
}

// referenced returns the files that the documents read so far name.
func (s *Snapshot) referenced(specs []*spec.Spec) []string {
	var paths []string
	for _, sp := range specs {
		for i := range sp.Files {
			f := &sp.Files[i]
			if !hasInline(f) {
				continue
			}
			for _, p := range s.locate(f) {
				if file := s.files[p]; file.Path != "" && file.Err == nil {
					if format, err := codec.New(f.Format, f.Options); err == nil {
						if root, err := format.Decode(file.Data); err == nil {
							for _, r := range s.references(f, p, root) {
								paths = append(paths, r.file)
							}
						}
					}
				}
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
