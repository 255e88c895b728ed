/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/suppress.h"

#include <stdlib.h>

#include <haidang/hash.h>

#include "correlator/index.h"

#define NONE UINT32_MAX

struct entry {
    uint64_t key;
    int64_t published_ns;
    uint64_t repeats;
    uint32_t newer, older; /* by last use */
    bool is_seeded;        /* published_ns is that of an alert before the start */
};

struct cor_suppress {
    struct cor_suppress_opts opts;
    uint64_t seed; /* of keys: nobody else can choose two that are alike */
    struct cor_index index;
    struct entry *entries;
    uint32_t n;
    uint32_t newest, oldest;
    uint64_t evicted;
};

int cor_suppress_new(const struct cor_suppress_opts *opts, struct cor_suppress **out)
{
    if (opts->entries == 0 || opts->entries >= NONE) {
        return HD_EINVAL;
    }
    struct cor_suppress *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return HD_ENOMEM;
    }
    s->opts = *opts;
    s->newest = s->oldest = NONE;
    s->entries = calloc(opts->entries, sizeof(*s->entries));
    if (s->entries == NULL || hd_random(&s->seed, sizeof(s->seed)) != HD_OK ||
        cor_index_init(&s->index, 64) != HD_OK) {
        cor_suppress_free(s);
        return HD_ENOMEM;
    }
    *out = s;
    return HD_OK;
}

void cor_suppress_free(struct cor_suppress *s)
{
    if (s != NULL) {
        cor_index_fini(&s->index);
        free(s->entries);
        free(s);
    }
}

uint64_t cor_suppress_key(const struct cor_suppress *s, const char *rule_id,
                          const struct hd_slice *parts, size_t n)
{
    uint64_t key = hd_hash_stable(hd_slice_str(rule_id), s->seed);
    for (size_t i = 0; i < n; i++) {
        uint64_t pair[2] = {key, hd_hash_stable(parts[i], s->seed)};
        key = hd_hash_stable(hd_slice(pair, sizeof(pair)), s->seed);
    }
    return key;
}

static void unlink_entry(struct cor_suppress *s, uint32_t at)
{
    struct entry *e = &s->entries[at];
    if (e->newer == NONE) {
        s->newest = e->older;
    } else {
        s->entries[e->newer].older = e->older;
    }
    if (e->older == NONE) {
        s->oldest = e->newer;
    } else {
        s->entries[e->older].newer = e->newer;
    }
}

static void link_newest(struct cor_suppress *s, uint32_t at)
{
    struct entry *e = &s->entries[at];
    e->newer = NONE;
    e->older = s->newest;
    if (s->newest == NONE) {
        s->oldest = at;
    } else {
        s->entries[s->newest].newer = at;
    }
    s->newest = at;
}

static bool same(const void *ctx, uint32_t at)
{
    const struct cor_suppress *s = ctx;
    (void)s;
    (void)at;
    return true; /* the whole 64-bit key is the hash */
}

/* A free entry: a new one or the one unseen for longest. */
static uint32_t obtain(struct cor_suppress *s)
{
    if (s->n < s->opts.entries) {
        return s->n++;
    }
    uint32_t at = s->oldest;
    unlink_entry(s, at);
    cor_index_remove(&s->index, s->entries[at].key, at);
    s->evicted++;
    return at;
}

static void make_newest(struct cor_suppress *s, uint32_t at)
{
    if (s->newest != at) {
        unlink_entry(s, at);
        link_newest(s, at);
    }
}

/* NULL when memory is short: then nothing is suppressed. */
static struct entry *find_or_add(struct cor_suppress *s, uint64_t key, bool *is_new)
{
    uint32_t at = cor_index_find(&s->index, key, same, s);
    *is_new = at == COR_INDEX_NONE;
    if (!*is_new) {
        make_newest(s, at);
        return &s->entries[at];
    }
    at = obtain(s);
    s->entries[at] = (struct entry){.key = key};
    link_newest(s, at);
    if (cor_index_add(&s->index, key, at) != HD_OK) {
        return NULL;
    }
    return &s->entries[at];
}

static int64_t window_of(const struct cor_suppress *s, enum hd_severity severity)
{
    return (unsigned)severity < COR_SUPPRESS_SEVERITIES ? s->opts.window_ns[severity] : 0;
}

static int64_t distance_of(const struct entry *e, int64_t time_ns)
{
    return time_ns > e->published_ns ? time_ns - e->published_ns
                                     : e->published_ns - time_ns;
}

bool cor_suppress_repeat(struct cor_suppress *s, uint64_t key, enum hd_severity severity,
                         int64_t time_ns)
{
    uint32_t at = cor_index_find(&s->index, key, same, s);
    if (at == COR_INDEX_NONE) {
        return false;
    }
    struct entry *e = &s->entries[at];
    int64_t distance = distance_of(e, time_ns);
    if (distance >= window_of(s, severity) || (e->is_seeded && distance == 0)) {
        return false;
    }
    make_newest(s, at);
    e->repeats++;
    return true;
}

bool cor_suppress_pass(struct cor_suppress *s, uint64_t key, enum hd_severity severity,
                       int64_t time_ns, uint64_t *repeats)
{
    bool is_new;
    *repeats = 0;
    struct entry *e = find_or_add(s, key, &is_new);
    if (e == NULL) {
        return true;
    }
    if (!is_new && e->is_seeded && distance_of(e, time_ns) == 0) {
        return true;
    }
    if (!is_new && distance_of(e, time_ns) < window_of(s, severity)) {
        e->repeats++;
        return false;
    }
    *repeats = e->repeats;
    e->repeats = 0;
    if (is_new || time_ns > e->published_ns) {
        e->published_ns = time_ns;
        e->is_seeded = false;
    }
    return true;
}

void cor_suppress_seed(struct cor_suppress *s, uint64_t key, int64_t time_ns)
{
    bool is_new;
    struct entry *e = find_or_add(s, key, &is_new);
    if (e != NULL && (is_new || time_ns > e->published_ns)) {
        e->published_ns = time_ns;
        e->is_seeded = true;
    }
}

int cor_suppress_save(const struct cor_suppress *s, struct hd_buf *out)
{
    hd_buf_le64(out, s->seed);
    hd_buf_le32(out, s->n);
    for (uint32_t at = s->oldest; at != NONE; at = s->entries[at].newer) {
        const struct entry *e = &s->entries[at];
        hd_buf_le64(out, e->key);
        hd_buf_le64(out, (uint64_t)e->published_ns);
        hd_buf_le64(out, e->repeats);
        hd_buf_byte(out, e->is_seeded);
    }
    return out->err;
}

static int load_entry(struct cor_suppress *s, struct hd_bytes *in)
{
    bool is_new;
    uint64_t key = hd_bytes_le64(in);
    int64_t published_ns = (int64_t)hd_bytes_le64(in);
    uint64_t repeats = hd_bytes_le64(in);
    bool is_seeded = hd_bytes_u8(in) != 0;
    if (hd_bytes_failed(in) || published_ns < 0) {
        return HD_ECORRUPT;
    }
    struct entry *e = find_or_add(s, key, &is_new);
    if (e == NULL) {
        return HD_ENOMEM;
    }
    e->published_ns = published_ns;
    e->repeats = repeats;
    e->is_seeded = is_seeded;
    return HD_OK;
}

int cor_suppress_load(struct cor_suppress *s, struct hd_bytes *in)
{
    s->seed = hd_bytes_le64(in);
    uint32_t n = hd_bytes_le32(in);
    int err = hd_bytes_failed(in) ? HD_ECORRUPT : HD_OK;
    for (uint32_t i = 0; i < n && err == HD_OK; i++) {
        err = load_entry(s, in);
    }
    return err;
}

uint64_t cor_suppress_evicted(const struct cor_suppress *s)
{
    return s->evicted;
}

uint32_t cor_suppress_count(const struct cor_suppress *s)
{
    return s->n;
}
