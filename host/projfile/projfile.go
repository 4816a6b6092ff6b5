// Package projfile knows the files in which projects keep variables, such as .env: what
// they are called, and which of their variables are values. A project may be somebody
// else's: its files are data, of bounded size, and nothing in them is run, followed or
// put in place of a variable.
package projfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

const (
	// maxSize is how large a file may be, in bytes.
	maxSize = 64 << 10
	// maxVars is how many variables a file may have.
	maxVars = 1000
	// maxFiles is how many files of a folder are read.
	maxFiles = 50
)

// File is one file of a project, as it was read.
type File struct {
	// Name is its path below the project's folder, with slashes.
	Name string
	// Vars are the variables with values, in the order of the file.
	Vars []Var
	// Left are those without.
	Left []Left
	// Err says why nothing could be read.
	Err error
}

// Var is a variable with a value.
type Var struct {
	Name  string
	Value secret.Value
}

// Left is a variable that is no value of this file.
type Left struct{ Name, Why string }

// Find reads the project files in a folder, in the order of their names: only there, and
// only regular files. It costs one look at the folder where there are none.
func Find(dir string) ([]File, error) {
	names, compose, err := list(dir)
	if err != nil || len(names) == 0 && compose == "" {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("look for project files: %w", err)
	}
	defer root.Close()
	var files []File
	if compose != "" {
		data, err := read(root.Lstat, root.Open, compose)
		var more []string
		if err == nil {
			more, err = envFiles(data)
		}
		if err != nil && !errors.Is(err, errNotRegular) {
			files = append(files, File{Name: compose, Err: err})
		}
		names = slices.Compact(slices.Sorted(slices.Values(append(names, more...))))
	}
	for _, name := range names {
		if !inside(root, path.Dir(name)) {
			continue
		}
		if len(files) == maxFiles {
			return files, fmt.Errorf("there are more than %d project files in %s; the others were not read", maxFiles, dir)
		}
		data, err := read(root.Lstat, root.Open, name)
		if errors.Is(err, errNotRegular) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		files = append(files, parsed(name, data, err))
	}
	return files, nil
}

// Has reports whether there may be project files in a folder.
func Has(dir string) (bool, error) {
	names, compose, err := list(dir)
	return len(names) > 0 || compose != "", err
}

// inside reports whether a path leads through folders alone, and no link.
func inside(root *os.Root, dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if info, err := root.Lstat(dir); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// Read reads one file that the user names: whatever it is called, and where links lead.
func Read(name string) (File, error) {
	data, err := read(os.Stat, os.Open, name)
	if err != nil {
		return File{}, err
	}
	_, name = Locate(name)
	return parsed(name, data, nil), nil
}

// list returns the names in a folder that are those of project files, sorted, and the
// one of the compose file that counts; "" for none.
func list(dir string) (names []string, compose string, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, "", fmt.Errorf("look for project files: %w", err)
	}
	defer d.Close()
	for {
		some, err := d.Readdirnames(1024)
		for _, name := range some {
			if kindOf(name) != nil {
				names = append(names, name)
			}
			for _, k := range kinds {
				if k.dir == name {
					names = append(names, name+"/"+k.name)
				}
			}
			compose = preferred(compose, name)
		}
		switch {
		case errors.Is(err, io.EOF):
			slices.Sort(names)
			return names, compose, nil
		case err != nil:
			return nil, "", fmt.Errorf("look for project files: %w", err)
		}
	}
}

// errNotRegular is the error of what is no regular file: a folder .env is Python's, and
// a link in a stranger's project leads where he likes.
var errNotRegular = errors.New("not a regular file")

// read returns a regular file.
func read(stat func(string) (fs.FileInfo, error), open func(string) (*os.File, error), name string) ([]byte, error) {
	// Opening a pipe can block, so look before.
	info, err := stat(name)
	switch {
	case err != nil:
		return nil, fault.Cause(err)
	case !info.Mode().IsRegular():
		return nil, errNotRegular
	}
	f, err := open(name)
	if err != nil {
		return nil, fault.Cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	switch {
	case err != nil:
		return nil, fault.Cause(err)
	case len(data) > maxSize:
		return nil, fmt.Errorf("it is larger than %d KiB", maxSize>>10)
	}
	return data, nil
}

var errMany = fmt.Errorf("it has more than %d variables", maxVars)

// parsed is the file that data is.
func parsed(name string, data []byte, err error) File {
	f := File{Name: name, Err: err}
	if err != nil {
		return f
	}
	var vars []assigned
	if vars, f.Err = assignments(name, data); f.Err == nil && len(vars) > maxVars {
		f.Err = errMany
	}
	if f.Err != nil {
		return f
	}
	for _, v := range vars {
		if why := v.why; why != "" {
			f.Left = append(f.Left, Left{v.name, why})
		} else if why = notAValue(v.value); why != "" {
			f.Left = append(f.Left, Left{v.name, why})
		} else {
			f.Vars = append(f.Vars, Var{v.name, secret.NewValue(v.value)})
		}
	}
	return f
}

// assigned is a variable as a format has it; why says for what reason it has no value
// that all programs see.
type assigned struct{ name, value, why string }

// assignments returns the variables in a file of a name.
func assignments(name string, data []byte) ([]assigned, error) {
	k := kindOf(name)
	switch {
	case k == nil || k.format == "dotenv":
		return dotenv(data)
	case k.format == "":
		return envrc(data)
	}
	return k.tree(data)
}

func dotenv(data []byte) ([]assigned, error) {
	vars, err := codec.DotenvVars(data)
	if err != nil {
		return nil, err
	}
	out := make([]assigned, 0, len(vars))
	for _, v := range vars {
		a := assigned{name: v.Name, value: v.Value}
		switch {
		case !spec.ValidVar(v.Name):
			a.why = "no variable can have the name"
		case v.Expands:
			if a.why = expands; strings.Contains(v.Value, "${") {
				a.why = refers
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// Why a variable is left whose value is made of others. A password with a dollar sign
// can look like a reference.
const (
	refers  = "it refers to another variable"
	expands = "it has a $ or ` that a shell replaces; in single quotes it would be a value"
)

// SecretName is what the secret of a file's variables is called: the project's name, and
// with another file than .env what tells that from it, the folders below the project's
// among it.
func SecretName(project, file string) string {
	dir, base := path.Split(file)
	if k := kindOf(file); k == nil || k.dir == "" {
		project += strings.TrimSuffix(strings.ReplaceAll("/"+dir, "/", "."), ".")
	}
	suffix := strings.TrimSuffix(strings.TrimPrefix(base, "."), ".env")
	switch rest, ok := strings.CutPrefix(base, ".env."); {
	case base == ".env":
		return project
	case ok:
		suffix = rest
	}
	return project + "." + suffix
}

// Names returns the paths of the project files in a folder, read or not.
func Names(dir string) ([]string, error) {
	names, _, err := list(dir)
	for i, name := range names {
		names[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return names, err
}
