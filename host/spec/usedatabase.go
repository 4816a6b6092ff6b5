package spec

import (
	"gopkg.in/yaml.v3"
)

// UseDatabase is a login to a database. Its fields but Kind are names of values.
type UseDatabase struct {
	// Kind is "postgres" where the profile says where the server is, as a line of .pgpass does
	// (HOST:PORT:DATABASE:USER), and "" where the value URL says it, with a scheme for the kind.
	Kind     string
	URL      string
	Password string
}

// keys are the values that a login needs.
func (u *UseDatabase) keys() []string {
	if u.URL != "" {
		return []string{u.URL}
	}
	return []string{u.Password}
}

func (u *UseDatabase) how() string {
	if u.Kind == "postgres" {
		return "a login by SCRAM with " + u.Password
	}
	return "a login with the user and the password of " + u.URL
}

func (u *UseDatabase) where() string {
	if u.Kind == "postgres" {
		return "the PostgreSQL server that its name says"
	}
	return "the database that " + u.URL + " names: PostgreSQL or Redis"
}

// useDatabases are the fields of a use that read logins to databases.
func (d *decoder) useDatabases(u *Use, s *Spec) map[string]func(*yaml.Node) {
	login := func(kind string, fields map[string]func(*UseDatabase) *string, needs ...string) func(*yaml.Node) {
		return func(n *yaml.Node) {
			if u.Database != nil {
				d.Fail(n, "use has one database")
				return
			}
			u.Database = &UseDatabase{Kind: kind}
			read := map[string]func(*yaml.Node){}
			for name, field := range fields {
				read[name] = func(n *yaml.Node) {
					text := d.Text(n)
					*field(u.Database) = text
					d.useKey(n, "use", text, s)
				}
			}
			what := kind
			if what == "" {
				what = "database"
			}
			d.Mapping(n, what, read)
			for _, name := range needs {
				if d.Err == nil && *fields[name](u.Database) == "" {
					d.Fail(n, "%s needs %s", what, name)
				}
			}
		}
	}
	return map[string]func(*yaml.Node){
		"database": login("", map[string]func(*UseDatabase) *string{"url": func(u *UseDatabase) *string { return &u.URL }}, "url"),
		"postgres": login("postgres", map[string]func(*UseDatabase) *string{"password": func(u *UseDatabase) *string { return &u.Password }}, "password"),
	}
}
