/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang archive repair: whatever verifies in a damaged archive, into a new directory.
 * Segments without damage are copied byte for byte and stay signed; of the others every
 * entry that verifies is kept, as it was, without a signature. The original is only read.
 */
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_copy.h>
#include <haidang/json.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "console/archive.h"
#include "console/interrupt.h"
#include "console/out.h"
#include "console/progress.h"

#define TIME_DIGITS 6

struct repair {
    const char *from, *to;
    struct con_show show;
    struct con_archive_tell tell;
    struct con_interrupt interrupt;
    struct con_progress progress;
    struct hd_buf out;
    struct hd_journal_segments list;
    struct hd_journal_copy *copy;
    struct hd_check *check, *salvage;
    struct hd_check_segment seg, last; /* at hand; placed last */
    bool has_last;
    bool is_broken; /* the segment at hand: not to be copied as it is */
    uint64_t expected;
    int64_t before_ns; /* latest time of the entry before */

    uint64_t done_bytes, all_bytes;
    uint64_t whole, salvaged, skipped, entries, records, lost_entries, lost_lines;
};

/* ---- what is lost ---- */

static void lost_json(struct repair *r, uint64_t from, uint64_t to, int64_t after_ns)
{
    struct hd_json j = hd_json(&r->out);
    hd_json_object(&j, NULL);
    hd_json_u64(&j, "lost_from", from);
    hd_json_u64(&j, "lost_to", to);
    if (r->before_ns != 0) {
        hd_json_time(&j, "after", r->before_ns, TIME_DIGITS);
    }
    if (after_ns != 0) {
        hd_json_time(&j, "before", after_ns, TIME_DIGITS);
    }
    hd_json_end(&j, '}');
    hd_buf_byte(&r->out, '\n');
}

static void lost_time(struct repair *r, const char *word, int64_t ns)
{
    if (ns != 0) {
        hd_buf_printf(&r->out, "%s ", word);
        con_show_time(&r->show, ns, &r->out);
    }
}

static void lost_text(struct repair *r, uint64_t from, uint64_t to, int64_t after_ns)
{
    hd_buf_printf(&r->out, "%s %" PRIu64 " %s %" PRIu64,
                  con_show_say(&r->show, "lost: entries", "mất: từ mục"), from,
                  con_show_say(&r->show, "to", "đến mục"), to);
    lost_time(r, con_show_say(&r->show, ", after", ", sau"), r->before_ns);
    lost_time(r, con_show_say(&r->show, ", before", ", trước"), after_ns);
    hd_buf_byte(&r->out, '\n');
}

/* The entry that comes is `index`, of `after_ns`; 0 = none comes any more. */
static void expect(struct repair *r, uint64_t index, int64_t after_ns)
{
    if (index <= r->expected) {
        return;
    }
    con_progress_end(&r->progress);
    r->lost_entries += index - r->expected;
    if (r->tell.is_json) {
        lost_json(r, r->expected, index - 1, after_ns);
    } else {
        lost_text(r, r->expected, index - 1, after_ns);
    }
    r->expected = index;
}

/* ---- a segment ---- */

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    struct repair *r = ctx;
    if (finding->problem == HD_CHECK_KEY) {
        return; /* no key is needed to keep what is there */
    }
    con_progress_end(&r->progress);
    con_archive_problem(&r->tell, r->from, finding, r->seg.seal.key_id);
    r->is_broken |= finding->problem == HD_CHECK_HEADER ||
                    finding->problem == HD_CHECK_DAMAGE ||
                    finding->problem == HD_CHECK_UNSEALED;
}

static int on_entry(void *ctx, const struct hd_journal_entry *entry,
                    struct hd_slice bytes)
{
    struct repair *r = ctx;
    (void)bytes;
    expect(r, entry->index, entry->time_min);
    r->expected = entry->index + 1;
    r->before_ns = entry->time_max;
    return HD_OK;
}

static void ignore(void *ctx, const struct hd_check_finding *finding)
{
    (void)ctx;
    (void)finding;
}

static int keep_entry(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes)
{
    const struct repair *r = ctx;
    return hd_journal_copy_entry(r->copy, entry, bytes);
}

/* HD_ENOENT: nothing in it verifies. */
static int salvage(struct repair *r, const struct hd_check_file *file, bool is_last)
{
    struct hd_check_segment seg;
    uint64_t limit = is_last ? r->list.durable : 0;
    int err = hd_journal_copy_begin(r->copy, r->list.journal, r->seg.first);
    err = err == HD_OK ? hd_check_alone_fd(r->salvage, file, is_last, limit, &seg) : err;
    err = err == HD_OK ? hd_journal_copy_end(r->copy) : err;
    r->salvaged += err == HD_OK;
    return err;
}

/* What was placed is looked at once more, as it is on the disk. */
static int place(struct repair *r, uint64_t first)
{
    char path[PATH_MAX];
    int err = hd_journal_copy_path(r->copy, first, path, sizeof(path));
    err = err == HD_OK ? hd_check_peek(r->salvage, path, &r->last) : err;
    if (err == HD_OK && !r->last.is_sealed) { /* the tail that is in use */
        r->last.follows = r->seg.follows;
    }
    err = err == HD_OK ? hd_journal_copy_place(r->copy, first) : err;
    r->has_last |= err == HD_OK;
    return err;
}

static bool is_foreign(const struct repair *r)
{
    return r->seg.has_header && r->list.has_journal &&
           memcmp(r->seg.journal, r->list.journal, sizeof(r->list.journal)) != 0;
}

static void count(struct repair *r)
{
    r->entries += r->seg.entries;
    r->records += r->seg.records;
    if (r->seg.is_stated && r->seg.seal.records > r->seg.records) {
        r->lost_lines += r->seg.seal.records - r->seg.records;
    }
}

static int keep_segment(struct repair *r, const struct hd_check_file *file, bool is_last)
{
    int err;
    if (r->is_broken) {
        err = salvage(r, file, is_last);
    } else {
        err = hd_journal_copy_file(r->copy, file, r->seg.bytes);
        r->whole += err == HD_OK;
    }
    err = err == HD_OK ? place(r, r->seg.first) : err;
    if (err == HD_ENOENT) {
        r->skipped++;
        return HD_OK;
    }
    return err;
}

static int repair_file(struct repair *r, const struct hd_check_file *file, bool is_last)
{
    r->is_broken = false;
    int err = hd_check_peek_fd(r->salvage, file, &r->seg);
    if (err == HD_OK && is_foreign(r)) {
        on_problem(r,
                   &(struct hd_check_finding){.problem = HD_CHECK_HEADER,
                                              .segment = r->seg.first,
                                              .text = "it belongs to another journal"});
        r->skipped++;
        return HD_OK;
    }
    err = err == HD_OK ? hd_check_alone_fd(r->check, file, is_last,
                                           is_last ? r->list.durable : 0, &r->seg)
                       : err;
    if (err != HD_OK) {
        return err;
    }
    r->done_bytes += r->seg.bytes;
    con_progress_show(&r->progress, r->done_bytes, r->all_bytes, r->done_bytes >> 20,
                      "MiB");
    count(r);
    return keep_segment(r, file, is_last);
}

static int repair_one(struct repair *r, size_t i)
{
    struct hd_check_file file;
    int err = hd_check_file_open(r->from, r->list.first[i], &file);
    err = err == HD_OK ? repair_file(r, &file, i + 1 == r->list.n) : err;
    hd_fs_close_fd(&file.fd);
    return err == HD_ENOENT ? HD_OK : err; /* retention took it: told as lost */
}

/* ---- the whole of it ---- */

static void report_json(struct repair *r)
{
    struct hd_json j = hd_json(&r->out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "into", r->to);
    hd_json_u64(&j, "problems", r->tell.problems);
    hd_json_u64(&j, "whole", r->whole);
    hd_json_u64(&j, "salvaged", r->salvaged);
    hd_json_u64(&j, "nothing_kept", r->skipped);
    hd_json_u64(&j, "entries", r->entries);
    hd_json_u64(&j, "lines", r->records);
    hd_json_u64(&j, "lost_entries", r->lost_entries);
    hd_json_u64(&j, "lost_lines", r->lost_lines);
    hd_json_end(&j, '}');
    hd_buf_byte(&r->out, '\n');
}

static void say(struct repair *r, uint64_t n, const char *en, const char *vi)
{
    hd_buf_printf(&r->out, "  %" PRIu64 " %s\n", n, con_show_say(&r->show, en, vi));
}

static void report_text(struct repair *r)
{
    hd_buf_printf(&r->out, "%s\n", r->to);
    say(r, r->whole, "segments were whole and are copied as they are",
        "đoạn nguyên vẹn, được chép y nguyên");
    say(r, r->salvaged,
        "segments were damaged: every entry that verifies is kept, unsigned",
        "đoạn bị hỏng: giữ mọi mục còn nguyên, không còn chữ ký");
    say(r, r->skipped, "segments hold nothing of this journal that verifies",
        "đoạn không còn gì đọc được của nhật ký này");
    say(r, r->entries, "entries kept", "mục được giữ");
    say(r, r->records, "lines in them", "dòng trong đó");
    say(r, r->lost_entries, "entries lost", "mục bị mất");
    if (r->lost_lines > 0) {
        say(r, r->lost_lines, "lines lost in damaged segments, as their statements say",
            "dòng bị mất trong các đoạn hỏng, theo lời khai của chúng");
    }
}

static int report(struct repair *r)
{
    if (r->tell.is_json) {
        report_json(r);
    } else {
        report_text(r);
    }
    int code = con_out_print(&r->out);
    return code != HD_EXIT_OK     ? code
           : r->lost_entries == 0 ? HD_EXIT_OK
                                  : HD_EXIT_RUNTIME;
}

static int repair_all(struct repair *r)
{
    int err = HD_OK;
    size_t i = 0;
    r->expected = r->list.first[0];
    con_progress_begin(&r->progress);
    while (err == HD_OK && i < r->list.n) {
        err = con_interrupt_asked(&r->interrupt) ? HD_ECLOSED : repair_one(r, i);
        i += err == HD_OK;
    }
    con_progress_end(&r->progress);
    if (err == HD_ECLOSED) {
        return con_fail(HD_EXIT_RUNTIME, "stopped; %s is not complete: remove it", r->to);
    }
    if (err != HD_OK) {
        return con_fail(HD_EXIT_STORE, "%s/%020" PRIu64 ".zst to %s: %s", r->from,
                        r->list.first[i], r->to, hd_err_text(err));
    }
    expect(r, r->list.next, 0);
    if (!r->has_last) {
        return con_fail(HD_EXIT_RUNTIME, "nothing in %s verifies", r->from);
    }
    memcpy(r->last.journal, r->list.journal, sizeof(r->last.journal));
    err = hd_journal_copy_mark(r->copy, &r->last);
    return err == HD_OK ? report(r)
                        : con_fail(HD_EXIT_STORE, "%s: %s", r->to, hd_err_text(err));
}

static int open_checks(struct repair *r)
{
    struct hd_check_opts opts = {
        .journal = r->list.journal, .found = on_problem, .entry = on_entry, .ctx = r};
    int err = hd_check_open(&opts, &r->check);
    opts.found = ignore;
    opts.entry = keep_entry;
    err = err == HD_OK ? hd_check_open(&opts, &r->salvage) : err;
    return err == HD_OK ? HD_EXIT_OK : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
}

static int open_copy(struct repair *r)
{
    struct hd_journal_segments there;
    int err = hd_journal_list(r->to, &there);
    bool is_used = err == HD_OK && there.n > 0;
    if (err == HD_OK) {
        free(there.first);
    }
    if (is_used) {
        return con_fail(HD_EXIT_STORE, "%s holds segments already; name a new directory",
                        r->to);
    }
    err = err == HD_OK || err == HD_ENOENT ? hd_journal_copy_open(r->to, &r->copy) : err;
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s cannot be used: %s", r->to,
                                   hd_err_text(err));
}

static int run(struct repair *r)
{
    if (r->to == NULL) {
        return con_fail(HD_EXIT_USAGE, "--into DIR is missing: a new directory");
    }
    int code = con_archive_list(r->from, &r->list);
    if (code == HD_EXIT_OK && !r->list.has_journal) {
        code = con_fail(HD_EXIT_STORE,
                        "neither the mark of %s nor the header of a segment verifies",
                        r->from);
    }
    code = code == HD_EXIT_OK ? open_checks(r) : code;
    code = code == HD_EXIT_OK ? open_copy(r) : code;
    if (code == HD_EXIT_OK) {
        r->all_bytes = con_archive_bytes(r->from, &r->list);
        code = repair_all(r);
    }
    return code;
}

int con_run_archive_repair(const struct con_args *args)
{
    struct repair r = {.from = con_archive_dir(args), .to = con_args_value(args, "into")};
    int code = HD_EXIT_USAGE;
    hd_buf_init(&r.out, 0);
    r.tell = (struct con_archive_tell){
        .show = &r.show, .is_json = con_args_flag(args, "json"), .out = &r.out};
    con_interrupt_begin(&r.interrupt);
    if (con_show_init(&r.show, args) == HD_OK) {
        code = run(&r);
    }
    hd_check_close(r.check);
    hd_check_close(r.salvage);
    hd_journal_copy_close(r.copy);
    free(r.list.first);
    con_show_fini(&r.show);
    hd_buf_fini(&r.out);
    con_interrupt_end(&r.interrupt);
    return code;
}
