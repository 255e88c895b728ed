/* SPDX-License-Identifier: Apache-2.0
 *
 * Start and end. Order of start: archive and agents, alert journal and state thread,
 * detectors, then the doors (agents, status). The end goes the other way: the doors; the
 * detectors end after the batch at hand, the state thread makes their alerts durable and
 * their cursors are saved; meanwhile the archive finishes what it was given.
 */
#include "correlator/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/harden.h>
#include <haidang/log.h>
#include <haidang/main.h>
#include <haidang/retain.h>

#include "correlator/metrics.h"
#include "correlator/program_core.h"

#define FILES_OF_OUR_OWN 256U
#define RATE_MS          5000U
#define SNAPSHOT         "agents.json"
#define MEMORY           "detect.state"
#define LOSSES           "losses"
#define SOURCES          "sources.json"
#define CANARIES         "canaries.json"
#define SEAL_KEY         "seal.key"
#define STATE_MODE       0750

int cor_program_new(struct cor_program **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? HD_ENOMEM : HD_OK;
}

/* Threads have ended, or were never started: nothing of this waits for long. */
static void free_threads(struct cor_program *p)
{
    /* The state thread looks at the detectors until it has ended. */
    p->has_told = p->state != NULL && cor_state_join(p->state);
    cor_state_free(p->state);
    p->state = NULL;
    for (unsigned i = 0; i < p->n_detectors; i++) {
        cor_detector_free(p->detectors[i]);
        p->detectors[i] = NULL;
    }
    p->n_detectors = 0;
}

/* Somebody still waits for the threads, copies, reads or closes. */
static bool is_in_use(const struct cor_program *p)
{
    return p->is_joining || p->keep != NULL || p->n_closing > 0 || p->is_loading ||
           p->is_leaving;
}

static void part_closed(void *ctx)
{
    struct cor_program *p = ctx;
    p->n_closing--;
}

void cor_program_free(struct cor_program *p)
{
    if (p == NULL || is_in_use(p)) {
        return; /* ended by force */
    }
    free_threads(p);
    cor_losses_free(p->losses); /* the intake and the state thread have ended */
    cor_loaded_fini(&p->loaded);
    for (unsigned i = 0; i < p->n_retired; i++) {
        cor_loaded_fini(&p->retired[i]);
    }
    hd_tls_free(p->tls);
    hd_sign_key_free(p->seal_key);
    hd_journal_keys_free(p->keys);
    free(p->snapshot);
    free(p->memory);
    free(p->sources);
    free(p->canaries);
    free(p);
}

/* ---- what files say ---- */

static int load_tls(struct cor_program *p, const struct cor_conf *conf,
                    struct hd_diags *diags)
{
    char why[256] = "";
    struct hd_tls_opts opts = {.role = HD_TLS_SERVER,
                               .cert_file = conf->tls.cert,
                               .key_file = conf->tls.key,
                               .ca_file = conf->tls.ca,
                               .crl_file = conf->tls.crl,
                               .require_client_cert = true};
    int err = hd_tls_new(&opts, &p->tls, why);
    if (err != HD_OK) {
        hd_diag_error(diags, NULL, 0, 0, "tls: %s", why);
    }
    return err;
}

/* It is read anew each time it is used; here it is only said what is wrong with it. */
static int check_retention(const struct cor_conf *conf, struct hd_diags *diags)
{
    struct hd_retain *retain = NULL;
    int err = conf->archive.retention == NULL
                  ? HD_OK
                  : hd_retain_load(conf->archive.retention, &retain, diags);
    hd_retain_free(retain);
    return err;
}

static int load_keys(struct cor_program *p, const struct cor_conf *conf,
                     struct hd_diags *diags)
{
    char why[256] = "";
    struct hd_journal_key_use uses[] = {
        {.setting = "archive.encryption_key", .where = conf->archive.encryption_key},
        {.setting = "alerts.encryption_key", .where = conf->alerts.encryption_key},
        {.setting = "losses.encryption_key", .where = conf->losses.encryption_key}};
    int err = hd_journal_keys_open(conf->journal_keys, uses,
                                   sizeof(uses) / sizeof(uses[0]), &p->keys, why);
    if (err != HD_OK) {
        hd_diag_error(diags, NULL, 0, 0, "%s", why);
    }
    p->archive_key = uses[0].key;
    p->alerts_key = uses[1].key;
    p->losses_key = uses[2].key;
    return err;
}

int cor_program_load(struct cor_program *p, const struct cor_conf *conf,
                     struct hd_diags *diags)
{
    int tls = load_tls(p, conf, diags);
    int unlocked = load_keys(p, conf, diags);
    int rules = cor_load_rules(conf, &p->loaded.set, diags);
    int enrich = cor_load_enrich(conf, &p->loaded.enrich, diags);
    int retention = check_retention(conf, diags);
    int keys = cor_load_canary_keys(conf, &p->loaded.canary_keys, diags);
    p->rules_loaded_ns = hd_clock_wall_ns();
    return rules != HD_OK || enrich != HD_OK || retention != HD_OK ? HD_EXIT_CONFIG
           : tls != HD_OK || keys != HD_OK || unlocked != HD_OK    ? HD_EXIT_CERT
                                                                   : HD_EXIT_OK;
}

/* ---- start ---- */

static struct hd_journal_opts journal_opts(const struct cor_program *p,
                                           const struct cor_conf_journal *conf,
                                           const struct hd_journal_key *key)
{
    return (struct hd_journal_opts){.dir = conf->dir,
                                    .segment_bytes = conf->segment,
                                    .segment_ns = conf->segment_age,
                                    .retain_bytes = conf->retain_bytes,
                                    .retain_ns =
                                        conf->retention == NULL ? conf->retain_age : 0,
                                    .max_bytes = conf->max_bytes,
                                    .reserve_bytes = conf->reserve,
                                    .retain_min_ns = conf->write_once_min,
                                    .retain_unread = conf->retain_unread,
                                    .seal_key = p->seal_key,
                                    .keys = p->keys,
                                    .key = key};
}

static char *in_state_dir(const struct cor_program *p, const char *name)
{
    size_t cap = strlen(p->conf->state_dir) + 1 + strlen(name) + 1;
    char *path = malloc(cap);
    if (path != NULL) {
        (void)snprintf(path, cap, "%s/%s", p->conf->state_dir, name);
    }
    return path;
}

static int open_key(struct cor_program *p, char why[256])
{
    char *made = p->conf->seal_key == NULL ? in_state_dir(p, SEAL_KEY) : NULL;
    const char *path = made == NULL ? p->conf->seal_key : made;
    int err = path == NULL ? HD_ENOMEM : hd_sign_key_ensure(path, &p->seal_key);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "seal_key %s cannot be used: %s",
                       path == NULL ? SEAL_KEY : path, hd_err_text(err));
    }
    free(made);
    return err;
}

static int open_state_dir(struct cor_program *p, char why[256])
{
    int err = hd_fs_mkdirs(p->conf->state_dir, STATE_MODE);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "state_dir %s cannot be made: %s", p->conf->state_dir,
                       hd_err_text(err));
        return err;
    }
    return open_key(p, why);
}

static int open_losses(struct cor_program *p, char why[256])
{
    struct hd_journal_opts opts = journal_opts(p, &p->conf->losses, p->losses_key);
    char *dir = in_state_dir(p, LOSSES);
    opts.dir = opts.dir == NULL ? dir : opts.dir;
    int err = opts.dir == NULL ? HD_ENOMEM : cor_losses_open(&opts, &p->losses, why);
    free(dir);
    return err;
}

static int open_intake(struct cor_program *p, char why[256])
{
    const struct cor_conf_intake *conf = &p->conf->intake;
    p->snapshot = in_state_dir(p, SNAPSHOT);
    p->memory = in_state_dir(p, MEMORY);
    p->sources = in_state_dir(p, SOURCES);
    p->canaries = in_state_dir(p, CANARIES);
    if (p->snapshot == NULL || p->memory == NULL || p->sources == NULL ||
        p->canaries == NULL) {
        (void)snprintf(why, 256, "out of memory");
        return HD_ENOMEM;
    }
    struct cor_intake_opts opts = {
        .loop = p->loop,
        .tls = p->tls,
        .agents_max = (uint32_t)conf->agents_max,
        .agents_remembered = (uint32_t)conf->agents_remembered,
        .handshakes_max = (uint32_t)conf->handshakes_max,
        .handshakes_per_second = (uint32_t)conf->handshakes_per_second,
        .handshakes_per_address = (uint32_t)conf->handshakes_per_address,
        .memory = conf->memory,
        .idle_ms = (uint64_t)(conf->idle_timeout / HD_NS_PER_MS),
        .archive = journal_opts(p, &p->conf->archive, p->archive_key),
        .snapshot = p->snapshot,
        .losses = p->losses,
    };
    return cor_intake_open(&opts, &p->intake, why);
}

static int open_state(struct cor_program *p, char why[256])
{
    const struct cor_conf_suppress *sup = &p->conf->suppress;
    struct cor_state_opts opts = {
        .alerts = journal_opts(p, &p->conf->alerts, p->alerts_key),
        .losses = p->losses,
        .remember = (uint32_t)p->conf->detect.remember,
        .suppress = {.entries = (uint32_t)sup->entries},
        .noise = {.rate = (uint64_t)p->conf->noisy.rate,
                  .throttle = (uint64_t)p->conf->noisy.throttle},
        .correlate = {.memory_max = p->conf->detect.memory,
                      .rule_max = p->conf->detect.rule_memory,
                      .lateness_ns = p->conf->detect.lateness},
        .snapshot = p->memory,
        .canaries = p->canaries,
        .archive_dir = p->conf->archive.dir,
        .snapshot_ns = p->conf->detect.snapshot,
        .detectors = (unsigned)p->conf->detect.threads,
    };
    const int64_t windows[RUL_SUPPRESS_SEVERITIES] = {0, sup->low, sup->medium, sup->high,
                                                      sup->critical};
    for (size_t i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        opts.suppress.window_ns[i] = windows[i] == 0 ? sup->window : windows[i];
    }
    int err = cor_rules_new(p->loaded.set, NULL, &p->loaded.rules);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "out of memory");
        return err;
    }
    return cor_state_new(&opts, p->loaded.rules, p->loaded.enrich, &p->state, why);
}

static int open_watch(struct cor_program *p)
{
    const struct cor_conf_sources *conf = &p->conf->sources;
    struct cor_watch_opts opts = {.loop = p->loop,
                                  .sources = {.max = (uint32_t)conf->remember,
                                              .floor_ns = conf->floor,
                                              .factor = conf->factor,
                                              .learn_ns = conf->learn,
                                              .slow = conf->slow,
                                              .drift_ns = conf->drift,
                                              .unwatched_ns = conf->unmonitored},
                                  .wants_alerts = conf->alerts,
                                  .zone = p->conf->rules.time_zone,
                                  .file = p->sources,
                                  .intake = p->intake,
                                  .state = p->state,
                                  .detectors = p->detectors,
                                  .n_detectors = (unsigned)p->conf->detect.threads,
                                  .enrich = &p->loaded.enrich};
    return cor_watch_open(&opts, &p->watch);
}

static bool tell_of_store(void *ctx, const struct cor_notice_facts *facts)
{
    struct cor_program *p = ctx;
    struct cor_notice *notice = NULL;
    bool is_told = cor_notice_new(facts, &notice) == HD_OK &&
                   cor_state_tell(p->state, notice) == HD_OK;
    if (!is_told) {
        cor_notice_free(notice);
    }
    return is_told;
}

static struct cor_store_conf store_of(const struct cor_conf_journal *conf,
                                      const char *dir)
{
    return (struct cor_store_conf){
        .dir = dir, .max_bytes = conf->max_bytes, .reserve_bytes = conf->reserve};
}

static void on_expired(void *ctx, uint64_t index)
{
    struct cor_program *p = ctx;
    cor_intake_expired(p->intake, index);
}

static int open_retention(struct cor_program *p)
{
    const struct cor_conf_journal *conf = &p->conf->archive;
    const struct cor_expire_opts opts = {.loop = p->loop,
                                         .file = conf->retention,
                                         .dir = conf->dir,
                                         .keys = p->keys,
                                         .every_ns = conf->retention_every,
                                         .release = on_expired,
                                         .closed = part_closed,
                                         .ctx = p};
    return conf->retention == NULL ? HD_OK : cor_expire_open(&opts, &p->expire);
}

static void open_stores(struct cor_program *p)
{
    const struct cor_conf *conf = p->conf;
    const char *losses = conf->losses.dir == NULL ? conf->state_dir : conf->losses.dir;
    if (gethostname(p->host, sizeof(p->host) - 1) != 0) {
        p->host[0] = '\0';
    }
    cor_stores_init(
        &p->stores,
        &(struct cor_stores_opts){
            .warning = (unsigned)conf->near_full.warning,
            .alarm = (unsigned)conf->near_full.alarm,
            .journals = {[COR_STORE_ARCHIVE] =
                             store_of(&conf->archive, conf->archive.dir),
                         [COR_STORE_ALERTS] = store_of(&conf->alerts, conf->alerts.dir),
                         [COR_STORE_LOSSES] = store_of(&conf->losses, losses)},
            .host = p->host,
            .tell = tell_of_store,
            .disk_of = cor_disk_of,
            .ctx = p});
}

static void look_at_stores(struct cor_program *p)
{
    const struct cor_times now = {hd_clock_wall_ns(), hd_clock_mono_ns()};
    const uint64_t bytes[COR_STORES] = {
        [COR_STORE_ARCHIVE] = cor_intake_archive_bytes(p->intake),
        [COR_STORE_ALERTS] = COR_READ(COR_M_ALERTS_BYTES),
        [COR_STORE_LOSSES] = COR_READ(COR_M_LOSSES_BYTES)};
    COR_GAUGE(COR_M_REMOVED_ARCHIVE, cor_intake_archive_removed(p->intake));
    const uint64_t removed[COR_STORES] = {
        [COR_STORE_ARCHIVE] = COR_READ(COR_M_REMOVED_ARCHIVE),
        [COR_STORE_ALERTS] = COR_READ(COR_M_REMOVED_ALERTS),
        [COR_STORE_LOSSES] = COR_READ(COR_M_REMOVED_LOSSES)};
    cor_stores_look(&p->stores, bytes, &now);
    cor_stores_removed(&p->stores, removed);
}

static void keep_closed(void *ctx)
{
    struct cor_program *p = ctx;
    p->keep = NULL;
}

static int open_keep(struct cor_program *p)
{
    char *made = in_state_dir(p, LOSSES);
    const char *losses = p->conf->losses.dir == NULL ? made : p->conf->losses.dir;
    const struct hd_keep_opts opts = {
        .loop = p->loop,
        .stamps = &p->conf->timestamps,
        .mirror = &p->conf->mirror,
        .journals = {{"archive", p->conf->archive.dir,
                      (enum hd_freeze)p->conf->archive.write_once},
                     {"alerts", p->conf->alerts.dir,
                      (enum hd_freeze)p->conf->alerts.write_once},
                     {"losses", losses, (enum hd_freeze)p->conf->losses.write_once}},
        .n_journals = 3,
        .key = p->seal_key,
        .closed = keep_closed,
        .ctx = p};
    int err = losses == NULL ? HD_ENOMEM : hd_keep_open(&opts, &p->keep);
    free(made);
    return err;
}

/* `why` is filled in when it is the archive that a detector cannot use. */
static int open_detectors(struct cor_program *p, char why[256])
{
    struct cor_detector_opts opts = {.count = (unsigned)p->conf->detect.threads,
                                     .archive_dir = p->conf->archive.dir,
                                     .warm_up_ns = p->conf->detect.warm_up,
                                     .canary_keys = p->loaded.canary_keys,
                                     .keys = p->keys};
    for (; opts.index < opts.count; opts.index++) {
        struct cor_detector *d = NULL;
        opts.has_start = cor_state_resume(p->state, opts.index, &opts.start);
        opts.seen = cor_watch_ring(p->watch, opts.index);
        int err = cor_detector_new(&opts, p->loaded.rules, &d);
        if (err != HD_OK && err != HD_ENOMEM) {
            (void)snprintf(why, 256,
                           "detector %u has no place to keep its cursor in %.150s",
                           opts.index, opts.archive_dir);
        }
        if (err != HD_OK) {
            return err;
        }
        p->detectors[p->n_detectors++] = d;
        err = cor_state_add_detector(p->state, d);
        if (err != HD_OK) {
            return err;
        }
    }
    return HD_OK;
}

/* The doors stay shut until all threads run: nothing can go wrong any more then. */
static int run_threads(struct cor_program *p)
{
    int err = cor_state_run(p->state);
    for (unsigned i = 0; err == HD_OK && i < p->n_detectors; i++) {
        err = cor_detector_run(p->detectors[i]);
    }
    return err;
}

static void on_check(uv_timer_t *timer)
{
    cor_reload_databases(HD_CONTAINER(timer, struct cor_program, check_timer));
}

static void on_rate(uv_timer_t *timer)
{
    struct cor_program *p = HD_CONTAINER(timer, struct cor_program, rate_timer);
    uint64_t lines = COR_READ(COR_M_DETECT_LINES);
    p->detect_rate = (lines - p->lines_sampled) * 1000 / RATE_MS;
    p->lines_sampled = lines;
    cor_intake_trim(p->intake); /* the readers may have moved on */
    cor_reload_clear(p);
    look_at_stores(p);
    cor_status_log(p);
}

static void open_timers(struct cor_program *p)
{
    uint64_t check_ms = (uint64_t)(p->conf->enrich.check_every / HD_NS_PER_MS);
    hd_owner_init(&p->owner, NULL, NULL);
    (void)uv_timer_init(p->loop, &p->check_timer);
    hd_owner_add(&p->owner, (uv_handle_t *)&p->check_timer);
    (void)uv_timer_init(p->loop, &p->rate_timer);
    hd_owner_add(&p->owner, (uv_handle_t *)&p->rate_timer);
    p->has_handles = true;
    (void)uv_timer_start(&p->check_timer, on_check, check_ms, check_ms);
    (void)uv_timer_start(&p->rate_timer, on_rate, RATE_MS, RATE_MS);
}

static int open_doors(struct cor_program *p, char why[256])
{
    static const struct hd_metrics_page pages[] = {
        {"/rules", cor_status_rules}, {"/sources", cor_status_sources}, {0}};
    struct hd_metrics_server_opts opts = {.listen = p->conf->status,
                                          .table = cor_metrics,
                                          .table_len = cor_metrics_count,
                                          .refresh = cor_status_refresh,
                                          .status = cor_status_write,
                                          .pages = pages,
                                          .ctx = p};
    int err = hd_metrics_serve(p->loop, &opts, &p->server);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "status cannot be served on %s: %s", p->conf->status,
                       hd_err_text(err));
        return err;
    }
    for (size_t i = 0; i < p->conf->n_listen; i++) {
        err = cor_intake_listen(p->intake, p->conf->listen[i], why);
        if (err != HD_OK) {
            return err;
        }
        HD_LOG(INFO, "program", "listening for agents",
               HD_KV_STR("address", p->conf->listen[i]),
               HD_KV_UINT("port", cor_intake_port(p->intake, i)));
    }
    return HD_OK;
}

static void close_all(struct cor_program *p);
static void close_watch(struct cor_program *p);

static int fail(struct cor_program *p, int code, const char *why, int err)
{
    HD_LOG(ERROR, "program", why, HD_KV_ERR(err));
    close_all(p);
    free_threads(p); /* nothing was given to them yet */
    close_watch(p);
    return code;
}

/* One descriptor a connection; what is not granted shows when agents come. */
static void raise_file_limit(const struct cor_conf *conf)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)conf->intake.agents_max + FILES_OF_OUR_OWN;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want) {
        return;
    }
    limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want) {
        HD_LOG(WARN, "program",
               "fewer open files are allowed than intake.agents_max needs",
               HD_KV_UINT("allowed", limit.rlim_cur), HD_KV_UINT("needed", want));
    }
}

int cor_program_start(struct cor_program *p, uv_loop_t *loop, const struct cor_conf *conf)
{
    char why[256] = "";
    p->conf = conf;
    p->loop = loop;
    p->started_ns = hd_clock_wall_ns();
    raise_file_limit(conf);
    int err = open_state_dir(p, why);
    err = err != HD_OK ? err : open_losses(p, why);
    if (err == HD_OK) {
        err = open_intake(p, why);
    }
    if (err == HD_OK) {
        err = open_state(p, why);
    }
    if (err != HD_OK) {
        return fail(p, HD_EXIT_STORE, why, err);
    }
    err = open_watch(p);
    err = err != HD_OK ? err : open_detectors(p, why);
    if (err != HD_OK && why[0] != '\0') {
        return fail(p, HD_EXIT_STORE, why, err);
    }
    err = err != HD_OK ? err : open_keep(p);
    err = err != HD_OK ? err : run_threads(p);
    if (err != HD_OK) {
        return fail(p, HD_EXIT_RUNTIME, "the detectors cannot be started", err);
    }
    open_stores(p);
    open_timers(p);
    err = open_retention(p);
    if (err != HD_OK) {
        return fail(p, HD_EXIT_RUNTIME, "retention cannot be started", err);
    }
    err = open_doors(p, why);
    if (err != HD_OK) {
        return fail(p, HD_EXIT_BIND, why, err);
    }
    err = hd_harden_process();
    if (err != HD_OK) {
        return fail(p, HD_EXIT_RUNTIME, "privilege cannot be given up", err);
    }
    hd_keep_run(p->keep);
    HD_LOG(INFO, "program", "rules in force",
           HD_KV_UINT("rules", rul_set_count(p->loaded.set)),
           HD_KV_STR("hash", rul_set_hash(p->loaded.set)),
           HD_KV_UINT("systems", cor_enrich_systems(p->loaded.enrich)));
    return HD_EXIT_OK;
}

/* ---- end ---- */

/* The detectors have ended: they had pushed into its rings. */
static void close_watch(struct cor_program *p)
{
    cor_watch_close(p->watch, p->has_told);
    p->watch = NULL;
}

/* Everything begins to close; threads are asked to end. */
static void close_all(struct cor_program *p)
{
    p->is_stopping = true;
    hd_metrics_server_close(p->server);
    p->server = NULL;
    if (p->has_handles) {
        hd_owner_close(&p->owner, (uv_handle_t *)&p->check_timer);
        hd_owner_close(&p->owner, (uv_handle_t *)&p->rate_timer);
    }
    hd_keep_close(p->keep);
    p->n_closing = (p->expire == NULL ? 0U : 1U) + (p->intake == NULL ? 0U : 1U);
    cor_expire_close(p->expire); /* it releases what the intake holds */
    p->expire = NULL;
    cor_watch_stop(p->watch); /* it looks at the intake and at the state */
    if (p->state != NULL) {
        cor_state_stop(
            p->state); /* before the detectors: it ends with the last of them */
    }
    for (unsigned i = 0; i < p->n_detectors; i++) {
        cor_detector_stop(p->detectors[i]);
    }
    if (p->intake != NULL) {
        cor_intake_close(p->intake, part_closed, p);
        p->intake = NULL;
    }
}

static void join_work(uv_work_t *work)
{
    free_threads(HD_CONTAINER(work, struct cor_program, join_work));
}

static void join_done(uv_work_t *work, int status)
{
    struct cor_program *p = HD_CONTAINER(work, struct cor_program, join_work);
    p->is_joining = status != 0;
    close_watch(p);
}

void cor_program_stop(struct cor_program *p)
{
    if (p->is_stopping) {
        return;
    }
    close_all(p);
    /* Waiting for threads is no work for a loop. */
    p->is_joining = uv_queue_work(p->loop, &p->join_work, join_work, join_done) == 0;
    if (!p->is_joining) {
        free_threads(p);
        close_watch(p);
    }
}
