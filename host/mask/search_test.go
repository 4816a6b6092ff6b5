package mask

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
)

func finder(values ...string) *Finder {
	var list []Sought
	for _, v := range values {
		list = append(list, Sought{Value: secret.NewValue(v), Line: func(string) bool { return true }})
	}
	return NewFinder(list)
}

// searched are the matches in a text that comes in pieces.
func searched(f *Finder, text string, size int) (out []Match) {
	s := f.Search(func(m Match) { out = append(out, m) })
	for p := range chunks(text, max(1, size)) {
		_, _ = s.Write([]byte(p))
	}
	s.End()
	return out
}

// Each form of a value is found and named, at its line and column.
func TestSearch(t *testing.T) {
	const value, other = `fake'key/1234 "x"`, "another-fake-value"
	f := finder(value, other, pem)
	for form, text := range map[string]string{
		"plain":              value,
		"utf16":              wide(value),
		"url":                strings.ReplaceAll(value, " ", "+"),
		"plain+url":          "fake%27key%2F1234%20%22x%22",
		"plain+escapes":      `fake'key/1234 \"x\"`,
		"plain+entities":     `fake'key/1234 &quot;x&quot;`,
		"plain+quotes":       `fake'\''key/1234 "x"`,
		"hex":                hex.EncodeToString([]byte(value)),
		"base64":             base64.StdEncoding.EncodeToString([]byte(value)),
		"utf16+base64":       base64.StdEncoding.EncodeToString([]byte(wide(value))),
		"base64+lines":       base64.StdEncoding.EncodeToString([]byte(value))[:8] + "\n  " + base64.StdEncoding.EncodeToString([]byte(value))[8:],
		"hex+url":            "%6" + hex.EncodeToString([]byte(value))[1:],
		"utf16+base64+lines": base64.URLEncoding.EncodeToString([]byte(wide(value)))[:8] + "\r\n" + base64.URLEncoding.EncodeToString([]byte(wide(value)))[8:],
	} {
		if form == "hex+url" {
			text = strings.Replace(hex.EncodeToString([]byte(value)), "66", "%36%36", 1)
		}
		whole := "one\ntwo\n" + strings.Repeat("x", block) + "\n (" + text + ") " + other
		for _, size := range []int{len(whole), 40_000, 1000, 7} {
			got := searched(f, whole, size)
			if len(got) != 2 || got[0] != (Match{Offset: int64(8 + block + 3), Length: len(text), Line: 4, Column: 3, Form: form}) ||
				got[1] != (Match{Offset: int64(len(whole) - len(other)), Length: len(other), Line: 4 + strings.Count(text, "\n"), Column: len(whole) - strings.LastIndex(whole, "\n") - len(other), Value: 1, Form: "plain"}) {
				t.Errorf("%s, in pieces of %d: %+v", form, size, got)
			}
		}
	}
	for text, want := range map[string]string{
		strings.TrimSpace(pem): "plain", "FAKEfakeFAKE/fake+FAKE": "line+plain", "bGluZS9vZi90aGUra2V5PT0=": "line+base64", "FAKEfakeFAKE%2ffake%2bFAKE": "line+plain+url",
	} {
		if got := searched(f, text, 10); len(got) != 1 || got[0].Value != 2 || got[0].Form != want || got[0].Line != 1 || got[0].Column != 1 {
			t.Errorf("%q: %+v, not %s", text, got, want)
		}
	}
	bare := NewFinder([]Sought{{Value: secret.NewValue(pem), Line: func(line string) bool { return strings.HasPrefix(line, "line") }}})
	if got := searched(bare, "FAKEfakeFAKE/fake+FAKE line/of/the+key== "+pem, 9); len(got) != 2 || got[0].Form != "line+plain" || got[0].Offset != 23 || got[1].Form != "plain" {
		t.Errorf("%+v", got)
	}
	if got := searched(NewFinder(nil), "text\n", 3); got != nil {
		t.Error(got)
	}
}

// A text ends where it ends: nothing of it counts for the next one.
func TestSearchOfSeveralTexts(t *testing.T) {
	f := finder("fake-key/1234")
	var got []string
	s := f.Search(func(m Match) { got = append(got, fmt.Sprint(m.Offset, ":", m.Line, ":", m.Column)) })
	for _, text := range []string{"\n\nfake-key", "/1234 fake-key/1234", "fake-key/1234\nfake-key%2f", "1234\nfake-key/1234"} {
		_, _ = s.Write([]byte(text))
		s.End()
	}
	if want := "6:1:7 0:1:1 5:2:1"; strings.Join(got, " ") != want {
		t.Errorf("%v, not %s", got, want)
	}
}

// Where a Masker masks, a Search finds.
func FuzzSearch(f *testing.F) {
	f.Add("fake-key/1234", "abcdef", "x fake-key/1234 abcdef fake%2Dkey/1234 \\u0066ake-key/1234", 3)
	f.Add("aaaa", "aaab", "aaaaaabaaab", 1)
	f.Add(pem, "p@ss \"w\"", pem+`p@ss \"w\" %70%40ss+%22w%22`, 7)
	f.Fuzz(func(t *testing.T, one, two, text string, size int) {
		if len(one)+len(two) > 200 || len(text) > 400 || strings.Contains(text, "*") {
			return
		}
		want := strings.Count(whole(masker(one, two), text), secret.Redacted)
		got := searched(finder(one, two), text, size&31)
		if len(got) != want {
			t.Fatalf("%q in %q: %+v, not %d", []string{one, two}, text, got, want)
		}
		for _, m := range got {
			start := strings.LastIndexByte(text[:m.Offset], '\n') + 1
			if line := strings.Count(text[:m.Offset], "\n") + 1; m.Line != line || m.Column != int(m.Offset)-start+1 {
				t.Fatalf("%q: %+v, not line %d", text, m, line)
			}
		}
	})
}
