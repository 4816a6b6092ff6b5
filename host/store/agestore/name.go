package agestore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxFolderName keeps folder names below the limits of all file systems in
// use: 255 bytes for most, 143 for eCryptfs.
const maxFolderName = 128

// folderName returns the name of the folder of a secret. Different secrets get
// names that differ on every file system, whether or not it tells case apart,
// normalises Unicode, drops dots at the end (Windows) or reserves names such as
// "con" (Windows): every byte outside "a-z 0-9 _ - @ + ." is percent-encoded,
// as are a dot at either end and the first letter of a reserved name. A name
// that gets too long is "=" and its SHA-256; what it was is in the files.
func folderName(name string) string {
	var b strings.Builder
	reserved := reservedName(name)
	for i := 0; i < len(name); i++ {
		c := name[i]
		edge := i == 0 || i == len(name)-1
		switch {
		case i == 0 && reserved, c == '.' && edge, !plainByte(c):
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > maxFolderName {
		sum := sha256.Sum256([]byte(name))
		return "=" + hex.EncodeToString(sum[:])
	}
	return b.String()
}

func plainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("_-@+.", c) >= 0
}

// reservedName reports whether Windows takes a file of that name, with any
// extension, for a device. Names with upper-case letters are encoded anyway.
func reservedName(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	switch base {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(base) == 4 && (base[:3] == "com" || base[:3] == "lpt") && base[3] >= '0' && base[3] <= '9'
}

func percentDecode(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		raw, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.WriteByte(raw[0])
		i += 2
	}
	return b.String(), true
}
