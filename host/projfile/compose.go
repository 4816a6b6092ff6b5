package projfile

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// composeFiles are what docker compose reads, in its order of preference:
// docs.docker.com/reference/cli/docker/compose.
var composeFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

// preferred is the compose file of two names; "" is none.
func preferred(a, b string) string {
	for _, name := range composeFiles {
		if a == name || b == name {
			return name
		}
	}
	return ""
}

// envFiles returns the files below the project's folder that the services of a compose
// file name as env_file. What leads elsewhere, is made of variables, or is no dotenv
// file is none of the project's.
func envFiles(data []byte) ([]string, error) {
	format, err := codec.New("yaml", codec.Options{})
	if err != nil {
		return nil, err
	}
	root, err := format.Decode(data)
	if err != nil {
		return nil, err
	}
	var names []string
	add := func(n *codec.Node) {
		form := n.Get("format")
		if n.Kind == codec.Map {
			n = n.Get("path")
		}
		if n == nil || n.Kind != codec.String || form != nil && form.Text == "raw" || strings.ContainsAny(n.Text, "$\\\x00") {
			return
		}
		name := path.Clean(n.Text)
		if filepath.IsLocal(filepath.FromSlash(name)) && name != "." && len(names) <= maxFiles && !example(path.Base(name)) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	services := root.Get("services")
	if services == nil {
		return nil, nil
	}
	for _, s := range services.Pairs {
		files := s.Value.Get("env_file")
		switch {
		case files == nil:
		case files.Kind == codec.List:
			for _, item := range files.Items {
				add(item)
			}
		default:
			add(files)
		}
	}
	return names, nil
}
