package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The npm packages of all platforms say where they can be installed, and have their
// programs; the one that people install has them as optional dependencies.
func TestNpmPackages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	output(t, "", nil, "node", "../npm/package.js", dir, "1.2.3-rc.1", textsOfPlatforms(t), "../../LICENSE")
	type packageJSON struct {
		Name, Version        string
		OS, CPU, Files       []string
		Bin                  map[string]string
		OptionalDependencies map[string]string
		Scripts              map[string]string
	}
	read := func(name string) (p packageJSON) {
		data, err := os.ReadFile(filepath.Join(dir, name, "package.json"))
		if err == nil {
			err = json.Unmarshal(data, &p)
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Version != "1.2.3-rc.1" || p.Scripts != nil {
			t.Errorf("%s has version %s, and the scripts %v", name, p.Version, p.Scripts)
		}
		return p
	}
	main := read("rhx")
	for platform, of := range map[string]string{
		"linux-x64": "linux_amd64", "linux-arm64": "linux_arm64", "darwin-x64": "darwin_amd64",
		"darwin-arm64": "darwin_arm64", "win32-x64": "windows_amd64", "win32-arm64": "windows_arm64",
	} {
		system, processor, _ := strings.Cut(platform, "-")
		p := read("rhx-" + platform)
		if p.Name != "@rhx-dev/rhx-"+platform || len(p.OS) != 1 || p.OS[0] != system || len(p.CPU) != 1 || p.CPU[0] != processor {
			t.Errorf("rhx-%s is %+v", platform, p)
		}
		if main.OptionalDependencies[p.Name] != p.Version {
			t.Errorf("@rhx-dev/rhx does not have %s in %v", p.Name, main.OptionalDependencies)
		}
		// The licences of what the programs link ask that their texts go with them.
		if _, err := os.Stat(filepath.Join(dir, "rhx-"+platform, "THIRD_PARTY_NOTICES")); err != nil || !slices.Contains(p.Files, "THIRD_PARTY_NOTICES") {
			t.Errorf("rhx-%s has no notices: %v, %q", platform, err, p.Files)
		}
		exe := ""
		if system == "win32" {
			exe = ".exe"
		}
		for _, name := range []string{"rhx", "rhx-full"} {
			file := filepath.Join(dir, "rhx-"+platform, "bin", name+exe)
			data, err := os.ReadFile(file)
			info, statErr := os.Stat(file)
			if err := errors.Join(err, statErr); err != nil {
				t.Fatal(err)
			}
			if string(data) != name+" of "+of || info.Mode().Perm() != 0o755 {
				t.Errorf("%s: %q, mode %v", file, data, info.Mode())
			}
		}
	}
	if len(main.OptionalDependencies) != 6 || len(main.Bin) != 4 {
		t.Errorf("@rhx-dev/rhx is %+v", main)
	}
	for name, file := range main.Bin {
		if info, err := os.Stat(filepath.Join(dir, "rhx", file)); err != nil || info.Mode().Perm()&0o111 != 0o111 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// npmProgram stands in for rhx: it says what it was given, and how it ends.
const npmProgram = `#!/bin/sh
case $1 in
status) exit "$2" ;;
signal) kill -"$2" $$ ;;
wait)
	trap 'echo "got $2"; exit 5' "$2"
	echo started
	for i in $(seq 1000); do sleep 0.02; done
	;;
cat) cat ;;
*) echo "rhx $*" ;;
esac
`

// Packed, installed by npm without a network, used by its names, and uninstalled.
func TestNpmInstall(t *testing.T) {
	t.Parallel()
	bin, dir := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(bin, thisPlatform), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rhx", "rhx-full"} {
		if err := os.WriteFile(filepath.Join(bin, thisPlatform, name), []byte(npmProgram), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + dir, "npm_config_update_notifier=false"}
	packages := strings.Fields(output(t, "", env, "sh", "../../.ci/release/npm.sh", t.TempDir(), "v1.2.3", bin))
	if len(packages) != 2 {
		t.Fatalf("packages %q", packages)
	}
	output(t, dir, env, append([]string{"npm", "install", "--offline", "--no-audit", "--no-fund"}, packages...)...)
	if got := output(t, dir, env, "npx", "--offline", "rhx", "version", "a b"); got != "rhx version a b\n" {
		t.Errorf("npx: %q", got)
	}
	at := func(name string) string { return filepath.Join(dir, "node_modules", ".bin", name) }
	for name, want := range map[string]string{
		"git-credential-rhx": "rhx helper git get\n", "docker-credential-rhx": "rhx helper docker get\n", "terraform-credentials-rhx": "rhx helper terraform get\n",
	} {
		if got := output(t, "", nil, at(name), "get"); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	end := func(args ...string) syscall.WaitStatus {
		err := exec.CommandContext(t.Context(), at("rhx"), args...).Run()
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			t.Fatalf("rhx %q: %v", args, err)
		}
		return ended.Sys().(syscall.WaitStatus)
	}
	if got := end("status", "3"); got.ExitStatus() != 3 {
		t.Errorf("status 3: %v", got)
	}
	if got := end("signal", "KILL"); got.Signal() != syscall.SIGKILL {
		t.Errorf("ended by KILL: %v", got)
	}
	if got := end("signal", "TERM"); got.Signal() != syscall.SIGTERM {
		t.Errorf("ended by TERM: %v", got)
	}
	cat := exec.CommandContext(t.Context(), at("rhx"), "cat")
	cat.Stdin = strings.NewReader(strings.Repeat("x", 200_000))
	if out, err := cat.Output(); err != nil || len(out) != 200_000 {
		t.Errorf("cat: %d bytes, %v", len(out), err)
	}
	// Without a terminal each signal is passed on.
	for name, signal := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1} {
		cmd := exec.CommandContext(t.Context(), at("rhx"), "wait", name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		said := make([]byte, len("started\n"))
		if _, err := out.Read(said); err != nil || string(said) != "started\n" {
			t.Fatalf("%q, %v", said, err)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		said = make([]byte, 20)
		n, _ := out.Read(said)
		if err := cmd.Wait(); string(said[:n]) != "got "+name+"\n" || cmd.ProcessState.ExitCode() != 5 {
			t.Errorf("%s: %q, %v", name, said[:n], err)
		}
	}
	own := strings.NewReplacer("_", "-", "amd64", "x64").Replace(thisPlatform)
	if err := os.RemoveAll(filepath.Join(dir, "node_modules", "@rhx-dev", "rhx-"+own)); err != nil { // as --omit=optional
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), at("rhx"), "version").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "which has the program, is not installed") {
		t.Errorf("without the program: %q, %v", out, err)
	}
	output(t, dir, env, "npm", "uninstall", "--offline", "--no-audit", "--no-fund", "@rhx-dev/rhx", "@rhx-dev/rhx-"+own)
	if left, err := filepath.Glob(filepath.Join(dir, "node_modules", "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left by npm uninstall: %q, %v", left, err)
	}
}
