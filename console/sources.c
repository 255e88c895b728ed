/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang sources: the inventory of sources that the correlator keeps, worst first.
 */
#include "console/sources.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <haidang/alert.h>
#include <haidang/utf8.h>

#include "console/ask.h"
#include "console/out.h"
#include "console/rows.h"

/* What the correlator calls a state, and people do; the worst first. */
static const struct state {
    const char *name, *en, *vi;
    bool is_silent;
} states[] = {
    {"agent-lost", "AGENT LOST", "MẤT TÁC TỬ", true},
    {"silent", "SILENT", "IM LẶNG", true},
    {"slow", "slow", "gửi ít", true},
    {"clock", "wrong clock", "lệch giờ", false},
    {"ok", "ok", "tốt", false},
    {"new", "learning", "đang học", false},
};
#define N_STATES (sizeof(states) / sizeof(states[0]))

static size_t state_of(const json_t *source)
{
    const char *name = hd_alert_text(source, "state");
    size_t i = 0;
    while (i < N_STATES - 1 && strcmp(states[i].name, name) != 0) {
        i++;
    }
    return i;
}

const char *con_source_state_text(const struct con_show *show, const char *name)
{
    for (size_t i = 0; i < N_STATES; i++) {
        if (strcmp(states[i].name, name) == 0) {
            return con_show_say(show, states[i].en, states[i].vi);
        }
    }
    return name;
}

static int by_state(const void *ctx, const json_t *x, const json_t *y)
{
    (void)ctx;
    size_t of_x = state_of(x), of_y = state_of(y);
    if (of_x != of_y) {
        return of_x < of_y ? -1 : 1;
    }
    int hosts = strcmp(hd_alert_text(x, "host"), hd_alert_text(y, "host"));
    return hosts != 0 ? hosts
                      : strcmp(hd_alert_text(x, "name"), hd_alert_text(y, "name"));
}

static bool is_wanted(const void *ctx, const json_t *source)
{
    const bool *only_silent = ctx;
    return !*only_silent || states[state_of(source)].is_silent;
}

json_t *con_sources_sorted(const json_t *answer, bool only_silent)
{
    const struct con_rows_how how = {.is_wanted = is_wanted,
                                     .compare = by_state,
                                     .ctx = &only_silent,
                                     .top = SIZE_MAX};
    return con_rows_sorted(json_object_get(answer, "sources"), &how);
}

/* ---- information systems ---- */

int con_sources_systems(json_t *answer, const struct con_systems *systems)
{
    json_t *sources = json_object_get(answer, "sources");
    json_t *unmonitored = json_object_get(answer, "unmonitored");
    for (size_t i = json_array_size(sources); i-- > 0;) {
        json_t *one = json_array_get(sources, i);
        const struct hd_system *system =
            con_systems_of(systems, hd_slice_str(hd_alert_text(one, "agent")),
                           hd_slice_str(hd_alert_text(one, "host")),
                           hd_slice_str(hd_alert_text(one, "peer")));
        if (!con_systems_want(systems, system)) {
            (void)json_array_remove(sources, i);
        } else if (system != NULL &&
                   json_object_set_new(one, "system", con_systems_json(system)) != 0) {
            return HD_ENOMEM;
        }
    }
    for (size_t i = json_array_size(unmonitored); systems->is_chosen && i-- > 0;) {
        const char *id = hd_alert_text(json_array_get(unmonitored, i), "id");
        if (!con_systems_want(systems,
                              hd_inventory_by_id(systems->inventory, hd_slice_str(id)))) {
            (void)json_array_remove(unmonitored, i);
        }
    }
    return HD_OK;
}

/* ---- as text ---- */

static void put_time(const struct con_show *show, const json_t *source,
                     struct hd_buf *out)
{
    int64_t ns;
    if (hd_alert_time(source, "last_seen", &ns) == HD_OK) {
        con_show_time(show, ns, out);
    } else {
        hd_buf_printf(out, "%-19s", "-");
    }
}

static void put_row(const struct con_show *show, const json_t *source, struct hd_buf *out)
{
    const struct state *state = &states[state_of(source)];
    put_time(show, source, out);
    hd_buf_printf(out, " %12" PRId64 " %12" PRId64 " %9" PRId64 " %9.1f  ",
                  hd_alert_int(source, "lines_today", 0),
                  hd_alert_int(source, "usual_per_hour", 0),
                  hd_alert_int(source, "limit_s", 0),
                  (double)hd_alert_int(source, "clock_ms", 0) / 1000);
    hd_utf8_escape(out, hd_slice_str(hd_alert_text(source, "host")));
    hd_buf_byte(out, ' ');
    hd_utf8_escape(out, hd_slice_str(hd_alert_text(source, "kind")));
    hd_buf_byte(out, ' ');
    hd_utf8_escape(out, hd_slice_str(hd_alert_text(source, "name")));
    hd_buf_str(out, con_show_say(show, "  (agent ", "  (tác tử "));
    hd_utf8_escape(out, hd_slice_str(hd_alert_text(source, "agent")));
    hd_buf_str(out, ")  ");
    hd_buf_str(out, con_show_say(show, state->en, state->vi));
    con_show_system(show, json_object_get(source, "system"), out);
    hd_buf_byte(out, '\n');
}

static void put_systems(const struct con_show *show, const json_t *answer,
                        struct hd_buf *out)
{
    size_t i;
    const json_t *system;
    json_array_foreach(json_object_get(answer, "unmonitored"), i, system)
    {
        hd_buf_str(out, con_show_say(show, "UNMONITORED  ", "KHÔNG ĐƯỢC GIÁM SÁT  "));
        hd_utf8_escape(out, hd_slice_str(hd_alert_text(system, "name")));
        hd_buf_str(out, " (");
        hd_utf8_escape(out, hd_slice_str(hd_alert_text(system, "id")));
        hd_buf_printf(out, "), %s %" PRId64 "\n", con_show_say(show, "level", "cấp độ"),
                      hd_alert_int(system, "level", 0));
    }
}

void con_sources_text(const struct con_show *show, const json_t *answer,
                      const json_t *rows, struct hd_buf *out)
{
    size_t i;
    const json_t *source;
    int64_t left_off = hd_alert_int(answer, "left_off", 0);
    hd_buf_str(out, con_show_say(show,
                                 "last seen             lines today   usual/hour   limit "
                                 "s   clock s  source\n",
                                 "lần cuối             dòng hôm nay  thường/giờ  giới "
                                 "hạn s  lệch s  nguồn\n"));
    json_array_foreach(rows, i, source)
    {
        put_row(show, source, out);
    }
    put_systems(show, answer, out);
    if (left_off > 0) {
        hd_buf_printf(
            out, "%" PRId64 " %s\n", left_off,
            con_show_say(show, "more are not shown", "nguồn khác không hiển thị"));
    }
}

/* Silent sources, lost agents and unmonitored systems. */
static bool is_well(const json_t *answer)
{
    json_t *silent = con_sources_sorted(answer, true);
    bool is_ok = json_array_size(silent) == 0 &&
                 json_array_size(json_object_get(answer, "unmonitored")) == 0;
    json_decref(silent);
    return is_ok;
}

static int print(const struct con_args *args, const struct con_show *show, json_t *answer,
                 json_t *rows)
{
    struct hd_buf out;
    int code = HD_EXIT_OK;
    hd_buf_init(&out, 0);
    if (con_args_flag(args, "json")) {
        json_t *shown = json_copy(answer);
        (void)json_object_set(shown, "sources", rows);
        (void)json_dumpf(shown, stdout, JSON_INDENT(1));
        (void)fputc('\n', stdout);
        json_decref(shown);
    } else {
        con_sources_text(show, answer, rows, &out);
        code = con_out_print(&out);
    }
    hd_buf_fini(&out);
    return code != HD_EXIT_OK ? code : is_well(answer) ? HD_EXIT_OK : HD_EXIT_RUNTIME;
}

static int show_rows(const struct con_args *args, const struct con_show *show,
                     json_t *answer)
{
    json_t *rows = con_sources_sorted(answer, con_args_flag(args, "silent"));
    int code = rows == NULL ? con_fail(HD_EXIT_RUNTIME, "out of memory")
                            : print(args, show, answer, rows);
    json_decref(rows);
    return code;
}

static int show_sources(const struct con_args *args, const struct con_show *show,
                        json_t *answer)
{
    struct con_systems systems = {0};
    int code = HD_EXIT_USAGE;
    if (con_systems_init_shown(&systems, args) == HD_OK) {
        code = con_sources_systems(answer, &systems) == HD_OK
                   ? show_rows(args, show, answer)
                   : con_fail(HD_EXIT_RUNTIME, "out of memory");
    }
    con_systems_fini(&systems);
    return code;
}

int con_run_sources(const struct con_args *args)
{
    return con_ask_and_show(args, "/sources", show_sources);
}
