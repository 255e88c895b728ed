/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/hit.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>
#include <haidang/num.h>

#define SEQ_DIGITS 20

static size_t bytes_of(const struct cor_event *e)
{
    size_t values = 0;
    for (uint16_t i = 0; i < e->copy->n; i++) {
        values += e->copy->values[i].value.len;
    }
    return sizeof(*e) + sizeof(*e->copy) + e->copy->n * sizeof(struct rul_value) +
           e->copy->raw.len + values + e->position.len;
}

int cor_event_new(const struct cor_origin *o, struct rul_event_copy *copy,
                  struct cor_event **out)
{
    size_t cap = o->agent.len + 1 + o->boot.len + 1 + SEQ_DIGITS;
    struct cor_event *e = malloc(sizeof(*e) + cap);
    if (e == NULL) {
        free(copy);
        return HD_ENOMEM;
    }
    struct hd_buf text = hd_buf_fixed(e->text, cap);
    hd_buf_slice_add(&text, o->agent);
    hd_buf_byte(&text, '/');
    hd_buf_slice_add(&text, o->boot);
    hd_buf_byte(&text, '/');
    hd_buf_u64(&text, o->seq);
    *e = (struct cor_event){
        .refs = 1,
        .seq = o->seq,
        .is_truncated = o->is_truncated,
        .copy = copy,
        .agent = hd_slice(e->text, o->agent.len),
        .boot = hd_slice(e->text + o->agent.len + 1, o->boot.len),
        .position = hd_buf_slice(&text),
    };
    e->bytes = bytes_of(e);
    *out = e;
    return HD_OK;
}

int cor_event_rebuild(struct hd_slice position, const struct rul_event_copy *kept,
                      struct cor_event **out)
{
    struct hd_slice rest = position;
    struct cor_origin origin = {0};
    struct rul_event_copy *copy = NULL;
    if (!hd_slice_split(&rest, '/', &origin.agent) ||
        !hd_slice_split(&rest, '/', &origin.boot) ||
        hd_num_u64(rest, UINT64_MAX, &origin.seq) != HD_OK) {
        return HD_EINVAL;
    }
    int err = rul_event_copy_dup(kept, &copy);
    return err != HD_OK ? err : cor_event_new(&origin, copy, out);
}

int cor_canary_new(const struct hd_canary *from, struct hd_slice line,
                   struct cor_canary **out)
{
    struct cor_canary *c = calloc(1, sizeof(*c) + line.len);
    if (c == NULL) {
        return HD_ENOMEM;
    }
    memcpy(c->text, line.ptr, line.len);
    c->line = hd_slice(c->text, line.len);
    c->class = from->class;
    c->time_ns = from->time_ns;
    c->part = from->part;
    c->parts = from->parts;
    c->at_ms = from->at_ms;
    memcpy(c->id, from->id.ptr, HD_CANARY_ID_LEN);
    memcpy(c->rule, from->rule.ptr, from->rule.len);
    memcpy(c->key_id, from->key_id, sizeof(c->key_id));
    *out = c;
    return HD_OK;
}

void cor_canary_match(struct cor_canary *canary, const struct rul_rule *rule)
{
    if (canary->n_rules < COR_CANARY_RULES_MAX && (rule->alerts || rule->feeds)) {
        canary->rules[canary->n_rules++] = rule;
    }
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
        free(e->canary);
        free(e);
    }
}

int cor_hits_new(struct cor_rules *rules, struct cor_hits **out)
{
    struct cor_hits *hits = malloc(sizeof(*hits));
    if (hits == NULL) {
        return HD_ENOMEM;
    }
    memset(hits, 0, offsetof(struct cor_hits, hits));
    hits->rules = cor_rules_ref(rules);
    hits->losses_end = &hits->losses;
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
    for (struct cor_loss *loss = hits->losses; loss != NULL;) {
        struct cor_loss *next = loss->next;
        free(loss);
        loss = next;
    }
    cor_rules_unref(hits->rules);
    free(hits);
}

void cor_hits_add(struct cor_hits *hits, const struct rul_rule *rule,
                  struct cor_event *event)
{
    if (hits->n == 0 || hits->hits[hits->n - 1].event != event) {
        hits->bytes += event->bytes;
    }
    hits->hits[hits->n++] = (struct cor_hit){rule, cor_event_ref(event)};
}

int cor_hits_add_loss(struct cor_hits *hits, const struct hd_loss *loss)
{
    struct cor_loss *copy = malloc(sizeof(*copy));
    if (copy == NULL) {
        return HD_ENOMEM;
    }
    *copy = (struct cor_loss){.loss = *loss};
    *hits->losses_end = copy;
    hits->losses_end = &copy->next;
    hits->n_losses++;
    return HD_OK;
}
