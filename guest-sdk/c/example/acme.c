// The example provider: ~/.acme/credentials has a section for each profile, with
// token and user:
//
//     [default]
//     user = alice
//     token = ...
//
// SPDX-License-Identifier: Apache-2.0
#include "rhx.h"

typedef struct {
	rhx_str raw;        // the line with its newline
	rhx_str key, value; // of KEY = VALUE; of a section, key is its name
	enum { OTHER, SECTION, PAIR, BROKEN } kind;
} line;

static rhx_str trim(rhx_str s) {
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) s.ptr++, s.len--;
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t' || s.ptr[s.len - 1] == '\r')) s.len--;
	return s;
}

// next takes the first line off *rest.
static line next(rhx_str *rest) {
	line l = {.kind = OTHER};
	size_t n = 0;
	while (n < rest->len && rest->ptr[n] != '\n') n++;
	rhx_str text = trim((rhx_str){rest->ptr, n});
	if (n < rest->len) n++;
	l.raw = (rhx_str){rest->ptr, n};
	rest->ptr += n, rest->len -= n;
	if (!text.len || text.ptr[0] == '#') return l;
	l.kind = BROKEN;
	if (text.ptr[0] == '[') {
		if (text.ptr[text.len - 1] == ']' && text.len > 2) l.kind = SECTION, l.key = (rhx_str){text.ptr + 1, text.len - 2};
		return l;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '=') continue;
		l.kind = PAIR;
		l.key = trim((rhx_str){text.ptr, i});
		l.value = trim((rhx_str){text.ptr + i + 1, text.len - i - 1});
		break;
	}
	return l;
}

static int known(rhx_str key) { return rhx_eq(key, RHX_STR("token")) || rhx_eq(key, RHX_STR("user")); }

// check ends the request where a line is broken, or a profile or key is there twice.
static void check(const rhx_file *f) {
	rhx_str rest = f->content, seen[256];
	size_t n = 0;
	int in = 0, token = 0, user = 0;
	for (unsigned number = 1; rest.len; number++) {
		line l = next(&rest);
		if (l.kind == BROKEN) rhx_fail(RHX_INVALID, "neither [PROFILE] nor KEY = VALUE", f->path, number);
		if (l.kind == PAIR) {
			if (!in) rhx_fail(RHX_INVALID, "a key before the first [PROFILE]", f->path, number);
			if (rhx_eq(l.key, RHX_STR("token")) && token++) rhx_fail(RHX_INVALID, "a second token", f->path, number);
			if (rhx_eq(l.key, RHX_STR("user")) && user++) rhx_fail(RHX_INVALID, "a second user", f->path, number);
		}
		if (l.kind == SECTION) {
			for (size_t i = 0; i < n; i++)
				if (rhx_eq(seen[i], l.key)) rhx_fail(RHX_INVALID, "a second section of this name", f->path, number);
			if (n == 256) rhx_fail(RHX_UNSUPPORTED, "more than 256 profiles", f->path, number);
			seen[n++] = l.key;
			in = 1, token = user = 0;
		}
	}
}

static void extract(const rhx_request *req) {
	const rhx_file *f = &req->files[0];
	check(f);
	rhx_str profile = {0}; // of a section that has had no value yet
	for (rhx_str rest = f->content; rest.len;) {
		line l = next(&rest);
		if (l.kind == SECTION) profile = l.key;
		if (l.kind != PAIR || !known(l.key)) continue;
		if (profile.len) rhx_secret(profile);
		profile.len = 0;
		if (rhx_eq(l.key, RHX_STR("user"))) rhx_value("user", l.value, RHX_PUBLIC);
		else rhx_value("token", l.value, RHX_SECRET);
	}
}

static void put(rhx_buf *b, rhx_pair p) {
	rhx_add_str(b, p.key);
	rhx_add(b, " = ", 3);
	rhx_add_str(b, p.value);
	rhx_add(b, "\n", 1);
}

// one ends the request where a text does not fit into its place on a line.
static void one(rhx_str s, const char *bad) {
	rhx_str t = trim(s);
	if (t.len != s.len) rhx_fail(RHX_UNSUPPORTED, "space at the ends cannot be kept", (rhx_str){0}, 0);
	for (size_t i = 0; i < s.len; i++)
		for (const char *c = bad; *c; c++)
			if (s.ptr[i] == *c) rhx_fail(RHX_UNSUPPORTED, "a character that the file cannot hold", (rhx_str){0}, 0);
}

// missing adds the values that the section did not have.
static void missing(rhx_buf *b, const rhx_request *req, const int *done) {
	if (b->len && b->ptr[b->len - 1] != '\n') rhx_add(b, "\n", 1);
	for (size_t i = 0; i < req->nvalues; i++)
		if (!done[i]) put(b, req->values[i]);
}

// Lines of other profiles, comments and unknown keys stay as they are.
static void render(const rhx_request *req) {
	const rhx_file *f = &req->files[0];
	check(f);
	rhx_str profile = req->secret_profile.len ? req->secret_profile : RHX_STR("default");
	one(profile, "]\n\r");
	int *done = rhx_alloc((req->nvalues + 1) * sizeof *done);
	for (size_t i = 0; i < req->nvalues; i++) {
		if (!known(req->values[i].key)) rhx_fail(RHX_UNSUPPORTED, "only token and user can be kept", f->path, 0);
		one(req->values[i].value, "\n\r");
	}
	rhx_buf b = {0};
	int here = 0, found = 0;
	for (rhx_str rest = f->content; rest.len;) {
		line l = next(&rest);
		if (l.kind == SECTION) {
			if (here) missing(&b, req, done);
			here = rhx_eq(l.key, profile);
			found |= here;
		}
		if (!here || l.kind != PAIR || !known(l.key)) {
			rhx_add_str(&b, l.raw);
			continue;
		}
		for (size_t i = 0; i < req->nvalues; i++) {
			if (!rhx_eq(req->values[i].key, l.key)) continue;
			done[i] = 1;
			if (rhx_eq(req->values[i].value, l.value)) rhx_add_str(&b, l.raw);
			else put(&b, req->values[i]);
		}
	}
	if (!found) {
		if (b.len && b.ptr[b.len - 1] != '\n') rhx_add(&b, "\n", 1);
		rhx_add(&b, "[", 1);
		rhx_add_str(&b, profile);
		rhx_add(&b, "]\n", 2);
		here = 1;
	}
	if (here) missing(&b, req, done);
	rhx_put_file(f->path, rhx_bytes(&b), 0600);
}

int main(void) {
	static const rhx_provider p = {"acme", "1", extract, render};
	return rhx_main(&p);
}
