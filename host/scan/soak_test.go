package scan

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// In other people's code no value of a store is found that is not there: with Go's own source,
// and with make soak in all modules that this machine has, some GB.
func TestSoakFalseAlarms(t *testing.T) {
	seeds, least := 1, int64(50<<20)
	names := []string{"GOROOT"}
	if n, err := strconv.Atoi(os.Getenv("RHX_SOAK")); err == nil {
		seeds, names = n, append(names, "GOMODCACHE")
	}
	var trees []string
	for _, name := range names {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, strings.TrimSpace(string(out)))
	}
	if len(names) == 1 {
		trees[0] = filepath.Join(trees[0], "src")
	}
	// As people and generators make them: the shortest that are searched for, words with a digit,
	// tokens, keys of several lines.
	values := []string{"Tr4b-x9q", "zw1ebel-77", "Sommer-2o26!", "k8s_Adm1n#1", "correct horse battery fake", "00112233445566aa", "postgres-fake-1"}
	for seed := range seeds {
		sum := sha256.Sum256(fmt.Append(nil, "seed ", seed))
		token := base64.StdEncoding.EncodeToString(sum[:])
		values = append(values, token[:10], "sk-"+token[:24], fmt.Sprintf("%x", sum[:16]), token+"\n"+token[8:]+"\nFAKE"+token[3:]+"\n")
	}
	var holders []Holder
	for i, v := range values {
		holders = append(holders, holder(fmt.Sprint("s", i), v))
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"planted": "k=" + values[0], "packed.gz": packed(values[1])})
	s := searcher(t, holders...)
	s.AsTheyAre = len(names) == 1 // what is packed in Go's tests takes most of the time
	if err := s.Trees(context.Background(), append(trees, dir)); err != nil {
		t.Fatal(err)
	}
	found, _ := s.Findings()
	for _, f := range found {
		if filepath.Dir(f.Path) != dir {
			t.Errorf("%s has %q, as %s", f.String(), f.Value.Reveal(), f.Form)
		}
	}
	if len(found) == 0 || !s.AsTheyAre && len(found) < 2 {
		t.Errorf("of what is there, %d are found", len(found))
	}
	if all, _ := s.Bytes(); all < least {
		t.Errorf("only %d bytes were searched", all)
	}
}
