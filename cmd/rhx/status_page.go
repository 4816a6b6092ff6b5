package main

import (
	"bytes"
	"html/template"
	"time"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/manifest"
)

// statusPage is the matrix as one page, readable in light and dark, that loads
// nothing.
func statusPage(rows []host.SecretStatus, places []string, m *manifest.Manifest) ([]byte, error) {
	page, err := template.New("status").Parse(statusHTML)
	if err != nil {
		return nil, err
	}
	type cell struct{ State, Place string }
	type row struct {
		Secret string
		Cells  []cell
	}
	data := struct {
		Title, Time string
		Places      []string
		Rows        []row
		Counts      map[string]int
	}{Title: "all secrets of the store", Time: time.Now().Format("2006-01-02 15:04 MST"), Places: places, Counts: map[string]int{}}
	if m != nil {
		data.Title = m.File
	}
	for _, r := range rows {
		out := row{Secret: r.Secret}
		for _, p := range places {
			out.Cells = append(out.Cells, cell{r.Places[p], p})
			if r.Places[p] != "" {
				data.Counts[r.Places[p]]++
			}
		}
		data.Rows = append(data.Rows, out)
	}
	var b bytes.Buffer
	err = page.Execute(&b, data)
	return b.Bytes(), err
}

const statusHTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>rhx status: {{.Title}}</title>
<style>
:root { color-scheme: light dark; --bg: #fff; --fg: #1c1e21; --dim: #5a6069; --line: #d9dce1; --same: #14692f; --differs: #8a5300; --missing: #5a6069; --unreachable: #b3261e }
@media (prefers-color-scheme: dark) { :root { --bg: #16181c; --fg: #e7e9ec; --dim: #9aa1ab; --line: #363a41; --same: #6fd08c; --differs: #f0b44c; --missing: #9aa1ab; --unreachable: #ff8a80 } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 90rem; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.3rem; margin: 0 } p { color: var(--dim); margin: .25rem 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse } th, td { padding: .35rem .75rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap }
thead th { position: sticky; top: 0; background: var(--bg) } tbody th { font-weight: 600 }
.same { color: var(--same) } .differs { color: var(--differs); font-weight: 600 } .missing { color: var(--missing) } .unreachable { color: var(--unreachable); font-weight: 600 }
</style>
<h1>rhx status: {{.Title}}</h1>
<p>{{.Time}}{{range $state, $n := .Counts}} · {{$n}} {{$state}}{{end}}</p>
<div class="wide"><table>
<thead><tr><th scope="col">secret</th>{{range .Places}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Rows}}<tr><th scope="row">{{.Secret}}</th>{{range .Cells}}<td{{if .State}} class="{{.State}}"{{end}}>{{if .State}}{{.State}}{{else}}–{{end}}</td>{{end}}</tr>
{{end}}</tbody>
</table></div>
</html>
`
