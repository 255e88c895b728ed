/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: libyaml's events walked along the schema. Nothing is built in between:
 * each value goes into its member as it is read, and reading goes on after a mistake so
 * that all of them are told at once. Aliases are refused, so a small file cannot become a
 * large one; size, depth, list length and number of reports are bounded.
 * Thread: the caller's; no state.
 */
#include "lib/conf_impl.h"

#include <stdlib.h>
#include <yaml.h>

#include <haidang/fs.h>

enum {
    FILE_MAX = 1 << 20,
    DEPTH_MAX = 32,
    ITEMS_MAX = 64,    /* keys of one section */
    REPORTS_MAX = 100, /* then the rest of the file is left alone */
};

struct walk {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; libyaml zeroes what is deleted */
    const char *path;
    struct hd_diags *diags;
    unsigned errors_before;
    unsigned depth;
    int err; /* what ends the walk: HD_ENOMEM, HD_EPARSE; 0 = go on */
};

static struct hd_conf_place place_of(const struct walk *w, const yaml_mark_t *mark)
{
    return (struct hd_conf_place){w->path, (unsigned)mark->line + 1,
                                  (unsigned)mark->column + 1, w->diags};
}

#define REPORT(w, mark, ...)                                                             \
    hd_diag_error((w)->diags, (w)->path, (unsigned)(mark)->line + 1,                     \
                  (unsigned)(mark)->column + 1, __VA_ARGS__)

static void give_up(struct walk *w, int err)
{
    if (w->err == HD_OK) {
        w->err = err;
    }
}

static void report_syntax(struct walk *w)
{
    const yaml_parser_t *p = &w->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        give_up(w, HD_ENOMEM);
        return;
    }
    if (p->error == YAML_READER_ERROR) {
        hd_diag_error(w->diags, w->path, 0, 0, "not UTF-8 text: %s (byte %zu)",
                      p->problem == NULL ? "unreadable" : p->problem, p->problem_offset);
    } else {
        REPORT(w, &p->problem_mark, "not valid YAML: %s%s%s",
               p->problem == NULL ? "syntax error" : p->problem,
               p->context == NULL ? "" : ", ", p->context == NULL ? "" : p->context);
    }
    give_up(w, HD_EPARSE);
}

/* What YAML can do and a configuration must not. */
static void refuse_tricks(struct walk *w)
{
    const yaml_event_t *e = &w->event;
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        REPORT(w, &e->start_mark, "aliases (*name) are not supported: write it out");
        return;
    case YAML_SCALAR_EVENT:
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
        break;
    default:
        return;
    }
    if (anchor != NULL) {
        REPORT(w, &e->start_mark, "anchors (&name) are not supported: write it out");
    }
    if (tag != NULL) {
        REPORT(w, &e->start_mark, "tags (!name) are not supported");
    }
}

static int depth_step(yaml_event_type_t type)
{
    switch (type) {
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return 1;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return -1;
    default:
        return 0;
    }
}

/* Moves to the next event. False when the walk is over. */
static bool next(struct walk *w)
{
    yaml_event_delete(&w->event);
    if (w->err != HD_OK) {
        return false;
    }
    if (w->diags->errors - w->errors_before >= REPORTS_MAX) {
        hd_diag_error(w->diags, w->path, 0, 0, "too many errors; the rest was not read");
        give_up(w, HD_EPARSE);
        return false;
    }
    if (!yaml_parser_parse(&w->parser, &w->event)) {
        report_syntax(w);
        return false;
    }
    w->depth += (unsigned)depth_step(w->event.type);
    if (w->depth > DEPTH_MAX) {
        REPORT(w, &w->event.start_mark, "nested deeper than %d", DEPTH_MAX);
        give_up(w, HD_EPARSE);
        return false;
    }
    refuse_tricks(w);
    return true;
}

/* Passes over the node that the current event starts; its last event becomes current. */
static void skip_node(struct walk *w)
{
    if (depth_step(w->event.type) <= 0) {
        return;
    }
    unsigned inside = w->depth;
    while (next(w) && w->depth >= inside) {
    }
}

static struct hd_slice scalar_text(const yaml_event_t *e)
{
    return hd_slice(e->data.scalar.value, e->data.scalar.length);
}

static bool is_null(const yaml_event_t *e)
{
    struct hd_slice text = scalar_text(e);
    return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || hd_slice_eq(text, HD_SLICE("~")) ||
            hd_slice_eq(text, HD_SLICE("null")));
}

/* ---- values ---- */

static void load_map(struct walk *w, const struct hd_conf_item *items, void *base);

static void load_scalar(struct walk *w, const struct hd_conf_item *item, void *base)
{
    const yaml_event_t *e = &w->event;
    struct hd_conf_place place = place_of(w, &e->start_mark);
    if (e->type == YAML_ALIAS_EVENT) {
        return;
    }
    if (e->type != YAML_SCALAR_EVENT) {
        REPORT(w, &e->start_mark, "%s: must be a single value", item->key);
        skip_node(w);
        return;
    }
    if (is_null(e)) {
        REPORT(w, &e->start_mark, "%s: has no value (\"\" is the empty text)", item->key);
        return;
    }
    int err = hd_conf_set(item, scalar_text(e), base, &place);
    if (err != HD_OK && err != HD_EPARSE) {
        give_up(w, err);
    }
}

static void check_least(struct walk *w, const struct hd_conf_item *item, size_t n,
                        const yaml_mark_t *start)
{
    if (w->err == HD_OK && (int64_t)n < item->min) {
        REPORT(w, start, "%s: needs at least %lld entries", item->key,
               (long long)item->min);
    }
}

static void load_strings(struct walk *w, const struct hd_conf_item *item, void *base)
{
    size_t n = 0;
    yaml_mark_t start = w->event.start_mark;
    if (w->event.type != YAML_SEQUENCE_START_EVENT) {
        load_scalar(w, item, base);
        return;
    }
    while (next(w) && w->event.type != YAML_SEQUENCE_END_EVENT) {
        load_scalar(w, item, base);
        n++;
    }
    check_least(w, item, n, &start);
}

static void load_section(struct walk *w, const struct hd_conf_item *item, void *base)
{
    const yaml_event_t *e = &w->event;
    if (e->type == YAML_MAPPING_START_EVENT) {
        load_map(w, item->sub, base);
    } else if (e->type != YAML_ALIAS_EVENT) {
        REPORT(w, &e->start_mark, "%s: must be a section of \"key: value\" lines",
               item->key);
        skip_node(w);
    }
}

static void load_list(struct walk *w, const struct hd_conf_item *item, void *base)
{
    void **array = hd_conf_member(base, item->offset);
    size_t *n = hd_conf_member(base, item->count_offset);
    size_t max = item->max > 0 ? (size_t)item->max : HD_CONF_LIST_MAX;
    yaml_mark_t start = w->event.start_mark;
    if (w->event.type == YAML_ALIAS_EVENT) {
        return;
    }
    if (w->event.type != YAML_SEQUENCE_START_EVENT) {
        REPORT(w, &start, "%s: must be a list (each entry starts with \"- \")",
               item->key);
        skip_node(w);
        return;
    }
    while (next(w) && w->event.type != YAML_SEQUENCE_END_EVENT) {
        if (*n >= max) {
            REPORT(w, &w->event.start_mark, "%s: more than %zu entries", item->key, max);
            give_up(w, HD_EPARSE);
            return;
        }
        void *entry = hd_conf_grow(array, *n, item->item_size);
        if (entry == NULL) {
            give_up(w, HD_ENOMEM);
            return;
        }
        (*n)++;
        load_section(w, item, entry);
    }
    check_least(w, item, *n, &start);
}

static void load_value(struct walk *w, const struct hd_conf_item *item, void *base)
{
    switch (item->type) {
    case HD_CONF_STRINGS:
        load_strings(w, item, base);
        break;
    case HD_CONF_SECTION:
        load_section(w, item, hd_conf_member(base, item->offset));
        break;
    case HD_CONF_LIST:
        load_list(w, item, base);
        break;
    default:
        load_scalar(w, item, base);
        break;
    }
}

/* ---- defaults ---- */

static void set_defaults(struct walk *w, const struct hd_conf_item *items, void *base);

/* The default is written as a value would be; of a list of texts, with commas. */
static void set_default(struct walk *w, const struct hd_conf_item *item, void *base)
{
    static const yaml_mark_t nowhere = {0, 0, 0};
    struct hd_conf_place place = place_of(w, &nowhere);
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

static void report_unknown(struct walk *w, const struct hd_conf_item *items)
{
    const char *names[ITEMS_MAX];
    char key[65] = "";
    size_t n = 0;
    struct hd_slice text = scalar_text(&w->event);
    for (; items[n].key != NULL && n < ITEMS_MAX; n++) {
        names[n] = items[n].key;
    }
    if (text.len < sizeof(key) && text.len > 0) {
        memcpy(key, text.ptr, text.len);
    }
    const char *near = hd_diag_nearest(key, names, n);
    struct hd_slice shown = hd_slice_head(text, sizeof(key) - 1);
    if (near != NULL) {
        REPORT(w, &w->event.start_mark, "unknown key \"%.*s\"; did you mean \"%s\"?",
               HD_SLICE_FMT(shown), near);
    } else {
        REPORT(w, &w->event.start_mark, "unknown key \"%.*s\"", HD_SLICE_FMT(shown));
    }
}

static const struct hd_conf_item *find_item(const struct hd_conf_item *items,
                                            struct hd_slice key)
{
    for (const struct hd_conf_item *item = items; item->key != NULL; item++) {
        if (hd_slice_eq(hd_slice_str(item->key), key)) {
            return item;
        }
    }
    return NULL;
}

/* One key and its value; the current event is the key. `seen` has each key's first line.
 */
static void load_pair(struct walk *w, const struct hd_conf_item *items, void *base,
                      size_t seen[ITEMS_MAX])
{
    const yaml_event_t *e = &w->event;
    const struct hd_conf_item *item = NULL;
    if (e->type != YAML_SCALAR_EVENT) {
        if (e->type != YAML_ALIAS_EVENT) {
            REPORT(w, &e->start_mark, "a key must be a word");
        }
        skip_node(w);
    } else {
        item = find_item(items, scalar_text(e));
        if (item == NULL) {
            report_unknown(w, items);
        }
    }
    if (item != NULL && seen[item - items] != 0) {
        REPORT(w, &e->start_mark, "key \"%s\" is given again (first on line %zu)",
               item->key, seen[item - items]);
        item = NULL;
    }
    if (item != NULL) {
        seen[item - items] = e->start_mark.line + 1;
    }
    if (!next(w)) {
        return;
    }
    if (item == NULL) {
        skip_node(w);
    } else {
        load_value(w, item, base);
    }
}

/* Keys that were not given: an error when mandatory, else the default. */
static void complete(struct walk *w, const struct hd_conf_item *items, void *base,
                     const size_t seen[ITEMS_MAX], const yaml_mark_t *start)
{
    for (size_t i = 0; items[i].key != NULL && w->err == HD_OK; i++) {
        if (seen[i] != 0) {
            continue;
        }
        if (items[i].required) {
            REPORT(w, start, "mandatory key \"%s\" is missing: %s", items[i].key,
                   items[i].help == NULL ? "" : items[i].help);
        } else {
            set_default(w, &items[i], base);
        }
    }
}

/* From the mapping's start event to its end event. */
static void load_map(struct walk *w, const struct hd_conf_item *items, void *base)
{
    size_t seen[ITEMS_MAX] = {0};
    yaml_mark_t start = w->event.start_mark;
    while (next(w) && w->event.type != YAML_MAPPING_END_EVENT) {
        load_pair(w, items, base, seen);
    }
    complete(w, items, base, seen, &start);
}

static void load_root(struct walk *w, const struct hd_conf_item *items, void *base)
{
    static const size_t none_seen[ITEMS_MAX];
    static const yaml_mark_t top;
    const yaml_event_t *e = &w->event;
    if (e->type == YAML_MAPPING_START_EVENT) {
        load_map(w, items, base);
    } else if (e->type == YAML_SCALAR_EVENT && is_null(e)) {
        complete(w, items, base, none_seen, &top);
    } else if (e->type != YAML_ALIAS_EVENT) {
        REPORT(w, &e->start_mark, "must be \"key: value\" lines");
        skip_node(w);
    }
}

/* stream-start [ document-start node document-end ] stream-end */
static void load_stream(struct walk *w, const struct hd_conf_item *items, void *base)
{
    static const size_t none_seen[ITEMS_MAX];
    static const yaml_mark_t top;
    if (!next(w) || !next(w)) {
        return;
    }
    if (w->event.type == YAML_STREAM_END_EVENT) {
        complete(w, items, base, none_seen, &top);
        return;
    }
    if (!next(w)) {
        return;
    }
    load_root(w, items, base);
    if (next(w) && next(w) && w->event.type != YAML_STREAM_END_EVENT) {
        REPORT(w, &w->event.start_mark, "a second document: only one is allowed");
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
    struct walk w = {.path = path, .diags = diags, .errors_before = diags->errors};
    memset(conf, 0, schema->size);
    if (hd_fails(schema_fits(schema->items))) {
        return HD_EBUG;
    }
    if (text.len > FILE_MAX) {
        hd_diag_error(diags, path, 0, 0, "larger than %d bytes", FILE_MAX);
        return HD_ELIMIT;
    }
    if (!yaml_parser_initialize(&w.parser)) {
        return HD_ENOMEM;
    }
    yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &w.parser, text.len == 0 ? (const uint8_t *)"" : text.ptr, text.len);
    load_stream(&w, schema->items, conf);
    yaml_event_delete(&w.event);
    yaml_parser_delete(&w.parser);
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
