package agestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/rhx-dev/rhx/host/ownfile"
)

// keyIntro begins the line that somebody hands to the owner of a store, and linePlain is put
// in the place of the blank in a public key of SSH, so that it is one word.
const (
	keyIntro  = "rhx-key:"
	linePlain = "_"
)

// OwnKey returns the user's key as others need it to share a store. It is made where there is
// none yet, also where the folder is here already, with a list of members that nobody has joined.
func (s *Store) OwnKey(ctx context.Context) (*Member, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	others := false
	if _, err := s.shared(); errors.Is(err, errNotJoined) {
		raw, err := ownfile.ReadNoLink(s.membersPath(), maxRoster)
		if err == nil {
			_, err = parseRoster(raw)
		}
		others = err == nil
	}
	if _, err := s.keyOrNewFor(ctx, others); err != nil {
		return nil, err
	}
	k, err := s.unlocked()
	if err != nil {
		return nil, err
	}
	all, err := k.signers()
	if err != nil {
		return nil, err
	}
	return &Member{Recipients: k.public[:1], Signer: all[0].public}, nil
}

// Line is m's key as one word: the public key, the one that signs, and a checksum.
func (m *Member) Line() string {
	text := strings.ReplaceAll(m.Recipients[0], " ", linePlain) + ":" + m.Signer
	return keyIntro + text + ":" + checksum(text)
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(keyIntro + text))
	return hex.EncodeToString(sum[:4])
}

// ParseKey reads what Line returns, or a public key of age, of one of its plugins or of SSH,
// with which somebody only reads; the name is the comment of one of SSH. Its error shows
// nothing of text, which may be a private key by mistake.
func ParseKey(text string) (*Member, error) {
	text = strings.TrimSpace(text)
	line, ours := strings.CutPrefix(text, keyIntro)
	m := &Member{}
	if ours {
		at := strings.LastIndexByte(line, ':')
		if at < 0 || checksum(line[:at]) != line[at+1:] {
			return nil, errors.New("the line of rhx store key is damaged, or not whole")
		}
		recipient, signer, ok := strings.Cut(line[:at], ":")
		if !ok || !validSigner(signer) {
			return nil, errors.New("the line of rhx store key is damaged, or not whole")
		}
		if strings.HasPrefix(recipient, "ssh-") {
			recipient = strings.Replace(recipient, linePlain, " ", 1)
		}
		m.Recipients, m.Signer = []string{recipient}, signer
	} else {
		if _, err := ParseRecipient(text); err != nil {
			return nil, err
		}
		fields := strings.Fields(text)
		if m.Recipients = fields[:1]; len(fields) > 1 {
			m.Recipients = []string{fields[0] + " " + fields[1]}
			m.Name = strings.Join(fields[2:], " ")
		}
	}
	_, err := canonicalRecipient(m.Recipients[0])
	return m, err
}
