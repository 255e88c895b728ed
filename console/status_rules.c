/* SPDX-License-Identifier: Apache-2.0 */
#include "console/status_rules.h"

#include <haidang/alert.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/ask.h"
#include "console/heirs.h"
#include "console/rows.h"

#define TOP_DEFAULT  20U
#define PROVEN       "proven"
#define PROVEN_WIDTH 19 /* of a time */

/* What --sort may name; the first is the default. */
static const char *const columns[] = {"hits",      "alerts",  "suppressed", "filtered",
                                      "throttled", "cost_ns", "cost_ms",    NULL};

/* 0: never. */
static int64_t proven_ns(const json_t *rule)
{
    int64_t ns = 0;
    return hd_alert_time(rule, PROVEN, &ns) == HD_OK ? ns : 0;
}

/* Never first, then the longest ago. */
static int by_proof(const void *ctx, const json_t *x, const json_t *y)
{
    (void)ctx;
    int64_t of_x = proven_ns(x), of_y = proven_ns(y);
    return of_x == of_y ? 0 : of_x < of_y ? -1 : 1;
}

json_t *con_status_rules_sorted(const json_t *answer, const char *by, size_t top)
{
    bool is_proof = strcmp(by, PROVEN) == 0;
    const struct con_rows_how how = {
        .compare = is_proof ? by_proof : con_rows_by_number, .ctx = by, .top = top};
    return con_rows_sorted(json_object_get(answer, "rules"), &how);
}

/* What became of its groups when its meaning changed. */
static void put_heir(const struct con_show *show, const char *key, struct hd_buf *out)
{
    if (key[0] != '\0') {
        hd_buf_str(out, "  * ");
        hd_buf_str(out, con_heir_text(key, show->is_vietnamese));
    }
}

void con_status_rules_text(const struct con_show *show, const json_t *rules,
                           struct hd_buf *out)
{
    size_t i;
    json_t *rule;
    hd_buf_str(out, con_show_say(show,
                                 "      hits     alerts suppressed   filtered  throttled "
                                 " cost ns    cost ms  proven alive         rule\n",
                                 "      khớp   cảnh báo    lặp lại     bộ lọc   hạn chế "
                                 "     ns      tổng ms  thử thành công       luật\n"));
    json_array_foreach(rules, i, rule)
    {
        const char *vi = hd_alert_text(rule, "title_vi");
        bool is_vi = show->is_vietnamese && vi[0] != '\0';
        for (size_t k = 0; columns[k] != NULL; k++) {
            hd_buf_printf(out,
                          strcmp(columns[k], "cost_ns") == 0 ? "%9" PRId64 " "
                                                             : "%10" PRId64 " ",
                          hd_alert_int(rule, columns[k], 0));
        }
        hd_buf_byte(out, ' ');
        if (proven_ns(rule) != 0) {
            con_show_time(show, proven_ns(rule), out);
        } else {
            hd_buf_printf(out, "%*s", PROVEN_WIDTH, "-");
        }
        hd_buf_str(out, "  ");
        hd_utf8_escape(out, hd_slice_str(is_vi ? vi : hd_alert_text(rule, "title")));
        if (json_is_true(json_object_get(rule, "noisy"))) {
            hd_buf_str(out, con_show_say(show, "  ! noisy", "  ! quá ồn"));
        }
        put_heir(show, hd_alert_text(rule, "changed"), out);
        hd_buf_byte(out, '\n');
    }
}

static const char *column_of(const char *word)
{
    for (size_t i = 0; word != NULL && columns[i] != NULL; i++) {
        if (strcmp(columns[i], word) == 0) {
            return columns[i];
        }
    }
    return word == NULL ? columns[0] : strcmp(word, PROVEN) == 0 ? PROVEN : NULL;
}

static int print(const struct con_args *args, const struct con_show *show,
                 const json_t *rules)
{
    if (con_args_flag(args, "json")) {
        (void)json_dumpf(rules, stdout, JSON_INDENT(1));
        (void)fputc('\n', stdout);
        return HD_EXIT_OK;
    }
    struct hd_buf out;
    hd_buf_init(&out, 0);
    con_status_rules_text(show, rules, &out);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    hd_buf_fini(&out);
    return HD_EXIT_OK;
}

static int parse(const struct con_args *args, const char **by, uint32_t *top)
{
    const char *text = con_args_value(args, "top");
    *top = TOP_DEFAULT;
    *by = column_of(con_args_value(args, "sort"));
    if (*by != NULL &&
        (text == NULL || hd_num_u32(hd_slice_str(text), UINT32_MAX, top) == HD_OK)) {
        return HD_EXIT_OK;
    }
    return con_fail(HD_EXIT_USAGE,
                    "--top is a number, --sort one of hits, alerts, "
                    "suppressed, filtered, throttled, cost_ns, cost_ms, proven");
}

static int show_rules(const struct con_args *args, const struct con_show *show,
                      json_t *answer)
{
    const char *by;
    uint32_t top;
    int code = parse(args, &by, &top);
    json_t *rules = code == HD_EXIT_OK ? con_status_rules_sorted(answer, by, top) : NULL;
    if (code == HD_EXIT_OK) {
        code = rules == NULL ? con_fail(HD_EXIT_RUNTIME, "out of memory")
                             : print(args, show, rules);
    }
    json_decref(rules);
    return code;
}

int con_status_rules(const struct con_args *args)
{
    const char *by;
    uint32_t top;
    int code = parse(args, &by, &top); /* before anybody is asked */
    return code == HD_EXIT_OK ? con_ask_and_show(args, "/rules", show_rules) : code;
}
