package sandbox

import (
	"encoding/binary"
	"slices"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// A small assembler for test modules (WebAssembly 1.0, section 5).

func u(n uint64) []byte { return binary.AppendUvarint(nil, n) }

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func vec(items ...[]byte) []byte { return cat(u(uint64(len(items))), cat(items...)) }

func text(s string) []byte { return cat(u(uint64(len(s))), []byte(s)) }

func section(id byte, body []byte) []byte { return cat([]byte{id}, u(uint64(len(body))), body) }

// i32const is the instruction; LEB128 of signed numbers needs care only for the
// sign, so it writes one byte more than the shortest.
func i32const(n int32) []byte {
	b := []byte{0x41}
	for {
		c := byte(n) & 0x7f
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func call_(f uint64) []byte { return cat([]byte{0x10}, u(f)) }

var (
	drop        = []byte{0x1a}
	unreachable = []byte{0x00}
	loopForever = []byte{0x03, 0x40, 0x0c, 0x00, 0x0b}
)

// loop repeats body forever.
func loop(body ...[]byte) []byte {
	return cat([]byte{0x03, 0x40}, cat(body...), []byte{0x0c, 0x00, 0x0b})
}

// The types that test modules use, in this order.
var types = vec(
	[]byte{0x60, 0, 0},
	[]byte{0x60, 4, i32, i32, i32, i32, 1, i32},
	[]byte{0x60, 1, i32, 0},
	[]byte{0x60, 2, i32, i32, 1, i32},
	[]byte{0x60, 3, i32, i64, i32, 1, i32},
	[]byte{0x60, 3, i32, i32, i32, 1, i32},
	[]byte{0x60, 9, i32, i32, i32, i32, i32, i64, i64, i32, i32, 1, i32},
)

// imported is a function of a test module, with an index into types.
type imported struct {
	from, name string
	t          byte
}

// source is a test module: a function _start of body, with a memory of pages
// that begins with data.
type source struct {
	imports []imported
	pages   uint64
	table   []byte // limits of the table
	locals  []byte // the vector of groups
	body    []byte
	more    [][]byte // bodies of further functions of type 0
	start   bool     // _start is the start function too
	data    []byte
	custom  []byte // a whole section at the end
}

func (s source) wasm() []byte {
	var imports, funcs, bodies [][]byte
	for _, i := range s.imports {
		imports = append(imports, cat(text(i.from), text(i.name), []byte{0, i.t}))
	}
	if s.locals == nil {
		s.locals = []byte{0}
	}
	for i, b := range append([][]byte{s.body}, s.more...) {
		locals := []byte{0}
		if i == 0 {
			locals = s.locals
		}
		code := cat(locals, b, []byte{0x0b})
		funcs, bodies = append(funcs, []byte{0}), append(bodies, cat(u(uint64(len(code))), code))
	}
	if s.pages == 0 {
		s.pages = 1
	}
	m := cat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types))
	if len(imports) > 0 {
		m = append(m, section(2, vec(imports...))...)
	}
	m = append(m, section(3, vec(funcs...))...)
	if s.table != nil {
		m = append(m, section(4, vec(cat([]byte{0x70}, s.table)))...)
	}
	m = append(m, section(5, vec(cat([]byte{0}, u(s.pages))))...)
	self := u(uint64(len(imports)))
	m = append(m, section(7, vec(cat(text("memory"), []byte{2, 0}), cat(text("_start"), []byte{0}, self)))...)
	if s.start {
		m = append(m, section(8, self)...)
	}
	m = append(m, section(10, vec(bodies...))...)
	if len(s.data) > 0 {
		m = append(m, section(11, vec(cat([]byte{0}, i32const(0), []byte{0x0b}, text(string(s.data)))))...)
	}
	return append(m, s.custom...)
}

var fdWrite = imported{wasi, "fd_write", 1}

// write is the code that writes data[16:] of a module made by says to fd. The
// function fd_write is import 0.
func write(fd int32) []byte {
	return cat(i32const(fd), i32const(0), i32const(1), i32const(8), call_(0), drop)
}

// says is a module whose memory holds s to be written, and that does body.
func says(s string, body ...[]byte) source {
	head := make([]byte, 16)
	binary.LittleEndian.PutUint32(head, 16)
	binary.LittleEndian.PutUint32(head[4:], uint32(len(s)))
	return source{imports: []imported{fdWrite}, pages: uint64(len(s)+16)/abi.PageSize + 1, data: append(head, s...), body: cat(body...)}
}

// answers is a module that writes s to standard output and ends.
func answers(s string) source { return says(s, write(1)) }
