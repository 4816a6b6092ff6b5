package machine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/machinetest"
)

// containerStandIn is docker exec and kubectl exec with a folder for a container: its
// processes are of this machine, and its home is the folder.
const containerStandIn = `#!/bin/sh
tool=${0##*/}
printf '%s\n' "$tool $*" >> "$CONTAINERS/calls"
env | grep -o '^RHX_[A-Z]*_PASSPHRASE' >> "$CONTAINERS/passphrases"
[ "$1" = exec ] || exit 125
shift
name= tty=
while [ $# -gt 0 ]; do
	case $1 in
	-i | --quiet) ;;
	-t) tty=1 ;;
	-n) name=$2/; shift ;;
	-c) name=$name/$2; shift ;;
	--) shift; break ;;
	-*) echo "unknown option $1" >&2; exit 125 ;;
	*) name=$name$1; [ "$tool" = kubectl ] || { shift; break; } ;;
	esac
	shift
done
[ -d "$CONTAINERS/$name" ] || { echo "Error: No such container: $name" >&2; exit 1; }
[ -z "$tty" ] || [ -t 0 ] || { echo "the input device is not a TTY" >&2; exit 1; }
[ "$1" = sh ] || exit 126
cd / && exec env -i PATH="$PATH" HOME="$CONTAINERS/$name" RHX_TEST_A=one RHX_TEST_B="two \$x '" "$@"
`

// containers makes a folder for each name, and puts the stand-ins first in PATH.
func containers(t *testing.T, names ...string) (root string) {
	t.Helper()
	root = t.TempDir()
	bin := t.TempDir()
	for _, tool := range []string{"docker", "kubectl"} {
		if err := os.WriteFile(filepath.Join(bin, tool), []byte(containerStandIn), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CONTAINERS", root)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return root
}

func inContainer(t *testing.T, target string) machine.Machine {
	t.Helper()
	m := machine.SSH(target, machine.SSHOptions{})
	t.Cleanup(func() { m.Close() })
	return m
}

func TestContainerConformance(t *testing.T) {
	root := containers(t, "web")
	machinetest.Run(t, machinetest.Target{
		Machine: inContainer(t, "docker:web"), Files: machinetest.OS{T: t}, Home: filepath.Join(root, "web"), OS: "linux",
		Env: map[string]string{"RHX_TEST_A": "one", "RHX_TEST_B": "two $x '"}, Root: os.Geteuid() == 0,
	})
}

func runIn(t *testing.T, target string, spec machine.RunSpec) (status int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	spec.Stdout, spec.Stderr = &stdout, &stderr
	status, err := inContainer(t, target).(machine.Runner).Run(t.Context(), spec)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	return status, stdout.String(), stderr.String()
}

// Without an rhx in the container nothing leads from there to this machine. No SSH server
// is to blame.
func TestContainerReach(t *testing.T) {
	containers(t, "web")
	_, err := inContainer(t, "docker:web").(machine.Runner).Run(t.Context(), machine.RunSpec{Argv: []string{"true"}, Reach: &machine.Reach{Address: "127.0.0.1:1"}})
	if err == nil || !strings.Contains(err.Error(), "docker:web: a container has no SSH server that opens a port, and an rhx in it is needed for that: no rhx there listens") || fault.Hint(err) != "have this version of rhx in the PATH there" {
		t.Errorf("%v (%s)", err, fault.Hint(err))
	}
}

// A command gets its variables and its input, and no list of processes shows them.
func TestContainerRun(t *testing.T) {
	root := containers(t, "web", "ns/pod")
	for _, target := range []string{"docker:web", "k8s:ns/pod"} {
		status, out, said := runIn(t, target, machine.RunSpec{
			Argv: []string{"sh", "-c", `printf '%s/%s/%s/' "$FAKE" "$RHX_TEST_A" "$1"; cat; echo err >&2; exit 7`, "x", "it's $HOME"},
			Env:  []machine.Var{{Name: "FAKE", Value: "fake 'value'\n\x01"}}, Unset: []string{"RHX_TEST_A"}, Stdin: strings.NewReader("input\n"),
		})
		if status != 7 || out != "fake 'value'\n\x01//it's $HOME/input\n" || said != "err\n" {
			t.Errorf("%s: %d %q %q", target, status, out, said)
		}
		// Files of a command, which go with it.
		status, out, _ = runIn(t, target, machine.RunSpec{
			Argv:  []string{"sh", "-c", `cat "$FILE"; echo "$FILE"`},
			Files: []machine.RunFile{{Path: "a/b", Data: []byte("fake content\n")}}, FileVars: []machine.Var{{Name: "FILE", Value: "a/b"}},
		})
		content, file, _ := strings.Cut(strings.TrimSuffix(out, "\n"), "\n")
		if _, err := os.Stat(filepath.Dir(filepath.Dir(file))); status != 0 || content != "fake content" || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %d %q %v", target, status, out, err)
		}
		if status, _, _ := runIn(t, target, machine.RunSpec{Argv: []string{"/not/there"}}); status != 127 {
			t.Errorf("%s: %d", target, status)
		}
	}
	calls, err := os.ReadFile(filepath.Join(root, "calls"))
	if err != nil || bytes.Contains(calls, []byte("fake")) || bytes.Contains(calls, []byte("input")) {
		t.Errorf("%v\n%s", err, calls)
	}
}

// docker and kubectl pass no signals on: rhx sends them into the container.
func TestContainerSignals(t *testing.T) {
	containers(t, "web")
	signals := make(chan string, 1)
	out, in := io.Pipe()
	go func() {
		buf := make([]byte, 64)
		for seen := ""; !strings.Contains(seen, "ready"); {
			n, err := out.Read(buf)
			if err != nil {
				return
			}
			seen += string(buf[:n])
		}
		signals <- "TERM"
		_, _ = io.Copy(io.Discard, out)
	}()
	still, hold := io.Pipe()
	defer hold.Close()
	status, err := inContainer(t, "docker:web").(machine.Runner).Run(t.Context(), machine.RunSpec{
		Argv: []string{"sh", "-c", "trap 'exit 7' TERM; echo ready; cat"}, Stdin: still, Stdout: in, Signals: signals,
	})
	if err != nil || status != 7 {
		t.Errorf("%d %v", status, err)
	}
}

func TestContainerCancelled(t *testing.T) {
	containers(t, "web")
	ctx, cancel := context.WithCancel(t.Context())
	still, hold := io.Pipe()
	defer hold.Close()
	_, err := inContainer(t, "docker:web").(machine.Runner).Run(ctx, machine.RunSpec{Argv: []string{"cat"}, Stdin: still, Started: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A command with a terminal has one of its own, of the size that was asked for, and what it
// is sent comes as it is.
func TestContainerTerminal(t *testing.T) {
	containers(t, "web")
	status, out, _ := runIn(t, "docker:web", machine.RunSpec{
		Argv: []string{"sh", "-c", `test -t 0 && test -t 1 && stty size; read x; printf '<%s><%s><%s>' "$x" "$TERM" "$FAKE" | od -An -c; exit 5`},
		Env:  []machine.Var{{Name: "FAKE", Value: "a\x03\x04\r\n\tb"}}, Stdin: strings.NewReader("typed\n"), TTY: true, Term: "vt100", Size: machine.Size{Columns: 101, Rows: 41},
	})
	flat := strings.Join(strings.Fields(out), " ")
	if status != 5 || !strings.Contains(flat, "41 101") || !strings.Contains(flat, `< t y p e d > < v t 1 0 0 > < a 003 004 \r \n \t b >`) {
		t.Errorf("%d %q", status, out)
	}
	if strings.Contains(out, "FAKE") {
		t.Errorf("what was sent is shown: %q", out)
	}
}

// What can be wrong is said, and nothing is run by a name.
func TestContainerErrors(t *testing.T) {
	root := containers(t, "web", "ns/pod")
	info := func(target string) error {
		_, err := inContainer(t, target).Info(t.Context(), nil)
		return err
	}
	if err := info("docker:away"); err == nil || !strings.Contains(err.Error(), "docker:away: docker exec runs no sh there; it says: Error: No such container: away") {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(root, "calls")); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{
		"docker:", "docker:-v/:/x", "docker:--privileged", "docker:a b", "docker:a/b", "docker:../x", "docker:.x", "docker:a;b", "docker:a\nb", "docker:" + strings.Repeat("a", 300),
		"k8s:", "k8s:pod", "k8s:ns/", "k8s:/pod", "k8s:ns/-n", "k8s:--context=x/pod", "k8s:a/b/c/d", "k8s:a/b/", "k8s:ns/pod name", "k8s:$(id)/pod",
	} {
		if err := info(target); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), fmt.Sprintf("%q: want ", target)) {
			t.Errorf("%q: %v", target, err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "calls")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a program was run")
	}
	t.Setenv("PATH", t.TempDir())
	for target, program := range map[string]string{"docker:web": "docker", "k8s:ns/pod": "kubectl"} {
		if err := info(target); err == nil || !strings.HasPrefix(err.Error(), target+": the command "+program+" is not here") || fault.Hint(err) == "" {
			t.Error(err)
		}
	}
}

// A closed machine has no processes left, and says so.
func TestContainerClosed(t *testing.T) {
	containers(t, "web")
	m := inContainer(t, "docker:web")
	if _, err := m.Info(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Info(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}

// docker, kubectl and what they start get no passphrase of rhx.
func TestContainerToolsHaveNoPassphrase(t *testing.T) {
	root := containers(t, "web", "ns/pod")
	for _, name := range []string{"RHX_AGE_PASSPHRASE", "RHX_BACKUP_PASSPHRASE", "RHX_IMPORT_PASSPHRASE"} {
		t.Setenv(name, "fake")
	}
	for _, target := range []string{"docker:web", "k8s:ns/pod"} {
		if status, _, said := runIn(t, target, machine.RunSpec{Argv: []string{"true"}}); status != 0 {
			t.Error(status, said)
		}
	}
	if got, err := os.ReadFile(filepath.Join(root, "passphrases")); err != nil || len(got) > 0 {
		t.Errorf("%s, %v", got, err)
	}
}
