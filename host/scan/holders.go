package scan

import (
	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Holders are the values that records keep secret, those of every version, and of one that
// is a document the texts in it. The first record of a secret is its newest version. public
// says of a record which of its keys may be seen. Of a secret without a provider, such as an
// item of a password manager, who logs in where is not looked for.
func Holders(recs []*store.Record, public func(*store.Record) func(key string) bool) []Holder {
	var out []Holder
	seen := map[string]bool{}
	for _, rec := range recs {
		current := !seen[rec.Name]
		seen[rec.Name] = true
		shown := public(rec)
		for _, key := range rec.Secret.Values.Keys() {
			if shown(key) || rec.Secret.Provider == "" && wellKnown(key, rec.Secret.Values[key].Reveal()) {
				continue
			}
			h := Holder{Secret: rec.Name, Key: key, Version: rec.Version, Current: current, Value: rec.Secret.Values[key]}
			out = append(out, h)
			if tree, ok := codec.TreeIn(h.Value.Reveal()); ok {
				h.Part = true
				for _, text := range leaves(tree, nil) {
					h.Value = secret.NewValue(text)
					out = append(out, h)
				}
			}
		}
	}
	return out
}

func leaves(n *codec.Node, out []string) []string {
	if n.Kind == codec.String {
		out = append(out, n.Text)
	}
	for _, p := range n.Pairs {
		out = leaves(p.Value, out)
	}
	for _, item := range n.Items {
		out = leaves(item, out)
	}
	return out
}
