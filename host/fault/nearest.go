package fault

import (
	"fmt"
	"strings"
)

// Nearest returns the one of known that is nearest to name by edit distance, or
// "" where none is near enough to be a misspelling. Of several, one that begins as name
// does is it: the first letter is seldom wrong.
func Nearest(name string, known []string) string {
	best, at := "", max(1, len(name)/3)+1
	begins := func(k string) bool { return name != "" && strings.HasPrefix(k, name[:1]) }
	for _, k := range known {
		d := distance(name, k)
		tie := d == at && best != "" && (begins(k) && !begins(best) || begins(k) == begins(best) && k < best)
		if d < at || tie {
			best, at = k, d
		}
	}
	return best
}

// DidYouMean returns `; did you mean "X"?` for the nearest of known, or "".
func DidYouMean(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
