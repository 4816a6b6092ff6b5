// The example provider: ~/.acme/credentials has a section for each profile, with
// token and user:
//
//     [default]
//     user = alice
//     token = ...
//
// A value is the rest of its line, without the space around it; nothing is quoted.
//
// SPDX-License-Identifier: Apache-2.0
#include "rhx.h"

// A cursor over the lines of a file. It keeps nothing, so that a file of a million
// lines costs no memory.
typedef struct {
	rhx_str rest;
	unsigned number;    // of the line, from 1
	rhx_str raw;        // the line with its end
	rhx_str key, value; // of KEY = VALUE
	rhx_str profile;    // of the section that the line is in; its ptr is NULL before the first
	enum { BLANK, COMMENT, SECTION, PAIR, BROKEN } kind;
} cursor;

static cursor lines(const rhx_file *f) { return (cursor){.rest = f->content}; }

static rhx_str trim(rhx_str s) {
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) s.ptr++, s.len--;
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t' || s.ptr[s.len - 1] == '\r')) s.len--;
	return s;
}

// is_name reports whether a section can have this name.
static int is_name(rhx_str s) {
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) return 0;
	return s.len > 0 && s.len <= 256 && trim(s).len == s.len;
}

static int next(cursor *c) {
	size_t n = 0;
	if (!c->rest.len) return 0;
	while (n < c->rest.len && c->rest.ptr[n] != '\n') n++;
	rhx_str text = trim((rhx_str){c->rest.ptr, n});
	if (n < c->rest.len) n++;
	c->raw = (rhx_str){c->rest.ptr, n};
	c->rest.ptr += n, c->rest.len -= n;
	c->number++;
	c->kind = BROKEN;
	if (!text.len) {
		c->kind = BLANK;
	} else if (text.ptr[0] == '#') {
		c->kind = COMMENT;
	} else if (text.ptr[0] == '[') {
		if (text.len < 3 || text.ptr[text.len - 1] != ']') return 1;
		rhx_str name = trim((rhx_str){text.ptr + 1, text.len - 2});
		if (is_name(name)) c->kind = SECTION, c->profile = name;
	} else {
		for (size_t i = 0; i < text.len; i++) {
			if (text.ptr[i] != '=') continue;
			c->kind = PAIR;
			c->key = trim((rhx_str){text.ptr, i});
			c->value = trim((rhx_str){text.ptr + i + 1, text.len - i - 1});
			break;
		}
	}
	return 1;
}

static int is_token(const cursor *c) { return c->kind == PAIR && rhx_eq(c->key, RHX_STR("token")); }
static int is_user(const cursor *c) { return c->kind == PAIR && rhx_eq(c->key, RHX_STR("user")); }

// check ends the request where a line is broken, or a profile or key is there twice.
static void check(const rhx_file *f) {
	rhx_str seen[256];
	size_t n = 0;
	int token = 0, user = 0;
	for (cursor c = lines(f); next(&c);) {
		if (c.kind == BROKEN) rhx_fail(RHX_INVALID, "neither [PROFILE] nor KEY = VALUE", f->path, c.number);
		if (c.kind == PAIR && !c.profile.len) rhx_fail(RHX_INVALID, "a key before the first [PROFILE]", f->path, c.number);
		if (is_token(&c) && token++) rhx_fail(RHX_INVALID, "a second token", f->path, c.number);
		if (is_user(&c) && user++) rhx_fail(RHX_INVALID, "a second user", f->path, c.number);
		if ((is_token(&c) || is_user(&c)) && !rhx_utf8(c.value)) rhx_fail(RHX_UNSUPPORTED, "a value is not UTF-8", f->path, c.number);
		if (c.kind == SECTION) {
			if (!rhx_utf8(c.profile)) rhx_fail(RHX_UNSUPPORTED, "a profile's name is not UTF-8", f->path, c.number);
			for (size_t i = 0; i < n; i++)
				if (rhx_eq(seen[i], c.profile)) rhx_fail(RHX_INVALID, "a second section of this name", f->path, c.number);
			if (n == 256) rhx_fail(RHX_UNSUPPORTED, "more than 256 profiles", f->path, c.number);
			seen[n++] = c.profile;
			token = user = 0;
		}
	}
}

static const rhx_file *file(const rhx_request *req) {
	if (!req->nfiles) rhx_fail(RHX_INVALID, "the request has no file", (rhx_str){0}, 0);
	check(&req->files[0]);
	return &req->files[0];
}

static void extract(const rhx_request *req) {
	int begun = 0;
	for (cursor c = lines(file(req)); next(&c);) {
		if (c.kind == SECTION) begun = 0;
		if (!is_token(&c) && !is_user(&c)) continue;
		if (req->profile.len && !rhx_eq(req->profile, c.profile)) continue; // another one is wanted
		if (!begun) rhx_secret(c.profile);
		begun = 1;
		if (is_user(&c)) rhx_value("user", c.value, RHX_PUBLIC);
		else rhx_value("token", c.value, RHX_SECRET);
	}
}

// fits ends the request where a value cannot be written on a line.
static void fits(const rhx_file *f, rhx_str s) {
	if (trim(s).len != s.len) rhx_fail(RHX_UNSUPPORTED, "space at the ends of a value cannot be kept", f->path, 0);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\n' || s.ptr[i] == '\r') rhx_fail(RHX_UNSUPPORTED, "a line break in a value cannot be kept", f->path, 0);
}

static void add(rhx_buf *b, const char *key, rhx_str value, rhx_str eol) {
	if (!value.ptr) return;
	rhx_add_str(b, rhx_of(key));
	rhx_add(b, " = ", 3);
	rhx_add_str(b, value);
	rhx_add_str(b, eol);
}

// end_line ends a last line that has no line break.
static void end_line(rhx_buf *b, rhx_str eol) {
	if (b->len && b->ptr[b->len - 1] != '\n') rhx_add_str(b, eol);
}

// render replaces values where they are and adds new ones at the section's end.
// Every other byte stays as it is.
static void render(const rhx_request *req) {
	const rhx_file *f = file(req);
	rhx_str profile = req->secret_profile.len ? req->secret_profile : RHX_STR("default");
	rhx_str token = rhx_secret_value(req, "token"), user = rhx_secret_value(req, "user");
	if (!is_name(profile)) rhx_fail(RHX_UNSUPPORTED, "no section can have the profile's name", f->path, 0);
	for (size_t i = 0; i < req->nvalues; i++) {
		if (!rhx_eq(req->values[i].key, RHX_STR("token")) && !rhx_eq(req->values[i].key, RHX_STR("user")))
			rhx_fail(RHX_UNSUPPORTED, "only token and user can be kept", f->path, 0);
		fits(f, req->values[i].value);
	}

	// The section's last line that is not blank, and what the section lacks.
	rhx_str new_token = token, new_user = user, eol = RHX_STR("\n");
	unsigned last = 0;
	for (cursor c = lines(f); next(&c);) {
		if (c.number == 1 && c.raw.len > 1 && c.raw.ptr[c.raw.len - 2] == '\r' && c.raw.ptr[c.raw.len - 1] == '\n') eol = RHX_STR("\r\n");
		if (!rhx_eq(c.profile, profile) || c.kind == BLANK) continue;
		last = c.number;
		if (is_token(&c)) new_token.ptr = NULL;
		if (is_user(&c)) new_user.ptr = NULL;
	}

	rhx_buf b = {0};
	for (cursor c = lines(f); next(&c);) {
		rhx_str v = is_token(&c) ? token : user;
		if (!rhx_eq(c.profile, profile) || !(is_token(&c) || (is_user(&c) && v.ptr))) {
			rhx_add_str(&b, c.raw);
		} else if (v.ptr) { // a token that the secret lacks goes; a user stays
			const char *end = c.value.ptr + c.value.len;
			rhx_add(&b, c.raw.ptr, (size_t)(c.value.ptr - c.raw.ptr));
			rhx_add_str(&b, v);
			rhx_add(&b, end, (size_t)(c.raw.ptr + c.raw.len - end));
		}
		if (c.number != last) continue;
		if (new_token.ptr || new_user.ptr) end_line(&b, eol);
		add(&b, "user", new_user, eol);
		add(&b, "token", new_token, eol);
	}
	if (!last) {
		end_line(&b, eol);
		rhx_add(&b, "[", 1);
		rhx_add_str(&b, profile);
		rhx_add(&b, "]", 1);
		rhx_add_str(&b, eol);
		add(&b, "user", user, eol);
		add(&b, "token", token, eol);
	}
	rhx_put_file(f->path, rhx_bytes(&b), 0600);
}

int main(void) {
	static const rhx_provider p = {"acme", "1", extract, render};
	return rhx_main(&p);
}
