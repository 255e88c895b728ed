/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang backtest: what rules would have raised, had they been in force: over the
 * archive, with the correlator's decoders, matcher and correlation. It only reads, and
 * leaves the processor to others.
 */
#include "console/backtest.h"

#include <haidang/clock.h>
#include <haidang/num.h>

#include <sys/resource.h>
#include <unistd.h>

#include "console/command.h"
#include "console/data.h"
#include "console/out.h"
#include "console/unlock.h"
#include "console/values.h"
#include "console/when.h"

#define DEFAULT_ARCHIVE  "/var/lib/haidang/correlator/archive"
#define CANARY_KEYS      "/etc/haidang/canary.d" /* where they are installed */
#define DEFAULT_SINCE    "24h"
#define DEFAULT_EXAMPLES 3U
#define NICENESS         10
#define MEMORY           ((size_t)64 << 20)    /* as detect.memory */
#define SUPPRESS         "5m"                  /* as suppress.window */
#define SUPPRESS_ENTRIES 100000U               /* as suppress.entries */
#define LATENESS_NS      (600 * HD_NS_PER_SEC) /* as detect.lateness */

/* ---- what a hit leads to ---- */

static struct hd_slice position(struct con_backtest *b, uint64_t seq)
{
    hd_buf_clear(&b->position);
    hd_buf_slice_add(&b->position, b->entry->agent);
    hd_buf_byte(&b->position, '/');
    hd_buf_slice_add(&b->position, b->entry->boot);
    hd_buf_byte(&b->position, '/');
    hd_buf_u64(&b->position, seq);
    return hd_buf_slice(&b->position);
}

/* Of a rule that alerts: is it news, as the correlator would decide? */
static void tally(struct con_backtest *b, struct con_tally_alert *alert, uint64_t about)
{
    uint64_t repeats;
    alert->is_repeat = !rul_suppress_pass(b->suppress, about, alert->rule->severity,
                                          alert->time_ns, &repeats);
    con_tally_add(&b->tally, alert);
}

static void on_detection(void *ctx, const struct rul_detection *detection,
                         const struct rul_event_copy *last)
{
    struct con_backtest *b = ctx;
    struct con_tally_alert alert = {.rule = detection->rule,
                                    .time_ns = detection->last_ns,
                                    .host = rul_event_copy_get(last, RUL_F_HOST_NAME),
                                    .position = detection->first_position,
                                    .event = last,
                                    .detection = detection};
    if (detection->rule->alerts) {
        tally(b, &alert, rul_suppress_detection_key(b->suppress, detection));
    }
}

static void take_hit(struct con_backtest *b, const struct con_scan_hit *hit)
{
    const struct rul_event_copy *event =
        hit->shown != 0 ? b->entry->copies[hit->shown - 1] : NULL;
    struct con_tally_alert alert = {.rule = hit->rule,
                                    .time_ns = hit->time_ns,
                                    .host = con_scan_host(b->entry, hit),
                                    .position = event != NULL ? position(b, hit->seq)
                                                              : HD_SLICE_EMPTY,
                                    .event = event};
    b->tally.rules[hit->rule->index].matched++;
    if (hit->rule->feeds) {
        int err = rul_correlate(b->correlator, hit->rule, event, alert.position,
                                on_detection, b);
        b->err = b->err != HD_OK || err == HD_EINVAL ? b->err : err;
    }
    if (hit->rule->alerts) {
        tally(b, &alert, hit->about);
    }
}

static void advance(struct con_backtest *b, int64_t watermark_ns)
{
    rul_correlator_advance(b->correlator, watermark_ns);
    rul_correlator_close(b->correlator, on_detection, b);
}

static void on_entry(void *ctx, const struct con_scan_entry *entry)
{
    struct con_backtest *b = ctx;
    b->entry = entry;
    for (size_t i = 0; i < entry->n_hits; i++) {
        take_hit(b, &entry->hits[i]);
    }
    if (entry->watermark_ns > b->watermark_ns) {
        b->watermark_ns = entry->watermark_ns;
        advance(b, b->watermark_ns);
    }
    b->lines += entry->lines;
}

static void on_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct con_backtest *b = ctx;
    con_progress_show(&b->progress, done, all, b->lines, "lines");
}

/* ---- the run ---- */

static int make_suppress(struct con_backtest *b)
{
    struct rul_suppress_opts opts = {.entries = SUPPRESS_ENTRIES};
    for (size_t i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        opts.window_ns[i] = b->suppress_ns;
    }
    return rul_suppress_new(&opts, &b->suppress);
}

static int begin(struct con_backtest *b, unsigned examples)
{
    const struct rul_correlator_opts opts = {.memory_max = MEMORY,
                                             .lateness_ns = LATENESS_NS};
    hd_buf_init(&b->position, 0);
    b->scan.set = b->set;
    b->scan.examples = examples;
    b->scan.on_entry = on_entry;
    b->scan.on_progress = on_progress;
    b->scan.ctx = b;
    int err = con_tally_init(&b->tally, b->set, examples);
    err = err != HD_OK ? err : make_suppress(b);
    b->scan.suppress = b->suppress;
    err = err != HD_OK ? err : rul_correlator_new(&opts, &b->correlator);
    return err != HD_OK ? err : rul_correlator_use(b->correlator, b->set);
}

int con_backtest_run(struct con_backtest *b, unsigned examples)
{
    int64_t began_ns = hd_clock_mono_ns();
    int err = begin(b, examples);
    con_progress_begin(&b->progress);
    err = err != HD_OK ? err : con_scan_run(&b->scan, &b->totals);
    con_progress_end(&b->progress);
    if (err != HD_OK) {
        return err;
    }
    if (b->watermark_ns > 0) {
        /* windows that ended in the time asked for: later lines would close them */
        advance(b, b->scan.until_ns + LATENESS_NS);
    }
    rul_correlator_stats(b->correlator, &b->correlated);
    con_tally_finish(&b->tally);
    b->took_ns = hd_clock_mono_ns() - began_ns;
    return b->err != HD_OK ? b->err : b->tally.err;
}

void con_backtest_fini(struct con_backtest *b)
{
    con_tally_fini(&b->tally);
    rul_correlator_free(b->correlator);
    rul_suppress_free(b->suppress);
    hd_buf_fini(&b->position);
}

/* ---- the command ---- */

static int parse_suppress(const char *text, int64_t *out)
{
    if (hd_num_duration(hd_slice_str(text), out) == HD_OK) {
        return HD_OK;
    }
    return con_fail(HD_EINVAL,
                    "--suppress is a duration such as 5m, not '%s'; 0s counts "
                    "every hit as an alert",
                    text);
}

static int parse(struct con_backtest *b, const struct con_args *args, unsigned *examples)
{
    const char *since = con_args_value(args, "since");
    const char *until = con_args_value(args, "until");
    const char *archive = con_args_value(args, "archive");
    const char *suppress = con_args_value(args, "suppress");
    unsigned jobs = 0;
    int err = con_when("since", since != NULL ? since : DEFAULT_SINCE, &b->scan.since_ns);
    err = err != HD_OK
              ? err
              : con_when("until", until != NULL ? until : "0s", &b->scan.until_ns);
    err = err != HD_OK
              ? err
              : parse_suppress(suppress != NULL ? suppress : SUPPRESS, &b->suppress_ns);
    err =
        err != HD_OK ? err : con_value_number(args, "jobs", CON_ENTRIES_JOBS_MAX, &jobs);
    err = err != HD_OK
              ? err
              : con_value_number(args, "examples", CON_TALLY_EXAMPLES_MAX, examples);
    if (err == HD_OK && b->scan.since_ns >= b->scan.until_ns) {
        err = con_fail(HD_EINVAL, "--since is not before --until");
    }
    b->scan.archive = archive != NULL ? archive : DEFAULT_ARCHIVE;
    b->scan.jobs = jobs > 0 ? jobs : con_entries_jobs();
    return err;
}

/* Reads the rules; every problem is printed. */
static int load(struct con_backtest *b, const struct con_args *args,
                struct hd_diags *diags)
{
    struct con_data_path room;
    const struct rul_set_opts opts = {.decoders_dir = con_data_decoders(args, &room),
                                      .rules = args->operands,
                                      .n_rules = args->n_operands,
                                      .time_zone = con_args_value(args, "zone"),
                                      .placeholders_dir =
                                          con_args_value(args, "placeholders"),
                                      .keep_going = true};
    int err = rul_set_load(&opts, &b->set, diags);
    if (err == HD_OK && rul_set_count(b->set) == 0) {
        err = HD_EINVAL;
    }
    return err == HD_OK ? HD_OK
                        : con_fail(err, "no rules could be loaded: %s", hd_err_text(err));
}

/* How old a canary is does not matter here. */
static int load_canary_keys(const struct con_args *args, struct hd_diags *diags,
                            struct hd_canary_keys **out)
{
    const char *dir = con_args_value(args, "canary-keys");
    if (dir == NULL && access(CANARY_KEYS, R_OK | X_OK) != 0) {
        return HD_OK;
    }
    return hd_canary_keys_load(dir != NULL ? dir : CANARY_KEYS, 0, diags, out);
}

static int report(const struct con_backtest *b, const struct con_args *args,
                  const struct con_show *show)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    if (con_args_flag(args, "json")) {
        con_backtest_json(b, &out);
    } else {
        con_backtest_text(b, show, &out);
    }
    int code = con_out_print(&out);
    hd_buf_fini(&out);
    return code;
}

static int run(struct con_backtest *b, const struct con_args *args,
               const struct con_show *show)
{
    unsigned examples = DEFAULT_EXAMPLES;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    if (parse(b, args, &examples) != HD_OK) {
        return HD_EXIT_USAGE;
    }
    if (access(b->scan.archive, R_OK | X_OK) != 0) {
        return con_fail(HD_EXIT_STORE,
                        "cannot read the archive %s; name it with --archive, and be in "
                        "the group haidang",
                        b->scan.archive);
    }
    if (load(b, args, &diags) != HD_OK) {
        return HD_EXIT_CONFIG;
    }
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    struct hd_journal_keys *keys = NULL;
    struct hd_canary_keys *canary_keys = NULL;
    if (load_canary_keys(args, &diags, &canary_keys) != HD_OK) {
        return HD_EXIT_CERT;
    }
    int unlocked = con_unlock(args, &keys);
    if (unlocked != HD_EXIT_OK) {
        hd_canary_keys_unref(canary_keys);
        return unlocked;
    }
    b->scan.keys = keys;
    b->scan.canary_keys = canary_keys;
    int err = con_backtest_run(b, examples);
    hd_journal_keys_free(keys);
    hd_canary_keys_unref(canary_keys);
    if (err != HD_OK) {
        char why[CON_UNLOCK_WHY];
        return con_fail(HD_EXIT_STORE, "%s: %s", b->scan.archive,
                        con_unlock_text(err, &b->totals.missing, why));
    }
    int code = report(b, args, show);
    return code == HD_EXIT_OK && diags.errors > 0 ? HD_EXIT_CONFIG : code;
}

int con_run_backtest(const struct con_args *args)
{
    struct con_backtest b = {0};
    struct con_show show;
    int code = HD_EXIT_USAGE;
    if (con_show_init(&show, args) == HD_OK) {
        code = run(&b, args, &show);
    }
    con_backtest_fini(&b);
    con_show_fini(&show);
    rul_set_unref(b.set);
    return code;
}
