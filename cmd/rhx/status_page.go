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
	b.WriteString("</p>\n" + reasons(s) + "<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">secret</th>")
	for _, p := range s.Places {
		fmt.Fprintf(&b, "<th scope=\"col\">%s</th>", escaped(p.String()))
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, r := range s.Rows {
		fmt.Fprintf(&b, "<tr><th scope=\"row\"><span>%s</span></th>", escaped(r.Secret))
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

// reasons are why places are unreachable, and what is wrong with bundles.
func reasons(s *project.Status) string {
	var all failures
	for _, at := range s.Places {
		if err := s.Unreachable[at]; err != nil {
			all.add(at, "", err)
		}
	}
	var b strings.Builder
	for _, f := range all.list {
		subject, text := f.told()
		text = strings.TrimPrefix(text, subject+": ")
		if f.hint != "" {
			text += " (" + f.hint + ")"
		}
		fmt.Fprintf(&b, "<li><b class=\"unreachable\">%s</b>: %s</li>\n", escaped(subject), escaped(text))
	}
	for _, err := range s.Broken {
		fmt.Fprintf(&b, "<li>%s</li>\n", escaped(err.Error()))
	}
	if b.Len() == 0 {
		return ""
	}
	return "<ul>\n" + b.String() + "</ul>\n"
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
* { box-sizing: border-box }
body { display: flex; flex-direction: column; height: 100vh; height: 100dvh; margin: 0; padding: 1rem; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere } p { color: var(--dim); margin: .25rem 0 1rem }
ul { max-height: 25vh; overflow: auto; margin: 0 0 1rem; padding-left: 1.2rem; flex: none; overflow-wrap: anywhere }
.wide { overflow: auto; flex: 0 1 auto; min-height: 12rem }
table { border-collapse: separate; border-spacing: 0 } th, td { padding: .35rem .75rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap }
thead th { position: sticky; top: 0; background: var(--bg) } tbody th { font-weight: 600 }
th:first-child { position: sticky; left: 0; background: var(--bg); border-right: 1px solid var(--line) } th span { display: block; width: max-content; max-width: 40vw; white-space: normal; overflow-wrap: anywhere } thead th:first-child { z-index: 1 }
@media print { body, .wide, ul { display: block; height: auto; max-height: none; overflow: visible } }
.same { color: var(--same) } .differs { color: var(--differs); font-weight: 600 } .missing { color: var(--missing) } .unreachable { color: var(--unreachable); font-weight: 600 }
</style>`
