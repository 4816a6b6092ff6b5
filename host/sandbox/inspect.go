package sandbox

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// What a module may be made of. wazero compiles whatever is valid, and ends the
// process where that takes too much memory: a function that declares 2^32-1
// locals is 115 bytes. The largest numbers seen in guests compiled from C,
// Rust, Zig, AssemblyScript and Go are in brackets.
const (
	maxFunctions    = 20_000    // [3,700]
	maxTypes        = 5_000     // [60]
	maxImports      = 64        // [16]; there are 46 functions to import
	maxGlobals      = 5_000     // [9]
	maxExports      = 5_000     // [4]
	maxSegments     = 65_536    // of elements, and of data [4,400]
	maxParams       = 256       // of a type, as many results [10]
	maxLocals       = 2_000     // of a function [20]
	maxBody         = 128 << 10 // bytes of a function [30,000]
	maxDepthBlocks  = 2_000     // blocks within blocks [549]
	maxLocalsBlocks = 50_000    // locals times blocks of a function [5,940]; trouble begins at 100,000
	maxBlockValues  = 1_000     // parameters and results of a function's blocks [0]
	maxBranches     = 8_192     // br_table entries of a function [965]
	maxTable        = 65_536    // entries of the table [4,000]
	maxConst        = 16        // instructions of a constant expression [2]

	// maxWork bounds the sum over all functions of locals times blocks and of
	// br_table entries five times: what the time of compiling grows with beyond
	// the file's size [960,000].
	maxWork = 2_500_000
)

// function is an import of a module.
type function struct {
	name            string
	params, results []byte // value types of the binary format
}

// fits reports whether an import has the type that the function has. Those that
// only say that they are not there may have any with at most an error as result.
func (f function) fits() bool {
	if len(f.results) > 1 || len(f.results) == 1 && f.results[0] != i32 {
		return false
	}
	params, result, ok := signatureOf(f.name)
	if !ok {
		return len(f.results) == 1 && len(f.params) <= 16
	}
	if len(params) != len(f.params) || result != (len(f.results) == 1) {
		return false
	}
	for i, p := range f.params {
		if p != i32 && p != i64 || (p == i64) != (params[i] == 'I') {
			return false
		}
	}
	return true
}

// module is what inspect found out.
type module struct {
	imports []function
	// code is the module without its custom sections. They hold names and debug
	// information, which wazero would decode with no bound on its memory.
	code []byte
}

// inspect reads the whole module and refuses it where it is not a WASI command,
// asks for something that it cannot have, or would cost wazero more memory or
// time to compile than real modules do. It accepts WebAssembly 2.0 without
// vector instructions and without table.grow, which no limit of wazero bounds.
//
// It decodes all that wazero decodes, with the same grammar, since wazero
// allocates by the counts that it reads before it finds that the bytes end.
func inspect(wasm []byte, lim Limits) (*module, error) {
	if int64(len(wasm)) > lim.Module {
		return nil, abi.TooLarge(lim)
	}
	if len(wasm) < 8 || string(wasm[:4]) != "\x00asm" {
		return nil, errors.New("is refused: it is not a wasm module")
	}
	if string(wasm[4:8]) != "\x01\x00\x00\x00" {
		return nil, errors.New("is refused: it is not a module of wasm version 1")
	}
	in := &inspector{reader: reader{b: wasm, i: 8}, lim: lim}
	in.module()
	if in.err != nil {
		return nil, fmt.Errorf("is refused: %w", in.err)
	}
	m := &module{imports: in.imports, code: wasm}
	if len(in.custom) > 0 {
		m.code = make([]byte, 0, len(wasm))
		from := 0
		for _, c := range in.custom {
			m.code = append(m.code, wasm[from:c[0]]...)
			from = c[1]
		}
		m.code = append(m.code, wasm[from:]...)
	}
	return m, nil
}

type signature struct{ params, results []byte }

type inspector struct {
	reader
	lim     Limits
	custom  [][2]int
	types   []signature
	imports []function
	defined []uint32 // types of the module's own functions
	bodies  int
	tables  int
	memory  bool
	start   bool // _start is exported
	work    int
}

// The order of sections; the data count section (12) stands before code (10).
var sectionOrder = [...]byte{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 12: 10, 10: 11, 11: 12}

func (in *inspector) module() {
	last := byte(0)
	for in.err == nil && in.i < len(in.b) {
		begin := in.i
		id := in.byte()
		n := in.count(len(in.b), "a section")
		if in.err != nil {
			return
		}
		end := in.i + n
		if id == 0 {
			in.custom = append(in.custom, [2]int{begin, end})
			if len(in.custom) > 10_000 {
				in.fail("it has more than 10000 custom sections")
			}
			in.i = end
			continue
		}
		if int(id) >= len(sectionOrder) || sectionOrder[id] == 0 {
			in.fail("it has a section of kind %d, which is not allowed", id)
			return
		}
		if sectionOrder[id] <= last {
			in.fail("its sections are out of order")
			return
		}
		last = sectionOrder[id]
		whole := in.b
		in.b = whole[:end]
		in.section(id)
		if in.err == nil && in.i != end {
			in.fail("a section of kind %d is longer than its contents", id)
		}
		in.b = whole
	}
	switch {
	case in.err != nil:
	case in.bodies != len(in.defined):
		in.fail("it declares %d functions and has %d", len(in.defined), in.bodies)
	case !in.start:
		in.fail("it is not a WASI command: it exports no function _start")
	}
}

func (in *inspector) section(id byte) {
	switch id {
	case 1:
		in.each(maxTypes, "types", in.functionType)
	case 2:
		in.each(maxImports, "imports", in.importEntry)
	case 3:
		in.each(maxFunctions, "functions", func() { in.defined = append(in.defined, in.typeIndex()) })
	case 4:
		in.each(1, "tables", in.tableType)
	case 5:
		in.each(1, "memories", in.memoryType)
	case 6:
		in.each(maxGlobals, "globals", func() {
			in.valueType()
			in.byte() // whether it can change
			in.constant()
		})
	case 7:
		in.each(maxExports, "exports", in.export)
	case 8:
		in.u32()
	case 9:
		in.each(maxSegments, "element segments", in.element)
	case 12:
		if in.u32() > maxSegments {
			in.fail("it has more than %d data segments", maxSegments)
		}
	case 10:
		in.each(maxFunctions, "functions", in.body)
	case 11:
		in.each(maxSegments, "data segments", in.segment)
	}
}

// each reads a vector: a count, then as many entries.
func (in *inspector) each(most int, what string, entry func()) {
	n := in.count(most, what)
	for i := 0; i < n && in.err == nil; i++ {
		entry()
	}
}

func (in *inspector) functionType() {
	if in.byte() != 0x60 {
		in.fail("a type is not a function's")
	}
	var s signature
	s.params = in.valueTypes(maxParams, "parameters")
	s.results = in.valueTypes(maxParams, "results")
	in.types = append(in.types, s)
}

func (in *inspector) typeIndex() uint32 {
	i := in.u32()
	if in.err == nil && int64(i) >= int64(len(in.types)) {
		in.fail("it names a type that it does not have")
		return 0
	}
	return i
}

func (in *inspector) valueTypes(most int, what string) []byte {
	n := in.count(most, what)
	from := in.i
	for i := 0; i < n && in.err == nil; i++ {
		in.valueType()
	}
	if in.err != nil {
		return nil
	}
	return in.b[from:in.i]
}

func (in *inspector) valueType() {
	switch t := in.byte(); t {
	case 0x7f, 0x7e, 0x7d, 0x7c, 0x70, 0x6f: // i32 i64 f32 f64 funcref externref
	case 0x7b:
		in.fail("it uses vector instructions, which are not allowed")
	default:
		in.fail("it uses a type (%#x) that is not allowed", t)
	}
}

func (in *inspector) importEntry() {
	from, name := in.name(), in.name()
	kind := in.byte()
	if in.err != nil {
		return
	}
	full := abi.Printable(from+"."+name, abi.MaxKey)
	if from != wasi || !known(name) {
		in.fail("it imports %s, which rhx does not offer", full)
		return
	}
	if kind != 0 {
		in.fail("it imports %s, which is not a function there", full)
		return
	}
	t := in.typeIndex()
	if in.err != nil {
		return
	}
	f := function{name, in.types[t].params, in.types[t].results}
	if !f.fits() {
		in.fail("it imports %s with a type that it does not have", full)
	}
	switch at := slices.IndexFunc(in.imports, func(g function) bool { return g.name == name }); {
	case at < 0:
		in.imports = append(in.imports, f)
	case string(f.params) != string(in.imports[at].params):
		in.fail("it imports %s twice, with two types", full)
	}
	in.functions++
}

func (in *inspector) tableType() {
	switch in.byte() {
	case 0x70, 0x6f:
	default:
		in.fail("a table is of a type that is not allowed")
	}
	low := in.limits()
	if low > maxTable {
		in.fail("its table has %d entries; at most %d are allowed", low, maxTable)
	}
	in.tables++
}

func (in *inspector) memoryType() {
	low := in.limits()
	if int64(low)*abi.PageSize > in.lim.Memory {
		in.fail("it needs %s of memory; at most %s are allowed", abi.Size(int64(low)*abi.PageSize), abi.Size(in.lim.Memory))
	}
	in.memory = true
}

// limits reads the least and the most of a table or memory, and returns the least.
// Flags above 1 are shared or 64-bit memories.
func (in *inspector) limits() uint32 {
	flag := in.byte()
	if flag > 1 {
		in.fail("it has a shared or 64-bit memory, which is not allowed")
		return 0
	}
	least := in.u32()
	if flag == 1 {
		in.u32()
	}
	return least
}

func (in *inspector) export() {
	name, kind, index := in.name(), in.byte(), in.u32()
	if in.err != nil || name != "_start" {
		return
	}
	own := int64(index) - int64(in.functions)
	if kind != 0 || own < 0 || own >= int64(len(in.defined)) {
		in.fail("its export _start is not a function of its own")
		return
	}
	if t := in.types[in.defined[own]]; len(t.params)+len(t.results) > 0 {
		in.fail("its function _start has parameters or results")
		return
	}
	in.start = true
}

// constant reads a constant expression.
func (in *inspector) constant() {
	for n := 0; in.err == nil; n++ {
		if n > maxConst {
			in.fail("a constant expression has more than %d instructions", maxConst)
			return
		}
		switch op := in.byte(); op {
		case 0x0b:
			return
		case 0x41:
			in.leb(5)
		case 0x42:
			in.leb(10)
		case 0x43:
			in.skip(4)
		case 0x44:
			in.skip(8)
		case 0x23, 0xd2: // global.get, ref.func
			in.u32()
		case 0xd0: // ref.null
			in.valueType()
		default:
			in.fail("a constant expression has an instruction (%#x) that is not allowed", op)
		}
	}
}

// element reads an element segment, of which there are eight forms (WebAssembly
// 2.0, section 5.5.12).
func (in *inspector) element() {
	form := in.u32()
	if form > 7 {
		in.fail("an element segment has an unknown form")
		return
	}
	passive, explicit, expressions := form&1 != 0, form&2 != 0, form&4 != 0
	if !passive {
		if explicit {
			in.u32() // the table
		}
		in.constant()
	}
	if explicit || passive {
		if expressions {
			in.valueType()
		} else if in.byte() != 0 {
			in.fail("an element segment is of an unknown kind")
		}
	}
	in.each(maxTable, "elements of a segment", func() {
		if in.elements++; in.elements > 2*maxTable {
			in.fail("it has more than %d elements", 2*maxTable)
		}
		if expressions {
			in.constant()
		} else {
			in.u32()
		}
	})
}

func (in *inspector) segment() {
	form := in.u32()
	if form > 2 {
		in.fail("a data segment has an unknown form")
		return
	}
	if form == 2 {
		in.u32() // the memory
	}
	if form != 1 {
		in.constant()
	}
	in.skip(in.count(len(in.b), "bytes of data"))
}
