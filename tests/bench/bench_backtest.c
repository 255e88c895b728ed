/* SPDX-License-Identifier: Apache-2.0
 *
 * `haidang backtest` over an archive as the correlator writes it: lines of 200 bytes in
 * batches of 4,000, received over the last day. One line in 50 is a failed login.
 *
 *     bench_backtest [million lines] [rule file]      default: 1, a rule for sshd
 *
 * With one thread and with one a processor: seconds, lines/s, processor time.
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
#include <haidang/fs.h>
#include <haidang/num.h>

#include "tests/bench/archive.h"

#define BATCH_LINES 4000U
#define LINE_BYTES  200U

static const char rule_text[] =
    "title: Failed login of an unknown user\n"
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd62f\n"
    "status: test\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection:\n"
    "  selection: {event.action: ssh-login, event.outcome: failure}\n"
    "  who: {user.name|startswith: 'admin'}\n"
    "  condition: selection and who\n"
    "level: low\n";

static void must_at(bool ok, const char *what, int line)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_backtest:%d: not so: %s\n", line, what);
        exit(1);
    }
}
#define must(what) must_at((what), #what, __LINE__)

static size_t make_line(void *ctx, unsigned i, unsigned host, char *out)
{
    (void)ctx;
    unsigned random = i * 2654435761U;
    unsigned a = random % 250, d = (random >> 4) % 100000;
    int len = 0;
    if (i % 50 == 0) {
        len = snprintf(out, HD_BENCH_LINE_MAX,
                       "<38>Nov 21 07:50:37 web%u sshd[%u]: Failed password for invalid "
                       "user %s%u from 203.0.113.%u port %u ssh2",
                       host, d, i % 1000 == 0 ? "admin" : "u", d, a, 1024 + d % 60000);
    } else if (i % 3 == 0) {
        len = snprintf(out, HD_BENCH_LINE_MAX,
                       "203.0.113.%u - - [21/Nov/2026:07:50:37 +0700] \"GET /page/%u "
                       "HTTP/1.1\" 200 5120 \"https://example.vn/\" \"Mozilla/5.0 (X11; "
                       "Linux x86_64; rv:120.0) Gecko\"",
                       a, d);
    } else {
        len = snprintf(out, HD_BENCH_LINE_MAX,
                       "<86>Nov 21 07:50:37 web%u systemd[1]: Started session-%u.scope - "
                       "Session %u of user backup, slice user-1000.slice",
                       host, d, d);
    }
    for (size_t at = (size_t)len; at < LINE_BYTES; at++) {
        out[at] = at % 9 == 0 ? ' ' : (char)('a' + (random >> (at % 24)) % 26);
    }
    return LINE_BYTES;
}

static void make_archive(const char *dir, uint64_t lines)
{
    const struct hd_bench_archive archive = {
        .dir = dir, .lines = lines, .batch_lines = BATCH_LINES, .make_line = make_line};
    uint64_t raw = 0;
    uint64_t disk = hd_bench_archive_make(&archive, &raw);
    (void)printf("archive       %llu lines, %llu bytes on disk\n",
                 (unsigned long long)(lines / BATCH_LINES * BATCH_LINES),
                 (unsigned long long)disk);
    (void)fflush(stdout);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double children_cpu(void)
{
    struct rusage usage;
    must(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static void backtest(const char *program, const char *archive, const char *rule,
                     const char *jobs, uint64_t lines)
{
    char decoders[512];
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    double cpu = children_cpu();
    int64_t began_ns = hd_clock_mono_ns();
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, STDOUT_FILENO);
        (void)execl(program, program, "backtest", rule, "--archive", archive,
                    "--decoders", decoders, "--since", "2d", "--jobs", jobs,
                    (char *)NULL);
        _exit(127);
    }
    int status = 0;
    must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0);
    double took = (double)(hd_clock_mono_ns() - began_ns) / HD_NS_PER_SEC;
    (void)printf("%2s threads    %.2f s, %.0f lines/s, %.2f s of processor time\n", jobs,
                 took, (double)lines / took, children_cpu() - cpu);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    double millions = 1;
    char archive[600], rule[600], program[600], jobs[16];
    const char *build = getenv("HD_BUILD_DIR");
    if (argc > 1) {
        must(hd_num_double(hd_slice_str(argv[1]), &millions) == HD_OK && millions > 0);
    }
    uint64_t lines = (uint64_t)(millions * 1e6);
    const char *dir = hd_test_tmpdir();
    (void)snprintf(archive, sizeof(archive), "%s/archive", dir);
    (void)snprintf(rule, sizeof(rule), "%s/rule.yml", dir);
    (void)snprintf(program, sizeof(program), "%s/console/haidang",
                   build != NULL ? build : ".");
    must(hd_fs_write_atomic(rule, hd_slice_str(rule_text), 0600) == HD_OK);
    make_archive(archive, lines);
    (void)snprintf(jobs, sizeof(jobs), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    backtest(program, archive, argc > 2 ? argv[2] : rule, "1", lines);
    backtest(program, archive, argc > 2 ? argv[2] : rule, jobs, lines);
    return 0;
}
