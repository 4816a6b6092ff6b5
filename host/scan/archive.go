package scan

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

const (
	// maxDepth is how deep archives are looked into: an image, a layer of it, a file there, and
	// more than that by far. What contains itself has an end.
	maxDepth = 10
	// maxRatio and freeBytes bound what all that is packed in a text may come to: its
	// size times the one, plus the other.
	maxRatio  = 1000
	freeBytes = 16 << 20
	// The numbers of these methods in a zip.
	methodBzip2 = 12
	methodZstd  = 93
	headerSize  = 512
	// maxSpool is what zips in other archives may have of memory, and maxDirectory is how
	// long the list of the files of one may be.
	maxSpool     = 64 << 20
	maxDirectory = 32 << 20
	// maxNotes is how much of what is not searched in a file is named.
	maxNotes = 10
	// rest is the name of what is behind the end of an archive.
	rest = "(behind its end)"
)

// What keeps a text from being searched as a whole.
var (
	errTooLarge  = errors.New("it expands to more than 1000 times its size, and is not read further")
	errTooDeep   = errors.New("it is too deep in other archives, and was not unpacked")
	errLargeZip  = errors.New("it is a zip of more than 64 MiB in another archive, and was not unpacked")
	errEncrypted = errors.New("it is encrypted")
	errMethod    = errors.New("it is compressed in a way that rhx does not read")
)

// whole searches a text that is in no other one, and what is packed in it. The error is one
// of reading it; what else was not searched is noted.
func (t *texts) whole(ctx context.Context, place Place, file string, in io.Reader) error {
	t.ctx, t.in, t.budget, t.notes, t.unnoted = ctx, &source{t: t, in: in}, freeBytes, nil, 0
	t.unpack(place, file, t.in, 0)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, n := range t.notes {
		t.s.notRead(n.Place, n.Err)
	}
	if t.unnoted > 0 {
		t.s.notRead(place.source(), fmt.Errorf("%d more in it were not searched", t.unnoted))
	}
	return t.in.err
}

// unpack searches a text, and where it is packed, what is in it.
func (t *texts) unpack(place Place, file string, in io.Reader, depth int) {
	t.depth = depth
	n, err := io.ReadAtLeast(in, t.buf, headerSize)
	head := t.buf[:n]
	look := kindOf(head)
	if look != nil && t.s.AsTheyAre {
		t.s.asItIs()
		look = nil
	}
	switch {
	case look == nil || err != nil && !atEnd(err):
		other := depth == 0 && t.named && otherArchive(head) // head is overwritten by what is read
		if t.plain(place, file, head, in, err); other {
			t.note(place, errMethod)
		}
	case depth >= maxDepth:
		t.plain(place, file, head, in, err)
		t.note(place, errTooDeep)
	default:
		head = bytes.Clone(head)
		look(&pack{t: t, place: place, file: file, depth: depth, head: head, in: bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), in), 64<<10)})
	}
}

// asItIs counts an archive that is not unpacked.
func (s *Scanner) asItIs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archives++
}

// plain searches a text as it is, of which the beginning was read, and with which error.
func (t *texts) plain(place Place, file string, head []byte, in io.Reader, err error) {
	_, _ = t.Write(head)
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{t}, struct{ io.Reader }{in}, t.buf)
	}
	if t.end(place, file); err != nil && !atEnd(err) {
		t.damaged(place, err)
	}
}

// note notes what is not searched, once and up to some number.
func (t *texts) note(place Place, err error) {
	name := place.source()
	switch {
	case slices.ContainsFunc(t.notes, func(u Unread) bool {
		return u.Place == name || errors.Is(u.Err, errTooLarge) && errors.Is(err, errTooLarge) && strings.HasPrefix(name, u.Place)
	}):
	case len(t.notes) < maxNotes:
		t.notes = append(t.notes, Unread{name, err})
	default:
		t.unnoted++
	}
}

// damaged notes what could be read up to some place alone. Below a folder there are files
// that only begin as archives do, and others that are broken and that nobody could read
// further: these are searched as they are.
func (t *texts) damaged(place Place, err error) {
	if t.named && t.in.err == nil || errors.Is(err, errTooLarge) {
		t.note(place, err)
	}
}

// atEnd reports the end of a text, before the end of a header perhaps.
func atEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// kindOf is what looks into a text that begins so; nil for one that is not packed.
func kindOf(head []byte) func(*pack) {
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case len(head) >= headerSize && string(head[257:262]) == "ustar":
		return (*pack).tar
	case begins("\x1f\x8b\x08"):
		return (*pack).gzip
	case begins("\x28\xb5\x2f\xfd"):
		return (*pack).zstd
	case begins("BZh") && len(head) >= 10 && (string(head[4:10]) == "1AY&SY" || string(head[4:10]) == "\x17rE8P\x90"):
		return (*pack).bzip2
	case begins("PK\x03\x04"), begins("PK\x05\x06"):
		return (*pack).zip
	}
	return nil
}

// otherArchive reports the beginning of what is packed in a way that is not read: xz, 7z, rar.
func otherArchive(head []byte) bool {
	for _, magic := range []string{"\xfd7zXZ\x00", "7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// within is the place of something in a text that is packed.
func (p Place) within(name string) Place {
	p.Path, p.inner = p.Path+"!"+name, true
	return p
}

// pack is a text that is packed.
type pack struct {
	t     *texts
	place Place
	file  string
	depth int
	// head is the beginning of it. in has that, too.
	head []byte
	in   *bufio.Reader
}

func (p *pack) gzip() {
	p.stream(func(in io.Reader) (io.Reader, error) { return gzip.NewReader(in) }, func(err error) bool { return errors.Is(err, gzip.ErrHeader) })
}

func (p *pack) bzip2() {
	p.stream(func(in io.Reader) (io.Reader, error) { return bzip2.NewReader(in), nil }, func(err error) bool {
		var wrong bzip2.StructuralError
		return errors.As(err, &wrong) && strings.HasPrefix(string(wrong), "bad magic value")
	})
}

func (p *pack) zstd() {
	if p.t.s.Zstd == nil {
		p.t.plain(p.place, p.file, nil, p.in, nil)
		p.t.note(p.place, errMethod)
		return
	}
	var z io.ReadCloser
	p.stream(func(in io.Reader) (_ io.Reader, err error) {
		z, err = p.t.s.Zstd(in)
		return z, err
	}, func(err error) bool { return errors.Is(err, fs.ErrInvalid) })
	if z != nil {
		_ = z.Close()
	}
}

// stream looks into what is one text when it is unpacked, of several parts perhaps, and
// searches what is behind them. other reports the error of a part that is none.
func (p *pack) stream(open func(io.Reader) (io.Reader, error), other func(error) bool) {
	from := &consumed{in: p.in}
	z, err := open(from)
	if err != nil {
		p.broken(from, true, err)
		return
	}
	out := &unpacked{t: p.t, in: z, from: from, other: other}
	p.t.unpack(p.place, p.file, out, p.depth+1)
	if out.err == nil {
		_, _ = io.Copy(io.Discard, struct{ io.Reader }{out}) // what is in it ended before
	}
	if !errors.Is(out.err, io.EOF) {
		p.broken(from, out.n == 0, out.err)
		return
	}
	last := 0
	if out.ended {
		last = 16 // these were read to see that it is none
	}
	p.t.unpack(p.place.within(rest), "", io.MultiReader(strings.NewReader(from.last(last)), p.in), p.depth+1)
}

// broken searches what is damaged as it is: all of it where nothing of it was understood
// and its beginning is still there.
func (p *pack) broken(from *consumed, all bool, err error) {
	place, before := p.place.within(rest), from.last(len(from.ring))
	if all && from.n <= int64(len(p.head)) {
		place, before = p.place, string(p.head[:from.n])
	}
	p.t.damaged(p.place, err)
	p.t.plain(place, p.file, nil, io.MultiReader(strings.NewReader(before), p.in), nil)
}

// tar searches the files of a tar, and what is behind its end: others, too.
func (p *pack) tar() {
	zeros := make([]byte, headerSize)
	for more := true; more; {
		from := &consumed{in: p.in}
		r := tar.NewReader(from)
		for n := 0; ; n++ {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				p.broken(from, n == 0, err)
				return
			}
			inner := p.place.within(h.Name)
			p.t.name(inner)
			if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse {
				p.t.unpack(inner, "", &unpacked{t: p.t, in: r, from: from}, p.depth+1)
			}
		}
		block, _ := p.in.Peek(headerSize)
		for bytes.Equal(block, zeros) { // it is filled up with them
			_, _ = p.in.Discard(headerSize)
			block, _ = p.in.Peek(headerSize)
		}
		more, p.head = len(block) == headerSize && string(block[257:262]) == "ustar", nil
	}
	p.t.unpack(p.place.within(rest), "", p.in, p.depth+1)
}

// consumed keeps the end of what was read.
type consumed struct {
	in   *bufio.Reader
	n    int64
	ring [headerSize]byte
}

func (c *consumed) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	for i := max(0, n-len(c.ring)); i < n; i++ {
		c.ring[(c.n+int64(i))%headerSize] = p[i]
	}
	c.n += int64(n)
	return n, err
}

// ReadByte has those who read read no more than they need.
func (c *consumed) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.ring[c.n%headerSize] = b
		c.n++
	}
	return b, err
}

// last are so many bytes of the end, or all.
func (c *consumed) last(n int) string {
	var out []byte
	for at := max(0, c.n-int64(n)); at < c.n; at++ {
		out = append(out, c.ring[at%headerSize])
	}
	return string(out)
}

// unpacked reads what comes of something packed, as far as that is in proportion.
type unpacked struct {
	t    *texts
	in   io.Reader
	from *consumed // nil for what knows no order
	// other reports the error of what follows and is no part of it: then it has ended.
	other func(error) bool
	ended bool
	n     int64
	err   error // the end, too
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	var before, after int64
	if u.from != nil {
		before = u.from.n
	}
	n, err := u.in.Read(p)
	if u.from != nil {
		after = u.from.n
	}
	u.n += int64(n)
	if more := int64(n) - (after - before); more > 0 {
		u.t.budget -= more
	}
	if u.t.budget < 0 {
		n, err = 0, errTooLarge
	}
	if err == nil {
		err = u.t.ctx.Err()
	} else if u.n > 0 && u.other != nil && u.other(err) {
		u.ended, err = true, io.EOF
	}
	u.err = err
	return n, err
}

// source reads the text that is in no other one, until the context ends. What it gives
// adds to what may come of it.
type source struct {
	t  *texts
	in io.Reader
	// err is one that is not the end.
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.t.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.in.Read(p)
	s.t.budget += maxRatio * int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
