package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

const (
	// MaxSealed is how large an encrypted file of a folder may be, in bytes, and what is
	// in it.
	MaxSealed = 2 << 20
	// maxFolders bounds how deep folders are in one another.
	maxFolders = 32
	// maxFailures is after how many failures without a success no more is decrypted: with
	// each somebody may have been asked for a passphrase.
	maxFailures = 3
)

// Decrypt opens a file by its end, .gpg or .age.
type Decrypt func(ctx context.Context, end string, data []byte) ([]byte, error)

// Pass reads the folder of a password store, of pass (.gpg) or passage (.age): an item for
// each file. Links are not followed.
func Pass(ctx context.Context, dir string, decrypt Decrypt) (*Export, error) {
	e := &Export{}
	opened := &opener{decrypt: decrypt}
	err := folder(dir, func(root *os.Root, name string, left string) error {
		end := path.Ext(name)
		short := strings.TrimSuffix(name, end)
		switch {
		case left != "":
			e.Left = append(e.Left, Left{Name: name, Why: left})
			return nil
		case !slices.Contains([]string{".gpg", ".age"}, end):
			e.Left = append(e.Left, Left{Name: name, Why: "it is no file of the password store", NoValue: true})
			return nil
		}
		plain, err := opened.open(ctx, root, name, end)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, errNoTool) {
				return err
			}
			e.Left = append(e.Left, Left{Name: short, Why: err.Error()})
			return nil
		}
		e.put(PassEntry(short, plain))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e.checked()
}

// opener decrypts files one after another, and gives up where none opens.
type opener struct {
	decrypt  Decrypt
	failures int
}

func (o *opener) open(ctx context.Context, root *os.Root, name, end string) ([]byte, error) {
	if o.failures >= maxFailures {
		return nil, errors.New("not tried: those before it could not be decrypted")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSealed+1))
	_ = f.Close()
	switch {
	case err != nil:
		return nil, errors.New("it cannot be read")
	case len(data) > MaxSealed:
		return nil, fmt.Errorf("it is larger than %d MiB", MaxSealed>>20)
	}
	plain, err := o.decrypt(ctx, end, data)
	if err != nil {
		o.failures++
		return nil, err
	}
	o.failures = 0
	return plain, nil
}

// folder calls do for every file below a folder that is no hidden one, in the order of
// the names. left says why one cannot be read.
func folder(dir string, do func(root *os.Root, name, left string) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	files := 0
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case name == ".":
			return err
		case err != nil:
			return do(root, name, "it cannot be read")
		case strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case strings.HasPrefix(d.Name(), "."):
			return nil
		case d.IsDir() && strings.Count(name, "/") >= maxFolders:
			if err := do(root, name, "folders are too deep in one another"); err != nil {
				return err
			}
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		if files++; files > maxItems {
			return fmt.Errorf("it has more than %d files", maxItems)
		}
		if !d.Type().IsRegular() {
			return do(root, name, "it is a link, or no regular file")
		}
		return do(root, name, "")
	})
}
