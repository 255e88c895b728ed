/* SPDX-License-Identifier: Apache-2.0
 *
 * The journals as their footers tell: what is sealed and signed, by which keys, through
 * when. Nothing is verified here.
 */
#include <haidang/journal_check.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "console/report/report.h"

struct journal {
    const char *name, *dir;
    struct hd_journal_segments list;
    uint64_t sealed, signed_, compacted, in_period, bytes;
    int64_t signed_ns;  /* through; 0 = nothing is */
    uint64_t unsigned_; /* sealed, but not signed */
    json_t *keys;
};

static void put_key(struct con_report *r, struct journal *j, const struct hd_seal *seal)
{
    char text[2 * HD_KEY_ID_LEN + 1];
    struct hd_buf hex = hd_buf_fixed(text, sizeof(text));
    hd_buf_hex(&hex, hd_slice(seal->key_id, HD_KEY_ID_LEN));
    con_report_put(r, j->keys, hd_buf_cstr(&hex), json_true());
}

static void count(struct con_report *r, struct journal *j,
                  const struct hd_check_segment *seg)
{
    j->bytes += seg->bytes;
    j->sealed += seg->is_sealed;
    j->signed_ += seg->is_stated;
    j->unsigned_ += seg->is_sealed && !seg->is_stated;
    j->compacted += seg->is_compacted;
    if (seg->is_sealed && seg->entries > 0) {
        j->in_period +=
            seg->time_max >= r->period.since_ns && seg->time_min < r->period.until_ns;
    }
    if (seg->is_stated) {
        put_key(r, j, &seg->seal);
        j->signed_ns = seg->time_max > j->signed_ns ? seg->time_max : j->signed_ns;
    }
}

static int look(struct con_report *r, struct journal *j)
{
    const struct hd_check_opts opts = {.n_keys = 0};
    struct hd_check_segment seg;
    struct hd_check *check = NULL;
    char path[sizeof(r->archive) + 32];
    int err = hd_journal_list(j->dir, &j->list);
    err = err == HD_OK ? hd_check_open(&opts, &check) : err;
    for (size_t i = 0; err == HD_OK && i < j->list.n; i++) {
        err = hd_journal_segment_path(j->dir, j->list.first[i], path, sizeof(path));
        if (err == HD_OK && hd_check_peek(check, path, &seg) == HD_OK) {
            count(r, j, &seg); /* what has gone meanwhile is not counted */
        }
    }
    hd_check_close(check);
    return err;
}

static void put_journal(struct con_report *r, struct journal *j)
{
    json_t *part =
        con_report_add(r, json_object_get(r->doc, "journals"), j->name, json_object());
    con_report_put_number(r, part, "segments", j->list.n);
    con_report_put_number(r, part, "sealed", j->sealed);
    con_report_put_number(r, part, "signed", j->signed_);
    con_report_put_number(r, part, "not_signed", j->unsigned_);
    con_report_put_number(r, part, "compacted", j->compacted);
    con_report_put_number(r, part, "sealed_of_period", j->in_period);
    con_report_put_number(r, part, "bytes", j->bytes);
    if (j->signed_ns > 0) {
        con_report_put_time(r, part, "signed_through", j->signed_ns);
    }
    json_t *keys = con_report_add(r, part, "keys", json_array());
    const char *id;
    json_t *value;
    json_object_foreach(j->keys, id, value)
    {
        con_report_put_text(r, keys, NULL, id);
    }
    if (j->list.has_journal) {
        char text[33];
        struct hd_buf hex = hd_buf_fixed(text, sizeof(text));
        hd_buf_hex(&hex, hd_slice(j->list.journal, sizeof(j->list.journal)));
        con_report_put_text(r, part, "id", hd_buf_cstr(&hex));
    }
}

/* The oldest entry that can be read. */
static bool oldest_of(const struct con_report *r, const char *dir,
                      struct hd_journal_entry *oldest)
{
    struct hd_journal_reader *reader = NULL;
    int err = con_entries_open(dir, r->keys, &reader);
    if (err != HD_OK) {
        return false;
    }
    do {
        err = hd_journal_reader_next_header(reader, oldest);
    } while (err == HD_ECORRUPT || err == HD_ENOENT);
    oldest->meta = oldest->payload = HD_SLICE_EMPTY;
    hd_journal_reader_close(reader);
    return err == HD_OK;
}

/* Entries went from its beginning, and what is left does not reach back. */
static void tell_expired(struct con_report *r, const struct journal *j)
{
    struct hd_journal_entry oldest;
    if (j->list.n > 0 && j->list.first[0] > 1 && oldest_of(r, j->dir, &oldest) &&
        oldest.time_max > r->period.since_ns) {
        con_report_unknown(r, CON_REPORT_EXPIRED, j->dir, 0);
    }
}

static void tell_begin(struct con_report *r)
{
    char text[HD_RFC3339_LEN + 1];
    if (r->archive_begin_ns == INT64_MAX) {
        con_report_unknown(r, CON_REPORT_NOTHING, r->archive, 0);
        return;
    }
    con_report_put_time(r,
                        json_object_get(json_object_get(r->doc, "journals"), "archive"),
                        "begins", r->archive_begin_ns);
    if (r->archive_begin_ns > r->period.since_ns) {
        (void)hd_clock_format_rfc3339(r->archive_begin_ns, 3, text);
        con_report_unknown(r, CON_REPORT_BEFORE_BEGIN, text, 0);
    }
}

int con_report_archive(struct con_report *r)
{
    struct journal journals[] = {{.name = "archive", .dir = r->archive},
                                 {.name = "alerts", .dir = r->alerts},
                                 {.name = "losses", .dir = r->losses},
                                 {.name = "receipts", .dir = r->receipts}};
    con_report_put(r, r->doc, "journals", json_object());
    for (size_t i = 0; i < sizeof(journals) / sizeof(journals[0]); i++) {
        journals[i].keys = json_object();
        int err = look(r, &journals[i]);
        if (err == HD_OK) {
            put_journal(r, &journals[i]);
            tell_expired(r, &journals[i]);
        }
        json_decref(journals[i].keys);
        free(journals[i].list.first);
        if (i == 0 && err == HD_OK && journals[0].list.n == 0 &&
            !con_entries_is_journal(r->archive)) {
            err = HD_ENOENT;
        }
        if (i == 0 && err != HD_OK) {
            return con_fail(HD_EXIT_STORE,
                            "%s is no archive that can be read: %s; name the directory "
                            "with --data or --archive, and be in the group haidang",
                            r->archive, hd_err_text(err));
        }
    }
    struct hd_journal_entry oldest;
    bool has_any = oldest_of(r, r->archive, &oldest);
    r->archive_begin_ns = has_any ? oldest.time_min : INT64_MAX;
    tell_begin(r);
    con_report_unknown(r, CON_REPORT_NOT_VERIFIED, NULL, 0);
    return HD_EXIT_OK;
}
