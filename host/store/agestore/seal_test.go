package agestore

import (
	"bytes"
	"strings"
	"testing"
)

func TestSealedIsReadBackWithTheSameKeyOnly(t *testing.T) {
	s := Open(Options{Dir: t.TempDir()})
	sealed, err := s.Seal(t.Context(), []byte("fake-token"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("fake-token")) {
		t.Error("it is not encrypted")
	}
	if infos, err := s.List(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("the store lists %v, %v", infos, err)
	}
	data, err := Open(s.opt).Unseal(t.Context(), sealed)
	if err != nil || string(data) != "fake-token" {
		t.Errorf("got %q, %v", data, err)
	}
	other := Open(Options{Dir: t.TempDir()})
	if _, err := other.Seal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unseal(t.Context(), sealed); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := s.Unseal(t.Context(), sealed); err == nil || !strings.Contains(err.Error(), "altered") {
		t.Errorf("an altered byte: %v", err)
	}
}
