package manifest

import (
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/strictyaml/schematest"
)

// onlyParse are parts of the errors that no schema can find: they are about what
// something refers to, how often a key is there, or what is in a text.
func onlyParse() []string {
	return []string{
		"is no provider's name", "is set twice", "unknown provider", "has no key", "is not among the secrets of this manifest",
		"extends itself", "there is no bundle", "it is no provider's", "each once", "${env.", "several YAML documents",
	}
}

func TestSchema(t *testing.T) {
	check := schematest.Compile(t, Schema())
	for _, text := range []string{sample, commands, "version: 1\n", "version: \"1\"\nsecrets: {aws: }\n"} {
		if err := check([]byte(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	refusals := 0
	for text, want := range refused() {
		if text == "" {
			continue // no document at all
		}
		expressible := true
		for _, part := range onlyParse() {
			expressible = expressible && !strings.Contains(want, part)
		}
		if err := check([]byte(text)); (err != nil) != expressible {
			t.Errorf("%q, which is %s: %v", text, want, err)
		}
		if expressible {
			refusals++
		}
	}
	if refusals < 12 {
		t.Errorf("only %d of the mistakes are found", refusals)
	}
	// Beyond the mistakes that have a message of their own: no unknown field anywhere,
	// nor a value of another kind.
	for _, text := range []string{
		"secrets: {aws: {provder: aws}}", "secrets: {x: {values: {a: {dflt: b}}}}", "secrets: {x: {values: {a: {generate: {len: 9}}}}}",
		"bundles: {b: {secret: a}}", "hosts: {g: {addresses: a, bundle: b}}", "profiles: {p: {version: 1}}", "profiles: {p: {hosts: {g: {adresses: a}}}}",
		"secrets: []", "secrets: {a//b: }", "secrets: {../b: }", "secrets: {env.a: }", "secrets: {x: {values: {}}}", "secrets: {x: {values: {a: }, one_of: [a]}}",
		"bundles: {all: {}}", "bundles: {a b: {}}", "bundles: {b: }", "bundles: {b: {env: {A-B: x}}}", "bundles: {b: {env: {A: }}}", "bundles: {b: {env: {A: [x]}}}",
		"bundles: {b: {env: {A: \"${a\"}}}", "bundles: {b: {env: {A: \"${a}\"}}}", "bundles: {b: {env: {A: \"$$x${a.b|c}\"}}}", "hosts: {g: {addresses: []}}",
	} {
		if err := check([]byte("version: 1\n" + text)); err == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
	for text, want := range refusedCommands() {
		shape := slices.ContainsFunc([]string{"cannot be called", "text expected", "must be a list", "has no field", "must be a mapping", "an empty list"}, func(part string) bool { return strings.Contains(want, part) })
		if err := check([]byte("version: 1\nmcp:\n  commands:\n    " + text + "\n")); shape && err == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
	for _, text := range []string{`$`, `$$`, `$5 $${x} $$`, `$$$${x`, `${a.b}${a.b|url}$`, `${env.HOME}/x`, `{$}`} {
		if err := check([]byte("version: 1\nbundles: {b: {env: {A: '" + text + "'}}}\n")); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What Parse accepts, the schema does, whatever it is.
func FuzzSchema(f *testing.F) {
	f.Add(sample)
	f.Add("version: 1\nbundles: {b: {env: {A: \"$$${\"}}}")
	for text := range refused() {
		f.Add(text)
	}
	check := schematest.Compile(f, Schema())
	f.Fuzz(func(t *testing.T, text string) {
		// Editors have YAML 1.2: an alias, a merge, a tag or yes for true is another
		// matter. A profile is parsed when it is asked for.
		if strings.ContainsAny(text, "&*<!") || strings.Contains(text, "required") || strings.Contains(text, "profiles") {
			return
		}
		if _, err := Parse("f", []byte(text), Options{Providers: providers}); err != nil {
			return
		}
		if err := check([]byte(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	})
}
