/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: a YAML tree walked along the schema. Each value goes into its member as
 * it is met, and reading goes on after a mistake so that all of them are told at once.
 * Size, depth, list length and number of reports are bounded. Thread: the caller's; no
 * state.
 */
#include "lib/conf_impl.h"

#include <stdlib.h>

#include <haidang/fs.h>
#include <haidang/yaml.h>

enum {
    FILE_MAX = 1 << 20,
    ITEMS_MAX = 64,    /* keys of one section */
    REPORTS_MAX = 100, /* then the rest of the file is left alone */
};

struct walk {
    struct hd_yaml_source src;
    unsigned errors_before;
    int err; /* what ends the walk: HD_ENOMEM, HD_EPARSE; 0 = go on */
};

static void give_up(struct walk *w, int err)
{
    if (w->err == HD_OK) {
        w->err = err;
    }
}

static bool goes_on(struct walk *w)
{
    if (w->err == HD_OK && w->src.diags->errors - w->errors_before >= REPORTS_MAX) {
        hd_diag_error(w->src.diags, w->src.file, 0, 0,
                      "too many errors; the rest was not read");
        give_up(w, HD_EPARSE);
    }
    return w->err == HD_OK;
}

/* ---- values ---- */

static void load_map(struct walk *w, const struct hd_yaml *node,
                     const struct hd_conf_item *items, void *base);

static void load_scalar(struct walk *w, const struct hd_yaml *node,
                        const struct hd_conf_item *item, void *base)
{
    if (node->kind != HD_YAML_SCALAR) {
        hd_yaml_error(&w->src, node, "%s: must be a single value", item->key);
        return;
    }
    if (hd_yaml_is_null(node)) {
        hd_yaml_error(&w->src, node, "%s: has no value (\"\" is the empty text)",
                      item->key);
        return;
    }
    const struct hd_conf_place place = {w->src.file, node->line, node->column,
                                        w->src.diags};
    int err = hd_conf_set(item, node->text, base, &place);
    if (err != HD_OK && err != HD_EPARSE) {
        give_up(w, err);
    }
}

static void check_least(struct walk *w, const struct hd_yaml *node,
                        const struct hd_conf_item *item)
{
    size_t n = node->kind == HD_YAML_LIST ? node->n : 1;
    if (w->err == HD_OK && (int64_t)n < item->min) {
        hd_yaml_error(&w->src, node, "%s: needs at least %lld entries", item->key,
                      (long long)item->min);
    }
}

static void load_strings(struct walk *w, const struct hd_yaml *node,
                         const struct hd_conf_item *item, void *base)
{
    const struct hd_yaml *text = NULL;
    while (goes_on(w) && (text = hd_yaml_item(node, text)) != NULL) {
        load_scalar(w, text, item, base);
    }
    check_least(w, node, item);
}

static void load_section(struct walk *w, const struct hd_yaml *node,
                         const struct hd_conf_item *item, void *base)
{
    if (node->kind == HD_YAML_MAP) {
        load_map(w, node, item->sub, base);
    } else {
        hd_yaml_error(&w->src, node, "%s: must be a section of \"key: value\" lines",
                      item->key);
    }
}

static void load_list(struct walk *w, const struct hd_yaml *node,
                      const struct hd_conf_item *item, void *base)
{
    void **array = hd_conf_member(base, item->offset);
    size_t *n = hd_conf_member(base, item->count_offset);
    size_t max = item->max > 0 ? (size_t)item->max : HD_CONF_LIST_MAX;
    if (node->kind != HD_YAML_LIST) {
        hd_yaml_error(&w->src, node, "%s: must be a list (each entry starts with \"- \")",
                      item->key);
        return;
    }
    for (const struct hd_yaml *v = node->first; v != NULL && goes_on(w); v = v->next) {
        if (*n >= max) {
            hd_yaml_error(&w->src, v, "%s: more than %zu entries", item->key, max);
            return;
        }
        void *entry = hd_conf_grow(array, *n, item->item_size);
        if (entry == NULL) {
            give_up(w, HD_ENOMEM);
            return;
        }
        (*n)++;
        load_section(w, v, item, entry);
    }
    check_least(w, node, item);
}

static void load_value(struct walk *w, const struct hd_yaml *node,
                       const struct hd_conf_item *item, void *base)
{
    switch (item->type) {
    case HD_CONF_STRINGS:
        load_strings(w, node, item, base);
        break;
    case HD_CONF_SECTION:
        load_section(w, node, item, hd_conf_member(base, item->offset));
        break;
    case HD_CONF_LIST:
        load_list(w, node, item, base);
        break;
    default:
        load_scalar(w, node, item, base);
        break;
    }
}

/* ---- defaults ---- */

static void set_defaults(struct walk *w, const struct hd_conf_item *items, void *base);

/* The default is written as a value would be; of a list of texts, with commas. */
static void set_default(struct walk *w, const struct hd_conf_item *item, void *base)
{
    const struct hd_conf_place place = {w->src.file, 0, 0, w->src.diags};
    if (item->type == HD_CONF_SECTION) {
        set_defaults(w, item->sub, hd_conf_member(base, item->offset));
        return;
    }
    struct hd_slice rest = hd_slice_str(item->def);
    struct hd_slice text = rest;
    while (item->def != NULL && w->err == HD_OK) {
        if (item->type == HD_CONF_STRINGS && !hd_slice_split(&rest, ',', &text)) {
            return;
        }
        int err = hd_conf_set(item, hd_slice_trim(text), base, &place);
        if (err != HD_OK) {
            give_up(w, err == HD_EPARSE ? HD_EBUG : err);
        }
        if (item->type != HD_CONF_STRINGS) {
            return;
        }
    }
}

static void set_defaults(struct walk *w, const struct hd_conf_item *items, void *base)
{
    for (const struct hd_conf_item *item = items; item->key != NULL; item++) {
        set_default(w, item, base);
    }
}

/* ---- sections ---- */

static const struct hd_conf_item *find_item(const struct hd_conf_item *items,
                                            const struct hd_yaml *key)
{
    for (const struct hd_conf_item *item = items; item->key != NULL; item++) {
        if (hd_yaml_is(key, item->key)) {
            return item;
        }
    }
    return NULL;
}

static void report_unknown(struct walk *w, const struct hd_yaml *key,
                           const struct hd_conf_item *items)
{
    const char *names[ITEMS_MAX];
    size_t n = 0;
    for (; n < ITEMS_MAX && items[n].key != NULL; n++) {
        names[n] = items[n].key;
    }
    hd_yaml_unknown_key(&w->src, key, NULL, names, n);
}

/* Keys that were not given: an error when mandatory, else the default. */
static void complete(struct walk *w, const struct hd_yaml *map,
                     const struct hd_conf_item *items, void *base)
{
    for (const struct hd_conf_item *item = items; item->key != NULL && w->err == HD_OK;
         item++) {
        if (hd_yaml_get(map, item->key) != NULL) {
            continue;
        }
        if (item->required) {
            hd_diag_error(w->src.diags, w->src.file, map == NULL ? 1 : map->line,
                          map == NULL ? 1 : map->column,
                          "mandatory key \"%s\" is missing: %s", item->key,
                          item->help == NULL ? "" : item->help);
        } else {
            set_default(w, item, base);
        }
    }
}

static void load_map(struct walk *w, const struct hd_yaml *node,
                     const struct hd_conf_item *items, void *base)
{
    for (const struct hd_yaml *v = node->first; v != NULL && goes_on(w); v = v->next) {
        const struct hd_conf_item *item = find_item(items, v->key);
        if (item == NULL) {
            report_unknown(w, v->key, items);
        } else {
            load_value(w, v, item, base);
        }
    }
    complete(w, node, items, base);
}

static void load_root(struct walk *w, const struct hd_yaml *root,
                      const struct hd_conf_item *items, void *base)
{
    if (root == NULL || hd_yaml_is_null(root)) {
        complete(w, NULL, items, base);
    } else if (root->kind == HD_YAML_MAP) {
        load_map(w, root, items, base);
    } else {
        hd_yaml_error(&w->src, root, "must be \"key: value\" lines");
    }
    if (root != NULL && root->next != NULL && w->err == HD_OK) {
        hd_yaml_error(&w->src, root->next, "a second document: only one is allowed");
    }
}

static bool schema_fits(const struct hd_conf_item *items)
{
    size_t n = 0;
    for (; items[n].key != NULL; n++) {
        if (items[n].sub != NULL && !schema_fits(items[n].sub)) {
            return false;
        }
    }
    return n <= ITEMS_MAX;
}

int hd_conf_parse(struct hd_slice text, const char *path,
                  const struct hd_conf_schema *schema, void *conf, struct hd_diags *diags)
{
    struct walk w = {.src = {.file = path, .diags = diags, .bytes_max = FILE_MAX},
                     .errors_before = diags->errors};
    const struct hd_yaml *docs = NULL;
    struct hd_arena arena;
    memset(conf, 0, schema->size);
    if (hd_fails(schema_fits(schema->items))) {
        return HD_EBUG;
    }
    hd_arena_init(&arena, 0);
    int err = hd_yaml_parse(&w.src, text, &arena, &docs);
    if (err == HD_OK || docs != NULL) {
        load_root(&w, docs, schema->items, conf);
    }
    hd_arena_fini(&arena);
    give_up(&w, err);
    if (w.err == HD_OK && diags->errors == w.errors_before && schema->check != NULL) {
        schema->check(conf, path, diags);
    }
    if (w.err == HD_OK && diags->errors != w.errors_before) {
        w.err = HD_EPARSE;
    }
    if (w.err != HD_OK) {
        hd_conf_free(schema, conf);
    }
    return w.err;
}

int hd_conf_load(const char *path, const struct hd_conf_schema *schema, void *conf,
                 struct hd_diags *diags)
{
    struct hd_buf text;
    hd_buf_init(&text, FILE_MAX + 2);
    memset(conf, 0, schema->size);
    int err = hd_fs_read(path, FILE_MAX, &text);
    if (err == HD_ELIMIT) {
        hd_diag_error(diags, path, 0, 0, "larger than %d bytes", FILE_MAX);
    } else if (err != HD_OK) {
        hd_diag_error(diags, path, 0, 0, "cannot be read: %s", hd_err_text(err));
    } else {
        err = hd_conf_parse(hd_buf_slice(&text), path, schema, conf, diags);
    }
    if (err == HD_ENOMEM || err == HD_EBUG) {
        hd_diag_error(diags, path, 0, 0, "%s", hd_err_text(err));
    }
    hd_buf_fini(&text);
    return err;
}

/* ---- freeing ---- */

static void free_items(const struct hd_conf_item *items, void *base);

static void free_list(const struct hd_conf_item *item, void *base)
{
    void **array = hd_conf_member(base, item->offset);
    size_t n = *(size_t *)hd_conf_member(base, item->count_offset);
    for (size_t i = 0; i < n; i++) {
        if (item->type == HD_CONF_STRINGS) {
            free(((char **)*array)[i]);
        } else {
            free_items(item->sub, (char *)*array + i * item->item_size);
        }
    }
    free(*array);
}

static void free_items(const struct hd_conf_item *items, void *base)
{
    for (const struct hd_conf_item *item = items; item->key != NULL; item++) {
        switch (item->type) {
        case HD_CONF_STRING:
        case HD_CONF_PATH:
            free(*(char **)hd_conf_member(base, item->offset));
            break;
        case HD_CONF_STRINGS:
        case HD_CONF_LIST:
            free_list(item, base);
            break;
        case HD_CONF_SECTION:
            free_items(item->sub, hd_conf_member(base, item->offset));
            break;
        default:
            break;
        }
    }
}

void hd_conf_free(const struct hd_conf_schema *schema, void *conf)
{
    free_items(schema->items, conf);
    memset(conf, 0, schema->size);
}
