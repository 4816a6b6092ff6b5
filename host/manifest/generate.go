package manifest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// Generate says how a value is made.
type Generate struct {
	// Kind is text, hex, uuid, ed25519 (an SSH key pair) or age.
	Kind string
	// Length is in characters, for text and hex.
	Length int
	// Alphabet has the characters of text.
	Alphabet string
}

// The kinds of generated values, and the length and characters of a text where
// the manifest does not say: 32 of 62 characters are 190 bits.
const (
	kindText    = "text"
	kindHex     = "hex"
	kindUUID    = "uuid"
	kindEd25519 = "ed25519"
	kindAge     = "age"

	defaultLength   = 32
	defaultAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

func kinds() []string { return []string{kindText, kindHex, kindUUID, kindEd25519, kindAge} }

// Public is the key, beside that of a generated key pair, that has its public half.
func (g *Generate) Public(key string) string {
	if g.Kind == kindEd25519 || g.Kind == kindAge {
		return key + "_public"
	}
	return ""
}

// Make makes a value, and the public half of a key pair, from the system's
// randomness.
func (g *Generate) Make() (value, public string, err error) {
	switch g.Kind {
	case kindText:
		letters := []rune(g.Alphabet)
		out := make([]rune, g.Length)
		for i := range out {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
			if err != nil {
				return "", "", err
			}
			out[i] = letters[n.Int64()]
		}
		return string(out), "", nil
	case kindHex:
		b := make([]byte, (g.Length+1)/2)
		_, _ = rand.Read(b) // it never fails
		return hex.EncodeToString(b)[:g.Length], "", nil
	case kindUUID:
		var b [16]byte
		_, _ = rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562, version 4
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), "", nil
	case kindEd25519:
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return "", "", err
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			return "", "", err
		}
		line, err := ssh.NewPublicKey(pub)
		if err != nil {
			return "", "", err
		}
		return string(pem.EncodeToMemory(block)), string(ssh.MarshalAuthorizedKey(line)), nil
	case kindAge:
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return "", "", err
		}
		return id.String(), id.Recipient().String(), nil
	}
	return "", "", fmt.Errorf("unknown kind of value %q", g.Kind)
}
