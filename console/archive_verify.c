/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang archive verify: does an archive, or any other journal, hold what its node
 * signed? Needs public keys and nothing else; reads only.
 */
#include <haidang/clock.h>
#include <haidang/json.h>
#include <haidang/num.h>

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "console/archive.h"
#include "console/archive_scan.h"
#include "console/archive_stamps.h"
#include "console/out.h"
#include "console/progress.h"
#include "console/unlock.h"

#define JOBS_DEFAULT_MAX 8
#define TIME_DIGITS      6

struct sum { /* over the segments of one archive */
    uint64_t segments, sealed, vouched, entries, records, bytes, raw_bytes, removed;
    int64_t time_min, time_max;
    bool has_tail; /* the last segment is in use */
    uint64_t tail_entries;
    int64_t took_ns;
    uint64_t encrypted, locked; /* entries; those whose key is not here */
    struct hd_journal_key_id missing;
};

struct verify {
    const char *dir;
    struct con_show show;
    struct con_archive_keys keys;
    struct hd_journal_keys *secrets;
    struct con_interrupt interrupt;
    struct con_archive_tell tell;
    struct con_progress progress;
    struct hd_journal_segments list;
    uint64_t all_bytes; /* of the files */
    unsigned jobs;
    struct hd_buf out;
    struct sum sum;
    struct con_archive_stamps stamps;
};

/* ---- what the scan says ---- */

static void on_problem(void *ctx, const struct hd_check_finding *finding,
                       const uint8_t *key_id)
{
    struct verify *v = ctx;
    con_progress_end(&v->progress);
    con_archive_problem(&v->tell, v->dir, finding, key_id);
}

static void check_stamp(struct verify *v, const struct hd_check_segment *seg)
{
    char why[HD_STAMP_WHY] = "";
    const struct hd_check_finding finding = {
        .problem = HD_CHECK_STAMP, .segment = seg->first, .text = why};
    if (seg->is_stated &&
        con_archive_stamps_check(&v->stamps, v->dir, seg, why) != HD_OK) {
        on_problem(v, &finding, seg->seal.key_id);
    }
}

static void on_segment(void *ctx, const struct hd_check_segment *seg)
{
    struct verify *v = ctx;
    check_stamp(v, seg);
    bool is_first = v->sum.entries == 0;
    if (seg->entries > 0) {
        v->sum.time_min =
            is_first || seg->time_min < v->sum.time_min ? seg->time_min : v->sum.time_min;
        v->sum.time_max =
            is_first || seg->time_max > v->sum.time_max ? seg->time_max : v->sum.time_max;
    }
    v->sum.segments++;
    v->sum.sealed += seg->is_sealed;
    v->sum.vouched += seg->is_vouched;
    v->sum.entries += seg->entries;
    v->sum.encrypted += seg->encrypted;
    v->sum.locked += seg->locked;
    if (seg->locked > 0) {
        v->sum.missing = seg->missing;
    }
    v->sum.records += seg->records;
    v->sum.bytes += seg->bytes;
    v->sum.raw_bytes += seg->raw_bytes;
    v->sum.has_tail = !seg->is_sealed;
    v->sum.tail_entries = seg->is_sealed ? 0 : seg->entries;
}

static void on_progress(void *ctx, uint64_t bytes)
{
    struct verify *v = ctx;
    con_progress_show(&v->progress, bytes, v->all_bytes, bytes >> 20, "MiB");
}

/* ---- the outcome ---- */

static void summary_json(struct verify *v)
{
    struct hd_json j = hd_json(&v->out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "archive", v->dir);
    if (v->list.has_journal) {
        char hex[2 * sizeof(v->list.journal) + 1];
        struct hd_buf text = hd_buf_fixed(hex, sizeof(hex));
        hd_buf_hex(&text, hd_slice(v->list.journal, sizeof(v->list.journal)));
        hd_json_cstr(&j, "journal", hd_buf_cstr(&text));
    }
    hd_json_bool(&j, "holds", v->tell.problems == 0);
    hd_json_u64(&j, "problems", v->tell.problems);
    hd_json_u64(&j, "segments", v->sum.segments);
    hd_json_u64(&j, "sealed", v->sum.sealed);
    hd_json_u64(&j, "vouched", v->sum.vouched);
    hd_json_u64(&j, "entries", v->sum.entries);
    hd_json_u64(&j, "encrypted", v->sum.encrypted);
    hd_json_u64(&j, "not_decrypted", v->sum.locked);
    hd_json_u64(&j, "lines", v->sum.records);
    hd_json_u64(&j, "bytes", v->sum.bytes);
    hd_json_u64(&j, "raw_bytes", v->sum.raw_bytes);
    if (v->sum.entries > 0) {
        hd_json_time(&j, "earliest", v->sum.time_min, TIME_DIGITS);
        hd_json_time(&j, "latest", v->sum.time_max, TIME_DIGITS);
    }
    hd_json_u64(&j, "stamps", v->stamps.found);
    hd_json_u64(&j, "stamps_hold", v->stamps.hold);
    if (v->stamps.newest > 0) {
        hd_json_u64(&j, "stamped_segment", v->stamps.newest);
        hd_json_time(&j, "stamped", v->stamps.newest_ns, 0);
    }
    hd_json_u64(&j, "tail_entries", v->sum.tail_entries);
    hd_json_u64(&j, "removed_meanwhile", v->sum.removed);
    hd_json_u64(&j, "took_ms", (uint64_t)(v->sum.took_ns / HD_NS_PER_MS));
    hd_json_end(&j, '}');
    hd_buf_byte(&v->out, '\n');
}

static const char *say(const struct verify *v, const char *en, const char *vi)
{
    return con_show_say(&v->show, en, vi);
}

static void say_segments(struct verify *v)
{
    const struct sum *sum = &v->sum;
    hd_buf_printf(
        &v->out, "  %s %" PRIu64 ", %s %" PRIu64 ", %s %" PRIu64 "\n",
        say(v, "segments", "số đoạn:"), sum->segments, say(v, "sealed", "đã niêm phong:"),
        sum->sealed,
        say(v, "vouched for by hash and signature", "được mã băm và chữ ký bảo chứng:"),
        sum->vouched);
    if (sum->has_tail) {
        hd_buf_printf(&v->out, "  %s %" PRIu64 "\n",
                      say(v, "entries in the segment in use, checked by checksums alone",
                          "số mục trong đoạn đang ghi, chỉ kiểm bằng mã kiểm:"),
                      sum->tail_entries);
    }
}

static void say_encrypted(struct verify *v)
{
    const struct sum *sum = &v->sum;
    char why[CON_UNLOCK_WHY];
    if (sum->encrypted > 0) {
        hd_buf_printf(&v->out, "  %s %" PRIu64 "\n",
                      say(v, "encrypted entries", "số mục được mã hóa:"), sum->encrypted);
    }
    if (sum->locked > 0) {
        hd_buf_printf(&v->out, "  %s %" PRIu64 " (%s)\n",
                      say(v, "of these checked by checksums alone, not decrypted",
                          "trong đó chỉ kiểm bằng mã kiểm, không giải mã:"),
                      sum->locked, con_unlock_text(HD_ENOKEY, &sum->missing, why));
    }
}

static void say_sizes(struct verify *v)
{
    const struct sum *sum = &v->sum;
    hd_buf_printf(&v->out, "  %s %" PRIu64 ", %s %" PRIu64 ", ",
                  say(v, "entries", "số mục:"), sum->entries, say(v, "lines", "số dòng:"),
                  sum->records);
    con_archive_size(&v->out, sum->bytes);
    hd_buf_str(&v->out, say(v, ", uncompressed ", ", chưa nén "));
    con_archive_size(&v->out, sum->raw_bytes);
    hd_buf_byte(&v->out, '\n');
    if (sum->entries > 0) {
        hd_buf_str(&v->out, say(v, "  times ", "  thời gian: "));
        con_show_time(&v->show, sum->time_min, &v->out);
        hd_buf_str(&v->out, say(v, " to ", " đến "));
        con_show_time(&v->show, sum->time_max, &v->out);
        hd_buf_byte(&v->out, '\n');
    }
    if (sum->removed > 0) {
        hd_buf_printf(&v->out, "  %s %" PRIu64 "\n",
                      say(v, "oldest segments that retention removed meanwhile",
                          "số đoạn cũ nhất hết hạn bị xóa trong lúc kiểm tra:"),
                      sum->removed);
    }
}

static void say_stamps(struct verify *v)
{
    const struct con_archive_stamps *stamps = &v->stamps;
    if (stamps->found == 0) {
        return;
    }
    hd_buf_printf(&v->out, "  %s %" PRIu64, say(v, "time stamps", "số dấu thời gian:"),
                  stamps->found);
    if (stamps->ca == NULL) {
        hd_buf_str(&v->out,
                   say(v, ", not checked: name the authority with --tsa-ca",
                       ", chưa kiểm tra: hãy nêu cơ quan cấp dấu bằng --tsa-ca"));
    }
    if (stamps->newest > 0) {
        hd_buf_printf(&v->out, "%s%020" PRIu64 ".zst%s",
                      say(v, "; all up to ", "; mọi đoạn đến "), stamps->newest,
                      say(v, " was there at ", " đã tồn tại lúc "));
        con_show_time(&v->show, stamps->newest_ns, &v->out);
    }
    hd_buf_byte(&v->out, '\n');
}

static void say_verdict(struct verify *v)
{
    if (v->tell.problems > 0) {
        hd_buf_printf(&v->out, "%s %" PRIu64 "\n", say(v, "problems", "số vấn đề:"),
                      v->tell.problems);
        con_archive_advise(&v->tell, &v->out);
    } else if (v->sum.vouched == 0) {
        hd_buf_str(&v->out, say(v, "no damage, but nothing in it is signed\n",
                                "không hỏng, nhưng không có phần nào được ký\n"));
    } else {
        hd_buf_str(&v->out, say(v, "all holds\n", "tất cả đều đúng\n"));
    }
}

static int report(struct verify *v)
{
    if (v->tell.is_json) {
        summary_json(v);
    } else {
        hd_buf_printf(&v->out, "%s\n", v->dir);
        say_segments(v);
        say_encrypted(v);
        say_sizes(v);
        say_stamps(v);
        say_verdict(v);
    }
    int code = con_out_print(&v->out);
    return code != HD_EXIT_OK      ? code
           : v->tell.problems == 0 ? HD_EXIT_OK
                                   : HD_EXIT_RUNTIME;
}

/* ---- one archive ---- */

static int scan(struct verify *v)
{
    struct con_archive_scan_end end;
    const struct con_archive_scan_opts opts = {.dir = v->dir,
                                               .list = &v->list,
                                               .keys = v->keys.key,
                                               .n_keys = v->keys.n,
                                               .secrets = v->secrets,
                                               .jobs = v->jobs,
                                               .interrupt = &v->interrupt,
                                               .on_problem = on_problem,
                                               .on_segment = on_segment,
                                               .on_progress = on_progress,
                                               .ctx = v};
    int64_t began_ns = hd_clock_mono_ns();
    con_progress_begin(&v->progress);
    int err = con_archive_scan(&opts, &end);
    con_progress_end(&v->progress);
    v->sum.took_ns = hd_clock_mono_ns() - began_ns;
    v->sum.removed = end.removed;
    if (err == HD_ECLOSED) {
        return con_fail(HD_EXIT_RUNTIME, "stopped; %" PRIu64 " of %zu segments checked",
                        v->sum.segments, v->list.n);
    }
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s/%020" PRIu64 ".zst: %s", v->dir,
                                   end.segment, hd_err_text(err));
}

static int verify_dir(struct verify *v, const char *dir)
{
    v->dir = dir;
    v->sum = (struct sum){0};
    v->stamps = (struct con_archive_stamps){.ca = v->stamps.ca};
    v->tell = (struct con_archive_tell){
        .show = &v->show, .is_json = v->tell.is_json, .out = &v->out};
    int code = con_archive_list(dir, &v->list);
    if (code == HD_EXIT_OK) {
        v->all_bytes = con_archive_bytes(dir, &v->list);
        code = scan(v);
        code = code == HD_EXIT_OK ? report(v) : code;
    }
    free(v->list.first);
    return code;
}

/* The worst of the codes; goes on after one that cannot be read. */
static int verify_all(struct verify *v, const struct con_args *args)
{
    int worst = HD_EXIT_OK;
    size_t n = args->n_operands > 0 ? args->n_operands : 1;
    con_interrupt_begin(&v->interrupt);
    for (size_t i = 0; i < n && !con_interrupt_asked(&v->interrupt); i++) {
        int code = verify_dir(v, i == 0 ? con_archive_dir(args) : args->operands[i]);
        worst = code > worst ? code : worst;
    }
    con_interrupt_end(&v->interrupt);
    return worst;
}

static int jobs_of(const struct con_args *args, unsigned *jobs)
{
    const char *text = con_args_value(args, "jobs");
    uint32_t value = 0;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    *jobs = n < 1 ? 1 : n > JOBS_DEFAULT_MAX ? JOBS_DEFAULT_MAX : (unsigned)n;
    if (text == NULL) {
        return HD_OK;
    }
    if (hd_num_u32(hd_slice_str(text), CON_ARCHIVE_JOBS_MAX, &value) != HD_OK ||
        value == 0) {
        return con_fail(HD_EINVAL, "--jobs is a number from 1 to %u, not '%s'",
                        CON_ARCHIVE_JOBS_MAX, text);
    }
    *jobs = value;
    return HD_OK;
}

int con_run_archive_verify(const struct con_args *args)
{
    struct verify v = {.tell = {.is_json = con_args_flag(args, "json")}};
    int code = HD_EXIT_USAGE;
    hd_buf_init(&v.out, 0);
    if (con_show_init(&v.show, args) == HD_OK && jobs_of(args, &v.jobs) == HD_OK) {
        code = con_archive_keys_load(&v.keys, args);
        code = code == HD_EXIT_OK ? con_archive_stamps_open(&v.stamps, args) : code;
        code = code == HD_EXIT_OK ? con_unlock(args, &v.secrets) : code;
        code = code == HD_EXIT_OK ? verify_all(&v, args) : code;
    }
    con_archive_stamps_close(&v.stamps);
    hd_journal_keys_free(v.secrets);
    con_archive_keys_free(&v.keys);
    con_show_fini(&v.show);
    hd_buf_fini(&v.out);
    return code;
}
