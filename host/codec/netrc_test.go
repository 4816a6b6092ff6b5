package codec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const netrcFile = `# hosts
machine api.wandb.ai
  login user
  password fakekey1 # wandb

machine github.com login me password "fake \"key\" 2"
macdef init
  cd /tmp
machine not.one login x

default
	login anonymous
	password me@example.com
`

func TestNetrcRead(t *testing.T) {
	runReads(t, netrc{}, []readCase{
		{"an empty file is an empty tree", "", "{}"},
		{"machines, a macro, the default", netrcFile, `{api.wandb.ai:{login:user, password:fakekey1}, github.com:{login:me, password:fake "key" 2}, default:{login:anonymous, password:me@example.com}}`},
		{"white space is all the same", "machine\na\tlogin\r\n\r\nb password c account d", "{a:{login:b, account:d, password:c}}"},
		{"user is login", "machine a user b", "{a:{login:b}}"},
		{"a backslash keeps the next character", `machine a password b\ c\\d login "e\"f\\g"`, `{a:{login:e"f\g, password:b c\d}}`},
		{"a # in a value is text", "machine a password #b login c#d", "{a:{login:c#d, password:#b}}"},
		{"a keyword as a value is text", "machine machine login password password login", "{machine:{login:password, password:login}}"},
		{"comments", "#a b\nmachine x # c machine y\n# d\n password p #e\n", "{x:{password:p}}"},
		{"the first entry of a machine counts", "machine a login x\nmachine a login y\n", "{a:{login:x}}"},
		{"the last field of an entry counts", "machine a login x login y", "{a:{login:y}}"},
		{"a machine without fields", "machine a\nmachine b", "{a:{}, b:{}}"},
		{"an empty value", `machine a login "" password x`, "{a:{login:, password:x}}"},
		{"a byte order mark is skipped", bom + "machine a login b", "{a:{login:b}}"},
	})
	runErrors(t, netrc{}, []errorCase{
		{"an unknown word", "machine a\nfakefakefakefake b\n", "line 2: not machine, default, login, user, password, account or macdef"},
		{"a value that lacks", "machine a\nlogin b password\n\n", "line 2: nothing follows password"},
		{"a machine that lacks", "machine", "line 1: nothing follows machine"},
		{"a machine without a name", "machine \"\"", "line 1: the machine has no name"},
		{"a value without a machine", "\nlogin fakefakefakefake\n", "line 2: login without a machine"},
		{"a value after a macro", "machine a\nmacdef m\nx\n\nlogin fakefakefakefake\n", "line 5: login without a machine"},
		{"a macro without an end", "macdef m\nx\n", "line 1: no empty line ends the macro"},
		{"a quote without an end", "machine a\npassword \"fakefakefakefake\nlogin b", "line 2: the quote that opens here is not closed"},
		{"a backslash at the end", "machine a login \\", "line 1: nothing follows the last backslash"},
	})
}

func TestNetrcEdit(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(netrcFile, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(netrcFile, old, new, 1)
	}
	entry := func(key string) *Node { return group("password", key, "login", "user") }
	runEdits(t, netrc{}, []editCase{
		{"a value is replaced", netrcFile, set("new", "api.wandb.ai", "password"), swap("fakekey1", "new")},
		{"quotes stay", netrcFile, set("n\"w", "github.com", "password"), swap(`fake \"key\" 2`, `n\"w`)},
		{"a value that needs quotes gets them", "machine a password x\n", set("a b", "a", "password"), "machine a password \"a b\"\n"},
		{"also for a backslash", "machine a password x\n", set(`a\b`, "a", "password"), "machine a password \"a\\\\b\"\n"},
		{"and for a # in front", "machine a password x\n", set("#", "a", "password"), "machine a password \"#\"\n"},
		{"but not for others", "machine a password x\n", set(`b#"c'`, "a", "password"), "machine a password b#\"c'\n"},
		{"the default entry", netrcFile, set("x", "default", "password"), swap("me@example.com", "x")},
		{"a new machine as wandb writes it", "", []Edit{{Keys("api.wandb.ai"), entry("fakekey")}}, "machine api.wandb.ai\n  login user\n  password fakekey\n"},
		{"or as the file has them", "machine a login b password c\n", []Edit{{Keys("x"), entry("k")}}, "machine a login b password c\nmachine x login user password k\n"},
		{"with its indentation", "machine a\r\n\tlogin b\r\n", []Edit{{Keys("x"), entry("k")}}, "machine a\r\n\tlogin b\r\nmachine x\r\n\tlogin user\r\n\tpassword k\r\n"},
		{"but before the default entry and its comment", "machine a\n  login b\n\n# rest\ndefault login c\n", []Edit{{Keys("x"), entry("k")}}, "machine a\n  login b\n\nmachine x login user password k\n# rest\ndefault login c\n"},
		{"a missing last line ending stays missing", "machine a\n login b", []Edit{{Keys("x"), entry("k")}}, "machine a\n login b\nmachine x\n login user\n password k"},
		{"a new default entry", "machine a login b\n", set("c", "default", "login"), "machine a login b\ndefault login c\n"},
		{"a machine without fields", "", []Edit{{Keys("a"), group()}}, "machine a\n"},
		{"a new field on a line of its own", "machine a\n  login b # c\nmachine d\n", set("p", "a", "password"), "machine a\n  login b # c\n  password p\nmachine d\n"},
		{"or on the line of the others", "machine a login b # c\n", set("p", "a", "password"), "machine a login b password p # c\n"},
		{"or below a machine without fields", "machine a\nmachine b\n", set("p", "a", "password"), "machine a\n  password p\nmachine b\n"},
		{"a field is removed with its line", netrcFile, remove("api.wandb.ai", "login"), swap("  login user\n", "")},
		{"or from its line", netrcFile, remove("github.com", "login"), swap("login me ", "")},
		{"a machine is removed with its lines", netrcFile, remove("api.wandb.ai"), swap("machine api.wandb.ai\n  login user\n  password fakekey1 # wandb\n", "")},
		{"or from its line, before", "machine a login b machine c login d\n", remove("a"), "machine c login d\n"},
		{"and behind", "machine a login b machine c\n login d\n", remove("c"), "machine a login b\n"},
		{"all entries of a machine are removed", "machine a login b\nmachine x\nmachine a login c\n", remove("a"), "machine x\n"},
		{"entries with the same login change together", "machine a login u password 1\nmachine a login v password 2\nmachine a login u password 3\n", set("9", "a", "password"), "machine a login u password 9\nmachine a login v password 2\nmachine a login u password 9\n"},
		{"user stays user", "machine a user b\n", set("c", "a", "login"), "machine a user c\n"},
		{"a field twice is removed twice", "machine a login b login c password d\n", remove("a", "login"), "machine a password d\n"},
		{"a line break is refused", "machine a\n", set("b\nc", "a", "login"), "error: a.login: netrc cannot hold a line break or a NUL byte"},
		{"an unknown field is refused", "machine a\n", set("b", "a", "port"), "error: a.port: an entry of netrc has login, account and password only"},
		{"an impossible machine is refused", "", set("b", "", "login"), "error: .login: netrc cannot hold a machine of this name"},
		{"a machine behind the default in the middle of a line", "machine a default login b\n", set("x", "c", "login"), "error: c.login: the default entry must come last, and begins in the middle of a line"},
	})
}

// TestNetrcAsPython compares with Python's netrc module, which wandb reads with,
// what is read from files before and after edits.
func TestNetrcAsPython(t *testing.T) {
	files := []string{
		netrcFile, strings.ReplaceAll(netrcFile, "\n", "\r\n"), strings.TrimSuffix(netrcFile, "\n"), "machine a login b password c\n", "machine a user \"b c\" account d\\ e password f\\\\g",
		"machine github.com\tlogin me\n\n\tpassword pa#s\"s\nmachine a\nmachine b login \"\"\n", "machine x # c machine y\n# d\n password p #e\n", "machine a login u password 1\nmachine a login u password 3\n",
	}
	edits := []Edit{
		{Keys("api.wandb.ai"), group("login", "user", "password", `f"a\k e#`)}, {Path: Keys("a")}, {Path: Keys("github.com", "login")},
		{Keys("github.com", "password"), Text("#x")}, {Keys("default", "account"), Text("")}, {Keys("a", "password"), Text("ü b")},
	}
	var all []string
	for i, file := range files {
		if i < len(files)-1 {
			all = append(all, file) // the last one is read differently until it is edited
		}
		for _, e := range edits {
			if i == len(files)-1 && e.Path[0].Key != "a" {
				continue
			}
			out, err := Apply(netrc{}, []byte(file), []Edit{e})
			if err != nil {
				t.Errorf("%v in %q: %v", e.Path, file, err)
				continue
			}
			all = append(all, string(out))
		}
	}
	dir := t.TempDir()
	var paths []string
	for i, file := range all {
		path := filepath.Join(dir, string(rune('a'+i/26))+string(rune('a'+i%26)))
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	var theirs []map[string][3]string
	runPython(t, `
import json, netrc, sys
json.dump([netrc.netrc(p).hosts for p in json.load(sys.stdin)], sys.stdout)`, paths, &theirs)
	for i, file := range all {
		n, err := netrc{}.Decode([]byte(file))
		if err != nil {
			t.Errorf("%q: %v", file, err)
			continue
		}
		if len(n.Pairs) != len(theirs[i]) {
			t.Errorf("%q\n   rhx %s\npython %v", file, show(n), theirs[i])
		}
		for _, p := range n.Pairs {
			for k, field := range netrcFields() {
				got := ""
				if v := p.Value.Get(field); v != nil {
					got = v.Text
				}
				if got != theirs[i][p.Key][k] {
					t.Errorf("%q\n   rhx %s\npython %v", file, show(n), theirs[i])
				}
			}
		}
	}
}

func netrcPath(group, key string) Path { return Keys(group, key) }

func FuzzNetrc(f *testing.F) {
	for _, s := range []string{"", netrcFile, bom + "machine a\r\n login b", "machine a login b machine a login b\npassword \"c\"#d\n", "default\rlogin x", "macdef a\n\nmachine b\n#c"} {
		for n := range uint(3) {
			f.Add([]byte(s), n, "a", "password", "new")
			f.Add([]byte(s), n, "new", "login", "a \"\\b")
		}
	}
	fuzzEdit(f, netrc{}, netrcPath)
}

func TestNetrcEditsOfRandomFiles(t *testing.T) {
	words := []string{"machine a ", "machine b\n", "\nmachine \"c\" ", "default ", "login u ", "password p\n", "\n  login \"q r\"", "\taccount d\r\n", "password\n\\ x ", "user ", "macdef m\nx\n\n", " ", "\n", "\n", "# c\n", "\r", "\""}
	proveRandom(t, netrc{}, words, netrcPath)
}
