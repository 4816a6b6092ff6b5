package agestore

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
)

// Whose word counts in the record.
//
// At first that of this user's key, and of those whose keys the user has accepted here
// (store.seen). Their files may name members, whose files count then, too; so it goes on,
// level by level. Everybody has a rank: those accepted 1, a member that of who took them in
// and one more, and the user that of such a member, or 0 where nobody was accepted. Then:
//
//   - Nobody takes out, or changes, somebody of a lower rank than their own, or of the same
//     who was named before.
//   - Who is taken out names nobody any more, at whatever time they say they did: of what
//     they say only whom they take out counts, since that lets nobody in. They are never
//     taken in again with the same key, since nobody knows what else it has signed.
//   - With whom a part of the store is shared names nobody, and changes only that part.
//   - Who was accepted and has a new key says so with the old one. With that the old one
//     counts no more; where it names two new ones, somebody else has it, too, and neither
//     counts. Members are given a new key by those who took them in.

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

// circle is who may change the store, by what its record says.
type circle struct {
	// members are those with whom the store is shared, by their recipients. It has the
	// user, too, where it is shared at all.
	members map[string]*Member
	// left are members who were taken out, likewise.
	left map[string]*Member
	// of says whose key has signed a file that counts, by the file's ID.
	of map[string]string
	// void are the files that count no more.
	void map[string]bool
	// rank is that of each key that counts or has counted.
	rank map[string]int
	// own are the user's keys, and pins the accepted ones of others.
	own, pins []string

	by     map[string]int       // of each member, by recipient
	since  map[string]int64     // the clock at which a member was named first, likewise
	gone   map[string]bool      // keys of those who were taken out
	claims map[string][]*Member // new keys, by the old ones that name them
	ended  map[string]string    // keys that were taken out, and by whose
	files  map[string][]byte
}

// given is what was found out about keys before.
type given struct {
	next   map[string]*Member // in the place of these keys
	banned map[string]bool
}

// circleOf finds out who may change the store. k is nil, or without its private half,
// where nothing of the user's can be proven.
func circleOf(k *key, was *seen, files map[string][]byte) (*circle, error) {
	var own []string
	if k != nil {
		for _, root := range k.roots {
			key, err := signerOf(root)
			if err != nil {
				return nil, err
			}
			own = append(own, signerText(key))
		}
	}
	known := given{map[string]*Member{}, map[string]bool{}}
	pins := was.Trusted
	for {
		c := &circle{
			members: map[string]*Member{}, left: map[string]*Member{}, of: map[string]string{}, void: map[string]bool{},
			rank: map[string]int{}, by: map[string]int{}, since: map[string]int64{}, gone: map[string]bool{}, claims: map[string][]*Member{}, ended: map[string]string{},
			own: own, files: files,
		}
		c.pins = slices.DeleteFunc(slices.Clone(pins), func(key string) bool { return known.banned[key] })
		c.evaluate(known)
		if !c.learn(&known) {
			return c, nil
		}
		for i, key := range pins {
			if next := known.next[key]; next != nil && !known.banned[key] {
				pins = slices.Clone(pins)
				pins[i] = next.Signer
			}
		}
	}
}

// learn adds what was found out about keys that others take the place of, and reports
// whether that was anything new.
func (c *circle) learn(known *given) bool {
	found := false
	for old, next := range c.claims {
		if slices.Contains(c.own, old) || known.banned[old] || known.next[old] != nil {
			continue
		}
		different := slices.ContainsFunc(next, func(m *Member) bool { return m.Signer != next[0].Signer })
		switch {
		case different:
			known.banned[old] = true
		case c.ended[old] == next[0].Signer:
			known.next[old] = next[0]
		default:
			continue
		}
		found = true
	}
	return found
}

func (c *circle) evaluate(known given) {
	for _, key := range c.pins {
		c.rank[key] = 1
	}
	for _, key := range c.own {
		// Who has accepted somebody was taken in by them.
		if c.rank[key] = 0; len(c.pins) > 0 {
			c.rank[key] = 2
		}
	}
	ids := slices.Sorted(maps.Keys(c.files))
	for {
		var trusted []string
		for key := range c.rank {
			if !c.gone[key] && !known.banned[key] {
				trusted = append(trusted, key)
			}
		}
		var ops []signed
		found := false
		for _, id := range ids {
			if c.of[id] != "" || c.void[id] {
				continue
			}
			part, by := signedPart(id, c.files[id], trusted)
			if by == "" {
				continue
			}
			found, c.of[id] = true, by
			ops = append(ops, memberOps(id, part, trusted)...)
		}
		if !found {
			break
		}
		slices.SortStableFunc(ops, func(a, b signed) int { return compareClock(a.change, b.change) })
		out := c.takenOut(ops)
		for _, op := range ops {
			c.apply(op, out, known)
		}
	}
	c.leave(known)
}

// takenOut are the authors of changes whom others of them take out for good.
func (c *circle) takenOut(ops []signed) map[string]bool {
	out := map[string]bool{}
	for _, op := range ops {
		m, ok := parseMember(op.hash)
		if now := c.members[m.recipient()]; now != nil && op.op == opUnshare {
			m = now // whoever says so may have written another key beside it
		}
		if !ok || m.Signer == op.by {
			continue
		}
		switch {
		case op.op == opUnshare && c.mayTakeOut(op.by, m):
			out[m.Signer] = true
		}
	}
	return out
}

// mayTakeOut reports whether who has a key has the rank, and enough of the store, to take
// a member out.
func (c *circle) mayTakeOut(by string, m *Member) bool {
	if c.partly(by) || slices.Contains(c.own, m.Signer) && !slices.Contains(c.own, by) {
		return false
	}
	mine := c.rank[by]
	if rank, known := c.rank[m.Signer]; known && rank < mine {
		return false
	}
	named, member := c.by[m.Recipient]
	isNew := func(next *Member) bool { return next.Signer == by }
	if !member || named > mine || slices.ContainsFunc(c.claims[m.Signer], isNew) {
		return true
	}
	me := c.member(by)
	return named == mine && (me == nil || me.Recipient == m.Recipient || c.since[me.Recipient] < c.since[m.Recipient])
}

// partly reports whether a part of the store is shared with who has a key.
func (c *circle) partly(signer string) bool {
	m := c.member(signer)
	return m != nil && len(m.Secrets) > 0
}

// member is who has a key; nil for nobody.
func (c *circle) member(signer string) *Member {
	for _, m := range c.members {
		if signer != "" && m.Signer == signer {
			return m
		}
	}
	return nil
}

// mayChange reports whether the changes of who has a key to the secret in a folder count.
func (c *circle) mayChange(signer, folder string) bool {
	m := c.member(signer)
	return m == nil || m.has(folder)
}

// apply takes up one change. Of authors in out only whom they take out counts.
func (c *circle) apply(op signed, out map[string]bool, known given) {
	rank := c.rank[op.by]
	switch op.op {
	case opVoid:
		if whose, ok := c.of[op.folder]; !c.partly(op.by) && !out[op.by] && (!ok || c.rank[whose] >= rank) {
			c.void[op.folder] = true
		}
	case opShare:
		if m, ok := parseMember(op.hash); ok && !out[op.by] {
			c.take(m, op.by, op.clock, known)
		}
	case opUnshare:
		m, ok := parseMember(op.hash)
		if now := c.members[m.recipient()]; now != nil {
			m = now
		}
		if !ok || !c.mayTakeOut(op.by, m) {
			return
		}
		delete(c.members, m.Recipient)
		c.left[m.Recipient] = m
		if m.Signer != "" {
			c.gone[m.Signer], c.ended[m.Signer] = true, op.by
		}
	}
}

// take takes up that somebody says m to be a member.
func (c *circle) take(m *Member, by string, clock int64, known given) {
	rank := c.rank[by] + 1
	if c.isAnothers(m, by) {
		return
	}
	if m.Replaces != "" && m.Replaces == by && m.Signer != "" && (slices.Contains(c.own, by) || slices.Contains(c.pins, by)) {
		// Oneself with a new key: with what the old one had.
		c.claims[by] = append(c.claims[by], m)
		if rank = c.rank[by]; c.member(by) != nil {
			m.Secrets = c.member(by).Secrets
		}
	} else if c.partly(by) {
		return
	}
	// Those who name each other in a circle are left as the last that was looked at.
	for range len(known.next) {
		next := known.next[m.Signer]
		if next == nil {
			break
		}
		m = &Member{Name: m.Name, Recipient: next.Recipient, Signer: next.Signer, Secrets: m.Secrets}
	}
	if c.known(m.Signer) {
		rank = min(rank, c.rank[m.Signer])
	}
	old := c.members[m.Recipient]
	if named, ok := c.by[m.Recipient]; ok && old != nil {
		switch {
		case named <= c.rank[by] && old.Signer != by:
			// Who was there before oneself is as others said; one can only share more.
			more := *old
			if more.Secrets = append(slices.Clone(old.Secrets), m.Secrets...); len(old.Secrets) == 0 || len(m.Secrets) == 0 {
				more.Secrets = nil
			}
			m, rank = &more, named
		case m.Signer == "":
			m.Signer = old.Signer // shared once more by the public key alone
		}
	}
	if m.Signer != "" {
		if c.gone[m.Signer] || known.banned[m.Signer] {
			return
		}
		if !c.known(m.Signer) {
			c.rank[m.Signer] = rank
		}
	}
	if _, ok := c.since[m.Recipient]; !ok {
		c.since[m.Recipient] = clock
	}
	c.members[m.Recipient], c.by[m.Recipient] = m, rank
	delete(c.left, m.Recipient)
}

// isAnothers reports whether the signer of m is somebody who is there under another public
// key, or who was before the one who says so: nobody gets another's name, rank or part.
func (c *circle) isAnothers(m *Member, by string) bool {
	if m.Signer == "" || m.Signer == by {
		return false
	}
	if is := c.member(m.Signer); is != nil {
		return is.Recipient != m.Recipient
	}
	rank, known := c.rank[m.Signer]
	return known && rank < c.rank[by]
}

// leave has the files count no more of who was taken out, or has a new key: who said so
// has restated what was right in them.
func (c *circle) leave(known given) {
	var keys []string
	for key := range c.gone {
		keys = append(keys, key)
	}
	for key := range known.next {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return slices.Contains(c.own, key) })
	for id, lines := range c.files {
		by := c.of[id]
		if by == "" && len(keys) > 0 {
			_, by = signedPart(id, lines, keys)
		}
		if slices.Contains(keys, by) {
			c.void[id] = true
		}
	}
}

// keys are all that count or have counted.
func (c *circle) keys() []string { return slices.Collect(maps.Keys(c.rank)) }

// signed is a change of who may change the store, and whose key signed it.
type signed struct {
	change
	by string
}

// memberOps are the changes in the lines of a file that say who may change the store, each
// with a proof of its own by one of keys: the proof of a later line covers what somebody
// else may have put before it.
func memberOps(id string, lines []byte, keys []string) []signed {
	var out []signed
	if !bytes.Contains(lines, []byte("share ")) && !bytes.Contains(lines, []byte(" "+opVoid+" ")) {
		return nil
	}
	sum := newSum(id)
	for line := range bytes.Lines(lines) {
		at := bytes.LastIndexByte(line, ' ') + 1
		sum.Write(line[:at])
		c, proof, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n"))))
		if ok && (c.op == opShare || c.op == opUnshare || c.op == opVoid) {
			if by := provenBy(keys, sum, proof); by != "" {
				out = append(out, signed{c, by})
			}
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
		if !m.has(folder) || slices.Contains(k.public, text) || slices.Contains(c.own, m.Signer) {
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

// whose names the member who has a key; "" for nobody.
func (c *circle) whose(signer string) string {
	if m := c.member(signer); m != nil {
		return m.Name
	}
	return ""
}

// maxClaims is how many members of files that do not count are looked at.
const maxClaims = 200

// founder is whose word would have the files count that do not, where nobody's has any
// of others count yet, or they say that the user is a member: the user is to accept that
// key. It is nil where there is none.
func (c *circle) founder(k *key) (*Member, *circle) {
	if len(c.members) > 0 || k == nil {
		return nil, nil
	}
	var claimed []signed
	named := len(c.of) == 0
	for id, lines := range c.files {
		if c.of[id] != "" || c.void[id] {
			continue
		}
		for line := range bytes.Lines(lines) {
			op, _, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n"))))
			if !ok || op.op != opShare {
				continue
			}
			m, ok := parseMember(op.hash)
			if !ok || m.Signer == "" || slices.Contains(c.own, m.Signer) {
				named = named || ok && slices.Contains(k.public, m.Recipient)
				continue
			}
			claimed = append(claimed, signed{op, m.Signer})
		}
	}
	if !named {
		return nil, nil
	}
	// The first who says of himself that he is a member, of those by whose word most count.
	slices.SortFunc(claimed, func(a, b signed) int { return cmp.Or(compareClock(a.change, b.change), strings.Compare(a.by, b.by)) })
	var best *Member
	var with *circle
	tried := map[string]bool{}
	for _, s := range claimed {
		if tried[s.by] || len(tried) == maxClaims {
			continue
		}
		tried[s.by] = true
		next, err := circleOf(k, &seen{Trusted: []string{s.by}}, c.files)
		if err != nil || len(next.of) <= len(c.of) || with != nil && len(next.of) <= len(with.of) {
			continue
		}
		if m := next.member(s.by); m != nil {
			best, with = m, next
		}
	}
	return best, with
}

// countedOf leaves out the changes of a file to secrets that are not shared with who wrote
// it.
func (c *circle) countedOf(id string, made []change) []change {
	return slices.DeleteFunc(made, func(ch change) bool { return !c.mayChange(c.of[id], ch.folder) })
}

// known reports whether a key counts, or has counted.
func (c *circle) known(signer string) bool {
	_, ok := c.rank[signer]
	return ok
}
