package agestore

import (
	"fmt"
	"os"
	"testing"

	"filippo.io/age"

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

// The same where it is shared with ten, on a machine that has written, and on one that has not
// since the others have written all.
func BenchmarkFirstGetShared(b *testing.B) {
	dir := filled(b, 1000)
	s := Open(Options{Dir: dir})
	for i := range 10 {
		m := Member{Name: fmt.Sprint("m", i), Recipients: []string{newIdentity(b).Recipient().String()}, Secrets: []Text{"none"}}
		if _, err := s.Share(b.Context(), &m, "ann"); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("seen", func(b *testing.B) {
		if _, err := Open(Options{Dir: dir}).Verify(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for b.Loop() {
			if _, err := Open(Options{Dir: dir}).Get(b.Context(), "name/500", 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("put", func(b *testing.B) {
		sec := &secret.Secret{Name: "name/500", Values: secret.Values{"k": secret.NewValue("FAKE")}}
		for b.Loop() {
			if _, err := Open(Options{Dir: dir}).Put(b.Context(), sec, store.AnyVersion); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unseen", func(b *testing.B) {
		if err := os.Remove(s.seenPath()); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := Open(Options{Dir: dir}).Get(b.Context(), "name/500", 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func newIdentity(b *testing.B) *age.X25519Identity {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	return id
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
