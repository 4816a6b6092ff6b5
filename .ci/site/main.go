// Command site makes the source of a book for mdBook from the pages of the repository: their
// links lead to each other there, or to the repository, and docs/README.md is the list of
// chapters.
//
//	go run ./.ci/site FOLDER
package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

const repository = "https://github.com/rhx-dev/rhx"

// others are pages beside those of docs, and what they are called in the book.
var others = map[string]string{
	"README.md":           "index.md",
	"docs/README.md":      "index.md", // the list of chapters
	"CHANGELOG.md":        "CHANGELOG.md",
	"CONTRIBUTING.md":     "CONTRIBUTING.md",
	"guest-sdk/README.md": "guest-sdk.md",
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: site FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	pages := map[string]string{}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "docs/bench/*.svg"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, f := range files {
			f = filepath.ToSlash(f)
			pages[f] = strings.TrimPrefix(f, "docs/")
		}
	}
	if len(pages) < 20 {
		return fmt.Errorf("only %d pages here: run it at the top of the repository", len(pages))
	}
	for f, as := range others {
		pages[f] = as
	}
	for f, as := range pages {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if f == "docs/README.md" {
			as, text = "SUMMARY.md", []byte(summary(string(text)))
		}
		to := filepath.Join(dir, as)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, []byte(links(f, as, string(text), pages)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var (
	chapter = regexp.MustCompile(`(?m)^- (\[[^\]]+\]\([^)]+\)).*$`)
	link    = regexp.MustCompile(`\]\(([^)\s#]*)(#[^)\s]*)?\)`)
	code    = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]+`")
)

// summary is the list of chapters, as mdBook wants it.
func summary(page string) string {
	out := "# Summary\n\n[rhx](../README.md)\n"
	for line := range strings.Lines(page) {
		switch {
		case strings.HasPrefix(line, "## "):
			out += "\n" + line[1:] + "\n"
		case strings.HasPrefix(line, "- ["):
			out += chapter.ReplaceAllString(strings.TrimSpace(line), "- $1") + "\n"
		}
	}
	return out + "- [Kits for providers](../guest-sdk/README.md)\n- [Changelog](../CHANGELOG.md)\n- [Contributing](../CONTRIBUTING.md)\n"
}

// links has those of a page lead on in the book; what is in code is no link.
func links(file, as, text string, pages map[string]string) string {
	var out strings.Builder
	last := 0
	for _, at := range append(code.FindAllStringIndex(text, -1), []int{len(text), len(text)}) {
		out.WriteString(link.ReplaceAllStringFunc(text[last:at[0]], func(m string) string {
			parts := link.FindStringSubmatch(m)
			if parts[1] == "" || strings.Contains(parts[1], ":") {
				return m
			}
			target := path.Join(path.Dir(file), parts[1])
			if page, ok := pages[target]; ok {
				rel, err := filepath.Rel(path.Dir(as), page)
				if err != nil {
					panic(err) // both are relative
				}
				return "](" + filepath.ToSlash(rel) + parts[2] + ")"
			}
			return "](" + repository + "/blob/main/" + target + parts[2] + ")"
		}))
		out.WriteString(text[at[0]:at[1]])
		last = at[1]
	}
	return out.String()
}
