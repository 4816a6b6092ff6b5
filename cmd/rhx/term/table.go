package term

import (
	"io"
	"slices"
	"strings"
	"unicode"
)

// Table is a table for people.
type Table struct {
	Header []string
	Rows   [][]string
	// States is the first column whose cells begin with a state, which has its
	// colour there; 0 for none.
	States int
}

const (
	// gap is how many columns of the terminal are between two of the table.
	gap = 2
	// narrowest is how narrow a column with more in it can be.
	narrowest = 10
)

// stateColors are the colours of states, by the first word of a cell.
var stateColors = map[string]string{"same": "32", "differs": "33", "missing": "31", "unreachable": "1;31", "expired": "31"}

// Print prints a table. On a terminal it is as wide as that at most: cells have
// several lines where they must, and columns that find no place follow in a table
// of their own, each behind the first one.
func (t *Terminal) Print(tb Table) error {
	if t.OutTTY {
		return t.print(tb, t.Width())
	}
	return t.print(tb, 0)
}

// print is Print for a width; 0 for lines as long as they come.
func (t *Terminal) print(tb Table, width int) error {
	_, err := io.WriteString(t.out, t.render(tb, width))
	return err
}

// render is the text of a table.
func (t *Terminal) render(tb Table, width int) string {
	rows := make([][]string, 0, len(tb.Rows)+1)
	for _, r := range append([][]string{tb.Header}, tb.Rows...) {
		cells := make([]string, len(r))
		for i := range r {
			cells[i] = Line(r[i])
		}
		rows = append(rows, cells)
	}
	var b strings.Builder
	for i, block := range blocks(rows, width) {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, r := range rows {
			t.writeRow(&b, r, block, j == 0, tb.States)
		}
	}
	return b.String()
}

// column is a column of the table that has its place in a block.
type column struct{ index, width int }

// blocks parts the columns of rows into those that are printed side by side, so
// that no line is longer than width; 0 is any length.
func blocks(rows [][]string, width int) [][]column {
	all := make([]column, len(rows[0]))
	for i := range all {
		all[i].index = i
		for _, r := range rows {
			if i < len(r) {
				all[i].width = max(all[i].width, columns(r[i]))
			}
		}
	}
	if width <= 0 {
		return [][]column{all}
	}
	var out [][]column
	for rest := all[min(1, len(all)):]; ; {
		block := slices.Clone(all[:min(1, len(all))])
		for len(rest) > 0 && (len(block) < 2 || least(append(slices.Clone(block), rest[0])) <= width) {
			block, rest = append(block, rest[0]), rest[1:]
		}
		shrink(block, width)
		out = append(out, block)
		if len(rest) == 0 {
			return out
		}
	}
}

// least is how much place columns need at least.
func least(block []column) int {
	n := gap * (len(block) - 1)
	for _, c := range block {
		n += min(c.width, narrowest)
	}
	return n
}

// shrink takes from the widest columns what is more than width.
func shrink(block []column, width int) {
	over := -width + gap*(len(block)-1)
	for _, c := range block {
		over += c.width
	}
	for ; over > 0; over-- {
		widest := 0
		for i := range block {
			if block[i].width > block[widest].width {
				widest = i
			}
		}
		if block[widest].width <= 1 {
			return
		}
		block[widest].width--
	}
}

// writeRow writes a row in as many lines as its cells need.
func (t *Terminal) writeRow(b *strings.Builder, row []string, block []column, header bool, states int) {
	cells := make([][]string, len(block))
	lines := 1
	for i, c := range block {
		if c.index < len(row) {
			cells[i] = Wrap(row[c.index], c.width)
		}
		lines = max(lines, len(cells[i]))
	}
	for n := range lines {
		var line strings.Builder
		blank := 0 // columns that are only written where text follows
		for i, c := range block {
			cell := ""
			if n < len(cells[i]) {
				cell = cells[i][n]
			}
			if cell != "" {
				line.WriteString(strings.Repeat(" ", blank))
				blank = 0
				line.WriteString(t.paint(cellColor(row, c.index, header, states), cell, t.OutTTY))
			}
			blank += c.width - columns(cell) + gap
		}
		b.WriteString(line.String() + "\n")
	}
}

func cellColor(row []string, i int, header bool, states int) string {
	switch {
	case header:
		return "1"
	case states > 0 && i >= states:
		word := row[i]
		if end := strings.IndexAny(word, " :"); end >= 0 {
			word = word[:end]
		}
		return stateColors[word]
	}
	return ""
}

// Wrap parts text into lines of at most width columns: at spaces, else behind a
// slash, a comma or a dash in the second half of a line, else where the line ends.
func Wrap(text string, width int) []string {
	var out []string
	for columns(text) > width {
		end, used := 0, 0
		for i, r := range text {
			if used += runeColumns(r); used > width && i > 0 {
				break
			}
			end = i + len(string(r))
		}
		next := end
		if space := strings.LastIndexByte(text[:min(end+1, len(text))], ' '); space > 0 {
			end, next = space, space+1
		} else if mark := strings.LastIndexAny(text[:end], "/,-_"); mark >= end/2 && mark > 0 {
			end, next = mark+1, mark+1
		}
		if line := strings.TrimRight(text[:end], " "); line != "" {
			out = append(out, line)
		}
		text = text[next:]
	}
	return append(out, text)
}

// columns is how many columns text takes on a terminal.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

// wide are the ranges of characters that take two columns: Unicode's East Asian
// Width W and F, with the gaps between neighbours closed.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x231a, Hi: 0x231b, Stride: 1}, {Lo: 0x23e9, Hi: 0x23ec, Stride: 1},
		{Lo: 0x26a1, Hi: 0x26a1, Stride: 1}, {Lo: 0x2705, Hi: 0x2705, Stride: 1}, {Lo: 0x274c, Hi: 0x274c, Stride: 1},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0x33ff, Stride: 1}, {Lo: 0x3400, Hi: 0x4dbf, Stride: 1},
		{Lo: 0x4e00, Hi: 0x9fff, Stride: 1}, {Lo: 0xa000, Hi: 0xa4cf, Stride: 1}, {Lo: 0xa960, Hi: 0xa97c, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x18cff, Stride: 1}, {Lo: 0x1aff0, Hi: 0x1b2ff, Stride: 1}, {Lo: 0x1f300, Hi: 0x1f64f, Stride: 1},
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}
