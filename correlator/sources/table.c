/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/sources/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/hash.h>

#include "correlator/metrics.h"

#define KEY_MAX      8192U
#define DAY_S        86400
#define FORGET_NS    (7 * DAY_S * HD_NS_PER_SEC) /* a usual pause shrinks in this time */
#define PAUSES_KNOWN 20U
#define SAMPLE_EVERY (60 * HD_NS_PER_SEC)
#define INDEX_BEGIN  64U

/* ---- life ---- */

int cor_sources_init(struct cor_sources *t, const struct cor_sources_opts *opts,
                     const struct cor_times *now)
{
    *t = (struct cor_sources){.opts = *opts, .started_ns = now->mono_ns};
    TAILQ_INIT(&t->fresh);
    TAILQ_INIT(&t->known);
    hd_buf_init(&t->key, KEY_MAX);
    t->rows = calloc(opts->max, sizeof(struct cor_source *));
    t->agents = calloc(opts->max, sizeof(struct cor_source_agent *));
    int err = t->rows == NULL || t->agents == NULL ? HD_ENOMEM : HD_OK;
    err = err != HD_OK ? err : hd_index_init(&t->index, INDEX_BEGIN);
    err = err != HD_OK ? err : hd_index_init(&t->agent_index, INDEX_BEGIN);
    if (err != HD_OK) {
        cor_sources_fini(t);
    }
    return err;
}

static void free_agent(struct cor_source_agent *a)
{
    free(a->name);
    free(a);
}

void cor_sources_fini(struct cor_sources *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        free(t->rows[i]);
    }
    for (uint32_t i = 0; i < t->n_agents; i++) {
        free_agent(t->agents[i]);
    }
    free(t->rows);
    free(t->agents);
    hd_index_fini(&t->index);
    hd_index_fini(&t->agent_index);
    hd_buf_fini(&t->key);
    *t = (struct cor_sources){0};
}

/* ---- agents ---- */

struct wanted {
    const struct cor_sources *table;
    struct hd_slice text;
};

static bool same_agent(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    return hd_slice_eq(hd_slice_str(w->table->agents[at]->name), w->text);
}

struct cor_source_agent *cor_sources_agent(const struct cor_sources *t,
                                           struct hd_slice name)
{
    uint32_t at = hd_index_find(&t->agent_index, hd_hash(name), same_agent,
                                &(struct wanted){t, name});
    return at == HD_INDEX_NONE ? NULL : t->agents[at];
}

static int add_agent(struct cor_sources *t, struct hd_slice name,
                     const struct cor_times *now, struct cor_source_agent **out)
{
    struct cor_source_agent *a = calloc(1, sizeof(*a));
    char *copy = strndup((const char *)name.ptr, name.len);
    int err = a == NULL || copy == NULL
                  ? HD_ENOMEM
                  : hd_index_add(&t->agent_index, hd_hash(name), t->n_agents);
    if (err != HD_OK) {
        free(a);
        free(copy);
        return err;
    }
    a->name = copy;
    a->at = t->n_agents;
    a->alive_ns = now->mono_ns;
    t->agents[t->n_agents++] = a;
    *out = a;
    return HD_OK;
}

/* The last source of it went: the last agent takes its place. */
static void release_agent(struct cor_sources *t, struct cor_source_agent *a)
{
    if (--a->sources > 0) {
        return;
    }
    struct cor_source_agent *last = t->agents[--t->n_agents];
    hd_index_remove(&t->agent_index, hd_hash(hd_slice_str(a->name)), a->at);
    if (last != a) {
        uint64_t hash = hd_hash(hd_slice_str(last->name));
        hd_index_remove(&t->agent_index, hash, last->at);
        last->at = a->at;
        t->agents[a->at] = last;
        /* One was just removed: there is room. */
        (void)!hd_index_add(&t->agent_index, hash, last->at);
    }
    free_agent(a);
}

void cor_sources_disconnected(struct cor_sources *t)
{
    for (uint32_t i = 0; i < t->n_agents; i++) {
        t->agents[i]->is_connected = false;
    }
}

void cor_sources_connected(struct cor_sources *t, struct hd_slice name,
                           int64_t difference_ns, const struct cor_times *now)
{
    struct cor_source_agent *a = cor_sources_agent(t, name);
    if (a != NULL) {
        a->is_connected = true;
        a->alive_ns = now->mono_ns;
        a->difference_ns = difference_ns;
    }
}

/* ---- rows ---- */

static bool same_source(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    return hd_slice_eq(w->table->rows[at]->key, w->text);
}

static void make_key(struct hd_buf *key, struct hd_slice agent,
                     const struct cor_seen_source *s)
{
    hd_buf_clear(key);
    hd_buf_slice_add(key, agent);
    hd_buf_byte(key, 0);
    hd_buf_slice_add(key, s->host);
    hd_buf_byte(key, 0);
    hd_buf_slice_add(key, s->kind);
    hd_buf_byte(key, 0);
    hd_buf_slice_add(key, s->name);
}

static struct cor_source_list *list_of(struct cor_sources *t, const struct cor_source *s)
{
    return s->is_known ? &t->known : &t->fresh;
}

void cor_sources_promote(struct cor_sources *t, struct cor_source *s)
{
    if (!s->is_known) {
        TAILQ_REMOVE(&t->fresh, s, use);
        s->is_known = true;
        TAILQ_INSERT_TAIL(&t->known, s, use);
    }
}

/* Frees the place of the one that is missed least. */
static void evict(struct cor_sources *t)
{
    struct cor_source *s = TAILQ_FIRST(&t->fresh);
    s = s != NULL ? s : TAILQ_FIRST(&t->known);
    struct cor_source *last = t->rows[--t->n];
    TAILQ_REMOVE(list_of(t, s), s, use);
    hd_index_remove(&t->index, hd_hash(s->key), s->at);
    if (last != s) {
        uint64_t hash = hd_hash(last->key);
        hd_index_remove(&t->index, hash, last->at);
        last->at = s->at;
        t->rows[s->at] = last;
        /* One was just removed: there is room. */
        (void)!hd_index_add(&t->index, hash, last->at);
    }
    release_agent(t, s->agent);
    free(s);
    COR_COUNT(COR_M_SOURCES_EVICTED, 1);
}

/* A row for the key in t->key. */
static struct cor_source *new_row(const struct cor_sources *t, size_t agent_len,
                                  const struct cor_seen_source *seen)
{
    struct cor_source *s = calloc(1, sizeof(*s) + t->key.len);
    if (s == NULL) {
        return NULL;
    }
    memcpy(s->text, t->key.ptr, t->key.len);
    s->key = hd_slice(s->text, t->key.len);
    s->host = hd_slice(s->text + agent_len + 1, seen->host.len);
    s->kind = hd_slice(s->host.ptr + s->host.len + 1, seen->kind.len);
    s->name = hd_slice(s->kind.ptr + s->kind.len + 1, seen->name.len);
    return s;
}

static int add_row(struct cor_sources *t, struct hd_slice agent,
                   const struct cor_seen_source *seen, const struct cor_times *now,
                   struct cor_source **out)
{
    if (t->n == t->opts.max) {
        evict(t);
    }
    struct cor_source *s = new_row(t, agent.len, seen);
    struct cor_source_agent *a = cor_sources_agent(t, agent);
    int err = s == NULL ? HD_ENOMEM : a == NULL ? add_agent(t, agent, now, &a) : HD_OK;
    if (err == HD_OK) {
        a->sources++;
        err = hd_index_add(&t->index, hd_hash(s->key), t->n);
        if (err != HD_OK) {
            release_agent(t, a);
        }
    }
    if (err != HD_OK) {
        free(s);
        return err;
    }
    s->agent = a;
    s->at = t->n;
    s->heard_ns = now->mono_ns;
    t->rows[t->n++] = s;
    TAILQ_INSERT_TAIL(&t->fresh, s, use);
    *out = s;
    return HD_OK;
}

int cor_sources_get(struct cor_sources *t, struct hd_slice agent,
                    const struct cor_seen_source *seen, const struct cor_times *now,
                    struct cor_source **out)
{
    make_key(&t->key, agent, seen);
    if (t->key.err != HD_OK) {
        return t->key.err;
    }
    struct hd_slice key = hd_buf_slice(&t->key);
    uint32_t at =
        hd_index_find(&t->index, hd_hash(key), same_source, &(struct wanted){t, key});
    if (at == HD_INDEX_NONE) {
        return add_row(t, agent, seen, now, out);
    }
    *out = t->rows[at];
    return HD_OK;
}

/* ---- habits ---- */

int64_t cor_source_limit_ns(const struct cor_sources *t, const struct cor_source *s)
{
    int64_t usual = s->pause_ns > INT64_MAX / t->opts.factor
                        ? INT64_MAX
                        : s->pause_ns * t->opts.factor;
    return usual > t->opts.floor_ns ? usual : t->opts.floor_ns;
}

/* The longest usual pause: grows at once, but by no more than what would have been told
 * (who stops for a night must not be free to stop for a week), and shrinks slowly. */
static void learn_pause(const struct cor_sources *t, struct cor_source *s, int64_t now_ns)
{
    int64_t limit = cor_source_limit_ns(t, s);
    int64_t pause = now_ns - s->heard_ns;
    pause = pause < limit ? pause : limit;
    double share = (double)pause / (double)FORGET_NS;
    s->pause_ns -= (int64_t)((double)s->pause_ns * (share < 1 ? share : 1));
    s->pause_ns = pause > s->pause_ns ? pause : s->pause_ns;
    s->pauses += s->pauses < UINT32_MAX;
}

static void learn_clock(struct cor_source *s, int64_t difference_ns, int64_t wall_ns)
{
    int64_t sorted[COR_SOURCE_SAMPLES];
    if (s->n_samples > 0 && wall_ns >= s->sampled_ns &&
        wall_ns - s->sampled_ns < SAMPLE_EVERY) {
        return;
    }
    s->sampled_ns = wall_ns;
    if (s->n_samples == COR_SOURCE_SAMPLES) {
        memmove(s->samples, s->samples + 1, --s->n_samples * sizeof(s->samples[0]));
    }
    s->samples[s->n_samples++] = difference_ns;
    memcpy(sorted, s->samples, s->n_samples * sizeof(sorted[0]));
    s->difference_ns = cor_median(sorted, s->n_samples);
    if (s->n_samples == COR_SOURCE_SAMPLES &&
        llabs(s->difference_ns) > llabs(s->worst_ns)) {
        s->worst_ns = s->difference_ns;
    }
}

static void count_lines(const struct cor_sources *t, struct cor_source *s,
                        const struct cor_seen_source *seen, int64_t taken_ns)
{
    int64_t day = (taken_ns / HD_NS_PER_SEC + t->zone_s) / DAY_S;
    if (day != s->day) {
        s->day = day;
        s->day_lines = 0;
    }
    s->lines += seen->lines;
    s->bytes += seen->bytes;
    s->day_lines += seen->lines;
    s->hour_lines += seen->lines;
}

static bool is_counted(const struct cor_source *s, struct hd_slice boot, uint64_t seq)
{
    return s->last_seq >= seq && hd_slice_eq(hd_slice_str(s->boot), boot);
}

static void keep_text(char *out, size_t cap, struct hd_slice text)
{
    (void)snprintf(out, cap, "%.*s", HD_SLICE_FMT(text));
}

static void note_one(struct cor_sources *t, struct cor_source *s,
                     const struct cor_seen *seen, const struct cor_seen_source *one,
                     const struct cor_times *now)
{
    s->first_ns = s->first_ns == 0 ? seen->taken_ns : s->first_ns;
    s->last_ns = seen->taken_ns > s->last_ns ? seen->taken_ns : s->last_ns;
    s->last_seq = one->last_seq;
    keep_text(s->boot, sizeof(s->boot), seen->boot);
    keep_text(s->peer, sizeof(s->peer), one->peer);
    count_lines(t, s, one, seen->taken_ns);
    learn_pause(t, s, now->mono_ns);
    s->heard_ns = now->mono_ns;
    if (one->has_difference) {
        learn_clock(s, one->difference_ns, seen->taken_ns);
    }
    TAILQ_REMOVE(list_of(t, s), s, use);
    TAILQ_INSERT_TAIL(list_of(t, s), s, use);
    if (s->pauses >= PAUSES_KNOWN && s->last_ns - s->first_ns >= t->opts.learn_ns) {
        cor_sources_promote(t, s);
    }
    s->is_back = s->is_back || s->is_silent;
    s->is_silent = false;
}

int cor_sources_note(struct cor_sources *t, const struct cor_seen *seen,
                     const struct cor_times *now)
{
    for (uint16_t i = 0; i < seen->n; i++) {
        const struct cor_seen_source *one = &seen->sources[i];
        struct cor_source *s;
        int err = cor_sources_get(t, seen->agent, one, now, &s);
        if (err != HD_OK) {
            return err;
        }
        /* What a restart examines again was noted by the process before. */
        if (is_counted(s, seen->boot, one->last_seq)) {
            continue;
        }
        note_one(t, s, seen, one, now);
        s->agent->last_seq = one->last_seq;
        s->agent->last_ns = seen->taken_ns;
        keep_text(s->agent->boot, sizeof(s->agent->boot), seen->boot);
    }
    return HD_OK;
}
