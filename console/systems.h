/* SPDX-License-Identifier: Apache-2.0
 *
 * The information system of a source: that of its host, of an agent of such a name, or of
 * the sender's network, as the inventory (docs/formats/inventory.md) has them; and which
 * systems were asked for. Shared by threads once made.
 */
#pragma once
#include <haidang/batch.h>
#include <haidang/inventory.h>
#include <jansson.h>

#include "console/command.h"

struct con_systems { /* zeroed: no inventory, everything will do */
    struct hd_inventory *inventory;
    bool *is_wanted; /* by the system's place in the inventory */
    bool is_chosen;  /* only some were asked for */
};

/* From --system --agency --level --inventory; the inventory is loaded when one of the
 * first three is given. Prints what is wrong; HD_E*. own: con_systems_fini, also on
 * failure. */
int con_systems_init(struct con_systems *systems,
                     const struct con_args *args) HD_MUST_USE;
/* The same for those who show systems: loaded also where --inventory names it, or the
 * default one can be read. */
int con_systems_init_shown(struct con_systems *systems,
                           const struct con_args *args) HD_MUST_USE;
void con_systems_fini(struct con_systems *systems);

/* NULL: it is nobody's, or there is no inventory. */
const struct hd_system *con_systems_of(const struct con_systems *systems,
                                       struct hd_slice agent, struct hd_slice host,
                                       struct hd_slice peer);
/* Its id, name, agency and level. own: the caller; NULL without memory. */
json_t *con_systems_json(const struct hd_system *system);
/* Whether a system (NULL: none) was asked for. */
bool con_systems_want(const struct con_systems *systems, const struct hd_system *system);
bool con_systems_match(const struct con_systems *systems, struct hd_slice agent,
                       const struct hd_batch_source *source);
