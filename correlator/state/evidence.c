/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/evidence.h"

#include <stdlib.h>
#include <string.h>

#define HALF (HD_ALERT_EVIDENCE_MAX / 2)

struct kept {
    struct cor_event *event;
    const struct rul_rule *rule; /* of the set in force: see cor_evidence_clear */
};

struct cor_evidence {
    struct cor_evidence_opts opts;
    struct kept *ring;
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

static struct kept *at(const struct cor_evidence *ev, uint32_t i)
{
    return &ev->ring[(ev->first + i) % ev->opts.events];
}

static void drop_oldest(struct cor_evidence *ev)
{
    struct cor_event *event = at(ev, 0)->event;
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

void cor_evidence_keep(struct cor_evidence *ev, const struct rul_rule *rule,
                       struct cor_event *event)
{
    size_t bytes = cor_event_bytes(event);
    while (ev->n > 0 &&
           (ev->n == ev->opts.events || ev->bytes + bytes > ev->opts.bytes)) {
        drop_oldest(ev);
    }
    if (bytes > ev->opts.bytes) {
        return;
    }
    *at(ev, ev->n) = (struct kept){cor_event_ref(event), rule};
    ev->n++;
    ev->bytes += bytes;
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

/* One event may have fed several rules: its hits follow each other. */
static bool has_event(const struct cor_event *const *list, size_t n,
                      const struct cor_event *event)
{
    return n > 0 && list[n - 1] == event;
}

size_t cor_evidence_find(const struct cor_evidence *ev, const struct rul_set *set,
                         const struct rul_detection *detection,
                         const struct cor_event *out[HD_ALERT_EVIDENCE_MAX])
{
    size_t n = 0;
    for (uint32_t i = 0; i < ev->n && n < HALF; i++) {
        const struct kept *k = at(ev, i);
        if (!has_event(out, n, k->event) &&
            rul_detection_covers(set, detection, k->rule, k->event->copy)) {
            out[n++] = k->event;
        }
    }
    const struct cor_event *last_first = n == 0 ? NULL : out[n - 1];
    for (uint32_t i = ev->n; n >= HALF && i > 0 && n < HD_ALERT_EVIDENCE_MAX; i--) {
        const struct kept *k = at(ev, i - 1);
        if (k->event == last_first) {
            break;
        }
        if (!has_event(out, n, k->event) &&
            rul_detection_covers(set, detection, k->rule, k->event->copy)) {
            out[n++] = k->event;
        }
    }
    qsort(out, n, sizeof(out[0]), by_time);
    return n;
}
