package codec

import (
	"strings"
	"testing"
)

// Which texts stand without quotes, and what the others look like.
func TestYAMLTextsAsWritten(t *testing.T) {
	for text, want := range map[string]string{
		"x": "x", "": `""`, "a b": "a b", "a-b_c.d/e": "a-b_c.d/e", "é😀": "é😀", "\u00a0x": "\"\u00a0x\"", "x\u00a0y": "x\u00a0y", "x\u0084y": `"x\u0084y"`, "x\u009fy": `"x\u009fy"`, "x\x7fy": `"x\u007fy"`, "x\x01y": `"x\u0001y"`,
		"x\u2028y": `"x\u2028y"`, "x\u2029y": `"x\u2029y"`, "x\ufeffy": `"x\ufeffy"`, "x\ufffey": `"x\ufffey"`, "x\uffffy": `"x\uffffy"`, "x\ufffdy": "\"x\ufffdy\"", "x\ty": `"x\ty"`, "x\ny": `"x\ny"`,
		"0x": `"0x"`, "0xg": "0xg", "0xf_": `"0xf_"`, "0b1": `"0b1"`, "0o7": `"0o7"`, "+0X1F": `"+0X1F"`, "00": `"00"`, "1x1": "1x1", "1e5": `"1e5"`, "1E-5": `"1E-5"`, "1e+x": "1e+x", "1ex": "1ex", "1e": `"1e"`, "e5": "e5", "_": `"_"`, ".": ".", "..": "..", "1.2": `"1.2"`, "1.2.3": "1.2.3", "1:2.3.4": `"1:2.3.4"`, "1:2": `"1:2"`, "...": `"..."`, "...x": `"...x"`,
		"2001-01-01": `"2001-01-01"`, "2001-1-1x": "2001-1-1x", "2001-1-1 x": `"2001-1-1 x"`, "2001x1-1": "2001x1-1", "20011-1-1": "20011-1-1", "x: y": `"x: y"`, "x:y": "x:y", "x #y": `"x #y"`, "x#y": "x#y", "x:": `"x:"`, "x,y": "x,y", "@x": `"@x"`, "x@": "x@", "=": `"="`, "<<": `"<<"`, ".inf": `".inf"`, "nan": "nan",
	} {
		if got := (yamlLayout{}).scalar(Text(text), false, yamlAny); got != want {
			t.Errorf("%q is written %s, not %s", text, got, want)
		}
		if got := (yamlLayout{}).scalar(Text(text), false, yamlDouble); !strings.HasPrefix(got, `"`) {
			t.Errorf("%q is written %s, not in double quotes", text, got)
		}
	}
	for text, want := range map[string]string{"x": "x", "x,y": `"x,y"`, "[x": `"[x"`, "x]": `"x]"`, "x:y": `"x:y"`, "x?": `"x?"`} {
		if got := (yamlLayout{}).scalar(Text(text), true, yamlAny); got != want {
			t.Errorf("%q is written %s in brackets, not %s", text, got, want)
		}
	}
	for text, want := range map[string]string{"x": "'x'", "it's": "'it''s'", "": "''", "x\ny": `"x\ny"`, "x\x01": `"x\u0001"`, "x\t": "'x\t'"} {
		if got := (yamlLayout{}).scalar(Text(text), false, yamlSingle); got != want {
			t.Errorf("%q is written %s in single quotes, not %s", text, got, want)
		}
	}
	for text, want := range map[string]string{":api_key": ":api_key", ":A": ":A", ":": `":"`, "::a": `"::a"`, ":a b": `":a b"`, ":1": `":1"`, "x": "x", "@x": `"@x"`} {
		if got := (yamlLayout{}).key(text); got != want {
			t.Errorf("the key %q is written %s, not %s", text, got, want)
		}
	}
	if got := (yamlLayout{json: true}).key(":a"); got != `":a"` {
		t.Errorf("a key beside JSON: %s", got)
	}
	if got := (yamlLayout{json: true}).scalar(Text("x"), false, yamlSingle); got != `"x"` {
		t.Errorf("beside JSON: %s", got)
	}
}

// Which texts of several lines become a block of text.
func TestYAMLBlocksOfText(t *testing.T) {
	y := yamlLayout{eol: "\n"}
	for _, c := range []struct {
		text       string
		style      yamlStyle
		head, body string
	}{
		{"a\nb\n", yamlAny, "|", "  a\n  b\n"}, {"a\nb", yamlAny, "|-", "  a\n  b\n"}, {"a\n\n b", yamlAny, "|-", "  a\n\n   b\n"}, {"a\n\tb\n", yamlAny, "|", "  a\n  \tb\n"},
		{"a\nb\n", yamlFold, "|", "  a\n  b\n"}, {"a\n", yamlFold, ">", "  a\n"}, {"a", yamlBlock, "|-", "  a\n"}, {"a", yamlAny, "", ""}, {"a\n", yamlAny, "", ""}, {"a\nb", yamlDouble, "", ""}, {"a\nb", yamlSingle, "", ""},
		{"", yamlBlock, "", ""}, {"\n", yamlBlock, "", ""}, {" a\nb", yamlAny, "", ""}, {"\ta\nb", yamlAny, "", ""}, {"\na", yamlAny, "", ""}, {"a\nb\n\n", yamlAny, "", ""}, {"a\n \nb", yamlAny, "", ""}, {"a\n\t\nb", yamlBlock, "", ""}, {"a\nb\x01", yamlAny, "", ""}, {"a\nb\u2028", yamlBlock, "", ""}, {"a\nb\ufeff", yamlAny, "", ""},
	} {
		if body, head := y.blockScalar(Text(c.text), 2, c.style); body != c.body || head != c.head {
			t.Errorf("%q in style %d: %q, %q", c.text, c.style, head, body)
		}
	}
	for name, layout := range map[string]yamlLayout{"before an indented comment": {eol: "\n", flat: true}, "beside JSON": {eol: "\n", json: true}} {
		if body, head := layout.blockScalar(Text("a\nb"), 2, yamlBlock); body != "" || head != "" {
			t.Errorf("%s: %q, %q", name, head, body)
		}
	}
	if body, head := y.blockScalar(&Node{Kind: Number, Text: "1\n2"}, 2, yamlBlock); body != "" || head != "" {
		t.Errorf("a number: %q, %q", head, body)
	}
}

// What YAML cannot hold, wherever it is in a value.
func TestYAMLWritable(t *testing.T) {
	for _, c := range []struct {
		value *Node
		want  string
	}{
		{nil, ""}, {treeV(nil), ""}, {treeL("x", 1, true, nil), ""}, {&Node{Kind: Number, Text: "0x1f"}, ""}, {&Node{Kind: Bool, Text: "false"}, ""},
		{&Node{Kind: Number, Text: "x"}, "the new value is not a number that YAML can hold"}, {&Node{Kind: Number, Text: "1\n"}, "the new value is not a number that YAML can hold"}, {&Node{Kind: Number, Text: ""}, "the new value is not a number that YAML can hold"},
		{&Node{Kind: Bool, Text: "yes"}, "the new value is not true or false"}, {Text("\xff"), "the new value is not UTF-8 text, which YAML cannot hold"},
		{treeL("x", "\xff"), "the new value is not UTF-8 text, which YAML cannot hold"}, {treeM("k", treeL("\xff")), "the new value is not UTF-8 text, which YAML cannot hold"}, {treeM("\xff", 1), "a new key is not UTF-8 text, which YAML cannot hold"}, {treeM(strings.Repeat("k", 1000), 1), "a new key is too long for YAML"},
	} {
		got := ""
		if err := yamlWritable(c.value); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, not %q", ToJSON(c.value), got, c.want)
		}
	}
	runEdits(t, yaml{}, []editCase{
		{"a key that is not text", "a: 1\n", set("x", "\xff"), "error: a new key is not UTF-8 text, which YAML cannot hold"},
		{"one of several new keys", "a: 1\n", []Edit{{Value: treeM("a", 1, "b", "x", "\xff", "x", "c", "x")}}, "error: a new key is not UTF-8 text, which YAML cannot hold"},
		{"one of several new values", "a: 1\n", []Edit{{Value: treeM("a", 1, "b", "x", "c", "\xff")}}, "error: the new value is not UTF-8 text, which YAML cannot hold"},
		{"several new keys, one of them a block of text at the end", "a: 1", []Edit{{Value: treeM("a", 1, "b", "x", "c", "p\nq\n")}}, "a: 1\nb: x\nc: |\n  p\n  q\n"},
		{"or in the middle", "a: 1", []Edit{{Value: treeM("a", 1, "b", "p\nq\n", "c", "x")}}, "a: 1\nb: |\n  p\n  q\nc: x\n"},
	})
}
