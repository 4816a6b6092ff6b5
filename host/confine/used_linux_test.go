package confine

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

func TestWhatIsUsedUpSaysNothingOfTheSystem(t *testing.T) {
	for err, want := range map[error]bool{
		&Failure{Text: "open a file", Errno: int(syscall.EMFILE)}:                     true,
		fmt.Errorf("start: %w", syscall.ENFILE):                                       true,
		fmt.Errorf("start: %w", failure(fmt.Errorf("a process: %w", syscall.EAGAIN))): true,
		fmt.Errorf("start: %w", syscall.ENOMEM):                                       true,
		errKilled:                                                                     true,
		fmt.Errorf("namespaces: %w", syscall.EPERM):                                   false,
		failure(fmt.Errorf("namespaces: %w", syscall.ENOSPC)):                         false,
		&Failure{Text: "mount /proc", Errno: int(syscall.EACCES)}:                     false,
		errors.New("no number"):                                                       false,
	} {
		if got := usedUp(err); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}
