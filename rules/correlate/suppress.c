/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/suppress.h"

#include <stdlib.h>

#include <haidang/hash.h>
#include <haidang/index.h>
#include <haidang/inet.h>

#define NONE UINT32_MAX

struct entry {
    uint64_t key;
    int64_t published_ns;
    uint64_t repeats;
    uint32_t newer, older; /* by last use */
    bool is_seeded;        /* published_ns is that of an alert before the start */
};

struct rul_suppress {
    struct rul_suppress_opts opts;
    uint64_t seed; /* of keys: nobody else can choose two that are alike */
    struct hd_index index;
    struct entry *entries;
    uint32_t n;
    uint32_t newest, oldest;
    uint64_t evicted;
};

int rul_suppress_new(const struct rul_suppress_opts *opts, struct rul_suppress **out)
{
    if (opts->entries == 0 || opts->entries >= NONE) {
        return HD_EINVAL;
    }
    struct rul_suppress *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return HD_ENOMEM;
    }
    s->opts = *opts;
    s->newest = s->oldest = NONE;
    s->entries = calloc(opts->entries, sizeof(*s->entries));
    if (s->entries == NULL || hd_random(&s->seed, sizeof(s->seed)) != HD_OK ||
        hd_index_init(&s->index, opts->entries) != HD_OK) {
        rul_suppress_free(s);
        return HD_ENOMEM;
    }
    *out = s;
    return HD_OK;
}

void rul_suppress_free(struct rul_suppress *s)
{
    if (s != NULL) {
        hd_index_fini(&s->index);
        free(s->entries);
        free(s);
    }
}

uint64_t rul_suppress_key(const struct rul_suppress *s, const char *rule_id,
                          const struct hd_slice *parts, size_t n)
{
    uint64_t key = hd_hash_stable(hd_slice_str(rule_id), s->seed);
    for (size_t i = 0; i < n; i++) {
        uint64_t pair[2] = {key, hd_hash_stable(parts[i], s->seed)};
        key = hd_hash_stable(hd_slice(pair, sizeof(pair)), s->seed);
    }
    return key;
}

static int by_bytes(const void *a, const void *b)
{
    return hd_slice_cmp(*(const struct hd_slice *)a, *(const struct hd_slice *)b);
}

uint64_t rul_suppress_group_key(const struct rul_suppress *s, const char *rule_id,
                                struct hd_slice *values, size_t n)
{
    qsort(values, n, sizeof(*values), by_bytes);
    return rul_suppress_key(s, rule_id, values, n);
}

uint64_t rul_suppress_detection_key(const struct rul_suppress *s,
                                    const struct rul_detection *detection)
{
    struct hd_slice values[sizeof(detection->group) / sizeof(detection->group[0])];
    size_t n = 0;
    for (size_t i = 0; i < detection->n_group; i++) {
        values[n] = detection->group[i].value;
        n += values[n].ptr != NULL; /* the alert lacks what the events lack */
    }
    return rul_suppress_group_key(s, detection->rule->id, values, n);
}

uint64_t rul_suppress_event_key(const struct rul_suppress *s, const char *rule_id,
                                const struct rul_suppress_about *about)
{
    struct hd_ip ip;
    bool has_source = hd_ip_parse(about->source, &ip) == HD_OK;
    struct hd_slice parts[] = {about->host, has_source ? about->source : about->user};
    return rul_suppress_key(s, rule_id, parts, 2);
}

static void unlink_entry(struct rul_suppress *s, uint32_t at)
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

static void link_newest(struct rul_suppress *s, uint32_t at)
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
    const struct rul_suppress *s = ctx;
    (void)s;
    (void)at;
    return true; /* the whole 64-bit key is the hash */
}

/* A free entry: a new one or the one unseen for longest. */
static uint32_t obtain(struct rul_suppress *s)
{
    if (s->n < s->opts.entries) {
        return s->n++;
    }
    uint32_t at = s->oldest;
    unlink_entry(s, at);
    hd_index_remove(&s->index, s->entries[at].key, at);
    s->evicted++;
    return at;
}

static void make_newest(struct rul_suppress *s, uint32_t at)
{
    if (s->newest != at) {
        unlink_entry(s, at);
        link_newest(s, at);
    }
}

/* NULL when memory is short: then nothing is suppressed. */
static struct entry *find_or_add(struct rul_suppress *s, uint64_t key, bool *is_new)
{
    uint32_t at = hd_index_find(&s->index, key, same, s);
    *is_new = at == HD_INDEX_NONE;
    if (!*is_new) {
        make_newest(s, at);
        return &s->entries[at];
    }
    at = obtain(s);
    s->entries[at] = (struct entry){.key = key};
    link_newest(s, at);
    if (hd_index_add(&s->index, key, at) != HD_OK) {
        return NULL;
    }
    return &s->entries[at];
}

static int64_t window_of(const struct rul_suppress *s, enum hd_severity severity)
{
    return (unsigned)severity < RUL_SUPPRESS_SEVERITIES ? s->opts.window_ns[severity] : 0;
}

static int64_t distance_of(const struct entry *e, int64_t time_ns)
{
    return time_ns > e->published_ns ? time_ns - e->published_ns
                                     : e->published_ns - time_ns;
}

bool rul_suppress_repeat(struct rul_suppress *s, uint64_t key, enum hd_severity severity,
                         int64_t time_ns)
{
    uint32_t at = hd_index_find(&s->index, key, same, s);
    if (at == HD_INDEX_NONE) {
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

bool rul_suppress_pass(struct rul_suppress *s, uint64_t key, enum hd_severity severity,
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

void rul_suppress_seed(struct rul_suppress *s, uint64_t key, int64_t time_ns)
{
    bool is_new;
    struct entry *e = find_or_add(s, key, &is_new);
    if (e != NULL && (is_new || time_ns > e->published_ns)) {
        e->published_ns = time_ns;
        e->is_seeded = true;
    }
}

int rul_suppress_save(const struct rul_suppress *s, struct hd_buf *out)
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

static int load_entry(struct rul_suppress *s, struct hd_bytes *in)
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

int rul_suppress_load(struct rul_suppress *s, struct hd_bytes *in)
{
    s->seed = hd_bytes_le64(in);
    uint32_t n = hd_bytes_le32(in);
    int err = hd_bytes_failed(in) ? HD_ECORRUPT : HD_OK;
    for (uint32_t i = 0; i < n && err == HD_OK; i++) {
        err = load_entry(s, in);
    }
    return err;
}

uint64_t rul_suppress_evicted(const struct rul_suppress *s)
{
    return s->evicted;
}

uint32_t rul_suppress_count(const struct rul_suppress *s)
{
    return s->n;
}
