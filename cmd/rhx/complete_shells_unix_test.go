//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// Names of secrets in which a shell would find a word, a command or a file of its own. The
// first two characters are those that are typed.
var oddNames = []string{
	"k0plain", "k1 two  words", `k2'q"d`, "k3$(touch pwned)", "k4`touch pwned`", "k5;touch pwned;", "k6*?[a]", "k7!bang", `k8\s\\`, "k9{a,b}",
	"ka:c d:e", "kb+c d", "kc&touch pwned", "kd|touch pwned", "ke>pwned", "kf#no", "kg~", "kh$HOME", "ki\u2018x\u2019;touch pwned", "kj(ünï)", "kk%s%%", "kl(touch pwned)",
	"km@d^e",
}

// The scripts of rhx completion in the shells themselves: what Tab completes is the name of
// the secret, whatever is in it, and nothing of it is run.
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	program := plainProgram(t)
	values := filepath.Join(home, "values.json")
	if err := os.WriteFile(values, []byte(`{"user name": "a", "zone$(touch pwned)": "b"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range oddNames {
		cmd := exec.Command(program, "save", name, "--values", values)
		cmd.Env = environ(home)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v %s", name, err, out)
		}
	}
	show := `rhx() { printf '<%s>' "$@"; echo; }; `
	for _, sh := range []struct {
		name  string
		argv  []string
		setup string
		// quotes are those that a word can begin with; without: names that cannot be said in them.
		quotes  []string
		without string
	}{
		{"bash", []string{"bash", "--norc", "--noprofile", "-i"}, show + "source <(PROGRAM completion bash); echo is-ready", []string{"'", `"`}, `"k7`},
		{"zsh", []string{"zsh", "-f", "-i"}, show + "source <(PROGRAM completion zsh); echo is-ready", []string{"'"}, ""},
		{"fish", []string{"fish", "--no-config", "-i"}, `function rhx; printf '<%s>' $argv; echo; end; PROGRAM completion fish | source; echo is-ready`, []string{"'", `"`}, ""},
	} {
		t.Run(sh.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(sh.argv[0], sh.argv[1:]...)
			cmd.Dir = t.TempDir()
			cmd.Env = environ(home, "TERM=xterm", "PS1=> ", "LC_ALL=C.UTF-8", "LANG=C.UTF-8")
			f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 250})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
			s := &screen{t: t, f: f}
			typed := func(line string) {
				if _, err := f.WriteString(line); err != nil {
					t.Fatal(err)
				}
			}
			// What is typed does not have the words that are waited for.
			typed(strings.NewReplacer("PROGRAM", program, "is-ready", "is-'ready'").Replace(sh.setup) + "\r")
			s.waitFor("is-ready")
			for i, name := range oddNames {
				for q, quote := range append([]string{""}, sh.quotes...) {
					if sh.without != "" && strings.HasPrefix(quote+name, sh.without) {
						continue
					}
					mark := fmt.Sprintf("at%d.%d", i, q)
					typed("rhx get " + quote + name[:2] + "\t" + mark + "\r")
					s.waitFor(mark + ">") // behind the blank that ends the word
					if want := "<get><" + name + "><" + mark + ">"; !strings.Contains(s.seen.String(), want) {
						t.Errorf("%s%s: %q is not in\n%s", quote, name[:2], want, s.seen.String())
					}
					s.seen.Reset()
				}
			}
			typed("rhx get k0plain zo\tend\r")
			s.waitFor("end>")
			if want := "<get><k0plain><zone$(touch pwned)><end>"; !strings.Contains(s.seen.String(), want) {
				t.Errorf("%q is not in\n%s", want, s.seen.String())
			}
			if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
				t.Errorf("something was run: %v %v", left, err)
			}
		})
	}
}

// A package has the script as a function of zsh, which is read at the first Tab.
func TestFirstTabInZsh(t *testing.T) {
	t.Parallel()
	program, dir := plainProgram(t), t.TempDir()
	script, err := exec.Command(program, "completion", "zsh").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "_rhx"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("zsh", "-f", "-i")
	cmd.Dir = t.TempDir()
	cmd.Env = environ(t.TempDir(), "TERM=xterm", "PS1=> ", "LC_ALL=C.UTF-8")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 250})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s := &screen{t: t, f: f}
	for _, step := range [][2]string{
		{"rhx() { printf '<%s>' \"$@\"; echo; }; fpath=('" + dir + "' $fpath); autoload -Uz compinit && compinit -uD; echo is-'ready'", "is-ready"},
		{"rhx hist\tfirst", "first>"},
		{"rhx undel\tsecond", "second>"},
	} {
		if _, err := f.WriteString(step[0] + "\r"); err != nil {
			t.Fatal(err)
		}
		s.waitFor(step[1])
	}
	for _, want := range []string{"<history><first>", "<undelete><second>"} {
		if !strings.Contains(s.seen.String(), want) {
			t.Errorf("%s is not in\n%s", want, s.seen.String())
		}
	}
}
