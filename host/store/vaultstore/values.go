package vaultstore

import (
	"encoding/json"

	"github.com/rhx-dev/rhx/host/secret"
)

// encodeValues returns values as the fields of a Vault secret.
func encodeValues(values secret.Values) map[string]string {
	data := make(map[string]string, len(values))
	for k, v := range values {
		data[encodeText(k)] = encodeText(v.Reveal())
	}
	return data
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
	default:
		return compact(v)
	}
}
