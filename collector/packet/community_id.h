/* SPDX-License-Identifier: Apache-2.0
 *
 * Community ID version 1 (github.com/corelight/community-id-spec): the same short text
 * for a flow in whatever tool saw it. One thread per hasher.
 */
#pragma once
#include <openssl/evp.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/inet.h>

#define COL_COMMUNITY_ID_LEN 30 /* "1:" and 28 base64 digits */

struct col_community_tuple {
    struct hd_ip src, dst;
    uint16_t src_port, dst_port; /* ICMP: not looked at */
    uint8_t proto;
    uint8_t icmp_type, icmp_code;
};

struct col_community {
    EVP_MD *sha1;
    EVP_MD_CTX *ctx;
    uint16_t seed;
};

/* HD_ENOMEM; HD_EUNSUPPORTED where the crypto library has no SHA-1. */
int col_community_init(struct col_community *c, uint16_t seed) HD_MUST_USE;
void col_community_fini(struct col_community *c);

/* The direction makes no difference. On failure the text is empty. */
int col_community_id(struct col_community *c, const struct col_community_tuple *tuple,
                     char out[COL_COMMUNITY_ID_LEN + 1]) HD_MUST_USE;
