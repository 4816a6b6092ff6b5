//go:build unix

package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContextName(t *testing.T) {
	for out, want := range map[string]string{
		"prod\n": "prod", "arn:aws:eks:x/y\r\n": "arn:aws:eks:x/y", "my context\n": "my context", "-x": "-x",
		"": "", "\n": "", "a\nb\n": "", "a\x1bb": "", "\xff": "", strings.Repeat("a", maxContext): "",
	} {
		if got := contextName(out); got != want {
			t.Errorf("%q: %q, not %q", out, got, want)
		}
	}
}

// What a name of a container means does not change while rhx works.
func TestContextsAreAskedOnce(t *testing.T) {
	t.Setenv("DOCKER_HOST", "")
	dir := t.TempDir()
	program := filepath.Join(dir, "stand-in")
	script := "#!/bin/sh\necho \"$*\" >> " + dir + "/calls\ncat " + dir + "/context\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	answer := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "context"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	c := &Contexts{Told: func(text string) { told = append(told, text) }}
	answer("one\n")
	for range 2 {
		if got := c.of(t.Context(), "kubectl", program); got != "one" {
			t.Errorf("%q", got)
		}
		answer("two\n")
	}
	if got := c.of(t.Context(), "docker", program); got != "two" {
		t.Errorf("%q", got)
	}
	answer("default\n")
	other := &Contexts{Told: c.Told}
	if got := other.of(t.Context(), "docker", program); got != "default" {
		t.Errorf("%q", got)
	}
	want := "pods: in the context one, which kubectl uses|containers: in the context two, which docker uses"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("%s", got)
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil || string(calls) != "config current-context\ncontext show\ncontext show\n" {
		t.Errorf("%q, %v", calls, err)
	}
	// One that does not say leaves it to the program.
	silent := &Contexts{Told: func(text string) { t.Error(text) }}
	if got := silent.of(t.Context(), "kubectl", filepath.Join(dir, "none")); got != "" {
		t.Errorf("%q", got)
	}
	t.Setenv("DOCKER_HOST", "tcp://me:FAKE@nas:2375")
	told = nil
	env := &Contexts{Told: c.Told}
	if got := env.of(t.Context(), "docker", program); got != "" || strings.Join(told, "|") != "containers: at DOCKER_HOST tcp://me:xxxxx@nas:2375" {
		t.Errorf("%q %q", got, told)
	}
}
