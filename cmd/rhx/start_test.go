package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Every start of rhx would wait for a regular expression that is compiled where a package
// begins, whatever is asked: such ones are compiled when they are first used.
func TestNothingIsCompiledAtTheStart(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || path != "../.." && strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, name := range compiled(file) {
			t.Errorf("%s: %s", path, name)
		}
		return nil
	})
	if err != nil || files < 200 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestCompiledExpressionsAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"var a = regexp.MustCompile(`x`)":                         "a",
		"var (\n\tb = 1\n\tc = []any{regexp.MustCompile(`x`)}\n)": "c",
		"var d = sync.OnceValue(func() any { return regexp.MustCompile(`x`) })\nfunc f() { _ = regexp.MustCompile(`x`) }": "",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(compiled(file), " "); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}

// compiled are the variables of a package whose values need a regular expression at once.
func compiled(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			for _, value := range spec.Values {
				ast.Inspect(value, func(n ast.Node) bool {
					if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "MustCompile" {
						names = append(names, spec.Names[0].Name)
					}
					_, later := n.(*ast.FuncLit)
					return !later
				})
			}
		}
	}
	return names
}
