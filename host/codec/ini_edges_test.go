package codec

import (
	"testing"
)

// Where new options and sections of ini go, and how they are laid out.
func TestIniLayout(t *testing.T) {
	add := set("1", "new", "k")
	runEdits(t, ini{}, []editCase{
		{"the first section says nothing of blank lines", "# c\n[a]\nb=1\n\n[d]\ne=1\n[f]\n", add, "# c\n[a]\nb=1\n\n[d]\ne=1\n[f]\n\n[new]\nk=1\n"},
		{"unless one is above it", "\n[a]\nb=1\n[d]\ne=1\n", add, "\n[a]\nb=1\n[d]\ne=1\n\n[new]\nk=1\n"},
		{"more without than with one", "[a]\nb=1\n\n[c]\nd=1\n[e]\nf=1\n[g]\nh=1\n", add, "[a]\nb=1\n\n[c]\nd=1\n[e]\nf=1\n[g]\nh=1\n[new]\nk=1\n"},
		{"one above the comment of a section counts", "[a]\nb=1\n\n# c\n[c]\nd=1\n", add, "[a]\nb=1\n\n# c\n[c]\nd=1\n\n[new]\nk=1\n"},
		{"an option is indented as the header that follows", "[a]\n  [d]\n", set("1", "a", "x"), "[a]\n  x = 1\n  [d]\n"},
		{"or as its own header, if that is deeper", "  [a]\n", set("1", "a", "x"), "  [a]\n  x = 1\n"},
		{"or as the options before it", "[a]\n\tb = 1\n[d]\n", set("1", "a", "x"), "[a]\n\tb = 1\n\tx = 1\n[d]\n"},
		{"before the first section, behind the byte order mark", bom + "[a]\n", set("1", "", "k"), bom + "k = 1\n[a]\n"},
		{"in a file of comments, at its end", "# c\n", set("1", "", "k"), "# c\nk = 1\n"},
		{"an option without a value is no habit", "[a]\nb=1\nflag\nc =\n", set("1", "a", "x"), "[a]\nb=1\nflag\nc =\nx=1\n"},
		{"the habit of another section, with the usual delimiter", "[a]\nb=1\n[c]\nd : 1\n[e]\n", set("1", "e", "x"), "[a]\nb=1\n[c]\nd : 1\n[e]\nx=1\n"},
		{"a colon stays", "[a]\nk: v\n", set("w", "a", "k"), "[a]\nk: w\n"},
		{"lines of a value keep their indentation", "[a]\nb = c\n\td\n", set("x\ny\n\nz", "a", "b"), "[a]\nb = x\n\ty\n\n\tz\n"},
		{"also those of an option that is indented", "[a]\n  b = c\n", set("x\ny", "a", "b"), "[a]\n  b = x\n      y\n"},
		{"several lines for one without a value", "[a]\nb\n", set("x\ny", "a", "b"), "[a]\nb = x\n    y\n"},
		{"a first line that is empty", "[a]\nb = c\n", set("\nx", "a", "b"), "[a]\nb =\n    x\n"},
		{"lone carriage returns", "[a]\rb=1\r", set("1", "new", "k"), "[a]\rb=1\r\r[new]\rk=1\r"},
		{"an edit of many options of one file", "[a]\nk=1\nl=2\n[b]\nm=3\n", slicesOf(set("x", "a", "l"), set("y", "b", "n"), set("z", "a", "k"), remove("b", "m"), set("w", "a", "l")), "[a]\nk=z\nl=w\n[b]\nn=y\n"},
	})
}

// Names and values that ini cannot hold, in one dialect or another.
func TestIniRefuses(t *testing.T) {
	const option, section = "ini cannot hold an option of this name", "ini cannot hold a section of this name"
	for _, name := range []string{"", " k", "k ", "k=", "k:l", "k\n", "[k", "#k", ";k"} {
		runEdits(t, ini{}, []editCase{{"an option of the name " + name, "[a]\n", set("1", "a", name), "error: " + Keys("a", name).String() + ": " + option}})
	}
	for _, name := range []string{" s", "s ", "[s", "s]", "s\r"} {
		runEdits(t, ini{}, []editCase{{"a section of the name " + name, "[a]\n", set("1", name, "k"), "error: " + Keys(name).String() + ": " + section}})
	}
	runEdits(t, ini{}, []editCase{
		{"quotes are fine where they mean nothing", "[a]\n", set("1", "a", `k"l`), "[a]\nk\"l = 1\n"},
		{"a first line may begin like a comment", "[a]\nk=1\n", set("# x", "a", "k"), "[a]\nk=# x\n"},
		{"${ and } are text", "[a]\nk=1\n", set("${x}", "a", "k"), "[a]\nk=${x}\n"},
		{"a tab inside is text", "[a]\nk=1\n", set("x\ty", "a", "k"), "[a]\nk=x\ty\n"},
		{"a value for the whole file", "[a]\n", []Edit{{Value: Text("x")}}, "error: this is a group of values, not a value"},
	})
	runEdits(t, ini{Options{InlineComments: true}}, []editCase{
		{"a value that begins like a comment", "[a]\nk=1\n", set("#x", "a", "k"), "error: a.k: the value has a # or ; after white space, which would be read as a comment"},
		{"a name with a comment", "[a]\n", set("1", "a", "k #l"), "error: a.k #l: " + option},
		{"a section with a comment", "[a]\n", set("1", "s #t", "k"), "error: s #t: " + section},
	})
	runEdits(t, ini{Options{CommentsAnywhere: true}}, []editCase{
		{"a comment inside a word", "[a]\nk=1\n", set("x#y", "a", "k"), "error: a.k: the value has a # or ;, which would be read as a comment"},
		{"a section with one", "[a]\n", set("1", "s#t", "k"), "error: s#t: " + section},
	})
	quotes := ini{Options{Quotes: true, Continued: OneLine}}
	runEdits(t, quotes, []editCase{
		{"a control character", "[a]\nk=1\n", set("x\x01y", "a", "k"), "error: a.k: the value has a control character, which this dialect of ini cannot hold"},
		{"a blank is none", "[a]\nk=1\n", set("x y", "a", "k"), "[a]\nk=x y\n"},
		{"quotes in a name", "[a]\n", set("1", "a", `k"l`), "error: " + Keys("a", `k"l`).String() + ": " + option},
	})
}

// Groups of values that are set as a whole.
func TestIniGroups(t *testing.T) {
	runEdits(t, ini{}, []editCase{
		{"names of options are in lower case", "[a]\nb=1\n", []Edit{{Keys("a"), group("B", "2", "C", "3")}}, "[a]\nb=2\nc=3\n"},
		{"of two that become one the last one stays", "[a]\nb=1\n", []Edit{{Keys("a"), group("B", "2", "b", "3")}}, "[a]\nb=3\n"},
		{"nothing before the first section", "k=1\n[a]\n", []Edit{{Keys(""), group()}}, "[a]\n"},
		{"something there", "k=1\n[a]\n", []Edit{{Keys(""), group("L", "2")}}, "l = 2\n[a]\n"},
		{"another section that is empty", "[a]\nb=1\n", []Edit{{Keys("a"), group()}}, "[a]\n"},
		{"the last option before the first section", "k=1\n[a]\nk=2\n", remove("", "K"), "[a]\nk=2\n"},
		{"one of two", "k=1\nl=2\n[a]\n", remove("", "K"), "l=2\n[a]\n"},
		{"one that is not there", "k=1\n[a]\n", remove("", "L"), "k=1\n[a]\n"},
		{"the last option of a section leaves its header", "[a]\nk=1\n", remove("a", "K"), "[a]\n"},
		{"a file whose top is empty", "k=1\n[a]\nb=1\n", []Edit{{Value: &Node{Kind: Map, Pairs: []Pair{{"", group()}, {"a", group("B", "2")}}}}}, "[a]\nb=2\n"},
		{"a file whose top is nothing", "[a]\nb=1\n", []Edit{{Value: &Node{Kind: Map, Pairs: []Pair{{"", nil}, {"a", group("b", "2")}}}}}, "[a]\nb=2\n"},
		{"a file whose top is not", "[a]\nb=1\n", []Edit{{Value: &Node{Kind: Map, Pairs: []Pair{{"", group("K", "1")}, {"a", group("b", "2")}}}}}, "k=1\n[a]\nb=2\n"},
	})
	edits := set("2", "a", "K")
	if _, err := Apply(ini{}, []byte("[a]\nk=1\n"), edits); err != nil || edits[0].Path[1].Key != "K" {
		t.Errorf("the caller's path changed: %v, %v", edits, err)
	}
}

// How ini is read at its edges.
func TestIniEdges(t *testing.T) {
	runReads(t, ini{}, []readCase{
		{"blank lines count once in a value", "[a]\nb = c\n\n d\n e\n", "{a:{b:c\n\nd\ne}}"},
		{"names from A to Z", "[a]\nAZ[@ = 1\n", "{a:{az[@:1}}"},
		{"words of all characters", "[a]\naz.AZ-09_\n", "{a:{az.az-09_:null}}"},
	})
	backslashed := ini{Options{Continued: Backslashed}}
	runReads(t, backslashed, []readCase{
		{"a backslash at the end of the file", "[a]\nk = x\\", "{a:{k:x\\}}"},
		{"a section on the next line", "[a]\nk = x\\\n[b]\nl = y\n", "{a:{k:x\\\n[b], l:y}}"},
	})
	n, err := backslashed.Decode([]byte("[a]\nk = x\\\n y\nl = z\n"))
	if err != nil || !n.Find(Keys("a", "k")).Opaque || n.Find(Keys("a", "l")).Opaque {
		t.Errorf("a value of several lines is taken for one: %v, %v", show(n), err)
	}
}

// What is written anew for all clients keeps its lines and its comment.
func TestIniWrittenAnew(t *testing.T) {
	aws := withClients(t, "ini", Options{InlineComments: true}, "aws-cli")
	runEdits(t, aws, []editCase{
		{"a value of several lines", "[a]\nk: x\n  y\nm = 1\n", set("new", "a", "k"), "[a]\nk = new\nm = 1\n"},
		{"an empty one, with a comment", "[a]\nk = old # c\n", set("", "a", "k"), "[a]\n# c\nk =\n"},
		{"in its columns", "[a]\nkey     = old # c\n", set("new", "a", "key"), "[a]\n# c\nkey     = new\n"},
		{"with its indentation", "[a]\n  k : old\n", set("new", "a", "k"), "[a]\n  k = new\n"},
		{"one without a value", "[a]\nk = # c\n", set("new", "a", "k"), "[a]\n# c\nk = new\n"},
	})
}
