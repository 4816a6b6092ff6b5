/* plugin.c - the example provider of guest-sdk/c as a plugin of Extism
 * (-DEXTISM), or of go-plugin: the same parser and the same documents, with other
 * ways in and out than standard input and output.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * rhx.c and acme.c are compiled with -Dread=plugin_read -Dwrite=plugin_write
 * -Dmain=acme_main. An instance serves one request.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

int acme_main(void);

#define EXPORT(name) __attribute__((export_name(name)))

#ifdef EXTISM

#define HOST(name) __attribute__((import_module("extism:host/env"), import_name(name)))
HOST("input_length") uint64_t input_length(void);
HOST("input_load_u8") uint32_t input_load_u8(uint64_t at);
HOST("input_load_u64") uint64_t input_load_u64(uint64_t at);
HOST("alloc") uint64_t host_alloc(uint64_t n);
HOST("store_u8") void store_u8(uint64_t at, uint32_t v);
HOST("store_u64") void store_u64(uint64_t at, uint64_t v);
HOST("output_set") void output_set(uint64_t at, uint64_t n);

static uint64_t read_so_far;

ssize_t plugin_read(int fd, void *p, size_t n) {
	char *to = p;
	uint64_t left = input_length() - read_so_far;
	(void)fd;
	if (n > left) n = (size_t)left;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t v = input_load_u64(read_so_far + i);
		memcpy(to + i, &v, 8);
	}
	for (; i < n; i++) to[i] = (char)input_load_u8(read_so_far + i);
	read_so_far += n;
	return (ssize_t)n;
}

ssize_t plugin_write(int fd, const void *p, size_t n) {
	const char *from = p;
	uint64_t at = host_alloc(n);
	size_t i = 0;
	(void)fd;
	for (; i + 8 <= n; i += 8) {
		uint64_t v;
		memcpy(&v, from + i, 8);
		store_u64(at + i, v);
	}
	for (; i < n; i++) store_u8(at + i, (unsigned char)from[i]);
	output_set(at, n);
	return (ssize_t)n;
}

EXPORT("extract") int32_t extract_export(void) { return acme_main(); }

#else

static const char *in;
static size_t in_left;
static char *out;
static size_t out_len;

ssize_t plugin_read(int fd, void *p, size_t n) {
	(void)fd;
	if (n > in_left) n = in_left;
	memcpy(p, in, n);
	in += n, in_left -= n;
	return (ssize_t)n;
}

/* Writes the field data of a Document: its tag, its length, the bytes. */
ssize_t plugin_write(int fd, const void *p, size_t n) {
	(void)fd;
	out = malloc(n + 11);
	out[out_len++] = 0x0a;
	size_t v = n;
	for (; v >= 0x80; v >>= 7) out[out_len++] = (char)(v | 0x80);
	out[out_len++] = (char)v;
	memcpy(out + out_len, p, n);
	out_len += n;
	return (ssize_t)n;
}

EXPORT("malloc") void *malloc_export(size_t n) { return malloc(n); }
EXPORT("free") void free_export(void *p) { free(p); }
EXPORT("provider_api_version") uint64_t api_version(void) { return 1; }

EXPORT("provider_extract") uint64_t extract_export(const char *p, uint32_t n) {
	size_t i = 1; /* behind the tag */
	for (int shift = 0; i < n; shift += 7) {
		in_left |= (size_t)(p[i] & 0x7f) << shift;
		if (!(p[i++] & 0x80)) break;
	}
	in = p + i;
	acme_main();
	return (uint64_t)(uintptr_t)out << 32 | out_len;
}

#endif
