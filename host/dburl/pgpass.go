package dburl

import (
	"errors"
	"strconv"
	"strings"
)

// Pgpass reads HOST:PORT:DATABASE:USER of a line of .pgpass, in which "*" fits all.
func Pgpass(text string) (Address, error) {
	var a Address
	parts := pgpassParts(text)
	if len(parts) != 4 || parts[0] == "" || parts[0] == "*" || strings.HasPrefix(parts[0], "/") {
		return a, errors.New("its name has no host: it is HOST:PORT:DATABASE:USER")
	}
	a.Host, a.Port = parts[0], 5432
	if parts[1] != "*" {
		port, err := strconv.ParseUint(parts[1], 10, 16)
		if err != nil || port == 0 {
			return a, errors.New("its name has no port that there can be")
		}
		a.Port = uint16(port)
	}
	if parts[2] != "*" {
		a.Database = parts[2]
	}
	if parts[3] != "*" {
		a.User = parts[3]
	}
	return a, nil
}

// pgpassParts are the fields of a line, in which a backslash goes before a colon or another
// one.
func pgpassParts(text string) []string {
	parts := []string{""}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			parts[len(parts)-1] += text[i : i+1]
		case text[i] == ':':
			parts = append(parts, "")
		default:
			parts[len(parts)-1] += text[i : i+1]
		}
	}
	return parts
}
