package main

import (
	"go/ast"
	"go/token"
	"go/types"
)

// roles say of the nodes of a file what they are in it.
type roles struct {
	// skip are those that are not mutated, nor what is in them.
	skip map[ast.Node]bool
	// listed are statements in a list of statements: there an if may stand around.
	listed map[ast.Node]bool
	// conds are conditions: of if (true) and of for (false).
	conds map[ast.Node]bool
	// covered are parts of a condition or of what is returned whose value another
	// mutation changes already.
	covered map[ast.Node]bool
	// numbers are whole numbers that may be one more.
	numbers map[ast.Node]bool
	// results are of the function around a return.
	results map[ast.Node]*types.Tuple
}

func newRoles(p *pack, file *ast.File) roles {
	c := roles{map[ast.Node]bool{}, map[ast.Node]bool{}, map[ast.Node]bool{}, map[ast.Node]bool{}, map[ast.Node]bool{}, map[ast.Node]*types.Tuple{}}
	var stack []ast.Node
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		stack = append(stack, n)
		c.note(p, n, stack)
		return true
	})
	return c
}

func (c roles) note(p *pack, n ast.Node, stack []ast.Node) {
	switch n := n.(type) {
	case *ast.GenDecl:
		c.skip[n] = n.Tok == token.CONST || n.Tok == token.TYPE || n.Tok == token.IMPORT
	case *ast.FuncType:
		c.skip[n] = true
	case *ast.BlockStmt:
		c.list(n.List)
	case *ast.CaseClause:
		c.list(n.Body)
	case *ast.CommClause:
		c.list(n.Body)
	case *ast.IfStmt:
		c.conds[n.Cond], c.covered[n.Cond] = true, true
	case *ast.ForStmt:
		if n.Cond != nil {
			c.conds[n.Cond], c.covered[n.Cond] = false, true
		}
		if n.Post != nil {
			c.skip[n.Post] = true
		}
	case *ast.ParenExpr:
		c.covered[n.X] = c.covered[n]
	case *ast.UnaryExpr:
		c.covered[n.X] = c.covered[n] && n.Op == token.NOT
	case *ast.BinaryExpr:
		if n.Op == token.LAND || n.Op == token.LOR {
			c.covered[n.X], c.covered[n.Y] = true, true
		}
		if n.Op == token.EQL || n.Op == token.NEQ {
			c.number(p, n.X, n.Y)
		}
	case *ast.SliceExpr:
		c.number(p, n.Low, n.High)
	case *ast.IndexExpr:
		c.number(p, n.Index)
	case *ast.AssignStmt:
		c.number(p, n.Rhs...)
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); !ok || id.Name != "make" {
			c.number(p, n.Args...)
		} else if _, isMap := p.info.Types[n.Args[0]].Type.Underlying().(*types.Map); isMap || len(n.Args) == 3 {
			c.skip[n.Args[len(n.Args)-1]] = len(n.Args) > 1 // it changes only the speed
		}
	case *ast.ReturnStmt:
		for _, e := range n.Results {
			c.covered[e] = true
		}
		c.results[n] = results(p, stack)
	}
}

func (c roles) list(stmts []ast.Stmt) {
	for _, s := range stmts {
		c.listed[s] = true
	}
}

func (c roles) number(p *pack, exprs ...ast.Expr) {
	for _, e := range exprs {
		lit, ok := e.(*ast.BasicLit)
		if ok && lit.Kind == token.INT && types.Identical(p.info.Types[e].Type, types.Typ[types.Int]) {
			c.numbers[e] = true
		}
	}
}

// results are what the innermost function of a stack of nodes returns.
func results(p *pack, stack []ast.Node) *types.Tuple {
	for i := len(stack) - 1; i >= 0; i-- {
		switch f := stack[i].(type) {
		case *ast.FuncLit:
			if s, ok := p.info.Types[f].Type.(*types.Signature); ok {
				return s.Results()
			}
		case *ast.FuncDecl:
			if o, ok := p.info.Defs[f.Name].(*types.Func); ok {
				return o.Signature().Results()
			}
		}
	}
	return nil
}
