package helper

import (
	"context"
	"path"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
)

// cargoHome is cargo's folder.
func cargoHome(info machine.Info) string {
	if dir := info.Env["CARGO_HOME"]; path.IsAbs(dir) {
		return dir
	}
	return info.Home + "/.cargo"
}

// cargoIndex is the index that the user's own configuration of cargo names for a
// registry; "" for none.
func (h *Helpers) cargoIndex(ctx context.Context, name string) string {
	if h.Local == nil || name == "" {
		return ""
	}
	info, err := h.Local.Info(ctx, []string{"CARGO_HOME"})
	if err != nil {
		return ""
	}
	// cargo reads the first of both that is there.
	for _, file := range []string{"config", "config.toml"} {
		files, err := h.Local.Read(ctx, []string{machine.Quote(cargoHome(info) + "/" + file)})
		if err != nil || files[0].Err != nil {
			continue
		}
		format, err := codec.New("toml", codec.Options{})
		if err != nil {
			return ""
		}
		root, err := format.Decode(files[0].Data)
		if err != nil {
			return ""
		}
		if n := root.Find(codec.Keys("registries", name, "index")); n.Scalar() {
			return n.Text
		}
		return ""
	}
	return ""
}
