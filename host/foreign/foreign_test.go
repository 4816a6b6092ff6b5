package foreign

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
)

// said is an export, a line for each item and for what is left.
func said(e *Export, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for i := range e.Items {
		it := &e.Items[i]
		b.WriteString(cmp.Or(it.Title, "none"))
		if it.User != "" {
			fmt.Fprintf(&b, " (%s)", it.User)
		}
		for _, f := range it.Fields {
			mark := "="
			if f.Shown {
				mark = "~"
			}
			fmt.Fprintf(&b, " | %s%s%q", f.Name, mark, f.Value.Reveal())
		}
		b.WriteByte('\n')
		for _, l := range it.Left {
			fmt.Fprintf(&b, "  left %s: %s%s\n", l.Name, l.Why, map[bool]string{true: " (no value)"}[l.NoValue])
		}
	}
	for _, l := range e.Left {
		fmt.Fprintf(&b, "left %s: %s%s\n", l.Name, l.Why, map[bool]string{true: " (no value)"}[l.NoValue])
	}
	return b.String()
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got = strings.TrimSpace(got); got != strings.TrimSpace(want) {
		t.Errorf("%s:\n%s\n-- not --\n%s", what, got, strings.TrimSpace(want))
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// zipped is an archive of files, by name and text in turn.
func zipped(pairs ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, _ := z.Create(pairs[i])
		_, _ = w.Write([]byte(pairs[i+1]))
	}
	_ = z.Close()
	return b.Bytes()
}

func noPassword() (string, error) { return "", fmt.Errorf("nobody is there") }

// What keepassxc-cli 2.7.4 exports.
func TestKeePass(t *testing.T) {
	same(t, "XML", said(KeePass(read(t, "keepassxc.xml"))), `
Mail (jane) | password="FAKEnew" | username~"jane"
Empty password (nobody) | username~"nobody"
Work/GitHub (jane@example.com) | notes="two\nlines" | password="FAKEpass <1>" | url~"https://github.com/login" | username~"jane@example.com"
  left the file a.txt: files are not taken
Work/Sub/Mail (bob) | password="FAKEsub" | username~"bob"
left Recycle Bin/Deleted: it is in the recycle bin (no value)`)
	same(t, "CSV", said(KeePass(read(t, "keepassxc.csv"))), `
Mail (jane) | username~"jane" | password="FAKEnew"
Empty password (nobody) | username~"nobody"
Work/GitHub (jane@example.com) | url~"https://github.com/login" | username~"jane@example.com" | password="FAKEpass <1>" | notes="two\nlines"
Work/Sub/Mail (bob) | username~"bob" | password="FAKEsub"
Recycle Bin/Deleted (x) | username~"x" | password="FAKEold"`)
	// KeePass's own columns; a custom field; a value that is encrypted within the file.
	same(t, "KeePass", said(KeePass([]byte("\ufeff\"Account\",\"Login Name\",\"Password\",\"Web Site\",\"Comments\"\n\"a\",\"u\",\"FAKEp\",\"\",\"\"\n"))), `a (u) | username~"u" | password="FAKEp"`)
	same(t, "fields", said(KeePass([]byte(`<KeePassFile><Root><Group><Name>R</Name><Entry>
<String><Key>Title</Key><Value>T</Value></String><String><Key>API Key</Key><Value ProtectInMemory="True">FAKEk</Value></String>
<String><Key>Password</Key><Value Protected="True">c2VhbGVk</Value></String></Entry><Entry><String><Key>Title</Key><Value>none</Value></String></Entry></Group></Root></KeePassFile>`))), `
T | API Key="FAKEk"
  left Password: it is encrypted within the export
left none: it has no value (no value)`)
	for data, want := range map[string]string{
		"\x03\xd9\xa2\x9aFAKE":                                "the database itself",
		"<KeePassFile><Root><Group><Entry>":                   "line 1 is not XML",
		"<html></html>":                                       "not of KeePass",
		"<!DOCTYPE a [<!ENTITY x \"FAKE\">]><KeePassFile>&x;": "document type",
		"<KeePassFile>&x;</KeePassFile>":                      "line 1 is not XML",
		"<KeePassFile>" + strings.Repeat("<Group>", 200):      "too deep",
		"</Group>":                              "not XML",
		"Title,Username\nFAKE,x\n":              `without a column "Password"`,
		"Title,Username,Password\nFAKE,x\n":     "line 2 has 2 columns",
		"Title,Username,Password\n\"FAKE,x,y\n": "is not CSV",
		"":                                      "not CSV",
	} {
		if got := said(KeePass([]byte(data))); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) || strings.Contains(got, "FAKE") {
			t.Errorf("%.40q: %s", data, got)
		}
	}
}

const bitwardenJSON = `{"encrypted":false,"folders":[{"id":"f1","name":"Work"}],"items":[
{"id":"1","folderId":"f1","type":1,"name":"GitHub","notes":"FAKEnote","favorite":false,
 "fields":[{"name":"token","value":"FAKEtoken","type":1},{"name":"on","value":"true","type":2},{"name":"same","value":null,"type":3,"linkedId":100},{"name":null,"value":"FAKEx","type":0}],
 "login":{"uris":[{"match":null,"uri":"https://github.com"}],"username":"jane","password":"FAKEpw","totp":"otpauth://totp/FAKE","fido2Credentials":[{"keyValue":"FAKE"}]},
 "passwordHistory":[{"lastUsedDate":"2026-01-01","password":"FAKEold"}]},
{"id":"2","folderId":null,"type":2,"name":"Note","notes":"FAKEtext","secureNote":{"type":0}},
{"id":"3","type":3,"name":"Card","card":{"cardholderName":"J","brand":"Visa","number":"4111","expMonth":"1","expYear":"2030","code":"123"}},
{"id":"4","type":5,"name":"key","sshKey":{"privateKey":"FAKEprivate","publicKey":"ssh-ed25519 FAKE","keyFingerprint":"SHA256:x"}},
{"id":"5","type":1,"name":"empty","notes":null,"login":{"username":null,"password":null,"totp":null}}]}`

func TestBitwarden(t *testing.T) {
	want := `
Work/GitHub (jane) | url~"https://github.com" | username~"jane" | password="FAKEpw" | otp="otpauth://totp/FAKE" | token="FAKEtoken" | on~"true" | field-4="FAKEx" | notes="FAKEnote"
  left passkey: passkeys are not taken
  left same: it refers to another field (no value)
  left old passwords: they are replaced (no value)
Note | notes="FAKEtext"
Card | cardholderName="J" | brand="Visa" | number="4111" | expMonth="1" | expYear="2030" | code="123"
key | private_key="FAKEprivate" | public_key~"ssh-ed25519 FAKE"
left empty: it has no value (no value)`
	same(t, "JSON", said(Bitwarden([]byte(bitwardenJSON), noPassword)), want)
	same(t, "zip", said(Bitwarden(zipped("data.json", bitwardenJSON, "attachments/1/a.txt", "FAKE"), noPassword)), want+"\nleft attachments: files are not taken; those of the archive are in its folder attachments")
	same(t, "CSV", said(Bitwarden([]byte("folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp\n"+
		"Work,,login,GitHub,FAKEnote,\"token: FAKEtoken\nmore: one\ntwo\",0,\"https://github.com,https://gist.github.com\",jane,FAKEpw,FAKEseed\n,,note,Note,FAKEtext,,0,,,,\n"), noPassword)), `
Work/GitHub (jane) | url~"https://github.com" | url~"https://gist.github.com" | username~"jane" | password="FAKEpw" | otp="FAKEseed" | token="FAKEtoken" | more="one\ntwo" | notes="FAKEnote"
Note | notes="FAKEtext"`)
	for data, want := range map[string]string{
		`{"encrypted":true,"items":[{"name":"2.FAKE"}]}`:                                                                "encrypted with the account's key",
		`{"encrypted":true,"passwordProtected":true,"kdfType":9}`:                                                       "does not know",
		`{"encrypted":true,"passwordProtected":true,"kdfType":0,"kdfIterations":99999999}`:                              "too much",
		`{"encrypted":true,"passwordProtected":true,"kdfType":1,"kdfIterations":3,"kdfMemory":9999,"kdfParallelism":4}`: "too much",
		`{"encrypted":true,"passwordProtected":true,"kdfType":0,"kdfIterations":1}`:                                     "nobody is there",
		`{"a":"FAKE"}`:                  "has no items",
		`{"items":["FAKE`:               "not JSON",
		`{"items":[]} {}`:               "not one JSON object",
		"name,login_username\nFAKE,y\n": `without a column "login_password"`,
		string(zipped("other", "FAKE")): "has no data.json",
		"PK\x03\x04FAKE":                "broken archive",
	} {
		if got := said(Bitwarden([]byte(data), noPassword)); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) || strings.Contains(got, "FAKE") {
			t.Errorf("%.60q: %s", data, got)
		}
	}
}

func TestOnePassword(t *testing.T) {
	get := `{"id":"a","title":"OpenAI","version":1,"vault":{"id":"v","name":"Private"},"category":"API_CREDENTIAL","urls":[{"primary":true,"href":"https://platform.openai.com"}],
"fields":[{"id":"notesPlain","type":"STRING","purpose":"NOTES","label":"notesPlain","value":"FAKEnote"},{"id":"username","type":"STRING","label":"username","value":"jane"},
{"id":"credential","type":"CONCEALED","label":"credential","value":"FAKEcredential"},{"id":"x","type":"CONCEALED","label":"hidden","section":{"id":"s","label":"More"},"value":"FAKEmore"},
{"id":"o","type":"OTP","label":"one-time password","value":"otpauth://FAKE","totp":"123456"},{"id":"e","type":"STRING","label":"empty"}],"files":[{"id":"f","name":"a.pem","size":3}]}
{"id":"b","title":"Login","vault":{"id":"v","name":"Private"},"category":"LOGIN","fields":[{"id":"username","type":"STRING","purpose":"USERNAME","label":"username","value":"jane"},{"id":"password","type":"CONCEALED","purpose":"PASSWORD","label":"password","value":"FAKEpw"}]}
[{"id":"c","title":"Key","category":"SSH_KEY","fields":[{"id":"private_key","type":"SSHKEY","label":"private key","value":"FAKEpkcs8","ssh_formats":{"openssh":{"value":"FAKEopenssh"}}},{"id":"public_key","type":"STRING","label":"public key","value":"ssh-ed25519 FAKE"}]},
{"id":"d","title":"Listed","vault":{"id":"v","name":"Private"},"category":"LOGIN","additional_information":"jane"},
{"id":"e","title":"Hidden","fields":[{"id":"password","type":"CONCEALED","purpose":"PASSWORD","label":"password","value":"[use 'op item get e --reveal' to reveal]"}]}]`
	same(t, "op", said(OnePassword([]byte(get))), `
Private/OpenAI | url~"https://platform.openai.com" | notes="FAKEnote" | username~"jane" | credential="FAKEcredential" | More.hidden="FAKEmore" | otp="otpauth://FAKE"
  left the file a.pem: files are not taken
Private/Login (jane) | username~"jane" | password="FAKEpw"
Key | private_key="FAKEopenssh" | public_key~"ssh-ed25519 FAKE"
left Private/Listed: op item list has no values: op item list --format json | op item get - --format json has them
left Hidden: password: op did not reveal it: --reveal does`)
	pux := `{"accounts":[{"attrs":{"accountName":"J"},"vaults":[{"attrs":{"name":"Personal"},"items":[
{"uuid":"1","state":"active","categoryUuid":"001","details":{"loginFields":[{"value":"jane","id":"","name":"username","fieldType":"T","designation":"username"},{"value":"FAKEpw","name":"password","fieldType":"P","designation":"password"},{"value":"FAKEpin","name":"pin","fieldType":"P"},{"value":"go","name":"submit","fieldType":"B"}],
 "notesPlain":"FAKEnote","sections":[{"title":"Keys","fields":[{"title":"token","id":"t","value":{"concealed":"FAKEtoken"}},{"title":"code","id":"c","value":{"totp":"otpauth://FAKE"}},{"title":"mail","value":{"email":{"email_address":"j@example.com","provider":null}}},{"title":"other","value":{"reference":"uuid"}},{"title":"doc","value":{"file":{"fileName":"a.pem","documentId":"d"}}},{"title":"none","value":{"string":""}},{"title":"place","value":{"address":{"city":"B"}}}]}],
 "passwordHistory":[{"value":"FAKEold","time":1}]},"overview":{"title":"GitHub","url":"https://github.com","urls":[{"label":"website","url":"https://github.com"},{"label":"w2","url":"https://gist.github.com"}]}},
{"item":{"details":{"password":"FAKEonly"},"overview":{"title":"Password"}}},
{"details":{"sections":[{"title":"","fields":[{"title":"private key","value":{"sshKey":{"privateKey":"FAKEkey","metadata":{"publicKey":"ssh-ed25519 FAKE"}}}}]}]},"overview":{"title":"Key"}},
{"details":{"documentAttributes":{"fileName":"d.pdf","documentId":"d"}},"overview":{"title":"Document"}}]}]}]}`
	same(t, "1pux", said(OnePassword(zipped("export.attributes", "{}", "export.data", pux))), `
Personal/GitHub (jane) | url~"https://github.com" | url~"https://gist.github.com" | username~"jane" | password="FAKEpw" | form.pin="FAKEpin" | Keys.token="FAKEtoken" | otp="otpauth://FAKE" | Keys.mail~"j@example.com" | Keys.place="{\"city\":\"B\"}" | notes="FAKEnote"
  left Keys.other: it refers to another item (no value)
  left the file a.pem: files are not taken
  left old passwords: they are replaced (no value)
Personal/Password | password="FAKEonly"
Personal/Key | private_key="FAKEkey" | public_key~"ssh-ed25519 FAKE"
left Personal/Document: the file d.pdf: files are not taken`)
	for data, want := range map[string]string{
		`{"FAKE":1}`: "not what op item get prints", "": "empty", "FAKE": "not JSON",
		string(zipped("export.data", "{}")):         "not 1Password's",
		string(zipped("export.data", "FAKE")):       "not JSON",
		string(zipped("export.attributes", "FAKE")): "no export.data",
	} {
		if got := said(OnePassword([]byte(data))); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) || strings.Contains(got, "FAKE") {
			t.Errorf("%.60q: %s", data, got)
		}
	}
}

// A zip whose document is larger than any export is refused before it is all there.
func TestZipBomb(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("export.data")
	zeros := bytes.Repeat([]byte(" "), 1<<20)
	for range MaxSize>>20 + 1 {
		_, _ = w.Write(zeros)
	}
	_ = z.Close()
	if got := said(OnePassword(b.Bytes())); !strings.Contains(got, "is larger than 64 MiB") {
		t.Error(got)
	}
}

// Of too many items, too deep ones, and too large values nothing is kept.
func TestBounds(t *testing.T) {
	for data, want := range map[string]string{
		`{"items":[` + strings.Repeat(`{"name":"a"},`, maxItems+1) + `{"name":"a"}]}`:                                                "more than 20000 items",
		`{"items":[` + strings.Repeat("0,", maxCommas) + `0]}`:                                                                       "too many parts",
		strings.Repeat(",", maxCommas+1):                                                                                             "too many parts",
		`{"items":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`:                                                    "not JSON",
		`{"items":[{"name":"a","fields":[` + strings.Repeat(`{"name":"a","value":"b"},`, maxFields) + `{"name":"a","value":"b"}]}]}`: "more than 500 fields",
	} {
		if got := said(Bitwarden([]byte(data), noPassword)); !strings.Contains(got, want) {
			t.Errorf("%.40s: %.200s", data, got)
		}
	}
	big := `{"items":[{"name":"a","notes":"` + strings.Repeat("x", maxText+1) + `","login":{"username":"u"}}]}`
	same(t, "large", said(Bitwarden([]byte(big), noPassword)), "a (u) | username~\"u\"\n  left notes: it is larger than 1024 KiB")
}

func TestConfigs(t *testing.T) {
	same(t, "doppler", said(Doppler([]byte(`{"A":"FAKEa","DOPPLER_CONFIG":"dev","DOPPLER_ENVIRONMENT":"dev","DOPPLER_PROJECT":"api","EMPTY":""}`))), `
api-dev | A="FAKEa"
  left DOPPLER_CONFIG: it names the place in Doppler (no value)
  left DOPPLER_ENVIRONMENT: it names the place in Doppler (no value)
  left DOPPLER_PROJECT: it names the place in Doppler (no value)
  left EMPTY: it is empty (no value)`)
	same(t, "doppler secrets --json", said(Doppler([]byte(`{"A":{"computed":"FAKEa","note":""},"DOPPLER_PROJECT":{"computed":"api"}}`))), `
api | A="FAKEa"
  left DOPPLER_PROJECT: it names the place in Doppler (no value)`)
	same(t, "infisical", said(Infisical([]byte(`[{"key":"A","workspace":"w","value":"FAKEa","type":"shared","_id":"1","secretPath":"/"},{"key":"B","value":"FAKEb","secretPath":"/db"},{"key":"C","value":""}]`))), `
none | A="FAKEa"
  left C: it is empty (no value)
db | B="FAKEb"`)
	same(t, "sops", said(Sops("prod", []byte(`{"A":"FAKEa","db":{"password":"FAKEb","port":5432,"hosts":["a","b"],"none":null}}`))), `
prod | A="FAKEa" | db.password="FAKEb" | db.port="5432" | db.hosts="[\"a\",\"b\"]"
  left db.none: it is empty (no value)`)
	same(t, "kv 2", said(VaultKV([]byte(`{"request_id":"r","data":{"data":{"A":"FAKEa"},"metadata":{"version":3}}}`))), `none | A="FAKEa"`)
	same(t, "kv 1", said(VaultKV([]byte(`{"data":{"data":"FAKEa","b":{"c":"FAKEb"}}}`))), `none | data="FAKEa" | b.c="FAKEb"`)
	for _, got := range []string{
		said(Doppler([]byte(`["FAKE"]`))), said(Doppler([]byte(`{"encrypted":false,"items":["FAKE"]}`))), said(Doppler([]byte(`{"A":{"note":"FAKE"}}`))), said(Infisical([]byte(`{"FAKE":1}`))), said(Infisical([]byte(`[{"FAKE":1}]`))),
		said(VaultKV([]byte(`{"data":"FAKE"}`))), said(VaultKV([]byte(`{"data":{"data":null,"metadata":{"deletion_time":"FAKE"}}}`))),
	} {
		if !strings.HasPrefix(got, "error: ") || strings.Contains(got, "FAKE") {
			t.Error(got)
		}
	}
}

func TestAWS(t *testing.T) {
	same(t, "AWS", said(AWS([]byte(`{"ARN":"arn","Name":"prod/db","VersionId":"v","SecretString":"{\"user\":\"u\",\"password\":\"FAKEpw\"}","VersionStages":["AWSCURRENT"]}
{"SecretValues":[{"Name":"plain","SecretString":"FAKEplain"},{"Name":"bin","SecretBinary":"RkFLRQ=="},{"Name":"badbin","SecretBinary":"?"}],"Errors":[{"SecretId":"no","ErrorCode":"AccessDeniedException","Message":"FAKE"}],"NextToken":"FAKE"}
{"Parameters":[{"Name":"/api/prod/DB","Type":"SecureString","Value":"FAKEdb"},{"Name":"/api/prod/HOST","Type":"String","Value":"h"},{"Name":"single","Type":"String","Value":"s"},{"Name":"/api/prod/SEALED","Type":"SecureString","Value":"AQICAHFAKE"}],"InvalidParameters":["gone"]}
{"Parameter":{"Name":"/api/x","Value":"FAKEx"}}`))), `
prod/db | user="u" | password="FAKEpw"
plain | value="FAKEplain"
bin | binary="FAKE"
api/prod | DB="FAKEdb" | HOST="h"
  left SEALED: it is encrypted: --with-decryption has aws decrypt it
single | value="s"
api | x="FAKEx"
left badbin: SecretBinary: it is not base64
left no: AWS gave no value: AccessDeniedException
left what follows: the output is a part only: it ends with NextToken
left gone: AWS has no such parameter`)
	for _, data := range []string{`{"SecretList":[{"Name":"FAKE"}]}`, `{"FAKE":1}`} {
		if got := said(AWS([]byte(data))); !strings.HasPrefix(got, "error: ") || strings.Contains(got, "FAKE") {
			t.Error(got)
		}
	}
}

func TestPassEntry(t *testing.T) {
	for text, want := range map[string]string{
		"FAKEpw":                   `password="FAKEpw"`,
		"FAKEpw\n":                 `password="FAKEpw"`,
		"FAKEpw\r\nuser: jane\r\n": `password="FAKEpw" | user~"jane"`,
		"FAKEpw\nurl: https://example.com/a:b\nlogin: jane\notpauth://totp/x\notpauth://totp/y\nnote\n\nhttps://example.com\n": `password="FAKEpw" | url~"https://example.com/a:b" | login~"jane" | otp="otpauth://totp/x" | otp-2="otpauth://totp/y" | notes="note\n\nhttps://example.com"`,
		"GOPASS-SECRET-1.0\na: b\nc: d\n":                      `a="b" | c="d"`,
		"user: jane\nc: d\n":                                   `user~"jane" | c="d"`,
		"My dog: FAKEpw\nc: d\n":                               `password="My dog: FAKEpw" | c="d"`,
		"FAKE: with spaces, it's a pw\n":                       `password="FAKE: with spaces, it's a pw"`,
		"FAKEpw\n123456 8812: second\nrecovery-9981-2231:ok\n": `password="FAKEpw" | notes="123456 8812: second\nrecovery-9981-2231:ok"`,
		"FAKEpw\nkey: one\nkey: two\nempty:\n":                 `password="FAKEpw" | key="one" | key-2="two"`,
		"\nuser: jane\n":                                       `user~"jane"`,
		"GOPASS-SECRET-1.0\nFAKEpw\n":                          `password="FAKEpw"`,
		"FAKEpw\n---\na: b\n":                                  `password="FAKEpw" | a="b"`,
		"-----BEGIN OPENSSH PRIVATE KEY-----\nFAKE\n":          `private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nFAKE\n"`,
		"-----BEGIN CERTIFICATE-----\nFAKE\n":                  `content="-----BEGIN CERTIFICATE-----\nFAKE\n"`,
		"\xff\xfeFAKE":                                         `content="\xff\xfeFAKE"`,
	} {
		it := PassEntry("n", []byte(text))
		_, got, _ := strings.Cut(said(&Export{Items: []Item{it}}, nil), "| ")
		same(t, fmt.Sprintf("%q", text), got, want)
	}
}

// Exports that are encrypted with a password, made by other libraries (Python's
// cryptography and argon2-cffi) as Bitwarden describes it.
func TestBitwardenSealed(t *testing.T) {
	for _, name := range []string{"bitwarden_pbkdf2.json", "bitwarden_argon2id.json"} {
		data := read(t, name)
		e, err := Bitwarden(data, func() (string, error) { return "fake password", nil })
		same(t, name, said(e, err), `Sealed (jane) | username~"jane" | password="FAKEsealed"`)
		if err == nil && !e.Sealed {
			t.Error("it is not said to be encrypted")
		}
		same(t, "another password", said(Bitwarden(data, func() (string, error) { return "FAKE", nil })), "error: the password does not open it")
		// A byte that is changed is found.
		at := bytes.Index(data, []byte(`"data": "2.`)) + 60
		data[at] ^= 1
		if got := said(Bitwarden(data, func() (string, error) { return "fake password", nil })); !strings.HasPrefix(got, "error: ") {
			t.Error(got)
		}
	}
}
