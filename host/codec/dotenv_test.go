package codec

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const dotenvFile = `# service
export OPENAI_API_KEY=fake-key-1 # mine

DB_URL="postgres://u:p@h/db?x=1#y"
DB_PASS = 'pa$$ "word"'
EMPTY=
KEY="line 1\nline 2"
PEM='one
two'   # two lines
`

func TestDotenvRead(t *testing.T) {
	runReads(t, dotenv{}, []readCase{
		{"an empty file is an empty tree", "", "{}"},
		{"variables of every kind", dotenvFile, "{OPENAI_API_KEY:fake-key-1, DB_URL:postgres://u:p@h/db?x=1#y, DB_PASS:pa$$ \"word\", EMPTY:, KEY:line 1\nline 2, PEM:one\ntwo}"},
		{"a # without a blank before it is text", "A=b#c\nB=#c\nC= #c\nD=e\t# f\n", "{A:b#c, B:#c, C:, D:e}"},
		{"quotes inside a value are text", "A=b\"c\"\nB=it's\n", "{A:b\"c\", B:it's}"},
		{"escapes in double quotes", `A="\n\r\t\\\"\$\x"`, "{A:\n\r\t\\\"$\\x}"},
		{"none but \\' in single quotes", `A='\n\\it\'s'`, `{A:\n\\it's}`},
		{"none in backquotes", "A=`\"\\n'`\n", "{A:\"\\n'}"},
		{"no interpolation", "A=$B${C}\nD=\"$E\"\n", "{A:$B${C}, D:$E}"},
		{"the last one wins", "A=1\nB=2\nA=3\n", "{A:3, B:2}"},
		{"line endings in quotes become \\n", "A='1\r\n2\r3'\r\nB=4\r\n", "{A:1\n2\n3, B:4}"},
		{"names alone are no variables", "A\nexport B # c\nC=1\n", "{C:1}"},
		{"a byte order mark is skipped", bom + "A=1", "{A:1}"},
		{"blanks around everything", "  export \t A = b c  \n", "{A:b c}"},
		{"export may be a name", "export=1\n", "{export:1}"},
	})
	runErrors(t, dotenv{}, []errorCase{
		{"a quote that is not closed", "A=1\nB=\"fakefakefakefake\nC=2\n", "line 2: the quote that opens here is not closed"},
		{"text after a quote", "A='x\ny' fakefakefakefake\n", "line 2: text after the closing quote"},
		{"a name with blanks", "fakefakefakefake fakefakefakefake=1\n", "line 1: not NAME=value"},
		{"text", "A=1\nfakefakefakefake!\n", "line 2: not NAME=value"},
		{"JSON", "{\"fakefakefakefake\": 1}", "line 1: not NAME=value"},
		{"no name", "=fakefakefakefake\n", "line 1: not NAME=value"},
	})
}

func TestDotenvEdit(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(dotenvFile, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(dotenvFile, old, new, 1)
	}
	const unquotable = "error: A: no way to quote this value is read the same by all dotenv readers"
	runEdits(t, dotenv{}, []editCase{
		{"export and comment stay", dotenvFile, set("new", "OPENAI_API_KEY"), swap("fake-key-1", "new")},
		{"double quotes stay", dotenvFile, set("x#y z", "DB_URL"), swap("postgres://u:p@h/db?x=1#y", "x#y z")},
		{"single quotes stay", dotenvFile, set("x", "DB_PASS"), swap("'pa$$ \"word\"'", "'x'")},
		{"line breaks in double quotes stay escapes", dotenvFile, set("a\nb", "KEY"), swap(`"line 1\nline 2"`, `"a\nb"`)},
		{"several lines give way to one, the comment stays", dotenvFile, set("x", "PEM"), swap("'one\ntwo'", "'x'")},
		{"an empty value is filled", dotenvFile, set("x", "EMPTY"), swap("EMPTY=", "EMPTY=x")},
		{"a variable is removed with all its lines", dotenvFile, remove("PEM"), swap("PEM='one\ntwo'   # two lines\n", "")},
		{"a new variable goes to the end", dotenvFile, set("x", "NEW"), dotenvFile + "NEW=x\n"},
		{"with export where the last one has it", "export A=1\n", set("2", "B"), "export A=1\nexport B=2\n"},
		{"an empty file", "", set("x", "A"), "A=x\n"},
		{"a missing last line ending stays missing", "A=1", set("2", "B"), "A=1\nB=2"},
		{"the line endings of the file", bom + "A=1\r\n", slicesOf(set("2", "B"), set("a\nb", "A")), bom + "A='a\r\nb'\r\nB=2\r\n"},
		{"the last of several is changed", "A=1\nA=2\n", set("3", "A"), "A=1\nA=3\n"},
		{"all of several are removed", "A=1\nB=3\nA=2\n", remove("A"), "B=3\n"},
		{"a value for a shell needs quotes", "A=1\n", set("a b;$c \"d\"", "A"), "A='a b;$c \"d\"'\n"},
		{"double ones where it has a single one", "A=1\n", set("it's", "A"), "A=\"it's\"\n"},
		{"none where it has both", "A=1\n", set(`it's "x"`, "A"), "A=it's \"x\"\n"},
		{"double quotes are left where a shell would expand", "A=\"1\"\n", set("$x", "A"), "A='$x'\n"},
		{"an empty value keeps its comment", "A=1 # c\n", set("", "A"), "A=\"\" # c\n"},
		{"an empty value without one is nothing", "A=1\n", set("", "A"), "A=\n"},
		{"a value is put before a comment", "A= # c\n", set("1", "A"), "A=1 # c\n"},
		{"a key in PEM", "", set("-----BEGIN X-----\na=\n-----END X-----\n", "A"), "A='-----BEGIN X-----\na=\n-----END X-----\n'\n"},
		{"a comment stays one behind a bare value", "A='1'#c\n", set(`it's "x"`, "A"), "A=it's \"x\" #c\n"},
		{"a document", "A=1\nB=2 # x\n", []Edit{{Value: group("B", "3", "C", "4")}}, "B=3 # x\nC=4\n"},
		{"all is removed", "# c\nA=1\n", remove(), "# c\n"},
		{"what readers disagree about is refused", "A=1\n", set("it's \"x\" # y", "A"), unquotable},
		{"two backslashes are written without quotes", "A='1'\n", set(`\\host\x`, "A"), "A=\\\\host\\x\n"},
		{"a NUL byte is refused", "A=1\n", set("\x00", "A"), unquotable},
		{"an impossible name is refused", "", set("1", "A B"), "error: A B: dotenv cannot hold a variable of this name"},
	})
}

// TestDotenvAsAShell sources what is written. A shell does not know \n in double
// quotes, which stay double.
func TestDotenvAsAShell(t *testing.T) {
	values := []string{"", "x", "a b", "it's", `"`, "$HOME `id`", "a\nb\n", "#x", "a # b", `C:\dir\x`, "!$&*()[]{}<>|;~?", "ü\t"}
	for _, before := range []string{"", "A=old\n", "export A='old' # c\n", "A=\"old\"\n"} {
		for _, v := range values {
			out, err := Apply(dotenv{}, []byte(before), set(v, "A"))
			if err != nil {
				t.Errorf("%q: %v", v, err)
				continue
			}
			path := filepath.Join(t.TempDir(), "env")
			if err := os.WriteFile(path, out, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := exec.Command("sh", "-c", `. "$0"; printf %s "$A"`, path).CombinedOutput()
			if strings.Contains(before, `"`) {
				v = strings.ReplaceAll(v, "\n", `\n`)
			}
			if err != nil || string(got) != v {
				t.Errorf("a shell reads %q from %q: %v", got, out, err)
			}
		}
	}
}

func dotenvPath(_, key string) Path { return Keys(key) }

func FuzzDotenv(f *testing.F) {
	for _, s := range []string{"", dotenvFile, bom + "A=1", "A='1\r\n2'\r\nB=\"\\n\\\"\"#c\r\nA", "export\tA=b#c # d\rB=`x`", "A= # x\nA=''\nB="} {
		for n := range uint(3) {
			f.Add([]byte(s), n, "", "A", "new")
			f.Add([]byte(s), n, "", "NEW", "it's \"x\"\n")
		}
	}
	fuzzEdit(f, dotenv{}, dotenvPath)
}

func TestDotenvEditsOfRandomFiles(t *testing.T) {
	words := []string{"k=x\n", "m='y\n z'", "k=\"a\\nb\" # c\n", "export m=", "k = ", "m=`", "x", "'", "\"", "\\", "\\n", " # c", "#", " ", "$", "\n", "\n", "\n", "\r\n", "\r", "k\n"}
	proveRandom(t, dotenv{}, words, dotenvPath)
}
