package author

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

// FromLanguage returns the files of a package with a module in a language, one of
// [guestsdk.Languages]. Where at is not "", the module reads the file at that path
// (see [Infer]), and the cases have it there.
func FromLanguage(lang, name, at string) (map[string][]byte, error) {
	files, err := guestsdk.Package(lang, name)
	if err != nil || at == "" {
		return files, err
	}
	sp, err := spec.Parse("provider.yaml", files["provider.yaml"])
	if err != nil {
		return nil, err
	}
	was := sp.Files[0].Path(caseOS)
	to, moved := specPath(name, at)
	text := strings.Replace(string(files["provider.yaml"]), was, quoted(to), 1)
	if moved {
		text = strings.Replace(text, "\nfiles:\n", "\nfiles:\n"+movedComment, 1)
	}
	out := map[string][]byte{}
	for p, data := range files {
		dir, rest, ok := strings.Cut(p, "/home/")
		if ok && strings.HasPrefix(p, "cases/") && rest == strings.TrimPrefix(was, "~/") {
			p = dir + "/home/" + strings.TrimPrefix(to, "~/")
		}
		out[p] = data
	}
	out["provider.yaml"] = []byte(text)
	if _, err := spec.Parse("provider.yaml", out["provider.yaml"]); err != nil {
		return nil, err
	}
	return out, nil
}

// Write writes a package's files into a folder, which is made if it is not there
// and must be empty.
func Write(dir string, files map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	switch {
	case len(entries) > 0:
		return fault.WithHint(fmt.Errorf("%s is not empty, and nothing in it is overwritten", dir), "name another folder with --dir")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write %s: %w", dir, fault.Cause(err))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if err == nil {
			err = writeNew(p, files[name])
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", p, fault.Cause(err))
		}
	}
	return nil
}

func writeNew(p string, data []byte) error {
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
