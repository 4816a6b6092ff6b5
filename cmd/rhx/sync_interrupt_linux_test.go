package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// held is a wire on which bytes wait, from some point on, until they may go on or
// the connection is cut.
type held struct {
	once         sync.Once
	holds, after chan struct{}
	cut          error
}

// from returns the toll that holds what when says.
func (h *held) from(when func(up bool, total int) bool) sshtest.Toll {
	h.holds, h.after = make(chan struct{}), make(chan struct{})
	return func(up bool, total int) error {
		if !when(up, total) {
			return nil
		}
		h.once.Do(func() { close(h.holds) })
		<-h.after
		return h.cut
	}
}

// interrupted is a sync of which one host is done, one has said nothing yet, one
// has half of what is to be written, and one all of it, without its answer.
type interrupted struct {
	*network
	calling, writing, written held
	cmd                       *exec.Cmd
	stdout, stderr            *bufio.Reader
	said                      string // on stderr
}

func interruptSync(t *testing.T) *interrupted {
	t.Helper()
	s := &interrupted{network: newNetwork(t)}
	s.add("done", hostOptions{})
	s.add("calling", hostOptions{toll: s.calling.from(func(up bool, _ int) bool { return !up })})
	s.add("writing", hostOptions{toll: s.writing.from(func(up bool, total int) bool { return up && total > 48<<10 })})
	written := s.add("written", hostOptions{wired: true})
	last := filepath.Join(written.Home, gcpFilePath)
	written.wire.Repair(s.written.from(func(up bool, _ int) bool {
		_, err := os.Stat(last)
		return !up && err == nil
	}))
	s.withThree()
	for name := range s.hosts {
		s.put(name, awsFilePath, "# ours\n")
	}
	s.cmd = s.command("sync", "-s", "aws", "-s", "gcp", "done", "calling", "writing", "written")
	out, err := s.cmd.StdoutPipe()
	s.check(err)
	errs, err := s.cmd.StderrPipe()
	s.check(err)
	s.stdout, s.stderr = bufio.NewReader(out), bufio.NewReader(errs)
	s.start(s.cmd)
	for _, want := range []string{"done: aws: ", "done: gcp: "} {
		if line, err := s.stdout.ReadString('\n'); !strings.HasPrefix(line, want) {
			rest, _ := io.ReadAll(s.stderr)
			t.Fatalf("%q, %v\n%s", line, err, rest)
		}
	}
	for _, h := range []*held{&s.calling, &s.writing, &s.written} {
		<-h.holds
	}
	s.check(s.cmd.Process.Signal(os.Interrupt))
	for !strings.Contains(s.said, "warning: interrupted") {
		line, err := s.stderr.ReadString('\n')
		s.check(err)
		s.said += line
	}
	return s
}

// Ctrl-C: hosts that are being written are waited for, all others are as they
// were; --retry-failed does those.
func TestSyncInterrupted(t *testing.T) {
	t.Parallel()
	s := interruptSync(t)
	close(s.writing.after)
	close(s.written.after)
	var out, errs bytes.Buffer
	_, err := io.Copy(&out, s.stdout)
	s.check(err)
	_, err = io.Copy(&errs, s.stderr)
	s.check(err)
	_ = s.cmd.Wait()
	if code := s.cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("%v, not exit status 3\n%s%s", s.cmd.ProcessState, &out, &errs)
	}
	for _, want := range []string{"writing: aws: ~/.aws/credentials updated", "written: aws: ~/.aws/credentials updated", "writing: gcp: ", "written: gcp: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	if said := s.said + errs.String(); strings.Count(said, "\n") != 3 || !strings.Contains(said, "1 of 4 machines failed; rhx sync --retry-failed tries them again\n") || !strings.Contains(said, "rhx: calling: interrupted before anything was written there\n") {
		t.Errorf("stderr is\n%s", said)
	}
	if got := s.file("calling", awsFilePath); got != "# ours\n" {
		t.Errorf("calling has %q", got)
	}
	s.noLeftovers()
	close(s.calling.after)
	again, _ := s.does(0, "sync", "--retry-failed")
	if !strings.Contains(again, "calling: aws: ~/.aws/credentials updated") || strings.Contains(again, "writing") {
		t.Errorf("again:\n%s", again)
	}
}

// A second Ctrl-C ends rhx at once, and each file is the old or the new one all the same.
func TestSyncInterruptedTwice(t *testing.T) {
	t.Parallel()
	s := interruptSync(t)
	s.check(s.cmd.Process.Signal(os.Interrupt))
	_ = s.cmd.Wait()
	if ws := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGINT {
		t.Errorf("%v, not ended by SIGINT", s.cmd.ProcessState)
	}
	s.writing.cut = errors.New("rhx is gone")
	for _, h := range []*held{&s.calling, &s.writing, &s.written} {
		close(h.after)
	}
	for name, h := range s.hosts {
		// What had arrived may still be at work.
		for deadline := time.Now().Add(time.Minute); h.Open() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s does not notice that rhx is gone", name)
			}
		}
		aws, gcp := s.file(name, awsFilePath), s.file(name, gcpFilePath)
		if old := aws == "# ours\n" && gcp == "(none)"; old != (name == "calling" || name == "writing") {
			t.Errorf("%s: old is %v", name, old)
		}
		if aws != "# ours\n" && aws != "# ours\n\n"+netAWS {
			t.Errorf("%s: %q", name, aws)
		}
		if gcp != "(none)" && !strings.Contains(gcp, `"refresh_token": "`+strings.Repeat("FAKE", 16<<10)+`"`) {
			t.Errorf("%s: gcp's file has %d bytes", name, len(gcp))
		}
	}
	s.noLeftovers()
}
