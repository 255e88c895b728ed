/* SPDX-License-Identifier: Apache-2.0 */
#include "console/prove/chain.h"

#include <haidang/alert.h>
#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/utf8.h>

#include <stdlib.h>
#include <string.h>

#include "console/unpack.h"

#define LINE_SHOWN    2048U /* bytes of a line in its object */
#define RECEIVED_FRAC 6
#define TAKEN_FRAC    9
#define BUNDLE_FORMAT 1

static const char *const journal_names[] = {"archive", "alerts", "receipts"};
static const char *const entry_names[] = {"events", "alerts", "receipts"};

const char *con_chain_journal_name(enum con_chain_journal journal)
{
    return journal_names[journal];
}

const char *con_chain_entries_name(enum con_chain_journal journal)
{
    return entry_names[journal];
}

/* ---- the chain ---- */

int con_chain_init(struct con_chain *chain)
{
    bool is_made = true;
    *chain = (struct con_chain){.subject = json_object(), .segments = json_array()};
    for (int i = 0; i < CON_CHAIN_JOURNALS; i++) {
        chain->entries[i] = json_array();
        is_made = is_made && chain->entries[i] != NULL;
    }
    return is_made && chain->subject != NULL && chain->segments != NULL ? HD_OK
                                                                        : HD_ENOMEM;
}

void con_chain_fini(struct con_chain *chain)
{
    json_decref(chain->subject);
    json_decref(chain->segments);
    for (int i = 0; i < CON_CHAIN_JOURNALS; i++) {
        json_decref(chain->entries[i]);
    }
    *chain = (struct con_chain){.subject = NULL};
}

int con_chain_manifest(const struct con_chain *chain, struct hd_buf *out)
{
    json_t *whole = json_object();
    int bad = json_object_set_new(whole, "bundle", json_integer(BUNDLE_FORMAT));
    bad |= json_object_set(whole, "subject", chain->subject);
    for (int i = 0; i < CON_CHAIN_JOURNALS; i++) {
        bad |= json_object_set(whole, entry_names[i], chain->entries[i]);
    }
    bad |= json_object_set(whole, "segments", chain->segments);
    char *text = bad != 0 ? NULL : json_dumps(whole, JSON_INDENT(1));
    json_decref(whole);
    if (text == NULL) {
        return HD_ENOMEM;
    }
    hd_buf_str(out, text);
    hd_buf_byte(out, '\n');
    free(text);
    return out->err;
}

/* ---- making objects ---- */

struct maker {
    json_t *object;
    bool has_failed;
};

static void put(struct maker *m, const char *name, json_t *value)
{
    m->has_failed |= json_object_set_new(m->object, name, value) != 0;
}

static void put_number(struct maker *m, const char *name, uint64_t value)
{
    put(m, name, json_integer((json_int_t)value));
}

/* Bytes of strangers: repaired, so that they can be JSON. */
static void put_text(struct maker *m, const char *name, struct hd_slice value)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    hd_utf8_repair(&text, value);
    put(m, name, text.err != 0 ? NULL : json_stringn((const char *)text.ptr, text.len));
    hd_buf_fini(&text);
}

static void put_time(struct maker *m, const char *name, int64_t ns, int digits)
{
    char text[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(ns, digits, text);
    put(m, name, json_string(text));
}

static void put_sha256(struct maker *m, const char *name, struct hd_slice of)
{
    char storage[2 * HD_SHA256_LEN + 1];
    uint8_t digest[HD_SHA256_LEN];
    struct hd_buf text = hd_buf_fixed(storage, sizeof(storage));
    m->has_failed |= hd_sha256(of, digest) != HD_OK;
    hd_buf_hex(&text, hd_slice(digest, sizeof(digest)));
    put(m, name, json_string(hd_buf_cstr(&text)));
}

static void put_place(struct maker *m, const struct con_chain_place *place)
{
    put_number(m, "segment", place->segment);
    put_number(m, "entry", place->entry);
    put_number(m, "offset", place->offset);
}

/* own: *out. */
static int made(struct maker *m, json_t **out)
{
    if (m->object == NULL || m->has_failed) {
        json_decref(m->object);
        return HD_ENOMEM;
    }
    *out = m->object;
    return HD_OK;
}

/* ---- events ---- */

int con_chain_reader_init(struct con_chain_reader *reader)
{
    *reader = (struct con_chain_reader){.batch = NULL};
    hd_buf_init(&reader->text, CON_UNPACK_MAX + 1);
    return hd_batch_reader_new(&reader->batch);
}

void con_chain_reader_fini(struct con_chain_reader *reader)
{
    if (reader->batch != NULL) {
        hd_batch_reader_free(reader->batch);
    }
    hd_buf_fini(&reader->text);
}

struct batch {
    const struct hd_journal_entry *entry;
    const struct con_chain_place *place;
    struct hd_archive_meta meta;
    struct hd_batch_info info;
    const struct hd_batch_source *sources;
    uint16_t n_sources;
};

static int add_event(const struct batch *b, const struct hd_batch_record *record,
                     json_t *events)
{
    const struct hd_batch_source *source = &b->sources[record->source];
    struct maker m = {.object = json_object()};
    json_t *event = NULL;
    put_text(&m, "agent", b->meta.agent);
    put_text(&m, "boot", b->meta.boot);
    put_number(&m, "seq", record->seq);
    put_text(&m, "host", source->host);
    put_text(&m, "kind", source->kind);
    put_text(&m, "source", source->name);
    if (source->peer.len > 0) {
        put_text(&m, "sender", source->peer);
    }
    put_time(&m, "received", record->recv_ns, RECEIVED_FRAC);
    put_text(&m, "line", hd_slice_head(record->line, LINE_SHOWN));
    put_number(&m, "line_bytes", record->line.len);
    put_sha256(&m, "line_sha256", record->line);
    put(&m, "truncated", json_boolean((record->flags & HD_BATCH_TRUNCATED) != 0));
    put_number(&m, "batch_first", b->info.first);
    put_number(&m, "batch_last", b->info.last);
    put_sha256(&m, "batch_sha256", b->entry->payload);
    put_text(&m, "peer", b->meta.peer);
    put_time(&m, "taken", b->meta.taken_ns, TAKEN_FRAC);
    put_place(&m, b->place);
    int err = made(&m, &event);
    if (err != HD_OK) {
        return err;
    }
    if (json_array_size(events) == CON_CHAIN_EVENTS_MAX) {
        json_decref(event);
        return HD_ELIMIT;
    }
    return json_array_append_new(events, event) == 0 ? HD_OK : HD_ENOMEM;
}

static bool is_line(const struct con_chain_wanted *wanted, struct hd_slice line)
{
    uint8_t digest[HD_SHA256_LEN];
    if (wanted->line.ptr != NULL) {
        return hd_slice_eq(line, wanted->line);
    }
    return hd_sha256(line, digest) == HD_OK &&
           memcmp(digest, wanted->sha256, sizeof(digest)) == 0;
}

static bool is_wanted(const struct batch *b, const struct con_chain_wanted *wanted,
                      const struct hd_batch_record *record)
{
    if (wanted->seq != 0) {
        return record->seq == wanted->seq;
    }
    return record->recv_ns >= wanted->since_ns && record->recv_ns < wanted->until_ns &&
           (wanted->host.len == 0 ||
            hd_slice_eq_nocase(b->sources[record->source].host, wanted->host)) &&
           is_line(wanted, record->line);
}

int con_chain_add_events(struct con_chain_reader *reader,
                         const struct hd_journal_entry *entry,
                         const struct con_chain_place *place,
                         const struct con_chain_wanted *wanted, json_t *events)
{
    struct batch b = {.entry = entry, .place = place};
    struct hd_batch_record record;
    int err =
        hd_archive_meta_decode(entry->meta, &b.meta) == HD_PARSE_OK ? HD_OK : HD_ECORRUPT;
    err =
        err == HD_OK ? hd_batch_reader_open(reader->batch, entry->payload, &b.info) : err;
    if (err != HD_OK) {
        return err == HD_ENOMEM ? err : HD_ECORRUPT;
    }
    b.n_sources = hd_batch_reader_sources(reader->batch, &b.sources);
    for (;;) {
        int more = hd_batch_reader_next(reader->batch, &record);
        if (more <= 0) {
            return more < 0 || wanted->seq != 0 ? HD_ECORRUPT : HD_OK;
        }
        if (is_wanted(&b, wanted, &record)) {
            err = add_event(&b, &record, events);
            if (err != HD_OK || wanted->seq != 0) {
                return err;
            }
        }
    }
}

void con_chain_event_id(const json_t *event, struct hd_buf *out)
{
    hd_buf_printf(out, "%s/%s/", con_chain_text(event, "agent"),
                  con_chain_text(event, "boot"));
    hd_buf_u64(out, con_chain_number(event, "seq"));
}

/* ---- alerts and receipts ---- */

static void put_evidence(struct maker *m, const json_t *alert)
{
    static const char *const kept[] = {"agent", "boot", "seq", "sha256"};
    const json_t *line = NULL;
    size_t i = 0;
    json_t *evidence = json_array();
    json_array_foreach(json_object_get(alert, "evidence"), i, line)
    {
        json_t *copy = json_object();
        for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++) {
            json_t *value = json_object_get(line, kept[k]);
            m->has_failed |= value != NULL && json_object_set(copy, kept[k], value) != 0;
        }
        m->has_failed |= json_array_append_new(evidence, copy) != 0;
    }
    put(m, "evidence", evidence);
}

static void put_path(struct maker *m, const char *name, const json_t *alert,
                     const char *path)
{
    const char *text = hd_alert_text(alert, path);
    if (text[0] != '\0') {
        put(m, name, json_string(text));
    }
}

int con_chain_alert(struct con_chain_reader *reader, const struct hd_journal_entry *entry,
                    const struct con_chain_place *place, json_t **out)
{
    char why[256];
    json_t *alert = NULL;
    int err = con_unpack(entry, &reader->text);
    err = err == HD_OK
              ? hd_alert_parse(hd_slice_trim(hd_buf_slice(&reader->text)), &alert, why)
              : err;
    if (err != HD_OK) {
        return err == HD_ENOMEM ? err : HD_ECORRUPT;
    }
    struct maker m = {.object = json_object()};
    put_path(&m, "id", alert, "id");
    put_path(&m, "status", alert, "status");
    put_path(&m, "rule", alert, "rule.id");
    put_path(&m, "title", alert, "rule.title");
    put_path(&m, "title_vi", alert, "rule.title_vi");
    put_number(&m, "severity", (uint64_t)hd_alert_int(alert, "severity", 0));
    put_path(&m, "first", alert, "time.first");
    put_path(&m, "last", alert, "time.last");
    put_path(&m, "published", alert, "time.published");
    put_sha256(&m, "alert_sha256", hd_buf_slice(&reader->text));
    put_evidence(&m, alert);
    put_place(&m, place);
    json_decref(alert);
    return made(&m, out);
}

int con_chain_receipt(struct con_chain_reader *reader,
                      const struct hd_journal_entry *entry,
                      const struct con_chain_place *place, json_t **out)
{
    static const char *const texts[] = {"time", "destination", "alert", "outcome"};
    int err = con_unpack(entry, &reader->text);
    if (err != HD_OK) {
        return err;
    }
    struct maker m = {.object =
                          json_loadb((const char *)reader->text.ptr, reader->text.len,
                                     JSON_REJECT_DUPLICATES, NULL)};
    bool is_receipt = json_is_object(m.object);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        is_receipt = is_receipt && json_is_string(json_object_get(m.object, texts[i]));
    }
    if (!is_receipt) {
        json_decref(m.object);
        return HD_ECORRUPT;
    }
    put_place(&m, place);
    return made(&m, out);
}

/* ---- reading objects ---- */

const char *con_chain_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

uint64_t con_chain_number(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

const json_t *con_chain_evidence(const json_t *alert, const json_t *event)
{
    static const char *const same[] = {"agent", "boot", "seq"};
    const json_t *line = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(alert, "evidence"), i, line)
    {
        bool is_it = true;
        for (size_t k = 0; k < sizeof(same) / sizeof(same[0]); k++) {
            is_it = is_it && json_equal(json_object_get(line, same[k]),
                                        json_object_get(event, same[k]));
        }
        if (is_it) {
            return line;
        }
    }
    return NULL;
}
