package trust

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

const specFile = "provider.yaml"

// The most that is read, in bytes. A module's is that of the sandbox.
const (
	maxModule = 8 << 20
	maxText   = 1 << 20
	// MaxTarball is for a tarball, compressed and, in all, unpacked.
	MaxTarball = 64 << 20
	maxEntries = 10_000
)

func limitOf(name string) int64 {
	if strings.HasSuffix(name, ".wasm") {
		return maxModule
	}
	return maxText
}

// Package is a provider from somebody else, read and checked, with nothing of it
// run.
type Package struct {
	Spec *spec.Spec
	// Origin is where it came from: a path or an address.
	Origin string
	// Module is the name of its module; "" for none.
	Module string
	// Files are all that rhx uses of it, by name.
	Files map[string][]byte
}

// ReadFolder reads a package in a folder. What else is in the folder (sources,
// cases, a licence) is no matter.
func ReadFolder(dir string) (*Package, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return newPackage(abs, func(name string) ([]byte, error) {
		return readRegular(filepath.Join(abs, name), limitOf(name))
	})
}

// ReadPath reads a package in a folder or in a .tar.gz file.
func ReadPath(name string) (*Package, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return ReadFolder(name)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(abs)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return ReadTarball(abs, f)
}

// ReadTarball reads a package in a gzipped tar archive: its files are at the
// top, or all in one folder. Links, devices and names that lead out of the
// archive are refused, whatever they are for. Nothing is written.
func ReadTarball(origin string, r io.Reader) (*Package, error) {
	zr, err := gzip.NewReader(io.LimitReader(r, MaxTarball))
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("%s is neither a folder nor a .tar.gz file: %w", origin, err), "a package is a folder with provider.yaml in it, or that in a .tar.gz file")
	}
	files, err := unpack(zr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", origin, err)
	}
	root := ""
	for name := range files {
		if path.Base(name) != specFile {
			continue
		}
		if root != "" {
			return nil, fmt.Errorf("%s: there is more than one %s", origin, specFile)
		}
		root = path.Dir(name)
	}
	return newPackage(origin, func(name string) ([]byte, error) {
		data, ok := files[path.Join(root, name)]
		if !ok {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return data, nil
	})
}

// unpack returns the files of an archive that can be part of a package: those at
// the top or one folder down whose names a package has.
func unpack(r io.Reader) (map[string][]byte, error) {
	whole := &io.LimitedReader{R: r, N: MaxTarball}
	tr := tar.NewReader(whole)
	files := map[string][]byte{}
	for n := 0; ; n++ {
		h, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF):
			return files, nil
		case whole.N <= 0:
			return nil, fmt.Errorf("it unpacks to more than %d MiB", MaxTarball>>20)
		case errors.Is(err, tar.ErrInsecurePath):
			return nil, fmt.Errorf("%q leads out of the archive", h.Name)
		case err != nil:
			return nil, err
		case n >= maxEntries:
			return nil, fmt.Errorf("it has more than %d entries", maxEntries)
		}
		// The rules of Windows, too: the same archive is to be good everywhere.
		name := path.Clean(h.Name)
		if strings.Contains(h.Name, `\`) || !fs.ValidPath(name) || strings.Contains(name, ":") {
			return nil, fmt.Errorf("%q leads out of the archive", h.Name)
		}
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		default:
			return nil, fmt.Errorf("%q is a link or a device", h.Name)
		}
		if !wanted(name) {
			continue
		}
		if _, twice := files[name]; twice {
			return nil, fmt.Errorf("%q is there twice", h.Name)
		}
		if files[name], err = readLimited(tr, h.Name, limitOf(name)); err != nil {
			return nil, err
		}
	}
}

func wanted(name string) bool {
	dir, file := path.Split(name)
	if strings.Count(dir, "/") > 1 {
		return false
	}
	return file == specFile || file == sumsFile || file == sigFile || strings.HasSuffix(file, ".wasm")
}

// newPackage reads and checks a package's files. open fails with fs.ErrNotExist
// for one that it does not have.
func newPackage(origin string, open func(name string) ([]byte, error)) (*Package, error) {
	p := &Package{Origin: origin, Files: map[string][]byte{}}
	data, err := open(specFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.WithHint(fmt.Errorf("%s has no %s", origin, specFile), "a package is a folder with provider.yaml in it, or that in a .tar.gz file")
	}
	if err != nil {
		return nil, err
	}
	p.Files[specFile] = data
	if p.Spec, err = spec.Parse(origin+"/"+specFile, data); err != nil {
		return nil, err
	}
	if err := notOurs(p.Spec); err != nil {
		return nil, fmt.Errorf("%s: %w", origin, err)
	}
	for i := range p.Spec.Files {
		m := p.Spec.Files[i].Wasm
		switch {
		case m == "" || m == p.Module:
			continue
		case p.Module != "":
			return nil, fmt.Errorf("%s: %s names two modules, %s and %s; a package has one", origin, specFile, p.Module, m)
		}
		p.Module = m
		data, err := open(m + ".wasm")
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %s names the module %s, and there is no %s.wasm", origin, specFile, m, m)
		}
		if err != nil {
			return nil, err
		}
		p.Files[m+".wasm"] = data
	}
	for _, name := range []string{sumsFile, sigFile} {
		data, err := open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.Files[name] = data
	}
	if p.Files[sumsFile] != nil {
		if err := checkSums(p.Files); err != nil {
			return nil, fmt.Errorf("%s: %w", origin, err)
		}
	} else if p.Files[sigFile] != nil {
		return nil, fmt.Errorf("%s has %s, and no %s that it signs", origin, sigFile, sumsFile)
	}
	return p, nil
}
