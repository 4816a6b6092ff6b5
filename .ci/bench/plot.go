package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// series are the points of one line of a plot, by what grows.
type series struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

const (
	plotWidth, plotHeight      = 780, 360
	left, right, upper, bottom = 64, 250, 40, 52
)

// colors are of the same weight on a light and on a dark ground.
var colors = []string{"#3b82c4", "#d97706", "#2f9e5f", "#c2527f", "#8367c7", "#7a8794"}

// plot draws lines on two logarithmic axes. There a time that grows in proportion to x is a
// straight line of slope 1.
func plot(title, x, y string, lines []series) string {
	low, high := point{math.Inf(1), math.Inf(1)}, point{}
	for _, l := range lines {
		for _, p := range l.points {
			low, high = point{min(low.x, p.x), min(low.y, p.y)}, point{max(high.x, p.x), max(high.y, p.y)}
		}
	}
	down := func(f float64) float64 { return math.Floor(math.Log10(f) + 1e-9) }
	up := func(f float64) float64 { return math.Ceil(math.Log10(f) - 1e-9) }
	x0, x1, y0, y1 := down(low.x), up(high.x), down(low.y), up(high.y)
	x1, y1 = max(x1, x0+1), max(y1, y0+1)
	at := func(p point) (float64, float64) {
		return left + (math.Log10(p.x)-x0)/(x1-x0)*(plotWidth-left-right), plotHeight - bottom - (math.Log10(p.y)-y0)/(y1-y0)*(plotHeight-upper-bottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">
<style>
  svg { font: 13px system-ui, sans-serif; background: #ffffff }
  text { fill: #24292f } .grid { stroke: #d5dae0 }
  @media (prefers-color-scheme: dark) { svg { background: #0d1117 } text { fill: #dde3ea } .grid { stroke: #30363d } }
</style>
<text x="%d" y="24" font-weight="600">%s</text>
`, plotWidth, plotHeight, html.EscapeString(title), left, html.EscapeString(title))
	for e := x0; e <= x1; e++ {
		px, _ := at(point{math.Pow(10, e), math.Pow(10, y0)})
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", px, upper, px, plotHeight-bottom, px, plotHeight-bottom+18, power(e))
	}
	for e := y0; e <= y1; e++ {
		_, py := at(point{math.Pow(10, x0), math.Pow(10, e)})
		fmt.Fprintf(&b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, py, plotWidth-right, py, left-8, py+4, power(e))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text><text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n",
		(left+plotWidth-right)/2, plotHeight-12, html.EscapeString(x), (upper+plotHeight-bottom)/2, html.EscapeString(y))
	for i, l := range lines {
		color := colors[i%len(colors)]
		var path []string
		for _, p := range l.points {
			px, py := at(p)
			path = append(path, fmt.Sprintf("%.1f,%.1f", px, py))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, px, py, color)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(path, " "), color)
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="4" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", plotWidth-right+18, upper+10+22*i, color, plotWidth-right+30, upper+14+22*i, html.EscapeString(l.name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// power is a power of ten as people write it.
func power(e float64) string {
	switch {
	case e < 0:
		return fmt.Sprintf("%.*f", int(-e), math.Pow(10, e))
	case e >= 6:
		return fmt.Sprintf("%.0fM", math.Pow(10, e-6))
	case e >= 3:
		return fmt.Sprintf("%.0fk", math.Pow(10, e-3))
	}
	return fmt.Sprintf("%.0f", math.Pow(10, e))
}
