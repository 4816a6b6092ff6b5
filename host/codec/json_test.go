package codec

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const jsonDocker = `{
	"auths": {
		"https://index.docker.io/v1/": {
			"auth": "ZmFrZTpmYWtl"
		}
	},
	"credsStore": "",
	"HttpHeaders": {}
}`

func TestJSONEdits(t *testing.T) {
	treeRun(t, jsonFormat{}, []treeCase{
		{rule: "a missing file begins with two spaces", in: "", edits: treeSet("v", "k"), out: "{\n  \"k\": \"v\"\n}\n"},
		{rule: "a blank file keeps its mark and line ending", in: treeBOM + "\r\n", edits: treeSet("v", "k"), out: treeBOM + "{\r\n  \"k\": \"v\"\r\n}\r\n"},
		{rule: "replace keeps the missing last newline", in: jsonDocker, edits: treeSet("bmV3", "auths", "https://index.docker.io/v1/", "auth"),
			out: strings.Replace(jsonDocker, "ZmFrZTpmYWtl", "bmV3", 1)},
		{rule: "a new member is laid out as its siblings", in: jsonDocker, edits: treeSet("bmV3", "auths", "ghcr.io", "auth"),
			out: strings.Replace(jsonDocker, "\"\n\t\t}\n", "\"\n\t\t},\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"bmV3\"\n\t\t}\n", 1)},
		{rule: "an empty object opens", in: jsonDocker, edits: treeSet("v", "HttpHeaders", "k"),
			out: strings.Replace(jsonDocker, "{}", "{\n\t\t\"k\": \"v\"\n\t}", 1)},
		{rule: "a single line stays one", in: `{"a":1,"b":{"c":"x"}}`, edits: append(treeSet("y", "b", "d"), treeSet("z", "e")...),
			out: `{"a":1,"b":{"c":"x","d":"y"},"e":"z"}`},
		{rule: "a single line with blanks stays one", in: `{"a": 1}` + "\n", edits: []Edit{{Keys("b"), treeM("c", treeL("x", 1))}}, out: `{"a": 1, "b": {"c": ["x", 1]}}` + "\n"},
		{rule: "comments and trailing commas stay", in: "// head\n{\n  \"a\": 1, // one\n  /* two */ \"b\": \"x\", // b\n  // end\n}\n// tail",
			edits: append(treeSet("y", "b"), treeSet("z", "c")...),
			out:   "// head\n{\n  \"a\": 1, // one\n  /* two */ \"b\": \"y\", // b\n  \"c\": \"z\",\n  // end\n}\n// tail"},
		{rule: "a comma goes before the comment", in: "{\n  \"a\": 1 // one\n}\n", edits: treeSet("z", "c"), out: "{\n  \"a\": 1, // one\n  \"c\": \"z\"\n}\n"},
		{rule: "line endings stay", in: "{\r\n    \"a\": 1 // x\r\n}\r\n", edits: []Edit{{Keys("b"), treeM("c", "d")}},
			out: "{\r\n    \"a\": 1, // x\r\n    \"b\": {\r\n        \"c\": \"d\"\r\n    }\r\n}\r\n"},
		{rule: "remove the last member", in: jsonDocker, edits: treeDel("HttpHeaders"), out: strings.Replace(jsonDocker, ",\n\t\"HttpHeaders\": {}", "", 1)},
		{rule: "remove a middle member", in: jsonDocker, edits: treeDel("credsStore"), out: strings.Replace(jsonDocker, "\t\"credsStore\": \"\",\n", "", 1)},
		{rule: "remove the only member", in: jsonDocker, edits: treeDel("auths", "https://index.docker.io/v1/"), out: "{\n\t\"auths\": {},\n\t\"credsStore\": \"\",\n\t\"HttpHeaders\": {}\n}"},
		{rule: "remove on a single line", in: `{"a":1,"b":2,"c":3}`, edits: append(treeDel("b"), treeDel("c")...), out: `{"a":1}`},
		{rule: "comments of neighbours stay", in: "{\n  // a\n  \"a\": 1, // 1\n  // b\n  \"b\": 2 // 2\n}\n", edits: treeDel("a"), out: "{\n  // a\n  // b\n  \"b\": 2 // 2\n}\n"},
		{rule: "an edit changes the last of duplicates", in: `{"a": "1", "a": "2"}`, edits: treeSet("3", "a"), out: `{"a": "1", "a": "3"}`},
		{rule: "removal takes all duplicates", in: `{"a": "1", "b": 0, "a": "2"}`, edits: treeDel("a"), out: `{"b": 0}`},
		{rule: "an array entry is found by its field", in: `[{"name": "x", "client_secret": "old"}]`,
			edits: []Edit{{Path{{Field: "name", Equals: "x"}, {Key: "client_secret"}}, Text("new")}, {Path{{Field: "name", Equals: "y"}, {Key: "client_secret"}}, Text("other")}},
			out:   `[{"name": "x", "client_secret": "new"}, {"name": "y", "client_secret": "other"}]`},
		{rule: "setting a whole object touches only what differs", in: "{\n  \"a\": {\"x\": 1, \"y\": [1, 2]}\n}\n", edits: []Edit{{Keys("a"), treeM("x", 1, "y", treeL(1, 2, 3), "z", "q")}},
			out: "{\n  \"a\": {\"x\": 1, \"y\": [1, 2, 3], \"z\": \"q\"}\n}\n"},
		{rule: "a removed document is an empty object", in: "[1]\n", edits: []Edit{{}}, out: "{}\n"},
		{rule: "null gives way", in: "{\"a\": null}", edits: treeSet("x", "a", "b"), out: "{\"a\": {\"b\": \"x\"}}"},
		{rule: "a number JSON cannot spell is refused", in: `{"a": 1}`, edits: []Edit{{Keys("a"), &Node{Kind: Number, Text: "0x1f"}}}, err: "not a number"},
		{rule: "bytes that are not text are refused", in: `{"a": 1}`, edits: treeSet("\xff", "a"), err: "not UTF-8"},
		{rule: "a PEM key is one escaped string", in: `{"private_key": "x"}`, edits: treeSet("-----BEGIN\nfake\n", "private_key"), out: `{"private_key": "-----BEGIN\nfake\n"}`},
	})
}

func TestJSONErrorsSayWhereAndQuoteNothing(t *testing.T) {
	for in, want := range map[string]string{
		"{\"a\": fakesecret}":               "line 1, column 7: not valid JSON: expected a string",
		"{\n  \"a\": \"fakesecret\" \"b\"}": "line 2, column 21: not valid JSON: expected a comma or a closing brace",
		"{\n  \"a\": 1,\n  b: 2}":           "line 3, column 3: not valid JSON",
		treeBOM + "{\"a\" 1}":               "line 1, column 9: not valid JSON: expected a colon",
		"{\"a\": \"fake":                    "not valid JSON: it ends too early",
		"{\"a\": \n\"\\ud800\"}":            "line 2: a string holds half of a surrogate pair",
		"{\"a\": \"\\udc00\\ud800\"}":       "half of a surrogate pair",
		"{\"a\": \"\xff\"}":                 "line 1, column 8: not UTF-8",
		strings.Repeat("[", 1001):           "values nest too deeply",
		strings.Repeat(`{"a":`, 2_000_000):  "values nest too deeply",
		"{} x":                              "unexpected text after the document",
		"[1 2]":                             "expected a comma or a closing bracket",
		"{1: 2}":                            "expected a key in double quotes",
		"{\"a\": }":                         "expected a value",
	} {
		_, err := jsonFormat{}.Decode([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "fakesecret") {
			t.Errorf("%.40q: error %v, want %q", in, err, want)
		}
	}
}

func TestJSONDecode(t *testing.T) {
	for in, want := range map[string]string{
		"": "{}", "null": "null", `"x"`: `"x"`, "[1, 2.50]": "[1,2.50]", treeBOM + "{\"a\": \"\\u00e9\\ud83d\\ude00\"} // x": `{"a":"é😀"}`,
	} {
		if got := treeShow(t, jsonFormat{}, in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	n, err := jsonFormat{}.Decode([]byte("{\n \"a\": [\n  1,\n  2]}"))
	if err != nil || n.Get("a").Items[1].Line != 4 || n.Get("a").Line != 2 {
		t.Errorf("lines: %v %v", n, err)
	}
}

func TestJSONReadByPython(t *testing.T) {
	out, err := Apply(jsonFormat{}, []byte(jsonDocker), append(treeSet("é\u2028\x7f\"\\/\x00😀", "auths", "ghcr.io", "auth"), treeDel("credsStore")...))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", "import json,sys; print(json.dumps(json.load(sys.stdin)))")
	cmd.Stdin = strings.NewReader(string(out))
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal(out, &a) != nil || json.Unmarshal(got, &b) != nil || string(jsonMust(json.Marshal(a))) != string(jsonMust(json.Marshal(b))) {
		t.Errorf("python reads %s from\n%s", got, out)
	}
}

func jsonMust(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", jsonDocker, `{"a":1,"b":{"c":"x"},}`, "// h\n{\n  \"a\": 1, // one\n  /* two */ \"b\": [1, // #m\n 2] // b\n  // end\n}\n// tail",
		"[{\"name\":\"x\"},\r\n{}]", treeBOM + "{}", "{ // c\n}", "{\"a\":{ }, \"a\":[/*x*/]}", "null", "{\"a\":\"\\ud83d\\ude00\"}"} {
		f.Add([]byte(s), "key", "value")
		f.Add([]byte(s), "", "multi\nline \"q\" ü")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		treeFuzz(t, jsonFormat{}, data, key, value, "")
	})
}

func TestJSONLawsOnManyTexts(t *testing.T) {
	treeStress(t, jsonFormat{}, []string{"{", "}", "[", "]", "{", "}", ",", ",", ": ", ":", "\"a\":", "\"b\": ", "\"name\": \"n\"", "\"x\"", "1", "null", "{}", "[]", " ", "\n", "\r\n", "\t", "  ", "// c\n", "/* d */",
		"{\"name\": \"n\"}", "[1, 2]", "{\n  \"c\": 1, // e\n  \"d\": 2\n}", "\"a\": 1,\n"}, "")
}
