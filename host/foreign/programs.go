package foreign

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"github.com/rhx-dev/rhx/host/store/agestore"
)

// Gopass reads all that gopass has, mounted stores too, by the program itself.
func Gopass(ctx context.Context, tool *Tool) (*Export, error) {
	list, err := tool.Run(ctx, nil, "ls", "--flat")
	if err != nil {
		return nil, err
	}
	e := &Export{}
	failures := 0
	for name := range strings.Lines(string(list)) {
		if name = strings.TrimRight(name, "\r\n"); name == "" {
			continue
		}
		if len(e.Items)+len(e.Left) >= maxItems {
			return nil, fmt.Errorf("it has more than %d items", maxItems)
		}
		if failures >= maxFailures {
			e.Left = append(e.Left, Left{Name: name, Why: "not tried: those before it could not be decrypted"})
			continue
		}
		plain, err := tool.Run(ctx, nil, "show", "--unsafe", "--noparsing", "--", name)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			failures++
			e.Left = append(e.Left, Left{Name: name, Why: err.Error()})
		default:
			failures = 0
			e.put(PassEntry(name, plain))
		}
	}
	return e.checked()
}

// SopsFiles reads files that sops encrypted, each decrypted by the program itself. An
// item is called as its file is.
func SopsFiles(ctx context.Context, tool *Tool, files []string) (*Export, error) {
	all := &Export{}
	for _, file := range files {
		plain, err := tool.Run(ctx, nil, "--decrypt", "--output-type", "json", file)
		var e *Export
		if err == nil {
			e, err = Sops(sopsTitle(file), plain)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && (len(files) == 1 || errors.Is(err, errNoTool)):
			return nil, err
		case err != nil:
			all.Left = append(all.Left, Left{Name: filepath.Base(file), Why: err.Error()})
			continue
		}
		all.Items, all.Left = append(all.Items, e.Items...), append(all.Left, e.Left...)
	}
	return all.checked()
}

// sopsTitle is the name of a file without its ends; of one without a name, such as
// .env, the folder's.
func sopsTitle(file string) string {
	name := filepath.Base(file)
	for _, end := range []string{".yaml", ".yml", ".json", ".env", ".ini", ".enc", ".sops"} {
		name = strings.TrimSuffix(name, end)
	}
	if name = strings.Trim(name, "."); name == "" || name == "env" {
		name = filepath.Base(filepath.Dir(file))
	}
	return name
}

// IsAge reports whether data is a file of age.
func IsAge(data []byte) bool {
	return bytes.HasPrefix(data, []byte("age-encryption.org/")) || bytes.HasPrefix(data, []byte(armor.Header))
}

// Age opens a file of age, of which at most so many bytes are taken. Its keys are the
// identities in files: age's own (also encrypted with a passphrase), or private keys of
// SSH. A file that is encrypted with a passphrase needs none. passphrase asks for that of
// a file; "" is the one that is opened.
func Age(data []byte, files []string, most int64, passphrase func(file string) (string, error)) ([]byte, error) {
	var in io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte(armor.Header)) {
		in = armor.NewReader(in)
	}
	start := bufio.NewReader(in)
	head, _ := start.Peek(64)
	var ids []age.Identity
	refused := "no key that is given opens it"
	if bytes.Contains(head, []byte("\n-> scrypt ")) {
		id, err := typedIdentity("", passphrase)
		if err != nil {
			return nil, err
		}
		ids, files, refused = []age.Identity{id}, nil, "wrong passphrase"
	}
	for _, name := range files {
		more, err := identitiesIn(name, passphrase)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	if len(ids) == 0 {
		return nil, errors.New("it needs an identity: --identity FILE names one")
	}
	r, err := age.Decrypt(start, ids...)
	if none := new(age.NoIdentityMatchError); errors.As(err, &none) {
		return nil, errors.New(refused)
	} else if err != nil {
		return nil, errors.New("it is broken, or opening it takes more memory than rhx gives it")
	}
	plain, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, errors.New("it is broken")
	case int64(len(plain)) > most:
		return nil, fmt.Errorf("it is larger than %d MiB", most>>20)
	}
	return plain, nil
}

// typedIdentity is the key of a passphrase.
func typedIdentity(file string, passphrase func(string) (string, error)) (age.Identity, error) {
	typed, err := passphrase(file)
	if err != nil {
		return nil, err
	}
	return agestore.PassphraseIdentity(typed)
}

func identitiesIn(name string, passphrase func(string) (string, error)) ([]age.Identity, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the identity: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSealed))
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("the identity: %w", err)
	}
	if IsAge(data) {
		if data, err = Age(data, nil, MaxSealed, func(string) (string, error) { return passphrase(name) }); err != nil {
			return nil, fmt.Errorf("the identity %s: %w", name, err)
		}
	}
	if bytes.HasPrefix(data, []byte("-----BEGIN")) {
		id, err := agessh.ParseIdentity(data)
		if err != nil {
			return nil, fmt.Errorf("the identity %s is no key of SSH that opens without a passphrase", name)
		}
		return []age.Identity{id}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s is no identity of age", name)
	}
	return ids, nil
}
