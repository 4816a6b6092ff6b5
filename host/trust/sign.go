package trust

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"aead.dev/minisign"
)

// A signed package has SHA256SUMS, as sha256sum writes it, with the digests of
// provider.yaml and of the module, and SHA256SUMS.minisig, as minisign writes
// it (https://jedisct1.github.io/minisign/).
const (
	sumsFile = "SHA256SUMS"
	sigFile  = "SHA256SUMS.minisig"
)

// Key is a minisign public key.
type Key struct{ key minisign.PublicKey }

// ParseKey reads a key from its text: one line, or the file that minisign writes.
func ParseKey(text string) (Key, error) {
	var k minisign.PublicKey
	if err := k.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
		return Key{}, fmt.Errorf("not a minisign public key: %s", strings.TrimPrefix(err.Error(), "minisign: "))
	}
	return Key{k}, nil
}

// ReadKey reads a key from its text, or from the file that text names.
func ReadKey(text string) (Key, error) {
	if k, err := ParseKey(text); err == nil {
		return k, nil
	}
	data, err := os.ReadFile(text)
	if err != nil {
		return Key{}, fmt.Errorf("%q is neither a minisign public key nor a file with one: %w", text, err)
	}
	k, err := ParseKey(string(data))
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", text, err)
	}
	return k, nil
}

// String is the key in one line.
func (k Key) String() string { return k.key.String() }

// ID is the number by which minisign calls the key. It proves nothing.
func (k Key) ID() string { return keyID(k.key.ID()) }

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// signed reports whether sig is a signature of data by the key.
func (k Key) signed(data, sig []byte) bool { return minisign.Verify(k.key, data, sig) }

// signedAt is when a signature that is right says that it was made: minisign writes
// that into the comment that it signs, too. 0 is for one that does not say.
func signedAt(sig []byte) int64 {
	var s minisign.Signature
	if err := s.UnmarshalText(sig); err != nil {
		return 0
	}
	for _, word := range strings.Fields(s.TrustedComment) {
		if text, ok := strings.CutPrefix(word, "timestamp:"); ok {
			if at, err := strconv.ParseInt(text, 10, 64); err == nil && at > 0 {
				return at
			}
		}
	}
	return 0
}

// signerID is the number of the key that a signature says it is by.
func signerID(sig []byte) (string, error) {
	var s minisign.Signature
	if err := s.UnmarshalText(sig); err != nil {
		return "", fmt.Errorf("%s is not a minisign signature", sigFile)
	}
	return keyID(s.KeyID), nil
}

// checkSums compares the files of a package with its SHA256SUMS, which must
// list each of them. Other files that it lists are no matter.
func checkSums(files map[string][]byte) error {
	sums := map[string]string{}
	for line := range bytes.Lines(files[sumsFile]) {
		sum, name, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		if !ok || len(sum) != hex.EncodedLen(32) {
			return fmt.Errorf("%s has a line that sha256sum does not write", sumsFile)
		}
		// The second blank is a star for a file that was read as binary.
		name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(name, " "), "*"), "./")
		if _, twice := sums[name]; twice {
			return fmt.Errorf("%s lists %s twice", sumsFile, name)
		}
		sums[name] = "sha256:" + strings.ToLower(sum)
	}
	for name, data := range files {
		switch sum, ok := sums[name]; {
		case name == sumsFile || name == sigFile:
		case !ok:
			return fmt.Errorf("%s does not list %s", sumsFile, name)
		case sum != digest(data):
			return fmt.Errorf("%s is not the file that %s has the digest of", name, sumsFile)
		}
	}
	return nil
}
