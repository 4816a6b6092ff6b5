package machine

import (
	"os/exec"
	"slices"
	"testing"
)

// Each of the programs that compute a SHA-256 will do, and none is not a match.
func TestFetchedTextIsCompared(t *testing.T) {
	const text = "echo it is run\n\n"
	programs := []string{"sha256sum", "shasum", "openssl"}
	run := func(fetched string, missing ...string) string {
		t.Helper()
		s := new(script)
		s.WriteString("raw() { printf '%s' \"$1\"; }\nsay() { echo \"$*\"; }\n")
		for _, p := range missing {
			s.WriteString(p + "() { return 127; }\n")
		}
		s.fetch(Fetch{Command: `raw "$TEXT"`, Env: []Var{{"TEXT", fetched}}}, []byte(text))
		out, err := exec.CommandContext(t.Context(), "sh", "-c", s.String()).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for i, p := range programs {
		others := slices.Delete(slices.Clone(programs), i, i+1)
		if got := run(text, others...); got != "fetch\nit is run\n" {
			t.Errorf("%s alone: %q", p, got)
		}
		if got := run("echo something else\n", others...); got != "fetch\naltered\ndone\n" {
			t.Errorf("%s alone, something else: %q", p, got)
		}
	}
	if got := run(text, programs...); got != "fetch\naltered unknown\ndone\n" {
		t.Errorf("without any of them: %q", got)
	}
}
