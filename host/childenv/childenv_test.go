package childenv_test

import (
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/childenv"
)

func TestEnviron(t *testing.T) {
	base := []string{"A=b", "RHX_AGE_PASSPHRASE=fake", "rhx_import_passphrase=fake", "RHX_BACKUP_PASSPHRASE=", "RHX_AGE_IDENTITY=/key", "RHX_AGE_PASSPHRASES=x"}
	if got := childenv.Without(base); !slices.Equal(got, []string{"A=b", "RHX_AGE_IDENTITY=/key", "RHX_AGE_PASSPHRASES=x"}) || base[1] != "RHX_AGE_PASSPHRASE=fake" {
		t.Error(got, base)
	}
	t.Setenv("RHX_IMPORT_PASSPHRASE", "fake")
	t.Setenv("RHX_HOME", "/fake")
	if got := childenv.Environ(); slices.Contains(got, "RHX_IMPORT_PASSPHRASE=fake") || !slices.Contains(got, "RHX_HOME=/fake") {
		t.Error(got)
	}
}
