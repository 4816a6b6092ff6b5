package confine

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

// Sockets are the paths of the Unix sockets that programs of this machine have made.
func Sockets() ([]string, error) {
	data, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, fmt.Errorf("which sockets there are: %w", err)
	}
	return socketsIn(data), nil
}

func socketsIn(data []byte) []string {
	var out []string
	for line := range bytes.Lines(data) {
		// Num: RefCount Protocol Flags Type St Inode Path; a path may have spaces, and an
		// abstract name begins with "@".
		if i := bytes.Index(line, []byte(" /")); i >= 0 {
			out = append(out, path.Clean(strings.TrimSuffix(string(line[i+1:]), "\n")))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mountPoint is a line of mountinfo.
type mountPoint struct{ device, root, at string }

func mounts() ([]mountPoint, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("what is mounted where: %w", err)
	}
	return mountsIn(data), nil
}

func mountsIn(data []byte) []mountPoint {
	var out []mountPoint
	for in := bufio.NewScanner(bytes.NewReader(data)); in.Scan(); {
		f := strings.Fields(in.Text())
		if len(f) >= 5 {
			out = append(out, mountPoint{f[2], unescape(f[3]), unescape(f[4])})
		}
	}
	return out
}

// unescape reads the \040 of mountinfo.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			n, ok := 0, true
			for _, c := range []byte(text[i+1 : i+4]) {
				ok = ok && c >= '0' && c <= '7'
				n = n<<3 | int(c-'0')
			}
			if ok {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// aliases are the other paths at which a file or folder can be reached, because the file
// system that it is on, or a part of it, is mounted elsewhere, too.
func aliases(name string, all []mountPoint) []string {
	// The one that counts is the last one that was mounted at the longest path.
	var on *mountPoint
	for i, m := range all {
		if below(name, m.at) && (on == nil || len(m.at) >= len(on.at)) {
			on = &all[i]
		}
	}
	if on == nil {
		return nil
	}
	real := path.Join(on.root, strings.TrimPrefix(name, on.at))
	var out []string
	for _, m := range all {
		if m.device != on.device {
			continue
		}
		switch {
		case below(real, m.root):
			out = append(out, path.Join(m.at, strings.TrimPrefix(real, m.root)))
		case below(m.root, real):
			out = append(out, m.at)
		}
	}
	return slices.DeleteFunc(out, func(p string) bool { return p == name })
}

// below reports whether a path is another one, or lies in it.
func below(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}
