package dburl

import (
	"strings"
	"testing"
)

func env(name, value string) func(string) string {
	return func(n string) string { return map[string]string{name: value}[n] }
}

func TestURLs(t *testing.T) {
	for in, c := range map[string]struct {
		at Address
		to string
	}{
		"postgres://alice:pw@db.example/app":                                                      {Address{"db.example", 5432, "app", "alice"}, "postgres://alice:RUN@127.0.0.1:9/app?sslmode=disable"},
		"postgresql://a%40b:p%2Fw@db.example:6543/app?connect_timeout=5":                          {Address{"db.example", 6543, "app", "a@b"}, "postgresql://a%40b:RUN@127.0.0.1:9/app?connect_timeout=5&sslmode=disable"},
		"postgres://alice:pw@[::1]:1/?sslmode=require&channel_binding=require&options=-c%20a%3Db": {Address{"::1", 1, "", "alice"}, "postgres://alice:RUN@127.0.0.1:9/?options=-c%20a%3Db&sslmode=disable"},
		"postgresql+asyncpg://alice:pw@db.example/app?ssl=require":                                {Address{"db.example", 5432, "app", "alice"}, "postgresql+asyncpg://alice:RUN@127.0.0.1:9/app"},
		"POSTGRES://alice:pw@db.example":                                                          {Address{"db.example", 5432, "", "alice"}, "postgres://alice:RUN@127.0.0.1:9?sslmode=disable"},
		"redis://:pw@cache/2":                                                                     {Address{"cache", 6379, "2", ""}, "redis://:RUN@127.0.0.1:9/2"},
		"rediss://alice:pw@cache:6380?ssl_cert_reqs=none&protocol=3":                              {Address{"cache", 6380, "", "alice"}, "redis://alice:RUN@127.0.0.1:9?protocol=3"},
		"valkeys://alice:pw@cache":                                                                {Address{"cache", 6379, "", "alice"}, "valkey://alice:RUN@127.0.0.1:9"},
	} {
		l, err := Parse(in)
		if err != nil || l.Address != c.at {
			t.Errorf("%s: %+v, %v", in, l, err)
			continue
		}
		if to := l.To("127.0.0.1:9", "RUN"); to != c.to {
			t.Errorf("%s: %s", in, to)
		}
	}
	for in, want := range map[string]string{
		"":                                     "it is no URL of a database",
		"https://a:pw@b":                       "it is no URL of a database",
		"mongodb://a:pw@b":                     "it is no URL of a database",
		"sqlite:///x.db":                       "it is no URL of a database",
		"postgres:a:pw@b":                      "it is no URL of a database",
		"postgres://a:p%w@b":                   "cannot be read",
		"postgres://a:p#w@b/c":                 "cannot be read",
		"postgres://a:1#w@b/c":                 "cannot be read",
		"postgres://a:p w@b/c":                 "cannot be read",
		"postgres://a:pw@b/c\n":                "cannot be read",
		"postgres://a:pw@b:x/c":                "cannot be read",
		"postgres://a:pw@b:70000/c":            "no port that there can be",
		"postgres://a:pw@b:0/c":                "no port that there can be",
		"postgres:///c":                        "has to name one host",
		"postgres://a:pw@/c":                   "has to name one host",
		"postgres://a:pw@b,c/d":                "has to name one host",
		"postgres://a:pw@%2Frun%2Fpostgres/d":  "cannot be read",
		"postgres://b/c":                       "has no password",
		"postgres://a@b/c":                     "has no password",
		"postgres://a:@b/c":                    "has no password",
		"postgres://a:pw@b/c?host=d":           "has the parameter host,",
		"postgres://a:pw@b/c?x=1&%68ostaddr=d": "has the parameter hostaddr,",
		"postgres://a:pw@b/c?PORT=1":           "has the parameter port,",
		"postgres://a:pw@b/c?sslkey=x":         "has the parameter sslkey,",
		"redis://a:pw@b?password=x":            "has the parameter password,",
	} {
		l, err := Parse(in)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: %+v, %v", in, l, err)
		}
	}
}

func TestTLS(t *testing.T) {
	for in, c := range map[string]struct {
		env  func(string) string
		want TLS
	}{
		"postgres://a:pw@b":                                      {env("", ""), TLS{From: "PGSSLROOTCERT"}},
		"postgres://a:pw@b?sslmode=require":                      {env("PGSSLMODE", "disable"), TLS{From: "PGSSLROOTCERT"}},
		"postgres://a:pw@b?sslmode=disable":                      {env("PGSSLMODE", "require"), TLS{None: true, From: "PGSSLROOTCERT"}},
		"postgres://a:pw@b?sslmode=prefer":                       {env("PGSSLROOTCERT", "/env"), TLS{Roots: "/env", From: "PGSSLROOTCERT"}},
		"postgres://a:pw@b?sslmode=verify-full&sslrootcert=%2Fa": {env("PGSSLROOTCERT", "/env"), TLS{Roots: "/a", From: "sslrootcert of the URL"}},
		"postgres://a:pw@b/":                                     {env("PGSSLMODE", "disable"), TLS{None: true, From: "PGSSLROOTCERT"}},
		"redis://a:pw@b":                                         {env("", ""), TLS{None: true}},
		"rediss://a:pw@b?sslmode=disable":                        {env("PGSSLMODE", "disable"), TLS{}},
		"rediss://a:pw@b?ssl_ca_certs=/ca":                       {env("", ""), TLS{Roots: "/ca", From: "ssl_ca_certs of the URL"}},
	} {
		l, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.TLS(c.env); got != c.want {
			t.Errorf("%s: %+v", in, got)
		}
	}
}

// No URL is read in two ways, and no error has a part of it.
func FuzzURLs(f *testing.F) {
	for _, seed := range []string{"postgres://a:pw@b/c?sslmode=disable", "rediss://:p%40w@[::1]:1/2?ssl_x=1&y=2", "postgres+x://a:b@c?host=d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		l, err := Parse(in)
		if err != nil {
			return
		}
		again, err := Parse(l.To("127.0.0.1:9", "RUN"))
		if err != nil || again.Host != "127.0.0.1" || again.Port != 9 || again.User != l.User || again.Database != l.Database || again.Password.Reveal() != "RUN" {
			t.Errorf("%q: %q, %v", in, l.To("127.0.0.1:9", "RUN"), err)
		}
	})
}

func TestPgpass(t *testing.T) {
	for text, want := range map[string]Address{
		"db.example:5432:app:alice": {"db.example", 5432, "app", "alice"},
		"db.example:*:*:*":          {Host: "db.example", Port: 5432},
		`\:\:1:6543:a\\b:x`:         {"::1", 6543, `a\b`, "x"},
	} {
		if a, err := Pgpass(text); err != nil || a != want {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "default", "*:5432:app:alice", ":5432:app:alice", "/run/x:5432:app:alice", "h:0:a:b", "h:65536:a:b", "h:x:a:b", "h:1:a", "h:1:a:b:c"} {
		if a, err := Pgpass(text); err == nil {
			t.Errorf("%s: %+v", text, a)
		}
	}
}
