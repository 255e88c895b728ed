/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoder files -> struct rul_decoders. Every problem of every file is reported; a file
 * may hold several decoders (YAML documents).
 */
#include <stdio.h>
#include <stdlib.h>

#include <haidang/fs.h>

#include "rules/decode/loader.h"

#define FILE_MAX        ((size_t)1 << 20)
#define ZONE_DEFAULT    "Asia/Ho_Chi_Minh"
#define SKEW_DEFAULT_NS (24 * 3600 * HD_NS_PER_SEC)

/* All documents of one file. */
static void load_text(struct rul_loader *l, const struct hd_yaml_source *src,
                      struct hd_slice text)
{
    const struct hd_yaml *docs = NULL;
    int rc = hd_yaml_parse(src, text, &l->trees, &docs);
    for (; docs != NULL && l->err == 0; docs = docs->next) {
        rul_keys_read(l, src, docs);
    }
    hd_arena_reset(&l->trees);
    l->err = rc == HD_ENOMEM ? rc : l->err;
}

struct directory {
    struct rul_loader *loader;
    const char *path;
    struct hd_diags *diags;
};

static int load_entry(void *ctx, const char *name)
{
    struct directory *dir = ctx;
    struct rul_loader *l = dir->loader;
    struct hd_buf text;
    if (!hd_slice_ends(hd_slice_str(name), HD_SLICE(".yml"))) {
        return 0;
    }
    size_t len = strlen(dir->path) + strlen(name) + 2;
    char *path = hd_arena_alloc(l->arena, 1, len);
    if (path == NULL) {
        return HD_ENOMEM;
    }
    (void)snprintf(path, len, "%s/%s", dir->path, name);
    hd_buf_init(&text, FILE_MAX);
    int rc = hd_fs_read(path, FILE_MAX, &text);
    if (rc == 0) {
        const struct hd_yaml_source src = {
            .file = path, .diags = dir->diags, .has_aliases = true};
        load_text(l, &src, hd_buf_slice(&text));
    } else {
        hd_diag_error(dir->diags, path, 0, 0, "cannot be read: %s", hd_err_text(rc));
    }
    hd_buf_fini(&text);
    return rc == HD_ENOMEM ? rc : l->err;
}

static int prepare(struct rul_loader *l, const struct rul_decoders_opts *opts,
                   struct hd_diags *diags)
{
    const char *zone = opts->time_zone != NULL ? opts->time_zone : ZONE_DEFAULT;
    int rc = hd_zone_open(zone, &l->set->zone);
    if (rc != 0) {
        hd_diag_error(diags, NULL, 0, 0, "time zone \"%s\": %s", zone, hd_err_text(rc));
        return rc;
    }
    l->set->skew_max_ns = opts->skew_max_ns > 0 ? opts->skew_max_ns : SKEW_DEFAULT_NS;
    l->set->any_program = RUL_NONE;
    (void)rul_link_class(l, NULL, 0); /* class 0: not decoded */
    return l->err;
}

static int load_directory(struct rul_loader *l, const char *path, struct hd_diags *diags)
{
    struct directory dir = {l, path, diags};
    int rc = hd_fs_each(path, load_entry, &dir);
    if (rc != 0 && rc != HD_ENOMEM && l->err == 0) {
        hd_diag_error(diags, path, 0, 0, "cannot be read: %s", hd_err_text(rc));
    }
    return rc;
}

/* Loads opts->dir, or `text` as if it were the file opts->dir. */
static int load_set(const struct rul_decoders_opts *opts, const struct hd_slice *text,
                    struct rul_loader *l, struct hd_diags *diags)
{
    unsigned before = diags->errors;
    hd_arena_init(l->arena, 0);
    hd_arena_init(&l->trees, 0);
    int rc = prepare(l, opts, diags);
    if (rc == 0 && text != NULL) {
        const struct hd_yaml_source src = {
            .file = opts->dir, .diags = diags, .has_aliases = true};
        load_text(l, &src, *text);
    } else if (rc == 0) {
        rc = load_directory(l, opts->dir, diags);
    }
    hd_arena_fini(&l->trees);
    if (rc == 0) {
        rul_link(l);
        rc = l->err;
    }
    return rc == 0 && diags->errors > before ? HD_EPARSE : rc;
}

static int load_any(const struct rul_decoders_opts *opts, const struct hd_slice *text,
                    struct rul_fields *fields, struct rul_decoders **out,
                    struct hd_diags *diags)
{
    struct rul_decoders *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return HD_ENOMEM;
    }
    set->fields = fields;
    struct rul_loader l = {.set = set, .arena = &set->arena};
    int rc = load_set(opts, text, &l, diags);
    if (rc != 0) {
        rul_decoders_free(set);
        return rc;
    }
    *out = set;
    return 0;
}

int rul_decoders_load_text(const struct rul_decoders_opts *opts, struct hd_slice text,
                           struct rul_fields *fields, struct rul_decoders **out,
                           struct hd_diags *diags)
{
    return load_any(opts, &text, fields, out, diags);
}

int rul_decoders_load(const struct rul_decoders_opts *opts, struct rul_fields *fields,
                      struct rul_decoders **out, struct hd_diags *diags)
{
    return load_any(opts, NULL, fields, out, diags);
}

void rul_decoders_free(struct rul_decoders *decoders)
{
    if (decoders == NULL) {
        return;
    }
    hd_zone_close(decoders->zone);
    hd_arena_fini(&decoders->arena);
    free(decoders);
}

const struct rul_class *rul_decoders_classes(const struct rul_decoders *decoders,
                                             uint16_t *n)
{
    *n = decoders->n_classes;
    return decoders->classes;
}
