package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const memoryNote = "MiB are the most memory of the rhx process, in any round.\n\n"

// patience is how long filling a store may take: what would take longer is left out, and said so.
const patience = 4 * time.Minute

// growing is a table and a plot of times, and of memory, by what grows.
type growing struct {
	plot, title, of string
	lines           []series
	text            strings.Builder
}

// add times things at one size, in turn.
func (g *growing) add(size float64, rounds int, things ...*thing) error {
	warm := 1
	if rounds < 3 {
		warm = 0 // minutes
	}
	if err := inTurn(warm, rounds, things...); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s %s\n", count(size), g.of)
	if g.lines == nil {
		columns := ""
		for _, t := range things {
			g.lines = append(g.lines, series{name: strings.ReplaceAll(t.name, "`", "")})
			columns += " | " + t.name
			if t.memory > 0 {
				columns += " | MiB"
			}
		}
		fmt.Fprintf(&g.text, "| %s%s |\n|%s\n", g.of, columns, strings.Repeat(" --- |", strings.Count(columns, "|")+1))
	}
	fmt.Fprintf(&g.text, "| %s |", count(size))
	for i, t := range things {
		s := t.spread()
		g.lines[i].points = append(g.lines[i].points, point{size, s.median})
		fmt.Fprintf(&g.text, " %s |", s)
		if t.memory > 0 {
			fmt.Fprintf(&g.text, " %d |", t.memory>>10)
		}
	}
	g.text.WriteString("\n")
	return nil
}

func count(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// done returns the table, how the last step of each line compares with growth in proportion,
// and the link to the plot, which it keeps.
func (g *growing) done(b *bencher) string {
	b.plots[g.plot] = plot(g.title, g.of, "milliseconds", g.lines)
	var steps []string
	for _, l := range g.lines {
		if n := len(l.points); n > 1 {
			from, to := l.points[n-2], l.points[n-1]
			if len(steps) == 0 {
				steps = append(steps, fmt.Sprintf("From %s to %s, %s times as many, it takes as long by so many times: ", count(from.x), count(to.x), figure(to.x/from.x)))
			}
			steps = append(steps, fmt.Sprintf("`%s` %s", l.name, figure(to.y/from.y)))
		}
	}
	after := ""
	if len(steps) > 0 {
		after = "\n" + steps[0] + strings.Join(steps[1:], ", ") + ".\n"
	}
	return fmt.Sprintf("%s%s\n![%s](bench/%s.svg)\n", &g.text, after, g.title, g.plot)
}

// growSecrets are stores of ten to a hundred thousand secrets.
func growSecrets(b *bencher) (string, error) {
	g := &growing{plot: "secrets", title: "Secrets in the local store", of: "secrets"}
	out, have := "", 0
	p, err := newPlace(filepath.Join(b.dir, "local"))
	if err != nil {
		return "", err
	}
	var filled time.Duration
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		if expected := filled * 10; expected > patience {
			out = fmt.Sprintf("%s secrets were not tried: to save the first %s took %s, each with its own flush to the disk.\n\n", count(float64(n)), count(float64(have)), filled.Round(time.Second))
			break
		}
		start := time.Now()
		for have < n {
			to := min(n, have+10_000) // more than twice as many are not imported at once
			if err := p.imported(b, have, to); err != nil {
				return "", err
			}
			have = to
		}
		filled += time.Since(start)
		rounds := 9
		if n > 10_000 {
			rounds = 3
		}
		if err := g.add(float64(n), rounds,
			p.timed("`rhx list`", "", b.rhx, "list"),
			p.timed("`rhx get`", "", b.rhx, "get", "app/s7"),
			p.timed("`rhx save`, a new version", "FAKE", b.rhx, "save", "app/s8", "k=-", "--overwrite", "-q"),
		); err != nil {
			return "", err
		}
	}
	out = g.done(b) + "\n" + out
	if b.has("vault") == "" {
		return memoryNote + out + b.missing("vault"), nil
	}
	s, err := startVault(b)
	if err != nil {
		return "", err
	}
	defer s.stop()
	v := &growing{plot: "vault", title: "Secrets in Vault", of: "secrets"}
	have = 0
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		if err := each(n-have, func(ctx context.Context, i int) error {
			if err := s.put(ctx, "grow", have+i); err != nil {
				return err
			}
			return s.patch(ctx, "grow", have+i)
		}); err != nil {
			return "", err
		}
		have = n
		store := "vault://" + mount + "/grow"
		rounds := 5
		if n > 10_000 {
			rounds = 1
		}
		if err := v.add(float64(n), rounds,
			s.timed("`rhx list`", "", b.rhx, "--store", store, "list"),
			s.timed("`rhx get`", "", b.rhx, "--store", store, "get", "aws/p7", "secret_key"),
			s.bare("a bare client, one read", 1, func(ctx context.Context, _ int) error {
				return s.send(ctx, http.MethodGet, "data/"+path("grow", 7), "")
			}),
		); err != nil {
			return "", err
		}
	}
	return memoryNote + out + v.done(b) + "\nIn Vault a list reads the metadata of each secret, which is a request each, here by 32 at once. Memory is that of rhx, not of the server.\n", nil
}

// imported saves secrets from..to.
func (p *place) imported(b *bencher, from, to int) error {
	type item struct {
		Name    string            `json:"name"`
		Updated time.Time         `json:"updated"`
		Values  map[string]string `json:"values"`
	}
	doc := struct {
		Format  string    `json:"format"`
		Version int       `json:"version"`
		Created time.Time `json:"created"`
		Secrets []item    `json:"secrets"`
	}{"rhx-export", 1, time.Now(), nil}
	for i := from; i < to; i++ {
		doc.Secrets = append(doc.Secrets, item{fmt.Sprintf("app/s%d", i), time.Now(), map[string]string{"k": value(i)}})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := write(p.dir, map[string]string{"import.json": string(text)}); err != nil {
		return err
	}
	_, err = p.output("", b.rhx, "import", "rhx", "import.json", "-q", "--yes")
	return err
}

// growSpecs are 21 to 5,000 kinds of credentials beside the built-in ones.
func growSpecs(b *bencher) (string, error) {
	g := &growing{plot: "specs", title: "Kinds of credentials of one's own", of: "specs"}
	p, err := newPlace(b.dir)
	if err != nil {
		return "", err
	}
	if err := write(b.dir, machine()); err != nil {
		return "", err
	}
	if _, err := p.output("FAKE", b.rhx, "save", "openai", "api_key=-"); err != nil {
		return "", err
	}
	have := 0
	for _, n := range []int{21, 100, 500, 1000, 5000} {
		for ; have < n; have++ {
			spec := fmt.Sprintf("spec: 1\nname: own%d\ntitle: Own %d\nvalues:\n  token: {env: OWN%d_TOKEN}\nfiles:\n  - path: ~/.config/own%d/config.toml\n    format: toml\n    keys: {token: auth.token}\n", have, have, have, have)
			if err := write(b.dir, map[string]string{fmt.Sprintf(".config/rhx/providers/own%d.yaml", have): spec}); err != nil {
				return "", err
			}
		}
		if err := g.add(float64(n), 9,
			p.timed("`rhx detect`", "", b.rhx, "detect"),
			p.timed("`rhx providers`", "", b.rhx, "providers"),
			p.timed("`rhx get openai`", "", b.rhx, "get", "openai", "api_key"),
			p.timed("`rhx version`", "", b.rhx, "version"),
		); err != nil {
			return "", err
		}
	}
	return memoryNote + "Each is a file of its own in `~/.config/rhx/providers`, beside the built-in ones.\n\n" + g.done(b), nil
}

// growHosts are 1 to 1,000 hosts.
func growHosts(b *bencher) (string, error) {
	g := &growing{plot: "hosts", title: "Six credentials to many hosts", of: "hosts"}
	f, err := newFleet(b)
	if err != nil {
		return "", err
	}
	have := 0
	for _, n := range []int{1, 10, 100, 1000} {
		for ; have < n; have++ {
			if err := f.inProcess(have); err != nil {
				return "", err
			}
		}
		if err := f.clientFiles(n, false); err != nil {
			return "", err
		}
		rounds := 5
		if n > 100 {
			rounds = 2
		}
		if err := g.add(float64(n), rounds, f.onto(n, "`rhx sync`, all new", 1, f.sync(n))); err != nil {
			return "", err
		}
	}
	return memoryNote + "The hosts are SSH servers within the bench, which run the shell for each command as sshd does; " + strconv.Itoa(parallel) + " at once.\n\n" + g.done(b), nil
}

// growFiles are files of 1 KB to 4 MB.
func growFiles(b *bencher) (string, error) {
	g := &growing{plot: "files", title: "A file of AWS profiles", of: "KB in the file"}
	p, err := newPlace(b.dir)
	if err != nil {
		return "", err
	}
	one := profiles(0, 1)
	if err := write(b.dir, map[string]string{".aws/credentials": one}); err != nil {
		return "", err
	}
	if _, err := p.output("", b.rhx, "save", "aws/p0"); err != nil {
		return "", err
	}
	for _, kb := range []int{1, 16, 128, 1024, 4000} {
		text := profiles(1, max(kb*1000/len(one), 2))
		load := p.timed("`rhx load`, one more profile", "", b.rhx, "load", "aws/p0", "-q")
		load.before = func() error { return write(b.dir, map[string]string{".aws/credentials": text}) }
		detect := p.timed("`rhx detect aws`, all", "", b.rhx, "detect", "aws", "-q", "-o", "json")
		rounds := 9
		if kb > 128 {
			rounds = 3
		}
		if err := g.add(float64(kb), rounds, load, detect); err != nil {
			return "", err
		}
	}
	return memoryNote + "A profile is added to a file of many, and the file is decoded and checked again, as on each edit.\n\n" + g.done(b), nil
}
