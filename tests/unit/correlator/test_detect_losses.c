/* SPDX-License-Identifier: Apache-2.0
 *
 * What detection loses is written down, once.
 */
#include "tests/unit/correlator/detect_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <haidang/clock.h>

#include "correlator/metrics.h"

struct lost {
    enum hd_loss_kind kind;
    unsigned records;
    struct hd_loss last;
    uint64_t sum;
};

static void add_lost(void *ctx, const struct hd_loss *loss)
{
    struct lost *lost = ctx;
    if (loss->kind == lost->kind) {
        lost->records++;
        lost->sum += loss->count;
        lost->last = *loss;
    }
}

static struct lost read_lost(enum hd_loss_kind kind)
{
    struct lost lost = {.kind = kind};
    world_open_losses();
    assert_int_equal(cor_losses_each(w.losses, add_lost, &lost), HD_OK);
    world_close_losses();
    return lost;
}

/* A batch of one line of the source by which agents report losses. */
static void report(const char *agent, const char *kind, const char *line)
{
    struct hd_batch_builder *b;
    struct hd_slice frame;
    struct hd_batch_info info;
    const struct hd_batch_source source = {.host = hd_slice_str(agent),
                                           .kind = hd_slice_str(kind),
                                           .name = HD_SLICE(HD_LOSS_SOURCE_NAME),
                                           .format = HD_SLICE("json")};
    uint16_t index;
    assert_int_equal(hd_batch_builder_new(agent, WORLD_BOOT, HD_BATCH_RAW_MAX, 1, &b),
                     HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &source, &index), HD_OK);
    assert_int_equal(hd_batch_builder_add(b, index, w.now_ns, 0, hd_slice_str(line)),
                     HD_OK);
    assert_int_equal(hd_batch_builder_close(b, ++w.seq, &frame, &info), HD_OK);
    world_append(agent, frame, &info);
    hd_batch_builder_free(b);
}

#define REPORT                                                                           \
    "{\"v\":1,\"time\":\"2026-11-21T09:20:39Z\",\"first\":\"2026-11-21T09:20:31Z\","     \
    "\"last\":\"2026-11-21T09:20:38Z\",\"agent\":\"somebody-else\",\"count\":17,"        \
    "\"kind\":\"udp-kernel-drops\",\"source\":\"syslog-udp :514\"}"

static void a_report_of_an_agent_is_written_down_once(void **state)
{
    (void)state;
    char reader[600];
    report("web1", "file", REPORT); /* a line of a file that looks like one */
    report("web1", HD_LOSS_SOURCE_KIND, REPORT);
    report("web1", HD_LOSS_SOURCE_KIND, "no report");
    world_detect(3);
    (void)snprintf(reader, sizeof(reader), "%s/readers/detect-0", w.archive_dir);
    assert_int_equal(unlink(reader), 0); /* everything is examined again */
    w.warm_up_ns = 0;
    world_detect(3);
    struct lost lost = read_lost(HD_LOSS_KERNEL_DROPS);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.last.count, 17);
    assert_string_equal(lost.last.agent, "web1"); /* not who it says to be */
    assert_string_equal(lost.last.boot, WORLD_BOOT);
    assert_string_equal(lost.last.source, "syslog-udp :514");
}

/* The ledger is full: detection waits for it, and says for what. */
static void losses_that_cannot_be_written_come_later(void **state)
{
    (void)state;
    w.losses_max = 100;
    for (unsigned i = 0; i < 20; i++) {
        report("web1", HD_LOSS_SOURCE_KIND, REPORT);
    }
    world_start(1);
    for (unsigned i = 0; cor_state_trouble(w.state) == HD_OK; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    assert_string_equal(cor_state_trouble_with(w.state),
                        "the loss ledger cannot be written");
    world_stop();
    w.losses_max = 0;
    world_catch_up();
    assert_int_equal(read_lost(HD_LOSS_KERNEL_DROPS).sum, 20 * 17);
}

/* Every batch in a file of its own. */
static void use_small_segments(void)
{
    struct hd_journal_recovery found;
    const struct hd_journal_opts opts = {.dir = w.archive_dir, .segment_bytes = 1};
    hd_journal_close(w.archive);
    assert_int_equal(hd_journal_open(&opts, &w.archive, &found), HD_OK);
}

static void segment_path(unsigned first, char path[600])
{
    (void)snprintf(path, 600, "%s/%020u.zst", w.archive_dir, first);
}

static void damaged_entries_are_counted_once_by_all_detectors(void **state)
{
    (void)state;
    char path[600];
    use_small_segments();
    for (unsigned i = 0; i < 4; i++) {
        world_archive("web1", 1, "Accepted", "203.0.113.9");
    }
    for (unsigned i = 2; i <= 3; i++) {
        segment_path(i, path);
        int fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, 64 + 40), 4);
        assert_int_equal(close(fd), 0);
    }
    uint64_t before = world_lines();
    world_start(2);
    world_examined(before, 2);
    world_stop();
    struct lost lost = read_lost(HD_LOSS_DAMAGED);
    assert_int_equal(lost.sum, 2);
    assert_true(lost.last.bytes > 0);
    assert_int_equal(read_lost(HD_LOSS_REMOVED).records, 0);
}

static void removed_entries_are_counted(void **state)
{
    (void)state;
    char path[600];
    use_small_segments();
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(1);
    for (unsigned i = 0; i < 4; i++) {
        world_archive("web1", 1, "Accepted", "203.0.113.9");
    }
    for (unsigned i = 2; i <= 4; i++) {
        segment_path(i, path);
        assert_int_equal(unlink(path), 0);
    }
    w.warm_up_ns = 0;
    world_detect(1);
    struct lost lost = read_lost(HD_LOSS_REMOVED);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.sum, 3);
    assert_int_equal(read_lost(HD_LOSS_DAMAGED).records, 0);
}

static void late_events_are_counted_for_their_agent(void **state)
{
    (void)state;
    world_remember(3600 * HD_NS_PER_SEC);
    world_archive("web1", 1, "Failed", "203.0.113.9");
    w.now_ns -= 7200 * HD_NS_PER_SEC;
    world_archive("web2", 3, "Failed", "203.0.113.9");
    world_detect(4);
    struct lost lost = read_lost(HD_LOSS_LATE);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.sum, 3);
    assert_string_equal(lost.last.agent, "web2");
}

static void evicted_groups_are_counted(void **state)
{
    (void)state;
    world_remember(3600 * HD_NS_PER_SEC);
    w.opts.correlate.memory_max = 16U << 10;
    for (unsigned i = 0; i < 250; i++) {
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "203.0.113.%u", i);
        world_archive("web1", 1, "Failed", ip);
    }
    world_detect(250);
    assert_true(COR_READ(COR_M_GROUPS_EVICTED) > 0);
    assert_int_equal(read_lost(HD_LOSS_GROUPS).sum, COR_READ(COR_M_GROUPS_EVICTED));
}

/* Once an hour and rule, however many groups it loses; a replay tells it no second time.
 */
static void a_correlation_that_loses_groups_is_told(void **state)
{
    (void)state;
    const int64_t hour_ns = 3600 * HD_NS_PER_SEC;
    w.now_ns = (w.now_ns / hour_ns - 1) * hour_ns;
    w.opts.correlate.rule_max = 4096;
    for (unsigned i = 0; i < 100; i++) {
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "203.0.113.%u", i);
        world_archive("web1", 1, "Failed", ip);
    }
    world_detect(100);
    world_detect(0); /* warmed up: nothing is told again */
    struct world_alerts a = world_alerts();
    assert_int_equal(world_count(&a, "Correlation is losing groups"), 1);
    assert_int_equal(a.n, 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(a.all[0], "group"), "source.name")),
                        "Guessing");
    world_drop(&a);
}

static void what_is_broken_is_passed_over(void **state)
{
    (void)state;
    static const uint8_t one_byte[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20,
                                       0x01, 0x09, 0x00, 0x00, 0x41};
    uint64_t corrupt = COR_READ(COR_M_DETECT_CORRUPT), before = world_lines();
    const struct hd_batch_info info = {.first = 1, .last = 1, .count = 1, .raw_len = 1};
    world_append("web1", hd_slice(one_byte, sizeof(one_byte)),
                 &info); /* zstd, but no batch */
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_start(1);
    world_examined(before, 1);
    world_stop();
    assert_int_equal(COR_READ(COR_M_DETECT_CORRUPT), corrupt + 1);
    world_expect(0, 1);
    struct lost lost = read_lost(HD_LOSS_BATCH);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.sum, 1);
    assert_string_equal(lost.last.agent, "web1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(losses_that_cannot_be_written_come_later),
        WORLD_TEST(a_report_of_an_agent_is_written_down_once),
        WORLD_TEST(damaged_entries_are_counted_once_by_all_detectors),
        WORLD_TEST(removed_entries_are_counted),
        WORLD_TEST(late_events_are_counted_for_their_agent),
        WORLD_TEST(evicted_groups_are_counted),
        WORLD_TEST(a_correlation_that_loses_groups_is_told),
        WORLD_TEST(what_is_broken_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
