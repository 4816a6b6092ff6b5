package abi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Check returns an error where a request asks for nothing that there is, or is
// larger than a module may get.
func (r *Request) Check(lim Limits) error {
	switch r.Op {
	case Extract, Describe:
	case Render:
		if r.Secret == nil {
			return errors.New("render needs a secret")
		}
	default:
		return fmt.Errorf("unknown operation %q of a wasm module", r.Op)
	}
	for i := range r.Files {
		if n := int64(len(r.Files[i].Content)); n > lim.Input {
			return fmt.Errorf("%s is larger than %s, the most that a wasm module is given", r.Files[i].Path, Size(lim.Input))
		}
	}
	var n int64
	r.texts(func(s string) { n += int64(len(s)) })
	if n > lim.Input {
		return fmt.Errorf("the variables and values are larger than %s, the most that a wasm module is given", Size(lim.Input))
	}
	var err error
	r.texts(func(s string) {
		if !utf8.ValidString(s) {
			err = fmt.Errorf("a variable or value is not UTF-8, which a wasm module needs")
		}
	})
	return err
}

// Args returns the arguments of a module that is given a request.
func Args(m Module, r *Request) []string { return []string{m.Name, string(r.Op)} }

// texts calls f for every string of the request.
func (r *Request) texts(f func(string)) {
	f(string(r.Op))
	f(r.Provider)
	f(r.Profile)
	for _, m := range []map[string]string{r.Options, r.Env} {
		for k, v := range m {
			f(k)
			f(v)
		}
	}
	for i := range r.Files {
		f(r.Files[i].Path)
	}
	if r.Secret != nil {
		f(r.Secret.Profile)
		for k, v := range r.Secret.Values {
			f(k)
			f(v)
		}
	}
}

// Encode returns the request as the ABI's JSON document. It is written into one
// buffer of sufficient size, so that zeroing the result leaves no copy behind;
// encoding/json keeps its buffers.
func (r *Request) Encode() []byte {
	n := 256
	r.texts(func(s string) { n += 6*len(s) + 8 })
	for i := range r.Files {
		n += base64.StdEncoding.EncodedLen(len(r.Files[i].Content)) + 64
	}
	b := make([]byte, 0, n)
	b = append(b, `{"abi":`...)
	b = strconv.AppendInt(b, Version, 10)
	b = appendString(append(b, `,"op":`...), string(r.Op))
	b = appendString(append(b, `,"provider":`...), r.Provider)
	b = appendString(append(b, `,"profile":`...), r.Profile)
	b = appendMap(append(b, `,"options":`...), r.Options)
	b = append(b, `,"files":[`...)
	for i := range r.Files {
		if i > 0 {
			b = append(b, ',')
		}
		f := &r.Files[i]
		b = appendString(append(b, `{"path":`...), f.Path)
		b = append(b, `,"content":"`...)
		b = base64.StdEncoding.AppendEncode(b, f.Content)
		b = strconv.AppendBool(append(b, `","exists":`...), f.Exists)
		b = append(b, '}')
	}
	b = appendMap(append(b, `],"env":`...), r.Env)
	if r.Secret != nil {
		b = appendString(append(b, `,"secret":{"profile":`...), r.Secret.Profile)
		b = appendMap(append(b, `,"values":`...), r.Secret.Values)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendMap(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		b = appendString(b, m[k])
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
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
