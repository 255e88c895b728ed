/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/agent.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fill.h>
#include <haidang/fs.h>
#include <haidang/harden.h>
#include <haidang/json.h>
#include <haidang/log.h>
#include <haidang/main.h>
#include <haidang/num.h>
#include <haidang/tls.h>

#include "collector/intake/intake.h"
#include "collector/metrics.h"
#include "collector/source/sources.h"
#include "collector/source/zone.h"
#include "collector/uplink/uplink.h"

#define FILES_SPARE   256U        /* descriptors beside those of files and senders */
#define MMAP_BYTES    (128 << 10) /* larger blocks go back to the kernel when freed */
#define KEEP_BYTES    (512 << 10) /* free heap that is kept */
#define SPOOL_WARNING 80U         /* percent of spool_max */
#define SPOOL_ALARM   90U

enum phase {
    OPENING,
    RUNNING,
    DRAINING, /* senders were asked to end */
    CLOSING_SOURCES,
    FLUSHING,
    CLOSING_UPLINK,
    CLOSING_INTAKE
};

struct col_agent {
    const struct col_conf *conf;
    uv_loop_t *loop;
    enum phase phase;
    char name[HD_BATCH_NAME_MAX + 1];
    char host[HD_BATCH_NAME_MAX + 1];
    char zone[COL_ZONE_MAX];
    int64_t started_ns;
    uint8_t *scratch;
    struct col_source_env env;
    struct hd_journal_keys *keys; /* of the spool */
    struct col_intake *intake;
    struct col_uplink *uplink;
    struct col_sources *sources;
    struct hd_metrics_server *server;
    struct hd_fill spool_fill;
    size_t n_can_end, n_ended;
    bool is_end_wanted;
};

struct col_agent *col_agent_new(void)
{
    return calloc(1, sizeof(struct col_agent));
}

void col_agent_free(struct col_agent *agent)
{
    if (agent != NULL) {
        free(agent->scratch);
        hd_journal_keys_free(agent->keys);
        free(agent);
    }
}

/* ---- what the agent knows of itself ---- */

static uint64_t resident_bytes(void)
{
    struct hd_buf text;
    struct hd_slice rest, field;
    uint64_t pages = 0;
    hd_buf_init(&text, 256);
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        uint8_t *to = hd_buf_reserve(&text, 128);
        text.len = to == NULL ? 0 : fread(to, 1, 128, file);
        (void)fclose(file);
    }
    rest = hd_buf_slice(&text); /* "size resident shared ..." */
    if (!hd_slice_split(&rest, ' ', &field) || !hd_slice_split(&rest, ' ', &field) ||
        hd_num_u64(field, UINT64_MAX / 65536, &pages) != HD_OK) {
        pages = 0;
    }
    hd_buf_fini(&text);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_ms(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
           (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

static void add_stat(struct hd_wire_heartbeat *heartbeat, enum hd_wire_stat stat,
                     uint64_t value)
{
    heartbeat->stats[heartbeat->n++] = (struct hd_wire_stat_value){(uint16_t)stat, value};
}

static void report(void *ctx, struct hd_wire_heartbeat *heartbeat)
{
    struct col_agent *agent = ctx;
    struct col_intake_status intake;
    struct col_source_stats sources = {0};
    col_intake_status(agent->intake, &intake);
    if (agent->sources != NULL) {
        col_sources_stats(agent->sources, &sources);
    }
    heartbeat->n = 0;
    add_stat(heartbeat, HD_WIRE_STAT_WALL_NS, (uint64_t)hd_clock_wall_ns());
    add_stat(heartbeat, HD_WIRE_STAT_SPOOL_BYTES, intake.spool_bytes);
    add_stat(heartbeat, HD_WIRE_STAT_SPOOL_OLDEST_NS,
             (uint64_t)col_uplink_oldest_ns(agent->uplink));
    add_stat(heartbeat, HD_WIRE_STAT_LINES, sources.lines);
    add_stat(heartbeat, HD_WIRE_STAT_BYTES, sources.bytes);
    add_stat(heartbeat, HD_WIRE_STAT_DROPPED, sources.dropped);
    add_stat(heartbeat, HD_WIRE_STAT_TRUNCATED, sources.truncated);
    add_stat(heartbeat, HD_WIRE_STAT_RSS_BYTES, resident_bytes());
    add_stat(heartbeat, HD_WIRE_STAT_CPU_MS, cpu_ms());
    add_stat(heartbeat, HD_WIRE_STAT_LAST_SPOOLED, intake.last_spooled);
}

/* Of the spool as it is on disk: what is acknowledged goes a sealed file at a time. */
static void look_at_spool(struct col_agent *agent)
{
    struct col_intake_status intake;
    col_intake_status(agent->intake, &intake);
    if (hd_fill_look(&agent->spool_fill, intake.spool_bytes, agent->conf->spool_max,
                     hd_clock_mono_ns())) {
        bool has_room = agent->spool_fill.state == HD_FILL_ROOM;
        HD_LOG(WARN, "agent",
               has_room ? "the spool has room again" : "the spool is nearly full",
               HD_KV_UINT("bytes", intake.spool_bytes),
               HD_KV_UINT("spool_max", agent->conf->spool_max));
    }
}

static void write_problems(struct col_agent *agent, struct hd_json *json)
{
    struct col_intake_status intake;
    char text[256];
    col_intake_status(agent->intake, &intake);
    hd_json_array(json, "problems");
    if (intake.spool_err != HD_OK) {
        (void)snprintf(text, sizeof(text), "the spool takes nothing, sources wait: %s",
                       hd_err_text(intake.spool_err));
        hd_json_cstr(json, NULL, text);
    }
    if (agent->spool_fill.state != HD_FILL_ROOM) {
        struct hd_buf out = hd_buf_fixed(text, sizeof(text));
        hd_buf_str(&out, "the spool is nearly full: ");
        hd_fill_text(&agent->spool_fill, &out);
        hd_json_cstr(json, NULL, hd_buf_cstr(&out));
    }
    col_uplink_problems(agent->uplink, json);
    hd_json_end(json, ']');
}

static bool has_problems(struct col_agent *agent)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    struct hd_json json = hd_json(&text);
    write_problems(agent, &json);
    bool is_empty = hd_slice_find(hd_buf_slice(&text), HD_SLICE("[]")) != HD_NPOS;
    hd_buf_fini(&text);
    return !is_empty;
}

static void write_status(void *ctx, struct hd_buf *out)
{
    struct col_agent *agent = ctx;
    struct col_intake_status intake;
    struct col_feed_rest rest;
    struct hd_json json = hd_json(out);
    hd_json_object(&json, NULL);
    hd_json_cstr(&json, "program", "haidang-agent");
    hd_json_cstr(&json, "version", hd_version);
    hd_json_i64(&json, "pid", getpid());
    hd_json_time(&json, "started", agent->started_ns, 3);
    if (agent->phase == RUNNING) {
        look_at_spool(agent);
        col_intake_status(agent->intake, &intake);
        col_uplink_rest(agent->uplink, &rest);
        hd_json_cstr(&json, "state", has_problems(agent) ? "degraded" : "ok");
        write_problems(agent, &json);
        hd_json_cstr(&json, "agent", agent->name);
        hd_json_cstr(&json, "boot", intake.boot);
        hd_json_u64(&json, "last_spooled", intake.last_spooled);
        hd_json_u64(&json, "rss_bytes", resident_bytes());
        col_uplink_status(agent->uplink, &json);
        hd_json_object(&json, "spool");
        hd_json_u64(&json, "bytes", intake.spool_bytes);
        hd_json_u64(&json, "unacked_bytes", rest.bytes);
        hd_json_u64(&json, "entries", rest.entries);
        hd_json_u64(&json, "lines", rest.lines);
        hd_json_u64(&json, "pending_bytes", intake.pending_bytes);
        hd_json_end(&json, '}');
        col_sources_status(agent->sources, &json);
    }
    hd_json_end(&json, '}');
}

/* What is counted by others until it is asked for: the kernel, the spool. */
static void refresh(void *ctx)
{
    struct col_agent *agent = ctx;
    struct col_source_stats stats;
    struct col_feed_rest rest;
    if (agent->phase == RUNNING) {
        col_sources_stats(agent->sources, &stats);
        col_uplink_rest(agent->uplink, &rest);
        COL_SET(COL_UNACKED_BYTES, rest.bytes);
        COL_SET(COL_UNACKED_LINES, rest.lines);
    }
}

/* ---- closing ---- */

static void on_intake_closed(void *ctx)
{
    struct col_agent *agent = ctx;
    agent->intake = NULL;
    if (agent->server != NULL) {
        hd_metrics_server_close(agent->server);
        agent->server = NULL;
    }
}

static void on_uplink_closed(void *ctx)
{
    struct col_agent *agent = ctx;
    agent->uplink = NULL;
    agent->phase = CLOSING_INTAKE;
    if (agent->intake != NULL) {
        col_intake_close(agent->intake, on_intake_closed, agent);
    }
}

/* What the sources left behind is durable, or the disk does not take it. */
static void close_uplink_when_flushed(struct col_agent *agent)
{
    struct col_intake_status status;
    if (agent->phase != FLUSHING) {
        return;
    }
    if (agent->intake != NULL) {
        col_intake_status(agent->intake, &status);
        if (!col_intake_is_idle(agent->intake) && status.spool_err == HD_OK) {
            return;
        }
    }
    agent->phase = CLOSING_UPLINK;
    if (agent->uplink != NULL) {
        col_uplink_close(agent->uplink, on_uplink_closed, agent);
    } else {
        on_uplink_closed(agent);
    }
}

static void on_sources_closed(void *ctx)
{
    struct col_agent *agent = ctx;
    agent->sources = NULL;
    agent->phase = FLUSHING;
    if (agent->intake != NULL) {
        col_intake_report(agent->intake);
        col_intake_flush(agent->intake);
    }
    close_uplink_when_flushed(agent);
}

static void on_drained(void *ctx)
{
    struct col_agent *agent = ctx;
    agent->phase = CLOSING_SOURCES;
    col_sources_close(agent->sources, on_sources_closed, agent);
}

void col_agent_stop(void *ctx)
{
    struct col_agent *agent = ctx;
    if (agent->phase > RUNNING) {
        return;
    }
    agent->phase = DRAINING;
    if (agent->sources != NULL) {
        col_sources_drain(agent->sources, on_drained, agent);
    } else {
        on_sources_closed(agent);
    }
}

/* All input has ended (standard input, capture files) and is acknowledged. */
static void stop_at_end(struct col_agent *agent)
{
    if (agent->phase != RUNNING || !agent->is_end_wanted ||
        agent->n_ended < agent->n_can_end) {
        return;
    }
    col_intake_report(agent->intake);
    col_intake_flush(agent->intake);
    if (col_intake_is_idle(agent->intake) && col_uplink_is_drained(agent->uplink)) {
        HD_LOG(INFO, "agent", "all input has ended and is acknowledged");
        col_agent_stop(agent);
    }
}

/* ---- between the parts ---- */

static void on_spooled(void *ctx)
{
    struct col_agent *agent = ctx;
    look_at_spool(agent);
    if (agent->uplink != NULL && agent->phase < CLOSING_UPLINK) {
        col_uplink_kick(agent->uplink);
    }
    close_uplink_when_flushed(agent);
}

static bool has_sources(const struct col_agent *agent)
{
    return agent->phase == RUNNING || agent->phase == DRAINING;
}

static void on_full(void *ctx)
{
    struct col_agent *agent = ctx;
    if (has_sources(agent)) {
        col_sources_pause(agent->sources);
    }
    close_uplink_when_flushed(agent);
}

static void on_room(void *ctx)
{
    struct col_agent *agent = ctx;
    if (has_sources(agent)) {
        col_sources_resume(agent->sources);
    }
}

static void on_hold(void *ctx)
{
    struct col_agent *agent = ctx;
    if (has_sources(agent)) {
        col_sources_hold(agent->sources);
    }
}

static void on_release(void *ctx)
{
    struct col_agent *agent = ctx;
    if (has_sources(agent)) {
        col_sources_release(agent->sources);
    }
}

static void on_acked(void *ctx)
{
    stop_at_end(ctx);
}

static void at_end(void *ctx)
{
    struct col_agent *agent = ctx;
    agent->n_ended++;
    stop_at_end(agent);
}

static const struct col_intake_ops intake_ops = {.on_spooled = on_spooled,
                                                 .on_full = on_full,
                                                 .on_room = on_room,
                                                 .on_hold = on_hold,
                                                 .on_release = on_release};
static const struct col_uplink_ops uplink_ops = {.report = report, .on_acked = on_acked};

/* ---- start ---- */

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool find_name(const struct col_conf *conf, char name[HD_BATCH_NAME_MAX + 1])
{
    if (is_set(conf->agent)) {
        (void)snprintf(name, HD_BATCH_NAME_MAX + 1, "%s", conf->agent);
        return true;
    }
    name[HD_BATCH_NAME_MAX] = '\0';
    return gethostname(name, HD_BATCH_NAME_MAX) == 0 && name[0] != '\0';
}

static int name_agent(struct col_agent *agent)
{
    const struct col_conf *conf = agent->conf;
    if (!find_name(conf, agent->name)) {
        HD_LOG(ERROR, "agent", "this server has no host name: set `agent`");
        return HD_EXIT_CONFIG;
    }
    (void)snprintf(agent->host, sizeof(agent->host), "%s",
                   is_set(conf->host) ? conf->host : agent->name);
    return HD_EXIT_OK;
}

/* Files and senders each need a descriptor; the hard limit is ours to use. */
static void raise_file_limit(const struct col_conf *conf)
{
    struct rlimit limit;
    rlim_t want = FILES_SPARE;
    for (size_t i = 0; i < conf->n_sources; i++) {
        const struct col_conf_source *source = &conf->sources[i];
        want += (rlim_t)(source->kind == COL_KIND_FILE ? source->files_max
                                                       : source->connections_max);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want) {
        return;
    }
    limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want) {
        HD_LOG(WARN, "agent",
               "fewer descriptors than files_max and connections_max may need: raise "
               "LimitNOFILE",
               HD_KV_UINT("wanted", want), HD_KV_UINT("allowed", limit.rlim_cur));
    }
}

static int fail(const char *what, const char *why, int err, int exit_code)
{
    HD_LOG(ERROR, "agent", what, HD_KV_STR("why", why), HD_KV_ERR(err));
    return exit_code;
}

static int exit_code_of(int err)
{
    switch (err) {
    case HD_ETLS:
        return HD_EXIT_CERT;
    case HD_EACCES:
    case HD_EBUSY:
        return HD_EXIT_BIND;
    case HD_EINVAL:
    case HD_EUNSUPPORTED:
    case HD_ENOENT:
        return HD_EXIT_CONFIG;
    default:
        return HD_EXIT_RUNTIME;
    }
}

static int open_keys(const struct col_conf *conf, struct hd_journal_keys **keys,
                     const struct hd_journal_key **spool, char why[256])
{
    struct hd_journal_key_use use = {.setting = "spool_encryption_key",
                                     .where = conf->spool_encryption_key};
    int err = hd_journal_keys_open(conf->journal_keys, &use, 1, keys, why);
    *spool = use.key;
    return err;
}

static int open_store(struct col_agent *agent)
{
    char why[256] = "";
    const struct hd_journal_key *key = NULL;
    int err = open_keys(agent->conf, &agent->keys, &key, why);
    if (err != HD_OK) {
        return fail("a key of the spool cannot be used", why, err, HD_EXIT_CERT);
    }
    err = col_intake_open(&(struct col_intake_opts){.loop = agent->loop,
                                                    .conf = agent->conf,
                                                    .agent = agent->name,
                                                    .keys = agent->keys,
                                                    .key = key,
                                                    .ops = &intake_ops,
                                                    .ctx = agent},
                          &agent->intake, why);
    return err == HD_OK ? HD_EXIT_OK
                        : fail("the spool cannot be opened", why, err, HD_EXIT_STORE);
}

static int open_uplink(struct col_agent *agent)
{
    char why[256] = "";
    int err = col_uplink_open(&(struct col_uplink_opts){.loop = agent->loop,
                                                        .conf = &agent->conf->uplink,
                                                        .agent = agent->name,
                                                        .intake = agent->intake,
                                                        .ops = &uplink_ops,
                                                        .ctx = agent},
                              &agent->uplink, why);
    return err == HD_OK ? HD_EXIT_OK
                        : fail("the uplink cannot be started", why, err, HD_EXIT_CERT);
}

static int open_sources(struct col_agent *agent)
{
    char why[256] = "";
    for (size_t i = 0; i < agent->conf->n_sources; i++) {
        const struct col_conf_source *source = &agent->conf->sources[i];
        agent->n_can_end +=
            source->kind == COL_KIND_STDIN ||
            (source->kind == COL_KIND_PACKET && is_set(source->packet.file));
        agent->is_end_wanted = agent->is_end_wanted || source->exit_at_eof;
    }
    col_zone_own(agent->zone);
    agent->env = (struct col_source_env){.loop = agent->loop,
                                         .sink = col_intake_sink(agent->intake),
                                         .host = hd_slice_str(agent->host),
                                         .zone = hd_slice_str(agent->zone),
                                         .line_max = (size_t)agent->conf->line_max,
                                         .scratch = agent->scratch,
                                         .at_end = at_end,
                                         .ctx = agent};
    int err = col_sources_open(&agent->env, agent->conf, &agent->sources, why);
    if (err != HD_OK) {
        return fail("a source cannot be opened", why, err, exit_code_of(err));
    }
    err = col_intake_settle(agent->intake);
    return err == HD_OK ? HD_EXIT_OK
                        : fail("the state file cannot be written", agent->conf->state_dir,
                               err, HD_EXIT_STORE);
}

static int open_status(struct col_agent *agent)
{
    int err =
        hd_metrics_serve(agent->loop,
                         &(struct hd_metrics_server_opts){.listen = agent->conf->status,
                                                          .table = col_metrics,
                                                          .table_len = col_metrics_count,
                                                          .refresh = refresh,
                                                          .status = write_status,
                                                          .ctx = agent},
                         &agent->server);
    return err == HD_OK ? HD_EXIT_OK
                        : fail("the status address cannot be had (key status)",
                               agent->conf->status, err, HD_EXIT_BIND);
}

int col_agent_start(void *ctx, uv_loop_t *loop, const void *conf)
{
    struct col_agent *agent = ctx;
    agent->conf = conf;
    agent->loop = loop;
    agent->started_ns = hd_clock_wall_ns();
    /* an agent stays small: give large blocks back instead of keeping them for later */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
    agent->scratch = malloc(COL_SCRATCH_LEN);
    hd_fill_init(&agent->spool_fill, SPOOL_WARNING, SPOOL_ALARM);
    int code = agent->scratch == NULL ? HD_EXIT_RUNTIME : name_agent(agent);
    raise_file_limit(agent->conf);
    code = code == HD_EXIT_OK ? open_store(agent) : code;
    code = code == HD_EXIT_OK ? open_sources(agent) : code;
    code = code == HD_EXIT_OK ? open_status(agent) : code;
    code = code == HD_EXIT_OK ? open_uplink(agent) : code;
    if (code == HD_EXIT_OK && hd_harden_process() != HD_OK) {
        code = fail("privilege cannot be given up", "prctl", HD_EACCES, HD_EXIT_RUNTIME);
    }
    if (code != HD_EXIT_OK) {
        /* to the end: the disk thread must not outlive the loop */
        col_agent_stop(agent);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        return code;
    }
    agent->phase = RUNNING;
    HD_LOG(INFO, "agent", "running", HD_KV_STR("agent", agent->name),
           HD_KV_UINT("sources", agent->conf->n_sources));
    stop_at_end(agent);
    return HD_EXIT_OK;
}

void col_agent_reload(void *ctx)
{
    struct col_agent *agent = ctx;
    if (agent->phase == RUNNING) {
        HD_LOG(INFO, "agent",
               "reading certificates again; other changes of the "
               "configuration need a restart");
        col_uplink_reload(agent->uplink);
        col_sources_reload(agent->sources);
    }
}

/* ---- --check ---- */

/* The correlator would refuse it, again and again; here it is told once. */
static int check_own_name(const struct col_conf *conf, const struct hd_tls *tls,
                          struct hd_diags *diags)
{
    char name[HD_BATCH_NAME_MAX + 1];
    char cn[HD_TLS_NAME_MAX];
    hd_tls_own_cn(tls, cn);
    if (!find_name(conf, name) || strcmp(name, cn) == 0) {
        return HD_EXIT_OK;
    }
    hd_diag_error(diags, NULL, 0, 0,
                  "uplink.tls: certificate %s: is for \"%s\", but this agent is \"%s\" "
                  "(key agent, or the host name)",
                  conf->uplink.tls.cert, cn, name);
    return HD_EXIT_CERT;
}

/* `conf`: of which the certificate's name must be the agent's; NULL = any name. */
static int check_tls(enum hd_tls_role role, const struct col_conf_tls *tls,
                     bool client_cert, const char *where, struct hd_diags *diags,
                     const struct col_conf *conf)
{
    struct hd_tls *made = NULL;
    char why[256] = "";
    int err = hd_tls_new(&(struct hd_tls_opts){.role = role,
                                               .cert_file = tls->cert,
                                               .key_file = tls->key,
                                               .ca_file = tls->ca,
                                               .crl_file = tls->crl,
                                               .require_client_cert = client_cert},
                         &made, why);
    if (err != HD_OK) {
        hd_diag_error(diags, NULL, 0, 0, "%s: %s", where, why);
        return HD_EXIT_CERT;
    }
    int code = conf == NULL ? HD_EXIT_OK : check_own_name(conf, made, diags);
    hd_tls_free(made);
    return code;
}

static int check_keys(const struct col_conf *conf, struct hd_diags *diags)
{
    char why[256] = "";
    struct hd_journal_keys *keys = NULL;
    const struct hd_journal_key *key = NULL;
    int err = open_keys(conf, &keys, &key, why);
    hd_journal_keys_free(keys);
    if (err != HD_OK) {
        hd_diag_error(diags, NULL, 0, 0, "%s", why);
    }
    return err == HD_OK ? HD_EXIT_OK : HD_EXIT_CERT;
}

int col_agent_check(const void *ptr, struct hd_diags *diags)
{
    const struct col_conf *conf = ptr;
    int code =
        check_tls(HD_TLS_CLIENT, &conf->uplink.tls, false, "uplink.tls", diags, conf);
    for (size_t i = 0; i < conf->n_sources; i++) {
        const struct col_conf_source *source = &conf->sources[i];
        if (source->kind == COL_KIND_SYSLOG_TLS) {
            char where[64];
            (void)snprintf(where, sizeof(where), "sources[%zu].tls", i);
            int one = check_tls(HD_TLS_SERVER, &source->tls, source->client_cert, where,
                                diags, NULL);
            code = one != HD_EXIT_OK ? one : code;
        }
    }
    int keys = check_keys(conf, diags);
    return code == HD_EXIT_OK ? keys : code;
}
