package scan

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"

	"github.com/rhx-dev/rhx/host/scan/zstandard"
	"github.com/rhx-dev/rhx/host/secret"
)

// A value in a name is found, and the name is shown without it: of a file, a folder, what is
// in an archive, and what cannot be read, in the baseline too.
func TestNames(t *testing.T) {
	const inName = "FAKE-v4lue-in-a-name-77"
	dir, git := repository(t)
	write(t, dir, map[string]string{
		"n-" + inName + ".txt": "x " + inName, inName + "/a": "", inName + "/b": inName, "sub/" + inName: "",
		"a.tar": archive("in/"+inName+".txt", inName), "t-ghp_" + strings.Repeat("aB3d", 9) + ".txt": "",
	})
	if err := os.Mkdir(filepath.Join(dir, "empty-"+inName), 0o755); err != nil {
		t.Fatal(err)
	}
	git("add", "-A")
	t.Chdir(dir)
	patterns := NewPatterns([]Pattern{{Key: "token", Text: `gh[opusr]_[A-Za-z0-9]{20,}`}})
	run := func(search func(*Scanner) error) (string, *Scanner) {
		t.Helper()
		s, _ := New([]Holder{holder("s", inName)})
		s.Patterns = patterns
		if err := search(s); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(lines(s), "\n")
		found, _ := s.Findings()
		b := &Baseline{path: "known.json", Shown: s.Shown}
		for _, f := range found {
			got += "\n" + b.entry(f).Place
		}
		if strings.Contains(got, inName) || strings.Contains(got, "aB3d") {
			t.Errorf("shown: %s", got)
		}
		return got, s
	}
	has := func(got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if strings.Count("\n"+got+"\n", "\n"+w+"\n") != 1 {
				t.Errorf("not once %q in\n%s", w, got)
			}
		}
	}
	got, _ := run(func(s *Scanner) error {
		return s.Trees(context.Background(), []string{".", "a.tar", "missing-" + inName})
	})
	has(got, "n-********.txt:0:0 s plain", "n-********.txt:1:3 s plain", "********:0:0 s plain", "********/b:1:1 s plain", "sub/********:0:0 s plain", "empty-********:0:0 s plain",
		"a.tar!in/********.txt:0:0 s plain", "a.tar!in/********.txt:1:1 s plain", "t-********.txt:0:0  pattern", "unread missing-********")
	got, _ = run(func(s *Scanner) error { return s.Staged(context.Background(), NewGit(dir, os.Environ(), false)) })
	has(got, "n-********.txt:0:0 s plain", "n-********.txt:1:3 s plain", "********:0:0 s plain", "sub/********:0:0 s plain")
	git("commit", "-q", "-m", "one")
	write(t, dir, map[string]string{"more": "", "sub/more": ""})
	git("add", "-A")
	git("commit", "-q", "-m", "two")
	first := git("rev-parse", "HEAD~1")[:12]
	history, s := run(func(s *Scanner) error { return s.History(context.Background(), NewGit(dir, os.Environ(), false)) })
	has(history, first+":n-********.txt:0:0 s plain", first+":sub/********:0:0 s plain", first+":********/b:1:1 s plain", first+":********:0:0 s plain")
	for _, f := range s.findings {
		if want := map[bool]int{true: 1}[f.InName && !f.inner]; f.Also != want {
			t.Errorf("%s is in %d more versions, not %d", f.Path, f.Also, want)
		}
	}
}

const value = `FAKE-v4lue/with+"quotes" & 'more' 0123456789`

func holder(name, text string) Holder {
	return Holder{Secret: name, Key: "key", Version: 1, Current: true, Value: secret.NewValue(text)}
}

// searcher searches for value, which the secret s has, and others.
func searcher(t *testing.T, more ...Holder) *Scanner {
	t.Helper()
	s, left := New(append([]Holder{holder("s", value)}, more...))
	s.Zstd = zstandard.Open
	if len(left) > 0 {
		t.Fatalf("%d values are left out", len(left))
	}
	return s
}

// mustText searches a text.
func mustText(t *testing.T, s *Scanner, path string, in io.Reader) {
	t.Helper()
	if err := s.Text(context.Background(), path, in); err != nil {
		t.Fatal(err)
	}
}

// lines are findings as texts.
func lines(s *Scanner) (out []string) {
	found, _ := s.Findings()
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s:%d:%d %s %s", f.Place, f.Line, f.Column, f.Secret, f.Form))
	}
	for _, u := range s.Unread() {
		out = append(out, "unread "+u.Place)
	}
	return out
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func packedZstd(text string) string {
	w, _ := zstd.NewWriter(nil)
	return string(w.EncodeAll([]byte(text), nil))
}

func archive(files ...string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		_ = w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg})
		_, _ = w.Write([]byte(files[i+1]))
	}
	_ = w.Close()
	return b.String()
}

func wide(text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func bigEndian(text string) string {
	b := []byte(wide(text))
	for i := 0; i < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

func broken(text string, width int, end string) string {
	var parts []string
	for ; len(text) > width; text = text[width:] {
		parts = append(parts, text[:width])
	}
	return strings.Join(append(parts, text), end)
}

// looks are the ways in which programs write value.
func looks() map[string]string {
	asJSON, _ := json.Marshal(value)
	var asXML bytes.Buffer
	_ = xml.EscapeText(&asXML, []byte(value))
	b64 := base64.StdEncoding.EncodeToString
	long := b64([]byte("user:" + value + "@host"))
	return map[string]string{
		"plain":                 value,
		"in a line":             "export TOKEN=" + value + ";",
		"after binary":          "\x00\x01\xff" + value + "\x00",
		"UTF-16":                wide("k=" + value),
		"UTF-16 with a mark":    "\xff\xfe" + wide(value),
		"base64":                b64([]byte(value)),
		"base64 without =":      base64.RawStdEncoding.EncodeToString([]byte(value)),
		"base64 for URLs":       base64.URLEncoding.EncodeToString([]byte(value)),
		"base64 from echo":      b64([]byte(value + "\n")),
		"base64 behind 1":       b64([]byte("u" + value)),
		"base64 behind 2":       b64([]byte("u:" + value)),
		"base64 behind 5":       long,
		"base64 of UTF-16":      b64([]byte(wide(value))),
		"base64 in 64s":         broken(long, 24, "\n"),
		"base64 in CRLF":        broken(long, 20, "\r\n"),
		"base64 indented":       broken(long, 20, "\n    "),
		"base64 in a URL":       url.QueryEscape(b64([]byte(value + "?"))),
		"base64 in JSON":        strings.ReplaceAll(b64([]byte(value)), "/", `\/`),
		"hex":                   hex.EncodeToString([]byte(value)),
		"HEX":                   strings.ToUpper(hex.EncodeToString([]byte(value))),
		"hex in lines":          broken(hex.EncodeToString([]byte(value)), 32, "\n"),
		"a query":               url.QueryEscape(value),
		"a path":                url.PathEscape(value),
		"percent, all of it":    "%" + strings.ReplaceAll(fmt.Sprintf("% x", value), " ", "%"),
		"JSON":                  string(asJSON),
		"JSON, all escaped":     escaped(`\u%04x`),
		"C, all escaped":        escaped(`\x%02x`),
		"octal":                 escaped(`\%03o`),
		"XML":                   asXML.String(),
		"XML, all escaped":      escaped("&#%d;"),
		"a shell, double":       `"` + strings.NewReplacer(`"`, `\"`).Replace(value) + `"`,
		"a shell, single":       "'" + strings.ReplaceAll(value, "'", `'\''`) + "'",
		"a shell, single again": "'" + strings.ReplaceAll(value, "'", `'"'"'`) + "'",
		"a shell, bare":         strings.NewReplacer(" ", `\ `, "'", `\'`, `"`, `\"`, "&", `\&`).Replace(value),
		"SQL":                   "'" + strings.ReplaceAll(value, "'", "''") + "'",
		"CSV":                   `"` + strings.ReplaceAll(value, `"`, `""`) + `"`,
		"hex behind 0x":         "0x" + hex.EncodeToString([]byte("key="+value)),
		"UTF-16, big-endian":    bigEndian("k=" + value + ";"),
		"PowerShell's command":  "powershell -EncodedCommand " + b64([]byte(wide("$k = '"+value+"'"))),
		"a header":              "Authorization: Basic " + b64([]byte("user:"+value)) + "\r\n",
		"percent, in capitals":  strings.ReplaceAll(fmt.Sprintf(" % X", value), " ", "%"),
		"C, all escaped by U":   escaped(`\U%08x`),
		"XML, all in hex":       escaped("&#x%x;"),
	}
}

func escaped(format string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		fmt.Fprintf(&b, format, c)
	}
	return b.String()
}

// A value is found in each way in which programs write it, and in each kind of place.
func TestLooksAndPlaces(t *testing.T) {
	dir := t.TempDir()
	n := 0
	for look, text := range looks() {
		write(t, dir, map[string]string{"looks/" + look: "one\ntwo (" + text + ")\n"})
		n++
	}
	if n < 40 {
		t.Errorf("only %d ways", n)
	}
	layer := archive("etc/app.env", "A=1\nKEY="+value, "etc/packed.gz", packed("packed "+value))
	places := map[string]string{
		"in a large file":   strings.Repeat("0123456789abcdef\n", 40_000) + value,
		"across blocks":     strings.Repeat("x", 64<<10-9) + value,
		"across buffers":    strings.Repeat("x", bufferSize-9) + url.QueryEscape(value),
		"at the end":        value,
		".hidden/.env":      value,
		"a name\nof lines":  value,
		"without an ending": value,
	}
	for name, text := range places {
		write(t, dir, map[string]string{"places/" + name: text})
	}
	s := searcher(t)
	if err := s.Trees(context.Background(), []string{dir}); err != nil {
		t.Fatal(err)
	}
	found, _ := s.Findings()
	if len(s.Unread()) > 0 || len(found) != n+len(places) {
		t.Errorf("%d of %d are found; unread: %v", len(found), n+len(places), s.Unread())
		for _, f := range found {
			_ = os.Remove(f.Path)
		}
		for _, sub := range []string{"looks", "places"} {
			left, _ := os.ReadDir(filepath.Join(dir, sub))
			t.Log("not found: ", left)
		}
	}
	for _, f := range found {
		if strings.Contains(f.Path, "/looks/") && f.Line != 2 {
			t.Errorf("%s is in line 2, not %d", f.Path, f.Line)
		}
	}
	images := map[string][]string{
		"image.tar":     {archive("manifest.json", "[]", "abc/layer.tar", layer), "image.tar!abc/layer.tar!etc/app.env:2:5"},
		"oci.tar":       {archive("blobs/sha256/aa", packed(layer), "blobs/sha256/bb", `{"Env":["K=`+strings.ReplaceAll(value, `"`, `\"`)+`"]}`), "oci.tar!blobs/sha256/aa!etc/app.env:2:5", "oci.tar!blobs/sha256/bb:1:12"},
		"zstd.tar":      {archive("blobs/sha256/cc", packedZstd(layer)), "zstd.tar!blobs/sha256/cc!etc/app.env:2:5"},
		"image.tar.gz":  {packed(layer), "image.tar.gz!etc/app.env:2:5", "image.tar.gz!etc/packed.gz:1:8"},
		"image.tar.zst": {packedZstd(layer), "image.tar.zst!etc/app.env:2:5", "image.tar.zst!etc/packed.gz:1:8"},
		"log.gz":        {packed("a\n" + value), "log.gz:2:1"},
	}
	for name, c := range images {
		write(t, dir, map[string]string{name: c[0]})
		s := searcher(t)
		if err := s.Trees(context.Background(), []string{filepath.Join(dir, name)}); err != nil {
			t.Fatal(err)
		}
		got := lines(s)
		for _, want := range c[1:] {
			if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "/"+want+" s ") }) {
				t.Errorf("%s: %v, without %s", name, got, want)
			}
		}
		if len(got) < len(c)-1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A program without the library of zstd says what it has not searched.
func TestZstdIsNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"image.tar.zst": packedZstd(archive("a", value)), "image.tar": archive("layer", packedZstd(value))} {
		write(t, dir, map[string]string{name: text})
		s := searcher(t)
		s.Zstd = nil
		if err := s.Trees(context.Background(), []string{filepath.Join(dir, name)}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lines(s), " "); !strings.Contains(got, "unread ") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What rhx does not know is not found, and nothing else is.
func TestNothingElse(t *testing.T) {
	s := searcher(t)
	for _, text := range []string{base32.StdEncoding.EncodeToString([]byte(value)), value[:20] + "x" + value[20:], strings.ToLower(value), value[1:]} {
		mustText(t, s, "x", strings.NewReader(text))
	}
	if got := lines(s); got != nil {
		t.Error(got)
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "short": true, "sh0rt-1": true, "sh0rt-12": false, "aaaaaaaaaaaaaaaaaaaaaaaa": true, "abababcdabcd": true, "abcde-abcde": false,
		"password": true, "development": true, "correcthorsebatterystaple": false, "thirteenchars": true, "fourteenlettrs": false,
		"20261130": true, "1234567890123": true, "12345678901234": false, "  sh0rt-1  ": true, "Password": false,
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for line, want := range map[string]bool{
		`"token_uri": "https://oauth2.googleapis.com/token",`: false, "FAKE/fake+FAKE0123456789FAKE/fake": true, "abcdefghijklmnopqrstuvwxyz": false, "0123456789012345678901234": false,
		`"private_key_id": "0123456789abcdef0123456789abcdef",`: true, "abcdefghi0123456789": false, "abcdefghij0123456789": true, "a1a1a1a1a1a1a1a1a1a1a1a1a1": false,
	} {
		if got := telling(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// A value of several secrets is told of one: of a current one, and the newest.
func TestHolders(t *testing.T) {
	old := holder("old", value)
	old.Current, old.Version = false, 7
	older := holder("old", value)
	older.Current, older.Version = false, 6
	s, _ := New([]Holder{older, old, holder("other", "another-fake-1")})
	mustText(t, s, "x", strings.NewReader(value+" another-fake-1"))
	found, _ := s.Findings()
	if len(found) != 2 || found[0].Version != 7 || found[0].Current || found[1].Secret != "other" {
		t.Errorf("%+v", found)
	}
	s, left := New([]Holder{old, holder("new", value+"\n"), holder("pin", "1234"), holder("word", "password")})
	mustText(t, s, "x", strings.NewReader(value+" 1234 password"))
	if got := lines(s); len(got) != 1 || !strings.Contains(got[0], " new ") || len(left) != 2 || left[0].Name() != "pin key" {
		t.Errorf("%v, without %v", got, left)
	}
}

// Of a key of several lines its lines are found, and not those that all such keys have.
func TestLinesOfAValue(t *testing.T) {
	const line = "MIIFAKEfakeFAKE0123456789/fake+FAKE"
	s := searcher(t, holder("pem", "-----BEGIN FAKE KEY-----\nProc-Type: 4,ENCRYPTED\n"+line+"\n-----END FAKE KEY-----\n"))
	mustText(t, s, "x", strings.NewReader("Proc-Type: 4,ENCRYPTED\n-----BEGIN FAKE KEY-----\n"+line+"\n"))
	if got := lines(s); len(got) != 1 || got[0] != "x:3:1 pem line+plain" {
		t.Error(got)
	}
}

func TestTooMany(t *testing.T) {
	s := searcher(t)
	mustText(t, s, "x", strings.NewReader(strings.Repeat(value+"\n", MaxFindings-2)))
	mustText(t, s, "y", strings.NewReader(strings.Repeat(value+"\n", 5)))
	if found, more := s.Findings(); len(found) != MaxFindings || more != 3 {
		t.Errorf("%d, and %d more", len(found), more)
	}
}

// A token of the store's own is told of once, as what it is.
func TestPatternOfAKnownValue(t *testing.T) {
	token := "abcd" + "012345678901-ef"
	s := searcher(t, holder("own", token))
	s.Patterns = NewPatterns([]Pattern{{Provider: "p", Key: "token", Text: `abcd[0-9]{12}-[a-z]{2}`}})
	mustText(t, s, "x", strings.NewReader(token+" abcd"+"109876543210-ef"))
	if got := lines(s); !slices.Equal(got, []string{"x:1:1 own plain", "x:1:21 p pattern"}) {
		t.Error(got)
	}
}
