package agestore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
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

// sameVerdict fails where verify says another thing of a signature than Go's own function.
func sameVerdict(t *testing.T, public, message, sig []byte) (good bool) {
	t.Helper()
	good = verify(public, message, sig)
	if want := len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, sig); good != want {
		t.Errorf("verify says %v: key %x, message %x, signature %x", good, public, message, sig)
	}
	return good
}

func TestSignaturesAreVerifiedAsGoDoes(t *testing.T) {
	t.Parallel()
	for i := range 16 {
		seed := sha256.Sum256([]byte{byte(i)})
		key := ed25519.NewKeyFromSeed(seed[:])
		public := []byte(key.Public().(ed25519.PublicKey))
		message := bytes.Repeat([]byte{byte(i)}, i)
		sig := ed25519.Sign(key, message)
		if !sameVerdict(t, public, message, sig) {
			t.Errorf("seed %d: a good signature is none", i)
		}
		for at := range sig {
			for _, bit := range []byte{1, 128} {
				bad := slices.Clone(sig)
				bad[at] ^= bit
				if sameVerdict(t, public, message, bad) {
					t.Errorf("byte %d changed, and it is good", at)
				}
			}
		}
		for at := range public {
			bad := slices.Clone(public)
			bad[at] ^= 1
			if sameVerdict(t, bad, message, sig) {
				t.Errorf("it is good for another key, whose byte %d differs", at)
			}
		}
		if sameVerdict(t, public, append(message, 0), sig) || sameVerdict(t, public, message, sig[:63]) || sameVerdict(t, public, message, nil) || sameVerdict(t, public[:31], message, sig) || sameVerdict(t, nil, message, sig) {
			t.Error("what is no signature of it is good")
		}
	}
}

// The same signature with another number for its second half, and those by keys of small order,
// which fit many messages: what counts for Go counts here.
func TestMalleableSignatures(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := []byte(key.Public().(ed25519.PublicKey))
	sig := ed25519.Sign(key, nil)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	for n := new(big.Int).Add(new(big.Int).SetBytes(s), order); n.BitLen() <= 256; n.Add(n, order) {
		bad := slices.Clone(sig)
		n.FillBytes(bad[32:])
		slices.Reverse(bad[32:])
		if sameVerdict(t, public, nil, bad) {
			t.Errorf("%x is good", bad)
		}
	}
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080", // which is no canonical form
		"0000000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // likewise
		"0200000000000000000000000000000000000000000000000000000000000000", // on no curve
	} {
		small, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 16 {
			sameVerdict(t, small, []byte{byte(i)}, append(slices.Clone(small), make([]byte, 32)...))
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	f.Add([]byte(key.Public().(ed25519.PublicKey)), []byte("x"), ed25519.Sign(key, []byte("x")))
	f.Fuzz(func(t *testing.T, public, message, sig []byte) { sameVerdict(t, public, message, sig) })
}
