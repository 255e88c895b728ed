/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading rules, decoders, inventory, databases and keys, and replacing them while
 * running: read and compiled on a worker thread, taken up whole on the loop, or not at
 * all.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/metrics.h"
#include "correlator/program_core.h"

int cor_load_rules(const struct cor_conf *conf, struct rul_set **out,
                   struct hd_diags *diags)
{
    const char *paths[2] = {conf->rules.library, conf->rules.local};
    struct rul_set_opts opts = {
        .decoders_dir = conf->rules.decoders,
        .rules = paths,
        .n_rules = conf->rules.local == NULL ? 1 : 2,
        .time_zone = conf->rules.time_zone,
        .logsources = conf->rules.logsources,
        .placeholders_dir = conf->rules.placeholders,
        .min_level = cor_conf_levels[conf->rules.min_level],
        .statuses = (const char *const *)conf->rules.statuses,
        .n_statuses = conf->rules.n_statuses,
        .keep_going = conf->rules.keep_going,
    };
    unsigned before = diags->errors;
    int err = rul_set_load(&opts, out, diags);
    if (err != HD_OK && diags->errors == before) {
        hd_diag_error(diags, conf->rules.library, 0, 0, "the rules cannot be loaded: %s",
                      hd_err_text(err));
    }
    return err;
}

int cor_load_enrich(const struct cor_conf *conf, struct cor_enrich **out,
                    struct hd_diags *diags)
{
    /* A mere check makes no directory: it may be run by another user than the program. */
    bool has_dir = access(conf->state_dir, W_OK) == 0;
    struct cor_enrich_opts opts = {.inventory = conf->enrich.inventory,
                                   .city_db = conf->enrich.city,
                                   .asn_db = conf->enrich.asn,
                                   .scratch_dir = has_dir ? conf->state_dir : "/tmp"};
    return cor_enrich_load(&opts, out, diags);
}

int cor_load_canary_keys(const struct cor_conf *conf, struct hd_canary_keys **out,
                         struct hd_diags *diags)
{
    return conf->canary.keys == NULL
               ? HD_OK
               : hd_canary_keys_load(conf->canary.keys, conf->canary.window, diags, out);
}

void cor_loaded_fini(struct cor_loaded *loaded)
{
    for (unsigned i = 0; i < COR_DETECTORS_MAX; i++) {
        cor_tools_free(loaded->tools[i]);
    }
    cor_rules_unref(loaded->rules);
    rul_set_unref(loaded->set);
    cor_enrich_unref(loaded->enrich);
    hd_canary_keys_unref(loaded->canary_keys);
    *loaded = (struct cor_loaded){0};
}

void cor_diag_log(void *ctx, const struct hd_diag *diag)
{
    /* A site of its own: every problem is told, however many there are. */
    struct hd_log_site site = {0};
    const struct hd_kv where[] = {HD_KV_STR("file", diag->file == NULL ? "" : diag->file),
                                  HD_KV_UINT("line", diag->line),
                                  HD_KV_UINT("column", diag->column)};
    (void)ctx;
    hd_log_emit(diag->level == HD_DIAG_ERROR ? HD_LOG_ERROR : HD_LOG_WARN, "load",
                diag->text, where, sizeof(where) / sizeof(where[0]), &site);
}

/* ---- aside ---- */

/* What the threads will need, ready to be taken up. */
static int make_tools(struct cor_program *p)
{
    int err = cor_rules_new(p->fresh.set, p->loaded.rules, &p->fresh.rules);
    for (unsigned i = 0; err == HD_OK && i < p->n_detectors; i++) {
        err = cor_tools_new(p->fresh.rules, p->fresh.canary_keys, &p->fresh.tools[i]);
    }
    return err;
}

static void load_work(uv_work_t *work)
{
    struct cor_program *p = HD_CONTAINER(work, struct cor_program, load_work);
    struct hd_diags diags = {.emit = cor_diag_log};
    struct cor_enrich_opts now = {.city_db = p->conf->enrich.city,
                                  .asn_db = p->conf->enrich.asn};
    p->load_err = HD_OK;
    if (p->only_databases) {
        if (!cor_enrich_is_stale(p->loaded.enrich, &now)) {
            return;
        }
        HD_LOG(INFO, "load", "a database was replaced; reading it");
    } else {
        p->load_err = cor_load_rules(p->conf, &p->fresh.set, &diags);
        int keys = cor_load_canary_keys(p->conf, &p->fresh.canary_keys, &diags);
        p->load_err = p->load_err != HD_OK ? p->load_err : keys;
        p->load_err = p->load_err != HD_OK ? p->load_err : make_tools(p);
    }
    /* Also when the rules are wrong: all problems are told at once. */
    int err = cor_load_enrich(p->conf, &p->fresh.enrich, &diags);
    p->load_err = p->load_err != HD_OK ? p->load_err : err;
}

/* ---- on the loop ---- */

static void hand_out(struct cor_program *p)
{
    p->generation += p->fresh.rules != NULL;
    for (unsigned i = 0; p->fresh.rules != NULL && i < p->n_detectors; i++) {
        p->fresh.tools[i]->generation = p->generation;
        int err = cor_detector_use(p->detectors[i], p->fresh.tools[i]);
        p->fresh.tools[i] = NULL;
        if (err != HD_OK) {
            HD_LOG(ERROR, "load", "a detector did not take the new rules; reload again",
                   HD_KV_UINT("detector", i), HD_KV_ERR(err));
        }
    }
    int err = p->fresh.enrich == NULL ? HD_OK : cor_state_use(p->state, p->fresh.enrich);
    if (err != HD_OK) {
        HD_LOG(ERROR, "load", "the new inventory was not taken up; reload again",
               HD_KV_ERR(err));
    }
}

/* Each worker thread has an arena of its own, and which of them reads and frees a set is
 * chance: without the trim each keeps the room that a set and its compiling need. */
static void leave_work(uv_work_t *work)
{
    struct cor_program *p = HD_CONTAINER(work, struct cor_program, leave_work);
    cor_loaded_fini(&p->leaving);
    (void)malloc_trim(0);
}

static void leave_done(uv_work_t *work, int status)
{
    struct cor_program *p = HD_CONTAINER(work, struct cor_program, leave_work);
    (void)status;
    p->is_leaving = false;
}

/* The first that nobody uses any more; n_retired: there is none. The state thread stays
 * at an old one until lines come, which must not hold up those after it. */
static unsigned find_unused(const struct cor_program *p)
{
    unsigned i = 0;
    while (i < p->n_retired && !cor_rules_is_sole(p->retired[i].rules)) {
        i++;
    }
    return i;
}

void cor_reload_clear(struct cor_program *p)
{
    unsigned i = find_unused(p);
    if (i == p->n_retired || p->is_leaving) {
        return;
    }
    p->leaving = p->retired[i];
    p->n_retired--;
    memmove(p->retired + i, p->retired + i + 1,
            (p->n_retired - i) * sizeof(p->retired[0]));
    p->is_leaving = uv_queue_work(p->loop, &p->leave_work, leave_work, leave_done) == 0;
    if (!p->is_leaving) {
        cor_loaded_fini(&p->leaving);
    }
}

/* The set in force is kept until no thread needs it. */
static void retire(struct cor_program *p)
{
    struct cor_loaded old = {.set = p->loaded.set, .rules = p->loaded.rules};
    if (p->n_retired < COR_RETIRED_MAX) {
        p->retired[p->n_retired++] = old;
    } else {
        cor_loaded_fini(&old);
    }
}

static void take_up(struct cor_program *p)
{
    hand_out(p);
    if (p->fresh.set != NULL) {
        retire(p);
        p->loaded.set = p->fresh.set;
        p->loaded.rules = p->fresh.rules;
        p->rules_loaded_ns = hd_clock_wall_ns();
        hd_canary_keys_unref(p->loaded.canary_keys);
        p->loaded.canary_keys = p->fresh.canary_keys;
    }
    if (p->fresh.enrich != NULL) {
        cor_enrich_unref(p->loaded.enrich);
        p->loaded.enrich = p->fresh.enrich;
    }
    p->fresh = (struct cor_loaded){0};
    COR_COUNT(COR_M_RELOADS, 1);
    HD_LOG(INFO, "load", "what is new is in force",
           HD_KV_UINT("rules", rul_set_count(p->loaded.set)),
           HD_KV_STR("hash", rul_set_hash(p->loaded.set)),
           HD_KV_UINT("systems", cor_enrich_systems(p->loaded.enrich)));
}

static void start_load(struct cor_program *p, bool only_databases);

static void load_done(uv_work_t *work, int status)
{
    struct cor_program *p = HD_CONTAINER(work, struct cor_program, load_work);
    char why[256] = "";
    int err = status != 0 ? hd_err_from_uv(status) : p->load_err;
    bool is_news = p->fresh.set != NULL || p->fresh.enrich != NULL;
    p->is_loading = false;
    if (err == HD_OK && !p->only_databases && !p->is_stopping) {
        err = hd_tls_reload(p->tls, why);
    }
    if (p->is_stopping) {
        cor_loaded_fini(&p->fresh);
    } else if (err != HD_OK) {
        COR_COUNT(COR_M_RELOADS_FAILED, 1);
        HD_LOG(ERROR, "load", "nothing was changed: what was in force stays in force",
               HD_KV_STR("why", why), HD_KV_ERR(err));
        cor_loaded_fini(&p->fresh);
    } else if (is_news) {
        take_up(p);
    }
    if (p->wants_reload && !p->is_stopping) {
        p->wants_reload = false;
        start_load(p, false);
    }
}

static void start_load(struct cor_program *p, bool only_databases)
{
    p->only_databases = only_databases;
    p->is_loading = uv_queue_work(p->loop, &p->load_work, load_work, load_done) == 0;
}

void cor_reload_databases(struct cor_program *p)
{
    if (!p->is_loading && !p->is_stopping) {
        start_load(p, true);
    }
}

void cor_program_reload(struct cor_program *p)
{
    if (p->is_loading) {
        p->wants_reload = true;
    } else {
        start_load(p, false);
    }
}
