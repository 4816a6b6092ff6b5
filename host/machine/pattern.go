package machine

import (
	"path"
	"strings"
)

// IsPattern reports whether name, the last element of a path, has a wildcard
// of path.Match.
func IsPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// Quote returns the path that Read takes as the one file p even where the last
// element of p has a wildcard character.
func Quote(p string) string {
	i := strings.LastIndexByte(p, '/') + 1
	if !IsPattern(p[i:]) {
		return p
	}
	// A class of one character means the same to path.Match and to shells.
	return p[:i] + strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`, `\`, `\\`).Replace(p[i:])
}

// matchName is path.Match for a name in a folder, as Machine.Read defines it.
// The pattern must be valid.
func matchName(pattern, name string) bool {
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(strings.TrimPrefix(pattern, `\`), ".") {
		return false
	}
	ok, _ := path.Match(pattern, name)
	return ok
}

// validPattern returns path.ErrBadPattern for a pattern that path.Match refuses.
func validPattern(pattern string) error {
	_, err := path.Match(pattern, "")
	return err
}
