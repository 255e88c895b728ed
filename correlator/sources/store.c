/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory of sources as JSON (docs/formats/archive.md): rows as they are, those
 * whose habits are not known yet first, of each kind the one unheard for longest first.
 * What is measured by the monotonic clock begins anew.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <haidang/json.h>

#include "correlator/sources/table.h"

#define VERSION 1
#define SIXTEEN 16 /* learned amounts of lines are kept to a sixteenth */

/* ---- writing ---- */

static void put_hours(struct hd_json *j, const struct cor_source *s)
{
    hd_json_array(j, "least");
    for (size_t i = 0; i < COR_SOURCE_HOURS; i++) {
        hd_json_u64(j, NULL, (uint64_t)(s->least[i] * SIXTEEN));
    }
    hd_json_end(j, ']');
    hd_json_array(j, "hours");
    for (size_t i = 0; i < COR_SOURCE_HOURS; i++) {
        hd_json_u64(j, NULL, s->hours[i]);
    }
    hd_json_end(j, ']');
}

static void put_row(struct hd_json *j, const struct cor_source *s)
{
    hd_json_object(j, NULL);
    hd_json_cstr(j, "agent", s->agent->name);
    hd_json_str(j, "host", s->host);
    hd_json_str(j, "kind", s->kind);
    hd_json_str(j, "name", s->name);
    hd_json_cstr(j, "peer", s->peer);
    hd_json_cstr(j, "boot", s->boot);
    hd_json_u64(j, "seq", s->last_seq);
    hd_json_i64(j, "first_ns", s->first_ns);
    hd_json_i64(j, "last_ns", s->last_ns);
    hd_json_u64(j, "lines", s->lines);
    hd_json_u64(j, "bytes", s->bytes);
    hd_json_i64(j, "day", s->day);
    hd_json_u64(j, "day_lines", s->day_lines);
    hd_json_i64(j, "pause_ns", s->pause_ns);
    hd_json_u64(j, "pauses", s->pauses);
    hd_json_u64(j, "usual", (uint64_t)(s->usual * SIXTEEN));
    hd_json_i64(j, "difference_ns", s->difference_ns);
    hd_json_i64(j, "worst_ns", s->worst_ns);
    hd_json_bool(j, "known", s->is_known);
    hd_json_bool(j, "silent", s->is_silent);
    hd_json_bool(j, "slow", s->is_slow);
    hd_json_bool(j, "drifting", s->is_drifting);
    hd_json_bool(j, "back", s->is_back);
    put_hours(j, s);
    hd_json_end(j, '}');
}

int cor_sources_save(const struct cor_sources *t, struct hd_buf *out)
{
    const struct cor_source *s;
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_u64(&j, "v", VERSION);
    hd_json_array(&j, "sources");
    TAILQ_FOREACH(s, &t->fresh, use)
    {
        put_row(&j, s);
    }
    TAILQ_FOREACH(s, &t->known, use)
    {
        put_row(&j, s);
    }
    hd_json_end(&j, ']');
    hd_json_array(&j, "told");
    for (uint32_t i = 0; i < t->n_agents; i++) {
        const struct cor_source_agent *a = t->agents[i];
        if (a->is_lost || a->is_drifting) {
            hd_json_object(&j, NULL);
            hd_json_cstr(&j, "agent", a->name);
            hd_json_bool(&j, "lost", a->is_lost);
            hd_json_bool(&j, "drifting", a->is_drifting);
            hd_json_end(&j, '}');
        }
    }
    hd_json_end(&j, ']');
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
    return out->err;
}

/* ---- reading ---- */

static int64_t get_i64(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static uint64_t get_u64(const json_t *object, const char *key)
{
    int64_t n = get_i64(object, key);
    return n < 0 ? 0 : (uint64_t)n;
}

static struct hd_slice get_text(const json_t *object, const char *key)
{
    return hd_slice_str(json_string_value(json_object_get(object, key)));
}

static bool get_bool(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static int64_t not_negative(int64_t n)
{
    return n < 0 ? 0 : n;
}

static void restore_hours(struct cor_source *s, const json_t *in)
{
    const json_t *least = json_object_get(in, "least");
    const json_t *hours = json_object_get(in, "hours");
    for (size_t i = 0; i < COR_SOURCE_HOURS; i++) {
        json_int_t lines = json_integer_value(json_array_get(least, i));
        json_int_t n = json_integer_value(json_array_get(hours, i));
        s->least[i] = (double)not_negative(lines) / SIXTEEN;
        s->hours[i] = n < 0 || n > UINT8_MAX ? 0 : (uint8_t)n;
    }
}

static void restore_values(struct cor_sources *t, struct cor_source *s, const json_t *in)
{
    uint64_t pauses = get_u64(in, "pauses");
    (void)snprintf(s->peer, sizeof(s->peer), "%.*s", HD_SLICE_FMT(get_text(in, "peer")));
    (void)snprintf(s->boot, sizeof(s->boot), "%.*s", HD_SLICE_FMT(get_text(in, "boot")));
    s->last_seq = get_u64(in, "seq");
    s->first_ns = not_negative(get_i64(in, "first_ns"));
    s->last_ns = not_negative(get_i64(in, "last_ns"));
    s->lines = get_u64(in, "lines");
    s->bytes = get_u64(in, "bytes");
    s->day = get_i64(in, "day");
    s->day_lines = get_u64(in, "day_lines");
    s->pause_ns = not_negative(get_i64(in, "pause_ns"));
    s->pauses = pauses > UINT32_MAX ? UINT32_MAX : (uint32_t)pauses;
    s->usual = (double)get_u64(in, "usual") / SIXTEEN;
    s->difference_ns = get_i64(in, "difference_ns");
    s->worst_ns = get_i64(in, "worst_ns");
    s->is_silent = get_bool(in, "silent");
    s->is_slow = get_bool(in, "slow");
    s->is_drifting = get_bool(in, "drifting");
    s->is_back = get_bool(in, "back");
    restore_hours(s, in);
    if (get_bool(in, "known")) {
        cor_sources_promote(t, s);
    }
}

static int restore_row(struct cor_sources *t, const json_t *in,
                       const struct cor_times *now)
{
    struct cor_source *s;
    struct hd_slice agent = get_text(in, "agent");
    const struct cor_seen_source seen = {.host = get_text(in, "host"),
                                         .kind = get_text(in, "kind"),
                                         .name = get_text(in, "name")};
    if (agent.len == 0 || seen.kind.ptr == NULL || seen.host.ptr == NULL ||
        seen.name.ptr == NULL) {
        return HD_EPARSE;
    }
    int err = cor_sources_get(t, agent, &seen, now, &s);
    if (err != HD_OK) {
        return err;
    }
    if (s->last_seq != 0 || get_u64(in, "seq") == 0) {
        return HD_EPARSE; /* twice */
    }
    restore_values(t, s, in);
    struct cor_source_agent *a = s->agent;
    if (s->last_ns >= a->last_ns) {
        a->last_ns = s->last_ns;
        a->last_seq = s->last_seq;
        memcpy(a->boot, s->boot, sizeof(a->boot));
    }
    return HD_OK;
}

static int restore_all(struct cor_sources *t, const json_t *root,
                       const struct cor_times *now, const char **why)
{
    size_t i;
    const json_t *one;
    if (get_i64(root, "v") != VERSION) {
        *why = "made by another version";
        return HD_EVERSION;
    }
    json_array_foreach(json_object_get(root, "sources"), i, one)
    {
        int err = restore_row(t, one, now);
        if (err != HD_OK) {
            *why = "a row is malformed";
            return err;
        }
    }
    json_array_foreach(json_object_get(root, "told"), i, one)
    {
        struct cor_source_agent *a = cor_sources_agent(t, get_text(one, "agent"));
        if (a != NULL) {
            a->is_lost = get_bool(one, "lost");
            a->is_drifting = get_bool(one, "drifting");
        }
    }
    return HD_OK;
}

int cor_sources_restore(struct cor_sources *t, struct hd_slice text,
                        const struct cor_times *now, const char **why)
{
    json_t *root = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    *why = "not JSON";
    int err = root == NULL ? HD_EPARSE : restore_all(t, root, now, why);
    json_decref(root);
    return err;
}
