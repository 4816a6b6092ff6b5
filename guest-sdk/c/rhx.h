/* rhx.h - write an rhx provider in C.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A provider is a WASI command: rhx starts it once per request, writes one JSON
 * document to its standard input and reads one from its standard output. This
 * header and rhx.c do that part; a provider fills in two functions:
 *
 *     #include "rhx.h"
 *
 *     static void extract(const rhx_request *req) {
 *         const rhx_file *f = &req->files[0];
 *         if (!f->exists) return;                      // no file, no secrets
 *         rhx_secret(RHX_STR(""));                     // the default profile
 *         rhx_value("token", f->content, RHX_SECRET);  // the whole file
 *     }
 *
 *     static void render(const rhx_request *req) {
 *         rhx_put_file(req->files[0].path, rhx_secret_value(req, "token"), 0600);
 *     }
 *
 *     int main(void) {
 *         static const rhx_provider p = {"example", "1", extract, render};
 *         return rhx_main(&p);
 *     }
 *
 * Build it with clang, lld and wasi-libc:
 *
 *     clang --target=wasm32-wasi -Os -Wl,--strip-all -o example.wasm example.c rhx.c
 *
 * and try it without rhx, in any WASI runtime:
 *
 *     wasmtime run example.wasm < request.json
 *
 * Rules that rhx holds a provider to: it sees the files and variables of the
 * request and nothing else; it has 64 MiB of memory and 2 seconds; it never
 * puts a value into a message. Memory is never freed: an instance lives for one
 * request, and rhx zeroes it afterwards.
 */
#ifndef RHX_H
#define RHX_H

#include <stddef.h>

/* The version of the request and response documents. */
#define RHX_ABI 1

/* Bytes with a length. They are not terminated; ptr is NULL where there are none
 * (a missing key), which differs from empty. */
typedef struct {
	const char *ptr;
	size_t len;
} rhx_str;

/* RHX_STR("literal") is an rhx_str of a string literal. */
#define RHX_STR(s) ((rhx_str){(s), sizeof(s) - 1})

/* rhx_of returns an rhx_str of a terminated string. */
rhx_str rhx_of(const char *s);

/* rhx_eq reports whether two strings hold the same bytes. */
int rhx_eq(rhx_str a, rhx_str b);

/* rhx_alloc returns n zero bytes, aligned for any type. It ends the request with
 * an error where there is no memory. */
void *rhx_alloc(size_t n);

/* --- The request ------------------------------------------------------- */

/* A file that the provider's spec declares. content is decoded; it is empty and
 * exists is 0 where the file is not there. */
typedef struct {
	rhx_str path, content;
	int exists;
} rhx_file;

/* A name with a value: an environment variable, an option, a secret's value. */
typedef struct {
	rhx_str key, value;
} rhx_pair;

typedef struct {
	rhx_str op;       /* "extract", "render" or "describe" */
	rhx_str provider; /* the provider's name */
	rhx_str profile;  /* the profile wanted; empty for all */

	const rhx_file *files;
	size_t nfiles;
	const rhx_pair *env, *options;
	size_t nenv, noptions;

	/* For render: the secret to put into the files. */
	rhx_str secret_profile;
	const rhx_pair *values;
	size_t nvalues;
} rhx_request;

/* rhx_env, rhx_option and rhx_secret_value look a value up by name; ptr is NULL
 * where it is not there. */
rhx_str rhx_env(const rhx_request *req, const char *name);
rhx_str rhx_option(const rhx_request *req, const char *name);
rhx_str rhx_secret_value(const rhx_request *req, const char *name);

/* --- The response ------------------------------------------------------ */

enum { RHX_SECRET, RHX_PUBLIC };

/* rhx_secret begins a secret with this profile; rhx_value adds a value to it.
 * Values are UTF-8: anything else ends the request with "unsupported". kind is
 * RHX_PUBLIC for values such as user names, that may be shown. */
void rhx_secret(rhx_str profile);
void rhx_value(const char *key, rhx_str value, int kind);

/* rhx_expires says when the values of the secret that was begun last end: a time
 * of RFC 3339, such as 2030-01-02T15:04:05Z. */
void rhx_expires(rhx_str time);

/* rhx_put_file gives the new content of a file of the request. mode is at most
 * 0600 unless the provider's spec allows more. */
void rhx_put_file(rhx_str path, rhx_str content, unsigned mode);

/* The codes of errors. */
#define RHX_INVALID "invalid"         /* the file or the request is broken */
#define RHX_UNSUPPORTED "unsupported" /* it is right, but this provider cannot do it */
#define RHX_CONFLICT "conflict"       /* the file holds something that stands in the way */

/* rhx_fail ends the request with an error. message never contains a value. path
 * may have a NULL ptr; line counts from 1, 0 where there is none. */
_Noreturn void rhx_fail(const char *code, const char *message, rhx_str path, unsigned line);

/* --- Tools ------------------------------------------------------------- */

/* A growing buffer; start it as {0}. */
typedef struct {
	char *ptr;
	size_t len, cap;
} rhx_buf;

void rhx_add(rhx_buf *b, const void *data, size_t n);
void rhx_add_str(rhx_buf *b, rhx_str s);
void rhx_add_json(rhx_buf *b, rhx_str s);   /* as a JSON string with its quotes */
void rhx_add_base64(rhx_buf *b, rhx_str s); /* standard alphabet, padded */
rhx_str rhx_bytes(const rhx_buf *b);

/* rhx_base64 decodes; ptr is NULL where s is not base64. */
rhx_str rhx_base64(rhx_str s);

/* rhx_utf8 reports whether s is valid UTF-8. */
int rhx_utf8(rhx_str s);

/* A JSON value. text holds a string's decoded bytes, or a number, true, false or
 * null as written. first and next walk the entries of an object or array; key is
 * the name of an object's entry. */
typedef struct rhx_json {
	enum { RHX_JSON_SCALAR, RHX_JSON_STRING, RHX_JSON_ARRAY, RHX_JSON_OBJECT } type;
	rhx_str key, text;
	struct rhx_json *first, *next;
} rhx_json;

/* rhx_parse reads one document of at most 64 levels; NULL where it is not JSON. */
const rhx_json *rhx_parse(rhx_str text);

/* rhx_get returns the entry of an object, or NULL. v may be NULL. */
const rhx_json *rhx_get(const rhx_json *v, const char *key);

/* --- The provider ------------------------------------------------------ */

typedef struct {
	const char *name, *version;
	void (*extract)(const rhx_request *);
	void (*render)(const rhx_request *); /* NULL where it cannot write */
} rhx_provider;

/* rhx_main carries out the request on standard input; main returns its result. */
int rhx_main(const rhx_provider *p);

#endif
