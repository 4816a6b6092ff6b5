package machine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/machine"
)

// markOf reads the mark out of the script that a host gets, as a hostile one can.
func markOf(ch ssh.Channel) []byte {
	buf := make([]byte, 64<<10)
	n, _ := io.ReadAtLeast(ch, buf, 100)
	_, rest, _ := bytes.Cut(buf[:n], []byte("M='"))
	mark, _, _ := bytes.Cut(rest, []byte("'"))
	return mark
}

// floods are ways to fill the memory of who asked.
var floods = map[string]func(ch ssh.Channel){
	"noise": func(ch ssh.Channel) { pour(ch, bytes.Repeat([]byte("x"), 32<<10)) },
	"one file": func(ch ssh.Channel) {
		mark := string(markOf(ch))
		fmt.Fprintf(ch, "%sstart\n%sfile 0\n/x%slist\n-rw------- 1 0 0 9999999999 x\n%sdata\n", mark, mark, mark, mark)
		pour(ch, bytes.Repeat([]byte("x"), 32<<10))
	},
	"many files": func(ch ssh.Channel) {
		mark := string(markOf(ch))
		fmt.Fprintf(ch, "%sstart\n", mark)
		file := []byte(fmt.Sprintf("%sfile 0\n/x%slist\n-rw------- 1 0 0 3000000 x\n%sdata\n%s%send 0\n", mark, mark, mark, strings.Repeat("y", 3_000_000), mark))
		pour(ch, file)
	},
	"many small parts": func(ch ssh.Channel) {
		mark := string(markOf(ch))
		fmt.Fprintf(ch, "%sstart\n", mark)
		pour(ch, []byte(strings.Repeat(mark+"a b c d e f g h i j k l m\n", 500)))
	},
	"a long line of words": func(ch ssh.Channel) {
		mark := string(markOf(ch))
		fmt.Fprintf(ch, "%sstart\n%s", mark, mark)
		pour(ch, []byte(strings.Repeat("a ", 16<<10)))
	},
	"standard error": func(ch ssh.Channel) { pour(ch.Stderr(), bytes.Repeat([]byte("x"), 32<<10)) },
}

func pour(w io.Writer, data []byte) {
	for {
		if _, err := w.Write(data); err != nil {
			return
		}
	}
}

func init() { readsHostile = readHostile }

// readHostile is a process that reads files of hosts at once, and says how much
// memory it needed at most. The hosts are blocks of the ssh_config.
func readHostile(config string, hosts []string) {
	var wait sync.WaitGroup
	for _, h := range hosts {
		wait.Go(func() {
			o := machine.SSHOptions{ConfigFile: config}
			machine.SetAnswerWithin(&o, 3*time.Second)
			m := machine.SSH(h, o)
			defer m.Close()
			if _, err := m.Read(context.Background(), []string{"/x", "/y"}); err == nil {
				fmt.Println("it is an answer")
			}
			if _, err := m.Info(context.Background(), []string{"A"}); err == nil {
				fmt.Println("it is an answer")
			}
		})
	}
	wait.Wait()
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Println(strings.Fields(kib)[0])
		}
	}
	os.Exit(0)
}

// A host that sends without end does not fill this machine's memory, nor do
// several together.
func TestSSHHostileHostsAreBounded(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			var config strings.Builder
			var hosts []string
			for i := range 3 {
				f := newFake(t, "/bin/sh")
				f.instead = flood
				known := filepath.Join(t.TempDir(), "known_hosts")
				host, port, _ := net.SplitHostPort(f.addr)
				check(t, os.WriteFile(known, fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(f.signer.PublicKey())), 0o600))
				hosts = append(hosts, fmt.Sprintf("h%d", i))
				fmt.Fprintf(&config, "Host h%d\n HostName %s\n Port %s\n User x\n IdentityFile none\n UserKnownHostsFile %s\n", i, host, port, known)
			}
			file := filepath.Join(t.TempDir(), "config")
			check(t, os.WriteFile(file, []byte(config.String()), 0o600))
			for _, n := range []int{1, 3} {
				cmd := exec.Command(self, append([]string{file}, hosts[:n]...)...)
				cmd.Env = append(os.Environ(), role+"=hostile")
				out, err := cmd.CombinedOutput()
				check(t, err)
				kib, err := strconv.Atoi(strings.TrimSpace(string(out)))
				if err != nil {
					t.Fatalf("%s", out)
				}
				t.Logf("%d hosts: %d MiB", n, kib>>10)
				if limit := (50 + n*40) * raceFactor; kib>>10 > limit {
					t.Errorf("%d hosts need %d MiB, more than %d", n, kib>>10, limit)
				}
			}
		})
	}
}

// A host that sends a byte now and then does not hold a command for ever.
func TestSSHAnswerHasADeadline(t *testing.T) {
	f := newFake(t, "/bin/sh")
	f.instead = func(ch ssh.Channel) {
		mark := markOf(ch)
		_, err := ch.Write(append(mark, "start\n"...))
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ; err == nil; <-tick.C {
			_, err = ch.Write([]byte("x"))
		}
	}
	m := f.machine(func(o *machine.SSHOptions) { machine.SetAnswerWithin(o, 500*time.Millisecond) })
	start := time.Now()
	for name, op := range map[string]func() error{
		"info":  func() error { _, err := m.Info(t.Context(), nil); return err },
		"read":  func() error { _, err := m.Read(t.Context(), []string{"/x"}); return err },
		"write": func() error { _, err := m.Write(t.Context(), []machine.Change{{Path: "/x"}}); return err },
	} {
		if err := op(); err == nil || !strings.Contains(err.Error(), "not whole after 500ms") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("it took %v", d)
	}
}

// What is asked for is got, however large it may be: the bounds are no smaller.
func TestSSHLargestAnswers(t *testing.T) {
	f := newFake(t, "/bin/sh")
	m := f.machine()
	var paths []string
	data := bytes.Repeat([]byte("0123456789abcde\n"), machine.MaxFile/16)
	for i := range 3 {
		p := filepath.Join(f.home, fmt.Sprint(i))
		check(t, os.WriteFile(p, data, 0o644))
		paths = append(paths, p)
	}
	check(t, os.WriteFile(filepath.Join(f.home, "larger"), append(data, 'x'), 0o644))
	files, err := m.Read(t.Context(), append(paths, filepath.Join(f.home, "larger")))
	check(t, err)
	for _, file := range files[:3] {
		if file.Err != nil || !bytes.Equal(file.Data, data) {
			t.Errorf("%s: %d bytes, %v", file.Path, len(file.Data), file.Err)
		}
	}
	if !errors.Is(files[3].Err, machine.ErrTooLarge) {
		t.Error(files[3].Err)
	}
	pattern, err := m.Read(t.Context(), []string{f.home + "/[012]"})
	if err != nil || len(pattern) != 3 || !bytes.Equal(pattern[2].Data, data) {
		t.Errorf("%d files, %v", len(pattern), err)
	}
}
