/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed access to YAML trees for the decoder loader: everything that is wrong is reported
 * with file, line and column. Internal to rules/decode; load time only.
 */
#pragma once
#include "rules/parse/yaml.h"

struct rul_decode_file {
    const char *path;
    struct hd_diags *diags;
};

/* Reports at a node; `offset` bytes into its text. */
void rul_decode_report(const struct rul_decode_file *file, const struct rul_yaml *node,
                       size_t offset, const char *fmt, ...) HD_PRINTF(4, 5);

/* First of a list of values: a lone value is a list of one. Go on with rul_decode_next.
 */
const struct rul_yaml *rul_decode_first(const struct rul_yaml *node);
const struct rul_yaml *rul_decode_next(const struct rul_yaml *list,
                                       const struct rul_yaml *item);

/* Text of a scalar; reports and yields "" for another kind. `what` is for the message. */
struct hd_slice rul_decode_text(const struct rul_decode_file *file,
                                const struct rul_yaml *node, const char *what);

/* Reports unless node is of the kind. */
bool rul_decode_want(const struct rul_decode_file *file, const struct rul_yaml *node,
                     enum rul_yaml_type type, const char *what);

/* One key of a mapping's schema. */
struct rul_decode_key {
    const char *name;
    bool is_required;
    void (*read)(void *ctx, const struct rul_decode_file *file,
                 const struct rul_yaml *value);
};
/* Calls each key's reader in the order of the table; reports unknown keys (did you mean)
 * and missing ones. `keys` ends with a NULL name. */
void rul_decode_mapping(const struct rul_decode_file *file, const struct rul_yaml *node,
                        const char *what, const struct rul_decode_key *keys, void *ctx);

/* The known word nearest to `word` as "; did you mean x?", or "" (out). */
const char *rul_decode_hint(struct hd_slice word, const char *const *known, size_t n,
                            char out[80]);
