package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var (
	pageLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	anyCode   = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]+`")
)

// slug is the anchor of a heading, as GitHub and mdBook have it.
func slug(text string) string {
	text = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(text, "$1")
	return strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), ""), " ", "-")
}

// Every link in the pages that stays in the repository leads somewhere: to a file or a
// folder that is there, and to a heading of it. Others are not fetched.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	anchors := map[string]map[string]bool{}
	for _, page := range pages(t) {
		of := map[string]bool{}
		for _, h := range heading.FindAllStringSubmatch(regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(readPage(t, page), ""), -1) {
			of[slug(h[1])] = true
		}
		anchors[page] = of
	}
	links, linked := 0, map[string]bool{}
	for _, page := range pages(t) {
		for _, m := range pageLink.FindAllStringSubmatch(anyCode.ReplaceAllString(readPage(t, page), ""), -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			links++
			target := page
			if to != "" {
				target = path.Join(path.Dir(page), to)
			}
			if _, err := os.Stat(filepath.Join("../..", target)); err != nil || strings.HasPrefix(target, "..") {
				t.Errorf("%s: %s is not there", page, m[1])
			} else if anchor != "" && !anchors[target][anchor] {
				t.Errorf("%s: %s has no heading %q", page, target, anchor)
			}
			if page == "docs/README.md" {
				linked[target] = true
			}
		}
	}
	if links < 200 {
		t.Errorf("only %d links found", links)
	}
	// Who looks in docs finds each page.
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/") && page != "docs/README.md" && !linked[page] {
			t.Errorf("docs/README.md does not lead to %s, only to %v", page, slices.Sorted(maps.Keys(linked)))
		}
	}
}

// A page that says which test shows something names one that is there.
func TestNamedTestsAreThere(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
		case strings.HasSuffix(file, ".txtar"):
			there[d.Name()] = true
		case strings.HasSuffix(file, "_test.go"):
			there[d.Name()] = true
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			for _, m := range function.FindAllSubmatch(data, -1) {
				there[string(m[1])] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+\*?|[a-z0-9_]+(?:\.txtar|_test\.go)\b`)
	named := 0
	for _, page := range pages(t) {
		for _, n := range name.FindAllString(readPage(t, page), -1) {
			named++
			if begin, some := strings.CutSuffix(n, "*"); some {
				there[n] = slices.ContainsFunc(slices.Collect(maps.Keys(there)), func(t string) bool { return strings.HasPrefix(t, begin) })
			}
			if !there[n] {
				t.Errorf("%s: there is no %s", page, n)
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d found", named)
	}
}

func TestTheReadmeCountsTheProviders(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../specs/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\n%d kinds of credentials", len(files)); !strings.Contains(readPage(t, "README.md"), want) {
		t.Errorf("README.md does not say %q", want[1:])
	}
}

// What is shown as YAML is YAML, each document of it.
func TestYAMLInThePagesIsRead(t *testing.T) {
	t.Parallel()
	blocks := 0
	for _, page := range pages(t) {
		for _, b := range yamlBlocks([]byte(readPage(t, page))) {
			blocks++
			for d := yaml.NewDecoder(bytes.NewReader(b)); ; {
				var v any
				if err := d.Decode(&v); err == io.EOF {
					break
				} else if err != nil {
					t.Errorf("%s: %v\n%s", page, err, b)
					break
				}
			}
		}
	}
	if blocks < 15 {
		t.Errorf("only %d blocks found", blocks)
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"The record, and `rhx store verify`": "the-record-and-rhx-store-verify",
		"rhx run --broker":                   "rhx-run---broker",
		"What [it](x.md) is: C++":            "what-it-is-c",
	} {
		if got := slug(text); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}
