package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
)

// Client is a program that can ask rhx.
type Client struct {
	// Name is what people call it, and Protocol how it asks.
	Name, Protocol string
	// Each reports that it asks for one secret at a time, which has to be named.
	Each bool

	// vars are the variables that say where its files are.
	vars []string
	// files are where its configuration can be: rhx writes the first that is there, or
	// else the first.
	files func(info machine.Info) []string
	file  configFile
	// link is the name by which it looks for rhx in PATH, if it does; own is the folder in
	// which it looks instead.
	link string
	own  func(info machine.Info) string
	note string
}

// configFile edits one kind of configuration.
type configFile interface {
	// add puts rhx in. An [OthersError] says that another helper is in its place.
	add(data []byte, e *entry) ([]byte, error)
	// take takes it out; false where it is not in.
	take(data []byte) ([]byte, bool, error)
	// others are the other helpers that are set.
	others(data []byte) ([]string, error)
}

// entry is what is put in.
type entry struct {
	program string
	// secret is the one that is to answer, "" for all; at is the address that it is for,
	// and values what its configuration calls it by.
	secret, at string
	rec        *secret.Secret
	replace    bool
}

// command is how rhx is started for a client.
func (e *entry) command(protocol string) []string {
	argv := []string{e.program, "helper", protocol}
	if e.secret != "" {
		argv = append(argv, "--secret", e.secret)
	}
	return argv
}

// OthersError says which helpers are in rhx's place.
type OthersError struct{ Others []string }

func (e *OthersError) Error() string {
	return "another helper is set: " + strings.Join(e.Others, ", ")
}

// Installer puts rhx into the configuration of clients on this machine. Its fields are
// set once.
type Installer struct {
	Local machine.Machine
	Dirs  config.Dirs
	// Program is the absolute path of rhx, with slashes.
	Program string
	// LookPath finds a program in PATH.
	LookPath func(name string) (string, error)
}

// Options say how a client is to ask.
type Options struct {
	// Secret is the only secret that it gets; nil for whichever is for what it asks.
	Secret *Answer
	// Replace puts rhx in the place of other helpers where the client has one only, and
	// has the client not ask them where it has several.
	Replace bool
	// Bin is a folder in PATH for the program's other name; "" for none.
	Bin string
}

// Plan is what an installation, or its removal, changes.
type Plan struct {
	Client  string
	Changes []machine.Change
	// Outcomes say what becomes of each file; those that stay as they are, too.
	Outcomes []session.Outcome
	// Others are other helpers, which stay and are asked as well.
	Others []string
	// Notes are what the user should know.
	Notes []string
}

// Changes anything?
func (p *Plan) empty() bool { return len(p.Changes) == 0 }

// Write makes the changes as one session, which undo takes back.
func (p *Plan) Write(ctx context.Context, book *session.Book, m machine.Machine, command string) error {
	if p.empty() {
		return nil
	}
	s := book.Begin(command)
	defer s.End()
	w := &session.Work{At: place.Here, Machine: m, Changes: p.Changes, Outcomes: p.Outcomes}
	if err := s.Write(ctx, w); err != nil {
		return err
	}
	var errs []error
	for _, o := range w.Outcomes {
		errs = append(errs, o.Err)
	}
	return errors.Join(errs...)
}

// Clients returns the clients that can ask rhx, by their names.
func Clients() []Client { return clients() }

// ClientOf returns the client of a name.
func ClientOf(name string) (Client, error) {
	var names []string
	for _, c := range clients() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Client{}, fault.WithHint(fault.WithKind(fmt.Errorf("rhx has no helper for %q%s", name, fault.DidYouMean(name, names)), fault.Usage), "there is one for "+strings.Join(names, ", "))
}

// Install plans to have a client ask rhx. It changes nothing.
func (i *Installer) Install(ctx context.Context, c Client, opts Options) (*Plan, error) {
	e := &entry{program: i.Program, replace: opts.Replace}
	if opts.Secret != nil {
		e.secret, e.at, e.rec = opts.Secret.Secret, opts.Secret.At, &opts.Secret.rec.Secret
	}
	if c.Each && e.secret == "" {
		return nil, fault.WithHint(fault.WithKind(fmt.Errorf("%s has one helper for each secret", c.Name), fault.Usage), "name it: rhx helper install "+c.Name+" --secret NAME")
	}
	for what, text := range map[string]string{"rhx is at ": e.program, "the secret is called ": e.secret, "the secret is for ": e.at} {
		if !plainWord(text) {
			return nil, fmt.Errorf("%s%s, which not every client takes for one word", what, text)
		}
	}
	info, err := i.Local.Info(ctx, c.vars)
	if err != nil {
		return nil, err
	}
	p := &Plan{Client: c.Name}
	if c.note != "" {
		p.Notes = append(p.Notes, c.note)
	}
	files, err := i.read(ctx, c.files(info))
	if err != nil {
		return nil, err
	}
	at := files[0]
	for _, f := range files {
		if f.Err == nil {
			at = f
			break
		}
	}
	var data []byte
	if c.Each { // of several files, the one that has what is to ask rhx
		for _, f := range files {
			if _, err := c.file.add(f.Data, e); f.Err == nil && err == nil {
				at = f
				break
			}
		}
	}
	if p.Others, err = c.file.others(at.Data); err == nil {
		if data, err = c.file.add(at.Data, e); err == nil {
			p.change(info, at, data, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", info.Short(at.Path), err)
	}
	return p, i.link(ctx, c, info, opts.Bin, p)
}

// Uninstall plans to take rhx out of a client's configuration. It changes nothing.
func (i *Installer) Uninstall(ctx context.Context, c Client) (*Plan, error) {
	info, err := i.Local.Info(ctx, c.vars)
	if err != nil {
		return nil, err
	}
	files, err := i.read(ctx, c.files(info))
	if err != nil {
		return nil, err
	}
	created, err := config.Created(i.Dirs)
	if err != nil {
		return nil, err
	}
	p := &Plan{Client: c.Name}
	for _, f := range files {
		if f.Err != nil {
			continue
		}
		data, found, err := c.file.take(f.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", info.Short(f.Path), err)
		}
		if !found {
			continue
		}
		if blank(data) && (slices.Contains(created, info.Short(f.Path)) || len(data) == 0) {
			data = nil
		}
		p.change(info, f, data, 0)
	}
	return p, i.unlink(ctx, c, info, p)
}

// Installed returns the files, as people write them, in which a client's configuration
// has it ask rhx.
func (i *Installer) Installed(ctx context.Context, c Client) ([]string, error) {
	info, err := i.Local.Info(ctx, c.vars)
	if err != nil {
		return nil, err
	}
	files, err := i.read(ctx, c.files(info))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if f.Err != nil {
			continue
		}
		if _, found, err := c.file.take(f.Data); err != nil {
			return nil, fmt.Errorf("%s: %w", info.Short(f.Path), err)
		} else if found {
			out = append(out, info.Short(f.Path))
		}
	}
	return out, nil
}

// Lacks names the program by which a client looks for rhx, if that is not there; "" where it
// is, or the client starts rhx by its path. own reports that it is looked for in a folder of the
// client's, and not in PATH.
func (i *Installer) Lacks(ctx context.Context, c Client) (name string, own bool, err error) {
	switch {
	case c.link == "":
		return "", false, nil
	case c.own == nil:
		if _, err := i.LookPath(c.link); err != nil {
			return c.link, false, nil //nolint:nilerr // it is not there
		}
		return "", false, nil
	}
	info, err := i.Local.Info(ctx, c.vars)
	if err != nil {
		return "", true, err
	}
	at := path.Join(c.own(info), c.link)
	files, err := i.read(ctx, []string{at})
	if err != nil || !errors.Is(files[0].Err, fs.ErrNotExist) {
		return "", true, err
	}
	return info.Short(at), true, nil
}

// read reads files; one that is there and cannot be read is an error.
func (i *Installer) read(ctx context.Context, paths []string) ([]machine.File, error) {
	quoted := make([]string, len(paths))
	for j, p := range paths {
		quoted[j] = machine.Quote(p)
	}
	files, err := i.Local.Read(ctx, quoted)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.Err != nil && !errors.Is(f.Err, fs.ErrNotExist) {
			return nil, f.Err // which names the file
		}
	}
	return files, nil
}

// change adds what becomes of a file; nil data removes it.
func (p *Plan) change(info machine.Info, f machine.File, data []byte, mode fs.FileMode) {
	action := provider.Updated
	switch {
	case data == nil:
		action = provider.Removed
	case f.Err != nil:
		action = provider.Created
	case bytes.Equal(data, f.Data):
		action = provider.Unchanged
	}
	if action != provider.Unchanged {
		p.Changes = append(p.Changes, machine.Change{Path: f.Path, Data: data, Remove: data == nil, Old: f.Data, Mode: mode})
	}
	p.Outcomes = append(p.Outcomes, session.Outcome{At: place.Here, Secret: "helper " + p.Client, File: filepath.ToSlash(f.Path),
		Placement: provider.Placement{Action: action, Source: secret.Source{Kind: secret.SourceFile, Path: info.Short(f.Path)}}})
}

// scriptMark is the second line of the programs that rhx writes.
const scriptMark = "# Written by rhx helper install; rhx helper uninstall removes it.\n"

func script(program, protocol string) []byte {
	return []byte("#!/bin/sh\n" + scriptMark + "exec " + program + " helper " + protocol + ` "$@"` + "\n")
}

func isScript(data []byte) bool { return bytes.HasPrefix(data, []byte("#!/bin/sh\n"+scriptMark)) }

// link has the client find rhx by its other name.
func (i *Installer) link(ctx context.Context, c Client, info machine.Info, bin string, p *Plan) error {
	if c.link == "" {
		if bin != "" {
			return fault.WithKind(fmt.Errorf("%s starts rhx by its path: it takes no --bin", c.Name), fault.Usage)
		}
		return nil
	}
	dir := bin
	if c.own != nil {
		dir = c.own(info)
	}
	found, lookErr := i.LookPath(c.link)
	if lookErr == nil {
		ours, err := i.ours(ctx, found)
		if err != nil {
			return err
		}
		switch {
		case !ours && c.link == "keyring":
			return fault.WithHint(fmt.Errorf("%s is another program, and %s would ask that one", found, c.Name), "rhx does not take its place; remove it first if nothing else needs it")
		case bin == "" && c.own == nil:
			return nil // as make install left it
		}
	}
	if dir == "" {
		return fault.WithHint(fmt.Errorf("%s looks for a program %s in PATH, and there is none", c.Name, c.link), "rhx helper install "+c.Name+" --bin DIR writes one into a folder of PATH")
	}
	at := path.Join(filepath.ToSlash(dir), c.link)
	files, err := i.read(ctx, []string{at})
	if err != nil {
		return err
	}
	if f := files[0]; f.Err == nil && !isScript(f.Data) {
		if ours, err := i.ours(ctx, at); err != nil || ours {
			return err
		}
		return fmt.Errorf("%s is there already, and not rhx's", info.Short(at))
	}
	p.change(info, files[0], script(i.Program, c.Protocol), 0o700)
	return nil
}

// unlink removes what link wrote.
func (i *Installer) unlink(ctx context.Context, c Client, info machine.Info, p *Plan) error {
	if c.link == "" {
		return nil
	}
	at, err := i.LookPath(c.link)
	if c.own != nil {
		at, err = path.Join(c.own(info), c.link), nil
	}
	if err != nil {
		return nil //nolint:nilerr // it is not there
	}
	for _, other := range clients() {
		if other.Name == c.Name || other.link != c.link || other.own != nil {
			continue
		}
		if at, err := i.Installed(ctx, other); err != nil || len(at) > 0 {
			return err // which needs it
		}
	}
	files, err := i.Local.Read(ctx, []string{machine.Quote(filepath.ToSlash(at))})
	if err != nil {
		return err
	}
	if files[0].Err == nil && isScript(files[0].Data) {
		p.change(info, files[0], nil, 0)
	}
	return nil
}

// ours reports whether a program is rhx, or what rhx wrote to start it.
func (i *Installer) ours(ctx context.Context, at string) (bool, error) {
	if real, err := filepath.EvalSymlinks(at); err == nil {
		if own, err := filepath.EvalSymlinks(filepath.FromSlash(i.Program)); err == nil && own == real {
			return true, nil
		}
	}
	files, err := i.Local.Read(ctx, []string{machine.Quote(filepath.ToSlash(at))})
	if err != nil {
		return false, err
	}
	return files[0].Err == nil && isScript(files[0].Data), nil // a large program is not
}

// blank reports whether a configuration says nothing.
func blank(data []byte) bool {
	text := strings.TrimSpace(string(data))
	return text == "" || text == "{}" || strings.Join(strings.Fields(text), "") == "{}"
}

// plainWord reports whether every shell and every client takes a text for one word.
func plainWord(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._@:+%/-", r))
	})
}
