package machine

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// remoteCommand is all that the host's list of processes shows, and all that
// its login shell, whichever it is, has to understand. The script comes on
// standard input and runs inside that sh.
const remoteCommand = `exec sh -c 'eval "$(cat)"'`

//go:embed remote/common.sh
var commonScript string

//go:embed remote/read.sh
var readScript string

//go:embed remote/write.sh
var writeScript string

// script builds what is sent to a host. It is one compound command, {…}: a
// shell does nothing of it before it has read the last byte, so a connection
// that is cut runs nothing.
type script struct {
	bytes.Buffer
	mark string // begins every piece of the answer
}

func newScript(parts ...string) *script {
	s := &script{mark: "rhx-" + rand.Text() + " "}
	s.WriteString("{\nM='" + s.mark + "'\n" + commonScript)
	for _, p := range parts {
		s.WriteString(p)
	}
	s.WriteString("say start\n")
	return s
}

// finish returns the whole script.
func (s *script) finish() []byte {
	s.WriteString("say done\n}")
	return s.Bytes()
}

// infoRequest asks for the home folder, the system and variables.
func infoRequest(names []string) *script {
	s := newScript()
	s.WriteString("say home\nraw \"${HOME:-$(cd && pwd)}\"\nsay os\nuname -s\n")
	for _, name := range names {
		if isName(name) {
			fmt.Fprintf(s, "[ -z \"${%s-}\" ] || { say env %s; raw \"$%s\"; }\n", name, name, name)
		}
	}
	return s
}

// isName reports whether a shell can have a variable of that name.
func isName(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// read adds a path, which must be valid, to a read request.
func (s *script) read(i int, p string) {
	dir, name := path.Split(p)
	if !IsPattern(name) {
		fmt.Fprintf(s, "take %d %s\n", i, posixQuote(p))
		return
	}
	fmt.Fprintf(s, "takeall %d %s %s%s\n", i, posixQuote(dir), posixQuote(dir), shellPattern(name))
}

// shellPattern returns a pattern of the shell that matches all that the
// path.Match pattern does. It can match more, because shells differ about
// classes and about characters of several bytes: the answer is filtered.
func shellPattern(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteByte('*')
		case '?':
			b.WriteString("?*")
		case '[':
			for i++; i < len(pattern) && pattern[i] != ']'; i++ {
				if pattern[i] == '\\' {
					i++
				}
			}
			b.WriteString("?*")
		default:
			if c == '\\' && i+1 < len(pattern) {
				i++
			}
			b.WriteString(posixQuote(pattern[i : i+1]))
		}
	}
	return b.String()
}

// contents adds the functions that print a change's new and old content.
func (s *script) contents(i int, c Change) {
	if !c.Remove {
		s.content("n", i, c.Data)
	}
	if c.Old != nil {
		s.content("o", i, c.Old)
	}
}

// fetch adds what runs the text that a command prints, if it is text, and else
// ends the script. What the command says beside is the data of the piece "fetch".
func (s *script) fetch(f Fetch, text []byte) {
	s.WriteString("say fetch\n{ W=$(\n")
	for _, v := range f.Env {
		fmt.Fprintf(s, "%s=%s\nexport %s\n", v.Name, posixQuote(v.Value), v.Name)
	}
	s.WriteString("{ " + f.Command + "\n} 2>&4\n) && F=1 || F=; } 4>&1\n[ -n \"$F\" ] || {\nsay nofetch\nsay done\nexit\n}\n")
	// $(...) took the newlines at the end away.
	fmt.Fprintf(s, fetchedScript, sha256.Sum256(bytes.TrimRight(text, "\n")))
}

// fetchedScript runs the text in W if its SHA-256 is as said. A program that is
// not there leaves the text to the next one.
const fetchedScript = `D=$(raw "$W" | { sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null)
case ${D%%%% *} in
%x) eval "$W" ;;
'')
say altered unknown
say done
exit
;;
*)
say altered
say done
exit
;;
esac
W=
`

// change adds a change, which must be valid, to a write request.
func (s *script) change(i int, c Change) {
	mode := c.Mode.Perm()
	if mode == 0 {
		mode = 0o600
	}
	fmt.Fprintf(s, "change %d %s %d %d %d\n", i, posixQuote(c.Path), mode, flag(c.Old != nil), flag(c.Remove))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// content defines a function that prints data, which for that is escaped as
// printf's %b takes it: octal for all but plain text.
func (s *script) content(function string, i int, data []byte) {
	fmt.Fprintf(s, "%s%d() {\n:\n", function, i)
	const chunk = 16 << 10
	for start := 0; start < len(data); start += chunk {
		s.WriteString("esc '")
		for _, c := range data[start:min(start+chunk, len(data))] {
			switch {
			case c == '\\':
				s.WriteString(`\\`)
			case c == '\n' || c == '\t' || c >= ' ' && c < 0x7f && c != '\'':
				s.WriteByte(c)
			default:
				s.Write([]byte{'\\', '0', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
			}
		}
		s.WriteString("'\n")
	}
	s.WriteString("}\n")
}

// word returns word i, "" where there is none.
func (p piece) word(i int) string {
	if i < len(p.words) {
		return p.words[i]
	}
	return ""
}

// index returns word i as an index into a list of n, -1 where it is none.
func (p piece) index(i, n int) int {
	v, err := strconv.Atoi(p.word(i))
	if err != nil || v < 0 || v >= n {
		return -1
	}
	return v
}

// parseListing reads the mode and the size from a line of ls -ln.
func parseListing(line []byte) (mode fs.FileMode, size int64, ok bool) {
	fields := strings.Fields(string(line))
	if len(fields) < 5 || len(fields[0]) < 10 {
		return 0, 0, false
	}
	for i, c := range []byte(fields[0][1:10]) {
		// s and t are x with the set-id or sticky bit, S and T without x.
		if c == "rwx"[i%3] || i%3 == 2 && (c == 's' || c == 't') {
			mode |= 1 << (8 - i)
		}
	}
	size, err := strconv.ParseInt(fields[4], 10, 64)
	return mode, size, err == nil
}
