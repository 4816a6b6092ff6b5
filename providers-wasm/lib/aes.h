/* aes.h - AES on single blocks, with keys of 16 or 32 bytes (FIPS 197). SPDX-License-Identifier: Apache-2.0
 *
 * Small rather than fast, and its timing depends on the data: enough for files
 * whose key is written in front of the text that it hides, or printed in the
 * source of the tool that writes them. */
#ifndef AES_H
#define AES_H

#include <stdint.h>

typedef struct {
	int rounds;
	uint8_t round[15][16];
} aes_key;

/* size is 16 for AES-128, 32 for AES-256. */
void aes_init(aes_key *k, const uint8_t *key, int size);
void aes_encrypt(const aes_key *k, uint8_t block[16]);
void aes_decrypt(const aes_key *k, uint8_t block[16]);

#endif
