/* SPDX-License-Identifier: Apache-2.0
 *
 * Thousands of short random lives of a journal: appends, commits, failing system calls,
 * kills, power cuts, reopenings. A ledger of what was promised judges each: everything
 * that was committed is there exactly once, in order, whole; of what was not, at most a
 * beginning. A share of the lives is encrypted, some change their key with each
 * opening: no nonce may come twice. HD_CRASH_SEED=n replays one life, HD_CRASH_LIVES=n
 * sets how many.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include <haidang/journal_check.h>
#include <haidang/journal_compact.h>
#include <haidang/log.h>
#include <haidang/num.h>

#include "lib/journal_priv.h"
#include "tests/crash/memfs.h"

#define LIVES       2000U
#define STEPS       40
#define MAX_ENTRIES 4096U
#define PAYLOAD_MAX 1500U

#define KEYS        2U

static struct hd_sign_key *seal_key;
static uint64_t sealed; /* segments whose seals were checked */
static uint64_t compacted, cut_short;
static struct hd_journal_keys *keys;
static const struct hd_journal_key *key[KEYS];
static uint64_t boxes; /* entries that were encrypted */

struct ledger {
    uint64_t promised; /* entries 1..promised are committed */
    uint64_t written;  /* entries up to here may be there */
    uint64_t kept;     /* entries below this may have been removed by retention */
};

struct life {
    uint64_t seed;
    struct memfs *fs;
    struct hd_io io;
    struct hd_journal *j;
    struct hd_journal_opts opts;
    struct ledger ledger;
    uint64_t read; /* the named reader consumed entries up to here */
    bool is_failed;
    bool is_rotten; /* damage was done on purpose: some entries may be missing */
    struct hd_jfmt_box boxes[STEPS]; /* all that were made, whatever became of them */
    size_t n_boxes;
    uint64_t openings;
};

static void lose(const struct life *life, const char *what, uint64_t n)
{
    fail_msg("HD_CRASH_SEED=%llu: %s (entry %llu; promised %llu, written %llu)",
             (unsigned long long)life->seed, what, (unsigned long long)n,
             (unsigned long long)life->ledger.promised,
             (unsigned long long)life->ledger.written);
}

/* A life that is replayed tells what happens in it. */
static void tell(const struct life *life, const char *step, int err)
{
    if (getenv("HD_CRASH_SEED") != NULL) {
        print_message("%-8s %-10s next %llu durable %llu segments %zu bytes %llu\n", step,
                      hd_err_name(err), (unsigned long long)life->j->next,
                      (unsigned long long)life->j->durable_next, life->j->n_segs,
                      (unsigned long long)life->j->bytes);
    }
}

/* ---- entries that say which they are ---- */

static struct hd_journal_entry make_entry(const struct life *life, uint64_t n)
{
    static ZSTD_CCtx *zstd;
    static uint8_t text[PAYLOAD_MAX];
    static uint8_t frame[2 * PAYLOAD_MAX];
    static uint8_t meta[32];
    zstd = zstd == NULL ? ZSTD_createCCtx() : zstd;
    uint64_t x = (life->seed << 20) + n * UINT64_C(0x9e3779b97f4a7c15) + 1;
    size_t len = 8 + (size_t)(x >> 33) % (n % 5 == 0 ? PAYLOAD_MAX - 8 : 100);
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        text[i] = (uint8_t)('a' + (x >> 40) % 16); /* half of it can be compacted away */
    }
    memcpy(text, &n, sizeof(n));
    memcpy(meta, &n, sizeof(n));
    size_t frame_len = ZSTD_compressCCtx(zstd, frame, sizeof(frame), text, len, -5);
    assert_false(ZSTD_isError(frame_len));
    return (struct hd_journal_entry){
        .first = n,
        .last = n,
        .count = 1,
        .raw_len = (uint32_t)len,
        .time_min = (int64_t)n,
        .time_max = (int64_t)n,
        .meta = hd_slice(meta, n % 2 == 0 ? sizeof(n) : 0),
        .payload = hd_slice(frame, frame_len),
    };
}

/* Compaction changes the frame, not what is in it. */
static bool is_same_text(struct hd_slice a, struct hd_slice b)
{
    static uint8_t text[2][PAYLOAD_MAX];
    size_t n = ZSTD_decompress(text[0], PAYLOAD_MAX, a.ptr, a.len);
    size_t m = ZSTD_decompress(text[1], PAYLOAD_MAX, b.ptr, b.len);
    return !ZSTD_isError(n) && n == m && memcmp(text[0], text[1], n) == 0;
}

static bool is_same(const struct life *life, const struct hd_journal_entry *got)
{
    struct hd_journal_entry want = make_entry(life, got->first);
    return hd_slice_eq(got->meta, want.meta) &&
           is_same_text(got->payload, want.payload) && got->time_max == want.time_max &&
           got->raw_len == want.raw_len;
}

/* ---- encryption ---- */

/* A key for the journal that is opened next, or none. */
static void choose_key(struct life *life, uint64_t opening)
{
    uint64_t choice = (life->seed + opening) % (KEYS + 1);
    life->opts.keys = keys;
    life->opts.key = NULL;
    if (life->seed % 8 == 1) {
        life->opts.key = key[0];
    } else if (life->seed % 8 == 2 && choice < KEYS) {
        life->opts.key = key[choice];
    }
}

static bool is_same_nonce(const struct hd_jfmt_box *a, const struct hd_jfmt_box *b)
{
    return memcmp(a->salt, b->salt, sizeof(a->salt)) == 0 &&
           memcmp(a->nonce, b->nonce, sizeof(a->nonce)) == 0;
}

static void see_box(struct life *life)
{
    struct hd_jfmt_box *box = &life->boxes[life->n_boxes];
    if (hd_jfmt_box_decode(hd_buf_slice(&life->j->crypt.out), box) != HD_OK) {
        return; /* not encrypted, or refused before it was */
    }
    for (size_t i = 0; i < life->n_boxes; i++) {
        if (is_same_nonce(&life->boxes[i], box)) {
            lose(life, "a nonce came twice", life->ledger.written + 1);
        }
    }
    life->n_boxes++;
    boxes++;
}

/* ---- steps ---- */

static void step_append(struct life *life)
{
    if (life->ledger.written + 1 >= MAX_ENTRIES) {
        return;
    }
    uint64_t n = life->ledger.written + 1;
    struct hd_journal_entry entry = make_entry(life, n);
    hd_buf_clear(&life->j->crypt.out);
    int err = hd_journal_append(life->j, &entry);
    see_box(life);
    tell(life, "append", err);
    if (err == HD_OK) {
        if (life->is_failed) {
            lose(life, "a failed journal took an entry", n);
        }
        life->ledger.written = n;
    } else if (err != HD_ENOSPC && err != HD_EIO) {
        lose(life, hd_err_name(err), n);
    }
    life->is_failed = life->j->failed != HD_OK;
    /* sealing a segment commits what was before */
    uint64_t durable = life->ledger.written - (life->j->next - life->j->durable_next);
    if (!life->is_failed && !life->is_rotten && durable > life->ledger.promised) {
        life->ledger.promised = durable;
    }
}

static void step_commit(struct life *life)
{
    uint64_t pending = life->j->next - life->j->durable_next;
    int err = hd_journal_commit(life->j);
    tell(life, "commit", err);
    if (err == HD_OK) {
        if (life->is_failed) {
            lose(life, "a failed journal committed", 0);
        }
        life->ledger.promised = life->ledger.written;
        return;
    }
    /* what was pending is gone when the journal healed, and may be there when not */
    life->is_failed = life->j->failed != HD_OK;
    if (!life->is_failed) {
        life->ledger.written -= pending;
        life->ledger.promised = life->ledger.written;
    }
}

static struct hd_journal_reader *open_reader(struct life *life, const char *name)
{
    struct hd_journal_reader *r = NULL;
    int err = hd_journal_reader_open_io("j", name, &life->io, &r);
    if (err != HD_OK) {
        lose(life, "a reader cannot be opened", (uint64_t)-err);
    }
    hd_journal_reader_use_keys(r, keys);
    return r;
}

/* The number of the last entry there is; complains about each that is not as it must. */
static uint64_t read_all(struct life *life)
{
    struct hd_journal_reader *r = open_reader(life, NULL);
    struct hd_journal_entry entry;
    uint64_t last = 0;
    uint64_t index = 0;
    int err = hd_journal_reader_next(r, &entry);
    bool is_gap = false;
    while (err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT) {
        if (err == HD_ECORRUPT && !life->is_rotten) {
            lose(life, "damage that nobody did, after", last);
        }
        if (err == HD_OK) {
            /* names of removed segments may come back with a power cut, but not what
             * nobody has read may go */
            bool is_next = last == 0 || entry.first == last + 1 ||
                           (is_gap && entry.first <= life->ledger.kept);
            if (!is_same(life, &entry)) {
                lose(life, "an entry is not as it was written", entry.first);
            }
            if ((!is_next && !life->is_rotten) || entry.first <= last) {
                lose(life, "entries are missing, double or out of order at", entry.first);
            }
            if (last == 0 && entry.first > life->ledger.kept && !life->is_rotten) {
                lose(life, "the oldest entries are missing before", entry.first);
            }
            if (entry.index <= index ||
                (entry.index != entry.first && !life->is_rotten)) {
                lose(life, "the index is wrong at", entry.first);
            }
            last = entry.first;
            index = entry.index;
        }
        is_gap = err == HD_ENOENT;
        err = hd_journal_reader_next(r, &entry);
    }
    if (err != HD_EAGAIN) {
        lose(life, hd_err_name(err), last);
    }
    hd_journal_reader_close(r);
    return last;
}

static void find(void *ctx, const struct hd_check_finding *finding)
{
    const struct life *life = ctx;
    bool is_retention =
        life->opts.retain_bytes > 0 && /* removed names may come back */
        (finding->problem == HD_CHECK_MISSING || finding->problem == HD_CHECK_CHAIN);
    if (!is_retention) {
        lose(life, finding->text, finding->segment);
    }
}

/* Every sealed segment is stated and signed, and the statements are a chain. */
static void check_seals(struct life *life)
{
    struct hd_journal_segments list;
    struct hd_check_opts opts = {
        .keys = &seal_key, .n_keys = 1, .secrets = keys, .found = find, .ctx = life};
    struct hd_check *check = NULL;
    assert_int_equal(hd_journal_list_io("j", &life->io, &list), HD_OK);
    assert_int_equal(hd_check_open_io(&opts, &life->io, &check), HD_OK);
    for (size_t i = 0; i < list.n; i++) {
        char path[64];
        struct hd_check_segment seg;
        bool is_last = i + 1 == list.n;
        assert_int_equal(hd_journal_segment_path("j", list.first[i], path, sizeof(path)),
                         HD_OK);
        assert_int_equal(
            hd_check_segment(check, path, is_last, is_last ? list.durable : 0, &seg),
            HD_OK);
        sealed += seg.is_vouched ? 1 : 0;
    }
    hd_check_close(check);
    free(list.first);
}

static void reopen(struct life *life)
{
    static const struct memfs_faults none;
    struct hd_journal_recovery recovery;
    memfs_faults_set(life->fs, &none);
    life->is_failed = false;
    choose_key(life, life->openings++);
    int err = hd_journal_open_io(&life->opts, &life->io, &life->j, &recovery);
    if (err != HD_OK) {
        lose(life, "the journal cannot be opened", (uint64_t)-err);
    }
    tell(life, "open", err);
    if (!life->is_rotten && (recovery.damaged_bytes > 0 || recovery.lost_entries > 0)) {
        lose(life, "recovery speaks of damage that nobody did", recovery.lost_entries);
    }
    if (!life->is_rotten) {
        check_seals(life);
    }
    uint64_t last = read_all(life);
    if (last == 0 && !life->is_rotten) {
        last = life->j->next - 1; /* retention took all, or there never was one */
    }
    if (last < life->ledger.promised && !life->is_rotten) {
        lose(life, "promised entries are gone after", last);
    }
    if (last > life->ledger.written) {
        lose(life, "an entry that nobody wrote", last);
    }
    life->ledger.written = last;
    life->ledger.promised = last;
}

static void step_accident(struct life *life, bool is_power)
{
    tell(life, is_power ? "power" : "kill", HD_OK);
    if (is_power) {
        memfs_power_cut(life->fs);
    } else {
        memfs_kill(life->fs);
    }
    life->j->fd = life->j->dir_fd = life->j->lock_fd = life->j->mark_fd = -1;
    hd_journal_free(life->j);
    reopen(life);
}

/* Nothing fails to verify but what rots. */
static void compact_found(void *ctx, const struct hd_check_finding *finding)
{
    const struct life *life = ctx;
    if (!life->is_rotten) {
        lose(life, finding->text, finding->segment);
    }
}

/* Beside the writer, every segment but the last. After so many calls (0: never) the
 * process dies, perhaps with the machine. True: it did. */
static bool compact(struct life *life, uint64_t calls, bool is_power)
{
    const struct hd_compact_opts opts = {.dir = "j",
                                         .level = 3,
                                         .key = seal_key,
                                         .keys = &seal_key,
                                         .n_keys = 1,
                                         .secrets = life->opts.keys,
                                         .found = compact_found,
                                         .ctx = life};
    struct hd_compact_result result = {.outcome = HD_COMPACT_NOTHING};
    struct hd_compact *c = NULL;
    if (calls > 0) {
        memfs_die_after(life->fs, calls);
    }
    int err = hd_compact_open_io(&opts, &life->io, &c);
    for (size_t i = 0; err == HD_OK && i + 1 < life->j->n_segs; i++) {
        err = hd_compact_segment(c, life->j->segs[i].first, &result);
        compacted += err == HD_OK && result.outcome == HD_COMPACT_DONE;
    }
    hd_compact_close(c);
    tell(life, "compact", err);
    bool is_dead = memfs_is_dead(life->fs);
    memfs_live(life->fs);
    if (is_dead) {
        cut_short++;
        step_accident(life, is_power);
    }
    return is_dead;
}

static void step_compact(struct life *life)
{
    bool is_cut = memfs_below(life->fs, 2) == 0;
    uint64_t calls = is_cut ? 1 + memfs_below(life->fs, 150) : 0;
    (void)compact(life, calls, memfs_below(life->fs, 2) == 0);
}

static void step_faults(struct life *life)
{
    struct memfs_faults faults = {0};
    uint32_t *const kinds[] = {&faults.write_eio,    &faults.write_enospc,
                               &faults.write_short,  &faults.sync_eio,
                               &faults.truncate_eio, &faults.open_eio};
    for (uint64_t i = memfs_below(life->fs, 3); i > 0; i--) {
        *kinds[memfs_below(life->fs, 6)] = 2 + (uint32_t)memfs_below(life->fs, 8);
    }
    memfs_faults_set(life->fs, &faults);
    tell(life, "faults", HD_OK);
}

/* A named reader goes on, remembers where it is, and lets retention have the rest. */
static void step_read(struct life *life)
{
    static const struct memfs_faults none;
    memfs_faults_set(life->fs, &none);
    struct hd_journal_reader *r = open_reader(life, "reader");
    struct hd_journal_entry entry;
    struct hd_journal_cursor cursor;
    uint64_t n = memfs_below(life->fs, 20);
    int err = HD_OK;
    while (n-- > 0 && (err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT)) {
        err = hd_journal_reader_next(r, &entry);
        if (err == HD_OK) {
            if (entry.first > life->read + 1 && !life->is_rotten) {
                lose(life, "a named reader missed entries before", entry.first);
            }
            life->read = entry.first > life->read ? entry.first : life->read;
        }
    }
    hd_journal_reader_tell(r, &cursor);
    err = hd_journal_reader_save(r, &cursor, memfs_below(life->fs, 2) == 0);
    if (err != HD_OK && err != HD_EAGAIN) {
        lose(life, hd_err_name(err), 0);
    }
    hd_journal_reader_close(r);
    life->ledger.kept = life->read + 1;
    tell(life, "read", HD_OK);
}

static void live(uint64_t seed, bool is_rotting)
{
    struct life life = {.seed = seed, .fs = memfs_new(seed), .ledger.kept = 1};
    life.io = memfs_io(life.fs);
    life.opts = (struct hd_journal_opts){
        .dir = "j",
        .seal_key = seal_key,
        .segment_bytes = 500 + memfs_below(life.fs, 4000),
        .retain_bytes = memfs_below(life.fs, 2) == 0 ? 0 : 4000,
        .max_bytes = memfs_below(life.fs, 4) == 0 ? 20000 : 0,
    };
    bool has_reader = memfs_below(life.fs, 2) == 0;
    if (!has_reader) {
        life.opts.retain_bytes = 0; /* nobody says what may go */
    }
    reopen(&life);
    if (has_reader) {
        step_read(&life);
    }
    for (int i = 0; i < STEPS; i++) {
        uint64_t dice = memfs_below(life.fs, 100);
        if (dice < 55) {
            step_append(&life);
        } else if (dice < 78) {
            step_commit(&life);
        } else if (dice < 84) {
            step_faults(&life);
        } else if (dice < 88 && has_reader) {
            step_read(&life);
        } else if (dice < 90 && is_rotting && !life.is_failed) {
            life.is_rotten = memfs_rot(life.fs, ".zst") || life.is_rotten;
        } else if (dice < 93) {
            step_accident(&life, false);
        } else if (dice < 96) {
            step_compact(&life);
        } else if (dice < 98) {
            step_accident(&life, true);
        }
    }
    step_accident(&life, true);
    hd_journal_close(life.j);
    memfs_free(life.fs);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    uint64_t value = otherwise;
    const char *text = getenv(name);
    if (text != NULL) {
        assert_int_equal(hd_num_u64(hd_slice_str(text), UINT64_MAX, &value), HD_OK);
    }
    return value;
}

static void run_lives(bool is_rotting)
{
    uint64_t one = from_environment("HD_CRASH_SEED", 0);
    uint64_t lives = from_environment("HD_CRASH_LIVES", LIVES);
    if (one > 0) {
        live(one, is_rotting);
        return;
    }
    for (uint64_t seed = 1; seed <= lives; seed++) {
        live(seed, is_rotting);
    }
}

static void test_nothing_promised_is_lost(void **state)
{
    (void)state;
    run_lives(false);
    print_message("%llu segments compacted, %llu times cut short\n",
                  (unsigned long long)compacted, (unsigned long long)cut_short);
    assert_true((sealed > 0 && compacted > 0 && cut_short > 0) ||
                getenv("HD_CRASH_SEED") != NULL);
    assert_true(boxes > 0 || getenv("HD_CRASH_SEED") != NULL);
    print_message("%llu entries encrypted, no nonce twice\n", (unsigned long long)boxes);
}

/* With rot on top: what is still whole is found, nothing wrong is served. */
static void test_rot_never_serves_wrong_entries(void **state)
{
    (void)state;
    run_lives(true);
}

/* A journal of some segments, compacted by a process that dies at this call; then by one
 * that does not. False: there are not so many calls. */
static bool cut_compaction(uint64_t seed, uint64_t calls)
{
    struct life life = {.seed = seed, .fs = memfs_new(seed), .ledger.kept = 1};
    life.io = memfs_io(life.fs);
    life.opts =
        (struct hd_journal_opts){.dir = "j", .seal_key = seal_key, .segment_bytes = 4000};
    reopen(&life);
    for (int i = 0; i < 40; i++) {
        step_append(&life);
    }
    step_commit(&life);
    bool is_dead = compact(&life, calls, seed % 2 == 0);
    uint64_t before = compacted;
    (void)compact(&life, 0, false);
    if (is_dead && compacted == before && calls < 20) {
        lose(&life, "nothing could be compacted afterwards", calls);
    }
    step_accident(&life, true);
    hd_journal_close(life.j);
    memfs_free(life.fs);
    return is_dead;
}

static void test_compaction_cut_at_every_call(void **state)
{
    (void)state;
    uint64_t calls = 0;
    bool is_dead = true;
    compacted = cut_short = 0;
    while (is_dead) {
        is_dead = false;
        calls++;
        for (uint64_t seed = 1; seed <= 6; seed++) {
            is_dead = cut_compaction(seed, calls) || is_dead;
        }
    }
    print_message("%llu calls, %llu segments compacted, %llu times cut short\n",
                  (unsigned long long)calls, (unsigned long long)compacted,
                  (unsigned long long)cut_short);
    assert_true(calls > 50);
}

int main(void)
{
    const struct hd_log_opts quiet = {
        .level = HD_LOG_WARN, .fd = getenv("HD_CRASH_SEED") == NULL ? -1 : 2, .burst = 0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_promised_is_lost),
        cmocka_unit_test(test_rot_never_serves_wrong_entries),
        cmocka_unit_test(test_compaction_cut_at_every_call),
    };
    char path[256];
    hd_log_setup(&quiet);
    (void)snprintf(path, sizeof(path), "%s/key", hd_test_tmpdir());
    if (hd_sign_key_ensure(path, &seal_key) != HD_OK) {
        return 1;
    }
    if (hd_journal_keys_new(&keys) != HD_OK ||
        hd_journal_keys_add(keys, HD_SLICE("the first key, of 32 octets long"),
                            &key[0]) != HD_OK ||
        hd_journal_keys_add(keys, HD_SLICE("the other key, of 32 octets long"),
                            &key[1]) != HD_OK) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hd_journal_keys_free(keys);
    hd_sign_key_free(seal_key);
    return failed;
}
