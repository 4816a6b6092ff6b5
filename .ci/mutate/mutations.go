package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// node returns the text of a node with its mutations as branches; false if it has
// none of its own.
func (w *writer) node(n ast.Node) (string, bool) {
	if forIf, ok := w.roles.conds[n]; ok {
		return w.cond(n.(ast.Expr), forIf)
	}
	switch n := n.(type) {
	case *ast.BasicLit:
		return w.number(n)
	case *ast.BinaryExpr:
		return w.binary(n)
	case *ast.ReturnStmt:
		if w.roles.listed[n] {
			return w.returned(n)
		}
	case *ast.AssignStmt:
		if w.roles.listed[n] && n.Tok != token.DEFINE && !isBlank(n) {
			return w.removed(n)
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && isPanic(call) {
			return "", false // a function may have to end so
		}
		if w.roles.listed[n] {
			return w.removed(n)
		}
	case *ast.DeferStmt:
		// What a missing Close leaves open, hardly a test can see.
		if s, ok := n.Call.Fun.(*ast.SelectorExpr); w.roles.listed[n] && (!ok || s.Sel.Name != "Close") {
			return w.removed(n)
		}
	case *ast.IncDecStmt, *ast.SendStmt, *ast.GoStmt:
		if w.roles.listed[n] {
			return w.removed(n)
		}
	case *ast.BranchStmt:
		if w.roles.listed[n] && (n.Tok == token.CONTINUE || n.Tok == token.BREAK) {
			return w.removed(n)
		}
	case *ast.CaseClause:
		return "", false
	}
	return "", false
}

func isBlank(n *ast.AssignStmt) bool {
	return !slices.ContainsFunc(n.Lhs, func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return !ok || id.Name != "_"
	})
}

func isPanic(n *ast.CallExpr) bool {
	id, ok := n.Fun.(*ast.Ident)
	return ok && id.Name == "panic"
}

func (w *writer) removed(n ast.Node) (string, bool) {
	id, ok := w.add(n, "%s is removed", w.short(n))
	if !ok {
		return "", false
	}
	return fmt.Sprintf("if !mutateOn(%d) { %s }", id, w.inner(n)), true
}

// cond makes a condition true and false; that of a loop only false.
func (w *writer) cond(n ast.Expr, forIf bool) (string, bool) {
	no, ok := w.add(n, "%s is false", w.short(n))
	if !ok {
		return "", false
	}
	text, changed := w.exprOf(n)
	if !changed {
		text = w.inner(n)
	}
	if !forIf {
		return fmt.Sprintf("(%s) && !mutateOn(%d)", text, no), true
	}
	yes, _ := w.add(n, "%s is true", w.short(n))
	return fmt.Sprintf("(%s) && !mutateOn(%d) || mutateOn(%d)", text, no, yes), true
}

// exprOf is the text of a condition with mutations of its operator.
func (w *writer) exprOf(n ast.Expr) (string, bool) {
	if b, ok := n.(*ast.BinaryExpr); ok {
		return w.binary(b)
	}
	return "", false
}

var (
	boundary   = map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR}
	negated    = map[token.Token]token.Token{token.EQL: token.NEQ, token.NEQ: token.EQL}
	arithmetic = map[token.Token]token.Token{
		token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
		token.AND: token.OR, token.OR: token.AND, token.XOR: token.AND, token.AND_NOT: token.AND, token.SHL: token.SHR, token.SHR: token.SHL,
	}
)

func (w *writer) binary(n *ast.BinaryExpr) (string, bool) {
	tv := w.info.Types[n]
	x, okX := w.flat(n.X)
	y, okY := w.flat(n.Y)
	if tv.Value != nil || !okX || !okY {
		return "", false
	}
	switch {
	case n.Op == token.LAND || n.Op == token.LOR:
		return w.either(n, [2]string{x, y}, [2]string{"without " + w.short(n.Y), "without " + w.short(n.X)})
	case boundary[n.Op] != 0:
		return w.either(n, [2]string{x + " " + boundary[n.Op].String() + " " + y}, [2]string{"with " + boundary[n.Op].String()})
	case negated[n.Op] != 0 && !w.roles.covered[n]:
		return w.either(n, [2]string{x + " " + negated[n.Op].String() + " " + y}, [2]string{"with " + negated[n.Op].String()})
	case arithmetic[n.Op] == 0:
		return "", false
	}
	basic, ok := tv.Type.Underlying().(*types.Basic)
	if !ok || basic.Info()&types.IsNumeric == 0 {
		return "", false
	}
	name, ok := w.typeName(tv.Type)
	if !ok {
		return "", false
	}
	id, ok := w.add(n, "%s with %s", w.short(n), arithmetic[n.Op])
	if !ok {
		return "", false
	}
	return fmt.Sprintf("func() %s { if mutateOn(%d) { return %s %s %s }; return %s }()", name, id, x, arithmetic[n.Op], y, w.inner(n)), true
}

// either is a boolean expression that others may take the place of.
func (w *writer) either(n ast.Expr, others, names [2]string) (string, bool) {
	var before, not strings.Builder
	for i, other := range others {
		if other == "" {
			continue
		}
		id, ok := w.add(n, "%s %s", w.short(n), names[i])
		if !ok {
			return "", false
		}
		fmt.Fprintf(&before, "mutateOn(%d) && (%s) || ", id, other)
		fmt.Fprintf(&not, "!mutateOn(%d) && ", id)
	}
	return "(" + before.String() + not.String() + "(" + w.inner(n) + "))", true
}

func (w *writer) number(n *ast.BasicLit) (string, bool) {
	if !w.roles.numbers[n] {
		return "", false
	}
	id, ok := w.add(n, "%s becomes %s + 1", n.Value, n.Value)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("(%s + mutateMore(%d))", n.Value, id), true
}

// returned makes each result another one.
func (w *writer) returned(n *ast.ReturnStmt) (string, bool) {
	results := w.roles.results[n]
	var b strings.Builder
	switch {
	case results == nil || results.Len() == 0:
		if id, ok := w.add(n, "return is removed"); ok {
			return fmt.Sprintf("if !mutateOn(%d) { return }", id), true
		}
		return "", false
	case len(n.Results) == 0:
		return "", false
	case len(n.Results) != results.Len():
		call, ok := w.flat(n.Results[0])
		if !ok {
			return "", false
		}
		names := make([]string, results.Len())
		for i := range names {
			names[i] = fmt.Sprintf("mutate%d", i)
		}
		for i := range results.Len() {
			for _, other := range w.others(results.At(i).Type(), nil) {
				if id, ok := w.add(n, "%s of %s is %s", nth(i), w.short(n), other); ok {
					to, from := slices.Clone(names), slices.Clone(names)
					to[i], from[i] = other, "_"
					fmt.Fprintf(&b, "if mutateOn(%d) { %s := %s; return %s }; ", id, strings.Join(from, ", "), call, strings.Join(to, ", "))
				}
			}
		}
	default:
		var exprs []string
		for _, e := range n.Results {
			text, ok := w.flat(e)
			if !ok {
				return "", false
			}
			exprs = append(exprs, text)
		}
		for i, e := range n.Results {
			for _, other := range w.others(results.At(i).Type(), e) {
				if id, ok := w.add(n, "%s of %s is %s", nth(i), w.short(n), other); ok {
					to := slices.Clone(exprs)
					to[i] = other
					fmt.Fprintf(&b, "if mutateOn(%d) { return %s }; ", id, strings.Join(to, ", "))
				}
			}
		}
	}
	if b.Len() == 0 {
		return "", false
	}
	return b.String() + w.inner(n), true
}

func nth(i int) string { return fmt.Sprintf("result %d", i+1) }

// others are values of a type that an expression, if there is one, has not.
func (w *writer) others(t types.Type, e ast.Expr) []string {
	is := ""
	if e != nil {
		is = w.orig(e)
		if v := w.info.Types[e].Value; v != nil {
			is = v.ExactString()
		}
	}
	if _, ok := t.(*types.TypeParam); ok {
		return nil
	}
	if types.Identical(t, types.Universe.Lookup("error").Type()) {
		if is == "nil" {
			return []string{"errMutate"}
		}
		return []string{"nil"}
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		switch info := u.Info(); {
		case info&types.IsBoolean != 0:
			return slices.DeleteFunc([]string{"true", "false"}, func(s string) bool { return s == is })
		case info&types.IsString != 0 && is == `""`:
			return []string{`"mutated"`}
		case info&types.IsString != 0:
			return []string{`""`}
		case info&types.IsNumeric != 0 && is == "0":
			return []string{"1"}
		case info&types.IsNumeric != 0:
			return []string{"0"}
		}
	case *types.Pointer, *types.Slice, *types.Map, *types.Chan, *types.Signature, *types.Interface:
		if is != "nil" {
			return []string{"nil"}
		}
	case *types.Struct:
		if name, ok := w.typeName(t); ok && !strings.HasSuffix(is, "{}") {
			return []string{"(" + name + "{})"}
		}
	}
	return nil
}

// typeName is what the file calls a type; false where it has no name for it.
func (w *writer) typeName(t types.Type) (string, bool) {
	known := true
	name := types.TypeString(t, func(p *types.Package) string {
		if p == w.types {
			return ""
		}
		for _, imp := range w.source.file.Imports {
			if imp.Path.Value == `"`+p.Path()+`"` {
				if imp.Name != nil {
					return imp.Name.Name
				}
				return p.Name()
			}
		}
		known = false
		return p.Name()
	})
	return name, known
}
