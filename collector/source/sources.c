/* SPDX-License-Identifier: Apache-2.0
 *
 * After a pause sources take turns: one is resumed, has an iteration of the loop to be
 * served, then the next one is, until all read again or the sink is full. It is always
 * the one whose turn was the longest ago; a turn that others have cut short is none. Were
 * all resumed together, the one that the loop serves first, say a file that is written to
 * without end, would fill the sink each time, and the others would never be read. Streams
 * that are held back while others go on keep their places.
 */
#include "collector/source/sources.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/loop.h>

/* Of the loop, from a resume until it has been served for sure: what is resumed in the
 * idle phase may begin to read in the iteration after this one. */
#define ITERATIONS 2U

struct col_sources {
    struct hd_owner owner;
    uv_idle_t step; /* runs while sources wait for their turns */
    struct col_source *list[COL_SOURCES_MAX];
    bool is_reading[COL_SOURCES_MAX];
    size_t n, open;
    uint64_t served[COL_SOURCES_MAX]; /* number of the last turn */
    uint64_t turns;                   /* how many there were */
    uint64_t before;                  /* of the one whose turn it is: the turn before */
    size_t current;                   /* whose turn it is */
    unsigned window;                  /* iterations that it still has */
    size_t draining;                  /* not yet drained */
    bool is_paused, is_held, is_closing;
    struct col_source_stats
        last; /* is_closing: as it was then; sources free themselves */
    void (*drained)(void *ctx);
    void *drained_ctx;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* The registry. */
static const struct {
    enum col_kind kind;
    col_source_open *open;
} kinds[] = {
    {COL_KIND_FILE, col_file_open},      {COL_KIND_SYSLOG_UDP, col_udp_open},
    {COL_KIND_SYSLOG_TCP, col_tcp_open}, {COL_KIND_SYSLOG_TLS, col_tcp_open},
    {COL_KIND_STDIN, col_stdin_open},    {COL_KIND_PACKET, col_capture_open},
};

static col_source_open *find_open(int kind)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((int)kinds[i].kind == kind) {
            return kinds[i].open;
        }
    }
    return NULL;
}

static int open_one(struct col_sources *s, const struct col_source_env *env,
                    const struct col_conf_source *conf, char why[256])
{
    char reason[256] = "";
    col_source_open *open = find_open(conf->kind);
    int err = open == NULL ? HD_EUNSUPPORTED : open(env, conf, &s->list[s->n], reason);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "source %zu (%s): %.200s", s->n,
                       col_kind_name(conf->kind),
                       reason[0] != '\0' ? reason : hd_err_text(err));
        return err;
    }
    s->is_reading[s->n] = true;
    s->n++;
    s->open++;
    return HD_OK;
}

static void sources_freed(void *ctx)
{
    struct col_sources *s = ctx;
    void (*closed)(void *) = s->closed;
    void *closed_ctx = s->closed_ctx;
    free(s);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

int col_sources_open(const struct col_source_env *env, const struct col_conf *conf,
                     struct col_sources **out, char why[256])
{
    struct col_sources *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return HD_ENOMEM;
    }
    hd_owner_init(&s->owner, sources_freed, s);
    (void)uv_idle_init(env->loop, &s->step);
    hd_owner_add(&s->owner, (uv_handle_t *)&s->step);
    int err = HD_OK;
    for (size_t i = 0; err == HD_OK && i < conf->n_sources; i++) {
        err = open_one(s, env, &conf->sources[i], why);
    }
    if (err != HD_OK) {
        col_sources_close(s, NULL, NULL);
        return err;
    }
    *out = s;
    return HD_OK;
}

/* ---- pause, hold, turns ---- */

static bool may_read(const struct col_sources *s, size_t i)
{
    return !s->is_paused && !(s->is_held && s->list[i]->ops->is_stream);
}

static size_t count_reading(const struct col_sources *s, bool is_of_streams)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        n += s->is_reading[i] && (!is_of_streams || s->list[i]->ops->is_stream);
    }
    return n;
}

/* Who is stopped amid its turn has had none, unless it filled the sink by itself. */
static void end_turn(struct col_sources *s, bool is_of_streams)
{
    if (s->window == 0 || count_reading(s, is_of_streams) < 2) {
        return;
    }
    if (s->is_reading[s->current] && !may_read(s, s->current)) {
        s->served[s->current] = s->before;
        s->window = 0;
    }
}

static void stop_reading(struct col_sources *s, bool is_of_streams)
{
    end_turn(s, is_of_streams);
    for (size_t i = 0; i < s->n; i++) {
        if (s->is_reading[i] && !may_read(s, i)) {
            s->is_reading[i] = false;
            s->list[i]->ops->pause(s->list[i]);
        }
    }
}

/* Who has waited longest; s->n: nobody waits who may read. */
static size_t find_next(const struct col_sources *s)
{
    size_t next = s->n;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->is_reading[i] && may_read(s, i) &&
            (next == s->n || s->served[i] < s->served[next])) {
            next = i;
        }
    }
    return next;
}

static void resume_next(struct col_sources *s)
{
    size_t next = find_next(s);
    if (next == s->n) {
        (void)uv_idle_stop(&s->step);
        return;
    }
    s->current = next;
    s->before = s->served[next];
    s->served[next] = ++s->turns;
    s->window = ITERATIONS;
    s->is_reading[next] = true;
    s->list[next]->ops->resume(s->list[next]); /* it may fill the sink at once */
}

static void on_step(uv_idle_t *idle)
{
    struct col_sources *s = HD_CONTAINER(idle, struct col_sources, step);
    s->window -= s->window > 0;
    if (s->window == 0) {
        resume_next(s);
    }
}

static void start_turns(struct col_sources *s)
{
    bool is_running = uv_is_active((const uv_handle_t *)&s->step);
    if (!is_running && find_next(s) < s->n) {
        (void)uv_idle_start(&s->step, on_step);
        resume_next(s);
    }
}

void col_sources_pause(struct col_sources *s)
{
    s->is_paused = true;
    (void)uv_idle_stop(&s->step);
    stop_reading(s, false);
    s->window = 0;
}

void col_sources_resume(struct col_sources *s)
{
    s->is_paused = false;
    start_turns(s);
}

void col_sources_hold(struct col_sources *s)
{
    s->is_held = true;
    stop_reading(s, true);
}

void col_sources_release(struct col_sources *s)
{
    s->is_held = false;
    start_turns(s);
}

void col_sources_reload(struct col_sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i]->ops->reload != NULL) {
            s->list[i]->ops->reload(s->list[i]);
        }
    }
}

static void one_drained(void *ctx)
{
    struct col_sources *s = ctx;
    if (--s->draining == 0) {
        s->drained(s->drained_ctx);
    }
}

void col_sources_drain(struct col_sources *s, void (*drained)(void *ctx), void *ctx)
{
    s->drained = drained;
    s->drained_ctx = ctx;
    s->draining = 1; /* until all were told */
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i]->ops->drain != NULL) {
            s->draining++;
            s->list[i]->ops->drain(s->list[i], one_drained, s);
        }
    }
    one_drained(s);
}

static void finish_close(struct col_sources *s)
{
    hd_owner_close(&s->owner, (uv_handle_t *)&s->step);
    hd_owner_finish(&s->owner);
}

static void one_closed(void *ctx)
{
    struct col_sources *s = ctx;
    if (--s->open == 0) {
        finish_close(s);
    }
}

void col_sources_close(struct col_sources *s, void (*closed)(void *ctx), void *ctx)
{
    size_t n = s->n;
    col_sources_stats(s, &s->last);
    s->is_closing = true;
    (void)uv_idle_stop(&s->step);
    s->closed = closed;
    s->closed_ctx = ctx;
    if (n == 0) {
        finish_close(s);
        return;
    }
    s->open++; /* holds `s` until all were told */
    for (size_t i = 0; i < n; i++) {
        s->list[i]->ops->close(s->list[i], one_closed, s);
    }
    one_closed(s);
}

void col_sources_stats(const struct col_sources *s, struct col_source_stats *out)
{
    *out = s->last;
    for (size_t i = 0; i < s->n && !s->is_closing; i++) {
        struct col_source_stats one;
        s->list[i]->ops->stats(s->list[i], &one);
        out->lines += one.lines;
        out->bytes += one.bytes;
        out->dropped += one.dropped;
        out->truncated += one.truncated;
    }
}

void col_sources_status(const struct col_sources *s, struct hd_json *json)
{
    hd_json_array(json, "sources");
    for (size_t i = 0; i < s->n; i++) {
        struct col_source_stats one;
        s->list[i]->ops->stats(s->list[i], &one);
        hd_json_object(json, NULL);
        hd_json_cstr(json, "kind", s->list[i]->ops->kind);
        hd_json_cstr(json, "name", s->list[i]->name);
        hd_json_u64(json, "lines", one.lines);
        hd_json_u64(json, "bytes", one.bytes);
        hd_json_u64(json, "dropped", one.dropped);
        hd_json_u64(json, "truncated", one.truncated);
        hd_json_u64(json, "passed_over", one.passed_over);
        hd_json_cstr(json, "state", one.state);
        hd_json_end(json, '}');
    }
    hd_json_end(json, ']');
}
