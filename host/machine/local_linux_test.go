package machine_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/machine"
)

// A new file takes its name in one step: were there two, a kill between them would
// leave a second name of the secret, and no later write to remove it.
func TestNewFileHasOneName(t *testing.T) {
	dir := t.TempDir()
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, dir, unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	m := machine.Local(dir, os.Getenv)
	path := filepath.Join(dir, "token")
	if errs, err := m.Write(context.Background(), []machine.Change{{Path: path, Data: []byte("fake")}}); err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(watch, buf)
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for at := 0; at < n; {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
		at += unix.SizeofInotifyEvent
		name := unix.ByteSliceToString(buf[at : at+int(event.Len)])
		at += int(event.Len)
		if name != "token" {
			continue
		}
		if event.Mask&unix.IN_CREATE != 0 {
			t.Error("the new file had two names for a moment")
		}
		moved++
	}
	if moved != 1 {
		t.Errorf("%d events of the new file", moved)
	}
}
