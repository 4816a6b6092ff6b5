/* aes.h - AES-128 on single blocks (FIPS 197). SPDX-License-Identifier: Apache-2.0
 *
 * Small rather than fast, and its timing depends on the data: enough for files
 * whose key is written in front of the text that it hides. */
#ifndef AES_H
#define AES_H

#include <stdint.h>

typedef struct {
	uint8_t round[11][16];
} aes_key;

void aes_init(aes_key *k, const uint8_t key[16]);
void aes_encrypt(const aes_key *k, uint8_t block[16]);
void aes_decrypt(const aes_key *k, uint8_t block[16]);

#endif
