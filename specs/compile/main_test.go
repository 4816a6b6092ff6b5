package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

func TestCompiledIsCurrent(t *testing.T) {
	want, err := compiled("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../compiled.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("specs/compiled.go is not what the specs say: go generate ./specs")
	}
}

// What was compiled is what a parser reads, whatever the literals look like.
func TestCompiledIsWhatIsParsed(t *testing.T) {
	files, err := filepath.Glob("../*.yaml")
	if err != nil || len(files) != len(specs.All()) {
		t.Fatalf("%d files, %d compiled: %v", len(files), len(specs.All()), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := spec.Parse("specs/"+filepath.Base(file), data)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(specs.All(), func(have spec.Builtin) bool { return have.Name == s.Name })
		if i < 0 {
			t.Errorf("%s is not compiled", file)
			continue
		}
		if got := specs.All()[i].Make(); !reflect.DeepEqual(got, s) {
			t.Errorf("%s: compiled to\n%+v\nand not\n%+v", file, *got, *s)
		}
	}
}
