package agestore

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
)

// Member is somebody with whom the store is shared.
type Member struct {
	Name string `json:"name"`
	// Recipient is the public key that secrets are encrypted to, of age or SSH.
	Recipient string `json:"recipient"`
	// Signer proves the member's own changes; "" for somebody who only reads.
	Signer string `json:"signer,omitempty"`
	// Secrets are the names of those that are shared; none for all.
	Secrets []string `json:"secrets,omitempty"`
	// Replaces is the Signer whose place this one takes: a member has a new key.
	Replaces string `json:"replaces,omitempty"`
}

// has reports whether the secret in a folder is shared with the member.
func (m *Member) has(folder string) bool {
	return len(m.Secrets) == 0 || slices.ContainsFunc(m.Secrets, func(name string) bool { return folderName(name) == folder })
}

func (m *Member) text() (string, error) {
	data, err := json.Marshal(m)
	return sigText.EncodeToString(data), err
}

func parseMember(text string) (*Member, bool) {
	data, err := sigText.DecodeString(text)
	if err != nil {
		return nil, false
	}
	m := &Member{}
	return m, json.Unmarshal(data, m) == nil && m.Recipient != ""
}

// recipientOf parses a public key of age, of one of its plugins, or of SSH.
func recipientOf(text string) (age.Recipient, error) {
	if strings.HasPrefix(text, "ssh-") {
		r, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, errors.New("not an Ed25519 or RSA public key of SSH")
		}
		return r, nil
	}
	if rs, err := age.ParseRecipients(strings.NewReader(text)); err == nil && len(rs) == 1 {
		return rs[0], nil
	}
	r, err := plugin.NewRecipient(text, silent)
	if err != nil {
		return nil, errors.New("not a public key of age or SSH")
	}
	return r, nil
}

// silent is for plugins, which ask nothing when they encrypt to a public key.
var silent = &plugin.ClientUI{
	DisplayMessage: func(string, string) error { return nil },
	RequestValue:   func(string, string, bool) (string, error) { return "", errors.New("there is nobody to ask") },
	Confirm:        func(string, string, string, string) (bool, error) { return false, errors.New("there is nobody to ask") },
}

// recipient is that of m, "" for none.
func (m *Member) recipient() string {
	if m == nil {
		return ""
	}
	return m.Recipient
}
