// Package childenv is the environment of the programs that rhx starts for its own work.
package childenv

import (
	"os"
	"slices"
	"strings"
)

// passphrases are the variables whose value is for rhx alone.
var passphrases = []string{"RHX_AGE_PASSPHRASE", "RHX_BACKUP_PASSPHRASE", "RHX_IMPORT_PASSPHRASE"}

// Without returns environ, a list of NAME=VALUE, without the passphrases that are for rhx
// alone. On Windows the case of a name does not count.
func Without(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(passphrases, func(p string) bool { return strings.EqualFold(p, name) })
	})
}

// Environ is this process's environment without those.
func Environ() []string { return Without(os.Environ()) }
