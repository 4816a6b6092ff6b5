package main

import (
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"strings"
)

// runtime is what the branches call. It is a file of the package while its tests
// are built. MUTATE_REACHED names a file that gets the number of each mutation that
// is reached. It allocates nothing, for tests that count that.
const runtime = `
import (
	mutateErrors "errors"
	mutateOS "os"
	mutateStrconv "strconv"
	mutateAtomic "sync/atomic"
)

var (
	mutateID, _   = mutateStrconv.Atoi(mutateOS.Getenv("MUTATE_ID"))
	mutateReached = mutateOpen(mutateOS.Getenv("MUTATE_REACHED"))
	mutateSeen    [%d]mutateAtomic.Bool
	errMutate     = mutateErrors.New("an error that a mutation made")
)

// mutateOpen is early: a test may leave the process no files.
func mutateOpen(name string) *mutateOS.File {
	if name == "" {
		return nil
	}
	f, err := mutateOS.OpenFile(name, mutateOS.O_APPEND|mutateOS.O_CREATE|mutateOS.O_WRONLY, 0o666)
	if err != nil {
		panic(err)
	}
	return f
}

func mutateOn(id int) bool {
	if mutateReached != nil {
		mutateNote(id)
	}
	return id == mutateID
}

func mutateNote(id int) {
	if mutateSeen[id].Swap(true) {
		return
	}
	if _, err := mutateReached.WriteString(mutateStrconv.Itoa(id) + "\n"); err != nil {
		panic(err)
	}
}

func mutateMore(id int) int {
	if mutateOn(id) {
		return 1
	}
	return 0
}
`

// mutation is one small change.
type mutation struct {
	id     int
	pos    token.Position
	change string
}

// writer writes a file anew with each mutation as a branch. What it writes has each
// line where it was, so that the compiler's errors and panics name the right one.
type writer struct {
	*pack
	source *source
	muts   []mutation
	bad    map[string]bool
	roles  roles
}

func (w *writer) all(s *source) string {
	w.source = s
	w.roles = newRoles(w.pack, s.file)
	return string(s.text[:w.offset(s.file.Pos())]) + w.inner(s.file) + string(s.text[w.offset(s.file.End()):])
}

func (w *writer) offset(pos token.Pos) int { return w.fset.Position(pos).Offset }

// orig is the text of a node as it is.
func (w *writer) orig(n ast.Node) string {
	return string(w.source.text[w.offset(n.Pos()):w.offset(n.End())])
}

// inner is the text of a node with the mutations in what is below it.
func (w *writer) inner(n ast.Node) string {
	var b strings.Builder
	at := n.Pos()
	ast.Inspect(n, func(c ast.Node) bool {
		if c == nil || c == n {
			return true
		}
		if w.roles.skip[c] {
			return false
		}
		text, changed := w.node(c)
		if !changed {
			return true
		}
		b.Write(w.source.text[w.offset(at):w.offset(c.Pos())])
		b.WriteString(text)
		at = c.End()
		return false
	})
	b.Write(w.source.text[w.offset(at):w.offset(n.End())])
	return b.String()
}

// add returns the number of a new mutation; false on a line that is left out.
func (w *writer) add(n ast.Node, format string, a ...any) (int, bool) {
	pos := w.fset.Position(n.Pos())
	// A mutation's text may be refused where the node ends as well.
	for line := pos.Line; line <= w.fset.Position(n.End()).Line; line++ {
		if w.bad[fmt.Sprintf("%s:%d", pos.Filename, line)] {
			return 0, false
		}
	}
	id := len(w.muts) + 1
	w.muts = append(w.muts, mutation{id, pos, fmt.Sprintf(format, a...)})
	return id, true
}

// flat is the text of a node on one line; false where a literal has several.
func (w *writer) flat(n ast.Node) (string, bool) {
	text := []byte(w.orig(n))
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", fset.Base(), len(text)), text, nil, 0)
	var b strings.Builder
	for {
		_, tok, lit := s.Scan()
		switch {
		case tok == token.EOF:
			flat := strings.TrimSuffix(b.String(), "; ") // of the end of the text
			return flat, !strings.Contains(flat, "\n")
		case tok == token.SEMICOLON && lit == "\n":
			b.WriteString("; ")
		case lit != "":
			b.WriteString(lit + " ")
		default:
			b.WriteString(tok.String() + " ")
		}
	}
}

// short is the text of a node for people.
func (w *writer) short(n ast.Node) string {
	text := strings.Join(strings.Fields(w.orig(n)), " ")
	if r := []rune(text); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return text
}
