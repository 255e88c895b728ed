/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes or goes on with an archive as the correlator writes it: batches of lines through
 * the journal, sealed with a key.
 *
 *     make_archive DIR KEY FIRST LAST LINES SEGMENT_BYTES [WRITE_ONCE_MIN [SECRET]]
 *
 * Entries FIRST to LAST of LINES lines each; entry n is of minute n after
 * 2026-11-21T00:00:00Z, its lines say "entry n line i". KEY "-": sealed without one. A
 * key that does not exist is made, KEY.pub with it. WRITE_ONCE_MIN in seconds.
 * SECRET: a key file; what is written is encrypted with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/archive_meta.h>
#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/journal.h>
#include <haidang/journal_keys.h>
#include <haidang/log.h>
#include <haidang/num.h>
#include <haidang/sign.h>

#define BOOT  "0123456789abcdef0123456789abcdef"
#define BEGIN (INT64_C(1795219200) * HD_NS_PER_SEC)

static void must_at(bool ok, const char *what, int line)
{
    if (!ok) {
        (void)fprintf(stderr, "make_archive:%d: not so: %s\n", line, what);
        exit(1);
    }
}
#define must(what) must_at((what), #what, __LINE__)

static uint64_t number(const char *text)
{
    uint64_t n = 0;
    must(hd_num_u64(hd_slice_str(text), UINT64_MAX, &n) == HD_OK);
    return n;
}

/* Differs from entry to entry, so that it is worth its bytes. */
static struct hd_slice make_line(uint64_t entry, uint64_t i)
{
    static char text[256];
    uint64_t x = (entry * 2654435761U + i) * UINT64_C(0x9E3779B97F4A7C15);
    int len = snprintf(
        text, sizeof(text),
        "<38>Nov 21 07:50:37 web1 sshd[%llu]: entry %llu line %llu: Failed "
        "password for invalid user u%llu from 203.0.113.%llu port %llu ssh2",
        (unsigned long long)(x >> 48), (unsigned long long)entry, (unsigned long long)i,
        (unsigned long long)((x >> 16) & 0xffff), (unsigned long long)((x >> 32) % 250),
        (unsigned long long)((x >> 40) & 0x7fff));
    return hd_slice(text, (size_t)len);
}

static void append(struct hd_journal *j, struct hd_batch_builder *builder, uint64_t n,
                   uint64_t lines)
{
    const struct hd_batch_source from = {.host = HD_SLICE("web1"),
                                         .kind = HD_SLICE("file"),
                                         .name = HD_SLICE("/var/log/auth.log"),
                                         .format = HD_SLICE("auto")};
    int64_t time_ns = BEGIN + (int64_t)n * 60 * HD_NS_PER_SEC;
    struct hd_slice frame;
    struct hd_batch_info info;
    struct hd_buf meta;
    uint16_t source;
    must(hd_batch_builder_source(builder, &from, &source) == HD_OK);
    for (uint64_t i = 0; i < lines; i++) {
        must(hd_batch_builder_add(builder, source, time_ns + (int64_t)i * 1000, 0,
                                  make_line(n, i)) == HD_OK);
    }
    must(hd_batch_builder_close(builder, (n - 1) * lines + 1, &frame, &info) == HD_OK);
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(&meta,
                           &(struct hd_archive_meta){.agent = HD_SLICE("web1"),
                                                     .boot = HD_SLICE(BOOT),
                                                     .peer = HD_SLICE("192.0.2.1:50123"),
                                                     .taken_ns = info.time_max});
    struct hd_journal_entry entry = {.first = info.first,
                                     .last = info.last,
                                     .time_min = info.time_min,
                                     .time_max = info.time_max,
                                     .count = info.count,
                                     .raw_len = info.raw_len,
                                     .meta = hd_buf_slice(&meta),
                                     .payload = frame};
    must(hd_journal_append(j, &entry) == HD_OK && entry.index == n);
    hd_buf_fini(&meta);
}

int main(int argc, char **argv)
{
    struct hd_sign_key *key = NULL;
    struct hd_journal_keys *secrets = NULL;
    const struct hd_journal_key *secret = NULL;
    struct hd_journal_recovery found;
    struct hd_batch_builder *builder = NULL;
    struct hd_journal *j = NULL;
    const struct hd_log_opts quiet = {.level = HD_LOG_WARN, .fd = 2, .burst = 10};
    hd_log_setup(&quiet);
    must(argc >= 7 && argc <= 9);
    uint64_t least_s = argc > 7 ? number(argv[7]) : 0;
    must(hd_journal_keys_new(&secrets) == HD_OK);
    must(argc < 9 || hd_journal_keys_load(secrets, argv[8], &secret) == HD_OK);
    must(strcmp(argv[2], "-") == 0 || hd_sign_key_ensure(argv[2], &key) == HD_OK);
    const struct hd_journal_opts opts = {.dir = argv[1],
                                         .segment_bytes = number(argv[6]),
                                         .retain_min_ns =
                                             (int64_t)least_s * HD_NS_PER_SEC,
                                         .keys = secrets,
                                         .key = secret,
                                         .seal_key = key};
    must(hd_journal_open(&opts, &j, &found) == HD_OK);
    must(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, 1, &builder) == HD_OK);
    for (uint64_t n = number(argv[3]); n <= number(argv[4]); n++) {
        append(j, builder, n, number(argv[5]));
    }
    must(hd_journal_commit(j) == HD_OK);
    hd_batch_builder_free(builder);
    hd_journal_close(j);
    hd_sign_key_free(key);
    hd_journal_keys_free(secrets);
    return 0;
}
