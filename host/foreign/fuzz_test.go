package foreign

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever is read: nothing panics, every item has a value, and bounds hold.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.*")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		bitwardenJSON, string(zipped("data.json", `{"items":[]}`)), string(zipped("export.data", `{"accounts":[{"vaults":[{"items":[{"details":{"password":"FAKE"},"overview":{"title":"T"}}]}]}]}`)),
		`{"title":"T","fields":[{"label":"l","value":"FAKE","type":"CONCEALED"}]}`,
		`{"A":{"computed":"FAKE"},"DOPPLER_PROJECT":"api"}`, `[{"key":"A","value":"FAKE","secretPath":"/a"}]`,
		`{"Name":"a/b","SecretString":"{\"k\":\"FAKE\"}"}{"Parameters":[{"Name":"/a/b","Value":"FAKE"}]}`,
		`{"data":{"data":{"A":"FAKE"},"metadata":{}}}`,
		"FAKEpw\nuser: jane\notpauth://totp/x\nnote\n",
		"folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp\nW,,login,N,,\"a: b\nc\",0,u,j,FAKE,\n",
		`{"encrypted":true,"passwordProtected":true,"salt":"c2FsdA==","kdfType":0,"kdfIterations":1,"data":"2.AA==|AA==|AA=="}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, parse := range map[string]func([]byte) (*Export, error){
			"1password": OnePassword, "keepass": KeePass, "doppler": Doppler, "infisical": Infisical, "aws": AWS, "vault": VaultKV,
			"bitwarden": func(data []byte) (*Export, error) { return Bitwarden(data, noPassword) },
			"sops":      func(data []byte) (*Export, error) { return Sops("t", data) },
			"pass":      func(data []byte) (*Export, error) { return one(PassEntry("t", data)) },
		} {
			e, err := parse(data)
			if err != nil {
				continue
			}
			if len(e.Items)+len(e.Left) > maxItems {
				t.Errorf("%s: %d items", name, len(e.Items))
			}
			for i := range e.Items {
				it := &e.Items[i]
				if len(it.Fields) == 0 {
					t.Errorf("%s: an item without a value", name)
				}
				for _, field := range it.Fields {
					if v := field.Value.Reveal(); v == "" || len(v) > maxText {
						t.Errorf("%s: a value of %d bytes", name, len(v))
					}
				}
			}
		}
	})
}

// What is encrypted opens with its key as it was, or not at all.
func FuzzBitwardenText(f *testing.F) {
	enc, mac := make([]byte, 32), make([]byte, 32)
	f.Add("2.AA==|AA==|AA==")
	f.Add("2.||")
	f.Add("0.AA==|AA==")
	f.Fuzz(func(t *testing.T, text string) {
		if plain, err := bitwardenText(text, enc, mac); err == nil {
			t.Errorf("%d bytes without the key", len(plain))
		}
	})
}
