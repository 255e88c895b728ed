/* SPDX-License-Identifier: Apache-2.0
 *
 * One piece of work at a time is aside; what it looks at belongs to it until it is done,
 * and what it found is copied then.
 */
#include <haidang/keep.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/loop.h>
#include <haidang/slice.h>

#include "lib/keep_freezer.h"
#include "lib/keep_mirror.h"
#include "lib/keep_stamper.h"

#define WHY_MAX 512U
#define LOOK_MS 5000U

struct job {
    char *dir;
    const char *name;
    struct hd_freezer freezer; /* of the work, as are stamper and mirror */
    struct hd_stamper stamper;
    struct hd_mirror mirror;
    struct hd_freezer froze; /* as it was when the work was done */
    struct hd_stamper_state stamps;
    struct hd_mirror_state state;
    int64_t again_ns; /* the mirror rests until then; monotonic */
    bool is_due;      /* the mirror, in the work that begins */
};

struct hd_keep {
    struct hd_keep_opts opts;
    struct job jobs[HD_KEEP_JOURNALS];
    struct hd_owner owner;
    uv_timer_t timer;
    uv_work_t work;
    atomic_bool stop;
    bool is_look;          /* the work looks at everything anew */
    bool is_busy, is_gone; /* gone: the timer */
};

static bool has_mirror(const struct hd_keep *keep)
{
    return keep->opts.mirror->dir != NULL;
}

static bool has_frozen(const struct hd_keep *keep)
{
    bool is_any = false;
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        is_any |= keep->jobs[i].freezer.level != HD_FREEZE_OFF;
    }
    return is_any;
}

static bool has_stamps(const struct hd_keep *keep)
{
    return keep->opts.stamps->enabled;
}

/* ---- life ---- */

static void keep_free(struct hd_keep *keep)
{
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        free(keep->jobs[i].dir);
    }
    free(keep);
}

static int open_job(struct hd_keep *keep, unsigned i)
{
    const struct hd_keep_mirror_conf *conf = keep->opts.mirror;
    const struct hd_keep_journal *journal = &keep->opts.journals[i];
    struct job *job = &keep->jobs[i];
    job->name = journal->name;
    job->dir = hd_slice_dup(hd_slice_str(journal->dir));
    job->freezer = (struct hd_freezer){.dir = job->dir, .level = journal->write_once};
    job->stamper =
        (struct hd_stamper){.dir = job->dir, .every_ns = keep->opts.stamps->every};
    const struct hd_mirror_opts opts = {.name = job->name,
                                        .from = job->dir,
                                        .base = conf->dir,
                                        .any_disk = conf->same_disk,
                                        .retain_ns = conf->retain_age,
                                        .key = keep->opts.key,
                                        .stop = &keep->stop};
    if (job->dir == NULL) {
        return HD_ENOMEM;
    }
    return has_mirror(keep) ? hd_mirror_init(&job->mirror, &opts) : HD_OK;
}

/* When nothing of it is at work any more. */
static void close_idle(struct hd_keep *keep)
{
    if (keep->is_busy || !keep->is_gone) {
        return;
    }
    void (*closed)(void *ctx) = keep->opts.closed;
    void *ctx = keep->opts.ctx;
    keep_free(keep);
    closed(ctx);
}

static void timer_gone(void *ctx)
{
    struct hd_keep *keep = ctx;
    keep->is_gone = true;
    close_idle(keep);
}

int hd_keep_open(const struct hd_keep_opts *opts, struct hd_keep **out)
{
    struct hd_keep *keep = calloc(1, sizeof(*keep));
    int err = keep == NULL ? HD_ENOMEM : HD_OK;
    if (err == HD_OK) {
        keep->opts = *opts;
    }
    for (unsigned i = 0; err == HD_OK && i < keep->opts.n_journals; i++) {
        err = open_job(keep, i);
    }
    if (err == HD_OK) {
        hd_owner_init(&keep->owner, timer_gone, keep);
        (void)uv_timer_init(opts->loop, &keep->timer);
        hd_owner_add(&keep->owner, (uv_handle_t *)&keep->timer);
        *out = keep;
    } else if (keep != NULL) {
        keep_free(keep);
    }
    return err;
}

void hd_keep_close(struct hd_keep *keep)
{
    if (keep != NULL && hd_owner_is_open(&keep->owner)) {
        atomic_store(&keep->stop, true);
        hd_owner_close(&keep->owner, (uv_handle_t *)&keep->timer);
        hd_owner_finish(&keep->owner);
    }
}

/* ---- work ---- */

static void work(uv_work_t *request)
{
    struct hd_keep *keep = HD_CONTAINER(request, struct hd_keep, work);
    for (unsigned i = 0; i < keep->opts.n_journals && !atomic_load(&keep->stop); i++) {
        struct job *job = &keep->jobs[i];
        if (keep->is_look && job->freezer.level != HD_FREEZE_OFF) {
            hd_freezer_step(&job->freezer);
        }
        if (keep->is_look && has_stamps(keep)) {
            hd_stamper_step(&job->stamper);
        }
        if (job->is_due) {
            hd_mirror_step(&job->mirror);
        }
    }
}

static bool take_result(struct hd_keep *keep, struct job *job)
{
    const struct hd_mirror_state *state = &job->mirror.state;
    job->stamps = job->stamper.state;
    job->froze = job->freezer;
    if (!job->is_due) {
        return false;
    }
    if (state->failed > job->state.failed && !state->is_more) {
        job->again_ns = hd_clock_mono_ns() + keep->opts.mirror->retry;
    }
    job->state = *state;
    return state->is_more;
}

static void begin(struct hd_keep *keep, bool is_on);

static void done(uv_work_t *request, int status)
{
    struct hd_keep *keep = HD_CONTAINER(request, struct hd_keep, work);
    bool is_more = false;
    (void)status; /* nobody cancels it */
    keep->is_busy = false;
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        is_more |= take_result(keep, &keep->jobs[i]);
    }
    if (is_more && hd_owner_is_open(&keep->owner)) {
        begin(keep, true);
    }
    close_idle(keep);
}

/* is_on: what has more to do goes on; else whoever does not rest looks anew. */
static void begin(struct hd_keep *keep, bool is_on)
{
    int64_t now_ns = hd_clock_mono_ns();
    bool is_any = !is_on && (has_stamps(keep) || has_frozen(keep));
    keep->is_look = !is_on;
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        struct job *job = &keep->jobs[i];
        job->is_due =
            has_mirror(keep) && (is_on ? job->state.is_more : now_ns >= job->again_ns);
        is_any |= job->is_due;
    }
    keep->is_busy =
        is_any && uv_queue_work(keep->opts.loop, &keep->work, work, done) == 0;
}

static void on_look(uv_timer_t *timer)
{
    struct hd_keep *keep = HD_CONTAINER(timer, struct hd_keep, timer);
    if (!keep->is_busy) {
        begin(keep, false);
    }
}

void hd_keep_run(struct hd_keep *keep)
{
    uint64_t retry_ms = (uint64_t)(keep->opts.mirror->retry / HD_NS_PER_MS);
    if (has_mirror(keep) || has_stamps(keep) || has_frozen(keep)) {
        (void)uv_timer_start(&keep->timer, on_look, 0,
                             retry_ms < LOOK_MS ? retry_ms : LOOK_MS);
    }
}

/* ---- telling ---- */

static uint64_t age_s(int64_t since_ns)
{
    int64_t age_ns = hd_clock_wall_ns() - since_ns;
    return since_ns == 0 || age_ns < 0 ? 0 : (uint64_t)(age_ns / HD_NS_PER_SEC);
}

void hd_keep_refresh(const struct hd_keep *keep, struct hd_metric *first)
{
    uint64_t now[HD_KEEP_METRICS_N] = {0};
    uint64_t *worst_s = &now[HD_KEEP_MIRROR_BEHIND_S];
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        const struct hd_mirror_state *state = &keep->jobs[i].state;
        uint64_t one_s = age_s(state->oldest_ns);
        now[HD_KEEP_STAMPS_REQUESTED] += keep->jobs[i].stamps.requested;
        now[HD_KEEP_MIRROR_SEGMENTS] += state->placed;
        now[HD_KEEP_MIRROR_BYTES] += state->placed_bytes;
        now[HD_KEEP_MIRROR_FAILED] += state->failed;
        now[HD_KEEP_MIRROR_REMOVED] += state->removed;
        now[HD_KEEP_MIRROR_BEHIND] += state->behind;
        now[HD_KEEP_MIRROR_BEHIND_BYTES] += state->behind_bytes;
        *worst_s = one_s > *worst_s ? one_s : *worst_s;
    }
    for (unsigned i = 0; i < HD_KEEP_METRICS_N; i++) {
        HD_METRIC_SET(first, i, now[i]);
    }
}

uint64_t hd_keep_frozen(const struct hd_keep *keep)
{
    uint64_t frozen = 0;
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        frozen += keep->jobs[i].froze.frozen;
    }
    return frozen;
}

uint64_t hd_keep_stamps_pending(const struct hd_keep *keep)
{
    uint64_t pending = 0;
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        pending += keep->jobs[i].stamps.pending;
    }
    return pending;
}

static void put_mirror(const struct hd_keep *keep, struct hd_json *j)
{
    hd_json_object(j, "mirror");
    hd_json_cstr(j, "dir", keep->opts.mirror->dir);
    hd_json_array(j, "journals");
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        const struct hd_mirror_state *state = &keep->jobs[i].state;
        hd_json_object(j, NULL);
        hd_json_cstr(j, "journal", keep->jobs[i].name);
        hd_json_u64(j, "behind", state->behind);
        hd_json_u64(j, "behind_bytes", state->behind_bytes);
        hd_json_u64(j, "behind_s", age_s(state->oldest_ns));
        hd_json_u64(j, "copied", state->placed);
        hd_json_u64(j, "removed", state->removed);
        hd_json_cstr(j, "problem", state->why);
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
    hd_json_end(j, '}');
}

static void put_stamps(const struct hd_keep *keep, struct hd_json *j)
{
    hd_json_array(j, "timestamps");
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        const struct hd_stamper_state *stamps = &keep->jobs[i].stamps;
        hd_json_object(j, NULL);
        hd_json_cstr(j, "journal", keep->jobs[i].name);
        hd_json_u64(j, "requested", stamps->requested);
        hd_json_u64(j, "pending", stamps->pending);
        hd_json_u64(j, "pending_s", age_s(stamps->oldest_ns));
        hd_json_cstr(j, "problem", stamps->why);
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
}

static void put_frozen(const struct hd_keep *keep, struct hd_json *j)
{
    hd_json_array(j, "write_once");
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        const struct hd_freezer *froze = &keep->jobs[i].froze;
        hd_json_object(j, NULL);
        hd_json_cstr(j, "journal", keep->jobs[i].name);
        hd_json_u64(j, "read_only_to", froze->read_only);
        hd_json_u64(j, "immutable_to", froze->immutable);
        hd_json_cstr(j, "problem", froze->why);
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
}

void hd_keep_status(const struct hd_keep *keep, struct hd_json *j)
{
    if (has_frozen(keep)) {
        put_frozen(keep, j);
    }
    if (has_mirror(keep)) {
        put_mirror(keep, j);
    }
    if (has_stamps(keep)) {
        put_stamps(keep, j);
    }
}

struct told {
    void (*say)(void *ctx, const char *text);
    void *ctx;
};

static void say_f(const struct told *told, const char *fmt, ...) HD_PRINTF(2, 3);
static void say_f(const struct told *told, const char *fmt, ...)
{
    char text[WHY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    told->say(told->ctx, text);
}

static void mirror_problem(const struct hd_keep *keep, const struct job *job,
                           const struct told *told)
{
    const struct hd_mirror_state *state = &job->state;
    uint64_t since_s = age_s(state->oldest_ns);
    if (state->why[0] != '\0') {
        say_f(told, "the mirror of %s: %s", job->name, state->why);
    } else if (since_s > (uint64_t)(keep->opts.mirror->alarm / HD_NS_PER_SEC)) {
        say_f(told,
              "the mirror of %s is behind: %" PRIu64 " segments, %" PRIu64
              " MiB, the oldest was sealed %" PRIu64 " s ago",
              job->name, state->behind, state->behind_bytes >> 20, since_s);
    }
}

static void stamps_problem(const struct hd_keep *keep, const struct job *job,
                           const struct told *told)
{
    uint64_t since_s = age_s(job->stamps.oldest_ns);
    if (job->stamps.why[0] != '\0') {
        say_f(told, "requests for time stamps of %s: %s", job->name, job->stamps.why);
    } else if (since_s > (uint64_t)(keep->opts.stamps->alarm / HD_NS_PER_SEC)) {
        say_f(told,
              "%" PRIu64 " requests for time stamps of %s have no reply, the oldest for "
              "%" PRIu64 " s: see the forwarder",
              job->stamps.pending, job->name, since_s);
    }
}

void hd_keep_problems(const struct hd_keep *keep,
                      void (*say)(void *ctx, const char *text), void *ctx)
{
    const struct told told = {say, ctx};
    for (unsigned i = 0; i < keep->opts.n_journals; i++) {
        if (keep->jobs[i].froze.why[0] != '\0') {
            say_f(&told, "write-once of %s: %s", keep->jobs[i].name,
                  keep->jobs[i].froze.why);
        }
        mirror_problem(keep, &keep->jobs[i], &told);
        stamps_problem(keep, &keep->jobs[i], &told);
    }
}
