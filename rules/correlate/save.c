/* SPDX-License-Identifier: Apache-2.0
 *
 * The correlator's state as bytes, so that it outlives the process:
 *
 *     saved  = magic seed seen prefixes count state*       numbers little-endian
 *     state  = id hash size group*                         of one correlation rule
 *     group  = key newest fired swallowed armed [closing] window
 *     event  = 0 / 1 times raw decoder pattern count (name value)*
 *
 * Rules are found by id and meaning, fields by name, positions by their text: what has
 * changed since is left out, as a reload leaves it out.
 */
#include <stdlib.h>

#include "rules/correlate/core.h"

#define MAGIC      UINT64_C(0x724f4344480a00) /* and a version in the highest byte */
#define VERSION    UINT64_C(0x33)
#define VALUES_MAX RUL_EVENT_VALUES_MAX

/* ---- saving ---- */

static void put_text(struct hd_buf *out, struct hd_slice text)
{
    hd_buf_le32(out, (uint32_t)text.len);
    hd_buf_slice_add(out, text);
}

static void save_event(const struct rul_correlator *c, const struct rul_event_copy *ev,
                       struct hd_buf *out)
{
    hd_buf_byte(out, ev != NULL);
    if (ev == NULL) {
        return;
    }
    hd_buf_le64(out, (uint64_t)ev->time_ns);
    hd_buf_le64(out, (uint64_t)ev->recv_ns);
    put_text(out, ev->raw);
    put_text(out, hd_slice_str(ev->decoder));
    put_text(out, hd_slice_str(ev->pattern));
    hd_buf_le16(out, ev->n);
    for (uint16_t i = 0; i < ev->n; i++) {
        put_text(out, rul_fields_name(c->set->fields, ev->values[i].id));
        put_text(out, ev->values[i].value);
    }
}

static void save_group(const struct rul_correlator *c, const struct rul_groups *groups,
                       struct rul_group *g, struct hd_buf *out)
{
    const struct rul_window w = rul_group_window(groups, g);
    const struct rul_closing *closing = rul_group_closing(groups, g);
    put_text(out, rul_group_key(groups, g));
    hd_buf_le64(out, (uint64_t)g->newest_ns);
    hd_buf_le64(out, (uint64_t)g->fired_ns);
    hd_buf_le32(out, g->swallowed);
    hd_buf_byte(out, g->is_armed);
    if (closing != NULL) {
        const struct rul_mark shown = {.place = closing->place};
        hd_buf_le64(out, (uint64_t)closing->end_ns);
        rul_mark_save(out, &closing->first);
        rul_mark_save(out, &shown);
        save_event(c, closing->event, out);
    }
    groups->ops->save(&w, out);
}

static void save_state(const struct rul_correlator *c, const struct rul_corr_state *state,
                       struct hd_buf *out)
{
    const struct rul_rule *rule = &c->set->rules[state->corr->rule];
    put_text(out, hd_slice_str(rule->id));
    hd_buf_le64(out, rule->hash);
    size_t from = out->len;
    hd_buf_le64(out, 0);
    uint32_t at = state->groups.stalest;
    while (at != RUL_POOL_NONE) {
        struct rul_group *g = rul_group_at(&state->groups, at);
        save_group(c, &state->groups, g, out);
        at = g->newer;
    }
    if (out->err == 0) {
        uint64_t size = out->len - from - sizeof(uint64_t);
        struct hd_buf place = hd_buf_fixed(out->ptr + from, sizeof(size));
        hd_buf_le64(&place, size);
    }
}

int rul_correlator_save(const struct rul_correlator *c, struct hd_buf *out)
{
    hd_buf_le64(out, VERSION << 56 | MAGIC);
    hd_buf_le64(out, c->seed);
    hd_buf_le64(out, (uint64_t)c->seen_ns);
    rul_positions_save(c->positions, out);
    hd_buf_le32(out, c->n_states);
    for (uint32_t i = 0; i < c->n_states; i++) {
        save_state(c, &c->states[i], out);
    }
    return out->err;
}

/* ---- loading ---- */

static struct hd_slice take_text(struct hd_bytes *in)
{
    uint32_t len = hd_bytes_le32(in);
    return hd_bytes_view(in, len);
}

/* A number that is a time, or "never". */
static int64_t take_time(struct hd_bytes *in)
{
    int64_t time_ns = (int64_t)hd_bytes_le64(in);
    if (time_ns != RUL_NEVER && (time_ns < 0 || time_ns > INT64_MAX / 2)) {
        in->failed = true;
    }
    return time_ns;
}

/* Its views point into the saved bytes. */
static int read_event(const struct rul_correlator *c, struct hd_bytes *in,
                      struct rul_event_copy *ev)
{
    ev->time_ns = take_time(in);
    ev->recv_ns = (int64_t)hd_bytes_le64(in);
    ev->raw = take_text(in);
    (void)take_text(in); /* names of decoders belong to a set */
    (void)take_text(in);
    uint16_t n = hd_bytes_le16(in);
    for (uint16_t i = 0; i < n && i < VALUES_MAX && !hd_bytes_failed(in); i++) {
        struct hd_slice name = take_text(in);
        ev->values[ev->n].id = rul_fields_find(c->set->fields, name);
        ev->values[ev->n++].value = take_text(in);
    }
    return hd_bytes_failed(in) || n > VALUES_MAX ? HD_ECORRUPT : 0;
}

static int load_event(const struct rul_correlator *c, struct hd_bytes *in,
                      struct rul_event_copy **out)
{
    if (hd_bytes_u8(in) == 0) {
        return hd_bytes_failed(in) ? HD_ECORRUPT : 0;
    }
    struct rul_event_copy *ev =
        calloc(1, sizeof(*ev) + VALUES_MAX * sizeof(ev->values[0]));
    int err = ev == NULL ? HD_ENOMEM : read_event(c, in, ev);
    err = err != 0 ? err : rul_event_copy_dup(ev, out);
    free(ev);
    return err;
}

static int load_closing(const struct rul_correlator *c, struct rul_closing *closing,
                        struct rul_loading *in)
{
    closing->end_ns = take_time(&in->in);
    closing->first = rul_mark_load(in);
    closing->place = rul_mark_load(in).place;
    return load_event(c, &in->in, &closing->event);
}

static int load_body(const struct rul_correlator *c, struct rul_groups *groups,
                     uint32_t at, struct rul_loading *in)
{
    struct rul_group *g = rul_group_at(groups, at);
    struct rul_closing *closing = rul_group_closing(groups, g);
    uint64_t capped = 0;
    struct rul_window w = rul_group_window(groups, g);
    w.watermark_ns = RUL_NEVER;
    w.capped = &capped;
    g->newest_ns = take_time(&in->in);
    g->fired_ns = take_time(&in->in);
    g->swallowed = hd_bytes_le32(&in->in);
    g->is_armed = hd_bytes_u8(&in->in) != 0;
    int err = closing == NULL ? 0 : load_closing(c, closing, in);
    err = err != 0 ? err : groups->ops->load(&w, in);
    return err == 0 && hd_bytes_failed(&in->in) ? HD_ECORRUPT : err;
}

static int load_group(const struct rul_correlator *c, struct rul_groups *groups,
                      struct rul_loading *in)
{
    uint32_t at = RUL_POOL_NONE;
    struct hd_slice key = take_text(&in->in);
    if (hd_bytes_failed(&in->in) || rul_groups_find(groups, key) != RUL_POOL_NONE) {
        return HD_ECORRUPT;
    }
    int err = rul_groups_add(groups, key, &at);
    if (err != 0) {
        return err == HD_ELIMIT ? HD_ECORRUPT : err;
    }
    rul_groups_open(groups, at);
    err = load_body(c, groups, at, in);
    rul_groups_close(groups, at);
    return err;
}

static struct rul_corr_state *find_state(const struct rul_correlator *c,
                                         struct hd_slice id, uint64_t hash)
{
    const struct rul_rule *rule = rul_set_find(c->set, id);
    for (uint32_t i = 0; rule != NULL && rule->hash == hash && i < c->n_states; i++) {
        if (c->states[i].corr->rule == rule->index) {
            return &c->states[i];
        }
    }
    return NULL;
}

static int load_state(struct rul_correlator *c, struct rul_loading *in)
{
    struct hd_slice id = take_text(&in->in);
    uint64_t hash = hd_bytes_le64(&in->in);
    uint64_t size = hd_bytes_le64(&in->in);
    struct rul_loading body = {.in = hd_bytes_sub(&in->in, size),
                               .prefixes = in->prefixes,
                               .n_prefixes = in->n_prefixes};
    struct rul_corr_state *state = find_state(c, id, hash);
    if (hd_bytes_failed(&in->in) || hd_bytes_failed(&body.in)) {
        return HD_ECORRUPT;
    }
    int err = 0;
    c->stats.forgotten += state == NULL && size > 0;
    if (state != NULL && !rul_counts_up(state->corr)) {
        state->next_close_ns = 0; /* whatever ends is found by looking */
    }
    while (state != NULL && err == 0 && hd_bytes_left(&body.in) > 0) {
        err = load_group(c, &state->groups, &body);
    }
    return err;
}

static int load_states(struct rul_correlator *c, struct rul_loading *in)
{
    uint32_t n = hd_bytes_le32(&in->in);
    int err = hd_bytes_failed(&in->in) ? HD_ECORRUPT : 0;
    for (uint32_t i = 0; i < n && err == 0; i++) {
        err = load_state(c, in);
    }
    return err == 0 && hd_bytes_left(&in->in) > 0 ? HD_ECORRUPT : err;
}

static void empty_states(struct rul_correlator *c)
{
    for (uint32_t i = 0; i < c->n_states; i++) {
        rul_groups_fini(&c->states[i].groups);
        rul_groups_init(&c->states[i].groups, c->states[i].corr, c->pool, c->seed);
        c->states[i].next_close_ns = INT64_MAX;
    }
}

int rul_correlator_load(struct rul_correlator *c, struct hd_slice saved)
{
    struct rul_loading in = {.in = hd_bytes(saved)};
    uint32_t *prefixes = NULL;
    uint64_t magic = hd_bytes_le64(&in.in);
    if (c->set == NULL || magic << 8 != MAGIC << 8) {
        return HD_ECORRUPT;
    }
    if (magic >> 56 != VERSION) {
        return HD_EVERSION;
    }
    c->seed = hd_bytes_le64(&in.in);
    int64_t seen_ns = take_time(&in.in);
    empty_states(c);
    int err = rul_positions_load(c->positions, &in.in, &prefixes, &in.n_prefixes);
    in.prefixes = prefixes;
    err = err != 0 ? err : load_states(c, &in);
    free(prefixes);
    if (err != 0) {
        empty_states(c);
    } else {
        c->seen_ns = seen_ns;
    }
    rul_correlator_recount(c);
    return err;
}
