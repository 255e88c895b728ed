/* SPDX-License-Identifier: Apache-2.0
 *
 * How full our journals are: each against its max_bytes, and the disks they are on.
 * Looked at every few seconds, on the loop. Passing near_full.warning or near_full.alarm
 * is a problem, a line in the log and an alert, each told once; so is room that is back.
 */
#pragma once
#include <sys/types.h>

#include <haidang/fill.h>
#include <haidang/json.h>

#include "correlator/sources/notice.h"
#include "correlator/sources/table.h"

enum cor_store { COR_STORE_ARCHIVE, COR_STORE_ALERTS, COR_STORE_LOSSES, COR_STORES };

#define COR_STORE_PARTS                                                                  \
    (2U * COR_STORES) /* each journal, and at most a disk for each                       \
                       */

struct cor_disk {
    dev_t device;
    uint64_t used, free_bytes; /* free to us */
};

struct cor_stores_opts {
    unsigned warning, alarm; /* percent */
    struct cor_store_conf {
        const char *dir; /* borrowed */
        uint64_t max_bytes, reserve_bytes;
    } journals[COR_STORES];
    const char *host; /* ours; borrowed */
    /* False: it could not be told now. */
    bool (*tell)(void *ctx, const struct cor_notice_facts *facts);
    int (*disk_of)(const char *dir, struct cor_disk *out); /* cor_disk_of */
    void *ctx;
};

struct cor_store_part {
    enum cor_store store; /* on a disk: the first of those that are there */
    bool is_disk;
    char name[48]; /* "archive", "disk of archive, alerts" */
    struct hd_fill fill;
    enum hd_fill_state told; /* as the last alert said */
};

struct cor_stores {
    struct cor_stores_opts opts;
    struct cor_store_part parts[COR_STORE_PARTS];
    size_t n;
    uint64_t removed[COR_STORES]; /* bytes, since the start */
};

int cor_disk_of(const char *dir, struct cor_disk *out) HD_MUST_USE;

/* The journals' directories exist. */
void cor_stores_init(struct cor_stores *stores, const struct cor_stores_opts *opts);
/* bytes: of each journal on disk. */
void cor_stores_look(struct cor_stores *stores, const uint64_t bytes[COR_STORES],
                     const struct cor_times *now);
/* What retention has removed so far, in bytes; more than last time is logged. */
void cor_stores_removed(struct cor_stores *stores, const uint64_t bytes[COR_STORES]);
void cor_stores_problems(const struct cor_stores *stores,
                         void (*say)(void *ctx, const char *text), void *ctx);
/* Members "stores" and "removed_bytes". */
void cor_stores_json(const struct cor_stores *stores, struct hd_json *j);
