package exchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// ExportFormat is what a document of an export is called by.
const ExportFormat = "rhx-export"

// exportVersion is the version of the form that is written and read.
const exportVersion = 1

// Exported is the newest version of each secret, as JSON that others can read:
// docs/moving-in.md.
type Exported struct {
	Format  string           `json:"format"`
	Version int              `json:"version"`
	Created time.Time        `json:"created"`
	Secrets []ExportedSecret `json:"secrets"`
}

// ExportedSecret is one secret. Bytes that are not UTF-8 are in Binary, as base64.
type ExportedSecret struct {
	Name      string            `json:"name"`
	Provider  string            `json:"provider,omitempty"`
	Profile   string            `json:"profile,omitempty"`
	Locations []secret.Source   `json:"locations,omitempty"`
	Updated   time.Time         `json:"updated,omitzero"`
	Expires   time.Time         `json:"expires,omitzero"`
	Values    map[string]string `json:"values"`
	Binary    map[string]string `json:"binary,omitempty"`
}

// Export returns the newest version of secrets: those that names has, or all. Left are
// those that cannot be read.
func (x *Exchange) Export(ctx context.Context, names []string) (*Exported, []Leftover, error) {
	if len(names) == 0 {
		infos, err := x.Records.List(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, info := range infos {
			names = append(names, info.Name)
		}
		if names, err = x.Records.Mine(ctx, names); err != nil {
			return nil, nil, err
		}
	}
	reads, err := x.Records.ReadMany(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	out := &Exported{Format: ExportFormat, Version: exportVersion, Created: time.Now().UTC().Truncate(time.Second), Secrets: []ExportedSecret{}}
	var left []Leftover
	for _, r := range reads {
		if r.Err != nil {
			left = append(left, Leftover{Name: r.Name, Why: r.Err.Error()})
			continue
		}
		out.Secrets = append(out.Secrets, exported(r.Record))
	}
	return out, left, nil
}

// exported is a record for an export: its values are revealed.
func exported(rec *store.Record) ExportedSecret {
	sec := &rec.Secret
	e := ExportedSecret{Name: rec.Info.Name, Provider: sec.Provider, Profile: sec.Profile, Locations: sec.Sources, Updated: rec.Info.Updated, Expires: sec.Expires, Values: map[string]string{}}
	for k, v := range sec.Values {
		e.Values[k] = v.Reveal()
	}
	e.Binary = secret.Binary(e.Values)
	return e
}

// PlanExport compares what Export gave with the store. It changes nothing.
func (x *Exchange) PlanExport(ctx context.Context, data []byte) (*Import, error) {
	var doc Exported
	// The strict reader refuses what json.Unmarshal replaces: bytes that are not UTF-8, and halves of characters.
	_, err := codec.FromJSON(data)
	if err != nil || json.Unmarshal(data, &doc) != nil || doc.Format != ExportFormat {
		return nil, fault.WithHint(errors.New("it is not what rhx export writes"), "a backup of rhx store export comes back by rhx store import")
	}
	if doc.Version != exportVersion {
		return nil, fmt.Errorf("its version is %d, and this rhx reads %d", doc.Version, exportVersion)
	}
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	im := &Import{Keys: true, Providers: true}
	var found []provider.Found
	seen := map[string]bool{}
	for i := range doc.Secrets {
		s := &doc.Secrets[i]
		f := provider.Found{State: provider.HasValue, Secret: secret.Secret{Name: s.Name, Provider: s.Provider, Profile: s.Profile, Sources: s.Locations, Expires: s.Expires, Values: secret.Values{}}}
		why := s.into(f.Values)
		if err := x.checkExported(&f.Secret); why == "" && err != nil {
			why = err.Error()
		}
		if err := secret.ValidName(s.Name); err != nil {
			why = err.Error()
		}
		switch {
		case why == "" && seen[s.Name]:
			why = "it is there twice"
		case why == "" && opens(f, st):
			why = "it opens the store"
		}
		if why != "" {
			im.Left = append(im.Left, Leftover{Name: s.Name, Why: why})
			continue
		}
		seen[s.Name] = true
		found, im.From = append(found, f), append(im.From, s.Name)
	}
	im.Plan, err = x.planUpload(ctx, found, nil)
	return im, err
}

// checkExported checks a secret of a file as rhx save checks what is typed, and leaves of
// its locations what may be believed.
func (x *Exchange) checkExported(sec *secret.Secret) error {
	var sp *spec.Spec
	switch {
	case sec.Provider != "":
		var err error
		if sp, err = x.Specs.Get(sec.Provider); err != nil {
			return err
		}
		sec.Provider = sp.Name
		if _, profile := secret.SplitName(sec.Name); !x.ownName(sp, sec.Name) && profile != sec.Profile {
			return fmt.Errorf("it is of the profile %q, which its name does not say", sec.Profile)
		}
	case sec.Profile != "":
		return fmt.Errorf("it is of the profile %q, and of no provider", sec.Profile)
	}
	// Whoever wrote the file does not say which file rhx writes.
	sec.Sources = slices.DeleteFunc(slices.Clone(sec.Sources), func(src secret.Source) bool { return !believed(sp, src) })
	for i := range sec.Sources {
		sec.Sources[i].Own = false
	}
	return x.CheckValues(sec, nil)
}

// believed reports whether a location that a file says is taken. It chooses no path into
// which a secret goes: a file is one of the provider's own, or one that had variables.
func believed(sp *spec.Spec, src secret.Source) bool {
	if !printable(src.Path) || src.Var != "" && !spec.ValidVar(src.Var) {
		return false
	}
	switch src.Kind {
	case secret.SourceFile:
		return src.Var != "" || sp != nil && providersOwn(sp, src.Path)
	case secret.SourceEnv:
		return src.Var != ""
	case secret.SourceClient, secret.SourceTool:
		return true
	}
	return false
}

// into puts the values of a secret into others; it says why it cannot, and what else of
// the secret would mean something else than it shows.
func (s *ExportedSecret) into(values secret.Values) string {
	for k, v := range s.Values {
		values[k] = secret.NewValue(v)
	}
	for k, v := range s.Binary {
		raw, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return "a value of it is not base64"
		}
		if _, ok := values[k]; ok {
			return "a value of it is there twice"
		}
		values[k] = secret.NewValue(string(raw))
	}
	if len(values) == 0 {
		return "it has no values"
	}
	for k := range values {
		if k == "" || !printable(k) || strings.Contains(k, "=") {
			return `the name of a value of it is empty, or no printable text without "="`
		}
	}
	first, profile := secret.SplitName(s.Name)
	switch {
	case !printable(s.Profile):
		return "its profile is no printable text"
	case s.Provider != "" && first == s.Provider && profile != "" && s.Profile != "" && profile != s.Profile:
		return "its profile is not that of its name"
	}
	return ""
}

func printable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
