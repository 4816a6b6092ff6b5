package mask

import (
	"fmt"
	"strings"
	"testing"
)

func wordList(texts ...string) []word {
	var list []word
	for _, t := range texts {
		list = append(list, word{text: t})
	}
	return list
}

// A word is found at any place of a text, whatever steps the search takes.
func TestFindAnywhere(t *testing.T) {
	for _, shortest := range []int{4, 5, 7, 10, 11, 12, 30} {
		var texts []string
		for i := range 6 {
			texts = append(texts, strings.Repeat(string(rune('a'+i))+fmt.Sprint(i)+"-/+Q", 20)[:shortest+7*i])
		}
		w := newWords(wordList(texts...))
		if want := min(shortest-w.gram+1, 8); w.stride != want || w.gram != 4 && shortest > 4 || w.gram != 3 && shortest == 4 {
			t.Errorf("shortest %d: grams of %d, steps of %d", shortest, w.gram, w.stride)
		}
		for _, text := range texts {
			for before := range 20 {
				for after := range 12 {
					got := w.find([]byte(strings.Repeat("_", before)+text+strings.Repeat("_", after)), false, nil)
					// Those that overlap are one.
					if got = merge(got); len(got) != 1 || got[0].start != before || got[0].end != before+len(text) {
						t.Fatalf("%q after %d and before %d: %v", text, before, after, got)
					}
				}
			}
			for cut := range len(text) {
				if got := w.find([]byte(text[:cut]+"_"), false, nil); len(got) > 0 {
					t.Fatalf("%q is found in %q", text, text[:cut])
				}
			}
		}
	}
	if got := newWords(nil).find([]byte("text"), false, nil); got != nil {
		t.Error(got)
	}
}

// Words in code are searched for alone where a tool broke lines.
func TestFindCode(t *testing.T) {
	w := newWords([]word{{text: "plain-text"}, {text: "c0de-code", code: true}, {text: "both-both"}, {text: "both-both", code: true}, {text: "both-both"}})
	for text, want := range map[string][2]int{"plain-text": {1, 0}, "c0de-code": {1, 1}, "both-both": {1, 1}} {
		if all, code := w.find([]byte(text), false, nil), w.find([]byte(text), true, nil); len(all) != want[0] || len(code) != want[1] {
			t.Errorf("%s: %v, in code %v", text, all, code)
		}
		if all, code := w.tail([]byte(text[:6]), false, little), w.tail([]byte(text[:6]), true, little); all != 6*want[0] || code != 6*want[1] {
			t.Errorf("%s: tails of %d, in code %d", text[:6], all, code)
		}
	}
	if len(w.sorted) != 3 {
		t.Errorf("%v", w.sorted)
	}
}

// The filter has the grams that are rare: not those of other words, of rulers and
// indents, or of plain language, where a word has better ones.
func TestRareGrams(t *testing.T) {
	for text, want := range map[string]string{
		"aaaaaaaaaaaaaaaQ-Z+R/X_K=Y":          "Q-Z+R/X_K=Y",
		"Q-Z+R/X_K=Yaaaaaaaaaaaaaaa":          "Q-Z+R/X_K=Y",
		"plain words Q-Z+R/X_K=Y plain words": "Q-Z+R/X_K=Y",
		"0000-1111-2222abcdABCDEFGHIJKL":      "ABCDEFGHIJK",
		"12345678901ABCDEFGHIJKLabcdefghijk":  "ABCDEFGHIJK",
	} {
		w := newWords(wordList(text))
		var grams []string
		for _, e := range w.entries[1:] {
			grams = append(grams, text[e.offset:int(e.offset)+w.gram])
		}
		if got := grams[0] + text[int(w.entries[1].offset)+w.gram:int(w.entries[8].offset)+w.gram]; len(grams) != 8 || got != want {
			t.Errorf("%q: the grams are of %q, not %q", text, got, want)
		}
	}
	// What all words begin with is in none of the lists.
	var texts []string
	for i := range 100 {
		texts = append(texts, fmt.Sprintf("SAME-HEADER-OF-EACH.%c%c/%d+%c", 'A'+i%26, 'Z'-i/26, i*7919, 'a'+i%26))
	}
	w := newWords(wordList(texts...))
	for _, first := range w.lists {
		n := 0
		for e := first; e != 0; e = w.entries[e].next {
			n++
		}
		if n > 12 {
			t.Errorf("%d words have one gram", n)
		}
	}
	for g, want := range map[string]int{"AAAB": 4, "aBCD": 6, "zBCD": 6, "{BCD": 4, "`BCD": 4, " BCD": 6, "0BCD": 5, "9BCD": 5, ":BCD": 4, "/BCD": 4, "\x00BCD": 5, "----": 68} {
		if got := newWords(wordList("unlike")).common(load(g)); got != want {
			t.Errorf("%q costs %d, not %d", g, got, want)
		}
	}
	w = newWords(wordList("ABCDEFGHIJK", "ABCDEFGHIJK"))
	if got := w.common(load("ABCD")); got != 12 {
		t.Errorf("a gram of a word costs %d", got)
	}
}

func TestTail(t *testing.T) {
	w := newWords(wordList("password-0123456789", "word-list", "words", "abcd"))
	for _, c := range []struct {
		text              string
		little, some, all int
	}{
		{"", 0, 0, 0}, {"x", 0, 0, 0}, {"p", 1, 0, 0}, {"xp", 1, 0, 0}, {"pas", 3, 0, 0}, {"pass", 4, 4, 0},
		{"password", 8, 8, 4}, {"password-", 9, 9, 5}, {"password-0", 10, 10, 10}, {"sword", 4, 4, 4}, {"words", 0, 0, 0}, {"wordx", 0, 0, 0},
		{"abcd", 0, 0, 0}, {"abc", 3, 0, 0}, {"xxabcw", 1, 0, 0}, {"password-0123456789", 0, 0, 0}, {"password-012345678", 18, 18, 18},
		{strings.Repeat("password-", 9), 9, 9, 5},
	} {
		if l, s, m := w.tail([]byte(c.text), false, little), w.tail([]byte(c.text), false, some), w.tail([]byte(c.text), false, most); l != c.little || s != c.some || m != c.all {
			t.Errorf("%q: %d, %d, %d; not %d, %d, %d", c.text, l, s, m, c.little, c.some, c.all)
		}
	}
}

// The set of substrings is exact, also with zeros in it and when it is full, and has the
// least that was said of each.
func TestQuads(t *testing.T) {
	for _, zero := range []bool{true, false} {
		q := newQuads()
		for i := range uint32(300) {
			if i > 0 || zero {
				q.add(i*0x10001, 7)
			}
			q.add(i*0x10001, int(5+i%2))
			q.add(i*0x10001, 9)
			if i == 0 && !zero {
				q = newQuads()
			}
		}
		for i := range uint32(1000) {
			want := 0
			if i < 300 && (i > 0 || zero) {
				want = int(5 + i%2)
			}
			if got := q.needs(i * 0x10001); got != want {
				t.Errorf("%d: %d, not %d", i, got, want)
			}
		}
	}
	b := newBitmap(300)
	if len(b.bits) != 1<<14/64 || len(newBitmap(0).bits) != 1<<12/64 || len(newBitmap(1<<30).bits) != 1<<22/64 {
		t.Errorf("%d bits for 300", 64*len(b.bits))
	}
	wrong := 0
	for i := range uint32(300) {
		b.set(i * 7)
	}
	for i := range uint32(10000) {
		if i%7 == 0 && i < 2100 && !b.has(i) {
			t.Fatalf("%d is lost", i)
		}
		if i >= 2100 && b.has(i) {
			wrong++
		}
	}
	if wrong > 500 {
		t.Errorf("%d of 7900 others are said to be in it", wrong)
	}
}
