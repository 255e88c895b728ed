/* SPDX-License-Identifier: Apache-2.0
 *
 * libyaml's events -> tree. Reading goes on after what does not hinder it, so that all of
 * it is told at once. libyaml counts characters; places are told in bytes, so a cursor
 * follows its marks through the text.
 */
#include <haidang/yaml.h>

#include <yaml.h>

#define ANCHORS_MAX 64U
#define REPORTS_MAX 100U /* then the rest of the text is left alone */

struct anchor {
    struct hd_slice name;
    const struct hd_yaml *node;
};

struct cursor {
    size_t chars, bytes; /* from the start of the text */
    size_t line;
    size_t line_bytes; /* where that line starts */
};

struct builder {
    yaml_parser_t parser;
    const struct hd_yaml_source *src;
    struct hd_arena *arena;
    struct hd_slice text;
    struct cursor at;
    unsigned reports;        /* of what does not hinder reading */
    bool is_broken;          /* there is an alias that must not be, so no whole tree */
    uint32_t made, made_max; /* nodes, keys among them */
    uint32_t weight;         /* of the documents */
    size_t n_anchors;
    struct anchor anchors[ANCHORS_MAX];
};

static int build(struct builder *b, yaml_event_t *event, unsigned depth,
                 struct hd_yaml **out);

/* ---- places ---- */

static bool is_inside_char(struct hd_slice text, size_t at)
{
    return at < text.len && (text.ptr[at] & 0xc0) == 0x80;
}

static size_t next_char(struct hd_slice text, size_t at)
{
    at++;
    while (is_inside_char(text, at)) {
        at++;
    }
    return at;
}

static size_t previous_char(struct hd_slice text, size_t at)
{
    at--;
    while (at > 0 && is_inside_char(text, at)) {
        at--;
    }
    return at;
}

/* Marks come nearly in order, so that all moves together are about as long as the text.
 */
static void locate(struct builder *b, const yaml_mark_t *mark, struct hd_yaml *place)
{
    struct cursor *at = &b->at;
    while (at->chars < mark->index && at->bytes < b->text.len) {
        at->bytes = next_char(b->text, at->bytes);
        at->chars++;
    }
    while (at->chars > mark->index && at->bytes > 0) {
        at->bytes = previous_char(b->text, at->bytes);
        at->chars--;
    }
    if (at->line != mark->line) {
        at->line = mark->line;
        at->line_bytes = at->bytes;
        for (size_t i = 0; i < mark->column && at->line_bytes > 0; i++) {
            at->line_bytes = previous_char(b->text, at->line_bytes);
        }
    }
    place->line = (unsigned)mark->line + 1;
    place->column = (unsigned)(at->bytes - at->line_bytes) + 1;
}

#define REPORT(b, node, ...)                                                             \
    hd_diag_error((b)->src->diags, (b)->src->file, (node)->line, (node)->column,         \
                  __VA_ARGS__)

static int refuse(struct builder *b, const yaml_event_t *event, const char *why)
{
    struct hd_yaml place = {0};
    locate(b, &event->start_mark, &place);
    REPORT(b, &place, "%s", why);
    return HD_EPARSE;
}

/* Reports what reading can go on after, up to a limit. */
static int complain(struct builder *b, const struct hd_yaml *at, const char *why)
{
    REPORT(b, at, "%s", why);
    if (++b->reports < REPORTS_MAX) {
        return 0;
    }
    hd_diag_error(b->src->diags, b->src->file, 0, 0,
                  "too many errors; the rest was not read");
    return HD_EPARSE;
}

/* ---- events ---- */

/* The reader of bytes has no marks. */
static void report_bytes(struct builder *b)
{
    const char *problem = b->parser.problem;
    size_t end = b->parser.problem_offset;
    struct hd_yaml place = {.line = 1, .column = 1};
    for (size_t i = 0; i < end && i < b->text.len; i++) {
        bool is_break = b->text.ptr[i] == '\n';
        place.line += is_break;
        place.column = is_break ? 1 : place.column + 1;
    }
    REPORT(b, &place, "not UTF-8 text: %s", problem == NULL ? "unreadable" : problem);
}

static int next_event(struct builder *b, yaml_event_t *event)
{
    const yaml_parser_t *p = &b->parser;
    if (yaml_parser_parse(&b->parser, event)) {
        return 0;
    }
    if (p->error == YAML_MEMORY_ERROR) {
        return HD_ENOMEM;
    }
    if (p->error == YAML_READER_ERROR) {
        report_bytes(b);
        return HD_EPARSE;
    }
    struct hd_yaml place = {0};
    locate(b, &p->problem_mark, &place);
    REPORT(b, &place, "not valid YAML: %s%s%s",
           p->problem == NULL ? "syntax error" : p->problem,
           p->context == NULL ? "" : ", ", p->context == NULL ? "" : p->context);
    return HD_EPARSE;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static const yaml_char_t *tag_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.tag;
    default:
        return NULL;
    }
}

static int refuse_tricks(struct builder *b, const yaml_event_t *event,
                         const struct hd_yaml *node)
{
    int err = 0;
    if (anchor_of(event) != NULL && !b->src->has_aliases) {
        err = complain(b, node, "anchors (&name) are not supported: write it out");
    }
    if (tag_of(event) != NULL && err == 0) {
        err = complain(b, node, "tags (!name) are not supported");
    }
    return err;
}

/* ---- nodes ---- */

static int new_node(struct builder *b, const yaml_event_t *event, enum hd_yaml_kind kind,
                    struct hd_yaml **out)
{
    if (++b->made > b->made_max) {
        return refuse(b, event, "too many values in one file");
    }
    struct hd_yaml *node = hd_arena_alloc(b->arena, 1, sizeof(*node));
    if (node == NULL) {
        return HD_ENOMEM;
    }
    node->kind = kind;
    node->weight = 1;
    locate(b, &event->start_mark, node);
    *out = node;
    return refuse_tricks(b, event, node);
}

/* A node may be named only once it is whole, so that no alias stands inside of it. */
static int remember(struct builder *b, const yaml_event_t *event,
                    const struct hd_yaml *node)
{
    const yaml_char_t *name = anchor_of(event);
    if (name == NULL || !b->src->has_aliases) {
        return 0;
    }
    if (b->n_anchors == ANCHORS_MAX) {
        return refuse(b, event, "too many anchors in one document");
    }
    struct hd_slice copy = hd_arena_copy(b->arena, hd_slice_str((const char *)name));
    b->anchors[b->n_anchors++] = (struct anchor){copy, node};
    return b->arena->failed ? HD_ENOMEM : 0;
}

static int build_alias(struct builder *b, const yaml_event_t *event, struct hd_yaml **out)
{
    struct hd_slice name = hd_slice_str((const char *)event->data.alias.anchor);
    int err = new_node(b, event, HD_YAML_SCALAR, out);
    if (err != 0) {
        return err;
    }
    if (!b->src->has_aliases) {
        b->is_broken = true;
        return complain(b, *out, "aliases (*name) are not supported: write it out");
    }
    for (size_t i = b->n_anchors; i-- > 0;) {
        if (hd_slice_eq(b->anchors[i].name, name)) {
            **out = *b->anchors[i].node;
            (*out)->next = NULL;
            (*out)->key = NULL;
            return 0;
        }
    }
    return refuse(b, event, "alias of an anchor that does not stand before");
}

static int build_scalar(struct builder *b, const yaml_event_t *event,
                        struct hd_yaml **out)
{
    int err = new_node(b, event, HD_YAML_SCALAR, out);
    if (err != 0) {
        return err;
    }
    struct hd_yaml *node = *out;
    yaml_scalar_style_t style = event->data.scalar.style;
    node->is_plain = style == YAML_PLAIN_SCALAR_STYLE;
    node->is_quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                      style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    node->is_one_line = event->start_mark.line == event->end_mark.line;
    node->text = hd_arena_copy(
        b->arena, hd_slice(event->data.scalar.value, event->data.scalar.length));
    return b->arena->failed ? HD_ENOMEM : remember(b, event, node);
}

static int check_weight(struct builder *b, uint32_t weight, const struct hd_yaml *at)
{
    if (weight <= b->made_max) {
        return 0;
    }
    REPORT(b, at, "too many values (aliases count in full)");
    return HD_EPARSE;
}

static int append(struct builder *b, struct hd_yaml *parent, struct hd_yaml **tail,
                  struct hd_yaml *child)
{
    if (*tail == NULL) {
        parent->first = child;
    } else {
        (*tail)->next = child;
    }
    *tail = child;
    parent->n++;
    parent->weight += child->weight;
    return check_weight(b, parent->weight, child);
}

static int build_list(struct builder *b, const yaml_event_t *event, unsigned depth,
                      struct hd_yaml **out)
{
    int err = new_node(b, event, HD_YAML_LIST, out);
    struct hd_yaml *tail = NULL;
    while (err == 0) {
        yaml_event_t item;
        err = next_event(b, &item);
        if (err != 0) {
            return err;
        }
        if (item.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&item);
            return remember(b, event, *out);
        }
        struct hd_yaml *child = NULL;
        err = build(b, &item, depth + 1, &child);
        yaml_event_delete(&item);
        if (err == 0) {
            err = append(b, *out, &tail, child);
        }
    }
    return err;
}

/* *is_again: the map has this key; it was reported and its value is to be left out. */
static int check_key(struct builder *b, const struct hd_yaml *map,
                     const struct hd_yaml *key, bool *is_again)
{
    if (key->kind != HD_YAML_SCALAR) {
        REPORT(b, key, "a key must be a word");
        return HD_EPARSE;
    }
    if (map->n >= HD_YAML_KEYS_MAX) {
        REPORT(b, key, "more than %u keys in one map", HD_YAML_KEYS_MAX);
        return HD_EPARSE;
    }
    for (const struct hd_yaml *c = map->first; c != NULL; c = c->next) {
        if (hd_slice_eq(c->key->text, key->text)) {
            char why[160];
            (void)snprintf(why, sizeof(why),
                           "key \"%.*s\" is given again (first on line %u)",
                           HD_SLICE_FMT(hd_slice_head(key->text, 64)), c->key->line);
            *is_again = true;
            return complain(b, key, why);
        }
    }
    return 0;
}

/* Key and value; *value is NULL when it must be left out. */
static int build_pair(struct builder *b, const struct hd_yaml *map,
                      yaml_event_t *key_event, unsigned depth, struct hd_yaml **value)
{
    struct hd_yaml *key = NULL;
    bool is_again = false;
    int err = build(b, key_event, depth + 1, &key);
    if (err == 0) {
        err = check_key(b, map, key, &is_again);
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
        *value = is_again ? NULL : *value;
    }
    return err;
}

static int build_map(struct builder *b, const yaml_event_t *event, unsigned depth,
                     struct hd_yaml **out)
{
    int err = new_node(b, event, HD_YAML_MAP, out);
    struct hd_yaml *tail = NULL;
    while (err == 0) {
        yaml_event_t key;
        err = next_event(b, &key);
        if (err != 0) {
            return err;
        }
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return remember(b, event, *out);
        }
        struct hd_yaml *value = NULL;
        err = build_pair(b, *out, &key, depth, &value);
        yaml_event_delete(&key);
        if (err == 0 && value != NULL) {
            err = append(b, *out, &tail, value);
        }
    }
    return err;
}

static int build(struct builder *b, yaml_event_t *event, unsigned depth,
                 struct hd_yaml **out)
{
    if (depth > HD_YAML_DEPTH_MAX) {
        struct hd_yaml place = {0};
        locate(b, &event->start_mark, &place);
        REPORT(b, &place, "nested deeper than %u", HD_YAML_DEPTH_MAX);
        return HD_EPARSE;
    }
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return build_alias(b, event, out);
    case YAML_SCALAR_EVENT:
        return build_scalar(b, event, out);
    case YAML_SEQUENCE_START_EVENT:
        return build_list(b, event, depth, out);
    case YAML_MAPPING_START_EVENT:
        return build_map(b, event, depth, out);
    default:
        return refuse(b, event, "a value was expected here");
    }
}

/* ---- the text ---- */

/* One event of the stream level; *more becomes false at its end. */
static int read_document(struct builder *b, bool *more, struct hd_yaml **doc)
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

static int read_stream(struct builder *b, const struct hd_yaml **docs)
{
    struct hd_yaml *tail = NULL;
    bool more = true;
    while (more) {
        struct hd_yaml *doc = NULL;
        int err = read_document(b, &more, &doc);
        if (err != 0) {
            return err;
        }
        if (doc == NULL) {
            continue;
        }
        b->weight += doc->weight;
        err = check_weight(b, b->weight, doc);
        if (err != 0) {
            return err;
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

int hd_yaml_parse(const struct hd_yaml_source *src, struct hd_slice text,
                  struct hd_arena *arena, const struct hd_yaml **docs)
{
    size_t max = src->bytes_max == 0 ? HD_YAML_BYTES_MAX : src->bytes_max;
    *docs = NULL;
    if (text.len > max) {
        hd_diag_error(src->diags, src->file, 0, 0, "larger than %zu bytes", max);
        return HD_EPARSE;
    }
    if (hd_slice_starts(text, HD_SLICE("\xef\xbb\xbf"))) {
        text = hd_slice_from(text, 3);
    }
    struct builder b = {.src = src, .arena = arena, .text = text};
    b.made_max = src->nodes_max == 0 ? HD_YAML_NODES_MAX : src->nodes_max;
    if (!yaml_parser_initialize(&b.parser)) {
        return HD_ENOMEM;
    }
    yaml_parser_set_input_string(&b.parser, text.ptr ? text.ptr : (const uint8_t *)"",
                                 text.len);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    int err = read_stream(&b, docs);
    yaml_parser_delete(&b.parser);
    if (err != 0 || b.is_broken) {
        *docs = NULL;
    }
    return err == 0 && b.reports > 0 ? HD_EPARSE : err;
}
