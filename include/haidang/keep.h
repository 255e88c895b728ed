/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done with the segments of a program's journals after they were sealed:
 * write-once files, requests for time stamps, a second copy in the mirror. The work is
 * done aside, one segment at a time, so that an end never waits for long and the loop
 * never. Loop thread.
 */
#pragma once
#include <stddef.h>
#include <uv.h>

#include <haidang/conf.h>
#include <haidang/freeze.h>
#include <haidang/json.h>
#include <haidang/metrics.h>
#include <haidang/sign.h>

/* ---- settings: the same of each program that keeps journals ---- */

struct hd_keep_stamps_conf {
    bool enabled;
    int64_t every, alarm;
};
struct hd_keep_mirror_conf {
    char *dir; /* NULL: there is none */
    bool same_disk;
    int64_t retain_age, alarm, retry;
};
extern const struct hd_conf_item hd_keep_stamps_items[], hd_keep_mirror_items[];

/* Rows of the schema. */
#define HD_KEEP_STAMPS_CONF_ITEM(type_, member)                                          \
    {                                                                                    \
        .key = "timestamps", .type = HD_CONF_SECTION, .offset = offsetof(type_, member), \
        .sub = hd_keep_stamps_items,                                                     \
        .help = "Time stamps of an authority on what is sealed."                         \
    }
#define HD_KEEP_MIRROR_CONF_ITEM(type_, member, what_)                                   \
    {                                                                                    \
        .key = "mirror", .type = HD_CONF_SECTION, .offset = offsetof(type_, member),     \
        .sub = hd_keep_mirror_items, .help = "A second copy of sealed files of " what_   \
    }

/* ---- metrics: consecutive rows of a program's table ---- */

enum {
    HD_KEEP_STAMPS_REQUESTED,
    HD_KEEP_MIRROR_SEGMENTS,
    HD_KEEP_MIRROR_BYTES,
    HD_KEEP_MIRROR_FAILED,
    HD_KEEP_MIRROR_REMOVED,
    HD_KEEP_MIRROR_BEHIND,
    HD_KEEP_MIRROR_BEHIND_BYTES,
    HD_KEEP_MIRROR_BEHIND_S,
    HD_KEEP_METRICS_N
};
/* FIRST names the first row; NAME makes a name of the program's. */
#define HD_KEEP_METRICS(X, FIRST, NAME)                                                  \
    X(FIRST, COUNTER, NAME("timestamps_requested_total"),                                \
      "Requests for time stamps written")                                                \
    X(FIRST##_1, COUNTER, NAME("mirror_segments_total"),                                 \
      "Segments copied to the mirror, read back and verified")                           \
    X(FIRST##_2, COUNTER, NAME("mirror_bytes_total"), "Bytes of these segments")         \
    X(FIRST##_3, COUNTER, NAME("mirror_failures_total"),                                 \
      "Times that something hindered the mirror")                                        \
    X(FIRST##_4, COUNTER, NAME("mirror_removed_total"),                                  \
      "Segments that mirror.retain_age removed from the mirror")                         \
    X(FIRST##_5, GAUGE, NAME("mirror_behind_segments"),                                  \
      "Sealed segments that the mirror does not hold")                                   \
    X(FIRST##_6, GAUGE, NAME("mirror_behind_bytes"), "Bytes of these segments")          \
    X(FIRST##_7, GAUGE, NAME("mirror_behind_seconds"),                                   \
      "How long ago the oldest of them was sealed; 0 when there is none")

/* ---- the work ---- */

#define HD_KEEP_JOURNALS 3U

struct hd_keep_journal {
    const char *name, *dir;
    enum hd_freeze write_once;
};

struct hd_keep_opts {
    uv_loop_t *loop;
    const struct hd_keep_stamps_conf *stamps; /* borrowed until `closed`, as are: */
    const struct hd_keep_mirror_conf *mirror;
    struct hd_sign_key *key;                           /* of the seals */
    struct hd_keep_journal journals[HD_KEEP_JOURNALS]; /* `dir` is copied */
    unsigned n_journals;
    void (*closed)(void *ctx);
    void *ctx;
};

struct hd_keep;

/* own: until `closed`. */
int hd_keep_open(const struct hd_keep_opts *opts, struct hd_keep **out) HD_MUST_USE;
/* Looks aside, now and again and again, whether there is something to do, and does it. */
void hd_keep_run(struct hd_keep *keep);
/* Ends after the segment at hand; `closed` is called once, later. */
void hd_keep_close(struct hd_keep *keep);

/* Sets the rows of HD_KEEP_METRICS, from `first` on. */
void hd_keep_refresh(const struct hd_keep *keep, struct hd_metric *first);
/* Segments made write-once; requests for time stamps without a reply. */
uint64_t hd_keep_frozen(const struct hd_keep *keep);
uint64_t hd_keep_stamps_pending(const struct hd_keep *keep);
void hd_keep_status(const struct hd_keep *keep, struct hd_json *j);
void hd_keep_problems(const struct hd_keep *keep,
                      void (*say)(void *ctx, const char *text), void *ctx);
