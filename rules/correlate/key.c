/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/key.h"

#include <haidang/hash.h>
#include <haidang/inet.h>
#include <haidang/utf8.h>

#define VALUE_MAX  256U /* bytes of a canonical value; longer: a piece and a hash */
#define VALUE_HEAD 224U
#define NO_VALUE   UINT16_MAX /* in place of a length: the event lacks the field */

static const struct hd_slice *find_value(const struct rul_event_copy *ev, uint16_t id)
{
    for (uint16_t i = 0; i < ev->n; i++) {
        if (ev->values[i].id == id) {
            return &ev->values[i].value;
        }
    }
    return NULL;
}

static void add_canonical(struct hd_buf *key, struct hd_slice value)
{
    struct hd_ip ip;
    char text[HD_IP_TEXT_MAX];
    if (hd_ip_parse(value, &ip) == 0) {
        hd_buf_bytes(key, text, hd_ip_format(&ip, text));
        return;
    }
    size_t from = key->len;
    hd_utf8_fold(key, value);
    if (key->err == 0 && key->len - from > VALUE_MAX) {
        uint64_t hash = hd_hash_stable(hd_slice(key->ptr + from, key->len - from), 0);
        key->len = from + VALUE_HEAD;
        hd_buf_printf(key, "~%016llx", (unsigned long long)hash);
    }
}

bool rul_key_add(struct hd_buf *key, const struct rul_event_copy *ev,
                 const uint16_t *fields, uint8_t n, bool has_null)
{
    for (uint8_t i = 0; i < n; i++) {
        const struct hd_slice *value = find_value(ev, fields[i]);
        if (value == NULL && !has_null) {
            return false;
        }
        if (value == NULL) {
            hd_buf_le16(key, NO_VALUE);
            continue;
        }
        size_t at = key->len;
        hd_buf_le16(key, 0);
        add_canonical(key, *value);
        if (key->err == 0) {
            size_t len = key->len - at - 2;
            key->ptr[at] = (uint8_t)len;
            key->ptr[at + 1] = (uint8_t)(len >> 8);
        }
    }
    return true;
}

struct hd_slice rul_key_next(struct hd_slice *key)
{
    if (key->len < 2) {
        return HD_SLICE_EMPTY;
    }
    size_t len = (size_t)key->ptr[0] | (size_t)key->ptr[1] << 8;
    struct hd_slice rest = hd_slice_from(*key, 2);
    *key = len == NO_VALUE ? rest : hd_slice_from(rest, len);
    return len == NO_VALUE ? HD_SLICE_EMPTY : hd_slice_head(rest, len);
}
