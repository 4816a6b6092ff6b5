package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What people read goes through package term, which makes it fit for a terminal. No
// other file writes to the streams of the process.
func TestOnlyTermWritesToTheTerminal(t *testing.T) {
	// What is data, and not for people, has its own way: through these files alone.
	data := []string{"complete_line.go", "completion.go", "env.go", "export.go", "helper.go", "print.go", "schema.go", "store_export.go", "talk.go"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("child/*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range append(files, more...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		seen++
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range streamUses(t, name, text) {
			switch {
			case (found == "Data" || found == "ErrData") && slices.Contains(data, name):
			case found == "Streams" && slices.Contains([]string{"run.go", "redact.go", "mcp_server.go"}, name): // the command's own, a filter's, the protocol's
			case strings.HasPrefix(found, "os.Std") && name == "mcp_server.go": // what else writes to stdout goes to stderr
			case found == "System" && name == "cli.go":
			case found == "os.Stdout" && name == "main.go": // a module's answer, on a pipe
			case found == "log.SetOutput" && name == "main.go": // away with what libraries log
			case found == "os.Stdout" && name == filepath.Join("child", "pty_unix.go"): // the command's own
			case found == "os.Stderr" && name == filepath.Join("child", "pty_unix.go"):
			default:
				t.Errorf("%s writes past package term: %s", name, found)
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func TestStreamUsesAreFound(t *testing.T) {
	for code, want := range map[string]string{
		`fmt.Println("x")`:             "fmt.Println",
		`fmt.Printf("x")`:              "fmt.Printf",
		`fmt.Fprint(os.Stderr, "x")`:   "os.Stderr",
		`f(os.Stdout)`:                 "os.Stdout",
		`os.NewFile(1, "x")`:           "os.NewFile",
		`println("x")`:                 "println",
		`log.Print("x")`:               "log.Print",
		`a.Data().Write(nil)`:          "Data",
		`a.Streams().Out.Write(nil)`:   "Streams",
		`term.System().Out.Write(nil)`: "System",
		`fmt.Fprintln(a.Out, "x")`:     "",
		`_ = child.Streams{}`:          "",
		`fmt.Sprintf("x"); a.data(1)`:  "",
	} {
		found := streamUses(t, "x.go", []byte("package x\nfunc g() {\n"+code+"\n}\n"))
		if strings.Join(found, " ") != want {
			t.Errorf("%s: found %q, not %q", code, found, want)
		}
	}
}

// streamUses returns what in a file writes to a stream of the process, or could.
func streamUses(t *testing.T, name string, text []byte) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			pkg, _ := n.X.(*ast.Ident)
			if pkg == nil {
				break
			}
			full := pkg.Name + "." + n.Sel.Name
			switch {
			case full == "os.Stdout", full == "os.Stderr", full == "os.NewFile",
				pkg.Name == "fmt" && strings.HasPrefix(n.Sel.Name, "Print"),
				pkg.Name == "log", pkg.Name == "slog":
				out = append(out, full)
			}
		case *ast.CallExpr:
			switch f := n.Fun.(type) {
			case *ast.Ident:
				if f.Name == "print" || f.Name == "println" {
					out = append(out, f.Name)
				}
			case *ast.SelectorExpr:
				if len(n.Args) == 0 && slices.Contains([]string{"Data", "ErrData", "Streams", "System"}, f.Sel.Name) {
					out = append(out, f.Sel.Name)
				}
			}
		}
		return true
	})
	return out
}
