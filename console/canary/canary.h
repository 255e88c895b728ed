/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang canary: what is to be tried (plan.c), by which ways in (target.c), what came of
 * it (trace.c), and the loop that drives all of it (run.c). One thread.
 *
 * Glossary. target: a way in. shot: one rule by one way in; it has one line, or, for a
 * correlation, as many as its example.
 */
#pragma once
#include <uv.h>

#include <haidang/canary.h>
#include <haidang/clock.h>
#include <haidang/journal.h>
#include <haidang/tls.h>

#include "console/rules/load.h"
#include "console/show.h"
#include "rules/examples.h"

/* ---- ways in ---- */

struct con_canary_target;

struct con_canary_target_ops {
    /* Starts what has to be there before the first line. Fails by the target's `why`. */
    void (*open)(struct con_canary_target *target, uv_loop_t *loop);
    /* HD_EAGAIN: not yet, `on_ready` will be called. */
    int (*send)(struct con_canary_target *target, struct hd_slice line);
    void (*close)(struct con_canary_target *target);
};

#define CON_CANARY_WHERE_MAX 272U /* a host, a port, brackets */

struct con_canary_target {
    const struct con_canary_target_ops *ops;
    enum hd_canary_class class;
    const char *where; /* as given, or: */
    char found[CON_CANARY_WHERE_MAX];
    struct hd_tls *tls;
    int fd;
    struct hd_stream *stream;
    bool is_ready;   /* lines can be sent now */
    char why[256];   /* it has failed; "" = it has not */
    unsigned on_way; /* lines sent that are neither archived nor given up */
    void (*on_ready)(void *ctx);
    void *ctx;
};

/* For --udp, --tcp, --tls, --file and --stdin, or what the agent here listens to. own:
 * con_canary_targets_free. An HD_EXIT_* code, printed. */
struct con_canary_targets {
    struct con_canary_target *list;
    size_t n;
    struct hd_tls *tls;
};
int con_canary_targets_new(const struct con_args *args,
                           struct con_canary_targets *out) HD_MUST_USE;
void con_canary_targets_free(struct con_canary_targets *targets);

/* ---- what is tried ---- */

#define CON_CANARY_SEEN_WORDS (HD_CANARY_PARTS_MAX / 64)

struct con_canary_shot {
    const struct rul_rule *rule;
    struct rul_example_lines example;
    struct con_canary_target *target;
    char id[HD_CANARY_ID_LEN + 1];
    uint32_t parts, sent, archived;
    uint64_t seen[CON_CANARY_SEEN_WORDS]; /* parts in the archive */
    /* monotonic; 0 = not yet */
    int64_t sent_ns, archived_ns, alert_ns, receipt_ns;
    bool is_over;
    char event[640]; /* agent/boot/seq of the last part */
    char alert[37];
    char destination[128], reason[256];
    char why[256]; /* it has failed; "" = it has not */
};

struct con_canary_plan {
    struct con_canary_shot *shots; /* of each target one after another */
    size_t n;
    size_t uncovered; /* rules wanted that have no example to send */
};
/* An HD_EXIT_* code, printed. own: con_canary_plan_fini. */
int con_canary_plan_make(const struct con_args *args, const struct rul_set *set,
                         const struct con_canary_targets *targets,
                         struct con_canary_plan *out) HD_MUST_USE;
void con_canary_plan_fini(struct con_canary_plan *plan);
/* Appends the line of the shot's next part. HD_EINVAL: it cannot be one. */
int con_canary_plan_line(struct con_canary_shot *shot, const struct hd_sign_key *key,
                         struct hd_buf *out) HD_MUST_USE;

/* ---- what became of it ---- */

struct con_canary_trace;
/* Stands at the end of each journal: what comes from now on is looked at. An HD_EXIT_*
 * code, printed. own: con_canary_trace_free. */
int con_canary_trace_new(const struct con_args *args, struct con_canary_plan *plan,
                         struct con_canary_trace **out) HD_MUST_USE;
void con_canary_trace_free(struct con_canary_trace *trace);
/* Descriptors that are readable when there may be news; how many were written. HD_E*. */
#define CON_CANARY_JOURNALS 3
int con_canary_trace_fds(struct con_canary_trace *trace,
                         int fds[CON_CANARY_JOURNALS]) HD_MUST_USE;
/* Reads what has come, into the shots. HD_E*: a journal cannot be read any more. */
int con_canary_trace_read(struct con_canary_trace *trace) HD_MUST_USE;
bool con_canary_trace_has_receipts(const struct con_canary_trace *trace);

/* ---- all of it ---- */

struct con_canary_run_opts {
    struct con_canary_plan *plan;
    struct con_canary_targets *targets;
    struct con_canary_trace *trace;
    const struct hd_sign_key *key;
    int64_t timeout_ns;
    /* A shot is over: it has arrived, or its `why` says what is missing. */
    void (*on_over)(void *ctx, const struct con_canary_shot *shot);
    void *ctx;
};
/* HD_E*: what hindered the run as a whole. */
int con_canary_run(const struct con_canary_run_opts *opts) HD_MUST_USE;

/* ---- for people and programs ---- */

void con_canary_show_text(const struct con_show *show, const struct con_canary_shot *shot,
                          struct hd_buf *out);
void con_canary_show_json(const struct con_canary_shot *shot, struct hd_buf *out);
