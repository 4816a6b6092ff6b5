package codec

import "testing"

func TestTextRead(t *testing.T) {
	runReads(t, text{}, []readCase{
		{"an empty file is an empty text", "", ""},
		{"one line ending goes", "token\n", "token"},
		{"also that of Windows", "token\r\n", "token"},
		{"only one", "token\n\n", "token\n"},
		{"a missing one is not missed", "token", "token"},
		{"a byte order mark is not part of it", bom + "token\n", "token"},
		{"blanks are part of it", " token \n", " token "},
		{"bytes that are not UTF-8 stay", "\xfftoken\x00", "\xfftoken\x00"},
	})
	runErrors(t, text{}, []errorCase{{"UTF-16 is refused", "\xff\xfet\x00", "line 1: the file is UTF-16; save it as UTF-8"}})
}

func TestTextEdit(t *testing.T) {
	runEdits(t, text{}, []editCase{
		{"the line ending stays", "old\n", set("new"), "new\n"},
		{"that of Windows too", "old\r\n", set("new"), "new\r\n"},
		{"none stays none", "old", set("new"), "new"},
		{"the byte order mark stays", bom + "old\n", set("new"), bom + "new\n"},
		{"an empty file gets the value alone", "", set("new"), "new"},
		{"a line ending in the value reads back", "", set("new\n"), "new\n\n"},
		{"also behind one in the file", "old\r\n", set("new\n"), "new\n\r\n"},
		{"the same value changes nothing", "old\n", set("old"), "old\n"},
		{"removing it makes the file empty", "old\n", remove(), "\n"},
		{"a carriage return that would not read back", "old\n", set("new\r"), "error: the value cannot be written: it begins with a byte order mark or ends with a carriage return"},
		{"a byte order mark that would not read back", "", set(bom + "new"), "error: the value cannot be written: it begins with a byte order mark or ends with a carriage return"},
		{"nothing is inside", "old\n", set("new", "a"), "error: line 1: cannot put a here: the place holds another kind of value"},
		{"it is not a group", "old\n", []Edit{{Value: group("a", "b")}}, "error: the file holds text only"},
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "token\n", bom + "token\r\n", "a\rb", "\xff\xfe"} {
		f.Add([]byte(s), uint(0), "", "", "new")
		f.Add([]byte(s), uint(0), "", "", "new\n")
	}
	fuzzEdit(f, text{}, func(_, _ string) Path { return nil })
}
