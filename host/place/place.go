// Package place names where secrets are kept and put: the store, this machine, or
// a host.
package place

import "strings"

// Place is the store, this machine, or a host by its address. The zero value is
// this machine. Places are compared with ==.
type Place struct {
	kind    kind
	address string
}

type kind uint8

const (
	here kind = iota
	store
	host
)

// The places that are no host.
var (
	Here  = Place{}
	Store = Place{kind: store}
)

// The texts of these, and what stands before the address of a host that could be
// taken for one of them.
const (
	hereText   = "local"
	storeText  = "store"
	hostPrefix = "host:"
)

// Host is the host at an address, as ssh names it.
func Host(address string) Place { return Place{host, address} }

// IsHost reports whether p is a host.
func (p Place) IsHost() bool { return p.kind == host }

// Address is that of a host; "" for the other places.
func (p Place) Address() string { return p.address }

// String is the place as people and programs read it: "store", "local", or the
// host's address, after "host:" where it would read as one of these.
func (p Place) String() string {
	switch {
	case p == Here:
		return hereText
	case p == Store:
		return storeText
	case p.address == hereText, p.address == storeText, strings.HasPrefix(p.address, hostPrefix):
		return hostPrefix + p.address
	}
	return p.address
}

// Parse is the inverse of String.
func Parse(text string) Place {
	switch text {
	case hereText:
		return Here
	case storeText:
		return Store
	}
	return Host(strings.TrimPrefix(text, hostPrefix))
}

// InManifest is the place that an address in a manifest's hosts stands for: there
// "local" is this machine, and "host:local" a host of that name.
func InManifest(address string) Place {
	if address == hereText {
		return Here
	}
	return Host(strings.TrimPrefix(address, hostPrefix))
}

// MarshalText is String, for JSON.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is Parse.
func (p *Place) UnmarshalText(text []byte) error {
	*p = Parse(string(text))
	return nil
}
