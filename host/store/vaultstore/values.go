package vaultstore

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/secret"
)

// Vault refuses a JSON string of more than 1 MiB, counted as it is escaped
// (max_json_string_value_length, in newer versions). A longer value is written as a
// list of parts behind the marker; an escaped byte takes at most 6.
const (
	maxJSONString = 1 << 20
	maxEscape     = 6
	partSize      = 128 << 10
)

// encodeValues returns values as the fields of a Vault secret. A key whose text
// is the same in was is the field that it was there.
func encodeValues(values secret.Values, was fields) map[string]any {
	data := make(map[string]any, len(values))
	for k, v := range values {
		data[encodeText(k)] = encodeValue(v.Reveal())
	}
	for k, f := range was.of(values) {
		delete(data, encodeText(k))
		data[f.key] = f.raw
	}
	return data
}

func encodeValue(text string) any {
	text = encodeText(text)
	if len(text)*maxEscape > maxJSONString {
		if b, err := json.Marshal(text); err != nil || len(b)-2 > maxJSONString {
			return parts(text)
		}
	}
	return text
}

// field is a field of a Vault secret that encodeValues would not write as it is:
// something else than rhx wrote it.
type field struct {
	key string
	raw any
	// text is what the field is as a value.
	text secret.Value
}

// fields are the foreign fields of one version, by their keys in secret.Values.
type fields map[string]field

// of returns those that values still have, with the same text.
func (f fields) of(values secret.Values) fields {
	var still fields
	for k, old := range f {
		if v, ok := values[k]; ok && v == old.text {
			if still == nil {
				still = fields{}
			}
			still[k] = old
		}
	}
	return still
}

func parts(text string) []string {
	list := []string{marker}
	for text != "" {
		part := prefix(text, partSize)
		list, text = append(list, part), text[len(part):]
	}
	return list
}

// prefix returns at most n bytes of the start of text, without a part of a rune.
func prefix(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// decodeValues undoes encodeValues, and makes text of the fields that people
// write by hand: numbers and booleans as JSON has them, null as the empty
// text, lists and objects as compact JSON. It returns the fields that are not as
// encodeValues writes them, too.
func decodeValues(data map[string]any) (secret.Values, fields) {
	values := make(secret.Values, len(data))
	var foreign fields
	for k, raw := range data {
		text, own := fieldText(raw)
		key := decodeText(k)
		values[key] = secret.NewValue(text)
		if !own || encodeText(key) != k {
			if foreign == nil {
				foreign = fields{}
			}
			foreign[key] = field{k, raw, values[key]}
		}
	}
	return values, foreign
}

// fieldText returns the text of a field, and whether encodeValue would write it so.
func fieldText(v any) (text string, own bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		text := decodeText(v)
		return text, encodeText(text) == v
	case json.Number:
		return v.String(), false
	case []any:
		if text, ok := joinParts(v); ok {
			return decodeText(text), true
		}
	}
	return compact(v), false
}

func joinParts(list []any) (string, bool) {
	if len(list) < 2 || list[0] != marker {
		return "", false
	}
	var b strings.Builder
	for _, part := range list[1:] {
		s, ok := part.(string)
		if !ok {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}
