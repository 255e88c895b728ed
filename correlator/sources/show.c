/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/sources/show.h"

#include <haidang/clock.h>
#include <haidang/json.h>

#define SHOWN_MAX 20000U

const char *cor_source_state(const struct cor_source *s)
{
    return s->agent->is_lost ? "agent-lost"
           : s->is_silent    ? "silent"
           : s->is_slow      ? "slow"
           : s->is_drifting  ? "clock"
           : s->is_known     ? "ok"
                             : "new";
}

static void put_source(const struct cor_sources *t, const struct cor_source *s,
                       struct hd_json *j)
{
    int64_t clock_ns = s->agent->is_drifting ? s->agent->difference_ns : s->difference_ns;
    hd_json_object(j, NULL);
    hd_json_cstr(j, "agent", s->agent->name);
    hd_json_str(j, "host", s->host);
    hd_json_str(j, "kind", s->kind);
    hd_json_str(j, "name", s->name);
    hd_json_cstr(j, "peer", s->peer);
    hd_json_bool(j, "connected", s->agent->is_connected);
    hd_json_time(j, "first_seen", s->first_ns, 3);
    hd_json_time(j, "last_seen", s->last_ns, 3);
    hd_json_u64(j, "lines", s->lines);
    hd_json_u64(j, "bytes", s->bytes);
    hd_json_u64(j, "lines_today", s->day_lines);
    hd_json_u64(j, "usual_per_hour", (uint64_t)s->usual);
    hd_json_i64(j, "usual_pause_s", s->pause_ns / HD_NS_PER_SEC);
    hd_json_i64(j, "limit_s", cor_source_limit_ns(t, s) / HD_NS_PER_SEC);
    hd_json_i64(j, "clock_ms", clock_ns / HD_NS_PER_MS);
    hd_json_i64(j, "clock_worst_ms", s->worst_ns / HD_NS_PER_MS);
    hd_json_cstr(j, "state", cor_source_state(s));
    hd_json_end(j, '}');
}

static void put_systems(const struct cor_judge *judge, struct hd_json *j)
{
    hd_json_array(j, "unmonitored");
    size_t n = judge->enrich == NULL ? 0 : cor_enrich_systems(judge->enrich);
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
        if (judge->is_told[i]) {
            const struct hd_system *system = cor_enrich_system_at(judge->enrich, i);
            hd_json_object(j, NULL);
            hd_json_cstr(j, "id", system->id);
            hd_json_cstr(j, "name", system->name);
            hd_json_u64(j, "level", system->level);
            hd_json_end(j, '}');
        }
    }
    hd_json_end(j, ']');
}

void cor_sources_show(const struct cor_sources *t, const struct cor_judge *judge,
                      struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_array(&j, "sources");
    for (uint32_t i = 0; i < t->n && i < SHOWN_MAX; i++) {
        put_source(t, t->rows[i], &j);
    }
    hd_json_end(&j, ']');
    hd_json_u64(&j, "left_off", t->n > SHOWN_MAX ? t->n - SHOWN_MAX : 0);
    put_systems(judge, &j);
    hd_json_end(&j, '}');
}
