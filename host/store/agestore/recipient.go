package agestore

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/fault"
)

// ParseRecipient reads a public key: one of age or its plugins, or of SSH as in a file
// *.pub. Its error shows nothing of text, which may be a private key by mistake.
func ParseRecipient(text string) (age.Recipient, error) {
	fields := strings.Fields(text)
	switch {
	case len(fields) == 1:
		return recipientOf(fields[0])
	case len(fields) >= 2 && (strings.HasPrefix(fields[0], "ecdsa-") || strings.HasPrefix(fields[0], "sk-")):
		return nil, fmt.Errorf("only Ed25519 and RSA keys of SSH can decrypt, and this one is %s", fields[0])
	case len(fields) >= 2 && strings.HasPrefix(fields[0], "ssh-"):
		return recipientOf(fields[0] + " " + fields[1])
	}
	return nil, errors.New("not a public key of age or SSH")
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
	RequestValue: func(string, string, bool) (string, error) {
		return "", fault.Unasked(errors.New("there is nobody to ask"))
	},
	Confirm: func(string, string, string, string) (bool, error) {
		return false, fault.Unasked(errors.New("there is nobody to ask"))
	},
}
