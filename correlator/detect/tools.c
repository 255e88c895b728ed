/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/tools.h"

#include <stdlib.h>

void cor_tools_free(struct cor_tools *tools)
{
    if (tools != NULL) {
        rul_scratch_free(tools->match);
        cor_rules_unref(tools->rules);
        hd_canary_keys_unref(tools->canary_keys);
        free(tools);
    }
}

int cor_tools_new(struct cor_rules *rules, struct hd_canary_keys *canary_keys,
                  struct cor_tools **out)
{
    struct cor_tools *tools = calloc(1, sizeof(*tools));
    if (tools == NULL) {
        return HD_ENOMEM;
    }
    tools->rules = cor_rules_ref(rules);
    tools->canary_keys = hd_canary_keys_ref(canary_keys);
    int err = rul_scratch_new(rules->set, &tools->match);
    if (err != HD_OK) {
        cor_tools_free(tools);
        return err;
    }
    *out = tools;
    return HD_OK;
}
