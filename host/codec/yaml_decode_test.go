package codec

import (
	"strings"
	"testing"
)

// What YAML reads as, where readers and versions of YAML differ, and lines of values
// that are not written.
func TestYAMLDecodeEdges(t *testing.T) {
	for in, want := range map[string]string{
		"%YAML 1.2\n---\na: 1.2\n": `{"a":1.2}`, "# c\n%YAML 1.2\n---\na: 1\n": `{"a":1}`, "%TAG ! tag:x,2000:\n%YAML 1.2\n---\na: 1\n": `{"a":1}`, "\n\n%YAML 1.1\n---\na: 1\n": `{"a":1}`,
		"a: \"%YAML 1.2\"\n": `{"a":"%YAML 1.2"}`, "a: |\n  x\n%YAML 1.2: y\n": "", "\"%YAML 1.2\": 1\n": `{"%YAML 1.2":1}`,
		"a: &x\nb: 1\n": `{"a":null,"b":1}`, "a: !!str\nb: 1\n": `{"a":"","b":1}`, "''": `""`, "!!str": `""`, "&x": "null", "a: !!int 0x1f\n": `{"a":31}`, "a: !!float 1.5\n": `{"a":1.5}`, "a: !!bool true\n": `{"a":true}`, "a: !!null ~\n": `{"a":null}`,
		"a: &x k\n*x : 1\n": `{"a":"k","k":1}`, "a: &x [1]\nb: [*x, *x]\nc: *x\n": `{"a":[1],"b":[[1],[1]],"c":[1]}`, "? [a]\n: 1\n": "", "a: &x [1]\n*x : 1\n": "",
		"!!merge x: 1\n": "", "a: {b: 1, <<: {b: 2, c: 3}}\n": `{"a":{"b":1,"c":3}}`, "a: {<<: [{c: 1}, {c: 2, d: 3}]}\n": `{"a":{"c":1,"d":3}}`, "a: {<<: [1]}\n": "", "\"<<\": 1\n": `{"<<":1}`,
		"a: \u00a0\ufffd\n": "{\"a\":\"\u00a0\ufffd\"}", "a: x\u0085b: y\n": `{"a":"x","b":"y"}`, "a: \u0080\n": "", "a: \u009f\n": "", "a: \x7f\n": "", "a: \ufffe\n": "", "a: \uffff\n": "", "a: \x00\n": "",
	} {
		n, err := yaml{}.Decode([]byte(in))
		got := ""
		if err == nil {
			got = string(ToJSON(n))
		}
		if got != want {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
	deep := strings.Repeat("[", treeMaxDepth) + "1" + strings.Repeat("]", treeMaxDepth)
	if got := treeShow(t, yaml{}, deep); got != deep {
		t.Errorf("as deep as may be: %.40s", got)
	}
	many := "a: &a [" + strings.Repeat("1,", 999) + "]\nb: ["
	for n, ok := range map[int]bool{100: true, 101: false} {
		_, err := yaml{}.Decode([]byte(many + strings.Repeat("*a,", n) + "]\n"))
		if (err == nil) != ok {
			t.Errorf("%d aliases of 1,000 values: %v", n, err)
		}
	}
	for text, want := range map[string]bool{"0": true, "1": true, "-1": true, "10": true, "1.5": true, "-0.5": true, "0.0": true, "1.0": true, "123456789012345": true, "1234567890123456": false, "": false, "-": false, "-0": false, "01": false, "1.": false, "1.10": false, ".5": false, "+1": false, "1e3": false, "0x1": false, "1.2.3": false, "--1": false} {
		if yamlCommonNumber(text) != want {
			t.Errorf("%s is one number for all is not %v", text, want)
		}
	}
}

// Errors of YAML name the line that is wrong, and end within the file.
func TestYAMLErrorLines(t *testing.T) {
	for in, want := range map[string]string{
		"a: 1\nb:\n\t- x\n": "line 3: not valid YAML: found character that cannot start any token", "a: [1,\n": "line 2: not valid YAML: did not find expected node content",
		"a: {b: 1\nc": "line 2: not valid YAML: did not find expected ',' or '}'", "- a\nb: 1\n": "line 2: not valid YAML: did not find expected '-' indicator", "a: 1\n- b\n": "line 2: not valid YAML: did not find expected key",
		"x: 1\na: [*none]\n": "line 2: an alias names an anchor that does not stand before it", "*none": "line 1: an alias names an anchor that does not stand before it", "a: !x!y z\n": "line 1: not valid YAML: found undefined tag handle",
		"a: 'x\n": "line 2: not valid YAML: found unexpected end of stream", "a: 1\n---\nb: [\n": "line 4: not valid YAML: did not find expected node content",
	} {
		if n, err := (yaml{}).Decode([]byte(in)); err == nil || err.Error() != want || n != nil {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// A document that is JSON is edited as JSON only if YAML reads it as the same.
func TestYAMLReadsAsJSON(t *testing.T) {
	for data, want := range map[string]bool{`{"a": 1}`: true, `{"a": "x"}`: true, `{"a": 1e3}`: false, `{"a": 1`: false, "a: 1": false, `{"a": 1, "a": 2}`: false} {
		if got := (yaml{}).readsAsJSON([]byte(data)); got != want {
			t.Errorf("%s is the same in JSON and YAML is not %v", data, want)
		}
	}
}
