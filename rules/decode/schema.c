/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of keys drives the reading of each mapping, so that no key can be forgotten in
 * one place and known in another.
 */
#include "rules/decode/schema.h"

#include <stdarg.h>
#include <stdio.h>

#define KEYS_MAX 24U
#define WORD_MAX 48 /* bytes of a word shown in a message */

void rul_decode_report(const struct rul_decode_file *file, const struct rul_yaml *node,
                       size_t offset, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    hd_diag_error(file->diags, file->path, node->line,
                  node->column + (unsigned)offset + (node->quoted ? 1 : 0), "%s", text);
}

const struct rul_yaml *rul_decode_first(const struct rul_yaml *node)
{
    return node->type == RUL_YAML_LIST ? node->first : node;
}

const struct rul_yaml *rul_decode_next(const struct rul_yaml *list,
                                       const struct rul_yaml *item)
{
    return list->type == RUL_YAML_LIST ? item->next : NULL;
}

struct hd_slice rul_decode_text(const struct rul_decode_file *file,
                                const struct rul_yaml *node, const char *what)
{
    return rul_decode_want(file, node, RUL_YAML_SCALAR, what) ? node->text : HD_SLICE("");
}

bool rul_decode_want(const struct rul_decode_file *file, const struct rul_yaml *node,
                     enum rul_yaml_type type, const char *what)
{
    static const char *const names[] = {[RUL_YAML_SCALAR] = "a single value",
                                        [RUL_YAML_LIST] = "a list",
                                        [RUL_YAML_MAP] = "a mapping"};
    if (node->type == type) {
        return true;
    }
    rul_decode_report(file, node, 0, "%s must be %s", what, names[type]);
    return false;
}

const char *rul_decode_hint(struct hd_slice word, const char *const *known, size_t n,
                            char out[80])
{
    char text[WORD_MAX];
    (void)snprintf(text, sizeof(text), "%.*s",
                   (int)(word.len < WORD_MAX ? word.len : WORD_MAX - 1),
                   (const char *)word.ptr);
    const char *near = hd_diag_nearest(text, known, n);
    if (near == NULL) {
        return "";
    }
    (void)snprintf(out, 80, "; did you mean %s?", near);
    return out;
}

static void report_unknown(const struct rul_decode_file *file, const struct rul_yaml *key,
                           const char *what, const struct rul_decode_key *keys)
{
    const char *names[KEYS_MAX];
    char hint[80];
    size_t n = 0;
    while (keys[n].name != NULL && n < KEYS_MAX) {
        names[n] = keys[n].name;
        n++;
    }
    rul_decode_report(file, key, 0, "%s has no key \"%.*s\"%s", what,
                      (int)(key->text.len < WORD_MAX ? key->text.len : WORD_MAX),
                      (const char *)key->text.ptr,
                      rul_decode_hint(key->text, names, n, hint));
}

void rul_decode_mapping(const struct rul_decode_file *file, const struct rul_yaml *node,
                        const char *what, const struct rul_decode_key *keys, void *ctx)
{
    if (!rul_decode_want(file, node, RUL_YAML_MAP, what)) {
        return;
    }
    for (const struct rul_yaml *v = node->first; v != NULL; v = v->next) {
        size_t k = 0;
        while (keys[k].name != NULL && !rul_yaml_is(v->key, keys[k].name)) {
            k++;
        }
        if (keys[k].name == NULL) {
            report_unknown(file, v->key, what, keys);
        }
    }
    for (size_t k = 0; keys[k].name != NULL; k++) {
        const struct rul_yaml *value = rul_yaml_get(node, keys[k].name);
        if (value != NULL) {
            keys[k].read(ctx, file, value);
        } else if (keys[k].is_required) {
            rul_decode_report(file, node, 0, "%s needs \"%s\"", what, keys[k].name);
        }
    }
}
