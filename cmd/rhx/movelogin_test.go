package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/host/vaultlogin"
)

// cmdMoveLogin has the kept login be one at another server.
func cmdMoveLogin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: movelogin FROM TO")
	}
	ts.Check(changeLogin(ts.Getenv("HOME"), func(kept []byte) []byte {
		return bytes.ReplaceAll(kept, []byte(args[0]), []byte(args[1]))
	}))
}

// changeLogin gives a home folder's kept login to change, and keeps what that
// returns, as only rhx itself can: a file that is sealed by another is refused.
func changeLogin(home string, change func(kept []byte) []byte) error {
	data := filepath.Join(home, ".local/share/rhx")
	path := filepath.Join(data, "vault-token.age")
	keys := agestore.Open(agestore.Options{Dir: data})
	sealed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	kept, err := keys.Unseal(context.Background(), vaultlogin.SealLabel, sealed)
	if err != nil {
		return err
	}
	if sealed, err = keys.Seal(context.Background(), vaultlogin.SealLabel, change(kept)); err != nil {
		return err
	}
	return os.WriteFile(path, sealed, 0o600)
}
