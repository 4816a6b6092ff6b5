package mask

import (
	"slices"
	"testing"
)

func TestParts(t *testing.T) {
	for value, want := range map[string][]string{
		"abcd": {"abcd"}, "abc": nil, "": nil, " \t\n": nil, "    ": nil, "  wide  ": {"wide"}, "wide\n": {"wide"},
		// Of a short one the blanks are a part, the end of a line is not.
		"abc ": {"abc "}, "\ta b\t\r\n": {"\ta b\t"}, "abc\n": nil, "ab\r\n": nil, "\n\nabc\n": nil,
		"a\r\nb":                      {"a\r\nb", "a\r\nb"},
		"line one\nshort\n\tline two": {"line one\nshort\n\tline two", "line one\nshort\n\tline two", "line one\r\nshort\r\n\tline two", "line one", "line two"},
		"line one\r7 chars\rline 2, 10": {"line one\r7 chars\rline 2, 10", "line one\r7 chars\rline 2, 10", "line one\r7 chars\rline 2, 10",
			"line one", "line 2, 10"},
		"-----BEGIN X-----\nFAKEfake\n-----END X-----\n": {"-----BEGIN X-----\nFAKEfake\n-----END X-----", "-----BEGIN X-----\nFAKEfake\n-----END X-----", "-----BEGIN X-----\r\nFAKEfake\r\n-----END X-----", "FAKEfake"},
	} {
		if got := parts(value); !slices.Equal(got, want) {
			t.Errorf("of %q: %q, not %q", value, got, want)
		}
	}
}

func TestForms(t *testing.T) {
	if got, want := plain("a\xff b"), []string{"a\xff b", "a\xff b", "a\xff+b"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, want := plain("ü€😀"), []string{"ü€😀", "\xfc\x00\xac\x20\x3d\xd8\x00\xde"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	got := encoded("k>>y???")
	for _, want := range []string{
		"6b3e3e793f3f3f", "6B3E3E793F3F3F", "az4+eT8/Pw==", "az4-eT8_Pw==", "az4+eT8/Pw", "az4-eT8_Pw", "az4+eT8/Pwo=", "az4-eT8_Pwo=",
		"az4+eT8/P", "s+Pnk/Pz", "rPj55Pz8/", "s-Pnk_Pz", "rPj55Pz8_", // xk>>y???x and xxk>>y???x
		"awA+AD4AeQA/AD8APwA=", "awA-AD4AeQA_AD8APwA=", "rAD4APgB5AD8APwA/A", "sAPgA+AHkAPwA/AD8A",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}
