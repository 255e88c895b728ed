/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang losses over a ledger and receipts that were written for it.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal.h>

#include "console/losses.h"

static char ledger[512], receipts[512];
static char said[16384];

static void append(struct hd_journal *journal, const char *text, int64_t time_ns)
{
    uint8_t frame[4096];
    size_t len = ZSTD_compress(frame, sizeof(frame), text, strlen(text), 1);
    assert_false(ZSTD_isError(len));
    struct hd_journal_entry entry = {.first = 1,
                                     .last = 1,
                                     .time_min = time_ns,
                                     .time_max = time_ns,
                                     .count = 1,
                                     .raw_len = (uint32_t)strlen(text),
                                     .payload = hd_slice(frame, len)};
    assert_int_equal(hd_journal_append(journal, &entry), HD_OK);
}

static struct hd_journal *open_journal(const char *dir)
{
    struct hd_journal *journal;
    struct hd_journal_recovery found;
    const struct hd_journal_opts opts = {.dir = dir};
    assert_int_equal(hd_journal_open(&opts, &journal, &found), HD_OK);
    return journal;
}

static void lose(struct hd_journal *journal, enum hd_loss_kind kind, const char *agent,
                 uint64_t count, int64_t ago_s)
{
    int64_t at_ns = hd_clock_wall_ns() - ago_s * HD_NS_PER_SEC;
    struct hd_buf line;
    struct hd_loss loss = {.kind = kind,
                           .time_ns = at_ns,
                           .first_ns = at_ns,
                           .last_ns = at_ns,
                           .count = count,
                           .source = "syslog-udp :514\a"};
    HD_LOSS_SET(loss.agent, hd_slice_str(agent));
    hd_buf_init(&line, 0);
    assert_int_equal(hd_loss_encode(&loss, &line), HD_OK);
    append(journal, hd_buf_cstr(&line), at_ns);
    hd_buf_fini(&line);
}

static void receive(struct hd_journal *journal, const char *outcome)
{
    char text[512], time[HD_RFC3339_LEN + 1];
    int64_t now_ns = hd_clock_wall_ns();
    (void)hd_clock_format_rfc3339(now_ns, 3, time);
    (void)snprintf(text, sizeof(text),
                   "{\"time\":\"%s\",\"destination\":\"ncsc\",\"alert\":\"5b1f\","
                   "\"outcome\":\"%s\",\"reason\":\"status 422\"}\n",
                   time, outcome);
    append(journal, text, now_ns);
}

static int setup(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    (void)snprintf(ledger, sizeof(ledger), "%s/losses", dir);
    (void)snprintf(receipts, sizeof(receipts), "%s/receipts", dir);
    hd_journal_close(open_journal(ledger));
    hd_journal_close(open_journal(receipts));
    return 0;
}

static void fill(void)
{
    struct hd_journal *journal = open_journal(ledger);
    lose(journal, HD_LOSS_KERNEL_DROPS, "web1", 1000, 2 * 86400);
    lose(journal, HD_LOSS_KERNEL_DROPS, "web1", 10, 120);
    lose(journal, HD_LOSS_KERNEL_DROPS, "web1", 7, 60);
    lose(journal, HD_LOSS_KERNEL_DROPS, "web2", 3, 60);
    lose(journal, HD_LOSS_GAP, "web1", 5, 30);
    hd_journal_close(journal);
    journal = open_journal(receipts);
    receive(journal, "delivered");
    receive(journal, "dead");
    hd_journal_close(journal);
}

/* Runs the command with these words; what it prints is in `said`. */
static int run(char *first, char *second)
{
    char dir[600], from[600], out[600];
    const struct con_command *command;
    struct con_args args;
    bool help;
    int words;
    (void)snprintf(dir, sizeof(dir), "--dir=%s", ledger);
    (void)snprintf(from, sizeof(from), "--receipts=%s", receipts);
    (void)snprintf(out, sizeof(out), "%s/out", ledger);
    char *argv[] = {"losses", dir, from, "--lang=en", first, second, NULL};
    int argc = second != NULL ? 6 : first != NULL ? 5 : 4;
    command = con_command_find(argc, argv, &words);
    assert_non_null(command);
    assert_int_equal(con_args_parse(command, argc, argv, &args, &help), HD_OK);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    int fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_true(dup2(fd, STDOUT_FILENO) >= 0);
    int code = command->run(&args);
    (void)fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    ssize_t n = pread(fd, said, sizeof(said) - 1, 0);
    assert_true(n >= 0);
    said[n] = '\0';
    (void)close(saved);
    (void)close(fd);
    return code;
}

static void expect(const char *text)
{
    if (strstr(said, text) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", text, said);
    }
}

static void nothing_lost_is_said(void **state)
{
    (void)state;
    assert_int_equal(run(NULL, NULL), HD_EXIT_OK);
    expect("nothing was lost since ");
    assert_int_equal(run("--lang=vi", NULL), HD_EXIT_OK);
    expect("không có gì bị mất kể từ ");
}

static void losses_are_summed_by_kind_agent_and_source(void **state)
{
    (void)state;
    fill();
    assert_int_equal(run(NULL, NULL), HD_EXIT_RUNTIME);
    expect("17 datagrams");
    expect("3 datagrams");
    expect("the socket's receive buffer was full");
    expect("-> raise receive_buffer");
    expect("5 lines");
    expect("never take them: status 422");
    expect("in all: udp-kernel-drops 20 datagrams, sequence-gap 5 lines, dead-letter 1 "
           "alerts\n");
    assert_null(strchr(said, '\a')); /* escaped */
    assert_null(strstr(said, "1000"));
    assert_int_equal(run("--lang=vi", NULL), HD_EXIT_RUNTIME);
    expect("bộ đệm nhận của socket bị đầy");
    expect("tổng cộng: udp-kernel-drops 20 gói UDP");
}

static void filters_hold(void **state)
{
    (void)state;
    fill();
    assert_int_equal(run("--since=30d", "--kind=udp-kernel-drops"), HD_EXIT_RUNTIME);
    expect("in all: udp-kernel-drops 1020 datagrams\n");
    assert_int_equal(run("--agent=web2", NULL), HD_EXIT_RUNTIME);
    expect("in all: udp-kernel-drops 3 datagrams\n");
    assert_int_equal(run("--since=30d", "--until=1d"), HD_EXIT_RUNTIME);
    expect("in all: udp-kernel-drops 1000 datagrams\n");
    assert_int_equal(run("--agent=web9", NULL), HD_EXIT_OK);
}

static void rows_say_whose_system_it_is(void **state)
{
    (void)state;
    static const char csv[] = "id,name,agency,level,hosts\n"
                              "dvc,Portal,Dept A,3,web1\nmail,Mail,Dept B,2,mail1\n";
    char path[600], option[700];
    fill();
    (void)snprintf(path, sizeof(path), "%s/../inventory.csv", ledger);
    (void)snprintf(option, sizeof(option), "--inventory=%s", path);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(csv), 0600), HD_OK);
    assert_int_equal(run(option, NULL), HD_EXIT_RUNTIME);
    expect("  [Portal, level 3, Dept A]\n");
    expect("3 datagrams");
    assert_int_equal(run(option, "--system=dvc"), HD_EXIT_RUNTIME);
    expect("in all: udp-kernel-drops 17 datagrams, sequence-gap 5 lines\n");
    assert_int_equal(run(option, "--level=4"), HD_EXIT_USAGE);
    assert_int_equal(run(option, "--agency=Dept B"), HD_EXIT_OK);
    assert_int_equal(run(option, "--system=nothing"), HD_EXIT_USAGE);
}

static void json_has_a_record_a_line(void **state)
{
    (void)state;
    fill();
    unsigned n = 0;
    assert_int_equal(run("--json", NULL), HD_EXIT_RUNTIME);
    struct hd_slice rest = hd_slice_str(said), line;
    while (hd_slice_split(&rest, '\n', &line) && line.len > 0) {
        struct hd_loss loss;
        assert_int_equal(hd_loss_decode(line, &loss), HD_OK);
        n++;
    }
    assert_int_equal(n, 5);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_int_equal(run("--kind=nothing", NULL), HD_EXIT_USAGE);
    assert_int_equal(run("--since=yesterday", NULL), HD_EXIT_USAGE);
    assert_int_equal(run("--dir=/nowhere", NULL), HD_EXIT_STORE);
    assert_int_equal(run("--receipts=/nowhere", NULL), HD_EXIT_STORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_lost_is_said, setup),
        cmocka_unit_test_setup(losses_are_summed_by_kind_agent_and_source, setup),
        cmocka_unit_test_setup(filters_hold, setup),
        cmocka_unit_test_setup(rows_say_whose_system_it_is, setup),
        cmocka_unit_test_setup(json_has_a_record_a_line, setup),
        cmocka_unit_test_setup(what_is_wrong_is_said, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
