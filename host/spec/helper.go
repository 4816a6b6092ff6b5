package spec

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// The protocols by which clients ask for credentials.
const (
	ProtocolAWS       = "aws"       // credential_process of the AWS command line and SDKs
	ProtocolCargo     = "cargo"     // cargo's credential providers
	ProtocolDocker    = "docker"    // docker-credential-helpers
	ProtocolGit       = "git"       // git-credential
	ProtocolKeyring   = "keyring"   // the keyring command, which pip and uv run
	ProtocolKubectl   = "kubectl"   // ExecCredential of client-go
	ProtocolTerraform = "terraform" // credentials helpers of Terraform and OpenTofu
)

// Helper says what a client is answered that asks by a protocol of its own. It counts
// for a secret that has the values that it names.
type Helper struct {
	Protocol string
	// For are the addresses that the answer is for; nil where the protocol has none. In
	// their text, as in that of Parts, "{KEY}" is a value, "{KEY.FIELD}" a field of a
	// value that is a tree, and "{profile}" the profile.
	For []string
	// Parts are what the answer is made of.
	Parts []UseField
}

// helperParts are the parts that a protocol's answer has, and those that it may have.
// Of a kubectl's, token or both of the others are needed.
func helperParts(protocol string) (needed, optional []string) {
	switch protocol {
	case ProtocolAWS:
		return []string{"access_key", "secret_key"}, []string{"session_token"}
	case ProtocolCargo, ProtocolTerraform:
		return []string{"for", "token"}, nil
	case ProtocolKubectl:
		return []string{"for"}, []string{"token", "certificate", "key"}
	}
	return []string{"for", "username", "password"}, nil
}

// Protocols returns the names of the protocols, in alphabetical order.
func Protocols() []string {
	return []string{ProtocolAWS, ProtocolCargo, ProtocolDocker, ProtocolGit, ProtocolKeyring, ProtocolKubectl, ProtocolTerraform}
}

// HelpersFor returns what a client is answered by a protocol, the first that counts
// first. Where the spec has no helper, its use says it: basic authentication is what
// clients ask for that want a user and a password, and the parts of a signature of AWS
// are what its clients ask for.
func (s *Spec) HelpersFor(protocol string) []Helper {
	var out []Helper
	for _, h := range s.Helpers {
		if h.Protocol == protocol {
			out = append(out, h)
		}
	}
	if len(s.Helpers) > 0 {
		return out
	}
	for i := range s.Use {
		if h, ok := s.Use[i].helper(protocol); ok {
			out = append(out, h)
		}
	}
	return out
}

// helper is what a use says of a protocol.
func (u *Use) helper(protocol string) (Helper, bool) {
	h := Helper{Protocol: protocol}
	switch protocol {
	case ProtocolAWS:
		if u.Sign == nil || u.Sign.Method != "aws-sigv4" {
			return h, false
		}
		for _, f := range u.Sign.Values {
			h.Parts = append(h.Parts, UseField{f.Name, "{" + f.Text + "}"})
		}
		return h, true
	case ProtocolDocker, ProtocolGit, ProtocolKeyring:
		if u.Basic == nil {
			return h, false
		}
		h.Parts = []UseField{{"username", u.Basic.User}, {"password", u.Basic.Password}}
		for _, host := range u.Hosts {
			if !strings.HasPrefix(host, "*") { // an answer is for a host, and not for all below one
				h.For = append(h.For, "https://"+host)
			}
		}
		return h, h.For != nil
	}
	return h, false
}

// Part is the text of a part; "" for none.
func (h *Helper) Part(name string) string {
	for _, p := range h.Parts {
		if p.Name == name {
			return p.Text
		}
	}
	return ""
}

// helpers reads the answers of all protocols.
func (d *decoder) helpers(n *yaml.Node, s *Spec) {
	fields := map[string]func(*yaml.Node){}
	for _, protocol := range Protocols() {
		fields[protocol] = func(n *yaml.Node) {
			if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
				d.Fail(n, "%s has one answer, or several", protocol)
			}
			d.Each(n, func(n *yaml.Node) { s.Helpers = append(s.Helpers, d.helper(n, protocol, s)) })
		}
	}
	d.Mapping(n, "helper", fields)
}

func (d *decoder) helper(n *yaml.Node, protocol string, s *Spec) Helper {
	h := Helper{Protocol: protocol}
	needed, optional := helperParts(protocol)
	fields := map[string]func(*yaml.Node){}
	for _, part := range slices.Concat(needed, optional) {
		fields[part] = func(n *yaml.Node) { h.Parts = append(h.Parts, UseField{part, d.helperText(n, s)}) }
	}
	if slices.Contains(needed, "for") {
		fields["for"] = func(n *yaml.Node) {
			d.Each(n, func(n *yaml.Node) { h.For = append(h.For, d.helperText(n, s)) })
		}
	}
	d.Mapping(n, protocol, fields)
	for _, part := range needed {
		if d.Err == nil && h.Part(part) == "" && (part != "for" || len(h.For) == 0) {
			d.Fail(n, "%s needs %s", protocol, part)
		}
	}
	if protocol == ProtocolKubectl && d.Err == nil && h.Part("token") == "" && (h.Part("certificate") == "" || h.Part("key") == "") {
		d.Fail(n, "kubectl needs token, or certificate and key")
	}
	if d.Err == nil && !slices.ContainsFunc(h.Parts, func(p UseField) bool {
		return slices.ContainsFunc(helperKeys(p.Text), func(k string) bool { return !s.Public(k) })
	}) {
		d.Fail(n, "%s answers with no secret value", protocol)
	}
	return h
}

// helperKeys are the values that a text names.
func helperKeys(text string) []string {
	var keys []string
	for _, hole := range Holes(text) {
		if key, _, _ := strings.Cut(hole, "."); key != "profile" {
			keys = append(keys, key)
		}
	}
	return keys
}

// helperText reads text whose holes are values, fields of them, or the profile.
func (d *decoder) helperText(n *yaml.Node, s *Spec) string {
	text := d.Text(n)
	switch {
	case d.Err != nil:
	case text == "" || !holesClosed(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		d.Fail(n, "helper has text in ASCII, in which {KEY} is a value")
	default:
		for _, key := range helperKeys(text) {
			d.useKey(n, "helper", key, s)
		}
	}
	return text
}
