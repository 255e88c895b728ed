/* SPDX-License-Identifier: Apache-2.0
 *
 * What travels: a batch of text (docs/formats/batch.md). One zstd frame holding a JSON
 * header line and then one record a line:
 *
 *     {"v":1,"agent":"web1","boot":"9f..","first":1,"last":2,"sources":[{"host":..}]}
 *     1790000000.123456 0 <34>Oct 11 22:14:15 mymachine su: 'su root' failed
 *     1790000000.123460 0e two\nlines, reversible
 *
 * time is when the agent received the line; then the source index and flags: `e` escaped
 * (LF as \n, backslash as \\; without the flag the bytes are verbatim), `t` truncated.
 * The same bytes go into the spool, over the wire and into the archive.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/err.h>
#include <haidang/slice.h>

#define HD_BATCH_RAW_MAX     (1U << 20) /* uncompressed bytes, header line included */
#define HD_BATCH_WIRE_MAX    (HD_BATCH_RAW_MAX + 4096U) /* compressed, at worst */
#define HD_BATCH_SOURCES_MAX 256U
#define HD_BATCH_LINE_MAX                                                                \
    (256U << 10)               /* raw bytes of one record; the agent cuts and marks */
#define HD_BATCH_NAME_MAX 255U /* agent, host, source names */

enum hd_batch_flag { HD_BATCH_TRUNCATED = 1 };

struct hd_batch_source {
    struct hd_slice host; /* name of the server the line comes from */
    struct hd_slice
        kind; /* "file", "syslog-udp", "syslog-tcp", "syslog-tls", "stdin", "packet" */
    struct hd_slice name;   /* path, listener, interface */
    struct hd_slice peer;   /* sender's address of a network source; may be empty */
    struct hd_slice format; /* declared: "syslog", "nginx-access", "json", "auto", ... */
    struct hd_slice zone; /* of times that name none: tz name or "+07:00"; may be empty */
};

struct hd_batch_info {
    struct hd_slice agent;
    struct hd_slice boot; /* 32 hex digits: the life of one spool */
    uint64_t first, last; /* record sequence, contiguous within a boot; from 1 */
    uint32_t count;
    int64_t time_min, time_max; /* receive times, ns */
    uint32_t raw_len;
};

/* ---- building (agent; one thread; no allocation per line) ---- */

struct hd_batch_builder;
int hd_batch_builder_new(const char *agent, const char *boot, size_t raw_max, int level,
                         struct hd_batch_builder **out) HD_MUST_USE;
void hd_batch_builder_free(struct hd_batch_builder *b);

/* Index of a source in this batch (added when new). HD_EFULL: close the batch first. */
int hd_batch_builder_source(struct hd_batch_builder *b,
                            const struct hd_batch_source *source,
                            uint16_t *index) HD_MUST_USE;
/* The only copy of a line on the agent. HD_EFULL: close first; HD_ELIMIT: line too long.
 */
int hd_batch_builder_add(struct hd_batch_builder *b, uint16_t source, int64_t recv_ns,
                         unsigned flags, struct hd_slice line) HD_MUST_USE;
uint32_t hd_batch_builder_count(const struct hd_batch_builder *b);
size_t hd_batch_builder_raw_len(const struct hd_batch_builder *b);
/* Compresses. `frame` and info's slices are valid until the next add. `first` is the
 * sequence of the first record. The builder is empty afterwards, its sources forgotten.
 */
int hd_batch_builder_close(struct hd_batch_builder *b, uint64_t first,
                           struct hd_slice *frame,
                           struct hd_batch_info *info) HD_MUST_USE;

/* ---- reading (detector, console; views only) ---- */

struct hd_batch_record {
    int64_t recv_ns;
    uint64_t seq;
    uint16_t source;
    unsigned flags;
    struct hd_slice line; /* unescaped; valid until the next record or batch */
    uint32_t line_no;     /* in the batch, from 0 */
};

struct hd_batch_reader; /* reusable; owns the decompression buffer */
int hd_batch_reader_new(struct hd_batch_reader **out) HD_MUST_USE;
void hd_batch_reader_free(struct hd_batch_reader *r);
/* Decompresses (bounded by HD_BATCH_RAW_MAX) and checks the header. HD_ECORRUPT,
 * HD_EVERSION, HD_ELIMIT. Views are valid until the next open. */
int hd_batch_reader_open(struct hd_batch_reader *r, struct hd_slice frame,
                         struct hd_batch_info *info) HD_MUST_USE;
uint16_t hd_batch_reader_sources(const struct hd_batch_reader *r,
                                 const struct hd_batch_source **sources);
/* 1 = a record, 0 = end, HD_ECORRUPT = a line that is no record (the rest is lost; the
 * caller counts info.count - records read). */
int hd_batch_reader_next(struct hd_batch_reader *r,
                         struct hd_batch_record *record) HD_MUST_USE;

/* For those who look at many records at once: the records as they lie in the batch, and
 * the one in them at which `at` points (its first byte). Nothing is changed: an escaped
 * line is unescaped into `room` (cleared first). seq and line_no are not set; *len is the
 * length of the record with its LF. HD_ECORRUPT: it is no record. Not to be mixed with
 * hd_batch_reader_next. */
struct hd_slice hd_batch_reader_text(const struct hd_batch_reader *r);
int hd_batch_reader_at(struct hd_batch_reader *r, size_t at, struct hd_buf *room,
                       struct hd_batch_record *record, size_t *len) HD_MUST_USE;
