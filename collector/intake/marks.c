/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing over pointers with linear probing; removal shifts back, so there are no
 * tombstones. The table is at most half full.
 */
#include "collector/intake/marks.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/bytes.h>
#include <haidang/hash.h>
#include <haidang/journal.h>

#include "collector/source/source.h"

#define META_VERSION 1
#define SLOTS_MIN    64U

struct entry {
    uint64_t hash;
    int64_t touched_s;
    uint8_t key_len, latest_len, durable_len;
    bool is_dirty, is_late; /* late: dirty, and of no line */
    uint8_t cap;            /* of each value */
    uint8_t bytes[];        /* key, latest, durable */
};

struct col_marks {
    struct entry **slots;
    size_t n_slots, count, max;
    size_t dirty_bytes; /* what the dirty ones that are not late take in a meta */
    size_t n_late;
    uint64_t evicted;
};

static uint8_t *latest_of(struct entry *e)
{
    return e->bytes + e->key_len;
}

static uint8_t *durable_of(struct entry *e)
{
    return e->bytes + e->key_len + e->cap;
}

static struct hd_slice key_of(const struct entry *e)
{
    return hd_slice(e->bytes, e->key_len);
}

static size_t meta_len(const struct entry *e)
{
    return 2U + e->key_len + e->latest_len;
}

static void clean(struct col_marks *marks, struct entry *e)
{
    marks->dirty_bytes -= e->is_dirty && !e->is_late ? meta_len(e) : 0;
    marks->n_late -= e->is_late;
    e->is_dirty = e->is_late = false;
}

static void soil(struct col_marks *marks, struct entry *e, bool is_late)
{
    e->is_dirty = true;
    e->is_late = is_late;
    marks->n_late += is_late;
    marks->dirty_bytes += is_late ? 0 : meta_len(e);
}

int col_marks_new(size_t max, struct col_marks **out)
{
    struct col_marks *marks = calloc(1, sizeof(*marks));
    if (marks == NULL) {
        return HD_ENOMEM;
    }
    marks->max = max;
    marks->n_slots = SLOTS_MIN;
    marks->slots = calloc(marks->n_slots, sizeof(struct entry *));
    if (marks->slots == NULL) {
        free(marks);
        return HD_ENOMEM;
    }
    *out = marks;
    return HD_OK;
}

void col_marks_free(struct col_marks *marks)
{
    if (marks == NULL) {
        return;
    }
    for (size_t i = 0; i < marks->n_slots; i++) {
        free(marks->slots[i]);
    }
    free(marks->slots);
    free(marks);
}

/* The slot that holds the key, or the empty one where it belongs. */
static size_t find_slot(const struct col_marks *marks, struct hd_slice key, uint64_t hash)
{
    size_t mask = marks->n_slots - 1;
    size_t i = (size_t)hash & mask;
    while (marks->slots[i] != NULL && (marks->slots[i]->hash != hash ||
                                       !hd_slice_eq(key_of(marks->slots[i]), key))) {
        i = (i + 1) & mask;
    }
    return i;
}

static void remove_slot(struct col_marks *marks, size_t i)
{
    size_t mask = marks->n_slots - 1;
    struct entry *e = marks->slots[i];
    clean(marks, e);
    marks->count--;
    free(e);
    marks->slots[i] = NULL;
    for (size_t j = (i + 1) & mask; marks->slots[j] != NULL; j = (j + 1) & mask) {
        size_t home = (size_t)marks->slots[j]->hash & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            marks->slots[i] = marks->slots[j];
            marks->slots[j] = NULL;
            i = j;
        }
    }
}

static int grow(struct col_marks *marks)
{
    size_t n = marks->n_slots * 2;
    struct entry **slots = calloc(n, sizeof(struct entry *));
    if (slots == NULL) {
        return HD_ENOMEM;
    }
    struct entry **old = marks->slots;
    size_t n_old = marks->n_slots;
    marks->slots = slots;
    marks->n_slots = n;
    for (size_t i = 0; i < n_old; i++) {
        if (old[i] != NULL) {
            slots[find_slot(marks, key_of(old[i]), old[i]->hash)] = old[i];
        }
    }
    free(old);
    return HD_OK;
}

static void evict_oldest(struct col_marks *marks)
{
    size_t oldest = marks->n_slots;
    for (size_t i = 0; i < marks->n_slots; i++) {
        const struct entry *e = marks->slots[i];
        if (e != NULL && !e->is_dirty &&
            (oldest == marks->n_slots ||
             e->touched_s < marks->slots[oldest]->touched_s)) {
            oldest = i;
        }
    }
    if (oldest < marks->n_slots) {
        remove_slot(marks, oldest);
        marks->evicted++;
    }
}

/* A new entry with room for values of `cap` bytes in slot *i. */
static int insert(struct col_marks *marks, struct hd_slice key, uint64_t hash,
                  uint8_t cap, size_t *i)
{
    if (marks->count >= marks->max) {
        evict_oldest(marks);
    }
    if ((marks->count + 1) * 2 > marks->n_slots && grow(marks) != HD_OK) {
        return HD_ENOMEM;
    }
    struct entry *e = calloc(1, sizeof(*e) + key.len + 2U * cap);
    if (e == NULL) {
        return HD_ENOMEM;
    }
    e->hash = hash;
    e->key_len = (uint8_t)key.len;
    e->cap = cap;
    memcpy(e->bytes, key.ptr, key.len);
    *i = find_slot(marks, key, hash);
    marks->slots[*i] = e;
    marks->count++;
    return HD_OK;
}

/* The entry of a key with room for `cap` bytes; made when missing. */
static int entry_for(struct col_marks *marks, struct hd_slice key, size_t cap,
                     struct entry **out)
{
    if (key.len == 0 || key.len + cap > COL_MARK_MAX || key.len > UINT8_MAX ||
        cap > UINT8_MAX) {
        return HD_ELIMIT;
    }
    uint64_t hash = hd_hash(key);
    size_t i = find_slot(marks, key, hash);
    if (marks->slots[i] == NULL) {
        int err = insert(marks, key, hash, (uint8_t)cap, &i);
        if (err != HD_OK) {
            return err;
        }
    }
    struct entry *e = marks->slots[i];
    if (e->cap < cap) {
        struct entry *wide = realloc(e, sizeof(*e) + key.len + 2U * cap);
        if (wide == NULL) {
            return HD_ENOMEM;
        }
        memmove(wide->bytes + wide->key_len + cap,
                wide->bytes + wide->key_len + wide->cap, wide->durable_len);
        wide->cap = (uint8_t)cap;
        marks->slots[i] = wide;
        e = wide;
    }
    *out = e;
    return HD_OK;
}

static int set(struct col_marks *marks, struct hd_slice key, struct hd_slice mark,
               int64_t now_s, bool is_late)
{
    struct entry *e;
    int err = entry_for(marks, key, mark.len, &e);
    if (err != HD_OK) {
        return err;
    }
    is_late = is_late && (!e->is_dirty || e->is_late);
    clean(marks, e);
    if (mark.len > 0) {
        memcpy(latest_of(e), mark.ptr, mark.len);
    }
    e->latest_len = (uint8_t)mark.len;
    e->touched_s = now_s;
    soil(marks, e, is_late);
    return HD_OK;
}

int col_marks_set(struct col_marks *marks, struct hd_slice key, struct hd_slice mark,
                  int64_t now_s)
{
    return set(marks, key, mark, now_s, false);
}

int col_marks_set_late(struct col_marks *marks, struct hd_slice key, struct hd_slice mark,
                       int64_t now_s)
{
    return set(marks, key, mark, now_s, true);
}

struct hd_slice col_marks_get(struct col_marks *marks, struct hd_slice key, int64_t now_s)
{
    struct entry *e = marks->slots[find_slot(marks, key, hd_hash(key))];
    if (e == NULL) {
        return HD_SLICE_EMPTY;
    }
    e->touched_s = now_s;
    return hd_slice(latest_of(e), e->latest_len);
}

int64_t col_marks_touched(const struct col_marks *marks, struct hd_slice key)
{
    const struct entry *e = marks->slots[find_slot(marks, key, hd_hash(key))];
    return e == NULL ? 0 : e->touched_s;
}

bool col_marks_is_full(const struct col_marks *marks)
{
    return 1 + marks->dirty_bytes + 2 + COL_MARK_MAX > HD_JOURNAL_META_MAX;
}

static void take_some(struct col_marks *marks, bool is_late, struct hd_buf *meta)
{
    for (size_t i = 0; i < marks->n_slots; i++) {
        struct entry *e = marks->slots[i];
        if (e == NULL || !e->is_dirty || e->is_late != is_late ||
            meta->len + meta_len(e) > HD_JOURNAL_META_MAX) {
            continue;
        }
        hd_buf_byte(meta, e->key_len);
        hd_buf_byte(meta, e->latest_len);
        hd_buf_bytes(meta, e->bytes, e->key_len);
        hd_buf_bytes(meta, latest_of(e), e->latest_len);
        clean(marks, e);
    }
}

void col_marks_take_meta(struct col_marks *marks, struct hd_buf *meta)
{
    if (marks->dirty_bytes == 0 && marks->n_late == 0) {
        return;
    }
    hd_buf_byte(meta, META_VERSION);
    take_some(marks, false, meta);
    if (marks->n_late > 0) {
        take_some(marks, true, meta);
    }
}

static void set_durable(struct entry *e, struct hd_slice mark)
{
    if (mark.len > 0) {
        memcpy(durable_of(e), mark.ptr, mark.len);
    }
    e->durable_len = (uint8_t)mark.len;
}

int col_marks_restore_one(struct col_marks *marks, struct hd_slice key,
                          struct hd_slice mark, int64_t touched_s)
{
    struct entry *e;
    int err = entry_for(marks, key, mark.len, &e);
    if (err != HD_OK) {
        return err;
    }
    if (mark.len == 0) {
        remove_slot(marks, find_slot(marks, key, e->hash));
        return HD_OK;
    }
    set_durable(e, mark);
    memcpy(latest_of(e), mark.ptr, mark.len);
    e->latest_len = (uint8_t)mark.len;
    e->touched_s = touched_s;
    return HD_OK;
}

static int durable_one(struct col_marks *marks, struct hd_slice key, struct hd_slice mark)
{
    struct entry *e;
    int err = entry_for(marks, key, mark.len, &e);
    if (err != HD_OK) {
        return err;
    }
    set_durable(e, mark);
    if (mark.len == 0 && e->latest_len == 0) {
        remove_slot(marks, find_slot(marks, key, e->hash));
    }
    return HD_OK;
}

/* Reads a meta: one (key, mark) after the other. 1 = read, 0 = end. */
static int next_pair(struct hd_bytes *in, struct hd_slice *key, struct hd_slice *mark)
{
    if (hd_bytes_left(in) == 0) {
        return 0;
    }
    size_t key_len = hd_bytes_u8(in);
    size_t mark_len = hd_bytes_u8(in);
    *key = hd_bytes_view(in, key_len);
    *mark = hd_bytes_view(in, mark_len);
    return hd_bytes_failed(in) || key_len == 0 ? HD_EPARSE : 1;
}

static int open_meta(struct hd_slice meta, struct hd_bytes *in)
{
    *in = hd_bytes(meta);
    return meta.len == 0 || hd_bytes_u8(in) == META_VERSION ? HD_OK : HD_EPARSE;
}

int col_marks_durable(struct col_marks *marks, struct hd_slice meta)
{
    struct hd_bytes in;
    struct hd_slice key, mark;
    int err = open_meta(meta, &in);
    for (int got = 1; err == HD_OK && got == 1;) {
        got = next_pair(&in, &key, &mark);
        err = got == 1 ? durable_one(marks, key, mark) : got;
    }
    return err;
}

int col_marks_restore(struct col_marks *marks, struct hd_slice meta, int64_t now_s)
{
    struct hd_bytes in;
    struct hd_slice key, mark;
    int err = open_meta(meta, &in);
    for (int got = 1; err == HD_OK && got == 1;) {
        got = next_pair(&in, &key, &mark);
        err = got == 1 ? col_marks_restore_one(marks, key, mark, now_s) : got;
    }
    return err;
}

void col_marks_settle(struct col_marks *marks)
{
    for (size_t i = 0; i < marks->n_slots; i++) {
        struct entry *e = marks->slots[i];
        if (e != NULL && e->is_dirty) {
            set_durable(e, hd_slice(latest_of(e), e->latest_len));
            clean(marks, e);
        }
    }
}

void col_marks_each(const struct col_marks *marks,
                    void (*each)(void *ctx, struct hd_slice key, struct hd_slice mark,
                                 int64_t touched_s),
                    void *ctx)
{
    for (size_t i = 0; i < marks->n_slots; i++) {
        struct entry *e = marks->slots[i];
        if (e != NULL && e->durable_len > 0) {
            each(ctx, key_of(e), hd_slice(durable_of(e), e->durable_len), e->touched_s);
        }
    }
}

size_t col_marks_count(const struct col_marks *marks)
{
    return marks->count;
}

uint64_t col_marks_evicted(const struct col_marks *marks)
{
    return marks->evicted;
}
