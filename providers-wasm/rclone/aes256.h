/* aes256.h - AES-256 on single blocks, one way (FIPS 197). SPDX-License-Identifier: Apache-2.0
 *
 * Counter mode needs no decryption. Small rather than fast, and its timing
 * depends on the data: enough for a key that is printed in rclone's source. */
#ifndef AES256_H
#define AES256_H

#include <stdint.h>

typedef struct {
	uint8_t sbox[256];
	uint8_t round[15][16];
} aes256_key;

void aes256_init(aes256_key *k, const uint8_t key[32]);
void aes256_encrypt(const aes256_key *k, uint8_t block[16]);

#endif
