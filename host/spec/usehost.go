package spec

import (
	"slices"
	"strconv"
	"strings"
)

// DefaultPort is that of a host without one.
const DefaultPort = 443

// Covers reports whether a host, by its name in lower case and its port, is one of
// those that the secret is for.
func (u *Use) Covers(host string, port int) bool {
	for _, pattern := range u.Hosts {
		if HostMatches(pattern, host, port) {
			return true
		}
	}
	return false
}

// HostMatches reports whether a host is what a pattern of [Use] means: the name itself,
// with "*." a name right below it, or with "**." one below it, however far; never the end
// of a longer label.
func HostMatches(pattern, host string, port int) bool {
	name, want := pattern, DefaultPort
	if n, p, ok := strings.Cut(pattern, ":"); ok {
		var err error
		if want, err = strconv.Atoi(p); err != nil {
			return false
		}
		name = n
	}
	if port != want || host == "" || strings.HasPrefix(host, ".") {
		return false
	}
	if below, ok := strings.CutPrefix(name, "**"); ok {
		return strings.HasSuffix(host, below) && len(host) > len(below)
	}
	if below, ok := strings.CutPrefix(name, "*"); ok {
		label, ok := strings.CutSuffix(host, below)
		return ok && label != "" && !strings.Contains(label, ".")
	}
	return host == name
}

// ValidHost reports whether a text is a pattern of [Use]: a name in lower case, "*." or
// "**." and a name of two labels or more, with ":PORT" where it is not 443.
func ValidHost(text string) bool { return validHost(text) }

// Optional reports a value of Keys that counts where the secret has it, and is not needed.
func (u *Use) Optional(key string) bool {
	if u.Sign == nil {
		return false
	}
	may := signParts()[u.Sign.Method][1]
	return slices.ContainsFunc(u.Sign.Values, func(f UseField) bool { return f.Text == key && slices.Contains(may, f.Name) })
}
