package manifest

import "gopkg.in/yaml.v3"

// overlay merges a profile's mapping into base: mappings key by key, everything
// else takes the place of what was there. Nodes keep their lines.
func overlay(base, over *yaml.Node) *yaml.Node {
	if base == nil || base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	out := *base
	out.Content = append([]*yaml.Node(nil), base.Content...)
	for i := 0; i+1 < len(over.Content); i += 2 {
		k, v := over.Content[i], over.Content[i+1]
		found := false
		for j := 0; j+1 < len(out.Content); j += 2 {
			if out.Content[j].Value == k.Value {
				out.Content[j+1] = overlay(out.Content[j+1], v)
				found = true
			}
		}
		if !found {
			out.Content = append(out.Content, k, v)
		}
	}
	return &out
}
