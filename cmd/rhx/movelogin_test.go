package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/host/vaultlogin"
)

// cmdMoveLogin has the kept login be one at another server, as only rhx itself can.
func cmdMoveLogin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: movelogin FROM TO")
	}
	data := filepath.Join(ts.Getenv("HOME"), ".local/share/rhx")
	path := filepath.Join(data, "vault-token.age")
	keys := agestore.Open(agestore.Options{Dir: data})
	sealed, err := os.ReadFile(path)
	ts.Check(err)
	plain, err := keys.Unseal(context.Background(), vaultlogin.SealLabel, sealed)
	ts.Check(err)
	sealed, err = keys.Seal(context.Background(), vaultlogin.SealLabel, []byte(strings.ReplaceAll(string(plain), args[0], args[1])))
	ts.Check(err)
	ts.Check(os.WriteFile(path, sealed, 0o600))
}
