package machinetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
)

// oddNames are file names that break code which quotes badly.
func oddNames() []string {
	return []string{
		"a b", " lead", "trail ", "'", "it's", `"`, `\`, `\n`, "$HOME", "$(id)", "`id`", "a\nb", "\n", "tab\there", "-rf", "--", "~", "~u", "#x", "!x",
		"a;b", "a&b", "a|b", "{a,b}", "%s", "%b\\0101", "é", "ключ", "鍵", "🔑", "a=b", "a:b", "\x01\x7f", "x\xffy", "x\x81\x88y", strings.Repeat("n", 255),
	}
}

// oddContents are contents that break code which quotes or frames badly.
func oddContents() map[string][]byte {
	return map[string][]byte{
		"empty":       {},
		"no newline":  []byte("[default]\nkey = value"),
		"newlines":    []byte("\n\n\nvalue\n\n\n"),
		"crlf":        []byte("a = 1\r\nb = 2\r\n"),
		"quotes":      []byte(`'"` + "`$(id) ${HOME} $HOME \\ \\n \\0101 \\c %s %b %% !! '' '\\'' \\"),
		"all bytes":   allBytes(),
		"zero bytes":  []byte("\x00\x00a\x00\n\x00"),
		"digits":      []byte("\x001\x0022\n\x7f\x80\x810\x88"),
		"unicode":     []byte("ключ = 鍵 🔑\n"),
		"bad unicode": []byte("\xff\xfe\xc3\x28\xe2\x82\n"),
		"long line":   []byte(strings.Repeat("0123456789abcdef'\\", 4000)),
		"dashes":      []byte("-n\n"),
		"shell":       []byte("}\nexit 1\nEOF\n{\n"),
	}
}

func allBytes() []byte {
	var b []byte
	for i := range 256 {
		b = append(b, byte(i))
	}
	return append(b, b...)
}

func testOddNames(s *suite) {
	var changes []machine.Change
	for _, name := range oddNames() {
		folder := "in " + name
		if len(name) > 200 {
			folder = "in n"
		}
		changes = append(changes, machine.Change{Path: s.path(folder + "/" + name), Data: []byte(name)})
	}
	s.must(changes...)
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
		s.has(c.Path, path.Base(c.Path), 0o600)
	}
	for i, f := range s.read(paths...) {
		if f.Err != nil || f.Path != paths[i] || string(f.Data) != path.Base(paths[i]) {
			s.Errorf("%q: %+v", paths[i], f)
		}
	}
	for i := range changes {
		changes[i].Old, changes[i].Data = changes[i].Data, []byte("new")
	}
	s.must(changes...)
	for i := range changes {
		s.has(changes[i].Path, "new", 0o600)
		changes[i].Old, changes[i].Remove = []byte("new"), true
	}
	s.must(changes...)
	for _, p := range paths {
		s.hasNot(p)
	}
}

func testOddContents(s *suite) {
	var changes []machine.Change
	for name, content := range oddContents() {
		changes = append(changes, machine.Change{Path: s.path(name), Data: content})
	}
	s.must(changes...)
	for i, c := range changes {
		s.has(c.Path, string(c.Data), 0o600)
		if f := s.read(c.Path)[0]; f.Err != nil || !bytes.Equal(f.Data, c.Data) {
			s.Errorf("%q: read %.100q, %v", c.Path, f.Data, f.Err)
		}
		changes[i].Old, changes[i].Data = c.Data, append([]byte("more"), c.Data...)
	}
	s.must(changes...)
	for _, c := range changes {
		s.has(c.Path, string(c.Data), 0o600)
	}
	big := bytes.Repeat(allBytes(), 256<<10/512)
	s.must(machine.Change{Path: s.path("big"), Data: big})
	s.has(s.path("big"), string(big), 0o600)
	s.must(machine.Change{Path: s.path("big"), Data: []byte("small"), Old: big})
	s.has(s.path("big"), "small", 0o600)
}

func testNewFile(s *suite) {
	s.must(machine.Change{Path: s.path("a/b c/file"), Data: []byte("x")}, machine.Change{Path: s.path("a/b c/empty")})
	s.has(s.path("a/b c/file"), "x", 0o600)
	s.has(s.path("a/b c/empty"), "", 0o600)
	for _, dir := range []string{"a", "a/b c"} {
		if _, mode, ok := s.Files.File(s.path(dir)); !ok || mode != fs.ModeDir|0o700 {
			s.Errorf("%q has mode %v, want 0700", dir, mode)
		}
	}
	s.refused(machine.Change{Path: s.path("a/b c/file/in"), Data: []byte("x")}, nil)
	if names := s.Files.Names(s.path("a/b c")); len(names) != 2 {
		s.Errorf("names %q", names)
	}
}

func testNewMode(s *suite) {
	for _, mode := range []fs.FileMode{0o644, 0o600, 0o400, 0o755, 0o640} {
		p := s.path(mode.String())
		s.must(machine.Change{Path: p, Data: []byte("x"), Mode: mode})
		s.has(p, "x", mode)
	}
}

func testKeepMode(s *suite) {
	tests := []struct{ old, asked, want fs.FileMode }{
		{0o644, 0, 0o600}, {0o400, 0, 0o400}, {0o600, 0o644, 0o600}, {0o644, 0o644, 0o644},
		{0o640, 0o604, 0o600}, {0o777, 0, 0o600}, {0o755, 0o555, 0o555}, {0o531, 0o777, 0o531},
	}
	for i, tt := range tests {
		p := s.path(fmt.Sprint(i))
		s.Files.PutFile(p, []byte("old"), tt.old)
		s.must(machine.Change{Path: p, Data: []byte("new"), Old: []byte("old"), Mode: tt.asked})
		s.has(p, "new", tt.want)
	}
}

func testChanged(s *suite) {
	s.Files.PutFile(s.path("file"), []byte("now"), 0o600)
	s.Files.PutFile(s.path("empty"), []byte{}, 0o600)
	for _, c := range []machine.Change{
		{Path: s.path("file"), Data: []byte("new")},
		{Path: s.path("file"), Data: []byte("new"), Old: []byte("old")},
		{Path: s.path("file"), Data: []byte("new"), Old: []byte("no")},
		{Path: s.path("file"), Data: []byte("new"), Old: []byte("now\n")},
		{Path: s.path("file"), Data: []byte("new"), Old: []byte{}},
		{Path: s.path("file"), Remove: true, Old: []byte("old")},
		{Path: s.path("file"), Remove: true},
		{Path: s.path("empty"), Data: []byte("new")},
		{Path: s.path("empty"), Data: []byte("new"), Old: []byte("\x00")},
		{Path: s.path("none"), Data: []byte("new"), Old: []byte("old")},
		{Path: s.path("none"), Data: []byte("new"), Old: []byte{}},
	} {
		s.refused(c, machine.ErrChanged)
	}
	s.has(s.path("file"), "now", 0o600)
	s.has(s.path("empty"), "", 0o600)
	s.hasNot(s.path("none"))
	s.must(machine.Change{Path: s.path("empty"), Data: []byte("new"), Old: []byte{}})
	s.has(s.path("empty"), "new", 0o600)
}

func testLinks(s *suite) {
	s.Files.PutFile(s.path("real/file"), []byte("old"), 0o600)
	s.Files.PutLink("real/file", s.path("relative"))
	s.Files.PutLink(s.path("relative"), s.path("chain"))
	s.Files.PutLink("real/new\n", s.path("dangling"))
	s.Files.PutLink("real", s.path("folder"))
	s.Files.PutLink("../up/x", s.path("real/up"))
	s.Files.PutLink("loop", s.path("loop"))
	s.must(machine.Change{Path: s.path("chain"), Data: []byte("new"), Old: []byte("old")})
	s.has(s.path("real/file"), "new", 0o600)
	s.must(machine.Change{Path: s.path("dangling"), Data: []byte("made")})
	s.has(s.path("real/new\n"), "made", 0o600)
	s.must(machine.Change{Path: s.path("folder/in"), Data: []byte("in")})
	s.has(s.path("real/in"), "in", 0o600)
	s.must(machine.Change{Path: s.path("folder/up"), Data: []byte("up")})
	s.has(s.path("up/x"), "up", 0o600)
	s.refused(machine.Change{Path: s.path("loop"), Data: []byte("x")}, nil)
	for _, name := range []string{"relative", "chain", "dangling", "folder", "real/up", "loop"} {
		s.isLink(s.path(name))
	}
	s.must(machine.Change{Path: s.path("relative"), Remove: true, Old: []byte("new")})
	s.hasNot(s.path("real/file"))
	s.isLink(s.path("relative"))
}

func testRemove(s *suite) {
	s.Files.PutFile(s.path("file"), []byte("x"), 0o600)
	s.Files.PutLink("nowhere", s.path("dangling"))
	s.must(
		machine.Change{Path: s.path("file"), Remove: true, Old: []byte("x")}, machine.Change{Path: s.path("file"), Remove: true, Old: []byte("x")},
		machine.Change{Path: s.path("none"), Remove: true}, machine.Change{Path: s.path("none/none"), Remove: true, Old: []byte("x")},
		machine.Change{Path: s.path("dangling"), Remove: true},
	)
	s.hasNot(s.path("file"))
	s.hasNot(s.path("none"))
	s.isLink(s.path("dangling"))
}

func testSeveral(s *suite) {
	s.Files.PutFile(s.path("b"), []byte("old"), 0o600)
	s.Files.PutFolder(s.path("folder"), 0o700)
	errs := s.write(
		machine.Change{Path: s.path("a"), Data: []byte("1")}, machine.Change{Path: s.path("b"), Data: []byte("2")},
		machine.Change{Path: s.path("folder"), Data: []byte("3")}, machine.Change{Path: s.path("c"), Data: []byte("4")},
		machine.Change{Path: s.path("c"), Data: []byte("5"), Old: []byte("4")},
	)
	if errs[0] != nil || !errors.Is(errs[1], machine.ErrChanged) || !errors.Is(errs[2], machine.ErrNotRegular) || errs[3] != nil || errs[4] != nil {
		s.Errorf("errors %v", errs)
	}
	s.has(s.path("a"), "1", 0o600)
	s.has(s.path("b"), "old", 0o600)
	s.has(s.path("c"), "5", 0o600)
}

// testMany is of more than a host does at once, with folders that are not there, one of which cannot
// be made, and with what one of them has written removed again.
func testMany(s *suite) {
	s.Files.PutFile(s.path("file"), []byte("x"), 0o600)
	s.Files.PutFile(s.path("old"), []byte("old"), 0o640)
	var changes []machine.Change
	for i := range 150 {
		changes = append(changes, machine.Change{Path: s.path(fmt.Sprintf("new $(%d)/a b/%d", i%9, i)), Data: []byte(strconv.Itoa(i)), Mode: 0o640})
	}
	changes = append(changes,
		machine.Change{Path: s.path("file/below"), Data: []byte("x")},
		machine.Change{Path: s.path("old"), Data: []byte("2"), Old: []byte("old"), Mode: 0o640},
		machine.Change{Path: s.path("old"), Data: []byte("3"), Old: []byte("2"), Mode: 0o640},
		machine.Change{Path: s.path("old"), Data: []byte("4"), Old: []byte("2"), Mode: 0o640},
		machine.Change{Path: s.path("last/one"), Data: []byte("x")},
		machine.Change{Path: s.path("last/one"), Remove: true, Old: []byte("x")},
		machine.Change{Path: s.path("last/one"), Data: []byte("y")},
	)
	for i, err := range s.write(changes...) {
		if failed := i == 150 || i == 153; failed != (err != nil) {
			s.Errorf("change %d: %v", i, err)
		}
	}
	for i := range 150 {
		s.has(changes[i].Path, strconv.Itoa(i), 0o640)
	}
	s.has(s.path("old"), "3", 0o640)
	s.has(s.path("last/one"), "y", 0o600)
	for i := range 9 {
		for _, name := range s.Files.Names(s.path(fmt.Sprintf("new $(%d)/a b", i))) {
			if strings.HasPrefix(name, ".") {
				s.Errorf("%s was left", name)
			}
		}
	}
}

func testBad(s *suite) {
	for _, p := range []string{"relative", "./x", "~/x", "", s.path("zero\x00byte"), s.path("slash/")} {
		if f := s.read(p); len(f) != 1 || f[0].Err == nil {
			s.Errorf("read %q: %+v, want an error", p, f)
		}
		s.refused(machine.Change{Path: p, Data: []byte("x")}, nil)
		s.refused(machine.Change{Path: p, Remove: true, Old: []byte("x")}, nil)
	}
	s.refused(machine.Change{Path: s.path("large"), Data: make([]byte, machine.MaxFile+1)}, machine.ErrTooLarge)
	s.refused(machine.Change{Path: s.path(strings.Repeat("n", 300)), Data: []byte("x")}, nil)
	if names := s.Files.Names(s.dir); len(names) != 0 {
		s.Errorf("names %q", names)
	}
}

func testNotRegular(s *suite) {
	s.Files.PutFolder(s.path("folder"), 0o700)
	s.Files.PutLink("folder", s.path("link"))
	s.Files.PutPipe(s.path("pipe"))
	for _, name := range []string{"folder", "link", "pipe"} {
		s.refused(machine.Change{Path: s.path(name), Data: []byte("x")}, machine.ErrNotRegular)
		s.refused(machine.Change{Path: s.path(name), Data: []byte("x"), Old: []byte{}}, machine.ErrNotRegular)
		s.refused(machine.Change{Path: s.path(name), Remove: true, Old: []byte("x")}, machine.ErrNotRegular)
	}
}

func testReadOnlyFolder(s *suite) {
	if s.Root {
		return // root may write everywhere
	}
	s.Files.PutFile(s.path("folder/file"), []byte("old"), 0o600)
	s.Files.PutFolder(s.path("folder"), 0o500)
	defer s.Files.PutFolder(s.path("folder"), 0o700)
	s.refused(machine.Change{Path: s.path("folder/file"), Data: []byte("new"), Old: []byte("old")}, fs.ErrPermission)
	s.refused(machine.Change{Path: s.path("folder/new"), Data: []byte("new")}, fs.ErrPermission)
	s.refused(machine.Change{Path: s.path("folder/in/new"), Data: []byte("new")}, fs.ErrPermission)
	s.refused(machine.Change{Path: s.path("folder/file"), Remove: true, Old: []byte("old")}, fs.ErrPermission)
	s.has(s.path("folder/file"), "old", 0o600)
	if names := s.Files.Names(s.path("folder")); len(names) != 1 {
		s.Errorf("names %q", names)
	}
}

func testNoTemp(s *suite) {
	s.must(machine.Change{Path: s.path("a"), Data: []byte("1")}, machine.Change{Path: s.path("a"), Data: []byte("2"), Old: []byte("1")})
	s.refused(machine.Change{Path: s.path("a"), Data: []byte("3"), Old: []byte("1")}, machine.ErrChanged)
	if names := s.Files.Names(s.dir); !slices.Equal(names, []string{"a"}) {
		s.Errorf("names %q, want only the file", names)
	}
}
