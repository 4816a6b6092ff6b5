/* mylogin.c - the login path file of MySQL, ~/.mylogin.cnf, as an rhx provider.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The file, written by mysql_config_editor and read by every MySQL client:
 *
 *     4 bytes   unused, zero
 *     20 bytes  key; XORed into 16 bytes (byte i into byte i mod 16) it is the
 *               AES-128 key. It hides the text from a glance, not from a reader.
 *     then for each line:
 *     4 bytes   length of what follows, little-endian
 *     n bytes   the line with its newline, AES-128-ECB, PKCS #7 padding
 *
 * The lines are an option file: [LOGIN PATH] then NAME = VALUE. Clients take
 * quotes off a value and undo the escapes \n \t \r \b \s \" \' \\ in it; there
 * are no comments after values. What is read here is what they read: the last
 * of several equal names counts, and sections of one name are one login path.
 *
 * A change encrypts only the lines that it changes; all others stay as they are
 * to the byte, and so does the key. New values are quoted as MySQL 8 quotes
 * them, with backslashes escaped, which MySQL's own editor forgets. A new file
 * takes its key from random_get, which is a constant inside rhx: the key stands
 * in the file in clear, so a guessable one loses nothing.
 */
#include "../../guest-sdk/c/rhx.h"
#include "aes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	key_at = 4,
	key_len = 20,
	header = key_at + key_len,
	longest = 4080, /* of one encrypted line; clients refuse more than 4095 */
	most_paths = 1000
};

/* The options of a login path, in the order in which MySQL writes them. */
static const struct {
	const char *name;
	int kind, quoted;
} options[] = {{"user", RHX_PUBLIC, 1}, {"password", RHX_SECRET, 1}, {"host", RHX_PUBLIC, 1}, {"socket", RHX_PUBLIC, 1}, {"port", RHX_PUBLIC, 0}};
enum { n_options = sizeof options / sizeof options[0] };

/* One line of the file: its record as stored, and what it says. */
typedef struct {
	rhx_str record;  /* with the length in front */
	rhx_str section; /* the name in [NAME]; ptr is NULL for other lines */
	int option;      /* index into options, -1 for other lines */
	rhx_str value;   /* ptr is NULL where there is no = */
} line;

typedef struct {
	rhx_str path;
	char head[header];
	aes_key aes;
	line *lines;
	size_t n;
} file;

static int blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static rhx_str trim(rhx_str s) {
	while (s.len && blank(s.ptr[0])) s.ptr++, s.len--;
	while (s.len && blank(s.ptr[s.len - 1])) s.len--;
	return s;
}

static void use_key(file *f) {
	uint8_t k[16] = {0};
	for (int i = 0; i < key_len; i++) k[i % 16] ^= (uint8_t)f->head[key_at + i];
	aes_init(&f->aes, k, 16);
}

/* --- Reading -------------------------------------------------------------- */

/* Takes the quotes and escapes off a value as MySQL's clients do
 * (mysys/my_default.cc). */
static rhx_str unquote(rhx_str s) {
	if (s.len > 1 && (s.ptr[0] == '"' || s.ptr[0] == '\'') && s.ptr[0] == s.ptr[s.len - 1]) s.ptr++, s.len -= 2;
	char *out = rhx_alloc(s.len);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '\\' && i + 1 < s.len) {
			switch (c = s.ptr[++i]) {
			case 'n': c = '\n'; break;
			case 't': c = '\t'; break;
			case 'r': c = '\r'; break;
			case 'b': c = '\b'; break;
			case 's': c = ' '; break;
			case '"': case '\'': case '\\': break;
			default: out[n++] = '\\'; /* an unknown escape stands for itself */
			}
		}
		out[n++] = c;
	}
	return (rhx_str){out, n};
}

/* Says what a decrypted line is. in_section is whether one has begun. */
static void understand(const file *f, line *l, rhx_str text, int in_section, unsigned number) {
	l->option = -1;
	text = trim(text);
	if (!text.len || text.ptr[0] == '#' || text.ptr[0] == ';' || text.ptr[0] == '!') return;
	if (text.ptr[0] == '[') {
		const char *end = memchr(text.ptr, ']', text.len);
		if (!end) rhx_fail(RHX_INVALID, "a section has no closing bracket", f->path, number);
		rhx_str name = {text.ptr + 1, (size_t)(end - text.ptr - 1)};
		while (name.len && blank(name.ptr[name.len - 1])) name.len--;
		if (!rhx_utf8(name)) rhx_fail(RHX_UNSUPPORTED, "the name of a login path is not UTF-8", f->path, number);
		l->section = name;
		return;
	}
	if (!in_section) rhx_fail(RHX_INVALID, "an option stands before the first section", f->path, number);
	const char *equals = memchr(text.ptr, '=', text.len);
	rhx_str name = text;
	if (equals) name = trim((rhx_str){text.ptr, (size_t)(equals - text.ptr)});
	for (int i = 0; i < n_options; i++)
		if (rhx_eq(name, rhx_of(options[i].name))) l->option = i;
	if (l->option >= 0 && equals) {
		l->value = unquote(trim((rhx_str){equals + 1, (size_t)(text.ptr + text.len - equals - 1)}));
		if (!rhx_utf8(l->value)) rhx_fail(RHX_UNSUPPORTED, "a value is not UTF-8", f->path, number);
	}
}

/* Decrypts one record into new memory and takes the padding off. */
static rhx_str unseal(const file *f, rhx_str cipher, unsigned number) {
	uint8_t *p = rhx_alloc(cipher.len);
	memcpy(p, cipher.ptr, cipher.len);
	for (size_t i = 0; i < cipher.len; i += 16) aes_decrypt(&f->aes, p + i);
	uint8_t pad = p[cipher.len - 1];
	int bad = pad < 1 || pad > 16;
	for (size_t i = 1; !bad && i <= pad; i++) bad = p[cipher.len - i] != pad;
	if (bad) rhx_fail(RHX_INVALID, "a line does not decrypt: its padding is wrong", f->path, number);
	rhx_str text = {(char *)p, cipher.len - pad};
	if (text.len && memchr(text.ptr, 0, text.len)) rhx_fail(RHX_INVALID, "a line has a zero byte", f->path, number);
	return text;
}

static void read_file(const rhx_request *req, file *f) {
	if (req->nfiles != 1) rhx_fail(RHX_UNSUPPORTED, "the request does not have exactly one file", (rhx_str){0}, 0);
	rhx_str data = req->files[0].content;
	f->path = req->files[0].path;
	if (!req->files[0].exists || !data.len) {
		if (getentropy(f->head + key_at, key_len)) rhx_fail(RHX_UNSUPPORTED, "no random bytes for a new key", f->path, 0);
		for (int i = 0; i < key_len; i++) f->head[key_at + i] &= 31; /* the range that MySQL uses */
		use_key(f);
		return;
	}
	if (data.len < header) rhx_fail(RHX_INVALID, "the file ends within its key", f->path, 0);
	memcpy(f->head, data.ptr, header);
	use_key(f);
	f->lines = rhx_alloc(sizeof(line) * ((data.len - header) / 20 + 1));
	int in_section = 0;
	for (size_t at = header; at < data.len;) {
		unsigned number = (unsigned)f->n + 1;
		const uint8_t *p = (const uint8_t *)data.ptr + at;
		if (data.len - at < 4) rhx_fail(RHX_INVALID, "the file ends within the length of a line", f->path, number);
		uint32_t len = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		if (len == 0 || len % 16 || len > longest) rhx_fail(RHX_INVALID, "the length of a line is wrong", f->path, number);
		if (data.len - at - 4 < len) rhx_fail(RHX_INVALID, "the file ends within a line", f->path, number);
		line *l = &f->lines[f->n++];
		l->record = (rhx_str){data.ptr + at, 4 + len};
		understand(f, l, unseal(f, (rhx_str){data.ptr + at + 4, len}, number), in_section, number);
		in_section |= l->section.ptr != NULL;
		at += 4 + len;
	}
}

static void extract(const rhx_request *req) {
	file f = {0};
	struct path {
		rhx_str name, values[n_options];
	} *paths;
	size_t n = 0, at = 0;
	if (req->nfiles && !req->files[0].exists) return;
	read_file(req, &f);
	for (size_t i = 0; i < f.n; i++) n += f.lines[i].section.ptr != NULL;
	paths = rhx_alloc(sizeof *paths * (n < most_paths ? n : most_paths));
	n = 0;
	for (size_t i = 0; i < f.n; i++) {
		const line *l = &f.lines[i];
		if (l->section.ptr) {
			for (at = 0; at < n && !rhx_eq(paths[at].name, l->section); at++) {}
			if (at == most_paths) rhx_fail(RHX_UNSUPPORTED, "the file has more than 1000 login paths", f.path, (unsigned)i + 1);
			if (at == n) paths[n++].name = l->section;
		} else if (l->option >= 0) {
			paths[at].values[l->option] = l->value;
		}
	}
	for (size_t i = 0; i < n; i++) {
		int begun = 0;
		if (req->profile.len && !rhx_eq(req->profile, paths[i].name)) continue;
		for (int o = 0; o < n_options; o++) {
			if (!paths[i].values[o].ptr) continue;
			if (!begun++) rhx_secret(paths[i].name);
			rhx_value(options[o].name, paths[i].values[o], options[o].kind);
		}
	}
}

/* --- Writing -------------------------------------------------------------- */

/* Returns the record of one line of text, which has its newline. */
static rhx_str seal(const file *f, rhx_str text) {
	size_t n = text.len / 16 * 16 + 16;
	if (n > longest) rhx_fail(RHX_UNSUPPORTED, "a value is too long for a login path: MySQL reads lines of at most 4079 bytes", f->path, 0);
	uint8_t *p = rhx_alloc(4 + n);
	p[0] = (uint8_t)n;
	p[1] = (uint8_t)(n >> 8);
	memcpy(p + 4, text.ptr, text.len);
	memset(p + 4 + text.len, (int)(n - text.len), n - text.len);
	for (size_t i = 0; i < n; i += 16) aes_encrypt(&f->aes, p + 4 + i);
	return (rhx_str){(char *)p, 4 + n};
}

static rhx_str assignment(const file *f, int option, rhx_str value) {
	rhx_buf b = {0};
	int quoted = options[option].quoted;
	for (size_t i = 0; i < value.len; i++) quoted |= value.ptr[i] < '0' || value.ptr[i] > '9';
	rhx_add_str(&b, rhx_of(options[option].name));
	rhx_add_str(&b, quoted ? RHX_STR(" = \"") : RHX_STR(" = "));
	for (size_t i = 0; i < value.len; i++) {
		static const char raw[] = "\n\t\r\b\"\\", name[] = "ntrb\"\\";
		const char *e = value.ptr[i] ? strchr(raw, value.ptr[i]) : NULL;
		if (!value.ptr[i]) rhx_fail(RHX_UNSUPPORTED, "a value has a zero byte, which a login path cannot hold", f->path, 0);
		if (e) {
			rhx_add(&b, "\\", 1);
			rhx_add(&b, &name[e - raw], 1);
		} else {
			rhx_add(&b, &value.ptr[i], 1);
		}
	}
	rhx_add_str(&b, quoted ? RHX_STR("\"\n") : RHX_STR("\n"));
	return seal(f, rhx_bytes(&b));
}

static void check_secret(const rhx_request *req, rhx_str name) {
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] == ']' || (unsigned char)name.ptr[i] < ' ') name.len = 0;
	if (!name.len || blank(name.ptr[name.len - 1])) rhx_fail(RHX_UNSUPPORTED, "this profile's name cannot be the name of a login path", (rhx_str){0}, 0);
	for (size_t i = 0; i < req->nvalues; i++) {
		int known = 0;
		for (int o = 0; o < n_options; o++) known |= rhx_eq(req->values[i].key, rhx_of(options[o].name));
		if (!known) rhx_fail(RHX_UNSUPPORTED, "a login path holds user, password, host, port and socket only", (rhx_str){0}, 0);
	}
}

static void render(const rhx_request *req) {
	file f = {0};
	rhx_str name = req->secret_profile.len ? req->secret_profile : RHX_STR("client");
	rhx_str wanted[n_options], added[n_options] = {{0}};
	size_t last[n_options], end = 0; /* index + 1 of the last such line; of where to add */
	rhx_buf out = {0};
	int inside = 0;
	check_secret(req, name);
	read_file(req, &f);
	memset(last, 0, sizeof last);
	for (size_t i = 0; i < f.n; i++) {
		const line *l = &f.lines[i];
		if (l->section.ptr) inside = rhx_eq(l->section, name);
		if (inside && (l->section.ptr || l->option >= 0)) end = i + 1;
		if (inside && l->option >= 0) last[l->option] = i + 1;
	}
	for (int o = 0; o < n_options; o++) {
		wanted[o] = rhx_secret_value(req, options[o].name);
		if (!wanted[o].ptr) continue;
		line *l = last[o] ? &f.lines[last[o] - 1] : NULL;
		if (!l) added[o] = assignment(&f, o, wanted[o]);
		else if (!l->value.ptr || !rhx_eq(l->value, wanted[o])) l->record = assignment(&f, o, wanted[o]);
	}
	rhx_add(&out, f.head, header);
	for (size_t i = 0; i <= f.n; i++) {
		if (i) rhx_add_str(&out, f.lines[i - 1].record);
		if (end ? i != end : i != f.n) continue;
		if (!end) {
			rhx_buf b = {0};
			rhx_add_str(&b, RHX_STR("["));
			rhx_add_str(&b, name);
			rhx_add_str(&b, RHX_STR("]\n"));
			rhx_add_str(&out, seal(&f, rhx_bytes(&b)));
		}
		for (int o = 0; o < n_options; o++) rhx_add_str(&out, added[o]);
	}
	rhx_put_file(f.path, rhx_bytes(&out), 0600);
}

int main(void) {
	static const rhx_provider p = {"mylogin", "1", extract, render};
	return rhx_main(&p);
}
