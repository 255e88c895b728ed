/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: rul_collection_next, rul_doc_read (and all below it: keys, modifiers,
 * placeholders, values, conditions, correlations, examples), rul_program_build without
 * databases.
 */
#include <stdlib.h>

#include "rules/parse/collection.h"
#include "rules/parse/placeholder.h"
#include "rules/snapshot.h"

#define DOCS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_arena load, keep;
    struct hd_diags diags = {0};
    const struct hd_yaml *root = NULL;
    struct rul_doc *docs[DOCS_MAX];
    uint32_t n = 0;
    hd_arena_init(&load, 256U << 20);
    hd_arena_init(&keep, 64U << 20);
    const struct hd_slice values[] = {HD_SLICE("one*"), HD_SLICE("-t?wo"), HD_SLICE("")};
    struct rul_placeholder known[] = {{HD_SLICE("x"), values, 3, "x.txt", 1}};
    const struct rul_placeholders placeholders = {known, 1};
    struct rul_reader r = {.load = &load,
                           .keep = &keep,
                           .file = "fuzz.yml",
                           .diags = &diags,
                           .placeholders = &placeholders};
    const struct hd_yaml_source src = {
        .file = r.file, .diags = &diags, .has_aliases = true};
    if (hd_yaml_parse(&src, hd_slice(data, size), &load, &root) != 0) {
        root = NULL;
    }
    struct rul_collection collection = {0};
    for (; root != NULL && n < DOCS_MAX; root = root->next) {
        const struct hd_yaml *rule = NULL;
        if (rul_collection_next(&r, &collection, root, &rule) == 0 && rule != NULL) {
            n += rul_doc_read(&r, rule, &docs[n]) == 0;
        }
    }
    struct rul_fields *fields = NULL;
    if (n > 0 && rul_fields_new(&fields) == 0) {
        struct rul_program program;
        const struct rul_compile_opts opts = {.fields = fields};
        if (rul_program_build(&program, &opts, docs, n, &diags) == 0) {
            rul_program_fini(&program);
        }
    }
    rul_fields_free(fields);
    hd_arena_fini(&load);
    hd_arena_fini(&keep);
    return 0;
}
