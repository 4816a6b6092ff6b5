/* aes.c - see aes.h. SPDX-License-Identifier: Apache-2.0 */
#include "aes.h"

#include <string.h>

static uint8_t sbox[256], inverse[256];

/* Doubles an element of GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t twice(uint8_t x) { return (uint8_t)(x << 1 ^ (x >> 7) * 0x1b); }

static uint8_t rotate(uint8_t x, int n) { return (uint8_t)(x << n | x >> (8 - n)); }

/* Fills the tables: p runs through the powers of the generator 3, q through
 * those of its inverse, so that q is always 1/p (FIPS 197, section 5.1.1). */
static void fill(void) {
	uint8_t p = 1, q = 1;
	do {
		p = p ^ twice(p);
		q ^= (uint8_t)(q << 1);
		q ^= (uint8_t)(q << 2);
		q ^= (uint8_t)(q << 4);
		q ^= (uint8_t)((q >> 7) * 0x09);
		sbox[p] = (uint8_t)(q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^ rotate(q, 4) ^ 0x63);
	} while (p != 1);
	sbox[0] = 0x63;
	for (int i = 0; i < 256; i++) inverse[sbox[i]] = (uint8_t)i;
}

void aes_init(aes_key *k, const uint8_t *key, int size) {
	uint8_t *w = k->round[0], rcon = 1;
	fill();
	k->rounds = size / 4 + 6;
	memcpy(w, key, (size_t)size);
	for (int i = size; i < 16 * (k->rounds + 1); i += 4) {
		uint8_t t[4];
		memcpy(t, w + i - 4, 4);
		if (i % size == 0) {
			uint8_t first = t[0];
			t[0] = sbox[t[1]] ^ rcon;
			t[1] = sbox[t[2]];
			t[2] = sbox[t[3]];
			t[3] = sbox[first];
			rcon = twice(rcon);
		} else if (size == 32 && i % 32 == 16) {
			for (int j = 0; j < 4; j++) t[j] = sbox[t[j]];
		}
		for (int j = 0; j < 4; j++) w[i + j] = w[i + j - size] ^ t[j];
	}
}

static void add_key(uint8_t b[16], const uint8_t k[16]) {
	for (int i = 0; i < 16; i++) b[i] ^= k[i];
}

void aes_encrypt(const aes_key *k, uint8_t b[16]) {
	uint8_t t[16];
	add_key(b, k->round[0]);
	for (int r = 1; r <= k->rounds; r++) {
		/* SubBytes and ShiftRows: row i of the column-wise state moves i to the left. */
		for (int i = 0; i < 16; i++) t[i] = sbox[b[(i + 4 * (i % 4)) % 16]];
		for (int c = 0; c < 16 && r < k->rounds; c += 4) { /* MixColumns */
			uint8_t all = t[c] ^ t[c + 1] ^ t[c + 2] ^ t[c + 3], first = t[c];
			for (int i = 0; i < 4; i++) {
				uint8_t below = i < 3 ? t[c + i + 1] : first;
				t[c + i] ^= all ^ twice(t[c + i] ^ below);
			}
		}
		add_key(t, k->round[r]);
		memcpy(b, t, 16);
	}
}

void aes_decrypt(const aes_key *k, uint8_t b[16]) {
	uint8_t t[16];
	for (int r = k->rounds; r >= 1; r--) {
		add_key(b, k->round[r]);
		for (int c = 0; c < 16 && r < k->rounds; c += 4) { /* InvMixColumns, as MixColumns after a small step */
			uint8_t u = twice(twice(b[c] ^ b[c + 2])), v = twice(twice(b[c + 1] ^ b[c + 3]));
			b[c] ^= u, b[c + 1] ^= v, b[c + 2] ^= u, b[c + 3] ^= v;
			uint8_t all = b[c] ^ b[c + 1] ^ b[c + 2] ^ b[c + 3], first = b[c];
			for (int i = 0; i < 4; i++) {
				uint8_t below = i < 3 ? b[c + i + 1] : first;
				b[c + i] ^= all ^ twice(b[c + i] ^ below);
			}
		}
		for (int i = 0; i < 16; i++) t[(i + 4 * (i % 4)) % 16] = inverse[b[i]];
		memcpy(b, t, 16);
	}
	add_key(b, k->round[0]);
}
