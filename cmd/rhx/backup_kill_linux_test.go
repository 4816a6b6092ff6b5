package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// rhx store import and rhx store export are killed at random instants. Another import
// then ends with all that is in the backup, each version once; a backup is the old one or
// the new one.
func TestSoakBackupKilled(t *testing.T) {
	t.Parallel()
	rhx, dir := plainProgram(t), t.TempDir()
	key := filepath.Join(dir, "key.txt")
	if out, err := exec.Command("age-keygen", "-o", key).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	public, err := exec.Command("age-keygen", "-y", key).Output()
	if err != nil {
		t.Fatal(err)
	}
	command := func(home string, args ...string) *exec.Cmd {
		cmd := exec.Command(rhx, args...)
		cmd.Dir, cmd.Env = dir, environ(home)
		return cmd
	}
	must := func(cmd *exec.Cmd) string {
		t.Helper()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		return string(out)
	}
	killed := func(cmd *exec.Cmd, whole time.Duration) {
		t.Helper()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	times := regexp.MustCompile(`"(updated|created)":"[^"]+"`)
	text := func(file string) string {
		t.Helper()
		return times.ReplaceAllString(must(exec.Command("age", "-d", "-i", key, file)), "")
	}
	export := func(home, file string, more ...string) *exec.Cmd {
		return command(home, append([]string{"store", "export", file, "--to", strings.TrimSpace(string(public))}, more...)...)
	}
	var b strings.Builder
	b.WriteString(`{"rhx_backup":1}` + "\n")
	versions := 0
	for s := range 8 {
		for v := range 4 {
			fmt.Fprintf(&b, `{"name":"secret %d","version":%d,"deleted":%v,"values":{"k":"FAKE %d"}}`+"\n", s, v+1, v == 1, v)
			versions++
		}
	}
	fmt.Fprintf(&b, `{"end":%d}`+"\n", versions)
	seal := exec.Command("age", "-e", "-r", strings.TrimSpace(string(public)), "-o", filepath.Join(dir, "made.age"))
	seal.Stdin = strings.NewReader(b.String())
	must(seal)

	first := filepath.Join(dir, "first")
	imported := []string{"store", "import", "made.age", "--yes", "--identity", key}
	begin := time.Now()
	must(command(first, imported...))
	whole := time.Since(begin)
	must(export(first, filepath.Join(dir, "want.age")))
	want := text(filepath.Join(dir, "want.age"))
	if strings.Count(want, "FAKE") != versions {
		t.Fatalf("the import has not all versions:\n%s", want)
	}
	part, rounds := 0, soaked(2, 6)
	for i := range rounds {
		home := filepath.Join(dir, fmt.Sprint("home", i))
		killed(command(home, imported...), whole)
		if out := must(command(home, imported...)); strings.Contains(out, " more, after version ") {
			part++
		}
		got := filepath.Join(dir, fmt.Sprint("got", i))
		must(export(home, got))
		if text(got) != want {
			t.Fatalf("after kill %d and another import there is\n%s\nnot\n%s", i, text(got), want)
		}
		must(command(home, "store", "verify"))
	}
	t.Logf("%d of %d imports ended within a secret", part, rounds)

	file := filepath.Join(dir, "backup.age")
	begin = time.Now()
	must(export(first, file))
	whole = time.Since(begin)
	for i := range rounds {
		old, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		killed(export(first, file, "--overwrite"), whole)
		now, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(old, now) && text(file) != want {
			t.Fatalf("after kill %d the backup is neither the old one nor the new one", i)
		}
	}
}
