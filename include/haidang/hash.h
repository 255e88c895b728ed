/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes: XXH3 for tables (seeded once per process, so peers cannot choose collisions),
 * CRC-32C for stored entries (RFC 3720 appendix B.4), SHA-256 for what people verify.
 */
#pragma once
#include <haidang/err.h>
#include <haidang/slice.h>

uint64_t hd_hash(struct hd_slice s);                       /* per-process seed */
uint64_t hd_hash_stable(struct hd_slice s, uint64_t seed); /* same in every process */

/* Continue with the previous value; start with 0. Uses SSE4.2 where the CPU has it. */
uint32_t hd_crc32c(uint32_t crc, const void *ptr, size_t len);
/* The portable form of it; the same result on every CPU. */
uint32_t hd_crc32c_portable(uint32_t crc, const void *ptr, size_t len);

#define HD_SHA256_LEN 32
int hd_sha256(struct hd_slice s, uint8_t out[HD_SHA256_LEN]) HD_MUST_USE;

/* Cryptographically random bytes. */
int hd_random(void *out, size_t len) HD_MUST_USE;
