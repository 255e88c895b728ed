/* SPDX-License-Identifier: Apache-2.0
 *
 * What correlations remember survives: whatever happens to the process - killed anywhere
 * between taking a message and saving a cursor, ended in order, rules reloaded that are
 * the same, among others that come, go and change - the alerts are those of one run that
 * nothing disturbed: the same ids in the same order with the same counts. In both runs
 * the rules themselves change once: that a changed rule keeps as much when it is reloaded
 * as when the process is started with it is part of what is compared.
 *
 * HD_STATE_SCHEDULES=100000 tries so many schedules (0: until it is interrupted);
 * HD_STATE_SEED=N begins with the N-th, and with HD_STATE_SCHEDULES=1 replays it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/log.h>
#include <haidang/num.h>

#include "tests/crash/survive.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SLOW
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SLOW
#endif

#ifdef IS_SLOW
#define SCHEDULES 400U
#else
#define SCHEDULES 2000U
#endif
#define PER_WORLD 25U /* schedules of one set of rules and one stream of events */

static struct survive_world world;
static struct survive_run calm, wild;

static struct {
    uint64_t schedules, worlds, lives, crashes, restarts, reloads, snapshots, alerts,
        evicted;
} total;

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    uint64_t n = otherwise;
    if (text != NULL) {
        assert_int_equal(hd_num_u64(hd_slice_str(text), UINT64_MAX - 1, &n), HD_OK);
    }
    return n;
}

static void fresh_dir(char *path, size_t cap, const char *base, const char *name)
{
    (void)snprintf(path, cap, "%s/%s", base, name);
    survive_wipe(path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void run(struct survive_run *r, const char *base, const char *name, uint64_t seed)
{
    char cursor[600];
    *r = (struct survive_run){.seed = seed};
    fresh_dir(r->dir, sizeof(r->dir), base, name);
    (void)snprintf(cursor, sizeof(cursor), "%s/readers/detect-0", world.archive);
    (void)unlink(cursor);
    survive_run_all(&world, r);
}

static bool is_same(const struct survive_alert *a, const struct survive_alert *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->rule, b->rule) == 0 &&
           a->count == b->count && a->suppressed == b->suppressed &&
           a->throttled == b->throttled;
}

static void show(const char *what, const struct survive_run *r, unsigned i)
{
    if (i >= r->n_alerts) {
        print_error("%s: %u alerts\n", what, r->n_alerts);
        return;
    }
    const struct survive_alert *a = &r->alerts[i];
    print_error("%s, alert %u: %s of %s, count %ju, suppressed %ju, throttled %ju\n",
                what, i, a->id, a->rule, (uintmax_t)a->count, (uintmax_t)a->suppressed,
                (uintmax_t)a->throttled);
}

static void differ(uint64_t schedule)
{
    print_error("HD_STATE_SEED=%ju HD_STATE_SCHEDULES=1 replays it\n",
                (uintmax_t)schedule);
    fail();
}

static void compare(uint64_t schedule)
{
    unsigned n = calm.n_alerts < wild.n_alerts ? wild.n_alerts : calm.n_alerts;
    for (unsigned i = 0; i < n; i++) {
        if (i >= calm.n_alerts || i >= wild.n_alerts ||
            !is_same(&calm.alerts[i], &wild.alerts[i])) {
            show("undisturbed", &calm, i);
            show("disturbed", &wild, i);
            differ(schedule);
        }
    }
    if (world.is_alone && (calm.groups != wild.groups || calm.bytes != wild.bytes)) {
        print_error("%ju groups in %ju bytes, undisturbed %ju in %ju\n",
                    (uintmax_t)wild.groups, (uintmax_t)wild.bytes, (uintmax_t)calm.groups,
                    (uintmax_t)calm.bytes);
        differ(schedule);
    }
}

static void add_up(void)
{
    total.schedules++;
    total.lives += wild.lives;
    total.crashes += wild.crashes;
    total.restarts += wild.restarts;
    total.reloads += wild.reloads;
    total.snapshots += wild.snapshots;
    total.alerts += wild.n_alerts;
    total.evicted += wild.evicted;
}

static void test_whatever_happens(void **state)
{
    (void)state;
    char dir[400];
    const char *base = hd_test_tmpdir();
    uint64_t first = number_from("HD_STATE_SEED", 1);
    uint64_t n = number_from("HD_STATE_SCHEDULES", SCHEDULES);
    for (uint64_t i = first; n == 0 || i < first + n; i++) {
        if (i == first || i % PER_WORLD == 0) {
            survive_world_end(&world);
            fresh_dir(dir, sizeof(dir), base, "world");
            survive_world_make(i / PER_WORLD, dir, &world);
            run(&calm, base, "calm", 0);
            total.worlds++;
        }
        run(&wild, base, "wild", i);
        compare(i);
        add_up();
    }
    survive_world_end(&world);
    print_message(
        "%ju schedules in %ju worlds: %ju lives, %ju crashes, %ju orderly "
        "restarts, %ju reloads, %ju snapshots, %ju groups and repeats forgotten "
        "for lack of room; %ju alerts compared, differences 0\n",
        (uintmax_t)total.schedules, (uintmax_t)total.worlds, (uintmax_t)total.lives,
        (uintmax_t)total.crashes, (uintmax_t)total.restarts, (uintmax_t)total.reloads,
        (uintmax_t)total.snapshots, (uintmax_t)total.evicted, (uintmax_t)total.alerts);
    assert_true(n < SCHEDULES || total.evicted > 0);
}

int main(void)
{
    hd_log_setup(&(struct hd_log_opts){.level = HD_LOG_ERROR, .fd = 2});
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whatever_happens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
