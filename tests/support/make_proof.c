/* SPDX-License-Identifier: Apache-2.0
 *
 * What the three programs would have stored, by their own code, for tests of `haidang
 * prove`: DIR/archive, DIR/alerts (signed with DIR/seal.key), DIR/receipts (signed with
 * DIR/forwarder.key).
 *
 *     make_proof DIR [open]
 *
 * Batches of LINES lines: agent web1 in two boots, agent db1; line n of batch b says
 * "batch b line n". Alert a has lines 1 and 2 of batch a + 1 as evidence. Alert 0 was
 * delivered to ncsc at the second attempt and is dead at province; alert 1 was begun;
 * alert 2 was not sent. "open": the last segments are not sealed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/alert.h>
#include <haidang/archive_meta.h>
#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/journal.h>
#include <haidang/sign.h>

#include "forwarder/frame.h"
#include "forwarder/receipt.h"

#define BEGIN   (INT64_C(1795219200) * HD_NS_PER_SEC)
#define BATCHES 24U
#define LINES   10U
#define SEGMENT 2048U
#define ALERTS  3U
#define BOOT_A  "0123456789abcdef0123456789abcdef"
#define BOOT_B  "fedcba9876543210fedcba9876543210"

static void must_at(bool ok, const char *what, int line)
{
    if (!ok) {
        (void)fprintf(stderr, "make_proof:%d: not so: %s\n", line, what);
        exit(1);
    }
}
#define must(what) must_at((what), #what, __LINE__)

struct who {
    const char *agent, *boot;
    uint64_t first;
};

/* Batches 0, 3, ... are of web1's first life, 1, 4, ... of its second, the others of db1.
 */
static struct who who_of(uint64_t batch)
{
    static const struct who all[] = {
        {"web1", BOOT_A, 1}, {"web1", BOOT_B, 1}, {"db1", BOOT_A, 1}};
    struct who who = all[batch % 3];
    who.first += batch / 3 * LINES;
    return who;
}

static struct hd_slice line_of(uint64_t batch, uint64_t n)
{
    static char text[200];
    int len = snprintf(text, sizeof(text),
                       "<38>Nov 21 07:50:37 sshd[%llu]: batch %llu line %llu: Failed "
                       "password for admin from 203.0.113.%llu port %llu ssh2",
                       (unsigned long long)(batch * 7919), (unsigned long long)batch,
                       (unsigned long long)n, (unsigned long long)(batch * 31 % 250),
                       (unsigned long long)(batch * 104729 % 60000));
    return hd_slice(text, (size_t)len);
}

static struct hd_journal *journal_open(const char *dir, const char *name,
                                       const struct hd_sign_key *key, int64_t age_ns)
{
    char path[4096];
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    const struct hd_journal_opts opts = {
        .dir = path, .segment_bytes = SEGMENT, .segment_ns = age_ns, .seal_key = key};
    must(hd_journal_open(&opts, &j, &found) == HD_OK);
    return j;
}

/* Commits; the last segment is sealed as one of that age is, unless it is to stay open.
 */
static void journal_end(struct hd_journal *j, const char *dir, const char *name,
                        const struct hd_sign_key *key, bool is_open)
{
    must(hd_journal_commit(j) == HD_OK);
    hd_journal_close(j);
    if (!is_open) {
        j = journal_open(dir, name, key, 1);
        must(hd_journal_trim(j) >= 0);
        hd_journal_close(j);
    }
}

/* ---- the archive ---- */

static void add_batch(struct hd_journal *j, uint64_t batch)
{
    struct who who = who_of(batch);
    const struct hd_batch_source from = {.host = hd_slice_str(who.agent),
                                         .kind = HD_SLICE("file"),
                                         .name = HD_SLICE("/var/log/auth.log"),
                                         .format = HD_SLICE("auto")};
    int64_t time_ns = BEGIN + (int64_t)batch * 60 * HD_NS_PER_SEC;
    struct hd_batch_builder *builder = NULL;
    struct hd_batch_info info;
    struct hd_slice frame;
    struct hd_buf meta;
    uint16_t source;
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(
        &meta, &(struct hd_archive_meta){.agent = hd_slice_str(who.agent),
                                         .boot = hd_slice_str(who.boot),
                                         .peer = HD_SLICE("192.0.2.1:50123"),
                                         .taken_ns = time_ns + HD_NS_PER_SEC});
    must(hd_batch_builder_new(who.agent, who.boot, HD_BATCH_RAW_MAX, 1, &builder) ==
         HD_OK);
    must(hd_batch_builder_source(builder, &from, &source) == HD_OK);
    for (uint64_t n = 1; n <= LINES; n++) {
        must(hd_batch_builder_add(builder, source, time_ns + (int64_t)n * 1000, 0,
                                  line_of(batch, n)) == HD_OK);
    }
    must(hd_batch_builder_close(builder, who.first, &frame, &info) == HD_OK);
    struct hd_journal_entry entry = {.first = info.first,
                                     .last = info.last,
                                     .time_min = info.time_min,
                                     .time_max = info.time_max,
                                     .count = info.count,
                                     .raw_len = info.raw_len,
                                     .meta = hd_buf_slice(&meta),
                                     .payload = frame};
    must(hd_journal_append(j, &entry) == HD_OK);
    hd_batch_builder_free(builder);
    hd_buf_fini(&meta);
}

/* ---- alerts and receipts ---- */

static void add_text(struct hd_journal *j, struct hd_slice text)
{
    struct fwd_frame *frame = NULL;
    struct hd_buf payload;
    hd_buf_init(&payload, 0);
    must(fwd_frame_new(&frame) == HD_OK);
    must(fwd_frame_pack(frame, text, &payload) == HD_OK);
    struct hd_journal_entry entry = {.first = hd_journal_next_index(j),
                                     .last = hd_journal_next_index(j),
                                     .time_min = BEGIN,
                                     .time_max = BEGIN,
                                     .count = 1,
                                     .raw_len = (uint32_t)text.len,
                                     .payload = hd_buf_slice(&payload)};
    must(hd_journal_append(j, &entry) == HD_OK);
    fwd_frame_free(frame);
    hd_buf_fini(&payload);
}

static json_t *evidence(uint64_t batch, uint64_t n)
{
    uint8_t digest[HD_SHA256_LEN];
    char hex[2 * HD_SHA256_LEN + 1];
    struct hd_buf text = hd_buf_fixed(hex, sizeof(hex));
    struct hd_slice line = line_of(batch, n);
    struct who who = who_of(batch);
    must(hd_sha256(line, digest) == HD_OK);
    hd_buf_hex(&text, hd_slice(digest, sizeof(digest)));
    return json_pack("{s:s,s:s,s:s,s:I,s:s%,s:s,s:b}", "time", "2026-11-21T07:50:37Z",
                     "agent", who.agent, "boot", who.boot, "seq",
                     (json_int_t)(who.first + n - 1), "line", (const char *)line.ptr,
                     line.len, "sha256", hd_buf_cstr(&text), "truncated", 0);
}

static void alert_id(uint64_t a, char out[37])
{
    (void)snprintf(out, 37, "00000000-0000-8000-8000-%012llu", (unsigned long long)a);
}

static void add_alert(struct hd_journal *j, uint64_t a)
{
    char id[37], why[256];
    struct hd_buf text;
    hd_buf_init(&text, 0);
    alert_id(a, id);
    json_t *alert = json_pack(
        "{s:i,s:s,s:s,s:{s:s,s:s,s:s},s:i,s:{s:s,s:s,s:s,s:s,s:s},s:i,s:[o,o],s:i,s:s}",
        "version", 1, "id", id, "status", "new", "time", "first", "2026-11-21T07:50:37Z",
        "last", "2026-11-21T07:50:38Z", "published", "2026-11-21T07:50:39Z", "count", 2,
        "rule", "id", "rule-1", "title", "SSH brute force", "title_vi",
        "D\u00f2 m\u1eadt kh\u1ea9u SSH", "level", "high", "type", "detection",
        "severity", 3, "evidence", evidence(a + 1, 1), evidence(a + 1, 2), "suppressed",
        0, "delivery", "national");
    must(alert != NULL);
    if (hd_alert_check(alert, why) != HD_OK || hd_alert_format(alert, &text) != HD_OK) {
        (void)fprintf(stderr, "make_proof: %s\n", why);
        exit(1);
    }
    hd_buf_byte(&text, '\n');
    add_text(j, hd_buf_slice(&text));
    json_decref(alert);
    hd_buf_fini(&text);
}

static void add_receipt(struct hd_journal *j, uint64_t a, const char *destination,
                        enum fwd_outcome outcome, uint32_t attempt)
{
    uint8_t request[HD_SHA256_LEN];
    char id[37], schema[65];
    struct hd_buf text;
    hd_buf_init(&text, 0);
    alert_id(a, id);
    must(hd_sha256(HD_SLICE("the message"), request) == HD_OK);
    memset(schema, 'b', 64);
    schema[64] = '\0';
    struct fwd_receipt receipt = {.time_ns = BEGIN + (int64_t)attempt * HD_NS_PER_SEC,
                                  .destination = destination,
                                  .alert = id,
                                  .index = a + 1,
                                  .outcome = outcome,
                                  .attempt = attempt,
                                  .profile = "vn-ncsc-alert@0.1.0",
                                  .schema_sha256 = schema,
                                  .took_ms = 3};
    if (outcome == FWD_DEAD) {
        receipt.reason = "the profile wants source.ip";
    } else {
        receipt.request_sha256 = request;
        receipt.request_bytes = 412;
    }
    if (outcome == FWD_DELIVERED || outcome == FWD_RETRY) {
        receipt.status = outcome == FWD_DELIVERED ? 200 : 503;
        receipt.response = HD_SLICE("{\"status\":200}");
    }
    must(fwd_receipt_format(&receipt, &text) == HD_OK);
    add_text(j, hd_buf_slice(&text));
    hd_buf_fini(&text);
}

int main(int argc, char **argv)
{
    char path[4096];
    struct hd_sign_key *key = NULL, *forwarder = NULL;
    must(argc == 2 || argc == 3);
    bool is_open = argc == 3;
    (void)snprintf(path, sizeof(path), "%s/seal.key", argv[1]);
    must(hd_sign_key_ensure(path, &key) == HD_OK);
    (void)snprintf(path, sizeof(path), "%s/forwarder.key", argv[1]);
    must(hd_sign_key_ensure(path, &forwarder) == HD_OK);

    struct hd_journal *j = journal_open(argv[1], "archive", key, 0);
    for (uint64_t b = 0; b < BATCHES; b++) {
        add_batch(j, b);
    }
    journal_end(j, argv[1], "archive", key, is_open);
    j = journal_open(argv[1], "alerts", key, 0);
    for (uint64_t a = 0; a < ALERTS; a++) {
        add_alert(j, a);
    }
    journal_end(j, argv[1], "alerts", key, is_open);
    j = journal_open(argv[1], "receipts", forwarder, 0);
    add_receipt(j, 0, "ncsc", FWD_BEGUN, 1);
    add_receipt(j, 0, "ncsc", FWD_RETRY, 1);
    add_receipt(j, 0, "province", FWD_DEAD, 0);
    add_receipt(j, 0, "ncsc", FWD_DELIVERED, 2);
    add_receipt(j, 1, "ncsc", FWD_BEGUN, 1);
    journal_end(j, argv[1], "receipts", forwarder, is_open);
    hd_sign_key_free(key);
    hd_sign_key_free(forwarder);
    return 0;
}
