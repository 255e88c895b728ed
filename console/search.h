/* SPDX-License-Identifier: Apache-2.0
 *
 * A search from its options to its outcome. Workers find lines and write them down
 * (search_scan.c, search_show.c); the calling thread prints what they wrote, in the
 * archive's order (search.c).
 */
#pragma once
#include "console/entries.h"
#include "console/names.h"
#include "console/progress.h"
#include "console/search_pattern.h"
#include "console/search_where.h"
#include "console/show.h"
#include "console/systems.h"

#define CON_SEARCH_CONTEXT_MAX 10000U

struct con_search_opts { /* shared by threads */
    const char *archive;
    int64_t since_ns, until_ns;
    uint32_t max;           /* lines to be found; 0 = all */
    uint32_t before, after; /* lines of the same source around each */
    bool is_inverted;
    bool is_counting, is_by_host;
    bool is_json;
    bool is_raw; /* output as the lines are, for programs; else safe for a terminal */
    struct con_pattern *pattern;
    struct con_where where;
    struct con_systems systems;
    struct con_show show;
};

enum con_search_kind {
    CON_SEARCH_GROUP, /* what follows does not belong to what was before; no text */
    CON_SEARCH_LINE,
    CON_SEARCH_CONTEXT,
};

struct con_search_row { /* its text ends at `end` of the result's */
    size_t end;
    enum con_search_kind kind;
};

struct con_search_host { /* or address of a sender */
    size_t at, len;      /* in the result's names */
    uint64_t found;
};

struct con_search_result { /* of one entry */
    struct hd_buf text, names;
    struct con_search_row *rows;
    size_t n_rows;
    struct con_search_host hosts[2 * HD_BATCH_SOURCES_MAX];
    size_t n_hosts;
    uint64_t found, bytes; /* lines; text looked at */
    uint64_t lost, hard;   /* lines that are no records; that took too long */
    uint64_t fields_found; /* as in con_where_scratch, so far */
    bool has_decoded;
    bool is_corrupt; /* no batch, or not the one it says to be */
    int err;
};

/* What is shown of one line. */
struct con_search_line {
    const struct con_entry *entry;
    const struct hd_batch_info *info;
    const struct hd_batch_source *source;
    const struct hd_batch_record *record;
    bool is_context;
};

/* Appends the line as one of the output, with its line feed. */
void con_search_show(const struct con_search_opts *opts,
                     struct con_pattern_scratch *scratch,
                     const struct con_search_line *line, struct hd_buf *out);

/* For con_entries_run; ctx is the options. */
int con_search_worker_begin(void *ctx, void **worker) HD_MUST_USE;
void con_search_worker_end(void *worker);
void con_search_work(void *worker, struct con_entry *entry);
void con_search_result_fini(void *result);
