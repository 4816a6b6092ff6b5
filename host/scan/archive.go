package scan

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

const (
	// maxDepth is how deep archives are looked into: an image, a layer of it, a file there.
	maxDepth = 3
	// maxRatio and freeBytes bound what all that is compressed in a file may come to: its
	// size times the one, plus the other.
	maxRatio  = 1000
	freeBytes = 16 << 20
	// tarMagic is at an offset of the first header of a tar.
	tarMagicAt = 257
	headerSize = 512
)

// errTooLarge is a compressed text that comes to much more than it should.
var errTooLarge = errors.New("it expands to more than 1000 times its size, and is not read further")

// errOtherArchive is a file in which nothing can be found.
var errOtherArchive = errors.New("it is compressed in a way that rhx does not read")

// perhapsArchive searches a text, and where it is a tar, or is compressed, what is in
// it: so the layers of an image, as docker save and OCI write it.
func (t *texts) perhapsArchive(place Place, abs string, in io.Reader, depth int) error {
	b := bufio.NewReaderSize(in, 64<<10)
	head, _ := b.Peek(headerSize)
	switch {
	case depth >= maxDepth:
	case len(head) == headerSize && bytes.HasPrefix(head[tarMagicAt:], []byte("ustar")):
		return t.tar(place, b, depth)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return t.read(place, abs, b)
		}
		return t.perhapsArchive(place, abs, bounded{t, z}, depth+1)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		if t.s.Zstd == nil {
			return errOtherArchive
		}
		z, err := t.s.Zstd(b)
		if err != nil {
			return err
		}
		defer z.Close()
		return t.perhapsArchive(place, abs, bounded{t, z}, depth+1)
	}
	other := depth == 0 && otherArchive(head) // head is overwritten by what is read
	if err := t.read(place, abs, b); err != nil || !other {
		return err
	}
	return errOtherArchive
}

// otherArchive reports the beginning of what is compressed in a way that is not read: zip
// (also jar, apk, docx), xz, bzip2, 7z.
func otherArchive(head []byte) bool {
	for _, magic := range []string{"PK\x03\x04", "\xfd7zXZ\x00", "BZh91AY&SY", "7z\xbc\xaf\x27\x1c"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// tar searches the files of a tar. One that is wrong is not the end of the others.
func (t *texts) tar(place Place, in io.Reader, depth int) error {
	r := tar.NewReader(in)
	var errs []error
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		inner := Place{Path: place.Path + "!" + h.Name}
		t.name(inner)
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse {
			continue
		}
		if err := t.perhapsArchive(inner, "", bounded{t, r}, depth+1); err != nil && len(errs) < 10 {
			errs = append(errs, fmt.Errorf("%s: %w", t.s.Shown(h.Name), err))
		}
	}
}

// bounded reads what comes of a compressed text, or of a file with holes, as far as that is
// in proportion.
type bounded struct {
	t  *texts
	in io.Reader
}

func (b bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if b.t.budget -= int64(n); b.t.budget < 0 {
		return 0, errTooLarge
	}
	return n, err
}
