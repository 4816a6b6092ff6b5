package agestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// childEnv makes the test binary run one of children instead of tests.
const childEnv = "RHX_AGESTORE_TEST_CHILD"

// moreChildren are those that only some systems have.
var moreChildren = map[string]func(dir string) error{}

func children() map[string]func(dir string) error {
	c := faultChildren()
	c["write"] = writeForEver
	c["step"] = dieAtStep
	maps.Copy(c, moreChildren)
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
// and what is done, until it has done as much as the number before the folder says: then
// it waits to be killed.
func writeForEver(arg string) error {
	number, dir, _ := strings.Cut(arg, "=")
	last, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	ctx := context.Background()
	s := Open(Options{Dir: dir})
	for n := range last {
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
			version, err = s.Put(ctx, whole(name), store.AnyVersion)
			fmt.Println("put", name, version)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	wait := make(chan os.Signal, 1)
	signal.Notify(wait, os.Interrupt)
	<-wait
	return errors.New("interrupted")
}

// dieAtStep does all that changes a store once, and kills itself before the
// change whose number stands before the folder.
func dieAtStep(arg string) error {
	number, dir, _ := strings.Cut(arg, "=")
	last, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	ctx := context.Background()
	s := Open(Options{Dir: dir})
	s.onStep = func() {
		if last--; last < 0 {
			_ = self.Kill()
			select {}
		}
	}
	did := func(what, name string, version int, err error) error {
		fmt.Println(what, name, version)
		return err
	}
	for _, name := range []string{"a", "a", "b"} {
		fmt.Println("putting", name, 0)
		v, err := s.Put(ctx, whole(name), store.AnyVersion)
		if err := did("put", name, v, err); err != nil {
			return err
		}
	}
	fmt.Println("deleting", "a", 0)
	if err := did("deleted", "a", 0, s.Delete(ctx, "a")); err != nil {
		return err
	}
	fmt.Println("destroying", "b", 0)
	return did("destroyed", "b", 0, s.Destroy(ctx, "b"))
}

// whole returns a secret of which half would be noticed.
func whole(name string) *secret.Secret {
	v := secret.NewValue(strings.Repeat("FAKE", 2000))
	return &secret.Secret{Name: name, Values: secret.Values{"one": v, "two": v}}
}

// runUntilDeath runs a writer, kills it a random moment after it wrote some lines
// if lines is not -1, and takes down in newest which version of each secret it says it has made; 0 is none.
// pending is the secret that it was working on when it died.
func runUntilDeath(t *testing.T, cmd *exec.Cmd, newest map[string]int, lines int) (pending string, err error) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killSoon := func() {
		time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	}
	if lines == 0 {
		killSoon()
	}
	for told := bufio.NewScanner(out); told.Scan(); {
		if lines--; lines == 0 {
			killSoon()
		}
		var did, name string
		var version int
		if n, err := fmt.Sscan(told.Text(), &did, &name, &version); n != 3 {
			t.Fatalf("line %q: %v", told.Text(), err)
		}
		pending = ""
		switch did {
		case "putting", "deleting", "destroying":
			pending = name
		default:
			newest[name] = version
		}
	}
	err = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("the writer failed: %s", stderr.String())
	}
	return pending, err
}

// A process that dies before any of the changes it makes to the disk leaves what
// was there before or what it was writing, and nothing that stays in the way.
func TestSoakDeathAtEveryStep(t *testing.T) {
	for step := 0; ; step += nextStep(3) {
		dir := dataDir(t)
		newest := map[string]int{}
		pending, err := runUntilDeath(t, child(t, "step", fmt.Sprintf("%d=%s", step, dir)), newest, -1)
		checkAfterCrash(t, dir, newest, pending)
		if t.Failed() {
			t.Fatalf("at step %d, while writing %q", step, pending)
		}
		if err == nil {
			if step < 30 {
				t.Errorf("there are only %d steps", step)
			}
			return
		}
	}
}

// A process that is killed at any instant does so too. A store is one for some rounds: all
// of it is read after each, and on a busy machine a writer does much before it is dead.
func TestSoakKilledWriter(t *testing.T) {
	const rounds, each = 40, 8
	stores := rounds / each
	if n, err := strconv.Atoi(os.Getenv("RHX_SOAK")); err == nil {
		stores = max(stores, n)
	}
	names := map[string]bool{}
	for i := range stores {
		dir := dataDir(t)
		newest := map[string]int{}
		for n := range each {
			// The first rounds hit the making of the store and its key.
			lines := (n*stores + i) % rounds
			pending, _ := runUntilDeath(t, child(t, "write", fmt.Sprintf("%d=%s", lines/2+5, dir)), newest, lines)
			checkAfterCrash(t, dir, newest, pending)
		}
		for name := range newest {
			names[name] = true
		}
	}
	if len(names) < 5 {
		t.Errorf("the writer got no further than %v", names)
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
	// Nobody did that: the record has it as it is.
	for range 2 {
		v, err := s.Verify(t.Context())
		if err != nil || len(v.Problems) > 0 {
			t.Fatalf("%+v, %v", v, err)
		}
		if pending == "" {
			break
		}
		// Nor has the next writer, who ends what was begun.
		if _, err := s.Put(t.Context(), &secret.Secret{Name: "after"}, store.AnyVersion); err != nil {
			t.Fatal(err)
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
			if name != "store" && name != "identity.txt" && name != "store.seen" {
				t.Errorf("%s was left in %s", name, folder)
			}
		}
	}
}
