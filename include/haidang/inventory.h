/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory of information systems: which system an alert is about, whose it is, how
 * important, whom to call (docs/formats/inventory.md). Read from CSV (a header row names
 * the columns) or YAML (`systems:` a list of the same names). Immutable once loaded;
 * shared by threads.
 */
#pragma once
#include <stdbool.h>

#include <haidang/diag.h>
#include <haidang/inet.h>
#include <haidang/slice.h>

#define HD_INVENTORY_FILE_MAX    (16U << 20)
#define HD_INVENTORY_SYSTEMS_MAX 100000U
#define HD_INVENTORY_TEXT_MAX    1024U /* bytes of one cell that ends up in alerts */

struct hd_system { /* texts are NUL-terminated UTF-8, "" when absent */
    char *id, *name, *agency, *contact;
    uint8_t level; /* 1..5; 0 = not classified */
    bool secret;   /* nothing about it leaves the province */
    unsigned line; /* in the file */
};

struct hd_inventory;

/* By the file's suffix: .csv, .yml, .yaml. Reports every problem with line and column;
 * HD_EPARSE when there was an error, or the read error. */
int hd_inventory_load(const char *path, struct hd_inventory **out,
                      struct hd_diags *diags) HD_MUST_USE;
/* The same from memory; the suffix of `path` names the format. */
int hd_inventory_parse(struct hd_slice text, const char *path, struct hd_inventory **out,
                       struct hd_diags *diags) HD_MUST_USE;
void hd_inventory_free(struct hd_inventory *inventory);

size_t hd_inventory_count(const struct hd_inventory *inventory);
const struct hd_system *hd_inventory_at(const struct hd_inventory *inventory, size_t i);
/* NULL: there is none. */
const struct hd_system *hd_inventory_by_id(const struct hd_inventory *inventory,
                                           struct hd_slice id);
/* By host name, without case; NULL when it is nobody's. */
const struct hd_system *hd_inventory_by_host(const struct hd_inventory *inventory,
                                             struct hd_slice host);
/* By the longest registered network that holds the address; NULL when there is none. */
const struct hd_system *hd_inventory_by_ip(const struct hd_inventory *inventory,
                                           const struct hd_ip *ip);
