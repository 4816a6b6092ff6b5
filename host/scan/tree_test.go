package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Below a folder links are not followed, Git's objects and rhx's own folders not looked
// into; what rhx placed is counted alone.
func TestTrees(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"file": value, "tree/file": value})
	write(t, dir, map[string]string{
		"a/found": value, ".git/config": value, ".git/objects/aa/bb": value, "a/objects/found": value, "rhx/secret": value, "a/rhx/found": value,
		"placed": value + "\nother-fake-value-1", "empty": "", "a/.zsh_history": ": 1:0;echo zsh-v\x83\xe3\x83\x84lue-12", "a/archive.tar": archive("x", value),
	})
	for _, name := range []string{"file", "tree"} {
		if err := os.Symlink(filepath.Join(outside, name), filepath.Join(dir, "a", "link-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "a", "dangling")); err != nil {
		t.Fatal(err)
	}
	s := searcher(t, holder("other", "other-fake-value-1"), holder("zsh", "zsh-välue-12"))
	s.Skip = []string{filepath.Join(dir, "rhx")}
	s.Placed = func(path, name string) bool { return path == filepath.Join(dir, "placed") && name == "s" }
	if err := s.Trees(context.Background(), []string{dir, filepath.Join(dir, "a", "link-file"), filepath.Join(dir, "missing")}); err != nil {
		t.Fatal(err)
	}
	got := lines(s)
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], dir+"/", "")
	}
	want := []string{
		".git/config:1:1 s plain", "a/.zsh_history:1:12 zsh plain", "a/archive.tar!x:1:1 s plain", "a/found:1:1 s plain", "a/link-file:1:1 s plain", "a/objects/found:1:1 s plain", "a/rhx/found:1:1 s plain",
		"placed:2:1 other plain", "unread missing",
	}
	if !slices.Equal(got, want) || s.PlacedCount() != 1 {
		t.Errorf("%d placed, and %q, not %q", s.PlacedCount(), got, want)
	}
	// A folder that is named as a link is looked into, and keeps its name.
	s = searcher(t)
	_ = s.Trees(context.Background(), []string{filepath.Join(dir, "a", "link-tree")})
	if got := lines(s); len(got) != 1 || !strings.HasSuffix(got[0], "/a/link-tree/file:1:1 s plain") {
		t.Error(got)
	}
	if all, unpacked := s.Bytes(); all != int64(len(value)) || unpacked != 0 {
		t.Errorf("%d bytes, %d of them unpacked", all, unpacked)
	}
}

// What was found before an interrupt is there, and no file is blamed for it.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": value, "b": value + strings.Repeat(" ", 2*bufferSize) + value})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := searcher(t)
	if err := s.Trees(ctx, []string{dir}); !errors.Is(err, context.Canceled) || lines(s) != nil {
		t.Error(err, lines(s))
	}
	for _, name := range []string{"a", "b", "-"} {
		ctx, cancel := context.WithCancel(context.Background())
		s := searcher(t)
		s.Placed = func(string, string) bool { // when it is found
			cancel()
			return false
		}
		search := func() error { return s.Trees(ctx, []string{filepath.Join(dir, name), filepath.Join(dir, name)}) }
		if name == "-" {
			r, w := io.Pipe() // never ends
			go func() {
				_, _ = io.WriteString(w, value)
				_, _ = io.WriteString(w, "more") // all before that was read
				cancel()
			}()
			search = func() error { return s.Text(ctx, "-", r) }
		}
		if err := search(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if got := lines(s); len(got) == 0 || slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "unread") }) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What zsh writes is read as it was typed, wherever a read ends.
func TestUnmeta(t *testing.T) {
	for size := 1; size < 8; size++ {
		var out bytes.Buffer
		u := &unmeta{in: strings.NewReader("a\x83\xe3b\x83\x83\x83c")}
		buf := make([]byte, size)
		for {
			n, err := u.Read(buf)
			out.Write(buf[:n])
			if err != nil {
				break
			}
		}
		if out.String() != "a\xc3b\xa3C" {
			t.Errorf("%q by %d", &out, size)
		}
	}
}

func TestHistories(t *testing.T) {
	home, elsewhere := t.TempDir(), t.TempDir()
	write(t, home, map[string]string{".bash_history": "", ".zsh_history": "", ".local/share/fish/fish_history": "", ".sh_history/folder": ""})
	write(t, elsewhere, map[string]string{"own": "", "fish/fish_history": ""})
	short := func(vars map[string]string) string {
		text := strings.Join(Histories(home, func(name string) string { return vars[name] }), " ")
		return strings.NewReplacer(home+"/", "", elsewhere, "E").Replace(text)
	}
	if got := short(nil); got != ".bash_history .zsh_history .local/share/fish/fish_history" {
		t.Error(got)
	}
	if got := short(map[string]string{"HISTFILE": elsewhere + "/own", "XDG_DATA_HOME": elsewhere}); got != ".bash_history .zsh_history E/fish/fish_history E/own" {
		t.Error(got)
	}
	if got := short(map[string]string{"HISTFILE": home + "/.bash_history"}); got != ".bash_history .zsh_history .local/share/fish/fish_history" {
		t.Error(got)
	}
}
