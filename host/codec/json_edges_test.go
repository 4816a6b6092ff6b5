package codec

import (
	"strings"
	"testing"
)

// Comments, commas and blanks around what is put into JSON and taken out of it.
func TestJSONLayout(t *testing.T) {
	runEdits(t, jsonFormat{}, []editCase{
		{"the only entry of one line", `{"a": {"b": 1}}`, remove("a", "b"), `{"a": {}}`},
		{"with a comment behind it", `{"a": {"b": 1 /* c */}}`, remove("a", "b"), `{"a": { /* c */}}`},
		{"or before it", `{"a": {/* c */ "b": 1}}`, remove("a", "b"), `{"a": {/* c */ }}`},
		{"the first of one line", `{"a": 1, "b": 2}`, remove("a"), `{"b": 2}`},
		{"the first, whose neighbour has a comment", `{"a": 1, /* b */ "b": 2}`, remove("a"), `{ /* b */ "b": 2}`},
		{"the last of one line", `{"a": 1, "b": 2}`, remove("b"), `{"a": 1}`},
		{"the last, with a comment before it", `{"a": 1, /* c */ "b": 2}`, remove("b"), `{"a": 1 /* c */ }`},
		{"the last, with a comma behind it", `{"a": 1, "b": 2,}`, remove("b"), `{"a": 1, }`},
		{"the last of several lines", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", remove("b"), "{\n  \"a\": 1\n}\n"},
		{"with blanks and CRLF behind it", "{\r\n  \"a\": 1,\r\n  \"b\": 2 \t\r\n}\r\n", remove("b"), "{\r\n  \"a\": 1\r\n}\r\n"},
		{"with a comma", "{\n  \"a\": 1,\n  \"b\": 2,\n}\n", remove("b"), "{\n  \"a\": 1,\n}\n"},
		{"with a comment on its line", "{\n  \"a\": 1,\n  \"b\": 2 // c\n}\n", remove("b"), "{\n  \"a\": 1\n}\n"},
		{"with a comment on the line above", "{\n  \"a\": 1, // c\n  \"b\": 2\n}\n", remove("b"), "{\n  \"a\": 1 // c\n}\n"},
		{"one that shares its line", "{\n  \"a\": 1, \"b\": 2\n}\n", remove("a"), "{\n  \"b\": 2\n}\n"},
		{"the second that does", "{\n  \"a\": 1, \"b\": 2\n}\n", remove("b"), "{\n  \"a\": 1\n}\n"},
		{"a comment over several lines is the next one's", "{\n  \"a\": 1, /* b\n  */ \"b\": 2\n}\n", remove("a"), "{\n   /* b\n  */ \"b\": 2\n}\n"},
		{"an item of a list", `[{"name": "x"}, {"name": "y"}, {"name": "z"}]`, []Edit{{Path: Path{{Field: "name", Equals: "y"}}}}, `[{"name": "x"}, {"name": "z"}]`},

		{"a new entry behind a comma", `{"a": 1,}`, set("x", "b"), `{"a": 1, "b": "x",}`},
		{"behind a comma and a comment", "{\n  \"a\": 1, // c\n}\n", set("x", "b"), "{\n  \"a\": 1, // c\n  \"b\": \"x\",\n}\n"},
		{"behind a comment of one line", "{\"a\": 1 // c\n}", set("x", "b"), "{\"a\": 1, // c\n\"b\": \"x\"\n}"},
		{"behind a comment inside the line", `{"a": 1 /* c */}`, set("x", "b"), `{"a": 1, /* c */ "b": "x"}`},
		{"before one over several lines", "{\"a\": 1 /* c\n */}", set("x", "b"), "{\"a\": 1, \"b\": \"x\" /* c\n */}"},
		{"as narrow as the others", `{"a":1}`, set("x", "b"), `{"a":1,"b":"x"}`},
		{"with blanks before the colon", `{"a" : 1}`, set("x", "b"), `{"a" : 1, "b" : "x"}`},
		{"not with the comment before it", `{"a"/* c */: 1}`, set("x", "b"), `{"a"/* c */: 1, "b": "x"}`},
		{"the first in an empty object on its line", `{"a": {}, "b": 1}`, set("x", "a", "k"), `{"a": {"k": "x"}, "b": 1}`},
		{"with blanks in it", `{"a": { }, "b": 1}`, set("x", "a", "k"), `{"a": {"k": "x"}, "b": 1}`},
		{"with a comment in it", `{"a": { /* c */ }}`, set("x", "a", "k"), "{\"a\": { /* c */\n  \"k\": \"x\"\n}}"},
		{"deeper by what the file is", "{\n   \"a\": {\n      \"b\": 1\n   },\n   \"c\": {}\n}\n", set("x", "c", "k"), "{\n   \"a\": {\n      \"b\": 1\n   },\n   \"c\": {\n      \"k\": \"x\"\n   }\n}\n"},
		{"an object on lines of its own in one line", "{\"a\": {\n\t\"b\": 1\n}, \"c\": {}}", set("x", "c", "k"), "{\"a\": {\n\t\"b\": 1\n}, \"c\": {\"k\": \"x\"}}"},
		{"a list in a map", "{\n  \"a\": 1\n}\n", []Edit{{Keys("l"), treeL("x", treeM("k", true, "n", nil), treeL())}}, "{\n  \"a\": 1,\n  \"l\": [\n    \"x\",\n    {\n      \"k\": true,\n      \"n\": null\n    },\n    []\n  ]\n}\n"},
		{"behind a byte order mark", bom + `{"a": 1}`, append(set("x", "b"), remove("a")...), bom + `{"b": "x"}`},
		{"a map with a key that is not text", `{"a": 1}`, []Edit{{Keys("b"), treeM("\xff", "x")}}, "error: a new key is not UTF-8 text, which JSON cannot hold"},
		{"a list with a value that is none", `{"a": 1}`, []Edit{{Keys("b"), treeL("\xff")}}, "error: the new value is not UTF-8 text, which JSON cannot hold"},
		{"a map with one", `{"a": 1}`, []Edit{{Keys("b"), treeM("k", "\xff")}}, "error: the new value is not UTF-8 text, which JSON cannot hold"},
		{"a number that is none", `{"a": 1}`, []Edit{{Keys("b"), treeL(&Node{Kind: Number, Text: "1 "})}}, "error: the new value is not a number that JSON can hold"},
	})
}

// How JSON is read at its edges.
func TestJSONEdges(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": "\ud83d\ude00"}`: `{"a":"😀"}`, `"\ud7ff\ue000"`: "\"\ud7ff\ue000\"", `"\\ud800"`: `"\\ud800"`, `"\n\u0041\\"`: `"\nA\\"`, `"\ud800\udfff"`: `"𐏿"`, `"\udbff\udc00"`: "\"\U0010fc00\"",
		`{"a": /* "{[ */ 1, "b": "[{\"["} // [`: `{"a":1,"b":"[{\"["}`, `/**/1`: "1", `/***/1`: "1",
		strings.Repeat("[", treeMaxDepth) + strings.Repeat("]", treeMaxDepth): strings.Repeat("[", treeMaxDepth) + strings.Repeat("]", treeMaxDepth),
		"[" + strings.Repeat("[],", treeMaxDepth) + "1]":                      "[" + strings.Repeat("[],", treeMaxDepth) + "1]",
	} {
		if got := treeShow(t, jsonFormat{}, in); got != want {
			t.Errorf("%.60q: %.60s", in, got)
		}
	}
	for in, want := range map[string]string{
		`"\ud800x"`: "line 1: a string holds half of a surrogate pair, which is no character", `"\ud800\n"`: "line 1: a string holds half of a surrogate pair, which is no character", `"\udfff"`: "line 1: a string holds half of a surrogate pair, which is no character",
		`"\udbff\ud800"`: "line 1: a string holds half of a surrogate pair, which is no character", `"\ud800\u0041"`: "line 1: a string holds half of a surrogate pair, which is no character",
		"{\"\\ud800\": 1}":        "line 1: a string holds half of a surrogate pair, which is no character",
		bom + "{\n x}":            "line 2, column 2: not valid JSON: expected a string, a number, true, false or null",
		"{\"a\": 1 /* fakesecret": "line 1, column 9: not valid JSON: it ends too early",
		"{\"a\": 1 / fakesecret}": "line 1, column 9: not valid JSON: expected a comma or a closing brace",
		"[" + strings.Repeat("{\"a\":", treeMaxDepth) + "1": "line 1, column 4997: values nest too deeply",
		"[\n" + strings.Repeat("[", treeMaxDepth):           "line 2, column 1000: values nest too deeply",
	} {
		n, err := jsonFormat{}.Decode([]byte(in))
		if err == nil || err.Error() != want || n != nil {
			t.Errorf("%.40q: %v, %v; want %q", in, n, err, want)
		}
	}
}

// Numbers that are JSON's as they stand, and those that are not.
func TestNumbersOfJSON(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "9": true, "-1": true, "1.5e3": true, "": false, "-": false, "01": false, ".5": false, "+1": false, "true": false, "\"1\"": false, "[1]": false, " 1": false, "1 ": false, "1\n": false, "/": false, ":": false} {
		if treeIsJSONNumber(text) != want {
			t.Errorf("%q is a number of JSON is not %v", text, want)
		}
	}
	long := "0x" + strings.Repeat("f", 1000)
	for in, want := range map[string]string{long: `"` + long + `"`, "-0x10": "-16", "1_0.5": "10.5", "-.inf": `"-.inf"`, "1:30": `"1:30"`, "0x1p-2": "0.25"} {
		if got := string(ToJSON(&Node{Kind: Number, Text: in})); got != want {
			t.Errorf("%.20s: %.20s, not %.20s", in, got, want)
		}
	}
	if got := string(ToJSON(nil)); got != "null" {
		t.Errorf("nothing is %s", got)
	}
	if n, ok := TreeIn(`{"a":1}`); !ok || n.Get("a").Text != "1" {
		t.Errorf("%v, %v", n, ok)
	}
}
