package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// Chezmoi reads the encrypted files of chezmoi's source folder: an item for each, which
// is the file below the home folder that chezmoi makes of it
// (https://www.chezmoi.io/reference/source-state-attributes). Nothing else there is read,
// no template is filled in and no script is run.
func Chezmoi(ctx context.Context, dir string, decrypt Decrypt) (*Export, error) {
	dir, err := chezmoiRoot(dir)
	if err != nil {
		return nil, err
	}
	e := &Export{}
	opened := &opener{decrypt: decrypt}
	err = folder(dir, func(root *os.Root, name, left string) error {
		target, encrypted, why := chezmoiTarget(name)
		switch {
		case !encrypted:
			return nil
		case left != "":
			why = left
		case why == "":
			plain, err := opened.open(ctx, root, name, strings.ReplaceAll(path.Ext(name), ".asc", ".gpg"))
			if err == nil {
				it := Item{Title: target, Name: target, File: target}
				it.add("content", string(plain), false)
				e.put(it)
				return nil
			}
			if ctx.Err() != nil || errors.Is(err, errNoTool) {
				return err
			}
			why = err.Error()
		}
		e.Left = append(e.Left, Left{Name: target, Why: why})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(e.Items)+len(e.Left) == 0 {
		return nil, errors.New("it has no encrypted file")
	}
	return e.checked()
}

// chezmoiRoot is the folder that a file .chezmoiroot names, which is below the other one.
func chezmoiRoot(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	f, err := root.Open(".chezmoiroot")
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	name, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", err
	}
	below := strings.TrimSpace(string(name))
	if !filepath.IsLocal(below) {
		return "", errors.New(".chezmoiroot names no folder below it")
	}
	return filepath.Join(dir, below), nil
}

// chezmoiTarget is the file that one of the source folder becomes. why says for what
// reason an encrypted one is not taken.
func chezmoiTarget(name string) (target string, encrypted bool, why string) {
	steps := strings.Split(name, "/")
	for i, step := range steps[:len(steps)-1] {
		steps[i] = chezmoiName(step, "remove_", "external_", "exact_", "private_", "readonly_")
	}
	base := steps[len(steps)-1]
	for _, kind := range []string{"modify_", "run_", "create_"} {
		rest, ok := strings.CutPrefix(base, kind)
		if !ok {
			continue
		}
		if kind != "create_" {
			why = "it is a script"
		}
		base = rest
	}
	if base, encrypted = strings.CutPrefix(base, "encrypted_"); !encrypted {
		return "", false, ""
	}
	for _, end := range []string{".age", ".asc"} {
		base = strings.TrimSuffix(base, end)
	}
	base = chezmoiName(base, "private_", "readonly_", "empty_", "executable_")
	if rest, ok := strings.CutSuffix(base, ".tmpl"); ok {
		base, why = rest, "it is a template"
	}
	steps[len(steps)-1] = strings.TrimSuffix(base, ".literal")
	return path.Join(steps...), true, why
}

// chezmoiName is a name without attributes, which stand in this order.
func chezmoiName(name string, attributes ...string) string {
	for _, a := range attributes {
		name = strings.TrimPrefix(name, a)
	}
	if rest, ok := strings.CutPrefix(name, "dot_"); ok {
		return "." + rest
	}
	return strings.TrimPrefix(name, "literal_")
}

// ChezmoiIdentities are the files of age's identities that chezmoi's configuration names.
func ChezmoiIdentities(home, configHome string) ([]string, error) {
	for _, format := range []string{"toml", "yaml", "json"} {
		name := filepath.Join(configHome, "chezmoi", "chezmoi."+format)
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := codec.New(format, codec.Options{})
		if err != nil {
			return nil, err
		}
		root, err := f.Decode(data)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		var out []string
		add := func(file string) {
			if rest, ok := strings.CutPrefix(file, "~/"); ok {
				file = filepath.Join(home, rest)
			}
			if file != "" {
				out = append(out, file)
			}
		}
		add(text(root.Get("age"), "identity"))
		for _, n := range items(root.Get("age"), "identities") {
			add(scalar(n))
		}
		return out, nil
	}
	return nil, nil
}
