/* rclone.c - rclone's configuration file, rclone.conf, as an rhx provider.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The file has a section for each remote, [NAME], and in it KEY = VALUE. It is
 * read as rclone reads it (github.com/unknwon/goconfig): lines are trimmed, # and
 * ; begin comment lines only, = and : both separate, a value in ` or """ is
 * quoted, the last of several equal keys counts, sections of one name are one
 * remote, options before every section are the remote DEFAULT.
 *
 * Values of the options below are obscured (rclone's fs/config/obscure): base64
 * with the alphabet of URLs and without padding, of a 16-byte IV and the text
 * under AES-256-CTR with a key that is in rclone's source. That hides a password
 * from a glance, not from a reader. They are revealed here and obscured again.
 * A value that did not change keeps its bytes and so its IV. The IV of a new one
 * is made of the remote's name, the option's and the value itself (CBC-MAC under
 * the same key), as a sandbox has no randomness: the same value gives the same
 * line on every machine, and two values never share an IV but by chance.
 *
 * Writing a remote changes the lines of its options and no other byte. Options
 * that the secret does not have go, unless they are public or empty: a remote is
 * not left with another account's token.
 *
 * Not read, and left as they are: options whose names rclone does not have, as
 * they need quotes, are "-", are very long or have control characters. Not supported: a file that is encrypted as a whole,
 * and %(NAME)s in a value, which rclone replaces.
 */
#include "../../guest-sdk/c/rhx.h"
#include "aes.h"

#include <string.h>

enum { most_remotes = 2000, most_options = 500, longest_name = 128 };

/* The options that rclone's backends (1.60 to 1.76) mark IsPassword. A type is
 * named where other backends have an option of that name which is not. */
static const struct {
	const char *key, *type;
} obscured[] = {
	{"pass", NULL}, {"password", NULL}, {"password2", NULL}, {"key_file_pass", NULL},
	{"plex_password", NULL}, {"file_password", NULL}, {"folder_password", NULL},
	{"secret", NULL}, {"library_key", NULL}, {"api_password", NULL},
	{"mailbox_password", NULL}, {"otp_secret_key", NULL},
	{"client_certificate_password", NULL}, {"api_key", "filen"},
};

/* Options that may be shown; specs/rclone.yaml has the same list. A url may have a
 * user and password in it, and a remote or upstreams options of its own. */
static const char *const public[] = {
	"type", "provider", "region", "endpoint", "host", "port", "user", "username",
	"account", "vendor", "description", "env_auth",
	"location_constraint", "acl", "storage_class", "scope", "root_folder_id", "team_drive",
	"drive_id", "drive_type", "client_id", "access_key_id", "project_number", "bucket_acl",
	"location", "domain", "tenant", "tenant_id", "auth", "auth_url", "tls", "explicit_tls",
	"key_file", "service_account_file", "filename_encryption", "directory_name_encryption",
	"shell_type", "md5sum_command", "sha1sum_command", "force_path_style",
	"no_check_bucket",
};

static const uint8_t key[32] = {
	0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b,
	0xd3, 0x90, 0x19, 0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
};

/* One line of the file, with its line break. */
typedef struct {
	rhx_str raw;
	rhx_str section; /* the name in [NAME]; ptr is NULL for other lines */
	rhx_str name;    /* of an option; ptr is NULL for other lines */
	rhx_str value;   /* of an option, without quotes */
	rhx_str text;    /* of an option: the value as it stands, with quotes */
} line;

typedef struct {
	rhx_str path, head; /* head is a byte order mark, or empty */
	line *lines;
	size_t n;
	aes_key aes;
} file;

static int in_list(rhx_str s, const char *const *list, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (rhx_eq(s, rhx_of(list[i]))) return 1;
	return 0;
}

static int is_public(rhx_str name) { return in_list(name, public, sizeof public / sizeof public[0]); }

static int is_obscured(rhx_str name, rhx_str type) {
	for (size_t i = 0; i < sizeof obscured / sizeof obscured[0]; i++)
		if (rhx_eq(name, rhx_of(obscured[i].key)) && (!obscured[i].type || rhx_eq(type, rhx_of(obscured[i].type)))) return 1;
	return 0;
}

/* --- Obscured values ------------------------------------------------------ */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Encrypts or decrypts in counter mode, which is the same. */
static void ctr(const aes_key *aes, const uint8_t iv[16], uint8_t *p, size_t n) {
	uint8_t counter[16], pad[16];
	memcpy(counter, iv, 16);
	for (size_t i = 0; i < n; i++) {
		if (i % 16 == 0) {
			memcpy(pad, counter, 16);
			aes_encrypt(aes, pad);
			for (int j = 15; j >= 0 && !++counter[j]; j--) {}
		}
		p[i] ^= pad[i % 16];
	}
}

/* Mixes a string into a MAC, its length first. */
static void mix(const aes_key *aes, uint8_t mac[16], rhx_str s) {
	uint8_t length[8];
	for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)s.len >> 8 * i);
	for (size_t i = 0; i < sizeof length + s.len; i++) {
		mac[i % 16] ^= i < sizeof length ? length[i] : (uint8_t)s.ptr[i - sizeof length];
		if (i % 16 == 15) aes_encrypt(aes, mac);
	}
	aes_encrypt(aes, mac);
}

static rhx_str obscure(const file *f, rhx_str remote_name, rhx_str name, rhx_str value) {
	size_t n = 16 + value.len;
	uint8_t *p = rhx_alloc(n);
	mix(&f->aes, p, remote_name);
	mix(&f->aes, p, name);
	mix(&f->aes, p, value);
	memcpy(p + 16, value.ptr, value.len);
	ctr(&f->aes, p, p + 16, value.len);
	rhx_buf b = {0};
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		char q[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63], alphabet[v & 63]};
		rhx_add(&b, q, n - i < 3 ? n - i + 1 : 4);
	}
	return rhx_bytes(&b);
}

/* Returns the text of an obscured value; ptr is NULL where it is not one. */
static rhx_str reveal(const file *f, rhx_str s) {
	uint8_t *p = rhx_alloc(s.len);
	size_t n = 0;
	unsigned v = 0, bits = 0;
	if (s.len % 4 == 1) return (rhx_str){0};
	for (size_t i = 0; i < s.len; i++) {
		const char *digit = s.ptr[i] ? strchr(alphabet, s.ptr[i]) : NULL;
		if (!digit) return (rhx_str){0};
		v = v << 6 | (unsigned)(digit - alphabet);
		bits += 6;
		if (bits < 8) continue;
		bits -= 8;
		p[n++] = (uint8_t)(v >> bits);
	}
	if (n < 16) return (rhx_str){0};
	ctr(&f->aes, p, p + 16, n - 16);
	return (rhx_str){(char *)p + 16, n - 16};
}

/* --- Reading -------------------------------------------------------------- */

/* The number of bytes of the white space (as Go's strings.TrimSpace has it) that
 * s begins with, 0 for none. */
static size_t blank(rhx_str s) {
	const unsigned char *p = (const unsigned char *)s.ptr;
	if (s.len && (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r'))) return 1;
	if (s.len > 1 && p[0] == 0xC2 && (p[1] == 0x85 || p[1] == 0xA0)) return 2;
	if (s.len < 3) return 0;
	unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
	if (v == 0xE19A80 || (v >= 0xE28080 && v <= 0xE2808A) || v == 0xE280A8 || v == 0xE280A9 || v == 0xE280AF || v == 0xE2819F || v == 0xE38080) return 3;
	return 0;
}

static rhx_str trim(rhx_str s) {
	size_t k;
	while ((k = blank(s))) s.ptr += k, s.len -= k;
	for (size_t n = 1; n <= 3 && n <= s.len;) {
		if (blank((rhx_str){s.ptr + s.len - n, n}) == n) s.len -= n, n = 1;
		else n++;
	}
	return s;
}

static int starts(rhx_str s, rhx_str with) { return s.len >= with.len && memcmp(s.ptr, with.ptr, with.len) == 0; }

static const char *find(rhx_str s, rhx_str what) {
	for (size_t i = 0; i + what.len <= s.len; i++)
		if (memcmp(s.ptr + i, what.ptr, what.len) == 0) return s.ptr + i;
	return NULL;
}

static const char *find_last(rhx_str s, rhx_str what) {
	for (size_t i = s.len + 1; i-- > 0;)
		if (i + what.len <= s.len && memcmp(s.ptr + i, what.ptr, what.len) == 0) return s.ptr + i;
	return NULL;
}

static rhx_str from(const char *p, rhx_str s) { return (rhx_str){p, (size_t)(s.ptr + s.len - p)}; }

/* Reports whether rclone would replace a part of a value: %(NAME)s. */
static int replaced(rhx_str s) {
	for (size_t i = 0; i + 1 < s.len; i++) {
		if (s.ptr[i] != '%' || s.ptr[i + 1] != '(') continue;
		const char *end = memchr(s.ptr + i + 2, ')', s.len - i - 2);
		if (!end) return 0;
		if (end > s.ptr + i + 2 && end + 1 < s.ptr + s.len && end[1] == 's') return 1;
	}
	return 0;
}

static int control(rhx_str s) {
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f) return 1;
	return 0;
}

static _Noreturn void broken(const file *f, size_t number) {
	rhx_fail(RHX_INVALID, "the line is neither a section nor an option, or its quotes are not closed", f->path, (unsigned)number);
}

/* Reads a line that is an option into l. */
static void option(const file *f, line *l, rhx_str s, size_t number) {
	const rhx_str three = RHX_STR("\"\"\"");
	rhx_str quote = {0}, search = s, right;
	if (s.ptr[0] == '"') quote = s.len >= 6 && starts(s, three) ? three : RHX_STR("\"");
	else if (s.ptr[0] == '`') quote = RHX_STR("`");
	if (quote.len) {
		const char *end = find(from(s.ptr + quote.len, s), quote);
		if (!end) broken(f, number);
		search = from(end, s);
	}
	size_t at = 0;
	while (at < search.len && search.ptr[at] != '=' && search.ptr[at] != ':') at++;
	if (at == 0 || at == search.len) broken(f, number);
	right = trim(from(search.ptr + at + 1, s));
	l->text = l->value = right;
	/* A value that is put here later goes after the blank that stands here now. */
	while (!right.len && l->text.ptr < l->raw.ptr + l->raw.len && *l->text.ptr == ' ') l->text.ptr++;
	rhx_str mark = {0};
	if (right.len >= 2 && right.ptr[0] == '`') mark = RHX_STR("`");
	else if (right.len >= 6 && starts(right, three)) mark = three;
	if (mark.len) {
		rhx_str inside = from(right.ptr + mark.len, right);
		const char *end = find_last(inside, mark);
		if (!end) broken(f, number);
		l->value = (rhx_str){inside.ptr, (size_t)(end - inside.ptr)};
	}
	rhx_str name = trim((rhx_str){s.ptr, (size_t)(search.ptr + at - s.ptr)});
	if (quote.len || name.len > longest_name || control(name) || rhx_eq(name, RHX_STR("-"))) return;
	l->name = name;
}

static void understand(const file *f, line *l, int *in_section, size_t number) {
	rhx_str s = trim(l->raw);
	if (!s.len || s.ptr[0] == '#' || s.ptr[0] == ';') return;
	if (!rhx_utf8(s)) rhx_fail(RHX_UNSUPPORTED, "a line is not UTF-8", f->path, (unsigned)number);
	if (memchr(s.ptr, 0, s.len)) rhx_fail(RHX_UNSUPPORTED, "a line has a zero byte", f->path, (unsigned)number);
	if (s.ptr[0] == '[' && s.ptr[s.len - 1] == ']') {
		l->section = trim((rhx_str){s.ptr + 1, s.len - 2});
		if (l->section.len > longest_name || control(l->section)) rhx_fail(RHX_UNSUPPORTED, "the name of a remote is too long or has control characters", f->path, (unsigned)number);
		*in_section = l->section.len > 0;
		return;
	}
	if (!*in_section) rhx_fail(RHX_INVALID, "an option is in a section without a name", f->path, (unsigned)number);
	option(f, l, s, number);
}

static void read_file(const rhx_request *req, file *f) {
	if (req->nfiles != 1) rhx_fail(RHX_UNSUPPORTED, "the request does not have exactly one file", (rhx_str){0}, 0);
	rhx_str data = req->files[0].content;
	int in_section = 1, first = 1;
	size_t n = 1;
	f->path = req->files[0].path;
	aes_init(&f->aes, key, 32);
	f->head = (rhx_str){data.ptr, starts(data, RHX_STR("\xEF\xBB\xBF")) ? 3 : 0};
	data = from(data.ptr + f->head.len, data);
	for (size_t i = 0; i < data.len; i++) n += data.ptr[i] == '\n';
	f->lines = rhx_alloc(sizeof(line) * n);
	while (data.len) {
		line *l = &f->lines[f->n++];
		const char *end = memchr(data.ptr, '\n', data.len);
		l->raw = (rhx_str){data.ptr, end ? (size_t)(end + 1 - data.ptr) : data.len};
		data = from(data.ptr + l->raw.len, data);
		rhx_str s = trim(l->raw);
		if (first && s.len && s.ptr[0] != '#' && s.ptr[0] != ';') {
			first = 0;
			if (starts(s, RHX_STR("RCLONE_ENCRYPT_V"))) rhx_fail(RHX_UNSUPPORTED, "the whole file is encrypted, which rhx cannot read; rclone config encryption remove undoes it", f->path, (unsigned)f->n);
		}
		understand(f, l, &in_section, f->n);
	}
}

/* Returns the text of an option whose remote has this type. */
static rhx_str plain(const file *f, const line *l, rhx_str type) {
	size_t number = (size_t)(l - f->lines) + 1;
	if (replaced(l->value)) rhx_fail(RHX_UNSUPPORTED, "a value has %(NAME)s in it, which rclone replaces", f->path, (unsigned)number);
	if (!l->value.len || !is_obscured(l->name, type)) return l->value;
	rhx_str text = reveal(f, l->value);
	if (!text.ptr || !rhx_utf8(text)) rhx_fail(RHX_INVALID, "a password is not obscured as rclone needs it; rclone obscure does that", f->path, (unsigned)number);
	return text;
}

typedef struct {
	rhx_str name, type;
	const line **options; /* the last line of each name, in order of the first */
	size_t n, cap;
} remote;

/* Adds an option to a remote, or puts it in place of an earlier one. */
static void remember(const file *f, remote *r, const line *l) {
	size_t i = 0;
	while (i < r->n && !rhx_eq(r->options[i]->name, l->name)) i++;
	if (i == most_options) rhx_fail(RHX_UNSUPPORTED, "a remote has more than 500 options", f->path, (unsigned)(l - f->lines) + 1);
	if (i == r->cap) {
		const line **more = rhx_alloc(sizeof *more * (r->cap = r->cap * 2 + 8));
		if (r->n) memcpy(more, r->options, sizeof *more * r->n);
		r->options = more;
	}
	r->options[i] = l;
	r->n += i == r->n;
	if (rhx_eq(l->name, RHX_STR("type"))) r->type = l->value;
}

/* Returns the remotes of a file in order. Options before the first section are
 * the remote DEFAULT. */
static remote *remotes(const file *f, size_t *count) {
	size_t n = 1, at = 0;
	for (size_t i = 0; i < f->n; i++) n += f->lines[i].section.ptr != NULL;
	remote *all = rhx_alloc(sizeof *all * (n < most_remotes ? n : most_remotes));
	all[0].name = RHX_STR("DEFAULT");
	n = 1;
	for (size_t i = 0; i < f->n; i++) {
		const line *l = &f->lines[i];
		if (l->section.ptr) {
			for (at = 0; at < n && !rhx_eq(all[at].name, l->section); at++) {}
			if (at == most_remotes) rhx_fail(RHX_UNSUPPORTED, "the file has more than 2000 remotes", f->path, (unsigned)i + 1);
			if (at == n) all[n++].name = l->section;
		} else if (l->name.ptr) {
			remember(f, &all[at], l);
		}
	}
	*count = n;
	return all;
}

static const char *terminated(rhx_str s) {
	char *p = rhx_alloc(s.len + 1);
	memcpy(p, s.ptr, s.len);
	return p;
}

static void extract(const rhx_request *req) {
	file f = {0};
	size_t n;
	if (req->nfiles && !req->files[0].exists) return;
	read_file(req, &f);
	const remote *all = remotes(&f, &n);
	for (size_t i = 0; i < n; i++) {
		const remote *r = &all[i];
		if (!r->n || (req->profile.len && !rhx_eq(req->profile, r->name))) continue;
		rhx_secret(r->name);
		for (size_t o = 0; o < r->n; o++)
			rhx_value(terminated(r->options[o]->name), plain(&f, r->options[o], r->type), is_public(r->options[o]->name) ? RHX_PUBLIC : RHX_SECRET);
	}
}

/* --- Writing -------------------------------------------------------------- */

/* Adds a value as rclone reads it, in quotes where it needs them. */
static void add_value(rhx_buf *b, const file *f, rhx_str value) {
	const rhx_str three = RHX_STR("\"\"\"");
	if (memchr(value.ptr, '\n', value.len) || memchr(value.ptr, 0, value.len)) rhx_fail(RHX_UNSUPPORTED, "a value has a line break or a zero byte, which rclone.conf cannot hold", f->path, 0);
	if (replaced(value)) rhx_fail(RHX_UNSUPPORTED, "a value has %(NAME)s in it, which rclone would replace", f->path, 0);
	if (rhx_eq(trim(value), value) && !(value.len && value.ptr[0] == '`') && !starts(value, three)) {
		rhx_add_str(b, value);
		return;
	}
	rhx_str mark = value.len && value.ptr[0] == '`' ? three : RHX_STR("`");
	rhx_add_str(b, mark);
	rhx_add_str(b, value);
	rhx_add_str(b, mark);
}

/* Returns a value as it stands in the file for a remote of this type. */
static rhx_str stored(const file *f, rhx_str remote_name, rhx_str type, rhx_pair p) {
	return p.value.len && is_obscured(p.key, type) ? obscure(f, remote_name, p.key, p.value) : p.value;
}

static void check_option(const file *f, rhx_str s) {
	int bad = !s.len || s.len > longest_name || control(s) || !rhx_eq(trim(s), s) || rhx_eq(s, RHX_STR("-")) || memchr("\"`[#;", s.ptr[0], 5);
	for (size_t i = 0; i < s.len; i++) bad |= s.ptr[i] == '=' || s.ptr[i] == ':';
	if (bad) rhx_fail(RHX_UNSUPPORTED, "the name of a value cannot be the name of an option", f->path, 0);
}

/* What rclone lets a remote be called (fs/fspath), but for letters outside ASCII,
 * of which all are let through here. */
static void check_name(const file *f, rhx_str s) {
	int bad = !s.len || s.len > longest_name || !rhx_eq(trim(s), s) || s.ptr[0] == '-';
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i], lower = c | 0x20;
		bad |= c < 0x80 && !(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && !memchr("_.+@- ", c, 6);
	}
	if (bad) rhx_fail(RHX_UNSUPPORTED, "this profile's name cannot be the name of a remote: letters, digits and _ . + @ - with spaces between", f->path, 0);
}

static void add_option(rhx_buf *b, const file *f, rhx_str name, rhx_str value, rhx_str newline) {
	check_option(f, name);
	rhx_add_str(b, name);
	rhx_add_str(b, value.len ? RHX_STR(" = ") : RHX_STR(" ="));
	add_value(b, f, value);
	rhx_add_str(b, newline);
}

/* Adds a line with another value; what is around the value stays. */
static void add_changed(rhx_buf *b, const file *f, const line *l, rhx_str value) {
	rhx_str end = from(l->text.ptr + l->text.len, l->raw);
	rhx_add(b, l->raw.ptr, (size_t)(l->text.ptr - l->raw.ptr));
	if (!l->text.len && l->text.ptr[-1] != ' ') rhx_add_str(b, RHX_STR(" "));
	add_value(b, f, value);
	rhx_add_str(b, end);
}

static rhx_str newline_of(const file *f) {
	rhx_str first = f->n ? f->lines[0].raw : (rhx_str){0};
	return first.len > 1 && memcmp(first.ptr + first.len - 2, "\r\n", 2) == 0 ? RHX_STR("\r\n") : RHX_STR("\n");
}

static void end_line(rhx_buf *b, rhx_str newline) {
	if (b->len && b->ptr[b->len - 1] != '\n') rhx_add_str(b, newline);
}

static const line *find_option(const remote *r, rhx_str name) {
	for (size_t i = 0; i < r->n; i++)
		if (rhx_eq(r->options[i]->name, name)) return r->options[i];
	return NULL;
}

/* The change of one remote. */
typedef struct {
	const rhx_request *req;
	const remote *r;
	rhx_str type, newline; /* type is that of the remote as it will be */
} change;

/* Adds the lines of the values that the remote has no line for, type first. */
static void add_new(rhx_buf *b, const file *f, const change *c) {
	for (int first = 1; first >= 0; first--)
		for (size_t i = 0; i < c->req->nvalues; i++) {
			rhx_pair p = c->req->values[i];
			if (rhx_eq(p.key, RHX_STR("type")) != first || find_option(c->r, p.key)) continue;
			end_line(b, c->newline);
			add_option(b, f, p.key, stored(f, c->r->name, c->type, p), c->newline);
		}
}

/* Adds a line that the remote has: as it is, with another value, or not at all. */
static void add_old(rhx_buf *b, const file *f, const change *c, const line *l) {
	const line *last = find_option(c->r, l->name);
	rhx_pair p = {l->name, rhx_secret_value(c->req, terminated(l->name))};
	if (!p.value.ptr) {
		if (is_public(l->name) || !last->value.len) rhx_add_str(b, l->raw);
		return;
	}
	int same = is_obscured(l->name, c->r->type) == is_obscured(l->name, c->type) && rhx_eq(plain(f, last, c->r->type), p.value);
	if (same || l != last) rhx_add_str(b, l->raw);
	else add_changed(b, f, l, stored(f, c->r->name, c->type, p));
}

static void render(const rhx_request *req) {
	file f = {0};
	size_t n, end = 0; /* end: index + 1 of the remote's last line, 0 where there is none */
	rhx_buf out = {0};
	read_file(req, &f);
	const remote *all = remotes(&f, &n);
	remote fresh = {.name = req->secret_profile};
	change c = {req, &fresh, rhx_secret_value(req, "type"), newline_of(&f)};
	for (size_t i = 0; i < n; i++)
		if (rhx_eq(all[i].name, fresh.name)) c.r = &all[i];
	if (!c.type.ptr) c.type = c.r->type;
	for (size_t i = 0; i < n; i++) /* what cannot be read is not written to */
		for (size_t o = 0; o < all[i].n; o++) plain(&f, all[i].options[o], all[i].type);
	const int at_top = rhx_eq(fresh.name, RHX_STR("DEFAULT"));
	int inside = at_top;
	for (size_t i = 0; i < f.n; i++) {
		const line *l = &f.lines[i];
		if (l->section.ptr) inside = rhx_eq(l->section, fresh.name);
		if (inside && (l->section.ptr || l->name.ptr)) end = i + 1;
	}
	if (!end || !fresh.name.len) check_name(&f, fresh.name);
	rhx_add_str(&out, f.head);
	inside = at_top;
	for (size_t i = 0; i < f.n; i++) {
		const line *l = &f.lines[i];
		if (l->section.ptr) inside = rhx_eq(l->section, fresh.name);
		if (inside && l->name.ptr) add_old(&out, &f, &c, l);
		else rhx_add_str(&out, l->raw);
		if (i + 1 == end) add_new(&out, &f, &c);
	}
	if (!end) {
		if (f.n) end_line(&out, c.newline);
		if (f.n && trim(f.lines[f.n - 1].raw).len) rhx_add_str(&out, c.newline);
		rhx_add_str(&out, RHX_STR("["));
		rhx_add_str(&out, fresh.name);
		rhx_add_str(&out, RHX_STR("]"));
		rhx_add_str(&out, c.newline);
		add_new(&out, &f, &c);
		rhx_add_str(&out, c.newline);
	}
	rhx_put_file(f.path, rhx_bytes(&out), 0600);
}

int main(void) {
	static const rhx_provider p = {"rclone", "1", extract, render};
	return rhx_main(&p);
}
