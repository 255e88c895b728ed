/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory's inside, for the files of enrich/ that fill and search it.
 */
#pragma once
#include "correlator/enrich/inventory_build.h"
#include "correlator/enrich/nets.h"
#include <haidang/index.h>

#define COR_INVENTORY_HOST_MAX  255U
#define COR_INVENTORY_HOSTS_MAX 1000000U
#define COR_INVENTORY_NETS_MAX  1000000U

struct cor_inventory_host {
    char *name;
    uint32_t system;
};

struct cor_inventory {
    struct cor_system *systems;
    uint32_t n_systems;
    struct cor_inventory_host *hosts;
    uint32_t n_hosts;
    struct hd_index by_id, by_host;
    struct cor_nets nets;
};

int cor_inventory_new(struct cor_inventory **out) HD_MUST_USE;
void cor_system_fini(struct cor_system *system);
uint64_t cor_inventory_host_hash(struct hd_slice host);
/* Positions, or HD_INDEX_NONE. */
uint32_t cor_inventory_find_id(const struct cor_inventory *inv, struct hd_slice id);
uint32_t cor_inventory_find_host(const struct cor_inventory *inv, struct hd_slice host);
