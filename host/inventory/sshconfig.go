package inventory

import (
	"slices"
	"strings"
)

// SSHHosts returns the names that an ssh_config(5) has a Host for, sorted, without
// patterns. Files that it includes are not looked at.
func SSHHosts(config string) []string {
	var hosts []string
	for line := range strings.Lines(config) {
		words := strings.Fields(strings.Replace(line, "=", " ", 1))
		if len(words) == 0 || !strings.EqualFold(words[0], "host") {
			continue
		}
		for _, name := range words[1:] {
			if name = strings.Trim(name, `"`); name != "" && !strings.ContainsAny(name, "*?!") {
				hosts = append(hosts, name)
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
