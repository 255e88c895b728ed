/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang archive compact: sealed segments written anew, smaller, each in its place, with
 * a signed statement about that. The correlator may be at work meanwhile.
 */
#include <haidang/clock.h>
#include <haidang/journal_compact.h>
#include <haidang/json.h>
#include <haidang/num.h>
#include <haidang/retain.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "console/archive.h"
#include "console/interrupt.h"
#include "console/out.h"
#include "console/progress.h"
#include "console/unlock.h"
#include "console/when.h"

#define KEY_DEFAULT   "/var/lib/haidang/correlator/seal.key"
#define LEVEL_DEFAULT 19U
#define LEVEL_MAX     22U
#define NICENESS      10

struct compact {
    const char *dir;
    struct con_show show;
    struct con_archive_keys keys;    /* the last is the one that signs */
    struct hd_journal_keys *secrets; /* of what is encrypted */
    struct con_archive_tell tell;
    struct con_interrupt interrupt;
    struct con_progress progress;
    struct hd_buf out;
    struct hd_journal_segments list;
    struct hd_check *check;
    struct hd_compact *compact;
    struct hd_check_segment seg; /* at hand */
    struct hd_retain *retain;    /* what is past its time is dropped; NULL: nothing is */
    struct hd_batch_reader *batch;
    int64_t before_ns; /* segments sealed later are left */
    int64_t now_ns;
    int64_t keep_ns; /* nothing younger is dropped */
    uint32_t level;
    uint64_t done_bytes, all_bytes;

    uint64_t n[HD_COMPACT_LOCKED + 1]; /* segments, by outcome */
    uint64_t young, too_young, dropped, scattered;
    uint64_t raw_bytes, kept_bytes, before_bytes, after_bytes; /* of the compacted */
};

/* ---- one segment ---- */

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    struct compact *c = ctx;
    con_progress_end(&c->progress);
    con_archive_problem(&c->tell, c->dir, finding, c->seg.seal.key_id);
}

static bool on_progress(void *ctx, uint64_t bytes)
{
    struct compact *c = ctx;
    (void)bytes;
    con_progress_show(&c->progress, c->done_bytes, c->all_bytes, c->done_bytes >> 20,
                      "MiB");
    return !con_interrupt_asked(&c->interrupt);
}

static bool is_expired(void *ctx, const struct hd_journal_entry *entry)
{
    struct compact *c = ctx;
    struct hd_retain_verdict verdict;
    hd_retain_entry(c->retain, c->batch, entry, &verdict);
    return verdict.until_ns <= c->now_ns;
}

static void note(struct compact *c, const struct hd_compact_result *result)
{
    c->n[result->outcome]++;
    c->too_young += result->is_young;
    if (result->outcome == HD_COMPACT_DONE) {
        c->dropped += result->dropped;
        c->scattered += result->scattered;
        c->raw_bytes += result->raw_bytes;
        c->kept_bytes += result->kept_bytes;
        c->before_bytes += result->before_bytes;
        c->after_bytes += result->after_bytes;
    }
}

static int compact_one(struct compact *c, uint64_t first)
{
    char path[PATH_MAX];
    struct hd_compact_result result = {.outcome = HD_COMPACT_NOTHING};
    int err = hd_journal_segment_path(c->dir, first, path, sizeof(path));
    err = err == HD_OK ? hd_check_peek(c->check, path, &c->seg) : err;
    if (err == HD_OK && c->seg.is_stated && c->seg.seal.sealed > c->before_ns) {
        c->young++;
        return HD_OK;
    }
    err = err == HD_OK ? hd_compact_segment(c->compact, first, &result) : err;
    c->done_bytes += c->seg.bytes;
    if (err == HD_OK) {
        note(c, &result);
    }
    return err == HD_ENOENT ? HD_OK : err; /* retention took it meanwhile */
}

/* ---- all of them ---- */

static int fail(const struct compact *c, size_t i, int err)
{
    if (err == HD_ECLOSED) {
        return con_fail(HD_EXIT_RUNTIME,
                        "stopped; %" PRIu64 " segments were compacted, the others are "
                        "as they were",
                        c->n[HD_COMPACT_DONE]);
    }
    return con_fail(HD_EXIT_STORE, "%s/%020" PRIu64 ".zst: %s%s", c->dir,
                    c->list.first[i], hd_err_text(err),
                    err == HD_EUNSUPPORTED
                        ? ": this file system cannot exchange two files"
                        : "; it is as it was");
}

static int compact_all(struct compact *c)
{
    int err = HD_OK;
    size_t i = 0;
    con_progress_begin(&c->progress);
    while (err == HD_OK && i + 1 < c->list.n) { /* never the last one */
        err = con_interrupt_asked(&c->interrupt) ? HD_ECLOSED
                                                 : compact_one(c, c->list.first[i]);
        i += err == HD_OK;
    }
    con_progress_end(&c->progress);
    return err == HD_OK ? HD_EXIT_OK : fail(c, i, err);
}

static const char *why_not(int err)
{
    return err == HD_EBUSY ? ", somebody compacts it"
           : err == HD_ECORRUPT
               ? ": its write-once-min cannot be read, so that nobody can say how young "
                 "nothing may be dropped; the correlator writes it anew at its start"
               : "";
}

static int open_all(struct compact *c)
{
    const struct hd_check_opts check = {.found = on_problem, .ctx = c};
    const struct hd_compact_opts opts = {.dir = c->dir,
                                         .level = (int)c->level,
                                         .key = c->keys.key[c->keys.n - 1],
                                         .keys = c->keys.key,
                                         .n_keys = c->keys.n,
                                         .secrets = c->secrets,
                                         .drop = c->retain == NULL ? NULL : is_expired,
                                         .keep_ns = c->keep_ns,
                                         .found = on_problem,
                                         .progress = on_progress,
                                         .ctx = c};
    int code = con_archive_list(c->dir, &c->list);
    if (code != HD_EXIT_OK) {
        return code;
    }
    c->all_bytes = con_archive_bytes(c->dir, &c->list);
    int err = hd_check_open(&check, &c->check);
    err = err == HD_OK ? hd_compact_open(&opts, &c->compact) : err;
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s cannot be used: %s%s", c->dir,
                                   hd_err_text(err), why_not(err));
}

/* ---- the outcome ---- */

static double ratio(uint64_t raw, uint64_t bytes)
{
    return bytes == 0 ? 0 : (double)raw / (double)bytes;
}

static void report_json(struct compact *c)
{
    struct hd_json j = hd_json(&c->out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "archive", c->dir);
    hd_json_u64(&j, "compacted", c->n[HD_COMPACT_DONE]);
    hd_json_u64(&j, "as_they_were", c->n[HD_COMPACT_NOTHING]);
    hd_json_u64(&j, "younger", c->young);
    hd_json_u64(&j, "unsigned", c->n[HD_COMPACT_UNSIGNED]);
    hd_json_u64(&j, "refused", c->n[HD_COMPACT_REFUSED]);
    hd_json_u64(&j, "locked", c->n[HD_COMPACT_LOCKED]);
    hd_json_u64(&j, "dropped_entries", c->dropped);
    hd_json_u64(&j, "scattered_entries", c->scattered);
    hd_json_u64(&j, "write_once", c->too_young);
    hd_json_u64(&j, "raw_bytes", c->raw_bytes);
    hd_json_u64(&j, "kept_raw_bytes", c->kept_bytes);
    hd_json_u64(&j, "before_bytes", c->before_bytes);
    hd_json_u64(&j, "after_bytes", c->after_bytes);
    hd_json_end(&j, '}');
    hd_buf_byte(&c->out, '\n');
}

static void say(struct compact *c, uint64_t n, const char *en, const char *vi)
{
    if (n > 0) {
        hd_buf_printf(&c->out, "  %" PRIu64 " %s\n", n, con_show_say(&c->show, en, vi));
    }
}

static void put_gain(struct compact *c)
{
    if (c->n[HD_COMPACT_DONE] > 0) {
        hd_buf_str(&c->out, ": ");
        con_archive_size(&c->out, c->before_bytes);
        hd_buf_str(&c->out, " -> ");
        con_archive_size(&c->out, c->after_bytes);
        hd_buf_printf(&c->out, " (%.1f : 1 -> %.1f : 1)",
                      ratio(c->raw_bytes, c->before_bytes),
                      ratio(c->kept_bytes, c->after_bytes));
    }
    hd_buf_byte(&c->out, '\n');
}

static void report_text(struct compact *c)
{
    hd_buf_printf(&c->out, "%s\n", c->dir);
    hd_buf_printf(
        &c->out, "  %" PRIu64 " %s", c->n[HD_COMPACT_DONE],
        con_show_say(&c->show, "segments were compacted", "đoạn đã được nén lại"));
    put_gain(c);
    say(c, c->dropped, "batches past their retention were dropped",
        "lô đã hết hạn lưu được bỏ");
    say(c, c->scattered, "more stay: they are too scattered to be listed",
        "lô hết hạn khác được giữ lại vì nằm rải rác quá nhiều chỗ");
    say(c, c->too_young, "are younger than write_once_min: nothing was dropped of them",
        "đoạn mới hơn write_once_min: không bỏ lô nào trong đó");
    say(c, c->n[HD_COMPACT_NOTHING], "had been compacted before, or would be no smaller",
        "đoạn đã nén từ trước hoặc không thể nhỏ hơn");
    say(c, c->young, "are younger than --older-than", "đoạn mới hơn --older-than");
    say(c, c->n[HD_COMPACT_UNSIGNED], "are not signed and were left alone",
        "đoạn không có chữ ký, được để nguyên");
    say(c, c->n[HD_COMPACT_LOCKED], "are encrypted and were left alone",
        "đoạn đã mã hóa, được để nguyên");
    say(c, c->n[HD_COMPACT_REFUSED], "do not verify and were left alone",
        "đoạn kiểm tra không đúng, được để nguyên");
    con_archive_advise(&c->tell, &c->out);
}

static int report(struct compact *c)
{
    if (c->tell.is_json) {
        report_json(c);
    } else {
        report_text(c);
    }
    int code = con_out_print(&c->out);
    return code != HD_EXIT_OK              ? code
           : c->n[HD_COMPACT_REFUSED] == 0 ? HD_EXIT_OK
                                           : HD_EXIT_RUNTIME;
}

/* ---- the command ---- */

static int load_key(struct compact *c, const struct con_args *args)
{
    const char *path = con_args_value(args, "seal-key");
    path = path == NULL ? KEY_DEFAULT : path;
    int code = con_archive_keys_load(&c->keys, args);
    if (code != HD_EXIT_OK) {
        return code;
    }
    int err = c->keys.n < CON_ARCHIVE_KEYS
                  ? hd_sign_key_load(path, &c->keys.key[c->keys.n])
                  : HD_ELIMIT;
    if (err != HD_OK) {
        return con_fail(HD_EXIT_CERT,
                        "%s cannot be used to sign: %s; name the node's private key with "
                        "--seal-key",
                        path, hd_err_text(err));
    }
    c->keys.n++;
    return HD_EXIT_OK;
}

static int load_retention(struct compact *c, const struct con_args *args)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    const char *file = con_args_value(args, "retention");
    if (con_args_flag(args, "drop-expired") != (file != NULL)) {
        return con_fail(HD_EXIT_USAGE, "--drop-expired and --retention FILE go together");
    }
    if (file == NULL) {
        return HD_EXIT_OK;
    }
    if (hd_retain_load(file, &c->retain, &diags) != HD_OK) {
        return con_fail(HD_EXIT_CONFIG, "%s cannot be used", file);
    }
    return hd_batch_reader_new(&c->batch) == HD_OK
               ? HD_EXIT_OK
               : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
}

static int parse(struct compact *c, const struct con_args *args)
{
    const char *age = con_args_value(args, "older-than");
    const char *level = con_args_value(args, "level");
    const char *least = con_args_value(args, "keep-younger");
    int64_t least_ns = 0;
    c->now_ns = hd_clock_wall_ns();
    c->before_ns = INT64_MAX;
    c->level = LEVEL_DEFAULT;
    if (age != NULL && con_when("older-than", age, &c->before_ns) != HD_OK) {
        return HD_EXIT_USAGE;
    }
    if (least != NULL && con_when("keep-younger", least, &least_ns) != HD_OK) {
        return HD_EXIT_USAGE;
    }
    c->keep_ns = least == NULL ? 0 : c->now_ns - least_ns;
    if (level != NULL &&
        (hd_num_u32(hd_slice_str(level), LEVEL_MAX, &c->level) != HD_OK ||
         c->level == 0)) {
        return con_fail(HD_EXIT_USAGE, "--level is a number from 1 to %u", LEVEL_MAX);
    }
    int code = load_retention(c, args);
    code = code == HD_EXIT_OK ? load_key(c, args) : code;
    return code == HD_EXIT_OK ? con_unlock(args, &c->secrets) : code;
}

int con_run_archive_compact(const struct con_args *args)
{
    struct compact c = {.dir = con_archive_dir(args)};
    int code = HD_EXIT_USAGE;
    hd_buf_init(&c.out, 0);
    c.tell = (struct con_archive_tell){
        .show = &c.show, .is_json = con_args_flag(args, "json"), .out = &c.out};
    con_interrupt_begin(&c.interrupt);
    if (con_show_init(&c.show, args) == HD_OK) {
        code = parse(&c, args);
    }
    if (code == HD_EXIT_OK) {
        (void)!nice(NICENESS);
        code = open_all(&c);
    }
    code = code == HD_EXIT_OK ? compact_all(&c) : code;
    code = code == HD_EXIT_OK ? report(&c) : code;
    hd_compact_close(c.compact);
    hd_check_close(c.check);
    hd_batch_reader_free(c.batch);
    hd_retain_free(c.retain);
    free(c.list.first);
    con_archive_keys_free(&c.keys);
    hd_journal_keys_free(c.secrets);
    con_show_fini(&c.show);
    hd_buf_fini(&c.out);
    con_interrupt_end(&c.interrupt);
    return code;
}
