package provider_test

import "testing"

// What variables are together, case by case.
func TestEnvCases(t *testing.T) {
	head := "spec: 1\nname: x\n"
	for _, c := range []struct {
		name, spec string
		files      tree
		want       string
	}{
		{"aliases that agree", "values: {a: {env: [A, B]}}", tree{"$A": "1", "$B": "1\r\n"}, "x value from $A: a=1"},
		{"aliases that differ", "values: {a: {env: [A, B, C]}}", tree{"$B": "1", "$C": "2"}, "x value from $B: a=1 (B and C have different values, and tools differ in which they use; rhx reads B)"},
		{"a blank line is nothing", "values: {a: {env: [A, B]}}", tree{"$A": "\r\n", "$B": "1\n"}, "x value from $B: a=1"},
		{"no stub", "values: {a: {env: A, reject: 'x.*'}}", tree{"$A": "yx"}, "x value from $A: a=yx"},
		{"an optional stub", "values: {a: {env: A, reject: 'x.*', optional: true}, b: {env: B}}", tree{"$A": "x", "$B": "1"}, "x value from $B: b=1"},
		{"a needed stub", "values: {a: {env: A, reject: 'x.*'}, b: {env: B}}", tree{"$A": "x", "$B": "1"}, "x invalid from $B: B is set, but A is not"},
		{"a needed value without a variable", "values: {a: {env: A}, b: {}}\nfiles: [{path: ~/f, format: json, keys: {b: b}}]", tree{"$A": "1"}, ""},
		{"an optional value without one", "values: {a: {env: A}, b: {optional: true}}", tree{"$A": "1"}, "x value from $A: a=1"},
		{"all that lack, once", "values: {a: {env: A}, b: {env: [B, C]}, c: {env: D}}\ntogether: [[a, b], [a, c]]", tree{"$A": "1"}, "x invalid from $A: A is set, but B, D is not"},
		{"together with one without a variable", "values: {a: {env: A}, b: {optional: true}}\ntogether: [a, b]", tree{"$A": "1"}, "x value from $A: a=1"},
		{"together, the optional one lacks", "values: {a: {env: A}, b: {env: B, optional: true}}\ntogether: [a, b]", tree{"$A": "1"}, "x invalid from $A: A is set, but B is not"},
		{"the variables before a document", "values: {a: {env: A}, '*': {}}\ndocument: DOC", tree{"$A": "1", "$DOC": `{"b":"2"}`}, "x value from $A: a=1"},
		{"a document", "values: {a: {env: A}, '*': {}}\ndocument: DOC", tree{"$DOC": ` {"b":"2"}`}, "x value from $DOC: b=2"},
		{"no document", "values: {a: {env: A}, '*': {}}\ndocument: DOC", tree{"$DOC": "b"}, ""},
		{"no map", "values: {a: {env: A}, '*': {}}\ndocument: DOC", tree{"$DOC": "[1]"}, ""},
		{"a broken document", "values: {a: {env: A}, '*': {}}\ndocument: DOC", tree{"$DOC": "{1"}, "x invalid from $DOC: DOC is not a JSON document"},
		{"text that looks like a document, and no such variable", "values: {a: {env: A}}", tree{"$": "{}", "$B": "{}"}, ""},
		{"settings alone", "values: {a: {env: A}, h: {env: H, public: true, optional: true}}", tree{"$H": "h"}, ""},
		{"settings of a spec without secrets", "values: {h: {env: H, public: true, optional: true}}", tree{"$H": "h"}, "x value from $H: h=h"},
		{"a needed public value", "values: {a: {env: A, optional: true}, h: {env: H, public: true}}", tree{"$H": "h"}, "x value from $H: h=h"},
		{"settings that a file has alone, too", "values: {a: {env: A, optional: true}, h: {env: H, public: true, optional: true}}\nfiles: [{path: ~/f, format: json, keys: {h: h}}]", tree{"$H": "h"}, "x value from $H: h=h"},
		{"settings that a file has with secrets", "values: {a: {env: A, optional: true}, h: {env: H, public: true, optional: true}}\nfiles: [{path: ~/f, format: json, keys: {a: a, h: h}}]", tree{"$H": "h"}, ""},
		{"settings, and a key pair", "values: {private_key: {optional: true, env: K}, public_key: {optional: true, public: true}, h: {env: H, public: true, optional: true}}\nfiles: [{path: ~/f, format: keypair}]", tree{"$H": "h"}, ""},
	} {
		same(t, c.name, describe(extract(t, newMachine(c.files), parse(t, head+c.spec+"\n"))), c.want)
	}
}
