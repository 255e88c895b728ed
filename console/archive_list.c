/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang archive list: what the footers of the segments say. Only a segment that has
 * none (the one in use) is read.
 */
#include <haidang/json.h>
#include <haidang/retain.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "console/archive.h"
#include "console/out.h"
#include "console/unlock.h"

#define TIME_DIGITS   6
#define KEY_ID_SHOWN  8U /* bytes */
#define TIME_WIDTH    19
#define SEGMENT_WIDTH 12

struct list {
    const char *dir;
    struct con_show show;
    struct hd_journal_segments segments;
    struct hd_check *check;
    struct hd_journal_keys *secrets; /* NULL: nothing is to be decrypted */
    struct hd_retain *retain;        /* NULL: nobody asked */
    struct hd_batch_reader *batch;
    struct hd_retain_verdict
        kept; /* of the segment at hand: the longest of its entries */
    struct hd_buf out;
};

static const char *state_of(const struct hd_check_segment *seg, bool is_last)
{
    return !seg->has_header             ? "damaged"
           : seg->is_compacted          ? "compacted"
           : seg->is_stated             ? "signed"
           : seg->is_sealed             ? "sealed"
           : is_last && !seg->is_sealed ? "in use"
                                        : "not sealed";
}

static const char *state_vi(const struct hd_check_segment *seg, bool is_last)
{
    return !seg->has_header             ? "hỏng"
           : seg->is_compacted          ? "đã nén lại"
           : seg->is_stated             ? "đã ký"
           : seg->is_sealed             ? "đã niêm phong"
           : is_last && !seg->is_sealed ? "đang ghi"
                                        : "chưa niêm phong";
}

static void row_json(struct list *l, const struct hd_check_segment *seg, bool is_last)
{
    char text[2 * HD_KEY_ID_LEN + 1];
    struct hd_json j = hd_json(&l->out);
    (void)snprintf(text, sizeof(text), "%020" PRIu64 ".zst", seg->first);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "file", text);
    hd_json_u64(&j, "first", seg->first);
    hd_json_u64(&j, "next", seg->next);
    if (seg->entries > 0) {
        hd_json_time(&j, "earliest", seg->time_min, TIME_DIGITS);
        hd_json_time(&j, "latest", seg->time_max, TIME_DIGITS);
    }
    hd_json_u64(&j, "entries", seg->entries);
    hd_json_u64(&j, "lines", seg->records);
    hd_json_u64(&j, "bytes", seg->bytes);
    hd_json_u64(&j, "raw_bytes", seg->raw_bytes);
    hd_json_cstr(&j, "state", state_of(seg, is_last));
    if (seg->is_stated) {
        struct hd_buf hex = hd_buf_fixed(text, sizeof(text));
        hd_buf_hex(&hex, hd_slice(seg->seal.key_id, HD_KEY_ID_LEN));
        hd_json_cstr(&j, "key", hd_buf_cstr(&hex));
        hd_json_time(&j, "sealed", seg->seal.sealed, TIME_DIGITS);
    }
    if (!hd_journal_key_id_is_none(&seg->key)) {
        struct hd_journal_key_name name = hd_journal_key_name(&seg->key);
        hd_json_cstr(&j, "encryption_key", name.text);
    }
    if (l->retain != NULL && seg->entries > 0) {
        if (l->kept.until_ns == HD_RETAIN_FOREVER) {
            hd_json_cstr(&j, "kept_until", "for ever");
        } else {
            hd_json_time(&j, "kept_until", l->kept.until_ns, 0);
        }
        hd_json_cstr(&j, "kept_why", l->kept.why);
    }
    hd_json_end(&j, '}');
    hd_buf_byte(&l->out, '\n');
}

static void put_size(struct list *l, uint64_t bytes)
{
    char text[32];
    struct hd_buf size = hd_buf_fixed(text, sizeof(text));
    con_archive_size(&size, bytes);
    hd_buf_printf(&l->out, "%11s ", hd_buf_cstr(&size));
}

static void put_times(struct list *l, const struct hd_check_segment *seg)
{
    if (seg->entries == 0) {
        hd_buf_printf(&l->out, "%*s  %*s ", TIME_WIDTH, "-", TIME_WIDTH, "-");
        return;
    }
    con_show_time(&l->show, seg->time_min, &l->out);
    hd_buf_str(&l->out, "  ");
    con_show_time(&l->show, seg->time_max, &l->out);
    hd_buf_byte(&l->out, ' ');
}

static void put_kept(struct list *l)
{
    hd_buf_str(&l->out, con_show_say(&l->show, "; kept ", "; giữ "));
    if (l->kept.until_ns == HD_RETAIN_FOREVER) {
        hd_buf_str(&l->out, con_show_say(&l->show, "for ever", "mãi mãi"));
    } else {
        hd_buf_str(&l->out, con_show_say(&l->show, "until ", "đến "));
        con_show_time(&l->show, l->kept.until_ns, &l->out);
    }
    hd_buf_printf(&l->out, ": %s", l->kept.why);
}

static void row_text(struct list *l, const struct hd_check_segment *seg, bool is_last)
{
    hd_buf_printf(&l->out, "%*" PRIu64 "  ", SEGMENT_WIDTH, seg->first);
    put_times(l, seg);
    hd_buf_printf(&l->out, "%9" PRIu64 " %12" PRIu64 " ", seg->entries, seg->records);
    put_size(l, seg->bytes);
    put_size(l, seg->raw_bytes);
    double ratio = seg->bytes > 0 ? (double)seg->raw_bytes / (double)seg->bytes : 0;
    hd_buf_printf(&l->out, "%5.1f  %s", ratio,
                  con_show_say(&l->show, state_of(seg, is_last), state_vi(seg, is_last)));
    if (seg->is_stated) {
        hd_buf_byte(&l->out, ' ');
        hd_buf_hex(&l->out, hd_slice(seg->seal.key_id, KEY_ID_SHOWN));
    }
    if (!hd_journal_key_id_is_none(&seg->key)) {
        struct hd_journal_key_name name = hd_journal_key_name(&seg->key);
        hd_buf_printf(&l->out, "%s %s", con_show_say(&l->show, "; encrypted", "; mã hóa"),
                      name.text);
    }
    if (l->retain != NULL && seg->entries > 0) {
        put_kept(l);
    }
    hd_buf_byte(&l->out, '\n');
}

static void head_text(struct list *l)
{
    hd_buf_str(
        &l->out,
        con_show_say(&l->show,
                     "     segment  from                 to                    "
                     "entries        lines        size      uncompr. ratio  state\n",
                     "        đoạn  từ                   đến                   "
                     "  số mục      số dòng   dung lượng     chưa nén  tỷ lệ "
                     "trạng thái\n"));
}

static void ignore(void *ctx, const struct hd_check_finding *finding)
{
    (void)ctx;
    (void)finding;
}

static int take_entry(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes)
{
    struct list *l = ctx;
    struct hd_retain_verdict verdict;
    (void)bytes;
    hd_retain_entry(l->retain, l->batch, entry, &verdict);
    if (l->kept.why[0] == '\0' || verdict.until_ns > l->kept.until_ns) {
        l->kept = verdict;
    }
    return HD_OK;
}

static int look(struct list *l, size_t i, struct hd_check_segment *seg)
{
    char path[PATH_MAX];
    bool is_last = i + 1 == l->segments.n;
    int err = hd_journal_segment_path(l->dir, l->segments.first[i], path, sizeof(path));
    err = err == HD_OK ? hd_check_peek(l->check, path, seg) : err;
    l->kept = (struct hd_retain_verdict){.until_ns = 0};
    if (err == HD_OK && (l->retain != NULL || !seg->is_sealed)) {
        err = hd_check_alone(l->check, path, is_last, is_last ? l->segments.durable : 0,
                             seg);
    }
    return err;
}

static int list_all(struct list *l, bool is_json)
{
    if (!is_json) {
        head_text(l);
    }
    for (size_t i = 0; i < l->segments.n; i++) {
        struct hd_check_segment seg;
        bool is_last = i + 1 == l->segments.n;
        int err = look(l, i, &seg);
        if (err == HD_ENOENT) {
            continue; /* retention took it meanwhile */
        }
        if (err != HD_OK) {
            return con_fail(HD_EXIT_STORE, "%s/%020" PRIu64 ".zst: %s", l->dir,
                            l->segments.first[i], hd_err_text(err));
        }
        if (is_json) {
            row_json(l, &seg, is_last);
        } else {
            row_text(l, &seg, is_last);
        }
    }
    return con_out_print(&l->out);
}

static int list_dir(struct list *l, bool is_json)
{
    int code = con_archive_list(l->dir, &l->segments);
    if (code != HD_EXIT_OK) {
        return code;
    }
    const struct hd_check_opts opts = {
        .journal = l->segments.has_journal ? l->segments.journal : NULL,
        .secrets = l->secrets,
        .found = ignore,
        .entry = l->retain == NULL ? NULL : take_entry,
        .ctx = l};
    int err = hd_check_open(&opts, &l->check);
    return err == HD_OK ? list_all(l, is_json)
                        : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
}

static int load_retention(struct list *l, const struct con_args *args)
{
    const char *file = con_args_value(args, "retention");
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    if (file == NULL) {
        return HD_EXIT_OK;
    }
    if (hd_retain_load(file, &l->retain, &diags) != HD_OK) {
        return con_fail(HD_EXIT_CONFIG, "%s cannot be used", file);
    }
    return hd_batch_reader_new(&l->batch) == HD_OK
               ? con_unlock(args, &l->secrets)
               : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
}

int con_run_archive_list(const struct con_args *args)
{
    struct list l = {.dir = con_archive_dir(args)};
    int code = HD_EXIT_USAGE;
    hd_buf_init(&l.out, 0);
    if (con_show_init(&l.show, args) == HD_OK) {
        code = load_retention(&l, args);
        code = code == HD_EXIT_OK ? list_dir(&l, con_args_flag(args, "json")) : code;
    }
    hd_batch_reader_free(l.batch);
    hd_retain_free(l.retain);
    hd_journal_keys_free(l.secrets);
    hd_check_close(l.check);
    free(l.segments.first);
    con_show_fini(&l.show);
    hd_buf_fini(&l.out);
    return code;
}
