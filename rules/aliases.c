/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/aliases.h"

#include <haidang/fs.h>
#include <haidang/yaml.h>

struct aliases {
    struct hd_yaml_source src;
    struct rul_class *classes;
    uint16_t n;
    struct hd_arena *keep;
    /* of the entry at hand */
    struct rul_logsource events;
    bool has_events;
    const struct hd_yaml *also;
};

static bool read_source(const struct hd_yaml_source *src, const struct hd_yaml *node,
                        struct rul_logsource *out)
{
    static const char *const names[] = {"product", "category", "service"};
    struct hd_slice *parts[] = {&out->product, &out->category, &out->service};
    *out = (struct rul_logsource){0};
    if (!hd_yaml_want(src, node, HD_YAML_MAP, "a log source")) {
        return false;
    }
    bool good = node->n > 0;
    if (!good) {
        hd_yaml_error(src, node, "product, category or service was expected here");
    }
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        size_t i = 0;
        while (i < 3 && !hd_yaml_is(v->key, names[i])) {
            i++;
        }
        if (i == 3) {
            hd_yaml_unknown_key(src, v->key, "a log source", names, 3);
            good = false;
        } else {
            *parts[i] = hd_yaml_text(src, v, names[i]);
            good &= v->kind == HD_YAML_SCALAR;
        }
    }
    return good;
}

static bool has_source(const struct rul_class *class, const struct rul_logsource *source)
{
    for (uint16_t i = 0; i < class->n; i++) {
        const struct rul_logsource *s = &class->sources[i];
        if (hd_slice_eq_nocase(s->product, source->product) &&
            hd_slice_eq_nocase(s->category, source->category) &&
            hd_slice_eq_nocase(s->service, source->service)) {
            return true;
        }
    }
    return false;
}

static bool is_meant(const struct aliases *a, const struct rul_class *class)
{
    for (uint16_t i = 0; i < class->n; i++) {
        if (rul_logsource_covers(&a->events, &class->sources[i])) {
            return true;
        }
    }
    return false;
}

static void add_source(struct aliases *a, const struct hd_yaml *node,
                       const struct rul_logsource *source)
{
    const struct rul_logsource kept = {hd_arena_copy(a->keep, source->product),
                                       hd_arena_copy(a->keep, source->category),
                                       hd_arena_copy(a->keep, source->service)};
    for (uint16_t i = 0; i < a->n; i++) {
        struct rul_class *class = &a->classes[i];
        if (!is_meant(a, class) || has_source(class, source)) {
            continue;
        }
        if (class->n == RUL_CLASS_SOURCES_MAX) {
            hd_yaml_error(&a->src, node, "an event may have at most %u log sources",
                          RUL_CLASS_SOURCES_MAX);
            return;
        }
        class->sources[class->n++] = kept;
    }
}

static void read_events(void *ctx, const struct hd_yaml_source *src,
                        const struct hd_yaml *value)
{
    struct aliases *a = ctx;
    a->has_events = read_source(src, value, &a->events);
}

static void read_also(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    struct aliases *a = ctx;
    (void)src;
    a->also = value;
}

static void apply_entry(struct aliases *a, const struct hd_yaml *entry)
{
    static const struct hd_yaml_key keys[] = {
        {"events", true, read_events}, {"also", true, read_also}, {0}};
    struct rul_logsource source;
    a->has_events = false;
    a->also = NULL;
    hd_yaml_read_map(&a->src, entry, "an alias", keys, a);
    if (a->also == NULL) {
        return;
    }
    for (const struct hd_yaml *v = hd_yaml_item(a->also, NULL); v != NULL;
         v = hd_yaml_item(a->also, v)) {
        if (read_source(&a->src, v, &source) && a->has_events) {
            add_source(a, v, &source);
        }
    }
}

int rul_aliases_apply(const char *file, struct rul_class *classes, uint16_t n,
                      struct hd_arena *keep, struct hd_diags *diags)
{
    struct aliases a = {.src = {.file = file, .diags = diags, .has_aliases = true},
                        .classes = classes,
                        .n = n,
                        .keep = keep};
    unsigned before = diags->errors;
    const struct hd_yaml *docs = NULL;
    struct hd_arena load;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    hd_arena_init(&load, 0);
    int err = hd_fs_read(file, HD_YAML_BYTES_MAX, &text);
    if (err != 0 && err != HD_ENOMEM) {
        hd_diag_error(diags, file, 0, 0, "cannot be read: %s", hd_err_text(err));
        err = HD_EPARSE;
    }
    if (err == 0) {
        err = hd_yaml_parse(&a.src, hd_buf_slice(&text), &load, &docs);
    }
    if (err == 0 && docs != NULL &&
        hd_yaml_want(&a.src, docs, HD_YAML_LIST, "the file of log sources")) {
        for (const struct hd_yaml *v = docs->first; v != NULL; v = v->next) {
            apply_entry(&a, v);
        }
    }
    hd_arena_fini(&load);
    hd_buf_fini(&text);
    err = err == 0 && keep->failed ? HD_ENOMEM : err;
    return err == 0 && diags->errors > before ? HD_EPARSE : err;
}
