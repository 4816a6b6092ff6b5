package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// repository makes the one that is cloned.
func (w *world) repository(t *testing.T) {
	t.Helper()
	out, err := w.run("", "sh", "-c", `set -e
git init -q --bare -b main srv/acme/repo.git
git -C srv/acme/repo.git config http.receivepack true
git init -q -b main first && cd first && echo hello from the repository > README && git add README
git -c user.email=a@b.test -c user.name=A commit -qm one && git push -q ../srv/acme/repo.git main`)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// handler is all hosts.
func (w *world) handler(t *testing.T) http.Handler {
	backend, err := exec.Command("git", "--exec-path").Output()
	w.check(t, err)
	git := &cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(w.home, "srv"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x"}}
	objects := &bucket{objects: map[string][]byte{}}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, fmt.Sprintf("%s %s%s %v", r.Method, r.Host, r.URL, r.Header))
		w.mu.Unlock()
		switch r.Host {
		case "api.openai.com", "plain.test":
			openai(rw, r)
		case "api.anthropic.com":
			anthropic(rw, r)
		case "github.com":
			if _, password, _ := r.BasicAuth(); password != worldSecrets()["github"]["oauth_token"] {
				rw.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				http.Error(rw, "who are you", http.StatusUnauthorized)
				return
			}
			git.ServeHTTP(rw, r)
		case "api.github.com":
			known(rw, r, "token "+worldSecrets()["github"]["oauth_token"], `{"login":"known"}`)
		case "registry.npmjs.org":
			known(rw, r, "Bearer "+worldSecrets()["npm"]["token"], `{"username":"known-to-npm"}`)
		case "index.crates.io":
			fmt.Fprint(rw, `{"dl":"https://static.crates.io/crates","api":"https://crates.io"}`)
		case "crates.io":
			known(rw, r, worldSecrets()["cargo"]["token"], `{"users":[{"id":1,"login":"known-to-cargo"}]}`)
		case "pypi.org":
			pypi(rw, r)
		default:
			objects.serve(rw, r)
		}
	})
}

func known(w http.ResponseWriter, r *http.Request, want, answer string) {
	if r.Header.Get("Authorization") != want {
		http.Error(w, "{}", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, answer)
}

func openai(w http.ResponseWriter, r *http.Request) {
	auth := r.Header.Get("Authorization")
	who := "unknown"
	if r.Host == "api.openai.com" && auth == "Bearer "+worldSecrets()["openai"]["api_key"] {
		who = "known"
	}
	if r.URL.Path == "/echo" {
		fmt.Fprintf(w, "%s you are %s", who, auth)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, word := range []string{"one", "two", "three"} {
		if who == "known" {
			fmt.Fprintf(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word)
			w.(http.Flusher).Flush()
		}
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func anthropic(w http.ResponseWriter, r *http.Request) {
	if key := worldSecrets()["anthropic"]["api_key"]; r.Header.Get("X-Api-Key") != key && r.Header.Get("Authorization") != "Bearer "+key {
		http.Error(w, "{}", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(kind, rest string) {
		fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, rest)
		w.(http.Flusher).Flush()
	}
	event("message_start", `,"message":{"id":"1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`)
	event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	for _, word := range []string{"one", "two"} {
		event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"`+word+`"}`)
	}
	event("content_block_stop", `,"index":0`)
	event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}`)
	event("message_stop", "")
}

func pypi(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, ".tar.gz") {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<html><body><a href="https://pypi.org/files/thing-1.0.tar.gz">thing-1.0.tar.gz</a></body></html>`)
		return
	}
	z := gzip.NewWriter(w)
	archive := tar.NewWriter(z)
	for name, text := range map[string]string{"thing-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n", "thing-1.0/pyproject.toml": "[build-system]\nrequires=[]\nbuild-backend='b'\nbackend-path=['.']\n",
		"thing-1.0/b.py": "import os\ndef prepare_metadata_for_build_wheel(d, c=None):\n    os.mkdir(d + '/thing-1.0.dist-info')\n    open(d + '/thing-1.0.dist-info/METADATA', 'w').write('Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0\\n')\n    return 'thing-1.0.dist-info'\ndef build_wheel(*a): pass\n"} {
		_ = archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
		_, _ = io.WriteString(archive, text)
	}
	_ = archive.Close()
	_ = z.Close()
}

// bucket is S3 and STS as far as the clients go, for who signs with the key of the store.
type bucket struct{ objects map[string][]byte }

func (b *bucket) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if why := unsignedBecause(r, body); why != "" || err != nil {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>%s %v</Message></Error>", why, err)
		return
	}
	if strings.HasPrefix(r.Host, "sts.") {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/known</Arn><UserId>U</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
		return
	}
	if r.Method == http.MethodPut {
		if r.Header.Get("X-Amz-Content-Sha256") == "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
			body = dechunked(body)
		}
		b.objects[r.URL.Path] = body
		w.Header().Set("ETag", `"x"`)
		return
	}
	http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(b.objects[r.URL.Path]))
}

// dechunked is the data of a body in aws-chunked.
func dechunked(body []byte) []byte {
	var out []byte
	for {
		size, rest, _ := bytes.Cut(body, []byte("\r\n"))
		n, err := strconv.ParseInt(string(size), 16, 64)
		if err != nil || n == 0 || int(n)+2 > len(rest) {
			return out
		}
		out, body = append(out, rest[:n]...), rest[n+2:]
	}
}

var credentialRE = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/([0-9]{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$`)

// unsignedBecause says why a request is not signed as AWS asks for; "" where it is. It is
// written by AWS's documentation alone, and shares nothing with the broker.
func unsignedBecause(r *http.Request, body []byte) string {
	q := r.URL.Query()
	auth, presigned := r.Header.Get("Authorization"), q.Get("X-Amz-Signature") != ""
	date, hash := r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Content-Sha256")
	if presigned {
		auth = "AWS4-HMAC-SHA256 Credential=" + q.Get("X-Amz-Credential") + ", SignedHeaders=" + q.Get("X-Amz-SignedHeaders") + ", Signature=" + q.Get("X-Amz-Signature")
		date, hash = q.Get("X-Amz-Date"), "UNSIGNED-PAYLOAD"
		q.Del("X-Amz-Signature")
	}
	m := credentialRE.FindStringSubmatch(auth)
	if m == nil {
		return "no signature"
	}
	if m[1] != worldSecrets()["aws"]["access_key"] || m[3] != "us-east-1" || !strings.Contains(r.Host, m[4]+".") {
		return "another key, region or service"
	}
	sum := sha256.Sum256(body)
	if hash == "" || len(hash) == 64 {
		if hash != "" && hash != hex.EncodeToString(sum[:]) {
			return "another body"
		}
		hash = hex.EncodeToString(sum[:])
	}
	var query []string
	for name, values := range q {
		for _, v := range values {
			query = append(query, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(v), "+", "%20"))
		}
	}
	slices.Sort(query)
	canonical := r.Method + "\n" + strings.ReplaceAll(r.URL.EscapedPath(), "+", "%2B") + "\n" + strings.Join(query, "&") + "\n"
	for name := range strings.SplitSeq(m[5], ";") {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		} else if name == "content-length" {
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		canonical += name + ":" + strings.Join(strings.Fields(value), " ") + "\n"
	}
	canonical += "\n" + m[5] + "\n" + hash
	sum = sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + worldSecrets()["aws"]["secret_key"])
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		_, _ = io.WriteString(h, text)
		return h.Sum(nil)
	}
	for _, part := range []string{m[2], m[3], m[4], "aws4_request", "AWS4-HMAC-SHA256\n" + date + "\n" + m[2] + "/" + m[3] + "/" + m[4] + "/aws4_request\n" + hex.EncodeToString(sum[:])} {
		key = mac(key, part)
	}
	if hex.EncodeToString(key) != m[6] {
		return "another signature"
	}
	return ""
}
