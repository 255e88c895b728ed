/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/positions.h"

#include <stdlib.h>

#include <haidang/hash.h>
#include <haidang/num.h>

#define SLOTS  (2U * RUL_POSITION_PREFIXES_MAX)
#define NO_SEQ UINT64_MAX /* the prefix is the whole position */

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
            *index = RUL_NO_PREFIX;
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

int rul_positions_put(struct rul_positions *p, struct hd_slice position,
                      struct rul_mark *mark)
{
    mark->seq = NO_SEQ;
    mark->prefix = RUL_NO_PREFIX;
    if (position.len == 0) {
        return 0;
    }
    size_t slash = position.len;
    while (slash > 0 && position.ptr[slash - 1] != '/') {
        slash--;
    }
    struct hd_slice number = hd_slice_from(position, slash);
    bool canonical = number.len == 1 || (number.len > 1 && number.ptr[0] != '0');
    if (slash > 0 && canonical && hd_num_u64(number, NO_SEQ - 1, &mark->seq) == 0) {
        return intern(p, hd_slice_head(position, slash), &mark->prefix);
    }
    mark->seq = NO_SEQ;
    return intern(p, position, &mark->prefix);
}

void rul_positions_get(const struct rul_positions *p, const struct rul_mark *mark,
                       struct hd_buf *out)
{
    if (mark->prefix >= p->n) {
        return;
    }
    hd_buf_slice_add(out, prefix_at(p, mark->prefix));
    if (mark->seq != NO_SEQ) {
        hd_buf_u64(out, mark->seq);
    }
}
