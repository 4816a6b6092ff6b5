package deliver

import (
	"strings"
	"testing"
	"unicode"

	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
)

func FuzzParseTokens(f *testing.F) {
	for _, s := range []string{"hvs.FAKE\n", "hvs.FAKE \"aws/prod\"\r\nhvs.FAKE2 \"a b\"", "hvs.FAKE aws", "", "\n\n", "a \"\"", "a \"x\\xff\"", "a \"..\"", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := ParseTokens([]byte(text))
		if err != nil {
			for _, word := range strings.Fields(text) {
				if len(word) > 8 && strings.Contains(err.Error(), word) {
					t.Errorf("the error repeats what was read: %v", err)
				}
			}
			return
		}
		for i := range tokens {
			if tokens[i].Name == "" {
				tokens[i].Name = "aws"
			}
		}
		again, err := ParseTokens(formatTokens(tokens))
		if err != nil || len(again) != len(tokens) {
			t.Fatalf("%d tokens, %v", len(again), err)
		}
		for i := range again {
			if again[i] != tokens[i] {
				t.Errorf("token %d came back as another one", i)
			}
		}
	})
}

// What a host answers moves no terminal and is no outcome that rhx does not have.
func FuzzLoadedThere(f *testing.F) {
	for _, s := range []string{
		`[{"machine":"local","secret":"aws","path":"~/.aws/credentials","action":"created","keys":["access_key"]}]`,
		`[{"secret":"aws","action":"failed","error":"the wrapping token was used already, has expired, or is another one: it may have been intercepted"}]`,
		`[{"secret":"aws","var":"A","action":"\u001b[2J"}]`, `[{"action":"conflict"}]`, `{"error":"a\u001b[2Jb","hint":"c\nd"}`, `null`, `[]`, "command not found\x1b[31m",
	} {
		f.Add([]byte(s), []byte(s))
	}
	f.Fuzz(func(t *testing.T, answer, said []byte) {
		loaded, err := outcomesThere(place.Host("gpu"), 1, answer, said)
		texts := []string{}
		if err != nil {
			texts = append(texts, err.Error())
		}
		for _, l := range loaded {
			texts = append(texts, l.Source.String(), strings.Join(l.Keys, ","))
			if l.Err != nil {
				texts = append(texts, l.Err.Error())
			}
			if bad := l.Action == "failed" || l.Action == "conflict"; bad != (l.Err != nil) && l.Err == nil {
				t.Errorf("%s without an error", l.Action)
			}
		}
		for _, text := range texts {
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) }) {
				t.Errorf("%q", text)
			}
		}
	})
}

func TestTokensKeepOddNames(t *testing.T) {
	for _, name := range []string{"aws", "aws/prod eu", `a"b\c`, "a\xff", "é/ü"} {
		got, err := ParseTokens(formatTokens([]Token{{name, secret.NewValue("hvs.FAKE")}}))
		if err != nil || len(got) != 1 || got[0].Name != name || got[0].Token.Reveal() != "hvs.FAKE" {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
}
