package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
)

// rule is one path of a policy.
type rule struct {
	path string
	caps []string
}

// Policy returns, in Vault's HCL, the least that a token must be allowed to read
// the named secrets, or all of the store and to list them if none is named; with
// write, to save, delete and undelete them too
// (https://developer.hashicorp.com/vault/docs/concepts/policies).
func (s *Store) Policy(ctx context.Context, names []string, write bool) (string, error) {
	for _, name := range names {
		if err := checkName(name); err != nil {
			return "", fault.WithKind(err, fault.Usage)
		}
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return "", err
	}
	var rules []rule
	if len(names) == 0 {
		rules = e.rules(root, true, write)
	}
	for _, name := range names {
		path := root + encodeName(name)
		if err := plainPath(path); err != nil {
			return "", fault.WithKind(fmt.Errorf("%q cannot be in a policy by itself: %w", name, err), fault.Usage)
		}
		rules = append(rules, e.rules(path, false, write)...)
	}
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "path %q {\n  capabilities = [\"%s\"]\n}\n", r.path, strings.Join(r.caps, `", "`))
	}
	return b.String(), nil
}

// plainPath returns an error for a path that a policy would read as a pattern.
func plainPath(path string) error {
	if strings.HasSuffix(path, "*") {
		return errors.New("there a path that ends in * stands for all that begin so")
	}
	for step := range strings.SplitSeq(path, "/") {
		if step == "+" {
			return errors.New("there a step + stands for any")
		}
	}
	return nil
}

func (e *v2) rules(path string, all, write bool) []rule {
	data, meta := []string{"read"}, []string(nil)
	if all {
		path += "*"
		meta = []string{"list", "read"}
	}
	if write {
		data = []string{"create", "read", "update", "delete"}
		meta = append(meta, "create", "read", "update", "patch")
		if all {
			meta = []string{"list", "read", "create", "update", "patch"}
		}
	}
	rules := []rule{{e.mount + "data/" + path, data}}
	if meta != nil {
		rules = append(rules, rule{e.mount + "metadata/" + path, meta})
	}
	if write {
		rules = append(rules, rule{e.mount + "undelete/" + path, []string{"update"}})
	}
	return rules
}

func (e *v1) rules(path string, all, write bool) []rule {
	caps := []string{"read"}
	if write {
		caps = []string{"create", "read", "update", "delete"}
	}
	if all {
		return []rule{{e.mount + path + "*", append(caps, "list")}}
	}
	return []rule{{e.mount + path, caps}, {e.mount + metaPath(path), caps}}
}
