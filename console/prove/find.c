/* SPDX-License-Identifier: Apache-2.0 */
#include "console/prove/find.h"

#include <string.h>
#include <unistd.h>

#include <haidang/archive_meta.h>

struct scan {
    struct con_find *find;
    enum con_chain_journal journal;
    int64_t since_ns; /* segments without anything as new are passed over */
    /* By the header alone; NULL: all are wanted. */
    bool (*is_wanted)(const struct scan *scan, const struct hd_journal_entry *entry);
    /* HD_ECORRUPT is counted; any other error ends the scan. */
    int (*take)(struct scan *scan, const struct hd_journal_entry *entry,
                const struct con_chain_place *place);
    const json_t *wanted;
    struct con_chain_wanted line;
    const char *id;
};

static bool is_in_time(const struct con_find *find, const struct hd_journal_entry *entry)
{
    return entry->time_max >= find->since_ns && entry->time_min < find->until_ns;
}

/* The entry whose header was just read, whole. */
static int take_whole(struct scan *scan, struct hd_journal_reader *reader,
                      struct hd_journal_entry *entry)
{
    struct hd_journal_cursor at;
    int err = hd_journal_reader_next_whole(reader, entry, &at);
    const struct con_chain_place place = {at.segment, at.index, at.offset};
    return err == HD_OK ? scan->take(scan, entry, &place) : err;
}

static int look(struct scan *scan, struct hd_journal_reader *reader)
{
    struct con_find *find = scan->find;
    struct hd_journal_entry entry;
    uint64_t done = 0;
    for (;;) {
        int err = hd_journal_reader_next_header(reader, &entry);
        if (err == HD_OK && (scan->is_wanted == NULL || scan->is_wanted(scan, &entry))) {
            err = take_whole(scan, reader, &entry);
        }
        find->unreadable += err == HD_ECORRUPT;
        if (err != HD_OK && err != HD_ECORRUPT && err != HD_ENOENT) {
            return err == HD_EAGAIN ? HD_OK : err;
        }
        done++;
        find->looked_at += scan->journal == CON_CHAIN_ARCHIVE;
        con_progress_show(&find->progress, done, done + hd_journal_reader_lag(reader),
                          done, "entries");
    }
}

static int run(struct scan *scan)
{
    struct hd_journal_reader *reader = NULL;
    const char *dir = scan->find->dir[scan->journal];
    if (access(dir, R_OK | X_OK) != 0) {
        return HD_EACCES;
    }
    int err = hd_journal_reader_open(dir, NULL, &reader);
    if (err != HD_OK) {
        return err;
    }
    hd_journal_reader_use_keys(reader, scan->find->keys);
    if (scan->since_ns > INT64_MIN) {
        err = hd_journal_reader_seek_time(reader, scan->since_ns);
    }
    con_progress_begin(&scan->find->progress);
    err = err == HD_OK ? look(scan, reader) : err;
    con_progress_end(&scan->find->progress);
    if (err == HD_ENOKEY) {
        scan->find->missing = hd_journal_reader_missing_key(reader);
    }
    hd_journal_reader_close(reader);
    if (err == HD_ELIMIT) {
        scan->find->has_more = true;
        err = HD_OK;
    }
    return err;
}

/* ---- events ---- */

static bool is_of_event(const struct hd_journal_entry *entry,
                        const struct hd_archive_meta *meta, const json_t *event)
{
    uint64_t seq = con_chain_number(event, "seq");
    const char *boot = con_chain_text(event, "boot");
    return entry->first <= seq && seq <= entry->last &&
           hd_slice_eq(meta->agent, hd_slice_str(con_chain_text(event, "agent"))) &&
           (boot[0] == '\0' || hd_slice_eq(meta->boot, hd_slice_str(boot)));
}

static bool has_wanted_event(const struct scan *scan,
                             const struct hd_journal_entry *entry)
{
    struct hd_archive_meta meta;
    const json_t *event = NULL;
    size_t i = 0;
    if (!is_in_time(scan->find, entry) ||
        hd_archive_meta_decode(entry->meta, &meta) != HD_PARSE_OK) {
        return false;
    }
    json_array_foreach(scan->wanted, i, event)
    {
        if (is_of_event(entry, &meta, event)) {
            return true;
        }
    }
    return false;
}

static int take_events(struct scan *scan, const struct hd_journal_entry *entry,
                       const struct con_chain_place *place)
{
    struct hd_archive_meta meta;
    const json_t *event = NULL;
    size_t i = 0;
    bool is_meta = hd_archive_meta_decode(entry->meta, &meta) == HD_PARSE_OK;
    int err = is_meta ? HD_OK : HD_ECORRUPT;
    json_array_foreach(scan->wanted, i, event)
    {
        if (err == HD_OK && is_of_event(entry, &meta, event)) {
            const struct con_chain_wanted wanted = {.seq =
                                                        con_chain_number(event, "seq")};
            err = con_chain_add_events(&scan->find->reader, entry, place, &wanted,
                                       scan->find->chain->entries[CON_CHAIN_ARCHIVE]);
        }
    }
    return err;
}

int con_find_events(struct con_find *find, const json_t *wanted)
{
    struct scan scan = {.find = find,
                        .journal = CON_CHAIN_ARCHIVE,
                        .since_ns = find->since_ns,
                        .is_wanted = has_wanted_event,
                        .take = take_events,
                        .wanted = wanted};
    return run(&scan);
}

static bool is_wanted_time(const struct scan *scan, const struct hd_journal_entry *entry)
{
    return is_in_time(scan->find, entry);
}

static int take_line(struct scan *scan, const struct hd_journal_entry *entry,
                     const struct con_chain_place *place)
{
    return con_chain_add_events(&scan->find->reader, entry, place, &scan->line,
                                scan->find->chain->entries[CON_CHAIN_ARCHIVE]);
}

int con_find_line(struct con_find *find, struct hd_slice line, const uint8_t *sha256)
{
    struct scan scan = {.find = find,
                        .journal = CON_CHAIN_ARCHIVE,
                        .since_ns = find->since_ns,
                        .is_wanted = is_wanted_time,
                        .take = take_line,
                        .line = {.line = line,
                                 .sha256 = sha256,
                                 .host = hd_slice_str(find->host),
                                 .since_ns = find->since_ns,
                                 .until_ns = find->until_ns}};
    return run(&scan);
}

/* ---- alerts ---- */

static bool is_alert_wanted(const struct scan *scan, const json_t *alert)
{
    const json_t *event = NULL;
    size_t i = 0;
    if (scan->id != NULL) {
        return strcmp(con_chain_text(alert, "id"), scan->id) == 0;
    }
    json_array_foreach(scan->find->chain->entries[CON_CHAIN_ARCHIVE], i, event)
    {
        if (con_chain_evidence(alert, event) != NULL) {
            return true;
        }
    }
    return false;
}

static int take_alert(struct scan *scan, const struct hd_journal_entry *entry,
                      const struct con_chain_place *place)
{
    json_t *alerts = scan->find->chain->entries[CON_CHAIN_ALERTS];
    json_t *alert = NULL;
    int err = con_chain_alert(&scan->find->reader, entry, place, &alert);
    if (err != HD_OK || !is_alert_wanted(scan, alert)) {
        json_decref(alert);
        return err;
    }
    if (json_array_size(alerts) == CON_CHAIN_ALERTS_MAX) {
        json_decref(alert);
        return HD_ELIMIT;
    }
    return json_array_append_new(alerts, alert) == 0 ? HD_OK : HD_ENOMEM;
}

static int find_alerts(struct con_find *find, const char *id)
{
    struct scan scan = {.find = find,
                        .journal = CON_CHAIN_ALERTS,
                        .since_ns = INT64_MIN,
                        .take = take_alert,
                        .id = id};
    return run(&scan);
}

int con_find_alert(struct con_find *find, const char *id)
{
    return find_alerts(find, id);
}

int con_find_alerts(struct con_find *find)
{
    return find_alerts(find, NULL);
}

/* ---- receipts ---- */

static bool is_same_delivery(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "destination"),
                      json_object_get(b, "destination")) &&
           json_equal(json_object_get(a, "alert"), json_object_get(b, "alert")) &&
           json_equal(json_object_get(a, "index"), json_object_get(b, "index"));
}

static bool is_receipt_wanted(const struct scan *scan, const json_t *receipt)
{
    const json_t *alert = NULL;
    size_t i = 0;
    json_array_foreach(scan->find->chain->entries[CON_CHAIN_ALERTS], i, alert)
    {
        if (strcmp(con_chain_text(alert, "id"), con_chain_text(receipt, "alert")) == 0 &&
            con_chain_number(alert, "entry") == con_chain_number(receipt, "index")) {
            return true;
        }
    }
    return false;
}

/* The last one counts: it takes the place of those before. */
static int keep_receipt(json_t *receipts, json_t *receipt)
{
    const json_t *other = NULL;
    size_t i = 0;
    json_array_foreach(receipts, i, other)
    {
        if (is_same_delivery(other, receipt)) {
            return json_array_set_new(receipts, i, receipt) == 0 ? HD_OK : HD_ENOMEM;
        }
    }
    if (json_array_size(receipts) == CON_CHAIN_RECEIPTS_MAX) {
        json_decref(receipt);
        return HD_ELIMIT;
    }
    return json_array_append_new(receipts, receipt) == 0 ? HD_OK : HD_ENOMEM;
}

static int take_receipt(struct scan *scan, const struct hd_journal_entry *entry,
                        const struct con_chain_place *place)
{
    json_t *receipt = NULL;
    int err = con_chain_receipt(&scan->find->reader, entry, place, &receipt);
    if (err != HD_OK || !is_receipt_wanted(scan, receipt)) {
        json_decref(receipt);
        return err;
    }
    return keep_receipt(scan->find->chain->entries[CON_CHAIN_RECEIPTS], receipt);
}

int con_find_receipts(struct con_find *find)
{
    struct scan scan = {.find = find,
                        .journal = CON_CHAIN_RECEIPTS,
                        .since_ns = INT64_MIN,
                        .take = take_receipt};
    return run(&scan);
}
