package foreign

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// OnePassword reads what `op item get` and `op item list` of 1Password's CLI (2.x) print
// as JSON, or a 1PUX archive
// (https://support.1password.com/1pux-format).
func OnePassword(data []byte) (*Export, error) {
	e := &Export{}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		root, err := inZip(data, "export.data")
		if err != nil {
			return nil, err
		}
		return e.pux(root)
	}
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		list := []*codec.Node{d}
		if d.Kind == codec.List {
			list = d.Items
		}
		for _, n := range list {
			if text(n, "title") == "" && n.Get("fields") == nil {
				return nil, errors.New("it is not what op item get prints")
			}
			e.opItem(n)
		}
	}
	return e.checked()
}

// inZip is the JSON of one file of an archive.
func inZip(data []byte, name string) (*codec.Node, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, errors.New("it is a broken archive")
	}
	for _, f := range z.File {
		if f.Name != name {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s in the archive cannot be read", name)
		}
		text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
		_ = r.Close()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s in the archive cannot be read", name)
		case len(text) > MaxSize:
			return nil, fmt.Errorf("%s in the archive is larger than %d MiB", name, MaxSize>>20)
		}
		return document(text)
	}
	return nil, fmt.Errorf("the archive has no %s", name)
}

// opItem takes an item as op prints it.
func (e *Export) opItem(n *codec.Node) {
	it := Item{Title: joined(text(n.Get("vault"), "name"), text(n, "title"))}
	for _, u := range items(n, "urls") {
		it.url(text(u, "href"))
	}
	if n.Get("fields") == nil {
		e.Left = append(e.Left, Left{Name: it.Title, Why: "op item list has no values: op item list --format json | op item get - --format json has them"})
		return
	}
	for _, f := range items(n, "fields") {
		name, value := text(f, "label"), text(f, "value")
		if name == "" {
			name = text(f, "id")
		}
		if s := text(f.Get("section"), "label"); s != "" {
			name = s + "." + name
		}
		shown := text(f, "type") != "CONCEALED" && text(f, "type") != "OTP"
		switch {
		case text(f, "type") == "SSHKEY":
			name, shown = "private_key", false
			// OpenSSH's own form is what its files have.
			if v := text(f.Get("ssh_formats").Get("openssh"), "value"); v != "" {
				value = v
			}
		case text(f, "id") == "public_key" && strings.HasPrefix(value, "ssh-"):
			name = "public_key"
		case text(f, "purpose") == "NOTES":
			name, shown = "notes", false
		case text(f, "purpose") == "USERNAME":
			name, it.User = "username", value
		case text(f, "purpose") == "PASSWORD":
			name, shown = "password", false
		case text(f, "type") == "OTP":
			name = "otp"
		}
		if strings.HasPrefix(value, "[use 'op item get ") {
			it.leave(name, "op did not reveal it: --reveal does")
			continue
		}
		it.add(name, value, shown)
	}
	for _, f := range items(n, "files") {
		it.leave("the file "+text(f, "name"), "files are not taken")
	}
	e.put(it)
}

// pux takes the items of an archive.
func (e *Export) pux(root *codec.Node) (*Export, error) {
	if root.Get("accounts") == nil {
		return nil, errors.New("export.data in the archive is not 1Password's")
	}
	for _, account := range items(root, "accounts") {
		for _, vault := range items(account, "vaults") {
			for _, n := range items(vault, "items") {
				if in := n.Get("item"); in != nil {
					n = in // as the first versions wrote it
				}
				e.puxItem(text(vault.Get("attrs"), "name"), n)
			}
		}
	}
	return e.checked()
}

func (e *Export) puxItem(vault string, n *codec.Node) {
	over, details := n.Get("overview"), n.Get("details")
	it := Item{Title: joined(vault, text(over, "title"))}
	seen := map[string]bool{}
	for _, u := range append([]string{text(over, "url")}, texts(items(over, "urls"), "url")...) {
		if !seen[u] {
			seen[u] = true
			it.url(u)
		}
	}
	for _, f := range items(details, "loginFields") {
		value := text(f, "value")
		switch text(f, "designation") {
		case "username":
			it.User = value
			it.add("username", value, true)
		case "password":
			it.add("password", value, false)
		default:
			if value != "" && text(f, "fieldType") != "B" && text(f, "fieldType") != "C" { // a button, a box
				it.add("form."+text(f, "name"), value, false)
			}
		}
	}
	it.add("password", text(details, "password"), false)
	for _, s := range items(details, "sections") {
		for _, f := range items(s, "fields") {
			it.puxField(text(s, "title"), f)
		}
	}
	it.add("notes", text(details, "notesPlain"), false)
	if d := details.Get("documentAttributes"); d != nil {
		it.leave("the file "+text(d, "fileName"), "files are not taken")
	}
	if h := items(details, "passwordHistory"); len(h) > 0 {
		it.gone("old passwords", "they are replaced")
	}
	e.put(it)
}

// puxField takes a field of a section: its value is a map of one entry, whose key is
// the kind.
func (it *Item) puxField(section string, f *codec.Node) {
	name := text(f, "title")
	if name == "" {
		name = text(f, "id")
	}
	if section != "" {
		name = section + "." + name
	}
	v := f.Get("value")
	if v == nil || len(v.Pairs) == 0 {
		return
	}
	kind, value := v.Pairs[0].Key, v.Pairs[0].Value
	switch kind {
	case "sshKey":
		it.add("private_key", text(value, "privateKey"), false)
		it.add("public_key", text(value.Get("metadata"), "publicKey"), true)
	case "file":
		it.leave("the file "+text(value, "fileName"), "files are not taken")
	case "reference":
		it.gone(name, "it refers to another item")
	case "totp":
		it.add("otp", all(value), false)
	case "email":
		if e := text(value, "email_address"); e != "" {
			it.add(name, e, true)
			return
		}
		it.add(name, all(value), true)
	default:
		it.add(name, all(value), kind == "string" || kind == "url" || kind == "date")
	}
}

// texts are what each map of a list has under a key.
func texts(list []*codec.Node, key string) []string {
	var out []string
	for _, n := range list {
		out = append(out, text(n, key))
	}
	return out
}
