// Command guests times one extract of the example provider's file (2 KB) through
// rhx's sandbox, bare wazero, Extism's Go SDK and go-plugin, natively, and as a
// subprocess: the first call of a process with nothing compiled, the first call
// with the code in a cache, and a fresh instance in a process that has loaded the
// module. All are timed in turn, so that the ratios hold while the machine's
// speed drifts. It prints all times as JSON, and judges nothing.
//
//	go run . FOLDER    FOLDER has what build.sh makes
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox"
)

const (
	coldRuns  = 15
	warmRuns  = 101
	callRuns  = 501
	timeLimit = 2 * time.Second
)

func main() {
	err := errors.New("usage: guests FOLDER")
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve": // of the sandbox, for modules that are not trusted
		os.Exit(sandbox.Serve(os.Stdin, os.Stdout))
	case len(os.Args) == 5 && os.Args[1] == "first":
		err = first(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 2:
		err = bench(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guests:", err)
		os.Exit(1)
	}
}

// file is what is extracted from: some 2 KB.
func file() []byte {
	b := []byte("# made up\n")
	for i := range 30 {
		b = fmt.Appendf(b, "[profile-%02d]\nuser = user-%02d\ntoken = fake-token-of-profile-%02d\n\n", i, i, i)
	}
	return b
}

// right reports whether an answer has the first and the last token.
func right(answer []byte) bool {
	return bytes.Contains(answer, []byte("fake-token-of-profile-00")) && bytes.Contains(answer, []byte("fake-token-of-profile-29"))
}

// first is a process's first call: it prints how long it took, in nanoseconds.
func first(name, dir, cache string) error {
	ctx := context.Background()
	start := time.Now()
	l, err := find(name).load(ctx, dir, cache)
	if err != nil {
		return err
	}
	answer, err := l.call(ctx)
	took := time.Since(start)
	if err != nil || !right(answer) {
		return fmt.Errorf("%s: wrong answer (%d bytes): %w", name, len(answer), err)
	}
	fmt.Println(took.Nanoseconds())
	return l.close(ctx)
}

// run starts a process that makes its first call, and returns the time of the
// call and of the whole process in milliseconds.
func run(name, dir, cache string) (call, process float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(self, "first", name, dir, cache)
	start := time.Now()
	out, err := cmd.Output()
	process = milliseconds(time.Since(start))
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return 0, 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return milliseconds(time.Duration(n)), process, err
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// row has the times of one way.
type row struct{ cold, warm, process, call []float64 }

func bench(dir string) error {
	tmp, err := os.MkdirTemp("", "rhx-guests")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	rows := map[string]*row{}
	for _, w := range ways {
		rows[w.name] = &row{}
	}
	if err := firsts(dir, tmp, rows); err != nil {
		return err
	}
	if err := calls(dir, tmp, rows); err != nil {
		return err
	}
	type figures struct {
		Name                       string
		Cold, Cached, Fresh, Whole []float64
	}
	var out []figures
	for _, w := range ways {
		r := rows[w.name]
		out = append(out, figures{w.name, r.cold, r.warm, r.call, r.process})
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func firsts(dir, tmp string, rows map[string]*row) error {
	for i := range coldRuns {
		for _, w := range ways {
			cold, _, err := run(w.name, dir, filepath.Join(tmp, "cold", w.name, strconv.Itoa(i)))
			if err != nil {
				return err
			}
			rows[w.name].cold = append(rows[w.name].cold, cold)
		}
	}
	for _, w := range ways {
		if w.prepare == nil {
			continue
		}
		if err := w.prepare(context.Background(), dir, filepath.Join(tmp, "warm", w.name)); err != nil {
			return err
		}
	}
	for i := range warmRuns {
		for _, w := range ways {
			warm, process, err := run(w.name, dir, filepath.Join(tmp, "warm", w.name))
			if err != nil {
				return err
			}
			if i > 0 { // which fills the cache
				rows[w.name].warm = append(rows[w.name].warm, warm)
				rows[w.name].process = append(rows[w.name].process, process)
			}
		}
	}
	return nil
}

func calls(dir, tmp string, rows map[string]*row) error {
	ctx := context.Background()
	loads := map[string]*loaded{}
	for _, w := range ways {
		l, err := w.load(ctx, dir, filepath.Join(tmp, "warm", w.name))
		if err != nil {
			return err
		}
		loads[w.name] = l
	}
	for i := range callRuns {
		for _, w := range ways {
			start := time.Now()
			answer, err := loads[w.name].call(ctx)
			took := time.Since(start)
			if err != nil || !right(answer) {
				return fmt.Errorf("%s: wrong answer (%d bytes): %w", w.name, len(answer), err)
			}
			if i > 10 {
				rows[w.name].call = append(rows[w.name].call, milliseconds(took))
			}
		}
	}
	for _, w := range ways {
		if err := loads[w.name].close(ctx); err != nil {
			return err
		}
	}
	return nil
}
