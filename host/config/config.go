// Package config knows rhx's own folders and its config.yaml.
package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
)

// Dirs are rhx's own folders, after the XDG base directory specification.
type Dirs struct {
	Config, Data, State, Cache string
}

// NewDirs returns the folders for a home folder and an environment. RHX_HOME
// puts all four below one folder.
func NewDirs(home string, getenv func(string) string) Dirs {
	if h := getenv("RHX_HOME"); h != "" {
		return Dirs{filepath.Join(h, "config"), filepath.Join(h, "data"), filepath.Join(h, "state"), filepath.Join(h, "cache")}
	}
	dir := func(env, def string) string {
		// The specification has relative paths ignored.
		if d := getenv(env); filepath.IsAbs(d) {
			return filepath.Join(d, "rhx")
		}
		return filepath.Join(home, filepath.FromSlash(def), "rhx")
	}
	return Dirs{
		Config: dir("XDG_CONFIG_HOME", ".config"),
		Data:   dir("XDG_DATA_HOME", ".local/share"),
		State:  dir("XDG_STATE_HOME", ".local/state"),
		Cache:  dir("XDG_CACHE_HOME", ".cache"),
	}
}

// Config is config.yaml.
type Config struct {
	// Store is the store's URL; "" for the local one.
	Store string `yaml:"store,omitempty"`
	// Identity is the file that decrypts the local store; "" for rhx's own.
	Identity string `yaml:"identity,omitempty"`
	// Secrets says where load placed each secret: a path, or a list of variables.
	Secrets map[string]Location `yaml:"secrets,omitempty"`
}

// Location is one path or a list of variables.
type Location struct {
	Path string
	Vars []string
}

// UnmarshalYAML reads a path as text, or variables as a list.
func (l *Location) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode(&l.Vars)
	}
	return n.Decode(&l.Path)
}

// Load reads config.yaml; a missing one is empty.
func Load(d Dirs) (*Config, error) {
	c := &Config{}
	path := filepath.Join(d.Config, "config.yaml")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return c, nil
}

// Record notes in config.yaml where secrets were placed; an empty Location
// takes the note away. Comments and what else is in the file stay. A lock keeps
// commands that run at once from losing one another's notes.
func Record(ctx context.Context, d Dirs, m machine.Machine, placed map[string]Location) error {
	if len(placed) == 0 {
		return nil
	}
	if err := os.MkdirAll(d.Config, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(d.Config, ".lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("lock %s: %w", d.Config, err)
	}
	defer func() { _ = lock.Unlock() }()
	path := filepath.Join(d.Config, "config.yaml")
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var edits []codec.Edit
	for _, name := range slices.Sorted(maps.Keys(placed)) {
		edits = append(edits, codec.Edit{Path: codec.Keys("secrets", name), Value: placed[name].node()})
	}
	format, err := codec.New("yaml", codec.Options{})
	if err != nil {
		return err
	}
	data, err := codec.Apply(format, old, edits)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if bytes.Equal(data, old) {
		return nil
	}
	errs, err := m.Write(ctx, []machine.Change{{Path: filepath.ToSlash(path), Old: old, Data: data}})
	return errors.Join(append(errs, err)...)
}

func (l Location) node() *codec.Node {
	switch {
	case l.Path != "":
		return codec.Text(l.Path)
	case len(l.Vars) > 0:
		list := &codec.Node{Kind: codec.List}
		for _, v := range l.Vars {
			list.Items = append(list.Items, codec.Text(v))
		}
		return list
	}
	return nil
}
