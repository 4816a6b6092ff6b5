package machine

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
)

// revocation is a file of RevokedHostKeys: a list of public keys, or a KRL, the
// binary list that ssh-keygen -k makes (PROTOCOL.krl of OpenSSH).
type revocation struct {
	file  string
	keys  map[string]bool // in wire form
	sums  map[string]bool // SHA-1 and SHA-256 of the wire form
	certs []revokedCerts
}

// revokedCerts are certificates of one authority; of any where ca is empty.
type revokedCerts struct {
	ca      string
	serials [][2]uint64 // from, to
	bits    []revokedBits
	ids     map[string]bool
}

type revokedBits struct {
	offset uint64
	bits   *big.Int
}

const krlMagic = "SSHKRL\n\x00"

var errKRL = errors.New("it is not a list of revoked keys that can be read")

func newRevocation(file string) *revocation {
	return &revocation{file: file, keys: make(map[string]bool), sums: make(map[string]bool)}
}

// readRevoked reads one file. A list that cannot be read refuses every host, as
// in OpenSSH.
func readRevoked(file string) (*revocation, error) {
	data, _, err := readRegular(file)
	r := newRevocation(file)
	switch {
	case err != nil:
	case bytes.HasPrefix(data, []byte(krlMagic)):
		err = r.parseKRL(data[len(krlMagic):])
	default:
		err = r.parseKeys(data)
	}
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("RevokedHostKeys %s: %w", file, err), "no host is trusted while that file cannot be read")
	}
	return r, nil
}

func (r *revocation) parseKeys(data []byte) error {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			return fmt.Errorf("line %d is no public key", number)
		}
		r.keys[string(key.Marshal())] = true
	}
	return nil
}

// has reports whether a host key, or the authority that signed it, is revoked.
func (r *revocation) has(key ssh.PublicKey) bool {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		wire := key.Marshal()
		short, long := sha1.Sum(wire), sha256.Sum256(wire)
		return r.keys[string(wire)] || r.sums[string(short[:])] || r.sums[string(long[:])]
	}
	for _, c := range r.certs {
		if (c.ca == "" || c.ca == string(cert.SignatureKey.Marshal())) && c.has(cert) {
			return true
		}
	}
	return r.has(cert.Key) || r.has(cert.SignatureKey)
}

func (c *revokedCerts) has(cert *ssh.Certificate) bool {
	if c.ids[cert.KeyId] {
		return true
	}
	if cert.Serial == 0 {
		return false // a certificate without a serial number
	}
	for _, s := range c.serials {
		if s[0] <= cert.Serial && cert.Serial <= s[1] {
			return true
		}
	}
	for _, b := range c.bits {
		if n := cert.Serial - b.offset; cert.Serial >= b.offset && n < uint64(b.bits.BitLen()) && b.bits.Bit(int(n)) == 1 {
			return true
		}
	}
	return false
}

// krl takes values of the SSH wire format off its front; bad remembers that one
// was not there.
type krl struct {
	data []byte
	bad  bool
}

func (k *krl) take(n uint64) []byte {
	if n > uint64(len(k.data)) {
		k.bad, k.data = true, nil
		return nil
	}
	taken := k.data[:n]
	k.data = k.data[n:]
	return taken
}

func (k *krl) uint64() uint64 {
	if b := k.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (k *krl) string() []byte {
	if b := k.take(4); b != nil {
		return k.take(uint64(binary.BigEndian.Uint32(b)))
	}
	return nil
}

func (k *krl) byte() byte {
	if b := k.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *revocation) parseKRL(data []byte) error {
	k := &krl{data: data}
	version := k.take(4)
	if version == nil || binary.BigEndian.Uint32(version) != 1 {
		return errKRL
	}
	k.take(3 * 8) // version of the list, date, flags
	k.string()
	k.string()
	for len(k.data) > 0 && !k.bad {
		kind := k.byte()
		section := &krl{data: k.string()}
		switch kind {
		case 1:
			if err := r.parseCerts(section); err != nil {
				return err
			}
		case 2, 3, 5:
			into := r.sums
			if kind == 2 {
				into = r.keys
			}
			for len(section.data) > 0 {
				into[string(section.string())] = true
			}
		case 4:
			k.data = nil // signatures, which OpenSSH does not look at either, end the list
		case 255:
			if critical(section) {
				return errKRL
			}
		default:
			return errKRL
		}
		if section.bad {
			return errKRL
		}
	}
	if k.bad {
		return errKRL
	}
	return nil
}

// critical reports whether an extension must be understood.
func critical(k *krl) bool {
	k.string()
	return k.byte() != 0
}

func (r *revocation) parseCerts(k *krl) error {
	c := revokedCerts{ca: string(k.string()), ids: make(map[string]bool)}
	k.string()
	for len(k.data) > 0 && !k.bad {
		kind := k.byte()
		section := &krl{data: k.string()}
		switch kind {
		case 0x20:
			for len(section.data) > 0 {
				serial := section.uint64()
				c.serials = append(c.serials, [2]uint64{serial, serial})
			}
		case 0x21:
			c.serials = append(c.serials, [2]uint64{section.uint64(), section.uint64()})
		case 0x22:
			c.bits = append(c.bits, revokedBits{section.uint64(), new(big.Int).SetBytes(section.string())})
		case 0x23:
			for len(section.data) > 0 {
				c.ids[string(section.string())] = true
			}
		case 0x39:
			if critical(section) {
				return errKRL
			}
		default:
			return errKRL
		}
		if section.bad {
			return errKRL
		}
	}
	if k.bad {
		return errKRL
	}
	r.certs = append(r.certs, c)
	return nil
}
