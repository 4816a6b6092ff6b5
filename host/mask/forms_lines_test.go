package mask

import (
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
)

func TestLines(t *testing.T) {
	var values []secret.Value
	for _, v := range []string{"one1", " two2 \n", "abc", "", "three\r\nfour\rone1\n\n abcd \nx", "-----BEGIN A-----\nbody\n-----END A-----", "  a  "} {
		values = append(values, secret.NewValue(v))
	}
	if got, want := Lines(values), []string{"one1", "two2", "three", "four", "abcd", "body"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}
