/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/parse/placeholder.h"

#include <stdio.h>

#include <haidang/fs.h>
#include <haidang/utf8.h>
#include <haidang/yaml.h>

#define NAMES_HINTED 64U

struct reading {
    struct rul_placeholders *out;
    struct hd_arena *arena;
    struct hd_diags *diags;
    const char *dir;
    const char *file; /* the one at hand */
    bool refused;     /* something was */
};

static bool is_name_byte(uint8_t c)
{
    return hd_is_alnum(c) || c == '_' || c == '-' || c >= 0x80;
}

bool rul_placeholder_next(struct hd_slice text, size_t from, size_t *start,
                          struct hd_slice *name)
{
    for (size_t i = from; i < text.len; i++) {
        if (text.ptr[i] != '%' || (i > from && text.ptr[i - 1] == '\\')) {
            continue;
        }
        size_t end = i + 1;
        while (end < text.len && is_name_byte(text.ptr[end])) {
            end++;
        }
        if (end > i + 1 && end < text.len && text.ptr[end] == '%') {
            *start = i;
            *name = hd_slice(text.ptr + i + 1, end - i - 1);
            return true;
        }
    }
    return false;
}

const struct rul_placeholder *rul_placeholder_find(const struct rul_placeholders *all,
                                                   struct hd_slice name)
{
    for (size_t i = 0; all != NULL && i < all->n; i++) {
        if (hd_slice_eq(all->at[i].name, name)) {
            return &all->at[i];
        }
    }
    return NULL;
}

const char *rul_placeholder_hint(const struct rul_placeholders *all, struct hd_slice name,
                                 struct hd_diag_hint *hint)
{
    const char *words[NAMES_HINTED];
    size_t n = 0;
    for (; all != NULL && n < all->n && n < NAMES_HINTED; n++) {
        words[n] = (const char *)all->at[n].name.ptr; /* NUL-terminated, see add */
    }
    return hd_diag_hint(name, words, n, hint);
}

/* ---- files ---- */

static void refuse(struct reading *r, unsigned line, unsigned column, const char *what)
{
    hd_diag_error(r->diags, r->file, line, column, "%s", what);
    r->refused = true;
}

/* Where a placeholder is to be written, or NULL when it was refused. */
static struct rul_placeholder *add(struct reading *r, struct hd_slice name, unsigned line,
                                   unsigned column)
{
    bool good = name.len > 0;
    for (size_t i = 0; i < name.len; i++) {
        good &= is_name_byte(name.ptr[i]);
    }
    if (!good) {
        refuse(r, line, column,
               "a placeholder's name has letters, digits, '_' and '-' only");
        return NULL;
    }
    const struct rul_placeholder *other = rul_placeholder_find(r->out, name);
    if (other != NULL) {
        hd_diag_error(r->diags, r->file, line, column,
                      "the placeholder %%%.*s%% is given by %s:%u, too",
                      HD_SLICE_FMT(name), other->file, other->line);
        r->refused = true;
        return NULL;
    }
    if (r->out->n == RUL_PLACEHOLDERS_MAX) {
        refuse(r, line, column, "too many placeholders");
        return NULL;
    }
    void *grown = hd_arena_grow(r->arena, r->out->at, r->out->n, sizeof(*r->out->at));
    if (grown == NULL) {
        return NULL;
    }
    r->out->at = grown;
    struct rul_placeholder *p = &r->out->at[r->out->n++];
    const char *copy = hd_arena_str(r->arena, name);
    *p = (struct rul_placeholder){
        .name = hd_slice(copy, name.len), .file = r->file, .line = line};
    return p;
}

static bool is_value(struct hd_slice line)
{
    return line.len > 0 && line.ptr[0] != '#';
}

static void read_lines(struct reading *r, struct hd_slice name, struct hd_slice text)
{
    struct hd_slice rest = text, line;
    size_t most = 1;
    for (size_t i = 0; i < text.len; i++) {
        most += text.ptr[i] == '\n';
    }
    struct hd_slice *values = hd_arena_alloc(r->arena, most, sizeof(*values));
    size_t n = 0;
    for (unsigned number = 1; values != NULL && hd_slice_split(&rest, '\n', &line);
         number++) {
        line = hd_slice_trim(line);
        if (!is_value(line)) {
            continue;
        }
        if (!hd_utf8_is_valid(line)) {
            refuse(r, number, 1, "not UTF-8 text");
            return;
        }
        if (n == RUL_PLACEHOLDER_VALUES_MAX) {
            refuse(r, number, 1, "too many values of one placeholder");
            return;
        }
        values[n++] = hd_arena_copy(r->arena, line);
    }
    struct rul_placeholder *p = add(r, name, 1, 1);
    if (p != NULL) {
        p->values = values;
        p->n = n;
    }
}

static void read_member(struct reading *r, const struct hd_yaml *node)
{
    const struct hd_yaml *item = hd_yaml_item(node, NULL);
    size_t n = 0;
    if (node->kind == HD_YAML_MAP || node->n > RUL_PLACEHOLDER_VALUES_MAX) {
        refuse(r, node->line, node->column, "a value or a list of values was expected");
        return;
    }
    struct hd_slice *values =
        hd_arena_alloc(r->arena, (size_t)node->n + 1, sizeof(*values));
    for (; values != NULL && item != NULL; item = hd_yaml_item(node, item)) {
        if (item->kind != HD_YAML_SCALAR || hd_yaml_is_null(item)) {
            refuse(r, item->line, item->column, "a value was expected here");
            return;
        }
        values[n++] = hd_arena_copy(r->arena, item->text);
    }
    struct rul_placeholder *p =
        add(r, node->key->text, node->key->line, node->key->column);
    if (p != NULL) {
        p->values = values;
        p->n = n;
    }
}

static int read_yaml(struct reading *r, struct hd_slice text)
{
    const struct hd_yaml_source src = {.file = r->file, .diags = r->diags};
    const struct hd_yaml *docs = NULL;
    int err = hd_yaml_parse(&src, text, r->arena, &docs);
    r->refused |= err == HD_EPARSE;
    for (; err == 0 && docs != NULL; docs = docs->next) {
        if (docs->kind != HD_YAML_MAP && !hd_yaml_is_null(docs)) {
            refuse(r, docs->line, docs->column, "a map of names to values was expected");
            continue;
        }
        for (const struct hd_yaml *v = docs->first; v != NULL; v = v->next) {
            read_member(r, v);
        }
    }
    return err == HD_EPARSE ? 0 : err;
}

static int read_entry(void *ctx, const char *name)
{
    struct reading *r = ctx;
    struct hd_slice base = hd_slice_str(name);
    bool is_lines = hd_slice_ends(base, HD_SLICE(".txt"));
    bool is_yaml =
        hd_slice_ends(base, HD_SLICE(".yml")) || hd_slice_ends(base, HD_SLICE(".yaml"));
    char path[4096];
    struct hd_buf text;
    if ((!is_lines && !is_yaml) ||
        snprintf(path, sizeof(path), "%s/%s", r->dir, name) >= (int)sizeof(path)) {
        return 0;
    }
    r->file = hd_arena_str(r->arena, hd_slice_str(path));
    hd_buf_init(&text, 0);
    int err = hd_fs_read(path, HD_YAML_BYTES_MAX, &text);
    if (err == HD_ENOMEM) {
        hd_buf_fini(&text);
        return err;
    }
    if (err != 0) {
        hd_diag_error(r->diags, r->file, 0, 0, "cannot be read: %s", hd_err_text(err));
        r->refused = true;
    } else if (is_lines) {
        read_lines(r, hd_slice_head(base, base.len - 4), hd_buf_slice(&text));
    } else {
        err = read_yaml(r, hd_buf_slice(&text));
    }
    hd_buf_fini(&text);
    return r->arena->failed ? HD_ENOMEM : 0;
}

int rul_placeholders_read(struct rul_placeholders *out, const char *dir,
                          struct hd_arena *arena, struct hd_diags *diags)
{
    struct reading r = {.out = out, .arena = arena, .diags = diags, .dir = dir};
    *out = (struct rul_placeholders){0};
    int err = hd_fs_each(dir, read_entry, &r);
    if (err != 0 && err != HD_ENOMEM) {
        hd_diag_error(diags, dir, 0, 0, "cannot be read: %s", hd_err_text(err));
        return HD_EPARSE;
    }
    return err != 0 ? err : r.refused ? HD_EPARSE : 0;
}
