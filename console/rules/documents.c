/* SPDX-License-Identifier: Apache-2.0 */
#include "console/rules/documents.h"

#include <haidang/fs.h>

#include <stdio.h>
#include <sys/stat.h>

#include "console/data.h"

#define DEPTH_MAX 16U

struct reader {
    con_on_document each;
    void *ctx;
    const char *dir;
    unsigned depth;
    bool has_failed;
};

static int read_text(struct reader *r, const char *path, struct hd_arena *arena,
                     const struct hd_yaml **docs)
{
    struct hd_buf text;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    const struct hd_yaml_source src = {
        .file = path, .diags = &diags, .has_aliases = true};
    hd_buf_init(&text, 0);
    int err = hd_fs_read(path, HD_YAML_BYTES_MAX, &text);
    if (err != 0) {
        hd_diag_error(&diags, path, 0, 0, "cannot be read: %s", hd_err_text(err));
    } else {
        err = hd_yaml_parse(&src, hd_buf_slice(&text), arena, docs);
    }
    r->has_failed |= err != 0;
    hd_buf_fini(&text);
    return err;
}

static int read_file(struct reader *r, const char *path)
{
    struct hd_arena arena;
    const struct hd_yaml *docs = NULL;
    int code = HD_EXIT_OK;
    hd_arena_init(&arena, 0);
    if (read_text(r, path, &arena, &docs) == 0) {
        for (; docs != NULL && code == HD_EXIT_OK; docs = docs->next) {
            code = hd_yaml_is_null(docs) ? HD_EXIT_OK : r->each(r->ctx, path, docs);
        }
    }
    hd_arena_fini(&arena);
    return code;
}

static bool is_rule_file(const char *path)
{
    struct hd_slice name = hd_slice_str(path);
    return hd_slice_ends(name, HD_SLICE(".yml")) ||
           hd_slice_ends(name, HD_SLICE(".yaml"));
}

static int read_path(struct reader *r, const char *path, bool is_named);

static int read_entry(void *ctx, const char *name)
{
    struct reader *r = ctx;
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", r->dir, name);
    return n < (int)sizeof(path) ? read_path(r, path, false) : HD_EXIT_OK;
}

static int read_path(struct reader *r, const char *path, bool is_named)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return is_named || is_rule_file(path) ? read_file(r, path) : HD_EXIT_OK;
    }
    if (r->depth == DEPTH_MAX) {
        r->has_failed = true;
        return HD_EXIT_OK;
    }
    const char *outer = r->dir;
    r->dir = path;
    r->depth++;
    int code = hd_fs_each(path, read_entry, r);
    r->depth--;
    r->dir = outer;
    if (code < 0) {
        code =
            con_fail(HD_EXIT_RUNTIME, "%s cannot be read: %s", path, hd_err_text(code));
    }
    return code;
}

int con_documents_each(const struct con_args *args, con_on_document each, void *ctx)
{
    struct con_data_path room;
    struct reader r = {.each = each, .ctx = ctx};
    int code =
        args->n_operands > 0 ? HD_EXIT_OK : read_path(&r, con_data_rules(&room), true);
    for (size_t i = 0; i < args->n_operands && code == HD_EXIT_OK; i++) {
        code = read_path(&r, args->operands[i], true);
    }
    return code == HD_EXIT_OK && r.has_failed ? HD_EXIT_CONFIG : code;
}
