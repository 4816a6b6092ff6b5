package sandbox

import "fmt"

// reader reads the binary format. The first error stays, and everything read
// after it is zero.
type reader struct {
	b   []byte
	i   int
	err error

	functions int // imported
	elements  int
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.i >= len(r.b) {
		r.fail("it ends too early, at byte %d", r.i)
		return 0
	}
	r.i++
	return r.b[r.i-1]
}

func (r *reader) skip(n int) {
	if r.err != nil {
		return
	}
	if n < 0 || n > len(r.b)-r.i {
		r.fail("it ends too early, at byte %d", len(r.b))
		return
	}
	r.i += n
}

// u32 reads an unsigned number in LEB128 of at most five bytes.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			break
		}
		if shift == 28 {
			r.fail("a number at byte %d is too long", r.i)
			return 0
		}
	}
	if v > 1<<32-1 {
		r.fail("a number at byte %d is too large", r.i)
		return 0
	}
	return uint32(v)
}

// leb skips a number in LEB128 of at most most bytes.
func (r *reader) leb(most int) {
	for n := 1; r.byte() >= 0x80; n++ {
		if n == most {
			r.fail("a number at byte %d is too long", r.i)
			return
		}
	}
}

// count reads how many of something follow. Each takes a byte or more, so a
// count beyond the bytes that are left is wrong.
func (r *reader) count(most int, what string) int {
	n := int64(r.u32())
	switch {
	case r.err != nil:
		return 0
	case n > int64(len(r.b)-r.i):
		r.fail("it ends too early: %d bytes are left at byte %d for %d of %s", len(r.b)-r.i, r.i, n, what)
		return 0
	case n > int64(most):
		r.fail("it has %d %s; at most %d are allowed", n, what, most)
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	n := r.count(1<<16, "bytes of a name")
	from := r.i
	r.skip(n)
	if r.err != nil {
		return ""
	}
	return string(r.b[from:r.i])
}
