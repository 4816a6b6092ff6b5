package paths

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBelow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder, path, rel string
		ok                bool
	}{
		{"/a", "/a", ".", true},
		{"/a", "/a/b/c", "b/c", true},
		{"/a", "/a/..b", "..b", true},
		{"/a", "/a/../b", "../b", false},
		{"/a/b", "/a", "..", false},
		{"/a", "/ab", "../ab", false},
		{"/", "/a", "a", true},
		{"/a", "b", "", false}, // which folder that is in nobody knows
	} {
		rel, ok := Below(filepath.FromSlash(c.folder), filepath.FromSlash(c.path))
		if ok != c.ok || filepath.ToSlash(rel) != c.rel {
			t.Errorf("%s in %s: %q, %t", c.path, c.folder, rel, ok)
		}
	}
}

func TestRealAndSame(t *testing.T) {
	t.Parallel()
	dir := Real(t.TempDir())
	file, link, gone := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "gone")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	if got := Real(link); got != file {
		t.Error(got)
	}
	if got := Real(dir + "/x/../gone"); got != gone {
		t.Error(got)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{{file, link, true}, {link, file, true}, {file, dir, false}, {file, gone, false}, {gone, file, false}, {gone, gone, false}} {
		if Same(c.a, c.b) != c.same {
			t.Errorf("%s and %s: not %t", c.a, c.b, c.same)
		}
	}
}
