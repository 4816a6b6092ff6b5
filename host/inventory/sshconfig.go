package inventory

import (
	"slices"
	"strings"
)

// Bounds of what an ssh_config includes. The depth is that of ssh.
const (
	maxIncludes     = 256
	maxIncludeDepth = 16
)

// SSHHosts returns the names that an ssh_config(5) and what it includes have a Host for,
// sorted, without patterns. include returns the texts of the files that a pattern of
// Include means; it may be nil.
func SSHHosts(config string, include func(pattern string) []string) []string {
	h := sshHosts{include: include}
	h.read(config, 0)
	slices.Sort(h.names)
	return slices.Compact(h.names)
}

type sshHosts struct {
	include func(pattern string) []string
	files   int
	names   []string
}

func (h *sshHosts) read(config string, depth int) {
	for line := range strings.Lines(config) {
		words := sshWords(line)
		if len(words) < 2 {
			continue
		}
		switch strings.ToLower(words[0]) {
		case "host":
			for _, name := range words[1:] {
				if name != "" && !strings.ContainsAny(name, "*?!") {
					h.names = append(h.names, name)
				}
			}
		case "include":
			for _, pattern := range words[1:] {
				h.add(pattern, depth+1)
			}
		}
	}
}

func (h *sshHosts) add(pattern string, depth int) {
	if h.include == nil || depth > maxIncludeDepth || h.files >= maxIncludes {
		return
	}
	for _, text := range h.include(pattern) {
		if h.files++; h.files <= maxIncludes {
			h.read(text, depth)
		}
	}
}

// sshWords are the words of a line: keyword and arguments, which may be in double quotes,
// up to a comment.
func sshWords(line string) []string {
	line = strings.TrimSpace(line)
	end := strings.IndexAny(line, " \t=")
	if end <= 0 || line[0] == '#' {
		return nil
	}
	words := []string{line[:end]}
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), " \t")
	for rest != "" && rest[0] != '#' {
		end, quoted := " \t", rest[0] == '"'
		if quoted {
			rest, end = rest[1:], `"`
		}
		i := strings.IndexAny(rest, end)
		if i < 0 {
			if !quoted { // else it is no word to ssh either
				words = append(words, rest)
			}
			break
		}
		words = append(words, rest[:i])
		rest = strings.TrimLeft(rest[i+1:], " \t")
	}
	return words
}
