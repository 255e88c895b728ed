/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang archive export and import: whole sealed segments from one directory into
 * another. Each is copied aside, checked there, and only then gets its name; what has a
 * name is never replaced.
 */
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_copy.h>
#include <haidang/json.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/archive.h"
#include "console/archive_stamps.h"
#include "console/archive_stream.h"
#include "console/archive_sums.h"
#include "console/interrupt.h"
#include "console/out.h"
#include "console/progress.h"
#include "console/when.h"

#define KEY_MAX    ((size_t)16 << 10)
#define KEY_MODE   0644
#define KEYS_MODE  0755
#define NAME_BYTES 8U /* of a key's id, in its file's name */

struct move {
    const char *from, *to;
    struct con_show show;
    struct con_archive_keys keys;
    struct con_archive_tell tell;
    struct con_interrupt interrupt;
    struct con_progress progress;
    struct hd_buf out;
    struct hd_journal_segments list; /* of `from` */
    struct hd_journal_copy *copy;
    struct hd_check *check;
    struct hd_check_segment seg; /* at hand */
    uint8_t journal[16];
    bool has_journal;
    int64_t since_ns, until_ns;

    uint64_t done_bytes, all_bytes;
    uint64_t placed, present, refused, unsealed, entries, records, bytes;
};

/* ---- one segment ---- */

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    struct move *m = ctx;
    con_progress_end(&m->progress);
    con_archive_problem(&m->tell, m->from, finding, m->seg.seal.key_id);
}

static void refuse(struct move *m, enum hd_check_problem problem, const char *text)
{
    const struct hd_check_finding finding = {
        .problem = problem, .segment = m->seg.first, .text = text};
    on_problem(m, &finding);
    m->refused++;
}

/* Checks what is aside, and gives it its name. */
static int place_aside(struct move *m, uint64_t first)
{
    char aside[PATH_MAX];
    int err = hd_journal_copy_path(m->copy, first, aside, sizeof(aside));
    err = err == HD_OK ? hd_check_alone(m->check, aside, false, 0, &m->seg) : err;
    if (err != HD_OK) {
        return err;
    }
    if (m->seg.problems > 0) {
        m->refused++;
        hd_journal_copy_drop(m->copy, first);
        return HD_OK;
    }
    err = hd_journal_copy_place(m->copy, first);
    if (err == HD_OK) {
        m->placed++;
        m->entries += m->seg.entries;
        m->records += m->seg.records;
        m->bytes += m->seg.bytes;
    }
    return err;
}

/* One that is none stays where it is. */
static int copy_stamp(struct move *m, uint64_t first)
{
    int err = con_archive_stamp_copy(m->from, m->to, first);
    if (err == HD_EINVAL || err == HD_ELIMIT) {
        refuse(m, HD_CHECK_STAMP, "its time stamp is no file, or too large to be one");
        err = HD_OK;
    }
    return err;
}

static int place(struct move *m, const struct hd_check_file *file)
{
    uint64_t first = file->first, before = m->placed;
    int err = hd_journal_copy_file(m->copy, file, m->seg.bytes);
    err = err == HD_OK ? place_aside(m, first) : err;
    return err == HD_OK && m->placed > before ? copy_stamp(m, first) : err;
}

static int compare(struct move *m, const char *path, const char *there)
{
    bool is_same = false;
    int err = con_archive_alike(m->check, path, there, &is_same);
    if (err == HD_OK && is_same) {
        m->present++;
    } else if (err == HD_OK) {
        refuse(m, HD_CHECK_HASH,
               "another file of that name is there already, with other content; it was "
               "left as it is");
    }
    return err;
}

static int move_sealed(struct move *m, const struct hd_check_file *file)
{
    char path[PATH_MAX], there[PATH_MAX];
    int err = hd_journal_segment_path(m->from, file->first, path, sizeof(path));
    err = err == HD_OK ? hd_journal_segment_path(m->to, file->first, there, sizeof(there))
                       : err;
    if (err != HD_OK || access(there, F_OK) != 0) {
        return err == HD_OK ? place(m, file) : err;
    }
    err = compare(m, path, there);
    return err == HD_OK ? copy_stamp(m, file->first) : err;
}

static int move_file(struct move *m, const struct hd_check_file *file, bool is_last)
{
    int err = hd_check_peek_fd(m->check, file, &m->seg);
    if (err != HD_OK) {
        return err;
    }
    m->done_bytes += m->seg.bytes;
    con_progress_show(&m->progress, m->done_bytes, m->all_bytes, m->done_bytes >> 20,
                      "MiB");
    if (m->seg.bytes > HD_JOURNAL_SEGMENT_MAX) {
        refuse(m, HD_CHECK_DAMAGE, "it is larger than a segment can be");
        return HD_OK;
    }
    if (m->seg.is_sealed) {
        return move_sealed(m, file);
    }
    if (is_last) {
        m->unsealed++;
    } else {
        refuse(m, HD_CHECK_UNSEALED, "it was never sealed, or is cut off");
    }
    return HD_OK;
}

/* One that retention took meanwhile is no fault; a hole is told at the end. */
static int move_one(struct move *m, size_t i)
{
    struct hd_check_file file;
    int err = hd_check_file_open(m->from, m->list.first[i], &file);
    err = err == HD_OK ? move_file(m, &file, i + 1 == m->list.n) : err;
    hd_fs_close_fd(&file.fd);
    return err == HD_ENOENT ? HD_OK : err;
}

static int move_range(struct move *m, size_t from, size_t to)
{
    int err = HD_OK;
    size_t i = from;
    con_progress_begin(&m->progress);
    while (err == HD_OK && i < to) {
        err = con_interrupt_asked(&m->interrupt) ? HD_ECLOSED : move_one(m, i);
        i += err == HD_OK;
    }
    con_progress_end(&m->progress);
    if (err == HD_ECLOSED) {
        return con_fail(HD_EXIT_RUNTIME,
                        "stopped; what has its name in %s is whole, the rest can be "
                        "fetched by doing the same again",
                        m->to);
    }
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s/%020" PRIu64 ".zst to %s: %s",
                                   m->from, m->list.first[i], m->to, hd_err_text(err));
}

/* ---- the whole of it ---- */

static void take_journal(struct move *m, const struct hd_journal_segments *list)
{
    if (!m->has_journal && list->has_journal) {
        memcpy(m->journal, list->journal, sizeof(m->journal));
        m->has_journal = true;
    }
}

static int open_check(struct move *m)
{
    const struct hd_check_opts opts = {.keys = m->keys.key,
                                       .n_keys = m->keys.n,
                                       .journal = m->has_journal ? m->journal : NULL,
                                       .found = on_problem,
                                       .ctx = m};
    hd_check_close(m->check);
    m->check = NULL;
    return hd_check_open(&opts, &m->check);
}

/* What `to` holds already says which journal it is. */
static int open_copy(struct move *m)
{
    struct hd_journal_segments there;
    int err = hd_journal_copy_open(m->to, &m->copy);
    if (err == HD_OK) {
        err = hd_journal_list(m->to, &there);
    }
    if (err == HD_OK) {
        take_journal(m, &there);
        free(there.first);
    }
    if (err != HD_OK) {
        return con_fail(HD_EXIT_STORE, "%s cannot be used: %s%s", m->to, hd_err_text(err),
                        err == HD_EBUSY ? " by its writer; take another directory" : "");
    }
    return HD_EXIT_OK;
}

/* All that is in `to` now, in order: what is missing between, and the mark. */
static int finish(struct move *m, struct hd_journal_segments *there)
{
    m->from = m->to;
    int err = open_check(m);
    err = err == HD_OK ? hd_journal_list(m->to, there) : err;
    for (size_t i = 0; err == HD_OK && i < there->n; i++) {
        char path[PATH_MAX];
        err = hd_journal_segment_path(m->to, there->first[i], path, sizeof(path));
        err = err == HD_OK ? hd_check_peek(m->check, path, &m->seg) : err;
        if (err == HD_OK) {
            hd_check_link(m->check, &m->seg);
        }
    }
    /* a mark that is there already never goes back */
    bool is_newer = m->placed > 0 && m->seg.is_sealed && m->seg.follows > there->next;
    if (err == HD_OK && is_newer) {
        err = hd_journal_copy_mark(m->copy, &m->seg);
    }
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s: %s", m->to, hd_err_text(err));
}

static void report_json(struct move *m)
{
    struct hd_json j = hd_json(&m->out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "into", m->to);
    hd_json_u64(&j, "problems", m->tell.problems);
    hd_json_u64(&j, "placed", m->placed);
    hd_json_u64(&j, "present", m->present);
    hd_json_u64(&j, "refused", m->refused);
    hd_json_u64(&j, "in_use", m->unsealed);
    hd_json_u64(&j, "entries", m->entries);
    hd_json_u64(&j, "lines", m->records);
    hd_json_u64(&j, "bytes", m->bytes);
    hd_json_end(&j, '}');
    hd_buf_byte(&m->out, '\n');
}

static void say(struct move *m, uint64_t n, const char *en, const char *vi)
{
    hd_buf_printf(&m->out, "  %" PRIu64 " %s\n", n, con_show_say(&m->show, en, vi));
}

static void report_text(struct move *m)
{
    hd_buf_printf(&m->out, "%s\n", m->to);
    say(m, m->placed, "segments were verified and put there",
        "đoạn đã được kiểm tra và đưa vào");
    if (m->placed > 0) {
        say(m, m->records, "lines in them", "dòng trong đó");
    }
    if (m->present > 0) {
        say(m, m->present, "segments are there already", "đoạn đã có sẵn");
    }
    if (m->unsealed > 0) {
        say(m, m->unsealed, "segment is in use and comes when it is sealed",
            "đoạn đang ghi, sẽ chuyển sau khi niêm phong");
    }
    if (m->refused > 0) {
        say(m, m->refused, "segments were refused", "đoạn bị từ chối");
    }
    if (m->tell.problems > 0) {
        say(m, m->tell.problems, "problems:", "vấn đề:");
        con_archive_advise(&m->tell, &m->out);
    }
}

static int report(struct move *m)
{
    if (m->tell.is_json) {
        report_json(m);
    } else {
        report_text(m);
    }
    int code = con_out_print(&m->out);
    return code != HD_EXIT_OK      ? code
           : m->tell.problems == 0 ? HD_EXIT_OK
                                   : HD_EXIT_RUNTIME;
}

/* ---- export ---- */

static bool is_wanted(const struct move *m)
{
    return m->seg.is_sealed && m->seg.entries > 0 && m->seg.time_max >= m->since_ns &&
           m->seg.time_min < m->until_ns;
}

/* From the first to the last segment that holds the time: no hole in the chain. */
static int find_range(struct move *m, size_t *from, size_t *to)
{
    *from = *to = m->list.n;
    for (size_t i = 0; i < m->list.n; i++) {
        char path[PATH_MAX];
        int err = hd_journal_segment_path(m->from, m->list.first[i], path, sizeof(path));
        err = err == HD_OK ? hd_check_peek(m->check, path, &m->seg) : err;
        if (err != HD_OK && err != HD_ENOENT) {
            return con_fail(HD_EXIT_STORE, "%s: %s", path, hd_err_text(err));
        }
        if (err == HD_OK && is_wanted(m)) {
            *from = *from == m->list.n ? i : *from;
            *to = i + 1;
        }
    }
    return *from < *to ? HD_EXIT_OK
                       : con_fail(HD_EXIT_RUNTIME,
                                  "%s has no sealed segment of that time; see 'haidang "
                                  "archive list'",
                                  m->from);
}

static int write_key(const struct move *m, size_t i)
{
    char path[PATH_MAX], text[2 * NAME_BYTES + 1];
    struct hd_buf pem, name = hd_buf_fixed(text, sizeof(text));
    hd_buf_init(&pem, 0);
    hd_buf_hex(&name, hd_slice(hd_sign_key_id(m->keys.key[i]), NAME_BYTES));
    (void)snprintf(path, sizeof(path), "%s/keys/%s.pub", m->to, hd_buf_cstr(&name));
    int err = hd_fs_read(m->keys.path[i], KEY_MAX, &pem);
    err = err == HD_OK ? hd_fs_write_atomic(path, hd_buf_slice(&pem), KEY_MODE) : err;
    hd_buf_fini(&pem);
    return err;
}

static int write_beside(const struct move *m, const struct hd_journal_segments *there)
{
    char keys[PATH_MAX];
    (void)snprintf(keys, sizeof(keys), "%s/keys", m->to);
    int err = m->keys.n > 0 ? hd_fs_mkdirs(keys, KEYS_MODE) : HD_OK;
    for (size_t i = 0; err == HD_OK && i < m->keys.n; i++) {
        err = write_key(m, i);
    }
    err = err == HD_OK ? con_archive_sums(m->to, there) : err;
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s: %s", m->to, hd_err_text(err));
}

/* Into a pipe: what the other end does not have; it verifies what arrives. */
static int send_file(struct move *m, struct con_bundle_writer *writer,
                     const struct con_stream_had *had, const struct hd_check_file *file)
{
    int err = hd_check_peek_fd(m->check, file, &m->seg);
    if (err != HD_OK || !m->seg.is_sealed) {
        m->unsealed += err == HD_OK;
        return err;
    }
    m->done_bytes += m->seg.bytes;
    con_progress_show(&m->progress, m->done_bytes, m->all_bytes, m->done_bytes >> 20,
                      "MiB");
    if (con_stream_had_has(had, CON_STREAM_SEGMENT, file->first)) {
        m->present++;
    } else {
        err = con_stream_add_segment(writer, file, m->seg.bytes);
        m->placed += err == HD_OK;
        m->records += m->seg.records;
    }
    if (err == HD_OK && !con_stream_had_has(had, CON_STREAM_STAMP, file->first)) {
        err = con_stream_add_stamp(writer, m->from, file->first);
    }
    return err;
}

static int send_one(struct move *m, struct con_bundle_writer *writer,
                    const struct con_stream_had *had, uint64_t first)
{
    struct hd_check_file file;
    int err = hd_check_file_open(m->from, first, &file);
    err = err == HD_OK ? send_file(m, writer, had, &file) : err;
    hd_fs_close_fd(&file.fd);
    return err == HD_ENOENT ? HD_OK : err; /* retention took it, or it has no stamp */
}

static int send_range(struct move *m, const struct con_stream_had *had, size_t from,
                      size_t to)
{
    struct con_bundle_writer writer;
    int err = HD_OK;
    con_bundle_begin_to(&writer, stdout);
    con_progress_begin(&m->progress);
    for (size_t i = from; err == HD_OK && i < to; i++) {
        err = con_interrupt_asked(&m->interrupt)
                  ? HD_ECLOSED
                  : send_one(m, &writer, had, m->list.first[i]);
    }
    con_progress_end(&m->progress);
    err = err == HD_OK ? con_bundle_end_to(&writer) : err;
    if (err != HD_OK) {
        return con_fail(err == HD_ECLOSED ? HD_EXIT_RUNTIME : HD_EXIT_STORE,
                        "the stream of %s ends early: %s", m->from, hd_err_text(err));
    }
    (void)con_fail(HD_EXIT_OK,
                   "%" PRIu64 " segments sent, %" PRIu64 " are there already, %" PRIu64
                   " in use",
                   m->placed, m->present, m->unsealed);
    return HD_EXIT_OK;
}

static int export_stream(struct move *m, const struct con_args *args)
{
    struct con_stream_had had;
    size_t from = 0, to = 0;
    int code = con_stream_had_load(&had, con_args_value(args, "except"));
    if (code == HD_EXIT_OK && isatty(STDOUT_FILENO) == 1) {
        code = con_fail(HD_EXIT_USAGE, "the stream is for a pipe, not for a terminal");
    }
    code = code == HD_EXIT_OK ? con_archive_list(m->from, &m->list) : code;
    if (code == HD_EXIT_OK) {
        m->all_bytes = con_archive_bytes(m->from, &m->list);
        code = open_check(m) == HD_OK ? find_range(m, &from, &to) : HD_EXIT_RUNTIME;
    }
    code = code == HD_EXIT_OK ? send_range(m, &had, from, to) : code;
    con_stream_had_free(&had);
    return code;
}

static int export_run(struct move *m, struct hd_journal_segments *there)
{
    size_t from = 0, to = 0;
    int code = con_archive_list(m->from, &m->list);
    if (code == HD_EXIT_OK) {
        take_journal(m, &m->list);
        code = open_check(m) == HD_OK ? find_range(m, &from, &to) : HD_EXIT_RUNTIME;
    }
    code = code == HD_EXIT_OK ? open_copy(m) : code;
    if (code == HD_EXIT_OK) {
        m->all_bytes = con_archive_bytes(m->from, &m->list) / m->list.n * (to - from);
        code = move_range(m, from, to);
    }
    code = code == HD_EXIT_OK ? finish(m, there) : code;
    code = code == HD_EXIT_OK ? write_beside(m, there) : code;
    return code == HD_EXIT_OK ? report(m) : code;
}

static int parse_times(struct move *m, const struct con_args *args)
{
    const char *since = con_args_value(args, "since");
    const char *until = con_args_value(args, "until");
    m->since_ns = INT64_MIN;
    m->until_ns = INT64_MAX;
    int err = since != NULL ? con_when("since", since, &m->since_ns) : HD_OK;
    if (err == HD_OK && until != NULL) {
        err = con_when("until", until, &m->until_ns);
    }
    if (err == HD_OK && m->since_ns >= m->until_ns) {
        err = con_fail(HD_EINVAL, "--since is not before --until");
    }
    return err;
}

/* ---- import ---- */

static int import_dir(struct move *m, const char *dir)
{
    m->from = dir;
    int code = con_archive_list(dir, &m->list);
    if (code == HD_EXIT_OK) {
        take_journal(m, &m->list);
        m->done_bytes = 0;
        m->all_bytes = con_archive_bytes(dir, &m->list);
        code = open_check(m) == HD_OK ? move_range(m, 0, m->list.n) : HD_EXIT_RUNTIME;
    }
    free(m->list.first);
    m->list = (struct hd_journal_segments){.n = 0};
    return code;
}

static int receive_segment(struct move *m, uint64_t first)
{
    char aside[PATH_MAX], there[PATH_MAX];
    int err = hd_journal_copy_path(m->copy, first, aside, sizeof(aside));
    err =
        err == HD_OK ? hd_journal_segment_path(m->to, first, there, sizeof(there)) : err;
    if (err != HD_OK || access(there, F_OK) != 0) {
        return err == HD_OK ? place_aside(m, first) : err;
    }
    m->seg.first = first;
    err = compare(m, aside, there);
    hd_journal_copy_drop(m->copy, first); /* a whole archive may be there already */
    return err;
}

/* A stamp is kept where its segment is; `archive verify` judges it. */
static int receive_stamp(struct move *m, const struct con_stream_member *member)
{
    char there[PATH_MAX];
    struct hd_buf reply;
    hd_buf_init(&reply, HD_STAMP_MAX + 1);
    int err = hd_journal_segment_path(m->to, member->first, there, sizeof(there));
    err = err == HD_OK ? con_stream_read(STDIN_FILENO, member->bytes, &reply) : err;
    if (err == HD_OK && access(there, F_OK) == 0) {
        err = con_archive_stamp_write(m->to, member->first, hd_buf_slice(&reply));
    }
    hd_buf_fini(&reply);
    return err;
}

static int receive(struct move *m, const struct con_stream_member *member,
                   char why[CON_BUNDLE_WHY])
{
    int err =
        member->kind == CON_STREAM_STAMP
            ? receive_stamp(m, member)
            : hd_journal_copy_stream(m->copy, STDIN_FILENO, member->first, member->bytes);
    if (err == HD_ECORRUPT) {
        (void)snprintf(why, CON_BUNDLE_WHY, "it is cut off");
    }
    err = err == HD_OK ? con_stream_end_member(STDIN_FILENO, member, why) : err;
    return err == HD_OK && member->kind == CON_STREAM_SEGMENT
               ? receive_segment(m, member->first)
               : err;
}

static int import_stream(struct move *m)
{
    struct con_stream_member member;
    char why[CON_BUNDLE_WHY] = "";
    m->from = "(stream)";
    int err = open_check(m);
    while (err == HD_OK) {
        err = con_interrupt_asked(&m->interrupt)
                  ? HD_ECLOSED
                  : con_stream_next(STDIN_FILENO, &member, why);
        err = err == HD_OK ? receive(m, &member, why) : err;
    }
    if (err == HD_ENOENT) {
        return HD_EXIT_OK;
    }
    return con_fail(err == HD_ECORRUPT || err == HD_ECLOSED ? HD_EXIT_RUNTIME
                                                            : HD_EXIT_STORE,
                    "the stream: %s; what has its name in %s is whole, doing the same "
                    "again brings the rest",
                    why[0] != '\0' ? why : hd_err_text(err), m->to);
}

static int import_run(struct move *m, const struct con_args *args,
                      struct hd_journal_segments *there)
{
    int code = open_copy(m);
    for (size_t i = 0; code == HD_EXIT_OK && i < args->n_operands; i++) {
        code = strcmp(args->operands[i], "-") == 0 ? import_stream(m)
                                                   : import_dir(m, args->operands[i]);
    }
    code = code == HD_EXIT_OK ? finish(m, there) : code;
    return code == HD_EXIT_OK ? report(m) : code;
}

/* ---- the commands ---- */

static int begin(struct move *m, const struct con_args *args)
{
    hd_buf_init(&m->out, 0);
    m->tell = (struct con_archive_tell){
        .show = &m->show, .is_json = con_args_flag(args, "json"), .out = &m->out};
    con_interrupt_begin(&m->interrupt);
    if (con_show_init(&m->show, args) != HD_OK || parse_times(m, args) != HD_OK) {
        return HD_EXIT_USAGE;
    }
    return con_archive_keys_load(&m->keys, args);
}

static int end(struct move *m, int code)
{
    hd_check_close(m->check);
    hd_journal_copy_close(m->copy);
    free(m->list.first);
    con_archive_keys_free(&m->keys);
    con_show_fini(&m->show);
    hd_buf_fini(&m->out);
    con_interrupt_end(&m->interrupt);
    return code;
}

int con_run_archive_export(const struct con_args *args)
{
    bool has_dir = args->n_operands > 1;
    struct move m = {.from = has_dir ? args->operands[0] : CON_ARCHIVE_DEFAULT,
                     .to = args->operands[has_dir ? 1 : 0]};
    struct hd_journal_segments there = {.n = 0};
    int code = begin(&m, args);
    if (code == HD_EXIT_OK) {
        code = strcmp(m.to, "-") == 0 ? export_stream(&m, args) : export_run(&m, &there);
    }
    free(there.first);
    return end(&m, code);
}

int con_run_archive_import(const struct con_args *args)
{
    struct move m = {.to = con_args_value(args, "into")};
    struct hd_journal_segments there = {.n = 0};
    int code = begin(&m, args);
    if (code == HD_EXIT_OK && m.to == NULL) {
        code =
            con_fail(HD_EXIT_USAGE, "--into DIR is missing: where to put the segments");
    }
    code = code == HD_EXIT_OK ? import_run(&m, args, &there) : code;
    free(there.first);
    return end(&m, code);
}
