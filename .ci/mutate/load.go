package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pack is a package with its types.
type pack struct {
	path, dir string
	root      string // of the module
	fset      *token.FileSet
	files     []*source
	imports   types.Importer
	info      *types.Info
	types     *types.Package
}

type source struct {
	name string
	text []byte
	file *ast.File
}

// load reads the package in dir. The types of what it imports come from the
// compiler's export data.
func load(dir string) (*pack, error) {
	var stderr bytes.Buffer
	// The mutated package also imports what the branches need.
	cmd := exec.Command("go", "list", "-e", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles,DepOnly,Standard,Error,Module", ".", "errors", "os", "strconv", "sync/atomic")
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w\n%s", dir, err, &stderr)
	}
	p := &pack{fset: token.NewFileSet()}
	exports := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var one struct {
			ImportPath, Export, Dir string
			GoFiles                 []string
			DepOnly, Standard       bool
			Error                   *struct{ Err string }
			Module                  *struct{ Dir string }
		}
		if err := dec.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[one.ImportPath] = one.Export
		if one.DepOnly || one.Standard {
			continue
		}
		if one.Error != nil {
			return nil, fmt.Errorf("%s: %s", dir, one.Error.Err)
		}
		if one.Module == nil {
			return nil, fmt.Errorf("%s is in no module", dir)
		}
		p.path, p.dir, p.root = one.ImportPath, one.Dir, one.Module.Dir
		for _, name := range one.GoFiles {
			s := &source{name: filepath.Join(one.Dir, name)}
			if s.text, err = os.ReadFile(s.name); err != nil {
				return nil, err
			}
			if s.file, err = parser.ParseFile(p.fset, s.name, s.text, parser.SkipObjectResolution|parser.ParseComments); err != nil {
				return nil, err
			}
			p.files = append(p.files, s)
		}
	}
	p.imports = importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("there is no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	var files []*ast.File
	for _, s := range p.files {
		files = append(files, s.file)
	}
	conf := types.Config{Importer: p.imports}
	p.types, err = conf.Check(p.path, p.fset, files, p.info)
	return p, err
}

// rewrite returns the mutations of the files that fit the pattern, and the text of
// all files that changed with those mutations as branches. A mutation that the
// compiler would refuse is left out, together with the others on its line.
func (p *pack) rewrite(pattern string) ([]mutation, map[string]string, error) {
	bad := map[string]bool{}
	for {
		w := &writer{pack: p, bad: bad}
		out := map[string]string{}
		for _, s := range p.files {
			if fits, err := filepath.Match(pattern, filepath.Base(s.name)); err != nil {
				return nil, nil, err
			} else if fits && !ast.IsGenerated(s.file) {
				out[s.name] = w.all(s)
			}
		}
		out[filepath.Join(p.dir, "zz_mutate.go")] = "package " + p.types.Name() + "\n" + fmt.Sprintf(runtime, len(w.muts)+1)
		before := len(bad)
		if err := p.check(out, bad); err != nil {
			return nil, nil, err
		}
		if len(bad) == before {
			return w.muts, out, nil
		}
	}
}

// check adds the lines that do not compile to bad.
func (p *pack) check(texts map[string]string, bad map[string]bool) error {
	fset := token.NewFileSet()
	var files []*ast.File
	for name, text := range texts {
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("mutate wrote what is no Go: %w", err)
		}
		files = append(files, f)
	}
	for _, s := range p.files {
		if _, ok := texts[s.name]; !ok {
			f, err := parser.ParseFile(fset, s.name, s.text, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			files = append(files, f)
		}
	}
	var failed error
	conf := types.Config{Importer: p.imports, Error: func(err error) {
		var e types.Error
		if !errors.As(err, &e) || strings.HasPrefix(e.Msg, "\t") {
			return
		}
		at := fset.Position(e.Pos)
		line := fmt.Sprintf("%s:%d", at.Filename, at.Line)
		if bad[line] {
			failed = fmt.Errorf("%s: %s, also without mutations", line, e.Msg)
		}
		bad[line] = true
	}}
	_, _ = conf.Check(p.path, fset, files, nil)
	return failed
}
