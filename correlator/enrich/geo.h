/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an address is and whose network it is in, from MaxMind DB files (City or Country,
 * and ASN). Immutable once open; shared by threads. A file is copied to an unlinked one
 * first: libmaxminddb maps files, and a mapped file that somebody truncates in place
 * would end the process.
 */
#pragma once
#include <stdbool.h>

#include <haidang/diag.h>
#include <haidang/inet.h>
#include <haidang/slice.h>

#define COR_GEO_FILE_MAX (UINT64_C(1) << 30)

struct cor_geo_db;

/* own: *out. `scratch_dir` takes the copy. Reports what is wrong with the file. */
int cor_geo_open(const char *path, const char *scratch_dir, struct cor_geo_db **out,
                 struct hd_diags *diags) HD_MUST_USE;
void cor_geo_close(struct cor_geo_db *db);

struct cor_geo { /* texts view the database; empty = unknown */
    struct hd_slice country_iso, country, region, city, time_zone;
    bool has_position;
    double lat, lon;
    uint32_t as_number; /* 0 = unknown */
    struct hd_slice as_organization;
};

/* Adds what this database knows. HD_ENOENT: nothing; HD_ECORRUPT: the database is broken
 * at this address. */
int cor_geo_lookup(const struct cor_geo_db *db, const struct hd_ip *ip,
                   struct cor_geo *geo) HD_MUST_USE;
