/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed access to a libyaml document for readers that report every problem with file,
 * line and column. Internal to rules/decode. Single thread, load time only.
 */
#pragma once
#include <yaml.h>

#include <haidang/diag.h>
#include <haidang/slice.h>

struct rul_decode_yaml {
    yaml_document_t *doc;
    const char *file;
    struct hd_diags *diags;
};

/* Reports at a node; `offset` bytes into a one-line scalar. */
void rul_decode_yaml_error(const struct rul_decode_yaml *y, const yaml_node_t *node,
                           size_t offset, const char *fmt, ...) HD_PRINTF(4, 5);

/* Children; NULL past the end. A pair's key is always a scalar (else reported, skipped).
 */
const yaml_node_t *rul_decode_yaml_item(const struct rul_decode_yaml *y,
                                        const yaml_node_t *node, size_t index);
bool rul_decode_yaml_pair(const struct rul_decode_yaml *y, const yaml_node_t *node,
                          size_t index, const yaml_node_t **key,
                          const yaml_node_t **value);

/* Text of a scalar; reports and yields "" for another kind. `what` is for the message. */
struct hd_slice rul_decode_yaml_text(const struct rul_decode_yaml *y,
                                     const yaml_node_t *node, const char *what);
bool rul_decode_yaml_is_null(const yaml_node_t *node);

/* Reports unless node is of the kind. */
bool rul_decode_yaml_want(const struct rul_decode_yaml *y, const yaml_node_t *node,
                          yaml_node_type_t kind, const char *what);

/* One key of a mapping's schema. */
struct rul_decode_yaml_key {
    const char *name;
    bool is_required;
    void (*read)(void *ctx, const struct rul_decode_yaml *y, const yaml_node_t *value);
};
/* Calls each key's reader in the order of the table; reports unknown keys (did you mean),
 * duplicates and missing ones. `keys` ends with a NULL name. */
void rul_decode_yaml_mapping(const struct rul_decode_yaml *y, const yaml_node_t *node,
                             const char *what, const struct rul_decode_yaml_key *keys,
                             void *ctx);
