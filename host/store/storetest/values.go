package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// roundTrip writes s and compares what is read with it.
func roundTrip(t *testing.T, st store.Store, s *secret.Secret) {
	t.Helper()
	put(t, st, s, store.AnyVersion)
	r := get(t, st, s.Name, 0)
	wantSecret(t, &r.Secret, s)
	if r.Provider != s.Provider {
		t.Errorf("%q: provider %q, want %q", s.Name, r.Provider, s.Provider)
	}
}

func testBytes(t *testing.T, c Config) {
	s := c.New(t)()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	values := secret.Values{}
	for key, text := range map[string]string{
		"empty":        "",
		"every_byte":   string(every),
		"nul":          "a\x00b",
		"not_utf8":     "\xff\xfe fake",
		"cut_rune":     "fake \xe6\x97",
		"surrogate":    "\xed\xa0\x80",
		"replacement":  "\ufffd",
		"lines":        "-----BEGIN FAKE KEY-----\r\nAAAA\n\n-----END FAKE KEY-----\n",
		"space":        "  fake \t",
		"newline":      "\n",
		"json":         `{"fake": "<&>\u2028"}`,
		"base64":       "ZmFrZQ==",
		"prefix":       "base64:ZmFrZQ==",
		"separators":   "a\u2028b\u2029c",
		"bom":          "\ufefffake",
		"number":       "12345678901234567890",
		"float":        "1e3",
		"bool":         "true",
		"null":         "null",
		"redacted":     secret.Redacted,
		"at_sign":      "@/etc/fake",
		"quote":        `"'` + "`",
		"emoji":        "🔑",
		"control":      "\x01\x1b[31mfake\x7f",
		"percent":      "%s%00%2F",
		"template_ish": "${fake} {{fake}}",
	} {
		values[key] = secret.NewValue(text)
	}
	roundTrip(t, s, &secret.Secret{Name: "bytes", Provider: "bytes", Values: values})
}

func testLongValue(t *testing.T, c Config) {
	s := c.New(t)()
	size := 1 << 20
	if c.MaxValue > 0 {
		size = min(size, c.MaxValue)
	}
	roundTrip(t, s, one("long/text", strings.Repeat("fake ", size/5)))
	roundTrip(t, s, one("long/after", fake(1)))
	// Not text: stores that encode such values need more room for them.
	roundTrip(t, s, one("long/bytes", string(bytes.Repeat([]byte{0, 0xff, 'f'}, size/2/3))))
}

func testKeys(t *testing.T, c Config) {
	s := c.New(t)()
	roundTrip(t, s, &secret.Secret{Name: "none", Values: secret.Values{}})
	roundTrip(t, s, &secret.Secret{Name: "nil"})
	roundTrip(t, s, &secret.Secret{Name: "empty value", Values: secret.Values{"key": secret.NewValue("")}})
	many := secret.Values{}
	for i := range 1000 {
		many[fmt.Sprintf("key_%d", i)] = secret.NewValue(fake(i))
	}
	roundTrip(t, s, &secret.Secret{Name: "many", Values: many})
	odd := secret.Values{}
	for i, key := range []string{
		"a", "A", "a.b", "a/b", "a b", " ", "é", "日本語", "provider", "profile", "sources", "expires", "version", "values", "data", "metadata", "name", "_",
		"__proto__", "a\"b", "a%b", "a=b", "a:b", "rhx", "_rhx", "locations", "value", "key", "ttl", "lease_duration", "custom_metadata", "options", strings.Repeat("k", 300),
	} {
		odd[key] = secret.NewValue(fake(i))
	}
	roundTrip(t, s, &secret.Secret{Name: "odd keys", Values: odd})
	// A newer version replaces all keys.
	roundTrip(t, s, &secret.Secret{Name: "many", Values: secret.Values{"only": secret.NewValue(fake(1))}})
	wantList(t, s, "none", "nil", "empty value", "many", "odd keys")
}

func testMetadata(t *testing.T, c Config) {
	s := c.New(t)()
	values := secret.Values{"key": secret.NewValue(fake(1))}
	for _, sec := range []*secret.Secret{
		{Name: "aws/prod%20eu", Provider: "aws", Profile: "prod eu", Values: values,
			Sources: []secret.Source{{Kind: secret.SourceFile, Path: "~/.aws/credentials"}, {Kind: secret.SourceEnv, Var: "AWS_ACCESS_KEY_ID"}},
			Expires: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)},
		{Name: "free name", Values: values},
		{Name: "not/its/provider", Provider: "openai", Profile: "日本 / \" % \\ profile", Values: values},
		{Name: "sources", Provider: "ssh", Values: values,
			Sources: []secret.Source{{Kind: secret.SourceFile, Path: "/odd path/é,;=|%2F\"x"}, {Kind: secret.SourceFile, Path: "~/b", Own: true}, {Kind: secret.SourceFile, Path: "~/a"}, {Kind: secret.SourceFile, Path: "~/b"}}},
	} {
		roundTrip(t, s, sec)
	}
	// A store may know when values end without reading them, and says nothing else then.
	infos, err := s.List(t.Context())
	if err != nil || len(infos) != 4 {
		t.Fatalf("List = %+v, %v", infos, err)
	}
	for _, i := range infos {
		if r := get(t, s, i.Name, 0); !i.Expires.IsZero() && !i.Expires.Equal(r.Secret.Expires) || !r.Info.Expires.Equal(i.Expires) {
			t.Errorf("%q: List says that it expires %v, Get %v and %v", i.Name, i.Expires, r.Info.Expires, r.Secret.Expires)
		}
	}
	// A newer version has its own.
	roundTrip(t, s, &secret.Secret{Name: "aws/prod%20eu", Provider: "aws", Profile: "prod eu", Values: values, Sources: []secret.Source{{Kind: secret.SourceEnv, Var: "FAKE"}}})
	roundTrip(t, s, &secret.Secret{Name: "aws/prod%20eu", Provider: "aws", Profile: "prod eu", Values: values})
	if infos, err = s.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"aws/prod%20eu": "aws", "free name": "", "not/its/provider": "openai", "sources": "ssh"}
	for _, i := range infos {
		if p, ok := want[i.Name]; !ok || i.Provider != p {
			t.Errorf("List has %q with provider %q, want %q", i.Name, i.Provider, p)
		}
		if !i.Expires.IsZero() {
			t.Errorf("%q expires as an older version did: %v", i.Name, i.Expires)
		}
	}
}

func testNoAliasing(t *testing.T, c Config) {
	s := c.New(t)()
	sec := one("a", fake(1))
	sec.Sources = []secret.Source{{Kind: secret.SourceEnv, Var: "FAKE"}}
	put(t, s, sec, 0)
	want := sec.Clone()
	sec.Values["key"], sec.Values["more"] = secret.NewValue(fake(2)), secret.NewValue(fake(3))
	sec.Sources[0].Var = "OTHER"
	r := get(t, s, "a", 0)
	wantSecret(t, &r.Secret, want)
	r.Secret.Values["key"] = secret.NewValue(fake(4))
	delete(r.Secret.Values, "more")
	r.Secret.Sources[0].Var = "OTHER"
	r = get(t, s, "a", 0)
	wantSecret(t, &r.Secret, want)
}
