package wasm_test

import (
	"math/rand/v2"
	"strings"
)

// handMadeHOCON has what ClearML reads in a way of its own.
func handMadeHOCON() []string {
	credentials := "api.credentials {access_key: A, secret_key: S}\n"
	texts := []string{
		"", "\n", "# c", "// c", "{}", "{", "}", "[1]", "a", "a:", "\ufeff" + credentials, "\xef\xbb", ",,,",
		"{ api { credentials { access_key: A } } } # end\n", "{api: 1} x: 2", ", # c\n{}", "/a: 1", ". : 1",
		"a: 5\nd", "api.web_server: 5\nd", "api.web_server: 5 d\n", "api.web_server: 5 d\n\n",
	}
	for _, v := range []string{
		"x", `"x"`, `"""x"""`, `"""x"""""`, `""""""`, `"""""""`, `"""x"`, `"x`, `'x'`, "x y  z", `x "y" z`, `"x" "y"`, `"x"y`, `"""x""" y`, "http://h:8080/p", "http://h//p // c",
		"x#c", "x // c", "x//c", "x:y", "x=y", "x,y", "x\ty", "\"x\ty\"", "\"x\\ty\"", `"x\"y\\z\n\r\t\=\#\!"`, `"\u0041"`, `"\/"`, `"\b"`, `x\ty`, `x\#y`, `x\u0041`, "\\\n x", "x \\\n y",
		"1", "01", "1.5", ".5", "-1", "+1", "1e5", "1.", "1x", "1 x", "x 1", "x 01", "1//c", "1 d", "10.0.0.1:8008", "true", "TRUE", "true-ish", "truex", "null", "Null", "null x", "false//c", "yes", "none",
		"${x}", "${?x}", "x${y}", "x ${?y}", "${?x} y", "${}", "$x", "$", "${x", "x!y", "x?y", "x@y", "x*y", "x&y", "x^y", "x`y", "x+y", "[x]", "[x", "x]", "{x: 1}", "{x: 1} {y: 2}", "{x: 1} z", "{x", "[1] [2]", "[1] x",
		"é", "é\u00a0x", "\u2028", "x\x0by", "x\x1cy", "x\x01y", "\"x\x01y\"", "\"x\x00y\"", "\"\u2028\"", "x\r", "include", `include "x"`, "include x", "# c\n x", "\n\n x", "// c", "# c", "", ",", "x # c\n# d\n, # e\n y",
		"(x)", "<x>", "x;y", "x~y", "x|y", "%x%", "x'y", "/x/", "//", "-", "--x", ":x", "x:", "::",
	} {
		texts = append(texts, "api.credentials.access_key: "+v, "api {\n  web_server: "+v+"\n  credentials {\n    access_key: "+v+"\n    secret_key = "+v+"\n  }\n}\n", credentials+"sdk { a: "+v+"\n b: ["+v+"]\n}\n", "sdk.a = "+v+"\n"+credentials)
	}
	for i, k := range []string{
		"api", `"api"`, "api ", `"api "`, `" api"`, "api\t", ".api", "api.", "..api..", "api.x", `"api".x`, `"api.x"`, "api#c\n", "api//c\n", "api // c\n", "api\n\n", "include", "include.x", "Include", "5", "5.5", "-", "é", "×", "a b", "$a", "a$", `""`, `"a\"b"`, `"a`,
		"api.credentials", "api . credentials", "api. credentials", "api.credentials.access_key", "api.credentials.access_key.x", "api.host.x", "api.host", `"api.host"`,
	} {
		for j, v := range []string{": x", "= x", "+= x", "{host: h}", " {credentials {access_key: B}}", "= {credentials: {access_key: B}}", ": [1]", "+= [1]", ": null", ": ${x}", ": ${?x}", ": {} {}", "{} {}", " x"} {
			if (i+j)%2 == 0 {
				texts = append(texts, credentials+k+v)
			} else {
				texts = append(texts, k+v+"\n"+credentials)
			}
		}
	}
	for _, between := range []string{"", " ", ",", "\n", "\r\n", "\r", ", ,", "# c\n", " // c\n", ";"} {
		texts = append(texts, "api {host: x"+between+"web_server: y"+between+"}"+between+"api {credentials {"+between+"access_key: \"A\""+between+"\"secret_key\": S"+between+"}"+between+"}", "api {host: \"x\""+between+"web_server: y}")
	}
	for _, include := range []string{`include "nothing"`, `include file("nothing")`, `include url("nothing")`, `include required("nothing")`, "include 'x'", `INCLUDE "nothing"`, `include"nothing"`, `include "x`, "include"} {
		texts = append(texts, include+"\n"+credentials, credentials+"sdk {\n"+include+"\nx: 1}", "api {"+include+"\n}", credentials+"sdk { x = "+include+"\n}")
	}
	return append(texts,
		"api {credentials: null, credentials {access_key: A}}\n", "api.credentials {access_key: A}\napi {credentials: null, credentials {secret_key: S}}\n",
		"api.credentials {access_key: A}\napi: null\napi.credentials {secret_key: S}\n", "api.credentials {access_key: A}\napi: x\napi.credentials {secret_key: S}\n",
		"api: []\n"+credentials, "api: {x: 1}{credentials {access_key: A}} {credentials {secret_key: S}}\n", "api {credentials: 5}\napi {credentials {access_key: A}}\n",
		"api.credentials.access_key: A\napi.credentials.access_key: ${?x}", "api.credentials.access_key: ${?x}\napi.credentials.access_key: A", "api.credentials.access_key: A\napi {credentials {access_key: ${?x}}}",
		"x: {credentials {access_key: A}}\napi: ${x}", "x: {access_key: A}\napi.credentials: ${x} {secret_key: S}", "x: A\napi.credentials.access_key: ${x}", credentials+"x: ${api.credentials.access_key}",
		"api.api_server: \"\"\napi.host: h", "api.host: h\napi.api_server: null", "api {host: h, api_server: a}",
	)
}

// laxer reports whether a text is one that the module reads though ClearML does
// not load the file: ClearML looks substitutions up, and adds and merges, where
// nothing counts for the module.
func laxer(text string) bool {
	return substituted(text) || strings.Contains(text, "+=") || strings.Contains(text, "sdk")
}

func substituted(text string) bool {
	return strings.Contains(text, "${") || strings.Contains(text, "+=")
}

// randomHOCON makes a text of entries that matter and entries that do not, most of
// them right.
func randomHOCON(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var value, block func(depth int) string
	var entries func(depth, n int) string
	text := func() string {
		switch r.IntN(12) {
		case 0:
			return pick("5", "1.5", "true", "null", "-3", "1e3", "5x", "null-x", "10 s")
		case 1:
			return `"""` + pick("x", "a\"b", "a\nb", "", "}", "#") + `"""` + pick("", `"`)
		case 2:
			return pick("${x}", "${?x}", "${?api.host}", "x${?y}z", "${api}")
		case 3:
			return ""
		case 4:
			return pick("a b", `a "b" c`, `"a" "b"`, "a\tb", `"a\tb"`, `"a\\b"`, `"\u0041"`, `a\#b`, "é", "a!b", "a:b", "a=b")
		case 5:
			return "http://" + pick("h", "127.0.0.1:8008", "h//x")
		default:
			return pick("A", "S", `"A"`, `"S!#$&*{}"`, `"x // y"`, "word", `""`)
		}
	}
	value = func(depth int) string {
		switch n := r.IntN(20); {
		case n < 2 && depth > 0:
			return block(depth-1) + pick("", "", " "+block(depth-1))
		case n < 4 && depth > 0:
			return "[" + pick("", "\n") + value(depth-1) + pick(", ", "\n", " # c\n", ",\n\n") + value(depth-1) + pick("", "\n", ",", " ") + "]"
		default:
			return text()
		}
	}
	block = func(depth int) string { return "{" + entries(depth, r.IntN(4)) + pick("", "\n", " ") + "}" }
	gap := func() string {
		return pick("", "\n", "\n", " ", "\r\n", ", ", ",\n", "\n\n  ", " # c\n", " // }\n", "\n# \"c\n", "\n    ")
	}
	entries = func(depth, n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(gap())
			key := pick("api", "api", "api.credentials", "credentials", "credentials", "access_key", "access_key", "secret_key", "secret_key", `"access_key"`, `"secret_key"`, "api_server", "web_server", "files_server", "host",
				"api.credentials.access_key", "api.credentials.secret_key", "api.host", "sdk", "a.b", `"a.b"`, "x y", "x", "5", ".api.", "include_x")
			if r.IntN(60) == 0 {
				b.WriteString(pick("include \"nothing\"", "}", "{", "]", "\"", "#", "a", "+", "\\"))
			}
			b.WriteString(key + pick("", " ", "  "))
			if depth > 0 && (strings.HasSuffix(key, "api") || strings.HasSuffix(key, "credentials")) && r.IntN(8) > 0 {
				b.WriteString(pick("", "", ": ", "= ", "\n", " # c\n") + block(depth-1))
			} else {
				b.WriteString(pick(":", ":", "=", "=", ":", "+=") + pick("", " ", " ", "\n ", " # c\n") + value(depth))
			}
			if r.IntN(3) > 0 {
				b.WriteString(pick("\n", "\n", ",", " # c\n", "\r\n"))
			}
		}
		return b.String()
	}
	whole := entries(4, 1+r.IntN(5))
	if r.IntN(8) == 0 {
		whole = pick("", "# c\n") + "{" + whole + "\n}" + pick("", "\n", " # c")
	}
	return whole
}
