/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang archive compare: does another directory, such as a mirror, hold every sealed
 * segment of an archive? Segments are the same when their statements are: a statement
 * names the hash of all bytes before it, and `archive verify` checks that in each
 * directory. What was never sealed is compared byte by byte.
 */
#include <haidang/json.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/archive.h"
#include "console/archive_sums.h"
#include "console/out.h"

struct compare {
    const char *dir, *other;
    struct con_show show;
    bool is_json;
    struct hd_buf out;
    struct hd_check *check;
    struct hd_journal_segments list, there;
    uint64_t sealed, missing, different, only_there;
};

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    (void)ctx; /* peeking tells none */
    (void)finding;
}

/* ---- one segment ---- */

static void tell(struct compare *c, uint64_t first, const char *what, const char *what_vi)
{
    char file[32];
    (void)snprintf(file, sizeof(file), "%020" PRIu64 ".zst", first);
    if (c->is_json) {
        struct hd_json j = hd_json(&c->out);
        hd_json_object(&j, NULL);
        hd_json_cstr(&j, "file", file);
        hd_json_cstr(&j, "problem", what);
        hd_json_end(&j, '}');
        hd_buf_byte(&c->out, '\n');
    } else {
        hd_buf_printf(&c->out, "%s/%s: %s\n", c->other, file,
                      con_show_say(&c->show, what, what_vi));
    }
}

/* HD_OK: they are the same. HD_ECORRUPT: they differ. */
static int compare_files(struct compare *c, const struct hd_check_segment *seg,
                         const char *path, const char *there)
{
    struct hd_check_segment other;
    bool is_same = false;
    int err = hd_check_peek(c->check, there, &other);
    if (err == HD_OK && seg->is_stated) {
        is_same = other.is_stated && memcmp(seg->statement_sha256, other.statement_sha256,
                                            HD_SHA256_LEN) == 0;
    } else if (err == HD_OK) {
        err = con_archive_same(path, there, &is_same);
    }
    return err != HD_OK || is_same ? err : HD_ECORRUPT;
}

static int compare_one(struct compare *c, size_t i)
{
    struct hd_check_segment seg;
    char path[PATH_MAX], there[PATH_MAX];
    uint64_t first = c->list.first[i];
    int err = hd_journal_segment_path(c->dir, first, path, sizeof(path));
    err = err == HD_OK ? hd_journal_segment_path(c->other, first, there, sizeof(there))
                       : err;
    err = err == HD_OK ? hd_check_peek(c->check, path, &seg) : err;
    bool is_in_use = err == HD_OK && !seg.is_sealed && i + 1 == c->list.n;
    if (err == HD_ENOENT || is_in_use) {
        return HD_OK; /* removed by retention meanwhile; or sealed later */
    }
    c->sealed++;
    if (err == HD_OK && access(there, F_OK) != 0) {
        c->missing++;
        tell(c, first, "missing", "thiếu");
    } else if (err == HD_OK) {
        err = compare_files(c, &seg, path, there);
    }
    if (err == HD_ECORRUPT) {
        c->different++;
        tell(c, first, "different", "khác nội dung");
        err = HD_OK;
    }
    return err;
}

static void count_only_there(struct compare *c)
{
    size_t i = 0;
    for (size_t k = 0; k < c->there.n; k++) {
        while (i < c->list.n && c->list.first[i] < c->there.first[k]) {
            i++;
        }
        c->only_there += i == c->list.n || c->list.first[i] != c->there.first[k];
    }
}

/* ---- the outcome ---- */

static bool is_whole(const struct compare *c)
{
    return c->missing == 0 && c->different == 0;
}

static void report_json(struct compare *c)
{
    struct hd_json j = hd_json(&c->out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "archive", c->dir);
    hd_json_cstr(&j, "other", c->other);
    hd_json_bool(&j, "holds_all", is_whole(c));
    hd_json_u64(&j, "sealed", c->sealed);
    hd_json_u64(&j, "missing", c->missing);
    hd_json_u64(&j, "different", c->different);
    hd_json_u64(&j, "only_there", c->only_there);
    hd_json_end(&j, '}');
    hd_buf_byte(&c->out, '\n');
}

static void line(struct compare *c, uint64_t n, const char *en, const char *vi)
{
    hd_buf_printf(&c->out, "  %" PRIu64 " %s\n", n, con_show_say(&c->show, en, vi));
}

static void report_text(struct compare *c)
{
    hd_buf_printf(&c->out, "%s\n", c->other);
    line(c, c->sealed, "sealed segments in the archive",
         "đoạn đã niêm phong trong kho lưu");
    if (c->missing > 0) {
        line(c, c->missing, "are missing", "đoạn bị thiếu");
    }
    if (c->different > 0) {
        line(
            c, c->different,
            "have other content; 'haidang archive verify' of both says "
            "which is right",
            "đoạn khác nội dung; 'haidang archive verify' cả hai bên sẽ cho biết bên nào "
            "đúng");
    }
    if (c->only_there > 0) {
        line(c, c->only_there, "are there only: the archive has removed them",
             "đoạn chỉ còn ở đây, kho lưu đã xóa");
    }
    if (is_whole(c)) {
        hd_buf_str(&c->out, con_show_say(&c->show, "all are there\n", "có đủ tất cả\n"));
    }
}

static int report(struct compare *c)
{
    if (c->is_json) {
        report_json(c);
    } else {
        report_text(c);
    }
    int code = con_out_print(&c->out);
    return code != HD_EXIT_OK ? code : is_whole(c) ? HD_EXIT_OK : HD_EXIT_RUNTIME;
}

/* ---- the command ---- */

static int compare_all(struct compare *c)
{
    const struct hd_check_opts opts = {.found = on_problem};
    int err = hd_check_open(&opts, &c->check);
    size_t i = 0;
    while (err == HD_OK && i < c->list.n) {
        err = compare_one(c, i);
        i += err == HD_OK;
    }
    if (err != HD_OK) {
        return con_fail(HD_EXIT_STORE, "%020" PRIu64 ".zst of %s or %s: %s",
                        i < c->list.n ? c->list.first[i] : 0, c->dir, c->other,
                        hd_err_text(err));
    }
    count_only_there(c);
    return report(c);
}

int con_run_archive_compare(const struct con_args *args)
{
    bool has_dir = args->n_operands > 1;
    struct compare c = {.dir = has_dir ? args->operands[0] : CON_ARCHIVE_DEFAULT,
                        .other = args->operands[has_dir ? 1 : 0],
                        .is_json = con_args_flag(args, "json")};
    int code = HD_EXIT_USAGE;
    hd_buf_init(&c.out, 0);
    if (con_show_init(&c.show, args) == HD_OK) {
        code = con_archive_list(c.dir, &c.list);
        code = code == HD_EXIT_OK ? con_archive_list(c.other, &c.there) : code;
        code = code == HD_EXIT_OK ? compare_all(&c) : code;
    }
    hd_check_close(c.check);
    free(c.list.first);
    free(c.there.first);
    con_show_fini(&c.show);
    hd_buf_fini(&c.out);
    return code;
}
