package agestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// childEnv makes the test binary run one of children instead of tests.
const childEnv = "RHX_AGESTORE_TEST_CHILD"

func children() map[string]func(dir string) error {
	c := faultChildren()
	c["write"] = writeForEver
	return c
}

func TestMain(m *testing.M) {
	name, dir, ok := strings.Cut(os.Getenv(childEnv), "=")
	if !ok {
		os.Exit(m.Run())
	}
	if err := children()[name](dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child returns the command that runs one of children.
func child(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+name+"="+dir)
	return cmd
}

// writeForEver writes, deletes and destroys, and tells what it is about to do
// and what is done.
func writeForEver(dir string) error {
	ctx := context.Background()
	s := Open(Options{Dir: dir})
	text := strings.Repeat("FAKE", 2000)
	for n := 0; ; n++ {
		name := fmt.Sprintf("name/%d", n%5)
		var err error
		switch op := n % 7; {
		case op == 3:
			fmt.Println("deleting", name, 0)
			err = s.Delete(ctx, name)
			fmt.Println("deleted", name, 0)
		case op == 5 && n%3 == 0:
			fmt.Println("destroying", name, 0)
			err = s.Destroy(ctx, name)
			fmt.Println("destroyed", name, 0)
		default:
			var version int
			fmt.Println("putting", name, 0)
			version, err = s.Put(ctx, &secret.Secret{Name: name, Values: secret.Values{"one": secret.NewValue(text), "two": secret.NewValue(text)}}, store.AnyVersion)
			fmt.Println("put", name, version)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
}

// A process that is killed at any instant leaves what was there before or what
// it was writing, and nothing that stays in the way.
func TestKilledWriter(t *testing.T) {
	dir := dataDir(t)
	newest := map[string]int{} // what was told to be done; 0: deleted or destroyed
	for round := range 40 {
		cmd := child(t, "write", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The first rounds hit the making of the store and its key.
		kill := time.AfterFunc(time.Duration(rand.IntN(1+round*1000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		pending := ""
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var did, name string
			var version int
			if n, err := fmt.Sscan(lines.Text(), &did, &name, &version); n != 3 {
				t.Fatalf("line %q: %v", lines.Text(), err)
			}
			switch did {
			case "putting", "deleting", "destroying":
				pending = name
				continue
			case "put":
				newest[name] = version
			default:
				newest[name] = 0
			}
			pending = ""
		}
		_ = cmd.Wait()
		kill.Stop()
		if stderr.Len() > 0 {
			t.Fatalf("the writer failed: %s", stderr.String())
		}
		checkAfterCrash(t, dir, newest, pending)
	}
	if len(newest) < 5 {
		t.Errorf("the writer got no further than %v", newest)
	}
}

// checkAfterCrash reads all of the store, compares it with what was done, save
// for the secret that was being written, and takes over what it finds for that.
func checkAfterCrash(t *testing.T, dir string, newest map[string]int, pending string) {
	t.Helper()
	s := Open(Options{Dir: dir})
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, i := range infos {
		if i.Name == "after" {
			continue // our own, see below
		}
		found[i.Name] = i.Version
		h, err := s.History(t.Context(), i.Name)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range h {
			if v.Version != h[0].Version-k {
				t.Fatalf("%s: version %d is missing", i.Name, h[0].Version-k)
			}
			if v.Deleted {
				continue
			}
			r, err := s.Get(t.Context(), i.Name, v.Version)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Secret.Values) != 2 || r.Secret.Values["one"] != r.Secret.Values["two"] {
				t.Fatalf("%s version %d is not what was written", i.Name, v.Version)
			}
		}
	}
	for name, version := range newest {
		if name != pending && found[name] != version {
			t.Fatalf("%s is at version %d, and version %d was written", name, found[name], version)
		}
	}
	if before, after := newest[pending], found[pending]; pending != "" && after != before && after != 0 && before != 0 && after != before+1 {
		t.Fatalf("%s went from version %d to %d", pending, before, after)
	}
	if pending != "" {
		newest[pending] = found[pending]
	}
	// The next writer clears up.
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "after"}, store.AnyVersion); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{s.temp(), dir} {
		names, err := dirNames(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name != "store" && name != "identity.txt" {
				t.Errorf("%s was left in %s", name, folder)
			}
		}
	}
}
