/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/intake/agents.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>

#include "correlator/metrics.h"

#define NONE UINT32_MAX

int cor_agents_init(struct cor_agents *t, uint32_t max)
{
    *t = (struct cor_agents){.max = max, .newest = NONE, .oldest = NONE, .next_entry = 1};
    t->rows = calloc(max, sizeof(struct cor_agent *));
    if (t->rows == NULL || hd_index_init(&t->index, 64) != HD_OK) {
        free(t->rows);
        return HD_ENOMEM;
    }
    return HD_OK;
}

static void row_free(struct cor_agent *row)
{
    if (row != NULL) {
        cor_ledger_fini(&row->ledger);
        free(row->name);
        free(row);
    }
}

void cor_agents_fini(struct cor_agents *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        row_free(t->rows[i]);
    }
    free(t->rows);
    hd_index_fini(&t->index);
    *t = (struct cor_agents){0};
}

/* ---- finding ---- */

struct wanted {
    const struct cor_agents *table;
    struct hd_slice name, boot;
};

static bool same(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    const struct cor_agent *row = w->table->rows[at];
    return hd_slice_eq(hd_slice_str(row->name), w->name) &&
           hd_slice_eq(hd_slice(row->boot, COR_BOOT_LEN), w->boot);
}

static uint64_t hash(struct hd_slice name, struct hd_slice boot)
{
    uint64_t pair[2] = {hd_hash(name), hd_hash(boot)};
    return hd_hash(hd_slice(pair, sizeof(pair)));
}

static uint64_t hash_of(const struct cor_agent *row)
{
    return hash(hd_slice_str(row->name), hd_slice(row->boot, COR_BOOT_LEN));
}

static uint32_t find(const struct cor_agents *t, struct hd_slice name,
                     struct hd_slice boot)
{
    return hd_index_find(&t->index, hash(name, boot), same,
                         &(struct wanted){t, name, boot});
}

struct cor_agent *cor_agents_find(const struct cor_agents *t, struct hd_slice name,
                                  struct hd_slice boot)
{
    uint32_t at = find(t, name, boot);
    return at == HD_INDEX_NONE ? NULL : t->rows[at];
}

/* ---- order of use ---- */

static void unlink_row(struct cor_agents *t, uint32_t at)
{
    const struct cor_agent *row = t->rows[at];
    if (row->newer == NONE) {
        t->newest = row->older;
    } else {
        t->rows[row->newer]->older = row->older;
    }
    if (row->older == NONE) {
        t->oldest = row->newer;
    } else {
        t->rows[row->older]->newer = row->newer;
    }
}

static void link_newest(struct cor_agents *t, uint32_t at)
{
    struct cor_agent *row = t->rows[at];
    row->newer = NONE;
    row->older = t->newest;
    if (t->newest == NONE) {
        t->oldest = at;
    } else {
        t->rows[t->newest]->newer = at;
    }
    t->newest = at;
}

static bool is_in_use(const struct cor_agent *row)
{
    return row->session != NULL || row->ledger.in_flight > 0;
}

/* Frees the row unseen for longest; its number, or NONE when all are in use. */
static uint32_t evict(struct cor_agents *t)
{
    uint32_t at = t->oldest;
    while (at != NONE && is_in_use(t->rows[at])) {
        at = t->rows[at]->newer;
    }
    if (at != NONE) {
        unlink_row(t, at);
        hd_index_remove(&t->index, hash_of(t->rows[at]), at);
        row_free(t->rows[at]);
        t->rows[at] = NULL; /* until the caller has put the new one: nothing can fail */
        COR_COUNT(COR_M_AGENTS_EVICTED, 1);
    }
    return at;
}

static struct cor_agent *row_new(struct hd_slice name, struct hd_slice boot)
{
    struct cor_agent *row = calloc(1, sizeof(*row));
    if (row == NULL) {
        return NULL;
    }
    row->name = hd_slice_dup(name);
    if (row->name == NULL) {
        free(row);
        return NULL;
    }
    memcpy(row->boot, boot.ptr, COR_BOOT_LEN);
    return row;
}

int cor_agents_get(struct cor_agents *t, struct hd_slice name, struct hd_slice boot,
                   struct cor_agent **out)
{
    if (hd_fails(cor_agent_boot_is_valid(boot))) {
        return HD_EBUG;
    }
    uint32_t at = find(t, name, boot);
    if (at != HD_INDEX_NONE) {
        unlink_row(t, at);
        link_newest(t, at);
        *out = t->rows[at];
        return HD_OK;
    }
    struct cor_agent *row = row_new(name, boot);
    if (row == NULL) {
        return HD_ENOMEM;
    }
    at = t->n < t->max ? t->n : evict(t);
    if (at == NONE) {
        row_free(row);
        return HD_EFULL;
    }
    int err = hd_index_add(&t->index, hash(name, boot), at);
    if (err != HD_OK) {
        row_free(row);
        return err;
    }
    t->n += at == t->n;
    t->rows[at] = row;
    link_newest(t, at);
    *out = row;
    return HD_OK;
}

/* ---- names ---- */

bool cor_agent_name_is_valid(struct hd_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!hd_is_alnum(c) && c != '-' && c != '_' && c != '.') {
            return false;
        }
    }
    return name.len > 0 && name.len <= HD_BATCH_NAME_MAX;
}

bool cor_agent_boot_is_valid(struct hd_slice boot)
{
    for (size_t i = 0; i < boot.len; i++) {
        uint8_t c = boot.ptr[i];
        if (!hd_is_digit(c) && (c < 'a' || c > 'f')) {
            return false;
        }
    }
    return boot.len == COR_BOOT_LEN;
}
