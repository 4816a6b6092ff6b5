package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestJoin(t *testing.T) {
	same, hinted := errors.New("a"), WithHint(errors.New("a"), "do b")
	if err := Join(nil, nil); err != nil {
		t.Error(err)
	}
	for want, errs := range map[string][]error{
		"a":    {same, nil, errors.New("a"), errors.Join(same, same)},
		"a\na": {same, hinted, WithHint(errors.New("a"), "do b")},
		"a\nc": {errors.Join(same, errors.Join(errors.New("c"), same))},
		// An error that says more than its parts stays as it is.
		"a: c\na\nc": {fmt.Errorf("%w: %w", same, errors.New("c")), same, errors.New("c")},
	} {
		if err := Join(errs...); err == nil || err.Error() != want {
			t.Errorf("%q, not %q", err, want)
		}
	}
	if err := Join(same, hinted); !errors.Is(err, same) || Hint(err) != "do b" {
		t.Errorf("%v, %q", err, Hint(err))
	}
}
