package author

import (
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
)

// No format changes other lines than it is asked to; what would find it does.
func TestKeepsFindsOtherLines(t *testing.T) {
	const before = "# mine\ntoken = FAKE-a\nencoded = RkFLRQ==\nx = 1\n"
	for _, tt := range []struct {
		name, after string
		places      int
		want        bool
	}{
		{"the line of the value", "# mine\ntoken = FAKE-b\nencoded = RkFLRQ==\nx = 1\n", 1, true},
		{"a line more", "# mine\nuser = x\ntoken = FAKE-b\nencoded = RkFLRQ==\nx = 1\n", 1, true},
		{"the line of the value, encoded", "# mine\ntoken = FAKE-a\nencoded = RkFLRg==\nx = 1\n", 1, true},
		{"both of them", "# mine\ntoken = FAKE-b\nencoded = RkFLRg==\nx = 1\n", 2, true},
		{"a comment too", "token = FAKE-b\nencoded = RkFLRQ==\nx = 1\n", 1, false},
		{"another value too", "# mine\ntoken = FAKE-b\nencoded = RkFLRQ==\nx = 2\n", 1, false},
		{"everything", "", 1, false},
	} {
		m := machine.NewMemory("case")
		m.PutFile("/home/u/f", []byte(tt.after), 0o600)
		if got := keeps(m, map[string][]byte{"f": []byte(before)}, "FAKE-a", tt.places); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}
