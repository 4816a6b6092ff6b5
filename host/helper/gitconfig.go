package helper

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// gitConfig is git's configuration. An option may stand there several times, and each
// helper is asked: what the formats of package codec do not know of. So rhx appends a
// section of its own, and takes out just that.
type gitConfig struct{}

// rhxInGit is a line that has git ask rhx.
var rhxInGit = lazily(`^\s*helper\s*=\s*"?!?\S*\brhx(-full)?(\.exe)? helper git(\s.*)?$`)

var (
	gitHelper  = lazily(`(?i)^\s*helper\s*=\s*(.*?)\s*$`)
	gitSection = lazily(`^\s*\[\s*([^\]\s"]+)`)
	gitHeader  = lazily(`^\s*\[\s*([^\]\s"]+)\s*("(?:[^"\\]|\\.)*")?\s*\](.*)$`)
)

// lazily is an expression that is compiled when it is first needed, and not at every
// start of the program.
func lazily(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (gitConfig) add(data []byte, e *entry) ([]byte, error) {
	out, _, err := gitConfig{}.take(data)
	if err != nil {
		return nil, err
	}
	eol := "\n"
	if bytes.Contains(out, []byte("\r\n")) || bytes.HasSuffix(out, []byte("\r")) {
		eol = "\r\n"
	}
	if bytes.HasSuffix(bytes.TrimRight(out, "\r\n"), []byte(`\`)) {
		return nil, errors.New("its last line continues, so that nothing can follow it")
	}
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out[:len(out):len(out)], eol...)
	}
	section := "[credential]"
	if e.at != "" {
		section = `[credential "` + e.at + `"]`
	}
	lines := []string{section}
	if e.replace {
		lines = append(lines, "\thelper =") // which has git forget those above
	}
	lines = append(lines, "\thelper = "+strings.Join(e.command("git"), " "), "")
	added := append(out[:len(out):len(out)], strings.Join(lines, eol)...)
	if back, found, err := (gitConfig{}).take(added); err != nil || !found || !bytes.Equal(back, out) {
		return nil, errors.New("rhx could not be taken out again, so it was not put in")
	}
	return added, nil
}

func (gitConfig) take(data []byte) ([]byte, bool, error) {
	lines := bytes.SplitAfter(data, []byte("\n"))
	drop := make([]bool, len(lines))
	found := false
	for n, line := range lines {
		text := strings.TrimRight(string(line), "\r\n")
		if !rhxInGit().MatchString(text) || n > 0 && strings.HasSuffix(strings.TrimRight(string(lines[n-1]), "\r\n"), `\`) {
			continue
		}
		found, drop[n] = true, true
		if n > 0 {
			if m := gitHelper().FindStringSubmatch(strings.TrimRight(string(lines[n-1]), "\r\n")); m != nil && m[1] == "" {
				drop[n-1] = true
			}
		}
		// The section, if nothing else is in it.
		first, last := n, n+1
		for first > 0 && !gitSection().Match(lines[first]) {
			first--
		}
		for last < len(lines) && !gitSection().Match(lines[last]) {
			last++
		}
		empty := true
		for k := first + 1; k < last; k++ {
			empty = empty && (drop[k] || len(bytes.TrimSpace(lines[k])) == 0)
		}
		if empty && gitSection().Match(lines[first]) && strings.HasSuffix(strings.TrimSpace(string(lines[first])), "]") {
			drop[first] = true
		}
	}
	var out []byte
	for n, line := range lines {
		if !drop[n] {
			out = append(out, line...)
		}
	}
	return out, found, nil
}

func (gitConfig) others(data []byte) ([]string, error) {
	type set struct{ section, helper string }
	var all []set
	section := ""
	for line := range strings.Lines(string(data)) {
		text := strings.TrimRight(line, "\r\n")
		if m := gitHeader().FindStringSubmatch(text); m != nil {
			section, text = "", m[3] // an option can follow on the line
			if strings.EqualFold(m[1], "credential") {
				section = "credential " + m[2]
			}
		}
		m := gitHelper().FindStringSubmatch(text)
		switch {
		case section == "" || m == nil || rhxInGit().MatchString(text):
		case m[1] != "":
			all = append(all, set{section, m[1]})
		case section == "credential ":
			all = nil
		default: // git forgets them for this address, and asks them for others
			all = slices.DeleteFunc(all, func(s set) bool { return s.section == section })
		}
	}
	var out []string
	for _, s := range all {
		out = append(out, s.helper)
	}
	return out, nil
}
