package agestore

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// signerFor is the signing key of a test's person.
func signerFor(t *testing.T, name string) ed25519.PrivateKey {
	t.Helper()
	key, err := signerOf([]byte(name))
	noError(t, err)
	return key
}

// recordOf is a file of the record that a person has signed, with a line for each of
//
//	CLOCK share NAME
//	CLOCK unshare NAME
//	CLOCK void ID
//	CLOCK put FOLDER
//
// and a "-" at the end of those that are not signed.
func recordOf(t *testing.T, id, by string, lines ...string) []byte {
	t.Helper()
	r := &recorder{sum: newSum(id)}
	var b bytes.Buffer
	for _, line := range lines {
		f := strings.Fields(line)
		var clock int64
		_, err := fmt.Sscan(f[0], &clock)
		noError(t, err)
		c := change{op: f[1]}
		switch c.op {
		case opShare, opUnshare:
			c.hash, err = new(named(t, f[2])).text()
			noError(t, err)
		default:
			c.folder = f[2]
		}
		if r.signer = signerFor(t, by); len(f) > 3 {
			r.signer = nil
		}
		r.clock = clock - 1
		b.Write(r.line(c))
	}
	return b.Bytes()
}

// named is a member of a name; one that ends in "!" has no signer.
func named(t *testing.T, name string) Member {
	t.Helper()
	m := Member{Name: strings.TrimSuffix(name, "!"), Recipient: "key of " + strings.TrimSuffix(name, "!")}
	if m.Name == name {
		m.Signer = signerText(signerFor(t, name))
	}
	return m
}

func TestWhoCounts(t *testing.T) {
	type files map[string][]string // "ID by NAME": lines
	for name, c := range map[string]struct {
		files   files
		members string
		counted string
		void    string
	}{
		"nobody":                                             {files{}, "", "", ""},
		"the user":                                           {files{"1 by ann": {"1 put a"}}, "", "1", ""},
		"a stranger":                                         {files{"1 by ann": {"1 put a"}, "2 by eve": {"1 share eve", "2 share bob"}}, "", "1", ""},
		"a member, and whom he names":                        {files{"1 by ann": {"1 share bob"}, "2 by bob": {"2 share carl"}, "3 by carl": {"1 share dan"}, "4 by dan": {"9 put a"}}, "bob carl dan", "1 2 3 4", ""},
		"not by a line without a proof":                      {files{"1 by ann": {"1 share bob -", "2 put a"}, "2 by bob": {"1 put a"}}, "", "1", ""},
		"once taken out, out":                                {files{"1 by ann": {"2 unshare bob", "3 share bob"}, "2 by bob": {"1 put a"}}, "", "1", "2"},
		"never again with the same key":                      {files{"1 by ann": {"1 share bob", "2 unshare bob", "3 share bob"}, "2 by bob": {"1 share eve"}, "3 by eve": {"1 put a"}}, "", "1", "2"},
		"of two files of the user":                           {files{"1 by ann": {"1 share bob", "9 share carl"}, "2 by ann": {"5 unshare bob"}}, "carl", "1 2", ""},
		"a later one of the same rank in vain":               {files{"1 by ann": {"1 share bob", "2 share carl"}, "2 by carl": {"1 unshare bob", "3 share dan"}}, "bob carl dan", "1 2", ""},
		"an earlier one of the same rank":                    {files{"1 by ann": {"1 share bob", "2 share carl"}, "2 by bob": {"9 unshare carl"}, "3 by carl": {"1 share eve"}}, "bob", "1 2 3", "3"},
		"nor the one who took one in":                        {files{"1 by ann": {"1 share bob"}, "2 by bob": {"1 share carl"}, "3 by carl": {"9 unshare bob", "9 unshare ann"}}, "bob carl", "1 2 3", ""},
		"by the public key alone, once more":                 {files{"1 by ann": {"1 share bob", "2 share bob!"}, "2 by bob": {"1 put a"}}, "bob", "1 2", ""},
		"a reader has no word":                               {files{"1 by ann": {"1 share bob!"}, "2 by bob": {"1 share carl"}}, "bob", "1", ""},
		"who was taken out takes nobody in":                  {files{"1 by ann": {"1 share bob", "5 unshare bob"}, "2 by bob": {"2 share carl"}, "3 by carl": {"1 put a"}}, "", "1", "2"},
		"nor himself, by whom he took in":                    {files{"1 by ann": {"1 share bob", "2 share carl", "5 unshare bob"}, "2 by bob": {"2 put a"}, "3 by carl": {"9 share bob"}}, "carl", "1 3", "2"},
		"nor takes he out the user":                          {files{"1 by ann": {"2 share ann", "3 share bob", "5 unshare bob"}, "2 by bob": {"1 unshare ann", "9 unshare ann"}}, "ann", "1", "2"},
		"a member takes out the user in vain":                {files{"1 by ann": {"2 share ann", "3 share bob"}, "2 by bob": {"9 unshare ann"}}, "ann bob", "1 2", ""},
		"the user makes a file void":                         {files{"1 by ann": {"1 share bob", "2 void 2"}, "2 by bob": {"1 share carl"}}, "bob", "1", "2"},
		"the user makes her own void":                        {files{"1 by ann": {"1 put a"}, "2 by ann": {"1 void 1"}}, "", "1 2", "1"},
		"a member makes the user's not void":                 {files{"1 by ann": {"1 share bob"}, "2 by bob": {"1 void 1"}}, "bob", "1 2", ""},
		"a member makes another's void":                      {files{"1 by ann": {"1 share bob", "1 share carl"}, "2 by bob": {"1 void 3"}, "3 by carl": {"1 put a"}}, "bob carl", "1 2 3", "3"},
		"members take out each other: the earlier one stays": {files{"1 by ann": {"1 share bob", "2 share carl"}, "2 by bob": {"9 unshare carl"}, "3 by carl": {"1 unshare bob", "2 share eve"}, "4 by eve": {"1 put a"}}, "bob", "1 2 3", "3"},
		"a later member takes out an earlier one in vain":    {files{"1 by ann": {"1 share bob"}, "2 by bob": {"1 share carl"}, "3 by carl": {"1 unshare bob", "2 share dan"}}, "bob carl dan", "1 2 3", ""},
		"an old share of a member who was taken out":         {files{"1 by ann": {"1 share carl", "2 share bob"}, "2 by bob": {"1 share eve"}, "3 by carl": {"9 unshare bob"}}, "carl", "1 2 3", "2"},
		"what is no member is not taken out":                 {files{"1 by ann": {"1 share bob"}, "3 by ann": {"2 unshare carl"}}, "bob", "1 3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string][]byte{}
			for what, lines := range c.files {
				id, by, _ := strings.Cut(what, " by ")
				all[id] = recordOf(t, id, by, lines...)
			}
			got, err := circleOf(&key{roots: [][]byte{[]byte("ann")}}, &seen{}, all)
			noError(t, err)
			var members []string
			for _, m := range got.sorted() {
				members = append(members, m.Name)
			}
			if s := strings.Join(members, " "); s != c.members {
				t.Errorf("members: %q, want %q", s, c.members)
			}
			if s := strings.Join(slices.Sorted(maps.Keys(got.of)), " "); s != c.counted {
				t.Errorf("counted: %q, want %q", s, c.counted)
			}
			if s := strings.Join(slices.Sorted(maps.Keys(got.void)), " "); s != c.void {
				t.Errorf("void: %q, want %q", s, c.void)
			}
			for _, m := range got.members {
				if whose := got.whose(m.Signer); m.Signer != "" && whose != m.Name {
					t.Errorf("%s is said to be %q", m.Name, whose)
				}
			}
			if got.whose("x") != "" {
				t.Error("nobody is somebody")
			}
		})
	}
}

func TestWhatOfAFileCounts(t *testing.T) {
	const bad = "it was changed, or a key wrote it that is neither yours nor a member's"
	signed := []string{"1 put a", "2 put b"}
	for name, c := range map[string]struct {
		by     string
		lines  []string
		own    bool
		waits  bool
		proven bool // this machine has seen proofs up to the end
		want   int  // lines that count
		bad    string
	}{
		"own":                       {"ann", signed, true, false, true, 2, ""},
		"own, empty":                {"ann", nil, true, false, false, 0, ""},
		"another's, empty":          {"bob", nil, false, false, false, 0, ""},
		"a member's":                {"bob", signed, false, false, false, 2, ""},
		"a stranger's":              {"eve", signed, false, false, false, 0, bad},
		"own, by a stranger":        {"eve", signed, true, false, true, 0, bad},
		"own, with a tail":          {"ann", append(signed, "3 put c -"), true, false, false, 3, "its last lines have no proof"},
		"own, with a tail, waiting": {"ann", append(signed, "3 put c -"), true, true, false, 3, ""},
		"a member's, with a tail":   {"bob", append(signed, "3 put c -"), false, true, false, 2, ""},
		"own, no proof":             {"ann", []string{"1 put a -"}, true, false, false, 1, "it has no proof"},
		"own, no proof, waiting":    {"ann", []string{"1 put a -"}, true, true, false, 1, ""},
		"another's, no proof":       {"bob", []string{"1 put a -"}, false, true, false, 0, bad},
		"own, proofs taken away":    {"ann", []string{"1 put a -"}, true, true, true, 1, unprovenAgain},
	} {
		t.Run(name, func(t *testing.T) {
			data := recordOf(t, "1", c.by, c.lines...)
			was := &seen{ID: "own", Sizes: map[string]int64{}, Trusted: []string{signerText(signerFor(t, "bob"))}}
			if c.own {
				was.ID = "1"
			}
			if c.proven {
				was.Proven = int64(len(data))
			}
			got, err := circleOf(&key{roots: [][]byte{[]byte("ann")}}, was, map[string][]byte{"1": data})
			noError(t, err)
			part, said := got.counted("1", data, was, c.waits)
			if n := bytes.Count(part, []byte("\n")); n != c.want || said != c.bad || !bytes.HasPrefix(data, part) {
				t.Errorf("%d lines, %q; want %d, %q", n, said, c.want, c.bad)
			}
			if was.Sizes["1"] = int64(len(data)) + 1; c.proven && c.bad == unprovenAgain {
				if _, said := got.counted("1", data, was, c.waits); said == unprovenAgain {
					t.Error("an older copy is said to have lost its proofs")
				}
			}
			got.void["1"] = true
			if part, said := got.counted("1", data, was, c.waits); part != nil && c.bad != unprovenAgain || said != "" && c.bad != unprovenAgain {
				t.Errorf("void, and %q counts, %q", part, said)
			}
		})
	}
}

func TestTheLastProof(t *testing.T) {
	for lines, want := range map[string]string{
		"":               "||0",
		"a b\n":          "a |b|4",
		"a b\nc -\n":     "a |b|4",
		"a b\nc d\n":     "a b\nc |d|8",
		"a -\n":          "||0",
		" b\n":           " |b|3",
		"x\n":            "||0",
		"a b\nx\n":       "a |b|4",
		"\n":             "||0",
		"a \n":           "a |none|3",
		"a b\n\n\nx -\n": "a |b|4",
	} {
		body, proof, end := lastProof([]byte(lines))
		if got := fmt.Sprintf("%s|%s|%d", body, proof, end); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

// Whose word is to be accepted: of those by whose word most of the files count, who was
// there first; only where nobody else's counts, or somebody says that the user is a member.
func TestTheFounder(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string][]string
		want  string
		then  string
	}{
		"nobody":                     {nil, "", ""},
		"a store that is not shared": {map[string][]string{"1 by eve": {"1 put a"}}, "", ""},
		"two who name each other":    {map[string][]string{"1 by bob": {"2 share bob", "3 share carl"}, "2 by carl": {"1 share carl", "4 share bob"}}, "carl", "bob carl"},
		"one names the other":        {map[string][]string{"1 by bob": {"1 share bob"}, "2 by carl": {"3 share carl", "4 share bob"}}, "carl", "bob carl"},
		"who was taken out":          {map[string][]string{"1 by bob": {"2 share bob", "2 share eve", "3 unshare carl"}, "2 by carl": {"1 share carl", "4 share bob", "9 unshare bob"}}, "carl", "carl"},
		"not of himself":             {map[string][]string{"1 by bob": {"1 share carl"}}, "", ""},
		"the user has her own":       {map[string][]string{"1 by ann": {"1 put a"}, "2 by eve": {"1 share eve"}}, "", ""},
		"and is said to be one":      {map[string][]string{"1 by ann": {"1 put a"}, "2 by bob": {"1 share bob", "2 share ann"}}, "bob", "ann bob"},
		"the user's is shared":       {map[string][]string{"1 by ann": {"1 share ann", "1 share carl"}, "2 by eve": {"1 share eve", "2 share ann"}}, "", ""},
	} {
		files := map[string][]byte{}
		for what, lines := range c.files {
			id, by, _ := strings.Cut(what, " by ")
			files[id] = recordOf(t, id, by, lines...)
		}
		k := &key{roots: [][]byte{[]byte("ann")}, public: []string{named(t, "ann").Recipient}}
		got, err := circleOf(k, &seen{}, files)
		noError(t, err)
		m, then := got.founder(k)
		names := ""
		if m == nil {
			m = &Member{}
		} else {
			var all []string
			for _, m := range then.sorted() {
				all = append(all, m.Name)
			}
			names = strings.Join(all, " ")
		}
		if m.Name != c.want || names != c.then {
			t.Errorf("%s: %q, %q; want %q, %q", name, m.Name, names, c.want, c.then)
		}
	}
}

// A member with a new key says so with the old one, and ends that with the new one. Two new
// ones are one too many: somebody else has the old key.
func TestAKeyIsReplaced(t *testing.T) {
	replace := func(t *testing.T, id, by, next string) []byte {
		m := named(t, next)
		m.Name, m.Replaces = by, signerText(signerFor(t, by))
		text, err := m.text()
		noError(t, err)
		return (&recorder{sum: newSum(id), signer: signerFor(t, by)}).line(change{op: opShare, hash: text})
	}
	bob, carl, bob2 := signerText(signerFor(t, "bob")), signerText(signerFor(t, "carl")), signerText(signerFor(t, "bob2"))
	for name, c := range map[string]struct {
		files   map[string][]byte
		pins    string
		members string
		counted string
	}{
		"begun":         {map[string][]byte{"1": replace(t, "1", "bob", "bob2")}, bob + " " + carl, "key of bob2", "1"},
		"done":          {map[string][]byte{"1": replace(t, "1", "bob", "bob2"), "2": recordOf(t, "2", "bob2", "2 share bob2", "3 unshare bob")}, bob2 + " " + carl, "key of bob2", "2"},
		"old key after": {map[string][]byte{"1": replace(t, "1", "bob", "bob2"), "2": recordOf(t, "2", "bob2", "2 share bob2", "3 unshare bob"), "3": recordOf(t, "3", "bob", "1 share eve")}, bob2 + " " + carl, "key of bob2", "2"},
		"two new keys":  {map[string][]byte{"1": replace(t, "1", "bob", "bob2"), "2": recordOf(t, "2", "bob2", "2 share bob2", "3 unshare bob"), "3": replace(t, "3", "bob", "eve")}, carl, "", ""},
		"by another":    {map[string][]byte{"1": recordOf(t, "1", "carl", "1 share carl"), "2": recordOf(t, "2", "bob2", "3 unshare bob")}, bob + " " + carl, "key of carl", "1"},
	} {
		was := &seen{Trusted: []string{bob, carl}}
		got, err := circleOf(&key{roots: [][]byte{[]byte("ann")}}, was, c.files)
		noError(t, err)
		if pins := strings.Join(got.pins, " "); pins != c.pins {
			t.Errorf("%s: pins %q, want %q", name, pins, c.pins)
		}
		if s := strings.Join(slices.Sorted(maps.Keys(got.members)), " "); s != c.members {
			t.Errorf("%s: members %q, want %q", name, s, c.members)
		}
		if s := strings.Join(slices.Sorted(maps.Keys(got.of)), " "); s != c.counted {
			t.Errorf("%s: counted %q, want %q", name, s, c.counted)
		}
	}
}

// Nobody gets another's place: not by a public key of one's own beside the other's signer,
// nor as one's own new key.
func TestNobodyTakesAnothersPlace(t *testing.T) {
	ann, bob := signerText(signerFor(t, "ann")), signerText(signerFor(t, "bob"))
	for name, m := range map[string]Member{
		"a part of the store":   {Name: "eve", Recipient: "key of eve", Signer: ann, Secrets: []string{"x"}},
		"another key":           {Name: "eve", Recipient: "key of eve", Signer: ann},
		"as the new one":        {Name: "bob", Recipient: "key of eve", Signer: ann, Replaces: bob},
		"the key with a signer": {Name: "ann", Recipient: "key of ann", Signer: signerText(signerFor(t, "eve"))},
		"less of the store":     {Name: "ann", Recipient: "key of ann", Signer: ann, Secrets: []string{"x"}},
	} {
		text, err := m.text()
		noError(t, err)
		r := &recorder{sum: newSum("2"), signer: signerFor(t, "bob"), clock: 5}
		files := map[string][]byte{
			"1": recordOf(t, "1", "ann", "1 share ann", "2 share bob", "9 unshare carl"),
			"2": r.line(change{op: opShare, hash: text}),
		}
		for view, c := range map[string]struct {
			own  string
			pins []string
		}{"the founder's": {"ann", nil}, "another's": {"carl", []string{ann}}} {
			got, err := circleOf(&key{roots: [][]byte{[]byte(c.own)}}, &seen{Trusted: c.pins}, files)
			noError(t, err)
			is := got.members["key of ann"]
			if len(got.members) != 2 || is == nil || is.Signer != ann || len(is.Secrets) != 0 || got.partly(ann) || got.members["key of bob"].Signer != bob {
				t.Errorf("%s, in %s view: %+v", name, view, got.sorted())
			}
		}
	}
}
