/* gitcredentials.c - the file of git's credential store, as an rhx provider.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * ~/.git-credentials has a URL in each line, PROTOCOL://USER:PASSWORD@HOST/PATH,
 * with every part percent-encoded (git-credential-store(1), and git's
 * credential.c, which this follows). git passes over lines that are no URL with
 * a user and a password, and so does this, also where a name has control characters or is longer than
 * 200 bytes; git takes the first line that fits.
 *
 * A profile is the URL without its password, and without https://:
 * alice@git.example, http://bob@git.example:8080/repo. Where a token stands in the
 * user's place, as in https://TOKEN:x-oauth-basic@github.com, it is without the user:
 * github.com. Names are shown. It is made of the values,
 * so equal lines are one profile. A change writes the line of its profile and
 * leaves all others as they are to the byte; a new line goes to the end.
 */
#include "../../guest-sdk/c/rhx.h"

#include <string.h>

enum { most = 2000 };

/* A line of the file; user has a NULL ptr where it is no credential. */
typedef struct {
	rhx_str text, ending;
	rhx_str profile, url, user, password;
} line;

static int hex(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes percent-encoding; ptr is NULL where the result is not text that git
 * takes: it refuses newlines in any part. */
static rhx_str decode(rhx_str s) {
	char *out = rhx_alloc(s.len);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '%' && i + 2 < s.len && hex(s.ptr[i + 1]) >= 0 && hex(s.ptr[i + 2]) >= 0) {
			c = (char)(hex(s.ptr[i + 1]) << 4 | hex(s.ptr[i + 2]));
			i += 2;
		}
		if (!c || c == '\n' || c == '\r') return (rhx_str){0};
		out[n++] = c;
	}
	return (rhx_str){out, n};
}

/* Encodes all but RFC 3986's unreserved characters, and those of keep. */
static void encode(rhx_buf *b, rhx_str s, const char *keep) {
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (letter || (c && strchr("-_.~", c)) || (c && strchr(keep, c))) {
			rhx_add(b, &c, 1);
		} else {
			char e[3] = {'%', digits[c >> 4], digits[c & 15]};
			rhx_add(b, e, 3);
		}
	}
}

static const char *find(rhx_str s, const char *what) {
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= s.len; i++)
		if (!memcmp(s.ptr + i, what, n)) return s.ptr + i;
	return NULL;
}

static rhx_str between(const char *a, const char *b) { return (rhx_str){a, (size_t)(b - a)}; }

static int begins(rhx_str s, const char *with) {
	size_t n = strlen(with);
	return s.len >= n && !memcmp(s.ptr, with, n);
}

/* Whether the user is a token, by what stands for the password or by its form. */
static int token(rhx_str user, rhx_str password) {
	static const char *const forms[] = {"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glcbt-", "glptt-", "gloas-", "hf_", "api_org_", "ATATT3", "ATBB", "npm_", "pypi-", "dckr_", "eyJ", "sk-", "hvs.", "dapi"};
	if (!password.len || rhx_eq(password, RHX_STR("x-oauth-basic")) || rhx_eq(password, RHX_STR("x-oauth-token"))) return 1;
	if (user.len >= 12 && rhx_eq(user, password)) return 1;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (user.len >= 24 && begins(user, forms[i])) return 1;
	return 0;
}

/* Names the credential of user at url. */
static rhx_str name(rhx_str url, rhx_str user, rhx_str password) {
	rhx_buf b = {0};
	const char *at = find(url, "://") + 3;
	if (!rhx_eq(between(url.ptr, at), RHX_STR("https://"))) rhx_add(&b, url.ptr, (size_t)(at - url.ptr));
	if (!token(user, password)) {
		encode(&b, user, "");
		rhx_add_str(&b, RHX_STR("@"));
	}
	rhx_add_str(&b, between(at, url.ptr + url.len));
	return rhx_bytes(&b);
}

/* Whether rhx takes s as a profile's name: short, and without control characters. */
static int nameable(rhx_str s) {
	int ok = s.len <= 200;
	for (size_t i = 0; ok && i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		ok = c >= ' ' && c != 0x7f && !(c == 0xc2 && i + 1 < s.len && (unsigned char)s.ptr[i + 1] < 0xa0);
	}
	return ok;
}

/* Takes a line apart as git does. */
static void understand(line *l) {
	rhx_str s = l->text;
	const char *end = s.ptr + s.len, *proto = find(s, "://");
	if (!proto || proto == s.ptr) return;
	const char *auth = proto + 3, *slash = auth;
	while (slash < end && *slash != '/' && *slash != '?' && *slash != '#') slash++;
	const char *at = memchr(auth, '@', (size_t)(slash - auth)), *colon = memchr(auth, ':', (size_t)(slash - auth));
	if (!at || !colon || colon > at || at + 1 == slash) return;
	rhx_str user = decode(between(auth, colon)), password = decode(between(colon + 1, at)), rest = between(at + 1, end);
	if (memchr(at + 1, '@', (size_t)(slash - at - 1))) return; /* git would ask a host with an @ in its name */
	if (!user.ptr || !password.ptr || !decode(rest).ptr || !rhx_utf8(s) || !rhx_utf8(user) || !rhx_utf8(password)) return;
	rhx_buf url = {0};
	rhx_add_str(&url, between(s.ptr, auth));
	rhx_add_str(&url, rest);
	l->profile = name(rhx_bytes(&url), user, password);
	if (!nameable(l->profile)) return;
	l->url = rhx_bytes(&url);
	l->user = user;
	l->password = password;
}

static line *read_lines(const rhx_request *req, size_t *n) {
	if (req->nfiles != 1) rhx_fail(RHX_UNSUPPORTED, "the request does not have exactly one file", (rhx_str){0}, 0);
	rhx_str s = req->files[0].content;
	size_t lines = 1;
	for (size_t i = 0; i < s.len; i++) lines += s.ptr[i] == '\n';
	if (lines > most) rhx_fail(RHX_UNSUPPORTED, "the file has more than 2000 lines", req->files[0].path, 0);
	line *out = rhx_alloc(sizeof *out * lines);
	*n = 0;
	for (const char *p = s.ptr, *end = s.ptr + s.len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
		line *l = &out[(*n)++];
		l->text = between(p, stop);
		l->ending = nl ? between(nl, nl + 1) : (rhx_str){"", 0};
		understand(l);
		p = stop + l->ending.len;
	}
	return out;
}

static void extract(const rhx_request *req) {
	size_t n, found = 0;
	line *l = read_lines(req, &n);
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;
		if (!l[i].user.ptr || (req->profile.len && !rhx_eq(req->profile, l[i].profile))) continue;
		while (j < i && !(l[j].user.ptr && rhx_eq(l[j].profile, l[i].profile))) j++;
		if (j < i) continue; /* git takes the first */
		if (++found > 1000) rhx_fail(RHX_UNSUPPORTED, "the file has more than 1000 credentials", req->files[0].path, (unsigned)i + 1);
		rhx_secret(l[i].profile);
		rhx_value("url", l[i].url, RHX_PUBLIC);
		rhx_value("username", l[i].user, token(l[i].user, l[i].password) ? RHX_SECRET : RHX_PUBLIC);
		rhx_value("password", l[i].password, RHX_SECRET);
	}
}

static void render(const rhx_request *req) {
	const rhx_str none = {0};
	rhx_str url = rhx_secret_value(req, "url"), user = rhx_secret_value(req, "username"), password = rhx_secret_value(req, "password");
	if (!url.ptr || !user.ptr || !password.ptr) rhx_fail(RHX_UNSUPPORTED, "a git credential needs url, username and password", none, 0);
	for (size_t i = 0; i < req->nvalues; i++)
		if (!rhx_eq(req->values[i].key, RHX_STR("url")) && !rhx_eq(req->values[i].key, RHX_STR("username")) && !rhx_eq(req->values[i].key, RHX_STR("password")))
			rhx_fail(RHX_UNSUPPORTED, "a git credential holds url, username and password only", none, 0);
	const char *scheme = find(url, "://");
	rhx_buf b = {0};
	if (!scheme || scheme == url.ptr) rhx_fail(RHX_UNSUPPORTED, "the url has no protocol, such as https://", none, 0);
	rhx_add_str(&b, between(url.ptr, scheme + 3));
	encode(&b, user, "");
	rhx_add_str(&b, RHX_STR(":"));
	encode(&b, password, "");
	rhx_add_str(&b, RHX_STR("@"));
	rhx_add_str(&b, between(scheme + 3, url.ptr + url.len));
	line wanted = {.text = rhx_bytes(&b)};
	if (!memchr(wanted.text.ptr, '\n', wanted.text.len)) understand(&wanted);
	if (!wanted.user.ptr || !rhx_eq(wanted.url, url) || !rhx_eq(wanted.user, user) || !rhx_eq(wanted.password, password))
		rhx_fail(RHX_UNSUPPORTED, "a value cannot stand in a git credential", none, 0);
	if (!rhx_eq(req->secret_profile, wanted.profile))
		rhx_fail(RHX_UNSUPPORTED, "the profile of a git credential is its url without https:// and with the user: USER@HOST/PATH; without the user where that is a token", none, 0);

	size_t n;
	line *l = read_lines(req, &n);
	int done = 0;
	rhx_buf out = {0};
	for (size_t i = 0; i < n; i++) {
		if (!done && l[i].user.ptr && rhx_eq(l[i].profile, wanted.profile)) {
			done = 1;
			if (!rhx_eq(l[i].password, password) || !rhx_eq(l[i].user, user)) l[i].text = wanted.text;
		}
		rhx_add_str(&out, l[i].text);
		rhx_add_str(&out, l[i].ending);
	}
	if (!done) {
		if (n && !l[n - 1].ending.len) rhx_add_str(&out, RHX_STR("\n"));
		rhx_add_str(&out, wanted.text);
		rhx_add_str(&out, RHX_STR("\n"));
	}
	rhx_put_file(req->files[0].path, rhx_bytes(&out), 0600);
}

int main(void) {
	static const rhx_provider p = {"gitcredentials", "1", extract, render};
	return rhx_main(&p);
}
