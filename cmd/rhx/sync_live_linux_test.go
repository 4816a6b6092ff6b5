package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// While a host keeps a sync waiting, a line on the terminal says so; what is done
// is printed above it, and at the end nothing of it is left.
func TestSyncLiveLine(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.add("quick", hostOptions{})
	n.add("broken", hostOptions{otherKey: true})
	n.add("stuck", hostOptions{wired: true})
	n.save("lambda", rhSecrets()["lambda"])
	var stuck held
	n.hosts["stuck"].wire.Repair(stuck.from(func(up bool, _ int) bool { return !up }))
	cmd := n.command("sync", "quick", "broken", "stuck", "-s", "lambda")
	s := n.onTerminal(cmd)
	s.waitFor("\r1 of 3 done, 1 failed, 1 running: stuck ")
	close(stuck.after)
	out := s.rest()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	at := strings.Index(out, "\r1 of 3 done, 1 failed, 1 running: stuck ")
	if i := strings.Index(out, "quick: lambda: ~/.lambda_cloud/lambda_keys created"); i < 0 || i > at {
		t.Errorf("what is done is not above the line:\n%q", out)
	}
	// Failures come at the end, those of one cause together.
	if i := strings.Index(out, "broken: "); i < at {
		t.Errorf("what failed is not said at the end:\n%q", out)
	}
	// The last that was drawn is erased before the last host's outcome.
	last := out[strings.LastIndex(out, "running: stuck "):]
	if !regexp.MustCompile(`^running: stuck \d+s\x1b\[K\r\x1b\[Kstuck: lambda: `).MatchString(last) || strings.Count(last, " of 3 done") > 0 {
		t.Errorf("the end is %q", last)
	}
}

// While a host keeps rhx status waiting, the table is there with what is known by then; at
// the end the whole one stands in its place.
func TestStatusFillsIn(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.add("quick", hostOptions{})
	n.add("stuck", hostOptions{wired: true})
	n.save("lambda", rhSecrets()["lambda"])
	n.put("", "rhx.yaml", "version: 1\nsecrets: {lambda: }\nbundles: {b: {files: [lambda]}}\nhosts: {both: {addresses: [quick, stuck], bundles: b}}\n")
	var stuck held
	n.hosts["stuck"].wire.Repair(stuck.from(func(up bool, _ int) bool { return !up }))
	cmd := n.command("status", "--manifest", filepath.Join(n.home, "rhx.yaml"), "--yes", "--color", "never")
	s := n.onTerminal(cmd)
	s.waitFor("lambda  same   missing  missing  ...\r\n")
	close(stuck.after)
	out := s.rest()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	last := out[strings.LastIndex(out, "\x1b[J")+len("\x1b[J"):]
	if last != "SECRET  store  local    quick    stuck\r\nlambda  same   missing  missing  missing\r\n" {
		t.Errorf("the end is %q\nof %q", last, out)
	}
}
