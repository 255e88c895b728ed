/* SPDX-License-Identifier: Apache-2.0
 *
 * One correlator after the other works on the archive: the real examination, mind and
 * snapshots, in one thread, so that it can be ended anywhere and ended there again.
 */
#include <stdio.h>
#include <stdlib.h>

#include <haidang/fs.h>

#include "correlator/detect/examine.h"
#include "correlator/state/mind.h"
#include "correlator/state/snapshot.h"
#include "tests/crash/survive.h"

struct life {
    const struct survive_world *world;
    struct survive_run *run;
    struct chance *chance; /* NULL: nothing happens */
    struct cor_state_opts opts;
    char alerts[600], snapshot[600];
    struct cor_mind mind;
    struct cor_examiner *examiner;
    struct cor_rules *newest; /* what was loaded last */
    struct hd_journal_reader *reader;
    atomic_bool is_stopping;
    uint64_t orders;
    struct survive_set set;
    bool is_dead, has_cursor;
    struct hd_journal_cursor cursor; /* behind what was taken */
};

static bool no_memory(void *ctx)
{
    (void)ctx;
    return false;
}

/* ---- what may happen ---- */

static bool happens(const struct life *l, uint32_t one_in)
{
    return l->chance != NULL && chance_one_in(l->chance, one_in);
}

/* A place at which it may be killed. */
static bool dies(struct life *l)
{
    l->is_dead = l->is_dead || happens(l, 60);
    return l->is_dead;
}

static void flush(struct life *l)
{
    if (!dies(l)) {
        assert_int_equal(cor_publish_flush(l->mind.out.publish), HD_OK);
    }
}

/* Snapshot, its file, and last the reader's own cursor. */
static void keep(struct life *l)
{
    struct hd_buf bytes;
    const struct cor_cursors cursors = {.n = 1, .at = {l->cursor}};
    hd_buf_init(&bytes, 0);
    const struct cor_remembered what = cor_mind_remembered(&l->mind);
    assert_int_equal(cor_snapshot_encode(&cursors, &what, &bytes), HD_OK);
    cor_mind_kept(&l->mind);
    if (!dies(l)) {
        assert_int_equal(hd_fs_write_atomic(l->snapshot, hd_buf_slice(&bytes), 0600),
                         HD_OK);
        l->run->snapshots++;
        l->run->kept = l->cursor.index;
    }
    if (!dies(l)) {
        assert_int_equal(hd_journal_reader_save(l->reader, &l->cursor, false), HD_OK);
    }
    hd_buf_fini(&bytes);
}

static void deliver(void *ctx, struct cor_hits *message)
{
    struct life *l = ctx;
    if (!dies(l)) {
        cor_mind_take(&l->mind, message);
        if (cor_mind_moves_time(message)) {
            cor_mind_advance(&l->mind, message->watermark_ns);
        }
        if (message->has_cursor) {
            l->cursor = message->cursor;
            l->has_cursor = true;
        }
    }
    if (happens(l, 2)) {
        flush(l);
    }
    cor_hits_free(message);
}

/* ---- a life ---- */

static struct cor_tools *tools_of(struct life *l)
{
    struct cor_rules *rules = NULL;
    struct cor_tools *tools = NULL;
    assert_int_equal(
        cor_rules_new(l->world->sets[l->set.era][l->set.other], l->newest, &rules),
        HD_OK);
    assert_int_equal(cor_tools_new(rules, NULL, &tools), HD_OK);
    cor_rules_unref(l->newest);
    l->newest = rules;
    return tools;
}

static void reload(struct life *l)
{
    bool is_calm = l->chance == NULL || l->world->is_alone;
    l->set.other = is_calm ? 0 : chance_below(l->chance, SURVIVE_SETS);
    struct cor_tools *tools = tools_of(l);
    tools->generation = ++l->orders;
    cor_examiner_use(l->examiner, tools);
    l->run->reloads++;
}

static void begin(struct life *l)
{
    char why[256];
    l->opts = l->world->opts;
    l->opts.alerts.dir = l->alerts;
    l->opts.snapshot = l->snapshot;
    struct cor_tools *tools = tools_of(l);
    const struct cor_mind_needs needs = {l->newest, l->world->enrich, no_memory, l};
    const struct cor_examiner_opts examiner = {.count = 1,
                                               .archive_dir = l->world->archive,
                                               .is_stopping = &l->is_stopping,
                                               .deliver = deliver,
                                               .ctx = l};
    assert_int_equal(cor_mind_init(&l->mind, &l->opts, &needs, why), HD_OK);
    assert_int_equal(cor_examiner_new(&examiner, tools, &l->examiner), HD_OK);
    assert_int_equal(hd_journal_reader_open(l->world->archive, "detect-0", &l->reader),
                     HD_OK);
    if (l->mind.memory.is_resumed) {
        assert_int_equal(hd_journal_reader_seek(l->reader, &l->mind.memory.resume.at[0]),
                         HD_OK);
    }
    l->run->lives++;
}

static void end(struct life *l)
{
    struct rul_correlator_stats stats;
    rul_correlator_stats(l->mind.memory.correlator, &stats);
    l->run->groups = stats.groups;
    l->run->bytes = stats.bytes;
    l->run->evicted += rul_correlator_evicted(l->mind.memory.correlator) +
                       rul_suppress_evicted(l->mind.memory.suppress);
    cor_examiner_free(l->examiner);
    cor_mind_fini(&l->mind);
    hd_journal_reader_close(l->reader);
    cor_rules_unref(l->newest);
}

/* The newest entries before the cursor once more, as evidence. */
static void warm_up(struct life *l)
{
    struct hd_journal_cursor resume;
    struct hd_journal_entry entry;
    hd_journal_reader_tell(l->reader, &resume);
    if (resume.index <= 1) {
        return;
    }
    uint64_t from = resume.index > 4 ? resume.index - 4 : 1;
    assert_int_equal(
        hd_journal_reader_seek(l->reader, &(struct hd_journal_cursor){.index = from}),
        HD_OK);
    cor_examiner_begin_warm_up(l->examiner);
    for (uint64_t i = from; i < resume.index; i++) {
        assert_int_equal(hd_journal_reader_next(l->reader, &entry), HD_OK);
        cor_examine(l->examiner, &entry);
    }
    cor_examiner_end_warm_up(l->examiner);
    assert_int_equal(hd_journal_reader_seek(l->reader, &resume), HD_OK);
}

/* The rules that are compared change here in every run: by a reload, or while no process
 * runs, in any case with all that came before in a snapshot. False: this life is over. */
static bool new_era(struct life *l)
{
    flush(l);
    if (!l->is_dead) {
        keep(l);
    }
    if (l->is_dead || happens(l, 2)) {
        return false;
    }
    l->set.era = 1;
    reload(l);
    return true;
}

/* What may happen between two entries. False: this life is over. */
static bool go_on(struct life *l)
{
    if (happens(l, 3) || cor_mind_wants_snapshot(&l->mind)) {
        flush(l);
        if (!l->is_dead && l->has_cursor) {
            keep(l);
        }
    }
    if (!l->is_dead && l->set.era == 0 && l->cursor.index == l->world->era_begins) {
        return new_era(l);
    }
    if (!l->is_dead && happens(l, 8)) {
        reload(l);
    }
    return !l->is_dead && !happens(l, 12); /* an orderly end */
}

static void work(struct life *l)
{
    struct hd_journal_entry entry;
    struct hd_journal_cursor cursor;
    bool is_over = false;
    while (!is_over && hd_journal_reader_next(l->reader, &entry) == HD_OK) {
        cor_examine(l->examiner, &entry);
        hd_journal_reader_tell(l->reader, &cursor);
        cor_examiner_end_batch(l->examiner, &cursor);
        is_over = !go_on(l);
    }
}

/* True: it has seen all of the archive and ended in order. */
static bool live(const struct survive_world *w, struct survive_run *run,
                 struct chance *chance, struct survive_set *set)
{
    struct life l = {.world = w, .run = run, .chance = chance, .set = *set};
    l.set.era = run->kept >= w->era_begins;
    (void)snprintf(l.alerts, sizeof(l.alerts), "%s/alerts", run->dir);
    (void)snprintf(l.snapshot, sizeof(l.snapshot), "%s/detect.state", run->dir);
    begin(&l);
    warm_up(&l);
    work(&l);
    bool is_done = !l.is_dead && hd_journal_reader_lag(l.reader) == 0;
    flush(&l);
    if (!l.is_dead && l.has_cursor) {
        keep(&l);
    }
    run->crashes += l.is_dead;
    run->restarts += !l.is_dead && !is_done;
    *set = l.set;
    is_done = is_done && !l.is_dead;
    end(&l);
    return is_done;
}

/* ---- what was published ---- */

static bool is_compared(const char *rule)
{
    return rule[0] == 'k' || rule[0] == 'c';
}

static void collect(void *ctx, const json_t *alert)
{
    struct survive_run *run = ctx;
    const char *rule = hd_alert_text(alert, "rule.id");
    if (!is_compared(rule)) {
        return;
    }
    assert_true(run->n_alerts < SURVIVE_ALERTS);
    struct survive_alert *a = &run->alerts[run->n_alerts++];
    (void)snprintf(a->id, sizeof(a->id), "%s", hd_alert_text(alert, "id"));
    (void)snprintf(a->rule, sizeof(a->rule), "%s", rule);
    a->count = (uint64_t)json_integer_value(json_object_get(alert, "count"));
    a->suppressed = (uint64_t)json_integer_value(json_object_get(alert, "suppressed"));
    a->throttled = (uint64_t)json_integer_value(json_object_get(alert, "throttled"));
}

void survive_run_all(const struct survive_world *w, struct survive_run *run)
{
    struct chance chance = {run->seed};
    struct cor_publish *p;
    char alerts[600], why[256];
    struct survive_set set = {0, 0};
    while (!live(w, run, run->seed == 0 ? NULL : &chance, &set)) {
    }
    (void)snprintf(alerts, sizeof(alerts), "%s/alerts", run->dir);
    const struct hd_journal_opts opts = {.dir = alerts};
    assert_int_equal(cor_publish_open(&opts, &p, why), HD_OK);
    assert_int_equal(cor_publish_tail(p, UINT32_MAX, collect, run), HD_OK);
    cor_publish_close(p);
}
