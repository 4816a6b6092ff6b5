// Command bench compares rhx with others, all on one machine and in turn, so that the ratios
// hold while its speed drifts, and writes what it found as docs/BENCHMARKS.md. It judges by
// the goals alone that are written beside a comparison.
//
//	go run ./.ci/bench BIN PEERS [NAME...]
//
// BIN is the folder with rhx and rhx-full, PEERS what peers.sh prints. With names of comparisons
// only those run: they are printed, and no file is written.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: bench BIN PEERS [NAME...]")
		os.Exit(2)
	}
	if err := bench(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
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
}

var comparisons = []comparison{
	{"start", "Starting, and one value", []string{"age", "sops"}, starts},
	{"run", "A command with ten secrets", []string{"sops"}, runs},
	{"vault", "A thousand secrets in Vault", []string{"vault"}, vaults},
	{"hosts", "Six credentials on many hosts", []string{"ansible-core", "pssh"}, fleets},
	{"scan", "Searching for what has leaked", []string{"gitleaks", "trufflehog"}, scans},
	{"runhouse", "What Runhouse did", []string{"runhouse"}, runhouses},
	{"modules", "A parser in WebAssembly", nil, modules},
	{"secrets", "Growth: secrets", nil, growSecrets},
	{"specs", "Growth: kinds of credentials", nil, growSpecs},
	{"fleet", "Growth: hosts", nil, growHosts},
	{"files", "Growth: files", nil, growFiles},
}

// peer is a program to which rhx is compared. Without a path it could not be installed, for a
// reason.
type peer struct{ name, version, path, why string }

// bencher is what the comparisons share.
type bencher struct {
	rhx   string
	peers map[string]peer
	order []string
	dir   string // for one comparison
	plots map[string]string
}

func bench(bin, peers string, names []string) error {
	b := &bencher{peers: map[string]peer{}, plots: map[string]string{}}
	var err error
	if b.rhx, err = filepath.Abs(filepath.Join(bin, "rhx")); err != nil {
		return err
	}
	if err := b.readPeers(peers); err != nil {
		return err
	}
	page := b.head()
	var failures []error
	for _, c := range comparisons {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		began := time.Now()
		text, err := b.compare(c)
		if err != nil { // the others are worth having
			failures = append(failures, fmt.Errorf("%s: %w", c.name, err))
			first, _, _ := strings.Cut(err.Error(), "\n")
			text = "Not measured: `" + first + "`\n"
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", c.name, time.Since(began).Round(time.Second))
		part := fmt.Sprintf("\n## %s\n\n%s\nAgain: `make bench BENCH=%s`\n", c.title, text, c.name)
		if len(names) > 0 {
			fmt.Print(part)
		}
		page += part
	}
	if len(names) > 0 {
		return errors.Join(failures...)
	}
	if err := os.MkdirAll("docs/bench", 0o755); err != nil {
		return err
	}
	for name, svg := range b.plots {
		if err := os.WriteFile(filepath.Join("docs/bench", name+".svg"), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return errors.Join(append(failures, os.WriteFile("docs/BENCHMARKS.md", []byte(page), 0o644))...)
}

// compare runs a comparison in a folder of its own.
func (b *bencher) compare(c comparison) (text string, err error) {
	for _, name := range c.needs {
		if p := b.peers[name]; p.path == "" {
			return fmt.Sprintf("Not measured: %s %s could not be installed (%s).\n", name, p.version, p.why), nil
		}
	}
	// Short, because sockets are in it.
	if b.dir, err = os.MkdirTemp("/tmp", "bench"); err != nil {
		return "", err
	}
	defer os.RemoveAll(b.dir)
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
			fmt.Fprintf(&out, "\n%s %s is not in this table: it could not be installed (`%s`).\n", name, p.version, p.why)
		}
	}
	return out.String()
}

// leftOut says that a peer is left out of a table for what it said.
func leftOut(name string, err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Sprintf("\n%s is not in this table: `%s`\n", name, first)
}

// head is the beginning of the page: what was measured where.
func (b *bencher) head() string {
	version, _ := exec.Command(b.rhx, "version").Output()
	out := `# Benchmarks

Written by ` + "`make bench`" + `, which installs what it compares to and takes about a quarter of an hour after that; ` + "`make bench BENCH=run`" + `
repeats one comparison. Programs of a table run in turn (A B A B …), so that noise meets all of them. A figure is the
median of all rounds, behind it the least and the most; times are those of whole commands, in milliseconds, where nothing else is said.
A ratio is the median of the ratios of each round: 0.50 says that rhx takes half as long. Where it takes longer, the reason is beside it.

` + fmt.Sprintf("Measured on %s: %s, %d cores, %s, %s.\n\n| program | version |\n| --- | --- |\n| rhx | %s |\n", time.Now().UTC().Format("2006-01-02"), processor(), runtime.NumCPU(), kernel(), memory(), strings.TrimSpace(string(version)))
	for _, name := range b.order {
		p := b.peers[name]
		if p.path == "" {
			p.version += ", could not be installed: `" + p.why + "`"
		}
		out += "| " + p.name + " | " + p.version + " |\n"
	}
	return out
}

func processor() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return runtime.GOOS
	}
	text := func(field [65]int8) string {
		var out []byte
		for _, c := range field {
			if c == 0 {
				break
			}
			out = append(out, byte(c))
		}
		return string(out)
	}
	release, _, _ := strings.Cut(text(u.Release), "-")
	return text(u.Sysname) + " " + release
}

func memory() string {
	data, _ := os.ReadFile("/proc/meminfo")
	var kib int
	_, _ = fmt.Sscanf(string(data), "MemTotal: %d kB", &kib)
	return fmt.Sprintf("%d GiB of memory", (kib+1<<19)>>20)
}
