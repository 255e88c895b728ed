/* SPDX-License-Identifier: Apache-2.0
 *
 * A second copy of sealed segments: what is missing comes, what is wrong is said, and
 * nothing that has a name is touched.
 */
#include "tests/unit/lib/journal_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_copy.h>
#include <haidang/stamp.h>

#include "lib/keep_mirror.h"

#define SEGMENT 600U
#define ENTRIES 20U
#define STEPS   1000U

struct world {
    char from[256], base[256], to[512];
    struct hd_sign_key *key;
    struct hd_journal *journal;
    struct hd_mirror mirror;
    struct hd_journal_segments list;
    atomic_bool stop;
    uint64_t last;
};

/* The linker brings the call here (--wrap): what others do between judging and copying.
 */
static void (*meanwhile)(void);
int __real_hd_journal_copy_file(struct hd_journal_copy *copy,
                                const struct hd_check_file *file, uint64_t bytes);
int __wrap_hd_journal_copy_file(struct hd_journal_copy *copy,
                                const struct hd_check_file *file, uint64_t bytes);

int __wrap_hd_journal_copy_file(struct hd_journal_copy *copy,
                                const struct hd_check_file *file, uint64_t bytes)
{
    if (meanwhile != NULL) {
        meanwhile();
        meanwhile = NULL;
    }
    return __real_hd_journal_copy_file(copy, file, bytes);
}

static struct hd_sign_key *make_key(const char *dir, const char *name)
{
    struct hd_sign_key *key = NULL;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, &key), HD_OK);
    return key;
}

static void open_journal(struct world *w, const char *dir)
{
    const struct hd_journal_opts opts = {
        .dir = dir, .segment_bytes = SEGMENT, .seal_key = w->key};
    struct hd_journal_recovery found;
    assert_int_equal(hd_journal_open(&opts, &w->journal, &found), HD_OK);
    w->last = found.next_index - 1;
}

static void append(struct world *w, unsigned n)
{
    hd_test_append(w->journal, w->last + 1, w->last + n);
    w->last += n;
}

static void list(struct world *w)
{
    free(w->list.first);
    assert_int_equal(hd_journal_list(w->from, &w->list), HD_OK);
}

static void begin_mirror(struct world *w, int64_t retain_ns)
{
    const struct hd_mirror_opts opts = {.name = "archive",
                                        .from = w->from,
                                        .base = w->base,
                                        .any_disk = true,
                                        .retain_ns = retain_ns,
                                        .key = w->key,
                                        .stop = &w->stop};
    assert_int_equal(hd_mirror_init(&w->mirror, &opts), HD_OK);
}

static void world_open(struct world *w)
{
    const char *dir = hd_test_tmpdir();
    *w = (struct world){.last = 0};
    (void)snprintf(w->from, sizeof(w->from), "%s/from", dir);
    (void)snprintf(w->base, sizeof(w->base), "%s/base", dir);
    (void)snprintf(w->to, sizeof(w->to), "%s/archive", w->base);
    assert_int_equal(hd_fs_mkdirs(w->base, 0750), HD_OK);
    w->key = make_key(dir, "key");
    open_journal(w, w->from);
    append(w, ENTRIES);
    list(w);
    assert_in_range(w->list.n, 4, ENTRIES);
    begin_mirror(w, 0);
}

static void world_close(struct world *w)
{
    hd_journal_close(w->journal);
    hd_sign_key_free(w->key);
    free(w->list.first);
}

/* Until a round is over; how many segments came. */
static uint64_t run_round(struct world *w)
{
    uint64_t before = w->mirror.state.placed;
    for (unsigned i = 0; i < STEPS; i++) {
        hd_mirror_step(&w->mirror);
        if (!w->mirror.state.is_more) {
            return w->mirror.state.placed - before;
        }
    }
    fail_msg("the round does not end");
    return 0;
}

static const char *file(const char *dir, uint64_t first)
{
    static char path[2][512];
    static unsigned turn;
    turn ^= 1;
    assert_int_equal(hd_journal_segment_path(dir, first, path[turn], sizeof(path[turn])),
                     HD_OK);
    return path[turn];
}

static void flip(const char *path, off_t at)
{
    char byte = 0;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static bool is_same(const char *a, const char *b)
{
    struct hd_buf one, two;
    hd_buf_init(&one, 0);
    hd_buf_init(&two, 0);
    assert_int_equal(hd_fs_read(a, 1U << 20, &one), HD_OK);
    assert_int_equal(hd_fs_read(b, 1U << 20, &two), HD_OK);
    bool same = hd_slice_eq(hd_buf_slice(&one), hd_buf_slice(&two));
    hd_buf_fini(&one);
    hd_buf_fini(&two);
    return same;
}

static void assert_mirrored(const struct world *w)
{
    for (size_t i = 0; i + 1 < w->list.n; i++) {
        assert_true(
            is_same(file(w->from, w->list.first[i]), file(w->to, w->list.first[i])));
    }
    assert_int_not_equal(access(file(w->to, w->list.first[w->list.n - 1]), F_OK), 0);
    assert_int_equal(w->mirror.state.behind, 0);
    assert_string_equal(w->mirror.state.why, "");
}

static void fails_with(struct world *w, const char *why)
{
    assert_int_equal(run_round(w), 0);
    if (strstr(w->mirror.state.why, why) == NULL) {
        print_error("%s\n", w->mirror.state.why);
    }
    assert_non_null(strstr(w->mirror.state.why, why));
}

/* ---- tests ---- */

static void what_is_sealed_comes_and_comes_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_int_equal(run_round(&w), w.list.n - 1);
    assert_mirrored(&w);
    assert_int_equal(run_round(&w), 0);
    append(&w, ENTRIES);
    size_t before = w.list.n;
    list(&w);
    assert_int_equal(run_round(&w), w.list.n - before);
    assert_mirrored(&w);
    world_close(&w);
}

static void the_last_segment_comes_when_it_is_sealed(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    (void)run_round(&w);
    hd_journal_close(w.journal);
    const struct hd_journal_opts opts = {
        .dir = w.from, .segment_bytes = 1U << 20, .segment_ns = 1, .seal_key = w.key};
    struct hd_journal_recovery found;
    assert_int_equal(hd_journal_open(&opts, &w.journal, &found), HD_OK);
    assert_int_equal(hd_journal_trim(w.journal), 0);
    assert_int_equal(run_round(&w), 1);
    assert_true(is_same(file(w.from, w.list.first[w.list.n - 1]),
                        file(w.to, w.list.first[w.list.n - 1])));
    world_close(&w);
}

static void what_got_lost_there_comes_again(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    (void)run_round(&w);
    assert_int_equal(unlink(file(w.to, w.list.first[1])), 0);
    assert_int_equal(run_round(&w), 1);
    assert_mirrored(&w);
    world_close(&w);
}

static void what_is_behind_is_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    hd_mirror_step(&w.mirror);
    assert_true(w.mirror.state.is_more);
    assert_int_equal(w.mirror.state.behind, w.list.n - 2);
    assert_true(w.mirror.state.behind_bytes > 0);
    assert_in_range(w.mirror.state.oldest_ns, 1, hd_clock_wall_ns());
    world_close(&w);
}

static void an_outage_is_told_and_caught_up_with(void **state)
{
    (void)state;
    struct world w;
    char away[300];
    world_open(&w);
    (void)run_round(&w);
    (void)snprintf(away, sizeof(away), "%s.away", w.base);
    assert_int_equal(rename(w.base, away), 0);
    append(&w, ENTRIES);
    size_t before = w.list.n;
    list(&w);
    fails_with(&w, "is not there");
    assert_int_equal(w.mirror.state.behind, w.list.n - before);
    assert_int_equal(rename(away, w.base), 0);
    assert_int_equal(run_round(&w), w.list.n - before);
    assert_mirrored(&w);
    world_close(&w);
}

static void the_disk_of_the_archive_is_refused(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    w.mirror.opts.any_disk = false;
    fails_with(&w, "on the same disk");
    assert_int_not_equal(access(w.to, F_OK), 0);
    world_close(&w);
}

/* One that does not verify is told; it keeps none of the others back. */
static void a_damaged_segment_is_not_copied(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    flip(file(w.from, w.list.first[1]), 100);
    assert_int_equal(run_round(&w), w.list.n - 2);
    assert_non_null(strstr(w.mirror.state.why, "does not verify"));
    assert_int_equal(w.mirror.state.behind, 1);
    assert_int_not_equal(access(file(w.to, w.list.first[1]), F_OK), 0);
    flip(file(w.from, w.list.first[1]), 100);
    assert_int_equal(run_round(&w), 1);
    assert_mirrored(&w);
    world_close(&w);
}

/* A segment that damage cut off is never sealed; what is in it is worth a copy. */
static void what_was_never_sealed_comes_as_it_is(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    world_open(&w);
    assert_int_equal(stat(file(w.from, w.list.first[1]), &st), 0);
    assert_int_equal(truncate(file(w.from, w.list.first[1]), st.st_size - 8), 0);
    assert_int_equal(run_round(&w), w.list.n - 1);
    assert_mirrored(&w);
    world_close(&w);
}

static void another_journal_is_refused(void **state)
{
    (void)state;
    struct world w, other;
    world_open(&w);
    world_open(&other);
    (void)run_round(&w);
    (void)snprintf(other.base, sizeof(other.base), "%s", w.base);
    begin_mirror(&other, 0);
    fails_with(&other, "another journal");
    world_close(&other);
    world_close(&w);
}

/* The archive was set back and goes on: other segments under names that are taken. */
static void another_segment_of_the_name_is_told(void **state)
{
    (void)state;
    struct world w;
    char path[512];
    world_open(&w);
    (void)run_round(&w);
    (void)snprintf(path, sizeof(path), "%s", file(w.to, w.list.first[0]));
    assert_int_equal(rename(path, file(w.to, w.list.first[w.list.n - 2])), 0);
    (void)run_round(&w);
    assert_non_null(strstr(w.mirror.state.why, "holds another segment"));
    world_close(&w);
}

/* A reply about a segment, beside the journal. */
static void put_stamp(const struct world *w, uint64_t first)
{
    char path[600], dir[512];
    (void)snprintf(dir, sizeof(dir), "%s/stamps", w->from);
    assert_int_equal(hd_fs_mkdirs(dir, 0750), HD_OK);
    assert_int_equal(hd_stamp_path(w->from, first, ".tsr", path, sizeof(path)), HD_OK);
    assert_int_equal(hd_fs_write_atomic(path, HD_SLICE("reply"), 0640), HD_OK);
}

static void it_has_a_retention_of_its_own(void **state)
{
    (void)state;
    struct world w;
    char stamp[600];
    world_open(&w);
    put_stamp(&w, 1);
    assert_int_equal(hd_stamp_path(w.to, 1, ".tsr", stamp, sizeof(stamp)), HD_OK);
    (void)run_round(&w);
    assert_int_equal(access(stamp, F_OK), 0);
    uint64_t n = w.list.n - 1;
    int64_t later = hd_clock_wall_ns() + 100 * HD_NS_PER_SEC, mono = hd_clock_mono_ns();
    hd_clock_fake(&later, &mono);
    append(&w, ENTRIES); /* sealed 100 s after the others, but for the first */
    list(&w);
    begin_mirror(&w, 50 * HD_NS_PER_SEC);
    assert_int_equal(run_round(&w), w.list.n - 1 - n);
    assert_int_equal(w.mirror.state.removed, n);
    assert_int_equal(run_round(&w), 0); /* what is old does not come again */
    assert_int_equal(w.mirror.state.behind, 0);
    assert_int_not_equal(access(file(w.to, w.list.first[0]), F_OK), 0);
    assert_int_not_equal(access(stamp, F_OK), 0); /* nor does its stamp */
    hd_clock_fake(NULL, NULL);
    world_close(&w);
}

static void what_the_archive_removed_stays(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    (void)run_round(&w);
    assert_int_equal(unlink(file(w.from, w.list.first[0])), 0);
    assert_int_equal(run_round(&w), 0);
    assert_int_equal(access(file(w.to, w.list.first[0]), F_OK), 0);
    assert_string_equal(w.mirror.state.why, "");
    world_close(&w);
}

static void stamps_come_along(void **state)
{
    (void)state;
    struct world w;
    char from[600], to[600];
    world_open(&w);
    put_stamp(&w, 1);
    assert_int_equal(hd_stamp_path(w.from, 1, ".tsr", from, sizeof(from)), HD_OK);
    assert_int_equal(hd_stamp_path(w.to, 1, ".tsr", to, sizeof(to)), HD_OK);
    (void)run_round(&w);
    (void)run_round(&w);
    assert_true(is_same(from, to));
    assert_int_equal(unlink(to), 0); /* and again, when it was lost there */
    (void)run_round(&w);
    assert_true(is_same(from, to));
    world_close(&w);
}

static void a_half_copy_of_an_earlier_life_goes(void **state)
{
    (void)state;
    struct world w;
    char part[600];
    world_open(&w);
    (void)snprintf(part, sizeof(part), "%s/.part", w.to);
    assert_int_equal(hd_fs_mkdirs(part, 0750), HD_OK);
    assert_int_equal(
        hd_fs_write_atomic(file(part, w.list.first[0]), HD_SLICE("half"), 0640), HD_OK);
    assert_int_equal(run_round(&w), w.list.n - 1);
    assert_mirrored(&w);
    assert_int_not_equal(access(part, F_OK), 0);
    world_close(&w);
}

static char taken[512], other[512];

static void exchange(void)
{
    assert_int_equal(rename(other, taken), 0);
}

static void take_away(void)
{
    assert_int_equal(unlink(taken), 0);
}

/* Compaction gives the name to another file, retention takes it away: what was judged is
 * what is copied, and nothing is told. */
static void what_is_judged_is_what_comes(void **state)
{
    (void)state;
    void (*const done[])(void) = {exchange, take_away};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        char kept[512];
        world_open(&w);
        (void)snprintf(taken, sizeof(taken), "%s", file(w.from, w.list.first[0]));
        (void)snprintf(kept, sizeof(kept), "%s/kept", w.base);
        (void)snprintf(other, sizeof(other), "%s/other", w.base);
        assert_int_equal(link(taken, kept), 0);
        assert_int_equal(hd_fs_write_atomic(other, HD_SLICE("smaller"), 0640), HD_OK);
        meanwhile = done[i];
        assert_int_equal(run_round(&w), w.list.n - 1);
        assert_null(meanwhile);
        assert_string_equal(w.mirror.state.why, "");
        assert_int_equal(w.mirror.state.failed, 0);
        assert_true(is_same(kept, file(w.to, w.list.first[0])));
        world_close(&w);
    }
}

static void a_stop_leaves_nothing_half(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    atomic_store(&w.stop, true);
    assert_int_equal(run_round(&w), 0);
    assert_string_equal(w.mirror.state.why, "");
    assert_int_not_equal(access(file(w.to, w.list.first[0]), F_OK), 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_comes_and_comes_once),
        cmocka_unit_test(the_last_segment_comes_when_it_is_sealed),
        cmocka_unit_test(what_got_lost_there_comes_again),
        cmocka_unit_test(what_is_behind_is_told),
        cmocka_unit_test(an_outage_is_told_and_caught_up_with),
        cmocka_unit_test(the_disk_of_the_archive_is_refused),
        cmocka_unit_test(a_damaged_segment_is_not_copied),
        cmocka_unit_test(what_was_never_sealed_comes_as_it_is),
        cmocka_unit_test(another_journal_is_refused),
        cmocka_unit_test(another_segment_of_the_name_is_told),
        cmocka_unit_test(it_has_a_retention_of_its_own),
        cmocka_unit_test(what_the_archive_removed_stays),
        cmocka_unit_test(stamps_come_along),
        cmocka_unit_test(a_half_copy_of_an_earlier_life_goes),
        cmocka_unit_test(what_is_judged_is_what_comes),
        cmocka_unit_test(a_stop_leaves_nothing_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
