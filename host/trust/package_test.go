package trust

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

type item struct {
	name, text string
	kind       byte
}

func tarball(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for _, it := range items {
		h := &tar.Header{Name: it.name, Typeflag: it.kind, Mode: 0o600, Size: int64(len(it.text))}
		if it.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if it.kind == tar.TypeSymlink || it.kind == tar.TypeLink {
			h.Linkname, h.Size = it.text, 0
			it.text = ""
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(it.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const yamlText = "spec: 1\nname: p\nvalues: {k: {env: K}}\n"

func TestTarballs(t *testing.T) {
	good := item{name: "p/provider.yaml", text: yamlText}
	var many []item
	for range maxEntries + 1 {
		many = append(many, item{name: "p/x", kind: tar.TypeDir})
	}
	for name, c := range map[string]struct {
		items []item
		want  string // of the error; "" for none
	}{
		"in a folder":           {[]item{good, {name: "p/LICENSE", text: "x"}, {name: "p/cases/provider.yaml", text: "deeper"}}, ""},
		"at the top":            {[]item{{name: "./provider.yaml", text: yamlText}}, ""},
		"a harmless detour":     {[]item{{name: "p/../p/provider.yaml", text: yamlText}}, ""},
		"up":                    {[]item{good, {name: "../x"}}, "leads out"},
		"up from below":         {[]item{good, {name: "p/../../x"}}, "leads out"},
		"absolute":              {[]item{good, {name: "/etc/x"}}, "leads out"},
		"windows separators":    {[]item{good, {name: `p\..\..\x`}}, "leads out"},
		"windows drive":         {[]item{good, {name: `C:/x`}}, "leads out"},
		"symbolic link":         {[]item{good, {name: "p/x", text: "/etc/passwd", kind: tar.TypeSymlink}}, "link or a device"},
		"hard link":             {[]item{good, {name: "p/x", text: "p/provider.yaml", kind: tar.TypeLink}}, "link or a device"},
		"character device":      {[]item{good, {name: "p/x", kind: tar.TypeChar}}, "link or a device"},
		"twice":                 {[]item{good, good}, "there twice"},
		"twice, spelt apart":    {[]item{good, {name: "p/./provider.yaml", text: yamlText}}, "there twice"},
		"two packages":          {[]item{good, {name: "q/provider.yaml", text: yamlText}}, "more than one"},
		"no package":            {[]item{{name: "p/q/provider.yaml", text: yamlText}}, "has no provider.yaml"},
		"nothing":               {nil, "has no provider.yaml"},
		"signature of nothing":  {[]item{good, {name: "p/SHA256SUMS.minisig", text: "x"}}, "no SHA256SUMS that it signs"},
		"too many entries":      {many, "more than 10000 entries"},
		"a module in its stead": {[]item{{name: "p/provider.yaml", text: yamlText + "files: [{path: ~/p, format: {wasm: m}}]\n"}, {name: "q/m.wasm", text: "x"}}, "there is no m.wasm"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ReadTarball("x.tar.gz", bytes.NewReader(tarball(t, c.items...)))
			switch {
			case c.want == "" && (err != nil || p.Spec.Name != "p" || string(p.Files[specFile]) != yamlText || len(p.Files) != 1):
				t.Error(p, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Error(err)
			}
		})
	}
}

// FuzzTarball holds that a package has only files of the names that rhx uses,
// within their sizes, whatever the archive is.
func FuzzTarball(f *testing.F) {
	add := func(items ...item) {
		zr, err := gzip.NewReader(bytes.NewReader(tarball(f, items...)))
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(zr); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	add(item{name: "p/provider.yaml", text: yamlText})
	add(item{name: "provider.yaml", text: yamlText + "files: [{path: ~/p, format: {wasm: m}}]\n"}, item{name: "m.wasm", text: "x"})
	add(item{name: "p/../../x", text: "x"}, item{name: "p/x", text: "y", kind: tar.TypeSymlink})
	f.Fuzz(func(t *testing.T, data []byte) {
		// Fuzzing works on the archive, not on the compressed bytes.
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		_, _ = zw.Write(data)
		_ = zw.Close()
		p, err := ReadTarball("x", &b)
		if err != nil {
			return
		}
		for name, text := range p.Files {
			known := name == specFile || name == sumsFile || name == sigFile || p.Module != "" && name == p.Module+".wasm"
			if !known || int64(len(text)) > limitOf(name) {
				t.Errorf("%q, %d bytes", name, len(text))
			}
		}
	})
}
