/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML trees as text again: block style, two blanks an indent. Reading it gives the same
 * tree: texts, order, and which scalars are plain. Aliases are written out; comments are
 * not in a tree.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/yaml.h>

/* The value, on lines of its own, each indented by so many levels. */
void con_yaml_write(struct hd_buf *out, const struct hd_yaml *node, unsigned level);
/* "key: value" of a map's child. */
void con_yaml_write_member(struct hd_buf *out, const struct hd_yaml *value,
                           unsigned level);
