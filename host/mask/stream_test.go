package mask

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
)

// Values that lie in each other or in part over each other: each goes, though the
// longer one, of which it would be a part, does not come.
func TestOverlap(t *testing.T) {
	m := masker("xx-hunter2-secret-longer", "hunter2-secret", "secret-of-another", "2-se")
	for text, want := range map[string]string{
		"see xx-hunter2-secret!":            "see xx-********!",
		"see xx-hunter2-secret-longer!":     "see ********!",
		"see hunter2-secret-of-another!":    "see ********!",
		"see hunter2-secrethunter2-secret!": "see ****************!",
		"see xx-hunter2-se!":                "see xx-hunter********!",
		"xx-hunter%32-secret":               "xx-********",
		`xx-hunter\u0032-secret`:            "xx-********",
		"eHgtaHVudGVyMi1zZWNyZXQtbG9uZ2Uh":  "eHgt********tbG9uZ2Uh",
	} {
		for size := range 10 {
			if got := inPieces(m, text, size); got != want {
				t.Errorf("%q in pieces of %d is %q, not %q", text, size, got, want)
			}
		}
	}
}

// No more is held than what may begin a value, in any reading; what was held of a
// reading is no longer needed once it has gone on.
func TestHeld(t *testing.T) {
	const value = "password 'x' 0123456789"
	for text, want := range map[string]string{
		"a line\n": "", "a line\r\n  ": "", "pass": "pass", "pass\n": "", "pass ": "", "x%41y": "", "100%": "%", "100%4": "%4", "%70%61": "%70%61", "%70%24": "", "%70a%": "%70a%",
		`a\n`: "", `a\`: `\`, `\u0070a`: `\u0070a`, `\u0070x`: "", "&amp": "&amp", "&amp;": "", "&#112;ass": "&#112;ass", "a & b": "", "a 'b'": "'", "a ''": "",
		"cGFzc3": "cGFzc3", "cGF\nzc3": "cGF\nzc3", "cGF\nzc3\n ": "cGF\nzc3\n ", "cGF\nzc\nX": "", "cGF\n\n\n\n\n": "", "cGFz\n\n\n\n\nX": "",
	} {
		s := masker(value).stream()
		out := s.write(nil, []byte("= "+text))
		if got := string(s.raw); got != want || s.held() != len(want) || string(out) != strings.TrimSuffix("= "+text, want) {
			t.Errorf("of %q %q is held (%d), not %q; out came %q", text, got, s.held(), want, out)
		}
		if got := string(s.finish(nil)); got != want {
			t.Errorf("of %q %q comes at the end", text, got)
		}
	}
	// A megabyte with escapes and line ends, none of which begins a value.
	s := masker(value).stream()
	for range 1000 {
		s.write(nil, bytes.Repeat([]byte("x%41 \\n &amp; ''\nZm\n"), 50))
		if len(s.raw) > 3 || len(s.found) > 0 {
			t.Fatalf("%q is held", s.raw)
		}
	}
}

// What masks is forgotten, but for where it ends.
func TestFoundIsForgotten(t *testing.T) {
	s := masker("fake-key").stream()
	for range 100 {
		if out := s.write(nil, []byte("fake-key\nfake%2Dkey\n")); string(out) != "********\n********\n" || len(s.found) > 0 {
			t.Fatalf("%q, and %v is kept", out, s.found)
		}
	}
}

// Larger pieces than are read at once.
func TestLargePieces(t *testing.T) {
	m := masker("fake-key/1234")
	for _, size := range []int{block - 5, block, block + 5, 3*block - 2} {
		text := strings.Repeat("x", size) + "fake-key/1234" + strings.Repeat("y", 2*block) + "fake-key%2f1234"
		want := strings.Repeat("x", size) + "********" + strings.Repeat("y", 2*block) + "********"
		if got := whole(m, text); got != want {
			t.Errorf("after %d: %d bytes, not %d", size, len(got), len(want))
		}
	}
}

// Nothing is asked of memory for each piece of a stream without escapes.
func TestNoGarbage(t *testing.T) {
	w := masker("fake-key/1234", `"`+"quoted").Writer(io.Discard, Pipe())
	text := bytes.Repeat([]byte(`a line with "quotes", 100% of \n and &amp;.`+"\r\n"), 100)
	text = append(text, "end"...)
	_, _ = w.Write(text)
	if n := testing.AllocsPerRun(20, func() { _, _ = w.Write(text) }); n > 0 {
		t.Errorf("%v allocations for %d bytes", n, len(text))
	}
}

func TestRelease(t *testing.T) {
	for _, c := range []struct{ text, little, some, most, then, end string }{
		{"> pass%7", "> ", "> pass%7", "> pass%7", "7ord-0123!", "********!"},
		{"> pass%77o", "", "> pass%77o", "> pass%77o", "rd-0123!", "********!"},
		{`> pass\u0077ord-0`, "> ", "> ", "> ********", "123!", "!"},
		{`> pass\u0077ord-0`, "> ", "> ", "> ********", "!", "!"},
		{"> cGFzc3dv\ncmQt", "> ", "> ", "> ********", "MDEyMw==!", "!"},
	} {
		s := masker("password-0123").stream()
		out := s.write(nil, []byte(c.text))
		for g, want := range []string{c.little, c.some, c.most} {
			out = s.release(out, grade(g))
			if want != "" && string(out) != want {
				t.Errorf("%q: %q after grade %d, not %q", c.text, out, g, want)
			}
		}
		if got := string(s.finish(s.write(nil, []byte(c.then)))); got != c.end {
			t.Errorf("%q, then %q: %q, not %q", c.text, c.then, got, c.end)
		}
	}
}

func TestNothingToMask(t *testing.T) {
	m := masker("abc")
	if got := inPieces(m, "text & %41 \n", 1); got != "text & %41 \n" {
		t.Error(got)
	}
}

func TestWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b counter
		w := masker("password-0123").Writer(&b, Delays{time.Second, time.Second, time.Second})
		if n, err := io.WriteString(w, "text pa"); n != 7 || err != nil || b.String() != "text " {
			t.Errorf("%d, %v, %q", n, err, &b)
		}
		// Another write starts the time anew, and one that is late does nothing.
		time.Sleep(900 * time.Millisecond)
		_, _ = io.WriteString(w, "s")
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		if b.String() != "text " {
			t.Errorf("%q before its time", &b)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if b.String() != "text pas" {
			t.Errorf("%q after its time", &b)
		}
		_, _ = io.WriteString(w, "sword")
		before := b.writes()
		w.Show()
		if b.String() != "text pas" || b.writes() != before {
			t.Errorf("%q after Show, in %d writes", &b, b.writes())
		}
		_, _ = io.WriteString(w, "s, pass")
		w.Show()
		if b.String() != "text passwords, pass" {
			t.Errorf("%q after Show", &b)
		}
		_, _ = io.WriteString(w, "word-0")
		if err := w.Close(); err != nil || b.String() != "text passwords, password-0" {
			t.Errorf("%v, %q", err, &b)
		}
		// Nothing comes after Close, and nothing is written for nothing.
		before = b.writes()
		time.Sleep(time.Minute)
		synctest.Wait()
		if b.String() != "text passwords, password-0" || b.writes() != before {
			t.Errorf("%q", &b)
		}
	})
}

// counter may be read while a timer writes to it.
type counter struct {
	mu sync.Mutex
	b  bytes.Buffer
	n  int
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.b.Write(p)
}

func (c *counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

func (c *counter) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// A writer that fails is not written to again, and its first error is the answer.
func TestWriterStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &fails{}
		w := masker("password-0123").Writer(failing, Pipe())
		if n, err := io.WriteString(w, "text pas"); n != 0 || err == nil || err.Error() != "failure 1" {
			t.Errorf("%d, %v", n, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		_, _ = io.WriteString(w, "text")
		w.Show()
		if err := w.Close(); err == nil || err.Error() != "failure 1" || failing.n != 1 {
			t.Errorf("%v after %d writes", err, failing.n)
		}
	})
}

type fails struct{ n int }

func (f *fails) Write([]byte) (int, error) { f.n++; return 0, errors.New(fmt.Sprint("failure ", f.n)) }

func TestMerge(t *testing.T) {
	got := merge([]span{{start: 5, end: 9, as: "a"}, {start: 0, end: 4, as: "b"}, {start: 4, end: 5, as: ""}, {start: 8, end: 12, as: "c"}, {start: 20, end: 30, as: "d"}, {start: 22, end: 24, as: "e"}, {start: 30, end: 31, as: ""}, {start: 40, end: 42, as: "f"}, {start: 40, end: 44, as: "g"}})
	if want := []span{{start: 0, end: 4, as: "b"}, {start: 4, end: 5, as: ""}, {start: 5, end: 12, as: ""}, {start: 20, end: 30, as: "d"}, {start: 30, end: 31, as: ""}, {start: 40, end: 44, as: "g"}}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
	if secret.Redacted != "********" {
		t.Error("the other tests count on eight stars")
	}
}

// While it is quiet nothing is written, however long that takes; Close writes all.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, quiet := range []bool{true, false} {
			var out bytes.Buffer
			w := New([]secret.Value{secret.NewValue("fake-value-of-a-test")}).Writer(&out, Terminal())
			if _, err := w.Write([]byte("x fa")); err != nil {
				t.Fatal(err)
			}
			if quiet {
				w.Quiet()
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if got, want := out.String(), map[bool]string{true: "x ", false: "x fa"}[quiet]; got != want {
				t.Errorf("quiet %v: %q", quiet, got)
			}
			if err := w.Close(); err != nil || out.String() != "x fa" {
				t.Errorf("%q, %v", out.String(), err)
			}
		}
	})
}
