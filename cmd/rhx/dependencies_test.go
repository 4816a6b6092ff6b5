package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/dependencies.md has each module of go.mod once: the direct ones a row of their own
// that says all, the others in the row of what brings them.
func TestEveryDependencyIsAccountedFor(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var direct, indirect []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(string(mod), -1) {
		if m[2] == "" {
			direct = append(direct, m[1])
		} else {
			indirect = append(indirect, m[1])
		}
	}
	if len(direct) < 20 || len(indirect) < 20 {
		t.Fatalf("go.mod has %d and %d modules", len(direct), len(indirect))
	}
	_, page, _ := strings.Cut(readPage(t, "docs/dependencies.md"), "\n## Direct\n")
	rows, rest, _ := strings.Cut(page, "\n## Indirect\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	row := regexp.MustCompile("(?m)^\\| `([^` ]+)` \\| •? ?\\| [^|]{5,} \\| [^|]{3,} \\| [^|]{5,} \\|$")
	var has []string
	for _, m := range row.FindAllStringSubmatch(rows, -1) {
		has = append(has, m[1])
	}
	accounted(t, "direct", has, direct)
	has = nil
	for _, r := range regexp.MustCompile(`(?m)^\|.*`).FindAllString(rest, -1) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(r, -1) {
			has = append(has, m[1])
		}
	}
	accounted(t, "indirect", has, indirect)
}

func accounted(t *testing.T, which string, page, mod []string) {
	t.Helper()
	slices.Sort(page)
	slices.Sort(mod)
	for _, m := range mod {
		if !slices.Contains(page, m) {
			t.Errorf("docs/dependencies.md: there is no whole row for %s, which go.mod requires (%s)", m, which)
		}
	}
	if len(page) != len(mod) {
		t.Errorf("docs/dependencies.md has %d %s modules, go.mod %d: %v", len(page), which, len(mod), page)
	}
}
