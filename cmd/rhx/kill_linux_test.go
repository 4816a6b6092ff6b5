package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rhx apply is killed at random instants. Each file is then as it was or as it
// is to be, and what is there leads on in both directions: undo makes all as it
// was, or apply finishes.
func TestSoakApplyKilled(t *testing.T) {
	t.Parallel()
	rhx, home := plainProgram(t), filepath.Join(t.TempDir(), "home")
	files := map[string]string{ // before apply; "" for none
		".aws/credentials":          "# mine\n[default]\naws_access_key_id = AKIAFAKEFAKEFAKEFAKE\naws_secret_access_key = fake-old-fake-old-fake-old-fake-old-fake\n",
		".lambda_cloud/lambda_keys": "", ".cache/huggingface/token": "fake-old-token\n", ".config/rhx/env": "",
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(rhx, args...)
		cmd.Dir, cmd.Env = home, environ(home)
		return cmd
	}
	must := func(stdin string, args ...string) {
		t.Helper()
		cmd := command(args...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("rhx %v: %v\n%s", args, err, out)
		}
	}
	now := func(name string) string {
		data, err := os.ReadFile(filepath.Join(home, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(data)
	}
	write("rhx.yaml", "version: 1\nsecrets: {aws: , lambda: , huggingface: , openai: }\n"+
		"bundles: {everything: {files: [aws, lambda, huggingface], secrets: [openai], env: {MODE: prod}}}\nhosts: {here: {addresses: local, bundles: everything}}\n")
	must(`{"access_key": "AKIAFAKEFAKEFAKEFAK2", "secret_key": "fake-new-fake-new-fake-new-fake-new-fake"}`, "save", "aws", "--values", "-")
	must(`{"api_key": "fake-new"}`, "save", "lambda", "--values", "-")
	must(`{"token": "hf_`+strings.Repeat("n", 34)+`"}`, "save", "huggingface", "--values", "-")
	must(`{"api_key": "fake-new"}`, "save", "openai", "--values", "-")
	must("", "trust")
	before := func() {
		for name, text := range files {
			if text == "" {
				_ = os.Remove(filepath.Join(home, name))
			} else {
				write(name, text)
			}
		}
		for _, name := range []string{"journal", "applied.age", "log.jsonl"} {
			_ = os.RemoveAll(filepath.Join(home, ".local/state/rhx", name))
		}
	}
	apply := []string{"apply", "--yes", "--overwrite"}
	before()
	begin := time.Now()
	must("", apply...)
	whole := time.Since(begin)
	after := map[string]string{}
	for name, text := range files {
		if after[name] = now(name); after[name] == text {
			t.Fatalf("apply did not change %s", name)
		}
	}
	check := func(what string, want map[string]string) {
		t.Helper()
		for name, text := range want {
			if got := now(name); got != text {
				t.Fatalf("%s: %s is\n%q, not\n%q", what, name, got, text)
			}
		}
	}
	old, renewed := 0, 0
	rounds := soaked(5, 20) // of two kills each
	for i := range rounds {
		before()
		cmd := command(apply...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(whole + whole/4))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for name, text := range files {
			switch now(name) {
			case text:
				old++
			case after[name]:
				renewed++
			default:
				t.Fatalf("%s is neither old nor new: %q", name, now(name))
			}
		}
		what := fmt.Sprintf("after kill %d", i)
		out, err := command("undo", "--yes").CombinedOutput()
		if err != nil && !strings.Contains(string(out), "nothing is left to undo") {
			t.Fatalf("%s: undo: %v\n%s", what, err, out)
		}
		check(what+" and undo", files)
		if i%4 == 0 {
			must("", apply...)
			check(what+", undo and apply", after)
		}
		before()
		cmd = command(apply...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		must("", apply...)
		check(what+" and apply", after)
		left, _ := filepath.Glob(filepath.Join(home, "*/.rhx*"))
		if len(left) > 0 {
			t.Fatalf("%s: left over: %v", what, left)
		}
	}
	t.Logf("%d kills: %d files old, %d new", 2*rounds, old, renewed)
	if old == 0 || renewed == 0 {
		t.Errorf("%d files were old and %d new: the kills came all before or all after", old, renewed)
	}
}
