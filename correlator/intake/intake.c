/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/intake/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/log.h>

#include "correlator/intake/intake_core.h"
#include "correlator/metrics.h"

#define TICK_MS       1000U
#define SAVE_TICKS    30U /* the table of agents is saved every so many seconds */
#define RATE_TICKS    5U
#define FULL_RETRY_MS 5000U /* then one batch shows whether the archive takes data */
#define CREDITS_MAX   (8U << 20)
#define CREDITS_MIN   (HD_WIRE_FRAME_MAX + 4U) /* one frame is always allowed */
#define SNAPSHOT_MAX  ((size_t)256 << 20)
#define SCRATCH_MAX   ((size_t)64 << 10)

/* ---- what sessions ask for ---- */

uint32_t cor_intake_credits(const struct cor_intake *in)
{
    uint64_t share = in->opts.memory / (in->n_active == 0 ? 1 : in->n_active);
    return share < CREDITS_MIN   ? CREDITS_MIN
           : share > CREDITS_MAX ? CREDITS_MAX
                                 : (uint32_t)share;
}

bool cor_intake_has_turn(const struct cor_session *s,
                         const struct cor_session_list *queue)
{
    const struct cor_intake *in = s->intake;
    bool is_first = TAILQ_EMPTY(queue) || (in->turn == s && in->turn_in == queue);
    return is_first && (queue != &in->for_more || TAILQ_EMPTY(&in->for_disk));
}

struct cor_session_list *cor_intake_disk_queue(const struct cor_session *s)
{
    bool has_none = s->agent->ledger.in_flight == 0;
    return has_none ? &s->intake->for_disk : &s->intake->for_more;
}

void cor_intake_took_turn(const struct cor_session *s)
{
    if (s->intake->turn == s) {
        s->intake->turn = NULL;
    }
}

bool cor_intake_reserve(struct cor_session *s, uint64_t bytes)
{
    struct cor_intake *in = s->intake;
    if (!cor_intake_has_turn(s, &in->for_memory) ||
        in->memory_used + bytes > in->opts.memory) {
        return false;
    }
    cor_intake_took_turn(s);
    in->memory_used += bytes;
    hd_metric_max(&cor_metrics[COR_M_MEMORY_HIGH], in->memory_used);
    return true;
}

void cor_intake_wait(struct cor_session *s, struct cor_session_list *queue)
{
    if (s->waits_in == NULL) {
        COR_COUNT(COR_M_WAITS, 1);
        s->waits_in = queue;
        TAILQ_INSERT_TAIL(queue, s, waiting);
        hd_stream_pause(s->stream);
    }
}

void cor_intake_stop_waiting(struct cor_session *s)
{
    if (s->waits_in != NULL) {
        TAILQ_REMOVE(s->waits_in, s, waiting);
        s->waits_in = NULL;
    }
}

/* In order of waiting, each for one turn, until the first for whom there is no room. */
static void wake(struct cor_intake *in, struct cor_session_list *queue)
{
    struct cor_session *s;
    bool is_room = true;
    while (is_room && !in->is_closing && (s = TAILQ_FIRST(queue)) != NULL) {
        cor_intake_stop_waiting(s);
        in->turn = s;
        in->turn_in = queue;
        if (!cor_session_go_on(s) && s->waits_in == queue && in->turn == s) {
            TAILQ_REMOVE(queue, s, waiting);
            TAILQ_INSERT_HEAD(queue, s, waiting);
            is_room = false;
        }
        in->turn = NULL;
    }
}

/* First those who may give memory back. */
static void wake_waiting(struct cor_intake *in)
{
    wake(in, &in->for_disk);
    wake(in, &in->for_more);
    wake(in, &in->for_memory);
}

/* Before the loop sleeps: one ACK a connection however many batches became durable. */
static void flush_acks(uv_prepare_t *prepare)
{
    struct cor_intake *in = HD_CONTAINER(prepare, struct cor_intake, acks_due);
    (void)uv_prepare_stop(prepare);
    struct cor_session *s;
    while ((s = TAILQ_FIRST(&in->acks)) != NULL) {
        TAILQ_REMOVE(&in->acks, s, acks);
        s->wants_ack = false;
        cor_session_ack(s);
    }
    wake_waiting(in); /* what led here may have made room */
}

void cor_intake_release(struct cor_intake *in, uint64_t bytes)
{
    in->memory_used -= bytes < in->memory_used ? bytes : in->memory_used;
    if (bytes > 0 && !TAILQ_EMPTY(&in->for_memory) && !in->is_closing) {
        (void)uv_prepare_start(&in->acks_due, flush_acks);
    }
}

void cor_intake_want_ack(struct cor_intake *in, struct cor_session *s)
{
    if (!s->wants_ack) {
        s->wants_ack = true;
        TAILQ_INSERT_TAIL(&in->acks, s, acks);
        (void)uv_prepare_start(&in->acks_due, flush_acks);
    }
}

/* ---- admission ---- */

static void take_deferred(struct cor_intake *in);

static void admission_timer(uv_timer_t *timer)
{
    take_deferred(HD_CONTAINER(timer, struct cor_intake, admission));
}

/* True: taken or refused; false: it has to wait in the backlog. */
static bool take_connection(struct cor_intake *in, uv_stream_t *server)
{
    if (in->n_sessions >= in->opts.agents_max) {
        COR_COUNT(COR_M_REFUSED, 1);
        HD_LOG(WARN, "intake", "too many connections: one was refused",
               HD_KV_UINT("max", in->opts.agents_max));
        hd_listener_refuse(server);
        return true;
    }
    if (cor_admit_take(&in->admit, uv_now(in->opts.loop))) {
        cor_session_accept(in, server);
        return true;
    }
    uint64_t wait_ms = cor_admit_wait_ms(&in->admit);
    if (wait_ms > 0 && !in->is_closing) {
        (void)uv_timer_start(&in->admission, admission_timer, wait_ms, 0);
    }
    return false;
}

/* Listeners take turns: a crowd at one must not keep others from being served. */
static void take_deferred(struct cor_intake *in)
{
    size_t first = in->next_listener;
    for (size_t i = 0; i < in->n_listeners && !in->is_closing; i++) {
        size_t at = (first + i) % in->n_listeners;
        uv_stream_t *server = in->listeners[at].deferred;
        if (server == NULL) {
            continue;
        }
        in->listeners[at].deferred = NULL;
        if (!take_connection(in, server)) {
            in->listeners[at].deferred = server;
            return;
        }
        in->next_listener = at + 1;
    }
}

static void connection_waits(void *ctx, struct hd_listener *listener, uv_stream_t *server)
{
    struct cor_intake *in = ctx;
    if (in->is_closing || take_connection(in, server)) {
        return;
    }
    COR_COUNT(COR_M_DEFERRED, 1);
    for (size_t i = 0; i < in->n_listeners; i++) {
        if (in->listeners[i].listener == listener) {
            in->listeners[i].deferred = server;
        }
    }
}

void cor_intake_admitted(struct cor_intake *in, const struct cor_session *s)
{
    cor_addresses_leave(&in->addresses, &s->net);
    cor_admit_done(&in->admit);
    take_deferred(in);
}

/* ---- the archive answers ---- */

/* Nothing of it is on its way any more. */
static void move_ahead(struct cor_intake *in, const struct cor_agent *agent)
{
    struct cor_session *s = agent->session;
    if (s != NULL && s->waits_in == &in->for_more && agent->ledger.in_flight == 0) {
        TAILQ_REMOVE(&in->for_more, s, waiting);
        TAILQ_INSERT_TAIL(&in->for_disk, s, waiting);
        s->waits_in = &in->for_disk;
    }
}

static void archive_failed(struct cor_intake *in, int err)
{
    if (in->archive_state == COR_ARCHIVE_OK) {
        HD_LOG(ERROR, "intake",
               "the archive takes no more: agents are told to back off; free disk space "
               "or adjust archive.max_bytes, archive.retain_bytes, archive.reserve_bytes",
               HD_KV_STR("dir", in->opts.archive.dir), HD_KV_ERR(err));
    }
    in->archive_state = COR_ARCHIVE_FULL;
    in->archive_err = err;
    in->retry_ms = uv_now(in->opts.loop) + FULL_RETRY_MS;
    hd_journal_writer_trim(in->archive);
}

static void archive_took(struct cor_intake *in)
{
    if (in->archive_state == COR_ARCHIVE_PROBING) {
        HD_LOG(INFO, "intake", "the archive takes data again");
        in->archive_state = COR_ARCHIVE_OK;
    }
}

static void on_durable(void *ctx, int err, uint64_t index, void *token)
{
    struct cor_intake *in = ctx;
    struct cor_span *span = token;
    struct cor_agent *agent = span->owner;
    (void)uv_prepare_start(&in->acks_due, flush_acks); /* others may go on */
    if (err != HD_OK) {
        cor_pace_undo(&in->pace, span->bytes);
        COR_COUNT(COR_M_FULL, 1);
        archive_failed(in, err);
        cor_ledger_failed(&agent->ledger, span);
        if (agent->session != NULL) {
            cor_session_refused(agent->session, err);
        }
        return;
    }
    cor_pace_done(&in->pace, span->bytes, span->since_ms, uv_now(in->opts.loop));
    archive_took(in);
    COR_COUNT(COR_M_BATCHES, 1);
    COR_COUNT(COR_M_LINES, span->count);
    COR_COUNT(COR_M_BYTES, span->bytes);
    COR_COUNT(COR_M_RAW_BYTES, span->raw_len);
    in->agents.next_entry = index + 1;
    in->has_changed = true;
    agent->lines += span->count;
    cor_ledger_durable(&agent->ledger, span);
    move_ahead(in, agent);
    if (agent->session != NULL) {
        cor_intake_want_ack(in, agent->session);
    }
}

static void on_drain(void *ctx)
{
    wake_waiting(ctx);
}

/* ---- the table of agents, saved aside ---- */

static void save_work(uv_work_t *work)
{
    struct cor_intake *in = HD_CONTAINER(work, struct cor_intake, save_work);
    in->save_err =
        hd_fs_write_atomic(in->opts.snapshot, hd_buf_slice(&in->save_text), 0600);
}

static void finish_close(struct cor_intake *in);

static void save_done(uv_work_t *work, int status)
{
    struct cor_intake *in = HD_CONTAINER(work, struct cor_intake, save_work);
    int err = status != 0 ? hd_err_from_uv(status) : in->save_err;
    in->is_saving = false;
    hd_buf_fini(&in->save_text);
    if (err != HD_OK) {
        HD_LOG(WARN, "intake",
               "the table of agents was not saved; the next start reads more of the "
               "archive instead",
               HD_KV_STR("file", in->opts.snapshot), HD_KV_ERR(err));
    }
    if (in->is_closing && in->archive == NULL) {
        finish_close(in);
    }
}

/* Not before all that is missing is written down: what the table knows to be missing is
 * never told again. */
static bool save_agents(struct cor_intake *in)
{
    if (in->is_saving || !in->has_changed || !cor_losses_is_settled(in->opts.losses)) {
        return false;
    }
    hd_buf_init(&in->save_text, SNAPSHOT_MAX);
    if (cor_agents_snapshot(&in->agents, &in->save_text) != HD_OK ||
        uv_queue_work(in->opts.loop, &in->save_work, save_work, save_done) != 0) {
        hd_buf_fini(&in->save_text);
        return false;
    }
    in->is_saving = true;
    in->has_changed = false;
    return true;
}

/* ---- every second ---- */

static void sample_rates(struct cor_intake *in)
{
    for (uint32_t i = 0; i < in->agents.n; i++) {
        struct cor_agent *row = cor_agents_at(&in->agents, i);
        row->rate =
            (double)(row->lines - row->lines_sampled) / (RATE_TICKS * TICK_MS / 1000.0);
        row->lines_sampled = row->lines;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct cor_intake *in = HD_CONTAINER(timer, struct cor_intake, tick);
    uint64_t now_ms = uv_now(in->opts.loop);
    struct cor_session *s, *next;
    for (s = TAILQ_FIRST(&in->sessions); s != NULL; s = next) {
        next = TAILQ_NEXT(s, all);
        cor_session_tick(s, now_ms);
    }
    if (in->archive_state == COR_ARCHIVE_FULL && now_ms >= in->retry_ms) {
        in->archive_state = COR_ARCHIVE_PROBING;
    }
    in->ticks++;
    if (in->ticks % RATE_TICKS == 0) {
        sample_rates(in);
    }
    if (in->ticks % SAVE_TICKS == 0) {
        (void)save_agents(in);
    }
    wake_waiting(in);
}

/* ---- start ---- */

/* The table may be older than what was written down as missing. */
static void recover_gap(void *ctx, const struct hd_loss *loss)
{
    struct cor_intake *in = ctx;
    struct cor_agent *agent =
        loss->kind != HD_LOSS_GAP
            ? NULL
            : cor_agents_find(&in->agents, hd_slice_str(loss->agent),
                              hd_slice_str(loss->boot));
    if (agent != NULL) {
        cor_ledger_told(&agent->ledger, loss->last_seq);
    }
}

static int recover_agents(struct cor_intake *in, uint64_t archive_next, char *why)
{
    struct hd_buf text;
    const char *bad = "unreadable";
    uint64_t entries = 0;
    hd_buf_init(&text, SNAPSHOT_MAX + 1);
    int err = hd_fs_read(in->opts.snapshot, SNAPSHOT_MAX, &text);
    if (err == HD_OK) {
        err = cor_agents_restore(&in->agents, hd_buf_slice(&text), &bad);
    }
    hd_buf_fini(&text);
    if (err == HD_OK && in->agents.next_entry > archive_next) {
        bad = "it knows entries that this archive does not have";
        err = HD_ECORRUPT;
        cor_agents_fini(&in->agents);
        if (cor_agents_init(&in->agents, in->opts.agents_remembered) != HD_OK) {
            (void)snprintf(why, 256, "out of memory");
            return HD_ENOMEM;
        }
    }
    if (err != HD_OK && err != HD_ENOENT) {
        HD_LOG(WARN, "intake",
               "the saved table of agents is not used; the archive is read instead",
               HD_KV_STR("file", in->opts.snapshot), HD_KV_STR("why", bad),
               HD_KV_ERR(err));
    }
    err = cor_agents_replay(&in->agents, in->opts.archive.dir, &entries);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "the archive in %s cannot be read: %s",
                       in->opts.archive.dir, hd_err_text(err));
        return err;
    }
    err = in->opts.losses == NULL ? HD_OK
                                  : cor_losses_each(in->opts.losses, recover_gap, in);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "the loss ledger cannot be read: %s", hd_err_text(err));
        return err;
    }
    HD_LOG(INFO, "intake", "agents recovered", HD_KV_UINT("agents", in->agents.n),
           HD_KV_UINT("entries_read", entries));
    return HD_OK;
}

static int open_archive(struct cor_intake *in, uint64_t *next, char *why)
{
    struct hd_journal_recovery found = {0};
    struct hd_journal_writer_opts opts = {
        .journal = in->opts.archive,
        .loop = in->opts.loop,
        .queue_bytes = in->opts.memory,
        .on_durable = on_durable,
        .on_drain = on_drain,
        .ctx = in,
    };
    int err = hd_journal_writer_open(&opts, &in->archive, &found);
    if (err != HD_OK) {
        (void)snprintf(
            why, 256, "the archive in %s cannot be opened: %s", in->opts.archive.dir,
            err == HD_EBUSY ? "another correlator is using it" : hd_err_text(err));
        return err;
    }
    if (found.torn_bytes > 0) {
        HD_LOG(WARN, "intake",
               "the archive's end was torn by a crash and cut; it was never acknowledged",
               HD_KV_UINT("bytes", found.torn_bytes), HD_KV_STR("file", found.torn_file));
    }
    *next = found.next_index;
    return HD_OK;
}

static void archive_closed(void *ctx);
static void intake_freed(void *ctx);

static void init_handles(struct cor_intake *in)
{
    uv_loop_t *loop = in->opts.loop;
    hd_owner_init(&in->owner, intake_freed, in);
    (void)uv_timer_init(loop, &in->tick);
    hd_owner_add(&in->owner, (uv_handle_t *)&in->tick);
    (void)uv_timer_init(loop, &in->admission);
    hd_owner_add(&in->owner, (uv_handle_t *)&in->admission);
    (void)uv_prepare_init(loop, &in->acks_due);
    hd_owner_add(&in->owner, (uv_handle_t *)&in->acks_due);
    (void)uv_timer_start(&in->tick, on_tick, TICK_MS, TICK_MS);
}

static struct cor_intake *intake_new(const struct cor_intake_opts *opts)
{
    struct cor_intake *in = calloc(1, sizeof(*in));
    if (in == NULL || cor_addresses_init(&in->addresses, opts->handshakes_max,
                                         opts->handshakes_per_address) != HD_OK) {
        free(in);
        return NULL;
    }
    if (cor_agents_init(&in->agents, opts->agents_remembered) != HD_OK) {
        cor_addresses_fini(&in->addresses);
        free(in);
        return NULL;
    }
    in->opts = *opts;
    return in;
}

int cor_intake_open(const struct cor_intake_opts *opts, struct cor_intake **out,
                    char why[256])
{
    uint64_t next = 0;
    struct cor_intake *in = intake_new(opts);
    if (in == NULL) {
        (void)snprintf(why, 256, "out of memory");
        return HD_ENOMEM;
    }
    TAILQ_INIT(&in->sessions);
    TAILQ_INIT(&in->for_disk);
    TAILQ_INIT(&in->for_more);
    TAILQ_INIT(&in->for_memory);
    TAILQ_INIT(&in->acks);
    hd_buf_init(&in->scratch, SCRATCH_MAX);
    cor_pace_init(&in->pace, opts->memory);
    cor_admit_init(&in->admit, opts->handshakes_max, opts->handshakes_per_second,
                   uv_now(opts->loop));
    init_handles(in);
    int err = open_archive(in, &next, why);
    if (err == HD_OK) {
        err = recover_agents(in, next, why);
    }
    if (err != HD_OK) {
        cor_intake_close(in, NULL, NULL);
        return err;
    }
    *out = in;
    return HD_OK;
}

int cor_intake_listen(struct cor_intake *in, const char *address, char why[256])
{
    if (in->n_listeners == COR_INTAKE_LISTEN_MAX) {
        (void)snprintf(why, 256, "at most %u addresses", COR_INTAKE_LISTEN_MAX);
        return HD_ELIMIT;
    }
    struct hd_listener_opts opts = {
        .address = address, .on_connection = connection_waits, .ctx = in};
    int err = hd_listener_open(in->opts.loop, &opts,
                               &in->listeners[in->n_listeners].listener, why);
    if (err == HD_OK) {
        in->n_listeners++;
    }
    return err;
}

uint16_t cor_intake_port(const struct cor_intake *in, size_t i)
{
    return i < in->n_listeners ? hd_listener_port(in->listeners[i].listener) : 0;
}

void cor_intake_expired(struct cor_intake *in, uint64_t index)
{
    if (in->archive != NULL && !in->is_closing) {
        hd_journal_writer_release(in->archive, index);
    }
}

void cor_intake_trim(struct cor_intake *in)
{
    if (in->archive != NULL && !in->is_closing) {
        hd_journal_writer_trim(in->archive);
    }
}

/* ---- end ---- */

static void intake_freed(void *ctx)
{
    struct cor_intake *in = ctx;
    void (*closed)(void *) = in->closed;
    void *closed_ctx = in->closed_ctx;
    cor_agents_fini(&in->agents);
    cor_addresses_fini(&in->addresses);
    hd_buf_fini(&in->scratch);
    free(in);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void finish_close(struct cor_intake *in)
{
    if (in->is_saving || save_agents(in)) {
        return; /* save_done comes back here */
    }
    hd_owner_close(&in->owner, (uv_handle_t *)&in->tick);
    hd_owner_close(&in->owner, (uv_handle_t *)&in->admission);
    hd_owner_close(&in->owner, (uv_handle_t *)&in->acks_due);
    hd_owner_finish(&in->owner);
}

static void archive_closed(void *ctx)
{
    struct cor_intake *in = ctx;
    in->archive = NULL;
    finish_close(in);
}

static void close_archive(struct cor_intake *in)
{
    if (in->archive == NULL) {
        finish_close(in);
    } else {
        hd_journal_writer_close(in->archive, archive_closed, in);
    }
}

void cor_intake_gone(struct cor_intake *in, struct cor_session *s)
{
    TAILQ_REMOVE(&in->sessions, s, all);
    in->n_sessions--;
    if (in->is_closing && in->n_sessions == 0) {
        close_archive(in);
    }
}

void cor_intake_close(struct cor_intake *in, void (*closed)(void *ctx), void *ctx)
{
    if (in->is_closing) {
        return;
    }
    in->is_closing = true;
    in->closed = closed;
    in->closed_ctx = ctx;
    (void)uv_timer_stop(&in->tick);
    (void)uv_timer_stop(&in->admission);
    for (size_t i = 0; i < in->n_listeners; i++) {
        hd_listener_close(in->listeners[i].listener);
    }
    struct cor_session *s, *next;
    for (s = TAILQ_FIRST(&in->sessions); s != NULL; s = next) {
        next = TAILQ_NEXT(s, all);
        cor_session_shutdown(s);
    }
    if (in->n_sessions == 0) {
        close_archive(in);
    }
}
