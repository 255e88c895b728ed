/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/sources/tally.h"

#include <stdlib.h>
#include <string.h>

#include "correlator/metrics.h"

#define DIFFERENCES                                                                      \
    15U /* a source and batch: enough for a median that outliers spare                   \
         */

struct count {
    uint64_t lines, bytes, last_seq;
    unsigned n;
    int64_t differences[DIFFERENCES];
};

struct cor_tally {
    struct count of[HD_BATCH_SOURCES_MAX];
};

int cor_tally_new(struct cor_tally **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? HD_ENOMEM : HD_OK;
}

void cor_tally_free(struct cor_tally *t)
{
    free(t);
}

void cor_tally_begin(struct cor_tally *t)
{
    for (size_t i = 0; i < HD_BATCH_SOURCES_MAX; i++) {
        t->of[i].lines = t->of[i].bytes = 0;
        t->of[i].n = 0;
    }
}

void cor_tally_line(struct cor_tally *t, const struct hd_batch_record *record,
                    int64_t event_ns)
{
    struct count *c = &t->of[record->source];
    c->lines++;
    c->bytes += record->line.len;
    c->last_seq = record->seq;
    if (event_ns != 0 && c->n < DIFFERENCES) {
        c->differences[c->n++] = event_ns - record->recv_ns;
    }
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

int64_t cor_median(int64_t *values, unsigned n)
{
    qsort(values, n, sizeof(*values), by_value);
    return values[n / 2];
}

static struct hd_slice put(uint8_t **at, struct hd_slice s)
{
    struct hd_slice copy = hd_slice(*at, s.len);
    if (s.len > 0) {
        memcpy(*at, s.ptr, s.len);
        *at += s.len;
    }
    return copy;
}

static void put_source(const struct count *c, const struct hd_batch_source *source,
                       uint8_t **at, struct cor_seen_source *out)
{
    int64_t differences[DIFFERENCES];
    memcpy(differences, c->differences, c->n * sizeof(differences[0]));
    *out = (struct cor_seen_source){.host = put(at, source->host),
                                    .kind = put(at, source->kind),
                                    .name = put(at, source->name),
                                    .peer = put(at, source->peer),
                                    .lines = c->lines,
                                    .bytes = c->bytes,
                                    .last_seq = c->last_seq,
                                    .has_difference = c->n > 0,
                                    .difference_ns =
                                        c->n == 0 ? 0 : cor_median(differences, c->n)};
}

int cor_tally_end(const struct cor_tally *t, const struct cor_tally_batch *batch,
                  struct cor_seen **out)
{
    size_t n = 0;
    size_t texts = batch->agent.len + batch->boot.len;
    for (uint16_t i = 0; i < batch->n_sources; i++) {
        const struct hd_batch_source *s = &batch->sources[i];
        n += t->of[i].lines > 0;
        texts += s->host.len + s->kind.len + s->name.len + s->peer.len;
    }
    size_t head = sizeof(**out) + n * sizeof((*out)->sources[0]);
    struct cor_seen *seen = malloc(head + texts);
    if (seen == NULL) {
        return HD_ENOMEM;
    }
    uint8_t *at = (uint8_t *)seen + head;
    seen->agent = put(&at, batch->agent);
    seen->boot = put(&at, batch->boot);
    seen->taken_ns = batch->taken_ns;
    seen->n = 0;
    for (uint16_t i = 0; i < batch->n_sources; i++) {
        if (t->of[i].lines > 0) {
            put_source(&t->of[i], &batch->sources[i], &at, &seen->sources[seen->n++]);
        }
    }
    *out = seen;
    return HD_OK;
}

void cor_tally_tell(const struct cor_tally *t, const struct cor_tally_batch *batch,
                    struct hd_ring *to)
{
    struct cor_seen *seen = NULL;
    if (cor_tally_end(t, batch, &seen) != HD_OK || hd_ring_push(to, seen) != HD_OK) {
        free(seen);
        COR_COUNT(COR_M_SOURCES_MISSED, 1);
    }
}
