package broker

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// passed is what a server gets of a client's text, and the names that were looked at.
func passed(r io.Reader, look func([]byte) bool) (out string, names []string, err error) {
	in, w := bufio.NewReaderSize(r, maxInline), &bytes.Buffer{}
	to := bufio.NewWriter(w)
	for {
		var c *respCommand
		if c, err = readCommand(in, maxInline, look); err != nil {
			break
		}
		if len(c.args)+int(c.follow) == 0 {
			continue
		}
		if len(c.args) > 0 {
			names = append(names, string(bytes.ToUpper(c.args[0])))
		}
		if err = errors.Join(writeCommand(to, c.args, c.follow), passRest(to, in, c)); err != nil {
			break
		}
	}
	_ = to.Flush()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return w.String(), names, err
}

func TestCommandsPass(t *testing.T) {
	for in, want := range map[string]string{
		"*1\r\n$4\r\nPING\r\n":      "*1\r\n$4\r\nPING\r\n",
		"PING\r\n":                  "*1\r\n$4\r\nPING\r\n",
		"  set  k\tv \n":            "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n",
		"\r\n*0\r\n*-1\r\nPING\r\n": "*1\r\n$4\r\nPING\r\n",
		"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n\r\n\r\n\r\n":             "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n\r\n\r\n\r\n",
		"*2\r\n$40\r\n" + strings.Repeat("n", 40) + "\r\n$1\r\nx\r\n": "*2\r\n$40\r\n" + strings.Repeat("n", 40) + "\r\n$1\r\nx\r\n",
		"*2\r\n$4\r\nAuTh\r\n$1\r\nx\r\n":                             "*2\r\n$4\r\nAuTh\r\n$1\r\nx\r\n",
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(in), "by bytes": iotest.OneByteReader(strings.NewReader(in))} {
			if out, _, err := passed(r, redisLooked); err != nil || out != want {
				t.Errorf("%q, %s: %q, %v", in, name, out, err)
			}
		}
	}
	for _, in := range []string{"*1\r\n$4\nPING\r\n", "*x\r\n", "*1048577\r\n", "*1\r\n+PING\r\n", "*1\r\n$9999999999999\r\n", "*1\r\n$4\r\nPINGPING", "*2\r\n$3\r\nGET\r\n$1\r\nkk\r\n", "auth 'x'\r\n", "*2\r\n$4\r\nAUTH\r\n$70000\r\n" + strings.Repeat("x", 70000) + "\r\n"} {
		if out, _, err := passed(strings.NewReader(in), redisLooked); !errors.Is(err, errCommand) {
			t.Errorf("%.30q: %.30q, %v", in, out, err)
		}
	}
}

// answered is what a client gets of a server's text.
func answered(r io.Reader) string {
	out := &bytes.Buffer{}
	a := &respAnswers{r: bufio.NewReaderSize(r, 64), w: bufio.NewWriterSize(out, 64), length: 5, instead: func(text []byte) []byte {
		if string(text) == "nonce" {
			return []byte("-ERR no\r\n")
		}
		return nil
	}}
	_ = a.pass()
	return out.String()
}

func TestAnswersPass(t *testing.T) {
	long := strings.Repeat("long ", 100)
	for in, want := range map[string]string{
		"+OK\r\n:1\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n(12\r\n":    "+OK\r\n:1\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n(12\r\n",
		"*2\r\n$5\r\nnonce\r\n$5\r\nother\r\n":                     "*2\r\n-ERR no\r\n$5\r\nother\r\n",
		"$9\r\n$5\r\nnonce\r\n":                                    "$9\r\n$5\r\nnonce\r\n",
		"+" + long + "\r\n$5\r\nnonce\r\n":                         "+" + long + "\r\n-ERR no\r\n",
		"+$5\r\n+nonce\r\n":                                        "+$5\r\n+nonce\r\n",
		"$500\r\n" + long + "\r\n$5\r\nnonce\r\n":                  "$500\r\n" + long + "\r\n-ERR no\r\n",
		"$?\r\n;5\r\nnonce\r\n;0\r\n=6\r\ntxt:$5\r\n!3\r\nERR\r\n": "$?\r\n;5\r\nnonce\r\n;0\r\n=6\r\ntxt:$5\r\n!3\r\nERR\r\n",
		"%1\r\n+a\r\n~1\r\n>1\r\n|1\r\n.\r\n":                      "%1\r\n+a\r\n~1\r\n>1\r\n|1\r\n.\r\n",
		"+OK\r\nHTTP/1.1 200\r\n":                                  "+OK\r\n",
		"+OK\n+OK\r\n":                                             "",
		"$" + long + "\r\n":                                        "",
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(in), "by bytes": iotest.OneByteReader(strings.NewReader(in))} {
			if out := answered(r); out != want {
				t.Errorf("%q, %s: %q", in, name, out)
			}
		}
	}
}

// What passes is what came, and never a login: whoever reads the commands as the broker
// writes them reads the same ones.
func FuzzCommands(f *testing.F) {
	for _, seed := range []string{"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n", "PING\r\nset k v\r\n", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\n*1\r\n$4\r\nAUTH\r\n\r\n", "*1\r\n$33\r\n", "\n*0\r\n*-1\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, names, err := passed(strings.NewReader(in), redisLooked)
		again, names2, _ := passed(strings.NewReader(out), redisLooked)
		if again != out && err == nil || !slices.Equal(names, names2[:min(len(names), len(names2))]) || len(out) > 16*len(in)+16 {
			t.Errorf("%q, %q, then %q, %q", out, names, again, names2)
		}
	})
}

// Answers pass as they came up to what is none, and the broker's is put in.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"+OK\r\n$5\r\nnonce\r\n", "*1\r\n$3\r\nabc\r\n", "$?\r\n;3\r\nabc\r\n;0\r\n", "$1000\r\nx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := answered(strings.NewReader(in))
		if out != answered(iotest.OneByteReader(strings.NewReader(in))) {
			t.Errorf("%q", out)
		}
		if !strings.Contains(in, "nonce") && !strings.HasPrefix(in, out) {
			t.Errorf("%q", out)
		}
	})
}
