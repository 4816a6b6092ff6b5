package backup

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
)

const (
	first  = `{"rhx_backup":1,"store":"local","created":"2026-11-29T18:00:00Z"}` + "\n"
	aOne   = `{"name":"a","version":1,"updated":"2026-11-29T17:00:00Z","provider":"aws","profile":"p","values":{"k":"FAKE"},"sources":[{"kind":"file","path":"~/f"}],"expires":"2031-01-02T03:04:05Z"}` + "\n"
	aThree = `{"name":"a","version":3,"deleted":true}` + "\n"
	bOne   = `{"name":{"base64":"Yv8="},"version":1,"deleted":true,"values":{}}` + "\n"
)

// docs/stores.md describes this text, and other programs write it.
func TestRead(t *testing.T) {
	text := first + aOne + aThree + bOne + `{"end":3,"missing":["c version 2"]}` + "\n"
	c, err := read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &contents{
		header: header{1, "local", time.Date(2026, 11, 29, 18, 0, 0, 0, time.UTC)},
		secrets: []versions{
			// Version 3 has no values: version 1 is the newest there is, and is deleted then.
			{name: "a", newest: 3, deleted: true, all: []version{{1, true, int64(len(first)), len(aOne) - 1}}},
			{name: "b\xff", newest: 1, deleted: true, all: []version{{1, true, int64(len(first + aOne + aThree)), len(bOne) - 1}}},
		},
		missing: []string{"c version 2"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("read\n%+v, not\n%+v", c, want)
	}
	f := &File{text: strings.NewReader(text)}
	s, err := f.secret("a", c.secrets[0].all[0])
	if err != nil || !reflect.DeepEqual(s, &secret.Secret{
		Name: "a", Provider: "aws", Profile: "p", Values: secret.Values{"k": secret.NewValue("FAKE")},
		Sources: []secret.Source{{Kind: secret.SourceFile, Path: "~/f"}}, Expires: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC),
	}) {
		t.Errorf("%+v, %v", s, err)
	}
	if c, err := read(strings.NewReader(`{"rhx_backup":1}` + "\n" + `{"end":0}` + "\n")); err != nil || len(c.secrets) != 0 {
		t.Errorf("an empty one: %v", err)
	}
}

// What no rhx writes is refused, and nothing of it is shown.
func TestReadRefuses(t *testing.T) {
	end := func(n string) string { return `{"end":` + n + "}\n" }
	for what, c := range map[string]struct{ text, want string }{
		"nothing":               {"", "it is empty"},
		"another text":          {"FAKE\n", "it is not a backup of rhx"},
		"other JSON":            {`{"name":"FAKE"}` + "\n", "it is not a backup of rhx"},
		"a list":                {"[1]\n", "it is not a backup of rhx"},
		"a store of two lines":  {`{"rhx_backup":1,"store":"a\nFAKE"}` + "\n" + `{"end":0}` + "\n", "it is not as rhx writes one"},
		"two lines missing":     {`{"rhx_backup":1}` + "\n" + `{"end":0,"missing":["a\nFAKE"]}` + "\n", "it is not as rhx writes one"},
		"no line break":         {`{"rhx_backup":1}`, "line 1: it is cut off"},
		"a newer format":        {`{"rhx_backup":2,"FAKE":1}` + "\n", "a newer rhx wrote it (format 2; this rhx reads format 1)"},
		"format 0":              {`{"rhx_backup":0}` + "\n", "it is not as rhx writes one"},
		"a text for a format":   {`{"rhx_backup":"FAKE"}` + "\n", "it is not a backup of rhx"},
		"an unknown field":      {`{"rhx_backup":1,"FAKE":1}` + "\n", "it is not as rhx writes one"},
		"no end":                {first + aOne, "its end is missing: it is cut off"},
		"half a line":           {first + aOne[:20], "line 2: it is cut off"},
		"fewer":                 {first + aOne + end("2"), "it has 1 versions, and says that it has 2"},
		"more":                  {first + aOne + end("0"), "it has 1 versions, and says that it has 0"},
		"something behind":      {first + aOne + end("1") + aOne, "there is something behind its end"},
		"an empty line behind":  {first + aOne + end("1") + "\n", "there is something behind its end"},
		"two ends":              {first + end("0") + end("0"), "there is something behind its end"},
		"an empty line":         {first + "\n" + aOne + end("1"), "line 2: it is not as rhx writes one"},
		"two documents":         {first + strings.TrimSpace(aOne) + "{}\n" + end("1"), "line 2: it is not as rhx writes one"},
		"two headers":           {first + first + end("1"), "line 2: it is not as rhx writes one"},
		"an unknown key":        {first + `{"name":"a","version":1,"values":{},"FAKE":1}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"a key twice":           {first + `{"name":"a","version":1,"values":{},"name":"FAKE"}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"a key in capitals":     {first + `{"name":"a","version":1,"values":{},"NAME":"FAKE"}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"a key with a long s":   {first + `{"name":"a","version":1,"ver` + "\u017f" + `ion":2,"values":{}}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"a value twice":         {first + `{"name":"a","version":1,"values":{"k":"FAKE","k":"FAKE2"}}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"values twice":          {first + `{"name":"a","version":1,"values":{"k":"FAKE"},"values":{}}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"a source's path twice": {first + `{"name":"a","version":1,"values":{},"sources":[{"kind":"file","path":"~/a","path":"~/FAKE"}]}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"a header's key twice":  {`{"rhx_backup":1,"store":"a","store":"FAKE"}` + "\n" + end("0"), "it is not as rhx writes one"},
		"no values":             {first + `{"name":"a","version":1}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"null values":           {first + `{"name":"a","version":1,"values":null}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"a number for a value":  {first + `{"name":"a","version":1,"values":{"k":123456}}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"bad base64":            {first + `{"name":"a","version":1,"values":{"k":{"base64":"FAKE!"}}}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"not UTF-8":             {first + `{"name":"a","version":1,"values":{"k":"` + "\xff" + `"}}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"version 0":             {first + `{"name":"a","version":0,"values":{}}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"no name":               {first + `{"version":1,"values":{}}` + "\n" + end("1"), "line 2: a secret's name is empty"},
		"a name upwards":        {first + `{"name":"../a","version":1,"values":{}}` + "\n" + end("1"), "has an empty, '.' or '..' step"},
		"a name that hides":     {first + `{"name":"a\u202e","version":1,"values":{}}` + "\n" + end("1"), "invisible"},
		"missing in a version":  {first + `{"name":"a","version":1,"values":{},"missing":["x"]}` + "\n" + end("1"), "line 2: it is not as rhx writes one"},
		"an end with a version": {first + `{"name":"a","version":1,"values":{},"end":0}` + "\n", "line 2: it is not as rhx writes one"},
		"an end with a name":    {first + `{"name":"a","end":0}` + "\n", "line 2: it is not as rhx writes one"},
		"an end with a number":  {first + `{"version":1,"end":0}` + "\n", "line 2: it is not as rhx writes one"},
		"an end of a provider":  {first + `{"provider":"p","end":0}` + "\n", "line 2: it is not as rhx writes one"},
		"an end that is gone":   {first + `{"deleted":true,"end":0}` + "\n", "line 2: it is not as rhx writes one"},
		"an end with values":    {first + `{"values":{},"end":0}` + "\n", "line 2: it is not as rhx writes one"},
		"one version twice":     {first + aOne + aOne + end("2"), `line 3: version 1 of "a" comes behind version 1`},
		"backwards":             {first + aOne + aThree + strings.Replace(aOne, `"version":1`, `"version":2`, 1) + end("3"), `line 4: version 2 of "a" comes behind version 3`},
		"a secret twice":        {first + aOne + bOne + aThree + end("3"), `line 4: "a" is there twice`},
		"nothing of a secret":   {first + aThree + bOne + end("2"), `line 3: "a" has no version with values`},
		"nothing of the last":   {first + bOne + aThree + end("2"), `"a" has no version with values`},
	} {
		_, err := read(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "FAKE") {
			t.Errorf("%s: %v", what, err)
		}
		if what == "a newer format" && fault.Hint(err) == "" {
			t.Error("what to do about a newer one is not said")
		}
	}
	broken := errors.New("broken")
	if _, err := read(io.MultiReader(strings.NewReader(first), errorReader{broken})); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// repeated is a text that never ends.
type repeated struct{ text, left string }

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == "" {
		r.left = r.text
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// What never ends does.
func TestReadIsBounded(t *testing.T) {
	if _, err := read(zeros{}); err == nil || !strings.Contains(err.Error(), "line 1: it is longer than 64 MiB") {
		t.Error(err)
	}
	aTwo := strings.Replace(aThree, "3", "2", 1)
	if _, err := read(io.MultiReader(strings.NewReader(first+aOne+aTwo+aTwo), &repeated{text: aTwo})); err == nil {
		t.Error("one version again and again is taken")
	}
	if _, err := encode(&line{Name: "a", Missing: []string{strings.Repeat("x", maxLine)}}); err == nil || !strings.Contains(err.Error(), "longer than 64 MiB") {
		t.Error(err)
	}
	if _, err := encode(&line{Updated: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil || err.Error() != "it has a time that cannot be stored" {
		t.Error(err)
	}
	defer func(was int) { maxVersions = was }(maxVersions)
	maxVersions = 1000
	// A value that is short takes a hundred bytes of memory all the same.
	many := first + `{"name":"a","version":1,"values":{"\",":"",` + strings.Repeat(`"":"",`, maxCommas) + `"z":""}}` + "\n" + `{"end":1}` + "\n"
	if _, err := read(strings.NewReader(many)); err == nil || !strings.Contains(err.Error(), "line 2: it has more than 65536 values") {
		t.Error(err)
	}
	if _, err := encode(&line{Missing: make([]string, maxCommas+2)}); !errors.Is(err, errManyValues) {
		t.Error(err)
	}
	for text, want := range map[string]int{`{"a,\",":[1,2],"\\":3}`: 2, "": 0, `"\`: 0, ",,": 2} {
		if got := commas([]byte(text)); got != want {
			t.Errorf("%s has %d commas, not %d", text, got, want)
		}
	}
	w := &writer{w: io.Discard, versions: maxVersions}
	if err := w.add([]byte("x\n")); err == nil || !strings.Contains(err.Error(), "more than 1000 versions") {
		t.Error(err)
	}
	r := &counted{}
	if _, err := read(io.MultiReader(strings.NewReader(first), r)); err == nil || !strings.Contains(err.Error(), "it has more than 1000 versions") {
		t.Error(err)
	}
}

// counted are versions of one secret without an end.
type counted struct {
	n   int
	buf bytes.Buffer
}

func (c *counted) Read(p []byte) (int, error) {
	for c.buf.Len() < len(p) {
		c.n++
		data, err := encode(&line{Name: "a", Version: c.n, Deleted: true})
		if err != nil {
			return 0, err
		}
		c.buf.Write(data)
	}
	return c.buf.Read(p)
}

// Any text is refused or can be read again as it says.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", first, first + aOne + `{"end":1}` + "\n", first + aOne + aThree + bOne + `{"end":3,"missing":["c"]}` + "\n",
		`{"rhx_backup":1}` + "\n" + `{"name":"a","version":1,"values":{"k":{"base64":"/w=="}}}` + "\n" + `{"end":1}` + "\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := read(bytes.NewReader(data))
		if err != nil {
			return
		}
		file := &File{text: bytes.NewReader(data)}
		seen := map[string]bool{}
		for _, s := range c.secrets {
			if err := secret.ValidName(s.name); err != nil || seen[s.name] || len(s.all) == 0 {
				t.Fatalf("%q: %v", s.name, err)
			}
			seen[s.name] = true
			number := 0
			for _, v := range s.all {
				sec, err := file.secret(s.name, v)
				if err != nil {
					t.Fatalf("%q version %d: %v", s.name, v.number, err)
				}
				if v.number <= number || sec.Name != s.name {
					t.Fatalf("%q version %d comes behind %d", s.name, v.number, number)
				}
				number = v.number
			}
			if s.deleted != s.all[len(s.all)-1].deleted && s.deleted {
				t.Fatalf("%q is deleted, and its newest version is not", s.name)
			}
		}
		if !bytes.HasSuffix(data, []byte("}\n")) {
			t.Fatal("what does not end is taken")
		}
	})
}
