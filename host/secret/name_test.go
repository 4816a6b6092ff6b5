package secret

import (
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	for _, name := range []string{"aws", "aws/prod%20eu", "a b", "日本語/東京", "e\u0301", "🔑", "a\u00a0b", "..a", "a.", "\u3164", strings.Repeat("n", 512)} {
		if err := ValidName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "/", "a/", "/a", "a//b", ".", "a/..", "../a", strings.Repeat("n", 513),
		"a\nb", "a\x00", "\x1b[2J", "a\x7f", // C0 and DEL
		"a\u0080", "a\u009bb", // C1
		"a\u202eb", "a\u2066", "\u200e", "a\u061c", // turn the direction of text
		"a\u200bb", "a\u200d", "a\u2060", "\ufeffa", "a\u00adb", // have no width
		"a\u2028b", "a\u2029",
	} {
		err := ValidName(name)
		if err == nil {
			t.Errorf("%q is allowed", name)
			continue
		}
		for _, r := range err.Error() {
			if r < ' ' || r > '~' {
				t.Errorf("%q: the error has %U", name, r)
			}
		}
	}
}
