/* SPDX-License-Identifier: Apache-2.0
 *
 * /status and the gauges of /metrics (docs/architecture.md, "Status sockets").
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/json.h>
#include <haidang/log.h>
#include <haidang/main.h>

#include "correlator/metrics.h"
#include "correlator/program_core.h"
#include "rules/filter.h"

#define CERT_ALARM_DAYS 14
#define DAY_S           86400
#define SAY_AGAIN_NS    (60 * HD_NS_PER_SEC)

static uint64_t lag_bytes(const struct cor_program *p)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < p->n_detectors; i++) {
        bytes += cor_detector_lag_bytes(p->detectors[i]);
    }
    return bytes;
}

static uint64_t lag_ms(const struct cor_program *p)
{
    uint64_t worst = 0;
    for (unsigned i = 0; i < p->n_detectors; i++) {
        uint64_t one = cor_detector_lag_ms(p->detectors[i]);
        worst = one > worst ? one : worst;
    }
    return worst;
}

void cor_status_refresh(void *ctx)
{
    struct cor_program *p = ctx;
    cor_intake_refresh(p->intake);
    cor_watch_refresh(p->watch);
    hd_keep_refresh(p->keep, &cor_metrics[COR_M_KEEP]);
    COR_GAUGE(COR_M_FROZEN, hd_keep_frozen(p->keep));
    COR_GAUGE(COR_M_STAMPS_PENDING, hd_keep_stamps_pending(p->keep));
    cor_status_refresh_canaries(p);
    COR_GAUGE(COR_M_DETECT_LAG, lag_bytes(p));
    COR_GAUGE(COR_M_DETECT_LAG_MS, lag_ms(p));
    COR_GAUGE(COR_M_RULES, rul_set_count(p->loaded.set));
    for (unsigned i = 0; i < p->n_detectors; i++) {
        hd_metric_max(&cor_metrics[COR_M_HITS_QUEUE_HIGH],
                      cor_detector_queue_high(p->detectors[i]));
    }
    int64_t left_s = hd_tls_expires_in_s(p->tls);
    COR_GAUGE(COR_M_CERT_DAYS, left_s < 0 ? 0 : (uint64_t)(left_s / DAY_S));
}

void cor_status_sources(void *ctx, struct hd_buf *out)
{
    const struct cor_program *p = ctx;
    cor_watch_json(p->watch, out);
}

/* ---- problems ---- */

struct problems {
    void (*say)(void *ctx, const char *text);
    void *ctx;
    unsigned n;
};

static void say(void *ctx, const char *text)
{
    struct problems *out = ctx;
    out->say(out->ctx, text);
    out->n++;
}

static void say_f(struct problems *out, const char *fmt, ...) HD_PRINTF(2, 3);
static void say_f(struct problems *out, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    say(out, text);
}

static void find_problems(const struct cor_program *p, struct problems *out)
{
    cor_intake_problems(p->intake, say, out);
    int err = cor_state_trouble(p->state);
    if (err != HD_OK) {
        say_f(out, "%s (%s): detection waits", cor_state_trouble_with(p->state),
              hd_err_text(err));
    }
    if (COR_READ(COR_M_RULES_REFUSED) != 0) {
        say_f(out,
              "correlation could not take up the last reload: the rules before stay; "
              "see the log, and reload again or restart");
    }
    cor_stores_problems(&p->stores, say, out);
    hd_keep_problems(p->keep, say, out);
    err = cor_expire_trouble(p->expire);
    if (err != HD_OK) {
        say_f(out, "retention of the archive removes nothing (%s): see the log",
              hd_err_text(err));
    }
    cor_status_noisy(p, say, out);
    cor_status_overdue(p, say, out);
    uint64_t behind_s = lag_ms(p) / 1000;
    if ((int64_t)behind_s > p->conf->detect.lag_alarm / HD_NS_PER_SEC) {
        say_f(out, "detection is %" PRIu64 " s behind", behind_s);
    }
    int64_t left_s = hd_tls_expires_in_s(p->tls);
    if (left_s < 0) {
        say_f(out, "our certificate has expired %" PRId64 " days ago", -left_s / DAY_S);
    } else if (left_s < (int64_t)CERT_ALARM_DAYS * DAY_S) {
        say_f(out, "our certificate expires in %" PRId64 " days", left_s / DAY_S);
    }
}

static void to_json(void *ctx, const char *text)
{
    hd_json_cstr(ctx, NULL, text);
}

static void to_log(void *ctx, const char *text)
{
    (void)ctx;
    HD_LOG(WARN, "status", "problem", HD_KV_STR("what", text));
}

static void to_nobody(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

void cor_status_log(struct cor_program *p)
{
    struct problems count = {.say = to_nobody};
    int64_t now_ns = hd_clock_mono_ns();
    find_problems(p, &count);
    if (count.n > 0 && (p->problems == 0 || now_ns - p->problems_ns >= SAY_AGAIN_NS)) {
        p->problems_ns = now_ns;
        find_problems(p, &(struct problems){.say = to_log});
    } else if (count.n == 0 && p->problems > 0) {
        HD_LOG(INFO, "status", "no problems any more");
    }
    p->problems = count.n;
}

static unsigned put_problems(const struct cor_program *p, struct hd_json *j)
{
    struct problems out = {.say = to_json, .ctx = j};
    hd_json_array(j, "problems");
    find_problems(p, &out);
    hd_json_end(j, ']');
    return out.n;
}

/* ---- the whole ---- */

#define HELD_BACK_SHOWN 20U /* rules of one filter */

struct held_back {
    struct hd_json *j;
    unsigned n;
};

static void put_held_back(void *ctx, const struct rul_rule *rule, uint64_t hits)
{
    struct held_back *out = ctx;
    if (out->n++ < HELD_BACK_SHOWN) {
        hd_json_object(out->j, NULL);
        hd_json_cstr(out->j, "id", rule->id);
        hd_json_cstr(out->j, "title", rule->title);
        hd_json_u64(out->j, "held_back", hits);
        hd_json_end(out->j, '}');
    }
}

/* What filters hide from the analysts. */
static void put_filters(const struct rul_set *set, struct hd_json *j)
{
    hd_json_array(j, "filters");
    for (size_t i = 0; i < rul_set_filters(set); i++) {
        const struct rul_filter *filter = rul_set_filter(set, i);
        struct held_back out = {j, 0};
        hd_json_object(j, NULL);
        hd_json_cstr(j, "id", filter->id);
        hd_json_cstr(j, "title", filter->title);
        hd_json_u64(j, "rules", filter->n_rules);
        hd_json_u64(j, "held_back", rul_set_held_back(set, i));
        hd_json_array(j, "of");
        rul_set_each_held_back(set, i, put_held_back, &out);
        hd_json_end(j, ']');
        hd_json_u64(j, "of_rules", out.n);
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
}

/* Of the last 24 hours: kinds that lost something. */
static void put_losses(const struct cor_program *p, struct hd_json *j)
{
    hd_json_object(j, "losses");
    for (unsigned kind = 0; kind < HD_LOSS_KINDS; kind++) {
        uint64_t n = cor_losses_of_day(p->losses, (enum hd_loss_kind)kind);
        if (n > 0) {
            hd_json_u64(j, hd_loss_name((enum hd_loss_kind)kind), n);
        }
    }
    hd_json_end(j, '}');
}

static void put_detect(const struct cor_program *p, struct hd_json *j)
{
    hd_json_object(j, "detect");
    hd_json_u64(j, "lag_bytes", lag_bytes(p));
    hd_json_u64(j, "lag_ms", lag_ms(p));
    hd_json_u64(j, "lines", COR_READ(COR_M_DETECT_LINES));
    hd_json_u64(j, "events", COR_READ(COR_M_DETECT_EVENTS));
    hd_json_u64(j, "hits", COR_READ(COR_M_DETECT_HITS));
    hd_json_u64(j, "rate", p->detect_rate);
    hd_json_end(j, '}');
    hd_json_object(j, "rules");
    hd_json_u64(j, "count", rul_set_count(p->loaded.set));
    hd_json_u64(j, "left_out", rul_set_left_out(p->loaded.set));
    hd_json_time(j, "loaded", p->rules_loaded_ns, 3);
    hd_json_cstr(j, "hash", rul_set_hash(p->loaded.set));
    put_filters(p->loaded.set, j);
    hd_json_end(j, '}');
    hd_json_object(j, "alerts");
    /* a test is counted when it is made, and published a moment later */
    uint64_t all = COR_READ(COR_M_PUBLISHED), tests = COR_READ(COR_M_TEST_ALERTS);
    hd_json_u64(j, "published", all > tests ? all - tests : 0);
    hd_json_u64(j, "tests", tests);
    hd_json_u64(j, "suppressed", COR_READ(COR_M_SUPPRESSED));
    hd_json_u64(j, "throttled", COR_READ(COR_M_THROTTLED));
    hd_json_end(j, '}');
}

void cor_status_write(void *ctx, struct hd_buf *out)
{
    const struct cor_program *p = ctx;
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "program", "haidang-correlator");
    hd_json_cstr(&j, "version", hd_version);
    hd_json_u64(&j, "pid", (uint64_t)getpid());
    hd_json_time(&j, "started", p->started_ns, 3);
    unsigned problems = put_problems(p, &j);
    hd_json_cstr(&j, "state", problems == 0 ? "ok" : "degraded");
    cor_intake_status(p->intake, &j);
    cor_stores_json(&p->stores, &j);
    put_detect(p, &j);
    put_losses(p, &j);
    hd_keep_status(p->keep, &j);
    cor_status_canaries(p, &j);
    hd_json_end(&j, '}');
}
