package codec

import (
	"bufio"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Tests whose names begin with TestSoak compare this package with the programs that
// it serves, on random files: with a fixed seed in make test, with many under make
// soak.

// soak runs a test with a random source of a fixed seed, and with as many others as
// RHX_SOAK says; or with the seed RHX_SEED only.
func soak(t *testing.T, run func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	seeds := []uint64{1}
	if n, err := strconv.Atoi(os.Getenv("RHX_SOAK")); err == nil {
		for range n {
			seeds = append(seeds, rand.Uint64())
		}
	}
	if seed, err := strconv.ParseUint(os.Getenv("RHX_SEED"), 10, 64); err == nil {
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		run(t, rand.New(rand.NewPCG(seed, seed)))
		if t.Failed() {
			t.Fatalf("with RHX_SEED=%d", seed)
		}
	}
}

// reference is a process that reads files in its own way.
type reference struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

func startReference(t *testing.T, argv ...string) *reference {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &reference{t, in, bufio.NewReader(out)}
}

// tools returns the folder that a script of .ci/tools installs into.
func tools(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "../../.ci/tools/"+script, "--path").Output()
	dir := strings.TrimSpace(string(out))
	if _, statErr := os.Stat(filepath.Join(dir, "done")); err != nil || statErr != nil {
		t.Fatalf("%s: %v, %v: run make test-deps", script, err, statErr)
	}
	return dir
}

func startPython(t *testing.T) *reference {
	return startReference(t, tools(t, "python.sh")+"/bin/python", "testdata/references.py", tools(t, "readers.sh")+"/python", tools(t, "dotenv.sh")+"/python")
}

func startNode(t *testing.T) *reference {
	return startReference(t, "node", "testdata/references.js", tools(t, "readers.sh"), tools(t, "dotenv.sh"))
}

func startJava(t *testing.T) *reference {
	return startReference(t, "java", "testdata/References.java")
}

func startGo(t *testing.T) *reference {
	return startReference(t, tools(t, "goreaders.sh")+"/references")
}

// ask returns what a reader finds in a file, as JSON; false where it cannot read it.
func (r *reference) ask(reader string, data []byte) (json.RawMessage, bool) {
	r.t.Helper()
	job, err := json.Marshal(map[string]any{"reader": reader, "data": data})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.in.Write(append(job, '\n')); err != nil {
		r.t.Fatal(err)
	}
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		r.t.Fatalf("%s on %q: %v", reader, data, err)
	}
	var answer struct {
		Values json.RawMessage
		Error  *string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		r.t.Fatal(err)
	}
	return answer.Values, answer.Error == nil
}

// reads is ask of a reader whose values are texts in groups.
func (r *reference) reads(reader string, data []byte) (reading, bool) {
	r.t.Helper()
	raw, ok := r.ask(reader, data)
	if !ok {
		return nil, false
	}
	var triples [][3]string
	if err := json.Unmarshal(raw, &triples); err != nil {
		r.t.Fatalf("%s: %v", raw, err)
	}
	out := reading{}
	for _, x := range triples {
		out[place{x[0], x[1]}] = x[2]
	}
	return out, true
}
