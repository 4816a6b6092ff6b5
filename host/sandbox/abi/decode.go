package abi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What an answer may hold. Real ones have a handful of secrets, three levels
// and some hundred values.
const (
	MaxSecrets = 4096
	maxDepth   = 32
	maxItems   = 100_000
	MaxMessage = 500
	MaxKey     = 128
)

// document is a response as it is on the wire.
type document struct {
	ABI     *int `json:"abi"`
	Secrets []struct {
		Profile string            `json:"profile"`
		Values  map[string]string `json:"values"`
		Public  []string          `json:"public"`
		Expires string            `json:"expires"`
	} `json:"secrets"`
	Files []struct {
		Path    string `json:"path"`
		Content []byte `json:"content"`
		Mode    uint32 `json:"mode"`
	} `json:"files"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Path    string `json:"path"`
		Line    int    `json:"line"`
	} `json:"error"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Ops     []Op   `json:"ops"`
}

// Decode reads a module's answer to req. Its errors quote nothing of it, but
// for paths, which are no secrets.
func Decode(out []byte, module string, req *Request, lim Limits) (*Response, error) {
	if len(out) == 0 {
		return nil, errors.New("gave no answer")
	}
	if err := scan(out); err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(out, &doc); err != nil {
		// The decoder's own messages quote what they stumble over.
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			return nil, fmt.Errorf("gave an answer that is not one JSON document: wrong at byte %d", syntax.Offset)
		case errors.As(err, &kind):
			return nil, fmt.Errorf("gave an answer with a field of the wrong type at byte %d", kind.Offset)
		}
		return nil, errors.New("gave an answer that is not JSON of the ABI")
	}
	switch {
	case doc.ABI == nil:
		return nil, errors.New("gave an answer without an ABI version")
	case *doc.ABI != Version:
		return nil, fmt.Errorf("answers in ABI %d; this rhx speaks ABI %d", *doc.ABI, Version)
	case doc.Error != nil:
		return nil, doc.guestError(module, req)
	}
	resp := &Response{}
	var err error
	switch req.Op {
	case Extract:
		err = doc.secrets(resp)
	case Render:
		err = doc.files(resp, req, lim)
	case Describe:
		resp.Name, resp.Version = Printable(doc.Name, MaxKey), Printable(doc.Version, MaxKey)
		if len(doc.Ops) > 16 {
			err = errors.New("describes too many operations")
		}
		resp.Ops = doc.Ops
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (doc *document) guestError(module string, req *Request) error {
	e := &GuestError{Module: module, Code: Code(doc.Error.Code), Message: Printable(Mask(doc.Error.Message, req), MaxMessage), Line: max(doc.Error.Line, 0)}
	switch e.Code {
	case Invalid, Unsupported, Conflict:
	default:
		e.Code = Invalid
	}
	if e.Message == "" {
		e.Message = "the wasm module " + module + " reports an error without a message"
	}
	if req.file(doc.Error.Path) != nil {
		e.Path = doc.Error.Path
	}
	return e
}

func (doc *document) secrets(resp *Response) error {
	if len(doc.Secrets) > MaxSecrets {
		return LimitError(fmt.Sprintf("gave %d secrets; at most %d are taken", len(doc.Secrets), MaxSecrets))
	}
	seen := make(map[string]bool, len(doc.Secrets))
	for i := range doc.Secrets {
		d := &doc.Secrets[i]
		switch {
		case seen[d.Profile]:
			return errors.New("gave two secrets of one profile")
		case !plain(d.Profile):
			return errors.New("gave a profile whose name is too long or has control characters")
		case len(d.Values) == 0:
			return errors.New("gave a secret without values")
		}
		seen[d.Profile] = true
		for k := range d.Values {
			if k == "" || !plain(k) {
				return errors.New("gave a value whose key is empty, too long or has control characters")
			}
		}
		for _, k := range d.Public {
			if _, ok := d.Values[k]; !ok {
				return errors.New("calls a value public that it does not give")
			}
		}
		s := Secret{Profile: d.Profile, Values: d.Values, Public: d.Public}
		if d.Expires != "" {
			t, err := time.Parse(time.RFC3339, d.Expires)
			if err != nil {
				return errors.New("gave an expiry that is not a time of RFC 3339")
			}
			s.Expires = t
		}
		resp.Secrets = append(resp.Secrets, s)
	}
	return nil
}

func (doc *document) files(resp *Response, req *Request, lim Limits) error {
	for i := range doc.Files {
		d := &doc.Files[i]
		asked := req.file(d.Path)
		if asked == nil {
			return fmt.Errorf("wants to write %q, which it was not given", Printable(d.Path, MaxKey))
		}
		if slices.ContainsFunc(resp.Files, func(f File) bool { return f.Path == d.Path }) {
			return fmt.Errorf("gave %s twice", d.Path)
		}
		if int64(len(d.Content)) > lim.Input {
			return LimitError(fmt.Sprintf("gave %s more than %s", d.Path, Size(lim.Input)))
		}
		f := File{Path: d.Path, Content: d.Content, Mode: fs.FileMode(d.Mode)}
		most := asked.Mode
		if most == 0 {
			most = 0o600
		}
		if f.Mode == 0 {
			f.Mode = 0o600
		}
		if d.Mode > 0o777 || f.Mode&^most != 0 {
			return fmt.Errorf("wants mode %#o for %s; at most %#o is allowed", d.Mode, d.Path, uint32(most))
		}
		resp.Files = append(resp.Files, f)
	}
	return nil
}

// file returns the file of the request with this path, or nil.
func (r *Request) file(path string) *File {
	for i := range r.Files {
		if r.Files[i].Path == path {
			return &r.Files[i]
		}
	}
	return nil
}

func plain(s string) bool {
	return len(s) <= MaxKey*4 && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// scan checks what encoding/json lets pass: text that is not UTF-8 and halves
// of surrogate pairs, both of which it would replace and so change a value;
// and documents so deep or full that decoding them would cost more than their
// size.
func scan(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("gave an answer that is not UTF-8")
	}
	depth, items := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				return LimitError(fmt.Sprintf("gave an answer of more than %d levels", maxDepth))
			}
		case '}', ']':
			depth--
		case ',':
			if items++; items > maxItems {
				return LimitError(fmt.Sprintf("gave an answer of more than %d items", maxItems))
			}
		case '"':
			end, err := scanString(b, i+1)
			if err != nil {
				return err
			}
			i = end
		}
	}
	return nil
}

// scanString returns where the string that begins at i ends: the index of its
// closing quote, or len(b) where there is none.
func scanString(b []byte, i int) (int, error) {
	for ; i < len(b) && b[i] != '"'; i++ {
		if b[i] != '\\' {
			continue
		}
		i++
		if i == len(b) || b[i] != 'u' {
			continue
		}
		switch hi := hex4(b, i+1); {
		case hi >= 0xDC00 && hi <= 0xDFFF:
			return 0, errors.New("gave an answer with half a surrogate pair")
		case hi >= 0xD800 && hi <= 0xDBFF:
			if i+6 >= len(b) || b[i+5] != '\\' || b[i+6] != 'u' {
				return 0, errors.New("gave an answer with half a surrogate pair")
			}
			if lo := hex4(b, i+7); lo < 0xDC00 || lo > 0xDFFF {
				return 0, errors.New("gave an answer with half a surrogate pair")
			}
			i += 6
		}
	}
	return i, nil
}

// hex4 returns the number that four hexadecimal digits at i are, or -1.
func hex4(b []byte, i int) int {
	if i+4 > len(b) {
		return -1
	}
	n := 0
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return -1
		}
	}
	return n
}
