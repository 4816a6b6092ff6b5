package agestore

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"maps"
	"slices"
	"sync"

	"filippo.io/edwards25519"
)

// A file of the record counts if one of this user's keys made its last signature, and if no
// other file that counts makes it void.

// signaturePurpose is what the keys that sign are derived for.
const signaturePurpose = "store record"

// publicHalf is the public key that belongs to a seed. To say it, ed25519 makes tables that
// are of use to who signs often, and take longer than all else that a reader does.
func publicHalf(seed []byte) (ed25519.PublicKey, error) {
	sum := sha512.Sum512(seed)
	s, err := edwards25519.NewScalar().SetBytesWithClamping(sum[:ed25519.SeedSize])
	if err != nil {
		return nil, err
	}
	return edwards25519.NewIdentityPoint().ScalarMult(s, edwards25519.NewGeneratorPoint()).Bytes(), nil
}

var sigText = base64.RawURLEncoding

// signer is what proves the changes of whoever has a private key.
type signer struct {
	public string
	// sign returns the signature of a message for a purpose; nil where there is none.
	sign func(purpose string, message []byte) []byte
}

// signers are those of each private key.
func (k *key) signers() ([]*signer, error) {
	if k.remote != nil {
		return k.remote.signers(), nil
	}
	var out []*signer
	for _, root := range k.roots {
		seed, err := derive(root, signaturePurpose)
		if err != nil {
			return nil, err
		}
		public, err := publicHalf(seed)
		if err != nil {
			return nil, err
		}
		key := sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed) })
		out = append(out, &signer{public: sigText.EncodeToString(public), sign: func(purpose string, message []byte) []byte {
			return ed25519.Sign(key(), forPurpose(purpose, message))
		}})
	}
	return out, nil
}

// forPurpose is what is signed, so that no signature serves for anything else.
func forPurpose(purpose string, message []byte) []byte {
	return append([]byte("rhx store "+purpose+" 1\n"), message...)
}

// recordPurpose is that of the proofs of the record.
const recordPurpose = "record"

// proven is what a line's proof signs: all of the file up to there.
func proven(sum hash.Hash) []byte { return forPurpose(recordPurpose, sum.Sum(nil)) }

// proof is the text of a line's proof; "-" where there is none.
func (s *signer) proof(sum hash.Hash) string {
	if sig := s.sign(recordPurpose, sum.Sum(nil)); sig != nil {
		return sigText.EncodeToString(sig)
	}
	return "-"
}

// provenBy returns which of keys, as text, has signed a file up to there; "" for none.
func provenBy(keys []string, sum hash.Hash, proof string) string {
	sig, err := sigText.DecodeString(proof)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return ""
	}
	message := proven(sum)
	for _, key := range keys {
		if pub, err := sigText.DecodeString(key); err == nil && len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, message, sig) {
			return key
		}
	}
	return ""
}

// signers is whose files count.
type signers struct {
	// own are the user's keys.
	own []string
	// of says whose key has signed a file that counts, by the file's ID.
	of map[string]string
	// void are the files that count no more.
	void map[string]bool
}

// signersOf finds out whose files count. k is nil, or without its private half, where
// nothing can be proven.
func signersOf(k *key, files map[string][]byte) (*signers, error) {
	c := &signers{of: map[string]string{}, void: map[string]bool{}}
	if k != nil {
		own, err := k.signers()
		if err != nil {
			return nil, err
		}
		for _, s := range own {
			c.own = append(c.own, s.public)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(files)) {
		part, by := signedPart(id, files[id], c.own)
		if by == "" {
			continue
		}
		c.of[id] = by
		for _, other := range voidBy(id, part, c.own) {
			c.void[other] = true
		}
	}
	return c, nil
}

// voidBy are the files that the lines of another make void, each line with a proof of its
// own: the proof of a later one covers what somebody else may have put before it.
func voidBy(id string, lines []byte, keys []string) []string {
	if !bytes.Contains(lines, []byte(" "+opVoid+" ")) {
		return nil
	}
	var out []string
	sum := newSum(id)
	for line := range bytes.Lines(lines) {
		at := bytes.LastIndexByte(line, ' ') + 1
		sum.Write(line[:at])
		c, proof, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n"))))
		if ok && c.op == opVoid && provenBy(keys, sum, proof) != "" {
			out = append(out, c.folder)
		}
		sum.Write(line[at:])
	}
	return out
}

// signedPart returns the lines of a file up to its last proof, and whose of keys that
// is; "" where it is nobody's.
func signedPart(id string, lines []byte, keys []string) (part []byte, by string) {
	body, proof, end := lastProof(lines)
	if proof == "" {
		return nil, ""
	}
	sum := newSum(id)
	sum.Write(body)
	return lines[:end], provenBy(keys, sum, proof)
}

// lastProof returns what the last line that has a proof signs, that proof, and where the
// line ends.
func lastProof(lines []byte) (body []byte, proof string, end int) {
	for end = len(lines); end > 0; {
		begin := bytes.LastIndexByte(lines[:end-1], '\n') + 1
		if at := bytes.LastIndexByte(lines[begin:end-1], ' '); at >= 0 {
			if proof = string(lines[begin+at+1 : end-1]); proof != "-" {
				return lines[:begin+at+1], cmp.Or(proof, "none"), end
			}
		}
		end = begin
	}
	return nil, "", 0
}

// unprovenAgain is what somebody does who puts lines of their own in the place of others.
const unprovenAgain = "lines that had a proof have none"

// unprovenEnd is what only this machine does, in its own file.
const unprovenEnd = "its last lines have no proof: another machine of yours has written them while its key was locked, or somebody else"

// ownPart returns, of the lines of this machine's file, those that it has written where its key
// may have been locked: up to its last proof, or as far as it has seen the file, and a line that a
// change is done. A change is made only after its line was seen, so one line more may be there,
// of a process that was killed, and says nothing. added reports that there is more than that.
func ownPart(lines []byte, was *seen) (part []byte, added bool) {
	_, _, end := lastProof(lines)
	end = min(max(end, int(was.Sizes[was.ID])), len(lines))
	next := func() string {
		line, _, _ := bytes.Cut(lines[end:], []byte("\n"))
		return string(line)
	}
	if c, _, ok := parseChange(next()); ok && (c.op == opDone || c.op == opUndone) {
		end += len(next()) + 1
	}
	return lines[:end], bytes.Count(lines[end:], []byte("\n")) > 1
}

// counted returns the lines of a file that count, and why that is not all of them; ""
// where it is. waits reports that the user's key has a passphrase: lines without a proof may
// be at the end of this machine's file then.
func (c *signers) counted(id string, lines []byte, was *seen, waits bool) ([]byte, string) {
	_, proof, end := lastProof(lines)
	own := id == was.ID
	var added bool
	if waits && own {
		lines, added = ownPart(lines, was)
	}
	switch {
	case c.void[id]:
		return nil, ""
	case own && int64(end) < was.Proven && int64(len(lines)) >= was.Sizes[id]:
		return lines, unprovenAgain
	case added:
		return lines, unprovenEnd
	case proof == "" && (len(lines) == 0 || waits && own):
		return lines, ""
	case proof == "" && waits:
		return nil, unprovenEnd
	case proof == "" && own:
		return lines, "it has no proof"
	case c.of[id] == "":
		return nil, "it was changed, or another key wrote it"
	case waits && own || end == len(lines):
		return lines, ""
	case waits:
		return lines[:end], unprovenEnd
	}
	return lines, "its last lines have no proof"
}
