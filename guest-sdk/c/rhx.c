/* rhx.c - see rhx.h. SPDX-License-Identifier: Apache-2.0 */
#include "rhx.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What has been answered so far. An instance serves one request, so there is one. */
static rhx_buf secrets, secret, public, files;
static rhx_str expires;
static int in_secret;

rhx_str rhx_of(const char *s) { return (rhx_str){s, strlen(s)}; }

int rhx_eq(rhx_str a, rhx_str b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

/* --- Memory and buffers ------------------------------------------------ */

static void send(const char *p, size_t n) {
	while (n > 0) {
		ssize_t k = write(1, p, n);
		if (k <= 0) _exit(1);
		p += k;
		n -= (size_t)k;
	}
}

void *rhx_alloc(size_t n) {
	void *p = calloc(n ? n : 1, 1);
	if (!p) {
		static const char out[] = "{\"abi\":1,\"error\":{\"code\":\"unsupported\",\"message\":\"out of memory\"}}";
		send(out, sizeof out - 1);
		_exit(0);
	}
	return p;
}

void rhx_add(rhx_buf *b, const void *data, size_t n) {
	if (n == 0) return;
	if (b->cap - b->len < n) {
		size_t cap = b->cap * 2 + n + 64;
		char *p = rhx_alloc(cap);
		if (b->len) memcpy(p, b->ptr, b->len);
		free(b->ptr);
		b->ptr = p;
		b->cap = cap;
	}
	memcpy(b->ptr + b->len, data, n);
	b->len += n;
}

void rhx_add_str(rhx_buf *b, rhx_str s) { rhx_add(b, s.ptr, s.len); }

rhx_str rhx_bytes(const rhx_buf *b) { return (rhx_str){b->ptr ? b->ptr : "", b->len}; }

static void add(rhx_buf *b, const char *s) { rhx_add(b, s, strlen(s)); }

static void add_uint(rhx_buf *b, unsigned n) {
	char d[10];
	size_t i = sizeof d;
	do d[--i] = (char)('0' + n % 10);
	while (n /= 10);
	rhx_add(b, d + i, sizeof d - i);
}

void rhx_add_json(rhx_buf *b, rhx_str s) {
	static const char hex[] = "0123456789abcdef";
	add(b, "\"");
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c == '"' || c == '\\') {
			char e[2] = {'\\', (char)c};
			rhx_add(b, e, 2);
		} else if (c < 0x20) {
			char e[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
			rhx_add(b, e, 6);
		} else {
			rhx_add(b, &s.ptr[i], 1);
		}
	}
	add(b, "\"");
}

/* --- Base64 (RFC 4648, section 4) --------------------------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void rhx_add_base64(rhx_buf *b, rhx_str s) {
	const unsigned char *p = (const unsigned char *)s.ptr;
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i;
		unsigned v = (unsigned)p[i] << 16 | (n > 1 ? (unsigned)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
		char q[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], n > 1 ? alphabet[v >> 6 & 63] : '=', n > 2 ? alphabet[v & 63] : '='};
		rhx_add(b, q, 4);
	}
}

static int digit64(char c) {
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

rhx_str rhx_base64(rhx_str s) {
	if (s.len % 4) return (rhx_str){0};
	unsigned char *out = rhx_alloc(s.len / 4 * 3);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i += 4) {
		int pad = 0;
		unsigned v = 0;
		int a = digit64(s.ptr[i]), b = digit64(s.ptr[i + 1]), c = digit64(s.ptr[i + 2]), e = digit64(s.ptr[i + 3]);
		if ((a | b | c | e) >= 0) { /* without padding, and without a loop */
			v = (unsigned)a << 18 | (unsigned)b << 12 | (unsigned)c << 6 | (unsigned)e;
			out[n++] = (unsigned char)(v >> 16);
			out[n++] = (unsigned char)(v >> 8);
			out[n++] = (unsigned char)v;
			continue;
		}
		for (size_t j = 0; j < 4; j++) {
			int d = digit64(s.ptr[i + j]);
			if (d < 0) {
				if (s.ptr[i + j] != '=' || j < 2 || i + 4 != s.len) return (rhx_str){0};
				pad++;
				d = 0;
			} else if (pad) {
				return (rhx_str){0};
			}
			v = v << 6 | (unsigned)d;
		}
		out[n++] = (unsigned char)(v >> 16);
		if (pad < 2) out[n++] = (unsigned char)(v >> 8);
		if (pad < 1) out[n++] = (unsigned char)v;
	}
	return (rhx_str){(char *)out, n};
}

/* --- UTF-8 (RFC 3629: no surrogates, no overlong forms) ------------------ */

int rhx_utf8(rhx_str s) {
	const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;
	for (uint64_t v; end - p >= 8; p += 8) { /* what is ASCII, eight at a time */
		memcpy(&v, p, 8);
		if (v & 0x8080808080808080) break;
	}
	while (p < end) {
		unsigned c = *p++;
		unsigned lo = 0x80, hi = 0xBF;
		int more;
		if (c < 0x80) continue;
		if (c >= 0xC2 && c <= 0xDF) more = 1;
		else if (c >= 0xE0 && c <= 0xEF) more = 2;
		else if (c >= 0xF0 && c <= 0xF4) more = 3;
		else return 0;
		if (c == 0xE0) lo = 0xA0;
		if (c == 0xED) hi = 0x9F;
		if (c == 0xF0) lo = 0x90;
		if (c == 0xF4) hi = 0x8F;
		while (more--) {
			if (p == end || *p < lo || *p > hi) return 0;
			p++;
			lo = 0x80;
			hi = 0xBF;
		}
	}
	return 1;
}

/* --- JSON (RFC 8259) ---------------------------------------------------- */

typedef struct {
	const char *p, *end;
} reader;

static void space(reader *r) {
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}

static int next(reader *r, char c) {
	space(r);
	if (r->p == r->end || *r->p != c) return 0;
	r->p++;
	return 1;
}

static int hex4(reader *r, unsigned *v) {
	if (r->end - r->p < 4) return 0;
	*v = 0;
	for (int i = 0; i < 4; i++) {
		char c = *r->p++;
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (d < 0) return 0;
		*v = *v << 4 | (unsigned)d;
	}
	return 1;
}

static char *utf8(char *o, unsigned v) {
	if (v < 0x80) {
		*o++ = (char)v;
	} else if (v < 0x800) {
		*o++ = (char)(0xC0 | v >> 6);
		*o++ = (char)(0x80 | (v & 63));
	} else if (v < 0x10000) {
		*o++ = (char)(0xE0 | v >> 12);
		*o++ = (char)(0x80 | (v >> 6 & 63));
		*o++ = (char)(0x80 | (v & 63));
	} else {
		*o++ = (char)(0xF0 | v >> 18);
		*o++ = (char)(0x80 | (v >> 12 & 63));
		*o++ = (char)(0x80 | (v >> 6 & 63));
		*o++ = (char)(0x80 | (v & 63));
	}
	return o;
}

/* plain returns how many bytes at p mean only themselves, in eights: a loop costs
 * much more here than what is in it, and a file's content is megabytes of those. */
static size_t plain(const char *p, const char *end) {
	const uint64_t ones = 0x0101010101010101, highs = ones << 7;
	const char *from = p;
	for (; end - p >= 8; p += 8) {
		uint64_t v, quote, slash;
		memcpy(&v, p, 8);
		quote = v ^ ones * '"', slash = v ^ ones * '\\';
		if (((v - ones * 0x20) | v | (quote - ones) | (slash - ones)) & highs) break;
	}
	return (size_t)(p - from);
}

static int string(reader *r, rhx_str *out) {
	const char *q;
	int escapes = 0;
	if (!next(r, '"')) return 0;
	for (q = r->p + plain(r->p, r->end); q < r->end && *q != '"'; q++) {
		if ((unsigned char)*q < 0x20) return 0;
		if (*q != '\\') continue;
		escapes = 1;
		if (++q == r->end) return 0;
	}
	if (q == r->end) return 0;
	if (!escapes) {
		*out = (rhx_str){r->p, (size_t)(q - r->p)};
		r->p = q + 1;
		return rhx_utf8(*out);
	}
	char *buf = rhx_alloc((size_t)(q - r->p)), *o = buf; /* an escape never grows */
	while (r->p < q) {
		char c = *r->p++;
		if ((unsigned char)c < 0x20) return 0;
		if (c != '\\') {
			*o++ = c;
			continue;
		}
		switch (c = *r->p++) {
		case '"': case '\\': case '/': *o++ = c; break;
		case 'b': *o++ = '\b'; break;
		case 'f': *o++ = '\f'; break;
		case 'n': *o++ = '\n'; break;
		case 'r': *o++ = '\r'; break;
		case 't': *o++ = '\t'; break;
		case 'u': {
			unsigned v, w;
			if (!hex4(r, &v)) return 0;
			if (v >= 0xDC00 && v <= 0xDFFF) return 0;
			if (v >= 0xD800 && v <= 0xDBFF) {
				if (r->end - r->p < 2 || *r->p++ != '\\' || *r->p++ != 'u' || !hex4(r, &w) || w < 0xDC00 || w > 0xDFFF) return 0;
				v = 0x10000 + ((v - 0xD800) << 10) + (w - 0xDC00);
			}
			o = utf8(o, v);
			break;
		}
		default: return 0;
		}
	}
	if (r->p != q) return 0; /* \u ran into the closing quote */
	r->p = q + 1;
	*out = (rhx_str){buf, (size_t)(o - buf)};
	return rhx_utf8(*out);
}

static int word(reader *r, const char *w) {
	size_t n = strlen(w);
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n)) return 0;
	r->p += n;
	return 1;
}

static int digits(reader *r) {
	const char *from = r->p;
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
	return r->p > from;
}

static int number(reader *r) {
	word(r, "-");
	if (!word(r, "0") && !digits(r)) return 0;
	if (word(r, ".") && !digits(r)) return 0;
	if (!word(r, "e") && !word(r, "E")) return 1;
	if (!word(r, "+")) word(r, "-");
	return digits(r);
}

static rhx_json *value(reader *r, int depth) {
	space(r);
	if (depth > 64 || r->p == r->end) return NULL;
	rhx_json *v = rhx_alloc(sizeof *v), **tail = &v->first;
	char c = *r->p;
	if (c == '"') {
		v->type = RHX_JSON_STRING;
		return string(r, &v->text) ? v : NULL;
	}
	if (c != '{' && c != '[') {
		v->text.ptr = r->p;
		if (!word(r, "true") && !word(r, "false") && !word(r, "null") && !number(r)) return NULL;
		v->text.len = (size_t)(r->p - v->text.ptr);
		return v;
	}
	v->type = c == '{' ? RHX_JSON_OBJECT : RHX_JSON_ARRAY;
	char close = c == '{' ? '}' : ']';
	r->p++;
	if (next(r, close)) return v;
	do {
		rhx_str key = {0};
		if (close == '}' && (!string(r, &key) || !next(r, ':'))) return NULL;
		rhx_json *e = value(r, depth + 1);
		if (!e) return NULL;
		e->key = key;
		*tail = e;
		tail = &e->next;
	} while (next(r, ','));
	return next(r, close) ? v : NULL;
}

const rhx_json *rhx_parse(rhx_str text) {
	reader r = {text.ptr, text.ptr + text.len};
	rhx_json *v = value(&r, 0);
	space(&r);
	return r.p == r.end ? v : NULL;
}

const rhx_json *rhx_get(const rhx_json *v, const char *key) {
	rhx_str k = rhx_of(key);
	if (v && v->type == RHX_JSON_OBJECT)
		for (const rhx_json *e = v->first; e; e = e->next)
			if (rhx_eq(e->key, k)) return e;
	return NULL;
}

/* --- Requests ----------------------------------------------------------- */

static rhx_str text(const rhx_json *v, const char *key) {
	const rhx_json *e = rhx_get(v, key);
	return e && (e->type == RHX_JSON_STRING || e->type == RHX_JSON_SCALAR) ? e->text : (rhx_str){"", 0};
}

static size_t count(const rhx_json *v) {
	size_t n = 0;
	for (const rhx_json *e = v ? v->first : NULL; e; e = e->next) n++;
	return n;
}

static const rhx_pair *pairs(const rhx_json *v, size_t *n) {
	rhx_pair *out = rhx_alloc(sizeof *out * count(v));
	*n = 0;
	for (const rhx_json *e = v ? v->first : NULL; e; e = e->next)
		if (e->key.ptr && (e->type == RHX_JSON_STRING || e->type == RHX_JSON_SCALAR)) out[(*n)++] = (rhx_pair){e->key, e->text};
	return out;
}

static rhx_str lookup(const rhx_pair *p, size_t n, const char *name) {
	rhx_str k = rhx_of(name);
	for (size_t i = 0; i < n; i++)
		if (rhx_eq(p[i].key, k)) return p[i].value;
	return (rhx_str){0};
}

rhx_str rhx_env(const rhx_request *req, const char *name) { return lookup(req->env, req->nenv, name); }
rhx_str rhx_option(const rhx_request *req, const char *name) { return lookup(req->options, req->noptions, name); }
rhx_str rhx_secret_value(const rhx_request *req, const char *name) { return lookup(req->values, req->nvalues, name); }

/* check_abi ends the request where it is of another ABI. The message has the
 * number only where it is a short one: nothing else of a request is repeated. */
static void check_abi(const rhx_json *abi) {
	size_t n = 0;
	if (abi && abi->type == RHX_JSON_SCALAR)
		while (n < abi->text.len && abi->text.ptr[n] >= '0' && abi->text.ptr[n] <= '9') n++;
	if (n == 0 || n > 9 || n < abi->text.len)
		rhx_fail(RHX_UNSUPPORTED, "the request does not say which ABI it is of; this module speaks ABI 1", (rhx_str){0}, 0);
	if (rhx_eq(abi->text, RHX_STR("1"))) return;
	rhx_buf b = {0};
	add(&b, "the request is of ABI ");
	rhx_add_str(&b, abi->text);
	add(&b, "; this module speaks ABI 1");
	rhx_add(&b, "", 1);
	rhx_fail(RHX_UNSUPPORTED, b.ptr, (rhx_str){0}, 0);
}

static void read_request(rhx_request *req) {
	rhx_buf in = {0};
	char chunk[4096];
	ssize_t k;
	const rhx_str none = {0};
	while ((k = read(0, chunk, sizeof chunk)) > 0) rhx_add(&in, chunk, (size_t)k);
	if (k < 0) rhx_fail(RHX_INVALID, "cannot read the request", none, 0);
	const rhx_json *doc = rhx_parse(rhx_bytes(&in));
	if (!doc || doc->type != RHX_JSON_OBJECT) rhx_fail(RHX_INVALID, "the request is not a JSON object", none, 0);
	check_abi(rhx_get(doc, "abi"));
	req->op = text(doc, "op");
	req->provider = text(doc, "provider");
	req->profile = text(doc, "profile");
	req->env = pairs(rhx_get(doc, "env"), &req->nenv);
	req->options = pairs(rhx_get(doc, "options"), &req->noptions);
	const rhx_json *sec = rhx_get(doc, "secret");
	req->secret_profile = text(sec, "profile");
	req->values = pairs(rhx_get(sec, "values"), &req->nvalues);
	const rhx_json *list = rhx_get(doc, "files");
	if (list && list->type != RHX_JSON_ARRAY) list = NULL;
	rhx_file *f = rhx_alloc(sizeof *f * count(list));
	req->files = f;
	for (const rhx_json *e = list ? list->first : NULL; e; e = e->next, f++) {
		const rhx_json *exists = rhx_get(e, "exists");
		f->path = text(e, "path");
		f->exists = exists && rhx_eq(exists->text, RHX_STR("true"));
		f->content = rhx_base64(text(e, "content"));
		if (!f->content.ptr) rhx_fail(RHX_INVALID, "the content of a file is not base64", f->path, 0);
		req->nfiles++;
	}
}

/* --- Responses ---------------------------------------------------------- */

static void end_secret(void) {
	if (!in_secret) return;
	rhx_add_str(&secrets, rhx_bytes(&secret));
	add(&secrets, "},\"public\":[");
	rhx_add_str(&secrets, rhx_bytes(&public));
	add(&secrets, "]");
	if (expires.len) {
		add(&secrets, ",\"expires\":");
		rhx_add_json(&secrets, expires);
	}
	add(&secrets, "}");
	secret.len = public.len = expires.len = 0;
	in_secret = 0;
}

void rhx_secret(rhx_str profile) {
	end_secret();
	if (!rhx_utf8(profile)) rhx_fail(RHX_UNSUPPORTED, "a profile's name is not UTF-8", (rhx_str){0}, 0);
	if (secrets.len) add(&secrets, ",");
	add(&secret, "{\"profile\":");
	rhx_add_json(&secret, profile);
	add(&secret, ",\"values\":{");
	in_secret = 1;
}

void rhx_value(const char *key, rhx_str value, int kind) {
	if (!rhx_utf8(value)) rhx_fail(RHX_UNSUPPORTED, "a value is not UTF-8", (rhx_str){0}, 0);
	if (secret.ptr[secret.len - 1] != '{') add(&secret, ",");
	rhx_add_json(&secret, rhx_of(key));
	add(&secret, ":");
	rhx_add_json(&secret, value);
	if (kind == RHX_PUBLIC) {
		if (public.len) add(&public, ",");
		rhx_add_json(&public, rhx_of(key));
	}
}

void rhx_expires(rhx_str time) { expires = time; }

void rhx_put_file(rhx_str path, rhx_str content, unsigned mode) {
	if (files.len) add(&files, ",");
	add(&files, "{\"path\":");
	rhx_add_json(&files, path);
	add(&files, ",\"mode\":");
	add_uint(&files, mode);
	add(&files, ",\"content\":\"");
	rhx_add_base64(&files, content);
	add(&files, "\"}");
}

_Noreturn void rhx_fail(const char *code, const char *message, rhx_str path, unsigned line) {
	rhx_buf out = {0};
	add(&out, "{\"abi\":1,\"error\":{\"code\":");
	rhx_add_json(&out, rhx_of(code));
	add(&out, ",\"message\":");
	rhx_add_json(&out, rhx_of(message));
	if (path.ptr) {
		add(&out, ",\"path\":");
		rhx_add_json(&out, path);
	}
	if (line) {
		add(&out, ",\"line\":");
		add_uint(&out, line);
	}
	add(&out, "}}");
	send(out.ptr, out.len);
	_exit(0);
}

int rhx_main(const rhx_provider *p) {
	rhx_request req = {0};
	rhx_buf out = {0};
	read_request(&req);
	add(&out, "{\"abi\":1");
	if (rhx_eq(req.op, RHX_STR("extract"))) {
		p->extract(&req);
		end_secret();
		add(&out, ",\"secrets\":[");
		rhx_add_str(&out, rhx_bytes(&secrets));
		add(&out, "]");
	} else if (rhx_eq(req.op, RHX_STR("render")) && p->render) {
		p->render(&req);
		add(&out, ",\"files\":[");
		rhx_add_str(&out, rhx_bytes(&files));
		add(&out, "]");
	} else if (rhx_eq(req.op, RHX_STR("describe"))) {
		add(&out, ",\"name\":");
		rhx_add_json(&out, rhx_of(p->name));
		add(&out, ",\"version\":");
		rhx_add_json(&out, rhx_of(p->version));
		add(&out, p->render ? ",\"ops\":[\"extract\",\"render\",\"describe\"]" : ",\"ops\":[\"extract\",\"describe\"]");
	} else {
		rhx_fail(RHX_UNSUPPORTED, "this module does not know the operation", (rhx_str){0}, 0);
	}
	add(&out, "}");
	send(out.ptr, out.len);
	return 0;
}
