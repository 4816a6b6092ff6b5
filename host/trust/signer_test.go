package trust

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aead.dev/minisign"
)

type signer struct {
	public  Key
	private minisign.PrivateKey
}

func newSigner(t *testing.T) signer {
	t.Helper()
	pub, priv, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{Key{pub}, priv}
}

const (
	plainSpec = "values: {k: {env: K}}\nfiles: [{path: ~/.k, format: text, keys: {k: .}}]\n"
	moreSpec  = "values: {k: {env: [K, OLD_K]}}\nfiles: [{path: ~/.k, format: text, keys: {k: .}}]\n"
	lessSpec  = "values: {k: {optional: true}}\nfiles: [{path: ~/.k, format: text, keys: {k: .}}]\n"
	shellSpec = "values: {k: {env: K}}\nfiles: [{path: ~/.k, format: text, keys: {k: .}}, {path: ~/.bashrc, format: text, keys: {k: .}}]\n"
)

// pack makes a package that by signed at a time, in seconds since 1970; by nil is
// nobody, and at 0 is a signature that does not say.
func pack(t *testing.T, text string, by *signer, at int64) *Package {
	t.Helper()
	dir := t.TempDir()
	spec := "spec: 1\nname: p\n" + text
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(specFile, []byte(spec))
	if by != nil {
		sums := []byte(strings.TrimPrefix(digest([]byte(spec)), "sha256:") + "  provider.yaml\n")
		comment := "version two"
		if at > 0 {
			comment = fmt.Sprintf("timestamp:%d\tfile:SHA256SUMS\thashed", at)
		}
		write(sumsFile, sums)
		write(sigFile, minisign.SignWithComments(by.private, sums, comment, "x"))
	}
	pkg, err := ReadFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

func propose(t *testing.T, p *Providers, pkg *Package) *Proposal {
	t.Helper()
	pr, err := p.Propose(pkg, Options{Builtin: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

// A trusted key's signature stands for a yes to the next version of what it signed
// before, and to nothing else.
func TestWhatASignatureDoesNotAnswerFor(t *testing.T) {
	good, other := newSigner(t), newSigner(t)
	const then, now = 1_700_000_000, 1_700_000_060
	type version struct {
		text string
		by   *signer
		at   int64
	}
	for what, c := range map[string]struct {
		first *version // approved by a yes, if that is needed
		next  version
		want  string // the doubt; "" for none
	}{
		"a new provider":               {nil, version{plainSpec, &good, now}, ""},
		"a new one that runs programs": {nil, version{shellSpec, &good, now}, "could run programs"},
		"the next version":             {&version{plainSpec, &good, then}, version{plainSpec + "# 2\n", &good, now}, ""},
		"signed in the same second":    {&version{plainSpec, &good, now}, version{plainSpec + "# 2\n", &good, now}, ""},
		"signed once more":             {&version{plainSpec, &good, now}, version{plainSpec, &good, then}, ""},
		"less":                         {&version{plainSpec, &good, then}, version{lessSpec, &good, now}, ""},
		"more":                         {&version{plainSpec, &good, then}, version{moreSpec, &good, now}, "may do more"},
		"programs":                     {&version{plainSpec, &good, then}, version{shellSpec, &good, now}, "could run programs"},
		"programs as before":           {&version{shellSpec, &good, then}, version{shellSpec + "# 2\n", &good, now}, ""},
		"an older version":             {&version{plainSpec + "# 2\n", &good, now}, version{plainSpec, &good, then}, "an older version: it was signed on 2023-11-14 22:13 UTC, and what you have on 2023-11-14 22:14 UTC"},
		"without a time":               {&version{plainSpec, &good, then}, version{plainSpec + "# 2\n", &good, 0}, "which version is the newer"},
		"after one without a time":     {&version{plainSpec, &good, 0}, version{plainSpec + "# 2\n", &good, now}, "which version is the newer"},
		"another key":                  {&version{plainSpec, &other, then}, version{plainSpec + "# 2\n", &good, now}, "signed by another key, " + other.public.ID()},
		"another key, the same files":  {&version{plainSpec, &other, then}, version{plainSpec, &good, now}, "signed by another key"},
		"not signed before":            {&version{plainSpec, nil, 0}, version{plainSpec + "# 2\n", &good, now}, "was not signed by a key that you trusted"},
	} {
		t.Run(what, func(t *testing.T) {
			data := t.TempDir()
			p := Open(data, "")
			for _, s := range []signer{good, other} {
				if err := p.Trust(s.public); err != nil {
					t.Fatal(err)
				}
			}
			if v := c.first; v != nil {
				if err := p.Install(propose(t, p, pack(t, v.text, v.by, v.at))); err != nil {
					t.Fatal(err)
				}
			}
			pr := propose(t, Open(data, ""), pack(t, c.next.text, c.next.by, c.next.at))
			got := strings.Join(pr.Doubts, "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) || pr.Ask() != (c.want != "") || pr.Signer == nil {
				t.Errorf("doubts %q", got)
			}
			if strings.Contains(what, "programs") && len(pr.Doubts) > 1 {
				t.Errorf("said twice: %q", pr.Doubts)
			}
		})
	}
}

// A key that is not trusted answers for nothing, and what it could say is no matter.
func TestSignatureOfAStranger(t *testing.T) {
	p, stranger := Open(t.TempDir(), ""), newSigner(t)
	pr := propose(t, p, pack(t, plainSpec, &stranger, 1))
	if pr.Signer != nil || !pr.Ask() || pr.SignedBy != stranger.public.ID() || len(pr.Doubts) > 0 {
		t.Errorf("%+v", pr)
	}
	if pr := propose(t, p, pack(t, plainSpec, nil, 0)); !pr.Ask() || pr.SignedBy != "" {
		t.Errorf("%+v", pr)
	}
}

// The time is part of what is signed.
func TestTheTimeOfASignatureCannotBeChanged(t *testing.T) {
	p, good := Open(t.TempDir(), ""), newSigner(t)
	if err := p.Trust(good.public); err != nil {
		t.Fatal(err)
	}
	pkg := pack(t, plainSpec, &good, 1_700_000_000)
	pkg.Files[sigFile] = []byte(strings.Replace(string(pkg.Files[sigFile]), "timestamp:17", "timestamp:18", 1))
	if _, err := p.Propose(pkg, Options{Builtin: func(string) bool { return false }}); err == nil || !strings.Contains(err.Error(), "the signature is wrong") {
		t.Error(err)
	}
	for comment, want := range map[string]int64{"timestamp:12": 12, "x timestamp:7 y": 7, "timestamp:-1": 0, "timestamp:x": 0, "": 0, "xtimestamp:1": 0} {
		if got := signedAt(minisign.SignWithComments(good.private, nil, comment, "x")); got != want {
			t.Errorf("%q: %d", comment, got)
		}
	}
	if signedAt([]byte("x")) != 0 {
		t.Error("no signature has a time")
	}
}

// The providers of a project that others can have put there are not used, and
// neither are those that cannot be looked for.
func TestForeignProjects(t *testing.T) {
	work := t.TempDir()
	dir := filepath.Join(work, ".rhx", "providers")
	if err := os.MkdirAll(filepath.Join(dir, "p"), 0o700); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	if names, err := Open(data, work).Names(); err != nil || !slices.Equal(names, []string{"p"}) {
		t.Fatal(names, err)
	}
	install(t, Open(data, work), testPackage(t, "own"))
	for _, foreign := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(foreign, 0o777); err != nil {
			t.Fatal(err)
		}
		p := Open(data, work)
		if names, err := p.Names(); err == nil || !strings.Contains(err.Error(), foreign+" ") || !slices.Equal(names, []string{"own"}) {
			t.Error(names, err)
		}
		if _, err := p.Spec("p"); err == nil || !strings.Contains(err.Error(), foreign+" ") {
			t.Error(err)
		}
		if _, err := p.Spec("own"); err != nil {
			t.Error("what the user added is used all the same:", err)
		}
		if err := os.Chmod(foreign, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A file where the folder would be is no folder, and no error.
	if _, err := Open(data, filepath.Join(dir, "p", "none")).Names(); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), ".rhx")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := Open(data, filepath.Dir(file)).Names(); err != nil || !slices.Equal(names, []string{"own"}) {
		t.Error(names, err)
	}
}
