package agestore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
)

// Who reads and who signs have the same key.
func TestPublicHalfIsThatOfTheSigner(t *testing.T) {
	t.Parallel()
	for i := range 32 {
		seed := sha256.Sum256([]byte{byte(i)})
		got, err := publicHalf(seed[:])
		if want := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey); err != nil || !bytes.Equal(got, want) {
			t.Errorf("seed %d: %x, %v, not %x", i, got, err, want)
		}
	}
}
