package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"path"
	"slices"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

// reference is a place in a document that names another file. The content of the file
// may stand at another place beside it instead.
type reference struct {
	at, data codec.Path
	// file is absolute.
	file string
	// key reports that the file is to be a private key, not certificates.
	key bool
}

// maxInline is how large a file is that a document takes in: bundles of all public
// certificate authorities have some 250 KB.
const maxInline = 512 << 10

// references lists the files that a document names and that its spec wants
// carried along, such as a kubeconfig's client-certificate.
func (s *Snapshot) references(f *spec.File, docPath string, root *codec.Node) []reference {
	var out []reference
	for _, e := range entries(f, root) {
		out = append(out, s.referencesOf(f, docPath, root, e)...)
	}
	return out
}

// referencesOf is references for one entry.
func (s *Snapshot) referencesOf(f *spec.File, docPath string, root *codec.Node, e entry) []reference {
	var out []reference
	known := map[string]string{}
	for _, k := range f.Keys {
		at, node := findKey(f, root, e, k, known)
		if node == nil {
			continue
		}
		known[k.Value], _, _ = nodeText(node, k)
		for _, in := range k.Inline {
			n := node.Get(in.Field)
			if !n.Scalar() || n.Text == "" || node.Get(in.Into) != nil {
				continue
			}
			file := s.slashed(n.Text)
			if !path.IsAbs(file) && file[0] != '~' {
				file = path.Join(path.Dir(docPath), file)
			}
			out = append(out, reference{join(at, codec.Step{Key: in.Field}), join(at, codec.Step{Key: in.Into}), s.abs(file), in.Key})
		}
	}
	return out
}

// unread says which files an entry still names, since they could not be read.
func (s *Snapshot) unread(f *spec.File, docPath string, root *codec.Node, e entry) []string {
	var out []string
	for _, r := range s.referencesOf(f, docPath, root, e) {
		if err := s.files[r.file].Err; err != nil {
			out = append(out, fmt.Sprintf("it names %s, whose content cannot go with it: %v", s.Short(r.file), fault.Cause(err)))
		}
	}
	return out
}

// content returns what the document takes from a file: its PEM blocks, if all are of
// the kind that the place is for, without the text around them. It is nil for any other
// file: a document must not make rhx read those.
func (r *reference) content(data []byte) []byte {
	if len(data) > maxInline {
		return nil
	}
	var blocks []byte
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return blocks
		}
		switch block.Type {
		case "CERTIFICATE":
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "EC PARAMETERS":
			if !r.key {
				return nil
			}
		default:
			return nil
		}
		if blocks == nil && len(bytes.TrimSpace(rest)) == 0 && bytes.HasPrefix(data, []byte("-----BEGIN ")) {
			return data // as it is, to the byte
		}
		blocks, data = append(blocks, pem.EncodeToMemory(block)...), rest
	}
}

func hasInline(f *spec.File) bool {
	return slices.ContainsFunc(f.Keys, func(k spec.Key) bool { return len(k.Inline) > 0 })
}

// inlined returns a document with the content of the files that it names in
// their stead, so that its values are whole by themselves. A file that cannot
// be read, or is not what it should be, stays a name.
func (s *Snapshot) inlined(f *spec.File, docPath string, root *codec.Node) *codec.Node {
	if !hasInline(f) {
		return root
	}
	var edits []codec.Edit
	for _, r := range s.references(f, docPath, root) {
		if content := r.content(s.files[r.file].Data); content != nil {
			edits = append(edits, codec.Edit{Path: r.data, Value: codec.Text(base64.StdEncoding.EncodeToString(content))}, codec.Edit{Path: r.at})
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
			located, _ := s.locate(sp, f)
			for _, p := range located {
				format, err := codec.New(f.Format, f.Options)
				if err != nil {
					continue
				}
				// Extract reports what cannot be read.
				if root, err := format.Decode(s.files[p].Data); err == nil {
					for _, r := range s.references(f, p, root) {
						paths = append(paths, r.file)
					}
				}
			}
		}
	}
	return paths
}
