package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// short is a path for people and for commands of a shell.
func (d *Doctor) short(path string) string {
	if rest, ok := strings.CutPrefix(path, d.Home+string(filepath.Separator)); ok && plain(rest) {
		return "~/" + filepath.ToSlash(rest)
	}
	return quoted(path)
}

// quoted is one word of a shell.
func quoted(word string) string {
	if plain(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func plain(word string) bool {
	return word != "" && word[0] != '-' && !strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@%:,=", r))
	})
}

// open is a finding where others have some of the forbidden rights to a path. They are taken
// away from a file or folder of the user's own. Where a link leads, somebody may want these
// rights: that is told. What is not there, and a device, is well.
func (d *Doctor) open(path string, forbidden fs.FileMode, what, why string) ([]Finding, error) {
	if runtime.GOOS == "windows" {
		return nil, nil // whose files have no such modes
	}
	looked, err := os.Lstat(path)
	info := looked
	if err == nil && looked.Mode()&fs.ModeSymlink != 0 {
		info, err = os.Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() || info.Mode().Perm()&forbidden == 0 {
		return nil, nil
	}
	f := Finding{Level: Warning, What: fmt.Sprintf("%s (mode %04o)", fmt.Sprintf(what, d.short(path)), info.Mode().Perm()), Why: why}
	if looked.Mode()&fs.ModeSymlink != 0 {
		f.What += ", a link"
		f.Command = "ls -lL " + d.short(path)
		return []Finding{f}, nil
	}
	letters := ""
	for _, right := range []struct {
		bits   fs.FileMode
		letter string
	}{{0o044, "r"}, {0o022, "w"}, {0o011, "x"}} {
		if forbidden&right.bits != 0 {
			letters += right.letter
		}
	}
	f.Command = "chmod go-" + letters + " " + d.short(path)
	if own(looked) {
		f.Fix = func() error { return narrow(path, looked, forbidden) }
	}
	return []Finding{f}, nil
}

// reached reports whether others get as far as a path: each folder above lets them.
func reached(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return true
	}
	for dir := filepath.Dir(real); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o011 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// home is a path as secrets have it, below the home folder where it begins with ~/.
func (d *Doctor) home(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(d.Home, filepath.FromSlash(rest))
	}
	return path
}

// edit is the command that opens a file in an editor.
func (d *Doctor) edit(path string) string { return "${EDITOR:-vi} " + d.short(path) }
