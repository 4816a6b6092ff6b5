package manifest

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// Draft is what a new manifest is written from. It has names, and no values.
type Draft struct {
	// Store is the store's URL; "" for the one that rhx uses anyway.
	Store   string
	Secrets []DraftSecret
	// OfFiles says that some of the secrets were found in the project's files of variables.
	OfFiles bool
	// Broken says of which secrets the files could not be read: they are not in it.
	Broken []error
}

// DraftSecret is a secret that was found.
type DraftSecret struct {
	Name string
	// Title is the provider's, or the name of the file, for people.
	Title string
	// Keys are those of a secret that is no provider's.
	Keys []string
	// Bundled secrets are in the bundle default; Why says why another one is not.
	Bundled bool
	Why     string
}

// SavedBy says which commands save the secrets.
func (d Draft) SavedBy() string {
	if d.OfFiles {
		return "rhx import dotenv and rhx save --all save them"
	}
	return "rhx save --all saves them"
}

// Text is the manifest: YAML whose comments say what else can be said.
func (d Draft) Text() []byte {
	var b strings.Builder
	b.WriteString(`# The secrets that this project needs, by name; no value belongs here.
# docs/manifest.md of rhx has all that can be said, "rhx schema manifest" its JSON Schema.
version: 1

# Where they are kept. Without this it is your own store.
`)
	if d.Store == "" {
		b.WriteString("# store: vault://secret/team\n")
	} else {
		b.WriteString("store: " + scalar(d.Store) + "\n")
	}
	b.WriteString("\n# rhx detect finds these on a machine, " + d.SavedBy() + ".\n")
	comment := "# "
	if len(d.Secrets) > 0 {
		comment = ""
	}
	b.WriteString(comment + "secrets:\n")
	for _, s := range d.Secrets {
		b.WriteString("  " + scalar(s.Name) + ":")
		if title := strings.Map(printing, s.Title); title != "" {
			b.WriteString("  # " + title)
		}
		b.WriteString("\n")
		if len(s.Keys) > 0 {
			b.WriteString("    values:\n")
		}
		for _, k := range s.Keys {
			b.WriteString("      " + scalar(k) + ":\n")
		}
	}
	b.WriteString(`  # One of your own, with its keys:
  # db:
  #   values:
  #     user: {default: app}
  #     password: {generate: {length: 32}}
  #     license: {prompt: The license key of the database, required: false}

bundles:
  # rhx run -- COMMAND has their variables.
  default:
`)
	bundled := false
	for _, s := range d.Secrets {
		bundled = bundled || s.Bundled
	}
	if !bundled {
		b.WriteString("    secrets: []\n")
	} else {
		b.WriteString("    secrets:\n")
	}
	for _, s := range d.Secrets {
		switch {
		case s.Bundled:
			b.WriteString("      - " + scalar(s.Name) + "\n")
		case s.Why != "":
			b.WriteString("    # Not " + scalar(s.Name) + ", as " + strings.Map(printing, s.Why) + ".\n")
		}
	}
	b.WriteString(`    # Variables with a text of their own, and values in it:
    # env:
    #   LOG_LEVEL: info
    #   DATABASE_URL: postgres://${db.user}:${db.password|url}@db/app
    # Providers' secrets as native files, for the command alone:
    # files: []
  # The same with a difference:
  # serve:
  #   extends: default
  #   unset: [LOG_LEVEL]

# rhx sync gpu -b default brings them to hosts:
# hosts:
#   gpu:
#     addresses: ["gpu-[01:04]", "ubuntu@10.0.0.7:2222"]
#     bundles: [default]

# rhx --profile prod lays this over the rest:
# profiles:
#   prod:
#     bundles: {default: {env: {LOG_LEVEL: warn}}}
`)
	return []byte(b.String())
}

// scalar is text as YAML has it on one line.
func scalar(text string) string {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.ContainsAny(text, ":#,[]{}&*!|>'\"%@`") && !strings.HasPrefix(text, "vault://") {
		n.Style = yaml.DoubleQuotedStyle
	}
	out, err := yaml.Marshal(n)
	if err != nil {
		return `""`
	}
	return strings.TrimSuffix(string(out), "\n")
}

// printing leaves control characters, line ends among them, out of a comment.
func printing(r rune) rune {
	if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
		return -1
	}
	return r
}
