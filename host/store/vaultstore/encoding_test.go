package vaultstore

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/secret"
)

func TestTextThatVaultHoldsStaysAsItIs(t *testing.T) {
	for _, s := range []string{"", "fake", "a\nb\x00", "日本語", "base64:AA==", "rhx:", "\u00a0"} {
		if got := encodeText(s); got != s {
			t.Errorf("encodeText(%q) = %q", s, got)
		}
	}
	for _, s := range []string{"aws/prod%20eu", "a b/ c", "日本語/🔑", "a.b", "rhx:base64/x", " "} {
		if got := encodeName(s); got != s {
			t.Errorf("encodeName(%q) = %q", s, got)
		}
	}
}

func TestTextWrittenByHandThatOnlyLooksEncoded(t *testing.T) {
	for _, s := range []string{marker + "not base64", marker + "QQ", marker + "QR==", marker + "QQ==\n", marker + "Q\nQ==", marker + "QQ=="} {
		if got := decodeText(s); got != s {
			t.Errorf("decodeText(%q) = %q", s, got)
		}
	}
}

func TestNamesThatVaultRefusesAreEncodedByStep(t *testing.T) {
	for name, want := range map[string]string{
		"a/..b/c": "a/rhx:base64:Li5i/c", "a\u00a0": "rhx:base64:YcKg", "x/rhx:base64:YQ": "x/rhx:base64:cmh4OmJhc2U2NDpZUQ", "\xff/y": "rhx:base64:_w/y",
	} {
		if got := encodeName(name); got != want {
			t.Errorf("encodeName(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "fake", "\xff", marker, marker + "QQ==", marker + "wqA=", marker + "/w==", "a\u2028", "\u00a0", strings.Repeat("é", 300), "..", "a/../b", "a/..b", "😀\u200d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if e := encodeText(s); decodeText(e) != s || !utf8.ValidString(e) {
			t.Errorf("encodeText(%q) = %q", s, e)
		}
		if e := encodeLine(s); decodeLine(e) != s || !printable(e) {
			t.Errorf("encodeLine(%q) = %q", s, e)
		}
		if e := encodeName(s); decodeName(e) != s || !printable(e) || strings.Contains(e, "..") || strings.Count(e, "/") != strings.Count(s, "/") {
			t.Errorf("encodeName(%q) = %q", s, e)
		}
	})
}

func FuzzValuesSurviveJSON(f *testing.F) {
	for _, s := range []string{"", "fake", "\xff\x00", marker, `["a"]`, "<&>\u2028", "\ufffd"} {
		f.Add(s, s, 1)
		f.Add("key", s, 1<<19)
	}
	f.Fuzz(func(t *testing.T, key, text string, times int) {
		if times < 1 || times*len(text) > 4<<20 {
			times = 1
		}
		values := secret.Values{key: secret.NewValue(strings.Repeat(text, times))}
		b, err := json.Marshal(encodeValues(values, nil))
		if err != nil {
			t.Fatal(err)
		}
		var data map[string]any
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(&data); err != nil {
			t.Fatal(err)
		}
		if got, foreign := decodeValues(data); !got.Equal(values) || len(foreign) > 0 {
			t.Errorf("key %q: %d times %q came back changed", key, times, text)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add("aws", "prod eu", "~/.aws/credentials", "AWS_ACCESS_KEY_ID", int64(0), 1)
	f.Add("", "", "", "", int64(1), 3)
	f.Add("a\xff", "\u00a0", strings.Repeat("/é", 600), "\x00", int64(1<<40), 17)
	f.Fuzz(func(t *testing.T, provider, profile, path, variable string, expires int64, version int) {
		m := meta{provider: provider, profile: profile, sources: []secret.Source{{Kind: secret.SourceFile, Path: path}, {Kind: secret.SourceEnv, Var: variable}}}
		if expires > 0 && expires < 1<<40 {
			m.expires = time.Unix(expires, 5).UTC()
		}
		fields, err := m.fields(version)
		if err != nil {
			if len(provider)+len(profile)+len(path)+len(variable) < 1000 && m.expires.Year() <= 9999 {
				t.Errorf("fields: %v", err)
			}
			return
		}
		for k, v := range fields {
			if v == "" || len(v) > maxFieldLen || !printable(v) || len(k) > 128 || !printable(k) {
				t.Errorf("Vault would refuse %q = %q", k, v)
			}
		}
		got := metaFrom(fields, version)
		if got.provider != m.provider || got.profile != m.profile || !slices.Equal(got.sources, m.sources) || !got.expires.Equal(m.expires) {
			t.Errorf("%+v came back as %+v", m, got)
		}
	})
}

func TestPatchChangesWhatIsRhxsOnly(t *testing.T) {
	have := map[string]string{
		"owner": "me", "provider": "aws", "provider.x": "mine", "locations": "a", "locations.2": "b", "locations.02": "mine",
		"expires": "mine", "expires.1": "old", "expires.20": "kept", "expires.30": "stale",
	}
	want := map[string]string{"provider": "aws", "locations": "c", "profile": "p"}
	got := patch(have, want, 25)
	if !maps.Equal(got, map[string]any{"locations": "c", "locations.2": nil, "profile": "p", "expires.1": nil, "expires.30": nil}) {
		t.Errorf("patch = %v", got)
	}
	if p := patch(map[string]string{"provider": "aws", "owner": "me"}, map[string]string{"provider": "aws"}, 2); p != nil {
		t.Errorf("nothing to change, but patch = %v", p)
	}
}

func TestAChecksumNoticesEveryChange(t *testing.T) {
	base := secret.Values{"a": secret.NewValue("fake"), "b": secret.NewValue("")}
	salt := []byte("fake salt")
	for what, v := range map[string]secret.Values{
		"another text":      {"a": secret.NewValue("fakE"), "b": secret.NewValue("")},
		"a key less":        {"a": secret.NewValue("fake")},
		"text moved":        {"a": secret.NewValue("fak"), "b": secret.NewValue("e")},
		"a key for a value": {"afake": secret.NewValue(""), "b": secret.NewValue("")},
		"no values":         {},
	} {
		if checksum(salt, v) == checksum(salt, base) {
			t.Errorf("%s goes unnoticed", what)
		}
	}
	if checksum([]byte("other"), base) == checksum(salt, base) {
		t.Error("the salt changes nothing")
	}
}
