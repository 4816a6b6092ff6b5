package exchange

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/projfile"
)

// Bounds of a tree of projects.
const (
	maxTreeDepth   = 16
	maxTreeFolders = 20_000
	maxTreeFiles   = 500
)

// notProjects are folders of what others wrote, in which no project of the user's is.
var notProjects = []string{".git", ".hg", ".svn", "node_modules", "vendor", ".venv", "venv", "site-packages", "__pycache__", ".tox", ".terraform", ".cache"}

// projectTree returns the project files in a folder and below it. Links are not followed.
// The secrets of each folder are called by its name, with that of the folder above where
// two have one name; with a project's name those below are PROJECT.FOLDER.
func (x *Exchange) projectTree(ctx context.Context, opts DotenvOptions) ([]detect.ProjectFile, error) {
	dirs, err := projectFolders(opts.File)
	if err != nil {
		return nil, err
	}
	names := treeNames(opts.File, dirs, opts.Project)
	var out []detect.ProjectFile
	for i, dir := range dirs {
		files, err := x.Detector.ProjectIn(ctx, x.Local, filepath.Join(opts.File, filepath.FromSlash(dir)), names[i])
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			// A file that a compose file above names is that project's.
			if slices.ContainsFunc(out, func(g detect.ProjectFile) bool { return g.Path == f.Path }) {
				continue
			}
			if len(out) == maxTreeFiles {
				return nil, fmt.Errorf("there are more than %d project files in %s", maxTreeFiles, opts.File)
			}
			f.Name = path.Join(dir, f.Name)
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, fault.WithHint(fmt.Errorf("there is no .env file in %s or below, nor another one of a project's variables", opts.File), "rhx import dotenv FILE reads a file of another name")
	}
	return out, nil
}

// projectFolders are the folders of a tree in which project files are, by their paths
// with slashes; "." is the first.
func projectFolders(root string) ([]string, error) {
	var dirs []string
	folders := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fault.WithHint(fmt.Errorf("look for project files: %w", err), "name the folders or files that can be read")
		}
		if !d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if rel != "." && (slices.Contains(notProjects, d.Name()) || strings.Count(rel, "/") >= maxTreeDepth) {
			return fs.SkipDir
		}
		if folders++; folders > maxTreeFolders {
			return fmt.Errorf("there are more than %d folders in %s", maxTreeFolders, root)
		}
		if has, err := projfile.Has(name); err != nil {
			return err
		} else if has {
			dirs = append(dirs, rel)
		}
		return nil
	})
	return dirs, err
}

// treeNames are what the projects in folders of a tree are called by.
func treeNames(root string, dirs []string, project string) []string {
	own := func(dir string, steps int) string {
		all := strings.Split(path.Join(filepath.ToSlash(root), dir), "/")
		return strings.Trim(strings.Join(all[max(0, len(all)-steps):], "-"), "-")
	}
	names := make([]string, len(dirs))
	for i, dir := range dirs {
		if project != "" {
			names[i] = strings.TrimSuffix(project+"."+strings.ReplaceAll(dir, "/", "."), "..")
			continue
		}
		for steps := 1; ; steps++ {
			names[i] = own(dir, steps)
			alone := !slices.ContainsFunc(dirs, func(other string) bool { return other != dir && own(other, steps) == names[i] })
			if alone || steps > maxTreeDepth {
				break
			}
		}
	}
	return names
}
