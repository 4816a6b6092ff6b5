// Package inventory knows lists of hosts: ranges in names, and files that put
// hosts into groups, in the INI form that Ansible reads.
package inventory

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Most is how many hosts one list may come to.
const Most = 10_000

// version is that of the files that Parse reads.
const version = "1"

// Inventory is a file of hosts.
type Inventory struct {
	// order are the groups by first mention; "" is for hosts outside of any.
	order    []string
	hosts    map[string][]string
	children map[string][]string
}

// Parse reads an inventory: a host or a range of hosts on each line, perhaps with
// ansible_host, ansible_user and ansible_port behind it; [GROUP] begins a group,
// [GROUP:children] lists the groups in it, [GROUP:vars] is left out. name is for
// errors, which have the line.
//
// A file that needs a newer rhx than this one can say so, in a comment that Ansible
// passes over:
//
//	# rhx hosts, version 1
func Parse(name string, r io.Reader) (*Inventory, error) {
	inv := &Inventory{hosts: map[string][]string{}, children: map[string][]string{}}
	group, kind := "", ""
	inv.group(group)
	total := 0
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s", name, n, fmt.Sprintf(format, args...))
		}
		if v, ok := strings.CutPrefix(line, "# rhx hosts, version "); ok && v != version {
			return nil, fail("it is of version %s, and this rhx reads version %s: use a newer rhx", v, version)
		}
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[' && !isRange(line):
			head, ok := strings.CutSuffix(line, "]")
			if !ok {
				return nil, fail("a group's line ends in ]")
			}
			group, kind, _ = strings.Cut(head[1:], ":")
			if group == "" || strings.ContainsAny(group, " \t[],") || kind != "" && kind != "children" && kind != "vars" {
				return nil, fail("not a group: %s", line)
			}
			inv.group(group)
			continue
		case line == "---":
			return nil, fail("this is YAML; an inventory has a host on each line and [GROUP] above those of a group")
		case kind == "vars":
			continue
		}
		words := fields(line)
		if kind == "children" {
			if len(words) != 1 {
				return nil, fail("a group's name is expected here")
			}
			inv.group(words[0])
			inv.children[group] = append(inv.children[group], words[0])
			continue
		}
		hosts, err := Expand(words[0])
		if err != nil {
			return nil, fail("%v", err)
		}
		for _, h := range hosts {
			if h, err = target(h, words[1:], len(hosts)); err != nil {
				return nil, fail("%v", err)
			}
			inv.hosts[group] = append(inv.hosts[group], h)
		}
		if total += len(hosts); total > Most {
			return nil, fail("more than %d hosts", Most)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return inv, nil
}

func (inv *Inventory) group(name string) {
	if !slices.Contains(inv.order, name) {
		inv.order = append(inv.order, name)
	}
}

// fields are the words of a line up to a comment.
func fields(line string) []string {
	words := strings.Fields(line)
	if i := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); i > 0 {
		words = words[:i]
	}
	return words
}

// target is a host as its line says how to reach it.
func target(host string, vars []string, of int) (string, error) {
	user, port := "", ""
	for _, v := range vars {
		key, value, ok := strings.Cut(v, "=")
		if !ok {
			return "", fmt.Errorf("%q is neither a second host, which would need a line of its own, nor a variable", v)
		}
		value = strings.Trim(value, `"'`)
		switch key {
		case "ansible_host", "ansible_ssh_host":
			if of > 1 {
				return "", fmt.Errorf("%s cannot be that of a range of hosts", key)
			}
			host = value
		case "ansible_user", "ansible_ssh_user":
			user = value
		case "ansible_port", "ansible_ssh_port":
			port = value
		}
	}
	if user != "" {
		host = user + "@" + host
	}
	if port != "" {
		host += ":" + port
	}
	return host, nil
}

// Groups are the names of the groups, in order.
func (inv *Inventory) Groups() []string {
	return slices.DeleteFunc(slices.Clone(inv.order), func(g string) bool { return g == "" })
}

// All returns every host once, in the file's order.
func (inv *Inventory) All() []string {
	var out []string
	for _, g := range inv.order {
		out = append(out, inv.hosts[g]...)
	}
	return unique(out)
}

// Group returns the hosts of a group and of those in it; ok is false where there
// is no such group. "all" is every host.
func (inv *Inventory) Group(name string) (hosts []string, ok bool) {
	if name == "all" {
		return inv.All(), true
	}
	if name == "" || !slices.Contains(inv.order, name) {
		return nil, false
	}
	seen := map[string]bool{}
	var add func(g string)
	add = func(g string) {
		if seen[g] {
			return // a group within itself
		}
		seen[g] = true
		hosts = append(hosts, inv.hosts[g]...)
		for _, c := range inv.children[g] {
			add(c)
		}
	}
	add(name)
	return unique(hosts), true
}

func unique(hosts []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(hosts, func(h string) bool {
		was := seen[h]
		seen[h] = true
		return was
	})
}
