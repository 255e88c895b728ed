/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/hit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEQ_DIGITS 20

int cor_event_new(const struct cor_origin *o, struct rul_event_copy *copy,
                  struct cor_event **out)
{
    size_t cap = o->agent.len + 1 + o->boot.len + 1 + SEQ_DIGITS + 1;
    struct cor_event *e = malloc(sizeof(*e) + cap);
    if (e == NULL) {
        free(copy);
        return HD_ENOMEM;
    }
    int len = snprintf(e->text, cap, "%.*s/%.*s/%" PRIu64, HD_SLICE_FMT(o->agent),
                       HD_SLICE_FMT(o->boot), o->seq);
    *e = (struct cor_event){
        .refs = 1,
        .seq = o->seq,
        .is_truncated = o->is_truncated,
        .copy = copy,
        .agent = hd_slice(e->text, o->agent.len),
        .boot = hd_slice(e->text + o->agent.len + 1, o->boot.len),
        .position = hd_slice(e->text, (size_t)len),
    };
    *out = e;
    return HD_OK;
}

struct cor_event *cor_event_ref(struct cor_event *e)
{
    e->refs++;
    return e;
}

void cor_event_unref(struct cor_event *e)
{
    if (e != NULL && --e->refs == 0) {
        free(e->copy);
        free(e);
    }
}

size_t cor_event_bytes(const struct cor_event *e)
{
    size_t values = 0;
    for (uint16_t i = 0; i < e->copy->n; i++) {
        values += e->copy->values[i].value.len;
    }
    return sizeof(*e) + sizeof(*e->copy) + e->copy->n * sizeof(struct rul_value) +
           e->copy->raw.len + values + e->position.len;
}

int cor_hits_new(struct rul_set *set, struct cor_hits **out)
{
    struct cor_hits *hits = malloc(sizeof(*hits));
    if (hits == NULL) {
        return HD_ENOMEM;
    }
    memset(hits, 0, offsetof(struct cor_hits, hits));
    hits->set = rul_set_ref(set);
    *out = hits;
    return HD_OK;
}

void cor_hits_free(struct cor_hits *hits)
{
    if (hits == NULL) {
        return;
    }
    for (uint32_t i = 0; i < hits->n; i++) {
        cor_event_unref(hits->hits[i].event);
    }
    rul_set_unref(hits->set);
    free(hits);
}

void cor_hits_add(struct cor_hits *hits, const struct rul_rule *rule,
                  struct cor_event *event)
{
    if (hits->n == 0 || hits->hits[hits->n - 1].event != event) {
        hits->bytes += cor_event_bytes(event);
    }
    hits->hits[hits->n++] = (struct cor_hit){rule, cor_event_ref(event)};
}
