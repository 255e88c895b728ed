/* SPDX-License-Identifier: Apache-2.0
 *
 * `haidang search` for what is not there, against what else can be done with the segments
 * as they lie: zstdcat | grep, and ripgrep (rg -z) where it is installed. In turn, one
 * thread each; medians.
 *
 *     bench_search [MB of raw text] [rounds]      default: 1000, 5; 0 rounds: only the
 *                                                 first line of a window
 *
 * GB/s of raw text by processor time and by the clock; then a pattern with choices,
 * and the time to the first line of some hosts in two hours of the day.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/num.h>

#include "tests/bench/archive.h"

#define BATCH_LINES 4000U
#define ROUNDS      5 /* at most */

static void must_at(bool ok, const char *what, int line)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_search:%d: not so: %s\n", line, what);
        exit(1);
    }
}
#define must(what) must_at((what), #what, __LINE__)

static size_t make_line(void *ctx, unsigned i, unsigned host, char *out)
{
    unsigned random = i * 2654435761U;
    unsigned a = random % 250, d = (random >> 4) % 100000;
    int len = 0;
    (void)ctx;
    if (i % 3 == 0) {
        len = snprintf(out, HD_BENCH_LINE_MAX,
                       "<38>Nov 21 07:50:37 web%u sshd[%u]: Failed password for invalid "
                       "user u%u from 203.0.113.%u port %u ssh2",
                       host, d % 9000, d, a, 1024 + d % 60000);
    } else if (i % 3 == 1) {
        len = snprintf(out, HD_BENCH_LINE_MAX,
                       "203.0.113.%u - - [21/Nov/2026:07:50:37 +0700] \"GET /page/%u "
                       "HTTP/1.1\" 200 %u \"https://example.vn/\" \"Mozilla/5.0 (X11; "
                       "Linux x86_64; rv:120.0) Gecko\"",
                       a, d, random >> 16);
    } else {
        len = snprintf(out, HD_BENCH_LINE_MAX,
                       "<86>Nov 21 07:50:37 web%u systemd[1]: Started session-%u.scope - "
                       "Session %u of user backup, slice user-1000.slice, by timer %x",
                       host, d, d, random);
    }
    return (size_t)len;
}

/* ---- runs ---- */

struct run {
    const char *name, *command; /* by the shell */
    double cpu[ROUNDS], wall[ROUNDS];
};

static double children_cpu(void)
{
    struct rusage u;
    must(getrusage(RUSAGE_CHILDREN, &u) == 0);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Exit status 1: nothing was found, as it must be. */
static void run_once(struct run *run, uint32_t round, int expected)
{
    double cpu = children_cpu();
    int64_t began_ns = hd_clock_mono_ns();
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, STDOUT_FILENO);
        (void)execl("/bin/sh", "sh", "-c", run->command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    must_at(WEXITSTATUS(status) == expected, run->command, WEXITSTATUS(status));
    run->wall[round] = (double)(hd_clock_mono_ns() - began_ns) / HD_NS_PER_SEC;
    run->cpu[round] = children_cpu() - cpu;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double values[ROUNDS], uint32_t n)
{
    qsort(values, n, sizeof(values[0]), by_value);
    return values[n / 2];
}

static void compare(struct run *runs, size_t n, double gb, uint32_t rounds)
{
    double first = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++) {
            run_once(&runs[i], round, 1);
        }
    }
    for (size_t i = 0; i < n; i++) {
        double cpu = median(runs[i].cpu, rounds), wall = median(runs[i].wall, rounds);
        first = i == 0 ? cpu : first;
        (void)printf("%-22s %5.2f GB/s a core, %5.2f GB/s by the clock, %5.2f x the "
                     "processor time\n",
                     runs[i].name, gb / cpu, gb / wall, cpu / first);
    }
    (void)fflush(stdout);
}

static bool has_ripgrep(void)
{
    struct run look = {.command = "command -v rg >/dev/null; exit $?"};
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", look.command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    must(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void absent(const char *program, const char *dir, const char *pattern, double gb,
                   uint32_t rounds)
{
    static char ours[2048], grep[2048], rg[2048];
    (void)snprintf(ours, sizeof(ours), "%s search --jobs 1 '%s' %s", program, pattern,
                   dir);
    (void)snprintf(grep, sizeof(grep), "zstdcat %s/*.zst | grep -E '%s'", dir, pattern);
    (void)snprintf(rg, sizeof(rg), "rg -z -j 1 --no-filename '%s' %s", pattern, dir);
    struct run runs[] = {{.name = "haidang search", .command = ours},
                         {.name = "zstdcat | grep -E", .command = grep},
                         {.name = "rg -z", .command = rg}};
    (void)printf("'%s', which is not there:\n", pattern);
    compare(runs, has_ripgrep() ? 3 : 2, gb, rounds);
}

/* Some hosts, two hours in the middle of the day. */
static void window(const char *program, const char *dir)
{
    static char command[2048];
    double wall[ROUNDS];
    struct run run = {.command = command};
    (void)snprintf(command, sizeof(command),
                   "%s search -m 1 --since 12h --until 10h --host \"web1*\" . %s",
                   program, dir);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        run_once(&run, round, 0);
        wall[round] = run.wall[round];
    }
    (void)printf("first line of a host and time window: %.3f s\n", median(wall, ROUNDS));
}

int main(int argc, char **argv)
{
    double mb = 1000;
    char dir[600], program[600];
    uint32_t rounds = ROUNDS;
    const char *build = getenv("HD_BUILD_DIR");
    if (argc > 2) {
        must(hd_num_u32(hd_slice_str(argv[2]), ROUNDS, &rounds) == HD_OK);
    }
    if (argc > 1) {
        must(hd_num_double(hd_slice_str(argv[1]), &mb) == HD_OK && mb >= 10);
    }
    (void)snprintf(dir, sizeof(dir), "%s/archive", hd_test_tmpdir());
    (void)snprintf(program, sizeof(program), "%s/console/haidang",
                   build != NULL ? build : ".");
    const struct hd_bench_archive archive = {.dir = dir,
                                             .lines = (uint64_t)(mb * 1e6 / 160),
                                             .batch_lines = BATCH_LINES,
                                             .make_line = make_line};
    uint64_t raw = 0;
    uint64_t disk = hd_bench_archive_make(&archive, &raw);
    double gb = (double)raw / 1e9;
    (void)printf("archive: %.2f GB of text, %.2f GB on disk (%.1f : 1)\n", gb,
                 (double)disk / 1e9, (double)raw / (double)disk);
    if (rounds > 0) {
        absent(program, dir, "Xuyen Moc 4711", gb, rounds);
        absent(program, dir, "(authentication|Kerberos) rejected: .*timeout$", gb,
               rounds);
    }
    window(program, dir);
    return 0;
}
