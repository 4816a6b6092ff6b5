package agestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func faultChildren() map[string]func(dir string) error {
	return map[string]func(string) error{"full": onFullDisk, "limit": withFileLimit}
}

func runChild(t *testing.T, name, dir string, attr *syscall.SysProcAttr) {
	t.Helper()
	cmd := child(t, name, dir)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("this machine lets nobody make a mount namespace: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The disk is a small one in memory, in a mount namespace of the child's own;
// later it is read-only.
func TestFullDiskThenReadOnly(t *testing.T) {
	runChild(t, "full", t.TempDir(), &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	})
}

func onFullDisk(mount string) error {
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=256k"); err != nil {
		return err
	}
	dir := filepath.Join(mount, "data")
	if err := fillUp(dir, syscall.ENOSPC, 40<<10); err != nil {
		return err
	}
	if err := unix.Mount("", mount, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	s := Open(Options{Dir: dir})
	ctx := context.Background()
	_, putErr := s.Put(ctx, &secret.Secret{Name: "a"}, store.AnyVersion)
	for what, err := range map[string]error{"Put": putErr, "Delete": s.Delete(ctx, "a"), "Destroy": s.Destroy(ctx, "a")} {
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
			return fmt.Errorf("%s on a read-only disk: %w", what, err)
		}
	}
	_, err := s.Get(ctx, "a", 0)
	return err
}

// No file may grow beyond a limit: each user can have that.
func TestFileLimit(t *testing.T) { runChild(t, "limit", dataDir(t), nil) }

func withFileLimit(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 30 << 10, Max: 30 << 10}); err != nil {
		return err
	}
	return fillUp(dir, syscall.EFBIG, 40<<10)
}

// fillUp puts ever new versions, the last ones of size bytes, until that fails,
// and checks that it failed well. Deleting must still work.
func fillUp(dir string, want error, size int) error {
	ctx := context.Background()
	s := Open(Options{Dir: dir})
	sec := &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}
	if _, err := s.Put(ctx, sec, 0); err != nil {
		return err
	}
	sec.Values["k"] = secret.NewValue(strings.Repeat("FAKE", size/4))
	last := 1
	for {
		n, err := s.Put(ctx, sec, store.AnyVersion)
		if err == nil {
			last = n
			continue
		}
		path := filepath.Join(s.folder("a"), fmt.Sprintf("%d.age", last+1))
		if !errors.Is(err, want) || n != 0 || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "FAKE") || strings.Contains(err.Error(), "\n") {
			return fmt.Errorf("Put returned version %d and error %w; the error should be %w and name %s", n, err, want, path)
		}
		break
	}
	if left, err := dirNames(s.temp()); err != nil || len(left) > 0 {
		return fmt.Errorf("left behind: %q, %w", left, err)
	}
	if h, err := s.History(ctx, "a"); err != nil || len(h) != last {
		return fmt.Errorf("History has %d versions, %w; want %d", len(h), err, last)
	}
	for n := 1; n <= last; n++ {
		if _, err := s.Get(ctx, "a", n); err != nil {
			return err
		}
	}
	if err := s.Delete(ctx, "a"); err != nil {
		return err
	}
	if _, err := s.Put(ctx, &secret.Secret{Name: "a"}, 0); err != nil && !errors.Is(err, want) {
		return err
	}
	if err := s.Destroy(ctx, "a"); err != nil {
		return err
	}
	_, err := s.Put(ctx, &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}, 0)
	return err
}

// Destroying makes room: it is done where the disk is too full to note it. Nothing else is.
func TestWhatIsDoneOnAFullDisk(t *testing.T) {
	for op, want := range map[string]bool{opDestroy: true, opPut: false, opDelete: false, opBack: false} {
		s := twoVersions(t)
		r, err := s.openRecord()
		noError(t, err, r.f.Close())
		r.f, err = os.OpenFile("/dev/full", os.O_RDWR, 0)
		noError(t, err)
		done := false
		err = r.noted(s.folder("a"), change{op: op, folder: "a", version: 2}, func() error { done = true; return nil })
		if done != want || want != (err == nil) || err != nil && (!errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), s.folder("a")+" is left as it is, since that cannot be noted: write "+r.store.recordPath(r.seen.ID))) {
			t.Errorf("%s: %v, %v", op, done, err)
		}
		if err := r.accept(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("accept: %v", err)
		}
		r.close()
	}
}

// What was not brought to the disk is not noted.
func TestADiskThatDoesNotSync(t *testing.T) {
	s := twoVersions(t)
	r, err := s.openRecord()
	noError(t, err, r.f.Close())
	defer r.close()
	r.f, err = os.OpenFile("/dev/null", os.O_RDWR, 0) // which cannot
	noError(t, err)
	for what, err := range map[string]error{"a change": r.add(change{op: opPut, folder: "a", version: 3}, true), "accept": r.accept()} {
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), r.store.recordPath(r.seen.ID)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	noError(t, r.add(change{op: opDone}, false))
}

// asUser takes from this thread, if it is root's, the power to read every file.
// The thread ends with the test.
func asUser(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&hdr, &caps[0]); err != nil {
		t.Fatal(err)
	}
	caps[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(&hdr, &caps[0]); err != nil {
		t.Fatal(err)
	}
}

func TestForbiddenFolders(t *testing.T) {
	for what, forbid := range map[string]func(s *Store) string{
		"data folder":    func(s *Store) string { return s.opt.Dir },
		"store":          func(s *Store) string { return s.root() },
		"secrets":        func(s *Store) string { return s.secrets() },
		"tmp":            func(s *Store) string { return s.temp() },
		"secret":         func(s *Store) string { return s.folder("a") },
		"the lock":       func(s *Store) string { return filepath.Join(s.root(), "lock") },
		"recipients.txt": func(s *Store) string { return s.recipientsPath() },
		"the key":        func(s *Store) string { return filepath.Join(s.opt.Dir, "identity.txt") },
	} {
		t.Run(what, func(t *testing.T) {
			dir := dataDir(t)
			s := Open(Options{Dir: dir})
			if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
				t.Fatal(err)
			}
			path := forbid(s)
			before := snapshot(t, dir)
			asUser(t)
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
			_, err = Open(Options{Dir: dir}).Put(t.Context(), &secret.Secret{Name: "a"}, 1)
			if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line that names %s", err, path)
			}
			if err := os.Chmod(path, st.Mode()); err != nil {
				t.Fatal(err)
			}
			if after := snapshot(t, dir); !bytes.Equal(before, after) {
				t.Errorf("the store was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// snapshot returns the names and contents of all files below dir.
func snapshot(t *testing.T, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			fmt.Fprintln(&b, path)
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %q\n", path, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
