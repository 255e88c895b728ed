/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON tokenizer against jansson: what jansson takes as an object we take too, and
 * where jansson refuses we may differ only in what json_scan.h says.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "rules/decode/json_scan.h"
#include "rules/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_leaf(void *ctx, const struct rul_json_leaf *leaf)
{
    size_t *leaves = ctx;
    uint8_t *out = malloc(leaf->text.len + 1);
    if (out == NULL) {
        abort();
    }
    if (leaf->field == RUL_FIELD_NONE) {
        abort();
    }
    if (leaf->has_escapes && rul_json_unescape(leaf->text, out) > leaf->text.len) {
        abort();
    }
    free(out);
    (*leaves)++;
}

/* Names that short inputs have a chance to spell, and lifted objects. */
static const struct rul_paths *make_paths(void)
{
    static const char *const names[] = {"a", "b", "a.b", "a.b.c", "ab c", "k", "x.y"};
    struct rul_fields *fields;
    uint16_t id;
    if (rul_fields_new(&fields) != 0) {
        abort();
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (rul_fields_add(fields, hd_slice_str(names[i]), &id) != 0) {
            abort();
        }
    }
    if (rul_paths_lift(rul_fields_paths(fields), HD_SLICE("x")) != 0 ||
        rul_paths_lift(rul_fields_paths(fields), HD_SLICE("y.*")) != 0 ||
        rul_paths_text(rul_fields_paths(fields), HD_SLICE("k")) != 0) {
        abort();
    }
    return rul_fields_paths(fields);
}

/* Brackets that are open at the same time, strings passed over. */
static unsigned depth_of(const uint8_t *data, size_t size)
{
    unsigned depth = 0, deepest = 0;
    bool is_string = false;
    for (size_t i = 0; i < size; i++) {
        if (is_string && data[i] == '\\') {
            i++;
        } else if (data[i] == '"') {
            is_string = !is_string;
        } else if (!is_string && (data[i] == '{' || data[i] == '[')) {
            deepest = ++depth > deepest ? depth : deepest;
        } else if (!is_string && (data[i] == '}' || data[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rul_paths *paths;
    size_t leaves = 0;
    json_error_t error;
    paths = paths == NULL ? make_paths() : paths;
    enum hd_parse rc = rul_json_scan(hd_slice(data, size), paths, on_leaf, &leaves);
    json_t *theirs = json_loadb((const char *)data, size, 0, &error);
    bool is_object = theirs != NULL && json_is_object(theirs);
    json_decref(theirs);
    if (memchr(data, 0, size) != NULL) {
        return 0; /* jansson passes over a NUL behind a number */
    }
    if (is_object && rc != HD_PARSE_OK && depth_of(data, size) <= RUL_JSON_DEPTH_MAX) {
        abort();
    }
    static const char *const lenient[] = {"decode byte", "UTF-8",    "Unicode", "\\u0000",
                                          "NUL byte",    "overflow", "big"};
    bool is_lenient = false;
    for (size_t i = 0; i < sizeof(lenient) / sizeof(lenient[0]); i++) {
        is_lenient = is_lenient || strstr(error.text, lenient[i]) != NULL;
    }
    if (rc == HD_PARSE_OK && !is_object && !is_lenient) {
        abort();
    }
    return 0;
}
