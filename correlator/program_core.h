/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the correlator as a whole, shared by program.c, reload.c and status.c.
 */
#pragma once
#include <haidang/json.h>
#include <haidang/keep.h>
#include <haidang/loop.h>
#include <haidang/metrics.h>
#include <haidang/sign.h>
#include <haidang/tls.h>

#include "correlator/intake/intake.h"
#include "correlator/losses/losses.h"
#include "correlator/program.h"
#include "correlator/sources/watch.h"
#include "correlator/state/state.h"
#include "correlator/stores/expire.h"
#include "correlator/stores/stores.h"

/* Everything that files say; replaced whole. */
struct cor_loaded {
    struct rul_set *set;
    struct cor_rules *rules; /* the set as the threads have it; made when taken up */
    struct cor_tools *tools[COR_DETECTORS_MAX]; /* on their way to the detectors */
    struct cor_enrich *enrich;
    struct hd_canary_keys *canary_keys; /* NULL: no line is a canary */
};

#define COR_RETIRED_MAX 8U

struct cor_program {
    const struct cor_conf *conf;
    uv_loop_t *loop;
    struct hd_owner owner;
    bool has_handles;
    uv_timer_t check_timer; /* were the databases replaced? */
    uv_timer_t rate_timer;
    struct hd_tls *tls;
    struct hd_sign_key *seal_key;
    struct hd_journal_keys *keys; /* of what is encrypted */
    const struct hd_journal_key *archive_key, *alerts_key, *losses_key;
    struct cor_loaded loaded;
    int64_t started_ns, rules_loaded_ns;
    struct cor_losses *losses;
    struct cor_intake *intake;
    struct cor_state *state;
    struct cor_detector *detectors[COR_DETECTORS_MAX];
    unsigned n_detectors;
    struct cor_watch *watch;
    struct cor_stores stores;  /* how full they are */
    char host[256];            /* this one */
    struct cor_expire *expire; /* NULL: retention by age alone */
    struct hd_keep *keep;
    unsigned n_closing; /* parts that still use what is ours */
    bool has_told;      /* the state thread ended with nothing left to be published */
    struct hd_metrics_server *server;
    char *snapshot; /* path of the table of agents */
    char *memory;   /* path of what correlations remember */
    char *sources;  /* path of the inventory of sources */
    char *canaries; /* path of what canaries have proven */
    uint64_t lines_sampled, detect_rate;

    uv_work_t load_work; /* reload.c */
    struct cor_loaded fresh;
    uint64_t generation; /* of the set that was handed out last */
    int load_err;
    /* sets that were replaced: the last to let go of one must be no detector, since
     * freeing thousands of rules takes a while */
    struct cor_loaded retired[COR_RETIRED_MAX], leaving;
    unsigned n_retired;
    uv_work_t leave_work;
    bool is_leaving;
    bool is_loading, only_databases, wants_reload;

    uv_work_t join_work;
    bool is_stopping, is_joining;

    unsigned problems;   /* that were there last time */
    int64_t problems_ns; /* when they were last told; monotonic */
};

/* ---- reload.c ---- */

int cor_load_rules(const struct cor_conf *conf, struct rul_set **out,
                   struct hd_diags *diags) HD_MUST_USE;
int cor_load_enrich(const struct cor_conf *conf, struct cor_enrich **out,
                    struct hd_diags *diags) HD_MUST_USE;
int cor_load_canary_keys(const struct cor_conf *conf, struct hd_canary_keys **out,
                         struct hd_diags *diags) HD_MUST_USE;
void cor_loaded_fini(struct cor_loaded *loaded);
/* Frees aside the replaced sets that no thread uses any more. */
void cor_reload_clear(struct cor_program *program);
/* Looks aside whether a database was replaced, and takes it up. */
void cor_reload_databases(struct cor_program *program);
/* Diagnostics to the log. */
void cor_diag_log(void *ctx, const struct hd_diag *diag);

/* ---- status_rules.c ---- */

/* What each rule does: JSON for /rules. */
void cor_status_rules(void *ctx, struct hd_buf *out);
/* Says which rules are noisy. */
void cor_status_noisy(const struct cor_program *program,
                      void (*say)(void *ctx, const char *text), void *ctx);

/* ---- status_canary.c ---- */

/* Which rules and ways in are proven: members of /status, metrics, problems. */
void cor_status_canaries(const struct cor_program *program, struct hd_json *j);
void cor_status_refresh_canaries(const struct cor_program *program);
void cor_status_overdue(const struct cor_program *program,
                        void (*say)(void *ctx, const char *text), void *ctx);

/* ---- status.c ---- */

/* The inventory of sources: JSON for /sources. */
void cor_status_sources(void *ctx, struct hd_buf *out);

void cor_status_refresh(void *ctx);
void cor_status_write(void *ctx, struct hd_buf *out);
/* Logs problems when they come, every minute while they last, and their end. */
void cor_status_log(struct cor_program *program);
