package machine

import (
	"slices"
	"testing"
)

func TestParseContainer(t *testing.T) {
	for target, want := range map[string][]string{
		"docker:web":            {"docker", "exec", "-i", "web", "sh", "-c", "CMD"},
		"docker:1a2b3c4d5e6f":   {"docker", "exec", "-i", "1a2b3c4d5e6f", "sh", "-c", "CMD"},
		"docker:web_app-1.x":    {"docker", "exec", "-i", "web_app-1.x", "sh", "-c", "CMD"},
		"k8s:prod/api-5d9f":     {"kubectl", "exec", "--quiet", "-i", "-n", "prod", "api-5d9f", "--", "sh", "-c", "CMD"},
		"k8s:prod/api.x/worker": {"kubectl", "exec", "--quiet", "-i", "-n", "prod", "api.x", "-c", "worker", "--", "sh", "-c", "CMD"},
		"docker":                nil, "docker:22": nil, "k8s:2222": nil, "gpu-01": nil, "me@docker": nil, "ssh://docker:22": nil, "dockerx:web": nil,
	} {
		c, ok, err := parseContainer(target)
		if err != nil || ok != (want != nil) {
			t.Errorf("%s: %v %v", target, ok, err)
			continue
		}
		if !ok {
			continue
		}
		if got := append([]string{c.program}, c.args(false, "CMD")...); !slices.Equal(got, want) {
			t.Errorf("%s: %q", target, got)
		}
		with := c.args(true, "CMD")
		if i := slices.Index(with, "-t"); i < 0 || with[i-1] != "-i" || len(with) != len(want) {
			t.Errorf("%s with a terminal: %q", target, with)
		}
	}
}
