// Command references reads files as libraries of Go do: a line of JSON for each file on
// standard input, {"reader": NAME, "data": BASE64}, and one for each on standard output,
// {"values": ...} or {"error": ...}. The tests of host/codec compare with it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"sigs.k8s.io/yaml"
)

var readers = map[string]func(data []byte) (any, error){
	"dotenv": func(data []byte) (any, error) {
		vars, err := dotenv.ParseWithLookup(bytes.NewReader(data), func(string) (string, bool) { return "", false })
		values := [][3]string{}
		for k, v := range vars {
			values = append(values, [3]string{"", k, v})
		}
		return values, err
	},
	// What kubectl and its like read.
	"sigs-yaml": func(data []byte) (any, error) {
		text, err := yaml.YAMLToJSONStrict(data)
		if err != nil {
			return nil, err
		}
		in := json.NewDecoder(bytes.NewReader(text))
		in.UseNumber()
		var value any
		if err := in.Decode(&value); err != nil {
			return nil, err
		}
		return plain(value), nil
	},
	// Terraform and OpenTofu: each value by the place that it has, in order.
	"hcl": func(data []byte) (any, error) {
		file, diags := hclsyntax.ParseConfig(data, "x", hcl.InitialPos)
		if diags.HasErrors() {
			return nil, diags
		}
		out := [][3]string{}
		err := hclBody(file.Body.(*hclsyntax.Body), "", &out)
		return out, err
	},
}

func hclBody(b *hclsyntax.Body, path string, out *[][3]string) error {
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		v, diags := b.Attributes[name].Expr.Value(nil)
		if diags.HasErrors() {
			return diags
		}
		hclValue(v, path+"/"+name, out)
	}
	for _, block := range b.Blocks {
		at := path + "/" + block.Type
		for _, label := range block.Labels {
			at += "/" + label
		}
		*out = append(*out, [3]string{at, "block", ""})
		if err := hclBody(block.Body, at, out); err != nil {
			return err
		}
	}
	return nil
}

func hclValue(v cty.Value, path string, out *[][3]string) {
	switch t := v.Type(); {
	case v.IsNull():
		*out = append(*out, [3]string{path, "null", ""})
	case t == cty.String:
		*out = append(*out, [3]string{path, "string", v.AsString()})
	case t == cty.Bool:
		*out = append(*out, [3]string{path, "bool", fmt.Sprint(v.True())})
	case t == cty.Number:
		*out = append(*out, [3]string{path, "number", v.AsBigFloat().Text('g', 10)})
	case t.IsTupleType():
		*out = append(*out, [3]string{path, "list", ""})
		for i, item := range v.AsValueSlice() {
			hclValue(item, fmt.Sprintf("%s/%d", path, i), out)
		}
	default:
		*out = append(*out, [3]string{path, "map", ""})
		for k, item := range v.AsValueMap() {
			hclValue(item, path+"/"+k, out)
		}
	}
}

// plain says the kind of each value.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		pairs := [][2]any{}
		for k, e := range v {
			pairs = append(pairs, [2]any{plain(k), plain(e)})
		}
		return map[string]any{"map": pairs}
	case []any:
		items := []any{}
		for _, e := range v {
			items = append(items, plain(e))
		}
		return map[string]any{"list": items}
	case nil:
		return map[string]string{"null": ""}
	case bool:
		return map[string]string{"bool": fmt.Sprint(v)}
	case json.Number:
		return map[string]string{"number": v.String()}
	}
	return map[string]string{"string": fmt.Sprint(value)}
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var job struct {
			Reader string
			Data   []byte
		}
		if in.Decode(&job) != nil {
			return
		}
		answer := map[string]any{}
		values, err := readers[job.Reader](job.Data)
		if answer["values"] = values; err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		if err := out.Encode(answer); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
