package codec

import (
	"strings"
)

// keypair is a file with a private key in a PEM block, as ssh-keygen and openssl
// write it. Its value is the whole file: every byte counts, also the last line
// ending, without which OpenSSH refuses the key.
type keypair struct{}

// Decode implements [Format]. It looks for the frame of a private key and does
// not decode the key itself, which may be encrypted.
func (keypair) Decode(data []byte) (*Node, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	if len(data) > 0 {
		if err := checkPrivateKey(data); err != nil {
			return nil, err
		}
	}
	return &Node{Kind: String, Text: string(data), Line: 1}, nil
}

// Splice implements [Format].
func (f keypair) Splice(data []byte, edits []Edit) ([]byte, error) {
	for _, e := range edits {
		value, err := wholeText(e)
		if err != nil {
			return nil, err
		}
		data = []byte(value)
		if _, err := f.Decode(data); err != nil {
			return nil, &Error{Msg: "the new value is not a private key"}
		}
	}
	return data, nil
}

// normal implements [normalizer].
func (keypair) normal(_ *Node, e Edit) Edit { return emptyForNil(e) }

// checkPrivateKey reports whether data holds a PEM block of a private key from
// its first to its last line. Lines before it and after it are allowed: openssl
// writes attributes there, and Oracle's tools a label at the end.
func checkPrivateKey(data []byte) error {
	kind := ""
	for i, l := range splitLines(data, bomLen(data)) {
		text := strings.TrimRight(string(data[l.start:l.end]), " \t")
		if kind != "" {
			if text == "-----END "+kind+"-----" {
				return nil
			}
			if strings.HasPrefix(text, "-----") {
				return &Error{Line: i + 1, Msg: "the private key has no end line"}
			}
			continue
		}
		if name, ok := strings.CutPrefix(text, "-----BEGIN "); ok {
			switch name = strings.TrimSuffix(name, "-----"); name {
			case "PRIVATE KEY", "OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
				if strings.HasSuffix(text, "-----") {
					kind = name
				}
			}
		}
	}
	if kind != "" {
		return &Error{Msg: "the private key has no end line"}
	}
	return &Error{Msg: "not a private key"}
}
