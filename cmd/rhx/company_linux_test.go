package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// built returns what runs rhx, as it is built, in a new home folder.
func built(t *testing.T) (home string, run func(stdin string, args ...string) (out, said string, err error)) {
	t.Helper()
	rhx, home := plainProgram(t), t.TempDir()
	return home, func(stdin string, args ...string) (string, string, error) {
		cmd := exec.Command(rhx, args...)
		cmd.Dir, cmd.Env = home, environ(home)
		cmd.Stdin = strings.NewReader(stdin)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		err := cmd.Run()
		return out.String(), said.String(), err
	}
}

// Many processes use one store and one native file at the same time. Each command is
// acknowledged or says why not, nearly all are acknowledged, and what was is there.
func TestSoakManyProcesses(t *testing.T) {
	home, run := built(t)
	if _, said, err := run("fake", "save", "own", "KEY=-"); err != nil {
		t.Fatal(err, said)
	}
	until := time.Now().Add(time.Duration(soaked(600, 1000)) * time.Millisecond)
	var done, refused atomic.Int64
	var workers sync.WaitGroup
	all := min(50, soaked(50, 6))
	last, loaded := make([]string, all), make([]string, all) // the values that were acknowledged
	for w := range all {
		own, profile := fmt.Sprintf("own%d", w), fmt.Sprintf("aws/p%d", w)
		key := fmt.Sprintf("AKIAFAKEFAKEFAKE%04d", w)
		do := func(stdin string, args ...string) (string, bool) {
			out, said, err := run(stdin, args...)
			switch {
			case err == nil:
				done.Add(1)
				return out, true
			case !strings.Contains(said, "rhx: ") || strings.Contains(said, "panic: "):
				t.Errorf("rhx %s: it ends without a reason: %v\n%s", strings.Join(args, " "), err, said)
			default:
				t.Logf("rhx %s: refused: %s", strings.Join(args, " "), said)
			}
			refused.Add(1)
			return "", false
		}
		workers.Go(func() {
			for n := 0; n == 0 || time.Now().Before(until); n++ {
				value := fmt.Sprintf("fake-value-%d-of-%d", n, w)
				if _, ok := do(value, "save", own, "KEY=-"); ok {
					last[w] = value
				}
				if out, ok := do("", "get", own, "KEY"); ok && strings.TrimSpace(out) != last[w] {
					t.Errorf("%s is %q, not %q", own, out, last[w])
				}
				pair := fmt.Sprintf(`{"access_key": "%s", "secret_key": "fake-secret-%018d-of-%06d"}`, key, n, w)
				if _, ok := do(pair, "save", profile, "--values", "-", "--overwrite"); ok {
					if _, ok := do("", "load", profile, "--overwrite"); ok {
						loaded[w] = fmt.Sprintf("fake-secret-%018d-of-%06d", n, w)
					}
				}
				do("", "run", "-s", own, "--", "true")
				do("", "list")
			}
		})
	}
	workers.Wait()
	file, err := os.ReadFile(filepath.Join(home, ".aws/credentials"))
	if err != nil {
		t.Fatal(err)
	}
	for w := range all {
		out, said, err := run("", "get", fmt.Sprintf("own%d", w), "KEY")
		if err != nil || strings.TrimSpace(out) != last[w] {
			t.Errorf("own%d is %q, not %q: %v %s", w, out, last[w], err, said)
		}
		if loaded[w] == "" || !bytes.Contains(file, []byte(loaded[w])) {
			t.Errorf("the file has not what was loaded last for %d: %q", w, loaded[w])
		}
	}
	for _, check := range [][]string{{"store", "verify"}, {"log", "--verify"}} {
		if out, said, err := run("", check...); err != nil {
			t.Errorf("rhx %s: %v\n%s%s", strings.Join(check, " "), err, out, said)
		}
	}
	t.Logf("%d processes: %d commands acknowledged, %d refused", all, done.Load(), refused.Load())
	if refused.Load()*100 > done.Load() {
		t.Error("more than one of a hundred is refused")
	}
}

// Many loads write one native file at the same time: all succeed, and none is lost.
func TestSoakParallelLoads(t *testing.T) {
	home, run := built(t)
	if _, said, err := run("fake", "save", "own", "KEY=-"); err != nil {
		t.Fatal(err, said)
	}
	loads := soaked(12, 30)
	st := agestore.Open(agestore.Options{Dir: filepath.Join(home, ".local/share/rhx")})
	for n := range loads {
		name := fmt.Sprintf("p%d", n)
		_, err := st.Put(context.Background(), &secret.Secret{Name: "aws/" + name, Provider: "aws", Profile: name, Values: secret.Values{
			"access_key": secret.NewValue(fmt.Sprintf("AKIAFAKEFAKEFAKE%04d", n)), "secret_key": secret.NewValue(fmt.Sprintf("fake-secret-%028d", n))}}, store.AnyVersion)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	turns := make(chan struct{}, 50)
	for n := range loads {
		turns <- struct{}{}
		all.Go(func() {
			if out, said, err := run("", "load", fmt.Sprintf("aws/p%d", n)); err != nil {
				t.Errorf("load %d: %v\n%s%s", n, err, out, said)
			}
			<-turns
		})
	}
	all.Wait()
	file, err := os.ReadFile(filepath.Join(home, ".aws/credentials"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range loads {
		if !bytes.Contains(file, fmt.Appendf(nil, "[p%d]\naws_access_key_id = AKIAFAKEFAKEFAKE%04d\naws_secret_access_key = fake-secret-%028d\n", n, n, n)) {
			t.Errorf("p%d is lost", n)
		}
	}
	t.Logf("%d loads, %d at a time", loads, cap(turns))
}
