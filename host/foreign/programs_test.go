package foreign

import (
	"strings"
	"testing"
)

// The passphrase of a file of another person takes no more memory than that of a backup.
func TestAgeBoundsWork(t *testing.T) {
	file := "age-encryption.org/v1\n-> scrypt " + strings.Repeat("A", 22) + " 21\n" + strings.Repeat("A", 43) + "\n--- " + strings.Repeat("A", 43) + "\n" + strings.Repeat("x", 32)
	_, err := Age([]byte(file), nil, 1<<20, func(string) (string, error) { return "FAKE", nil })
	if err == nil || !strings.Contains(err.Error(), "more memory") {
		t.Errorf("%v", err)
	}
}
