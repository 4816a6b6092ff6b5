package main

import (
	"context"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

// What is read without kong is what kong reads.
func TestPlainArgumentsAreReadAsKongReadsThem(t *testing.T) {
	t.Setenv("RHX_STORE", "")
	words := []string{"-s", "-b", "a/b", "--", "-x", "a=b", "-", "", "--store=x", "run"}
	var read []string
	var each func(args []string, more int)
	each = func(args []string, more int) {
		if name, cmd := plain(args); cmd != nil {
			read = append(read, name)
			a := &app{Terminal: term.New(term.Streams{In: nil, Out: io.Discard, Err: io.Discard}, func(string) string { return "" }), globals: &globals{}}
			parsed, err := a.parse(context.Background(), slices.Clone(args))
			if err != nil || parsed == nil {
				t.Fatalf("%q: kong does not read it: %v", args, err)
			}
			if want := parsed.Selected().Target.Addr().Interface(); !reflect.DeepEqual(cmd, want) {
				t.Errorf("%q: %+v, not %+v", args, cmd, want)
			}
			if want := newApp().globals; !reflect.DeepEqual(a.globals, want) {
				t.Errorf("%q: the flags of all commands are %+v, not %+v", args, a.globals, want)
			}
		}
		if more > 0 {
			for _, w := range words {
				each(append(slices.Clone(args), w), more-1)
			}
		}
	}
	each([]string{"get"}, 3)
	each([]string{"run"}, 3)
	each([]string{"run", "-s", "a", "-b"}, 3)
	if get, run := len(read)-len(slices.DeleteFunc(slices.Clone(read), func(n string) bool { return n == "get" })), len(read); get < 6 || run < 40 {
		t.Errorf("%d of get and %d in all are read: the test proves little", get, run)
	}
}

// Other forms are kong's.
func TestPlainReadsNothingElse(t *testing.T) {
	for _, args := range [][]string{nil, {"get"}, {"run"}, {"get", "a", "b", "c"}, {"get", "-h"}, {"get", "a", "--help"}, {"get", "a", ""}, {"get", ""}, {"run", "a"}, {"run", "--"}, {"run", "-s", "a"}, {"run", "-s", "--", "a"},
		{"run", "-s", "a", "true"}, {"run", "-sa", "--", "true"}, {"run", "-s", "", "--", "true"}, {"run", "--mask", "-s", "a", "--", "true"}, {"show", "a"}} {
		if name, cmd := plain(args); cmd != nil || name != "" {
			t.Errorf("%q: %s %+v", args, name, cmd)
		}
	}
}
