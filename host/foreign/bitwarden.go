package foreign

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
)

// Bitwarden reads an export of Bitwarden or Vaultwarden: JSON, JSON in a zip with
// attachments, CSV, or JSON that is encrypted with a password of its own, which is asked
// for (https://bitwarden.com/help/export-your-data).
func Bitwarden(data []byte, password func() (string, error)) (*Export, error) {
	zipped := bytes.HasPrefix(data, []byte("PK\x03\x04"))
	if !zipped && first(data) != '{' {
		return bitwardenCSV(data)
	}
	var root *codec.Node
	var err error
	if zipped {
		root, err = inZip(data, "data.json")
	} else {
		root, err = document(data)
	}
	if err != nil {
		return nil, err
	}
	e := &Export{}
	if text(root, "encrypted") == "true" {
		if text(root, "passwordProtected") != "true" {
			return nil, fault.WithHint(errors.New("it is encrypted with the account's key, which only Bitwarden has"),
				"bw export --format json --raw | rhx import bitwarden - leaves no file; or export it with a password of its own")
		}
		if root, err = bitwardenOpened(root, password); err != nil {
			return nil, err
		}
		e.Sealed = true
	}
	if root.Get("items") == nil {
		return nil, errors.New("it has no items: it is not an export of Bitwarden")
	}
	folders := map[string]string{}
	for _, f := range append(items(root, "folders"), items(root, "collections")...) {
		folders[text(f, "id")] = text(f, "name")
	}
	for _, n := range items(root, "items") {
		e.bitwardenItem(folders, n)
	}
	if zipped {
		e.Left = append(e.Left, Left{Name: "attachments", Why: "files are not taken; those of the archive are in its folder attachments"})
	}
	return e.checked()
}

func (e *Export) bitwardenItem(folders map[string]string, n *codec.Node) {
	folder := folders[text(n, "folderId")]
	if c := items(n, "collectionIds"); folder == "" && len(c) > 0 {
		folder = folders[scalar(c[0])]
	}
	it := Item{Title: joined(folder, text(n, "name"))}
	login := n.Get("login")
	for _, u := range items(login, "uris") {
		it.url(text(u, "uri"))
	}
	it.User = text(login, "username")
	it.add("username", it.User, true)
	it.add("password", text(login, "password"), false)
	it.add("otp", text(login, "totp"), false)
	if len(items(login, "fido2Credentials")) > 0 {
		it.leave("passkey", "passkeys are not taken")
	}
	key := n.Get("sshKey")
	it.add("private_key", text(key, "privateKey"), false)
	it.add("public_key", text(key, "publicKey"), true)
	for _, part := range []string{"card", "identity"} {
		if m := n.Get(part); m != nil {
			for _, p := range m.Pairs {
				it.add(p.Key, all(p.Value), false)
			}
		}
	}
	for i, f := range items(n, "fields") {
		name := text(f, "name")
		if name == "" {
			name = fmt.Sprintf("field-%d", i+1)
		}
		if text(f, "type") == "3" {
			it.gone(name, "it refers to another field")
			continue
		}
		it.add(name, text(f, "value"), text(f, "type") == "2")
	}
	it.add("notes", text(n, "notes"), false)
	if len(items(n, "passwordHistory")) > 0 {
		it.gone("old passwords", "they are replaced")
	}
	e.put(it)
}

func bitwardenCSV(data []byte) (*Export, error) {
	rows, err := table(data, "name", "login_username", "login_password")
	if err != nil {
		return nil, err
	}
	e := &Export{}
	for _, row := range rows {
		folder := row("folder")
		if folder == "" {
			folder = row("collections")
		}
		it := Item{Title: joined(folder, row("name")), User: row("login_username")}
		for u := range strings.SplitSeq(row("login_uri"), ",") {
			it.url(u)
		}
		it.add("username", it.User, true)
		it.add("password", row("login_password"), false)
		it.add("otp", row("login_totp"), false)
		it.lines(row("fields"))
		it.add("notes", row("notes"), false)
		e.put(it)
	}
	return e.checked()
}

// lines adds the fields that lines "NAME: VALUE" are. A line of another form goes on with
// the value before it.
func (it *Item) lines(text string) {
	name, value := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if n, v, ok := strings.Cut(line, ": "); ok {
			it.add(name, value, false)
			name, value = n, v
		} else if name != "" {
			value += "\n" + line
		} else if line != "" {
			it.add("fields", line, false)
		}
	}
	it.add(name, value, false)
}
