/* SPDX-License-Identifier: Apache-2.0
 *
 * How the programs, sources and destinations are now, as the programs that run say. They
 * are asked only when the data is theirs.
 */
#include <haidang/alert.h>

#include <stdio.h>
#include <string.h>

#include "console/ask.h"
#include "console/report/report.h"
#include "console/rows.h"
#include "console/sources.h"

/* own: NULL when it does not answer, which is noted. */
static json_t *ask(struct con_report *r, const char *program, const char *path)
{
    char why[256];
    json_t *answer = con_ask(con_args_value(r->args, "run-dir"), program, path, why);
    if (answer == NULL) {
        con_report_unknown(r, CON_REPORT_NO_ANSWER, program, 0);
    }
    return answer;
}

/* Members as they are. */
static void copy(struct con_report *r, json_t *to, const json_t *from,
                 const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        json_t *value = json_object_get(from, names[i]);
        if (value != NULL) {
            con_report_put(r, to, names[i], json_incref(value));
        }
    }
}

static json_t *put_program(struct con_report *r, json_t *part, const char *name,
                           const json_t *status)
{
    static const char *const members[] = {"version", "started", "state", "problems",
                                          NULL};
    json_t *row =
        con_report_add(r, json_object_get(part, "programs"), NULL, json_object());
    con_report_put_text(r, row, "program", name);
    copy(r, row, status, members);
    return row;
}

/* ---- the correlator ---- */

static void put_sources(struct con_report *r, json_t *part, json_t *answer)
{
    size_t i;
    const json_t *source;
    json_t *states = con_report_add(r, part, "sources_by_state", json_object());
    json_array_foreach(json_object_get(answer, "sources"), i, source)
    {
        const char *state = hd_alert_text(source, "state");
        con_report_count(r, states, state[0] != '\0' ? state : "new", 1);
    }
    int64_t left_off = hd_alert_int(answer, "left_off", 0);
    if (left_off > 0) {
        con_report_put_number(r, part, "sources_more", (uint64_t)left_off);
    }
    json_t *silent = con_sources_sorted(answer, true);
    size_t n = json_array_size(silent);
    while (json_array_size(silent) > r->top) {
        (void)json_array_remove(silent, json_array_size(silent) - 1);
    }
    con_report_put(r, part, "silent", silent);
    if (n > r->top) {
        con_report_put_number(r, part, "silent_more", n - r->top);
    }
    json_t *unmonitored = json_object_get(answer, "unmonitored");
    con_report_put(r, part, "unmonitored", json_incref(unmonitored));
}

static int put_correlator(struct con_report *r, json_t *part)
{
    static const char *const members[] = {
        "rules", "stores", "mirror", "timestamps", "write_once", "canaries", NULL};
    json_t *status = ask(r, "correlator", "/status");
    json_t *sources = status != NULL ? ask(r, "correlator", "/sources") : NULL;
    int err = HD_OK;
    if (status != NULL) {
        copy(r, put_program(r, part, "haidang-correlator", status), status, members);
    }
    if (sources != NULL) {
        err = con_sources_systems(sources, &r->systems);
        put_sources(r, part, sources);
    }
    json_decref(status);
    json_decref(sources);
    return err;
}

/* ---- the forwarder ---- */

static void put_forwarder(struct con_report *r, json_t *part)
{
    static const char *const members[] = {"destinations", "timestamp", NULL};
    json_t *status = ask(r, "forwarder", "/status");
    if (status != NULL) {
        copy(r, put_program(r, part, "haidang-forwarder", status), status, members);
    }
    json_decref(status);
}

int con_report_live(struct con_report *r)
{
    if (r->is_copy) {
        con_report_unknown(r, CON_REPORT_NOT_ASKED, NULL, 0);
        return HD_EXIT_OK;
    }
    json_t *part = con_report_add(r, r->doc, "now", json_object());
    con_report_put(r, part, "programs", json_array());
    int err = put_correlator(r, part);
    put_forwarder(r, part);
    return err == HD_OK ? HD_EXIT_OK : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
}
