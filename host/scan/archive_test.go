package scan

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bzipped is "a", a line's end, and value.
var bzipped = func() string {
	text, err := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWY8Xsd8AAA3dgAAQUYr/4CMIIma/gCAAIxp6mmgaANNlAb0oYYJgTAQ0ZNMIFS31zosPgifhjkNNdt4GkET4CZXnJvQiyQUL+LuSKcKEhHi9jvg=")
	if err != nil {
		panic(err)
	}
	return string(text)
}()

// zipped is a zip of files, each by its name and its text; methods and flags are of all.
func zipped(h zip.FileHeader, files ...string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		one := h
		one.Name = files[i]
		if h.Method == zip.Store || h.Method == zip.Deflate {
			if f, err := w.CreateHeader(&one); err == nil {
				_, _ = f.Write([]byte(files[i+1]))
			}
			continue
		}
		one.CompressedSize64 = uint64(len(files[i+1]))
		if f, err := w.CreateRaw(&one); err == nil {
			_, _ = f.Write([]byte(files[i+1]))
		}
	}
	_ = w.SetComment("")
	_ = w.Close()
	return b.String()
}

func deep(n int, text string) string {
	for range n {
		text = packed(text)
	}
	return text
}

// searched is what is found in a file, named or in a folder that is.
func searched(t *testing.T, name, text string, named bool) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{name: text})
	s, path := searcher(t), dir
	if named {
		path = filepath.Join(dir, name)
	}
	if err := s.Trees(context.Background(), []string{path}); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(dir+"/", "", " s plain", "").Replace(strings.Join(lines(s), " "))
}

// What is packed is found, in each way and each order, and what is behind its end.
func TestArchives(t *testing.T) {
	deflated, stored := zip.FileHeader{Method: zip.Deflate}, zip.FileHeader{Method: zip.Store}
	two := archive("a", value)
	for name, c := range map[string]struct{ text, want string }{
		"deep.gz":       {deep(maxDepth, value), "deep.gz:1:1"},
		"many.gz":       {packed("x\n") + packed("y\n"+value), "many.gz:3:1"},
		"more.gz":       {packed("x") + "more\n" + value, "more.gz!(behind its end):2:1"},
		"zeros.gz":      {packed(value) + strings.Repeat("\x00", 1<<10), "zeros.gz:1:1"},
		"more.zst":      {packedZstd("x") + packedZstd("y"+value) + "\n" + value, "more.zst:1:3 more.zst!(behind its end):2:1"},
		"b.bz2":         {bzipped, "b.bz2:2:1"},
		"more.bz2":      {bzipped + bzipped + "\n" + value, "more.bz2:2:1 more.bz2:3:1 more.bz2!(behind its end):2:1"},
		"more.tar":      {two + "\n" + value, "more.tar!(behind its end):2:1 more.tar!a:1:1"},
		"two.tar":       {two + strings.Repeat("\x00", 3<<10) + archive("b", value), "two.tar!a:1:1 two.tar!b:1:1"},
		"gz-behind.tar": {archive("a", "") + packed(value), "gz-behind.tar!(behind its end):1:1"},
		"a.zip":         {zipped(deflated, "x/", "", "x/a", "\n"+value, "b", value), "a.zip!b:1:1 a.zip!x/a:2:1"},
		"stored.zip":    {zipped(stored, "a", value), "stored.zip!a:1:1"},
		"bz.zip":        {zipped(zip.FileHeader{Method: 12, UncompressedSize64: uint64(len("a\n" + value)), CRC32: crc32.ChecksumIEEE([]byte("a\n" + value))}, "a", bzipped), "bz.zip!a:2:1"},
		"zst.zip":       {zipped(zip.FileHeader{Method: 93, UncompressedSize64: uint64(len(value)), CRC32: crc32.ChecksumIEEE([]byte(value))}, "a", packedZstd(value)), "zst.zip!a:1:1"},
		"comment.zip":   {zipped(zip.FileHeader{Method: zip.Deflate, Comment: value}, "a", ""), "comment.zip!a!(comment):1:1"},
		"fat.jar":       {zipped(stored, "lib/one.jar", zipped(deflated, "app.properties", "k="+value)), "fat.jar!lib/one.jar!app.properties:1:3"},
		"image.tar":     {archive("layer", packed(archive("a.whl", zipped(deflated, "k.py", value)))), "image.tar!layer!a.whl!k.py:1:1"},
	} {
		for _, named := range []bool{true, false} {
			if got := searched(t, name, c.text, named); got != c.want {
				t.Errorf("%s: %q, not %q", name, got, c.want)
			}
		}
	}
}

// What is not searched is named. So is, of a file that is named, what is damaged; what can
// be read of it is searched.
func TestArchivesNotSearched(t *testing.T) {
	long := value + "\n" + strings.Repeat("text that is not repeated alone ", 100) + value
	cut := func(text string) string { return text[:len(text)-8] }
	const folder = "in a folder: "
	for name, c := range map[string]struct{ text, want string }{
		"deep.gz":    {deep(maxDepth+1, value), "unread deep.gz " + folder + "unread deep.gz"},
		"bomb.gz":    {packed(packed(value + strings.Repeat("\x00", 18<<20))), "bomb.gz:1:1 unread bomb.gz " + folder + "bomb.gz:1:1 unread bomb.gz"},
		"secret.zip": {zipped(zip.FileHeader{Method: 8 | 1<<15, Flags: 1}, "a", "x", "b", "y"), "unread secret.zip!a unread secret.zip!b " + folder + "unread secret.zip!a unread secret.zip!b"},
		"lzma.zip":   {zipped(zip.FileHeader{Method: 14}, "a", "x"), "unread lzma.zip!a " + folder + "unread lzma.zip!a"},
		"b.xz":       {"\xfd7zXZ\x00 " + value, "b.xz:1:8 unread b.xz " + folder + "b.xz:1:8"},
		"d.7z":       {"7z\xbc\xaf\x27\x1c FAKE", "unread d.7z " + folder},
		"e.rar":      {"Rar!\x1a\x07 FAKE", "unread e.rar " + folder},
		"BZh":        {"BZhFAKE", folder},
		"PK":         {"PK FAKE", folder},
		"cut.gz":     {cut(packed(long)), "cut.gz:1:1 cut.gz:2:3201 unread cut.gz " + folder + "cut.gz:1:1 cut.gz:2:3201"},
		"cut.tar":    {archive("a", value, "b", value)[:1560], "cut.tar!a:1:1 unread cut.tar " + folder + "cut.tar!a:1:1"},
		"cut.zip":    {cut(zipped(zip.FileHeader{}, "a", value)), "cut.zip:1:32 unread cut.zip " + folder + "cut.zip:1:32"},
		"bad.zip":    {strings.Replace(zipped(zip.FileHeader{}, "a", "x "+value), "x FAKE", "y FAKE", 1), "bad.zip!a:1:3 unread bad.zip!a " + folder + "bad.zip!a:1:3"},
		"no.gz":      {"\x1f\x8b\x08 no gzip " + value, "no.gz:1:13 unread no.gz " + folder + "no.gz:1:13"},
		"no.zst":     {"\x28\xb5\x2f\xfd" + value, "no.zst:1:5 unread no.zst " + folder + "no.zst:1:5"},
		"no.zip":     {"PK\x03\x04" + value, "no.zip:1:5 unread no.zip " + folder + "no.zip:1:5"},
		"in.tar":     {archive("damaged.gz", cut(packed(long)), "after", value), "in.tar!after:1:1 in.tar!damaged.gz:1:1 in.tar!damaged.gz:2:3201 unread in.tar!damaged.gz " + folder + "in.tar!after:1:1 in.tar!damaged.gz:1:1 in.tar!damaged.gz:2:3201"},
	} {
		if got := searched(t, name, c.text, true) + " " + folder + searched(t, name, c.text, false); strings.TrimSpace(got) != strings.TrimSpace(c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
	var many []string
	for _, c := range "abcdefghijklmn" {
		many = append(many, string(c), "x")
	}
	if got := searched(t, "many.zip", zipped(zip.FileHeader{Method: 14}, many...), true); strings.Count(got, "unread many.zip!") != maxNotes || strings.Count(got, "unread many.zip ")+strings.Count(got+" ", "unread many.zip ") == 0 {
		t.Error(got)
	}
	// A zip in another archive is held in memory.
	s := searcher(t)
	x := s.texts()
	text := archive("a.zip", zipped(zip.FileHeader{}, "a", value), "b", value)
	if x.spool = 100; x.whole(context.Background(), Place{Path: "x"}, "", strings.NewReader(text)) != nil || x.spool != 100 {
		t.Error(x.spool)
	}
	if got := lines(s); !slices.Equal(got, []string{"x!a.zip:1:32 s plain", "x!b:1:1 s plain", "unread x!a.zip"}) {
		t.Errorf("%q", got)
	}
}

// Archives are searched as they are where that is asked for, and counted; else what came out of
// them is.
func TestArchivesAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.gz": packed(value), "b.tar": archive("x", value), "c": value})
	for _, asTheyAre := range []bool{false, true} {
		s := searcher(t)
		s.AsTheyAre = asTheyAre
		if err := s.Trees(context.Background(), []string{dir}); err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(strings.Join(lines(s), " "), dir+"/", "")
		all, unpacked := s.Bytes()
		size := int64(len(packed(value)) + len(archive("x", value)) + len(value))
		switch {
		case asTheyAre && (got != "b.tar:1:513 s plain c:1:1 s plain" || s.NotUnpacked() != 2 || unpacked != 0 || all != size):
			t.Errorf("as they are: %q, %d archives, %d of %d bytes unpacked", got, s.NotUnpacked(), unpacked, all)
		case !asTheyAre && (strings.Count(got, ":1:1 s plain") != 3 || s.NotUnpacked() != 0 || unpacked < 2*int64(len(value))):
			t.Errorf("unpacked: %q, %d archives, %d of %d bytes", got, s.NotUnpacked(), unpacked, all)
		}
	}
}

// A file that says that it has no bytes may have some.
func TestUnsizedFile(t *testing.T) {
	const path = "/proc/self/cmdline"
	if _, err := os.Stat(path); err != nil {
		return // this system has no such files
	}
	s := searcher(t, holder("me", os.Args[0]))
	if err := s.Trees(context.Background(), []string{path}); err != nil {
		t.Fatal(err)
	}
	if got := lines(s); len(got) == 0 || !strings.HasPrefix(got[0], path+":1:1 me") {
		t.Errorf("%q", got)
	}
}

// No archive harms.
func FuzzArchive(f *testing.F) {
	for _, text := range []string{archive("a", value), packed(archive("a", value)), packedZstd(value), packed(packedZstd(archive("a", packed(value)))), value, bzipped, zipped(zip.FileHeader{Method: zip.Deflate}, "a", value), zipped(zip.FileHeader{Comment: "c"}, "b", packed("x"))} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, _ := New([]Holder{holder("s", value)})
		x := s.texts()
		x.named = true
		if err := x.whole(context.Background(), Place{Path: "x"}, "", bytes.NewReader(data)); err != nil || x.spool != maxSpool {
			t.Error(err, x.spool)
		}
		if found, _ := s.Findings(); bytes.Contains(data, []byte(value)) && bytes.HasPrefix(data, []byte(value)) && len(found) == 0 {
			t.Error("a text is not found as it is")
		}
	})
}
