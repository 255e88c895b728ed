/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields put together out of others (a key and the name of its value, a directory and a
 * file's name, the words of a command), and tables in which what was put together is
 * looked up (the name of a system call by its number).
 */
#include <string.h>

#include "rules/decode/fill.h"
#include "rules/decode/loader.h"

#define TABLES_MAX 256U
#define PARTS_MAX  16U

/* ---- tables ---- */

static void read_table_name(void *ctx, const struct hd_yaml_source *src,
                            const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->table->name = hd_arena_str(l->arena, hd_yaml_text(src, value, "a table's name"));
}

static void read_table_values(void *ctx, const struct hd_yaml_source *src,
                              const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *item;
    struct hd_slice *values = NULL;
    struct rul_decode_names *keys = &l->table->keys;
    if (!hd_yaml_want(src, value, HD_YAML_MAP, "\"values\"")) {
        return;
    }
    for (item = value->first; item != NULL; item = item->next) {
        struct hd_slice text = hd_yaml_text(src, item, "a value of a table");
        struct hd_slice key = hd_arena_copy(l->arena, item->key->text);
        values = hd_arena_grow(l->arena, values, keys->n, sizeof(*values));
        if (values == NULL) {
            return;
        }
        values[keys->n] = hd_arena_copy(l->arena, text);
        if (rul_decode_names_add(l->arena, keys, key, keys->n) != 0) {
            return;
        }
    }
    l->table->values = values;
}

static const struct hd_yaml_key table_keys[] = {{"table", true, read_table_name},
                                                {"values", true, read_table_values},
                                                {NULL, false, NULL}};

static const struct rul_table *find_table(const struct rul_decoders *set,
                                          struct hd_slice name)
{
    for (uint16_t i = 0; i < set->n_tables; i++) {
        if (hd_slice_eq(hd_slice_str(set->tables[i]->name), name)) {
            return set->tables[i];
        }
    }
    return NULL;
}

void rul_declare_table(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *root)
{
    struct rul_decoders *set = l->set;
    struct rul_table **tables =
        hd_arena_grow(l->arena, set->tables, set->n_tables, sizeof(struct rul_table *));
    struct rul_table *table = hd_arena_alloc(l->arena, 1, sizeof(*table));
    if (tables == NULL || table == NULL || set->n_tables == TABLES_MAX) {
        l->err = tables == NULL || table == NULL ? HD_ENOMEM : HD_ELIMIT;
        return;
    }
    *table = (struct rul_table){.name = ""};
    l->table = table;
    hd_yaml_read_map(src, root, "a table", table_keys, l);
    if (find_table(set, hd_slice_str(table->name)) != NULL) {
        hd_yaml_error(src, root, "there is a table of this name already");
    }
    if (rul_decode_names_finish(l->arena, &table->keys) != 0) {
        l->err = HD_ENOMEM;
        return;
    }
    tables[set->n_tables++] = table;
    set->tables = tables;
}

/* ---- make ---- */

static void read_field(void *ctx, const struct hd_yaml_source *src,
                       const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->make->field =
        rul_declare_field(l, src, value, hd_yaml_text(src, value, "a field name"));
}

/* One step of the text, as a pattern has it. */
static struct rul_make_part part_of(struct rul_loader *l,
                                    const struct hd_yaml_source *src,
                                    const struct hd_yaml *value,
                                    const struct rul_pattern *pattern, uint8_t step)
{
    const struct rul_pattern_step *at = &pattern->steps[step];
    if (at->is_literal) {
        return (struct rul_make_part){RUL_FIELD_NONE, at->literal};
    }
    const struct rul_pattern_capture *capture = &pattern->captures[at->capture];
    if (capture->type != RUL_CAPTURE_UNTIL && capture->type != RUL_CAPTURE_REST) {
        hd_yaml_error(src, value, "fields have no types here");
    }
    return (struct rul_make_part){.field =
                                      rul_declare_field(l, src, value, capture->name)};
}

static void read_text(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    struct rul_pattern pattern;
    struct rul_pattern_error err;
    struct hd_slice text = hd_yaml_text(src, value, "\"text\"");
    int rc = rul_pattern_compile(l->arena, text, &pattern, &err);
    if (rc == HD_EPARSE) {
        hd_yaml_error_at(src, value, err.at, "%s", err.why);
        return;
    }
    if (rc == 0 && (pattern.n_captures == 0 || pattern.n_steps > PARTS_MAX)) {
        hd_yaml_error(src, value, "a text to make has a field and at most %u parts",
                      PARTS_MAX);
        return;
    }
    struct rul_make_part *parts =
        rc == 0 ? hd_arena_alloc(l->arena, pattern.n_steps, sizeof(*parts)) : NULL;
    for (uint8_t i = 0; parts != NULL && i < pattern.n_steps; i++) {
        parts[i] = part_of(l, src, value, &pattern, i);
    }
    l->make->parts = parts;
    l->make->n_parts = parts != NULL ? pattern.n_steps : 0;
}

static void read_when(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    rul_declare_conds(l, src, value, &l->make->when);
}

static void read_table(void *ctx, const struct hd_yaml_source *src,
                       const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->make->table = find_table(l->set, hd_yaml_text(src, value, "\"table\""));
    if (l->make->table == NULL) {
        hd_yaml_error(src, value, "no table of this name stands before");
    }
}

static const struct hd_yaml_key make_keys[] = {{"field", true, read_field},
                                               {"text", true, read_text},
                                               {"when", false, read_when},
                                               {"table", false, read_table},
                                               {NULL, false, NULL}};

void rul_declare_makes(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *node)
{
    const struct hd_yaml *item;
    struct rul_make *makes = NULL;
    for (item = NULL; (item = hd_yaml_item(node, item)) != NULL;) {
        struct rul_make make = {.field = RUL_FIELD_NONE};
        l->make = &make;
        hd_yaml_read_map(src, item, "a field to make", make_keys, l);
        makes = hd_arena_grow(l->arena, makes, l->dec->n_makes, sizeof(*makes));
        if (makes == NULL) {
            l->dec->n_makes = 0;
            return;
        }
        makes[l->dec->n_makes++] = make;
        l->dec->makes = makes;
    }
}

/* ---- reading ---- */

static bool is_wanted(const struct rul_event *ev, const struct rul_decoder *dec,
                      const struct rul_make *make)
{
    if (rul_event_has(ev, make->field)) {
        return false;
    }
    for (uint8_t i = 0; i < make->n_parts; i++) {
        uint16_t field = make->parts[i].field;
        if (field != RUL_FIELD_NONE &&
            (!rul_event_has(ev, field) ||
             (dec->null.len > 0 && hd_slice_eq(ev->values[field], dec->null)))) {
            return false;
        }
    }
    return rul_fill_holds(ev, &make->when);
}

/* False when there is no room. */
static bool put(struct rul_decode_arena *arena, struct hd_slice *text,
                struct hd_slice more)
{
    if (arena->cap - arena->used < text->len + more.len) {
        return false;
    }
    memcpy(arena->bytes + arena->used + text->len, more.ptr, more.len);
    text->len += more.len;
    return true;
}

/* All values of a field, with blanks between: the words of a command. */
static bool put_list(struct rul_decode_arena *arena, struct hd_slice *text,
                     const struct rul_lists *lists, const struct rul_list *list)
{
    bool fits = true;
    for (uint16_t at = list->first; fits && at != RUL_ITEM_NONE;
         at = lists->items[at].next) {
        fits = (at == list->first || put(arena, text, HD_SLICE(" "))) &&
               put(arena, text, lists->items[at].value);
    }
    return fits;
}

/* The text stands in the arena behind what is used; it is not used yet. */
static bool put_together(struct rul_fill *f, const struct rul_make *make,
                         struct hd_slice *text)
{
    struct rul_decode_arena *arena = &f->scratch->arena;
    bool fits = true;
    *text = hd_slice(arena->bytes + arena->used, 0);
    for (uint8_t i = 0; fits && i < make->n_parts; i++) {
        const struct rul_make_part *part = &make->parts[i];
        bool is_field = part->field != RUL_FIELD_NONE;
        const struct rul_list *list =
            is_field ? rul_lists_find(&f->ev->lists, part->field) : NULL;
        fits = list != NULL
                   ? put_list(arena, text, &f->ev->lists, list)
                   : put(arena, text, is_field ? f->ev->values[part->field] : part->text);
    }
    return fits;
}

static void make_field(struct rul_fill *f, const struct rul_make *make)
{
    struct hd_slice text;
    if (!put_together(f, make, &text)) {
        f->ev->lost++;
        return;
    }
    if (make->table == NULL) {
        f->scratch->arena.used += text.len;
        rul_event_set(f->ev, make->field, text);
        return;
    }
    const struct rul_decode_name *found = rul_decode_names_find(&make->table->keys, text);
    if (found != NULL) {
        rul_event_set(f->ev, make->field, make->table->values[found->decoder]);
    }
}

void rul_fill_make(struct rul_fill *f, const struct rul_decoder *dec)
{
    for (uint16_t i = 0; i < dec->n_makes; i++) {
        if (is_wanted(f->ev, dec, &dec->makes[i])) {
            make_field(f, &dec->makes[i]);
        }
    }
}
