package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// treeCase is one edit of a file and the file that must come out.
type treeCase struct {
	rule  string
	in    string
	edits []Edit
	out   string
	err   string // a part of the error instead of out
}

func treeRun(t *testing.T, f Format, cases []treeCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			got, err := Apply(f, []byte(c.in), c.edits)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q; result:\n%s", err, c.err, got)
				}
				return
			}
			if err != nil {
				out, serr := f.Splice([]byte(c.in), c.edits)
				t.Fatalf("%v; splice gives %v:\n%s", err, serr, out)
			}
			if string(got) != c.out {
				t.Errorf("got:\n%s\nwant:\n%s\n(%q)", got, c.out, got)
			}
		})
	}
}

func treeSet(value string, keys ...string) []Edit {
	return []Edit{{Keys(keys...), Text(value)}}
}

func treeDel(keys ...string) []Edit { return []Edit{{Path: Keys(keys...)}} }

// treeM returns a Map node of alternating keys and values; strings become Strings.
func treeM(kv ...any) *Node {
	n := &Node{Kind: Map}
	for i := 0; i < len(kv); i += 2 {
		n.Pairs = append(n.Pairs, Pair{kv[i].(string), treeV(kv[i+1])})
	}
	return n
}

func treeL(items ...any) *Node {
	n := &Node{Kind: List}
	for _, i := range items {
		n.Items = append(n.Items, treeV(i))
	}
	return n
}

func treeV(v any) *Node {
	switch v := v.(type) {
	case *Node:
		return v
	case nil:
		return &Node{}
	case bool:
		return &Node{Kind: Bool, Text: fmt.Sprint(v)}
	case int:
		return &Node{Kind: Number, Text: fmt.Sprint(v)}
	}
	return Text(v.(string))
}

// treeShow is ToJSON for tests.
func treeShow(t *testing.T, f Format, data string) string {
	t.Helper()
	n, err := f.Decode([]byte(data))
	if err != nil {
		t.Fatalf("decode: %v\n%s", err, data)
	}
	return string(ToJSON(n))
}

// treeTargets are the places in n that a Path can name, with their nodes, at most limit.
func treeTargets(n *Node, at Path, limit int, found []Edit) []Edit {
	if len(found) >= limit {
		return found
	}
	found = append(found, Edit{at, n})
	for _, p := range n.Pairs {
		found = treeTargets(p.Value, append(slices.Clone(at), Step{Key: p.Key}), limit, found)
	}
	for _, item := range n.Items {
		if f := item.Get("name"); f.Scalar() && (Step{Field: "name", Equals: f.Text}).in(n) == item {
			found = treeTargets(item, append(slices.Clone(at), Step{Field: "name", Equals: f.Text}), limit, found)
		}
	}
	return found
}

func treeNodeLines(n *Node, lines []int) []int {
	lines = append(lines, n.Line)
	for _, p := range n.Pairs {
		lines = treeNodeLines(p.Value, lines)
	}
	for _, i := range n.Items {
		lines = treeNodeLines(i, lines)
	}
	return lines
}

// treeFuzz checks the laws of a format on one input: no edits change nothing;
// an edit fails or reads back; a replaced scalar touches no line of a neighbour;
// errors do not quote the file.
func treeFuzz(t *testing.T, f Format, data []byte, key, value string, comment string) {
	orig := bytes.Clone(data)
	root, err := f.Decode(data)
	if err != nil {
		treeCheckError(t, err)
		return
	}
	if out, err := f.Splice(data, nil); err != nil || !bytes.Equal(out, orig) {
		t.Fatalf("no edits changed the file: %v\n%q", err, out)
	}
	nested := treeM("name", value, "list", treeL(value, treeM("a", 1, key+"2", value), treeL(), treeL("x", "y")), "map", treeM(), key+"1", treeM("x", value))
	for _, target := range treeTargets(root, nil, 12, nil) {
		edits := [][]Edit{
			{{target.Path, Text(value)}}, {{Path: target.Path}}, {{target.Path, nested}}, {{target.Path, treeL(nested, value)}},
		}
		if target.Value.Kind == Map {
			edits = append(edits, []Edit{{append(slices.Clone(target.Path), Step{Key: key}), Text(value)}},
				[]Edit{{append(slices.Clone(target.Path), Step{Key: key}, Step{Key: value}), nested}})
		}
		if target.Value.Kind == List || target.Value.Kind == Null {
			edits = append(edits, []Edit{{append(slices.Clone(target.Path), Step{Field: "name", Equals: value}, Step{Key: key}), nested}})
		}
		for i, e := range edits {
			out, err := Apply(f, data, e)
			if _, isYAML := f.(yaml); errors.Is(err, ErrVerify) && !(isYAML && treeTabbed(data)) {
				treeDefect(t, f, data, e)
			}
			if !bytes.Equal(data, orig) {
				t.Fatal("the input was written to")
			}
			if errors.Is(err, ErrVerify) {
				continue
			}
			if err != nil {
				treeCheckError(t, err)
				continue
			}
			if i == 0 && target.Value.Scalar() {
				treeCheckLines(t, root, target, data, out)
			}
			if e[0].Value != nil && target.Value.Scalar() {
				treeCheckComments(t, data, out, comment, target)
			}
		}
	}
}

// treeTabbed reports whether a line of data begins with blanks and a tab. YAML
// allows that in places that depend on what stands above, so edits of such
// files may fail.
func treeTabbed(data []byte) bool {
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("\t")) {
			return true
		}
	}
	return false
}

// treeDefect reports an edit that Apply had to refuse: safe, but a defect.
func treeDefect(t *testing.T, f Format, data []byte, e []Edit) {
	t.Helper()
	out, err := f.Splice(data, e)
	if err != nil { // show the first step
		now, _ := f.Decode(data)
		want, _ := now.clone().with(e[0].Path, e[0].Value)
		op, _ := treeDiff(now, want, nil)
		out, err = f.(treeEditor).change(data, op)
	}
	t.Fatalf("edit %s = %s does not verify: %v\nin:  %q\nout: %q", e[0].Path, ToJSON(e[0].Value), err, data, out)
}

func treeCheckError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is not an *Error", err)
	}
}

// treeCheckLines checks that only lines from the old value's first line to the
// line before the next node differ.
func treeCheckLines(t *testing.T, root *Node, target Edit, data, out []byte) {
	t.Helper()
	first, last := target.Value.Line, 1+bytes.Count(data, []byte("\n"))
	for _, l := range treeNodeLines(root, nil) {
		if l > first && l <= last {
			last = l
		}
	}
	a, b := strings.SplitAfter(string(data), "\n"), strings.SplitAfter(string(out), "\n")
	for i := 0; i < first-1; i++ {
		if i >= len(b) || a[i] != b[i] {
			t.Fatalf("line %d, above %s on line %d, changed\nin:  %q\nout: %q", i+1, target.Path, first, data, out)
		}
	}
	for i := last; i < len(a); i++ {
		if j := len(b) - len(a) + i; j < 0 || a[i] != b[j] {
			t.Fatalf("line %d, below %s on line %d, changed\nin:  %q\nout: %q", i+1, target.Path, first, data, out)
		}
	}
}

// treeCheckComments checks that no line which is only a marked comment is lost.
// The marker does not occur in values.
func treeCheckComments(t *testing.T, data, out []byte, marker string, target Edit) {
	t.Helper()
	if a, b := bytes.Count(data, []byte(marker)), bytes.Count(out, []byte(marker)); marker != "" && b < a && !strings.Contains(target.Value.Text, strings.TrimSpace(marker)) {
		t.Fatalf("%d comments are lost by replacing %s\nin:  %q\nout: %q", a-b, target.Path, data, out)
	}
}

func TestToJSONConvertsWhatJSONCannotSpell(t *testing.T) {
	for in, want := range map[string]string{
		"12": "12", "1.50": "1.50", "-0": "-0", "1e400": "1e400", "0x1F": "31", "0o17": "15", "1_000": "1000", "+5": "5",
		".5": "0.5", ".inf": `".inf"`, "nan": `"nan"`, "99999999999999999999": "99999999999999999999", "0xFFFFFFFFFFFFFFFFFF": "4722366482869645213695",
	} {
		if got := string(ToJSON(&Node{Kind: Number, Text: in})); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	n := treeM("b", treeL("x", 1, true, nil), "a", treeM(), "é\"\n\x01", "<&>")
	if got, want := string(ToJSON(n)), `{"b":["x",1,true,null],"a":{},"é\"\n\u0001":"<&>"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFromJSONKeepsOrderAndNumbers(t *testing.T) {
	const in = `{"z":1.50,"a":[1e2,{"b":null}],"m":"\ud83d\ude00"}`
	n, err := FromJSON([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(ToJSON(n)), `{"z":1.50,"a":[1e2,{"b":null}],"m":"😀"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n, err = FromJSON([]byte(`{"a":1,"a":2}`)); err != nil || string(ToJSON(n)) != `{"a":2}` {
		t.Errorf("duplicate keys: %s, %v", ToJSON(n), err)
	}
	for _, bad := range []string{"", " ", `{"a":1,}`, `{/**/}`, treeBOM + `{}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{} {}`, `{"a":fakesecret}`} {
		_, err := FromJSON([]byte(bad))
		if err == nil || strings.Contains(err.Error(), "fakesecret") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

// treeStress runs the laws of treeFuzz on texts put together from tokens: far
// more of them parse than of the texts that a fuzzer makes from bytes. The seed
// is fixed; RHX_STRESS is how many more texts to try.
func treeStress(t *testing.T, f Format, tokens []string, marker string) {
	t.Helper()
	rounds, seed := 4000, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("RHX_STRESS")); err == nil {
		rounds, seed = n, uint64(time.Now().UnixNano())
	}
	random := rand.New(rand.NewPCG(seed, 2))
	values := []string{"value", "two\nlines\n", " 12: 'x' #y", "", "é\u2028\"\\", "-----BEGIN\nx\n", "yes", "a\n\nb"}
	parsed := 0
	for range rounds {
		var b strings.Builder
		for range 1 + random.IntN(24) {
			b.WriteString(tokens[random.IntN(len(tokens))])
		}
		if _, err := f.Decode([]byte(b.String())); err == nil {
			parsed++
		}
		treeFuzz(t, f, []byte(b.String()), values[random.IntN(len(values))], values[random.IntN(len(values))], marker)
	}
	if parsed < rounds/100 {
		t.Errorf("only %d of %d texts parse; the tokens are badly chosen", parsed, rounds)
	}
	t.Logf("%d of %d texts parse", parsed, rounds)
}
