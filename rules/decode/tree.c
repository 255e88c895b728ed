/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON objects and Windows event XML -> event: leaves become fields while they are
 * scanned, then the first JSON decoder that knows the fields names and sorts them.
 */
#include "rules/decode/tree.h"

#include "rules/decode/event_xml.h"

/* The text of all elements of an array, ", " between them, for people. */
static bool join_values(struct rul_decode_arena *arena, struct hd_slice *value,
                        struct hd_slice more)
{
    size_t len = value->len + 2 + more.len;
    bool is_last = value->ptr + value->len == arena->bytes + arena->used;
    uint8_t *room = rul_decode_arena_room(arena, is_last ? len - value->len : len);
    if (room == NULL) {
        return false;
    }
    if (!is_last) {
        memcpy(room, value->ptr, value->len);
        *value = hd_slice(room, value->len);
        arena->used += value->len;
        room += value->len;
    }
    memcpy(room, ", ", 2);
    memcpy(room + 2, more.ptr, more.len);
    arena->used += 2 + more.len;
    value->len = len;
    return true;
}

/* One more element of a field that has a value. False: no room. */
static bool add_element(struct rul_fill *f, uint16_t field, struct hd_slice value)
{
    struct rul_event *ev = f->ev;
    struct rul_list *list = rul_lists_find(&ev->lists, field);
    struct hd_slice joined = ev->values[field];
    bool fits = list != NULL ? rul_lists_append(&ev->lists, list, value)
                             : rul_lists_start(&ev->lists, field, joined, value);
    if (!fits || !join_values(&f->scratch->arena, &joined, value)) {
        return false;
    }
    ev->values[field] = joined;
    return true;
}

struct taking {
    struct rul_fill *f;
    size_t (*unescape)(struct hd_slice raw, uint8_t *out);
};

/* In place: \\ and \" as one sign. What stands behind other backslashes was not escaped.
 */
static size_t unescape_again(uint8_t *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        bool is_escape =
            text[i] == '\\' && i + 1 < len && (text[i + 1] == '\\' || text[i + 1] == '"');
        i += is_escape ? 1 : 0;
        text[n++] = text[i];
    }
    return n;
}

static void take_leaf(void *ctx, const struct rul_json_leaf *leaf)
{
    const struct taking *taking = ctx;
    struct rul_fill *f = taking->f;
    uint16_t field = leaf->field;
    struct hd_slice value = leaf->text;
    struct rul_decode_arena *arena = &f->scratch->arena;
    bool is_joined = leaf->is_in_array && rul_event_has(f->ev, field);
    if (leaf->has_escapes) {
        uint8_t *room = rul_decode_arena_room(arena, value.len);
        if (room == NULL) {
            f->ev->lost++;
            return;
        }
        value = hd_slice(room, taking->unescape(value, room));
        value.len = leaf->is_escaped_twice ? unescape_again(room, value.len) : value.len;
        arena->used += value.len;
    }
    if (!is_joined) {
        rul_event_set(f->ev, field, value);
    } else if (!add_element(f, field, value)) {
        f->ev->lost++;
    }
}

static bool has_json_shape(const struct rul_event *ev, const struct rul_decoder *dec)
{
    for (uint16_t i = 0; i < dec->n_json_shapes; i++) {
        const struct rul_conds *shape = &dec->json_shapes[i];
        bool may_hold = shape->n == 0 || rul_event_has(ev, shape->list[0].field);
        if (may_hold && rul_fill_holds(ev, shape)) {
            return true;
        }
    }
    return false;
}

/* The JSON decoder that knows an event with these fields. */
static const struct rul_decoder *find_json(const struct rul_fill *f)
{
    for (uint16_t i = 0; i < f->set->n_json; i++) {
        const struct rul_decoder *dec = &f->set->all[f->set->json[i]];
        if (has_json_shape(f->ev, dec)) {
            return dec;
        }
    }
    return NULL;
}

static void read_json_event(struct rul_fill *f, const struct rul_decoder *dec,
                            struct hd_slice text)
{
    struct rul_event *ev = f->ev;
    rul_fill_make(f, dec);
    rul_fill_map(f, dec, &dec->map);
    rul_fill_time_fields(f, dec);
    ev->tree = text;
    ev->decoder = dec->name;
    rul_fill_consts(f, dec->set, dec->n_set);
    ev->class_id = rul_when_apply(f, dec, dec->class_id);
    if (!rul_event_has(ev, RUL_F_MESSAGE)) {
        rul_event_set(ev, RUL_F_MESSAGE, text);
    }
}

/* What a text that turned out bad has left behind. */
static void forget_values(struct rul_event *ev)
{
    for (uint16_t i = 0; i < ev->n; i++) {
        ev->present[ev->ids[i] >> 6] = 0;
    }
    ev->n = 0;
    ev->lost = 0;
    ev->lists.n = 0;
    ev->lists.n_items = 0;
}

static bool scan(struct rul_fill *f, struct hd_slice text)
{
    const struct rul_paths *paths = rul_fields_paths(f->set->fields);
    struct taking taking = {f, rul_json_unescape};
    enum hd_parse rc;
    if (text.len > 1 && text.ptr[0] == '{') {
        rc = rul_json_scan(text, paths, take_leaf, &taking);
    } else if (text.len > 1 && text.ptr[0] == '<' && !hd_is_digit(text.ptr[1])) {
        taking.unescape = rul_event_xml_unescape;
        rc = rul_event_xml_scan(text, paths, take_leaf, &taking);
    } else {
        return false;
    }
    f->scratch->stats.malformed += rc != HD_PARSE_OK;
    return rc == HD_PARSE_OK;
}

bool rul_tree_has_escapes(struct hd_slice tree)
{
    return tree.len > 0 &&
           hd_slice_find_byte(tree, tree.ptr[0] == '{' ? '\\' : '&') != HD_NPOS;
}

size_t rul_tree_unescape(struct hd_slice tree, uint8_t *out)
{
    return tree.ptr[0] == '{' ? rul_json_unescape(tree, out)
                              : rul_event_xml_unescape(tree, out);
}

bool rul_tree_read(struct rul_fill *f, struct hd_slice text)
{
    const struct rul_decoder *dec = scan(f, text) ? find_json(f) : NULL;
    if (dec == NULL) {
        forget_values(f->ev);
        f->scratch->arena.used = 0;
        return false;
    }
    f->ev->leaves = text.ptr[0] == '{' ? f->scratch->arena.used : 0;
    read_json_event(f, dec, text);
    return true;
}
