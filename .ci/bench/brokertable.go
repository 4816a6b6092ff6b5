package main

import (
	"fmt"
	"os"
	"strings"
)

// measures are what all routes are asked for, in turn.
var measures = []struct {
	title  string
	order  order
	rounds int
	// goal judges a ratio to the direct way, or a difference in milliseconds.
	goal  float64
	added bool
}{
	{"first byte of an answer, HTTP/1.1, ms", order{Do: "first"}, firstByte, 0.5, true},
	{"first byte of an answer, HTTP/2, ms", order{Do: "first", HTTP2: true}, firstByte, 0.5, true},
	{"64 MiB down, HTTP/1.1, MB/s", order{Do: "down", Bytes: large}, 5, 0.5, false},
	{"64 MiB up, HTTP/1.1, MB/s", order{Do: "up", Bytes: large}, 5, 0.5, false},
	{"64 MiB down, HTTP/2, MB/s", order{Do: "down", Bytes: large, HTTP2: true}, 5, 0.5, false},
	{"64 MiB up, HTTP/2, MB/s", order{Do: "up", Bytes: large, HTTP2: true}, 5, 0.5, false},
	{"8 MiB down, HTTP/1.1, MB/s", order{Do: "down", Bytes: smaller}, 15, 0, false},
	{"8 MiB up, HTTP/1.1, MB/s", order{Do: "up", Bytes: smaller}, 15, 0, false},
	{"1,000 requests at once, HTTP/1.1, ms", order{Do: "many", Many: requests}, 7, 0, false},
	{"1,000 requests at once, HTTP/2, ms", order{Do: "many", Many: requests, HTTP2: true}, 7, 0, false},
}

// brokerNote is why goals are missed.
const brokerNote = `
Client, proxy and server share the machine's processors here. A body is encrypted twice and decrypted twice with a proxy between, once each
without, so that on two cores half of direct is what is left where the proxy does nothing else; rhx also searches what comes back. Of 1,000 connections of HTTP/1.1 rhx keeps 128 to a server, and makes the others
anew, while the direct client has kept all of its own; the memory after that is those connections'.
`

// brokerTable measures: the first way is the direct one, the second rhx.
func brokerTable(routes []*route, left string) (string, error) {
	var b strings.Builder
	b.WriteString(`A server with TLS on this machine, and a client that stays, under each proxy by turns; all connections are warm. The proxy takes a placeholder
in ` + "`Authorization`" + ` and puts the value in. The direct client has the value itself. The three do not do the same: rhx and fnox search every answer for the value, which
mitmdump with this addon of five lines does not (and it passes on large bodies unread, as ` + "`stream_large_bodies`" + ` says); rhx writes each use into its log before the
client has its answer.

`)
	b.WriteString("|")
	for _, w := range routes {
		b.WriteString(" | " + w.name)
	}
	b.WriteString(" | rhx beside direct |\n| --- |" + strings.Repeat(" --- |", len(routes)+1) + "\n")
	memory := func(after string) {
		b.WriteString("| the most memory of the proxy, after " + after + " |")
		for _, w := range routes {
			b.WriteString(" " + most(w.proxy) + " |")
		}
		b.WriteString(" |\n")
	}
	for _, m := range measures {
		if m.order.Do == "many" && !m.order.HTTP2 {
			memory("these")
		}
		var things []*thing
		why := map[string]string{}
		for _, w := range routes {
			if _, err := w.ask(m.order); err != nil {
				why[w.name], _, _ = strings.Cut(err.Error(), "\n")
				continue
			}
			things = append(things, &thing{name: w.name, own: func() (float64, error) { return w.ask(m.order) }})
		}
		for _, w := range routes[:2] {
			if why[w.name] != "" {
				return "", fmt.Errorf("%s, %s: %s", m.title, w.name, why[w.name])
			}
		}
		if err := inTurn(1, m.rounds, things...); err != nil {
			return "", err
		}
		fmt.Fprintln(os.Stderr, m.title)
		fmt.Fprintf(&b, "| %s |", m.title)
		for _, w := range routes {
			cell := "`" + strings.ReplaceAll(why[w.name], "|", "/") + "`"
			for _, t := range things {
				if t.name == w.name {
					cell = rate(t, m.order.Bytes).String()
				}
			}
			b.WriteString(" " + cell + " |")
		}
		fmt.Fprintf(&b, " %s |\n", judged(things[0], things[1], m.order.Bytes, m.goal, m.added))
	}
	memory("all")
	return b.String() + left, nil
}

// rate is what a thing took, or how many megabytes it moved in a second.
func rate(t *thing, bytes int64) spread {
	if bytes == 0 {
		return t.spread()
	}
	var list []float64
	for _, ms := range t.ms {
		list = append(list, float64(bytes)/1e3/ms)
	}
	return spreadOf(list)
}

// judged is rhx beside the direct way, by rounds.
func judged(direct, rhx *thing, bytes int64, goal float64, added bool) string {
	var list []float64
	for round, ms := range rhx.ms {
		switch {
		case added:
			list = append(list, ms-direct.ms[round])
		case bytes > 0:
			list = append(list, direct.ms[round]/ms)
		default:
			list = append(list, ms/direct.ms[round])
		}
	}
	s := spreadOf(list)
	met := func(yes bool) string {
		if yes {
			return "met"
		}
		return "not met"
	}
	switch {
	case added:
		return fmt.Sprintf("**+%s ms** (goal +%s: %s)", figure(s.median), figure(goal), met(s.median <= goal))
	case goal > 0:
		return fmt.Sprintf("**%s** (goal %s or more: %s)", figure(s.median), figure(goal), met(s.median >= goal))
	}
	return "**" + figure(s.median) + "**"
}
