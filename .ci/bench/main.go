// Command bench compares rhx with others, all on one machine and in turn, so that the ratios
// hold while its speed drifts, and writes what it found as docs/BENCHMARKS.md. It judges by
// the goals alone that are written beside a comparison.
//
//	go run ./.ci/bench BIN PEERS [NAME...]
//
// BIN is the folder with rhx and rhx-full, PEERS what peers.sh prints. What a comparison finds is
// kept on this machine. With names of comparisons only those run, and are printed; the name page
// writes the page of what is kept. Without names all run, and the page is written.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "client":
		err = client(args[1])
	case len(args) < 2:
		fmt.Fprintln(os.Stderr, "usage: bench BIN PEERS [NAME...]")
		os.Exit(2)
	default:
		err = bench(args[0], args[1], args[2:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// comparison is a part of the page.
type comparison struct {
	name, title string
	// needs are the peers without which it does not run.
	needs []string
	// run returns what stands below the title.
	run func(*bencher) (string, error)
	// note is what stands below that: why rhx loses, where that is no row's.
	note string
}

var comparisons = []comparison{
	{"start", "Starting, and one value", []string{"age", "sops"}, starts, ""},
	{"run", "A command with ten secrets", []string{"sops"}, runs, ""},
	{"vault", "A thousand secrets in Vault", []string{"vault"}, vaults, ""},
	{"broker", "A key that the command never has", nil, brokers, brokerNote},
	{"hosts", "Six credentials on many hosts", []string{"ansible-core", "pssh"}, fleets, ""},
	{"scan", "Searching for what has leaked", nil, scans, ""},
	{"runhouse", "What Runhouse did", []string{"runhouse"}, runhouses, ""},
	{"modules", "A parser in WebAssembly", nil, modules, ""},
	{"secrets", "Growth: secrets", nil, growSecrets, ""},
	{"specs", "Growth: kinds of credentials", nil, growSpecs, ""},
	{"fleet", "Growth: hosts", nil, growHosts, ""},
	{"files", "Growth: files", nil, growFiles, ""},
}

// peer is a program to which rhx is compared. Without a path it is not installed, for a reason.
type peer struct{ name, version, path, why string }

// bencher is what the comparisons share.
type bencher struct {
	rhx   string
	peers map[string]peer
	order []string
	dir   string            // for one comparison
	plots map[string]string // of one comparison
}

func bench(bin, peers string, names []string) error {
	b := &bencher{peers: map[string]peer{}}
	var err error
	if b.rhx, err = filepath.Abs(filepath.Join(bin, "rhx")); err != nil {
		return err
	}
	if err := b.readPeers(peers); err != nil {
		return err
	}
	for _, name := range names {
		if name != "page" && !slices.ContainsFunc(comparisons, func(c comparison) bool { return c.name == name }) {
			return fmt.Errorf("there is no comparison %s", name)
		}
	}
	var failures []error
	for _, c := range comparisons {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		began := time.Now()
		text, err := b.compare(c)
		if err != nil { // the others are worth having
			failures = append(failures, fmt.Errorf("%s: %w", c.name, err))
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", c.name, time.Since(began).Round(time.Second))
		if err := b.keep(c, text); err != nil {
			return err
		}
		if len(names) > 0 {
			fmt.Printf("\n## %s\n\n%s%s", c.title, text, c.note)
		}
	}
	if len(names) == 0 || slices.Contains(names, "page") {
		failures = append(failures, b.page())
	}
	return errors.Join(failures...)
}

// compare runs a comparison in a folder of its own.
func (b *bencher) compare(c comparison) (text string, err error) {
	for _, name := range c.needs {
		if p := b.peers[name]; p.path == "" {
			return fmt.Sprintf("Not measured: %s %s is not installed here (%s).\n", name, p.version, p.why), nil
		}
	}
	// Short, because sockets are in it.
	if b.dir, err = os.MkdirTemp("/tmp", "bench"); err != nil {
		return "", err
	}
	defer os.RemoveAll(b.dir)
	b.plots = map[string]string{}
	return c.run(b)
}

func (b *bencher) readPeers(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		f := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "", "")
		b.peers[f[0]] = peer{f[0], f[1], f[2], f[3]}
		b.order = append(b.order, f[0])
	}
	return nil
}

// has returns the path of a peer; "" where it could not be installed.
func (b *bencher) has(name string) string { return b.peers[name].path }

// missing says which of some peers are left out of a table.
func (b *bencher) missing(names ...string) string {
	var out strings.Builder
	for _, name := range names {
		if p := b.peers[name]; p.path == "" {
			fmt.Fprintf(&out, "\n%s %s is not in this table: it is not installed here (`%s`).\n", name, p.version, p.why)
		}
	}
	return out.String()
}

// leftOut says that a peer is left out of a table for what it said.
func leftOut(name string, err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Sprintf("\n%s is not in this table: `%s`\n", name, first)
}
