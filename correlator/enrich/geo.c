/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/enrich/geo.h"

#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/fs.h>

#define COPY_CHUNK (256U << 10)

struct cor_geo_db {
    MMDB_s mmdb;
};

/* ---- opening ---- */

static int copy_bytes(int from, int to)
{
    char *chunk = malloc(COPY_CHUNK);
    if (chunk == NULL) {
        return HD_ENOMEM;
    }
    uint64_t total = 0;
    int err = HD_OK;
    while (err == HD_OK) {
        ssize_t got = read(from, chunk, COPY_CHUNK);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            err = errno == EINTR ? HD_OK : hd_err_from_errno(errno);
            continue;
        }
        total += (uint64_t)got;
        ssize_t put = total > COR_GEO_FILE_MAX ? 0 : write(to, chunk, (size_t)got);
        if (put < 0) {
            err = hd_err_from_errno(errno);
        } else if (put != got) {
            err = total > COR_GEO_FILE_MAX ? HD_ELIMIT : HD_ENOSPC;
        }
    }
    free(chunk);
    return err;
}

/* Copies the file; `copy` is its path, to be unlinked by the caller. */
static int make_copy(const char *path, const char *dir, char *copy, size_t cap)
{
    HD_AUTO_FD int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (from < 0 || fstat(from, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return HD_EINVAL;
    }
    if ((size_t)snprintf(copy, cap, "%s/.geo-XXXXXX", dir) >= cap) {
        return HD_ELIMIT;
    }
    HD_AUTO_FD int to = mkostemp(copy, O_CLOEXEC);
    if (to < 0) {
        return hd_err_from_errno(errno);
    }
    int err = copy_bytes(from, to);
    if (err != HD_OK) {
        (void)unlink(copy);
    }
    return err;
}

int cor_geo_open(const char *path, const char *scratch_dir, struct cor_geo_db **out,
                 struct hd_diags *diags)
{
    char copy[4096];
    struct cor_geo_db *db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return HD_ENOMEM;
    }
    int err = make_copy(path, scratch_dir, copy, sizeof(copy));
    if (err != HD_OK) {
        hd_diag_error(diags, path, 0, 0, "the database cannot be read: %s",
                      hd_err_text(err));
        free(db);
        return err;
    }
    int status = MMDB_open(copy, MMDB_MODE_MMAP, &db->mmdb);
    (void)unlink(copy);
    if (status != MMDB_SUCCESS) {
        hd_diag_error(diags, path, 0, 0, "not a usable MaxMind DB: %s",
                      MMDB_strerror(status));
        free(db);
        return HD_ECORRUPT;
    }
    *out = db;
    return HD_OK;
}

void cor_geo_close(struct cor_geo_db *db)
{
    if (db != NULL) {
        MMDB_close(&db->mmdb);
        free(db);
    }
}

/* ---- lookup ---- */

static bool get(MMDB_entry_s *entry, const char *const *path, uint32_t type,
                MMDB_entry_data_s *data)
{
    return MMDB_aget_value(entry, data, path) == MMDB_SUCCESS && data->has_data &&
           data->type == type;
}

static void get_text(MMDB_entry_s *entry, const char *const *path, struct hd_slice *out)
{
    MMDB_entry_data_s data;
    if (out->len == 0 && get(entry, path, MMDB_DATA_TYPE_UTF8_STRING, &data)) {
        *out = hd_slice(data.utf8_string, data.data_size);
    }
}

static void get_position(MMDB_entry_s *entry, struct cor_geo *geo)
{
    MMDB_entry_data_s lat, lon;
    if (get(entry, (const char *[]){"location", "latitude", NULL}, MMDB_DATA_TYPE_DOUBLE,
            &lat) &&
        get(entry, (const char *[]){"location", "longitude", NULL}, MMDB_DATA_TYPE_DOUBLE,
            &lon) &&
        lat.double_value >= -90 && lat.double_value <= 90 && lon.double_value >= -180 &&
        lon.double_value <= 180) {
        geo->has_position = true;
        geo->lat = lat.double_value;
        geo->lon = lon.double_value;
    }
}

static void get_all(MMDB_entry_s *entry, struct cor_geo *geo)
{
    MMDB_entry_data_s data;
    get_text(entry, (const char *[]){"country", "iso_code", NULL}, &geo->country_iso);
    get_text(entry, (const char *[]){"country_code", NULL}, &geo->country_iso);
    get_text(entry, (const char *[]){"country", "names", "en", NULL}, &geo->country);
    get_text(entry, (const char *[]){"subdivisions", "0", "names", "en", NULL},
             &geo->region);
    get_text(entry, (const char *[]){"city", "names", "en", NULL}, &geo->city);
    get_text(entry, (const char *[]){"location", "time_zone", NULL}, &geo->time_zone);
    get_position(entry, geo);
    if (geo->as_number == 0 &&
        get(entry, (const char *[]){"autonomous_system_number", NULL},
            MMDB_DATA_TYPE_UINT32, &data)) {
        geo->as_number = data.uint32;
    }
    get_text(entry, (const char *[]){"autonomous_system_organization", NULL},
             &geo->as_organization);
}

int cor_geo_lookup(const struct cor_geo_db *db, const struct hd_ip *ip,
                   struct cor_geo *geo)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr = {0};
    if (hd_ip_is_v4(ip)) {
        addr.v4.sin_family = AF_INET;
        memcpy(&addr.v4.sin_addr, ip->byte + 12, 4);
    } else {
        addr.v6.sin6_family = AF_INET6;
        memcpy(&addr.v6.sin6_addr, ip->byte, 16);
    }
    int status = MMDB_SUCCESS;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&db->mmdb, &addr.any, &status);
    if (status == MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR) {
        return HD_ENOENT;
    }
    if (status != MMDB_SUCCESS) {
        return HD_ECORRUPT;
    }
    if (!found.found_entry) {
        return HD_ENOENT;
    }
    get_all(&found.entry, geo);
    return HD_OK;
}
