// Command fleet times how six credentials come to many hosts: by rhx sync, by
// ansible's copy, by parallel-scp and by a shell loop of scp, at the same number
// of hosts at once. All of one row run in turn, so that the ratios hold while the
// machine's speed drifts. It judges nothing.
//
//	go run ./.ci/bench/fleet BIN ANSIBLE [HOSTS...]
//
// BIN is the folder with rhx, ANSIBLE that with ansible-playbook; HOSTS are how
// many hosts there are, 1, 16 and 64 by default.
//
// The hosts are sshd processes on ports of 127.0.0.1, with a home folder each, and
// so share this machine's processors with the clients: with many of them what
// sshd needs is most of every time. The others have it as easy as can be: ansible
// gathers no facts and uses pipelining, scp puts all six files into one folder,
// without a folder to make or a mode to set, and none of both looks at what is there.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	parallel = 32
	// How often each is run for a row; the slow ones less often.
	runs, slowRuns = 5, 2
)

func main() {
	if err := fleet(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func fleet(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: fleet BIN ANSIBLE [HOSTS...]")
	}
	counts := []int{1, 16, 64}
	if len(args) > 2 {
		counts = nil
		for _, a := range args[2:] {
			n, err := strconv.Atoi(a)
			if err != nil {
				return err
			}
			counts = append(counts, n)
		}
	}
	b := &bench{rhx: filepath.Join(args[0], "rhx"), ansible: filepath.Join(args[1], "ansible-playbook")}
	defer b.close()
	if err := b.prepare(slices.Max(counts)); err != nil {
		return err
	}
	fmt.Printf("%-6s %-6s %-18s %10s %12s %14s %14s\n", "hosts", "delay", "", "median", "rhx takes", "memory (KiB)", "KiB per host")
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		for _, n := range counts {
			if err := b.row(n, delay); err != nil {
				return err
			}
		}
	}
	return nil
}

// row prints a row: one number of hosts, with one delay of a round trip.
func (b *bench) row(n int, delay time.Duration) error {
	if err := b.clientFiles(n, delay); err != nil {
		return err
	}
	type contender struct {
		name   string
		runs   int
		cmd    func() *exec.Cmd
		times  []time.Duration
		memory []int64
	}
	slow := slowRuns
	if n > 32 {
		slow = 1 // minutes each
	}
	all := []*contender{
		{name: "rhx sync", runs: runs, cmd: b.sync},
		{name: "parallel-scp", runs: runs, cmd: b.pscp},
		{name: "loop of scp", runs: slow, cmd: b.loop},
		{name: "ansible copy", runs: slow, cmd: b.copy},
	}
	for i := range runs {
		for _, c := range all {
			if i >= c.runs {
				continue
			}
			if err := b.emptyHomes(n); err != nil {
				return err
			}
			cmd := c.cmd()
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			start := time.Now()
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w\n%s", c.name, err, &out)
			}
			c.times = append(c.times, time.Since(start))
			c.memory = append(c.memory, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			if err := b.arrived(n); err != nil {
				return fmt.Errorf("%s: %w\n%s", c.name, err, &out)
			}
		}
	}
	for _, c := range all {
		slices.Sort(c.times)
		slices.Sort(c.memory)
		median, memory := c.times[len(c.times)/2], c.memory[len(c.memory)/2]
		line := fmt.Sprintf("%-6d %-6s %-18s %10s", n, delay, c.name, median.Round(time.Millisecond))
		if c == all[0] {
			b.rhxMedian = median
			line += fmt.Sprintf(" %12s %14d %14d", "", memory, memory/int64(n))
		} else {
			line += fmt.Sprintf(" %11.1f%%", 100*float64(b.rhxMedian)/float64(median))
		}
		fmt.Println(line)
	}
	return nil
}

func (b *bench) names() []string {
	names := make([]string, b.hosts)
	for i := range names {
		names[i] = hostName(i)
	}
	return names
}

func hostName(i int) string { return fmt.Sprintf("h%02d", i+1) }

func (b *bench) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"HOME=" + b.home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	return cmd
}

func (b *bench) sync() *exec.Cmd {
	args := []string{"sync", "-q", "--parallel", strconv.Itoa(parallel)}
	for _, c := range credentials() {
		args = append(args, "-s", c.secret)
	}
	cmd := b.command(b.rhx, append(args, b.names()...)...)
	cmd.Env = append(cmd.Env, "PATH="+b.file("bin")+":"+os.Getenv("PATH")) // an ssh that reads the fleet's configuration
	return cmd
}

func (b *bench) localFiles() []string {
	var files []string
	for _, c := range credentials() {
		files = append(files, filepath.Join(b.home, c.path))
	}
	return files
}

func (b *bench) pscp() *exec.Cmd {
	args := []string{"-h", b.file("hosts"), "-p", strconv.Itoa(parallel), "-t", "0", "-x", "-q -F " + b.file("ssh_config")}
	return b.command("parallel-scp", append(append(args, b.localFiles()...), ".")...)
}

func (b *bench) loop() *exec.Cmd {
	script := `config=$1; hosts=$2; shift 2; while read -r h; do scp -q -F "$config" "$@" "$h:." </dev/null || exit; done <"$hosts"`
	return b.command("sh", append([]string{"-c", script, "sh", b.file("ssh_config"), b.file("hosts")}, b.localFiles()...)...)
}

func (b *bench) copy() *exec.Cmd {
	cmd := b.command(b.ansible, "-i", b.file("hosts"), "-f", strconv.Itoa(parallel), b.file("playbook.yml"))
	// A new connection for each run, kept for the tasks of this one.
	b.round++
	control := filepath.Join(b.dir, fmt.Sprintf("c%d", b.round))
	cmd.Env = append(cmd.Env, "ANSIBLE_PIPELINING=1", "ANSIBLE_SSH_CONTROL_PATH_DIR="+control, "ANSIBLE_LOCAL_TEMP="+b.file("ansible"), "ANSIBLE_HOST_KEY_CHECKING=1",
		"ANSIBLE_SSH_ARGS=-F "+b.file("ssh_config")+" -o ControlMaster=auto -o ControlPersist=5s")
	return cmd
}
