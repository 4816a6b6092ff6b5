package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestNotesComeFromTheChangelog(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "CHANGELOG.md")
	if err := os.WriteFile(file, []byte("# Changelog\n\n## Unreleased\n\n### New\n\n- a\n\n- b\n\n## 1.2.3 (2026-12-01)\n\n- c\n## 1.2.30\n- d\n## empty\n\n## twice\n- e\n## twice\n- f\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{
		"Unreleased": "### New\n\n- a\n\n- b\n", "1.2.3": "- c\n", "1.2.30": "- d\n",
		"1.2": "", "empty": "", "twice": "", "9.9.9": "",
	} {
		out, err := exec.Command("sh", "notes.sh", version, file).Output()
		if string(out) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", version, out, err)
		}
	}
}
