package agestore

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
)

// disk is what is in a folder: the file infos, and the contents of files, by path.
type disk map[string]struct {
	info fs.FileInfo
	text string
}

func diskOf(t *testing.T, dir string) disk {
	t.Helper()
	d := disk{}
	noError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		of := d[path]
		if of.info = info; info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			of.text = string(data)
		}
		d[path] = of
		return nil
	}))
	return d
}

// changes are how many there are from one to the other. What is below a folder that was
// made, moved or removed is no change of its own, nor is what a move took the place of.
func (d disk) changes(to disk) int {
	n := 0
	for path, now := range to {
		was, ok := d[path]
		parent, parentWas := to[filepath.Dir(path)], d[filepath.Dir(path)]
		switch {
		case ok && os.SameFile(was.info, now.info):
			if was.text != now.text {
				n++
			}
		case parentWas.info == nil && parent.info != nil:
			// with its folder
		default:
			n++
		}
	}
	for path := range d {
		_, ok := to[path]
		_, parent := to[filepath.Dir(path)]
		if !ok && parent && !movedTo(d[path].info, to) {
			n++
		}
	}
	return n
}

func movedTo(info fs.FileInfo, to disk) bool {
	for _, now := range to {
		if os.SameFile(info, now.info) {
			return true
		}
	}
	return false
}

// A process that is killed is killed between two steps: each makes one change at most, so
// that the test of that comes to all states there are.
func TestEachStepIsOneChange(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	var before disk
	op, steps := "", 0
	check := func() {
		now := diskOf(t, filepath.Dir(s.opt.Dir))
		if n := before.changes(now); before != nil && n > 1 {
			t.Errorf("%s, step %d: %d changes", op, steps, n)
		}
		before = now
		steps++
	}
	s.onStep = check
	put := func(name string) func() error {
		return func() error { _, err := s.Put(t.Context(), &secret.Secret{Name: name}, 0); return err }
	}
	for _, c := range []struct {
		op string
		do func() error
	}{
		{"the first put", put("a")}, {"another put", put("b")},
		{"delete", func() error { return s.Delete(t.Context(), "a") }}, {"undelete", func() error { return s.Undelete(t.Context(), "a", 0) }},
		{"clear up", func() error {
			write(t, filepath.Join(s.temp(), "left"), nil, 0o600)
			write(t, filepath.Join(s.temp(), "left too"), nil, 0o600)
			before = nil
			return s.Delete(t.Context(), "b")
		}},
		{"destroy", func() error { return s.Destroy(t.Context(), "a") }}, {"accept", func() error { return accept(t.Context(), s) }},
	} {
		op, steps, before = c.op, 0, nil
		noError(t, c.do())
		check()
		if steps < 4 {
			t.Errorf("%s has %d steps", op, steps)
		}
	}
}
