package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// Fake credentials. The one of Google Cloud is large, so that a connection can
// be cut within it.
var (
	netAWS = "[default]\naws_access_key_id = " + "AKIA" + "IOSFODNN7EXAMPLE\naws_secret_access_key = " + strings.Repeat("FAKE", 10) + "\n"
	netHF  = "hf_" + strings.Repeat("FAKE", 8)
	netGCP = `{"type": "authorized_user", "client_id": "x", "client_secret": "FAKE", "refresh_token": "` + strings.Repeat("FAKE", 16<<10) + `"}`
)

const (
	awsFilePath = ".aws/credentials"
	hfFilePath  = ".cache/huggingface/token"
	gcpFilePath = ".config/gcloud/application_default_credentials.json"
)

// withThree puts three secrets into the client's store: aws, gcp, huggingface.
func (n *network) withThree() {
	n.t.Helper()
	n.put("", awsFilePath, netAWS)
	n.put("", hfFilePath, netHF)
	n.put("", gcpFilePath, netGCP)
	n.does(0, "save", "--all")
}

// outcomes are those of sync's JSON: of each host, "SECRET ACTION" in the order of
// the secrets, and the errors.
func outcomes(t *testing.T, data string) (actions, errs map[string]string) {
	t.Helper()
	var list []loadedJSON
	if err := json.Unmarshal([]byte(data), &list); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	actions, errs = map[string]string{}, map[string]string{}
	for _, l := range list {
		actions[l.Machine] = strings.TrimPrefix(fmt.Sprintf("%s, %s %s", actions[l.Machine], l.Secret, l.Action), ", ")
		errs[l.Machine] += l.Error + "\n"
	}
	return actions, errs
}

// tmpfs mounts a file system over a host's home folder.
func (n *network) tmpfs(host, options string) {
	n.t.Helper()
	h := n.hosts[host]
	if err := syscall.Mount("tmpfs", h.Home, "tmpfs", 0, fmt.Sprintf("uid=%d,gid=%d,mode=0700,%s", h.UID, h.GID, options)); err != nil {
		n.t.Fatalf("mount a tmpfs (this test needs root): %v", err)
	}
	n.t.Cleanup(func() { _ = syscall.Unmount(h.Home, syscall.MNT_DETACH) })
}

// A test network of 16 hosts, some of which are as hosts should not be: each has
// the outcome that it should have, what failed is done by --retry-failed once
// the cause is gone, and no host waits for another.
func TestSyncToANetwork(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	// Nobody is served before everybody has called: if hosts were served one after
	// another, or fewer than all at once, none ever would be. So the time is that
	// of the slowest host and not the sum, which a clock could only hint at.
	const direct = 14
	all := newBarrier(direct)
	accepted := func(name string) sshtest.Options { return sshtest.Options{Accepted: func() { all.arrive(name) }} }
	for _, name := range []string{"plain", "same", "merge", "links", "jump-a", "differs", "full", "readonly"} {
		n.add(name, hostOptions{Options: accepted(name)})
	}
	bash := accepted("bash")
	bash.Shell = "/bin/bash"
	n.add("bash", hostOptions{Options: bash})
	small := accepted("dropbear")
	small.Dropbear = true
	n.add("dropbear", hostOptions{Options: small})
	n.add("changed", hostOptions{Options: accepted("changed"), otherKey: true})
	// There is no netem in some kernels: delay and loss are made by a wire in user
	// space. What TCP makes of a lost packet is a pause until it is sent again.
	n.add("far", hostOptions{Options: accepted("far"), delay: 40 * time.Millisecond})
	n.add("lossy", hostOptions{Options: accepted("lossy"), toll: loses()})
	// The connection dies in the middle of the write, which is the only thing to
	// send that is so long.
	dies := errors.New("cut")
	n.add("dying", hostOptions{Options: accepted("dying"), toll: func(up bool, total int) error {
		if up && total > 48<<10 {
			return dies
		}
		return nil
	}})
	n.add("jump-b", hostOptions{jumps: []string{"jump-a"}})
	n.add("behind", hostOptions{jumps: []string{"jump-a", "jump-b"}})
	if len(n.hosts) != 16 {
		t.Fatalf("%d hosts", len(n.hosts))
	}

	n.withThree()
	n.put("same", awsFilePath, netAWS)
	n.put("same", hfFilePath, netHF)
	n.put("same", gcpFilePath, netGCP)
	others := "# ours\n[other]\naws_access_key_id = " + "AKIA" + "I44QHTDHBEXAMPLE\naws_secret_access_key = " + strings.Repeat("KAFE", 10) + "\n"
	n.put("merge", awsFilePath, others)
	n.put("links", "dotfiles/credentials", others)
	n.put("links", ".aws/x", "")
	n.check(os.Symlink("../dotfiles/credentials", filepath.Join(n.hosts["links"].Home, awsFilePath)))
	n.put("differs", hfFilePath, "hf_"+"theirs")
	n.put("dying", hfFilePath, netHF)
	n.tmpfs("full", "size=256k")
	n.put("full", awsFilePath, others)
	fill(t, filepath.Join(n.hosts["full"].Home, "ballast"))
	n.tmpfs("readonly", "size=1m")
	n.put("readonly", awsFilePath, others)
	n.remount("readonly", syscall.MS_RDONLY)

	names := slices.Sorted(maps.Keys(n.hosts))
	out, _ := n.does(3, append([]string{"sync", "-s", "aws", "-s", "gcp", "-s", "huggingface", "-o", "json"}, names...)...)
	actions, errs := outcomes(t, out)
	const created, failed = "aws created, gcp created, huggingface created", "aws failed, gcp failed, huggingface failed"
	want := map[string]string{
		"plain": created, "jump-a": created, "jump-b": created, "behind": created, "bash": created, "dropbear": created, "far": created, "lossy": created,
		"same":  "aws unchanged, gcp unchanged, huggingface unchanged",
		"merge": "aws updated, gcp created, huggingface created", "links": "aws updated, gcp created, huggingface created",
		"differs": "aws created, gcp created, huggingface conflict",
		"full":    failed, "readonly": failed, "changed": failed,
		"dying": "aws failed, gcp failed, huggingface unchanged",
	}
	for _, name := range names {
		if actions[name] != want[name] {
			t.Errorf("%s: %s, not %s:\n%s", name, actions[name], want[name], errs[name])
		}
	}
	for name, why := range map[string]string{
		"full": "no space left on device", "readonly": "read-only file system", "changed": "the host key has changed", "dying": "the connection was lost",
		"differs": "has other values for token",
	} {
		if !strings.Contains(errs[name], why) {
			t.Errorf("%s: the error is %s, without %q", name, errs[name], why)
		}
	}

	// Each file is as it was or as it should be, with nothing beside it.
	merged := others + "\n" + netAWS
	files := func(aws, hf string) map[string]string { return map[string]string{awsFilePath: aws, hfFilePath: hf} }
	is := map[string]map[string]string{
		"merge": files(merged, netHF), "links": files(merged, netHF), "differs": files(netAWS, "hf_"+"theirs"), "dying": files("(none)", netHF),
		"full": files(others, "(none)"), "readonly": files(others, "(none)"), "changed": files("(none)", "(none)"),
	}
	for _, name := range names {
		expected := is[name]
		if expected == nil {
			expected = files(netAWS, netHF)
		}
		if strings.HasPrefix(want[name], "aws failed") {
			expected[gcpFilePath] = "(none)"
		} else if got := n.file(name, gcpFilePath); got != netGCP && !strings.Contains(got, strings.Repeat("FAKE", 16<<10)) {
			t.Errorf("%s: gcp's file has %d bytes", name, len(got))
		}
		for path, text := range expected {
			if got := n.file(name, path); strings.TrimSpace(got) != strings.TrimSpace(text) {
				t.Errorf("%s: %s is\n%s\nand should be\n%s", name, path, got, text)
			}
		}
	}
	if target, err := os.Readlink(filepath.Join(n.hosts["links"].Home, awsFilePath)); target != "../dotfiles/credentials" {
		t.Errorf("the link is gone: %q, %v", target, err)
	}
	n.noLeftovers()

	// One connection for each host, and one for each other that it is the jump of; info, read
	// and, where there is something to write, write.
	for _, name := range names {
		h := n.hosts[name]
		connections, commands := 1, 3
		switch name {
		case "jump-a":
			connections = 3
		case "jump-b":
			connections = 2
		case "same":
			commands = 2
		case "changed":
			commands = 0
		case "dropbear", "dying": // no such log; the cut is no matter of round trips
			commands = h.Commands()
		}
		if h.Connections() != connections || h.Commands() != commands {
			t.Errorf("%s: %d connections, %d commands; want %d and %d", name, h.Connections(), h.Commands(), connections, commands)
		}
	}

	// Once more, when the causes are gone but one: only what failed.
	before := map[string]int{}
	for _, name := range names {
		before[name] = n.hosts[name].Connections()
	}
	n.hosts["dying"].wire.Repair(nil)
	n.check(os.Remove(filepath.Join(n.hosts["full"].Home, "ballast")))
	n.remount("readonly", 0)
	for _, key := range n.hosts["changed"].HostKeys {
		n.known.WriteString("changed " + key + "\n")
	}
	n.writeClient()
	out, _ = n.does(3, "sync", "--retry-failed", "-o", "json")
	actions, errs = outcomes(t, out)
	for name, want := range map[string]string{
		"dying": "aws created, gcp created, huggingface unchanged", "changed": created, "full": "aws updated, gcp created, huggingface created",
		"readonly": "aws updated, gcp created, huggingface created", "differs": "aws unchanged, gcp unchanged, huggingface conflict",
	} {
		if actions[name] != want {
			t.Errorf("%s, again: %s, not %s:\n%s", name, actions[name], want, errs[name])
		}
		before[name]++
	}
	out, _ = n.does(0, "sync", "--retry-failed", "--overwrite", "-o", "json")
	before["differs"]++
	if actions, _ = outcomes(t, out); len(actions) != 1 || actions["differs"] != "aws unchanged, gcp unchanged, huggingface updated" {
		t.Errorf("with --overwrite: %v", actions)
	}
	for _, name := range names {
		if got := n.hosts[name].Connections(); got != before[name] {
			t.Errorf("%s: %d connections, not %d", name, got, before[name])
		}
		if got := strings.TrimSpace(n.file(name, hfFilePath)); got != netHF {
			t.Errorf("%s: the token is %q", name, got)
		}
	}
	n.noLeftovers()
}

func (n *network) remount(host string, flags uintptr) {
	n.t.Helper()
	n.check(syscall.Mount("", n.hosts[host].Home, "", syscall.MS_REMOUNT|flags, ""))
}

// fill writes until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// loses is a wire on which packets get lost, always the same ones: those behind
// wait for as long as Linux waits at first before it sends one again.
func loses() sshtest.Toll {
	var mu sync.Mutex
	source := rand.New(rand.NewPCG(1, 2))
	return func(bool, int) error {
		mu.Lock()
		lost := source.IntN(6) == 0
		mu.Unlock()
		if lost {
			time.Sleep(200 * time.Millisecond)
		}
		return nil
	}
}

// barrier keeps each who arrives until everybody has; who comes again goes through.
type barrier struct {
	mu      sync.Mutex
	arrived map[string]bool
	want    int
	open    chan struct{}
}

func newBarrier(want int) *barrier {
	return &barrier{arrived: map[string]bool{}, want: want, open: make(chan struct{})}
}

func (b *barrier) arrive(name string) {
	b.mu.Lock()
	b.arrived[name] = true
	if len(b.arrived) == b.want {
		select {
		case <-b.open:
		default:
			close(b.open)
		}
	}
	b.mu.Unlock()
	select {
	case <-b.open:
	case <-time.After(time.Minute):
		// The client has given up long ago, and the test will say so.
	}
}

// One connection for a host, and in it one command that asks for what it is, one
// that reads and, where there is something to write, one that writes, however many
// secrets there are.
func TestSyncRoundTrips(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	h := n.add("gpu", hostOptions{})
	n.withThree()
	keys := make([]string, 5)
	for i := range keys {
		keys[i] = fmt.Sprintf("aws/p%d", i)
		text := fmt.Sprintf("[p%d]\naws_access_key_id = %s%04d\naws_secret_access_key = %s\n", i, "AKIA"+"IOSFODNN7EXA", i, strings.Repeat("FAKE", 10))
		n.put("", "keys", text)
		n.does(0, "save", keys[i], "--from", filepath.Join(n.home, "keys"))
	}
	sync := func(more ...string) []string {
		args := []string{"sync", "gpu", "-s", "aws", "-s", "gcp", "-s", "huggingface"}
		for _, k := range keys {
			args = append(args, "-s", k)
		}
		return append(args, more...)
	}
	env := func(more ...string) []string {
		return append([]string{"sync", "gpu", "--env", "-s", "aws", "-s", "huggingface"}, more...)
	}
	// A bundle of both is one visit, and files and variables are written together.
	n.save("lambda", rhSecrets()["lambda"])
	n.put("", "rhx.yaml", "version: 1\nsecrets: {lambda: , huggingface: }\nbundles: {train: {files: lambda, secrets: huggingface, env: {MODE: online}}}\n")
	bundle := []string{"--manifest", filepath.Join(n.home, "rhx.yaml"), "sync", "gpu", "-b", "train", "--yes"}
	for _, c := range []struct {
		what     string
		args     []string
		status   int
		commands int
		before   func()
	}{
		{"a dry run", sync("--dry-run"), 0, 2, nil},
		{"a new host", sync(), 0, 3, nil},
		{"all is there", sync(), 0, 2, nil},
		{"one differs", sync(), 3, 2, func() { n.put("gpu", hfFilePath, "theirs") }},
		{"replaced", sync("--overwrite"), 0, 3, nil},
		{"a new env file", env(), 0, 3, nil},
		{"the same variables", env(), 0, 2, nil},
		{"more variables", env("-s", "gcp"), 0, 3, nil},
		{"a bundle", bundle, 0, 3, nil},
		{"a bundle that is there", bundle, 0, 2, nil},
	} {
		if c.before != nil {
			c.before()
		}
		connections, commands := h.Connections(), h.Commands()
		n.does(c.status, c.args...)
		if connections, commands = h.Connections()-connections, h.Commands()-commands; connections != 1 || commands != c.commands {
			t.Errorf("%s: %d connections, %d commands, not 1 and %d", c.what, connections, commands, c.commands)
		}
	}
}
