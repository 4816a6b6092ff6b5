package author

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Draft is a package without a module, inferred from a sample of the file that
// a tool keeps its secrets in.
type Draft struct {
	Spec *spec.Spec
	// Files are the package's files by their path in it, with slashes.
	Files map[string][]byte
	// Dropped is the number of secret values of the sample that the spec has no
	// place for.
	Dropped int
}

// Infer makes a package for a provider out of a sample of its file. at is the
// sample's path, beginning with "~/" where it is in the home folder. The package
// has a case with fake values, and passes [Tester.Test].
//
// Nothing of the sample is in the package but names of its format: no value, no
// comment, no name of a profile. The same goes for the error, which says why a
// spec does not suffice.
func Infer(ctx context.Context, name, at string, data []byte) (*Draft, error) {
	if !spec.ValidName(name) {
		return nil, fmt.Errorf("%q cannot be a provider's name", name)
	}
	base := path.Base(at)
	format, err := formatOf(base, data)
	if err != nil {
		return nil, err
	}
	s := &sketch{name: name, format: format, npm: isNpmrc(base, data)}
	switch format {
	case "keypair":
		s.values = []sketched{{Value: spec.Value{Name: "private_key"}}, {Value: spec.Value{Name: "public_key", Public: true, Optional: true}}}
	case "text":
		s.values = []sketched{{Value: spec.Value{Name: "token"}, at: spec.Path{}, as: "trim"}}
	default:
		s.dialect(data)
		root, err := decode(format, s.options(), data)
		if err != nil {
			return nil, fmt.Errorf("it is not valid %s", format)
		}
		if err := s.draw(root); err != nil {
			return nil, fmt.Errorf("it is %s, but %w", format, err)
		}
	}
	text := s.yaml(specPath(name, at))
	sp, err := spec.Parse("provider.yaml", text)
	if err != nil {
		return nil, fmt.Errorf("it is %s, but its keys cannot be said in a spec", format)
	}
	if err := reads(ctx, sp, data); err != nil {
		return nil, fmt.Errorf("it is %s, but %w", format, err)
	}
	d := &Draft{Spec: sp, Files: map[string][]byte{"provider.yaml": text}, Dropped: s.dropped}
	if err := d.example(ctx, s); err != nil {
		return nil, fmt.Errorf("it is %s, but a spec could not write such a file", format)
	}
	return d, nil
}

// specPath returns the path that a spec has for a file that was seen at a path:
// itself if it begins with "~/" and a spec can have it, else one below ~/.NAME.
func specPath(name, at string) (p string, moved bool) {
	if strings.HasPrefix(at, "~/") && speakable(at[2:]) && path.Clean(at) == at && !slices.Contains(strings.Split(at, "/"), "..") {
		return at, false
	}
	base := path.Base(at)
	if !speakable(base) || base == "." || base == ".." || base == "/" || base == "~" {
		base = "credentials"
	}
	return "~/." + name + "/" + base, true
}

// speakable reports whether a path can be in a spec, and be quoted there.
func speakable(p string) bool {
	return p != "" && !strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`{}*?[\`, r) })
}

// reads reports why a spec does not read a sample as having a secret.
func reads(ctx context.Context, sp *spec.Spec, data []byte) error {
	home := map[string][]byte{strings.TrimPrefix(sp.Files[0].Path(caseOS), "~/"): data}
	found, err := extractFrom(ctx, newMachine(home, nil), sp)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(found, func(f provider.Found) bool { return f.State == provider.HasValue }) ||
		slices.ContainsFunc(found, func(f provider.Found) bool { return f.State == provider.Invalid }) {
		return errors.New("its profiles are not alike")
	}
	return nil
}

// example adds a case to the draft: what its spec writes into an empty home
// folder, of fake values.
func (d *Draft) example(ctx context.Context, s *sketch) error {
	m := machine.NewMemory("case")
	for i, profile := range s.profileNames() {
		sec := &secret.Secret{Provider: s.name, Profile: profile, Values: secret.Values{}}
		if profile == d.Spec.Files[0].Default() {
			sec.Profile = ""
		}
		sec.Name = secret.Name(s.name, sec.Profile)
		for _, v := range s.values {
			fake := "fake-" + v.Name
			if i > 0 {
				fake += "-2"
			}
			switch {
			case s.format != "keypair":
			case v.Public:
				fake = "ssh-ed25519 AAAA" + fake + "\n"
			default:
				// OpenSSH's own frame around nothing.
				fake = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + fake + "\n-----END OPENSSH PRIVATE KEY-----\n"
			}
			sec.Values[v.Name] = secret.NewValue(fake)
		}
		if err := loadAndRead(ctx, m, d.Spec, sec); err != nil {
			return err
		}
	}
	found, err := extractFrom(ctx, m, d.Spec)
	if err != nil {
		return err
	}
	c := &testCase{name: "example", home: map[string][]byte{}, want: expectation{Secrets: foundAnswers(found)}}
	at := strings.TrimPrefix(d.Spec.Files[0].Path(caseOS), "~/")
	for _, name := range []string{at, at + ".pub"} {
		if data, _, ok := m.File("/home/u/" + name); ok {
			c.home[name] = data
			d.Files["cases/example/home/"+name] = data
		}
	}
	for i := range c.want.Secrets {
		c.want.Secrets[i].Profile = spelled(d.Spec, c.want.Secrets[i].Profile)
	}
	expect, err := json.MarshalIndent(c.want, "", "  ")
	if err != nil {
		return err
	}
	d.Files["cases/example/expect.json"] = append(expect, '\n')
	return (&Tester{}).check(ctx, &Package{Spec: d.Spec}, c)
}

// profileNames are the profiles of the case. They are not those of the sample,
// which may say who somebody is; but for the default one, which is no name.
func (s *sketch) profileNames() []string {
	switch {
	case s.profiles == nil:
		return []string{""}
	case s.hosts:
		return []string{"example.com", "example.org"}
	case s.profiles.Default != "":
		return []string{s.profiles.Default, "work"}
	}
	return []string{"home", "work"}
}

// Format returns the format of the draft's file.
func (d *Draft) Format() string { return d.Spec.Files[0].Format }

// yaml writes the sketch as a spec.
func (s *sketch) yaml(at string, moved bool) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Inferred from a sample by rhx provider new: look at each line. docs/specs.md of")
	line("# rhx says what there is beside these.")
	line("spec: 1\nname: %s\ntitle: %s\nvalues:", s.name, strings.ToUpper(s.name[:1])+s.name[1:])
	for _, v := range s.values {
		var fields []string
		if len(v.Env) > 0 {
			fields = append(fields, "env: "+v.Env[0])
		}
		if v.Public {
			fields = append(fields, "public: true")
		}
		if v.Optional {
			fields = append(fields, "optional: true")
		}
		line("  %s: {%s}", quoted(v.Name), strings.Join(fields, ", "))
	}
	line("files:")
	if moved {
		b.WriteString(movedComment)
	}
	line("  - path: %s\n    format: %s", quoted(at), s.formatText())
	if p := s.profiles; p != nil {
		place := ""
		switch {
		case p.Section != "":
			place = "section: " + quoted(p.Section)
		case p.Option != "":
			place = "option: " + quoted(p.Option)
		case p.Keys != nil:
			place = "keys: " + quoted(p.Keys.String())
		default:
			place = "entries: " + quoted(p.Entries.String()) + ", name: " + quoted(p.Name)
		}
		if p.Default != "" {
			place += ", default: " + quoted(p.Default)
		}
		line("    profiles: {%s}", place)
	}
	if s.format != "keypair" {
		line("    keys:")
		for _, v := range s.values {
			place := quoted(v.at.String())
			if v.as != "" || v.mirror != nil || v.root {
				place = "{at: " + place
				if v.root {
					place += ", root: true"
				}
				if v.mirror != nil {
					place += ", mirror: " + quoted(v.mirror.String())
				}
				if v.as != "" {
					place += ", as: " + v.as
				}
				place += "}"
			}
			line("      %s: %s", quoted(v.Name), place)
		}
	}
	if s.expires != nil {
		line("    expires: %s", quoted(s.expires.String()))
	}
	return []byte(b.String())
}

// movedComment is above the path of a file that was not in the home folder.
const movedComment = "  # The sample was not in the home folder: this is to be the tool's own path.\n"

// quoted returns a text as YAML, in quotes unless it is plainly text.
func quoted(text string) string {
	switch strings.ToLower(text) {
	case ".":
		return text
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
	default:
		if regexp.MustCompile(`^(~/)?[A-Za-z_.][A-Za-z0-9_./-]*$`).MatchString(text) && text[0] != '-' && text[len(text)-1] != '.' {
			return text
		}
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
