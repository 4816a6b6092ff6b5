package agestore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
	"filippo.io/edwards25519"
	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
)

// With whom a store is shared stands in one small file, store/members: JSON in exactly the
// form that rhx writes, and behind it a line with the signature of the owner, who alone
// says who reads and who writes.

const (
	// maxRoster is how long the file may be in bytes.
	maxRoster = 1 << 20
	// maxMembers is how many members a store may have.
	maxMembers = 1000
	// maxBefore is how many of the lists before it one names.
	maxBefore = 10000
	// maxNumber is the highest number of a version in a shared store.
	maxNumber = 1<<31 - 1

	rosterPurpose = "members"
)

// Member is somebody with whom a store is shared, or its owner.
type Member struct {
	Name string `json:"name"`
	// Recipients are the public keys to encrypt to: one, but for an owner with several.
	Recipients []string `json:"recipients"`
	// Signer is the public key that proves what the member does; "" for one who only reads.
	Signer string `json:"signer,omitempty"`
	// All secrets are the member's to read and write, or these.
	All     bool   `json:"all,omitempty"`
	Secrets []Text `json:"secrets,omitempty"`

	to      []age.Recipient
	folders map[string]bool // of Secrets
}

// reads reports whether the secret in a folder is shared with m.
func (m *Member) reads(folder string) bool { return m.All || m.folders[folder] }

// Fingerprint is what two people compare to know that a key is the other's.
func (m *Member) Fingerprint() string {
	return fingerprint("key", m.Recipients[0], m.Signer)
}

// fingerprint is a hash of texts without a line break, for people.
func fingerprint(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	text := hex.EncodeToString(sum[:16])
	var b strings.Builder
	for i := 0; i < len(text); i += 4 {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(text[i : i+4])
	}
	return b.String()
}

// roster is what the file says.
type roster struct {
	Version int `json:"version"`
	// Store is a random ID, so that nothing of one store passes for another's.
	Store string `json:"store"`
	// Serial counts the changes.
	Serial int64 `json:"serial"`
	// Before are the hashes of the lists that this one was made of, the oldest first.
	Before  []string `json:"before"`
	Owner   Member   `json:"owner"`
	Members []Member `json:"members"`

	raw   []byte // the file
	hash  string // of raw
	later bool   // than the one that this machine has seen

	by map[string]*Member // who signs, by what the IDs of their files begin with
}

// parseRoster reads the file, and checks that its owner has signed it.
func parseRoster(raw []byte) (*roster, error) {
	if len(raw) > maxRoster {
		return nil, fmt.Errorf("it is larger than %d KiB", maxRoster>>10)
	}
	text, ok := bytes.CutSuffix(raw, []byte("\n"))
	at := bytes.LastIndexByte(text, '\n') + 1
	if !ok || at == 0 {
		return nil, errors.New("it is cut off")
	}
	body, proof := raw[:at], string(text[at:])
	if bytes.Count(body, []byte("{")) > 10*maxMembers {
		return nil, fmt.Errorf("it has more members than there can be, %d", maxMembers)
	}
	r := &roster{}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, errors.New("it is not as rhx writes it")
	}
	if r.Version > 1 {
		return nil, fault.WithHint(errors.New("a newer rhx wrote it"), "use that rhx, or a newer one")
	}
	// There is one way to write what it says: no other field, none twice, no other order.
	if again, err := Marshal(r); err != nil || !bytes.Equal(again, body) {
		return nil, errors.New("it is not as rhx writes it")
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if !signed(r.Owner.Signer, rosterPurpose, body, proof) {
		return nil, errors.New("its owner has not signed it")
	}
	r.raw, r.hash = bytes.Clone(raw), hashFile(raw)
	return r, nil
}

// sealed returns the file of r, which its owner signs.
func (r *roster) sealed(as *signer) (*roster, error) {
	r.Version = 1
	if r.Members == nil {
		r.Members = []Member{}
	}
	if r.Before == nil {
		r.Before = []string{}
	}
	body, err := Marshal(r)
	if err != nil {
		return nil, err
	}
	sig := as.sign(rosterPurpose, body)
	if sig == nil {
		return nil, errors.New("the key does not sign with whom the store is shared")
	}
	return parseRoster(append(body, sigText.EncodeToString(sig)+"\n"...))
}

var (
	memberName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`) })
	storeID    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{32}$`) })
)

// ValidMember reports whether a member can have a name.
func ValidMember(name string) bool { return memberName().MatchString(name) }

// check says what is wrong with r, beside its signature.
func (r *roster) check() error {
	switch {
	case r.Version != 1, !storeID().MatchString(r.Store), r.Serial < 1, r.Serial > maxNumber, r.Members == nil, r.Before == nil,
		slices.ContainsFunc(r.Before, func(h string) bool { return !validHash(h) }):
		return errors.New("it is not as rhx writes it")
	case len(r.Before) > maxBefore:
		return fmt.Errorf("it was made of %d lists, and %d are known", len(r.Before), maxBefore)
	case len(r.Members) > maxMembers:
		return fmt.Errorf("it has %d members, and there can be %d", len(r.Members), maxMembers)
	case r.Owner.Signer == "" || !r.Owner.All:
		return errors.New("its owner does not own it")
	}
	names, keys := map[string]bool{}, map[string]bool{}
	r.by = map[string]*Member{}
	for i := -1; i < len(r.Members); i++ {
		m := &r.Owner
		if i >= 0 {
			m = &r.Members[i]
		}
		if err := m.check(i < 0); err != nil {
			return err
		}
		if name := strings.ToLower(m.Name); names[name] {
			return fmt.Errorf("the name %s is given twice", m.Name)
		} else {
			names[name] = true
		}
		for _, key := range m.Recipients {
			if keys[key] {
				return fmt.Errorf("the key of %s is that of another", m.Name)
			}
			keys[key] = true
		}
		if m.Signer == "" {
			continue
		}
		if id := idPrefix(m.Signer); r.by[id] != nil {
			return fmt.Errorf("the key of %s is that of another", m.Name)
		} else {
			r.by[id] = m
		}
	}
	return nil
}

// check says what is wrong with a member, and parses the keys.
func (m *Member) check(owner bool) (err error) {
	if !ValidMember(m.Name) {
		return errors.New("a name of a member has other characters than A-Z a-z 0-9 . _ @ + -, begins with none of A-Z a-z 0-9, or is longer than 64")
	}
	if n := len(m.Recipients); n == 0 || n > 10 || n > 1 && !owner {
		return fmt.Errorf("%s has %d keys", m.Name, n)
	}
	m.to = nil
	for _, text := range m.Recipients {
		to, err := canonicalRecipient(text)
		if err != nil {
			return fmt.Errorf("the key of %s: %w", m.Name, err)
		}
		m.to = append(m.to, to)
	}
	if m.Signer != "" && !validSigner(m.Signer) {
		return fmt.Errorf("the key of %s that signs is damaged", m.Name)
	}
	if m.All == (len(m.Secrets) > 0) {
		return fmt.Errorf("%s reads all, and some, or nothing", m.Name)
	}
	m.folders = map[string]bool{}
	for i, name := range m.Secrets {
		m.folders[folderName(string(name))] = true
		if err := secret.ValidName(string(name)); err != nil {
			return err
		}
		if i > 0 && m.Secrets[i-1] >= name {
			return fmt.Errorf("the secrets of %s are not in order", m.Name)
		}
	}
	return nil
}

func validSigner(text string) bool {
	raw, err := sigText.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize || sigText.EncodeToString(raw) != text {
		return false
	}
	// Of a point of small order anybody can make signatures.
	p, err := new(edwards25519.Point).SetBytes(raw)
	return err == nil && new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 0
}

// nobody is who has encrypted a version, by its header, that the owner has accepted, of which it is
// not known for whom it was meant: to the owner alone, who alone can read it, so that the header
// is the owner's word whatever the record says.
const nobody = "0000000000000000"

// maker returns who has encrypted the version with a hash that the record has, according to
// both; nil where that is another one than who has said it. Somebody could put there what
// they cannot read, and have it encrypted to them. What the owner says is theirs.
func (r *roster) maker(w state, hash string, b binding) *author {
	said := w.by
	if hash != w.hash {
		said = w.otherBy
	}
	owner := idPrefix(r.Owner.Signer)
	for i, a := range said {
		if a.key == owner || b.store == r.Store && b.by == a.key {
			return &said[i]
		}
	}
	return nil
}

// canonicalRecipient is recipientOf for a key in the one form that rhx writes.
func canonicalRecipient(text string) (age.Recipient, error) {
	r, err := recipientOf(text)
	if err != nil {
		return nil, err
	}
	again := ""
	switch r := r.(type) {
	case *agessh.Ed25519Recipient, *agessh.RSARecipient:
		if pub, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text)); err == nil && len(rest) == 0 {
			again = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
		}
	case *plugin.Recipient:
		if name, data, err := plugin.ParseRecipient(text); err == nil {
			again = plugin.EncodeRecipient(name, data)
		}
	case fmt.Stringer:
		again = r.String()
	}
	if again != text {
		return nil, errors.New("it is not written as rhx writes it")
	}
	return r, nil
}

// signed reports whether the key of a member has signed a message for a purpose.
func signed(by, purpose string, message []byte, proof string) bool {
	pub, err1 := sigText.DecodeString(by)
	sig, err2 := sigText.DecodeString(proof)
	return err1 == nil && err2 == nil && len(pub) == ed25519.PublicKeySize && sigText.EncodeToString(sig) == proof &&
		ed25519.Verify(pub, forPurpose(purpose, message), sig)
}

// idPrefix is what the IDs of the files of the record begin with that somebody signs.
func idPrefix(signer string) string {
	raw, _ := sigText.DecodeString(signer)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// sharedID is the length of the ID of a file of the record in a shared store.
const sharedID = 32

// whose returns who signs the file with an ID; nil for nobody of the store.
func (r *roster) whose(id string) *Member {
	if len(id) != sharedID {
		return nil
	}
	return r.by[id[:sharedID/2]]
}

// newSum is the hash of a file of the record before its first line.
func (r *roster) newSum(id string) hash.Hash {
	h := sha256.New()
	h.Write([]byte(r.Store + " " + r.Owner.Signer + " " + id + "\n")) // an ID anybody can give to another store
	return h
}

// own returns the user in r, and what signs for them; nil for a stranger. Of a key that only
// reads there is no signer.
func (r *roster) own(k *key) (*Member, *signer, error) {
	all, err := k.signers()
	if err != nil {
		return nil, nil, err
	}
	if k.remote != nil && len(all) > 1 {
		all = all[:1] // an agent signs with the first
	}
	for _, s := range all {
		if m := r.by[idPrefix(s.public)]; m != nil && m.Signer == s.public {
			return m, s, nil
		}
	}
	return r.reader(k.public), nil, nil
}

// reader returns the member with one of some public keys; nil for none.
func (r *roster) reader(public []string) *Member {
	for _, m := range r.everybody() {
		if slices.ContainsFunc(m.Recipients, func(key string) bool { return slices.Contains(public, key) }) {
			return m
		}
	}
	return nil
}

// everybody is the owner, and the members.
func (r *roster) everybody() []*Member {
	all := []*Member{&r.Owner}
	for i := range r.Members {
		all = append(all, &r.Members[i])
	}
	return all
}

// find returns the place of a member among Members by name; -1 for none.
func (r *roster) find(name string) int {
	return slices.IndexFunc(r.Members, func(m Member) bool { return strings.EqualFold(m.Name, name) })
}

// next is r with another serial, for a change.
func (r *roster) next() *roster {
	n := &roster{Store: r.Store, Serial: r.Serial + 1, Owner: r.Owner, Members: slices.Clone(r.Members), Before: append(slices.Clone(r.Before), r.hash)}
	n.Before = n.Before[max(0, len(n.Before)-maxBefore):]
	return n
}

// follows reports whether r was made of another list, or is that.
func (r *roster) follows(hash string) bool {
	return r.place(hash) >= 0
}

// place returns the index of the list with a hash in the history of r: the lists that r was made
// of, the oldest first, and then r itself. It is -1 for a list that is not in the history.
func (r *roster) place(hash string) int {
	if hash == r.hash {
		return len(r.Before)
	}
	return slices.Index(r.Before, hash)
}

// alone is next with the owner alone, in the place of all that others know: the hashes of these
// lists may be those of lists that nobody has any more.
func (r *roster) alone(serial int64, hashes []string) *roster {
	n := r.next()
	n.Members, n.Serial = nil, max(n.Serial, serial+1)
	for _, h := range hashes {
		if !slices.Contains(n.Before, h) {
			n.Before = append(n.Before, h)
		}
	}
	n.Before = n.Before[max(0, len(n.Before)-maxBefore):]
	return n
}

// recipients are the keys that the secret in a folder is encrypted to.
func (r *roster) recipients(folder string) []age.Recipient {
	var to []age.Recipient
	for _, m := range r.everybody() {
		if m.reads(folder) {
			to = append(to, m.to...)
		}
	}
	return to
}

// public are all public keys.
func (r *roster) public() []string {
	var all []string
	for _, m := range r.everybody() {
		all = append(all, m.Recipients...)
	}
	return all
}

// may reports whether m may say c: a member what is done with secrets that are shared with
// them, and the owner all.
func (r *roster) may(m *Member, c *change) bool {
	owner := m.Signer == r.Owner.Signer
	numbered := c.version >= 1 && c.version <= maxNumber
	ofSecret := validFolder(c.folder) && m.reads(c.folder)
	switch c.op {
	case opDone, opUndone:
		return true
	case opPut:
		return ofSecret && numbered && validHash(c.hash)
	case opDelete, opBack:
		return ofSecret && numbered
	case opDestroy:
		return ofSecret
	case opAgain:
		return owner && ofSecret && numbered && validHash(c.hash)
	case opForget:
		return owner && ofSecret && numbered
	case opOf:
		return owner && len(c.folder) == sharedID/2 && isHex(c.folder)
	case opList:
		return owner && numbered && validHash(c.hash)
	case opVoid:
		return owner && (validID(c.folder) || len(c.folder) == sharedID)
	case opRekey:
		return owner && numbered && validHash(c.hash) && (c.folder == allFolders || ofSecret)
	}
	return false
}

// allFolders stands for all of them in a line of the record.
const allFolders = "-"

func validHash(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == hashBytes
}

// validFolder reports whether a secret can have a folder of that name, which is joined to a
// path.
func validFolder(folder string) bool {
	if sum, ok := strings.CutPrefix(folder, "="); ok {
		raw, err := hex.DecodeString(sum)
		return err == nil && len(raw) == sha256.Size && hex.EncodeToString(raw) == sum
	}
	name, ok := percentDecode(folder)
	return ok && folderName(name) == folder && secret.ValidName(name) == nil
}
