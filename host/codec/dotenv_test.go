package codec

import (
	"math/rand/v2"
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
		{"a comment may have more signs", "A=b # c # d\nB#c\n", "{A:b}"},
		{"a backslash in backquotes is text", "A=`x\\`\nB=1\n", `{A:x\, B:1}`},
		{"names of all letters and digits", "Az09=1\n_Z=2\nexport\tz=3\nexportA=4\n", "{Az09:1, _Z:2, z:3, exportA:4}"},
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
	runEdits(t, dotenv{}, []editCase{
		{"export and comment stay", dotenvFile, set("new", "OPENAI_API_KEY"), swap("fake-key-1", "new")},
		{"double quotes stay", dotenvFile, set("x#y z", "DB_URL"), swap("postgres://u:p@h/db?x=1#y", "x#y z")},
		{"no value before a comment, which docker compose takes for one, is written anew", "A= # c\n", set("", "A"), "A=\"\" # c\n"},
		{"single quotes stay", dotenvFile, set("x", "DB_PASS"), swap("DB_PASS = 'pa$$ \"word\"'", "DB_PASS='x'")},
		{"a shell knows no \\n: line breaks are written as such", dotenvFile, set("a\nb", "KEY"), swap(`"line 1\nline 2"`, "\"a\nb\"")},
		{"several lines give way to one, the comment stays", dotenvFile, set("x", "PEM"), swap("'one\ntwo'", "'x'")},
		{"an empty value is filled", dotenvFile, set("x", "EMPTY"), swap("EMPTY=", "EMPTY=x")},
		{"a variable is removed with all its lines", dotenvFile, remove("PEM"), swap("PEM='one\ntwo'   # two lines\n", "")},
		{"a new variable goes to the end", dotenvFile, set("x", "NEW"), dotenvFile + "NEW=x\n"},
		{"with export where the last one has it", "export A=1\n", set("2", "B"), "export A=1\nexport B=2\n"},
		{"an empty file", "", set("x", "A"), "A=x\n"},
		{"a missing last line ending stays missing", "A=1", set("2", "B"), "A=1\nB=2"},
		{"the line endings of the file", bom + "A=1\r\n", slicesOf(set("2", "B"), set("a\nb", "A")), bom + "A=\"a\\nb\"\r\nB=2\r\n"},
		{"the last of several is changed", "A=1\nA=2\n", set("3", "A"), "A=1\nA=3\n"},
		{"all of several are removed", "A=1\nB=3\nA=2\n", remove("A"), "B=3\n"},
		{"a value for a shell needs quotes", "A=1\n", set("a b;$c \"d\"", "A"), "A='a b;$c \"d\"'\n"},
		{"double ones where it has a single one", "A=1\n", set("it's", "A"), "A=\"it's\"\n"},
		{"both are refused", "A=1\n", set(`it's "x"`, "A"), "error: A: the value has ' beside \" or \\, for which a shell needs escapes that Node's dotenv does not know"},
		{"' beside what a shell expands is refused", "A=1\n", set("a'$(touch X)", "A"), "error: A: the value has ' beside $ or `, for which a shell needs escapes that Node's dotenv and python-dotenv do not know"},
		{"what python-dotenv expands is refused", "A=1\n", set("pa${x}ss", "A"), "error: A: the value has ${ and }, for which python-dotenv puts in a variable, also in quotes"},
		{"a backslash at the end is refused", "A=1\n", set(`C:\`, "A"), `error: A: the value has a \ at its end or before another one, which Node's dotenv and python-dotenv read differently`},
		{"a carriage return is refused", "", set("a\rb", "A"), "error: A: the value has a carriage return, of which Node's dotenv makes a line break"},
		{"what is not UTF-8 is refused", "", set("a\xff", "A"), "error: A: the value is not UTF-8, as which Node's dotenv and python-dotenv read the file"},
		{"line breaks and a $ are refused beside CRLF", "B=1\r\n", set("a\n$b", "A"), "error: A: the value has line breaks beside other special characters; in a file with CRLF line endings docker compose would read it as another one"},
		{"blanks around the equals sign go", "A =  1  # c\n", set("2", "A"), "A=2  # c\n"},
		{"a home folder is none in quotes", "A=1\nB=1\nC=1\n", slicesOf(set("~x", "A"), set("a:~x", "B"), set("a~x", "C")), "A='~x'\nB='a:~x'\nC=a~x\n"},
		{"letters of any script need no quotes", "", set("grüße/日本", "A"), "A=grüße/日本\n"},
		{"nor do these signs", "", set("a-b_c.d/e:f@g%h+i,j=k^l!m", "A"), "A=a-b_c.d/e:f@g%h+i,j=k^l!m\n"},
		{"backquotes, which only Node knows, do not stay", "A=`x y`\n", set("y z", "A"), "A='y z'\n"},
		{"a name that is none for a shell is refused", "", set("1", "a.b"), "error: \"a.b\": dotenv cannot hold a variable of this name"},
		{"so is one that begins with a digit", "", set("1", "1A"), "error: 1A: dotenv cannot hold a variable of this name"},
		{"but one that is there is edited", "a.b=1\n", set("2", "a.b"), "a.b=2\n"},
		{"double quotes are left where a shell would expand", "A=\"1\"\n", set("$x", "A"), "A='$x'\n"},
		{"an empty value keeps its comment", "A=1 # c\n", set("", "A"), "A=\"\" # c\n"},
		{"an empty value without one is nothing", "A=1\n", set("", "A"), "A=\n"},
		{"a value is put before a comment", "A= # c\n", set("1", "A"), "A=1 # c\n"},
		{"blanks before a comment stay", "A=  # c\n", set("1", "A"), "A=1  # c\n"},
		{"blanks of an empty value go", "A=  \nB=2\n", set("1", "A"), "A=1\nB=2\n"},
		{"a 9 is no letter either", "", set("1", "9A"), "error: 9A: dotenv cannot hold a variable of this name"},
		{"an underscore is", "", set("1", "_A"), "_A=1\n"},
		{"quotes are fine beside CRLF", "B=1\r\n", set("a b", "A"), "B=1\r\nA='a b'\r\n"},
		{"what is refused beside CRLF as elsewhere", "B=1\r\n", set(`it's "x"`, "A"), "error: A: the value has ' beside \" or \\, for which a shell needs escapes that Node's dotenv does not know"},
		{"and on several lines", "B=1\n", set("it's\n\"x\"", "A"), "error: A: the value has ' beside \" or \\, for which a shell needs escapes that Node's dotenv does not know"},
		{"a list is refused", "", []Edit{{Path{{Field: "a", Equals: "b"}}, Text("x")}}, "error: cannot put [a=b] here: the place holds another kind of value"},
		{"a key in PEM", "", set("-----BEGIN X-----\na=\n-----END X-----\n", "A"), "A='-----BEGIN X-----\na=\n-----END X-----\n'\n"},
		{"a comment stays one", "A='1'#c\nB='1'#c\n", slicesOf(set("x", "A"), set("y", "B")), "A='x' #c\nB='y' #c\n"},
		{"a document", "A=1\nB=2 # x\n", []Edit{{Value: group("B", "3", "C", "4")}}, "B=3 # x\nC=4\n"},
		{"all is removed", "# c\nA=1\n", remove(), "# c\n"},
		{"two backslashes are refused", "A='1'\n", set(`\\host\x`, "A"), `error: A: the value has a \ at its end or before another one, which Node's dotenv and python-dotenv read differently`},
		{"a NUL byte is refused", "A=1\n", set("\x00", "A"), "error: A: the value has a NUL byte, which no variable can hold"},
		{"an impossible name is refused", "", set("1", "A B"), "error: A B: dotenv cannot hold a variable of this name"},
	})
}

// What is written is read the same by shells, Node's dotenv, python-dotenv and docker
// compose, and without quotes by docker run --env-file.
func TestSoakDotenvReaders(t *testing.T) {
	python, node, golang := startPython(t), startNode(t), startGo(t)
	path := filepath.Join(t.TempDir(), "env")
	words := []string{"a", "b c", "'", "\"", "$x", "${x}", "${x", "$(touch X)", "`id`", "\\", "\n", "\n\n", "#", " # ", "~", "!", "é", "\t", "=", ":", "{a,b}", "*", ";", "&", "\u2028", "\ufeff", "%", "-----BEGIN X-----", "\r", "\\n", "\x01"}
	before := []string{"", "A=old\n", "export A='old' # c\n", "A=\"old\"#c\n", "A = `old`\nB='x\ny'\n", "A=\n", "A= # c\n", "B=1\r\nA=2\r\n", bom + "B=1\n", "export B=1\n", "# A"}
	written := 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 120 {
			value, file := randomText(r, words, 4), before[r.IntN(len(before))]
			out, err := Apply(dotenv{}, []byte(file), set(value, "A"))
			if err != nil {
				continue
			}
			written++
			if err := os.WriteFile(path, out, 0o600); err != nil {
				t.Fatal(err)
			}
			for library, process := range map[string]*reference{"node's dotenv": node, "python-dotenv": python, "compose-go": golang} {
				if got, ok := process.reads("dotenv", out); !ok || got[place{"", "A"}] != value {
					t.Errorf("%s reads %q from %q, not %q", library, got[place{"", "A"}], out, value)
				}
			}
			if !strings.Contains(file, "\r") && !strings.HasPrefix(file, bom) {
				for _, shell := range []string{"bash", "dash"} {
					got, err := exec.Command(shell, "-c", `set -a; . "$0"; printf %sx "$A"`, path).Output()
					if err != nil || string(got) != value+"x" {
						t.Errorf("%s reads %q from %q, not %q: %v", shell, got, out, value, err)
					}
				}
			}
		}
	})
	if written < 50 {
		t.Errorf("only %d values were written", written)
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
