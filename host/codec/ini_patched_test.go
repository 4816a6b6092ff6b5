package codec

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// FuzzIniPatched compares what is read anew after an edit with all of the file
// read anew.
func FuzzIniPatched(f *testing.F) {
	for _, s := range []string{"[a]\nx = 1\n\n[b]\ny = 2\n", "x = 1\n[a]\n", " [a]\r\n x=1\r\n  more\r\n [b]", "[a]\rx=1\r\r[a]\ry=2", "\ufeff[a]\n# c\nx\n", "[a]\nx = 1\n  [b]\n[c]\n"} {
		for _, key := range []string{"x", "y", "new"} {
			f.Add(s, "a", key, "v")
			f.Add(s, "b", key, "v\nw")
			f.Add(s, "new", key, "")
		}
	}
	f.Fuzz(func(t *testing.T, text, section, key, value string) {
		for _, format := range []ini{{}, {Options{InlineComments: true}}} {
			d, err := format.parse([]byte(text))
			if err != nil {
				return
			}
			for _, e := range []Edit{{Path: Keys(section, key), Value: Text(value)}, {Path: Keys(section, key)}, {Path: Keys(section)}} {
				e = format.normal(d.tree(), e)
				single, err := flatten(d.tree(), e, 2)
				if err != nil {
					continue
				}
				for _, s := range single {
					after := patchedAsWhole(t, format, d, s)
					for _, section := range []string{"later", section} { // and on top of that, where it appends
						if after != nil {
							after = patchedAsWhole(t, format, after, format.normal(after.tree(), Edit{Path: Keys(section, key), Value: Text("later")}))
						}
					}
					if d, _ = format.parse([]byte(text)); d == nil {
						t.Fatal("the text does not parse any more")
					}
				}
			}
		}
	})
}

// patchedAsWhole makes an edit in d, which is used up, and checks that what is read
// anew then is what all of the text reads as. It returns that, nil if the edit cannot
// be made.
func patchedAsWhole(t *testing.T, format ini, d *iniDoc, e Edit) *iniDoc {
	t.Helper()
	patches, err := d.edit(e, d.tree())
	if err != nil || len(patches) == 0 {
		return nil
	}
	text := string(d.data)
	want, wantErr := format.parse(apply(d.data, clonePatches(patches)))
	got, err := format.patched(d, patches)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || err == nil && !sameDoc(got, want) {
		t.Fatalf("%q after %v: %v, read in parts differs from read whole: %v", text, e.Path, err, wantErr)
	}
	return got
}

// clonePatches copies patches, which apply sorts.
func clonePatches(p []patch) []patch { return append([]patch(nil), p...) }

func sameDoc(a, b *iniDoc) bool {
	return bytes.Equal(a.data, b.data) && a.newline == b.newline && reflect.DeepEqual(a.lines, b.lines) && reflect.DeepEqual(a.sections, b.sections) &&
		len(a.options) == len(b.options) && reflect.DeepEqual(a.tree(), b.tree())
}

// A thousand profiles go into one file as one edit does: in one pass, not in one
// for each.
func TestManyEditsOfOneFile(t *testing.T) {
	const n = 1000
	var edits []Edit
	var want strings.Builder
	for i := range n {
		name := fmt.Sprintf("p%d", i)
		edits = append(edits, Edit{Path: Keys(name, "a"), Value: Text("1")}, Edit{Path: Keys(name, "b"), Value: Text("2")})
		fmt.Fprintf(&want, "[%s]\na = 1\nb = 2\n", name)
		if i < n-1 {
			want.WriteString("\n")
		}
	}
	start := time.Now()
	got, err := Apply(ini{}, nil, edits)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Errorf("got %d bytes, not %d: %.200s", len(got), want.Len(), got)
	}
	t.Logf("%d edits in %v", len(edits), time.Since(start).Round(time.Millisecond))
}
