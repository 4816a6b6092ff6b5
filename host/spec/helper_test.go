package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/spec"
)

// What clients are answered: what helper says, or else what use says of them.
func TestHelpersFor(t *testing.T) {
	const head = "spec: 1\nname: x\nvalues: {k: {env: K}, s: {env: S}, id: {env: I, public: true}}\n"
	const basic = "use: [{hosts: [a.example, '*.b.example', 'c.example:8443'], basic: {user: '*', password: '{k}'}}, {hosts: '*.d.example', basic: {user: x, password: '{k}'}}, {hosts: e.example, header: {A: '{k}'}}]\n"
	const sign = "use: {hosts: '*.a.example', sign: {aws-sigv4: {access_key: id, secret_key: k, session_token: s}}}\n"
	for _, c := range []struct{ text, protocol, want string }{
		{basic, "git", "[https://a.example https://c.example:8443] [{username *} {password {k}}]"},
		{basic, "docker", "[https://a.example https://c.example:8443] [{username *} {password {k}}]"},
		{basic, "keyring", "[https://a.example https://c.example:8443] [{username *} {password {k}}]"},
		{basic, "cargo", ""}, {basic, "terraform", ""}, {basic, "kubectl", ""}, {basic, "aws", ""},
		{sign, "aws", "[] [{access_key {id}} {secret_key {k}} {session_token {s}}]"}, {sign, "git", ""},
		{basic + "helper: {git: {for: '{profile}', username: u, password: '{k}'}}\n", "git", "[{profile}] [{username u} {password {k}}]"},
		{basic + "helper: {git: {for: '{profile}', username: u, password: '{k}'}}\n", "docker", ""},
		{"helper: {kubectl: [{for: [a, '{id.x}'], token: '{k}'}, {for: b, certificate: '{k}', key: '{s.y}'}]}\n", "kubectl", "[a {id.x}] [{token {k}}]; [b] [{certificate {k}} {key {s.y}}]"},
		{"helper: {aws: {access_key: '{id}', secret_key: '{k}'}, cargo: {for: a, token: '{k}'}}\n", "aws", "[] [{access_key {id}} {secret_key {k}}]"},
	} {
		s, err := spec.Parse("f", []byte(head+c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		var got []string
		for _, h := range s.HelpersFor(c.protocol) {
			got = append(got, fmt.Sprint(h.For, h.Parts))
			if h.Protocol != c.protocol || h.Part("nothing") != "" || h.Part(h.Parts[0].Name) != h.Parts[0].Text {
				t.Errorf("%+v", h)
			}
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s by %s: %s", c.protocol, c.text, strings.Join(got, "; "))
		}
	}
}
