package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// minimal is a spec to which each case adds a mistake.
const minimal = "spec: 1\nname: x\nvalues:\n  k: {env: K}\n"

// withFile is a spec with one file, whose further fields are given.
func withFile(fields string) string {
	return "spec: 1\nname: x\nvalues:\n  k: {}\n  private_key: {}\n  public_key: {}\nfiles:\n  - path: ~/.x/y\n" + fields
}

const hostRule = `: a host is a name in lower case such as api.example.com, "*.example.com" for those right below it, "**.example.com" for all below it, with :PORT where it is not 443`

type refusal struct{ name, text, want string }

// refused are specs with a mistake, and the errors.
func refused() []refusal {
	return []refusal{
		{"nothing", "", "1:1: the file is empty"},
		{"comment only", "# x\n", "1:1: the file is empty"},
		{"not YAML", "spec: 1\nname: [\n", "2:1: did not find expected node content"},
		{"not a mapping", "- spec: 1\n", "1:1: a spec must be a mapping"},
		{"two documents", minimal + "---\nspec: 1\n", "1:1: several YAML documents; a spec is one"},
		{"a broken second document", minimal + "---\n{", "1:1: several YAML documents; a spec is one"},
		{"no version", "name: x\nvalues: {k: {env: K}}\n", `1:1: "spec: 1" is missing`},
		{"a later version", "spec: 2\nname: x\n", "1:7: spec version 2 is not known to this rhx, which reads version 1"},
		{"no name", "spec: 1\nvalues: {k: {env: K}}\n", "1:1: name is missing"},
		{"a bad name", "spec: 1\nname: X y\n", "2:7: a provider's name has lower-case letters, digits and dashes, and begins with a letter or digit"},
		{"a name that is a path", "spec: 1\nname: ../x\n", "2:7: a provider's name has lower-case letters, digits and dashes, and begins with a letter or digit"},
		{"a bad alias", "spec: 1\nname: x\naliases: [y, Z]\n", "3:14: a provider's name has lower-case letters, digits and dashes, and begins with a letter or digit"},
		{"an unknown field", minimal + "vaules: {}\n", `5:1: a spec has no field "vaules"; did you mean "values"?`},
		{"a field twice", minimal + "name: y\n", `5:1: "name" is set twice`},
		{"text expected", "spec: 1\nname: x\ntitle: [a]\n", "3:8: text expected"},
		{"null is no text", "spec: 1\nname: x\ntitle:\n", "3:7: text expected"},
		{"an alias for text", "spec: 1\nname: &n x\ntitle: *n\n", "3:8: *n: a spec has no YAML aliases; write out here what &n names"},
		{"an alias for a mapping", "spec: 1\nname: x\nvalues: {a: &v {env: A}, b: *v}\n", "3:29: *v: a spec has no YAML aliases; write out here what &v names"},
		{"a merged mapping", "spec: 1\nname: x\nvalues:\n  a: &v {env: A}\n  b:\n    <<: *v\n", "6:9: *v: a spec has no YAML aliases; write out here what &v names"},
		{"an alias as a key", "spec: 1\nname: &n x\n*n : y\n", "3:1: *n: a spec has no YAML aliases; write out here what &n names"},
		{"a hole without quotes", withFile("    format: json\n    keys: {k: {alias}}\n"), `10:15: {alias} without quotes is a YAML mapping; write "{alias}"`},
		{"a path that is a hole", minimal + "files:\n  - path: {profile}\n", `6:11: {profile} without quotes is a YAML mapping; write "{profile}"`},
		{"a fixed entry that is a hole", withFile("    format: json\n    keys: {k: a}\n    add: {b: {profile}}\n"), `11:14: {profile} without quotes is a YAML mapping; write "{profile}"`},
		{"a variable with a hole", "spec: 1\nname: x\nvalues:\n  k: {env: 'HOST_{alias}'}\n", `4:12: "HOST_{alias}" is not the name of a variable: it has no holes such as {alias}, since a variable belongs to the default profile`},
		{"an unknown group", minimal + "group: cloud\n", `5:8: unknown group "cloud"; did you mean "clouds"? (rhx providers lists the groups)`},
		{"a helper of a client that there is not", minimal + "helper: {gti: {for: x, username: x, password: '{k}'}}\n", `5:10: helper has no field "gti"; did you mean "git"?`},
		{"a helper without its address", minimal + "helper: {git: {username: x, password: '{k}'}}\n", "5:15: git needs for"},
		{"a helper with no address", minimal + "helper: {git: {for: [], username: x, password: '{k}'}}\n", "5:15: git needs for"},
		{"a helper without its user", minimal + "helper: {docker: [{for: x, password: '{k}'}]}\n", "5:19: docker needs username"},
		{"a helper without an answer", minimal + "helper: {docker: []}\n", "5:18: docker has one answer, or several"},
		{"a helper with another's part", minimal + "helper: {cargo: {for: x, token: '{k}', username: x}}\n", `5:40: cargo has no field "username"`},
		{"half a client certificate", minimal + "helper: {kubectl: {for: x, certificate: '{k}'}}\n", "5:19: kubectl needs token, or certificate and key"},
		{"half a key pair of aws", minimal + "helper: {aws: {access_key: '{k}'}}\n", "5:15: aws needs secret_key"},
		{"a helper with nothing secret", "spec: 1\nname: x\nvalues: {k: {env: K}, user: {public: true}}\nhelper: {terraform: {for: x, token: '{user}{profile}'}}\n", "4:21: terraform answers with no secret value"},
		{"a helper with a stranger", minimal + "helper: {terraform: {for: '{kk.a}', token: '{k}'}}\n", `5:27: helper names "kk", which values does not have; did you mean "k"?`},
		{"a helper with a line break", minimal + "helper: {terraform: {for: x, token: \"{k}\\n\"}}\n", "5:37: helper has text in ASCII, in which {KEY} is a value"},
		{"a helper with an empty text", minimal + "helper: {terraform: {for: x, token: ''}}\n", "5:37: helper has text in ASCII, in which {KEY} is a value"},
		{"use without hosts", minimal + "use: {header: {A: '{k}'}}\n", "5:6: use needs hosts"},
		{"use without a place", minimal + "use: [{hosts: api.example.com}]\n", "5:7: use has one of header, query, basic, sign, database and postgres"},
		{"use in two places", minimal + "use: {hosts: a.example, header: {A: '{k}'}, query: {a: '{k}'}}\n", "5:6: use has one of header, query, basic, sign, database and postgres"},
		{"use of nothing secret", "spec: 1\nname: x\nvalues: {k: {env: K}, user: {public: true}}\nuse: {hosts: a.example, header: {A: '{user}'}}\n", "4:6: use sends no secret value"},
		{"use of a stranger", minimal + "use: {hosts: a.example, header: {A: 'Bearer {kk}'}}\n", `5:37: use names "kk", which values does not have; did you mean "k"?`},
		{"a line break in a header", minimal + "use: {hosts: a.example, header: {A: \"x\\r\\nB: {k}\"}}\n", "5:37: use has text in ASCII, in which {KEY} is a value"},
		{"a header's name", minimal + "use: {hosts: a.example, header: {'A B': '{k}'}}\n", `5:34: "A B" is not the name of a header`},
		{"no header", minimal + "use: {hosts: a.example, header: {}}\n", "5:33: header must be a mapping, and not empty"},
		{"a parameter's name", minimal + "use: {hosts: a.example, query: {'a&b': '{k}'}}\n", `5:33: "a&b" is not the name of a parameter`},
		{"all hosts", minimal + "use: {hosts: '*', header: {A: '{k}'}}\n", "5:14" + hostRule},
		{"all hosts of a top-level domain", minimal + "use: {hosts: '*.com', header: {A: '{k}'}}\n", "5:14" + hostRule},
		{"a URL for a host", minimal + "use: {hosts: 'https://a.example', header: {A: '{k}'}}\n", "5:14" + hostRule},
		{"a host with a path", minimal + "use: {hosts: 'a.example/x', header: {A: '{k}'}}\n", "5:14" + hostRule},
		{"a host in capitals", minimal + "use: {hosts: A.example, header: {A: '{k}'}}\n", "5:14" + hostRule},
		{"a host with no port", minimal + "use: {hosts: 'a.example:', header: {A: '{k}'}}\n", "5:14" + hostRule},
		{"a way to sign", minimal + "use: {hosts: a.example, sign: {aws-sigv2: {}}}\n", `5:32: sign has no field "aws-sigv2"; did you mean "aws-sigv4"?`},
		{"no way to sign", minimal + "use: {hosts: a.example, sign: {}}\n", "5:31: sign has one way to sign: aws-sigv4"},
		{"half a signature", minimal + "use: {hosts: a.example, sign: {aws-sigv4: {access_key: k}}}\n", "5:43: aws-sigv4 needs secret_key"},
		{"no values", "spec: 1\nname: x\n", "1:1: values is missing"},
		{"empty values", "spec: 1\nname: x\nvalues: {}\n", "3:9: values is empty"},
		{"values as a list", "spec: 1\nname: x\nvalues: [k]\n", "3:9: values must be a mapping"},
		{"a value as text", "spec: 1\nname: x\nvalues:\n  k: K\n", "4:6: a value must be a mapping"},
		{"a value's name", "spec: 1\nname: x\nvalues:\n  a.b: {}\n", `4:3: a value's name is not empty and has no ".", "{" or "}"`},
		{"a value's field", "spec: 1\nname: x\nvalues:\n  k: {evn: K}\n", `4:7: a value has no field "evn"; did you mean "env"?`},
		{"any with fields", "spec: 1\nname: x\nvalues:\n  \"*\": {public: true}\n", `4:9: "*" has no field "public"`},
		{"a key that is no text", "spec: 1\nname: x\nvalues:\n  [a]: {}\n", "4:3: a key must be text"},
		{"a variable's name", "spec: 1\nname: x\nvalues:\n  k: {env: [A, 1B]}\n", `4:16: "1B" is not the name of a variable`},
		{"a document's variable", minimal + "document: A-B\n", `5:11: "A-B" is not the name of a variable`},
		{"true or false", "spec: 1\nname: x\nvalues:\n  k: {public: maybe}\n", "4:15: true or false expected"},
		{"neither true nor false", "spec: 1\nname: x\nvalues:\n  k: {env: K, public: }\n", "4:23: true or false expected"},
		{"a pattern", "spec: 1\nname: x\nvalues:\n  k: {pattern: '(a'}\n", "4:16: not a regular expression: missing closing ): `(a`"},
		{"a pattern that closes its group", "spec: 1\nname: x\nvalues:\n  k: {reject: 'a)|(b'}\n", "4:15: not a regular expression: unexpected ): `a)|(b`"},
		{"together with strangers", minimal + "together: [k, kk]\n", `5:15: together names "kk", which values does not have; did you mean "k"?`},
		{"no source at all", "spec: 1\nname: x\nvalues: {k: {}}\n", "1:1: the spec has neither files nor variables"},
		{"files as a mapping", minimal + "files: {}\n", "5:8: files must be a list, and not empty"},
		{"one of strangers", minimal + "one_of: [k, kk]\n", `5:13: one_of names "kk", which values does not have; did you mean "k"?`},
		{"unsafe and no pattern", minimal + "unsafe: 'b['\n", `5:9: "b[" is not a value, VALUE.FIELD or a pattern of values`},
		{"no files", minimal + "files: []\n", "5:8: files must be a list, and not empty"},

		{"no path", minimal + "files:\n  - format: ini\n", "6:5: path is missing"},
		{"an absolute path", minimal + "files:\n  - path: /etc/x\n", `6:11: a path begins with "~/", has no ".." step and no wildcard, and "{profile}" once at most, in its last element`},
		{"a path that leaves home", minimal + "files:\n  - path: ~/../x\n", `6:11: a path begins with "~/", has no ".." step and no wildcard, and "{profile}" once at most, in its last element`},
		{"a path with a wildcard", minimal + "files:\n  - path: ~/x*\n", `6:11: a path begins with "~/", has no ".." step and no wildcard, and "{profile}" once at most, in its last element`},
		{"a folder per profile", minimal + "files:\n  - path: ~/{profile}/x\n", `6:11: a path begins with "~/", has no ".." step and no wildcard, and "{profile}" once at most, in its last element`},
		{"another hole in a path", minimal + "files:\n  - path: ~/{alias}\n", `6:11: {alias} cannot be in a path, which has "{profile}" alone, in its last element`},
		{"a path of no system", minimal + "files:\n  - path: {linx: ~/x}\n", `6:12: path has no field "linx"; did you mean "linux"?`},
		{"no default path", minimal + "files:\n  - path: {linux: ~/x}\n", "6:11: path needs a default"},
		{"profile in some paths", minimal + "files:\n  - path: {default: ~/x, linux: '~/{profile}'}\n", `6:11: "{profile}" is in all paths of a file, or in none`},
		{"an override", withFile("    override: A B\n"), "9:15: an override is VARIABLE, VARIABLE/PATH, VARIABLE/../NAME, {list: VARIABLE} or {path: any of the first three, expands: true}"},
		{"an override that leaves the folder", withFile("    override: A/../../b\n"), "9:15: an override is VARIABLE, VARIABLE/PATH, VARIABLE/../NAME, {list: VARIABLE} or {path: any of the first three, expands: true}"},
		{"an override without a path", withFile("    override: A/\n"), "9:15: an override is VARIABLE, VARIABLE/PATH, VARIABLE/../NAME, {list: VARIABLE} or {path: any of the first three, expands: true}"},
		{"an empty override", withFile("    override: {}\n"), "9:15: an override is VARIABLE, VARIABLE/PATH, VARIABLE/../NAME, {list: VARIABLE} or {path: any of the first three, expands: true}"},
		{"an override of nothing but a folder above", withFile("    override: A/..\n"), "9:15: an override is VARIABLE, VARIABLE/PATH, VARIABLE/../NAME, {list: VARIABLE} or {path: any of the first three, expands: true}"},
		{"a list below a folder", withFile("    override: {list: A, path: A/b}\n"), "9:15: an override is VARIABLE, VARIABLE/PATH, VARIABLE/../NAME, {list: VARIABLE} or {path: any of the first three, expands: true}"},
		{"no format", withFile("    mode: 0600\n"), "8:5: format is missing"},
		{"an unknown format", withFile("    format: yml\n"), `9:13: unknown format "yml"; did you mean "yaml"? (known: dotenv, hcl, ini, json, keypair, netrc, properties, text, toml, xml, yaml, or {wasm: MODULE})`},
		{"an empty format", withFile("    format: {}\n"), `9:13: unknown format "" (known: dotenv, hcl, ini, json, keypair, netrc, properties, text, toml, xml, yaml, or {wasm: MODULE})`},
		{"two formats", withFile("    format: {wasm: m, ini: {}}\n"), "9:13: a format is one of wasm, ini, xml and hcl"},
		{"two dialects", withFile("    format: {hcl: {}, xml: {}}\n    keys: {k: a}\n"), "9:13: a format is one of wasm, ini, xml and hcl"},
		{"an option of xml", withFile("    format: {xml: {list: [a]}}\n    keys: {k: a}\n"), `9:20: format xml has no field "list"; did you mean "lists"?`},
		{"a name of xml", withFile("    format: {xml: {lists: [a, b c]}}\n    keys: {k: a}\n"), "9:31: lists of xml are names"},
		{"an option of hcl", withFile("    format: {hcl: {lists: a}}\n    keys: {k: a}\n"), `9:20: format hcl has no field "lists"`},
		{"a name of hcl", withFile("    format: {hcl: {blocks: ''}}\n    keys: {k: a}\n"), "9:28: blocks of hcl are names"},
		{"a module that is a path", withFile("    format: {wasm: ../m}\n"), "9:20: a wasm module's name has lower-case letters, digits and dashes, and begins with a letter or digit"},
		{"an option of ini", withFile("    format: {ini: {inlin: true}}\n"), `9:20: format ini has no field "inlin"`},
		{"exclude without profile", withFile("    format: json\n    exclude: [a]\n    keys: {k: a}\n"), `10:14: exclude is for profiles that rhx finds: a path with "{profile}", or profiles`},
		{"exclude of a wasm module's profiles", withFile("    format: {wasm: fake}\n    profiles: {}\n    exclude: [a]\n"), `11:14: exclude is for profiles that rhx finds: a path with "{profile}", or profiles`},
		{"a bad pattern", strings.Replace(withFile("    format: keypair\n    exclude: [a, 'b[']\n"), "/y", "/{profile}", 1), `10:18: "b[" is not a file name pattern`},
		{"a mode for all", withFile("    format: json\n    keys: {k: a}\n    mode: 0644\n"), "11:11: mode is 0600 or 0700: a file with secrets is its owner's alone"},
		{"a mode that is no number", withFile("    format: json\n    keys: {k: a}\n    mode: rw\n"), "11:11: mode is 0600 or 0700: a file with secrets is its owner's alone"},

		{"profiles of no kind", withFile("    format: json\n    profiles: {default: d}\n    keys: {k: a}\n"), "10:15: profiles has one of section, option, keys, and entries with name"},
		{"profiles of two kinds", withFile("    format: json\n    profiles: {keys: a, entries: b, name: n}\n    keys: {k: a}\n"), "10:15: profiles has one of section, option, keys, and entries with name"},
		{"entries without name", withFile("    format: json\n    profiles: {entries: b}\n    keys: {k: a}\n"), "10:15: profiles has one of section, option, keys, and entries with name"},
		{"sections of JSON", withFile("    format: json\n    profiles: {section: '*'}\n    keys: {k: a}\n"), "10:15: profiles by section or option are for format ini, and only they"},
		{"keys of ini", withFile("    format: ini\n    profiles: {keys: a}\n    keys: {k: a}\n"), "10:15: profiles by section or option are for format ini, and only they"},
		{"section without star", withFile("    format: ini\n    profiles: {section: profile}\n    keys: {k: a}\n"), `10:25: section has one "*", which stands for the profile`},
		{"option without star", withFile("    format: ini\n    profiles: {option: k}\n    keys: {k: .}\n"), `10:24: option has one "*", which stands for the profile`},
		{"an option that is no value", withFile("    format: ini\n    profiles: {option: 'k*'}\n    keys: {k: a}\n"), `11:15: a profile by option is one value: its place is ".", or has root: true`},
		{"section and option", withFile("    format: ini\n    profiles: {section: 'k*', option: 'k*'}\n    keys: {k: .}\n"), "10:15: profiles has one of section, option, keys, and entries with name"},
		{"an unknown dialect", withFile("    format: {ini: {quote: true}}\n    keys: {k: a}\n"), `9:20: format ini has no field "quote"; did you mean "quotes"?`},
		{"delimiters", withFile("    format: {ini: {delimiters: ' '}}\n    keys: {k: a}\n"), "9:32: this is one or both of = and :"},
		{"comment signs", withFile("    format: {ini: {comments: '##'}}\n    keys: {k: a}\n"), "9:30: this is one or both of # and ;"},
		{"inline comments", withFile("    format: {ini: {inline_comments: here}}\n    keys: {k: a}\n"), "9:37: true or false expected"},
		{"how values go on", withFile("    format: {ini: {continued: always}}\n    keys: {k: a}\n"), "9:31: continued is indented, never or backslash"},
		{"an unknown client", withFile("    format: ini\n    clients: [configparser, perl]\n    keys: {k: a}\n"), `10:14: unknown client "perl" (known for ini: aws-cli, aws-sdk-js, configparser, npm)`},
		{"clients of YAML", withFile("    format: yaml\n    clients: configparser\n    keys: {k: a}\n"), "10:14: format yaml has no clients that rhx knows"},
		{"clients of a module", withFile("    format: {wasm: m}\n    clients: curl\n"), "10:14: a file of a wasm module has no clients"},
		{"profiles with holes", withFile("    format: json\n    profiles: {keys: 'a.{k}'}\n    keys: {k: a}\n"), "10:22: profiles are at one place, without holes"},
		{"inherit outside sections", withFile("    format: json\n    profiles: {keys: a, inherit: b}\n    keys: {k: a}\n"), "10:15: inherit is for profiles by section"},
		{"profiles in files of a profile", strings.Replace(withFile("    format: json\n    profiles: {keys: a}\n    keys: {k: a}\n"), "/y", "/{profile}", 1), `10:15: a file with "{profile}" in its path has no profiles`},

		{"no keys", withFile("    format: json\n"), "8:5: keys is missing"},
		{"empty keys", withFile("    format: json\n    keys: {}\n"), "10:11: keys must be a mapping, and not empty"},
		{"keys without value", withFile("    format: json\n    keys: {kk: a}\n"), `10:12: keys names "kk", which values does not have; did you mean "k"?`},
		{"any key without any value", withFile("    format: json\n    keys: {'*': .}\n"), `10:12: keys names "*", which values does not have`},
		{"a bad place", withFile("    format: json\n    keys: {k: a..b}\n"), `10:15: path "a..b": a step is empty`},
		{"a key without place", withFile("    format: json\n    keys: {k: {tree: true}}\n"), "10:15: a key has at, or profile: true"},
		{"a key with both", withFile("    format: json\n    profiles: {keys: .}\n    keys: {k: {at: a, profile: true}}\n"), "11:15: a key has at, or profile: true"},
		{"a profile key with more", withFile("    format: json\n    profiles: {keys: .}\n    keys: {k: {profile: true, as: trim}}\n"), "11:15: a key with profile: true has nothing else"},
		{"a profile key without profiles", withFile("    format: json\n    keys: {k: {profile: true}}\n"), "10:15: profile: true is for a file with profiles"},
		{"an unknown codec", withFile("    format: json\n    keys: {k: {at: a, as: base46}}\n"), `10:27: unknown codec "base46"; did you mean "base64"? (known: base64, basic-user, basic-password, url-user, url-password, trim, number, bool)`},
		{"a codec on a tree", withFile("    format: json\n    keys: {k: {at: a, as: trim, tree: true}}\n"), "10:15: a key has as, or tree: true"},
		{"inline without tree", withFile("    format: json\n    keys: {k: {at: a, inline: {f: g}}}\n"), "10:15: inline is for a key with tree: true"},
		{"inline of another kind", withFile("    format: json\n    keys: {k: {at: a, tree: true, inline: {f: {into: g, holds: text}}}}\n"), "10:64: a file that is inlined holds certificates or key"},
		{"inline into nothing", withFile("    format: json\n    keys: {k: {at: a, tree: true, inline: {f: {holds: key}}}}\n"), "10:47: inline is FIELD: FIELD, or FIELD: {into: FIELD, holds: key}"},
		{"inline as a list", withFile("    format: json\n    keys: {k: {at: a, tree: true, inline: [f]}}\n"), "10:43: inline must be a mapping"},
		{"also without as", withFile("    format: json\n    keys: {k: {at: a, also: b}}\n"), "10:15: also is for a key with as; places of one form are all in at"},
		{"a hole in also", withFile("    format: json\n    keys: {k: {at: a, as: trim, also: 'b.{x}'}}\n"), "10:15: {x} is neither the profile nor one of the file's keys before it"},
		{"a place in text", withFile("    format: text\n    keys: {k: a}\n"), `10:15: a file of format text is one value: its place is "."`},
		{"two values in text", withFile("    format: text\n    keys: {k: ., private_key: .}\n"), "10:11: a file of format text is one value"},
		{"a deep key in a section", withFile("    format: ini\n    profiles: {section: '*'}\n    keys: {k: a.b}\n"), "11:15: a key in a section is one option"},
		{"a hole before its value", withFile("    format: json\n    keys: {k: 'a.{private_key}', private_key: b}\n"), "10:15: {private_key} is neither the profile nor one of the file's keys before it"},
		{"a profile hole without profiles", withFile("    format: json\n    keys: {k: 'a.{profile}'}\n"), "10:15: {profile} is neither the profile nor one of the file's keys before it"},
		{"a hole in a mirror", withFile("    format: json\n    keys: {k: {at: a, mirror: 'b.{x}'}}\n"), "10:15: {x} is neither the profile nor one of the file's keys before it"},
		{"a hole in a state", withFile("    format: json\n    keys: {k: a}\n    states: [{state: exec, at: '{x}'}]\n"), "11:13: {x} is neither the profile nor one of the file's keys before it"},
		{"a hole in expires", withFile("    format: json\n    keys: {k: a}\n    expires: '{x}'\n"), "11:14: {x} is neither the profile nor one of the file's keys before it"},
		{"a hole in what is added", withFile("    format: json\n    keys: {k: a}\n    add: {b: '{x}'}\n"), "11:11: {x} is neither the profile nor one of the file's keys before it"},
		{"an open hole in what is added", withFile("    format: json\n    keys: {k: a}\n    add: {b: '{x'}\n"), "11:14: a hole is {NAME}"},
		{"adding at many places", withFile("    format: json\n    keys: {k: a}\n    add: {'b.*': x}\n"), `11:11: what is added has one place, without "*"`},
		{"add as a list", withFile("    format: json\n    keys: {k: a}\n    add: [b]\n"), "11:10: add must be a mapping"},
		{"a state of no kind", withFile("    format: json\n    keys: {k: a}\n    states: [{state: lost, at: b}]\n"), "11:22: a state is keyring, exec, sso, role"},
		{"a state without place", withFile("    format: json\n    keys: {k: a}\n    states: [{state: exec}]\n"), "11:14: a state has state and at"},

		{"keys of a wasm file", withFile("    format: {wasm: m}\n    keys: {k: a}\n"), "10:11: a file of a wasm module has no keys"},
		{"sections of a wasm file", withFile("    format: {wasm: m}\n    profiles: {section: '*'}\n"), "10:15: profiles of a wasm module's file have default at most: the module finds them"},
		{"wasm per file", strings.Replace(withFile("    format: {wasm: m}\n"), "/y", "/{profile}", 1), `8:5: a file of a wasm module cannot have "{profile}" in its path`},
		{"wasm as mirror", withFile("    format: {wasm: m}\n    mirror: true\n"), "8:5: a file of a wasm module cannot be a mirror"},
		{"keys of a key pair", withFile("    format: keypair\n    keys: {k: a}\n"), "10:11: format keypair has no keys"},
		{"a key pair as mirror", withFile("    format: keypair\n    mirror: true\n"), "8:5: a key pair cannot be a mirror"},
		{"a key pair without halves", minimal + "files:\n  - path: ~/x\n    format: keypair\n", "6:5: format keypair needs the value private_key"},
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range refused() {
		t.Run(c.name, func(t *testing.T) {
			s, err := spec.Parse("f.yaml", []byte(c.text))
			var e *spec.Error
			if s != nil || !errors.As(err, &e) || err.Error() != "f.yaml:"+c.want {
				t.Errorf("got  %v\nwant f.yaml:%s\nin\n%s", err, c.want, c.text)
			}
		})
	}
}

type acceptance struct {
	name, text string
	check      func(*spec.Spec) bool
}

// accepted is what specs.md lists as what the language must say, as far as files of this
// version of rhx need it.
func accepted() []acceptance {
	return []acceptance{
		{"variables only", minimal, func(s *spec.Spec) bool { return s.Title == "x" && s.Values[0].Env[0] == "K" && len(s.Files) == 0 }},
		{"helpers", minimal + "helper: {aws: {access_key: x, secret_key: '{k}'}, git: [{for: [a, '{k.f}'], username: '*', password: '{k}'}, {for: b, username: c, password: '{k}'}], kubectl: {for: 1, token: '{k}'}}\n", func(s *spec.Spec) bool {
			return len(s.Helpers) == 4 && s.Helpers[3].For[0] == "1"
		}},
		{"a document variable only", "spec: 1\nname: x\nvalues: {'*': {}}\ndocument: D\n", func(s *spec.Spec) bool { return s.Any && s.Document == "D" }},
		{"aliases, primary first", "spec: 1\nname: x\naliases: y\nvalues: {k: {env: [A, B]}}\n", func(s *spec.Spec) bool {
			return slices.Equal(s.Aliases, []string{"y"}) && slices.Equal(s.Values[0].Env, []string{"A", "B"})
		}},
		{"values in order", "spec: 1\nname: x\nvalues: {z: {env: Z}, a: {env: A, optional: true}}\n", func(s *spec.Spec) bool {
			return slices.Equal(s.Order([]string{"b", "a", "z"}), []string{"z", "a", "b"})
		}},
		{"a pattern matches the whole text", "spec: 1\nname: x\nvalues: {k: {env: K, pattern: 'a|bc'}}\n", func(s *spec.Spec) bool {
			p := s.Values[0].Pattern
			return p.MatchString("bc") && !p.MatchString("abc") && !p.MatchString("bc\n") && !p.MatchString("ab")
		}},
		{"one group together, before values", "spec: 1\nname: x\ntogether: [a, b]\nvalues: {a: {env: A}, b: {env: B}}\n", func(s *spec.Spec) bool { return len(s.Together) == 1 && len(s.Together[0]) == 2 }},
		{"several groups together", "spec: 1\nname: x\nvalues: {a: {env: A}, b: {env: B}, c: {env: C}}\ntogether: [[a, b], [b, c]]\n", func(s *spec.Spec) bool { return len(s.Together) == 2 }},
		{"a name that begins with a digit, a group, docs", "spec: 1\nname: 1password\naliases: 1p\ngroup: secret-managers\ndocs: https://a.example\nvalues: {k: {env: K}}\n", func(s *spec.Spec) bool {
			return s.Name == "1password" && s.Aliases[0] == "1p" && s.Group == "secret-managers" && s.Docs == "https://a.example"
		}},
		{"a name that is a number", "spec: 1\nname: 1e5\nvalues: {k: {env: K}}\n", func(s *spec.Spec) bool { return s.Name == "1e5" }},
		{"use in headers", "spec: 1\nname: x\nvalues: {k: {env: K}, id: {env: I, public: true}}\nuse:\n  - hosts: [api.x.example, '*.y.example:8443']\n    header: {X-Id: '{id}', Authorization: 'Bearer {k}'}\n", func(s *spec.Spec) bool {
			u := s.Use[0]
			return slices.Equal(u.Hosts, []string{"api.x.example", "*.y.example:8443"}) && slices.Equal(u.Keys(), []string{"id", "k"}) &&
				u.How() == "header X-Id: {id}, header Authorization: Bearer {k}"
		}},
		{"use in the query, and as a password", "spec: 1\nname: x\nvalues: {k: {env: K}}\nuse:\n  - {hosts: a.example, query: {api_key: '{k}'}}\n  - {hosts: a.example, basic: {user: '*', password: '{k}'}}\n", func(s *spec.Spec) bool {
			return s.Use[0].How() == "query api_key={k}" && s.Use[1].How() == "basic authentication, any user with {k}" && s.Use[1].Keys()[0] == "k"
		}},
		{"use by signature", "spec: 1\nname: x\nvalues: {i: {env: I, public: true}, k: {env: K}}\nuse: {hosts: '*.amazonaws.com', sign: {aws-sigv4: {access_key: i, secret_key: k}}}\n", func(s *spec.Spec) bool {
			u := s.Use[0]
			return slices.Equal(u.Keys(), []string{"i", "k"}) && u.Sign.Method == "aws-sigv4" && u.How() == "a signature, aws-sigv4"
		}},
		{"one of several, and what is unsafe", "spec: 1\nname: x\nvalues: {a: {env: A}, b: {env: B}, '*': {}}\none_of: [a, b]\nunsafe: [a, b.command, 'global.*']\n", func(s *spec.Spec) bool {
			return len(s.OneOf) == 1 && slices.Equal(s.OneOf[0], []string{"a", "b"}) && slices.Equal(s.Unsafe, []string{"a", "b.command", "global.*"})
		}},
		{"overrides that expand, and beside a file", withFile("    format: json\n    keys: {k: a}\n    override: [{path: A/b, expands: true}, C/../d/e]\n"), func(s *spec.Spec) bool {
			o := s.Files[0].Override
			return o[0] == spec.Override{Var: "A", Rel: "b", Expands: true} && o[1] == spec.Override{Var: "C", Rel: "../d/e"} && o[1].Beside() && !o[0].Beside()
		}},
		{"another form, and a file that is a key", withFile("    format: json\n    keys: {private_key: {at: a, as: basic-user, also: [b, c]}, k: {at: m, tree: true, inline: {f: {into: g, holds: key}, h: {into: i, holds: certificates}}}}\n    states: [{state: sso, at: x}, {state: role, at: y}]\n"), func(s *spec.Spec) bool {
			k := s.Files[0].Keys
			return len(k[0].Also) == 2 && slices.Equal(k[1].Inline, []spec.Inline{{Field: "f", Into: "g", Key: true}, {Field: "h", Into: "i"}}) && s.Files[0].States[0].State == "sso"
		}},
		{"paths by system", minimal + "files:\n  - path: {default: ~/a, macos: ~/b, windows: ~/c}\n    format: text\n    keys: {k: .}\n", func(s *spec.Spec) bool {
			f := s.Files[0]
			return f.Path("linux") == "~/a" && f.Path("darwin") == "~/b" && f.Path("windows") == "~/c" && f.Mode == 0o600
		}},
		{"overrides of file, folder and list", withFile("    format: json\n    keys: {k: a}\n    override: [A, B/c/d.json, {list: C}]\n    mode: 0700\n"), func(s *spec.Spec) bool {
			return slices.Equal(s.Files[0].Override, []spec.Override{{Var: "A"}, {Var: "B", Rel: "c/d.json"}, {Var: "C", List: true}}) && s.Files[0].Mode == 0o700
		}},
		{"profiles left out", withFile("    format: json\n    profiles: {keys: .}\n    exclude: [a.example]\n    keys: {k: a}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Excluded("A.example") && !s.Files[0].Excluded("b")
		}},
		{"a file per profile", strings.Replace(withFile("    format: keypair\n    exclude: [config, '*.pub']\n"), "/y", "/id_{profile}", 1), func(s *spec.Spec) bool {
			f := s.Files[0]
			return f.PerFile() && f.Excluded("config") && f.Excluded("CONFIG") && f.Excluded("a.pub") && !f.Excluded("a")
		}},
		{"sections that inherit", withFile("    format: ini\n    profiles: {section: 'profile *', default: default, inherit: DEFAULT}\n    keys: {k: [a, b]}\n"), func(s *spec.Spec) bool {
			p := s.Files[0].Profiles
			return p.Section == "profile *" && p.Inherit == "DEFAULT" && s.Files[0].Default() == "default" && len(s.Files[0].Keys[0].At) == 2
		}},
		{"quoted, wildcard and list steps", withFile("    format: json\n    keys: {k: {at: '\"a.b\".*.c[name=x].d', as: base64}}\n    expires: e\n"), func(s *spec.Spec) bool {
			return s.Files[0].Keys[0].At[0].String() == `"a.b".*.c[name=x].d` && s.Files[0].Expires.String() == "e"
		}},
		{"trees with what they refer to", withFile("    format: yaml\n    profiles: {entries: l, name: n}\n    keys:\n      private_key: {at: c, tree: true}\n      k: {at: 'm[name={private_key.user}].u', root: true, tree: true, inline: {f: f-data}}\n      public_key: {profile: true}\n    add: {kind: {text: '{profile}', root: true}}\n    states: {state: exec, at: x, wins: true}\n"), func(s *spec.Spec) bool {
			f := s.Files[0]
			return f.Keys[1].Inline[0] == spec.Inline{Field: "f", Into: "f-data"} && f.Add[0].Root && f.States[0].Wins && f.Keys[2].Profile
		}},
		{"a wasm module with a default", withFile("    format: {wasm: m-1}\n    profiles: {default: client}\n    read_only: true\n"), func(s *spec.Spec) bool {
			return s.Files[0].Wasm == "m-1" && s.Files[0].Default() == "client" && s.Files[0].ReadOnly
		}},
		{"a wasm module whose profiles are all named", withFile("    format: {wasm: m-1}\n    profiles: {}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Profiles != nil && s.Files[0].Default() == "" && !s.HasDefault()
		}},
		{"ini with its option", withFile("    format: {ini: {inline_comments: true}}\n    keys: {k: a.b}\n    mirror: true\n"), func(s *spec.Spec) bool {
			return s.Files[0].Format == "ini" && s.Files[0].Options.InlineComments && s.Files[0].Mirror
		}},
		{"npm's dialect", withFile("    format: {ini: {delimiters: '=', comments: ';#', case_sensitive: true, inline_comments: anywhere, continued: never, quotes: true, references: true}}\n    clients: npm\n    profiles: {option: '//*/:_authToken', default: registry.npmjs.org}\n    keys: {k: ., private_key: {at: '\"//{profile}/:_password\"', root: true}}\n"), func(s *spec.Spec) bool {
			npm, err := codec.ClientsOf("ini", []string{"npm"})
			return err == nil && s.Files[0].Profiles.Option == "//*/:_authToken" && s.Files[0].Options == codec.Options{
				Delimiters: "=", Comments: ";#", CaseSensitive: true, CommentsAnywhere: true, Continued: codec.OneLine, Quotes: true, References: true, Clients: npm,
			}
		}},
		{"git's dialect", withFile("    format: {ini: {inline_comments: false, continued: backslash}}\n    keys: {k: a.b}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Options == codec.Options{Continued: codec.Backslashed}
		}},
		{"lists of xml", withFile("    format: {xml: {lists: [server, add]}}\n    profiles: {entries: a.server, name: id}\n    keys: {k: b.@c}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Format == "xml" && s.Files[0].Options == (codec.Options{Lists: "server add"})
		}},
		{"blocks of hcl", withFile("    format: {hcl: {blocks: credentials}}\n    profiles: {keys: credentials}\n    keys: {k: token}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Format == "hcl" && s.Files[0].Options == (codec.Options{Blocks: "credentials"})
		}},
		{"formats without options", withFile("    format: {xml: {}}\n    keys: {k: a}\n"), func(s *spec.Spec) bool { return s.Files[0].Format == "xml" }},
		{"indented is the default", withFile("    format: {ini: {continued: indented}}\n    profiles: {section: '*', default: DEFAULT}\n    keys: {k: b}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Options == codec.Options{Defaults: true}
		}},
		{"a section that others inherit from may be made", withFile("    format: ini\n    profiles: {section: '*', inherit: DEFAULT}\n    keys: {k: b}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Options.Defaults
		}},
		{"an option of [DEFAULT] is added, which other sections may have", withFile("    format: ini\n    profiles: {section: '*'}\n    keys: {k: b}\n    add: {DEFAULT.user: {text: '{profile}', root: true}}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Options == codec.Options{Inherited: "user"}
		}},
		{"but not one of a section's own", withFile("    format: ini\n    profiles: {section: '*'}\n    keys: {k: b}\n    add: {DEFAULT.user: x, user: y}\n"), func(s *spec.Spec) bool {
			return s.Files[0].Options == codec.Options{}
		}},
	}
}

func TestParseAccepts(t *testing.T) {
	for _, c := range accepted() {
		t.Run(c.name, func(t *testing.T) {
			s, err := spec.Parse("f.yaml", []byte(c.text))
			if err != nil {
				t.Fatalf("%v in\n%s", err, c.text)
			}
			if !c.check(s) {
				t.Errorf("%+v\nfrom\n%s", s, c.text)
			}
		})
	}
}

func TestVars(t *testing.T) {
	s, err := spec.Parse("f", []byte("spec: 1\nname: x\ndocument: D\nvalues: {k: {env: [B, A]}}\nfiles: [{path: ~/x, override: [C, A/y], format: text, keys: {k: .}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Vars(); !slices.Equal(got, []string{"A", "B", "C", "D"}) {
		t.Error(got)
	}
}

func TestValidVar(t *testing.T) {
	for name, want := range map[string]bool{"A": true, "_a1": true, "": false, "1A": false, "A-B": false, "A=B": false, "A\n": false, "Ä": false} {
		if spec.ValidVar(name) != want {
			t.Errorf("ValidVar(%q) is %v", name, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../specs/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(minimal + "---\n{"))
	f.Add([]byte(withFile("    format: yaml\n    keys: {k: {at: '\"a\".*.{x}'}}\n    states: [{state: exec, at: x}]\n    add: {a: b}\n")))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := spec.Parse("f.yaml", data)
		if err != nil {
			var e *spec.Error
			if s != nil || !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Msg == "" || e.File != "f.yaml" {
				t.Fatalf("an error without a place: %#v", err)
			}
			return
		}
		if s.Name == "" || s.Title == "" || len(s.Values) == 0 && !s.Any {
			t.Fatalf("%+v", s)
		}
		for _, f := range s.Files {
			if (f.Format == "") == (f.Wasm == "") || f.Mode&0o077 != 0 {
				t.Fatalf("%+v", f)
			}
			for _, p := range f.Paths.All() {
				if !strings.HasPrefix(p, "~/") || strings.Contains(p, "/../") || strings.HasSuffix(p, "/..") {
					t.Fatalf("path %q", p)
				}
			}
		}
	})
}
