package mask

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// Values and texts of few characters, which therefore meet in every way: what comes
// out is what the naive search says, in any pieces.
func TestRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[rnd.IntN(len(from))] }
	chars := strings.Split(`aaab0x+/%\'"&;<u41 `+"\n\r\x00ü", "")
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(pick(chars))
		}
		return b.String()
	}
	looks := []func(string) string{
		func(s string) string { return s },
		url.QueryEscape, url.PathEscape,
		func(s string) string { return fmt.Sprintf("%q", s) },
		func(s string) string { return hex.EncodeToString([]byte(s)) },
		func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		func(s string) string { return base64.URLEncoding.EncodeToString([]byte("y" + s + "z")) },
		func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) },
		func(s string) string { return strings.ReplaceAll(s, `"`, `""`) },
		func(s string) string {
			return strings.NewReplacer("&", "&amp;", "<", "&lt;", "'", "&#39;", "a", "&#x61;").Replace(s)
		},
		func(s string) string { return strings.NewReplacer("ü", `\u00fc`, "a", `\x61`, "b", `\142`).Replace(s) },
		func(s string) string { return wide(s) },
	}
	breaks := []string{"\n", "\r\n", "\n  ", "\r", "\n\n\n\n\n", "\n\n"}
	for i := range 300 {
		values := []string{text(4 + rnd.IntN(6)), text(3 + rnd.IntN(12)), text(rnd.IntN(30))}
		var b strings.Builder
		for range 1 + rnd.IntN(6) {
			look := pick([]string{values[0], values[1], values[2], trim(values[0]), trim(values[1])})
			look = looks[rnd.IntN(len(looks))](look)
			if rnd.IntN(3) == 0 { // broken
				at := rnd.IntN(len(look) + 1)
				look = look[:at] + pick(breaks) + look[at:]
			}
			if rnd.IntN(3) == 0 { // cut
				look = look[rnd.IntN(len(look)+1):]
			}
			b.WriteString(look + pick([]string{"", "", "_", text(2)}))
		}
		in := b.String()
		m, want := masker(values...), naive(values, in)
		for _, size := range []int{len(in), 1, 2, 1 + rnd.IntN(12)} {
			if got := inPieces(m, in, size); got != want {
				t.Fatalf("%d: %q without %q in pieces of %d is\n%q, not\n%q", i, in, values, size, got, want)
			}
		}
	}
}
