package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// program is a Go program of somebody else, as docs/library.md shows one: it detects,
// saves to Vault, loads a secret whose file only a wasm module writes, syncs to a
// host, and runs a command.
const program = `package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/rhx-dev/rhx/host"
)

func main() {
	ctx := context.Background()
	h, err := host.Open(host.Options{Store: os.Args[1]})
	check(err)
	defer h.Close()
	found, err := h.Detect(ctx)
	check(err)
	fmt.Println("found", len(found))
	saved, err := h.Save(ctx, "aws", "rclone/b2")
	check(err)
	fmt.Println("saved", saved[0].Name, saved[1].Name)
	check(os.Remove(os.Getenv("HOME") + "/.config/rclone/rclone.conf"))
	report, err := h.Load(ctx, "rclone/b2")
	check(err)
	fmt.Println(report[0].Path, report[0].Action)
	report, err = h.Sync(ctx, []string{"gpu"}, "aws")
	check(err)
	fmt.Println(report[0].Machine, report[0].Path, report[0].Action)
	cmd, err := h.Command(ctx, []string{"aws"}, "printenv", "AWS_ACCESS_KEY_ID")
	check(err)
	out, err := cmd.Output()
	check(err)
	fmt.Print("command ", string(out))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
`

func TestProgramOutsideThisModule(t *testing.T) {
	vault := vaulttest.Shared(t)
	sshd := sshtest.Start(t, sshtest.Options{})
	repo, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir, home := t.TempDir(), t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	gomod, err := os.ReadFile(filepath.Join(repo, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	gosum, err := os.ReadFile(filepath.Join(repo, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	_, requirements, _ := strings.Cut(string(gomod), "\n")
	write(filepath.Join(dir, "go.mod"), "module example.org/mine\n"+requirements+"\nrequire github.com/rhx-dev/rhx v0.0.0\nreplace github.com/rhx-dev/rhx => "+repo+"\n", 0o600)
	write(filepath.Join(dir, "go.sum"), string(gosum), 0o600)
	write(filepath.Join(dir, "main.go"), program, 0o600)
	write(filepath.Join(home, ".aws/credentials"), "[default]\naws_access_key_id = "+exampleID+"\naws_secret_access_key = "+exampleKey+"\n", 0o600)
	write(filepath.Join(home, ".config/rclone/rclone.conf"), "[b2]\ntype = b2\naccount = fake-account\nkey = fake-key\n", 0o600)
	// ssh takes the home folder from the user database; this one reads the test's.
	write(filepath.Join(dir, "bin/ssh"), "#!/bin/sh\nexec /usr/bin/ssh -F '"+sshd.Config(sshd.HostBlock("gpu"))+"' \"$@\"\n", 0o700)

	build := exec.Command("go", "build", "-mod=mod", "-o", filepath.Join(dir, "mine"), ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	getenv := vault.Getenv(t, vault.RootToken)
	cmd := exec.Command(filepath.Join(dir, "mine"), "vault://"+vault.MountKV(t, "library", 2, 0)+"/ml")
	cmd.Env = []string{"HOME=" + home, "PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "VAULT_ADDR=" + getenv("VAULT_ADDR"), "VAULT_TOKEN=" + getenv("VAULT_TOKEN")}
	out, err := cmd.CombinedOutput()
	want := "found 3\nsaved aws rclone/b2\n~/.config/rclone/rclone.conf created\ngpu ~/.aws/credentials created\ncommand " + exampleID + "\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\n got %s\nwant %s", err, out, want)
	}
}
