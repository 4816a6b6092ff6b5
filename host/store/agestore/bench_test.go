package agestore

import (
	"fmt"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// filled returns a folder with count secrets of one version.
func filled(b *testing.B, count int) string {
	dir := dataDir(b)
	s := Open(Options{Dir: dir})
	for i := range count {
		sec := &secret.Secret{Name: fmt.Sprintf("name/%d", i), Provider: "name", Values: secret.Values{"k": secret.NewValue("FAKE")}}
		if _, err := s.Put(b.Context(), sec, 0); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// What `rhx run -s NAME` costs: a handle that has read no key yet.
func BenchmarkFirstGet(b *testing.B) {
	dir := filled(b, 1000)
	for b.Loop() {
		if _, err := Open(Options{Dir: dir}).Get(b.Context(), "name/500", 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := Open(Options{Dir: filled(b, 1)})
	for b.Loop() {
		if _, err := s.Get(b.Context(), "name/0", 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList1000(b *testing.B) {
	s := Open(Options{Dir: filled(b, 1000)})
	for b.Loop() {
		if _, err := s.List(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := Open(Options{Dir: dataDir(b)})
	sec := &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}
	for b.Loop() {
		if _, err := s.Put(b.Context(), sec, store.AnyVersion); err != nil {
			b.Fatal(err)
		}
	}
}
