/* SPDX-License-Identifier: Apache-2.0
 *
 * Members of the document.
 */
#include <haidang/alert.h>
#include <haidang/journal_check.h>
#include <haidang/utf8.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/report/report.h"
#include "console/rows.h"

static const char *const gaps[CON_REPORT_GAPS] = {
    [CON_REPORT_NOT_OVER] = "not-over",
    [CON_REPORT_BEFORE_BEGIN] = "before-archive",
    [CON_REPORT_NOTHING] = "nothing-archived",
    [CON_REPORT_EXPIRED] = "expired",
    [CON_REPORT_DAMAGE] = "damage",
    [CON_REPORT_REMOVED] = "removed",
    [CON_REPORT_LOCKED] = "locked",
    [CON_REPORT_UNREADABLE] = "unreadable",
    [CON_REPORT_NO_JOURNAL] = "no-journal",
    [CON_REPORT_NO_RECEIPTS] = "no-receipts",
    [CON_REPORT_NOT_ASKED] = "not-asked",
    [CON_REPORT_NO_ANSWER] = "no-answer",
    [CON_REPORT_NO_INVENTORY] = "no-inventory",
    [CON_REPORT_NOT_VERIFIED] = "not-verified",
};

const char *con_report_gap_name(enum con_report_gap gap)
{
    return gaps[gap];
}

void con_report_put(struct con_report *r, json_t *to, const char *key, json_t *value)
{
    int failed = key != NULL ? json_object_set_new(to, key, value)
                             : json_array_append_new(to, value);
    r->err = failed != 0 ? HD_ENOMEM : r->err;
}

json_t *con_report_add(struct con_report *r, json_t *to, const char *key, json_t *value)
{
    con_report_put(r, to, key, value);
    return r->err == HD_OK ? value : NULL;
}

void con_report_put_text(struct con_report *r, json_t *to, const char *key,
                         const char *text)
{
    struct hd_buf repaired;
    if (text[0] == '\0') {
        return;
    }
    hd_buf_init(&repaired, 0);
    hd_utf8_repair(&repaired, hd_slice_str(text));
    con_report_put(r, to, key, json_stringn((const char *)repaired.ptr, repaired.len));
    hd_buf_fini(&repaired);
}

void con_report_put_time(struct con_report *r, json_t *to, const char *key, int64_t ns)
{
    char text[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(ns, 3, text);
    con_report_put(r, to, key, json_string(text));
}

void con_report_put_number(struct con_report *r, json_t *to, const char *key, uint64_t n)
{
    con_report_put(r, to, key, json_integer((json_int_t)n));
}

void con_report_count(struct con_report *r, json_t *in, const char *key, uint64_t n)
{
    json_int_t before = json_integer_value(json_object_get(in, key));
    con_report_put_number(r, in, key, (uint64_t)before + n);
}

/* ---- lists ---- */

static void put_more(struct con_report *r, json_t *to, const char *key, uint64_t more)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s_more", key);
    if (more > 0) {
        con_report_put_number(r, to, name, more);
    }
}

void con_report_put_names(struct con_report *r, json_t *to, const char *key,
                          struct con_names *names)
{
    json_t *list = con_report_add(r, to, key, json_array());
    con_names_sort(names);
    for (size_t i = 0; i < names->n && i < r->top; i++) {
        json_t *row = con_report_add(r, list, NULL, json_object());
        con_report_put_text(r, row, "name", names->list[i].text);
        con_report_put_number(r, row, "count", names->list[i].count);
        if (names->list[i].bytes > 0) {
            con_report_put_number(r, row, "bytes", names->list[i].bytes);
        }
    }
    put_more(r, to, key, names->n > r->top ? names->n - r->top : 0);
    if (names->others > 0) {
        con_report_put_number(r, to, "others", names->others);
    }
}

void con_report_put_rows(struct con_report *r, json_t *to, const char *key, json_t *rows,
                         const char *by)
{
    const struct con_rows_how how = {
        .compare = con_rows_by_number, .ctx = by, .top = r->top};
    const char *id;
    json_t *row, *all = json_array();
    size_t n = json_object_size(rows);
    json_object_foreach(rows, id, row)
    {
        (void)json_array_append(all, row);
    }
    con_report_put(r, to, key, con_rows_sorted(all, &how));
    put_more(r, to, key, n > r->top ? n - r->top : 0);
    json_decref(all);
    json_decref(rows);
}

/* ---- what is not known ---- */

static bool is_noted(const json_t *unknown, const char *what, const char *about)
{
    size_t i;
    const json_t *row;
    bool is_there = false;
    json_array_foreach(unknown, i, row)
    {
        is_there |= strcmp(hd_alert_text(row, "what"), what) == 0 &&
                    strcmp(hd_alert_text(row, "about"), about) == 0;
    }
    return is_there;
}

void con_report_unknown(struct con_report *r, enum con_report_gap gap, const char *about,
                        uint64_t count)
{
    json_t *unknown = json_object_get(r->doc, "unknown");
    about = about != NULL ? about : "";
    if (is_noted(unknown, gaps[gap], about)) {
        return;
    }
    json_t *row = con_report_add(r, unknown, NULL, json_object());
    con_report_put_text(r, row, "what", gaps[gap]);
    con_report_put_text(r, row, "about", about);
    if (count > 0) {
        con_report_put_number(r, row, "count", count);
    }
    r->is_partial |= gap == CON_REPORT_DAMAGE || gap == CON_REPORT_REMOVED ||
                     gap == CON_REPORT_LOCKED || gap == CON_REPORT_UNREADABLE ||
                     gap == CON_REPORT_NO_JOURNAL;
}

bool con_report_has_journal(struct con_report *r, const char *dir)
{
    struct hd_journal_segments list = {.n = 0};
    int err = hd_journal_list(dir, &list);
    bool is_there = err == HD_OK && (list.n > 0 || con_entries_is_journal(dir));
    free(list.first);
    return con_report_is_read(r, dir, is_there ? HD_OK : HD_ENOENT);
}

bool con_report_has_receipts(struct con_report *r)
{
    if (con_args_value(r->args, "receipts") == NULL && access(r->receipts, F_OK) != 0) {
        con_report_unknown(r, CON_REPORT_NO_RECEIPTS, r->receipts, 0);
        return false;
    }
    return con_report_has_journal(r, r->receipts);
}

bool con_report_is_read(struct con_report *r, const char *dir, int err)
{
    if (err != HD_OK) {
        con_report_unknown(
            r, err == HD_ENOKEY ? CON_REPORT_LOCKED : CON_REPORT_NO_JOURNAL, dir, 0);
    }
    return err == HD_OK;
}

void con_report_totals(struct con_report *r, const char *dir,
                       const struct con_entries_totals *totals)
{
    if (totals->corrupt > 0) {
        con_report_unknown(r, CON_REPORT_DAMAGE, dir, totals->corrupt);
    }
    if (totals->removed > 0) {
        con_report_unknown(r, CON_REPORT_REMOVED, dir, totals->removed);
    }
    if (totals->locked > 0) {
        con_report_unknown(r, CON_REPORT_LOCKED, dir, totals->locked);
    }
}
