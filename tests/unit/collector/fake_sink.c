/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collector/fake_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>

#define LATE_MS 120000 /* of a busy machine; only a failure takes so long */

static int fake_add(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
                    unsigned flags, struct hd_slice line)
{
    struct fake_sink *fake = ctx;
    assert_true(recv_ns > 0);
    if (fake->room == 0) {
        return HD_EFULL;
    }
    fake->room--;
    if (fake->n == fake->cap) {
        fake->cap = fake->cap == 0 ? 64 : fake->cap * 2;
        fake->lines = realloc(fake->lines, fake->cap * sizeof(*fake->lines));
        assert_non_null(fake->lines);
    }
    struct fake_line *l = &fake->lines[fake->n++];
    *l = (struct fake_line){.at = fake->text.len, .len = line.len, .flags = flags};
    size_t from = source->name.len < sizeof(l->source) ? 0 : source->name.len - 60;
    (void)snprintf(l->source, sizeof(l->source), "%.*s",
                   HD_SLICE_FMT(hd_slice_from(source->name, from)));
    (void)snprintf(l->peer, sizeof(l->peer), "%.*s", HD_SLICE_FMT(source->peer));
    hd_buf_slice_add(&fake->text, line);
    assert_int_equal(fake->text.err, 0);
    return HD_OK;
}

static struct fake_mark *find_mark(struct fake_sink *fake, struct hd_slice key)
{
    for (size_t i = 0; i < fake->n_marks; i++) {
        if (hd_slice_eq(hd_slice(fake->marks[i].key, fake->marks[i].key_len), key)) {
            return &fake->marks[i];
        }
    }
    return NULL;
}

static void fake_mark(void *ctx, struct hd_slice key, struct hd_slice mark)
{
    struct fake_sink *fake = ctx;
    struct fake_mark *m = find_mark(fake, key);
    if (m == NULL) {
        assert_true(fake->n_marks < FAKE_MARKS_MAX);
        m = &fake->marks[fake->n_marks++];
        *m = (struct fake_mark){.key_len = key.len};
        assert_true(key.len <= sizeof(m->key) && mark.len <= sizeof(m->latest));
        memcpy(m->key, key.ptr, key.len);
    }
    if (mark.len > 0) {
        memcpy(m->latest, mark.ptr, mark.len);
    }
    m->latest_len = mark.len;
    m->touched_s = fake->now_s;
    if (fake->commit_every > 0 && fake->n - fake->committed >= fake->commit_every) {
        fake_sink_commit(fake);
    }
}

static struct hd_slice fake_last_mark(void *ctx, struct hd_slice key)
{
    const struct fake_sink *fake = ctx;
    struct fake_mark *m = find_mark(ctx, key);
    if (m != NULL) {
        m->asked++;
        m->touched_s = fake->now_s;
    }
    return m == NULL ? HD_SLICE_EMPTY : hd_slice(m->latest, m->latest_len);
}

static int64_t fake_marked_s(void *ctx, struct hd_slice key)
{
    const struct fake_mark *m = find_mark(ctx, key);
    return m == NULL ? 0 : m->touched_s;
}

static void fake_each_mark(void *ctx, struct hd_slice prefix,
                           void (*each)(void *each_ctx, struct hd_slice key,
                                        struct hd_slice mark),
                           void *each_ctx)
{
    const struct fake_sink *fake = ctx;
    for (size_t i = 0; i < fake->n_marks; i++) {
        const struct fake_mark *m = &fake->marks[i];
        struct hd_slice key = hd_slice(m->key, m->key_len);
        if (m->durable_len > 0 && hd_slice_starts(key, prefix)) {
            each(each_ctx, key, hd_slice(m->durable, m->durable_len));
        }
    }
}

static void fake_lost(void *ctx, const struct hd_batch_source *source,
                      enum hd_loss_kind kind, uint64_t count, uint64_t bytes)
{
    struct fake_sink *fake = ctx;
    assert_true(source->kind.len > 0 && source->name.len > 0);
    fake->lost[kind] += count;
    fake->lost_bytes[kind] += bytes;
}

void fake_sink_init(struct fake_sink *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->sink = (struct col_sink){.add = fake_add,
                                   .add_stream = fake_add,
                                   .mark = fake_mark,
                                   .last_mark = fake_last_mark,
                                   .marked_s = fake_marked_s,
                                   .each_mark = fake_each_mark,
                                   .lost = fake_lost,
                                   .ctx = fake};
    fake->now_s = hd_clock_wall_ns() / HD_NS_PER_SEC;
    fake->room = SIZE_MAX;
    hd_buf_init(&fake->text, 0);
}

void fake_sink_fini(struct fake_sink *fake)
{
    hd_buf_fini(&fake->text);
    free(fake->lines);
}

void fake_sink_commit(struct fake_sink *fake)
{
    fake->committed = fake->n;
    for (size_t i = 0; i < fake->n_marks; i++) {
        struct fake_mark *m = &fake->marks[i];
        memcpy(m->durable, m->latest, sizeof(m->durable));
        m->durable_len = m->latest_len;
    }
}

void fake_sink_crash(struct fake_sink *fake)
{
    fake->n = fake->committed;
    for (size_t i = 0; i < fake->n_marks; i++) {
        struct fake_mark *m = &fake->marks[i];
        memcpy(m->latest, m->durable, sizeof(m->latest));
        m->latest_len = m->durable_len;
    }
}

struct hd_slice fake_sink_line(const struct fake_sink *fake, size_t i)
{
    assert_true(i < fake->n);
    return hd_slice(fake->text.ptr + fake->lines[i].at, fake->lines[i].len);
}

void fake_sink_expect(const struct fake_sink *fake, const char *const *lines, size_t n)
{
    for (size_t i = 0; i < fake->n && i < n; i++) {
        struct hd_slice got = fake_sink_line(fake, i);
        if (!hd_slice_eq(got, hd_slice_str(lines[i]))) {
            fail_msg("line %zu: got \"%.*s\", expected \"%s\"", i, HD_SLICE_FMT(got),
                     lines[i]);
        }
    }
    assert_int_equal(fake->n, n);
}

/* ---- environment ---- */

static void fake_at_end(void *ctx)
{
    struct fake_env *fe = ctx;
    fe->ended++;
}

void fake_env_init(struct fake_env *fe)
{
    memset(fe, 0, sizeof(*fe));
    fake_sink_init(&fe->sink);
    assert_int_equal(uv_loop_init(&fe->loop), 0);
    assert_int_equal(uv_timer_init(&fe->loop, &fe->guard), 0);
    fe->env = (struct col_source_env){.loop = &fe->loop,
                                      .sink = &fe->sink.sink,
                                      .host = HD_SLICE("testhost"),
                                      .line_max = 1000,
                                      .scratch = malloc(COL_SCRATCH_LEN),
                                      .at_end = fake_at_end,
                                      .ctx = fe};
    assert_non_null(fe->env.scratch);
}

void fake_env_fini(struct fake_env *fe)
{
    uv_close((uv_handle_t *)&fe->guard, NULL);
    assert_int_equal(uv_run(&fe->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fe->loop), 0);
    free(fe->env.scratch);
    fake_sink_fini(&fe->sink);
}

struct col_conf_source fake_conf(enum col_kind kind)
{
    return (struct col_conf_source){
        .kind = (int)kind,
        .format = (char *)(uintptr_t) "auto",
        .start = COL_START_BEGIN,
        .files_max = 64,
        .partial_timeout_ns = INT64_C(60000000000),
        .rotated_keep_ns = INT64_C(60000000000),
        .removed_after_ns = INT64_C(50000000),
        .tampering = true,
        .multiline = {.max_lines = 100, .timeout_ns = INT64_C(60000000000)},
        .receive_buffer = 1U << 20,
        .connections_max = 100};
}

void fake_env_open(struct fake_env *fe, col_source_open *open,
                   const struct col_conf_source *conf)
{
    char why[256] = "";
    int err = open(&fe->env, conf, &fe->source, why);
    if (err != HD_OK) {
        fail_msg("open: %s %s", hd_err_text(err), why);
    }
}

static void on_closed(void *ctx)
{
    struct fake_env *fe = ctx;
    fe->is_closed = true;
}

void fake_env_close(struct fake_env *fe)
{
    fe->is_closed = false;
    fe->source->ops->close(fe->source, on_closed, fe);
    while (!fe->is_closed) {
        (void)uv_run(&fe->loop, UV_RUN_ONCE);
    }
    fe->source = NULL;
}

static void on_guard(uv_timer_t *timer)
{
    struct fake_env *fe = timer->data;
    fe->is_late = true;
}

static void guard(struct fake_env *fe, uint64_t ms)
{
    fe->is_late = false;
    fe->guard.data = fe;
    uv_update_time(&fe->loop);
    (void)uv_timer_start(&fe->guard, on_guard, ms, 0);
}

void fake_env_wait(struct fake_env *fe, size_t lines)
{
    guard(fe, LATE_MS);
    while (fe->sink.n < lines && !fe->is_late) {
        (void)uv_run(&fe->loop, UV_RUN_ONCE);
    }
    if (fe->sink.n != lines) {
        fail_msg("%zu lines came, expected %zu", fe->sink.n, lines);
    }
    (void)uv_timer_stop(&fe->guard);
}

void fake_env_quiet(struct fake_env *fe, uint64_t ms)
{
    size_t before = fe->sink.n;
    guard(fe, ms);
    while (!fe->is_late) {
        (void)uv_run(&fe->loop, UV_RUN_ONCE);
    }
    assert_int_equal(fe->sink.n, before);
}
