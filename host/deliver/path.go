package deliver

import (
	"path"
	"strings"

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
func notBackTo(file string) string {
	rest, home := strings.CutPrefix(file, "~/")
	switch clean := path.Clean(rest); {
	case !home, clean == "..", strings.HasPrefix(clean, "../"), strings.HasPrefix(clean, "/"):
		return "which is not in the home folder"
	case trust.RunsByPath("~/"+clean) != "":
		return "which " + trust.RunsByPath("~/"+clean) + " reads"
	}
	return ""
}
