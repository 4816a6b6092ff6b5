package provider

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

var errShape = errors.New("the text does not have the form that the spec says")

// decodeAs turns the text in a file into the value, by a spec's "as".
func decodeAs(as, text string) (string, error) {
	switch as {
	case "", "number", "bool":
		return text, nil
	case "trim":
		return strings.TrimSpace(text), nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", errShape
		}
		return string(b), nil
	case "basic-user", "basic-password":
		user, password, err := basic(text)
		if as == "basic-user" {
			return user, err
		}
		return password, err
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return "", errShape
	}
	if as == "url-user" {
		return u.User.Username(), nil
	}
	password, _ := u.User.Password()
	return password, nil
}

// encodeAs puts a value into the text that is in the file now ("" for none).
func encodeAs(as, old, value string) (string, error) {
	switch as {
	case "":
		return value, nil
	case "number", "bool":
		if typed(as, nil, value).Kind == codec.String {
			return "", fmt.Errorf("it is not a %s", as)
		}
		return value, nil
	case "trim":
		// Blanks around the value stay: they are not the value's.
		if t := strings.TrimSpace(old); t != "" {
			i := strings.Index(old, t)
			return old[:i] + value + old[i+len(t):], nil
		}
		return value, nil
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(value)), nil
	case "basic-user", "basic-password":
		user, password := "", ""
		if old != "" {
			var err error
			if user, password, err = basic(old); err != nil {
				return "", err
			}
		}
		if as == "basic-user" {
			if strings.Contains(value, ":") {
				return "", errors.New("a user name with a colon cannot be written as USER:PASSWORD")
			}
			user = value
		} else {
			password = value
		}
		return base64.StdEncoding.EncodeToString([]byte(user + ":" + password)), nil
	}
	u, err := url.Parse(old)
	if err != nil || u.Host == "" {
		return "", errShape
	}
	user := u.User.Username()
	password, _ := u.User.Password()
	if as == "url-user" {
		user = value
	} else {
		password = value
	}
	u.User = url.UserPassword(user, password)
	return u.String(), nil
}

// basic splits base64("USER:PASSWORD"), as Docker and HTTP have it.
func basic(text string) (user, password string, err error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", "", errShape
	}
	// Docker pads with NUL bytes.
	user, password, ok := strings.Cut(strings.TrimRight(string(b), "\x00"), ":")
	if !ok {
		return "", "", errShape
	}
	return user, password, nil
}
