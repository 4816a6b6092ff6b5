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
	"strconv"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
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

// Check returns an error where one of the folders, or the RHX_HOME that they are in,
// can be written by others than this user and root, or root's rhx would have to make
// it in a folder of another user: what is in them says where secrets go.
func (d Dirs) Check() error {
	dirs := []string{d.Config, d.Data, d.State, d.Cache}
	if up := filepath.Dir(d.Data); d.Config == filepath.Join(up, "config") && d.State == filepath.Join(up, "state") {
		dirs = append([]string{up}, dirs...)
	}
	for _, dir := range dirs {
		if err := ownfile.Home(dir); err != nil {
			return err
		}
		if err := ownfile.Dir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Config is config.yaml.
type Config struct {
	// Store is the store's URL; "" for the local one.
	Store string
	// Identity is the file that decrypts the local store; "" for rhx's own.
	Identity string
	// Secrets says where load placed each secret: a path, or a list of variables.
	Secrets map[string]Location
	// Vault is the server that rhx login logged in to.
	Vault Vault
}

// Vault is the server that rhx login logged in to.
type Vault struct {
	Address string
	// Namespace is that of Vault Enterprise; "" for the root.
	Namespace string
	// CACert is the file with the authority's certificate; "" for the system's.
	CACert string
}

// Location is one path or a list of variables; a secret that was placed several
// times has more.
type Location struct {
	Path string
	Vars []string
	// Also are further paths.
	Also []string
}

// AddPath adds a file, once.
func (l *Location) AddPath(path string) {
	switch {
	case path == "" || path == l.Path || slices.Contains(l.Also, path):
	case l.Path == "":
		l.Path = path
	default:
		l.Also = append(slices.Clone(l.Also), path)
	}
}

// with returns l and more.
func (l Location) with(more Location) Location {
	for _, p := range append([]string{more.Path}, more.Also...) {
		l.AddPath(p)
	}
	for _, v := range more.Vars {
		if !slices.Contains(l.Vars, v) {
			l.Vars = append(slices.Clone(l.Vars), v)
		}
	}
	return l
}

// without returns l without less.
func (l Location) without(less Location) Location {
	var left Location
	for _, p := range append([]string{l.Path}, l.Also...) {
		if p != less.Path && !slices.Contains(less.Also, p) {
			left.AddPath(p)
		}
	}
	for _, v := range l.Vars {
		if !slices.Contains(less.Vars, v) {
			left.Vars = append(left.Vars, v)
		}
	}
	return left
}

// Path is the file config.yaml.
func Path(d Dirs) string { return filepath.Join(d.Config, "config.yaml") }

// Record notes in config.yaml where secrets were placed, in place of what was
// noted of them; an empty Location takes the note away.
func Record(ctx context.Context, d Dirs, m machine.Machine, placed map[string]Location) error {
	return record(ctx, d, m, placed, func(_, l Location) Location { return l })
}

// Add notes where secrets were placed beside where they were before. created
// are files that were not there before: they are rhx's to remove when nothing
// else is in them any more.
func Add(ctx context.Context, d Dirs, m machine.Machine, placed map[string]Location, created ...string) error {
	err := record(ctx, d, m, placed, Location.with)
	return errors.Join(err, noteCreated(ctx, d, m, created))
}

// Remove takes places of secrets out of what is noted.
func Remove(ctx context.Context, d Dirs, m machine.Machine, displaced map[string]Location) error {
	err := record(ctx, d, m, displaced, Location.without)
	return errors.Join(err, noteCreated(ctx, d, m, nil))
}

// Restore has config.yaml say again where secrets were placed, and which files were
// rhx's, in place of all that it says of that now.
func Restore(ctx context.Context, d Dirs, m machine.Machine, places map[string]Location, created []string) error {
	err := update(ctx, d, m, func(c *Config) []codec.Edit {
		var edits []codec.Edit
		for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
			if _, ok := places[name]; !ok {
				edits = append(edits, codec.Edit{Path: codec.Keys("secrets", name)})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(places)) {
			edits = append(edits, codec.Edit{Path: codec.Keys("secrets", name), Value: places[name].node()})
		}
		return edits
	})
	return errors.Join(err, noteCreated(ctx, d, m, created))
}

func record(ctx context.Context, d Dirs, m machine.Machine, placed map[string]Location, change func(old, l Location) Location) error {
	if len(placed) == 0 {
		return nil
	}
	return update(ctx, d, m, func(c *Config) []codec.Edit {
		var edits []codec.Edit
		for _, name := range slices.Sorted(maps.Keys(placed)) {
			edits = append(edits, codec.Edit{Path: codec.Keys("secrets", name), Value: change(c.Secrets[name], placed[name]).node()})
		}
		return edits
	})
}

// SetLogin notes the store and the server of a login.
func SetLogin(ctx context.Context, d Dirs, m machine.Machine, store string, v Vault) error {
	return update(ctx, d, m, func(*Config) []codec.Edit {
		edits := []codec.Edit{{Path: codec.Keys("vault", "address"), Value: codec.Text(v.Address)}}
		for key, text := range map[string]string{"namespace": v.Namespace, "ca_cert": v.CACert} {
			e := codec.Edit{Path: codec.Keys("vault", key)}
			if text != "" {
				e.Value = codec.Text(text)
			}
			edits = append(edits, e)
		}
		if store != "" {
			edits = append(edits, codec.Edit{Path: codec.Keys("store"), Value: codec.Text(store)})
		}
		return edits
	})
}

// Forget takes out of config.yaml what login wrote there, and removes the file
// if nothing else is in it: it stays where it says what else is placed on this
// machine. It returns whether the file is gone.
func Forget(ctx context.Context, d Dirs, m machine.Machine) (bool, error) {
	err := update(ctx, d, m, func(c *Config) []codec.Edit {
		edits := []codec.Edit{{Path: codec.Keys("vault")}}
		if len(c.Secrets) == 0 {
			edits = append(edits, codec.Edit{Path: codec.Keys("secrets")})
		}
		if c.Store != "local" {
			edits = append(edits, codec.Edit{Path: codec.Keys("store")})
		}
		return edits
	})
	if err != nil {
		return false, err
	}
	data, err := ownfile.Read(Path(d), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil || !nothingIn(data) {
		return false, err
	}
	return true, os.Remove(Path(d))
}

// nothingIn reports whether a config.yaml says nothing but its version, and has no
// comment.
func nothingIn(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if text := string(line); text != "" && text != "{}" && text != versionLine {
			return false
		}
	}
	return true
}

// update changes config.yaml. Comments and what else is in the file stay. A
// lock keeps commands that run at once from losing one another's notes.
func update(ctx context.Context, d Dirs, m machine.Machine, change func(*Config) []codec.Edit) (err error) {
	unlock, err := lock(ctx, d.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	path := Path(d)
	old, err := ownfile.Read(path, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	conf, err := parse(path, old)
	if err != nil {
		return err
	}
	format, err := codec.New("yaml", codec.Options{})
	if err != nil {
		return err
	}
	root, err := format.Decode(old)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	all := change(conf)
	if len(bytes.TrimSpace(old)) == 0 && slices.ContainsFunc(all, func(e codec.Edit) bool { return e.Value != nil }) {
		all = append([]codec.Edit{{Path: codec.Keys("version"), Value: &codec.Node{Kind: codec.Number, Text: strconv.Itoa(version)}}}, all...)
	}
	edits := slices.DeleteFunc(all, func(e codec.Edit) bool { return e.Value == nil && root.Find(e.Path) == nil })
	data, err := codec.Apply(format, old, together(root, edits, "secrets"))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if bytes.Equal(data, old) {
		return nil
	}
	errs, err := m.Write(ctx, []machine.Change{{Path: filepath.ToSlash(path), Old: old, Data: data}})
	return errors.Join(append(errs, err)...)
}

// together returns edits of entries of one map as one edit of that map, of which
// the codec writes all lines that differ at once.
func together(root *codec.Node, edits []codec.Edit, name string) []codec.Edit {
	at := codec.Keys(name)
	var inside, others []codec.Edit
	for _, e := range edits {
		if len(e.Path) > 1 && e.Path[0] == at[0] {
			inside = append(inside, e)
		} else {
			others = append(others, e)
		}
	}
	after, err := codec.EditTree(root, inside)
	if err != nil || len(inside) < 2 {
		return edits // whose error Apply will say
	}
	return append(others, codec.Edit{Path: at, Value: after.Find(at)})
}

// lock keeps other commands from a folder's files until unlock is called.
func lock(ctx context.Context, dir string) (unlock func() error, err error) {
	if err := atomicfile.MkdirAll(dir); err != nil {
		return nil, err
	}
	return ownfile.Lock(ctx, filepath.Join(dir, ".lock"))
}

func (l Location) node() *codec.Node {
	var list []string
	if l.Path != "" {
		list = append(append(list, l.Path), l.Also...)
	}
	switch list = append(list, l.Vars...); {
	case len(list) == 0:
		return nil
	case len(list) == 1 && l.Path != "":
		return codec.Text(l.Path)
	}
	return texts(list)
}

func texts(list []string) *codec.Node {
	n := &codec.Node{Kind: codec.List}
	for _, t := range list {
		n.Items = append(n.Items, codec.Text(t))
	}
	return n
}
