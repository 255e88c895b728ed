/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: rul_cond_parse, rul_cond_matches. The tree must be a tree: every node
 * refers only to nodes before it, every text lies in the input.
 */
#include <stdlib.h>

#include "rules/parse/condition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rul_cond cond;

static void check_node(struct hd_slice input, uint16_t i)
{
    const struct rul_cond_node *node = &cond.nodes[i];
    bool binary = node->kind == RUL_COND_AND || node->kind == RUL_COND_OR;
    if ((node->kind == RUL_COND_NOT || binary) && node->left >= i) {
        abort();
    }
    if (binary && node->right >= i) {
        abort();
    }
    if (node->offset > input.len || node->text.len > input.len - node->offset) {
        abort();
    }
    (void)rul_cond_matches(node->text, hd_slice_head(input, 64));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_slice input = hd_slice(data, size);
    if (rul_cond_parse(input, &cond) != 0) {
        if (cond.error == NULL || cond.error_offset > size) {
            abort();
        }
        return 0;
    }
    for (uint16_t i = 0; i < cond.n; i++) {
        check_node(input, i);
    }
    return 0;
}
