package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// gitRequest is what git sends: the attributes that count here.
type gitRequest struct {
	question
	password string
	expires  time.Time
}

// Git answers git: verb is get, store or erase (gitcredentials(7), git-credential(1)).
func (h *Helpers) Git(ctx context.Context, verb string, in io.Reader, out io.Writer) error {
	if !slices.Contains([]string{"get", "store", "erase"}, verb) {
		return nil // "any other operation" is to be ignored in silence
	}
	if _, err := h.Records.Store(ctx); err != nil { // may start rhx anew, before input is read
		return err
	}
	data, err := readAll(ctx, in)
	if err != nil {
		return err
	}
	r, err := parseGit(data)
	if err != nil {
		return fmt.Errorf("what git sent: %w", err)
	}
	if r.at == nil {
		return nil // of a certificate's passphrase, say, which is for no host
	}
	switch verb {
	case "get":
		return h.gitGet(ctx, r, out)
	case "store":
		if r.user == "" || r.password == "" {
			return nil
		}
		return h.keep(ctx, offer{question: r.question, expires: r.expires,
			parts:   map[string]string{"username": r.user, "password": r.password},
			values:  values("url", r.at.escaped(), "username", r.user, "password", r.password),
			profile: gitProfile(r.at, r.user, r.password)})
	}
	_, err = h.erase(ctx, r.question, "password", r.password, true)
	return err
}

func (h *Helpers) gitGet(ctx context.Context, r *gitRequest, out io.Writer) error {
	a, err := h.one(ctx, r.question)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err == nil {
		err = fitsLine(a, "git")
	}
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "username=%s\npassword=%s\n", a.parts["username"], a.parts["password"])
	if end := a.rec.Secret.Expires; !end.IsZero() {
		fmt.Fprintf(&b, "password_expiry_utc=%d\n", end.Unix())
	}
	_, err = out.Write(b.Bytes())
	return err
}

// parseGit reads attributes, one a line, to an empty line or the end. What is not known
// is ignored, as git wants it. An attribute that stands twice, or holds a carriage
// return or a NUL, is what an address with an encoded line break makes: git refuses such
// addresses since 2.26.2 (CVE-2020-5260) and 2.48.1 (CVE-2024-52006), and older ones do
// not.
func parseGit(data []byte) (*gitRequest, error) {
	known := map[string]string{"protocol": "", "host": "", "path": "", "username": "", "password": "", "password_expiry_utc": ""}
	seen := map[string]bool{}
	for line := range bytes.Lines(data) {
		text := strings.TrimSuffix(string(line), "\n")
		if text == "" {
			break
		}
		if strings.ContainsAny(text, "\r\x00") {
			return nil, errors.New("an attribute has a carriage return or a NUL")
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, errors.New("a line is not KEY=VALUE")
		}
		if _, counts := known[key]; !counts {
			continue
		}
		if seen[key] {
			return nil, fmt.Errorf("the attribute %s stands twice", key)
		}
		seen[key], known[key] = true, value
	}
	r := &gitRequest{question: question{protocol: spec.ProtocolGit, user: known["username"]}, password: known["password"]}
	for _, key := range []string{"protocol", "host", "path", "username"} {
		if err := checkLine(key, known[key]); err != nil {
			return nil, err
		}
	}
	if text := known["password_expiry_utc"]; text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 || n > maxUnix {
			return nil, errors.New("password_expiry_utc is no time")
		}
		r.expires = time.Unix(n, 0).UTC()
	}
	if known["host"] == "" {
		return r, nil
	}
	// git has the path without its percent-encoding, so it may hold anything.
	at, ok := parseAddress(known["protocol"] + "://" + known["host"])
	if !ok || at.path != "" || at.scheme == "" {
		return nil, errors.New("protocol and host are not those of a server")
	}
	if len(known["path"]) > maxAddress {
		return nil, errors.New("the path is too long")
	}
	at.path = strings.Trim(known["path"], "/")
	r.at = &at
	return r, nil
}

// maxUnix is the last second that JSON has in Go: of the year 9999.
const maxUnix = 253402300799

// escaped is the address as it is in a URL.
func (a address) escaped() string {
	if a.path == "" {
		return a.String()
	}
	path := (&url.URL{Path: "/" + a.path}).EscapedPath()
	a.path = ""
	return a.String() + path
}

// gitProfile is the profile that the module of git's own file gives a credential: the
// address without https:// and with the user, unless that is a token.
func gitProfile(at *address, user, password string) string {
	name := strings.TrimPrefix(at.escaped(), "https://")
	if tokenUser(user, password) {
		return name
	}
	scheme, rest := "", name
	if s, after, ok := strings.Cut(name, "://"); ok {
		scheme, rest = s+"://", after
	}
	return scheme + escapeUser(user) + "@" + rest
}

// escapeUser encodes all but RFC 3986's unreserved characters, as git does.
func escapeUser(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// tokenForms are what tokens begin with that stand in the user's place; the same as in the
// module of git's own file.
const tokenForms = "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glcbt- glptt- gloas- hf_ api_org_ ATATT3 ATBB npm_ pypi- dckr_ eyJ sk- hvs. dapi"

// tokenUser reports whether a user's name is a token, which no name of a secret shows: by
// what stands for the password, or by its form.
func tokenUser(user, password string) bool {
	if password == "x-oauth-basic" || password == "x-oauth-token" || len(user) >= 12 && user == password {
		return true
	}
	for form := range strings.FieldsSeq(tokenForms) {
		if len(user) >= 24 && strings.HasPrefix(user, form) {
			return true
		}
	}
	return false
}

// values makes the values of a secret of keys and texts.
func values(pairs ...string) secret.Values {
	out := secret.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = secret.NewValue(pairs[i+1])
	}
	return out
}
