package deliver

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/projfile"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/trust"
)

// OwnPath is the file of its own that a secret was saved from; "" for none. It begins
// with "~/" where it is in the home folder.
func OwnPath(sec *secret.Secret) string {
	for _, src := range sec.Sources {
		if src.Own && src.Kind == secret.SourceFile {
			return src.Path
		}
	}
	return ""
}

// notBackTo says why a secret does not go back to the file that it was saved from: who
// can write to the store must not choose any file of any machine. "" where it does.
func (d *Deliverer) notBackTo(sec *secret.Secret, file string) string {
	rest, home := strings.CutPrefix(file, "~/")
	clean := path.Clean(rest)
	if !home || clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(clean, "/") {
		return "which is not in the home folder"
	}
	if by := d.runs(sec, "~/"+clean, file); by != "" {
		return "which " + by + " reads"
	}
	return ""
}

// runs says what would run programs if a secret were written to a file as it is written to
// the file that it was saved from: where its provider does not say which keys go there,
// any may. A project's file of variables has nothing else.
func (d *Deliverer) runs(sec *secret.Secret, file, from string) string {
	if projfile.Format(file) != "" {
		return trust.RunsByPath(file)
	}
	if sec.Provider != "" {
		sp, err := d.Specs.Get(sec.Provider)
		if form, _, formErr := formFor(sp, sec, from); err == nil && formErr == nil && form == sp {
			return trust.RunsByPath(file)
		}
	}
	return trust.RunsByAnyKey(file)
}

// leadsElsewhere is notBackTo for where a path leads on the machine: links are followed,
// and rhx's own folders are where its variables say.
func (w *delivering) leadsElsewhere(sec *secret.Secret, file string) error {
	real, err := w.snap.Leads(file)
	if errors.Is(err, provider.ErrOwn) {
		err = fmt.Errorf("it was saved from %s, which is in a folder of rhx's own, and no secret goes there", file)
	} else if by := w.d.runs(sec, real, file); err == nil && by != "" {
		err = fmt.Errorf("it was saved from %s, which leads to %s, and %s reads that", file, real, by)
	}
	return fault.WithHint(err, "--to PATH writes it elsewhere")
}
