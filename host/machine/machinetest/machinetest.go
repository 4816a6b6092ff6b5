// Package machinetest is the conformance suite that every machine passes: what
// works on one kind of machine works on the others.
package machinetest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
)

// Files is another way to the files of a machine than the machine itself.
// machine.Memory has it; OS is that of real files.
type Files interface {
	// PutFile creates or replaces a file; PutFolder creates a folder or sets its
	// mode; PutLink creates a symbolic link at p; PutPipe a named pipe.
	PutFile(p string, data []byte, mode fs.FileMode)
	PutFolder(p string, mode fs.FileMode)
	PutLink(target, p string)
	PutPipe(p string)
	// File returns what is at p, following no link.
	File(p string) (data []byte, mode fs.FileMode, ok bool)
	// Names returns the sorted names in the folder p.
	Names(p string) []string
}

// Target is what the suite tests.
type Target struct {
	Machine machine.Machine
	Files   Files
	// Home is the home folder that Info must give, an empty folder.
	Home string
	// OS is the system that Info must give.
	OS string
	// Env holds variables that are set on the machine; RHX_TEST_UNSET is not.
	Env map[string]string
	// Root says that the user of the machine may read and write everything.
	Root bool
}

// Run tests target.
func Run(t *testing.T, target Target) {
	tests := []struct {
		name string
		test func(*suite)
	}{
		{"info gives home, system and the set variables", testInfo},
		{"read gives content, mode and order", testRead},
		{"read tells missing, folder, pipe and large files apart", testReadStates},
		{"read and write of nothing", testNothing},
		{"unreadable files and folders are permission errors", testUnreadable},
		{"patterns give the matching files sorted", testPatterns},
		{"patterns in odd places", testPatternPlaces},
		{"odd names are names like others", testOddNames},
		{"odd contents come back byte for byte", testOddContents},
		{"a new file is 0600 in folders 0700", testNewFile},
		{"a new file gets the mode asked for", testNewMode},
		{"an existing file never becomes more open", testKeepMode},
		{"a file that is not as expected is left alone", testChanged},
		{"symbolic links are followed, also dangling ones", testLinks},
		{"remove", testRemove},
		{"several changes, each by itself", testSeveral},
		{"many changes", testMany},
		{"bad paths and sizes are errors", testBad},
		{"folders and pipes are not written", testNotRegular},
		{"a folder without the right to write is an error that changes nothing", testReadOnlyFolder},
		{"a cancelled context ends the operation", testCancelled},
		{"no temporary file stays", testNoTemp},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := fmt.Sprintf("%s/t%02d", target.Home, i)
			target.Files.PutFolder(dir, 0o700)
			tt.test(&suite{t, target, dir})
		})
	}
}

type suite struct {
	*testing.T
	Target
	dir string // an empty folder of this test
}

func (s *suite) path(name string) string { return s.dir + "/" + name }

func (s *suite) read(paths ...string) []machine.File {
	s.Helper()
	files, err := s.Machine.Read(s.Context(), paths)
	if err != nil {
		s.Fatalf("read %q: %v", paths, err)
	}
	return files
}

func (s *suite) write(changes ...machine.Change) []error {
	s.Helper()
	errs, err := s.Machine.Write(s.Context(), changes)
	if err != nil {
		s.Fatalf("write: %v", err)
	}
	if len(errs) != len(changes) {
		s.Fatalf("write: %d errors for %d changes", len(errs), len(changes))
	}
	return errs
}

// must makes changes that have to succeed.
func (s *suite) must(changes ...machine.Change) {
	s.Helper()
	for i, err := range s.write(changes...) {
		if err != nil {
			s.Errorf("write %q: %v", changes[i].Path, err)
		}
	}
}

// refused makes a change that has to fail in the way of want; nil is any.
func (s *suite) refused(c machine.Change, want error) {
	s.Helper()
	err := s.write(c)[0]
	switch {
	case err == nil:
		s.Errorf("write %q: no error, want %v", c.Path, want)
	case want != nil && !errors.Is(err, want):
		s.Errorf("write %q: %v, want %v", c.Path, err, want)
	case !strings.Contains(err.Error(), c.Path):
		s.Errorf("write %q: the error does not name the file: %v", c.Path, err)
	}
}

// has checks what is at a path.
func (s *suite) has(p, want string, mode fs.FileMode) {
	s.Helper()
	data, got, ok := s.Files.File(p)
	if !ok {
		s.Errorf("%q is not there", p)
		return
	}
	if string(data) != want {
		s.Errorf("%q has %.200q, want %.200q", p, data, want)
	}
	if got != mode {
		s.Errorf("%q has mode %v, want %v", p, got, mode)
	}
}

func (s *suite) hasNot(p string) {
	s.Helper()
	if _, _, ok := s.Files.File(p); ok {
		s.Errorf("%q is there", p)
	}
}

func (s *suite) isLink(p string) {
	s.Helper()
	if _, mode, _ := s.Files.File(p); mode&fs.ModeSymlink == 0 {
		s.Errorf("%q is no link any more", p)
	}
}
