package projfile

import (
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/codec"
)

func TestTrees(t *testing.T) {
	for _, c := range []struct{ name, file, data, want string }{
		{"an empty file", ".streamlit/secrets.toml", "", ":"},
		{"texts of tables", ".streamlit/secrets.toml", "A = 'x'\n[db]\npassword = \"p\"\nurl.x = 'u'\n", ": A=x db.password=p db.url.x=u"},
		{"what is no text stays", ".streamlit/secrets.toml", "a = 1\nb = true\nc = 2020-01-01\nd = 07:32:00\ne = ['x']\nf = ''\n[t]\ng = 1.5\n",
			": -a (it is no text) -b (it is no text) -c (it is no text) -d (it is no text) -e (it is no text) -f (it is empty) -t.g (it is no text)"},
		{"names with dots", ".streamlit/secrets.toml", "\"a.b\" = 'x'\n\"\" = 'y'\n[\"c.d\"]\ne = 'z'\n",
			": -a.b (its name is empty or has a dot) - (its name is empty or has a dot) -c.d (its name is empty or has a dot)"},
		{"a dollar sign is one", ".streamlit/secrets.toml", "A = '${B}$(id)'\n", ": A=${B}$(id)"},
		{"keys and tables without end", ".streamlit/secrets.toml", "A = 'x' #" + strings.Repeat("=", 1000) + strings.Repeat("[", 1000), ": error: it has more than 1000 variables"},
		{"not quite so many", ".streamlit/secrets.toml", "A = 'x' #" + strings.Repeat("=", 999) + strings.Repeat("[", 1000), ": A=x"},
		{"broken", ".streamlit/secrets.toml", "A = 'x'\nB = fake fake\n", ": error: line 2, column 5: "},

		{"an empty object", "local.settings.json", "{}", ":"},
		{"values and connection strings", "local.settings.json", `{"IsEncrypted": false, "Values": {"A": "x", "b.c": "y", "N": 1, "E": ""}, "ConnectionStrings": {"S": "z", "O": {}}, "Host": {"CORS": "*"}}`,
			": A=x b.c=y ConnectionStrings:S=z -N (it is no text) -E (it is empty) -ConnectionStrings:O (it is no text)"},
		{"signs that tables of TOML have", "local.settings.json", `{"Values": {"A": "` + strings.Repeat("=", 2001) + `"}}`, ": A=" + strings.Repeat("=", 2001)},
		{"a date", "local.settings.json", `{"Values": {"A": "2020-01-01"}}`, ": A=2020-01-01"},
		{"a name that is the other map's", "local.settings.json", `{"Values": {"ConnectionStrings:S": "x"}}`, ": -ConnectionStrings:S (its place is in ConnectionStrings)"},
		{"encrypted", "local.settings.json", `{"IsEncrypted": true, "Values": {"A": "x"}}`, ": -Values (it is encrypted)"},
		{"null", "local.settings.json", `{"Values": null}`, ":"},
		{"another shape", "local.settings.json", `{"Values": ["x"]}`, ": error: line 1: Values is not a map"},
		{"a list", "local.settings.json", `["x"]`, ":"},

		{"variables of Terraform", "terraform.tfvars", "a = \"x\"\nn = 1\nl = [\"x\"]\ndb = {\n  password = \"$${y}\"\n  \"b.c\" = \"z\"\n}\ne = \"\"\nk = <<E\ntext\nE\nd = \"2020-01-01\"\n",
			": a=x db.password=${y} k=text\n d=2020-01-01 -n (it is no text) -l (it is no text) -db.b.c (its name is empty or has a dot) -e (it is empty)"},
		{"an expression", "prod.auto.tfvars", "a = \"x\"\nb = file(\"fake\")\n", ": error: line 2, column 5: "},
		{"of Packer", "x.pkrvars.hcl", "a = \"x\"\n", ": a=x"},
		{"variables in JSON", "terraform.tfvars.json", `{"a": "x", "b": {"c": "y"}}`, ": a=x b.c=y"},
	} {
		if got, want := text(parsed(c.file, []byte(c.data), nil)), c.file+c.want; got != want && !(strings.HasSuffix(want, ": ") && strings.HasPrefix(got, want)) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		file, name string
		want       []string
	}{
		{".env", "A.b", []string{"A.b"}},
		{"/home/u/app/.streamlit/secrets.toml", "db.password", []string{"db", "password"}},
		{"/home/u/app/secrets.toml", "db.password", []string{"db.password"}},
		{"~/app/terraform.tfvars", "db.password", []string{"db", "password"}},
		{"~/app/local.settings.json", "a.b", []string{"Values", "a.b"}},
		{"~/app/local.settings.json", "ConnectionStrings:S:T", []string{"ConnectionStrings", "S:T"}},
	} {
		if got := Place(c.file, c.name); !slices.Equal(got, c.want) {
			t.Errorf("%s in %s: %q", c.name, c.file, got)
		}
	}
}

// Where variables can go back to: into all files but programs of the shell.
func TestWritten(t *testing.T) {
	for _, c := range []struct {
		file, format string
		written      bool
	}{
		{".env", "dotenv", true}, {"~/app/.env.local", "dotenv", true}, {".dev.vars", "dotenv", true}, {"~/app/.streamlit/secrets.toml", "toml", true},
		{"local.settings.json", "json", true}, {"~/app/.envrc", "", false}, {"settings", "", true}, {"secrets.toml", "", true},
		{"~/app/terraform.tfvars", "hcl", true}, {"prod.tfvars", "hcl", true}, {"a.auto.pkrvars.hcl", "hcl", true}, {"x.tfvars.json", "json", true},
		{".tfvars", "", true}, {"terraform.tfvars.example", "", true}, {"example.tfvars", "", true}, {"terraform.tfvars.sample.json", "", true}, {"x.hcl", "", true},
	} {
		if format, written := Format(c.file), Written(c.file); format != c.format || written != c.written {
			t.Errorf("%s: %q, %v", c.file, format, written)
		}
	}
}

// What providers call a variable, and what a file calls theirs.
func TestNames(t *testing.T) {
	for file, want := range map[string]string{"a/terraform.tfvars": "OPENAI_API_KEY openai_api_key", "x.pkrvars.hcl": "OPENAI_API_KEY openai_api_key", ".env": "openai_api_key OPENAI_API_KEY", "": "openai_api_key OPENAI_API_KEY"} {
		if got := Known(file, "openai_api_key") + " " + Named(file, "OPENAI_API_KEY"); got != want {
			t.Errorf("%s: %s", file, got)
		}
	}
}

func TestLocate(t *testing.T) {
	for file, want := range map[string]string{
		"/a/app/.env": "/a/app .env", "/a/app/.streamlit/secrets.toml": "/a/app .streamlit/secrets.toml", "/a/app/secrets.toml": "/a/app secrets.toml", "/.env": "/ .env",
	} {
		if dir, name := Locate(file); dir+" "+name != want {
			t.Errorf("%s: %s and %s", file, dir, name)
		}
	}
}

// Whatever a file holds: what is taken for a value can be put back at its place, and is
// the same then.
func FuzzProjectFile(f *testing.F) {
	names := []string{".env", ".streamlit/secrets.toml", "local.settings.json"}
	for i, data := range []string{
		"A=1\nB='x y'\nC=${A}", "A = 'x'\n[db]\npassword = \"p\\n\"\n", `{"Values": {"A": "x", "ConnectionStrings:B": "y"}, "ConnectionStrings": {"S": "\u00e9"}}`,
	} {
		f.Add(uint(i), []byte(data))
	}
	f.Fuzz(func(t *testing.T, kind uint, data []byte) {
		name := names[kind%uint(len(names))]
		file := parsed(name, data, nil)
		format, err := codec.New(Format(name), codec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var edits []codec.Edit
		var want []string
		for _, v := range file.Vars {
			edit := codec.Edit{Path: codec.Keys(Place(name, v.Name)...), Value: codec.Text(v.Value.Reveal())}
			if _, err := codec.Apply(format, nil, []codec.Edit{edit}); err != nil {
				continue // said at the import
			}
			edits, want = append(edits, edit), append(want, v.Name+"="+v.Value.Reveal())
		}
		out, err := codec.Apply(format, nil, edits)
		if err != nil {
			t.Fatalf("of %q: %v", data, err)
		}
		var got []string
		for _, v := range parsed(name, out, nil).Vars {
			got = append(got, v.Name+"="+v.Value.Reveal())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%q became %q:\n%q, not\n%q", data, out, got, want)
		}
	})
}
