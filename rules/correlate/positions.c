/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/positions.h"

#include <stdlib.h>

#include <haidang/hash.h>
#include <haidang/num.h>

#define SLOTS     (2U * RUL_POSITION_PREFIXES_MAX)
#define NO_PREFIX UINT32_MAX
#define NO_SEQ    RUL_PLACE_NUMBER /* the prefix is the whole position */

struct rul_positions {
    char *prefixes[RUL_POSITION_PREFIXES_MAX];
    size_t lens[RUL_POSITION_PREFIXES_MAX];
    uint32_t n;
    uint32_t last; /* most events come from where the one before came from */
    uint32_t slots[SLOTS];
};

int rul_positions_new(struct rul_positions **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? HD_ENOMEM : 0;
}

void rul_positions_free(struct rul_positions *p)
{
    for (uint32_t i = 0; p != NULL && i < p->n; i++) {
        free(p->prefixes[i]);
    }
    free(p);
}

static struct hd_slice prefix_at(const struct rul_positions *p, uint32_t i)
{
    return hd_slice(p->prefixes[i], p->lens[i]);
}

static int intern(struct rul_positions *p, struct hd_slice prefix, uint32_t *index)
{
    if (p->last < p->n && hd_slice_eq(prefix_at(p, p->last), prefix)) {
        *index = p->last;
        return 0;
    }
    uint32_t at = (uint32_t)hd_hash(prefix) & (SLOTS - 1);
    while (p->slots[at] != 0 && !hd_slice_eq(prefix_at(p, p->slots[at] - 1), prefix)) {
        at = (at + 1) & (SLOTS - 1);
    }
    if (p->slots[at] == 0) {
        if (p->n == RUL_POSITION_PREFIXES_MAX) {
            *index = NO_PREFIX;
            return 0;
        }
        p->prefixes[p->n] = hd_slice_dup(prefix);
        if (p->prefixes[p->n] == NULL) {
            return HD_ENOMEM;
        }
        p->lens[p->n] = prefix.len;
        p->slots[at] = ++p->n;
    }
    *index = p->last = p->slots[at] - 1;
    return 0;
}

int rul_positions_put(struct rul_positions *p, struct hd_slice position, uint64_t *place)
{
    uint64_t seq = NO_SEQ;
    uint32_t prefix = NO_PREFIX;
    *place = RUL_NO_PLACE;
    if (position.len == 0) {
        return 0;
    }
    size_t slash = position.len;
    while (slash > 0 && position.ptr[slash - 1] != '/') {
        slash--;
    }
    struct hd_slice number = hd_slice_from(position, slash);
    bool canonical = number.len == 1 || (number.len > 1 && number.ptr[0] != '0');
    bool is_split = slash > 0 && canonical && hd_num_u64(number, NO_SEQ - 1, &seq) == 0;
    int err = intern(p, is_split ? hd_slice_head(position, slash) : position, &prefix);
    if (err == 0 && prefix != NO_PREFIX) {
        *place = (uint64_t)prefix << RUL_PLACE_BITS | seq;
    }
    return err;
}

void rul_positions_get(const struct rul_positions *p, uint64_t place, struct hd_buf *out)
{
    uint64_t prefix = place >> RUL_PLACE_BITS;
    if (place == RUL_NO_PLACE || prefix >= p->n) {
        return;
    }
    hd_buf_slice_add(out, prefix_at(p, (uint32_t)prefix));
    if ((place & RUL_PLACE_NUMBER) != NO_SEQ) {
        hd_buf_u64(out, place & RUL_PLACE_NUMBER);
    }
}

void rul_positions_save(const struct rul_positions *p, struct hd_buf *out)
{
    hd_buf_le32(out, p->n);
    for (uint32_t i = 0; i < p->n; i++) {
        struct hd_slice text = prefix_at(p, i);
        hd_buf_le32(out, (uint32_t)text.len);
        hd_buf_slice_add(out, text);
    }
}

int rul_prefixes_load(struct rul_prefixes *prefixes, struct rul_positions *p,
                      struct hd_bytes *in)
{
    uint32_t n = hd_bytes_le32(in);
    *prefixes = (struct rul_prefixes){.positions = p};
    if (n > RUL_POSITION_PREFIXES_MAX) {
        return HD_ECORRUPT;
    }
    prefixes->list = calloc((size_t)n + 1, sizeof(*prefixes->list));
    if (prefixes->list == NULL) {
        return HD_ENOMEM;
    }
    for (prefixes->n = 0; prefixes->n < n; prefixes->n++) {
        uint32_t len = hd_bytes_le32(in);
        prefixes->list[prefixes->n].text = hd_bytes_view(in, len);
    }
    return hd_bytes_failed(in) ? HD_ECORRUPT : 0;
}

void rul_prefixes_fini(struct rul_prefixes *prefixes)
{
    free(prefixes->list);
    *prefixes = (struct rul_prefixes){0};
}

int rul_prefixes_move(struct rul_prefixes *prefixes, uint64_t *place)
{
    uint64_t saved = *place;
    *place = RUL_NO_PLACE;
    if (saved == RUL_NO_PLACE || saved >> RUL_PLACE_BITS >= prefixes->n) {
        return 0;
    }
    struct rul_prefix *prefix = &prefixes->list[saved >> RUL_PLACE_BITS];
    if (prefix->now == 0) {
        uint32_t index;
        int err = intern(prefixes->positions, prefix->text, &index);
        if (err != 0) {
            return err;
        }
        prefix->now = index + 1; /* 0 again when there is no room for it */
    }
    if (prefix->now != 0) {
        *place =
            (uint64_t)(prefix->now - 1) << RUL_PLACE_BITS | (saved & RUL_PLACE_NUMBER);
    }
    return 0;
}
