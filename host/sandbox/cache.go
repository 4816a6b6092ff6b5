package sandbox

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// An entry of the cache is a folder named after the module's digest. In it
// wazero keeps a folder for its version, the architecture and the system, and
// in that a file of native code; rhx puts its checksum beside it.
//
// Whoever can write the file can run code, so all folders are the user's own
// and 0700, or there is no cache. The checksum is against damage, not against
// a forger: wazero trusts the lengths in the file, and a flipped bit in one
// would take all memory.
type entry struct{ dir string }

// openCache returns dir, made where it is not there, as a folder for compiled
// code, or an error that says why it cannot be one.
func openCache(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	return private(dir, info)
}

// cacheEntry returns the entry of a module in the cache.
func cacheEntry(dir string, digest [32]byte) entry {
	return entry{filepath.Join(dir, hex.EncodeToString(digest[:16]))}
}

// check reports whether the entry has compiled code for this program that is as
// it was written. An entry with code that is not is removed.
func (e entry) check() bool {
	files, ok := e.files()
	for _, f := range files {
		sum, err := checksum(f)
		want, err2 := os.ReadFile(f + sumSuffix)
		if err != nil || err2 != nil || string(want) != sum {
			ok = false
		}
	}
	if !ok {
		e.remove()
	}
	if !ok || len(files) == 0 {
		return false
	}
	// Once a day is enough for prune.
	if info, err := os.Stat(e.dir); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
		_ = os.Chtimes(e.dir, time.Time{}, time.Now())
	}
	return true
}

// seal writes the checksums of code that has just been compiled. fresh reports
// that there was some.
func (e entry) seal() (fresh bool, err error) {
	files, _ := e.files()
	for _, f := range files {
		if _, err := os.Lstat(f + sumSuffix); err == nil {
			continue
		}
		fresh = true
		sum, err := checksum(f)
		if err == nil {
			err = os.WriteFile(f+sumSuffix, []byte(sum), 0o600)
		}
		// Another rhx may have removed what is not sealed yet.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fresh, err
		}
	}
	return fresh, nil
}

func (e entry) remove() { _ = os.RemoveAll(e.dir) }

// What the cache keeps: code that was used within keepDays, and of that, the last
// used, keepBytes. A module of C takes 0.1 MB, one of Go 15 MB.
const (
	keepDays  = 90
	keepBytes = 256 << 20
)

// prune removes the entries that have not been used for longest.
func prune(dir string, now time.Time) {
	type used struct {
		entry
		at   time.Time
		size int64
	}
	var all []used
	list, _ := os.ReadDir(dir)
	for _, d := range list {
		u := used{entry: entry{filepath.Join(dir, d.Name())}}
		info, err := d.Info()
		if err != nil || !d.IsDir() {
			continue // what rhx did not put there it does not remove
		}
		u.at = info.ModTime()
		_ = filepath.WalkDir(u.dir, func(_ string, f fs.DirEntry, err error) error {
			if err == nil && f.Type().IsRegular() {
				if info, err := f.Info(); err == nil {
					u.size += info.Size()
				}
			}
			return nil
		})
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b used) int { return b.at.Compare(a.at) })
	var total int64
	for _, u := range all {
		total += u.size
		if total > keepBytes || now.Sub(u.at) > keepDays*24*time.Hour {
			u.remove()
		}
	}
}

const sumSuffix = ".sum"

// files returns the files of compiled code in the entry that are for this
// program's wazero and this system. ok is false where something is there that
// nobody puts there.
func (e entry) files() (files []string, ok bool) {
	folder := filepath.Join(e.dir, runtimeFolder())
	list, err := os.ReadDir(folder)
	ok = err == nil || errors.Is(err, fs.ErrNotExist)
	for _, f := range list {
		ok = ok && f.Type().IsRegular()
		if name := f.Name(); !strings.HasSuffix(name, sumSuffix) && !strings.HasSuffix(name, ".tmp") {
			files = append(files, filepath.Join(folder, name))
		}
	}
	return files, ok
}

// runtimeFolder is the name of the folder in which wazero keeps code: by its own
// version, as the program's build information has it, architecture and system. To read that
// information takes as long as to check the code of a small module.
var runtimeFolder = sync.OnceValue(func() string {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/tetratelabs/wazero" {
				version = dep.Version
			}
		}
		if version == "" || version == "(devel)" {
			version = info.Main.Version
		}
	}
	if version == "" || version == "(devel)" {
		version = "dev"
	}
	return "wazero-" + version + "-" + runtime.GOARCH + "-" + runtime.GOOS
})

func checksum(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("crc32c %08x of %d bytes\n", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)), len(b)), nil
}
