/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/parse/yaml.h"

#include <yaml.h>

#define ANCHORS_MAX 64U

struct anchor {
    struct hd_slice name;
    const struct rul_yaml *node;
};

struct builder {
    yaml_parser_t parser;
    struct hd_arena *arena;
    const char *file;
    struct hd_diags *diags;
    size_t weight;
    size_t n_anchors;
    struct anchor anchors[ANCHORS_MAX];
};

static int next_event(struct builder *b, yaml_event_t *event)
{
    if (yaml_parser_parse(&b->parser, event)) {
        return 0;
    }
    if (b->parser.error == YAML_MEMORY_ERROR) {
        return HD_ENOMEM;
    }
    const char *problem = b->parser.problem ? b->parser.problem : "not YAML";
    if (b->parser.error == YAML_READER_ERROR) {
        hd_diag_error(b->diags, b->file, 0, 0, "%s at byte %zu", problem,
                      b->parser.problem_offset);
    } else {
        hd_diag_error(b->diags, b->file, (unsigned)b->parser.problem_mark.line + 1,
                      (unsigned)b->parser.problem_mark.column + 1, "%s", problem);
    }
    return HD_EPARSE;
}

static int refuse(struct builder *b, const yaml_mark_t *mark, const char *why)
{
    hd_diag_error(b->diags, b->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1,
                  "%s", why);
    return HD_EPARSE;
}

static int new_node(struct builder *b, const yaml_event_t *event, enum rul_yaml_type type,
                    struct rul_yaml **out)
{
    struct rul_yaml *node = hd_arena_alloc(b->arena, 1, sizeof(*node));
    if (node == NULL) {
        return HD_ENOMEM;
    }
    node->type = type;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    node->weight = 1;
    *out = node;
    return 0;
}

static int remember(struct builder *b, const yaml_event_t *event, const yaml_char_t *name,
                    const struct rul_yaml *node)
{
    if (name == NULL) {
        return 0;
    }
    if (b->n_anchors == ANCHORS_MAX) {
        return refuse(b, &event->start_mark, "too many anchors in one document");
    }
    struct hd_slice copy = hd_arena_copy(b->arena, hd_slice_str((const char *)name));
    b->anchors[b->n_anchors++] = (struct anchor){copy, node};
    return b->arena->failed ? HD_ENOMEM : 0;
}

static int build(struct builder *b, yaml_event_t *event, unsigned depth,
                 struct rul_yaml **out);

static int build_alias(struct builder *b, const yaml_event_t *event,
                       struct rul_yaml **out)
{
    struct hd_slice name = hd_slice_str((const char *)event->data.alias.anchor);
    for (size_t i = b->n_anchors; i-- > 0;) {
        if (hd_slice_eq(b->anchors[i].name, name)) {
            int err = new_node(b, event, RUL_YAML_SCALAR, out);
            if (err != 0) {
                return err;
            }
            **out = *b->anchors[i].node;
            (*out)->next = NULL;
            (*out)->key = NULL;
            return 0;
        }
    }
    return refuse(b, &event->start_mark, "alias of an anchor that does not stand before");
}

static int build_scalar(struct builder *b, const yaml_event_t *event,
                        struct rul_yaml **out)
{
    int err = new_node(b, event, RUL_YAML_SCALAR, out);
    if (err != 0) {
        return err;
    }
    struct rul_yaml *node = *out;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->quoted = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                   event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    node->text = hd_arena_copy(
        b->arena, hd_slice(event->data.scalar.value, event->data.scalar.length));
    return b->arena->failed ? HD_ENOMEM
                            : remember(b, event, event->data.scalar.anchor, node);
}

static void append(struct rul_yaml *parent, struct rul_yaml **tail,
                   struct rul_yaml *child)
{
    if (*tail == NULL) {
        parent->first = child;
    } else {
        (*tail)->next = child;
    }
    *tail = child;
    parent->n++;
    parent->weight += child->weight;
}

static int build_list(struct builder *b, const yaml_event_t *event, unsigned depth,
                      struct rul_yaml **out)
{
    int err = new_node(b, event, RUL_YAML_LIST, out);
    struct rul_yaml *tail = NULL;
    while (err == 0) {
        yaml_event_t item;
        err = next_event(b, &item);
        if (err != 0) {
            return err;
        }
        if (item.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&item);
            return remember(b, event, event->data.sequence_start.anchor, *out);
        }
        struct rul_yaml *child = NULL;
        err = build(b, &item, depth + 1, &child);
        yaml_event_delete(&item);
        if (err == 0) {
            append(*out, &tail, child);
        }
    }
    return err;
}

static int check_key(struct builder *b, const struct rul_yaml *map,
                     const struct rul_yaml *key)
{
    if (key->type != RUL_YAML_SCALAR) {
        hd_diag_error(b->diags, b->file, key->line, key->column,
                      "a key must be a plain word");
        return HD_EPARSE;
    }
    if (map->n >= RUL_YAML_KEYS_MAX) {
        hd_diag_error(b->diags, b->file, key->line, key->column,
                      "more than %u keys in one map", RUL_YAML_KEYS_MAX);
        return HD_EPARSE;
    }
    for (const struct rul_yaml *c = map->first; c != NULL; c = c->next) {
        if (hd_slice_eq(c->key->text, key->text)) {
            hd_diag_error(b->diags, b->file, key->line, key->column,
                          "key '%.*s' is given twice, first in line %u",
                          HD_SLICE_FMT(key->text), c->key->line);
            return HD_EPARSE;
        }
    }
    return 0;
}

static int build_pair(struct builder *b, struct rul_yaml *map, yaml_event_t *key_event,
                      unsigned depth, struct rul_yaml **value)
{
    struct rul_yaml *key = NULL;
    int err = build(b, key_event, depth + 1, &key);
    if (err == 0) {
        err = check_key(b, map, key);
    }
    yaml_event_t event;
    if (err == 0) {
        err = next_event(b, &event);
    }
    if (err != 0) {
        return err;
    }
    err = build(b, &event, depth + 1, value);
    yaml_event_delete(&event);
    if (err == 0) {
        (*value)->key = key;
    }
    return err;
}

static int build_map(struct builder *b, const yaml_event_t *event, unsigned depth,
                     struct rul_yaml **out)
{
    int err = new_node(b, event, RUL_YAML_MAP, out);
    struct rul_yaml *tail = NULL;
    while (err == 0) {
        yaml_event_t key;
        err = next_event(b, &key);
        if (err != 0) {
            return err;
        }
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return remember(b, event, event->data.mapping_start.anchor, *out);
        }
        struct rul_yaml *value = NULL;
        err = build_pair(b, *out, &key, depth, &value);
        yaml_event_delete(&key);
        if (err == 0) {
            append(*out, &tail, value);
        }
    }
    return err;
}

static int build(struct builder *b, yaml_event_t *event, unsigned depth,
                 struct rul_yaml **out)
{
    if (depth > RUL_YAML_DEPTH_MAX) {
        return refuse(b, &event->start_mark, "nested too deeply");
    }
    int err = 0;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        err = build_alias(b, event, out);
        break;
    case YAML_SCALAR_EVENT:
        err = build_scalar(b, event, out);
        break;
    case YAML_SEQUENCE_START_EVENT:
        err = build_list(b, event, depth, out);
        break;
    case YAML_MAPPING_START_EVENT:
        err = build_map(b, event, depth, out);
        break;
    default:
        return refuse(b, &event->start_mark, "a value was expected here");
    }
    if (err == 0 && (*out)->weight > RUL_YAML_NODES_MAX) {
        return refuse(b, &event->start_mark, "too many values (aliases count in full)");
    }
    return err;
}

/* One event of the stream level; *more becomes false at its end. */
static int read_document(struct builder *b, bool *more, struct rul_yaml **doc)
{
    yaml_event_t event;
    int err = next_event(b, &event);
    if (err != 0) {
        return err;
    }
    switch (event.type) {
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    case YAML_DOCUMENT_START_EVENT:
        b->n_anchors = 0;
        break;
    case YAML_STREAM_END_EVENT:
        *more = false;
        break;
    default:
        err = build(b, &event, 0, doc);
        break;
    }
    yaml_event_delete(&event);
    return err;
}

static int read_stream(struct builder *b, const struct rul_yaml **docs)
{
    struct rul_yaml *tail = NULL;
    bool more = true;
    while (more) {
        struct rul_yaml *doc = NULL;
        int err = read_document(b, &more, &doc);
        if (err != 0) {
            return err;
        }
        if (doc == NULL) {
            continue;
        }
        b->weight += doc->weight;
        if (b->weight > RUL_YAML_NODES_MAX) {
            hd_diag_error(b->diags, b->file, doc->line, doc->column,
                          "too many values in one file");
            return HD_EPARSE;
        }
        if (tail == NULL) {
            *docs = doc;
        } else {
            tail->next = doc;
        }
        tail = doc;
    }
    return 0;
}

int rul_yaml_parse(struct hd_arena *arena, const char *file, struct hd_slice text,
                   const struct rul_yaml **docs, struct hd_diags *diags)
{
    *docs = NULL;
    if (text.len > RUL_YAML_BYTES_MAX) {
        hd_diag_error(diags, file, 0, 0, "file is larger than %u bytes",
                      RUL_YAML_BYTES_MAX);
        return HD_EPARSE;
    }
    struct builder b = {.arena = arena, .file = file, .diags = diags};
    if (!yaml_parser_initialize(&b.parser)) {
        return HD_ENOMEM;
    }
    yaml_parser_set_input_string(&b.parser, text.ptr ? text.ptr : (const uint8_t *)"",
                                 text.len);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    int err = read_stream(&b, docs);
    yaml_parser_delete(&b.parser);
    return err;
}

const struct rul_yaml *rul_yaml_get(const struct rul_yaml *map, const char *key)
{
    if (map == NULL || map->type != RUL_YAML_MAP) {
        return NULL;
    }
    struct hd_slice name = hd_slice_str(key);
    for (const struct rul_yaml *c = map->first; c != NULL; c = c->next) {
        if (hd_slice_eq(c->key->text, name)) {
            return c;
        }
    }
    return NULL;
}

bool rul_yaml_is_null(const struct rul_yaml *node)
{
    if (node->type != RUL_YAML_SCALAR || !node->plain) {
        return false;
    }
    return node->text.len == 0 || rul_yaml_is(node, "~") || rul_yaml_is(node, "null") ||
           rul_yaml_is(node, "Null") || rul_yaml_is(node, "NULL");
}

bool rul_yaml_is(const struct rul_yaml *scalar, const char *text)
{
    return scalar->type == RUL_YAML_SCALAR &&
           hd_slice_eq(scalar->text, hd_slice_str(text));
}
