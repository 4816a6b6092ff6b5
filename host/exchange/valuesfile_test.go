package exchange

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/secret"
)

// What is put before a person is read back as the same values, whatever they are.
func FuzzValuesFile(f *testing.F) {
	for _, seed := range [][4]string{
		{"db", "user", "password", "two words # and more"}, {"a b", "A", "B", "it's \"$x\" `y` \\"}, {"x", "a b", "é", "line\nbreak\r\n"},
		{"x", "export", "=", "# comment"}, {"x", "A.b-c", "1", " leading"}, {"x", "k", "K", "${x}"}, {"x", "", "k", "\ufeff{"}, {"x", "k", "j", "{\"a\": 1}"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, comment, key, other, text string) {
		if strings.ContainsAny(comment, "\r\n") || !utf8.ValidString(comment) {
			return // rhx has one line
		}
		sec := &secret.Secret{Name: "x", Values: secret.Values{key: secret.NewValue(text), other: secret.NewValue("fake")}}
		file, data, err := ValuesFile(sec, sec.Values.Keys(), comment)
		if err != nil {
			if utf8.ValidString(key) && utf8.ValidString(other) && utf8.ValidString(text) {
				t.Fatal("it is text, and not edited")
			}
			return
		}
		got := secret.Values{}
		if err := ParseValues(file, data, got); err != nil || !got.Equal(sec.Values) {
			t.Fatalf("%s: %v; %v differ", file, err, strings.Join(got.Diff(sec.Values), ", "))
		}
	})
}
