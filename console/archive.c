/* SPDX-License-Identifier: Apache-2.0 */
#include "console/archive.h"

#include <haidang/fs.h>
#include <haidang/json.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "console/out.h"

/* ---- public keys ---- */

static int key_add(struct con_archive_keys *keys, const char *path)
{
    if (keys->n == CON_ARCHIVE_KEYS) {
        return con_fail(HD_EXIT_USAGE, "more than %u keys", CON_ARCHIVE_KEYS);
    }
    int err = hd_sign_public_load(path, &keys->key[keys->n]);
    if (err != HD_OK) {
        return con_fail(HD_EXIT_CERT, "%s is no public key that can be used: %s", path,
                        err == HD_EPARSE ? "not a PEM file of one" : hd_err_text(err));
    }
    keys->path[keys->n] = hd_slice_dup(hd_slice_str(path));
    keys->n++;
    return keys->path[keys->n - 1] != NULL
               ? HD_EXIT_OK
               : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
}

struct key_dir {
    struct con_archive_keys *keys;
    const char *dir;
};

static int key_of_dir(void *ctx, const char *name)
{
    struct key_dir *d = ctx;
    char path[PATH_MAX];
    if (!hd_slice_ends(hd_slice_str(name), HD_SLICE(".pub"))) {
        return HD_EXIT_OK;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", d->dir, name);
    return key_add(d->keys, path);
}

int con_archive_keys_load(struct con_archive_keys *keys, const struct con_args *args)
{
    struct key_dir dir = {keys, con_args_value(args, "keys")};
    *keys = (struct con_archive_keys){.n = 0};
    for (size_t i = 0; i < args->n_list; i++) {
        int code = key_add(keys, args->list[i]);
        if (code != HD_EXIT_OK) {
            return code;
        }
    }
    if (dir.dir == NULL) {
        return HD_EXIT_OK;
    }
    int code = hd_fs_each(dir.dir, key_of_dir, &dir);
    return code < 0
               ? con_fail(HD_EXIT_CERT, "the directory of keys %s cannot be read: %s",
                          dir.dir, hd_err_text(code))
               : code;
}

void con_archive_keys_free(struct con_archive_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        hd_sign_key_free(keys->key[i]);
        free(keys->path[i]);
    }
    keys->n = 0;
}

/* ---- directories ---- */

const char *con_archive_dir(const struct con_args *args)
{
    return args->n_operands > 0 ? args->operands[0] : CON_ARCHIVE_DEFAULT;
}

/* Media from elsewhere may hold anything under these names. */
static int check_files(const char *dir, const struct hd_journal_segments *list)
{
    for (size_t i = 0; i < list->n; i++) {
        char path[PATH_MAX];
        struct stat st;
        if (hd_journal_segment_path(dir, list->first[i], path, sizeof(path)) == HD_OK &&
            stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
            return con_fail(HD_EXIT_STORE, "%s is not a regular file", path);
        }
    }
    return HD_EXIT_OK;
}

int con_archive_list(const char *dir, struct hd_journal_segments *list)
{
    int err = hd_journal_list(dir, list);
    if (err != HD_OK) {
        return con_fail(HD_EXIT_STORE, "%s cannot be read: %s%s", dir, hd_err_text(err),
                        err == HD_EACCES ? "; be in the group haidang" : "");
    }
    if (list->n == 0) {
        return con_fail(HD_EXIT_STORE,
                        "%s holds no segment (files such as 00000000000000000001.zst)",
                        dir);
    }
    return check_files(dir, list);
}

uint64_t con_archive_bytes(const char *dir, const struct hd_journal_segments *list)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < list->n; i++) {
        char path[PATH_MAX];
        struct stat st;
        if (hd_journal_segment_path(dir, list->first[i], path, sizeof(path)) == HD_OK &&
            stat(path, &st) == 0) {
            bytes += (uint64_t)st.st_size;
        }
    }
    return bytes;
}

/* ---- problems ---- */

static void problem_json(const struct con_archive_tell *tell, const char *dir,
                         const struct hd_check_finding *f)
{
    char file[32];
    struct hd_json j = hd_json(tell->out);
    (void)snprintf(file, sizeof(file), "%020" PRIu64 ".zst", f->segment);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "problem", hd_check_problem_name(f->problem));
    hd_json_cstr(&j, "archive", dir);
    hd_json_cstr(&j, "file", file);
    if (f->index > 0) {
        hd_json_u64(&j, "entry", f->index);
    }
    if (f->bytes > 0) {
        hd_json_u64(&j, "offset", f->offset);
        hd_json_u64(&j, "bytes", f->bytes);
    }
    hd_json_cstr(&j, "text", f->text);
    hd_json_end(&j, '}');
    hd_buf_byte(tell->out, '\n');
}

static void problem_text(const struct con_archive_tell *tell, const char *dir,
                         const struct hd_check_finding *f)
{
    hd_buf_printf(tell->out, "%s/%020" PRIu64 ".zst: ", dir, f->segment);
    if (f->index > 0) {
        hd_buf_printf(tell->out, "entry %" PRIu64 "%s", f->index,
                      f->bytes > 0 ? ", " : ": ");
    }
    if (f->bytes > 0) {
        hd_buf_printf(tell->out, "offset %" PRIu64 ": ", f->offset);
    }
    hd_buf_printf(tell->out, "%s: %s\n", hd_check_problem_name(f->problem), f->text);
}

static bool is_told(struct con_archive_tell *tell, const uint8_t *key_id)
{
    for (size_t i = 0; i < tell->n_unknown; i++) {
        if (memcmp(tell->unknown[i], key_id, HD_KEY_ID_LEN) == 0) {
            return true;
        }
    }
    if (tell->n_unknown < CON_ARCHIVE_KEYS) {
        memcpy(tell->unknown[tell->n_unknown++], key_id, HD_KEY_ID_LEN);
    }
    return false;
}

void con_archive_problem(struct con_archive_tell *tell, const char *dir,
                         const struct hd_check_finding *finding, const uint8_t *key_id)
{
    tell->problems++;
    tell->kinds[finding->problem]++;
    if (tell->is_json) {
        problem_json(tell, dir, finding);
    } else if (finding->problem != HD_CHECK_KEY || !is_told(tell, key_id)) {
        problem_text(tell, dir, finding);
    }
    (void)!con_out_flush(tell->out); /* the summary, which comes last, tells of it */
}

/* What each kind means and what to do. */
static const char *const advice[HD_CHECK_PROBLEMS][2] = {
    [HD_CHECK_HEADER] =
        {"the file is damaged, or is not of this journal; entries of this "
         "journal in it are still read",
         "tệp bị hỏng hoặc không thuộc nhật ký này; các mục của nhật ký "
         "này trong tệp vẫn đọc được"},
    [HD_CHECK_DAMAGE] =
        {"everything around the damage is readable; 'haidang archive "
         "repair' keeps what verifies; look for the file in a second copy",
         "phần xung quanh chỗ hỏng vẫn đọc được; 'haidang archive repair' "
         "giữ lại mọi mục còn nguyên; hãy tìm tệp này ở bản sao thứ hai"},
    [HD_CHECK_MISSING] = {"entries were lost with damage, or a file was taken away; "
                          "retention only takes the oldest",
                          "có mục đã mất do hỏng hoặc có tệp bị lấy đi; việc hết hạn lưu "
                          "chỉ xóa phần cũ nhất"},
    [HD_CHECK_UNSEALED] = {"the writer was cut off by damage there; what it holds is "
                           "checked by its checksums, nobody signed it",
                           "chỗ đó bị hỏng khi đang ghi; nội dung chỉ được kiểm bằng mã "
                           "kiểm, không có chữ ký"},
    [HD_CHECK_UNSTATED] =
        {"nobody signed this segment: seal_key was off, or somebody made "
         "the file anew",
         "đoạn này không có chữ ký: seal_key đã tắt, hoặc tệp đã bị tạo "
         "lại"},
    [HD_CHECK_STATEMENT] =
        {"the signed text does not fit its file: a file was renamed or "
         "put together by somebody",
         "lời khai đã ký không khớp với tệp: tệp bị đổi tên hoặc bị "
         "ghép lại"},
    [HD_CHECK_HASH] =
        {"the content is not what was signed: damage, or somebody changed it",
         "nội dung khác với lúc ký: bị hỏng hoặc bị sửa"},
    [HD_CHECK_KEY] =
        {"name the node's public key with --key; on the node it is seal.key.pub "
         "in state_dir; get it from its administrator, not from beside the "
         "archive",
         "hãy chỉ ra khóa công khai của nút bằng --key; trên nút là "
         "seal.key.pub trong state_dir; nên lấy từ quản trị viên, không lấy "
         "từ cạnh kho lưu"},
    [HD_CHECK_SIGNATURE] = {"somebody without the key wrote or changed this statement",
                            "lời khai này do người không có khóa viết hoặc sửa"},
    [HD_CHECK_CHAIN] =
        {"a sealed segment was replaced, put in or taken out between the two",
         "giữa hai đoạn có đoạn đã bị thay, thêm vào hoặc lấy đi"},
    [HD_CHECK_CONTENT] =
        {"somebody without the key changed what is encrypted, and made "
         "the checksums right",
         "người không có khóa đã sửa phần mã hóa rồi sửa lại mã kiểm cho "
         "khớp"},
    [HD_CHECK_STAMP] =
        {"the time stamp beside the segment is of something else, or not of an authority "
         "that --tsa-ca names; the segment itself is judged above",
         "dấu thời gian bên cạnh đoạn này thuộc về nội dung khác, hoặc không do cơ quan "
         "nêu ở --tsa-ca cấp; bản thân đoạn đã được đánh giá ở trên"},
};

void con_archive_advise(const struct con_archive_tell *tell, struct hd_buf *out)
{
    for (int i = 0; i < HD_CHECK_PROBLEMS; i++) {
        if (tell->kinds[i] > 0) {
            hd_buf_printf(out, "  %-10s %" PRIu64 ": %s\n",
                          hd_check_problem_name((enum hd_check_problem)i), tell->kinds[i],
                          con_show_say(tell->show, advice[i][0], advice[i][1]));
        }
    }
}

void con_archive_size(struct hd_buf *out, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes / 1024;
    size_t i = 0;
    if (bytes < 1024) {
        hd_buf_printf(out, "%" PRIu64 " B", bytes);
        return;
    }
    while (size >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
        size /= 1024;
        i++;
    }
    hd_buf_printf(out, "%.1f %s", size, units[i]);
}
