package guest

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// check returns an error where a secret cannot be written as JSON.
func check(secrets []Secret) error {
	for i := range secrets {
		s := &secrets[i]
		if !utf8.ValidString(s.Profile) {
			return Unsupported("", 0, "a profile's name is not UTF-8")
		}
		for k, v := range s.Values {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return Unsupported("", 0, "a value is not UTF-8")
			}
		}
	}
	return nil
}

func answerSecrets(secrets []Secret) []byte {
	b := append([]byte(nil), `{"abi":1,"secrets":[`...)
	for i := range secrets {
		s := &secrets[i]
		b = appendString(append(comma(b), `{"profile":`...), s.Profile)
		b = append(b, `,"values":{`...)
		keys := make([]string, 0, len(s.Values))
		for k := range s.Values {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			b = append(appendString(comma(b), k), ':')
			b = appendString(b, s.Values[k])
		}
		b = append(b, `},"public":[`...)
		for _, k := range s.Public {
			b = appendString(comma(b), k)
		}
		b = append(b, ']')
		if s.Expires != "" {
			b = appendString(append(b, `,"expires":`...), s.Expires)
		}
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

func answerFiles(files []File) []byte {
	n := 64
	for i := range files {
		n += len(files[i].Content)/3*4 + 2*len(files[i].Path) + 64
	}
	b := append(make([]byte, 0, n), `{"abi":1,"files":[`...)
	for i := range files {
		f := &files[i]
		mode := f.Mode
		if mode == 0 {
			mode = 0o600
		}
		b = appendString(append(comma(b), `{"path":`...), f.Path)
		b = strconv.AppendUint(append(b, `,"mode":`...), uint64(mode), 10)
		b = append(b, `,"content":"`...)
		b = append(append64(b, f.Content), `"}`...)
	}
	return append(b, `]}`...)
}

func answerDescribe(name, version string, writes bool) []byte {
	b := appendString([]byte(`{"abi":1,"name":`), name)
	b = appendString(append(b, `,"version":`...), version)
	if writes {
		return append(b, `,"ops":["extract","render","describe"]}`...)
	}
	return append(b, `,"ops":["extract","describe"]}`...)
}

func failure(err error) []byte {
	e, ok := err.(*Error) //nolint:errorlint // what an error wraps has a place in another text
	if !ok {
		e = &Error{Code: CodeInvalid, Message: err.Error()}
	}
	b := appendString([]byte(`{"abi":1,"error":{"code":`), string(e.Code))
	b = appendString(append(b, `,"message":`...), e.Message)
	if e.Path != "" {
		b = appendString(append(b, `,"path":`...), e.Path)
	}
	if e.Line > 0 {
		b = strconv.AppendInt(append(b, `,"line":`...), int64(e.Line), 10)
	}
	return append(b, `}}`...)
}

// comma separates an entry from the one before it.
func comma(b []byte) []byte {
	if c := b[len(b)-1]; c != '[' && c != '{' {
		return append(b, ',')
	}
	return b
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	s = strings.ToValidUTF8(s, "\uFFFD")
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
