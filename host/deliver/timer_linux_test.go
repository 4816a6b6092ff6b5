package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What waits on a host removes the file that is as rhx wrote it, and no other, in every
// shell that a host may have.
func TestTimerInShells(t *testing.T) {
	for _, shell := range []string{"dash", "bash --posix", "busybox sh", "mksh", "ksh93"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			state := filepath.Join(home, ".local/state/rhx")
			var calls strings.Builder
			for _, name := range []string{"same", "changed", "kept", "it's \\odd"} {
				path := filepath.Join(home, name)
				if err := os.WriteFile(path, []byte("fake-secret"), 0o600); err != nil {
					t.Fatal(err)
				}
				seconds := 1
				if name == "kept" {
					seconds = 30 // it is called off before that
				}
				sum := sha256.Sum256([]byte("fake-secret"))
				fmt.Fprintf(&calls, "arm %s 1 '%s' %s %d\n", timerID(path), strings.ReplaceAll(path, "'", `'\''`), hex.EncodeToString(sum[:]), seconds)
			}
			fmt.Fprintf(&calls, "echo other >%s/changed\n", home)
			fmt.Fprintf(&calls, "disarm %s\n", timerID(filepath.Join(home, "kept")))
			words := strings.Fields(shell)
			cmd := exec.Command(words[0], append(words[1:], "-s")...)
			cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
			// What waits for 30 seconds must not keep the connection open.
			cmd.WaitDelay = 10 * time.Second
			cmd.Stdin = strings.NewReader(timerScript + calls.String())
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Fatalf("%v\n%s", err, out)
			}
			// Each takes its own note away when it is done.
			until := time.Now().Add(time.Minute)
			for {
				left, err := os.ReadDir(state)
				if err != nil {
					t.Fatal(err)
				}
				if len(left) == 0 {
					break
				}
				if time.Now().After(until) {
					t.Fatalf("they still wait: %v", left)
				}
				time.Sleep(20 * time.Millisecond)
			}
			for name, there := range map[string]bool{"same": false, "changed": true, "kept": true, "it's \\odd": false} {
				if _, err := os.Stat(filepath.Join(home, name)); errors.Is(err, fs.ErrNotExist) == there {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
