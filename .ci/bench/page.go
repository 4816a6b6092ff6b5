package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// kept is what a comparison found, as a file in the user's cache: a machine that cannot be held quiet
// for all of them is held for one after the other.
type kept struct {
	Text, Date, Version string
	Plots               map[string]string
}

func keptPath(name string) (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "rhx-ci", "bench", name+".json"), err
}

func (b *bencher) keep(c comparison, text string) error {
	path, err := keptPath(c.name)
	if err != nil {
		return err
	}
	data, err := json.Marshal(kept{text, time.Now().UTC().Format("2006-01-02"), b.version(), b.plots})
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644))
}

// page writes docs/BENCHMARKS.md, and the plots.
func (b *bencher) page() error {
	page := b.head()
	if err := os.MkdirAll("docs/bench", 0o755); err != nil {
		return err
	}
	for _, c := range comparisons {
		k := kept{Text: "Not measured.\n"}
		path, err := keptPath(c.name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &k)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		page += fmt.Sprintf("\n## %s\n\n%s%s\n", c.title, k.Text, c.note)
		if k.Date != "" {
			page += fmt.Sprintf("Measured on %s with rhx %s. ", k.Date, k.Version)
		}
		page += fmt.Sprintf("Again: `make bench BENCH=%s`\n", c.name)
		for name, svg := range k.Plots {
			if err := os.WriteFile(filepath.Join("docs/bench", name+".svg"), []byte(svg), 0o644); err != nil {
				return err
			}
		}
	}
	return os.WriteFile("docs/BENCHMARKS.md", []byte(page), 0o644)
}

func (b *bencher) version() string {
	out, _ := exec.Command(b.rhx, "version").Output()
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "rhx ")
}

// different says what a program does that rhx does not, or the other way round, so that a ratio is not
// more than it is.
var different = map[string]string{
	"age":          "One file with one key: no names, no record that is checked, no log.",
	"sops":         "All values in one file that is opened once; rhx opens a record for each secret.",
	"dotenvx":      "A file `.env` whose values are encrypted one by one, in Node.",
	"varlock":      "A schema for `.env`, in Node. Checks types and hides values in output. The values here are plain: it encrypts by plugins.",
	"ansible-core": "Any file, any task. It asks each host, and says what changed.",
	"pssh":         "A loop of scp, in parallel: it does not look at what is there.",
	"runhouse":     "rhx's ancestor, a library in Python.",
	"gopass":       "A file for each secret, encrypted by GnuPG, whose agent keeps the key; rhx reads its key from a file.",
	"gitleaks":     "Searches for the forms of tokens by regular expressions; it does not know your values.",
	"vals":         "Keeps nothing itself: values from references to sops, Vault and others.",
	"vault":        "The server, and its command line: a process for each secret.",
	"secretspec":   "What an application needs, declared; values from stores of others. Here `.env`, which is plain.",
	"trufflehog":   "As gitleaks, and asks servers whether a token is good, which is off here.",
	"fnox":         "Each value encrypted by age in one file of the project. Its proxy: headers over HTTP/1.1 on port 443, bodies to 10 MiB.",
	"mitmproxy":    "A proxy for looking at traffic; an addon of five lines puts the value in.",
}

// head is the beginning of the page: what was measured where.
func (b *bencher) head() string {
	out := `# Benchmarks

Written by ` + "`make bench`" + `, which installs what it compares to and takes about an hour after that. ` + "`make bench BENCH=run`" + ` repeats one
comparison, prints it and keeps what it found, ` + "`make bench BENCH=page`" + ` writes this page of what is kept; ` + "`ROUNDS=3`" + ` before it makes them short.
Programs of a table run in turn (A B A B …), so that noise meets all of them. A figure is the
median of all rounds, behind it the least and the most; times are those of whole commands, in milliseconds, where nothing else is said.
A ratio is the median of the ratios of each round: 0.50 says that rhx takes half as long. Where it takes longer, the reason is beside it.

` + fmt.Sprintf("The machine: %s, %d cores, %s, %s. [What the tools are for](guides/comparison.md) is another page.\n\n| program | version | what is different |\n| --- | --- | --- |\n| rhx | %s | |\n", processor(), runtime.NumCPU(), kernel(), memory(), b.version())
	for _, name := range b.order {
		p := b.peers[name]
		if p.path == "" {
			p.version += ", not installed here: `" + p.why + "`"
		}
		out += "| " + p.name + " | " + p.version + " | " + different[name] + " |\n"
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
