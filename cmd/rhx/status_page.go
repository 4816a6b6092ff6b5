package main

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/project"
)

// statusPage is the matrix as one page, readable in light and dark, that loads
// nothing.
func statusPage(s *project.Status, m *manifest.Manifest) []byte {
	title := "all secrets of the store"
	if m != nil {
		title = m.File
	}
	title = escaped("rhx status: " + title)
	var b strings.Builder
	b.WriteString(statusHead)
	fmt.Fprintf(&b, "<title>%s</title>\n%s\n<h1>%s</h1>\n<p>%s", title, statusStyle, title, time.Now().Format("2006-01-02 15:04 MST"))
	counts := map[string]int{}
	for _, r := range s.Rows {
		for _, p := range s.Places {
			if state := r.States[p]; state != "" {
				counts[state]++
			}
		}
	}
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, " · %d %s", counts[state], state)
	}
	b.WriteString("</p>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">secret</th>")
	for _, p := range s.Places {
		fmt.Fprintf(&b, "<th scope=\"col\">%s</th>", escaped(p.String()))
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, r := range s.Rows {
		fmt.Fprintf(&b, "<tr><th scope=\"row\">%s</th>", escaped(r.Secret))
		for _, p := range s.Places {
			if state := r.States[p]; state != "" {
				fmt.Fprintf(&b, "<td class=\"%s\">%s</td>", state, state)
			} else {
				b.WriteString("<td>–</td>")
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table></div>\n</html>\n")
	return []byte(b.String())
}

// escaped is text in the page as a terminal has it: a browser, too, obeys
// characters that turn the direction of text.
func escaped(s string) string { return html.EscapeString(term.Line(s)) }

const statusHead = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
`

const statusStyle = `<style>
:root { color-scheme: light dark; --bg: #fff; --fg: #1c1e21; --dim: #5a6069; --line: #d9dce1; --same: #14692f; --differs: #8a5300; --missing: #5a6069; --unreachable: #b3261e }
@media (prefers-color-scheme: dark) { :root { --bg: #16181c; --fg: #e7e9ec; --dim: #9aa1ab; --line: #363a41; --same: #6fd08c; --differs: #f0b44c; --missing: #9aa1ab; --unreachable: #ff8a80 } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 90rem; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.3rem; margin: 0 } p { color: var(--dim); margin: .25rem 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse } th, td { padding: .35rem .75rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap }
thead th { position: sticky; top: 0; background: var(--bg) } tbody th { font-weight: 600 }
.same { color: var(--same) } .differs { color: var(--differs); font-weight: 600 } .missing { color: var(--missing) } .unreachable { color: var(--unreachable); font-weight: 600 }
</style>`
