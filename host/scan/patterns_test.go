package scan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func patterns(texts ...string) *Patterns {
	var list []Pattern
	for i, text := range texts {
		list = append(list, Pattern{Provider: fmt.Sprint("p", i), Key: "token", Text: text})
	}
	return NewPatterns(list)
}

// By patterns tokens are found that begin and end as one does, wherever a read ends.
func TestPatterns(t *testing.T) {
	p := patterns(`gh[pousr]_[A-Za-z0-9]{20,}`, `sk-[a-z]{3}-[A-Za-z0-9_-]{20,}|(AKIX|ASIX)[A-Z2-7]{16}`, `(hf|api_org)_[A-Za-z0-9_]{20,}`, `gl[a-z]{2,5}-[A-Za-z0-9_-]{20,}`)
	body := "a1B2c3D4e5F6g7H8i9J0"
	text := "x\n" + strings.Join([]string{
		"gh" + "p_" + body, "TOKEN='gh" + "s_" + body + "'", "sk" + "-abc-" + body + "-_x", "AKI" + "XABCDEFGHJKLMNPQR", "api" + "_org_" + body, "gl" + "pat-" + body,
		"xgh" + "p_" + body, "gh" + "p_" + body[1:], "gh" + "p_EXAMPLE" + body, "AKI" + "XABCDEFGHJKLMNPQRS", "gh" + "x_" + body, "gl" + "obal-access-when-dynlinking",
	}, "\n")
	want := []string{"p0:2:1", "p0:3:8", "p1:4:1", "p1:5:1", "p2:6:1", "p3:7:1"}
	for _, before := range []int{0, 10, maxToken - 5, 3 * maxToken} {
		for _, size := range []int{1, 7, 300, 100_000} {
			var got []string
			s := p.search(func(f Finding) { got = append(got, fmt.Sprintf("%s:%d:%d", f.Secret, f.Line, f.Column)) })
			for range 2 { // a text, and another one
				for rest := strings.Repeat("z", before) + text; rest != ""; {
					n := min(size, len(rest))
					s.write([]byte(rest[:n]))
					rest = rest[n:]
				}
				s.end()
			}
			if !slices.Equal(got, append(slices.Clone(want), want...)) {
				t.Fatalf("after %d, by %d: %v", before, size, got)
			}
		}
	}
}

// A pattern by which a token cannot be told from other text is not searched for.
func TestPatternsThatSayNothing(t *testing.T) {
	for text, want := range map[string]bool{
		`[a-f0-9]{32}`: false, `re_.+`: false, `tvly-.+`: true, `pnu_.+`: false, `tvly-.+x`: false, `abcdefgh[a-z]*.+`: true, `sbp_[a-z0-9_]{20,}`: true, `SK[a-f0-9]{32}`: true, `abcd[0-9]{10}`: false, `abcd[0-9]{11}`: true,
		`(`: false, `gl[a-z]+-[\w.-]{20,300}`: false, `AIza[0-9A-Za-z_-]{35}|AQ\..+`: true, `(?i)abcd[0-9]{20}`: false, `[^a]{4}[0-9]{20}`: false, `(ab|cd)+[0-9]{20}`: false,
		`dapi[a-f0-9]{32}(-\d)?`: true, `x?abcd[0-9]{20}`: false,
	} {
		if got := len(patterns(text).by) > 0; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// Behind a beginning of its own anything is a token that is long enough. What is public says so.
func TestPatternsOfAnything(t *testing.T) {
	p := NewPatterns([]Pattern{{Provider: "any", Text: `tvly-.+`}, {Provider: "id", Text: `AKIX[A-Z2-7]{16}`, Public: true}})
	body := "a1B2c3D4e5F6g7H8i9J0"
	for text, want := range map[string]string{
		"tvl" + "y-" + body: "any 25 false", "tvl" + "y-" + body[1:]: "", "tvl" + "y-" + body + " x": "any 25 false", "tvl" + "y-" + body + ".x": "any 25 false",
		"AKI" + "XABCDEFGHJKLMNPQR": "id 20 true", "tvl" + "y-and-words-of-a-sentence": "",
		"tvl" + "y-ecdsa-sha2-nistp256-cert-v01": "", "tvl" + "y-0a1b2c3d4e5f6a7b8c9d": "any 25 false", "tvl" + "y-internationalizations": "", "tvl" + "y-api-exceptions-RunningException": "",
		"x-tvl" + "y-" + body: "", "-tvl" + "y-" + body: "any 25 false", "tvl" + "y-ABCDEFGHIJKLMNOPQRST": "any 25 false", "tvl" + "y-ABCDEFGHIJ-KLMNOPQRST": "",
	} {
		got := ""
		s := p.search(func(f Finding) { got += fmt.Sprint(f.Secret, " ", f.end-f.Column+1, " ", f.ID) })
		s.write([]byte(text))
		if s.end(); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}

// However a text is cut, the same is found in it.
func FuzzPatterns(f *testing.F) {
	p := patterns(`abcd[0-9]{12,}`, `ab[c-e]{2}-[a-z0-9]{12,20}`)
	f.Add("abcd012345678901 abde-a1b2c3d4e5f6", 3)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if len(text) > 400 {
			return
		}
		look := func(size int) (out []string) {
			s := p.search(func(f Finding) { out = append(out, fmt.Sprint(f.Secret, f.Line, f.Column)) })
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				s.write([]byte(rest[:n]))
				rest = rest[n:]
			}
			s.end()
			return out
		}
		if all, parts := look(len(text)+1), look(size&63+1); !slices.Equal(all, parts) {
			t.Fatalf("%q: %v, and in parts %v", text, all, parts)
		}
	})
}
