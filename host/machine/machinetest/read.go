package machinetest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
)

func testInfo(s *suite) {
	names := append(slices.Sorted(maps.Keys(s.Env)), "RHX_TEST_UNSET", "not a name", "")
	info, err := s.Machine.Info(s.Context(), names)
	if err != nil {
		s.Fatal(err)
	}
	if info.Home != s.Home || info.OS != s.OS {
		s.Errorf("home %q, system %q; want %q, %q", info.Home, info.OS, s.Home, s.OS)
	}
	if !maps.Equal(info.Env, s.Env) {
		s.Errorf("environment %q, want %q", info.Env, s.Env)
	}
	if s.Machine.Name() == "" {
		s.Error("no name")
	}
}

func testRead(s *suite) {
	s.Files.PutFile(s.path("one"), []byte("1\n"), 0o600)
	s.Files.PutFile(s.path("two"), []byte{}, 0o640)
	s.Files.PutLink("one", s.path("link"))
	want := []machine.File{
		{Path: s.path("two"), Mode: 0o640}, {Path: s.path("one"), Data: []byte("1\n"), Mode: 0o600},
		{Path: s.path("link"), Data: []byte("1\n"), Mode: 0o600}, {Path: s.path("two"), Mode: 0o640},
	}
	var paths []string
	for _, w := range want {
		paths = append(paths, w.Path)
	}
	files := s.read(paths...)
	if len(files) != len(want) {
		s.Fatalf("%d files, want %d", len(files), len(want))
	}
	for i, f := range files {
		if f.Path != want[i].Path || !bytes.Equal(f.Data, want[i].Data) || f.Data == nil || f.Mode != want[i].Mode || f.Err != nil {
			s.Errorf("file %d: %+v, want %+v", i, f, want[i])
		}
	}
}

func testReadStates(s *suite) {
	s.Files.PutFile(s.path("file"), []byte("x"), 0o600)
	s.Files.PutFolder(s.path("folder"), 0o700)
	s.Files.PutPipe(s.path("pipe"))
	s.Files.PutLink("nowhere", s.path("dangling"))
	s.Files.PutFile(s.path("full"), bytes.Repeat([]byte("x"), machine.MaxFile), 0o600)
	s.Files.PutFile(s.path("large"), bytes.Repeat([]byte("x"), machine.MaxFile+1), 0o600)
	want := []struct {
		name string
		err  error
	}{
		{"none", fs.ErrNotExist}, {"none/none", fs.ErrNotExist}, {"file/none", fs.ErrNotExist}, {"dangling", fs.ErrNotExist},
		{"folder", machine.ErrNotRegular}, {"pipe", machine.ErrNotRegular}, {"full", nil}, {"large", machine.ErrTooLarge}, {"file", nil},
	}
	var paths []string
	for _, w := range want {
		paths = append(paths, s.path(w.name))
	}
	for i, f := range s.read(paths...) {
		if !errors.Is(f.Err, want[i].err) || f.Path != paths[i] {
			s.Errorf("%q: %v, want %v", paths[i], f.Err, want[i].err)
		}
		if f.Err != nil && (f.Data != nil || !strings.Contains(f.Err.Error(), paths[i])) {
			s.Errorf("%q: data with an error, or an error that does not name the file: %v", paths[i], f.Err)
		}
	}
}

func testNothing(s *suite) {
	if files := s.read(); len(files) != 0 {
		s.Errorf("%d files", len(files))
	}
	s.must()
}

func testUnreadable(s *suite) {
	s.Files.PutFile(s.path("file"), []byte("x"), 0)
	s.Files.PutFile(s.path("folder/in"), []byte("x"), 0o600)
	s.Files.PutFolder(s.path("folder"), 0)
	defer s.Files.PutFolder(s.path("folder"), 0o700)
	for _, name := range []string{"file", "folder/in", "folder/none", "folder/none/none", "folder/*"} {
		f := s.read(s.path(name))[0]
		switch {
		case !s.Root && !errors.Is(f.Err, fs.ErrPermission):
			s.Errorf("%q: %v, want %v", name, f.Err, fs.ErrPermission)
		case s.Root && errors.Is(f.Err, fs.ErrPermission):
			s.Errorf("%q: %v, although root", name, f.Err)
		case !strings.HasPrefix(f.Path, s.dir):
			s.Errorf("%q: path %q", name, f.Path)
		}
	}
	if s.Root {
		return
	}
	s.refused(machine.Change{Path: s.path("file"), Data: []byte("new"), Old: []byte("x")}, fs.ErrPermission)
	s.refused(machine.Change{Path: s.path("folder/in"), Data: []byte("new"), Old: []byte("x")}, fs.ErrPermission)
	s.refused(machine.Change{Path: s.path("folder/new"), Data: []byte("new")}, fs.ErrPermission)
	s.refused(machine.Change{Path: s.path("folder/in"), Remove: true, Old: []byte("x")}, fs.ErrPermission)
}

func testPatterns(s *suite) {
	for _, name := range []string{
		"id_b", "id_a", "id_a.pub", "other", ".id_hidden", "id_é", "id_[1]", "id_1", "id_ space", "id_\n", "a.json", "b.json", "ID_A", "id-x",
	} {
		s.Files.PutFile(s.path(name), []byte(name), 0o600)
	}
	s.Files.PutFolder(s.path("id_folder"), 0o700)
	s.Files.PutLink("nowhere", s.path("id_dangling"))
	s.Files.PutPipe(s.path("id_pipe"))
	s.Files.PutLink("other", s.path("id_link"))
	tests := []struct {
		pattern string
		want    []string
	}{
		{"id_?", []string{"id_\n", "id_1", "id_a", "id_b", "id_é"}},
		{"id_*", []string{"id_\n", "id_ space", "id_1", "id_[1]", "id_a", "id_a.pub", "id_b", "id_link", "id_é"}},
		{"*.json", []string{"a.json", "b.json"}},
		{"[ab].json", []string{"a.json", "b.json"}},
		{"[^a].json", []string{"b.json"}},
		{"[a-a].json", []string{"a.json"}},
		{".*", []string{".id_hidden"}},
		{".id_[a-z]*", []string{".id_hidden"}},
		{"*hidden", nil},
		{"?id_hidden", nil},
		{"id_[[]*", []string{"id_[1]"}},
		{`id_\[1\]*`, []string{"id_[1]"}},
		{"*none*", nil},
		{"id_[é]", []string{"id_é"}},
		{"id[^a-z]?", []string{"id-x", "id_\n", "id_1", "id_a", "id_b", "id_é"}},
		{"[!a].json", []string{"a.json"}}, // to path.Match a class of "!" and "a"
	}
	for _, tt := range tests {
		var got []string
		for _, f := range s.read(s.path(tt.pattern)) {
			name := strings.TrimPrefix(f.Path, s.dir+"/")
			if f.Err != nil || name != "id_link" && string(f.Data) != name {
				s.Errorf("%q: %q has %q, %v", tt.pattern, f.Path, f.Data, f.Err)
			}
			got = append(got, name)
		}
		if !slices.Equal(got, tt.want) {
			s.Errorf("%q: %q, want %q", tt.pattern, got, tt.want)
		}
	}
	for _, name := range []string{"id_[1]", "id_1", ".id_hidden"} {
		if f := s.read(machine.Quote(s.path(name))); len(f) != 1 || f[0].Path != s.path(name) {
			s.Errorf("quoted %q: %+v", name, f)
		}
	}
}

func testPatternPlaces(s *suite) {
	s.Files.PutFile(s.path("it's [odd] $x/a.json"), []byte("a"), 0o600)
	s.Files.PutFile(s.path("file"), []byte("f"), 0o600)
	files := s.read(s.path("it's [odd] $x/*.json"), s.path("none/*"), s.path("file/*"), s.path("file"))
	if len(files) != 2 || files[0].Path != s.path("it's [odd] $x/a.json") || files[1].Path != s.path("file") {
		s.Errorf("%+v", files)
	}
	for _, bad := range []string{"[", "[a", "[]a]", `*\`, "[b-"} {
		if f := s.read(s.path(bad)); len(f) != 1 || !errors.Is(f[0].Err, path.ErrBadPattern) {
			s.Errorf("%q: %+v, want %v", bad, f, path.ErrBadPattern)
		}
	}
}

func testCancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.Machine.Info(ctx, nil); !errors.Is(err, context.Canceled) {
		s.Errorf("info: %v", err)
	}
	if _, err := s.Machine.Read(ctx, []string{s.path("x")}); !errors.Is(err, context.Canceled) {
		s.Errorf("read: %v", err)
	}
	errs, err := s.Machine.Write(ctx, []machine.Change{{Path: s.path("x"), Data: []byte("x")}})
	if !errors.Is(err, context.Canceled) || len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		s.Errorf("write: %v, %v", errs, err)
	}
	s.hasNot(s.path("x"))
}
