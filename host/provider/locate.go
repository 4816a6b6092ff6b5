package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/spec"
)

// misled is the error of a variable that should name a file but holds something else,
// which it never shows.
type misled struct {
	variable string
	holds    string
}

func (e *misled) Error() string {
	return fmt.Sprintf("$%s should name a file, but holds %s, which rhx does not show", e.variable, e.holds)
}

// errNoFile is the error of a variable that tells a tool that there is no file.
var errNoFile = errors.New("says that there is no file")

// locate returns the absolute paths of a spec's file on the machine; more than one
// where a variable lists several. The error is a [misled], or an errNoFile.
func (s *Snapshot) locate(sp *spec.Spec, f *spec.File) ([]string, error) {
	for _, o := range f.Override {
		v := s.Info.Env[o.Var]
		if v == "" {
			continue
		}
		if holds := s.noPath(sp, v); holds != "" {
			return nil, &misled{o.Var, holds}
		}
		if o.Expands {
			v = dollar().ReplaceAllStringFunc(v, func(ref string) string {
				if text := s.variable(strings.Trim(ref, "${}")); text != "" {
					return text
				}
				return ref
			})
		}
		if strings.Contains(v, "$") {
			return nil, &misled{o.Var, "a $ that the tool does not replace"}
		}
		list := []string{v}
		if o.List {
			list = strings.Split(v, s.listSeparator())
		}
		var out []string
		for _, p := range list {
			if p != "" && !s.nowhere(p) {
				out = append(out, s.abs(path.Join(s.slashed(p), o.Rel)))
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("$%s %w", o.Var, errNoFile)
		}
		return out, nil
	}
	return []string{s.abs(f.Path(s.Info.OS))}, nil
}

// dollar is a reference to a variable, as Python's os.path.expandvars knows it.
var dollar = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$(?:[A-Za-z0-9_]+|\{[^}]*\})`) })

// variable returns a variable of the machine that a path may refer to.
func (s *Snapshot) variable(name string) string {
	if text := s.Info.Env[name]; text != "" || name != "HOME" {
		return text
	}
	return s.Info.Home
}

// expand reads the variables that paths in other variables refer to.
func (s *Snapshot) expand(ctx context.Context, m machine.Machine, specs []*spec.Spec) error {
	names := map[string]bool{}
	for _, sp := range specs {
		for i := range sp.Files {
			for _, o := range sp.Files[i].Override {
				if !o.Expands {
					continue
				}
				for _, ref := range dollar().FindAllString(s.Info.Env[o.Var], -1) {
					if name := strings.Trim(ref, "${}"); spec.ValidVar(name) {
						names[name] = true
					}
				}
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	more, err := m.Info(ctx, slices.Sorted(maps.Keys(names)))
	if err != nil {
		return err
	}
	maps.Copy(s.Info.Env, more.Env)
	return nil
}

// noPath says what a text is that cannot be the path of a file; "" for a path.
func (s *Snapshot) noPath(sp *spec.Spec, text string) string {
	start := strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(start, "{") || strings.HasPrefix(start, "-----BEGIN ") || strings.HasPrefix(start, "apiVersion:"):
		return "a document"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "control characters"
	case SecretForm(text) || slices.ContainsFunc(sp.Values, func(v spec.Value) bool {
		return !v.Public && v.Pattern != nil && v.Pattern.MatchString(text)
	}):
		return "a secret itself"
	case slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(`/\`+s.listSeparator(), r) }),
		func(step string) bool { return len(step) > 255 }):
		return "a text that is too long for a path"
	}
	return ""
}

// nowhere reports whether a path is that of the null device.
func (s *Snapshot) nowhere(p string) bool {
	return path.Clean(p) == "/dev/null" || s.Info.OS == "windows" && strings.EqualFold(p, "NUL")
}

// blame adds to the error of a variable that names no file what to do about it.
func blame(err error) error {
	var e *misled
	if errors.As(err, &e) {
		return fault.WithHint(err, "put the path of a file into $"+e.variable+", or unset it")
	}
	return err
}
