/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of the outside: the inventory and the databases of addresses, one
 * immutable snapshot, counted by reference. Loaded aside (blocking), handed to the state
 * thread, replaced whole. Every part is optional.
 */
#pragma once
#include <stdbool.h>

#include <haidang/inventory.h>

#include "correlator/enrich/geo.h"

struct cor_enrich;

struct cor_enrich_opts { /* paths; NULL or "" = without */
    const char *inventory;
    const char *city_db; /* City or Country */
    const char *asn_db;
    const char *scratch_dir;
};

/* All problems are reported; on any error nothing is made. */
int cor_enrich_load(const struct cor_enrich_opts *opts, struct cor_enrich **out,
                    struct hd_diags *diags) HD_MUST_USE;
struct cor_enrich *cor_enrich_ref(struct cor_enrich *enrich); /* any thread */
void cor_enrich_unref(struct cor_enrich *enrich);

/* One of the database files is another one now than when it was loaded. Blocking. */
bool cor_enrich_is_stale(const struct cor_enrich *enrich,
                         const struct cor_enrich_opts *opts);
size_t cor_enrich_systems(const struct cor_enrich *enrich);
const struct hd_system *cor_enrich_system_at(const struct cor_enrich *enrich, size_t i);
/* Its place: of a system that this snapshot gave. */
size_t cor_enrich_system_index(const struct cor_enrich *enrich,
                               const struct hd_system *system);

/* Slices may be empty, addresses NULL. */
struct cor_subject {
    struct hd_slice system; /* its id, when that is known */
    struct hd_slice host, agent;
    const struct hd_ip *source, *destination;
};

/* The system an event is about: by its id, by host name, then by the agent's name, then
 * by the destination's network, then by the source's. NULL = not registered. */
const struct hd_system *cor_enrich_system(const struct cor_enrich *enrich,
                                          const struct cor_subject *subject);

/* "inbound", "outbound", "internal" or NULL. Ours is what the inventory registers and
 * every private address; without a destination it is the host itself, which is ours. */
const char *cor_enrich_direction(const struct cor_enrich *enrich,
                                 const struct cor_subject *subject);

/* HD_ENOENT: nothing known; HD_ECORRUPT: a database is broken there (what the other one
 * knows is filled in). */
int cor_enrich_geo(const struct cor_enrich *enrich, const struct hd_ip *ip,
                   struct cor_geo *geo) HD_MUST_USE;
