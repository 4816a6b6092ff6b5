package broker

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// The value is put in at the place that the rule names, by both versions of HTTP, and the
// rest of the request stays.
func TestValuesArePutIn(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		l := newLab(t)
		kept := &keeper{}
		for _, host := range []string{apiHost, gitHost, queryHost, cookieHost, "a.b.deep.lab.test"} {
			l.serve(host, kept.ServeHTTP)
		}
		p := l.placeholder
		for _, c := range []struct {
			url    string
			header []string
			want   string
		}{
			{"https://api.lab.test/v1?q=a+b%20c", []string{"Authorization", "Bearer " + p}, "Authorization: Bearer " + labToken() + "\r\n"},
			{"https://api.lab.test/", []string{"Authorization", "bearer  " + p}, "Authorization: Bearer " + labToken() + "\r\n"},
			{"https://a.b.deep.lab.test/", []string{"Authorization", "Bearer " + p}, "Authorization: Bearer " + labToken() + "\r\n"},
			{"https://api.lab.test/", []string{"X-User", "jane", "X-Key", p}, "X-Key: " + labToken() + "\r\n"},
			{"https://git.lab.test/r.git", []string{"Authorization", basic("anybody", p)}, "Authorization: " + basic("anybody", labToken()) + "\r\n"},
			{"https://query.lab.test/?a=1&key=" + p + "&b=%2f+x;y", nil, "/?a=1&key=" + labToken() + "&b=%2f+x;y "},
			{"https://cookie.lab.test/", []string{"Cookie", "a=b; session=" + p + "; c=d"}, "Cookie: a=b; session=" + labToken() + "; c=d\r\n"},
		} {
			res, body := l.do(h2, "GET", c.url, "", c.header...)
			if res.StatusCode != 200 || body != "ok" || !strings.Contains(kept.last(), c.want) || strings.Contains(kept.last(), p) {
				t.Errorf("%s (%v): %d %s, the server got %q", c.url, c.header, res.StatusCode, body, kept.last())
			}
			if (res.ProtoMajor == 2) != h2 || strings.HasPrefix(kept.last(), "HTTP/2.0") != h2 {
				t.Errorf("%s here, and there %.8s", res.Proto, kept.last())
			}
		}
		if got := l.uses(); len(got) != 7 || got[0] != "lab GET api.lab.test/v1 200" || got[5] != "lab GET query.lab.test/ 200" {
			t.Errorf("%q", got)
		}
	}
}

// A placeholder in any other place stays, and so does what is not quite one.
func TestPlaceholdersElsewhereStay(t *testing.T) {
	l := newLab(t)
	kept := &keeper{}
	for _, host := range []string{apiHost, gitHost, queryHost} {
		l.serve(host, kept.ServeHTTP)
	}
	p := l.placeholder
	for _, c := range []struct {
		url, body string
		header    []string
		left      string // what the log says
	}{
		{"https://api.lab.test/", p, nil, ""},
		{"https://api.lab.test/" + p, "", nil, "lab POST api.lab.test 0 its placeholder is in the path, where no rule has it"},
		{"https://api.lab.test/?token=" + p, "", nil, "lab POST api.lab.test/ 0 its placeholder is in the query, where no rule has it"},
		{"https://api.lab.test/", "", []string{"X-Other", p}, "lab POST api.lab.test/ 0 its placeholder is in the header X-Other, where no rule has it"},
		{"https://api.lab.test/", "", []string{"Authorization", p}, "lab POST api.lab.test/ 0 its placeholder is in the header Authorization, where no rule has it"},
		{"https://api.lab.test/", "", []string{"Authorization", "Bearer " + p + "x"}, "lab POST api.lab.test/ 0 its placeholder is in the header Authorization, where no rule has it"},
		{"https://api.lab.test/", "", []string{"Authorization", "Token " + p}, "lab POST api.lab.test/ 0 its placeholder is in the header Authorization, where no rule has it"},
		{"https://api.lab.test/", "", []string{"Authorization", "Bearer " + p[:len(p)-1]}, ""},
		{"https://api.lab.test/", "", []string{"Authorization", basic("x", p)}, ""},
		{"https://git.lab.test/", "", []string{"Authorization", "Bearer " + p}, "lab POST git.lab.test/ 0 its placeholder is in the header Authorization, where no rule has it"},
		{"https://git.lab.test/", "", []string{"Authorization", basic(p, "x")}, ""},
		{"https://git.lab.test/", "", []string{"Authorization", "Basic !" + p}, "lab POST git.lab.test/ 0 its placeholder is in the header Authorization, where no rule has it"},
		{"https://query.lab.test/?other=" + p, "", nil, "lab POST query.lab.test/ 0 its placeholder is in the query, where no rule has it"},
		{"https://query.lab.test/?key=x" + p, "", nil, "lab POST query.lab.test/ 0 its placeholder is in the query, where no rule has it"},
	} {
		l.mu.Lock()
		l.used = nil
		l.mu.Unlock()
		if res, _ := l.do(true, "POST", c.url, c.body, c.header...); res.StatusCode != 200 || strings.Contains(kept.last(), labToken()) || strings.Contains(kept.last(), labToken()[8:]) {
			t.Errorf("%s %v: %d, the server got %q", c.url, c.header, res.StatusCode, kept.last())
		}
		for _, encoded := range []string{basic("x", labToken()), basic(labToken(), "x")} {
			if strings.Contains(kept.last(), encoded) {
				t.Errorf("%s %v: the server got %q", c.url, c.header, kept.last())
			}
		}
		want := []string{c.left}
		if c.left == "" {
			want = nil
		}
		l.wantUses(want...)
	}
}

// Each limit of the manifest counts, and what it forbids is refused, not sent without.
func TestLimits(t *testing.T) {
	l := newLab(t, func(o *Options) {
		o.Secrets[0].Limits = []Limit{{Methods: []string{"GET", "HEAD"}, Paths: []string{"/repos/acme/", "/user"}}, {Hosts: []string{apiHost}}}
	})
	kept := &keeper{}
	for _, host := range []string{apiHost, gitHost} {
		l.serve(host, kept.ServeHTTP)
	}
	for target, want := range map[string]int{
		"GET https://api.lab.test/repos/acme/x":              200,
		"GET https://api.lab.test/repos/acme/":               200,
		"GET https://api.lab.test/user":                      200,
		"GET https://api.lab.test/user/":                     200,
		"GET https://api.lab.test/user/keys?a=/b":            200,
		"HEAD https://api.lab.test/user":                     200,
		"POST https://api.lab.test/user":                     403,
		"GET https://api.lab.test/":                          403,
		"GET https://api.lab.test/users":                     403,
		"GET https://api.lab.test/repos/acme":                403,
		"GET https://api.lab.test/repos/acme/../other/x":     403,
		"GET https://api.lab.test/repos/acme/%2e%2e/other/x": 403,
		"GET https://api.lab.test/repos/acme/..%2fother":     403,
		"GET https://api.lab.test/repos/acme//x":             403,
		"GET https://api.lab.test/repos/acme/%252e%252e/x":   403,
		"GET https://api.lab.test/repos/acme/.%5c..%5cother": 403,
		"GET https://api.lab.test/repos/acme/..;/other":      403,
		"GET https://api.lab.test/repos/%61cme/x":            200,
		"GET https://api.lab.test//user":                     403,
	} {
		method, target, _ := strings.Cut(target, " ")
		was := len(l.uses())
		res, body := l.do(false, method, target, "", "Authorization", "Bearer "+l.placeholder)
		if res.StatusCode != want || want == 403 && !strings.Contains(body, "rhx: the manifest allows lab ") {
			t.Errorf("%s %s: %d %s", method, target, res.StatusCode, body)
		}
		if now := l.uses(); len(now) != was+1 || (want == 403) != strings.Contains(now[was], "403 the manifest allows lab ") {
			t.Errorf("%s %s: %q", method, target, now[was:])
		}
	}
	// Without a placeholder it is a request like any other.
	if res, _ := l.do(false, "POST", "https://api.lab.test/", "x"); res.StatusCode != 200 {
		t.Error(res.StatusCode)
	}
	// By the other limit the host is one that no rule names: its bytes pass as they are.
	if res, _ := l.do(false, "GET", "https://git.lab.test/", "", "Authorization", basic("x", l.placeholder)); res.StatusCode != 200 || !strings.Contains(kept.last(), basic("x", l.placeholder)) {
		t.Errorf("%d, %q", res.StatusCode, kept.last())
	}
}

// What clients say about themselves and others passes as it is.
func TestHeadersPass(t *testing.T) {
	l := newLab(t)
	kept := &keeper{}
	l.serve(apiHost, kept.ServeHTTP)
	l.do(false, "GET", "https://api.lab.test/a%2Fb/%7Ec?x=%zz;y", "", "X-Forwarded-For", "1.2.3.4", "Forwarded", "for=x", "User-Agent", "lab/1", "X-Many", "1", "X-Many", "2",
		"Range", "bytes=0-1", "If-Range", "x", "Accept-Encoding", "gzip", "Sec-Websocket-Extensions", "permessage-deflate")
	got := kept.last()
	for _, want := range []string{"GET /a%2Fb/%7Ec?x=%zz;y ", "X-Forwarded-For: 1.2.3.4\r\n", "Forwarded: for=x\r\n", "User-Agent: lab/1\r\n", "X-Many: 1\r\nX-Many: 2\r\n", "Accept-Encoding: identity\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	for _, not := range []string{"Range", "Extensions", "gzip"} {
		if strings.Contains(got, not) {
			t.Errorf("%q is in %q", not, got)
		}
	}
	// A client without a name has none.
	r, _ := http.NewRequest("GET", "https://api.lab.test/", nil)
	r.Header["User-Agent"] = []string{""}
	res, err := l.client(true).Do(r)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if strings.Contains(kept.last(), "Go-http-client/2") || strings.Contains(kept.last(), "Accept-Encoding") {
		t.Errorf("%q", kept.last())
	}
}

// A path is below a prefix only where every server would say so.
func FuzzBelow(f *testing.F) {
	for _, p := range []string{"/a/b", "/a/../b", "/a/%2e%2e/b", "//a", "/a/b/", "/a%2fb"} {
		f.Add(p, "/a")
	}
	f.Fuzz(func(t *testing.T, raw, prefix string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil || !below(u, prefix) {
			return
		}
		again, err := url.PathUnescape(u.Path)
		if err != nil || again != u.Path && strings.Contains(strings.ToLower(raw), "%25") {
			t.Fatalf("%q is below %q", raw, prefix)
		}
		if !strings.HasPrefix(u.Path, prefix) || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path, "//") {
			t.Fatalf("%q is below %q", raw, prefix)
		}
	})
}

// A query in which nothing is put stays byte for byte; else only the value changes.
func FuzzQuery(f *testing.F) {
	s := newLabSecret(f, labSpec, "token", labToken())
	p := s.placeholders["token"]
	f.Add("a=1&key=PLACE&b=%2f")
	f.Add("key=PLACE%20&&=&key")
	f.Add("%6bey=PLACE;key=PLACE")
	var rule *rule
	for _, r := range s.rules() {
		if r.covers(queryHost, 443) {
			rule = r
		}
	}
	f.Fuzz(func(t *testing.T, query string) {
		query = strings.ReplaceAll(query, "PLACE", p)
		r := &http.Request{URL: &url.URL{RawQuery: query}}
		did, err := rule.put(r)
		if err != nil {
			t.Fatal(err)
		}
		if back := strings.ReplaceAll(r.URL.RawQuery, labToken(), p); !did && r.URL.RawQuery != query || did && strings.Count(back, "&") != strings.Count(query, "&") {
			t.Fatalf("%q became %q", query, r.URL.RawQuery)
		}
		if did && !strings.Contains(r.URL.RawQuery, "="+labToken()) {
			t.Fatalf("%q became %q", query, r.URL.RawQuery)
		}
	})
}

// Headers of any form never have the value but in the place of the whole placeholder.
func FuzzHeader(f *testing.F) {
	s := newLabSecret(f, labSpec, "token", labToken(), "user", "jane")
	p := s.placeholders["token"]
	for _, text := range []string{"Bearer PLACE", "bearer PLACE ", "Basic PLACE", basic("x", p), "session=PLACE; a", "PLACE"} {
		f.Add(text)
	}
	rules := s.rules()
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "PLACE", p)
		for _, rule := range rules {
			r := &http.Request{URL: &url.URL{}, Header: http.Header{"Authorization": {text}, "Cookie": {text}, "X-Key": {text}, "X-Other": {text}}}
			did, err := rule.put(r)
			if err != nil || r.Header.Get("X-Other") != text {
				t.Fatal(err)
			}
			if !did && strings.Contains(fmt.Sprint(r.Header), labToken()) {
				t.Fatalf("%q: %v", text, r.Header)
			}
			if did && !strings.Contains(text, p) && !strings.HasPrefix(strings.ToLower(text), "basic ") {
				t.Fatalf("%q: %v", text, r.Header)
			}
		}
	})
}
