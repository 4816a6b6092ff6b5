//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// A rate limit makes saving take two seconds, however fast the machine is.
func TestBarOnATerminal(t *testing.T) {
	t.Parallel()
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "team", 2, 0)
	home := t.TempDir()
	var text strings.Builder
	const n = 40
	for i := range n {
		fmt.Fprintf(&text, "[p%d]\naws_access_key_id = %s\naws_secret_access_key = FAKE%d\n", i, fakes()["AKIA"], i)
	}
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".aws/credentials"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name  string
		term  string
		flags []string
		bar   bool
	}{
		{"plain", "xterm", nil, true},
		{"quiet", "xterm", []string{"-q"}, false},
		{"JSON", "xterm", []string{"-o", "json"}, false},
		{"a terminal that cannot erase", "dumb", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := []string{
				"VAULT_ADDR=" + server.Addr, "VAULT_TOKEN=" + server.RootToken, "VAULT_RATE_LIMIT=30:30", "TERM=" + c.term,
				fmt.Sprintf("RHX_STORE=vault://%s/%d", mount, i),
			}
			cmd, s := onTerminalWith(t, home, env, append(c.flags, "save", "--all")...)
			out := s.rest()
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			drawn := regexp.MustCompile(`\rsaving \[=* *\] +\d+/40\x1b\[K`).FindAllString(out, -1)
			if c.bar != (len(drawn) > 0) || !c.bar && strings.Contains(out, "\x1b[K") {
				t.Fatalf("shown:\n%q", out)
			}
			if !c.bar {
				return
			}
			// Nothing of it stays, and what follows begins where it was: the result, or
			// first that a key was made, in the one of them that is the first.
			if !regexp.MustCompile(regexp.QuoteMeta(drawn[len(drawn)-1]) + `\r\x1b\[K(aws/p|A key was made)`).MatchString(out) {
				t.Errorf("not erased:\n%q", out)
			}
		})
	}
}
