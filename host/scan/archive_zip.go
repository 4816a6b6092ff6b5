package scan

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"math"
	"strings"
)

// zip searches the files of a zip. It is read from its end, so one in another text has to
// fit into memory.
func (p *pack) zip() {
	var at io.ReaderAt
	size := p.t.size
	if file := p.t.at; file != nil && p.depth == 0 {
		at = file
		p.t.budget += maxRatio * size
	} else {
		data, err := io.ReadAll(io.LimitReader(p.in, p.t.spool+1))
		if int64(len(data)) > p.t.spool {
			err = errLargeZip
		}
		if err != nil {
			p.t.plain(p.place, p.file, nil, io.MultiReader(bytes.NewReader(data), p.in), nil)
			if errors.Is(err, errLargeZip) {
				p.t.note(p.place, err)
			} else {
				p.t.damaged(p.place, err)
			}
			return
		}
		size = int64(len(data))
		at, p.in = bytes.NewReader(data), bufio.NewReader(bytes.NewReader(data))
		p.t.spool -= size
		defer func() { p.t.spool += size }()
	}
	list := &directory{at: at, left: maxDirectory}
	r, err := zip.NewReader(list, size)
	if err != nil {
		p.t.plain(p.place, p.file, nil, p.in, nil)
		p.t.damaged(p.place, err)
		return
	}
	list.left = math.MaxInt64
	r.RegisterDecompressor(methodBzip2, func(in io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(in)) })
	if p.t.s.Zstd != nil {
		r.RegisterDecompressor(methodZstd, func(in io.Reader) io.ReadCloser {
			z, err := p.t.s.Zstd(in)
			if err != nil {
				return io.NopCloser(failing{err})
			}
			return z
		})
	}
	p.t.comment(p.place, r.Comment)
	for _, f := range r.File {
		inner := p.place.within(f.Name)
		p.t.name(inner)
		p.t.comment(inner, f.Comment)
		switch {
		case p.t.ctx.Err() != nil:
			return
		case strings.HasSuffix(f.Name, "/"):
		case f.Flags&1 != 0:
			p.t.note(inner, errEncrypted)
		default:
			p.zipped(inner, f)
		}
	}
}

// failing is a reader that could not be made.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (p *pack) zipped(inner Place, f *zip.File) {
	in, err := f.Open()
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		p.t.note(inner, errMethod)
		return
	case err != nil:
		p.t.damaged(inner, err)
		return
	}
	defer in.Close()
	out := &unpacked{t: p.t, in: in}
	if p.t.unpack(inner, "", out, p.depth+1); out.err != nil && !errors.Is(out.err, io.EOF) {
		p.t.damaged(inner, out.err)
	}
}

// comment searches one of a place.
func (t *texts) comment(place Place, text string) {
	if text != "" {
		_, _ = t.Write([]byte(text))
		t.end(place.within("(comment)"), "")
	}
}

// directory reads as much of a zip as its list of files may have, before it is unpacked.
type directory struct {
	at   io.ReaderAt
	left int64
}

func (d *directory) ReadAt(p []byte, off int64) (int, error) {
	if d.left -= int64(len(p)); d.left < 0 {
		return 0, errors.New("it has too many files")
	}
	return d.at.ReadAt(p, off)
}
