package scan

import (
	"archive/zip"
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository is one for tests, and what runs git in it.
func repository(t *testing.T) (dir string, git func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	environ := append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=n", "GIT_AUTHOR_EMAIL=e", "GIT_COMMITTER_NAME=n", "GIT_COMMITTER_EMAIL=e")
	git = func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = dir, environ
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	return dir, git
}

// short makes the commits in findings names.
func short(got []string, names map[string]string) []string {
	for i, line := range got {
		for commit, name := range names {
			line = strings.ReplaceAll(line, commit[:12], name)
		}
		got[i] = line
	}
	slices.Sort(got)
	return got
}

// All objects of a repository are searched: of old commits, in packs, that no commit has,
// messages and tags. Each finding has the commit that brought it, and the path there.
func TestHistory(t *testing.T) {
	dir, git := repository(t)
	names := map[string]string{}
	commit := func(name, message string) {
		git("add", "-A")
		git("commit", "-q", "--allow-empty", "-m", message)
		names[git("rev-parse", "HEAD")] = name
	}
	odd := "a dir/é \"x\"\n.txt"
	write(t, dir, map[string]string{"first": "x\n" + value, odd: "key=" + value})
	commit("ONE", "one")
	write(t, dir, map[string]string{"first": value + "\nx", odd: "gone"})
	commit("TWO", "two")
	_ = os.Remove(filepath.Join(dir, "first"))
	commit("THREE", "it was "+value)
	git("gc", "-q")
	git("checkout", "-q", "-b", "side", "HEAD~2")
	write(t, dir, map[string]string{"side": value, "binary": "\x00" + value + "\x00"})
	commit("SIDE", "side")
	git("checkout", "-q", "main")
	git("merge", "-q", "-m", "merge", "side")
	git("tag", "-a", "-m", "tag of "+value, "v1")
	write(t, dir, map[string]string{"never-committed": value + "\nnever"})
	object := git("hash-object", "-w", "never-committed")
	tag := git("rev-parse", "v1")

	s := searcher(t)
	if err := s.History(context.Background(), NewGit(dir, os.Environ(), false)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ONE:a dir/é \"x\"\n.txt:1:5 s plain", "ONE:first:2:1 s plain", "SIDE:binary:1:2 s plain", "SIDE:side:1:1 s plain",
		"object " + object[:12] + ":1:1 s plain", "object " + tag[:12] + ":6:8 s plain",
	}
	got := short(lines(s), names)
	i := slices.IndexFunc(got, func(line string) bool { return strings.HasPrefix(line, "THREE:") })
	if i < 0 {
		t.Fatalf("%q", got)
	}
	want = append(want, got[i])
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nnot %q", got, want)
	}
	found, _ := s.Findings()
	for _, f := range found {
		if want := map[bool]int{true: 1}[f.Path == "first"]; f.Also != want {
			t.Errorf("%s is in %d more versions, not %d", f.Path, f.Also, want)
		}
	}
}

// Archives in a history are looked into, and notes and stashes searched; a clone that has
// not all says so.
func TestHistoryOfArchives(t *testing.T) {
	dir, git := repository(t)
	write(t, dir, map[string]string{"lib/a.jar": zipped(zip.FileHeader{Method: zip.Deflate}, "app.env", "k="+value), "more.zip": zipped(zip.FileHeader{Flags: 1, Method: zip.Store | 1<<15}, "x", "x")})
	git("add", "-A")
	git("commit", "-q", "-m", "one")
	one := git("rev-parse", "HEAD")
	git("notes", "add", "-m", "note "+value)
	git("rm", "-q", "-r", ".")
	git("commit", "-q", "-m", "two")
	write(t, dir, map[string]string{"stashed": "\n\n" + value})
	git("add", "-A")
	git("stash", "-q")
	history := func(dir string) string {
		t.Helper()
		s := searcher(t)
		if err := s.History(context.Background(), NewGit(dir, os.Environ(), false)); err != nil {
			t.Fatal(err)
		}
		return strings.Join(short(lines(s), map[string]string{one: "ONE"}), "\n")
	}
	got := history(dir)
	for _, want := range []string{"ONE:lib/a.jar!app.env:1:3 s plain", ":stashed:3:1 s plain", ":1:6 s plain", "unread object " + git("rev-parse", one+":more.zip") + "!x"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "the history") {
		t.Error(got)
	}
	shallow, partial := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "p")
	git("clone", "-q", "--depth=1", "file://"+dir, shallow)
	git("config", "uploadpack.allowFilter", "true")
	git("clone", "-q", "--bare", "--filter=blob:none", "file://"+dir, partial)
	for _, clone := range []string{shallow, partial} {
		if got := history(clone); strings.Count(got, "unread the history") != 1 {
			t.Errorf("%s: %s", clone, got)
		}
	}
}

// What is staged is searched as it would be committed, before the first commit too.
func TestStaged(t *testing.T) {
	dir, git := repository(t)
	g := NewGit(dir, os.Environ(), true)
	staged := func() []string {
		t.Helper()
		s := searcher(t)
		if err := s.Staged(context.Background(), g); err != nil {
			t.Fatal(err)
		}
		return lines(s)
	}
	if got := staged(); got != nil {
		t.Error(got)
	}
	write(t, dir, map[string]string{"a b": "\n" + value, "same": value, "not-staged": value})
	git("add", "a b", "same")
	if got := staged(); !slices.Equal(got, []string{"a b:2:1 s plain"}) && !slices.Equal(got, []string{"a b:2:1 s plain", "same:1:1 s plain"}) {
		t.Error(got)
	}
	git("commit", "-q", "-m", "one")
	if got := staged(); got != nil {
		t.Errorf("%q are committed", got)
	}
	write(t, dir, map[string]string{"a b": "clean", "sub/new": "x " + value, "later": "clean"})
	git("add", "a b", "sub/new", "later")
	write(t, dir, map[string]string{"later": value, "sub/new": "clean"})
	if got := staged(); !slices.Equal(got, []string{"sub/new:1:3 s plain"}) {
		t.Error(got)
	}
	git("rm", "-q", "same")
	git("mv", "later", "moved")
	if got := staged(); !slices.Equal(got, []string{"sub/new:1:3 s plain"}) {
		t.Error(got)
	}
}

// Nothing that a repository's configuration or git's variables name is run.
func TestHostileRepository(t *testing.T) {
	dir, git := repository(t)
	write(t, dir, map[string]string{"file": "one " + value, ".gitattributes": "* diff=evil filter=evil\n"})
	git("add", "-A")
	git("commit", "-q", "-m", "one "+value)
	ran := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "evil")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$0 $*\" >> '"+ran+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"file": "two " + value})
	git("add", "file")
	for _, key := range []string{
		"core.fsmonitor", "core.pager", "pager.log", "diff.external", "diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process",
		"gpg.program", "core.sshCommand", "core.editor", "core.askPass", "core.alternateRefsCommand", "credential.helper", "uploadpack.packObjectsHook", "alias.log", "alias.cat-file",
	} {
		git("config", key, script)
	}
	for key, v := range map[string]string{"log.showSignature": "true", "core.hooksPath": filepath.Dir(script), "extensions.partialClone": "evil", "remote.evil.url": "ext::" + script, "remote.evil.promisor": "true"} {
		git("config", key, v)
	}
	environ := append(os.Environ(), "GIT_EXTERNAL_DIFF="+script, "GIT_PAGER="+script, "GIT_SSH_COMMAND="+script, "GIT_ASKPASS="+script, "GIT_EXEC_PATH="+filepath.Dir(script),
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.fsmonitor", "GIT_CONFIG_VALUE_0="+script, "GIT_CONFIG_PARAMETERS='core.fsmonitor="+script+"'", "GIT_DIR=/nowhere", "GIT_TRACE="+ran)
	s := searcher(t)
	if err := s.History(context.Background(), NewGit(dir, environ, false)); err != nil {
		t.Error(err)
	}
	if got := lines(s); len(got) != 4 { // two of the file, of which one is not committed, the message, and that it is a partial clone
		t.Errorf("%q", got)
	}
	s = searcher(t)
	hook := slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return v == "GIT_DIR=/nowhere" })
	if err := s.Staged(context.Background(), NewGit(dir, hook, true)); err != nil {
		t.Error(err)
	}
	if got := lines(s); !slices.Equal(got, []string{"file:1:5 s plain"}) {
		t.Errorf("%q", got)
	}
	if text, err := os.ReadFile(ran); err == nil {
		t.Errorf("was run: %s", text)
	}
	// An object that is missing is named, and not fetched.
	blob := git("rev-parse", "HEAD:file")
	if err := os.Remove(filepath.Join(dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	if err := searcher(t).objects(context.Background(), NewGit(dir, environ, false), strings.NewReader(blob+"\n"), nil); err != nil {
		t.Error(err)
	}
	// Nor by a git that does not know GIT_NO_LAZY_FETCH, whatever the repository allows.
	git("config", "core.repositoryFormatVersion", "1")
	git("config", "protocol.ext.allow", "always")
	old := NewGit(dir, environ, false)
	old.Environ = slices.DeleteFunc(old.Environ, func(v string) bool { return v == "GIT_NO_LAZY_FETCH=1" })
	_ = searcher(t).objects(context.Background(), old, strings.NewReader(blob+"\n"), nil)
	if text, err := os.ReadFile(ran); err == nil {
		t.Errorf("was run: %s", text)
	}
}

func TestNoRepository(t *testing.T) {
	g := NewGit(t.TempDir(), append(os.Environ(), "GIT_CEILING_DIRECTORIES=/"), false)
	for name, err := range map[string]error{"history": searcher(t).History(context.Background(), g), "staged": searcher(t).Staged(context.Background(), g)} {
		if err == nil || !strings.Contains(err.Error(), "git: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A hook is installed where git looks for it, and takes no other one's place.
func TestInstallHook(t *testing.T) {
	dir, git := repository(t)
	ctx := context.Background()
	g := NewGit(dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null"), false)
	path, already, err := g.InstallHook(ctx)
	if err != nil || already || path != filepath.Join(dir, ".git", "hooks", "pre-commit") {
		t.Fatal(path, already, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
		t.Error(info, err)
	}
	if _, already, err = g.InstallHook(ctx); err != nil || !already {
		t.Error(already, err)
	}
	// Of a worktree the hooks are those of the repository.
	write(t, dir, map[string]string{"f": "x"})
	git("add", "f")
	git("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "x")
	tree := filepath.Join(t.TempDir(), "tree")
	git("worktree", "add", "-q", tree)
	if again, already, err := NewGit(tree, os.Environ(), false).InstallHook(ctx); err != nil || !already || again != path {
		t.Error(again, already, err)
	}
	const foreign = "#!/bin/sh\nexit 0\n"
	if err := os.WriteFile(path, []byte(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.InstallHook(ctx); err == nil || !strings.Contains(err.Error(), "is not rhx's") {
		t.Error(err)
	}
	if text, _ := os.ReadFile(path); string(text) != foreign {
		t.Errorf("%s", text)
	}
	git("config", "core.hooksPath", ".husky")
	if path, _, err := g.InstallHook(ctx); err != nil || path != filepath.Join(dir, ".husky", "pre-commit") {
		t.Error(path, err)
	}
	outside := t.TempDir()
	git("config", "core.hooksPath", outside)
	if _, _, err := g.InstallHook(ctx); err == nil || !strings.Contains(err.Error(), "others may use") {
		t.Error(err)
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Error(left)
	}
}

// A repository of another person can neither have rhx wait or run out of memory, nor have
// it write elsewhere.
func TestInstallHookHostile(t *testing.T) {
	dir, git := repository(t)
	ctx := context.Background()
	g := NewGit(dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null"), false)
	path := filepath.Join(dir, ".git", "hooks", "pre-commit")
	for _, target := range []string{os.DevNull, t.TempDir()} {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.InstallHook(ctx); err == nil || !strings.Contains(err.Error(), "is not rhx's") {
			t.Error(target, err)
		}
		_ = os.Remove(path)
	}
	parent := t.TempDir()
	git("config", "core.worktree", parent)
	git("config", "core.hooksPath", filepath.Join(parent, "hooks"))
	if _, _, err := g.InstallHook(ctx); err == nil || !strings.Contains(err.Error(), "others may use") {
		t.Error(err)
	}
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Error(left)
	}
	git("config", "--unset", "core.worktree")
	git("config", "core.bare", "true")
	if _, _, err := g.InstallHook(ctx); err == nil || !strings.Contains(err.Error(), "no commit is made") {
		t.Error(err)
	}
}

// What git prints is read as far as it is whole.
func FuzzGit(f *testing.F) {
	f.Add("aa blob 3\nabc\nbb missing\ncc tree 2\nxy\ndd commit 0\n\n", "commit aa\x00\n:100644 100644 bb cc M\x00path\x00")
	f.Add("aa blob 99999999999999999999\n", "commit aa\n:1 2 3 4 5\x00")
	f.Add(fmt.Sprintf("aa blob %d\n%s\n", len(value), value), ":::: \x00\x00\x00")
	f.Fuzz(func(t *testing.T, objects, log string) {
		s, _ := New([]Holder{holder("s", value)})
		_ = s.batch(context.Background(), bufio.NewReader(strings.NewReader(objects)), nil)
		if found, _ := s.Findings(); len(found) > strings.Count(objects, "FAKE")+strings.Count(objects, "RkFLR")+8 {
			t.Errorf("%d findings", len(found))
		}
		wanted := map[string]Place{"cc": {Object: "cc"}}
		_ = origins(bufio.NewReader(strings.NewReader(log)), wanted)
		if len(wanted) != 1 || wanted["cc"].Object != "cc" {
			t.Errorf("%v", wanted)
		}
	})
}

// That git config could not be asked does not mean that nothing is set.
func TestIsSet(t *testing.T) {
	dir, _ := repository(t)
	g := NewGit(dir, os.Environ(), true)
	for _, c := range []struct {
		args []string
		set  bool
		err  string
	}{
		{args: []string{"--get", "core.worktree"}},
		{args: []string{"--get", "core.bare"}, set: true},
		{args: []string{"--get-regexp", "("}, err: "git: error: invalid key pattern: ("},
	} {
		set, err := g.isSet(t.Context(), c.args...)
		if set != c.set || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%v: %t, %v", c.args, set, err)
		}
	}
}
