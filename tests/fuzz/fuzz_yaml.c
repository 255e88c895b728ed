/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as YAML: an error is reported exactly when reading fails, and a plain scalar
 * of one line stands where its node says.
 */
#include <stdlib.h>

#include <haidang/yaml.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the line break at the start of `s`, 0 when there is none; YAML 1.1, 5.4. */
static size_t line_break(struct hd_slice s)
{
    static const char *const breaks[] = {"\r\n",     "\n",           "\r",
                                         "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        if (hd_slice_starts(s, hd_slice_str(breaks[i]))) {
            return strlen(breaks[i]);
        }
    }
    return 0;
}

/* The text from a line on; what is missing at the end stands in a line of its own. */
static struct hd_slice line_at(struct hd_slice text, unsigned line)
{
    while (line > 1 && text.len > 0) {
        size_t len = line_break(text);
        line -= len > 0;
        text = hd_slice_from(text, len > 0 ? len : 1);
    }
    if (line > 2) {
        abort();
    }
    return text;
}

/* A node with an anchor or a tag starts there. */
static bool has_properties(struct hd_slice at)
{
    return at.len > 0 && (at.ptr[0] == '&' || at.ptr[0] == '!');
}

static void check_place(struct hd_slice text, const struct hd_yaml *node)
{
    if (node->kind == HD_YAML_SCALAR && node->is_plain && node->is_one_line) {
        struct hd_slice at = hd_slice_from(line_at(text, node->line), node->column - 1);
        if (!has_properties(at) && !hd_slice_starts(at, node->text)) {
            abort();
        }
    }
    for (const struct hd_yaml *c = node->first; c != NULL; c = c->next) {
        if (c->key != NULL) {
            check_place(text, c->key);
        }
        if (c->weight < 100) { /* an alias may stand for very many */
            check_place(text, c);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_slice text = size == 0 ? HD_SLICE_EMPTY : hd_slice(data + 1, size - 1);
    struct hd_diag_first first = {{0}};
    struct hd_diags diags = {hd_diag_keep_first, &first, 0, 0};
    const struct hd_yaml_source src = {
        .file = "f.yml", .diags = &diags, .has_aliases = size > 0 && (data[0] & 1U) != 0};
    const struct hd_yaml *docs = NULL;
    struct hd_arena arena;
    hd_arena_init(&arena, 0);
    int err = hd_yaml_parse(&src, text, &arena, &docs);
    if ((err != HD_OK) != (diags.errors > 0)) {
        abort();
    }
    if (hd_slice_starts(text, HD_SLICE("\xef\xbb\xbf"))) {
        text = hd_slice_from(text, 3);
    }
    for (; docs != NULL; docs = docs->next) {
        check_place(text, docs);
    }
    hd_arena_fini(&arena);
    return 0;
}
