package codec

import "testing"

func TestInlineComments(t *testing.T) {
	blank := Options{InlineComments: true}.withDefaults()
	anywhere := Options{CommentsAnywhere: true}.withDefaults()
	quotes := Options{CommentsAnywhere: true, Quotes: true}.withDefaults()
	hash := Options{CommentsAnywhere: true, Comments: "#"}.withDefaults()
	for _, c := range []struct {
		opts       Options
		text, want string
	}{
		{Options{}.withDefaults(), "a # b", "a # b"},
		{blank, "a # b", "a"}, {blank, "a#b", "a#b"}, {blank, "a\t; b", "a"}, {blank, "a \u00a3 # b", "a \u00a3"}, {blank, "a #", "a"}, {blank, "a ", "a"},
		{blank, "a \u0123 b", "a \u0123 b"}, // a letter whose low byte is that of #
		{anywhere, "a#b", "a"}, {anywhere, "a;b", "a"}, {anywhere, `a"#"b`, `a"`}, {anywhere, `a\#b`, `a\`}, {anywhere, "#a", ""},
		{quotes, `a"#;"b#c`, `a"#;"b`}, {quotes, `a\#b#c`, `a\#b`}, {quotes, `a\\#b`, `a\\`}, {quotes, `"\"#"#c`, `"\"#"`}, {quotes, `"a`, `"a`},
		{hash, "a;b#c", "a;b"},
	} {
		if got := c.opts.ends(c.text); got != c.want {
			t.Errorf("%q without its comment is %q, not %q", c.text, got, c.want)
		}
	}
}

func TestQuotesOfIni(t *testing.T) {
	opts := Options{Quotes: true, References: true, CommentsAnywhere: true}.withDefaults()
	for _, c := range []struct {
		text, value string
		opaque      bool
	}{
		{"a", "a", false}, {"", "", false}, {`"a b"`, "a b", false}, {`""`, "", false}, {`"\"\\"`, `"\`, false}, {"it's", "it's", false}, {`"it's"`, "it's", false},
		{`"`, `"`, true}, {`"a`, `"a`, true}, {`a"`, `a"`, true}, {`"a"b"`, `"a"b"`, true}, {`"a\n"`, `"a\n"`, true}, {`"a\"`, `"a\"`, true}, {`"\\\"`, `"\\\"`, true},
		{`'a'`, `'a'`, true}, {`'a`, `'a`, true}, {`a\b`, `a\b`, true}, {`"a" b`, `"a" b`, true},
		{"${A}", "${A}", true}, {"x${A}y", "x${A}y", true}, {"${}", "${}", false}, {"${A", "${A", false}, {"$A", "$A", false}, {"}${", "}${", false}, {`"${A}"`, `"${A}"`, true},
	} {
		if value, opaque := opts.unquoted(c.text); value != c.value || opaque != c.opaque {
			t.Errorf("%s stands for %q, %v; want %q, %v", c.text, value, opaque, c.value, c.opaque)
		}
	}
	plain := Options{}
	if value, opaque := plain.unquoted(`"${A}\`); value != `"${A}\` || opaque {
		t.Errorf("without quotes and references: %q, %v", value, opaque)
	}
	for text, want := range map[string]string{
		"": "", "a": "a", "it's": "it's", "a b": "a b", "a:b=c": "a:b=c",
		`"`: `"\""`, `"a"`: `"\"a\""`, `a\b`: `"a\\b"`, "'a'": `"'a'"`, " a": `" a"`, "a ": `"a "`, "a#b": `"a#b"`, "a;b": `"a;b"`, "#a": `"#a"`, ";": `";"`,
	} {
		if got := opts.quoted(text); got != want {
			t.Errorf("%q is written %s, not %s", text, got, want)
		}
		if value, opaque := opts.unquoted(opts.quoted(text)); value != text || opaque {
			t.Errorf("%q comes back as %q, %v", text, value, opaque)
		}
		if got := plain.quoted(text); got != text {
			t.Errorf("%q is written %s where there are no quotes", text, got)
		}
	}
	inline := Options{Quotes: true, InlineComments: true}.withDefaults()
	for text, want := range map[string]string{"a#b": "a#b", "a #b": `"a #b"`, "#a": `"#a"`} {
		if got := inline.quoted(text); got != want {
			t.Errorf("%q is written %s, not %s", text, got, want)
		}
	}
}

func TestContinuedLines(t *testing.T) {
	o := Options{Continued: Backslashed}
	for text, want := range map[string]bool{`a\`: true, `a\\`: false, `a\\\`: true, `\`: true, "": false, `a\b`: false} {
		if o.continues(text) != want {
			t.Errorf("%s continues on the next line is not %v", text, want)
		}
	}
	o.Continued = OneLine
	if o.continues(`a\`) {
		t.Error("a line is continued where none is")
	}
}

func TestDefaultsOfOptions(t *testing.T) {
	if got := (Options{CommentsAnywhere: true}).withDefaults(); got.Delimiters != "=:" || got.Comments != "#;" || !got.InlineComments {
		t.Errorf("%+v", got)
	}
	if got := (Options{Delimiters: "=", Comments: ";"}).withDefaults(); got.Delimiters != "=" || got.Comments != ";" || got.InlineComments {
		t.Errorf("%+v", got)
	}
}
