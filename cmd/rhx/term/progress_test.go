package term

import (
	"fmt"
	"testing"
)

func TestBarFitsTheTerminal(t *testing.T) {
	for _, c := range []struct {
		done, parts, width int
		want               string
	}{
		{0, 1000, 80, "saving [                                        ]    0/1000"},
		{500, 1000, 80, "saving [====================                    ]  500/1000"},
		{999, 1000, 30, "saving [======== ]  999/1000"},
		{7, 8, 12, "7/8"},
		{7, 8, 2, "7"},
		{7, 8, 0, ""},
	} {
		b := &bar{doing: "saving", parts: c.parts, done: c.done}
		got := b.line(c.width)
		if got != c.want {
			t.Errorf("%d of %d, width %d: %q, want %q", c.done, c.parts, c.width, got, c.want)
		}
	}
	for width := range 100 {
		b := &bar{doing: "reading", parts: 123456, done: 99999}
		if got := b.line(width); len(got) >= max(width, 1) {
			t.Errorf("width %d: %d characters: %s", width, len(got), fmt.Sprintf("%q", got))
		}
	}
}
