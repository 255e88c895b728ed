/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang report: what was received, raised, sent and lost in a time, from what is
 * stored; and how the programs are, where they run. Everything goes into one JSON
 * document (docs/formats/report.md), of which Markdown and HTML are two readings
 * (show.c). What cannot be known is named in it, never given as 0. Reads only.
 *
 * Each thing belongs to one time, so that a quarter is the sum of its months: a line to
 * when its agent received it, an alert to when it was published, a loss to when it ended.
 */
#pragma once
#include <haidang/journal_keys.h>

#include "console/entries.h"
#include "console/names.h"
#include "console/report/paper.h"
#include "console/report/period.h"
#include "console/show.h"
#include "console/systems.h"

#define CON_REPORT_VERSION 1

/* What could not be known, by the name it has in JSON. */
enum con_report_gap {
    CON_REPORT_NOT_OVER,     /* the period is not */
    CON_REPORT_BEFORE_BEGIN, /* the archive begins within it, or after */
    CON_REPORT_NOTHING,      /* nothing was archived yet */
    CON_REPORT_EXPIRED,      /* a journal begins within the period: older went */
    CON_REPORT_DAMAGE,       /* places that do not verify */
    CON_REPORT_REMOVED,      /* entries that are not there */
    CON_REPORT_LOCKED,       /* encrypted, without the key */
    CON_REPORT_UNREADABLE,   /* lines, alerts, losses that cannot be read */
    CON_REPORT_NO_JOURNAL,   /* cannot be read at all */
    CON_REPORT_NO_RECEIPTS,  /* there is no forwarder here */
    CON_REPORT_NOT_ASKED,    /* a copy of a node's data: no program was asked */
    CON_REPORT_NO_ANSWER,    /* a program does not answer */
    CON_REPORT_NO_INVENTORY, /* so that systems are not known */
    CON_REPORT_NOT_VERIFIED, /* signatures were not checked */
    CON_REPORT_GAPS,
};

struct con_report_published { /* an alert of the period, in the journal's order */
    uint64_t index;
};

struct con_report {
    const struct con_args *args;
    struct con_show show;
    struct con_period period;
    const char *unit, *name; /* "month" and "2026-11"; NULL: from one time to another */
    int64_t now_ns;
    char archive[4096], alerts[4096], losses[4096], receipts[4096];
    bool is_copy; /* the data of some node: programs that run here are not asked */
    struct hd_journal_keys *keys;
    struct con_systems systems;
    unsigned jobs, top;
    int64_t archive_begin_ns; /* INT64_MAX: there is nothing in it */
    struct con_report_published *published;
    size_t n_published;
    json_t *doc;
    bool is_partial; /* something that is stored could not be read */
    int err;         /* sticky: of what was put into the document */
};

/* ---- parts, in the order of the document; an HD_EXIT_* code, printed ---- */
int con_report_archive(struct con_report *r);
int con_report_lines(struct con_report *r);
int con_report_alerts(struct con_report *r);
int con_report_delivery(struct con_report *r);
int con_report_losses(struct con_report *r);
int con_report_live(struct con_report *r);

/* The document as Markdown or HTML. */
void con_report_show(const struct con_report *r, bool is_html, struct hd_buf *out);
void con_report_show_received(const struct con_report *r, struct con_paper *paper);
void con_report_show_alerts(const struct con_report *r, struct con_paper *paper);
void con_report_show_delivery(const struct con_report *r, struct con_paper *paper);
void con_report_show_stored(const struct con_report *r, struct con_paper *paper);

/* ---- what parts are made of (values.c) ---- */

/* own: `value` is taken; NULL is no memory. */
void con_report_put(struct con_report *r, json_t *to, const char *key, json_t *value);
void con_report_put_text(struct con_report *r, json_t *to, const char *key,
                         const char *text); /* repaired; not put when empty */
void con_report_put_time(struct con_report *r, json_t *to, const char *key, int64_t ns);
void con_report_put_number(struct con_report *r, json_t *to, const char *key, uint64_t n);
/* A new member of an object or, key NULL, of an array; borrowed, NULL without memory. */
json_t *con_report_add(struct con_report *r, json_t *to, const char *key, json_t *value);
void con_report_count(struct con_report *r, json_t *in, const char *key, uint64_t n);

/* The first --top of counted names as an array `key`, what is left as `key`_more. */
void con_report_put_names(struct con_report *r, json_t *to, const char *key,
                          struct con_names *names);
/* The same of an object of rows, by their member `by`. own: `rows` is taken. */
void con_report_put_rows(struct con_report *r, json_t *to, const char *key, json_t *rows,
                         const char *by);

/* Notes what could not be known; `about`: a path, a program, a time; may be NULL. */
void con_report_unknown(struct con_report *r, enum con_report_gap gap, const char *about,
                        uint64_t count);
/* What a run through a journal could not read. */
void con_report_totals(struct con_report *r, const char *dir,
                       const struct con_entries_totals *totals);
/* Whether a journal is there to be read; else that is noted, as the parts without it are
 * left out. */
bool con_report_has_journal(struct con_report *r, const char *dir);
/* The same of the receipts; where nobody named them there may be no forwarder. */
bool con_report_has_receipts(struct con_report *r);
/* Whether it was read, by what its reading said; else that is noted. */
bool con_report_is_read(struct con_report *r, const char *dir, int err);
const char *con_report_gap_name(enum con_report_gap gap);
