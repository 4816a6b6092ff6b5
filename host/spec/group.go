package spec

import (
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/fault"
)

// Group is a heading under which lists of providers have some.
type Group struct{ Name, Title string }

// Groups returns the groups in the order in which people see them.
func Groups() []Group {
	return []Group{
		{"clouds", "Clouds"},
		{"gpu-clouds", "GPU clouds"},
		{"web-platforms", "Hosting and platforms"},
		{"ai-models", "Models behind an API"},
		{"ai-agents", "Agents"},
		{"ai-tools", "Tools for machine learning"},
		{"data", "Databases and data platforms"},
		{"storage", "Storage"},
		{"packages", "Packages and images"},
		{"dev-platforms", "Code, builds and issues"},
		{"operations", "Operations and monitoring"},
		{"messaging", "Messages and mail"},
		{"business", "Payments, customers, analytics"},
		{"secret-managers", "Secret managers"},
		{"machines", "Machines"},
	}
}

// groupNames returns the names that a spec's group can have.
func groupNames() []string {
	var names []string
	for _, g := range Groups() {
		names = append(names, g.Name)
	}
	return names
}

func (d *decoder) group(n *yaml.Node) string {
	name := d.Text(n)
	if d.Err == nil && !slices.Contains(groupNames(), name) {
		d.Fail(n, "unknown group %q%s (rhx providers lists the groups)", name, fault.DidYouMean(name, groupNames()))
	}
	return name
}
