/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory's inside, for the files that fill and search it.
 */
#pragma once
#include <haidang/index.h>
#include <haidang/nets.h>

#include "lib/inventory_build.h"

#define HD_INVENTORY_HOST_MAX  255U
#define HD_INVENTORY_HOSTS_MAX 1000000U
#define HD_INVENTORY_NETS_MAX  1000000U

struct hd_inventory_host {
    char *name;
    uint32_t system;
};

struct hd_inventory {
    struct hd_system *systems;
    uint32_t n_systems;
    struct hd_inventory_host *hosts;
    uint32_t n_hosts;
    struct hd_index by_id, by_host;
    struct hd_nets nets;
};

int hd_inventory_new(struct hd_inventory **out) HD_MUST_USE;
void hd_system_fini(struct hd_system *system);
uint64_t hd_inventory_host_hash(struct hd_slice host);
/* Positions, or HD_INDEX_NONE. */
uint32_t hd_inventory_find_id(const struct hd_inventory *inv, struct hd_slice id);
uint32_t hd_inventory_find_host(const struct hd_inventory *inv, struct hd_slice host);
