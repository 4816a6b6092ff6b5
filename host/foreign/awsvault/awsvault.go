// Package awsvault reads the file keyring of aws-vault: a file for each profile, which is
// a JWE (PBES2-HS256+A128KW, A256GCM) of JSON (github.com/99designs/keyring, file.go).
package awsvault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/rhx-dev/rhx/host/foreign"
	"github.com/rhx-dev/rhx/host/secret"
)

const (
	// maxFile is how large a file may be, in bytes.
	maxFile = 1 << 20
	// maxFiles is how many files there may be: making a key for each takes time.
	maxFiles = 1000
)

// item is what a file holds.
type item struct {
	Key  string
	Data []byte
}

// credentials are the data of a profile.
type credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Read opens the files of a folder with the keyring's passphrase, which is asked for once.
func Read(dir string, passphrase func() (string, error)) (*foreign.Export, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files, err := fs.ReadDir(root.FS(), ".")
	switch {
	case err != nil:
		return nil, err
	case len(files) > maxFiles:
		return nil, fmt.Errorf("it has more than %d files", maxFiles)
	case len(files) == 0:
		return nil, errors.New("it is empty")
	}
	typed, err := passphrase()
	if err != nil {
		return nil, err
	}
	e := &foreign.Export{Sealed: true}
	left := func(name, why string, noValue bool) {
		e.Left = append(e.Left, foreign.Left{Name: name, Why: why, NoValue: noValue})
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			left(f.Name(), "it is a link, or no regular file", f.IsDir())
			continue
		}
		it, err := open(root, f.Name(), typed)
		if err != nil {
			left(f.Name(), err.Error(), false)
			continue
		}
		var c credentials
		switch err := json.Unmarshal(it.Data, &c); {
		case strings.Contains(it.Key, ",") || strings.HasPrefix(it.Key, "session") || strings.HasPrefix(it.Key, "oidc:"):
			left(it.Key, "it is a session, which ends by itself", true)
		case err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "":
			left(it.Key, "it has no access key", false)
		default:
			e.Items = append(e.Items, c.item(it.Key))
		}
	}
	if len(e.Items) == 0 && len(e.Left) == len(files) {
		for _, l := range e.Left {
			if l.Why != errPassphrase.Error() {
				return e, nil
			}
		}
		return nil, errPassphrase
	}
	return e, nil
}

var errPassphrase = errors.New("the passphrase does not open it")

// open opens one file.
func open(root *os.Root, name, passphrase string) (*item, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(data) > maxFile {
		return nil, errors.New("it cannot be read, or is too large")
	}
	return opened(strings.TrimSpace(string(data)), passphrase)
}

func opened(text, passphrase string) (*item, error) {
	jwe, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.PBES2_HS256_A128KW}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, errors.New("it is no file of the keyring")
	}
	plain, err := jwe.Decrypt([]byte(passphrase))
	if err != nil {
		return nil, errPassphrase
	}
	var it item
	if err := json.Unmarshal(plain, &it); err != nil || it.Key == "" {
		return nil, errors.New("it is no item of the keyring")
	}
	return &it, nil
}

// item is a profile's key pair, by the names of its variables.
func (c *credentials) item(profile string) foreign.Item {
	it := foreign.Item{Title: profile, Name: profile, Profile: profile}
	add := func(name, value string, shown bool) {
		if value != "" {
			it.Fields = append(it.Fields, foreign.Field{Name: name, Value: secret.NewValue(value), Shown: shown})
		}
	}
	add("AWS_ACCESS_KEY_ID", c.AccessKeyID, true)
	add("AWS_SECRET_ACCESS_KEY", c.SecretAccessKey, false)
	add("AWS_SESSION_TOKEN", c.SessionToken, false)
	return it
}
