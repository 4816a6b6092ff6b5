package codec

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// fuzzEdit proves, for any input, the promises of package codec about a format
// that keeps one value on a line or a few:
//   - a file that does not parse gives an *Error that quotes nothing of it;
//   - no edits, and edits to what is there, return the same bytes;
//   - setting and removing either give an error, or bytes that read back;
//   - they change lines of the key only.
//
// path returns the place for a new value; it returns nil where a document is one
// value.
func fuzzEdit(f *testing.F, format Format, path func(group, key string) Path) {
	f.Fuzz(func(t *testing.T, data []byte, n uint, group, key, value string) {
		proveEdit(t, format, data, n, value, path(group, key))
	})
}

// proveEdit checks the promises for one edit of data: of the value that n picks
// among those there and new, which may be nil.
func proveEdit(t *testing.T, format Format, data []byte, n uint, value string, new Path) {
	t.Helper()
	doc, err := format.Decode(data)
	if err != nil {
		checkError(t, data, err)
		return
	}
	if out, err := format.Splice(data, nil); err != nil || !bytes.Equal(out, data) {
		t.Fatalf("no edits: %v, %q", err, out)
	}
	places := leaves(doc, nil)
	for _, p := range places {
		out, err := format.Splice(data, []Edit{{p, doc.Find(p)}})
		if err != nil || !bytes.Equal(out, data) {
			t.Fatalf("set %v to what it is: %v\n%q\n%q", p, err, data, out)
		}
	}
	if new != nil {
		places = append(places, new)
	}
	p := places[n%uint(len(places))]
	old := doc.Find(p)

	out, err := Apply(format, data, []Edit{{p, Text(value)}})
	checkEdit(t, format, data, out, err)
	if err == nil && len(p) > 0 {
		checkSameRest(t, format, data, out, p, doc)
	}
	gone, err := Apply(format, data, []Edit{{Path: p}})
	checkEdit(t, format, data, gone, err)
	if err == nil && old != nil && len(p) > 0 {
		checkRemoved(t, format, data, gone)
	}
	if len(p) < 2 {
		return
	}
	gone, err = Apply(format, data, []Edit{{Path: p[:1]}})
	checkEdit(t, format, data, gone, err)
	if err == nil && doc.Find(p[:1]) != nil {
		checkRemoved(t, format, data, gone)
	}
}

// proveRandom checks the promises for files put together at random from words,
// which reach further into a grammar than random bytes.
func proveRandom(t *testing.T, format Format, words []string, path func(group, key string) Path) {
	t.Helper()
	const seed = 3
	r := rand.New(rand.NewPCG(seed, seed))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for range 20000 {
		var file strings.Builder
		for range r.IntN(24) {
			file.WriteString(pick(words))
		}
		var value strings.Builder
		for range r.IntN(4) {
			value.WriteString(pick([]string{"x", "y z", " ", "#", "\n", "\"", "'", "\\", "$", "=", ";", "`", "\t", "\r", "ü"}))
		}
		proveEdit(t, format, []byte(file.String()), r.Uint(), value.String(), path(pick([]string{"a", "b", "c"}), pick([]string{"k", "m", "login", "password"})))
	}
}

// leaves returns the paths of all scalars in n.
func leaves(n *Node, at Path) []Path {
	if n.Scalar() {
		return []Path{at}
	}
	var all []Path
	for _, p := range n.Pairs {
		all = append(all, leaves(p.Value, at.child(p.Key))...)
	}
	return all
}

// checkError fails where err is not an *Error, or has a longer word of data in it.
func checkError(t *testing.T, data []byte, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("not an *Error: %v", err)
	}
	for word := range bytes.FieldsSeq(data) {
		if len(word) >= 14 && strings.Contains(err.Error(), string(word)) {
			t.Fatalf("the error quotes the file: %v", err)
		}
	}
}

// checkEdit fails where an edit changed its input, or was not caught before
// verification, or does not parse.
func checkEdit(t *testing.T, format Format, data, out []byte, err error) {
	t.Helper()
	var e *Error
	switch {
	case errors.Is(err, ErrVerify):
		t.Fatalf("a wrong splice of %q", data)
	case err != nil && !errors.As(err, &e):
		t.Fatalf("not an *Error: %v", err)
	}
	if err == nil {
		if _, err := format.Decode(out); err != nil {
			t.Fatalf("%q does not parse: %v", out, err)
		}
	}
}

// checkSameRest fails where out differs from data in more than the lines of the
// key at path: without the key, both are the same but for a missing last line
// ending and for a header that out has in addition.
func checkSameRest(t *testing.T, format Format, data, out []byte, path Path, doc *Node) {
	t.Helper()
	if d, err := netrcParse(data); format == Format(netrc{}) && err == nil && len(d.entries) != len(d.tree().Pairs) {
		return // a value that the first of several entries lacks may be in others
	}
	edit := []Edit{{Path: path}}
	if doc.Find(path[:len(path)-1]) == nil {
		edit[0].Path = path[:len(path)-1]
	}
	a, errA := Apply(format, data, edit)
	b, errB := Apply(format, out, edit)
	if errA != nil || errB != nil {
		t.Fatalf("removing %v: %v, %v\n%q\n%q", path, errA, errB, data, out)
	}
	if x, y := endless(format, a), endless(format, b); x != y {
		t.Fatalf("setting %v changed other lines:\n%q\n%q\nwithout it:\n%q\n%q", path, data, out, a, b)
	}
}

// endless returns data without its last line endings and with all others alike,
// because an empty line gets another one behind a lone CR. For netrc blanks go
// too: a field on the line of others may part words that stood together.
func endless(format Format, data []byte) string {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
	if format == Format(netrc{}) {
		text = strings.NewReplacer(" ", "", "\t", "").Replace(text)
	}
	return strings.TrimRight(text, "\n")
}

// checkRemoved fails where out is not what stays of data when lines are taken out
// of it, or for netrc, which has several values on a line, words.
func checkRemoved(t *testing.T, format Format, data, out []byte) {
	t.Helper()
	split := func(data []byte) (parts []string) {
		for _, l := range splitLines(data, bomLen(data)) {
			// Without the ending: a lone CR may come to stand before an LF.
			parts = append(parts, string(data[l.start:l.end]))
		}
		return parts
	}
	if format == Format(netrc{}) {
		split = func(data []byte) []string { return strings.Fields(string(data)) }
	}
	have := split(data)
	for _, want := range split(out) {
		i := slices.IndexFunc(have, func(h string) bool { return h == want || format == Format(netrc{}) && strings.Contains(h, want) })
		if i < 0 {
			t.Fatalf("removing changed %q:\n%q\n%q", want, data, out)
		}
		have = have[i:]
		if have[0] == want {
			have = have[1:]
		}
	}
}
