package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// oddNames would each meet another in a store that maps names carelessly.
func oddNames() []string {
	return []string{
		"aws", "aws/prod", "aws/prod%20eu", "aws/prod eu", "aws/prod+eu",
		"a", "a/b", "a/b/c", "a%2Fb", "a%2fb", "a%252Fb", "a%", "a%2", "a%zz", "a_b", "a-b", "a=b", "a|b", "a\\b",
		"A", "A/b", "a/B", "aB", "Ab", "AB",
		"con", "CON", "con.txt", "nul", "prn/a", "aux", "com1", "lpt9", "COM1.age",
		".hidden", "..hidden", "hidden.", "hidden..", "a/.hidden", "...", "x.age", "1", "1.age", "1.deleted", "lock", "metadata", "data", "recipients.txt", "tmp", ".tmp-1", "secrets",
		" lead", "trail ", " ", "a b", "a/ b", "a / b",
		"~", "~a", "$HOME", "`id`", "a;b", "a&b", "a'b", `a"b`, "a<b>", "a:b", "a*", "a?", "a#b", "a@b", "a!b", "a,b", "a^b", "[a]", "{a}", "(a)", "-rf", "--", "?list=true", "a?version=1", "=",
		"é", "e\u0301", "É", "ß", "ss", "日本語", "日本語/東京", "🔑", "a\u00a0b", "ı", "İ", "ﬁ",
		strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("n", 512), strings.Repeat("n", 511) + "m", strings.Repeat("N", 512),
		strings.Repeat("é", 256), strings.Repeat("s/", 255) + "s", strings.Repeat("%", 512),
	}
}

func testNames(t *testing.T, c Config) {
	open := c.New(t)
	s := open()
	names := oddNames()
	for i, name := range names {
		if n, err := s.Put(t.Context(), one(name, fake(i)), 0); err != nil || n != 1 {
			t.Errorf("Put %q returned version %d, %v", name, n, err)
		}
	}
	s = open()
	wantList(t, s, names...)
	for i, name := range names {
		r, err := s.Get(t.Context(), name, 0)
		if err != nil {
			t.Errorf("Get %q: %v", name, err)
			continue
		}
		wantSecret(t, &r.Secret, one(name, fake(i)))
		if r.Name != name || r.Version != 1 {
			t.Errorf("Get %q returned %q version %d", name, r.Name, r.Version)
		}
		h, err := s.History(t.Context(), name)
		if err != nil || len(h) != 1 || h[0].Name != name {
			t.Errorf("History %q = %+v, %v", name, h, err)
		}
	}
}

func testNamesApart(t *testing.T, c Config) {
	s := c.New(t)()
	names := []string{"a", "A", "a/b", "a%2Fb", "a%2fb", "a\\b", "é", "e\u0301", "con", "con.", "a.", "a "}
	for i, name := range names {
		put(t, s, one(name, fake(i)), 0)
	}
	// Taking them away one by one leaves the others as they are.
	for i, name := range names {
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete %q: %v", name, err)
		}
		if err := s.Destroy(t.Context(), name); err != nil {
			t.Errorf("Destroy %q: %v", name, err)
		}
		wantList(t, s, names[i+1:]...)
		for k := i + 1; k < len(names); k++ {
			if got := text(t, s, names[k], 0); got != fake(k) {
				t.Errorf("destroying %q changed %q", name, names[k])
			}
		}
	}
}

func testInvalidNames(t *testing.T, c Config) {
	s := c.New(t)()
	for _, name := range []string{"", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\x00b", "a\nb", "a\x7fb", "a\u009bb", "a\u200bb", "a\u202eb", "a\u2028b", strings.Repeat("n", 513)} {
		sec := one("a", fake(1))
		sec.Name = name
		for method, err := range all(t.Context(), s, sec, store.AnyVersion) {
			if method != "List" && err == nil {
				t.Errorf("%s took the name %q", method, name)
			}
		}
	}
	wantList(t, s)
}

func testManyNames(t *testing.T, c Config) {
	count := c.Names
	if count == 0 {
		count = 1000
	}
	s := c.New(t)()
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("many/%d", i))
	}
	var wg sync.WaitGroup
	errs := make([]error, count)
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < count; i += 8 {
				_, errs[i] = s.Put(t.Context(), one(names[i], fake(i)), 0)
			}
		})
	}
	wg.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		t.Fatalf("Put %q: %v", names[i], errs[i])
	}
	wantList(t, s, names...)
	if n, ok := s.(store.Namer); ok {
		slices.Sort(names)
		if got, err := n.Names(t.Context()); err != nil || !slices.Equal(got, names) {
			t.Errorf("Names = %d names, %v; want %d", len(got), err, len(names))
		}
	}
}
