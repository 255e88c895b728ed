/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/evidence.h"

#include <stdlib.h>
#include <string.h>

#define HALF (HD_ALERT_EVIDENCE_MAX / 2)

struct cor_evidence {
    struct cor_evidence_opts opts;
    struct cor_event **ring;
    uint32_t first, n;
    size_t bytes;
};

int cor_evidence_new(const struct cor_evidence_opts *opts, struct cor_evidence **out)
{
    if (opts->events == 0) {
        return HD_EINVAL;
    }
    struct cor_evidence *ev = calloc(1, sizeof(*ev));
    if (ev == NULL) {
        return HD_ENOMEM;
    }
    ev->opts = *opts;
    ev->ring = calloc(opts->events, sizeof(*ev->ring));
    if (ev->ring == NULL) {
        free(ev);
        return HD_ENOMEM;
    }
    *out = ev;
    return HD_OK;
}

static struct cor_event *at(const struct cor_evidence *ev, uint32_t i)
{
    return ev->ring[(ev->first + i) % ev->opts.events];
}

static void drop_oldest(struct cor_evidence *ev)
{
    struct cor_event *event = at(ev, 0);
    ev->bytes -= cor_event_bytes(event);
    cor_event_unref(event);
    ev->first = (ev->first + 1) % ev->opts.events;
    ev->n--;
}

void cor_evidence_clear(struct cor_evidence *ev)
{
    while (ev->n > 0) {
        drop_oldest(ev);
    }
}

void cor_evidence_free(struct cor_evidence *ev)
{
    if (ev == NULL) {
        return;
    }
    cor_evidence_clear(ev);
    free(ev->ring);
    free(ev);
}

void cor_evidence_keep(struct cor_evidence *ev, struct cor_event *event)
{
    /* One event may feed several rules: its hits follow each other. */
    if (ev->n > 0 && at(ev, ev->n - 1) == event) {
        return;
    }
    size_t bytes = cor_event_bytes(event);
    while (ev->n > 0 &&
           (ev->n == ev->opts.events || ev->bytes + bytes > ev->opts.bytes)) {
        drop_oldest(ev);
    }
    if (bytes > ev->opts.bytes) {
        return;
    }
    ev->ring[(ev->first + ev->n) % ev->opts.events] = cor_event_ref(event);
    ev->n++;
    ev->bytes += bytes;
}

struct group {
    const struct rul_detection *detection;
    uint16_t ids[8];
};

static bool belongs(const struct group *g, const struct cor_event *event)
{
    int64_t time = event->copy->time_ns;
    if (time < g->detection->first_ns || time > g->detection->last_ns) {
        return false;
    }
    for (size_t i = 0; i < g->detection->n_group; i++) {
        if (g->ids[i] == RUL_FIELD_NONE ||
            !hd_slice_eq(rul_event_copy_get(event->copy, g->ids[i]),
                         g->detection->group[i].value)) {
            return false;
        }
    }
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct cor_event *x = *(const struct cor_event *const *)a;
    const struct cor_event *y = *(const struct cor_event *const *)b;
    if (x->copy->time_ns != y->copy->time_ns) {
        return x->copy->time_ns < y->copy->time_ns ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

size_t cor_evidence_find(const struct cor_evidence *ev, const struct rul_fields *fields,
                         const struct rul_detection *detection,
                         const struct cor_event *out[HD_ALERT_EVIDENCE_MAX])
{
    struct group g = {.detection = detection};
    for (size_t i = 0; i < detection->n_group; i++) {
        g.ids[i] = rul_fields_find(fields, hd_slice_str(detection->group[i].field));
    }
    size_t n = 0;
    for (uint32_t i = 0; i < ev->n && n < HALF; i++) {
        if (belongs(&g, at(ev, i))) {
            out[n++] = at(ev, i);
        }
    }
    const struct cor_event *last_first = n == 0 ? NULL : out[n - 1];
    for (uint32_t i = ev->n; n >= HALF && i > 0 && n < HD_ALERT_EVIDENCE_MAX; i--) {
        const struct cor_event *event = at(ev, i - 1);
        if (event == last_first) {
            break;
        }
        if (belongs(&g, event)) {
            out[n++] = event;
        }
    }
    qsort(out, n, sizeof(out[0]), by_time);
    return n;
}
