package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// serverCommands are testscript commands that start real servers:
//
//	sshd NAME [unknown|changed|dropbear]
//	    start an SSH server that is another user's account, called NAME in
//	    ~/.ssh/config; set $NAME_home to its home folder. unknown: its key is not
//	    in known_hosts; changed: another key is.
//	tmpfs DIR SIZE
//	    mount a file system of that size there, until the script ends
//	clientsite
//	    have what git, docker, pip and other clients sign in to: see clientSiteCommand
//	vault 1|2
//	    mount a KV engine of that version in a real Vault; set VAULT_ADDR,
//	    VAULT_TOKEN, $MOUNT, and put the vault CLI in PATH.
func serverCommands(t *testing.T) map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"sshd":       func(ts *testscript.TestScript, _ bool, args []string) { startSSH(t, ts, args) },
		"tmpfs":      mountTmpfs,
		"clientsite": clientSiteCommand(t),
		"vault":      func(ts *testscript.TestScript, _ bool, args []string) { startVault(t, ts, args) },
	}
}

func startSSH(t *testing.T, ts *testscript.TestScript, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: sshd NAME [unknown|changed|dropbear]")
	}
	cmdRace(ts, false, nil)
	name, kind := args[0], strings.Join(args[1:], " ")
	s := sshtest.Start(t, sshtest.Options{Dropbear: kind == "dropbear"})
	home := ts.Getenv("HOME")
	dir := filepath.Join(home, ".ssh")
	ts.Check(os.MkdirAll(dir, 0o700))
	block := s.HostBlock(name)
	known := filepath.Join(dir, "known_hosts_"+name)
	switch kind {
	case "unknown":
		block = fmt.Sprintf("Host %s\n  UserKnownHostsFile %s\n%s", name, known, block)
	case "changed":
		other := filepath.Join(s.Dir, "other_key")
		s.Keygen("ed25519", other, "")
		pub, err := os.ReadFile(other + ".pub")
		ts.Check(err)
		ts.Check(os.WriteFile(known, fmt.Appendf(nil, "[%s]:%d %s", s.Host, s.Port, pub), 0o600))
		block = fmt.Sprintf("Host %s\n  UserKnownHostsFile %s\n%s", name, known, block)
	}
	f, err := os.OpenFile(filepath.Join(dir, "config"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.WriteString(block + "\n")
	ts.Check(err)
	ts.Check(f.Close())
	ts.Setenv(name+"_home", s.Home)
	ts.Setenv(name+"_user", s.User)
	ts.Setenv(name+"_log", filepath.Join(s.Dir, "sshd.log"))
}

func startVault(t *testing.T, ts *testscript.TestScript, args []string) {
	version, err := strconv.Atoi(strings.Join(args, ""))
	if err != nil {
		ts.Fatalf("usage: vault 1|2")
	}
	cmdRace(ts, false, nil)
	s := vaulttest.Shared(t)
	ts.Setenv("VAULT_ADDR", s.Addr)
	ts.Setenv("VAULT_TOKEN", s.RootToken)
	ts.Setenv("MOUNT", s.MountKV(t, "team/kv", version, 10))
	ts.Setenv("PATH", filepath.Dir(s.Program())+string(filepath.ListSeparator)+ts.Getenv("PATH"))
}

func mountTmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]+",mode=0700"); err != nil {
		ts.Fatalf("mount a tmpfs (this test needs root): %v", err)
	}
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}
