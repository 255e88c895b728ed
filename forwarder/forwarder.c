/* SPDX-License-Identifier: Apache-2.0
 *
 * Order of start: receipts, HTTP, destinations, status socket. The end: the destinations
 * abandon their requests, the receipts finish what they were given (each destination goes
 * when its last receipt is answered), then all is freed.
 */
#include "forwarder/forwarder.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/json.h>
#include <haidang/keep.h>
#include <haidang/log.h>
#include <haidang/sign.h>
#include <haidang/stamp.h>

#include "forwarder/deliver/destination.h"
#include "forwarder/metrics.h"
#include "forwarder/setup.h"
#include "forwarder/stamps.h"

#define MODULE     "forwarder"
#define STATE_MODE 0750
#define RECEIPTS   "receipts" /* below state_dir, and below mirror.dir */

struct fwd_program {
    const struct fwd_conf *conf;
    uv_loop_t *loop;
    struct hd_sign_key *seal_key;
    struct hd_journal_keys *keys; /* of alerts and receipts */
    const struct hd_journal_key *receipts_key;
    struct fwd_receipts *receipts;
    struct fwd_http *http;
    struct fwd_stamps *stamps; /* NULL: there is no authority */
    struct hd_keep *keep;      /* of the receipts' sealed segments */
    struct hd_metrics_server *server;
    struct fwd_destination **destinations;
    size_t n_destinations;
    size_t n_open; /* what is not yet gone: ourselves, receipts, destinations, ... */
    int64_t started_ns;
};

/* ---- check ---- */

static int load_setups(const struct fwd_conf *conf, struct hd_diags *diags,
                       struct fwd_setup **setups)
{
    int code = HD_EXIT_OK;
    for (size_t i = 0; i < conf->n_destinations; i++) {
        int one = fwd_setup_load(conf, &conf->destinations[i], diags, &setups[i]);
        if (code == HD_EXIT_OK || one == HD_EXIT_REFUSED) {
            code = one == HD_EXIT_OK ? code : one;
        }
    }
    return code;
}

static void free_setups(struct fwd_setup **setups, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fwd_setup_free(setups[i]);
    }
    free(setups);
}

static int load_keys(const struct fwd_conf *conf, struct hd_journal_keys **keys,
                     const struct hd_journal_key **receipts, char why[256])
{
    struct hd_journal_key_use use = {.setting = "receipts.encryption_key",
                                     .where = conf->receipts.encryption_key};
    int err = hd_journal_keys_open(conf->journal_keys, &use, 1, keys, why);
    *receipts = use.key;
    return err == HD_OK ? HD_EXIT_OK : HD_EXIT_CERT;
}

static int check_keys(const struct fwd_conf *conf, struct hd_diags *diags)
{
    char why[256] = "";
    struct hd_journal_keys *keys = NULL;
    const struct hd_journal_key *key = NULL;
    int code = load_keys(conf, &keys, &key, why);
    hd_journal_keys_free(keys);
    if (code != HD_EXIT_OK) {
        hd_diag_error(diags, NULL, 0, 0, "%s", why);
    }
    return code;
}

int fwd_program_check(const struct fwd_conf *conf, struct hd_diags *diags)
{
    struct fwd_setup **setups = calloc(conf->n_destinations + 1, sizeof(*setups));
    if (setups == NULL) {
        hd_diag_error(diags, NULL, 0, 0, "%s", hd_err_text(HD_ENOMEM));
        return HD_EXIT_RUNTIME;
    }
    int code = load_setups(conf, diags, setups);
    free_setups(setups, conf->n_destinations);
    if (conf->timestamp.url != NULL) {
        int stamps = fwd_stamps_check(&conf->timestamp, diags);
        code = code == HD_EXIT_OK ? stamps : code;
    }
    int keys = check_keys(conf, diags);
    return code == HD_EXIT_OK ? keys : code;
}

/* ---- status ---- */

static void refresh(void *ctx)
{
    const struct fwd_program *program = ctx;
    uint64_t pending = 0, failing = 0, stopped = 0;
    for (size_t i = 0; i < program->n_destinations; i++) {
        const struct fwd_destination *dest = program->destinations[i];
        uint64_t since = fwd_destination_failing_s(dest);
        pending += fwd_destination_pending(dest);
        failing = since > failing ? since : failing;
        stopped += fwd_destination_is_stopped(dest) ? 1 : 0;
    }
    HD_METRIC_SET(fwd_metrics, FWD_M_PENDING, pending);
    HD_METRIC_SET(fwd_metrics, FWD_M_FAILING, failing);
    HD_METRIC_SET(fwd_metrics, FWD_M_STOPPED_NOW, stopped);
    HD_METRIC_SET(fwd_metrics, FWD_M_RECEIPT_BYTES,
                  fwd_receipts_bytes(program->receipts));
    hd_keep_refresh(program->keep, &fwd_metrics[FWD_M_KEEP]);
    if (program->stamps != NULL) {
        fwd_stamps_refresh(program->stamps);
    }
}

static void each_problem(const struct fwd_program *program,
                         void (*say)(void *ctx, const char *text), void *ctx)
{
    char text[384];
    for (size_t i = 0; i < program->n_destinations; i++) {
        const struct fwd_destination *dest = program->destinations[i];
        const char *problem = fwd_destination_problem(dest);
        if (problem[0] != '\0') {
            (void)snprintf(text, sizeof(text), "destination %s for %llu s: %s",
                           fwd_destination_name(dest),
                           (unsigned long long)fwd_destination_failing_s(dest), problem);
            say(ctx, text);
        }
    }
    if (program->stamps != NULL && fwd_stamps_problem(program->stamps, text)) {
        say(ctx, text);
    }
    hd_keep_problems(program->keep, say, ctx);
}

static void note_problem(void *ctx, const char *text)
{
    (void)text;
    *(bool *)ctx = true;
}

static bool has_problem(const struct fwd_program *program)
{
    bool has = false;
    each_problem(program, note_problem, &has);
    return has;
}

static void put_problem(void *ctx, const char *text)
{
    hd_json_cstr(ctx, NULL, text);
}

static void status(void *ctx, struct hd_buf *out)
{
    const struct fwd_program *program = ctx;
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "program", "haidang-forwarder");
    hd_json_cstr(&j, "version", hd_version);
    hd_json_i64(&j, "pid", uv_os_getpid());
    hd_json_time(&j, "started", program->started_ns, 3);
    hd_json_cstr(&j, "state", has_problem(program) ? "degraded" : "ok");
    hd_json_array(&j, "problems");
    each_problem(program, put_problem, &j);
    hd_json_end(&j, ']');
    hd_buf_str(out, ",\"destinations\":[");
    for (size_t i = 0; i < program->n_destinations; i++) {
        hd_buf_str(out, i == 0 ? "" : ",");
        fwd_destination_status(program->destinations[i], out);
    }
    hd_buf_byte(out, ']');
    if (program->stamps != NULL) {
        fwd_stamps_status(program->stamps, &j);
    }
    hd_keep_status(program->keep, &j);
    hd_json_end(&j, '}');
}

/* ---- start ---- */

static int exit_of(int err)
{
    return err == HD_ENOMEM ? HD_EXIT_RUNTIME : HD_EXIT_STORE;
}

static int in_state_dir(const struct fwd_program *program, const char *name,
                        char path[PATH_MAX], char why[256])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", program->conf->state_dir, name);
    if (n < 0 || n >= PATH_MAX) {
        (void)snprintf(why, 256, "state_dir is too long");
        return HD_EXIT_CONFIG;
    }
    return HD_EXIT_OK;
}

static int open_key(struct fwd_program *program, char why[256])
{
    char made[PATH_MAX];
    int code = in_state_dir(program, "seal.key", made, why);
    if (code != HD_EXIT_OK) {
        return code;
    }
    const char *given = program->conf->seal_key;
    const char *path = given == NULL ? made : given;
    int err = hd_fs_mkdirs(program->conf->state_dir, STATE_MODE);
    err = err == HD_OK ? hd_sign_key_ensure(path, &program->seal_key) : err;
    if (err != HD_OK) {
        (void)snprintf(why, 256, "seal_key %.180s cannot be used: %s", path,
                       hd_err_text(err));
    }
    return err == HD_OK ? HD_EXIT_OK : exit_of(err);
}

static int open_receipts(struct fwd_program *program, char why[256])
{
    char dir[PATH_MAX];
    const struct fwd_conf *conf = program->conf;
    int code = in_state_dir(program, RECEIPTS, dir, why);
    if (code != HD_EXIT_OK) {
        return code;
    }
    const struct fwd_receipts_opts opts = {
        .journal = {.dir = dir,
                    .segment_ns = conf->receipts.segment_age,
                    .retain_ns = conf->receipts.keep,
                    .max_bytes = conf->receipts.max_bytes,
                    .reserve_bytes = conf->receipts.reserve,
                    .seal_key = program->seal_key,
                    .keys = program->keys,
                    .key = program->receipts_key},
        .loop = program->loop,
    };
    int err = fwd_receipts_open(&opts, &program->receipts, why);
    program->n_open += err == HD_OK ? 1 : 0;
    return err == HD_OK ? HD_EXIT_OK : exit_of(err);
}

static void part_gone(void *ctx)
{
    struct fwd_program *program = ctx;
    if (--program->n_open == 0) {
        hd_sign_key_free(program->seal_key);
        hd_journal_keys_free(program->keys);
        free(program->destinations);
        free(program);
    }
}

/* Takes the setups that it uses: they become NULL. */
static int open_destinations(struct fwd_program *program, struct fwd_setup **setups,
                             char why[256])
{
    const struct fwd_destination_opts opts = {.loop = program->loop,
                                              .alerts_dir = program->conf->alerts,
                                              .keys = program->keys,
                                              .http = program->http,
                                              .receipts = program->receipts,
                                              .freed = part_gone,
                                              .ctx = program};
    for (size_t i = 0; i < program->conf->n_destinations; i++) {
        struct fwd_setup *setup = setups[i];
        const struct fwd_profile_info *info = fwd_profile_info(setup->profile);
        HD_LOG(INFO, MODULE, "destination", HD_KV_STR("name", setup->conf->name),
               HD_KV_STR("url", setup->url), HD_KV_STR("profile", info->name),
               HD_KV_STR("profile_status", fwd_profile_status_name(info->status)),
               HD_KV_STR("schema_sha256", info->schema_sha256));
        setups[i] = NULL;
        int err = fwd_destination_open(&opts, setup, &program->destinations[i], why);
        if (err != HD_OK) {
            return exit_of(err);
        }
        program->n_destinations++;
        program->n_open++;
    }
    return HD_EXIT_OK;
}

/* What is done with receipts that are sealed. */
static int open_keep(struct fwd_program *program, char why[256])
{
    char dir[PATH_MAX];
    int code = in_state_dir(program, RECEIPTS, dir, why);
    if (code != HD_EXIT_OK) {
        return code;
    }
    const struct hd_keep_opts opts = {.loop = program->loop,
                                      .stamps = &program->conf->timestamps,
                                      .mirror = &program->conf->mirror,
                                      .key = program->seal_key,
                                      .journals = {{.name = RECEIPTS, .dir = dir}},
                                      .n_journals = 1,
                                      .closed = part_gone,
                                      .ctx = program};
    int err = hd_keep_open(&opts, &program->keep);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "mirror.dir: %s", hd_err_text(err));
        return err == HD_ENOMEM ? HD_EXIT_RUNTIME : HD_EXIT_CONFIG;
    }
    program->n_open++;
    hd_keep_run(program->keep);
    return HD_EXIT_OK;
}

static int open_stamps(struct fwd_program *program, char why[256])
{
    char own[PATH_MAX];
    int code = in_state_dir(program, RECEIPTS "/" HD_STAMP_DIR, own, why);
    const struct fwd_stamps_opts opts = {.loop = program->loop,
                                         .http = program->http,
                                         .conf = &program->conf->timestamp,
                                         .own_dir = own,
                                         .freed = part_gone,
                                         .ctx = program};
    if (code != HD_EXIT_OK || opts.conf->url == NULL) {
        return code;
    }
    int err = fwd_stamps_open(&opts, &program->stamps);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "timestamp.ca %.180s: %s", opts.conf->ca,
                       hd_err_text(err));
        return HD_EXIT_CERT;
    }
    program->n_open++;
    return HD_EXIT_OK;
}

static int open_status(struct fwd_program *program, char why[256])
{
    const struct hd_metrics_server_opts opts = {.listen = program->conf->status,
                                                .table = fwd_metrics,
                                                .table_len = fwd_metrics_count,
                                                .refresh = refresh,
                                                .status = status,
                                                .ctx = program};
    int err = hd_metrics_serve(program->loop, &opts, &program->server);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "status %.180s: %s", program->conf->status,
                       hd_err_text(err));
        return HD_EXIT_BIND;
    }
    return HD_EXIT_OK;
}

static int open_all(struct fwd_program *program, struct fwd_setup **setups, char why[256])
{
    int code = open_key(program, why);
    if (code == HD_EXIT_OK) {
        code = load_keys(program->conf, &program->keys, &program->receipts_key, why);
    }
    if (code == HD_EXIT_OK) {
        code = open_receipts(program, why);
    }
    if (code == HD_EXIT_OK && fwd_http_open(program->loop, &program->http) != HD_OK) {
        (void)snprintf(why, 256, "%s", hd_err_text(HD_ENOMEM));
        code = HD_EXIT_RUNTIME;
    }
    if (code == HD_EXIT_OK) {
        code = open_destinations(program, setups, why);
    }
    code = code == HD_EXIT_OK ? open_keep(program, why) : code;
    code = code == HD_EXIT_OK ? open_stamps(program, why) : code;
    return code == HD_EXIT_OK ? open_status(program, why) : code;
}

int fwd_program_start(uv_loop_t *loop, const struct fwd_conf *conf,
                      struct fwd_program **out)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct fwd_program *program = calloc(1, sizeof(*program));
    struct fwd_setup **setups = calloc(conf->n_destinations + 1, sizeof(*setups));
    if (program != NULL) {
        program->destinations =
            calloc(conf->n_destinations + 1, sizeof(*program->destinations));
    }
    if (program == NULL || setups == NULL || program->destinations == NULL) {
        HD_LOG(ERROR, MODULE, "cannot start", HD_KV_ERR(HD_ENOMEM));
        free(setups);
        free(program);
        return HD_EXIT_RUNTIME;
    }
    program->conf = conf;
    program->loop = loop;
    program->n_open = 1;
    program->started_ns = hd_clock_wall_ns();
    char why[256] = "";
    int code = load_setups(conf, &diags, setups);
    if (code == HD_EXIT_OK) {
        code = open_all(program, setups, why);
    }
    free_setups(setups, conf->n_destinations);
    if (code != HD_EXIT_OK) {
        if (why[0] != '\0') {
            HD_LOG(ERROR, MODULE, "cannot start", HD_KV_STR("why", why));
        }
        fwd_program_stop(program);
        return code;
    }
    *out = program;
    return HD_EXIT_OK;
}

/* ---- reload ---- */

void fwd_program_reload(struct fwd_program *program)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    for (size_t i = 0; i < program->n_destinations; i++) {
        const struct fwd_conf_destination *conf = &program->conf->destinations[i];
        struct fwd_setup *setup = NULL;
        if (fwd_setup_load(program->conf, conf, &diags, &setup) == HD_EXIT_OK) {
            fwd_destination_reload(program->destinations[i], setup);
            HD_LOG(INFO, MODULE, "reloaded", HD_KV_STR("destination", conf->name));
        } else {
            HD_LOG(ERROR, MODULE, "not reloaded: it goes on as before",
                   HD_KV_STR("destination", conf->name));
        }
    }
    if (program->stamps != NULL) {
        fwd_stamps_reload(program->stamps);
    }
}

/* ---- stop ---- */

void fwd_program_stop(struct fwd_program *program)
{
    if (program->server != NULL) {
        hd_metrics_server_close(program->server);
    }
    for (size_t i = 0; i < program->n_destinations; i++) {
        fwd_destination_close(program->destinations[i]);
    }
    if (program->stamps != NULL) {
        fwd_stamps_close(program->stamps);
    }
    hd_keep_close(program->keep);
    if (program->http != NULL) {
        fwd_http_close(program->http);
    }
    if (program->receipts != NULL) {
        fwd_receipts_close(program->receipts, part_gone, program);
    }
    part_gone(program);
}
