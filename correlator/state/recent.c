/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/recent.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>

#include <haidang/index.h>

struct id {
    char text[COR_ALERT_ID_LEN];
};

struct cor_recent {
    struct hd_index index;
    struct id *ids;
    uint32_t cap, n, next;
};

int cor_recent_new(uint32_t cap, struct cor_recent **out)
{
    if (cap == 0) {
        return HD_EINVAL;
    }
    struct cor_recent *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return HD_ENOMEM;
    }
    r->cap = cap;
    r->ids = calloc(cap, sizeof(*r->ids));
    if (r->ids == NULL || hd_index_init(&r->index, cap) != HD_OK) {
        cor_recent_free(r);
        return HD_ENOMEM;
    }
    *out = r;
    return HD_OK;
}

void cor_recent_free(struct cor_recent *r)
{
    if (r != NULL) {
        hd_index_fini(&r->index);
        free(r->ids);
        free(r);
    }
}

struct wanted {
    const struct cor_recent *recent;
    const char *id;
};

static bool same(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    return memcmp(w->recent->ids[at].text, w->id, COR_ALERT_ID_LEN) == 0;
}

static uint64_t hash(const char *id)
{
    return hd_hash(hd_slice(id, COR_ALERT_ID_LEN));
}

bool cor_recent_has(const struct cor_recent *r, const char *id)
{
    return strlen(id) == COR_ALERT_ID_LEN &&
           hd_index_find(&r->index, hash(id), same, &(struct wanted){r, id}) !=
               HD_INDEX_NONE;
}

int cor_recent_add(struct cor_recent *r, const char *id)
{
    if (strlen(id) != COR_ALERT_ID_LEN) {
        return HD_EINVAL;
    }
    if (cor_recent_has(r, id)) {
        return HD_OK;
    }
    uint32_t at = r->next;
    if (r->n == r->cap) {
        hd_index_remove(&r->index, hash(r->ids[at].text), at);
        r->n--;
    }
    int err = hd_index_add(&r->index, hash(id), at);
    if (err != HD_OK) {
        return err;
    }
    memcpy(r->ids[at].text, id, COR_ALERT_ID_LEN);
    r->n++;
    r->next = (at + 1) % r->cap;
    return HD_OK;
}
