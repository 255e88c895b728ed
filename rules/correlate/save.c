/* SPDX-License-Identifier: Apache-2.0
 *
 * The correlator's state as bytes, so that it outlives the process:
 *
 *     saved  = magic seed seen prefixes count state*       numbers little-endian
 *     state  = id hash n head size group*                  of one correlation rule
 *     head   = groups swept next sign room                 n bytes
 *     group  = key newest fired swallowed armed [closing] window
 *     event  = 0 / 1 times raw decoder pattern count (name value)*
 *
 * Rules are found by id and judged by meaning, fields are found by name, positions by
 * their text: what has changed since is kept or left out as by a reload. Version 4 did
 * not say what room there was, neither for groups nor in their windows. Version 3 had
 * neither n nor head: only what means the same is kept of it.
 */
#include <stdlib.h>

#include "rules/correlate/core.h"
#include "rules/correlate/heir.h"

#define MAGIC      UINT64_C(0x724f4344480a00) /* and a version in the highest byte */
#define VERSION    UINT64_C(0x35)
#define ROOMLESS   UINT64_C(0x34)
#define HEADLESS   UINT64_C(0x33)
#define VALUES_MAX RUL_EVENT_VALUES_MAX

/* ---- saving ---- */

static void put_text(struct hd_buf *out, struct hd_slice text)
{
    hd_buf_le32(out, (uint32_t)text.len);
    hd_buf_slice_add(out, text);
}

static void save_event(const struct rul_set *set, const struct rul_event_copy *ev,
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
        put_text(out, rul_fields_name(set->fields, ev->values[i].id));
        put_text(out, ev->values[i].value);
    }
}

static void save_group(const struct rul_set *set, const struct rul_groups *groups,
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
        save_event(set, closing->event, out);
    }
    groups->ops->save(&w, out);
}

static void save_groups(const struct rul_set *set, const struct rul_groups *groups,
                        struct hd_buf *out)
{
    uint32_t at = groups->stalest;
    while (at != RUL_POOL_NONE) {
        struct rul_group *g = rul_group_at(groups, at);
        save_group(set, groups, g, out);
        at = g->newer;
    }
}

struct head {
    uint32_t groups;
    int64_t swept_ns, next_close_ns;
    struct rul_sign sign;
    uint32_t room;
};
#define HEAD_LEN (2 * sizeof(uint32_t) + 2 * sizeof(uint64_t) + sizeof(struct rul_sign))

static void save_head(const struct rul_set *set, const struct rul_corr_state *state,
                      struct hd_buf *out)
{
    const struct rul_sign sign = rul_sign_of(set, state->corr);
    uint64_t words[RUL_SIGN_WORDS];
    memcpy(words, &sign, sizeof(words));
    hd_buf_le32(out, HEAD_LEN);
    hd_buf_le32(out, state->groups.n);
    hd_buf_le64(out, (uint64_t)state->swept_ns);
    hd_buf_le64(out, (uint64_t)state->next_close_ns);
    for (size_t i = 0; i < RUL_SIGN_WORDS; i++) {
        hd_buf_le64(out, words[i]);
    }
    hd_buf_le32(out, rul_groups_room(&state->groups));
}

static void save_state(const struct rul_correlator *c, const struct rul_corr_state *state,
                       struct hd_buf *out)
{
    const struct rul_rule *rule = &c->set->rules[state->corr->rule];
    put_text(out, hd_slice_str(rule->id));
    hd_buf_le64(out, rule->hash);
    save_head(c->set, state, out);
    size_t from = out->len;
    hd_buf_le64(out, 0);
    save_groups(c->set, &state->groups, out);
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
    if (time_ns != RUL_NEVER && (time_ns < 0 || time_ns > RUL_TIME_LIMIT)) {
        in->failed = true;
    }
    return time_ns;
}

/* Its views point into the saved bytes. */
static int read_event(const struct rul_set *set, struct hd_bytes *in,
                      struct rul_event_copy *ev)
{
    ev->time_ns = (int64_t)hd_bytes_le64(in); /* whatever the line says */
    ev->recv_ns = (int64_t)hd_bytes_le64(in);
    ev->raw = take_text(in);
    (void)take_text(in); /* names of decoders belong to a set */
    (void)take_text(in);
    uint16_t n = hd_bytes_le16(in);
    for (uint16_t i = 0; i < n && i < VALUES_MAX && !hd_bytes_failed(in); i++) {
        struct hd_slice name = take_text(in);
        ev->values[ev->n].id = rul_fields_find(set->fields, name);
        ev->values[ev->n++].value = take_text(in);
    }
    return hd_bytes_failed(in) || n > VALUES_MAX ? HD_ECORRUPT : 0;
}

static int load_event(const struct rul_set *set, struct hd_bytes *in,
                      struct rul_event_copy **out)
{
    if (hd_bytes_u8(in) == 0) {
        return hd_bytes_failed(in) ? HD_ECORRUPT : 0;
    }
    struct rul_event_copy *ev =
        calloc(1, sizeof(*ev) + VALUES_MAX * sizeof(ev->values[0]));
    int err = ev == NULL ? HD_ENOMEM : read_event(set, in, ev);
    err = err != 0 ? err : rul_event_copy_dup(ev, out);
    free(ev);
    return err;
}

static int load_closing(const struct rul_set *set, struct rul_closing *closing,
                        struct rul_loading *in)
{
    closing->end_ns = take_time(&in->in);
    closing->first = rul_mark_load(in);
    closing->place = rul_mark_load(in).place;
    return load_event(set, &in->in, &closing->event);
}

static int load_body(const struct rul_set *set, struct rul_groups *groups, uint32_t at,
                     struct rul_loading *in)
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
    int err = closing == NULL ? 0 : load_closing(set, closing, in);
    err = err != 0 ? err : groups->ops->load(&w, in);
    return err == 0 && hd_bytes_failed(&in->in) ? HD_ECORRUPT : err;
}

static int load_group(const struct rul_set *set, struct rul_groups *groups,
                      struct rul_loading *in, uint32_t *out)
{
    uint32_t at = RUL_POOL_NONE;
    struct hd_slice key = take_text(&in->in);
    *out = RUL_POOL_NONE;
    if (hd_bytes_failed(&in->in) || rul_groups_find(groups, key) != RUL_POOL_NONE) {
        return HD_ECORRUPT;
    }
    int err = rul_groups_add(groups, key, &at);
    if (err != 0) {
        return err == HD_ELIMIT ? HD_ECORRUPT : err;
    }
    rul_groups_open(groups, at);
    err = load_body(set, groups, at, in);
    rul_groups_close(groups, at);
    *out = at;
    return in->is_short ? HD_ENOMEM : err;
}

/* All of `in`. What may lack values that count now is left out. */
static int load_groups(const struct rul_set *set, struct rul_corr_state *state,
                       const struct rul_sign *was, struct rul_loading *in)
{
    const struct rul_sign is = rul_sign_of(set, state->corr);
    bool may_lack = was != NULL && rul_heir_lacks_values(was, &is);
    struct rul_groups *groups = &state->groups;
    int err = 0;
    while (err == 0 && hd_bytes_left(&in->in) > 0) {
        uint32_t at;
        struct rul_tally tally = {0};
        err = load_group(set, groups, in, &at);
        if (err == 0 && may_lack) {
            const struct rul_window w =
                rul_group_window(groups, rul_group_at(groups, at));
            (void)groups->ops->holds(&w, RUL_NEVER, &tally);
        }
        if (err == 0 && may_lack && tally.count >= was->needed) {
            rul_groups_remove(groups, at);
        }
    }
    return err;
}

/* Whatever ends is found by looking. */
static void look_soon(struct rul_corr_state *state)
{
    state->next_close_ns = rul_counts_up(state->corr) ? INT64_MAX : 0;
}

int rul_state_hand_on(const struct rul_correlator *c, const struct rul_corr_state *from,
                      const struct rul_set *set, struct rul_corr_state *to)
{
    const struct rul_sign was = rul_sign_of(c->set, from->corr);
    struct hd_buf bytes;
    hd_buf_init(&bytes, 0);
    save_groups(c->set, &from->groups, &bytes);
    struct rul_loading in = {.in = hd_bytes(hd_buf_slice(&bytes)), .has_room = true};
    int err = bytes.err != 0 ? bytes.err : load_groups(set, to, &was, &in);
    hd_buf_fini(&bytes);
    to->swept_ns = from->swept_ns;
    look_soon(to);
    return err;
}

static void read_head(struct hd_bytes *in, struct head *head)
{
    uint64_t words[RUL_SIGN_WORDS];
    head->groups = hd_bytes_le32(in);
    head->swept_ns = (int64_t)hd_bytes_le64(in);
    head->next_close_ns = (int64_t)hd_bytes_le64(in);
    for (size_t i = 0; i < RUL_SIGN_WORDS; i++) {
        words[i] = hd_bytes_le64(in);
    }
    memcpy(&head->sign, words, sizeof(head->sign));
    head->room = hd_bytes_left(in) > 0 ? hd_bytes_le32(in) : 0;
}

static struct rul_corr_state *find_state(const struct rul_correlator *c,
                                         const struct rul_rule *rule)
{
    for (uint32_t i = 0; rule != NULL && i < c->n_states; i++) {
        if (c->states[i].corr->rule == rule->index) {
            return &c->states[i];
        }
    }
    return NULL;
}

struct saved { /* the state of one correlation */
    struct hd_slice id;
    uint64_t hash, size;
    bool has_head;
    struct head head;
};

static void read_saved(struct hd_bytes *in, bool has_head, struct saved *saved)
{
    const int64_t far_ns = RUL_TIME_MAX; /* beyond every time there is */
    *saved = (struct saved){.has_head = has_head};
    saved->id = take_text(in);
    saved->hash = hd_bytes_le64(in);
    if (has_head) {
        uint32_t len = hd_bytes_le32(in);
        struct hd_bytes head = hd_bytes_sub(in, len);
        read_head(&head, &saved->head);
        in->failed |= hd_bytes_failed(&head) || saved->head.swept_ns > far_ns;
    }
    saved->size = hd_bytes_le64(in);
}

static enum rul_heir judge_saved(const struct rul_correlator *c,
                                 const struct rul_corr_state *state,
                                 const struct saved *saved)
{
    if (state == NULL) {
        return RUL_HEIR_GONE;
    }
    const struct rul_sign is = rul_sign_of(c->set, state->corr);
    return saved->has_head ? rul_heir_judge(&saved->head.sign, &is) : RUL_HEIR_COUNTED;
}

static int load_state(struct rul_correlator *c, struct rul_loading *in, bool has_head)
{
    struct saved saved;
    read_saved(&in->in, has_head, &saved);
    struct rul_loading body = *in;
    body.in = hd_bytes_sub(&in->in, saved.size);
    if (hd_bytes_failed(&in->in) || hd_bytes_failed(&body.in)) {
        return HD_ECORRUPT;
    }
    const struct rul_rule *rule = rul_set_find(c->set, saved.id);
    struct rul_corr_state *state = find_state(c, rule);
    bool is_same = state != NULL && rule->hash == saved.hash;
    enum rul_heir heir = is_same ? RUL_HEIR_KEPT : judge_saved(c, state, &saved);
    if (!is_same && saved.size > 0) {
        rul_heir_tell(c, saved.id, saved.head.groups, heir);
    }
    if (heir != RUL_HEIR_KEPT) {
        return 0;
    }
    look_soon(state);
    if (is_same && has_head) {
        state->next_close_ns = saved.head.next_close_ns;
    }
    state->swept_ns = has_head ? saved.head.swept_ns : INT64_MIN;
    int err = is_same
                  ? rul_groups_take_room(&state->groups, saved.head.room, c->memory_max)
                  : 0;
    return err != 0
               ? err
               : load_groups(c->set, state, is_same ? NULL : &saved.head.sign, &body);
}

static int load_states(struct rul_correlator *c, struct rul_loading *in, bool has_heads)
{
    uint32_t n = hd_bytes_le32(&in->in);
    int err = hd_bytes_failed(&in->in) ? HD_ECORRUPT : 0;
    for (uint32_t i = 0; i < n && err == 0; i++) {
        err = load_state(c, in, has_heads);
    }
    return err == 0 && hd_bytes_left(&in->in) > 0 ? HD_ECORRUPT : err;
}

static void empty_states(struct rul_correlator *c)
{
    for (uint32_t i = 0; i < c->n_states; i++) {
        rul_groups_fini(&c->states[i].groups);
        rul_groups_init(&c->states[i].groups, c->states[i].corr, c->pool, c->seed);
        c->states[i].next_close_ns = INT64_MAX;
        c->states[i].swept_ns = INT64_MIN;
    }
}

int rul_correlator_load(struct rul_correlator *c, struct hd_slice saved)
{
    struct rul_loading in = {.in = hd_bytes(saved)};
    struct rul_prefixes prefixes;
    uint64_t magic = hd_bytes_le64(&in.in);
    if (c->set == NULL || magic << 8 != MAGIC << 8) {
        return HD_ECORRUPT;
    }
    uint64_t version = magic >> 56;
    if (version < HEADLESS || version > VERSION) {
        return HD_EVERSION;
    }
    in.has_room = version > ROOMLESS;
    c->seed = hd_bytes_le64(&in.in);
    int64_t seen_ns = take_time(&in.in);
    empty_states(c);
    int err = rul_prefixes_load(&prefixes, c->positions, &in.in);
    in.prefixes = &prefixes;
    err = err != 0 ? err : load_states(c, &in, version != HEADLESS);
    rul_prefixes_fini(&prefixes);
    if (err != 0) {
        empty_states(c);
    } else {
        c->seen_ns = seen_ns;
    }
    rul_correlator_recount(c);
    return err;
}
