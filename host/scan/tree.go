package scan

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/paths"
)

// ErrNotRegular is a file that is none.
var ErrNotRegular = errors.New("it is neither a file nor a folder")

// file is one to search.
type file struct {
	path string
	// named says that it was named, so that a symbolic link is followed and a damaged
	// archive told of.
	named bool
	// text says that there is a text, and not a name alone.
	text bool
}

// Trees searches files and all files below folders. Symbolic links below them are not
// followed, and what is no regular file is passed over. It returns the context's error.
func (s *Scanner) Trees(ctx context.Context, paths []string) error {
	files := make(chan file, 256)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			t := s.texts()
			for f := range files {
				if ctx.Err() == nil {
					t.file(ctx, f)
				}
			}
		})
	}
	for _, path := range paths {
		s.walk(ctx, path, files)
	}
	close(files)
	workers.Wait()
	return ctx.Err()
}

// walk sends the files at or below a path.
func (s *Scanner) walk(ctx context.Context, root string, files chan<- file) {
	info, err := os.Stat(root)
	switch {
	case err != nil:
		s.notRead(root, fault.Cause(err))
		return
	case info.Mode().IsRegular():
		files <- file{root, true, true}
		return
	case !info.IsDir():
		s.notRead(root, ErrNotRegular)
		return
	}
	start := root
	if target, err := filepath.EvalSymlinks(root); err == nil {
		start = target // a link that was named is followed
	}
	_ = filepath.WalkDir(start, func(path string, d fs.DirEntry, err error) error {
		shown := root
		if rel, relErr := filepath.Rel(start, path); relErr == nil {
			shown = filepath.Join(root, rel)
		}
		switch {
		case ctx.Err() != nil:
			return fs.SkipAll
		case err != nil:
			s.notRead(shown, fault.Cause(err))
		case d.IsDir() && path != start && s.skipped(path):
			return fs.SkipDir
		default:
			files <- file{shown, false, d.Type().IsRegular()}
		}
		return nil
	})
}

// skipped reports a folder that is not looked into.
func (s *Scanner) skipped(path string) bool {
	if filepath.Base(path) == "objects" && filepath.Base(filepath.Dir(path)) == ".git" {
		return true // compressed: Git looks into them
	}
	skip := s.Skip
	if runtime.GOOS == "linux" {
		skip = append(slices.Clip(skip), "/proc", "/sys", "/dev") // no files of anybody's
	}
	if !slices.ContainsFunc(skip, func(dir string) bool { return filepath.Base(dir) == filepath.Base(path) }) {
		return false
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	return slices.Contains(skip, paths.Real(abs))
}

// file searches one file.
func (t *texts) file(ctx context.Context, f file) {
	t.name(Place{Path: f.path})
	if !f.text {
		return
	}
	// Whoever interrupts knows that not all was read.
	if err := t.open(ctx, f); err != nil && ctx.Err() == nil {
		t.s.notRead(f.path, fault.Cause(err))
	}
}

func (t *texts) open(ctx context.Context, f file) error {
	flags := os.O_RDONLY | noWait
	if !f.named {
		flags |= noFollow
	}
	in, err := os.OpenFile(f.path, flags, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // it became another one
	}
	t.named, t.at, t.size = f.named, in, info.Size()
	if t.size == 0 { // as /proc has them
		t.at, t.size = nil, maxUnsized
	}
	text := io.LimitReader(in, t.size) // one that grows has an end
	if base := filepath.Base(f.path); strings.HasPrefix(base, ".zsh") || base == ".zhistory" || base == ".histfile" {
		t.at, text = nil, &unmeta{in: text}
	}
	return t.whole(ctx, Place{Path: f.path}, f.path, text)
}

// maxUnsized is how much is read of a file that says that it has no bytes.
const maxUnsized = 64 << 20

// unmeta reads what zsh has written to its history: bytes that mean something to it are
// behind a mark, and changed.
type unmeta struct {
	in     io.Reader
	marked bool
}

const zshMark = 0x83

func (u *unmeta) Read(p []byte) (int, error) {
	n, err := u.in.Read(p)
	out := p[:0]
	for _, c := range p[:n] {
		switch {
		case u.marked:
			out, u.marked = append(out, c^0x20), false
		case c == zshMark:
			u.marked = true
		default:
			out = append(out, c)
		}
	}
	return len(out), err
}

// Histories are the files in which shells keep what was typed, below a home folder and
// where variables say; those that are there.
func Histories(home string, getenv func(string) string) []string {
	data := getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(home, ".local", "share")
	}
	paths := []string{
		filepath.Join(home, ".bash_history"), filepath.Join(home, ".zsh_history"), filepath.Join(home, ".zhistory"), filepath.Join(home, ".histfile"),
		filepath.Join(home, ".sh_history"), filepath.Join(data, "fish", "fish_history"), filepath.Join(data, "powershell", "PSReadLine", "ConsoleHost_history.txt"),
	}
	if own := getenv("HISTFILE"); filepath.IsAbs(own) && !slices.Contains(paths, own) {
		paths = append(paths, own)
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular()
	})
}
