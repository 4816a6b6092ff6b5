package sandbox

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	// The peak of a process that was just started would be its parent's, so the
	// system is asked while it runs.
	note := filepath.Join(t.TempDir(), "pid")
	program := append([]string{"/bin/sh", "-c", `echo $$ >"$0"; exec "$@"`, note}, childArgs(t, childArg)...)
	var peak int64
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			if pid, err := os.ReadFile(note); err == nil {
				status, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/status")
				if found := vmHWM.FindSubmatch(status); found != nil && bytes.Contains(status, []byte("sandbox.test")) {
					kib, _ := strconv.ParseInt(string(found[1]), 10, 64)
					peak = max(peak, kib<<10)
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	r := &child.Runner{Program: program, CacheDir: filepath.Join(t.TempDir(), "cache")}
	var took time.Duration
	var err error
	for range 5 {
		begin := time.Now()
		_, err = r.Run(t.Context(), Module{Name: "m", Wasm: m.wasm}, request(m.op))
		if d := time.Since(begin); took == 0 || d < took {
			took = d
		}
	}
	close(done)
	<-watched
	says := "an answer"
	if err != nil {
		says = strings.TrimPrefix(err.Error(), "wasm module m ")
	}
	fmt.Printf("| %s | %s | %.0f ms | %d MiB |\n", m.name, strings.ReplaceAll(says, "|", `\|`), float64(took.Microseconds())/1000, peak>>20)
}

var vmHWM = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
