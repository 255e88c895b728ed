/* SPDX-License-Identifier: Apache-2.0
 *
 * What encryption costs, in processor time: archives made (lines into batches,
 * compressed, written, synced), read (decompressed), and searched by `haidang search` for
 * what is not there; encrypted and not, in turn, one thread each; medians and their
 * ratio.
 *
 *     bench_crypt [MB of raw text] [rounds]      default: 400, 5
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zstd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal.h>
#include <haidang/num.h>

#include "tests/bench/archive.h"

#define BATCH_LINES 4000U
#define ROUNDS      9U
#define SIDES       2 /* in clear, encrypted */

struct bench {
    struct hd_journal_keys *keys;
    const struct hd_journal_key *key;
    char dir[SIDES][512], key_file[512];
    uint64_t lines, raw, disk[SIDES];
    uint8_t *room;
    ZSTD_DCtx *unzstd;
};

enum what { MAKE, READ, SEARCH, KINDS };

static void must_at(bool ok, const char *what, int line)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_crypt:%d: not so: %s\n", line, what);
        exit(1);
    }
}
#define must(what) must_at((what), #what, __LINE__)

static size_t make_line(void *ctx, unsigned i, unsigned host, char *out)
{
    unsigned random = i * 2654435761U;
    (void)ctx;
    int len = snprintf(out, HD_BENCH_LINE_MAX,
                       "<38>Nov 21 07:50:37 web%u sshd[%u]: Failed password for invalid "
                       "user u%u from 203.0.113.%u port %u ssh2; session %x closed by "
                       "timer after %u s, service sshd.service, slice system.slice",
                       host, random % 9000, random % 100000, random % 250,
                       1024 + random % 60000, random, random % 300);
    return (size_t)len;
}

static double cpu_of(int who)
{
    struct rusage u;
    must(getrusage(who, &u) == 0);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int remove_file(void *ctx, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)ctx, name);
    return unlink(path) == 0 || rmdir(path) == 0 ? HD_OK : HD_EIO;
}

static void make(struct bench *b, int side)
{
    const struct hd_bench_archive archive = {.dir = b->dir[side],
                                             .lines = b->lines,
                                             .batch_lines = BATCH_LINES,
                                             .make_line = make_line,
                                             .keys = side == 1 ? b->keys : NULL,
                                             .key = side == 1 ? b->key : NULL};
    if (access(b->dir[side], F_OK) == 0) {
        must(hd_fs_each(b->dir[side], remove_file, b->dir[side]) == HD_OK);
    }
    b->disk[side] = hd_bench_archive_make(&archive, &b->raw);
}

static void read_all(struct bench *b, int side)
{
    struct hd_journal_reader *r = NULL;
    struct hd_journal_entry entry;
    uint64_t raw = 0;
    must(hd_journal_reader_open(b->dir[side], NULL, &r) == HD_OK);
    hd_journal_reader_use_keys(r, b->keys);
    while (hd_journal_reader_next(r, &entry) == HD_OK) {
        size_t len = ZSTD_decompressDCtx(b->unzstd, b->room, 2 * HD_JOURNAL_PAYLOAD_MAX,
                                         entry.payload.ptr, entry.payload.len);
        must(!ZSTD_isError(len));
        raw += len;
    }
    must(raw == b->raw);
    hd_journal_reader_close(r);
}

static void search(struct bench *b, int side)
{
    const char *build = getenv("HD_BUILD_DIR");
    char command[2048];
    (void)snprintf(command, sizeof(command),
                   "%s/console/haidang search --jobs 1 --unlock %s 'not there [0-9]+' %s",
                   build != NULL ? build : ".", b->key_file, b->dir[side]);
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    must_at(WEXITSTATUS(status) == 1, command, WEXITSTATUS(status));
}

static double measure(struct bench *b, enum what what, int side)
{
    int who = what == SEARCH ? RUSAGE_CHILDREN : RUSAGE_SELF;
    double before = cpu_of(who);
    if (what == MAKE) {
        make(b, side);
    } else if (what == READ) {
        read_all(b, side);
    } else {
        search(b, side);
    }
    return cpu_of(who) - before;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof(values[0]), by_value);
    return values[n / 2];
}

static void run(struct bench *b, uint32_t rounds)
{
    static const char *const names[KINDS] = {"made: compressed, written, synced",
                                             "read: decompressed", "haidang search"};
    double took[KINDS][SIDES][ROUNDS];
    for (uint32_t round = 0; round < rounds; round++) {
        for (int what = 0; what < KINDS; what++) {
            for (int side = 0; side < SIDES; side++) {
                took[what][side][round] = measure(b, (enum what)what, side);
            }
        }
    }
    (void)printf("%.2f GB of text, %.1f MB in clear, %.1f MB encrypted, %u rounds\n",
                 (double)b->raw / 1e9, (double)b->disk[0] / 1e6, (double)b->disk[1] / 1e6,
                 rounds);
    for (int what = 0; what < KINDS; what++) {
        double clear = median(took[what][0], rounds);
        double encrypted = median(took[what][1], rounds);
        (void)printf("%-34s %6.2f GB/s in clear, %6.2f encrypted: %.3f x the processor "
                     "time\n",
                     names[what], (double)b->raw / 1e9 / clear,
                     (double)b->raw / 1e9 / encrypted, encrypted / clear);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.room = malloc(2 * HD_JOURNAL_PAYLOAD_MAX),
                      .unzstd = ZSTD_createDCtx()};
    const char *tmp = hd_test_tmpdir();
    double mb = 400;
    uint32_t rounds = 5;
    struct hd_journal_key_id id;
    if (argc > 1) {
        must(hd_num_double(hd_slice_str(argv[1]), &mb) == HD_OK && mb >= 10);
    }
    if (argc > 2) {
        must(hd_num_u32(hd_slice_str(argv[2]), ROUNDS, &rounds) == HD_OK && rounds > 0);
    }
    b.lines = (uint64_t)(mb * 1e6 / 200);
    (void)snprintf(b.dir[0], sizeof(b.dir[0]), "%s/clear", tmp);
    (void)snprintf(b.dir[1], sizeof(b.dir[1]), "%s/encrypted", tmp);
    (void)snprintf(b.key_file, sizeof(b.key_file), "%s/bench.key", tmp);
    must(b.room != NULL && b.unzstd != NULL);
    must(hd_journal_key_make(b.key_file, &id) == HD_OK);
    must(hd_journal_keys_new(&b.keys) == HD_OK);
    must(hd_journal_keys_load(b.keys, b.key_file, &b.key) == HD_OK);
    run(&b, rounds);
    hd_journal_keys_free(b.keys);
    (void)ZSTD_freeDCtx(b.unzstd);
    free(b.room);
    return 0;
}
