package exactjson

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

func TestMarshal(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "a\\ufffd": true, "\\\\ufffd": true, "\ufffd": true, "ü <&> \" \\ \n \u2028": true, "\\": true,
		"\xff": false, "a\\\xe9": false, "\"\xed\xa0\x80": false, "ü\xc3": false,
	} {
		for _, marshal := range []func(any) ([]byte, error){Marshal, MarshalIndent} {
			data, err := marshal(map[string][]string{"k": {text}})
			if (err == nil) != ok || err != nil && (!errors.Is(err, ErrNotUTF8) || data != nil) {
				t.Errorf("%q: %s, %v", text, data, err)
			}
		}
		if _, err := Marshal(map[string]int{text: 1}); (err == nil) != ok {
			t.Errorf("the key %q: %v", text, err)
		}
	}
	if _, err := Marshal(func() {}); err == nil {
		t.Error("a function was marshalled")
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"": "", "ü\"\\": "ü\"\\", "bad\xff\xfe": `"bad\xff\xfe"`, "a\n\xe9": `"a\n\xe9"`} {
		if got := Text(in); got != want {
			t.Errorf("%q: %s, not %s", in, got, want)
		}
	}
}

// What is written is what is read.
func FuzzMarshal(f *testing.F) {
	f.Add("a\\ufffd\xff")
	f.Add("\ufffd")
	f.Fuzz(func(t *testing.T, text string) {
		data, err := Marshal(text)
		if (err == nil) != utf8.ValidString(text) {
			t.Fatalf("%q: %v", text, err)
		}
		var back string
		if err == nil && (json.Unmarshal(data, &back) != nil || back != text) {
			t.Errorf("%q, not %q", back, text)
		}
	})
}
