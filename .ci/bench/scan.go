package main

import (
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// madeUp is a token that looks like one of GitHub, and random enough for those that ask for that.
func madeUp(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	sum := sha512.Sum512(fmt.Append(nil, "made up ", n))
	token := "ghp_"
	for _, c := range sum[:36] {
		token += string(letters[int(c)%len(letters)])
	}
	return token
}

// tree writes files of text, some 20 KB each, and in every hundredth a value of the store and
// a token that looks like one of GitHub.
func tree(dir string, files int) error {
	word := []string{"func", "return", "value", "the", "request", "0x1f", "config", "==", "name", "\"text\"", "error", "if", "for"}
	all := map[string]string{}
	for n := range files {
		var b strings.Builder
		for i := range 600 {
			fmt.Fprintf(&b, "%s %s %s = %d; // %s\n", word[(n+i)%len(word)], word[(n*7+i*3)%len(word)], word[i*i%len(word)], n*i, word[(n+i*5)%len(word)])
		}
		if n%100 == 0 {
			b.WriteString("password = " + value(n/100%secrets) + "\ntoken = " + madeUp(n) + "\n")
		}
		all[fmt.Sprintf("d%d/f%d.go", n%10, n)] = b.String()
	}
	return write(dir, all)
}

// scans are searches of a folder and of a repository.
func scans(b *bencher) (string, error) {
	const files = 2000
	p, err := newPlace(b.dir, "GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@example.org", "GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@example.org")
	if err != nil {
		return "", err
	}
	for i := range secrets {
		if _, err := p.output(value(i), b.rhx, "save", fmt.Sprintf("s%d", i), fmt.Sprintf("K%d=-", i)); err != nil {
			return "", err
		}
	}
	repo := filepath.Join(b.dir, "repo")
	if err := tree(repo, files); err != nil {
		return "", err
	}
	if _, err := p.output("", "sh", "-c", "cd repo && git init -q && git add -A && git commit -q -m all"); err != nil {
		return "", err
	}
	// All of them say by their status that there is something.
	found := func(name string, every int, argv ...string) *thing {
		return &thing{name: name, every: every, do: func() (*os.ProcessState, error) {
			cmd := p.command("", argv...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || !slices.Contains([]int{1, 183}, cmd.ProcessState.ExitCode()) {
				return nil, fmt.Errorf("%s found nothing: %w: %s", name, err, out[:min(len(out), 500)])
			}
			return cmd.ProcessState, nil
		}}
	}
	rhx := found("`rhx scan`, a folder", 1, b.rhx, "scan", "repo")
	patterns := found("`rhx scan --patterns`, a folder", 1, b.rhx, "scan", "--patterns", "repo")
	history := found("`rhx scan --git`", 1, b.rhx, "scan", "--git", "repo")
	things, pairs := []*thing{rhx, patterns, history}, []pair{}
	against := func(program string, tree, git []string) {
		if b.has(program) == "" {
			return
		}
		dir := found("`"+program+" "+tree[0]+"`", 2, append([]string{b.has(program)}, tree...)...)
		repository := found("`"+program+" git`", 2, append([]string{b.has(program)}, git...)...)
		things = append(things, dir, repository)
		pairs = append(pairs, pair{a: rhx, b: dir}, pair{a: patterns, b: dir}, pair{a: history, b: repository})
	}
	against("gitleaks", []string{"dir", "--no-banner", "repo"}, []string{"git", "--no-banner", "repo"})
	against("trufflehog", []string{"filesystem", "--no-verification", "--no-update", "--fail", "repo"}, []string{"git", "--no-verification", "--no-update", "--fail", "file://" + repo})
	if err := inTurn(1, 5, things...); err != nil {
		return "", err
	}
	intro := fmt.Sprintf("%d files of 20 KB, with a value of the store and a token of GitHub's form in every hundredth. They look for different things: rhx for the values that it knows, in every encoding, and with `--patterns` also for %s; the others for hundreds of forms of tokens, here without asking a server about them.\n\n", files, "tokens of the forms that its specs have")
	return intro + rows(pairs) + b.missing("gitleaks", "trufflehog"), nil
}

// runhouses are rhx's ancestor and rhx, at what the ancestor could do.
func runhouses(b *bencher) (string, error) {
	p, err := newPlace(b.dir, "RH_LOG_LEVEL=ERROR", "DISABLE_OBSERVABILITY=True", "disable_data_collection=True")
	if err != nil {
		return "", err
	}
	if err := write(b.dir, machine()); err != nil {
		return "", err
	}
	python := filepath.Join(filepath.Dir(b.has("runhouse")), "python")
	code := "import runhouse as rh\ns = rh.provider_secret('aws')\n"
	start := p.timed("`import runhouse`", "", python, "-c", "import runhouse")
	save := p.timed("runhouse: `provider_secret('aws').save()`", "", python, "-c", code+"s.save()\n")
	load := p.timed("runhouse: `secret('aws').values`", "", python, "-c", "import runhouse as rh\nassert rh.secret('aws').values\n")
	version := p.timed("`rhx version`", "", b.rhx, "version")
	rhxSave := p.timed("`rhx save aws`", "", b.rhx, "save", "aws", "-q")
	rhxGet := p.timed("`rhx show aws -o json`", "", b.rhx, "show", "aws", "-o", "json")
	if err := inTurn(1, 5, version, start, rhxSave, save, rhxGet, load); err != nil {
		return "", err
	}
	return "Runhouse 0.0.42 keeps secrets as plain JSON below `~/.rh`; its time is Python's imports.\n\n" + rows([]pair{{a: version, b: start}, {a: rhxSave, b: save}, {a: rhxGet, b: load}}), nil
}

// modules are ways to run a parser that is nobody's to trust. A module of its own measures them, so that
// what they need is no dependency of rhx.
func modules(b *bencher) (string, error) {
	p, err := newPlace(b.dir)
	if err != nil {
		return "", err
	}
	p.env = os.Environ()
	if p.dir, err = os.Getwd(); err != nil {
		return "", err
	}
	if _, err := p.output("", "sh", ".ci/bench/guests/build.sh", b.dir); err != nil {
		return "", err
	}
	if _, err := p.output("", "go", "-C", ".ci/bench/guests", "build", "-o", b.dir+"/bench", "."); err != nil {
		return "", err
	}
	text, err := p.output("", b.dir+"/bench", b.dir)
	if err != nil {
		return "", err
	}
	var ways []struct {
		Name                       string
		Cold, Cached, Fresh, Whole []float64
	}
	if err := json.Unmarshal([]byte(text), &ways); err != nil {
		return "", err
	}
	out := "One extract of a file of 2 KB, in milliseconds: the first call of a process with nothing compiled, the first with the code in a cache, a fresh instance in a process that has loaded the module, and the whole process of a first cached call. Behind each is the ratio to the first line, which has no check and no WASI but what the module imports.\n\n| | first, nothing compiled | first, cached | fresh instance | process |\n| --- | --- | --- | --- | --- |\n"
	cell := func(list, first []float64) string {
		s := spreadOf(list)
		return fmt.Sprintf("%s (%s – %s), %s", figure(s.median), figure(s.least), figure(s.most), figure(s.median/spreadOf(first).median))
	}
	for _, w := range ways {
		out += fmt.Sprintf("| %s | %s | %s | %s | %s |\n", w.Name, cell(w.Cold, ways[0].Cold), cell(w.Cached, ways[0].Cached), cell(w.Fresh, ways[0].Fresh), cell(w.Whole, ways[0].Whole))
	}
	return out + "\nGoal for rhx's first cached call of a built-in module: 1.20. Over bare wazero it reads the code once more to check it, and bounds what it compiles.\n", nil
}
