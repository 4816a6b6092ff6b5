package manifest

import _ "embed" // for the schema

//go:embed schema.json
var schema string

// Schema is the JSON Schema (draft 2020-12) of a manifest, for editors. It accepts
// what [Parse] accepts; what refers to something else, such as a bundle's name,
// only Parse checks.
func Schema() string { return schema }
