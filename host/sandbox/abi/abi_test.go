package abi

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// The request is what the ABI says, and its buffer has no room to grow out of.
func TestRequestDocument(t *testing.T) {
	r := &Request{Op: Render, Provider: "p\"\\\n\u2028", Profile: "", Options: map[string]string{"b": "2", "a": "1"},
		Files: []File{{Path: "~/x", Content: []byte("\x00\xff"), Exists: true}, {Path: "~/y"}},
		Env:   map[string]string{"V": "ü"}, Secret: &Secret{Profile: "q", Values: map[string]string{"k": "v"}}}
	want := `{"abi":1,"op":"render","provider":"p\"\\\u000a` + "\u2028" + `","profile":"","options":{"a":"1","b":"2"},` +
		`"files":[{"path":"~/x","content":"AP8=","exists":true},{"path":"~/y","content":"","exists":false}],` +
		`"env":{"V":"ü"},"secret":{"profile":"q","values":{"k":"v"}}}`
	if got := string(r.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	full := &Request{Op: Extract, Provider: strings.Repeat("\x01", 5000), Files: []File{{Content: make([]byte, 5000)}}}
	texts := 0
	full.texts(func(s string) { texts += 6*len(s) + 8 })
	if b := full.Encode(); len(b) > texts+256+5000/3*4+70 {
		t.Error("the buffer grew, and left a copy behind")
	}
}

func TestMask(t *testing.T) {
	values := &Request{Env: map[string]string{"A": "fake-variable", "S": "ab"},
		Secret: &Secret{Values: map[string]string{"p": "two words ab", "q": "words"}}}
	file := func(content string) *Request { return &Request{Files: []File{{Content: []byte(content)}}} }
	ini := file("[section]\npassword = \"fake-in-file\"\nother: fake spaced value # note\n")
	for _, c := range []struct {
		req      *Request
		in, want string
	}{
		{values, "x fake-variable y", "x ******** y"},
		{values, "ab, cab, ab", "********, cab, ********"},
		{values, "two words ab and words", "******** and ********"},
		{ini, "no password in section", "no password in section"},
		{ini, "read fake-in-file", "read ********"},
		{ini, "read spaced", "read ********"},
		{ini, "at password = \"fake-in-file\" there", "at ******** there"},
		{file("machine h.example login user-name password fake-netrc\n"), "read fake-netrc", "read ********"},
		{file(`{"token":"json-fake"}`), "read json-fake", "read ********"},
		{file("# Encrypted rclone configuration file\nRCLONE_ENCRYPT_V0:\nfakebase64\n"), "the file is encrypted; rclone configuration undoes fakebase64", "the file is encrypted; rclone configuration undoes ********"},
		{file("; old fake-key1 fakelongerthantwentyletters\n"), "old fake-key1 fakelongerthantwentyletters", "old ******** ********"},
		{file("#x=two plain\n"), "two plain", "********"},
		{file("fake-whole-file\n"), "is fake-whole-file.", "is ********."},
	} {
		if got := Mask(c.in, c.req); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// Calls that share a budget have the time of one.
func TestBudget(t *testing.T) {
	lim := Limits{Call: 2 * time.Second}
	if got, done, err := lim.Share(context.Background()); err != nil || got != lim {
		t.Errorf("none: %v %v", got, err)
	} else {
		done(time.Hour)
	}
	ctx := WithBudget(context.Background())
	for _, left := range []time.Duration{2 * time.Second, 1500 * time.Millisecond, time.Second, 500 * time.Millisecond} {
		got, done, err := lim.Share(ctx)
		if err != nil || got.Call != left {
			t.Fatalf("left %v: %v %v", left, got.Call, err)
		}
		done(500 * time.Millisecond)
	}
	_, _, err := lim.Share(ctx)
	if !errors.Is(err, ErrLimit) || err.Error() != "took longer than 2s for the files before this one" {
		t.Error(err)
	}
	if _, _, err := lim.Share(WithBudget(ctx)); err != nil {
		t.Error("another budget:", err)
	}
}
