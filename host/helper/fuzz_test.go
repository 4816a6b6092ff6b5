package helper

import (
	"strings"
	"testing"
)

// checkQuestion fails for a question about an address that has more than one reading.
func checkQuestion(t *testing.T, q question) {
	t.Helper()
	if checkLine("the user", q.user) != nil || checkLine("the name", q.name) != nil {
		t.Errorf("%+v", q)
	}
	if q.at == nil {
		return
	}
	if !validHost(q.at.host) || q.at.host != strings.ToLower(q.at.host) || strings.ContainsAny(q.at.host, "@/\\?# \x00\r\n") {
		t.Errorf("%+v", q.at)
	}
}

func FuzzGit(f *testing.F) {
	for _, text := range []string{
		"protocol=https\nhost=git.example\n\n", "protocol=https\nhost=a\nhost=b\n", "protocol=https\nhost=git.example:443\npath=a/b.git\nusername=u\npassword=p=\nwwwauth[]=x\ncapability[]=authtype\n",
		"protocol=https\nhost=a\x00b\n", "protocol=https\r\nhost=a\r\n", "host=[::1]:80\nprotocol=http\npassword_expiry_utc=17\n", "x\n", "=\n", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseGit(data)
		if err != nil {
			return
		}
		checkQuestion(t, r.question)
		if strings.ContainsAny(r.password, "\r\n\x00") {
			t.Errorf("%q", r.password)
		}
		if r.at == nil {
			return
		}
		// What is stored under this address is found again by it.
		have, ok := parseAddress(r.at.escaped())
		if ok && !r.fits(have, true) {
			t.Errorf("%+v is not %+v", have, *r.at)
		}
	})
}

func FuzzDocker(f *testing.F) {
	for _, text := range []string{`{"ServerURL":"a.example","Username":"u","Secret":"s"}`, `{"ServerURL":"https://index.docker.io/v1/","Username":"<token>","Secret":"s"}`, `{}`, `x`, `{"ServerURL":"a@b","Username":"u","Secret":"s"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := parseDocker(data); err == nil {
			checkQuestion(t, o.question)
			if o.parts["username"] == "" || o.parts["password"] == "" || o.values["server"].Empty() {
				t.Errorf("%+v", o.parts)
			}
		}
		if q, err := dockerQuestion(string(data)); err == nil {
			checkQuestion(t, q)
		}
	})
}

func FuzzCargo(f *testing.F) {
	for _, text := range []string{cargoLine("get", "sparse+https://a.example/", "a", ""), cargoLine("login", "https://a.example", "", `,"token":"t","args":["x"]`), "{}", "x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, q, err := parseCargo(data); err == nil {
			checkQuestion(t, q)
			if q.at.scheme == "" || strings.ContainsAny(r.profile(), "\n\r\x00") {
				t.Errorf("%+v %q", q.at, r.profile())
			}
		}
	})
}

func FuzzExecInfo(f *testing.F) {
	for _, text := range []string{"", "{}", `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"https://a.example:6443"}}}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if i, q, err := parseExecInfo(text); err == nil {
			checkQuestion(t, q)
			if i.APIVersion != execVersions[0] && i.APIVersion != execVersions[1] {
				t.Error(i.APIVersion)
			}
		}
	})
}

func FuzzTerraform(f *testing.F) {
	for _, text := range []string{`{"token":"t"}`, `{"token":"t","more":1}`, "{}", "[]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if token, err := parseTerraform(data); err == nil && (token == "" || strings.ContainsAny(token, "\r\n\x00")) {
			t.Errorf("%q", token)
		}
	})
}

func FuzzKeyring(f *testing.F) {
	for _, text := range []string{"get https://a.example u", "--mode creds get https://a.example", "set s u", "del s u", "--mode=", "get a b c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseKeyring(strings.Split(text, " "))
		if err == nil && (c.verb != "get" && c.verb != "set" && c.verb != "del" || c.user == "" && !c.creds || strings.ContainsAny(c.user, "\r\n\x00")) {
			t.Errorf("%+v", c)
		}
	})
}

// What rhx puts into git's configuration comes out again, and leaves all else.
func FuzzGitConfig(f *testing.F) {
	for _, text := range []string{"", "[user]\n\tname = x\n", "[credential]\n\thelper = store\n[a]\r\nb = c\\\n", "[credential]\n\thelper =\n\thelper = /x/rhx helper git\n", "[credential] helper = x"} {
		f.Add([]byte(text), "", false)
		f.Add([]byte(text), "https://a.example", true)
	}
	f.Fuzz(func(t *testing.T, data []byte, at string, replace bool) {
		if !plainWord(at) {
			return
		}
		without, _, err := gitConfig{}.take(data)
		if err != nil {
			return
		}
		with, err := gitConfig{}.add(data, &entry{program: "/opt/rhx", at: at, replace: replace})
		if err != nil {
			return
		}
		back, found, err := gitConfig{}.take(with)
		if err != nil || !found || strings.TrimRight(string(back), "\r\n") != strings.TrimRight(string(without), "\r\n") {
			t.Errorf("%q\n%q\n%q", data, with, back)
		}
		again, err := gitConfig{}.add(with, &entry{program: "/opt/rhx", at: at, replace: replace})
		if err != nil || string(again) != string(with) {
			t.Errorf("%q\n%q, %v", with, again, err)
		}
	})
}
