/* SPDX-License-Identifier: Apache-2.0
 *
 * How the table of agents comes back after a restart: the snapshot, then the headers of
 * the archive entries that came after it. Without a snapshot the whole archive's headers
 * are read, which is slower and gives the same.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/journal.h>
#include <haidang/json.h>
#include <haidang/log.h>

#include "correlator/intake/agents.h"

#define SNAPSHOT_VERSION 1

/* ---- writing ---- */

static void put_held(struct hd_json *j, const struct cor_ledger *ledger)
{
    hd_json_array(j, "held");
    for (const struct cor_span *s = ledger->head; s != NULL; s = s->next) {
        if (s->is_durable) {
            hd_json_array(j, NULL);
            hd_json_u64(j, NULL, s->first);
            hd_json_u64(j, NULL, s->last);
            hd_json_end(j, ']');
        }
    }
    hd_json_end(j, ']');
}

int cor_agents_snapshot(const struct cor_agents *t, struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_u64(&j, "v", SNAPSHOT_VERSION);
    hd_json_u64(&j, "next_entry", t->next_entry);
    hd_json_array(&j, "agents");
    /* The least recently used first: restoring in this order restores the order. */
    for (uint32_t at = t->oldest; at != UINT32_MAX; at = t->rows[at]->newer) {
        const struct cor_agent *row = t->rows[at];
        hd_json_object(&j, NULL);
        hd_json_cstr(&j, "agent", row->name);
        hd_json_cstr(&j, "boot", row->boot);
        hd_json_u64(&j, "durable", row->ledger.durable);
        put_held(&j, &row->ledger);
        hd_json_cstr(&j, "peer", row->peer);
        hd_json_i64(&j, "seen_ns", row->seen_ns);
        hd_json_u64(&j, "lines", row->lines);
        hd_json_end(&j, '}');
    }
    hd_json_end(&j, ']');
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
    return out->err;
}

/* ---- reading ---- */

static uint64_t get_u64(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n < 0 ? 0 : (uint64_t)n;
}

static int restore_held(struct cor_agent *row, const json_t *held)
{
    size_t i;
    const json_t *pair;
    json_array_foreach(held, i, pair)
    {
        json_int_t first = json_integer_value(json_array_get(pair, 0));
        json_int_t last = json_integer_value(json_array_get(pair, 1));
        if (first < 1 || last < first) {
            return HD_EPARSE;
        }
        int err = cor_ledger_replay(&row->ledger, (uint64_t)first, (uint64_t)last);
        if (err != HD_OK) {
            return err;
        }
    }
    return HD_OK;
}

static int restore_row(struct cor_agents *t, const json_t *in)
{
    struct hd_slice name = hd_slice_str(json_string_value(json_object_get(in, "agent")));
    struct hd_slice boot = hd_slice_str(json_string_value(json_object_get(in, "boot")));
    if (!cor_agent_name_is_valid(name) || !cor_agent_boot_is_valid(boot) ||
        cor_agents_find(t, name, boot) != NULL) {
        return HD_EPARSE;
    }
    struct cor_agent *row;
    int err = cor_agents_get(t, name, boot, &row);
    if (err != HD_OK) {
        return err;
    }
    const char *peer = json_string_value(json_object_get(in, "peer"));
    (void)snprintf(row->peer, sizeof(row->peer), "%s", peer == NULL ? "" : peer);
    row->ledger.durable = get_u64(in, "durable");
    row->seen_ns = (int64_t)get_u64(in, "seen_ns");
    row->lines = row->lines_sampled = get_u64(in, "lines");
    return restore_held(row, json_object_get(in, "held"));
}

static int restore_all(struct cor_agents *t, const json_t *root, const char **why)
{
    if (get_u64(root, "v") != SNAPSHOT_VERSION) {
        *why = "made by another version";
        return HD_EVERSION;
    }
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(root, "agents"), i, one)
    {
        int err = restore_row(t, one);
        if (err != HD_OK) {
            *why = "a row is malformed";
            return err;
        }
    }
    t->next_entry = get_u64(root, "next_entry");
    if (t->next_entry == 0) {
        *why = "next_entry is missing";
        return HD_EPARSE;
    }
    return HD_OK;
}

int cor_agents_restore(struct cor_agents *t, struct hd_slice text, const char **why)
{
    int err = HD_EPARSE;
    json_t *root = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    *why = "not JSON";
    if (root != NULL) {
        err = restore_all(t, root, why);
        json_decref(root);
    }
    if (err != HD_OK) {
        uint32_t max = t->max;
        cor_agents_fini(t);
        int again = cor_agents_init(t, max);
        return again != HD_OK ? again : err;
    }
    return HD_OK;
}

/* ---- the archive's headers ---- */

static int replay_entry(struct cor_agents *t, const struct hd_journal_entry *entry)
{
    struct hd_archive_meta meta;
    if (hd_archive_meta_decode(entry->meta, &meta) != HD_PARSE_OK ||
        !cor_agent_name_is_valid(meta.agent) || !cor_agent_boot_is_valid(meta.boot) ||
        entry->first == 0 || entry->last < entry->first) {
        HD_LOG(WARN, "intake", "archive entry that is not ours is passed over",
               HD_KV_UINT("entry", entry->index));
        return HD_OK;
    }
    struct cor_agent *row;
    int err = cor_agents_get(t, meta.agent, meta.boot, &row);
    if (err != HD_OK) {
        return err;
    }
    (void)snprintf(row->peer, sizeof(row->peer), "%.*s", HD_SLICE_FMT(meta.peer));
    row->seen_ns = meta.taken_ns;
    row->lines += entry->count;
    row->lines_sampled = row->lines;
    return cor_ledger_replay(&row->ledger, entry->first, entry->last);
}

static int replay_all(struct cor_agents *t, struct hd_journal_reader *reader,
                      uint64_t *entries)
{
    for (;;) {
        struct hd_journal_entry entry;
        int err = hd_journal_reader_next_header(reader, &entry);
        if (err == HD_EAGAIN) {
            return HD_OK;
        }
        if (err == HD_ECORRUPT || err == HD_ENOENT) {
            continue; /* the detector reports it */
        }
        if (err == HD_OK && entry.index >= t->next_entry) {
            err = replay_entry(t, &entry);
            t->next_entry = entry.index + 1;
            (*entries)++;
        }
        if (err != HD_OK) {
            return err;
        }
    }
}

int cor_agents_replay(struct cor_agents *t, const char *archive_dir, uint64_t *entries)
{
    struct hd_journal_reader *reader;
    *entries = 0;
    int err = hd_journal_reader_open(archive_dir, NULL, &reader);
    if (err != HD_OK) {
        return err;
    }
    if (t->next_entry > 1) {
        /* A place that is gone: the reader stays at the oldest entry there is. */
        (void)!hd_journal_reader_seek(
            reader, &(struct hd_journal_cursor){.index = t->next_entry});
    }
    err = replay_all(t, reader, entries);
    hd_journal_reader_close(reader);
    return err;
}
