/* SPDX-License-Identifier: Apache-2.0
 *
 * A segment within another file is read and checked as if it were a file of its own, and
 * nothing around it is looked at.
 */
#include "tests/unit/lib/journal_helper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/journal_part.h>

#define NAME   "00000000000000000001.zst"
#define BEFORE 777U
#define AFTER  99U
#define HEADER 64U /* docs/formats/journal.md: where the first entry is */

struct world {
    struct hd_journal_part part;
    struct hd_buf room;
    struct hd_journal_entry entry;
    const char *path;
    unsigned found;
};

/* A file with two entries in a segment, and bytes of no meaning around it. */
static void world_open(struct world *w)
{
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    size_t len = 0;
    hd_test_append(j, 1, 2);
    hd_journal_close(j);
    uint8_t *segment = hd_test_slurp(hd_test_path(dir, NAME), &len);
    uint8_t *whole = malloc(BEFORE + len + AFTER);
    assert_non_null(whole);
    memset(whole, 'x', BEFORE + len + AFTER);
    memcpy(whole + BEFORE, segment, len);
    *w = (struct world){.path = hd_test_path(dir, "bundle")};
    hd_test_spill(w->path, whole, BEFORE + len + AFTER);
    w->part = (struct hd_journal_part){
        .fd = open(w->path, O_RDONLY), .offset = BEFORE, .bytes = len};
    assert_true(w->part.fd >= 0);
    hd_buf_init(&w->room, 0);
    free(whole);
    free(segment);
}

static void world_close(struct world *w)
{
    hd_buf_fini(&w->room);
    close(w->part.fd);
}

static int entry_at(struct world *w, uint64_t at)
{
    return hd_journal_part_entry(&w->part, at, &w->room, &w->entry);
}

static void test_entries_are_read_where_they_are(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_int_equal(entry_at(&w, HEADER), HD_OK);
    hd_test_entry_check(&w.entry, 1);
    uint64_t second = HEADER + 80 + w.entry.meta.len + w.entry.payload.len;
    assert_int_equal(entry_at(&w, second), HD_OK);
    hd_test_entry_check(&w.entry, 2);
    assert_int_equal(entry_at(&w, second + 80 + w.entry.meta.len + w.entry.payload.len),
                     HD_ECORRUPT);
    world_close(&w);
}

static void test_nothing_else_is_an_entry(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const uint64_t places[] = {0, HEADER - 1, HEADER + 1, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        assert_int_equal(entry_at(&w, places[i]), HD_ECORRUPT);
    }
    w.part.bytes = HEADER + 100; /* the entry would go on behind the part */
    assert_int_equal(entry_at(&w, HEADER), HD_ECORRUPT);
    w.part.bytes = HEADER - 1;
    assert_int_equal(entry_at(&w, HEADER), HD_ECORRUPT);
    w.part.bytes = HEADER;
    w.part.offset--;
    assert_int_equal(entry_at(&w, HEADER), HD_ECORRUPT);
    world_close(&w);
}

static void count(void *ctx, const struct hd_check_finding *finding)
{
    struct world *w = ctx;
    (void)finding;
    w->found++;
}

static void test_a_part_is_checked(void **state)
{
    (void)state;
    struct world w;
    struct hd_check *check = NULL;
    struct hd_check_segment seg;
    world_open(&w);
    const struct hd_check_opts opts = {.found = count, .ctx = &w};
    assert_int_equal(hd_check_open_part(&opts, &w.part, &check), HD_OK);
    assert_int_equal(hd_check_segment(check, "bundle/" NAME, true, 0, &seg), HD_OK);
    assert_int_equal(w.found, 0);
    assert_int_equal(seg.entries, 2);
    assert_int_equal(seg.bytes, w.part.bytes);
    hd_check_close(check);
    w.part.bytes -= 10; /* the last entry is cut */
    assert_int_equal(hd_check_open_part(&opts, &w.part, &check), HD_OK);
    assert_int_equal(hd_check_segment(check, "bundle/" NAME, true, 0, &seg), HD_OK);
    assert_int_equal(w.found, 1);
    assert_int_equal(seg.entries, 1);
    hd_check_close(check);
    assert_int_equal(fcntl(w.part.fd, F_GETFD) >= 0, 1); /* it is ours still */
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_read_where_they_are),
        cmocka_unit_test(test_nothing_else_is_an_entry),
        cmocka_unit_test(test_a_part_is_checked),
    };
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
