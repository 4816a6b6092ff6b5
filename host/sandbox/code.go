package sandbox

// The value types of integers in the binary format.
const (
	i32 = 0x7f
	i64 = 0x7e
)

// body reads a function: its locals, and its instructions with their operands.
func (in *inspector) body() {
	n := in.count(maxBody, "bytes of a function")
	if in.err != nil {
		return
	}
	number := in.bodies
	in.bodies++
	if number >= len(in.defined) {
		in.fail("it has more functions than it declares")
		return
	}
	whole := in.b
	in.b = whole[:in.i+n]
	params := len(in.types[in.defined[number]].params)
	if locals := in.locals(number); in.err == nil {
		in.instructions(number, params+locals)
	}
	if in.err == nil && in.i != len(in.b) {
		in.fail("function %d goes on after its end", number)
	}
	in.b = whole
	if in.work > maxWork {
		in.fail("it would take too long to compile")
	}
}

func (in *inspector) locals(number int) int {
	var n uint64
	in.each(maxLocals, "groups of locals", func() {
		n += uint64(in.u32())
		in.valueType()
		if n > maxLocals {
			in.fail("function %d has %d locals; at most %d are allowed", number, n, maxLocals)
		}
	})
	return int(n)
}

func (in *inspector) instructions(number, locals int) {
	depth, blocks, values, branches := 1, 1, 0, 0
	for in.err == nil {
		switch op := in.byte(); {
		case op >= 0x02 && op <= 0x04: // block, loop, if
			depth++
			blocks++
			values += in.blockType()
			if depth > maxDepthBlocks {
				in.fail("function %d has blocks more than %d deep", number, maxDepthBlocks)
			}
			if blocks*(locals+1) > maxLocalsBlocks {
				in.fail("function %d has too many locals and blocks for compiling it in time", number)
			}
			if values > maxBlockValues {
				in.fail("function %d has too many parameters and results of blocks", number)
			}
		case op == 0x0b: // end
			if depth--; depth == 0 {
				in.work += blocks*(locals+1) + 5*branches
				return
			}
		case op == 0x0e: // br_table
			in.each(maxBranches, "br_table entries", func() { in.u32(); branches++ })
			in.u32()
			if branches > maxBranches {
				in.fail("function %d has more than %d br_table entries", number, maxBranches)
			}
		case op == 0xfc:
			in.miscellaneous(number)
		default:
			in.plain(op, number)
		}
	}
}

// blockType reads a block's type and returns how many parameters and results
// beyond one it has.
func (in *inspector) blockType() int {
	if in.err == nil && in.i < len(in.b) {
		switch c := in.b[in.i]; {
		case c == 0x40:
			in.i++
			return 0
		case c&0xc0 == 0x40: // a negative number of one byte: a value type
			in.valueType()
			return 0
		}
	}
	// A signed number of 33 bits that must not be negative.
	t := in.typeIndex()
	if in.err != nil {
		return 0
	}
	return len(in.types[t].params) + len(in.types[t].results)
}

// plain reads the operands of an instruction that has no blocks.
func (in *inspector) plain(op byte, number int) {
	switch {
	case op <= 0x01, op == 0x05, op == 0x0f, op == 0x1a, op == 0x1b, op == 0xd1: // unreachable nop else return drop select ref.is_null
	case op == 0x0c, op == 0x0d, op == 0x10, op >= 0x20 && op <= 0x26, op == 0xd2: // br br_if call, variables and tables, ref.func
		in.u32()
	case op == 0x11: // call_indirect
		in.u32()
		in.u32()
	case op == 0x1c: // select with a type
		in.valueTypes(1, "types of a select")
	case op >= 0x28 && op <= 0x3e: // loads and stores
		in.u32()
		in.u32()
	case op == 0x3f, op == 0x40: // memory.size, memory.grow
		in.byte()
	case op == 0x41:
		in.leb(5)
	case op == 0x42:
		in.leb(10)
	case op == 0x43:
		in.skip(4)
	case op == 0x44:
		in.skip(8)
	case op >= 0x45 && op <= 0xc4: // arithmetic
	case op == 0xd0: // ref.null
		in.valueType()
	case op == 0xfd:
		in.fail("function %d uses vector instructions, which are not allowed", number)
	default:
		in.fail("function %d has an instruction (%#x) that is not allowed", number, op)
	}
}

// miscellaneous reads an instruction with the prefix 0xfc.
func (in *inspector) miscellaneous(number int) {
	switch op := in.byte(); op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // conversions that saturate
	case 8: // memory.init
		in.u32()
		in.byte()
	case 10: // memory.copy
		in.byte()
		in.byte()
	case 11: // memory.fill
		in.byte()
	case 9, 13, 16, 17: // data.drop elem.drop table.size table.fill
		in.u32()
	case 12, 14: // table.init, table.copy
		in.u32()
		in.u32()
	case 15:
		in.fail("function %d uses table.grow, which is not allowed", number)
	default:
		in.fail("function %d has an instruction (0xfc %#x) that is not allowed", number, op)
	}
}
