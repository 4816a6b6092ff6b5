package sandbox

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/child"
)

var table = flag.Bool("table", false, "print the table of docs/SECURITY.md, measured on this machine (without -race)")

// The table in docs/SECURITY.md has a row for each hostile module, and with
// -table this test prints it anew: as a user meets the module, with the limits
// of every day, in a child process that has not compiled it.
func TestSecurityTable(t *testing.T) {
	modules := hostileModules()
	if *table {
		fmt.Println("| module | what rhx says | until it goes on | peak memory of the process |\n| --- | --- | --- | --- |")
		measure(t, hostile{"(a good one)", Extract, oneSecret.wasm(), ""})
		for _, m := range modules {
			measure(t, m)
		}
		return
	}
	doc, err := os.ReadFile("../../docs/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		if !strings.Contains(string(doc), "\n| "+m.name+" | ") {
			t.Errorf("docs/SECURITY.md has no row for %q: go test ./host/sandbox -run TestSecurityTable -table", m.name)
		}
	}
	if rows := len(regexp.MustCompile(`(?m)^\| .* ms \| .* MiB \|$`).FindAll(doc, -1)); rows != len(modules)+1 {
		t.Errorf("docs/SECURITY.md has %d rows for %d modules and a good one", rows, len(modules))
	}
}

func measure(t *testing.T, m hostile) {
	t.Helper()
	var peak int64
	r := &child.Runner{Program: childArgs(t, childArg), CacheDir: filepath.Join(t.TempDir(), "cache"),
		Ended: func(s *os.ProcessState) { peak = maxRSS(s) }}
	var best time.Duration
	var err error
	for range 3 {
		begin := time.Now()
		_, err = r.Run(t.Context(), Module{Name: "m", Wasm: m.wasm}, request(m.op))
		if took := time.Since(begin); best == 0 || took < best {
			best = took
		}
	}
	says := "an answer"
	if err != nil {
		says = strings.TrimPrefix(err.Error(), "wasm module m ")
	}
	fmt.Printf("| %s | %s | %.0f ms | %d MiB |\n", m.name, strings.ReplaceAll(says, "|", `\|`), float64(best.Microseconds())/1000, peak>>20)
}
