//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The guide for authors in docs/providers.md, followed to the letter: every
// command in a console block is run, in order, in one shell's folder, and prints
// what the guide says. "…" stands for anything, on a line of its own for lines.
func TestTheAuthorsGuide(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	guide, _, ok := strings.Cut(string(doc), "\n## Using ")
	if !ok {
		t.Fatal("docs/providers.md has no section after the guide")
	}
	followGuide(t, guide, 20)
}

// The commands in docs/manifest.md do what it says.
func TestTheManifestGuide(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	followGuide(t, string(doc), 6)
}

// followGuide runs a guide's commands, of which there are at least so many.
func followGuide(t *testing.T, guide string, least int) {
	t.Helper()
	dir := t.TempDir()
	env := environ(dir, "PATH="+filepath.Dir(plainProgram(t))+":"+os.Getenv("PATH"))
	for _, name := range []string{"GOCACHE", "GOPATH", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(value)))
	}
	steps := guideSteps(guide)
	if len(steps) < least {
		t.Fatalf("only %d commands found", len(steps))
	}
	at := dir
	for _, s := range steps {
		if to, ok := strings.CutPrefix(s.command, "cd "); ok {
			at = filepath.Join(at, to)
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", s.command)
		cmd.Dir, cmd.Env = at, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("$ %s\n%v\n%s", s.command, err, out)
		}
		if !s.matches(string(out)) {
			t.Errorf("$ %s\nprinted\n%s\nwhere the guide has\n%s", s.command, out, s.output)
		}
	}
}

// step is a command of the guide and what it prints.
type step struct{ command, output string }

func guideSteps(guide string) []step {
	var steps []step
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(guide, -1) {
		end := "" // the word that ends a here-document
		for line := range strings.Lines(block[1]) {
			command, ok := strings.CutPrefix(line, "$ ")
			switch {
			case end != "":
				steps[len(steps)-1].command += line
				if strings.TrimSpace(line) == end {
					end = ""
				}
			case ok:
				steps = append(steps, step{command: command})
				if _, word, here := strings.Cut(strings.TrimSpace(command), "<<'"); here {
					end = strings.TrimSuffix(word, "'")
				}
			default:
				steps[len(steps)-1].output += line
			}
		}
	}
	for i := range steps {
		steps[i].command = strings.TrimRight(steps[i].command, "\n")
	}
	return steps
}

func (s step) matches(out string) bool {
	p := regexp.QuoteMeta(s.output)
	p = strings.ReplaceAll(p, "…\n", "(?:.*\n)*")
	p = strings.ReplaceAll(p, "…", ".*")
	return regexp.MustCompile("^" + p + "$").MatchString(out)
}
