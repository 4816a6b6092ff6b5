/* pgpass.c - the password file of PostgreSQL, ~/.pgpass, as an rhx provider.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each line is HOST:PORT:DATABASE:USER:PASSWORD; a field may be * for any, and a
 * backslash makes the next character plain (libpq's fe-connect.c,
 * passwordFromFile). Lines that begin with # are comments. libpq takes the first
 * line that fits.
 *
 * A profile is the first four fields as they are in the file, without *'s
 * meaning: db.example:5432:app:alice. A change writes the password of that
 * line and leaves every other byte; a new line goes to the end, but before the
 * first line with a *, which libpq would take instead.
 */
#include "../../guest-sdk/c/rhx.h"

#include <string.h>

enum { most = 2000 };

/* A line; profile has a NULL ptr where it is none of five fields. */
typedef struct {
	rhx_str text, ending;
	rhx_str profile, password;
	size_t start, stop; /* of the password's text */
	int any;
} line;

/* Whether rhx takes s as a profile's name: short, and without control characters. */
static int nameable(rhx_str s) {
	int ok = s.len <= 200;
	for (size_t i = 0; ok && i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		ok = c >= ' ' && c != 0x7f && !(c == 0xc2 && i + 1 < s.len && (unsigned char)s.ptr[i + 1] < 0xa0);
	}
	return ok;
}

static void understand(line *l) {
	rhx_str s = l->text;
	size_t i = 0;
	int fields = 0;
	if (!s.len || s.ptr[0] == '#' || !rhx_utf8(s)) return;
	for (size_t from = 0; i < s.len && fields < 4; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len) {
			i++;
		} else if (s.ptr[i] == ':') {
			l->any |= i == from + 1 && s.ptr[from] == '*';
			from = i + 1;
			fields++;
		}
	}
	if (fields < 4 || !nameable((rhx_str){s.ptr, i - 1})) return;
	l->start = i;
	char *out = rhx_alloc(s.len);
	size_t n = 0;
	for (; i < s.len && s.ptr[i] != ':'; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len) i++;
		out[n++] = s.ptr[i];
	}
	l->stop = i;
	l->profile = (rhx_str){s.ptr, l->start - 1};
	l->password = (rhx_str){out, n};
}

static line *read_lines(const rhx_request *req, size_t *n) {
	if (req->nfiles != 1) rhx_fail(RHX_UNSUPPORTED, "the request does not have exactly one file", (rhx_str){0}, 0);
	rhx_str s = req->files[0].content;
	size_t lines = 1;
	for (size_t i = 0; i < s.len; i++) lines += s.ptr[i] == '\n';
	if (lines > most) rhx_fail(RHX_UNSUPPORTED, "the file has more than 2000 lines", req->files[0].path, 0);
	if (s.len && memchr(s.ptr, 0, s.len)) rhx_fail(RHX_INVALID, "the file has a zero byte", req->files[0].path, 0);
	line *out = rhx_alloc(sizeof *out * lines);
	*n = 0;
	for (const char *p = s.ptr, *end = s.ptr + s.len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end, *text = stop;
		line *l = &out[(*n)++];
		while (text > p && text[-1] == '\r') text--;
		l->text = (rhx_str){p, (size_t)(text - p)};
		l->ending = (rhx_str){text, (size_t)(stop - text) + (nl != NULL)};
		understand(l);
		p = stop + (nl != NULL);
	}
	return out;
}

static void extract(const rhx_request *req) {
	size_t n, found = 0;
	line *l = read_lines(req, &n);
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;
		if (!l[i].profile.ptr || (req->profile.len && !rhx_eq(req->profile, l[i].profile))) continue;
		while (j < i && !(l[j].profile.ptr && rhx_eq(l[j].profile, l[i].profile))) j++;
		if (j < i) continue; /* libpq takes the first */
		if (++found > 1000) rhx_fail(RHX_UNSUPPORTED, "the file has more than 1000 passwords", req->files[0].path, (unsigned)i + 1);
		rhx_secret(l[i].profile);
		rhx_value("password", l[i].password, RHX_SECRET);
	}
}

static void render(const rhx_request *req) {
	const rhx_str none = {0};
	rhx_str password = rhx_secret_value(req, "password");
	if (!password.ptr || req->nvalues != 1) rhx_fail(RHX_UNSUPPORTED, "a PostgreSQL password file holds password only", none, 0);
	rhx_buf escaped = {0}, b = {0};
	for (size_t i = 0; i < password.len; i++) {
		char c = password.ptr[i];
		if (!c || c == '\n' || c == '\r') rhx_fail(RHX_UNSUPPORTED, "a password of several lines, or with a zero byte, cannot stand in a password file", none, 0);
		if (c == ':' || c == '\\') rhx_add(&escaped, "\\", 1);
		rhx_add(&escaped, &c, 1);
	}
	rhx_add_str(&b, req->secret_profile);
	rhx_add_str(&b, RHX_STR(":"));
	rhx_add_str(&b, rhx_bytes(&escaped));
	line wanted = {.text = rhx_bytes(&b)};
	int broken = 0;
	for (size_t i = 0; i < b.len; i++) broken |= !b.ptr[i] || b.ptr[i] == '\n' || b.ptr[i] == '\r';
	if (!broken) understand(&wanted);
	if (!wanted.profile.ptr || !rhx_eq(wanted.profile, req->secret_profile) || !rhx_eq(wanted.password, password))
		rhx_fail(RHX_UNSUPPORTED, "the profile of a PostgreSQL password is HOST:PORT:DATABASE:USER", none, 0);

	size_t n, at, same = 0;
	line *l = read_lines(req, &n);
	rhx_buf out = {0};
	while (same < n && !(l[same].profile.ptr && rhx_eq(l[same].profile, wanted.profile))) same++;
	for (at = 0; at < n && (wanted.any || !l[at].any || !l[at].profile.ptr); at++) {}
	rhx_str ending = n && l[0].ending.len > 1 ? l[0].ending : RHX_STR("\n");
	for (size_t i = 0; i <= n; i++) {
		if (same == n && i == at) {
			if (i && !l[i - 1].ending.len) rhx_add_str(&out, ending);
			rhx_add_str(&out, wanted.text);
			rhx_add_str(&out, ending);
		}
		if (i == n) break;
		if (i == same && !rhx_eq(l[i].password, password)) {
			rhx_add(&out, l[i].text.ptr, l[i].start);
			rhx_add_str(&out, rhx_bytes(&escaped));
			rhx_add(&out, l[i].text.ptr + l[i].stop, l[i].text.len - l[i].stop);
		} else {
			rhx_add_str(&out, l[i].text);
		}
		rhx_add_str(&out, l[i].ending);
	}
	rhx_put_file(req->files[0].path, rhx_bytes(&out), 0600);
}

int main(void) {
	static const rhx_provider p = {"pgpass", "1", extract, render};
	return rhx_main(&p);
}
