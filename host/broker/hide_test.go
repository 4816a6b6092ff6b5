package broker

import (
	"testing"

	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
)

// A password that is a word is not taken out of paths and names, and a token is, wherever it
// stands.
func TestHideElsewhere(t *testing.T) {
	long, short := "FAKEfake01234567", "postgres-1"
	e, err := newElsewhere([]mask.StandIn{{Value: secret.NewValue(long), Text: "QWERqwer98765432"}, {Value: secret.NewValue(short), Text: "mlkjhgfd-9"}, {Value: secret.NewValue(long[:15]), Text: "QWERqwer9876543"}})
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{elsewhere: e}
	for text, want := range map[string]string{
		short: "mlkjhgfd-9", short + "\n": "mlkjhgfd-9\n", "/usr/lib/" + short + "/bin:" + short: "", "x" + short: "", "user:" + short: "", short + "@host": "",
		"postgres://" + short + ":" + short + "@db/" + short: "postgres://" + short + ":mlkjhgfd-9@db/" + short,
		"Bearer " + long + " " + short:                       "Bearer QWERqwer98765432 " + short,
		"x" + long + ":" + short + "@":                       "xQWERqwer98765432:mlkjhgfd-9@",
		long[:15] + " x":                                     "",
	} {
		if want == "" {
			want = text
		}
		if got := b.HideElsewhere(text); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
}
