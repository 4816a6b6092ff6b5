package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestGuides runs the documentation: every command in a console block of every page is
// run in order, in one home folder for each page, and prints what the page says.
//
//   - "…" stands for anything, on a line of its own for lines; a time for any other time.
//   - /home/jane is the home folder, /media/stick a folder of all machines of the page.
//   - A block that begins with "# on the new laptop" is run there: in another home folder.
//   - Lines of several hosts may come in another order.
//   - What is typed at a question is what the page shows; at a hidden one it is a passphrase.
//   - A command may fail where the page shows its error, or asks for $? next.
//   - A block whose first line is "# not tested: REASON" is not run. Readers see the
//     reason, and notTested has the number.
//
// What a page finds on the machine is made by guideSetups.
func TestGuides(t *testing.T) {
	t.Parallel()
	run, left := 0, map[string]int{}
	setups := maps.Clone(guideSetups)
	for _, page := range pages(t) {
		steps, marked := guideSteps(t, page, readPage(t, page))
		if marked > 0 {
			left[page] = marked
		}
		setup := setups[page]
		delete(setups, page)
		if len(steps) == 0 {
			continue
		}
		run += len(steps)
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			g, stick := newGuide(t), [2]string{"/media/stick", shortDir(t)}
			g.names = append(g.names, stick)
			if setup != nil {
				setup(g)
			}
			machines := map[string]*guide{"": g}
			for _, s := range steps {
				if machines[s.machine] == nil {
					machines[s.machine] = newGuide(t)
					machines[s.machine].names = append(machines[s.machine].names, g.names[1:]...)
				}
				machines[s.machine].follow(s)
			}
		})
	}
	for page := range setups {
		t.Errorf("%s has no console block, or is not there", page)
	}
	if !maps.Equal(left, notTested) {
		t.Errorf("blocks that are marked as not tested: %v, and notTested has %v", left, notTested)
	}
	t.Logf("%d commands are run", run)
}

// step is a command of a page and what it prints.
type step struct {
	command, output string
	statusAsked     bool
	machine         string
}

var (
	elsewhere    = regexp.MustCompile(`^# on (.+)\n`)
	consoleBlock = regexp.MustCompile("(?ms)^( *)```console\n(.*?)^ *```$")
	reason       = regexp.MustCompile(`^# not tested: \S.{10,}\n`)
)

// guideSteps returns the commands of a page, and how many of its blocks are not tested.
func guideSteps(t *testing.T, page, text string) (steps []step, left int) {
	t.Helper()
	for _, block := range consoleBlock.FindAllStringSubmatch(text, -1) {
		indent, body := block[1], strings.TrimPrefix(block[2], block[1])
		machine := ""
		if m := elsewhere.FindStringSubmatch(body); m != nil {
			machine, body = m[1], strings.TrimPrefix(body, m[0])
		}
		if strings.HasPrefix(body, "# not tested") {
			if !reason.MatchString(body) {
				t.Errorf("%s: a block that is not tested says why: # not tested: REASON", page)
			}
			left++
			continue
		}
		end := "" // the word that ends a here-document
		for line := range strings.Lines(body) {
			line = strings.TrimPrefix(line, indent)
			command, ok := strings.CutPrefix(line, "$ ")
			last := len(steps) - 1
			switch {
			case end != "":
				steps[last].command += line
				if strings.TrimSpace(line) == end {
					end = ""
				}
			case ok:
				if last >= 0 && strings.TrimSpace(command) == "echo $?" {
					steps[last].statusAsked = true
				}
				steps = append(steps, step{command: command, machine: machine})
				if _, word, here := strings.Cut(strings.TrimSpace(command), "<<'"); here {
					end, _, _ = strings.Cut(word, "'")
				}
			case last >= 0 && strings.HasSuffix(steps[last].command, "\\\n"):
				steps[last].command += strings.TrimPrefix(line, "> ")
			case last < 0:
				t.Errorf("%s: a console block begins with a command: %q", page, line)
			default:
				steps[last].output += line
			}
		}
	}
	for i := range steps {
		steps[i].command = strings.TrimRight(steps[i].command, "\n")
	}
	return steps, left
}

// guide is the shell in which a page's commands are run.
type guide struct {
	t          *testing.T
	home, bin  string
	env        []string
	state      string
	lastStatus int
	// names are what the page has in place of what is there, and that.
	names [][2]string
}

func newGuide(t *testing.T) *guide {
	t.Helper()
	g := &guide{t: t, home: shortDir(t), bin: t.TempDir(), state: t.TempDir()}
	path := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "rhx")) // the test program
		return err == nil
	})
	g.env = environ(g.home, "PATH="+strings.Join(append([]string{g.bin, filepath.Dir(plainProgram(t))}, path...), ":"),
		"TERM=dumb", "NO_COLOR=1", "LC_ALL=C.UTF-8")
	g.names = [][2]string{{"/home/jane", g.home}}
	for _, name := range []string{"GOCACHE", "GOPATH", "GOMODCACHE"} { // a new home would compile all anew
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		g.env = append(g.env, name+"="+strings.TrimSpace(string(value)))
	}
	return g
}

// shortDir is a folder with a short path, as a home folder has: longer lines would be
// broken elsewhere.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "g")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// real is a text of the page as it is here; printed the other way.
func (g *guide) real(text string) string {
	for _, n := range g.names {
		text = strings.ReplaceAll(text, n[0], n[1])
	}
	return text
}

func (g *guide) printed(text string) string {
	for _, n := range g.names {
		text = strings.ReplaceAll(text, n[1], n[0])
	}
	return text
}

// file writes a file into the home folder.
func (g *guide) file(name, content string) {
	g.t.Helper()
	path := filepath.Join(g.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// program puts a shell script into PATH.
func (g *guide) program(name, script string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		g.t.Fatal(err)
	}
}

// shell runs a command in the guide's shell, of which the page says nothing.
func (g *guide) shell(command string) {
	g.t.Helper()
	if out, err := g.start(command).CombinedOutput(); err != nil {
		g.t.Fatalf("$ %s\n%v\n%s", command, err, out)
	}
}

// start is a command in a shell that goes on where the one before it ended: in its
// folder, with its variables and its status.
func (g *guide) start(command string) *exec.Cmd {
	env, dir := filepath.Join(g.state, "env"), filepath.Join(g.state, "dir")
	script := fmt.Sprintf(`[ ! -e %[1]s ] || { . %[1]s; cd "$(cat %[2]s)"; }
trap 'status=$?; export -p > %[1]s; pwd > %[2]s; exit $status' EXIT
(exit %[3]d)
%[4]s
`, env, dir, g.lastStatus, command)
	cmd := exec.CommandContext(g.t.Context(), "bash", "-c", script)
	cmd.Dir, cmd.Env = g.home, g.env
	return cmd
}

func (g *guide) follow(s step) {
	t := g.t
	t.Helper()
	cmd := g.start(g.real(s.command))
	var out string
	if questions := s.questions(); len(questions) > 0 {
		out = g.answer(cmd, questions)
	} else {
		b, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		out = string(b)
	}
	g.lastStatus = cmd.ProcessState.ExitCode()
	if g.lastStatus != 0 && !s.statusAsked && !showsFailure.MatchString(s.output) {
		t.Fatalf("$ %s\nexit status %d\n%s", s.command, g.lastStatus, out)
	}
	if out = g.printed(out); !s.matches(out) {
		t.Errorf("$ %s\nprinted\n%s\nwhere the page has\n%s", s.command, out, s.output)
	}
}

var (
	showsFailure = regexp.MustCompile(`(?m)^(rhx|warning): `)
	question     = regexp.MustCompile(`(?m)^(.*\[y/N\]) (.*)$|^(.*(?i:passphrase|password).*:)$`)
)

// typedPassphrase is what is typed where nothing that is typed is shown.
const typedPassphrase = "fake phrase of six plain words"

type answered struct{ prompt, answer string }

// questions are those that the page shows with answers.
func (s step) questions() []answered {
	var out []answered
	for _, m := range question.FindAllStringSubmatch(s.output, -1) {
		if m[3] != "" {
			out = append(out, answered{m[3], typedPassphrase})
		} else {
			out = append(out, answered{m[1], m[2]})
		}
	}
	return out
}

// answer runs a command on a terminal and types the answers.
func (g *guide) answer(cmd *exec.Cmd, questions []answered) string {
	g.t.Helper()
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	// A question that does not come ends the test, with what was shown in its place.
	defer time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }).Stop()
	s := &screen{t: g.t, f: f}
	for _, q := range questions {
		s.waitFor(g.real(q.prompt))
		if _, err := f.WriteString(q.answer + "\n"); err != nil {
			g.t.Fatal(err)
		}
	}
	out := s.rest()
	_ = cmd.Wait()
	return strings.ReplaceAll(out, "\r\n", "\n")
}

var anyTime = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?Z?`)

func (s step) matches(out string) bool {
	return like(tidy(out), tidy(s.output)) || like(byHost(tidy(out)), byHost(tidy(s.output)))
}

// like reports whether a text is as a pattern with "…" says.
func like(text, pattern string) bool {
	p := regexp.QuoteMeta(pattern)
	p = strings.ReplaceAll(p, "…\n", "(?:.*\n)*")
	p = strings.ReplaceAll(p, "…", ".*")
	return regexp.MustCompile("^" + p + "$").MatchString(text)
}

// tidy is a text without times, the blanks before what is typed and not shown, and with a
// line break at its end.
func tidy(text string) string {
	text = anyTime.ReplaceAllString(text, "<time>")
	text = strings.ReplaceAll(text, " \n", "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// byHost has the lines in the order of what begins them: hosts answer as they like.
func byHost(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.SortStableFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, ": ")
		b, _, _ = strings.Cut(b, ": ")
		return strings.Compare(a, b)
	})
	return strings.Join(lines, "")
}
