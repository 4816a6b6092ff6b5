package sandbox

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// check reports whether the entry has compiled code that is as it was written.
// An entry that is not is removed.
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
	return ok && len(files) > 0
}

// seal writes the checksums of code that has just been compiled.
func (e entry) seal() error {
	files, _ := e.files()
	for _, f := range files {
		if _, err := os.Lstat(f + sumSuffix); err == nil {
			continue
		}
		sum, err := checksum(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f+sumSuffix, []byte(sum), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (e entry) remove() { _ = os.RemoveAll(e.dir) }

const sumSuffix = ".sum"

// files returns the files of compiled code in the entry. ok is false where
// something is in it that nobody puts there.
func (e entry) files() (files []string, ok bool) {
	ok = true
	versions, _ := os.ReadDir(e.dir)
	for _, v := range versions {
		sub := filepath.Join(e.dir, v.Name())
		list, err := os.ReadDir(sub)
		ok = ok && err == nil && v.IsDir()
		for _, f := range list {
			ok = ok && f.Type().IsRegular()
			if name := f.Name(); !strings.HasSuffix(name, sumSuffix) && !strings.HasSuffix(name, ".tmp") {
				files = append(files, filepath.Join(sub, name))
			}
		}
	}
	return files, ok
}

func checksum(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("crc32c %08x of %d bytes\n", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)), len(b)), nil
}
