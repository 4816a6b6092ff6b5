package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// rhx is linked without the C library, and finds a host that only the name service of
// this machine knows: here that is a file of libnss-wrapper.
func TestAHostOfTheNameService(t *testing.T) {
	t.Parallel()
	library, err := filepath.Glob("/usr/lib/*/libnss_wrapper.so")
	if err != nil || len(library) == 0 {
		t.Fatal("libnss_wrapper.so is not there: run make test-deps")
	}
	home, s := homeWithFiles(t), sshtest.Start(t, sshtest.Options{})
	writeHome(t, home, "known", "gpu "+strings.Join(s.HostKeys, "\ngpu ")+"\n")
	config := fmt.Sprintf("Host gpu\n  HostName gpu.local\n  Port %d\n  User %s\n  IdentityFile %s\n  HostKeyAlias gpu\n  UserKnownHostsFile %s/known\n", s.Port, s.User, s.IdentityFile, home)
	writeHome(t, home, ".ssh/config", config)
	writeHome(t, home, "hosts", s.Host+" gpu.local\n")
	cmd := exec.Command(plainProgram(t), "run", "--on", "gpu", "-s", "openai", "--", "printenv", "OPENAI_API_KEY")
	cmd.Env = environ(home, "LD_PRELOAD="+library[0], "NSS_WRAPPER_HOSTS="+filepath.Join(home, "hosts"))
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "fake-one\n" {
		t.Errorf("%v\n%s", err, out)
	}
	// Nobody else has it.
	if err := os.WriteFile(filepath.Join(home, "hosts"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(plainProgram(t), "run", "--on", "gpu", "-s", "openai", "--", "true")
	cmd.Env = environ(home)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "gpu.local") {
		t.Errorf("%v\n%s", err, out)
	}
}
