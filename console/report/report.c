/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang report: from the command line to the exit status.
 */
#include "console/report/report.h"

#include <haidang/fs.h>
#include <haidang/main.h>
#include <haidang/sign.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/out.h"
#include "console/unlock.h"
#include "console/values.h"
#include "console/when.h"

#define DATA_DIR    "/var/lib/haidang"
#define DEFAULT_TOP 10U
#define TOP_MAX     100000U
#define DAY_NS      (INT64_C(86400) * HD_NS_PER_SEC)
#define LENGTH_MAX  (INT64_C(3660) * DAY_NS)
#define ZONE_NAME   "Asia/Ho_Chi_Minh" /* of con_show_init */
#define FILE_MODE   0640

/* ---- the period ---- */

/* A day as a time: when it begins. */
static int when(const struct con_report *r, const char *option, int64_t *ns)
{
    struct con_period day;
    const char *text = con_args_value(r->args, option);
    if (text == NULL) {
        return HD_OK;
    }
    if (con_period_parse(CON_PERIOD_DAY, hd_slice_str(text), r->show.zone, &day) ==
        HD_OK) {
        *ns = day.since_ns;
        return HD_OK;
    }
    return con_when(option, text, ns);
}

static int parse_range(struct con_report *r)
{
    struct con_period *p = &r->period;
    p->since_ns = r->now_ns - DAY_NS;
    p->until_ns = r->now_ns;
    int err = when(r, "since", &p->since_ns);
    err = err == HD_OK ? when(r, "until", &p->until_ns) : err;
    if (err != HD_OK) {
        return err;
    }
    if (p->since_ns >= p->until_ns) {
        return con_fail(HD_EINVAL, "--since is not before --until");
    }
    if (p->until_ns - p->since_ns > LENGTH_MAX) {
        return con_fail(HD_EINVAL, "a report is about ten years at most");
    }
    p->before_ns = p->since_ns - (p->until_ns - p->since_ns);
    return HD_OK;
}

static int parse_unit(struct con_report *r, enum con_period_unit unit, const char *text)
{
    int err = con_period_parse(unit, hd_slice_str(text), r->show.zone, &r->period);
    r->unit = con_period_name(unit);
    r->name = text;
    return err == HD_EPARSE ? con_fail(err, "--%s is written as in %s, not '%s'", r->unit,
                                       con_period_example(unit), text)
           : err != HD_OK   ? con_fail(err, "--%s: no calendar has '%s'", r->unit, text)
                            : HD_OK;
}

static int parse_period(struct con_report *r)
{
    unsigned given = con_args_value(r->args, "since") != NULL ||
                     con_args_value(r->args, "until") != NULL;
    int err = given > 0 ? parse_range(r) : HD_OK;
    for (unsigned unit = 0; unit < CON_PERIOD_UNITS && err == HD_OK; unit++) {
        const char *text =
            con_args_value(r->args, con_period_name((enum con_period_unit)unit));
        given += text != NULL;
        err = text != NULL ? parse_unit(r, (enum con_period_unit)unit, text) : HD_OK;
    }
    if (err == HD_OK && given > 1) {
        return con_fail(HD_EINVAL, "name one period: --since and --until, --day, --week, "
                                   "--month, --quarter, --half or --year");
    }
    err = err == HD_OK && given == 0 ? parse_range(r) : err;
    if (err == HD_OK && r->period.since_ns >= r->now_ns) {
        char text[HD_RFC3339_LEN + 1];
        (void)hd_clock_format_rfc3339(r->period.since_ns, 0, text);
        return con_fail(HD_EINVAL, "the period has not begun: it begins at %s", text);
    }
    return err;
}

/* ---- where it is ---- */

static int parse_path(const struct con_report *r, const char *option, const char *below,
                      char out[4096])
{
    const char *given = con_args_value(r->args, option);
    const char *data = con_args_value(r->args, "data");
    int len = given != NULL
                  ? snprintf(out, 4096, "%s", given)
                  : snprintf(out, 4096, "%s/%s", data != NULL ? data : DATA_DIR, below);
    return len > 0 && len < 4096 ? HD_OK : con_fail(HD_EINVAL, "--%s: too long", option);
}

static int parse_paths(struct con_report *r)
{
    int err = parse_path(r, "archive", "correlator/archive", r->archive);
    err = err == HD_OK ? parse_path(r, "alerts", "correlator/alerts", r->alerts) : err;
    err = err == HD_OK ? parse_path(r, "losses", "correlator/losses", r->losses) : err;
    r->is_copy = (con_args_value(r->args, "data") != NULL ||
                  con_args_value(r->args, "archive") != NULL) &&
                 con_args_value(r->args, "run-dir") == NULL;
    return err == HD_OK ? parse_path(r, "receipts", "forwarder/receipts", r->receipts)
                        : err;
}

static int parse(struct con_report *r)
{
    r->jobs = con_entries_jobs();
    r->top = DEFAULT_TOP;
    int err = con_show_init(&r->show, r->args);
    err = err == HD_OK ? parse_period(r) : err;
    err = err == HD_OK ? parse_paths(r) : err;
    err = err == HD_OK ? con_value_number(r->args, "jobs", CON_ENTRIES_JOBS_MAX, &r->jobs)
                       : err;
    err = err == HD_OK ? con_value_number(r->args, "top", TOP_MAX, &r->top) : err;
    if (err == HD_OK && (r->jobs == 0 || r->top == 0)) {
        err = con_fail(HD_EINVAL, "--jobs and --top are at least 1");
    }
    if (err == HD_OK && con_args_flag(r->args, "json") &&
        con_args_flag(r->args, "html")) {
        err = con_fail(HD_EINVAL, "--json or --html, not both");
    }
    if (err == HD_OK && con_args_value(r->args, "sign") != NULL &&
        con_args_value(r->args, "output") == NULL) {
        err = con_fail(HD_EINVAL, "--sign wants --output: the signature is FILE.sig");
    }
    return err == HD_OK ? con_systems_init_shown(&r->systems, r->args) : err;
}

/* ---- the document ---- */

static void put_head(struct con_report *r)
{
    char host[HOST_NAME_MAX + 1] = "";
    bool is_utc = con_args_flag(r->args, "utc");
    (void)gethostname(host, sizeof(host) - 1);
    con_report_put_number(r, r->doc, "version", CON_REPORT_VERSION);
    con_report_put_time(r, r->doc, "made", r->now_ns);
    con_report_put_text(r, r->doc, "made_on", host);
    con_report_put_text(r, r->doc, "made_by", hd_version);
    json_t *period = con_report_add(r, r->doc, "period", json_object());
    con_report_put_text(r, period, "unit", r->unit != NULL ? r->unit : "");
    con_report_put_text(r, period, "name", r->name != NULL ? r->name : "");
    con_report_put_time(r, period, "since", r->period.since_ns);
    con_report_put_time(r, period, "until", r->period.until_ns);
    con_report_put_text(r, period, "zone", is_utc ? "UTC" : ZONE_NAME);
    con_report_put(r, r->doc, "unknown", json_array());
    if (r->period.until_ns > r->now_ns) {
        con_report_unknown(r, CON_REPORT_NOT_OVER, NULL, 0);
    }
    if (r->systems.inventory == NULL) {
        con_report_unknown(r, CON_REPORT_NO_INVENTORY, NULL, 0);
    }
}

static int gather(struct con_report *r)
{
    static int (*const parts[])(struct con_report * r) = {
        con_report_archive,  con_report_lines,  con_report_alerts,
        con_report_delivery, con_report_losses, con_report_live};
    int code = HD_EXIT_OK;
    r->doc = json_object();
    put_head(r);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && code == HD_EXIT_OK; i++) {
        code = parts[i](r);
    }
    return code == HD_EXIT_OK && r->err != HD_OK
               ? con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(r->err))
               : code;
}

/* ---- output ---- */

static void write_json(const struct con_report *r, struct hd_buf *out)
{
    char *text = json_dumps(r->doc, JSON_INDENT(1));
    if (text == NULL) {
        out->err = HD_ENOMEM;
        return;
    }
    hd_buf_str(out, text);
    hd_buf_byte(out, '\n');
    free(text);
}

static int put_file(const char *path, struct hd_slice text)
{
    int err = hd_fs_write_atomic(path, text, FILE_MODE);
    return err == HD_OK
               ? HD_EXIT_OK
               : con_fail(HD_EXIT_STORE, "cannot write %s: %s", path, hd_err_text(err));
}

static int put_signature(const struct hd_sign_key *key, const char *path,
                         struct hd_slice text)
{
    char name[4096];
    uint8_t signature[HD_SIGNATURE_LEN];
    int len = snprintf(name, sizeof(name), "%s.sig", path);
    if (len < 0 || (size_t)len >= sizeof(name)) {
        return con_fail(HD_EXIT_USAGE, "--output: too long");
    }
    int err = hd_sign(key, text, signature);
    return err == HD_OK
               ? put_file(name, hd_slice(signature, sizeof(signature)))
               : con_fail(HD_EXIT_CERT, "it cannot be signed: %s", hd_err_text(err));
}

static int print(const struct con_report *r, const struct hd_sign_key *key)
{
    const char *path = con_args_value(r->args, "output");
    struct hd_buf out;
    hd_buf_init(&out, 0);
    if (con_args_flag(r->args, "json")) {
        write_json(r, &out);
    } else {
        con_report_show(r, con_args_flag(r->args, "html"), &out);
    }
    int code = out.err != HD_OK ? con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(out.err))
               : path == NULL   ? con_out_print(&out)
                                : put_file(path, hd_buf_slice(&out));
    if (code == HD_EXIT_OK && key != NULL) {
        code = put_signature(key, path, hd_buf_slice(&out));
    }
    hd_buf_fini(&out);
    return code;
}

static int load_key(const struct con_args *args, struct hd_sign_key **key)
{
    const char *path = con_args_value(args, "sign");
    int err = path != NULL ? hd_sign_key_load(path, key) : HD_OK;
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_CERT, "--sign %s: %s", path, hd_err_text(err));
}

int con_run_report(const struct con_args *args)
{
    struct con_report *r = calloc(1, sizeof(*r));
    struct hd_sign_key *key = NULL;
    if (r == NULL) {
        return con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    r->args = args;
    r->now_ns = hd_clock_wall_ns();
    int code = parse(r) == HD_OK ? load_key(args, &key) : HD_EXIT_USAGE;
    code = code == HD_EXIT_OK ? con_unlock(args, &r->keys) : code;
    code = code == HD_EXIT_OK ? gather(r) : code;
    code = code == HD_EXIT_OK ? print(r, key) : code;
    code = code == HD_EXIT_OK && r->is_partial ? HD_EXIT_RUNTIME : code;
    json_decref(r->doc);
    free(r->published);
    hd_sign_key_free(key);
    hd_journal_keys_free(r->keys);
    con_systems_fini(&r->systems);
    con_show_fini(&r->show);
    free(r);
    return code;
}
