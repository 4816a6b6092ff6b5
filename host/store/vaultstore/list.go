package vaultstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/fault"
)

// Bounds of a list. A server that means no harm comes nowhere near them.
const (
	// maxNames is how many names and folders a store may have.
	maxNames = 200_000
	// maxPath is the longest path of a folder. That of a secret whose name has 512
	// bytes, each a step that must be encoded, is shorter.
	maxPath = 8 << 10
	// walkTimeouts is how many times as long as one request a list may take.
	walkTimeouts = 10
)

var errTooMany = fmt.Errorf("there are more than %d names, which is more than rhx lists", maxNames)

// list returns the keys in the folder path, which ends in "/"; folders in it
// end in "/" too.
func (c *client) list(ctx context.Context, path string) ([]string, error) {
	a, err := c.call(ctx, &request{method: http.MethodGet, path: path, query: url.Values{"list": {"true"}}, needs: "list", list: true})
	if err != nil || !a.found() {
		return nil, err
	}
	names, err := readKeys(a.list)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	return names, nil
}

// readKeys reads the answer to a request for a list.
func readKeys(body []byte) ([]string, error) {
	var parsed struct {
		Data *struct {
			Keys *keys `json:"keys"`
		} `json:"data"`
	}
	err := json.Unmarshal(body, &parsed)
	if errors.Is(err, errTooMany) {
		return nil, err
	}
	if err != nil || parsed.Data == nil || parsed.Data.Keys == nil {
		return nil, errNotVault
	}
	return *parsed.Data.Keys, nil
}

// keys are the names in a folder; those of folders end in "/".
type keys []string

// UnmarshalJSON reads one name after the other, so that a list that is too long
// takes little memory.
func (k *keys) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errNotVault
	}
	*k = keys{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		step := strings.TrimSuffix(name, "/")
		switch {
		case err != nil || !ok || strings.Contains(step, "/") || step == "." || step == "..":
			return errNotVault
		case len(*k) == maxNames:
			return errTooMany
		case step != "":
			*k = append(*k, name)
		}
	}
	return nil
}

// walk returns the paths of all entries below root, one level of folders after
// the other, each with bounded parallel requests.
func walk(ctx context.Context, e engine, root string, timeout time.Duration) ([]string, error) {
	walkCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	paths, err := walkFolders(walkCtx, e, root)
	switch {
	case errors.Is(err, errTooMany):
		return nil, fault.WithHint(err, "a longer prefix in the URL of the store makes it smaller")
	case err != nil && ctx.Err() == nil && errors.Is(walkCtx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("it took longer than %v", timeout)
	}
	return paths, err
}

func walkFolders(ctx context.Context, e engine, root string) ([]string, error) {
	var paths []string
	seen := 0
	for dirs := []string{root}; len(dirs) > 0; {
		found := make([][]string, len(dirs))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(maxParallel)
		for i, dir := range dirs {
			g.Go(func() (err error) {
				found[i], err = e.list(gctx, dir)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		var next []string
		for i, dir := range dirs {
			if seen += len(found[i]); seen > maxNames {
				return nil, errTooMany
			}
			for _, k := range found[i] {
				switch {
				case k == metaFolder+"/":
				case len(dir)+len(k) > maxPath:
					return nil, errors.New("there are folders in folders without an end")
				case strings.HasSuffix(k, "/"):
					next = append(next, dir+k)
				default:
					paths = append(paths, dir+k)
				}
			}
		}
		dirs = next
	}
	return paths, nil
}
