package agestore

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/fault"
)

// Whose files of the record count.
//
// At first those that this user's key has signed, and those of members whose key the
// user has accepted here (store.seen). A file that counts may name further members,
// whose files count then, too; so it goes on, level by level. A member who is taken out
// cannot come back by what is said at the same or a later level: that is what a member
// says of whom he does not like any better.

// signaturePurpose is what the keys that sign are derived for.
const signaturePurpose = "store record"

// signerOf returns the key that proves the changes of whoever has a private key.
func signerOf(root []byte) (ed25519.PrivateKey, error) {
	seed, err := derive(root, signaturePurpose)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

var sigText = base64.RawURLEncoding

func signerText(key ed25519.PrivateKey) string {
	return sigText.EncodeToString(key.Public().(ed25519.PublicKey))
}

// proven is what a line's proof signs: all of the file up to there.
func proven(sum hash.Hash) []byte { return sum.Sum([]byte("rhx store record 1\n")) }

func recordProof(key ed25519.PrivateKey, sum hash.Hash) string {
	return sigText.EncodeToString(ed25519.Sign(key, proven(sum)))
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

// Member is somebody with whom the store is shared.
type Member struct {
	Name string `json:"name"`
	// Recipient is the public key that secrets are encrypted to, of age or SSH.
	Recipient string `json:"recipient"`
	// Signer proves the member's own changes; "" for somebody who only reads.
	Signer string `json:"signer,omitempty"`
	// Secrets are the names of those that are shared; none for all.
	Secrets []string `json:"secrets,omitempty"`
	// Replaces is the Signer whose place this one takes: a member has a new key.
	Replaces string `json:"replaces,omitempty"`
}

// has reports whether the secret in a folder is shared with the member.
func (m *Member) has(folder string) bool {
	return len(m.Secrets) == 0 || slices.ContainsFunc(m.Secrets, func(name string) bool { return folderName(name) == folder })
}

func (m *Member) text() (string, error) {
	data, err := json.Marshal(m)
	return sigText.EncodeToString(data), err
}

func parseMember(text string) (*Member, bool) {
	data, err := sigText.DecodeString(text)
	if err != nil {
		return nil, false
	}
	m := &Member{}
	return m, json.Unmarshal(data, m) == nil && m.Recipient != ""
}

// recipientOf parses a public key of age, of one of its plugins, or of SSH.
func recipientOf(text string) (age.Recipient, error) {
	if strings.HasPrefix(text, "ssh-") {
		r, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, errors.New("not an Ed25519 or RSA public key of SSH")
		}
		return r, nil
	}
	if rs, err := age.ParseRecipients(strings.NewReader(text)); err == nil && len(rs) == 1 {
		return rs[0], nil
	}
	r, err := plugin.NewRecipient(text, silent)
	if err != nil {
		return nil, errors.New("not a public key of age or SSH")
	}
	return r, nil
}

// silent is for plugins, which ask nothing when they encrypt to a public key.
var silent = &plugin.ClientUI{
	DisplayMessage: func(string, string) error { return nil },
	RequestValue:   func(string, string, bool) (string, error) { return "", errors.New("there is nobody to ask") },
	Confirm:        func(string, string, string, string) (bool, error) { return false, errors.New("there is nobody to ask") },
}

// circle is who may change the store, by what its record says.
type circle struct {
	// members are those with whom the store is shared, by their recipients. It has the
	// user, too, where it is shared at all.
	members map[string]*Member
	// of says whose key has signed a file that counts, by the file's ID.
	of map[string]string
	// void are the files that count no more.
	void map[string]bool
	// keys are all that were found to count at some time.
	keys []string
	// own are the user's.
	own []string
	// pins are the accepted keys of others, those that were replaced by their new ones.
	pins []string
	// left are members who were taken out, by their recipients.
	left map[string]*Member
}

// circleOf finds out who may change the store. k is nil, or without its private half,
// where nothing of the user's can be proven.
func circleOf(k *key, was *seen, files map[string][]byte) (*circle, error) {
	c := &circle{members: map[string]*Member{}, of: map[string]string{}, void: map[string]bool{}, left: map[string]*Member{}}
	if k != nil {
		for _, root := range k.roots {
			key, err := signerOf(root)
			if err != nil {
				return nil, err
			}
			c.own = append(c.own, signerText(key))
		}
	}
	c.pins = slices.Clone(was.Trusted)
	c.keys = slices.Concat(c.own, c.pins)
	gone := map[string]bool{} // signers
	ids := slices.Sorted(maps.Keys(files))
	for {
		trusted := slices.DeleteFunc(slices.Clone(c.keys), func(key string) bool { return gone[key] && !slices.Contains(c.own, key) })
		var ops []signed
		found := false
		for _, id := range ids {
			if c.of[id] != "" || c.void[id] {
				continue
			}
			body, by := signedPart(id, files[id], trusted)
			if by == "" {
				continue
			}
			found, c.of[id] = true, by
			ops = append(ops, memberOps(body, by)...)
		}
		if !found {
			c.leave(files, gone)
			return c, nil
		}
		slices.SortStableFunc(ops, func(a, b signed) int { return compareClock(a.change, b.change) })
		before := maps.Clone(gone)
		for _, op := range ops {
			c.apply(op, before, gone)
		}
	}
}

// leave has the files of members who were taken out count no more: who did so has
// restated what was right in them.
func (c *circle) leave(files map[string][]byte, gone map[string]bool) {
	keys := slices.DeleteFunc(slices.Collect(maps.Keys(gone)), func(key string) bool { return slices.Contains(c.own, key) })
	for id, lines := range files {
		by := c.of[id]
		if by == "" && len(keys) > 0 {
			_, by = signedPart(id, lines, keys)
		}
		if slices.Contains(keys, by) {
			c.void[id] = true
		}
	}
}

// signed is a change of who may change the store, and whose key signed it.
type signed struct {
	change
	by string
}

// apply takes up one change of a level; before are the signers that were gone when it
// began.
func (c *circle) apply(op signed, before, gone map[string]bool) {
	switch op.op {
	case opVoid:
		// What the user has signed only the user takes back.
		if id := op.folder; !slices.Contains(c.own, c.of[id]) || slices.Contains(c.own, op.by) {
			c.void[id] = true
		}
	case opShare:
		m, ok := parseMember(op.hash)
		if !ok || before[m.Signer] {
			return
		}
		if old := c.members[m.Recipient]; old != nil && old.Signer != "" && m.Signer == "" {
			m.Signer = old.Signer // shared once more by the public key alone
		}
		c.members[m.Recipient] = m
		delete(c.left, m.Recipient)
		if m.Signer == "" {
			return
		}
		delete(gone, m.Signer)
		if !slices.Contains(c.keys, m.Signer) {
			c.keys = append(c.keys, m.Signer)
		}
		if i := slices.Index(c.pins, m.Replaces); i >= 0 && m.Replaces == op.by {
			c.pins[i] = m.Signer
		}
	case opUnshare:
		m, ok := parseMember(op.hash)
		if !ok {
			return
		}
		delete(c.members, m.Recipient)
		c.left[m.Recipient] = m
		if m.Signer != "" {
			gone[m.Signer] = true
		}
	}
}

// memberOps are the changes in the lines of a file that say who may change the store. Each
// needs a proof of its own: the next line's would prove what somebody else has added.
func memberOps(lines []byte, by string) []signed {
	var out []signed
	if !bytes.Contains(lines, []byte("share ")) && !bytes.Contains(lines, []byte(" "+opVoid+" ")) {
		return nil
	}
	for line := range bytes.Lines(lines) {
		c, proof, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n"))))
		if ok && proof != "-" && (c.op == opShare || c.op == opUnshare || c.op == opVoid) {
			out = append(out, signed{c, by})
		}
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

// counted returns the lines of a file that count, and why that is not all of them; ""
// where it is. waits reports that the user's key has a passphrase: lines without a proof may
// be at the end of this machine's file then.
func (c *circle) counted(id string, lines []byte, was *seen, waits bool) ([]byte, string) {
	_, proof, end := lastProof(lines)
	own := id == was.ID
	switch {
	case c.void[id]:
		return nil, ""
	case own && int64(end) < was.Proven && int64(len(lines)) >= was.Sizes[id]:
		return lines, unprovenAgain
	case proof == "" && (len(lines) == 0 || own && waits):
		return lines, ""
	case proof == "" && own:
		return lines, "it has no proof"
	case c.of[id] == "":
		return nil, "it was changed, or a key wrote it that is neither yours nor a member's"
	case own && (waits || end == len(lines)):
		return lines, ""
	case own:
		return lines, "its last lines have no proof"
	}
	return lines[:end], ""
}

// recipients are the public keys that a secret is encrypted to: those of the user's key
// file, and those of the members with whom it is shared.
func (c *circle) recipients(k *key, folder string) ([]age.Recipient, error) {
	out := slices.Clone(k.recipients)
	for _, text := range slices.Sorted(maps.Keys(c.members)) {
		m := c.members[text]
		if !m.has(folder) || slices.Contains(k.public, text) {
			continue
		}
		r, err := recipientOf(text)
		if err != nil {
			return nil, fault.WithHint(fmt.Errorf("the key of %s, with whom the store is shared: %w", m.Name, err),
				"A newer rhx may know it. rhx store unshare takes the member out.")
		}
		out = append(out, r)
	}
	return out, nil
}

// whose names the member who has a signer; "" for nobody.
func (c *circle) whose(signer string) string {
	for _, m := range c.members {
		if m.Signer == signer {
			return m.Name
		}
	}
	return ""
}

// maxClaims is how many members of a stranger's file are looked at.
const maxClaims = 200

// strangers are those whose files do not count, though a file says that they are members:
// by the ID of the file.
func (c *circle) strangers(files map[string][]byte) map[string]*Member {
	var claimed []*Member
	for _, lines := range files {
		for _, op := range memberOps(lines, "") {
			if len(claimed) == maxClaims {
				break // whoever wrote that many wants time
			}
			if m, ok := parseMember(op.hash); ok && op.op == opShare && m.Signer != "" && !slices.Contains(c.keys, m.Signer) {
				claimed = append(claimed, m)
			}
		}
	}
	out := map[string]*Member{}
	for id, lines := range files {
		for _, m := range claimed {
			if c.of[id] != "" || c.void[id] {
				break
			}
			if _, by := signedPart(id, lines, []string{m.Signer}); by != "" {
				out[id] = m
			}
		}
	}
	return out
}
