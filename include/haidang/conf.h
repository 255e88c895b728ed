/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: YAML read into a plain struct by one schema table a room.
 * Unknown keys, wrong types, values out of range, duplicate keys and missing mandatory
 * keys are errors with file, line and column ("did you mean"), all of them reported. The
 * manual's key table is printed from the same schema.
 *
 *     struct col_conf { char *state_dir; uint64_t batch_bytes; struct col_src *sources;
 *                       size_t n_sources; };
 *     static const struct hd_conf_item items[] = {
 *         {.key = "state_dir", .type = HD_CONF_PATH, .offset = offsetof(struct col_conf,
 * state_dir), .required = true, .help = "Directory of the spool"},
 *         {.key = "batch_bytes", .type = HD_CONF_SIZE, .offset = ..., .min = 4096,
 *          .max = 1 << 20, .def = "1MiB", .help = "..."},
 *         {.key = "sources", .type = HD_CONF_LIST, .offset = ..., .count_offset = ...,
 *          .item_size = sizeof(struct col_src), .sub = source_items, .help = "..."},
 *         {0}};
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <haidang/diag.h>
#include <haidang/slice.h>

enum hd_conf_type {
    HD_CONF_BOOL,     /* bool */
    HD_CONF_INT,      /* int64_t */
    HD_CONF_SIZE,     /* uint64_t bytes: "64KiB" */
    HD_CONF_DURATION, /* int64_t ns: "200ms" */
    HD_CONF_STRING,   /* char *, owned by the struct */
    HD_CONF_PATH,     /* char *; a relative path is taken from the file's directory */
    HD_CONF_ENUM,     /* int: index into `names` */
    HD_CONF_STRINGS,  /* char ** at offset + size_t at count_offset; a lone scalar is a
                         list of one */
    HD_CONF_SECTION,  /* embedded struct described by `sub` */
    HD_CONF_LIST, /* array of item_size structs: pointer at offset, size_t at count_offset
                   */
};

struct hd_conf_item {
    const char *key;
    enum hd_conf_type type;
    size_t offset;
    size_t count_offset;
    size_t item_size;
    int64_t min, max; /* inclusive, both 0 = no check; numbers: the value (of a
                         duration in ns), texts: bytes, lists: entries */
    const char *def;  /* default as it would be written (of a list of texts, with commas);
                         NULL = zero */
    const char *unit; /* for the manual: "lines", "bytes" */
    const char *help; /* one sentence for the manual; mandatory */
    bool required;    /* inside a section: when the section is given */
    const char *const *names;       /* HD_CONF_ENUM: NULL-terminated */
    const struct hd_conf_item *sub; /* sections, lists: ended by a zeroed item */
};

struct hd_conf_schema {
    const struct hd_conf_item *items;
    size_t size; /* of the target struct */
    /* Checks that one key alone cannot tell; may be NULL. Reports to the sink. */
    void (*check)(const void *conf, const char *path, struct hd_diags *diags);
};

/* Fills *conf (zeroed first, then defaults, then the file). On error everything that was
 * allocated is freed, *conf is zeroed and HD_EPARSE (or the read error) returned. At most
 * 1 MiB, depth 32, 64 keys a section; aliases, anchors and tags are refused. own: strings
 * and lists belong to *conf until hd_conf_free. */
int hd_conf_load(const char *path, const struct hd_conf_schema *schema, void *conf,
                 struct hd_diags *diags) HD_MUST_USE;
/* The same from memory; `path` is used in messages and for relative paths. */
int hd_conf_parse(struct hd_slice text, const char *path,
                  const struct hd_conf_schema *schema, void *conf,
                  struct hd_diags *diags) HD_MUST_USE;
void hd_conf_free(const struct hd_conf_schema *schema, void *conf);

/* Prints the key table as Markdown. */
void hd_conf_manual(const struct hd_conf_schema *schema, FILE *out);
