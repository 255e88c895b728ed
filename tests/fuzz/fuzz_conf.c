/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a configuration file: an error is reported exactly when loading fails, and
 * nothing leaks.
 */
#include <stddef.h>
#include <stdlib.h>

#include <haidang/conf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct entry {
    int kind;
    char *name;
    char **paths;
    size_t n_paths;
};

struct target {
    bool on;
    int64_t count;
    uint64_t bytes;
    int64_t every_ns;
    char *name;
    char *dir;
    struct entry section;
    struct entry *entries;
    size_t n_entries;
};

static const char *const kinds[] = {"file", "tcp", NULL};

static const struct hd_conf_item entry_items[] = {
    {.key = "kind",
     .type = HD_CONF_ENUM,
     .offset = offsetof(struct entry, kind),
     .names = kinds,
     .required = true},
    {.key = "name", .type = HD_CONF_STRING, .offset = offsetof(struct entry, name)},
    {.key = "paths",
     .type = HD_CONF_STRINGS,
     .offset = offsetof(struct entry, paths),
     .count_offset = offsetof(struct entry, n_paths)},
    {0}};

static const struct hd_conf_item items[] = {
    {.key = "on", .type = HD_CONF_BOOL, .offset = offsetof(struct target, on)},
    {.key = "count",
     .type = HD_CONF_INT,
     .offset = offsetof(struct target, count),
     .min = -5,
     .max = 100},
    {.key = "bytes", .type = HD_CONF_SIZE, .offset = offsetof(struct target, bytes)},
    {.key = "every",
     .type = HD_CONF_DURATION,
     .offset = offsetof(struct target, every_ns),
     .def = "1s"},
    {.key = "name",
     .type = HD_CONF_STRING,
     .offset = offsetof(struct target, name),
     .def = "default"},
    {.key = "dir", .type = HD_CONF_PATH, .offset = offsetof(struct target, dir)},
    {.key = "section",
     .type = HD_CONF_SECTION,
     .offset = offsetof(struct target, section),
     .sub = entry_items},
    {.key = "entries",
     .type = HD_CONF_LIST,
     .offset = offsetof(struct target, entries),
     .count_offset = offsetof(struct target, n_entries),
     .item_size = sizeof(struct entry),
     .sub = entry_items},
    {0}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hd_conf_schema schema = {items, sizeof(struct target), NULL};
    struct target target;
    struct hd_diag_first first = {{0}};
    struct hd_diags diags = {hd_diag_keep_first, &first, 0, 0};
    int err = hd_conf_parse(hd_slice(data, size), "/etc/x.yml", &schema, &target, &diags);
    if ((err != HD_OK) != (diags.errors > 0)) {
        abort();
    }
    hd_conf_free(&schema, &target);
    return 0;
}
