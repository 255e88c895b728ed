/* SPDX-License-Identifier: Apache-2.0
 *
 * libyaml keeps aliases as references to one node, so a document cannot grow by them;
 * readers walk fixed depths only.
 */
#include "rules/decode/yaml_node.h"

#include <stdarg.h>
#include <stdio.h>

#define KEYS_MAX 24U

void rul_decode_yaml_error(const struct rul_decode_yaml *y, const yaml_node_t *node,
                           size_t offset, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    bool is_one_line =
        node->type == YAML_SCALAR_NODE && node->start_mark.line == node->end_mark.line;
    bool is_quoted = is_one_line && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    size_t column = node->start_mark.column + 1;
    column += is_one_line ? offset + (is_quoted ? 1 : 0) : 0;
    hd_diag_error(y->diags, y->file, (unsigned)node->start_mark.line + 1,
                  (unsigned)column, "%s", text);
}

static const yaml_node_t *node_at(const struct rul_decode_yaml *y, int index)
{
    return yaml_document_get_node(y->doc, index);
}

const yaml_node_t *rul_decode_yaml_item(const struct rul_decode_yaml *y,
                                        const yaml_node_t *node, size_t index)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        return index == 0 ? node : NULL;
    }
    size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    return index < n ? node_at(y, node->data.sequence.items.start[index]) : NULL;
}

bool rul_decode_yaml_pair(const struct rul_decode_yaml *y, const yaml_node_t *node,
                          size_t index, const yaml_node_t **key,
                          const yaml_node_t **value)
{
    if (node->type != YAML_MAPPING_NODE) {
        return false;
    }
    size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    if (index >= n) {
        return false;
    }
    const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[index];
    *key = node_at(y, pair->key);
    *value = node_at(y, pair->value);
    return true;
}

static struct hd_slice scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE
               ? hd_slice(node->data.scalar.value, node->data.scalar.length)
               : HD_SLICE("");
}

struct hd_slice rul_decode_yaml_text(const struct rul_decode_yaml *y,
                                     const yaml_node_t *node, const char *what)
{
    (void)rul_decode_yaml_want(y, node, YAML_SCALAR_NODE, what);
    return scalar(node);
}

bool rul_decode_yaml_is_null(const yaml_node_t *node)
{
    struct hd_slice text = scalar(node);
    return node->type == YAML_SCALAR_NODE &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || hd_slice_eq(text, HD_SLICE("null")) ||
            hd_slice_eq(text, HD_SLICE("~")));
}

bool rul_decode_yaml_want(const struct rul_decode_yaml *y, const yaml_node_t *node,
                          yaml_node_type_t kind, const char *what)
{
    if (node->type == kind) {
        return true;
    }
    const char *name = kind == YAML_SCALAR_NODE     ? "a single value"
                       : kind == YAML_SEQUENCE_NODE ? "a list"
                                                    : "a mapping";
    rul_decode_yaml_error(y, node, 0, "%s must be %s", what, name);
    return false;
}

static void report_unknown(const struct rul_decode_yaml *y, const yaml_node_t *key,
                           const char *what, const struct rul_decode_yaml_key *keys)
{
    const char *names[KEYS_MAX];
    size_t n = 0;
    while (keys[n].name != NULL && n < KEYS_MAX) {
        names[n] = keys[n].name;
        n++;
    }
    char word[48];
    struct hd_slice text = scalar(key);
    (void)snprintf(word, sizeof(word), "%.*s", (int)(text.len < 47 ? text.len : 47),
                   (const char *)text.ptr);
    const char *near = hd_diag_nearest(word, names, n);
    rul_decode_yaml_error(y, key, 0, "%s has no key \"%s\"%s%s%s", what, word,
                          near != NULL ? "; did you mean \"" : "",
                          near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* The value of a key, NULL when it is not there; reports a second one. */
static const yaml_node_t *find_key(const struct rul_decode_yaml *y,
                                   const yaml_node_t *node, const char *name)
{
    const yaml_node_t *found = NULL, *key, *value;
    for (size_t i = 0; rul_decode_yaml_pair(y, node, i, &key, &value); i++) {
        if (!hd_slice_eq(scalar(key), hd_slice_str(name))) {
            continue;
        }
        if (found != NULL) {
            rul_decode_yaml_error(y, key, 0, "\"%s\" is given twice", name);
        } else {
            found = value;
        }
    }
    return found;
}

void rul_decode_yaml_mapping(const struct rul_decode_yaml *y, const yaml_node_t *node,
                             const char *what, const struct rul_decode_yaml_key *keys,
                             void *ctx)
{
    const yaml_node_t *key, *value;
    if (!rul_decode_yaml_want(y, node, YAML_MAPPING_NODE, what)) {
        return;
    }
    for (size_t i = 0; rul_decode_yaml_pair(y, node, i, &key, &value); i++) {
        size_t k = 0;
        while (keys[k].name != NULL &&
               !hd_slice_eq(scalar(key), hd_slice_str(keys[k].name))) {
            k++;
        }
        if (keys[k].name == NULL) {
            report_unknown(y, key, what, keys);
        }
    }
    for (size_t k = 0; keys[k].name != NULL; k++) {
        value = find_key(y, node, keys[k].name);
        if (value != NULL) {
            keys[k].read(ctx, y, value);
        } else if (keys[k].is_required) {
            rul_decode_yaml_error(y, node, 0, "%s needs \"%s\"", what, keys[k].name);
        }
    }
}
