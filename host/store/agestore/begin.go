package agestore

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/secret"
)

// fewNames is of how many names it is looked up which are deleted.
const fewNames = 64

// Begin returns the names of secrets that begin with a text, sorted, for a person who has
// typed that. It takes far less time than List, since the names of folders nearly always
// say it; where there are many, deleted ones can be among them.
func (s *Store) Begin(ctx context.Context, text string) ([]string, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	folders, err := s.folders()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, folder := range folders {
		name, ok := percentDecode(folder)
		if !ok || folderName(name) != folder || secret.ValidName(name) != nil {
			if name, err = s.nameOf(folder); err != nil {
				continue // it is no secret, or one that cannot be read
			}
		}
		if name != "" && strings.HasPrefix(name, text) {
			names = append(names, name)
		}
	}
	if len(names) <= fewNames {
		names = slices.DeleteFunc(names, func(name string) bool {
			vs, err := versions(filepath.Join(s.secrets(), folderName(name)))
			return err == nil && (len(vs) == 0 || vs[0].deleted)
		})
	}
	slices.Sort(names)
	return names, nil
}
