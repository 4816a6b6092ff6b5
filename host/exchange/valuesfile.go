package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
)

// ParseValues reads a file of values that a person has written: a JSON object or lines
// KEY=VALUE. Errors call it by name, and show nothing of it.
func ParseValues(name string, data []byte, into secret.Values) error {
	format := "dotenv"
	if t := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff")); strings.HasPrefix(t, "{") {
		format = "json"
	}
	f, err := codec.New(format, codec.Options{})
	if err != nil {
		return err
	}
	root, err := f.Decode(data)
	if err != nil {
		return fmt.Errorf("read %s as %s: %w", name, format, err)
	}
	for _, p := range root.Pairs {
		if p.Value.Scalar() {
			into[p.Key] = secret.NewValue(p.Value.Text)
		} else {
			into[p.Key] = secret.NewValue(string(codec.ToJSON(p.Value)))
		}
	}
	if len(into) == 0 {
		return fault.WithHint(fmt.Errorf("%s has no values", name), "it takes lines KEY=VALUE, or a JSON object")
	}
	return nil
}

// ValuesFile is the inverse of [ParseValues], for a person to edit: the text, and a name for the
// file that says its form. It is lines KEY=VALUE under comments, in the order of keys, or JSON
// where such lines cannot hold the values.
func ValuesFile(s *secret.Secret, keys []string, comments ...string) (name string, text []byte, err error) {
	var edits []codec.Edit
	plain := map[string]string{}
	for _, k := range keys {
		v := s.Values[k].Reveal()
		if !utf8.ValidString(v) || !utf8.ValidString(k) {
			return "", nil, fault.WithHint(fmt.Errorf("the value of %s is no text", k), "rhx save "+s.Name+" "+k+"=@FILE takes it from a file")
		}
		edits = append(edits, codec.Edit{Path: codec.Keys(k), Value: codec.Text(v)})
		plain[k] = v
	}
	dotenv, err := codec.New("dotenv", codec.Options{})
	if err != nil {
		return "", nil, err
	}
	text, err = codec.Apply(dotenv, []byte("# "+strings.Join(comments, "\n# ")+"\n\n"), edits)
	if got := (secret.Values{}); err == nil && ParseValues("", text, got) == nil && got.Equal(s.Values) {
		return "values.env", text, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(plain); err != nil {
		return "", nil, err
	}
	return "values.json", b.Bytes(), nil
}
