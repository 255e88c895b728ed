/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of an information system: sent by one of its hosts, by an agent of such a name,
 * or from one of its networks, as the inventory (docs/formats/inventory.md) has them.
 * Shared by threads once made.
 */
#pragma once
#include <haidang/batch.h>
#include <haidang/inventory.h>

#include "console/command.h"

struct con_systems { /* zeroed: every line will do */
    struct hd_inventory *inventory;
    bool *is_wanted; /* by the system's place in the inventory */
};

/* From --system --agency --level --inventory. Prints what is wrong; HD_E*. own:
 * con_systems_fini, also on failure. */
int con_systems_init(struct con_systems *systems,
                     const struct con_args *args) HD_MUST_USE;
void con_systems_fini(struct con_systems *systems);
bool con_systems_match(const struct con_systems *systems, struct hd_slice agent,
                       const struct hd_batch_source *source);
