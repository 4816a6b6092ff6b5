package agestore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"

	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

// rosterOf is a list with bob, who reads two secrets, and carl, who reads all; change makes
// another one of it before it is signed.
func rosterOf(t testing.TB, change func(r *roster)) []byte {
	t.Helper()
	member := func(name string) Member {
		seed := sha256.Sum256([]byte(name)) // the same in each process that looks for what is wrong
		pub, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed[:]).Public())
		if err != nil {
			t.Fatal(err)
		}
		all, err := (&key{roots: [][]byte{[]byte(name)}}).signers()
		if err != nil {
			t.Fatal(err)
		}
		return Member{Name: name, Recipients: []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))}, Signer: all[0].public, All: true}
	}
	r := &roster{Version: 1, Store: strings.Repeat("0a", 16), Serial: 7, Before: []string{}, Owner: member("ann"), Members: []Member{member("bob"), member("carl")}}
	r.Members[0].All, r.Members[0].Secrets = false, []Text{"a", "b/c"}
	change(r)
	body, err := Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return signRoster(t, body)
}

func signRoster(t testing.TB, body []byte) []byte {
	t.Helper()
	all, err := (&key{roots: [][]byte{[]byte("ann")}}).signers()
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(body), sigText.EncodeToString(all[0].sign(rosterPurpose, body))+"\n"...)
}

func TestARoster(t *testing.T) {
	raw := rosterOf(t, func(*roster) {})
	r, err := parseRoster(raw)
	noError(t, err)
	if !bytes.Equal(r.raw, raw) || r.Serial != 7 || r.find("CARL") != 1 || r.find("x") != -1 {
		t.Errorf("%+v", r)
	}
	for folder, want := range map[string]int{"a": 3, "b%2fc": 3, "b": 2, "": 2} {
		if n := len(r.recipients(folder)); n != want {
			t.Errorf("%s is encrypted to %d, want %d", folder, n, want)
		}
	}
	if len(r.public()) != 3 {
		t.Error(r.public())
	}
	for name, m := range map[string]*Member{"ann": &r.Owner, "bob": &r.Members[0], "carl": &r.Members[1]} {
		if got := r.whose(newSharedID(m.Signer)); got != m {
			t.Errorf("the file of %s is %v's", name, got)
		}
		if r.whose(newSharedID(m.Signer)[1:]) != nil || r.whose(idPrefix(m.Signer)) != nil {
			t.Error("an ID of another length is somebody's")
		}
	}
}

// What is signed, and yet is none.
func TestNoRoster(t *testing.T) {
	other := sigText.EncodeToString(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
	for name, c := range map[string]struct {
		change func(r *roster)
		want   string
	}{
		"a newer version":        {func(r *roster) { r.Version = 2 }, "a newer rhx wrote it"},
		"no version":             {func(r *roster) { r.Version = 0 }, "not as rhx writes it"},
		"no store":               {func(r *roster) { r.Store = "" }, "not as rhx writes it"},
		"another ID":             {func(r *roster) { r.Store = strings.Repeat("A", 32) }, "not as rhx writes it"},
		"no serial":              {func(r *roster) { r.Serial = 0 }, "not as rhx writes it"},
		"a serial too high":      {func(r *roster) { r.Serial = maxNumber + 1 }, "not as rhx writes it"},
		"no list":                {func(r *roster) { r.Members = nil }, "not as rhx writes it"},
		"an owner of a part":     {func(r *roster) { r.Owner.All, r.Owner.Secrets = false, []Text{"a"} }, "its owner does not own it"},
		"another owner":          {func(r *roster) { r.Owner.Signer = other }, "its owner has not signed it"},
		"no owner":               {func(r *roster) { r.Owner.Signer = "" }, "its owner does not own it"},
		"a key twice":            {func(r *roster) { r.Members[1].Recipients = r.Members[0].Recipients }, "is that of another"},
		"the owner's key":        {func(r *roster) { r.Members[1].Recipients = r.Owner.Recipients }, "is that of another"},
		"a signer twice":         {func(r *roster) { r.Members[1].Signer = r.Members[0].Signer }, "is that of another"},
		"the owner's signer":     {func(r *roster) { r.Members[1].Signer = r.Owner.Signer }, "is that of another"},
		"a damaged signer":       {func(r *roster) { r.Members[1].Signer = "x" }, "that signs is damaged"},
		"another form of it":     {func(r *roster) { r.Members[1].Signer = other[:42] + string(other[42]+1) }, "that signs is damaged"},
		"one that everybody has": {func(r *roster) { r.Members[1].Signer = strings.Repeat("A", 43) }, "that signs is damaged"},
		"a name twice":           {func(r *roster) { r.Members[1].Name = "Bob" }, "is given twice"},
		"no name":                {func(r *roster) { r.Members[1].Name = "" }, "a name of a member"},
		"a name with an escape":  {func(r *roster) { r.Members[1].Name = "a\x1b[31m" }, "a name of a member"},
		"a name with a line":     {func(r *roster) { r.Members[1].Name = "a\n" }, "a name of a member"},
		"a long name":            {func(r *roster) { r.Members[1].Name = strings.Repeat("a", 65) }, "a name of a member"},
		"no key":                 {func(r *roster) { r.Members[1].Recipients = nil }, "has 0 keys"},
		"two keys":               {func(r *roster) { r.Members[1].Recipients = append(r.Members[1].Recipients, "x") }, "has 2 keys"},
		"a key that is none":     {func(r *roster) { r.Members[1].Recipients = []string{"x"} }, "not a public key"},
		"another form of a key":  {func(r *roster) { r.Members[1].Recipients[0] = strings.ToUpper(r.Members[1].Recipients[0]) }, "the key of carl"},
		"a key with a comment":   {func(r *roster) { r.Members[1].Recipients[0] = sshPublic + " x" }, "not written as rhx writes it"},
		"a key behind another":   {func(r *roster) { r.Members[1].Recipients[0] += "\n" + r.Owner.Recipients[0] }, "the key of carl"},
		"a plugin in capitals": {func(r *roster) {
			r.Members[1].Recipients[0] = strings.ToUpper(plugin.EncodeRecipient("x", []byte("x")))
		}, "the key of carl"},
		"nothing to read":       {func(r *roster) { r.Members[1].All = false }, "reads all, and some, or nothing"},
		"all and some":          {func(r *roster) { r.Members[0].All = true }, "reads all, and some, or nothing"},
		"a secret twice":        {func(r *roster) { r.Members[0].Secrets = []Text{"a", "a"} }, "not in order"},
		"no order":              {func(r *roster) { r.Members[0].Secrets = []Text{"b", "a"} }, "not in order"},
		"a secret that is none": {func(r *roster) { r.Members[0].Secrets = []Text{"../a"} }, "step"},
		"more members than fit": {func(r *roster) { r.Members = append(r.Members, make([]Member, maxMembers)...) }, "has 1002 members"},
	} {
		if r, err := parseRoster(rosterOf(t, c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %s", name, r, err, c.want)
		}
	}
	// What JSON takes for the same.
	raw := rosterOf(t, func(*roster) {})
	body := string(raw[:bytes.IndexByte(raw, '\n')+1])
	for name, other := range map[string]string{
		"a field twice":     strings.Replace(body, `"serial":7`, `"serial":7,"serial":8`, 1),
		"in other letters":  strings.Replace(body, `"serial":7`, `"Serial":7`, 1),
		"an unknown field":  strings.Replace(body, `"serial":7`, `"serial":7,"x":1`, 1),
		"with a blank":      strings.Replace(body, `"serial":7`, `"serial": 7`, 1),
		"as another number": strings.Replace(body, `"serial":7`, `"serial":7e0`, 1),
		"with an escape":    strings.Replace(body, `"bob"`, `"b\u006fb"`, 1),
		"of several lines":  strings.Replace(body, `,"members"`, ",\n\"members\"", 1),
		"something before":  " " + body,
		"something behind":  body + "{}\n",
		"a line break more": body + "\n",
		"what is no UTF-8":  strings.Replace(body, `"bob"`, "\"b\xffb\"", 1),
		"a member as null":  strings.Replace(body, `"members":[`, `"members":[null,`, 1),
	} {
		if other == body {
			t.Fatalf("%s: nothing was changed", name)
		}
		if r, err := parseRoster(signRoster(t, []byte(other))); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for name, other := range map[string][]byte{
		"the signature in another form": append(bytes.Clone(raw[:len(raw)-2]), raw[len(raw)-2]^1, '\n'),
		"a line end of Windows":         append(bytes.Clone(raw[:len(raw)-1]), "\r\n"...),
		"no line end":                   raw[:len(raw)-1],
		"the signature only":            raw[len(body):],
		"nothing":                       {},
		"a line end":                    []byte("\n"),
	} {
		if r, err := parseRoster(other); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

const sshPublic = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"

func TestWhoMaySayWhat(t *testing.T) {
	r, err := parseRoster(rosterOf(t, func(*roster) {}))
	noError(t, err)
	hash := strings.Repeat("0", 2*hashBytes)
	long := folderName(strings.Repeat("/x", 100)[1:])
	for line, want := range map[string]string{ // who may
		"put a 1 " + hash:             "ann bob carl",
		"put b%2fc 1 " + hash:         "ann bob carl",
		"put b 1 " + hash:             "ann carl",
		"put " + long + " 1 " + hash:  "ann carl",
		"put =" + hash + " 1 " + hash: "",
		"put a 1 -":                   "",
		"put a 1 " + hash[1:]:         "",
		"put a 0 " + hash:             "",
		"put a -1 " + hash:            "",
		"put a 2147483647 " + hash:    "ann bob carl",
		"put a 2147483648 " + hash:    "",
		"of 0123456789abcdef 0 -":     "ann",
		"of " + hash + " 0 -":         "",
		"of 0123456789abcdeg 0 -":     "",
		"list - 1 " + hash:            "ann",
		"list - 1 -":                  "",
		"put ../a 1 " + hash:          "",
		"put A 1 " + hash:             "",
		"put %61 1 " + hash:           "",
		"put - 1 " + hash:             "ann carl",
		"delete a 1 -":                "ann bob carl",
		"delete b 1 -":                "ann carl",
		"delete a 0 -":                "",
		"undelete a 1 -":              "ann bob carl",
		"destroy a 0 -":               "ann bob carl",
		"destroy b 0 -":               "ann carl",
		"done - 0 -":                  "ann bob carl",
		"undone - 0 -":                "ann bob carl",
		"again a 1 " + hash:           "ann",
		"again a 1 -":                 "",
		"forget a 1 -":                "ann",
		"void 0123456789abcdef 0 -":   "ann",
		"void " + hash + " 0 -":       "ann",
		"void x 0 -":                  "",
		"rekey - 1 " + hash:           "ann",
		"rekey a 1 " + hash:           "ann",
		"rekey a 0 " + hash:           "", "rekey a 1 -": "",
		"accept - 0 -": "",
		"lost - 0 -":   "",
		"behind - 0 -": "",
		"share - 0 -":  "",
	} {
		c, _, ok := parseChange("1 " + line + " -")
		if !ok {
			t.Fatal(line)
		}
		var who []string
		for _, m := range r.everybody() {
			if r.may(m, &c) {
				who = append(who, m.Name)
			}
		}
		if got := strings.Join(who, " "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestBindings(t *testing.T) {
	for file, want := range map[string]binding{
		"age-encryption.org/v1\n-> x name=a members=7 store=s by=b y\n": {"7", "s", "b"},
		"age-encryption.org/v1\n-> x name=a\nmembers=7 store=s\n":       {},
		"members=7": {},
		"":          {},
	} {
		if got := bindingOf([]byte(file)); got != want {
			t.Errorf("%q: %v, want %v", file, got, want)
		}
	}
}

// Nothing that its owner has not signed is a list of members.
func FuzzRoster(f *testing.F) {
	raw := rosterOf(f, func(*roster) {})
	for _, seed := range [][]byte{raw, raw[:len(raw)/2], {}, []byte("{}\nx\n"), []byte("\n\n"), bytes.Replace(raw, []byte("bob"), []byte("rob"), 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRoster(data)
		if (err == nil) != bytes.Equal(data, raw) {
			t.Errorf("%q: %+v, %v", data, r, err)
		}
	})
}

// Whatever somebody puts behind a file of the record, or in its place, who has not the key
// that it belongs to, counts for nothing.
func FuzzPage(f *testing.F) {
	r, err := parseRoster(rosterOf(f, func(*roster) {}))
	if err != nil {
		f.Fatal(err)
	}
	all, err := (&key{roots: [][]byte{[]byte("bob")}}).signers()
	if err != nil {
		f.Fatal(err)
	}
	id := newSharedID(all[0].public)
	w := &recorder{signer: all[0], sum: r.newSum(id)}
	hash := strings.Repeat("0", 2*hashBytes)
	own := append(w.line(change{op: opPut, folder: "a", version: 1, hash: hash}), w.line(change{op: opDone})...)
	for _, seed := range []string{"", "\n", "3 put a 2 " + hash + " -\n", "3 void " + id + " 0 - " + strings.Repeat("A", 86) + "\n", string(own), " -\n", "x"} {
		f.Add(seed, 0)
		f.Add(seed, len(own))
		f.Add(seed, len(own)/2)
	}
	f.Fuzz(func(t *testing.T, lines string, keep int) {
		keep = max(0, min(keep, len(own)))
		data := wholeLines(append(bytes.Clone(own[:keep]), lines...))
		was := &seen{Sizes: map[string]int64{}, Hashes: map[string]string{}}
		p := r.page(id, data, was)
		if !bytes.HasPrefix(own, data[:p.size]) || len(p.lines) > 2 || p.cut != (p.size < int64(len(data))) {
			t.Errorf("%d of %q count", p.size, data)
		}
		// The same, where this machine has seen all of the file that was there.
		was.Sizes[id], was.Hashes[id] = int64(len(own)), r.hashOf(id, own)
		again := r.page(id, data, was)
		if again.size != p.size || again.hash != p.hash || again.behind != !bytes.HasPrefix(data, own) {
			t.Errorf("%q: %+v, %+v", data, p, again)
		}
		for id := range map[string]bool{"": true, id[1:]: true, "0123456789abcdef": true} {
			if r.page(id, data, was) != nil {
				t.Errorf("%q is somebody's", id)
			}
		}
	})
}
