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

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/journal.h>
#include <haidang/num.h>

#define BATCH_LINES 4000U
#define LINE_BYTES  200U
#define HOSTS       20U
#define BOOT        "0123456789abcdef0123456789abcdef"
#define DAY_NS      (86400 * HD_NS_PER_SEC)

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

static size_t make_line(char out[LINE_BYTES + 64], unsigned i, unsigned host)
{
    unsigned random = i * 2654435761U;
    unsigned a = random % 250, d = (random >> 4) % 100000;
    int len = 0;
    if (i % 50 == 0) {
        len = snprintf(out, LINE_BYTES + 64,
                       "<38>Nov 21 07:50:37 web%u sshd[%u]: Failed password for invalid "
                       "user %s%u from 203.0.113.%u port %u ssh2",
                       host, d, i % 1000 == 0 ? "admin" : "u", d, a, 1024 + d % 60000);
    } else if (i % 3 == 0) {
        len = snprintf(out, LINE_BYTES + 64,
                       "203.0.113.%u - - [21/Nov/2026:07:50:37 +0700] \"GET /page/%u "
                       "HTTP/1.1\" 200 5120 \"https://example.vn/\" \"Mozilla/5.0 (X11; "
                       "Linux x86_64; rv:120.0) Gecko\"",
                       a, d);
    } else {
        len = snprintf(out, LINE_BYTES + 64,
                       "<86>Nov 21 07:50:37 web%u systemd[1]: Started session-%u.scope - "
                       "Session %u of user backup, slice user-1000.slice",
                       host, d, d);
    }
    for (size_t at = (size_t)len; at < LINE_BYTES; at++) {
        out[at] = at % 9 == 0 ? ' ' : (char)('a' + (random >> (at % 24)) % 26);
    }
    return LINE_BYTES;
}

struct archive {
    struct hd_journal *journal;
    struct hd_batch_builder *builder;
    uint64_t lines, first_of[HOSTS];
    int64_t now_ns, step_ns;
};

static void add_batch(struct archive *a, unsigned number)
{
    char line[LINE_BYTES + 64], host[16];
    unsigned who = number % HOSTS;
    struct hd_slice frame;
    struct hd_batch_info info;
    uint16_t source;
    (void)snprintf(host, sizeof(host), "web%u", who);
    const struct hd_batch_source from = {.host = hd_slice_str(host),
                                         .kind = HD_SLICE("file"),
                                         .name = HD_SLICE("/var/log/messages"),
                                         .format = HD_SLICE("auto")};
    must(hd_batch_builder_source(a->builder, &from, &source) == HD_OK);
    for (unsigned i = 0; i < BATCH_LINES; i++) {
        size_t len = make_line(line, number * BATCH_LINES + i, who);
        a->now_ns += a->step_ns;
        must(hd_batch_builder_add(a->builder, source, a->now_ns, 0,
                                  hd_slice(line, len)) == HD_OK);
    }
    must(hd_batch_builder_close(a->builder, a->first_of[who] + 1, &frame, &info) ==
         HD_OK);
    a->first_of[who] += BATCH_LINES;
    struct hd_journal_entry entry = {.first = info.first,
                                     .last = info.last,
                                     .time_min = info.time_min,
                                     .time_max = info.time_max,
                                     .count = info.count,
                                     .raw_len = info.raw_len,
                                     .payload = frame};
    must(hd_journal_append(a->journal, &entry) == HD_OK);
}

static void make_archive(const char *dir, uint64_t lines)
{
    struct archive a = {.now_ns = hd_clock_wall_ns() - DAY_NS + HD_NS_PER_SEC,
                        .step_ns = (DAY_NS - 60 * HD_NS_PER_SEC) / (int64_t)lines};
    struct hd_journal_recovery found;
    must(hd_journal_open(&(struct hd_journal_opts){.dir = dir}, &a.journal, &found) ==
         HD_OK);
    must(hd_batch_builder_new("web", BOOT, HD_BATCH_RAW_MAX, 1, &a.builder) == HD_OK);
    for (unsigned i = 0; i < lines / BATCH_LINES; i++) {
        add_batch(&a, i);
    }
    must(hd_journal_commit(a.journal) == HD_OK);
    (void)printf("archive       %llu lines, %llu bytes on disk\n",
                 (unsigned long long)(lines / BATCH_LINES * BATCH_LINES),
                 (unsigned long long)hd_journal_bytes(a.journal));
    (void)fflush(stdout);
    hd_batch_builder_free(a.builder);
    hd_journal_close(a.journal);
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
