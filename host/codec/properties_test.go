package codec

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPropertiesReads(t *testing.T) {
	runReads(t, properties{}, []readCase{
		{"nothing", "", "{}"},
		{"the separators", "a=1\nb:2\nc 3\nd\t4\ne\f5\nf = 6\ng : 7\nh  =  = 8\ni : = 9\nj   k  \n", "{a:1, b:2, c:3, d:4, e:5, f:6, g:7, h:= 8, i:= 9, j:k  }"},
		{"no value", "a=\nb\nc:\nd \n", "{a:, b:, c:, d:}"},
		{"no key", "=x\n", "{:x}"},
		{"comments and empty lines", "# c\n ! d\n\t#e\n\n \t\f\na=#1 !x\n#x\\\nb=2\n", "{a:#1 !x, b:2}"},
		{"blanks before a key", " \t\fa=1", "{a:1}"},
		{"line endings", "a=1\rb=2\r\nc=3\n", "{a:1, b:2, c:3}"},
		{"a value of several lines", "a=x\\\n  y\\\r\n\tz\\\r w\\\\\nb=1", `{a:xyzw\, b:1}`},
		{"a key of several lines", "a\\\n  b=1\nc\\\n = 2\nd=\\\n 3\n", "{ab:1, c:2, d:3}"},
		{"an empty line ends a value", "a=x\\\n\nb=1\n", "{a:x, b:1}"},
		{"a comment sign in the next line is text", "a=x\\\n#y\n", "{a:x#y}"},
		{"backslashes before a line break", "a=x\\\\\nb=y\\\\\\\n\\\nc=z\n", `{a:x\, b:y\c=z}`},
		{"a backslash alone is nothing", "\\\na=1\n \\\n\\\n#c\nb=2\n\\", "{a:1, b:2}"},
		{"a backslash at the end", "a=x\\", "{a:x}"},
		{"a backslash in the last line", "a=x\\\n", "{a:x}"},
		{"escapes", `a\=\:\ b=\t\n\r\f\q\"\\\u0041\u00e9\uD83D\uDE00`, "{a=: b:\t\n\r\fq\"\\Aé😀}"},
		{"escaped blanks do not separate", `a\ b c`, "{a b:c}"},
		{"the last line of a key counts", "a=1\nb=2\na=3\n", "{a:3, b:2}"},
		{"UTF-8", "ä=\\äö\n", "{ä:äö}"},
		{"ISO-8859-1", "a=\xe4\\\xf6\n", "{a:äö}"},
	})
	runErrors(t, properties{}, []errorCase{
		{"too few digits", "b=1\na=fakefakefakefake\\u12", `line 2: \u needs four hexadecimal digits that are a character`},
		{"no digits", `a=\u12x4`, `line 1: \u needs four hexadecimal digits that are a character`},
		{"no digits in a key", `\u12x4=a`, `line 1: \u needs four hexadecimal digits that are a character`},
		{"half a pair", `a=\ud83dx`, `line 1: \u needs four hexadecimal digits that are a character`},
		{"half a pair and another character", `a=\ud83d\u0041`, `line 1: \u needs four hexadecimal digits that are a character`},
		{"half a pair and half of one", `a=\ud83d\u00`, `line 1: \u needs four hexadecimal digits that are a character`},
		{"half a pair alone", `a=\ude00`, `line 1: \u needs four hexadecimal digits that are a character`},
		{"a mark", bom + "a=1", "line 1: the file begins with a byte order mark, which Java takes for a part of the first key; save it without"},
	})
}

func TestPropertiesEdits(t *testing.T) {
	file := "# head\nuser = u\n\n  token : ab\\\n    cd\n! tail\n"
	runEdits(t, properties{}, []editCase{
		{"a new file", "", set("v", "k"), "k=v\n"},
		{"a value", file, set("v", "user"), strings.Replace(file, "= u", "= v", 1)},
		{"a value of several lines", file, set("v", "token"), strings.Replace(file, "ab\\\n    cd", "v", 1)},
		{"a value that begins in the next line", "a=\\\n  x\\\n  y\nb=1\n", set("v", "a"), "a=\\\n  v\nb=1\n"},
		{"the separator is that of the last key", file, set("v", "new"), file + "new : v\n"},
		{"one that goes over lines is not taken", "a\\\n = 1\n", set("v", "b"), "a\\\n = 1\nb=v\n"},
		{"nor is a blank", "a 1", set("v", "b"), "a 1\nb=v"},
		{"but a blank stays", "a 1\n", set("=v", "a"), "a \\=v\n"},
		{"no separator", "a\nb\n", set("v", "a"), "a=v\nb\n"},
		{"no value behind one", "a : \nb\n", set("v", "a"), "a : v\nb\n"},
		{"no value and a continuation", "a\\\n\nb=1\n", set("v", "a"), "a=v\nb=1\n"},
		{"no value", "a = x\n", set("", "a"), "a = \n"},
		{"remove", file, remove("token"), "# head\nuser = u\n\n! tail\n"},
		{"remove all of a key", "a=1\nb=2\na=3", remove("a"), "b=2\n"},
		{"the last of several counts", "a=1\na=2\n", set("3", "a"), "a=1\na=3\n"},
		{"line endings", "a=1\r\nb=2\r\n", set("v", "c"), "a=1\r\nb=2\r\nc=v\r\n"},
		{"no last line ending", "a=1", set("v", "b"), "a=1\nb=v"},
		{"a value that goes on at the end of the file", "a=1\\", set("v", "b"), "a=1\\\n\nb=v"},
		{"and in its last line", "a=1\\\r\n", set("v", "b"), "a=1\\\r\n\r\nb=v\r\n"},
		{"and is replaced", "a=1\\", set("v", "a"), "a=v"},
		{"or has nothing", "a=\\", set("v", "a"), "a=v"},
		{"a backslash alone", "\\", set("v", "a"), "\\\na=v"},
		{"what needs escapes", "", set(" =:#!\\ \té\u2028😀\n\r\x00~\x7f ", "k"), "k=\\u0020=:#!\\\\ \\t\\u00E9\\u2028\\uD83D\\uDE00\\n\\r\\u0000~\\u007F\\u0020\n"},
		{"what needs them at the beginning", "", append(append(append(set("=", "a"), set(":", "b")...), set("#", "c")...), set("!", "d")...), "a=\\=\nb=\\:\nc=\\#\nd=\\!\n"},
		{"a key that needs them", "", set("v", "#a =:!#\\\u00e9"), "\\#a\\u0020\\=\\:!#\\\\\\u00E9=v\n"},
		{"a key that begins with a blank", "", set("v", " a"), "\\u0020a=v\n"},
		{"an empty key", "a = b\n", set("v", ""), "a = b\n = v\n"},
		{"which is there", "\t=b\n", set("v", ""), "\t=v\n"},
		{"other bytes than ASCII are written anew", "\tä = ö\n", set("v", "ä"), "\t\\u00E4 = v\n"},
		{"also with the value that is there", "a : \xf6\n", set("ö", "a"), "a : \\u00F6\n"},
		{"a value that is no text", "a=1\n", []Edit{{Keys("a"), &Node{Kind: Bool, Text: "true"}}}, "error: a: this format holds text only"},
		{"a value that is not UTF-8", "a=1\n", set("\xff", "a"), "error: a: a properties file holds text only, and this is not UTF-8"},
		{"a key that is not UTF-8", "a=1\n", set("x", "\xff"), "error: \xff: a properties file holds text only, and this is not UTF-8"},
		{"a value in a value", "a=1\n", set("x", "b", "c"), "error: b.c: this format does not nest so deep"},
	})
}

func TestPropertiesDisputed(t *testing.T) {
	root, err := properties{}.Decode([]byte("a=ä\nb=\\u00e4\n\xe4=1\nc=2 # c\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range root.Pairs {
		got = append(got, fmt.Sprintf("%s:%d:%v", p.Key, p.Value.Line, p.Value.Disputed))
	}
	if want := "a:1:true b:2:false ä:3:true c:4:false"; strings.Join(got, " ") != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// Long runs of continuations cost no more than their length.
func TestPropertiesOfManyLines(t *testing.T) {
	root, err := properties{}.Decode([]byte("a=" + strings.Repeat("\\\\\\\n", 1<<18)))
	if err != nil || len(root.Get("a").Text) != 1<<18 {
		t.Errorf("%v", err)
	}
}

func propertiesPath(_, key string) Path { return Keys(key) }

func FuzzProperties(f *testing.F) {
	for _, s := range []string{"", "# c\na = b\\\n  c\n!d\ne\n", "a:\\u00e9\\", "a\\ b c\r\\\r\n=x", "\xe4=\xf6\na=1\na=2"} {
		for n := range uint(3) {
			f.Add([]byte(s), n, "", "a", "new")
			f.Add([]byte(s), n, "", "new key", " it's\\\n\u2028")
		}
	}
	fuzzEdit(f, properties{}, propertiesPath)
}

func TestPropertiesEditsOfRandomFiles(t *testing.T) {
	words := []string{"k=x\n", "m : y\\\n  z\n", "k", "m", "=", ":", " ", "\\", "\\\n", "\\u0041", "\\u", "#", "!", "\n", "\n", "\n", "\r\n", "\r", "\t", "\f", "ä", "\xe4", "k\n"}
	proveRandom(t, properties{}, words, propertiesPath)
}

// Java reads a file as this package does, and finds what was written.
func TestSoakPropertiesReaders(t *testing.T) {
	java := startJava(t)
	lines := []string{"k=x\n", "m : y\\\n  z\n", "k", "m", "=", ":", " ", "\\", "\\\n", "\\u0041", "\\u00", "\\ud83d\\ude00", "\\n", "\\t", "\\:", "#", "!", "\n", "\n", "\n", "\r\n", "\r", "\t", "\f", "k\n", "\\\r\n", "ab"}
	words := []string{"a", " ", "=", ":", "#", "!", "\\", "\n", "\r", "\t", "\f", "é", "\x7f", "\u2028", "😀", "\x00", "'", "\"", "\\u", "\ufeff", "${x}"}
	read, written := 0, 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 400 {
			text := randomText(r, lines, 12)
			if text += "k2\n"; r.IntN(2) == 0 {
				text = strings.TrimRight(text, "2\n")
			}
			file := []byte(text)
			root, err := properties{}.Decode(file)
			values, ok := java.reads("properties", file)
			if half := strings.Contains(text, `\ude00`); (err == nil) != ok && !half {
				t.Errorf("%q: %v; Java can read it: %v", file, err, ok)
			}
			if err != nil || !ok {
				continue
			}
			read++
			checkProperties(t, file, root, values)
			key, value := randomText(r, words, 3), randomText(r, words, 4)
			if r.IntN(2) == 0 {
				key = "k"
			}
			out, err := Apply(properties{}, file, set(value, key))
			if err != nil {
				t.Errorf("%q = %q in %q: %v", key, value, file, err)
				continue
			}
			written++
			if root, err = (properties{}).Decode(out); err != nil {
				t.Fatal(err)
			}
			for _, reader := range []string{"properties", "properties-utf8"} {
				values, ok := java.reads(reader, out)
				if !ok || values[place{"", key}] != value {
					t.Errorf("%s finds %q in %q, not %q", reader, values[place{"", key}], out, value)
				}
				checkProperties(t, out, root, values)
			}
		}
	})
	if read < 100 || written < 100 {
		t.Errorf("only %d files were read, and %d written", read, written)
	}
}

func checkProperties(t *testing.T, file []byte, root *Node, values reading) {
	t.Helper()
	for _, p := range root.Pairs {
		if got, ok := values[place{"", p.Key}]; !ok || got != p.Value.Text {
			t.Errorf("Java reads %q of %q as %q, not %q", p.Key, file, got, p.Value.Text)
		}
	}
	if len(root.Pairs) != len(values) {
		t.Errorf("Java finds %d keys in %q, not %d", len(values), file, len(root.Pairs))
	}
}
