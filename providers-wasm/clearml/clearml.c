/* clearml.c - ClearML's configuration file, clearml.conf, as an rhx provider.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The file is HOCON as the pyhocon inside ClearML's own package reads it, which
 * differs from the HOCON specification: a colon or // may be inside an unquoted
 * text, a tab becomes spaces, \u is no escape, a value may begin lines after its
 * colon. Wanted are api.credentials.access_key and secret_key, api.api_server (or
 * api.host, its older name), web_server and files_server. The rest of the file is
 * followed only as far as it takes to know where those are.
 *
 * What cannot be known is refused rather than guessed: what is included into a
 * block that counts, += on one, a substitution for a whole block, a ${?VARIABLE}
 * that may replace a value written before it, a number, an escape that other
 * readers of HOCON take for something else, text with raw tabs. A value that is
 * only a substitution is no value.
 *
 * Writing changes the texts of values that differ and adds those that are
 * missing, in the block where the others are. No other byte changes. The result
 * is read again before it is given back.
 */
#include "../../guest-sdk/c/rhx.h"

#include <string.h>

/* ClearML itself gives up at some 45 levels. */
enum { deepest = 48, none = -1 };

/* The blocks that count, and OTHER for all the rest. */
typedef enum { ROOT, API, CREDENTIALS, OTHER } block;

/* What a block may have that counts: names[BLOCK][i], where it leads to a block. */
enum { most = 5 };
enum { IN_API = 0, IN_CREDENTIALS = 0, API_SERVER = 1, WEB_SERVER, FILES_SERVER, HOST, ACCESS_KEY = 0, SECRET_KEY };
static const char *const names[3][most] = {
	[ROOT] = {"api"},
	[API] = {"credentials", "api_server", "web_server", "files_server", "host"},
	[CREDENTIALS] = {"access_key", "secret_key"},
};

static block inside(block b, int i) {
	if (b == ROOT && i == IN_API) return API;
	if (b == API && i == IN_CREDENTIALS) return CREDENTIALS;
	return OTHER;
}

typedef enum {
	ABSENT,
	NIL,      /* null */
	TEXT,     /* strings, one or several in a row */
	LIST,
	SCALAR,   /* a number, true, false, a duration, or strings with one of them */
	SOURCE,   /* has a substitution in it */
	MAYBE,    /* only has a substitution of the kind that need not be there */
	UNSURE,   /* MAYBE, after another value */
	TREE
} kind;

/* A value: that of a name in a block. */
typedef struct node {
	kind kind;
	size_t start, end;  /* of its text; of a block, only where written with braces */
	size_t open, close; /* of a block with braces: behind { and at } */
	size_t last;        /* the end of the last entry in the braces, 0 where there is none */
	size_t entry;       /* where that entry begins */
	int braces, hollow; /* hollow: that entry has no value, and would take the next line for it */
	struct node *kids; /* of a TREE: most of them */
} node;

typedef struct {
	rhx_str path;
	const char *p;
	size_t len;
	size_t at;
	int depth;
	int duration; /* the file ends in one, and it would be none with more behind it */
} reader;

static _Noreturn void stop(const reader *r, const char *code, const char *message, size_t at) {
	unsigned line = 1;
	for (size_t i = 0; i < at && i < r->len; i++) line += r->p[i] == '\n';
	rhx_fail(code, message, r->path, line);
}

static _Noreturn void broken(const reader *r) {
	stop(r, RHX_INVALID, r->at == r->len ? "the file ends where something is still open" : "this is not what ClearML can read", r->at);
}

static _Noreturn void unsupported(const reader *r, const char *message, size_t at) { stop(r, RHX_UNSUPPORTED, message, at); }

/* --- Characters ----------------------------------------------------------- */

static int at_end(const reader *r) { return r->at >= r->len; }

/* The byte i behind the place; 0 behind the end. */
static char ahead(const reader *r, size_t i) { return r->at + i < r->len ? r->p[r->at + i] : 0; }

static int is(const reader *r, const char *s) {
	size_t n = strlen(s);
	return r->len - r->at >= n && memcmp(r->p + r->at, s, n) == 0;
}

static int is_blank(char c) { return c == ' ' || c == '\t'; }
static int is_break(char c) { return c == '\n' || c == '\r'; }
static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static void skip_blanks(reader *r) {
	while (!at_end(r) && is_blank(r->p[r->at])) r->at++;
}

/* The bytes of the white space (as Python's \s has it) at s, 0 for none. */
static size_t space(const char *s, size_t n) {
	const unsigned char *p = (const unsigned char *)s;
	if (n && (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r') || (p[0] >= 0x1c && p[0] <= 0x1f))) return 1;
	if (n > 1 && p[0] == 0xC2 && (p[1] == 0x85 || p[1] == 0xA0)) return 2;
	if (n < 3) return 0;
	unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
	return v == 0xE19A80 || (v >= 0xE28080 && v <= 0xE2808A) || v == 0xE280A8 || v == 0xE280A9 || v == 0xE280AF || v == 0xE2819F || v == 0xE38080 ? 3 : 0;
}

/* The bytes of the character of an unquoted key here, 0 where there is none: ASCII
 * letters and digits, "._- /", and Latin-1's letters. A tab is a blank. */
static size_t key_character(const reader *r) {
	unsigned char c = (unsigned char)ahead(r, 0), d = (unsigned char)ahead(r, 1);
	if (at_end(r)) return 0;
	if (is_letter((char)c) || is_digit((char)c) || strchr("._- /\t", c ? c : '!')) return 1;
	return c == 0xC3 && d >= 0x80 && d <= 0xBF && d != 0x97 && d != 0xB7 ? 2 : 0;
}

/* Reports whether a word is here, in any case, and ends here. */
static int word(const reader *r, const char *w) {
	size_t n = strlen(w);
	for (size_t i = 0; i < n; i++)
		if ((ahead(r, i) | 0x20) != w[i]) return 0;
	char c = ahead(r, n);
	return r->at + n <= r->len && !is_letter(c) && !is_digit(c) && c != '_' && c != '$';
}

static int comment_here(const reader *r) { return is(r, "#") || is(r, "//"); }

static void skip_comment(reader *r) {
	while (!at_end(r) && !is_break(r->p[r->at])) r->at++;
}

/* Skips line breaks and comments, and commas too where they may stand. */
static void skip_between(reader *r, int commas) {
	for (;;) {
		skip_blanks(r);
		if (comment_here(r)) skip_comment(r);
		else if (!at_end(r) && (is_break(r->p[r->at]) || (commas && r->p[r->at] == ','))) r->at++;
		else return;
	}
}

/* Skips comments within a value: those on this line, and those on lines of their
 * own below it. */
static void skip_comments(reader *r) {
	for (;;) {
		size_t from = r->at;
		skip_blanks(r);
		while (!at_end(r) && (is_break(r->p[r->at]) || r->p[r->at] == ',')) r->at++;
		if (r->at > from) skip_blanks(r);
		if (!comment_here(r)) {
			r->at = from;
			return;
		}
		skip_comment(r);
	}
}

/* Reports whether an include is here; otherwise the word is a name or a text. */
static int include_here(const reader *r) {
	if (!word(r, "include")) return 0;
	reader s = *r;
	s.at += strlen("include");
	skip_blanks(&s);
	return is(&s, "\"") || word(&s, "url") || word(&s, "file") || word(&s, "required");
}

/* --- Blocks --------------------------------------------------------------- */

static node *kids(void) { return rhx_alloc(sizeof(node) * most); }

static void merge(node *into, const node *from);

/* Puts a value where another may be, as the merging of two blocks does. */
static void lay(node *old, const node *new) {
	if (new->kind == ABSENT) return;
	if (old->kind == TREE && new->kind == TREE) {
		merge(old, new);
		return;
	}
	int maybe = (new->kind == MAYBE && old->kind != ABSENT && old->kind != NIL) || new->kind == UNSURE;
	*old = *new;
	if (maybe) old->kind = UNSURE;
}

static void merge(node *into, const node *from) {
	if (!into->kids || !from->kids) return; /* where a text should be: it is refused in the end */
	if (!into->braces && from->braces) {
		node *k = into->kids;
		*into = *from;
		into->kids = k;
	}
	for (int i = 0; i < most; i++) lay(&into->kids[i], &from->kids[i]);
}

/* The parts of a key that leads to something that counts: an index for each
 * block; n is 0 for other keys. A key that leads deeper, into what should be a
 * text, makes a block of that. */
typedef struct {
	int index[3];
	int n, deeper;
} place;

static int find_name(block b, const char *s, size_t n) {
	if (b == OTHER) return none;
	for (int i = 0; i < most; i++)
		if (names[b][i] && strlen(names[b][i]) == n && memcmp(names[b][i], s, n) == 0) return i;
	return none;
}

static place find_place(block b, const char *s, size_t n, int quoted) {
	place to = {0};
	if (quoted) {
		to.index[0] = find_name(b, s, n);
		to.n = to.index[0] != none;
		return to;
	}
	for (size_t i = 0; i < n;) {
		size_t from = i;
		if (s[i] == '.') {
			i++;
			continue;
		}
		while (i < n && s[i] != '.') i++;
		if (to.n && b == OTHER) {
			to.deeper = 1;
			return to;
		}
		int k = find_name(b, s + from, i - from);
		if (k == none) return (place){0};
		to.index[to.n++] = k;
		b = inside(b, k);
	}
	return to;
}

static void put(const reader *r, node *tree, place to, const node *v, size_t at) {
	for (int i = 0; i < to.n - 1; i++) {
		node *k = &tree->kids[to.index[i]];
		if (k->kind == SOURCE || k->kind == MAYBE || k->kind == UNSURE) unsupported(r, "a part of api is set after a substitution of the whole", at);
		if (k->kind != TREE) *k = (node){.kind = TREE, .kids = kids()};
		tree = k;
	}
	node *old = &tree->kids[to.index[to.n - 1]];
	if (to.deeper) {
		if (old->kind != TREE) *old = (node){.kind = TREE, .start = at};
		return;
	}
	if (v->kind == TREE && old->kind != TREE && old->kind != ABSENT && old->kind != NIL && old->kind != LIST) {
		if (old->kind == SOURCE || old->kind == MAYBE || old->kind == UNSURE) unsupported(r, "a block is added to a substitution", at);
		stop(r, RHX_INVALID, "a block is added to a value that is none", at);
	}
	lay(old, v);
}

static node read_value(reader *r, block b);
static void read_entries(reader *r, block b, node *tree);

/* Reads a block in braces. */
static node read_block(reader *r, block b) {
	node v = {.kind = TREE, .start = r->at, .braces = 1, .kids = b == OTHER ? NULL : kids()};
	if (++r->depth > deepest) unsupported(r, "the file has too many blocks in one another", r->at);
	v.open = ++r->at;
	read_entries(r, b, &v);
	if (ahead(r, 0) != '}') broken(r);
	v.close = r->at++;
	v.end = r->at;
	r->depth--;
	return v;
}

static void read_include(reader *r, block b) {
	if (b != OTHER) unsupported(r, "another file is included, which rhx does not read", r->at);
	r->at += strlen("include");
	skip_blanks(r);
	if (!is(r, "\"")) unsupported(r, "an include of this form is not supported", r->at);
	r->at++;
	while (!at_end(r) && r->p[r->at] != '"' && r->p[r->at] != '\n' && r->p[r->at] != '\\') r->at++;
	if (ahead(r, 0) != '"') broken(r);
	r->at++;
}

/* Reads a key, and says where it leads. */
static place read_key(reader *r, block b) {
	place to;
	if (is(r, "\"")) {
		size_t from = ++r->at;
		while (!at_end(r) && r->p[r->at] != '"' && !is_break(r->p[r->at])) {
			if (r->p[r->at] == '\\') unsupported(r, "a key has a backslash in it", r->at);
			r->at++;
		}
		if (ahead(r, 0) != '"' || r->at == from) broken(r);
		to = find_place(b, r->p + from, r->at - from, 1);
		r->at++;
	} else {
		size_t from = r->at, n = 0, dots = 0, k;
		while ((k = key_character(r))) r->at += k;
		n = r->at - from;
		while (n && is_blank(r->p[from + n - 1])) n--;
		for (size_t i = 0; i < n; i++) dots += r->p[from + i] == '.';
		if (n == dots) broken(r);
		to = find_place(b, r->p + from, n, 0);
	}
	return to;
}

static void read_entry(reader *r, block b, node *tree) {
	size_t start = r->at;
	node v;
	place to = read_key(r, b);
	block in = b;
	for (int i = 0; i < to.n; i++) in = inside(in, to.index[i]);
	if (!to.n) in = OTHER;
	skip_between(r, 0);
	size_t end;
	int hollow = 0;
	if (is(r, "{")) {
		v = read_block(r, in);
		end = r->at;
	} else {
		if (is(r, "+=")) {
			if (to.n) unsupported(r, "+= adds to a value", r->at);
			r->at++;
		} else if (!is(r, "=") && !is(r, ":")) {
			broken(r);
		}
		end = ++r->at;
		skip_between(r, 0);
		v = read_value(r, in);
		hollow = !v.end;
		if (hollow) v.start = v.end = end;
		else end = v.end;
	}
	if (to.n) put(r, tree, to, &v, start);
	tree->last = end, tree->entry = start, tree->hollow = hollow;
}

/* Reads entries up to what is none. */
static void read_entries(reader *r, block b, node *tree) {
	for (;;) {
		skip_between(r, 1);
		if (include_here(r)) read_include(r, b);
		else if (is(r, "\"") || key_character(r)) read_entry(r, b, tree);
		else return;
	}
}

static void read_list(reader *r) {
	if (++r->depth > deepest) unsupported(r, "the file has too many lists in one another", r->at);
	r->at++;
	for (;;) {
		read_value(r, OTHER);
		skip_blanks(r);
		size_t from = r->at;
		while (!at_end(r) && (is_break(r->p[r->at]) || r->p[r->at] == ',')) r->at++;
		if (r->at == from) break;
	}
	if (ahead(r, 0) != ']') broken(r);
	r->at++;
	r->depth--;
}

/* --- Values --------------------------------------------------------------- */

/* Returns the length of the number here, 0 for none: it ends at something that
 * ends a value, else it is a text. */
static size_t number(const reader *r) {
	size_t i = 0, digits;
	if (ahead(r, 0) == '+' || ahead(r, 0) == '-') i++;
	digits = i;
	while (is_digit(ahead(r, i))) i++;
	if (ahead(r, i) == '.' && is_digit(ahead(r, i + 1))) {
		i++;
		while (is_digit(ahead(r, i))) i++;
	}
	if (i == digits) return 0;
	if ((ahead(r, i) | 0x20) == 'e') {
		size_t e = i + 1;
		if (ahead(r, e) == '+' || ahead(r, e) == '-') e++;
		if (is_digit(ahead(r, e))) {
			while (is_digit(ahead(r, e))) e++;
			i = e;
		}
	}
	size_t n = i;
	if (r->at + i == r->len) return n;
	while (is_blank(ahead(r, i))) i++;
	char c = ahead(r, i);
	if (r->at + i < r->len && c && (strchr("$}],#\n\r", c) || (c == '/' && ahead(r, i + 1) == '/'))) return n;
	return 0;
}

/* Reports whether a duration is here, which is one only at the end of the file:
 * digits and a unit, with anything blank between. */
static int duration(const reader *r) {
	static const char *const units[] = {
		"ns", "nano", "nanos", "nanosecond", "nanoseconds", "us", "micro", "micros", "microsecond", "microseconds",
		"ms", "milli", "millis", "millisecond", "milliseconds", "s", "second", "seconds", "m", "minute", "minutes",
		"h", "hour", "hours", "w", "week", "weeks", "d", "day", "days", "mo", "month", "months", "y", "year", "years",
	};
	size_t i = r->at, end = r->len, k;
	if (!is_digit(ahead(r, 0))) return 0;
	while (i < end && is_digit(r->p[i])) i++;
	while (i < end && (k = space(r->p + i, end - i))) i += k;
	if (end > i && r->p[end - 1] == '\n') end--;
	for (size_t u = 0; u < sizeof units / sizeof units[0]; u++)
		if (end - i == strlen(units[u]) && memcmp(r->p + i, units[u], end - i) == 0) return 1;
	return 0;
}

/* One piece of a value. text is what is between its quotes; blanks is what follows
 * before the next piece. */
typedef struct {
	enum { END, QUOTED, TRIPLE, BARE, CONSTANT, NOTHING, REPLACED, BLOCK, ITEMS } kind;
	rhx_str text;
	size_t end; /* without blanks behind it */
	int optional;
} piece;

static piece triple(reader *r) {
	size_t from = r->at + 3, i = from;
	while (i + 3 <= r->len && memcmp(r->p + i, "\"\"\"", 3) != 0) i++;
	if (i + 3 > r->len) stop(r, RHX_INVALID, "three quotes are not closed", r->at);
	i += 3;
	while (i < r->len && r->p[i] == '"') i++;
	r->at = i;
	return (piece){.kind = TRIPLE, .text = {r->p + from, i - 3 - from}, .end = i};
}

static piece quoted(reader *r) {
	size_t from = r->at + 1, i = from;
	while (i < r->len && r->p[i] != '"' && r->p[i] != '\n') i += r->p[i] == '\\' && i + 1 < r->len && r->p[i + 1] != '\n' ? 2 : 1;
	if (i >= r->len || r->p[i] != '"') stop(r, RHX_INVALID, "a quote is not closed", r->at);
	r->at = i + 1;
	return (piece){.kind = QUOTED, .text = {r->p + from, i - from}, .end = i + 1};
}

static piece bare(reader *r) {
	size_t from = r->at;
	while (!at_end(r)) {
		char c = r->p[r->at];
		if (c == '\\') {
			if (r->at + 1 == r->len || is_break(ahead(r, 1))) unsupported(r, "a line is continued by a backslash", r->at);
			r->at += 2;
		} else if (c && (strchr("^`+?!@*&\"[{]}#,=$", c) || space(r->p + r->at, r->len - r->at))) {
			break;
		} else {
			r->at++;
		}
	}
	if (r->at == from) return (piece){0};
	return (piece){.kind = BARE, .text = {r->p + from, r->at - from}, .end = r->at};
}

static piece substitution(reader *r) {
	piece t = {.kind = REPLACED, .optional = ahead(r, 2) == '?'};
	size_t i = r->at + 2;
	while (i < r->len && r->p[i] != '}') i++;
	if (i == r->len || i == r->at + 2 + (size_t)t.optional) broken(r);
	r->at = t.end = i + 1;
	return t;
}

/* Reads a piece that is neither a block nor a list. */
static piece plain(reader *r) {
	size_t n = 0;
	if (include_here(r)) unsupported(r, "another file is included in a value", r->at);
	if (is(r, "${")) return substitution(r);
	if (duration(r)) n = r->len - r->at, r->duration = 1;
	else if (!(n = number(r))) n = word(r, "true") || word(r, "null") ? 4 : word(r, "false") ? 5 : 0;
	if (n) {
		piece t = {.kind = word(r, "null") ? NOTHING : CONSTANT, .end = r->at + n};
		r->at += n;
		return t;
	}
	if (is(r, "\"\"\"")) return triple(r);
	return is(r, "\"") ? quoted(r) : bare(r);
}

/* Reads a value: pieces up to what is none. Its end is 0 where there was none. */
static node read_value(reader *r, block b) {
	node v = {.kind = ABSENT};
	int texts = 0, constants = 0, nils = 0, blocks = 0, lists = 0, sources = 0, maybes = 0;
	for (;;) {
		skip_comments(r);
		skip_blanks(r);
		size_t start = r->at;
		piece t = {.kind = BLOCK};
		if (is(r, "{")) {
			node part = read_block(r, b);
			t.end = part.end;
			if (!blocks++) v = part;
			else if (b != OTHER) merge(&v, &part);
		} else if (is(r, "[")) {
			read_list(r);
			t = (piece){.kind = ITEMS, .end = r->at};
			lists++;
		} else {
			t = plain(r);
			if (t.kind == END) break;
			texts += t.kind == QUOTED || t.kind == TRIPLE || t.kind == BARE;
			constants += t.kind == CONSTANT;
			nils += t.kind == NOTHING;
			sources += t.kind == REPLACED;
			maybes += t.kind == REPLACED && t.optional;
		}
		if (!v.start) v.start = start;
		v.end = t.end;
	}
	int scalars = texts + constants + nils, all = scalars + blocks + lists;
	if (!sources && (scalars != all) + (blocks != all) + (lists != all) > 2 && all) stop(r, RHX_INVALID, "a value is made of things that do not go together", v.start);
	if (sources) v.kind = maybes == sources && !all ? MAYBE : SOURCE;
	else if (blocks) v.kind = TREE;
	else if (lists) v.kind = LIST;
	else if (nils == 1 && all == 1) v.kind = NIL;
	else if (constants || nils) v.kind = SCALAR;
	else v.kind = TEXT;
	return v;
}

/* Adds a piece without its escapes. */
static void unescape(const reader *r, rhx_buf *out, rhx_str s) {
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '\\') {
			rhx_add(out, s.ptr + i, 1);
			continue;
		}
		char c = ++i < s.len ? s.ptr[i] : 0;
		const char *in = c ? strchr("\\nrt=#!\"", c) : NULL;
		static const char to[] = "\\\n\r\t=#!\"";
		if (!in) unsupported(r, "an escape that ClearML and others read differently", (size_t)(s.ptr + i - r->p));
		rhx_add(out, &to[in - "\\nrt=#!\""], 1);
	}
}

/* Returns the text of a value that is TEXT. */
static rhx_str text_of(const reader *whole, const node *v) {
	reader r = *whole;
	rhx_buf out = {0};
	for (r.at = v->start; r.at < v->end;) {
		if (memchr(r.p + r.at, '\t', v->end - r.at)) unsupported(&r, "a value has a tab in it, which ClearML replaces by blanks; write it as \\t in quotes", v->start);
		piece t = plain(&r);
		size_t end = r.at;
		if (t.kind == TRIPLE) rhx_add_str(&out, t.text);
		else unescape(&r, &out, t.text);
		skip_blanks(&r);
		if (t.kind != TRIPLE && r.at < v->end) rhx_add(&out, r.p + end, r.at - end);
	}
	rhx_str s = rhx_bytes(&out);
	if (s.len && memchr(s.ptr, 0, s.len)) unsupported(&r, "a value has a zero byte", v->start);
	return s;
}

/* --- The file ------------------------------------------------------------- */

/* A value of a secret and where the file has it. */
typedef struct {
	const char *name;
	block in;
	int index;
	int kind; /* RHX_SECRET or RHX_PUBLIC */
} value;

static const value values[] = {
	{"access_key", CREDENTIALS, ACCESS_KEY, RHX_PUBLIC},
	{"secret_key", CREDENTIALS, SECRET_KEY, RHX_SECRET},
	{"api_server", API, API_SERVER, RHX_PUBLIC},
	{"web_server", API, WEB_SERVER, RHX_PUBLIC},
	{"files_server", API, FILES_SERVER, RHX_PUBLIC},
};
enum { count = sizeof values / sizeof values[0] };

/* What was read: a place and a text for each of the values. */
typedef struct {
	reader r;
	node root;
	node *at[count];     /* NULL where there is not even the block */
	rhx_str texts[count]; /* empty where the file does not give it */
} file;

static rhx_str leaf(const reader *r, const node *v) {
	switch (v->kind) {
	case TEXT: return text_of(r, v);
	case LIST: case TREE: unsupported(r, "a value is a list or a block", v->start);
	case SCALAR: unsupported(r, "a value is a number or another word that is no text; put it in quotes", v->start);
	case UNSURE: unsupported(r, "a value may be replaced by a variable, which rhx does not look up", v->start);
	default: return (rhx_str){"", 0};
	}
}

/* Returns a block of a block, or NULL where there is none. */
static node *block_of(const reader *r, node *tree, int i) {
	node *v = tree ? &tree->kids[i] : NULL;
	if (!v || v->kind == ABSENT || v->kind == NIL) return NULL;
	if (v->kind != TREE) unsupported(r, "api or api.credentials is not a block of its own", v->start);
	return v;
}

/* The first bytes that are no UTF-8, or the length. */
static size_t valid_bytes(rhx_str s) {
	size_t lo = 0;
	while (lo < s.len) { /* by lines, which end no character */
		const char *end = memchr(s.ptr + lo, '\n', s.len - lo);
		size_t n = end ? (size_t)(end - s.ptr) + 1 - lo : s.len - lo;
		if (!rhx_utf8((rhx_str){s.ptr + lo, n})) return lo;
		lo += n;
	}
	return s.len;
}

static void read_file(file *f, rhx_str path, rhx_str data) {
	reader *r = &f->r;
	*r = (reader){.path = path, .p = data.ptr, .len = data.len};
	f->root = (node){.kind = TREE, .braces = 1, .kids = kids()};
	size_t valid = valid_bytes(data);
	if (valid < data.len) stop(r, RHX_INVALID, "a line is not UTF-8", valid);
	if (is(r, "\xEF\xBB\xBF")) stop(r, RHX_INVALID, "the file begins with a byte order mark, which ClearML does not read", 0);
	skip_between(r, 0);
	if (is(r, "[")) stop(r, RHX_INVALID, "the file is a list", r->at);
	if (is(r, "{")) {
		f->root = read_block(r, ROOT);
		skip_between(r, 1);
	} else {
		f->root.open = 0;
		read_entries(r, ROOT, &f->root);
		f->root.close = r->len;
	}
	if (!at_end(r)) broken(r);
	node *api = block_of(r, &f->root, IN_API), *credentials = block_of(r, api, IN_CREDENTIALS);
	for (int i = 0; i < count; i++) {
		node *tree = values[i].in == API ? api : credentials;
		f->at[i] = tree ? &tree->kids[values[i].index] : NULL;
		f->texts[i] = tree ? leaf(r, f->at[i]) : (rhx_str){"", 0};
		if (values[i].in != API || values[i].index != API_SERVER || !tree || f->texts[i].len) continue;
		rhx_str host = leaf(r, &tree->kids[HOST]); /* counts where there is no api_server */
		if (!host.len) continue;
		f->at[i] = &tree->kids[HOST];
		f->texts[i] = host;
	}
}

static void extract(const rhx_request *req) {
	file f;
	int any = 0;
	if (req->nfiles != 1) rhx_fail(RHX_UNSUPPORTED, "the request does not have exactly one file", (rhx_str){0}, 0);
	if (!req->files[0].exists || req->profile.len) return;
	read_file(&f, req->files[0].path, req->files[0].content);
	for (int i = 0; i < count; i++) {
		if (!f.texts[i].len) continue;
		if (!any++) rhx_secret(RHX_STR(""));
		rhx_value(values[i].name, f.texts[i], values[i].kind);
	}
}

/* --- Writing -------------------------------------------------------------- */

/* Adds a text in quotes, with escapes that every reader of HOCON has. */
static void add_quoted(const file *f, rhx_buf *b, rhx_str s) {
	rhx_add_str(b, RHX_STR("\""));
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c == '\n') rhx_add_str(b, RHX_STR("\\n"));
		else if (c == '\r') rhx_add_str(b, RHX_STR("\\r"));
		else if (c == '\t') rhx_add_str(b, RHX_STR("\\t"));
		else if (c < ' ' || c == 0x7f) rhx_fail(RHX_UNSUPPORTED, "a value has a control character, which clearml.conf cannot hold", f->r.path, 0);
		else {
			if (c == '"' || c == '\\') rhx_add_str(b, RHX_STR("\\"));
			rhx_add(b, s.ptr + i, 1);
		}
	}
	rhx_add_str(b, RHX_STR("\""));
}

/* A change: text in place of the bytes from start to end. */
typedef struct {
	size_t start, end;
	rhx_buf text;
} edit;

typedef struct {
	const file *f;
	rhx_str newline;
	rhx_str wanted[count]; /* ptr is NULL where the secret does not have it */
	int missing[count];    /* to be added */
	edit edits[count * 2];
	int n;
} change;

static size_t line_start(const reader *r, size_t at) {
	while (at && !is_break(r->p[at - 1])) at--;
	return at;
}

static rhx_str blanks_from(const reader *r, size_t from) {
	size_t n = 0;
	while (from + n < r->len && is_blank(r->p[from + n])) n++;
	return (rhx_str){r->p + from, n};
}

/* Where an entry is added to a block. */
typedef struct {
	size_t at;
	rhx_str indent;
	int inline_, deeper, first, before, begun, comma; /* before: the place is a line's start */
} spot;

/* After the last entry of the block: on a line of its own where that one has one. */
static spot find_spot(const reader *r, const node *tree) {
	spot s = {0};
	const int whole = tree->open == 0;
	s.first = !tree->last;
	size_t from = s.first ? tree->close : tree->entry, start = line_start(r, from);
	s.indent = blanks_from(r, start);
	int own = start + s.indent.len == from && start >= tree->open;
	if (s.first) {
		s.at = tree->close;
		s.inline_ = !whole && !own;
		s.before = own;
		s.deeper = !whole;
		if (own) s.at = start;
		if (whole) s.at = r->len, s.indent.len = 0, s.before = 0;
		return s;
	}
	s.at = tree->last;
	s.inline_ = !whole && !own;
	if (s.inline_) return s;
	if (!own) s.indent.len = 0;
	if (tree->hollow) {
		s.comma = 1;
		return s;
	}
	reader rest = *r;
	rest.at = tree->last;
	while (!at_end(&rest) && (is_blank(r->p[rest.at]) || r->p[rest.at] == ',')) rest.at++;
	if (comment_here(&rest)) skip_comment(&rest);
	if (at_end(&rest) || is_break(r->p[rest.at])) s.at = rest.at;
	return s;
}

static void add_indent(rhx_buf *b, const spot *s, int levels) {
	rhx_add_str(b, s->indent);
	for (int i = 0; i < levels; i++) rhx_add_str(b, RHX_STR("    "));
}

/* Adds the entry of a value: its name, with what leads to it from this block. */
static void add_entry(const change *c, rhx_buf *b, int i, const char *lead, int in_quotes) {
	if (in_quotes) rhx_add_str(b, RHX_STR("\""));
	rhx_add_str(b, rhx_of(lead));
	rhx_add_str(b, rhx_of(values[i].name));
	rhx_add_str(b, in_quotes ? RHX_STR("\": ") : RHX_STR(": "));
	add_quoted(c->f, b, c->wanted[i]);
}

static int missing_in(const change *c, block in) {
	int n = 0;
	for (int i = 0; i < count; i++) n += c->missing[i] && values[i].in == in;
	return n;
}

/* Adds credentials {"access_key": "...", "secret_key": "..."}. */
static void add_credentials(const change *c, rhx_buf *b, const char *lead) {
	const char *comma = "";
	rhx_add_str(b, rhx_of(lead));
	rhx_add_str(b, RHX_STR("credentials {"));
	for (int i = 0; i < count; i++) {
		if (!c->missing[i] || values[i].in != CREDENTIALS) continue;
		rhx_add_str(b, rhx_of(comma));
		add_entry(c, b, i, "", 1);
		comma = ", ";
	}
	rhx_add_str(b, RHX_STR("}"));
}

/* Begins another entry at a spot. */
static void begin(const change *c, rhx_buf *b, spot *s) {
	if (s->comma && !s->inline_ && !s->begun) rhx_add_str(b, RHX_STR(","));
	if (s->inline_) rhx_add_str(b, s->first && !s->begun ? RHX_STR("") : RHX_STR(", "));
	else if (!s->before || s->begun) rhx_add_str(b, c->newline);
	if (!s->inline_) add_indent(b, s, s->deeper);
	s->begun = 1;
}

static void finish(const change *c, rhx_buf *b, const spot *s) {
	if (s->before) rhx_add_str(b, c->newline);
}

static edit *new_edit(change *c, size_t start, size_t end) {
	edit *e = &c->edits[c->n++];
	*e = (edit){.start = start, .end = end};
	return e;
}

/* Adds what is missing of the values in a block, to the innermost block with
 * braces around them. */
static void add_to(change *c, block in, const node *root, const node *api, const node *credentials) {
	const node *own = in == API ? api : credentials, *tree = own;
	const char *lead = "";
	if (!missing_in(c, in)) return;
	if (in == CREDENTIALS && !(tree && tree->braces)) tree = api, lead = "credentials.";
	if (!(tree && tree->braces)) tree = root, lead = in == API ? "api." : "api.credentials.";
	spot s = find_spot(&c->f->r, tree);
	edit *e = new_edit(c, s.at, s.at);
	if (in == CREDENTIALS && !own) {
		begin(c, &e->text, &s);
		add_credentials(c, &e->text, tree == root ? "api." : "");
	} else {
		for (int i = 0; i < count; i++) {
			if (!c->missing[i] || values[i].in != in) continue;
			begin(c, &e->text, &s);
			add_entry(c, &e->text, i, lead, s.inline_ && !*lead);
		}
	}
	finish(c, &e->text, &s);
}

/* Adds a whole block api, as clearml-init writes it. */
static void add_api(change *c, const node *root) {
	spot s = find_spot(&c->f->r, root);
	edit *e = new_edit(c, s.at, s.at);
	rhx_buf *b = &e->text;
	if (root->open == 0 && s.first) { /* a file with nothing but comments, if that */
		size_t n = c->f->r.len;
		if (n && !is_break(c->f->r.p[n - 1])) rhx_add_str(b, c->newline);
		if (!n) rhx_add_str(b, RHX_STR("# ClearML SDK configuration file")), rhx_add_str(b, c->newline);
		s.before = 1;
	}
	begin(c, b, &s);
	rhx_add_str(b, RHX_STR("api {"));
	if (s.inline_) s.indent.len = 0;
	for (int i = 0; i < count; i++) {
		if (!c->missing[i] || values[i].in != API) continue;
		rhx_add_str(b, c->newline);
		if (values[i].index == API_SERVER) {
			add_indent(b, &s, s.deeper + 1);
			rhx_add_str(b, RHX_STR("# Notice: 'host' is the api server (default port 8008), not the web server."));
			rhx_add_str(b, c->newline);
		}
		add_indent(b, &s, s.deeper + 1);
		add_entry(c, b, i, "", 0);
	}
	rhx_add_str(b, c->newline);
	if (missing_in(c, CREDENTIALS)) {
		add_indent(b, &s, s.deeper + 1);
		rhx_add_str(b, RHX_STR("# Override with os environment: CLEARML_API_ACCESS_KEY / CLEARML_API_SECRET_KEY"));
		rhx_add_str(b, c->newline);
		add_indent(b, &s, s.deeper + 1);
		add_credentials(c, b, "");
		rhx_add_str(b, c->newline);
	}
	add_indent(b, &s, s.deeper);
	rhx_add_str(b, RHX_STR("}"));
	finish(c, b, &s);
}

static rhx_str newline_of(const reader *r) {
	const char *end = r->len ? memchr(r->p, '\n', r->len) : NULL;
	return end && end > r->p && end[-1] == '\r' ? RHX_STR("\r\n") : RHX_STR("\n");
}

/* Takes the secret's values, and finds out what there is to do for each. */
static void compare(change *c, const rhx_request *req) {
	const file *f = c->f;
	for (size_t p = 0; p < req->nvalues; p++) {
		int i = 0;
		while (i < count && !rhx_eq(req->values[p].key, rhx_of(values[i].name))) i++;
		if (i == count) rhx_fail(RHX_UNSUPPORTED, "clearml.conf keeps access_key, secret_key, api_server, web_server and files_server", f->r.path, 0);
		c->wanted[i] = req->values[p].value;
	}
	for (int i = 0; i < count; i++) {
		const node *v = f->at[i];
		if (!c->wanted[i].ptr) {
			if (values[i].in == CREDENTIALS && f->texts[i].len) stop(&f->r, RHX_CONFLICT, "the file has a key that the secret does not have", v->start);
			continue;
		}
		if (rhx_eq(c->wanted[i], f->texts[i])) continue;
		if (v && (v->kind == SOURCE || v->kind == MAYBE)) stop(&f->r, RHX_CONFLICT, "a substitution stands where the value would be", v->start);
		if (!v || v->kind == ABSENT) {
			c->missing[i] = 1;
			continue;
		}
		edit *e = new_edit(c, v->start, v->end);
		if (v->start && !is_blank(f->r.p[v->start - 1]) && v->start == v->end) rhx_add_str(&e->text, RHX_STR(" "));
		add_quoted(f, &e->text, c->wanted[i]);
	}
}

/* Returns the file with the edits made. */
static rhx_str apply(change *c) {
	rhx_buf out = {0};
	size_t at = 0;
	for (int i = 1; i < c->n; i++) /* a stable sort: what is replaced goes before what is added there */
		for (int j = i; j > 0 && c->edits[j].start < c->edits[j - 1].start; j--) {
			edit e = c->edits[j];
			c->edits[j] = c->edits[j - 1];
			c->edits[j - 1] = e;
		}
	for (int i = 0; i < c->n; i++) {
		rhx_add(&out, c->f->r.p + at, c->edits[i].start - at);
		rhx_add_str(&out, rhx_bytes(&c->edits[i].text));
		at = c->edits[i].end;
	}
	rhx_add(&out, c->f->r.p + at, c->f->r.len - at);
	return rhx_bytes(&out);
}

static void render(const rhx_request *req) {
	file f, after;
	if (req->nfiles != 1) rhx_fail(RHX_UNSUPPORTED, "the request does not have exactly one file", (rhx_str){0}, 0);
	if (req->secret_profile.len) rhx_fail(RHX_UNSUPPORTED, "clearml.conf has no profiles", req->files[0].path, 0);
	read_file(&f, req->files[0].path, req->files[0].content);
	change c = {.f = &f, .newline = newline_of(&f.r)};
	compare(&c, req);
	node *api = block_of(&f.r, &f.root, IN_API), *credentials = block_of(&f.r, api, IN_CREDENTIALS);
	if (!api) {
		if (missing_in(&c, API) + missing_in(&c, CREDENTIALS)) add_api(&c, &f.root);
	} else {
		add_to(&c, API, &f.root, api, credentials);
		add_to(&c, CREDENTIALS, &f.root, api, credentials);
	}
	if (c.n && f.r.duration) stop(&f.r, RHX_UNSUPPORTED, "the file ends in a duration, which would become a text if more came behind it", f.r.len);
	rhx_str out = apply(&c);
	read_file(&after, f.r.path, out);
	for (int i = 0; i < count; i++)
		if (!rhx_eq(after.texts[i], c.wanted[i].ptr ? c.wanted[i] : f.texts[i])) rhx_fail(RHX_UNSUPPORTED, "the file is written in a way that rhx cannot add to", f.r.path, 0);
	rhx_put_file(f.r.path, out, 0600);
}

int main(void) {
	static const rhx_provider p = {"clearml", "1", extract, render};
	return rhx_main(&p);
}
