/* SPDX-License-Identifier: Apache-2.0
 *
 * "1:" base64(SHA-1(seed, lower endpoint's address, higher one's, protocol, 0, ports)),
 * all in network order. ICMP has no ports: the type stands for the one and the type that
 * answers it for the other; a type without an answer keeps its direction and takes the
 * code.
 */
#include "collector/packet/community_id.h"

#include <string.h>

#include "collector/packet/packet.h"

#define SHA1_LEN 20

struct counterpart {
    uint8_t type, answer;
};

/* RFC 792, RFC 950, RFC 1256 */
static const struct counterpart icmp4[] = {
    {0, 8},   {8, 0},   {9, 10},  {10, 9},  {13, 14},
    {14, 13}, {15, 16}, {16, 15}, {17, 18}, {18, 17},
};
/* RFC 4443, RFC 2710, RFC 4861, RFC 4620, RFC 6275 */
static const struct counterpart icmp6[] = {
    {128, 129}, {129, 128}, {130, 131}, {131, 130}, {133, 134}, {134, 133},
    {135, 136}, {136, 135}, {139, 140}, {140, 139}, {144, 145}, {145, 144},
};

int col_community_init(struct col_community *c, uint16_t seed)
{
    c->seed = seed;
    c->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    c->ctx = EVP_MD_CTX_new();
    if (c->sha1 != NULL && c->ctx != NULL) {
        return HD_OK;
    }
    int err = c->sha1 == NULL ? HD_EUNSUPPORTED : HD_ENOMEM;
    col_community_fini(c);
    return err;
}

void col_community_fini(struct col_community *c)
{
    EVP_MD_CTX_free(c->ctx);
    EVP_MD_free(c->sha1);
    c->ctx = NULL;
    c->sha1 = NULL;
}

/* The ports of an ICMP message; true when it has no counterpart. */
static bool icmp_ports(const struct col_community_tuple *tuple, uint16_t port[2])
{
    bool is_v6 = tuple->proto == COL_PROTO_ICMP6;
    const struct counterpart *map = is_v6 ? icmp6 : icmp4;
    size_t n =
        is_v6 ? sizeof(icmp6) / sizeof(icmp6[0]) : sizeof(icmp4) / sizeof(icmp4[0]);
    port[0] = tuple->icmp_type;
    port[1] = tuple->icmp_code;
    for (size_t i = 0; i < n; i++) {
        if (map[i].type == tuple->icmp_type) {
            port[1] = map[i].answer;
            return false;
        }
    }
    return true;
}

static size_t put(uint8_t *out, size_t at, const void *bytes, size_t len)
{
    memcpy(out + at, bytes, len);
    return at + len;
}

static size_t put_be16(uint8_t *out, size_t at, uint16_t value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    return put(out, at, bytes, sizeof(bytes));
}

/* The bytes that are hashed; at most 2 + 16 + 16 + 2 + 4. */
static size_t serialise(uint16_t seed, const struct col_community_tuple *tuple,
                        uint8_t out[40])
{
    uint16_t port[2] = {tuple->src_port, tuple->dst_port};
    bool is_icmp = tuple->proto == COL_PROTO_ICMP || tuple->proto == COL_PROTO_ICMP6;
    bool is_one_way = is_icmp && icmp_ports(tuple, port);
    int order = memcmp(tuple->src.byte, tuple->dst.byte, sizeof(tuple->src.byte));
    bool is_swapped = !is_one_way && (order > 0 || (order == 0 && port[0] > port[1]));
    const struct hd_ip *low = is_swapped ? &tuple->dst : &tuple->src;
    const struct hd_ip *high = is_swapped ? &tuple->src : &tuple->dst;
    size_t skip = hd_ip_is_v4(low) && hd_ip_is_v4(high) ? 12 : 0;
    uint8_t proto[2] = {tuple->proto, 0};
    size_t len = put_be16(out, 0, seed);
    len = put(out, len, low->byte + skip, sizeof(low->byte) - skip);
    len = put(out, len, high->byte + skip, sizeof(high->byte) - skip);
    len = put(out, len, proto, sizeof(proto));
    len = put_be16(out, len, port[is_swapped ? 1 : 0]);
    return put_be16(out, len, port[is_swapped ? 0 : 1]);
}

int col_community_id(struct col_community *c, const struct col_community_tuple *tuple,
                     char out[COL_COMMUNITY_ID_LEN + 1])
{
    uint8_t bytes[40];
    uint8_t digest[SHA1_LEN];
    size_t len = serialise(c->seed, tuple, bytes);
    out[0] = '\0';
    if (EVP_DigestInit_ex2(c->ctx, c->sha1, NULL) != 1 ||
        EVP_DigestUpdate(c->ctx, bytes, len) != 1 ||
        EVP_DigestFinal_ex(c->ctx, digest, NULL) != 1) {
        return HD_EUNSUPPORTED;
    }
    out[0] = '1';
    out[1] = ':';
    (void)EVP_EncodeBlock((unsigned char *)out + 2, digest, SHA1_LEN);
    return HD_OK;
}
