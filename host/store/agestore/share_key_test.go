package agestore

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/store"
)

func TestLinesOfKeys(t *testing.T) {
	const key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	const sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
	sig := sigText.EncodeToString(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
	line := func(recipient string) string { return (&Member{Recipients: []string{recipient}, Signer: sig}).Line() }
	for text, want := range map[string]Member{
		key:                      {Recipients: []string{key}},
		" " + line(key) + "\n":   {Recipients: []string{key}, Signer: sig},
		line(sshKey):             {Recipients: []string{sshKey}, Signer: sig},
		sshKey:                   {Recipients: []string{sshKey}},
		sshKey + " ann@home":     {Recipients: []string{sshKey}, Name: "ann@home"},
		sshKey + "  a b":         {Recipients: []string{sshKey}, Name: "a b"},
		line(key)[:40]:           {},
		line(key) + "0":          {},
		line("age1x"):            {},
		line(sshKey + " ann"):    {},
		line(""):                 {},
		"rhx-key:":               {},
		"rhx-key:a:b:c":          {},
		"":                       {},
		key + " x":               {},
		strings.ToUpper(key):     {},
		"ssh-ed25519":            {},
		"ssh-ed25519 AAAA":       {},
		"AGE-SECRET-KEY-1FAKE":   {},
		"ecdsa-sha2-nistp256 AA": {},
	} {
		got, err := ParseKey(text)
		if want.Recipients == nil {
			if err == nil {
				t.Errorf("%q: %+v", text, got)
			}
			if err != nil && strings.Contains(err.Error(), "FAKE") {
				t.Error(err)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Recipients, want.Recipients) || got.Signer != want.Signer || got.Name != want.Name {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	m := Member{Recipients: []string{key}, Signer: sig}
	if got := m.Fingerprint(); len(got) != 39 || got == (&Member{Recipients: []string{key}}).Fingerprint() || got == (&Member{Recipients: []string{sshKey}, Signer: sig}).Fingerprint() {
		t.Error(got)
	}
}

// Keys of SSH read, and with the line of rhx store key they save as well.
func TestSharingWithAKeyOfSSH(t *testing.T) {
	ann := somebody(t)
	putFake(t, ann, "a", "FAKE")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	for name, c := range map[string]struct {
		passphrase string
		saves      bool
	}{"reads": {"", false}, "saves": {"", true}, "with-a-passphrase": {passphrase, true}} {
		path := write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, c.passphrase), 0o600)
		asked := 0
		s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: func(string) (string, error) { asked++; return passphrase, nil }})
		m := memberOf(t, s, name)
		if !c.saves {
			m.Signer = ""
		}
		n, err := ann.Share(t.Context(), m, "ann")
		if err != nil || n != 1 {
			t.Fatalf("%s: %d, %v", name, n, err)
		}
		pull(t, ann, s)
		s = Open(s.opt)
		join(t, s)
		right(t, s)
		if got := reads(t, s, "a", 0); got != "FAKE" {
			t.Errorf("%s: %s", name, got)
		}
		s, asked = Open(s.opt), 0
		_, err = s.Put(t.Context(), fake("b"), store.AnyVersion)
		if (err == nil) != c.saves || (asked > 0) != (c.passphrase != "") {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
		s, asked = Open(s.opt), 0
		if err := s.Delete(t.Context(), "a"); (err == nil) != c.saves || (asked > 0) != (c.passphrase != "") {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
		if c.saves {
			right(t, s)
		}
		_, _, err = ann.Unshare(t.Context(), name)
		noError(t, err)
	}
}

// Bob hands the owner a line with carl's public key and his own signer: carl is replaced.
func TestALineWithTheKeyOfAnother(t *testing.T) {
	ann, _ := shared(t)
	carl := third(t, ann, "carl", 3)
	eve := somebody(t)
	line := &Member{Recipients: memberOf(t, carl, "").Recipients, Signer: memberOf(t, eve, "").Signer}
	m, err := ParseKey(line.Line())
	if err != nil {
		return
	}
	m.Name = "eve"
	if _, err := ann.Share(t.Context(), m, "ann"); err == nil {
		t.Errorf("carl is not a member any more, and was not named: %s", names(t, ann))
	}
}

// A key that signs everything for everybody is taken.
func TestASignerOfSmallOrder(t *testing.T) {
	one := make([]byte, ed25519.PublicKeySize)
	one[0] = 1
	sig := make([]byte, ed25519.SignatureSize)
	sig[0] = 1
	if !ed25519.Verify(one, []byte("anything"), sig) {
		t.Fatal("it signs not everything")
	}
	eve := somebody(t)
	line := &Member{Recipients: memberOf(t, eve, "").Recipients, Signer: sigText.EncodeToString(one)}
	if m, err := ParseKey(line.Line()); err == nil && validSigner(m.Signer) {
		t.Error("it is taken")
	}
}

// The fingerprint of the owner with two keys is not that of rhx store key.
func TestTwoKeysAnotherFingerprint(t *testing.T) {
	ann := somebody(t)
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	path := filepath.Join(ann.opt.Dir, "identity.txt")
	write(t, path, append(contents(t, path), id.String()+"\n"...), 0o600)
	ann = Open(ann.opt)
	share(t, ann, memberOf(t, somebody(t), "bob"), 0)
	r, err := ann.pin()
	noError(t, err)
	if own := memberOf(t, ann, ""); own.Fingerprint() != r.Owner.Fingerprint() {
		t.Error("rhx store join --owner with the fingerprint that share printed is refused")
	}
}

// Whose key it is that cannot be encrypted to is said.
func TestWhosePluginIsMissing(t *testing.T) {
	ann, _ := shared(t)
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	r := ann.sharedRoster(t).next()
	r.Members = append(r.Members, Member{Name: "hardware", Recipients: []string{plugin.EncodeRecipient("fakenotthere", []byte(id.Recipient().String()))}, Secrets: []Text{"a"}})
	_, err = r.sealed(signerOfStore(t, ann))
	noError(t, err)
	next, err := r.sealed(signerOfStore(t, ann))
	noError(t, err)
	was := ann.sharedRoster(t)
	l, err := ann.ledgerOf(was, false)
	noError(t, err)
	noError(t, ann.locked(t.Context(), func() error {
		return ann.newList(was, next, l, &reshaping{as: signerOfStore(t, ann)})
	}))
	if _, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "encrypt to the key of hardware") {
		t.Error(err)
	}
	putFake(t, Open(ann.opt), "c", "FAKE") // which is not theirs
}

// The owner makes a new key: what the old one says counts for nothing, and the others take
// the new one when they were asked.
func TestTheOwnersNewKey(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "of bob", "FAKE")
	pull(t, bob, ann)
	stolen := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	if n, err := ann.Rekey(t.Context(), ""); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	right(t, ann)
	if reaches(t, bob, ann) == false {
		t.Error("bob does not read")
	}
	if n, _ := opens(t, ann, stolen.opt.Identity); n != 0 {
		t.Error("the old key reads")
	}
	pull(t, ann, bob)
	if got := problems(t, bob); !strings.Contains(got, "somebody says that the owner's key is ") {
		t.Error(got)
	}
	if _, err := bob.Put(t.Context(), fake("new"), store.AnyVersion); !errors.Is(err, errNewOwner) {
		t.Error(err)
	}
	in, err := bob.Invitation(t.Context())
	if err != nil || in.Was == nil || in.OtherStore || in.Was.Fingerprint() == in.Owner.Fingerprint() || in.Owner.Fingerprint() != memberOf(t, ann, "").Fingerprint() {
		t.Fatalf("%+v, %v", in, err)
	}
	noError(t, bob.Join(t.Context(), in))
	right(t, bob)
	putFake(t, bob, "new", "FAKE")
	pull(t, bob, ann)
	right(t, ann, bob)
	// Who has the old key writes a later list, and a file of the record.
	r, err := ann.pin()
	noError(t, err)
	k, err := stolen.unlocked()
	noError(t, err)
	all, err := k.signers()
	noError(t, err)
	evil := r.next()
	evil.Serial, evil.Owner.Signer, evil.Owner.Recipients = 99, all[0].public, k.public
	evil, err = evil.sealed(all[0])
	noError(t, err)
	writesAs(t, stolen, ann, ann, "evil", 1)
	if got := problems(t, ann); !strings.Contains(got, "version 1 of evil was added by somebody else") || !strings.Contains(got, "no member wrote it") {
		t.Error(got)
	}
	write(t, ann.membersPath(), evil.raw, 0o600)
	if _, err := ann.Put(t.Context(), fake("a"), store.AnyVersion); !errors.Is(err, errMembers) {
		t.Error(err)
	}
}

// Somebody adds a version while a rekey has looked at the store already: it does not become the user's.
func TestARekeyWhileSomebodyWrites(t *testing.T) {
	s := twoVersions(t)
	k, err := s.unlocked()
	noError(t, err)
	forge(t, s, "evil", 1)
	r, err := s.beginRekey(k, k)
	if r != nil {
		r.close()
	}
	if err == nil || !strings.Contains(err.Error(), "version 1 of evil is not as rhx left it") {
		t.Error(err)
	}
}

// A rekey of the owner that was signed again by a thief of the old key, before the others
// have joined.
func TestAuthorsAfterRestating(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "x", "WRONG")
	merge(t, bob, ann)
	if got := authors(t, ann, "x"); got != "bob" {
		t.Fatal(got)
	}
	_, err := ann.Share(t.Context(), memberOf(t, bob, "bob", "a", "x"), "")
	noError(t, err)
	if got := authors(t, ann, "x"); got == "ann" {
		t.Error("history says that ann has saved what bob saved")
	}
}

// Who has the folder first gets a key all the same, and nobody else does.
func TestAKeyForAFolderThatIsThere(t *testing.T) {
	ann, _ := shared(t)
	carl := Open(Options{Dir: dataDir(t)})
	clone(t, ann.root(), carl.root())
	if _, err := carl.Put(t.Context(), fake("x"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
	list := contents(t, carl.membersPath())
	write(t, carl.membersPath(), []byte("junk\n"), 0o600)
	if _, err := carl.OwnKey(t.Context()); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
	write(t, carl.membersPath(), list, 0o600)
	share(t, ann, memberOf(t, carl, "carl"), 3)
	pull(t, ann, carl)
	join(t, carl)
	right(t, ann, carl)
	// The owner's own is not made anew in the place of one that is gone.
	noError(t, os.Remove(filepath.Join(ann.opt.Dir, "identity.txt")))
	if _, err := Open(ann.opt).OwnKey(t.Context()); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
}

// Recipients.txt, which says nothing, stops a key of SSH with a passphrase.
func TestRecipientsOfAStranger(t *testing.T) {
	ann, bob := shared(t)
	write(t, bob.recipientsPath(), []byte(memberOf(t, somebody(t), "").Recipients[0]+"\n"), 0o600)
	if got := reads(t, bob, "a", 0); got != "FAKE2" {
		t.Error(got)
	}
	if _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error(err)
	}
	merge(t, bob, ann)
	right(t, ann)
}
