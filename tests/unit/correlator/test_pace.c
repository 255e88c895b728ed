/* SPDX-License-Identifier: Apache-2.0
 *
 * How much may be on its way to the disk, against disks that are imagined: what a sync
 * takes, what it writes in a millisecond, when it stands still. The disk takes whatever
 * is there, syncs once, and takes what has come meanwhile.
 */
#include "tests/support/support.h"

#include <stdlib.h>

#include "correlator/intake/pace.h"

#define MIB      (UINT64_C(1) << 20)
#define MB       1000.0 /* bytes a millisecond, of one megabyte a second */
#define KB       UINT64_C(1000)
#define MEMORY   (64 * MIB)
#define WAIT_MS  200.0
#define SYNCS    6.0
#define SETTLED  30000.0 /* ms, until what is measured is what stays so */
#define LONG     300000.0
#define WAYS_MAX 65536U

struct disk {
    const char *name;
    double sync_ms, rate;
    uint64_t batch;
    double least;     /* share of the rate that a flood must get through */
    double hiccup_ms; /* once a minute */
    double jitter;    /* share by which a sync takes longer or shorter */
};

/* A flood on its way to a disk. */
struct sim {
    struct cor_pace pace;
    double now_ms;
    double since_ms[WAYS_MAX]; /* of each batch on its way; a ring */
    unsigned first, n, group;  /* what the disk has taken of them */
    double hiccup_at_ms;
    uint32_t chance;
};

struct figures {
    double bytes, ms, longest_ms;
    unsigned batches, late; /* waited longer than the bound of that disk */
    uint64_t least_limit;
};

static double may_wait(const struct disk *disk)
{
    return disk->sync_ms * SYNCS > WAIT_MS ? disk->sync_ms * SYNCS : WAIT_MS;
}

static struct sim *sim_new(void)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    assert_non_null(sim);
    cor_pace_init(&sim->pace, MEMORY);
    sim->now_ms = 1000;
    sim->hiccup_at_ms = 60000;
    return sim;
}

/* The disk begins with the first that comes; the others wait for its next group. */
static void fill(struct sim *sim, const struct disk *disk)
{
    while (cor_pace_take(&sim->pace, disk->batch, (uint64_t)sim->now_ms)) {
        assert_true(sim->n < WAYS_MAX);
        sim->since_ms[(sim->first + sim->n++) % WAYS_MAX] = sim->now_ms;
        sim->group += sim->group == 0;
    }
}

static double write_group(struct sim *sim, const struct disk *disk)
{
    sim->chance = sim->chance * 1664525U + 1013904223U;
    double other = disk->jitter * ((double)(sim->chance >> 16) / 32768 - 1);
    double ms =
        disk->sync_ms * (1 + other) + (double)(sim->group * disk->batch) / disk->rate;
    if (disk->hiccup_ms > 0 && sim->now_ms >= sim->hiccup_at_ms) {
        ms += disk->hiccup_ms;
        sim->hiccup_at_ms += 60000;
    }
    return ms;
}

static struct figures flood(struct sim *sim, const struct disk *disk, double ms)
{
    struct figures f = {.least_limit = MEMORY};
    double begin_ms = sim->now_ms;
    while (sim->now_ms < begin_ms + ms) {
        fill(sim, disk);
        f.least_limit = sim->pace.limit < f.least_limit ? sim->pace.limit : f.least_limit;
        sim->now_ms += write_group(sim, disk);
        for (unsigned i = 0; i < sim->group; i++) {
            double since_ms = sim->since_ms[sim->first];
            double waited_ms = sim->now_ms - since_ms;
            cor_pace_done(&sim->pace, disk->batch, (uint64_t)since_ms,
                          (uint64_t)sim->now_ms);
            sim->first = (sim->first + 1) % WAYS_MAX;
            f.bytes += (double)disk->batch;
            f.batches++;
            f.late += waited_ms > may_wait(disk) * 1.05;
            f.longest_ms = waited_ms > f.longest_ms ? waited_ms : f.longest_ms;
        }
        sim->n -= sim->group;
        sim->group = sim->n; /* all that came meanwhile */
    }
    f.ms = sim->now_ms - begin_ms;
    return f;
}

static double share(const struct figures *f, const struct disk *disk)
{
    return f->bytes / f->ms / disk->rate;
}

/* What two syncs and three batches need is needed anyway. */
static double longest(const struct disk *disk)
{
    double least_ms = 2 * disk->sync_ms + 3 * (double)disk->batch / disk->rate;
    double wait_ms = may_wait(disk) > least_ms ? may_wait(disk) : least_ms;
    return wait_ms * (1.1 + 2 * disk->jitter);
}

static void check(const struct disk *disk, const struct figures *f)
{
    print_message("%s: %.1f MB/s of %.0f, longest wait %.0f ms, %u of %u late\n",
                  disk->name, f->bytes / f->ms / MB, disk->rate / MB, f->longest_ms,
                  f->late, f->batches);
    assert_true(share(f, disk) >= disk->least);
    assert_true(f->longest_ms <= longest(disk) + disk->hiccup_ms);
}

static void test_each_disk_does_what_it_can(void **state)
{
    static const struct disk disks[] = {
        {"sync 0.2 ms", 0.2, 400 * MB, 250 * KB, .99, 0, 0},
        {"sync 5 ms", 5, 150 * MB, 250 * KB, .9, 0, 0},
        {"sync 5 ms, tiny batches", 5, 150 * MB, 5 * KB, .9, 0, 0},
        {"sync 30 ms", 30, 120 * MB, 250 * KB, .6, 0, 0},
        {"sync 90 ms", 90, 100 * MB, 250 * KB, .6, 0, 0},
        {"sync 110 ms", 110, 100 * MB, 250 * KB, .6, 0, 0},
        {"sync 110 ms, batches of 750 KB", 110, 100 * MB, 750 * KB, .6, 0, 0},
        {"sync 110 ms, 10 MB/s", 110, 10 * MB, 750 * KB, .5, 0, 0},
        {"sync 300 ms", 300, 40 * MB, 250 * KB, .55, 0, 0},
        {"sync 300 ms, batches of 750 KB", 300, 40 * MB, 750 * KB, .55, 0, 0},
        {"sync 1 ms, 4 MB/s", 1, 4 * MB, 100 * KB, .9, 0, 0},
        {"sync 1 ms, 4 MB/s, batches of 750 KB", 1, 4 * MB, 750 * KB, .9, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
        struct sim *sim = sim_new();
        (void)flood(sim, &disks[i], SETTLED);
        struct figures f = flood(sim, &disks[i], LONG);
        check(&disks[i], &f);
        free(sim);
    }
}

/* 1 s once a minute: who is there waits, and that is all. */
static void test_hiccups_cost_what_they_last(void **state)
{
    static const struct disk disks[] = {
        {"sync 0.2 ms, hiccups", 0.2, 400 * MB, 250 * KB, .95, 1000, 0},
        {"sync 5 ms, hiccups", 5, 150 * MB, 250 * KB, .88, 1000, 0},
        {"sync 110 ms, hiccups", 110, 100 * MB, 250 * KB, .57, 1000, 0},
        {"sync 300 ms, hiccups", 300, 40 * MB, 250 * KB, .53, 1000, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
        struct sim *sim = sim_new();
        (void)flood(sim, &disks[i], SETTLED);
        uint64_t limit = sim->pace.limit;
        struct figures f = flood(sim, &disks[i], LONG);
        check(&disks[i], &f);
        assert_true(f.late <= f.batches / 20);
        assert_true(f.least_limit >= limit / 2);
        free(sim);
    }
}

/* No two syncs take the same. */
static void test_syncs_that_vary(void **state)
{
    static const struct disk disks[] = {
        {"sync 3 to 7 ms", 5, 150 * MB, 250 * KB, .9, 0, .4},
        {"sync 18 to 42 ms", 30, 120 * MB, 250 * KB, .55, 0, .4},
        {"sync 66 to 154 ms", 110, 100 * MB, 250 * KB, .5, 0, .4},
        {"sync 66 to 154 ms, 750 KB", 110, 100 * MB, 750 * KB, .5, 0, .4},
        {"sync 180 to 420 ms, hiccups", 300, 40 * MB, 250 * KB, .45, 1000, .4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
        struct sim *sim = sim_new();
        (void)flood(sim, &disks[i], SETTLED);
        struct figures f = flood(sim, &disks[i], LONG);
        check(&disks[i], &f);
        free(sim);
    }
}

/* It becomes another disk for a minute, and then what it was. */
static void test_disks_that_become_slow_and_get_well(void **state)
{
    static const struct disk well = {"well", 5, 150 * MB, 250 * KB, .9, 0, 0};
    static const struct disk ill[] = {
        {"writes slowly", 5, 4 * MB, 250 * KB, .85, 0, 0},
        {"syncs slowly", 300, 150 * MB, 250 * KB, .3, 0,
         0}, /* all that the memory holds */
        {"does both", 100, 10 * MB, 250 * KB, .5, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ill) / sizeof(ill[0]); i++) {
        struct sim *sim = sim_new();
        (void)flood(sim, &well, SETTLED);
        (void)flood(sim, &ill[i], SETTLED);
        struct figures f = flood(sim, &ill[i], SETTLED);
        check(&ill[i], &f);
        (void)flood(sim, &well, 10000);
        f = flood(sim, &well, SETTLED);
        check(&well, &f);
        free(sim);
    }
}

/* A disk is found to be slow before much waits in front of it. */
static void test_the_beginning(void **state)
{
    static const struct disk slow = {"from the start", 1, 4 * MB, 100 * KB, .9, 0, 0};
    static const struct disk fast = {"from the start", .2, 400 * MB, 250 * KB, .9, 0, 0};
    struct sim *sim = sim_new();
    (void)state;
    struct figures f = flood(sim, &slow, 2000);
    check(&slow, &f);
    free(sim);
    sim = sim_new();
    f = flood(sim, &fast, 1000);
    check(&fast, &f);
    assert_int_equal(sim->pace.limit, MEMORY);
    free(sim);
}

/* Nobody had to wait: nothing was learnt of the bound, whatever the disk does. */
static void test_little_load_changes_nothing(void **state)
{
    static const struct disk disk = {"sync 5 ms", 5, 150 * MB, 250 * KB, .9, 0, 0};
    struct sim *sim = sim_new();
    struct cor_pace *p = &sim->pace;
    (void)state;
    (void)flood(sim, &disk, SETTLED);
    while (p->queued > 0) {
        cor_pace_undo(p, disk.batch);
    }
    uint64_t limit = p->limit, now_ms = (uint64_t)sim->now_ms;
    assert_true(limit > 16 * MIB);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t took_ms = i % 100 == 99 ? 3000 : 5;
        now_ms += 100;
        assert_true(cor_pace_take(p, 1000, now_ms));
        now_ms += took_ms;
        cor_pace_done(p, 1000, now_ms - took_ms, now_ms);
    }
    assert_int_equal(p->limit, limit);
    free(sim);
}

static void test_alone_there_is_room(void **state)
{
    struct cor_pace p;
    (void)state;
    cor_pace_init(&p, 4 * MIB);
    assert_true(cor_pace_take(&p, 100 * MIB, 1000)); /* however large */
    assert_false(cor_pace_take(&p, 1, 1000));
    cor_pace_done(&p, 100 * MIB, 1000, 1001);
    assert_int_equal(p.queued, 0);
    assert_true(cor_pace_take(&p, MIB / 4 - 1, 1001));
    assert_true(cor_pace_take(&p, 1, 1001));
    assert_false(cor_pace_take(&p, 1, 1001));
}

/* A disk that refuses is quick; that is not how fast it is. */
static void test_what_was_not_written_counts_for_nothing(void **state)
{
    struct cor_pace p;
    (void)state;
    cor_pace_init(&p, MEMORY);
    uint64_t limit = p.limit, now_ms = 1000;
    for (unsigned i = 0; i < 1000; i++) {
        unsigned taken = 0;
        while (cor_pace_take(&p, MIB / 4, now_ms)) {
            taken++;
        }
        now_ms += 20;
        for (; taken > 0; taken--) {
            cor_pace_undo(&p, MIB / 4);
        }
        assert_int_equal(p.queued, 0);
    }
    assert_int_equal(p.limit, limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone_there_is_room),
        cmocka_unit_test(test_the_beginning),
        cmocka_unit_test(test_each_disk_does_what_it_can),
        cmocka_unit_test(test_hiccups_cost_what_they_last),
        cmocka_unit_test(test_syncs_that_vary),
        cmocka_unit_test(test_disks_that_become_slow_and_get_well),
        cmocka_unit_test(test_little_load_changes_nothing),
        cmocka_unit_test(test_what_was_not_written_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
