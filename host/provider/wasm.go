package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// extractWasm has a module read the secrets in a file.
func (s *Snapshot) extractWasm(ctx context.Context, sp *spec.Spec, f *spec.File, file machine.File) []Found {
	secrets, err := s.guestExtract(ctx, sp, f, file.Path, file.Data)
	if err != nil {
		return []Found{s.invalid(sp, "", file.Path, err)}
	}
	var out []Found
	for _, g := range secrets {
		found := s.new(sp, f, g.Profile, file.Path)
		found.Expires = g.Expires
		lacks := lacking(sp, f, g.Values)
		switch {
		case !private(sp, g.Values):
			continue
		case len(lacks) > 0:
			where := s.Short(file.Path)
			if g.Profile != "" {
				where += ", " + g.Profile
			}
			found.State, found.Err = Invalid, fmt.Errorf("read %s: %s is missing", where, strings.Join(lacks, ", "))
		default:
			s.fill(sp, &found, known(sp, g.Values))
		}
		out = append(out, s.named(sp, found, g.Values))
	}
	return out
}

// known keeps the values that the spec lists, and of those the ones with text.
func known(sp *spec.Spec, texts map[string]string) map[string]string {
	out := map[string]string{}
	for k, text := range texts {
		if _, ok := sp.Value(k); ok && text != "" {
			out[k] = text
		}
	}
	return out
}

func (s *Snapshot) guestExtract(ctx context.Context, sp *spec.Spec, f *spec.File, path string, data []byte) ([]abi.Secret, error) {
	resp, err := s.run(ctx, sp, f, &abi.Request{
		Op: abi.Extract, Provider: sp.Name,
		Files: []abi.File{{Path: s.Short(path), Content: data, Exists: true}},
		Env:   s.declared(sp),
	})
	if err != nil {
		return nil, err
	}
	return resp.Secrets, nil
}

func (s *Snapshot) run(ctx context.Context, sp *spec.Spec, f *spec.File, req *abi.Request) (*abi.Response, error) {
	if s.guests == nil {
		return nil, errors.New("wasm modules cannot be run here")
	}
	return s.guests.Run(ctx, sp, f, req)
}

// declared are the variables that the spec's values name, which are all that a
// module is shown.
func (s *Snapshot) declared(sp *spec.Spec) map[string]string {
	env := map[string]string{}
	for _, v := range sp.Values {
		for _, name := range v.Env {
			if text := s.Info.Env[name]; text != "" {
				env[name] = text
			}
		}
	}
	return env
}

// putWasm has a module merge a secret into a file, and reads the result back
// before it is believed: this profile as asked, the others as they were.
func (p *Plan) putWasm(ctx context.Context, sp *spec.Spec, f *spec.File, path string, sec *secret.Secret, opts Options) []Placement {
	src := p.snap.fileSource(path)
	file, err := p.open(path, f.Mode)
	if err != nil {
		return []Placement{failed(src, err)}
	}
	name := p.profileName(f, sec)
	var before []abi.Secret
	if len(file.data) > 0 {
		if before, err = p.snap.guestExtract(ctx, sp, f, path, file.data); err != nil {
			return []Placement{failed(src, fmt.Errorf("read %s: %w", src.Path, err))}
		}
	}
	want := known(sp, revealed(sec.Values))
	added, differ := compare(sp, find(before, name), want)
	if len(added)+len(differ) == 0 {
		return []Placement{{Source: src, Action: Unchanged}}
	}
	if err := safe(sp, want, find(before, name), slices.Concat(added, differ), opts); err != nil {
		return []Placement{failed(src, fmt.Errorf("write %s: %w", src.Path, err))}
	}
	if len(differ) > 0 {
		if c := conflict(src.Path, differ, find(before, name)); !opts.replaces(c) {
			return []Placement{{Source: src, Action: Conflict, Keys: differ, Err: c}}
		}
	}
	resp, err := p.snap.run(ctx, sp, f, &abi.Request{
		Op: abi.Render, Provider: sp.Name, Profile: name,
		Files:  []abi.File{{Path: src.Path, Content: file.data, Exists: file.data != nil, Mode: f.Mode}},
		Secret: &abi.Secret{Profile: name, Values: want},
	})
	if err != nil {
		return []Placement{failed(src, fmt.Errorf("write %s: %w", src.Path, err))}
	}
	if len(resp.Files) != 1 {
		return []Placement{failed(src, fmt.Errorf("write %s: the module %s gave %d files instead of one", src.Path, f.Wasm, len(resp.Files)))}
	}
	data := resp.Files[0].Content
	after, err := p.snap.guestExtract(ctx, sp, f, path, data)
	if err != nil || !reads(sp, before, after, name, want) {
		return []Placement{failed(src, fmt.Errorf("write %s: what the module %s wrote would not read back as intended; nothing was changed", src.Path, f.Wasm))}
	}
	return []Placement{p.set(src, path, file, data, append(added, differ...))}
}

// removeWasm takes a secret out of a module's file: its line, where it is one line by
// itself; else the file, where the secret is its only one.
func (p *Plan) removeWasm(ctx context.Context, sp *spec.Spec, f *spec.File, file machine.File, profile string) Placement {
	src := p.snap.fileSource(file.Path)
	all, err := p.snap.guestExtract(ctx, sp, f, file.Path, file.Data)
	if err != nil {
		return failed(src, p.snap.readError(file.Path, err))
	}
	data, err := p.snap.withoutLine(ctx, sp, f, file, all, profile)
	switch {
	case err != nil:
		return failed(src, p.snap.readError(file.Path, err))
	case len(bytes.TrimSpace(data)) > 0:
		planned, err := p.open(file.Path, f.Mode)
		if err != nil {
			return failed(src, err)
		}
		planned.data = data
		p.files[file.Path] = planned
		return Placement{Source: src, Action: Removed}
	case data == nil && len(all) > 1:
		return failed(src, fmt.Errorf("%s has other entries too, and rhx cannot take out one; use the vendor's tool", src.Path))
	}
	return p.removeFile(file.Path)
}

// withoutLine is a module's file without the line of a secret, if the module reads
// just this secret in that line alone, and all others as before in the rest; else nil.
func (s *Snapshot) withoutLine(ctx context.Context, sp *spec.Spec, f *spec.File, file machine.File, all []abi.Secret, profile string) ([]byte, error) {
	lines := bytes.SplitAfter(file.Data, []byte("\n"))
	for i, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		one, err := s.guestExtract(ctx, sp, f, file.Path, line)
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil || len(one) != 1 || one[0].Profile != profile || !maps.Equal(one[0].Values, find(all, profile)) {
			continue
		}
		rest := bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil)
		after, err := s.guestExtract(ctx, sp, f, file.Path, rest)
		if err == nil && len(after) == len(all)-1 && reads(sp, all, after, profile, nil) {
			return append([]byte{}, rest...), nil
		}
		return nil, err
	}
	return nil, nil
}

func find(secrets []abi.Secret, profile string) map[string]string {
	for _, s := range secrets {
		if s.Profile == profile {
			return s.Values
		}
	}
	return nil
}

// compare returns the keys that are not there yet and those that differ. A
// secret value that is there but not wanted differs.
func compare(sp *spec.Spec, have, want map[string]string) (added, differ []string) {
	for k, text := range want {
		switch {
		case have[k] == text:
		case have[k] == "":
			added = append(added, k)
		default:
			differ = append(differ, k)
		}
	}
	for k, text := range have {
		if _, ok := want[k]; !ok && text != "" && !sp.Public(k) {
			differ = append(differ, k)
		}
	}
	slices.Sort(added)
	slices.Sort(differ)
	return added, differ
}

// reads reports whether after holds the profile name as wanted, every other profile
// as before, and no more.
func reads(sp *spec.Spec, before, after []abi.Secret, name string, want map[string]string) bool {
	if added, differ := compare(sp, find(after, name), want); len(added)+len(differ) > 0 {
		return false
	}
	for _, b := range before {
		if b.Profile != name && !maps.Equal(b.Values, find(after, b.Profile)) {
			return false
		}
	}
	return !slices.ContainsFunc(after, func(a abi.Secret) bool { return a.Profile != name && find(before, a.Profile) == nil })
}
