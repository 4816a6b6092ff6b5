package projfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/spec"
)

func TestEnvrc(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"nothing", "\n# c\n", ""},
		{"plain ones", "export A=1\nexport B='x y' # c\nexport  C=\"it's \\\"\\$\"\nexport D=a/b:c@d\n", " A=1 B=x y C=it's \"$ D=a/b:c@d"},
		{"over several lines", "export A='x\n#y\n'\nexport B=\"u\nv\"\n", " A=x\n#y\n B=u\nv"},
		{"without a last line ending", "export A=1", " A=1"},
		{"an empty one", "export A=\nexport B=''\n", " -A (it is empty) -B (it is empty)"},
		{"references", "export A=\"x$B\"\nexport C=\"`id`\"\n", " -A (it refers to another variable) -C (it refers to another variable)"},
		{"a $ in single quotes is one", "export A='x$B`'\n", " A=x$B`"},
		{"a line that goes on in double quotes", "export A=\"x\\\ny\"\n", " A=xy"},
		{"the last one counts", "export A=1\nexport A=2\n", " A=2"},
		{"code", "use flake\nexport A=1\nPATH_add bin\n[ -f .env ] && dotenv\n", " A=1 -3 lines (shell code, which rhx does not run)"},
		{"values of code", "export A=$(pass x)\nexport B=~/x\nexport C=a'b'\nexport D=1 E=2\nexport F=1;id\nexport G=a\\ b\nexport -n H=1\nexport I=x#y\n export J=1\nK=1\nexport L='a'#b\n",
			" -11 lines (shell code, which rhx does not run)"},
		{"blocks", "if true; then\n\n# don't\nexport A=1\nfi\nexport B=1\nf() {\nexport C=1\n}\nfor x in y; do echo; done\nexport D=1\nwhile x\ndo\nexport E=1\ndone\nexport F=1\ncase x in\nexport G=1\nesac\nexport H=1\n",
			" B=1 D=1 F=1 H=1 -14 lines (shell code, which rhx does not run)"},
		{"a block that is not closed", "if x\nexport A=1\n", " -2 lines (shell code, which rhx does not run)"},
		{"an indented end is none", "if x\n fi\nexport A=1\n", " -3 lines (shell code, which rhx does not run)"},
		{"a here-document", "export A=1\ncat <<E\nexport B=1\nE\nexport C=1\n", " A=1 -4 lines (shell code, which rhx does not run)"},
		{"a quote that goes on", "echo '\nexport A=1\n'\n", " -3 lines (shell code, which rhx does not run)"},
		{"so in an export", "export A=$x'\nexport B=1\n'\n", " -3 lines (shell code, which rhx does not run)"},
		{"so in double quotes", "echo \"\nexport A=1\n\"\n", " -3 lines (shell code, which rhx does not run)"},
		{"a line that goes on", "echo \\\nexport A=1\n", " -2 lines (shell code, which rhx does not run)"},
		{"brackets that go on", "x=(\nexport A=1\n)\n", " -3 lines (shell code, which rhx does not run)"},
		{"a quote that never ends", "export A='1\nexport B=2\n", " -2 lines (shell code, which rhx does not run)"},
		{"what code changes", "export A=1\nexport B=2\nunset A\nB=3\n", " -A (other lines of the shell code use it) -B (other lines of the shell code use it) -2 lines (shell code, which rhx does not run)"},
		{"a carriage return", "export A=1\r\n", " -1 lines (shell code, which rhx does not run)"},
		{"no text", "export A=\xff\n", " error: it is not text"},
		{"a zero byte", "export A=x\x00\n", " error: it is not text"},
		{"all signs of a plain value", "export A=09azAZ_/:@%+,=^.-\n", " A=09azAZ_/:@%+,=^.-"},
		{"a backslash that stays one", "export A=\"a\\b\"\n", " A=a\\b"},
		{"a double quote that never ends", "export A=\"1\nexport B=2", " -2 lines (shell code, which rhx does not run)"},
		{"a backslash at the end of all", "export A=\"1\\", " -1 lines (shell code, which rhx does not run)"},
		{"no equals sign", "export A\nexport =1\nexport 1=1\nexport B=2\n", " B=2 -3 lines (shell code, which rhx does not run)"},
		{"code with whole quotes", "echo 'x' \"y\" `z`\nexport A=1\n", " A=1 -1 lines (shell code, which rhx does not run)"},
		{"a command that goes on", "echo `\nexport A=1\n`\n", " -3 lines (shell code, which rhx does not run)"},
		{"a block in a block", "if x\nfor y in z\ndo\ndone\nexport A=1\nfi\nexport B=1\n", " B=1 -6 lines (shell code, which rhx does not run)"},
		{"a group", "{ echo x\nexport A=1\n}\nexport B=1\n", " B=1 -3 lines (shell code, which rhx does not run)"},
		{"a name within another one", "export A=1\nexport B_C=2\nMY_A=3\nunset B_C\n", " A=1 -B_C (other lines of the shell code use it) -2 lines (shell code, which rhx does not run)"},
	} {
		if got, want := text(parsed(".envrc", []byte(c.data), nil)), ".envrc:"+c.want; got != want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
		}
	}
}

// What is taken for a value is what bash makes of it, if it can run the file at all.
func TestEnvrcInBash(t *testing.T) {
	dir := t.TempDir()
	for i, data := range envrcs {
		file := filepath.Join(dir, "envrc")
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, v := range parsed(".envrc", []byte(data), nil).Vars {
			cmd := exec.Command("bash", "-c", `. "$0" >/dev/null 2>&1; printf %sx "${!1}"`, file, v.Name)
			cmd.Dir, cmd.Env = dir, []string{"PATH=/nowhere"}
			out, err := cmd.Output()
			if got := strings.TrimSuffix(string(out), "x"); err != nil || got != v.Value.Reveal() {
				t.Errorf("%d: bash has %q for %s, not %q (%v)", i, got, v.Name, v.Value.Reveal(), err)
			}
		}
	}
}

// envrcs are harmless programs with much in them that looks like a variable.
var envrcs = []string{
	"export A=1\nexport B='x y'\nexport C=\"a \\\" \\$ \\\\ \\x\"\n",
	"export A='x\n#y\n'\nexport B=\"u\nv\\\nw\"\nexport C=$A\n",
	"export A=1\nA=2\nexport B=1\nunset B\nexport C=a#b\nexport D=a # b\n",
	"if false; then\nexport A=1\nfi\nexport B=2\n: <<E\nexport B=3\nE\n",
	"f() {\nexport A=1\n}\nexport A=2\nf\n",
	"x='\nexport A=1\n'\nexport B=\"\n\"\n",
	"export A=a=b:c%d+e,f^g._-\nexport B=/x/@y\nexport C=\n",
	"export A='1' B='2'\nexport C=\"1\"2\nexport D='1'\\''2'\n",
	"case x in\nx) export A=1;;\nesac\nexport A=3 \nexport B=x\t# c\n",
	"export A=\"`echo x`\"\nexport B=\"$A\"\nexport C='$A'\n",
}

func FuzzEnvrc(f *testing.F) {
	for _, data := range envrcs {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := parsed(".envrc", data, nil)
		for _, v := range file.Vars {
			if !spec.ValidVar(v.Name) || !strings.Contains(string(data), v.Name+"=") {
				t.Fatalf("%q is no variable of %q", v.Name, data)
			}
		}
		if file.Err == nil && len(file.Vars)+len(file.Left) == 0 && strings.Contains("\n"+string(data), "\nexport A=") {
			t.Fatalf("a line is passed over in silence: %q", data)
		}
	})
}
