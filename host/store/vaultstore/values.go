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

// encodeValues returns values as the fields of a Vault secret.
func encodeValues(values secret.Values) map[string]any {
	data := make(map[string]any, len(values))
	for k, v := range values {
		text := encodeText(v.Reveal())
		if len(text)*maxEscape > maxJSONString {
			if b, err := json.Marshal(text); err != nil || len(b)-2 > maxJSONString {
				data[encodeText(k)] = parts(text)
				continue
			}
		}
		data[encodeText(k)] = text
	}
	return data
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
// text, lists and objects as compact JSON.
func decodeValues(data map[string]any) secret.Values {
	values := make(secret.Values, len(data))
	for k, v := range data {
		values[decodeText(k)] = secret.NewValue(fieldText(v))
	}
	return values
}

func fieldText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return decodeText(v)
	case json.Number:
		return v.String()
	case []any:
		if text, ok := joinParts(v); ok {
			return decodeText(text)
		}
	}
	return compact(v)
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
