/* SPDX-License-Identifier: Apache-2.0
 *
 * What readers of YAML trees have in common.
 */
#include <haidang/yaml.h>

#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 512U /* of a message */
#define WORD_MAX 64U  /* of a key that is quoted in one */

HD_PRINTF(4, 0)
static void report(const struct hd_yaml_source *src, const struct hd_yaml *node,
                   unsigned column, const char *fmt, va_list args)
{
    char text[TEXT_MAX];
    (void)vsnprintf(text, sizeof(text), fmt, args);
    hd_diag_error(src->diags, src->file, node->line, column, "%s", text);
}

void hd_yaml_error(const struct hd_yaml_source *src, const struct hd_yaml *node,
                   const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report(src, node, node->column, fmt, args);
    va_end(args);
}

void hd_yaml_error_at(const struct hd_yaml_source *src, const struct hd_yaml *node,
                      size_t offset, const char *fmt, ...)
{
    unsigned column = node->column;
    if (node->is_one_line) {
        column += (unsigned)offset + (node->is_quoted ? 1U : 0U);
    }
    va_list args;
    va_start(args, fmt);
    report(src, node, column, fmt, args);
    va_end(args);
}

const struct hd_yaml *hd_yaml_get(const struct hd_yaml *map, const char *key)
{
    if (map == NULL || map->kind != HD_YAML_MAP) {
        return NULL;
    }
    struct hd_slice name = hd_slice_str(key);
    for (const struct hd_yaml *c = map->first; c != NULL; c = c->next) {
        if (hd_slice_eq(c->key->text, name)) {
            return c;
        }
    }
    return NULL;
}

bool hd_yaml_is_null(const struct hd_yaml *node)
{
    if (node->kind != HD_YAML_SCALAR || !node->is_plain) {
        return false;
    }
    return node->text.len == 0 || hd_yaml_is(node, "~") || hd_yaml_is(node, "null") ||
           hd_yaml_is(node, "Null") || hd_yaml_is(node, "NULL");
}

bool hd_yaml_is(const struct hd_yaml *scalar, const char *text)
{
    return scalar->kind == HD_YAML_SCALAR &&
           hd_slice_eq(scalar->text, hd_slice_str(text));
}

const struct hd_yaml *hd_yaml_item(const struct hd_yaml *node, const struct hd_yaml *last)
{
    if (node->kind != HD_YAML_LIST) {
        return last == NULL ? node : NULL;
    }
    return last == NULL ? node->first : last->next;
}

bool hd_yaml_want(const struct hd_yaml_source *src, const struct hd_yaml *node,
                  enum hd_yaml_kind kind, const char *what)
{
    static const char *const names[] = {[HD_YAML_SCALAR] = "a single value",
                                        [HD_YAML_LIST] = "a list",
                                        [HD_YAML_MAP] = "a mapping"};
    if (node->kind != kind) {
        hd_yaml_error(src, node, "%s must be %s", what, names[kind]);
    }
    return node->kind == kind;
}

struct hd_slice hd_yaml_text(const struct hd_yaml_source *src, const struct hd_yaml *node,
                             const char *what)
{
    return hd_yaml_want(src, node, HD_YAML_SCALAR, what) ? node->text : HD_SLICE("");
}

void hd_yaml_unknown_key(const struct hd_yaml_source *src, const struct hd_yaml *key,
                         const char *what, const char *const *names, size_t n)
{
    struct hd_diag_hint hint;
    struct hd_slice word = hd_slice_head(key->text, WORD_MAX);
    hd_yaml_error(src, key, "unknown key \"%.*s\"%s%s%s", HD_SLICE_FMT(word),
                  what != NULL ? " of " : "", what != NULL ? what : "",
                  hd_diag_hint(key->text, names, n, &hint));
}

static const struct hd_yaml_key *find(const struct hd_yaml_key *keys,
                                      const struct hd_yaml *name)
{
    while (keys->name != NULL && !hd_yaml_is(name, keys->name)) {
        keys++;
    }
    return keys->name != NULL ? keys : NULL;
}

void hd_yaml_read_map(const struct hd_yaml_source *src, const struct hd_yaml *node,
                      const char *what, const struct hd_yaml_key *keys, void *ctx)
{
    const char *names[HD_YAML_SCHEMA_MAX];
    size_t n = 0;
    if (!hd_yaml_want(src, node, HD_YAML_MAP, what)) {
        return;
    }
    for (; n < HD_YAML_SCHEMA_MAX && keys[n].name != NULL; n++) {
        names[n] = keys[n].name;
    }
    if (hd_fails(n < HD_YAML_SCHEMA_MAX)) {
        return;
    }
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        if (find(keys, v->key) == NULL) {
            hd_yaml_unknown_key(src, v->key, what, names, n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct hd_yaml *value = hd_yaml_get(node, keys[i].name);
        if (value != NULL) {
            keys[i].read(ctx, src, value);
        } else if (keys[i].is_required) {
            hd_yaml_error(src, node, "%s needs \"%s\"", what, keys[i].name);
        }
    }
}
