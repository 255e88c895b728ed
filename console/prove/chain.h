/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of a proof: what entries of the three journals say, as JSON objects in the
 * words of docs/formats/bundle.md. `haidang prove` makes them from the journals, `haidang
 * verify` from the segments in the bundle, with the same code: so the manifest of a
 * bundle can be compared byte by byte.
 *
 * Each object of an entry has `segment`, `entry` and `offset`: where it is.
 */
#pragma once
#include <haidang/batch.h>
#include <haidang/journal.h>
#include <jansson.h>

enum con_chain_journal {
    CON_CHAIN_ARCHIVE,
    CON_CHAIN_ALERTS,
    CON_CHAIN_RECEIPTS,
    CON_CHAIN_JOURNALS,
};
/* "archive", "alerts", "receipts" */
const char *con_chain_journal_name(enum con_chain_journal journal);
/* Of the entries in a manifest: "events", "alerts", "receipts" */
const char *con_chain_entries_name(enum con_chain_journal journal);

#define CON_CHAIN_EVENTS_MAX   32U
#define CON_CHAIN_ALERTS_MAX   64U
#define CON_CHAIN_RECEIPTS_MAX 256U

/* What the proof is about, and the entries that make it up. */
struct con_chain {
    json_t *subject;                     /* {"kind":"event"|"line"|"alert","id":TEXT} */
    json_t *entries[CON_CHAIN_JOURNALS]; /* arrays: events, alerts, receipts */
    json_t *segments;                    /* array, console/prove/segment.h */
};

/* own: con_chain_fini, also on failure. */
int con_chain_init(struct con_chain *chain) HD_MUST_USE;
void con_chain_fini(struct con_chain *chain);
/* Appends the manifest: one JSON object and a line feed. */
int con_chain_manifest(const struct con_chain *chain, struct hd_buf *out) HD_MUST_USE;

struct con_chain_place {
    uint64_t segment, entry, offset;
};

/* Buffers to read entries with. */
struct con_chain_reader {
    struct hd_batch_reader *batch;
    struct hd_buf text;
};
int con_chain_reader_init(struct con_chain_reader *reader) HD_MUST_USE;
void con_chain_reader_fini(struct con_chain_reader *reader);

/* Which records of a batch are wanted. */
struct con_chain_wanted {
    uint64_t seq;         /* this one; 0: those of this line */
    struct hd_slice line; /* or, when its ptr is NULL, of this SHA-256 */
    const uint8_t *sha256;
    struct hd_slice host;       /* of this host; empty: of any */
    int64_t since_ns, until_ns; /* received at or after, and before; INT64_MIN, _MAX */
};

/* Appends an object a record to `events`. HD_ECORRUPT: the entry holds no batch, or one
 * that ends before the record sought; HD_ELIMIT: more than CON_CHAIN_EVENTS_MAX. */
int con_chain_add_events(struct con_chain_reader *reader,
                         const struct hd_journal_entry *entry,
                         const struct con_chain_place *place,
                         const struct con_chain_wanted *wanted,
                         json_t *events) HD_MUST_USE;
/* own: *out. HD_ECORRUPT: the entry holds no alert; no receipt. */
int con_chain_alert(struct con_chain_reader *reader, const struct hd_journal_entry *entry,
                    const struct con_chain_place *place, json_t **out) HD_MUST_USE;
int con_chain_receipt(struct con_chain_reader *reader,
                      const struct hd_journal_entry *entry,
                      const struct con_chain_place *place, json_t **out) HD_MUST_USE;

/* Members of an object; "" or 0 when absent. */
const char *con_chain_text(const json_t *object, const char *name);
uint64_t con_chain_number(const json_t *object, const char *name);
/* The line of the alert's evidence that names this event; NULL: none does. */
const json_t *con_chain_evidence(const json_t *alert, const json_t *event);
/* "web1/9f86.../812" */
void con_chain_event_id(const json_t *event, struct hd_buf *out);
